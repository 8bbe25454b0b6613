//! What of a recording is drawn: lines of points over the time since its first joint state.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, bail};

use crate::kinematics::{JointKind, RobotModel};
use crate::recording::messages::{ControllerState, DynamicJointState, JointState, Text, decode};
use crate::recording::reader;

/// Time (s) and value.
pub(super) type Line = Vec<(f64, f64)>;

/// One joint.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Joint {
    pub(super) name: String,
    /// Whether it slides, and its positions are metres.
    pub(super) slides: bool,
    /// Where it should be, was, and the first minus the second at the same time (rad or m).
    pub(super) goal: Line,
    pub(super) position: Line,
    pub(super) error: Line,
}

/// All that is drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Series {
    /// In the order of the joint states.
    pub(super) joints: Vec<Joint>,
    /// Joint states a second, over the [`RATE_OVER`] states before (Hz).
    pub(super) rate: Line,
    /// The first stamp (s of the clock that the arm went by).
    pub(super) began: f64,
}

/// The rate is that of so many states.
pub(super) const RATE_OVER: usize = 20;

impl Series {
    /// Reads what there is of the arm in a namespace, which need not be said where there is one arm.
    pub(super) fn read(file: &Path, namespace: Option<&str>) -> anyhow::Result<Self> {
        let topics = reader::read(file, |_, _, _| {})?;
        let arms: Vec<&str> = topics.keys().filter_map(|topic| topic.strip_suffix("joint_states")).collect();
        // `dynamic_joint_states` ends like it.
        let arms: Vec<&str> = arms.into_iter().filter(|arm| arm.ends_with('/')).collect();
        let named = namespace.map(|name| format!("/{}/", name.trim_matches('/')).replace("//", "/"));
        let arm = match (&named, &arms[..]) {
            (Some(name), arms) if arms.contains(&name.as_str()) => name.as_str(),
            (None, [arm]) => arm,
            (_, []) => bail!("{} has no joint_states", file.display()),
            (Some(_), arms) => bail!("{} has no such arm; there are {}", file.display(), arms.join(", ")),
            (None, arms) => {
                bail!("{} has several arms; choose by --namespace: {}", file.display(), arms.join(", "))
            }
        };
        let mut reading = Reading::default();
        reader::read(file, |topic, _, message| {
            if let Some(topic) = topic.strip_prefix(arm) {
                reading.take(topic, message);
            }
        })?;
        reading.finish().with_context(|| file.display().to_string())
    }
}

/// What was seen so far, at times as they were stamped.
#[derive(Default)]
struct Reading {
    order: Vec<String>,
    joints: BTreeMap<String, Joint>,
    /// What `dynamic_joint_states` say, for joints whose controller says nothing: goal and error.
    commanded: BTreeMap<String, (Line, Line)>,
    stamps: Vec<f64>,
    description: String,
}

impl Reading {
    fn take(&mut self, topic: &str, message: &[u8]) {
        match topic {
            "joint_states" => {
                if let Some(states) = decode::<JointState>(message) {
                    self.note_states(&states);
                }
            }
            "dynamic_joint_states" => {
                if let Some(states) = decode::<DynamicJointState>(message) {
                    self.note_commands(&states);
                }
            }
            "robot_description" => {
                self.description = decode::<Text>(message).map_or(String::new(), |text| text.data);
            }
            topic if topic.ends_with("/controller_state") => {
                if let Some(state) = decode::<ControllerState>(message) {
                    self.note_controller(&state);
                }
            }
            _ => {}
        }
    }

    fn note_states(&mut self, JointState { header, name, position }: &JointState) {
        let at = header.secs();
        self.stamps.push(at);
        for (name, &position) in name.iter().zip(position) {
            if !self.order.contains(name) {
                self.order.push(name.clone());
            }
            push(&mut self.joint(name).position, at, position);
        }
    }

    fn note_controller(&mut self, state: &ControllerState) {
        let at = state.header.secs();
        for (index, name) in state.joint_names.iter().enumerate() {
            let of = |positions: &[f64]| positions.get(index).copied().unwrap_or(f64::NAN);
            let (goal, position) = (of(&state.reference.positions), of(&state.feedback.positions));
            let joint = self.joint(name);
            push(&mut joint.goal, at, goal);
            push(&mut joint.error, at, goal - position);
        }
    }

