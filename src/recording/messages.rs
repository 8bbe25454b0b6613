//! The messages that are looked into, as CDR has them: their fields up to the last that is needed, in their order.

use byteorder::{BigEndian, LittleEndian};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// `std_msgs/Header`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
pub struct Header {
    /// `stamp.sec`, then `stamp.nanosec`.
    pub stamp: (i32, u32),
    /// The frame.
    pub frame_id: String,
}

impl Header {
    /// The stamp (s).
    pub fn secs(&self) -> f64 {
        f64::from(self.stamp.0) + f64::from(self.stamp.1) * 1e-9
    }
}

/// `sensor_msgs/JointState`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
pub struct JointState {
    /// When.
    pub header: Header,
    /// The joints.
    pub name: Vec<String>,
    /// Where they are (rad or m).
    pub position: Vec<f64>,
}

/// `trajectory_msgs/JointTrajectoryPoint`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
pub struct Point {
    /// For each joint (rad or m).
    pub positions: Vec<f64>,
    /// For each joint, or none (rad/s or m/s).
    pub velocities: Vec<f64>,
    /// For each joint, or none (rad/s² or m/s²).
    pub accelerations: Vec<f64>,
    /// For each joint, or none (N m or N).
    pub effort: Vec<f64>,
    /// Seconds and nanoseconds.
    pub time_from_start: (i32, u32),
}

/// `control_msgs/JointTrajectoryControllerState`, of any distribution: its first fields have not changed but in name.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
pub struct ControllerState {
    /// When.
    pub header: Header,
    /// The joints.
    pub joint_names: Vec<String>,
    /// Where they should be.
    pub reference: Point,
    /// Where they are.
    pub feedback: Point,
}

/// `control_msgs/DynamicJointState`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
pub struct DynamicJointState {
    /// When.
    pub header: Header,
    /// The joints.
    pub joint_names: Vec<String>,
    /// Names and values, for each joint.
    pub interface_values: Vec<(Vec<String>, Vec<f64>)>,
}

/// `std_msgs/String`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
pub struct Text {
    /// What it says.
    pub data: String,
}

/// What bytes in CDR mean, as ROS sends them; `None` where they are no such message.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let (representation, message) = bytes.split_at_checked(4)?;
    let decoded = match representation[1] {
        0 => cdr_encoding::from_bytes::<T, BigEndian>(message),
        1 => cdr_encoding::from_bytes::<T, LittleEndian>(message),
        _ => return None,
    };
    decoded.ok().map(|(message, _length)| message)
}

/// The same the other way.
#[cfg(test)]
pub(crate) fn encode<T: serde::Serialize>(message: &T) -> Vec<u8> {
    let mut bytes = vec![0, 1, 0, 0];
    bytes.extend(cdr_encoding::to_vec::<T, LittleEndian>(message).unwrap());
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_joint_state_is_read_as_a_middleware_has_written_it() {
        // By Fast DDS: stamp 1.000000002, frame "", name ["a"], position [0.5], velocity [], effort [].
        let bytes = [
            0, 1, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, b'a', 0, 0,
            0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xe0, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0,
        ];
        let state: JointState = decode(&bytes).unwrap();
        assert_eq!(state.name, ["a"]);
        assert_eq!(state.position, [0.5]);
        assert_eq!(state.header.secs(), 1.000000002);
    }

    #[test]
    fn what_is_encoded_is_decoded_and_what_breaks_off_is_none() {
        let point = Point { positions: vec![1.0, 2.0], ..Point::default() };
        let state = ControllerState {
            header: Header { stamp: (5, 6), frame_id: "world".to_owned() },
            joint_names: vec!["one".to_owned(), "another".to_owned()],
            reference: point.clone(),
            feedback: point,
        };
        let bytes = encode(&state);
        assert_eq!(decode(&bytes), Some(state));
        assert_eq!(decode::<ControllerState>(&bytes[..bytes.len() - 1]), None);
        assert_eq!(decode::<Text>(&[]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode::<JointState>(&bytes);
            let _ = decode::<ControllerState>(&bytes);
            let _ = decode::<DynamicJointState>(&bytes);
        }
    }
}