    fn note_commands(&mut self, states: &DynamicJointState) {
        let at = states.header.secs();
        for (name, (interfaces, values)) in states.joint_names.iter().zip(&states.interface_values) {
            let of = |wanted: &str| {
                let index = interfaces.iter().position(|name| name == wanted);
                index.and_then(|index| values.get(index)).copied().unwrap_or(f64::NAN)
            };
            let (goal, error) = self.commanded.entry(name.clone()).or_default();
            push(goal, at, of("command"));
            push(error, at, of("command") - of("position"));
        }
    }

    fn joint(&mut self, name: &str) -> &mut Joint {
        self.joints
            .entry(name.to_owned())
            .or_insert_with(|| Joint { name: name.to_owned(), ..Joint::default() })
    }

    fn finish(mut self) -> anyhow::Result<Series> {
        let began =
            self.stamps.iter().copied().reduce(f64::min).context("no joint state in it can be read")?;
        let model = RobotModel::from_urdf(&self.description).ok();
        let slides = |name: &str| {
            let joint = model.as_ref().and_then(|model| model.joint(name));
            joint.is_some_and(|joint| joint.kind == JointKind::Prismatic)
        };
        let since = |line: Line| line.into_iter().map(|(at, value)| (at - began, value)).collect();
        let mut joints = Vec::new();
        for joint in self.order.iter().filter_map(|name| self.joints.remove(name)) {
            let (goal, error) = match self.commanded.remove(&joint.name) {
                Some(commanded) if joint.goal.is_empty() => commanded,
                _ => (joint.goal, joint.error),
            };
            joints.push(Joint {
                slides: slides(&joint.name),
                goal: since(goal),
                position: since(joint.position),
                error: since(error),
                name: joint.name,
            });
        }
        let rate = self.stamps.windows(RATE_OVER + 1).filter_map(|window| {
            let (first, last) = (window.first()?, window.last()?);
            (first < last).then(|| (last - began, RATE_OVER as f64 / (last - first)))
        });
        Ok(Series { joints, rate: rate.collect(), began })
    }
}

/// What is no number is no point.
fn push(line: &mut Line, at: f64, value: f64) {
    if value.is_finite() {
        line.push((at, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::messages::{Header, Point, encode};

    fn header(index: u32) -> Header {
        Header { stamp: (100, index * 10_000_000), frame_id: String::new() }
    }

    fn names() -> Vec<String> {
        ["lift", "grip"].map(str::to_owned).to_vec()
    }

    #[test]
    fn goals_are_the_controllers_and_where_that_has_none_the_commands() {
        let mut reading = Reading::default();
        for index in 0..60 {
            let at = |positions: f64| Point { positions: vec![positions], ..Point::default() };
            let state = ControllerState {
                header: header(index),
                joint_names: vec!["lift".to_owned()],
                reference: at(0.75),
                feedback: at(0.5),
            };
            reading.take("arm_controller/controller_state", &encode(&state));
            // A controller's state may come before the first joint state.
            let states = JointState { header: header(index), name: names(), position: vec![0.5, 0.25] };
            reading.take("joint_states", &encode(&states));
            let interfaces = ["position", "command"].map(str::to_owned).to_vec();
            let values = |command: f64| (interfaces.clone(), vec![0.25, command]);
            let states = DynamicJointState {
                header: header(index),
                joint_names: names(),
                interface_values: vec![values(9.0), values(if index == 0 { f64::NAN } else { 0.5 })],
            };
            reading.take("dynamic_joint_states", &encode(&states));
        }
        reading.take("joint_states", b"nonsense");
        let series = reading.finish().unwrap();
        assert_eq!(series.began, 100.0);
        let [lift, grip] = &series.joints[..] else { panic!("{series:?}") };
        assert_eq!(
            (lift.name.as_str(), lift.goal.len(), lift.goal[0], lift.error[0]),
            ("lift", 60, (0.0, 0.75), (0.0, 0.25))
        );
        assert_eq!((grip.goal.len(), grip.goal[0].1, grip.error[0].1), (59, 0.5, 0.25));
        assert!((grip.goal[0].0 - 0.01).abs() < 1e-6);
        assert_eq!(series.rate.len(), 40);
        assert!(series.rate.iter().all(|(_, rate)| (rate - 100.0).abs() < 1e-3), "{:?}", series.rate);
    }

    #[test]
    fn a_recording_without_a_joint_state_is_refused() {
        assert!(Reading::default().finish().is_err());
    }
}
