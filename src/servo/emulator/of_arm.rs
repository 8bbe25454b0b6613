//! The emulated servos of a configured arm: a bus for each of its own, and every servo where its joint stands.
//!
//! A joint stands where its first servo is in its middle; a PWM servo's, where it is said to stand at the start. The
//! other servos that move it stand there too, mirrored or geared as they are configured, and joints that mimic it where
//! they must be then.

use super::bus::BusConfig;
use super::family::{FamilyName, ServoConfig};
use crate::config::hardware::{self as config, HardwareConfig};
use crate::protocol::feetech::{Id, PacketError};
use crate::servo::control_thread::MimicJoint;

/// How an arm is when it gets its power.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Posture {
    /// How far joints that turn stand from where they would stand otherwise (rad).
    pub offset_rad: f64,
    /// What pulls at every joint, as a part of what each of its servos can; positive pulls toward falling positions.
    pub gravity: f64,
}

/// A servo's joint: where it stands (rad or m), and what pulls at it.
#[derive(Clone, Copy)]
struct Stance {
    position: f64,
    gravity: f64,
}

/// One emulated bus for each of an arm's, in their order; bytes take no time.
///
/// `mimics` are the joints that follow others; without them, those that have servos of their own are left out.
///
/// # Errors
/// Where a configured id is none.
pub fn buses_of_arm(
    hardware: &HardwareConfig,
    mimics: &[MimicJoint],
    posture: Posture,
) -> Result<Vec<BusConfig>, PacketError> {
    let mut buses: Vec<BusConfig> = hardware.buses.iter().map(without_servos).collect();
    let stances: Vec<Stance> =
        hardware.servos.iter().map(|servo| stance_of(&buses, servo, posture)).collect();
    let first = hardware.servos.iter().zip(stances.iter().copied());
    let further = hardware.further_servos.iter().map(|further| (&further.servo, stances[further.joint]));
    let mimicking = hardware.mimic_servos.iter().filter_map(|servo| {
        let mimic = mimics.iter().find(|mimic| mimic.name == servo.joint)?;
        let Stance { position, gravity } = stances[mimic.leader];
        let position = mimic.multiplier * position + mimic.offset;
        Some((&servo.servo, Stance { position, gravity: gravity * mimic.multiplier.signum() }))
    });
    for (servo, stance) in first.chain(further).chain(mimicking) {
        if let Some(bus) = buses.get_mut(servo.bus) {
            bus.servos.push(placed(bus.family, servo, stance)?);
        }
    }
    Ok(buses)
}

fn without_servos(bus: &config::BusConfig) -> BusConfig {
    let empty = BusConfig::of(FamilyName::of(bus.protocol), std::iter::empty());
    BusConfig { echo: bus.echo, board: bus.pwm, ..empty }
}

/// How the joint of a first servo stands.
fn stance_of(buses: &[BusConfig], servo: &config::ServoConfig, posture: Posture) -> Stance {
    let family = buses.get(servo.bus).map(|bus| bus.family).unwrap_or_default();
    let start = match servo.pwm {
        Some(pwm) => pwm.start_position,
        None => servo.calibration.rate_to_rad_s(family.middle() - f64::from(servo.calibration.zero.0)),
    };
    let position = if servo.slides { start } else { start + posture.offset_rad };
    Stance { position, gravity: posture.gravity }
}

/// A servo whose joint stands so.
fn placed(
    family: FamilyName,
    servo: &config::ServoConfig,
    Stance { position, gravity }: Stance,
) -> Result<ServoConfig, PacketError> {
    // A PWM servo is found by its channel.
    let id = Id::new(servo.pwm.map_or(servo.id, |pwm| pwm.channel))?;
    let mut placed = family.servo(id);
    placed.position = match servo.pwm {
        Some(pwm) => pwm.pulse_us(position),
        None => f64::from(servo.calibration.zero.0) + servo.calibration.rate_from_rad_s(position),
    };
    placed.load = gravity * servo.calibration.sign();
    let model = servo.map.as_ref().and_then(|map| map.models.first());
    placed.registers.extend(family.model_register().zip(model.map(|model| i64::from(*model))));
    Ok(placed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parameters::{Parameters, Value};
    use crate::config::{Config, Part};
    use crate::servo::driver::JointRating;

    fn hardware(given: &[(&str, Value)]) -> HardwareConfig {
        let given: Parameters =
            given.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        Config::new(&given, &[Part::Hardware]).unwrap().hardware
    }

    fn text(text: &str) -> Value {
        Value::String(text.to_owned())
    }

    fn names(names: &[&str]) -> Value {
        Value::StringArray(names.iter().map(|&name| name.to_owned()).collect())
    }

    /// A lift with a mirrored, geared second servo on another bus, and a slide that another one mimics.
    fn lift_and_slide() -> HardwareConfig {
        hardware(&[
            ("urdf", text("none")),
            ("joints", names(&["lift", "slide"])),
            ("buses", names(&["one", "two"])),
            ("bus.one.port", text("none")),
            ("bus.two.port", text("none")),
            ("bus.two.protocol", text("dynamixel2")),
            ("servos.lift.bus", text("one")),
            ("servos.lift.id", Value::Integer(1)),
            ("servos.lift.zero_ticks", Value::Integer(1024)),
            ("servos.lift.second.bus", text("two")),
            ("servos.lift.second.id", Value::Integer(7)),
            ("servos.lift.second.model", text("xl430-w250")),
            ("servos.lift.second.zero_ticks", Value::Integer(3000)),
            ("servos.lift.second.reversed", Value::Bool(true)),
            ("servos.lift.second.gear_ratio", Value::Double(2.0)),
            ("servos.slide.bus", text("one")),
            ("servos.slide.id", Value::Integer(2)),
            ("servos.slide.metres_per_turn", Value::Double(0.08)),
            ("servos.slide.zero_ticks", Value::Integer(0)),
            ("mimic_joints", names(&["other"])),
            ("servos.other.bus", text("one")),
            ("servos.other.id", Value::Integer(3)),
            ("servos.other.metres_per_turn", Value::Double(0.08)),
            ("servos.other.zero_ticks", Value::Integer(2048)),
        ])
    }

    fn follower() -> MimicJoint {
        MimicJoint {
            name: "other".to_owned(),
            leader: 1,
            multiplier: -1.0,
            offset: 0.01,
            rating: JointRating { max_velocity: 1.0, max_effort: 1.0 },
        }
    }

    fn positions(bus: &BusConfig) -> Vec<(u8, f64)> {
        bus.servos.iter().map(|servo| (servo.id.raw(), (servo.position * 1e6).round() / 1e6)).collect()
    }

    #[test]
    fn servos_of_a_joint_stand_at_one_place_whatever_is_between() {
        let buses = buses_of_arm(&lift_and_slide(), &[follower()], Posture::default()).unwrap();
        // A quarter of a turn from the lift's zero, and half a turn backwards behind the gears; 4 cm of the slide, and
        // 3 cm backwards of what mimics it.
        assert_eq!(positions(&buses[0]), [(1, 2048.0), (2, 2048.0), (3, 2048.0 - 1536.0)]);
        assert_eq!(positions(&buses[1]), [(7, 3000.0 - 2048.0)]);
        assert_eq!(buses[1].servos[0].registers, [("model_number", 1060)]);
    }

    #[test]
    fn a_posture_is_the_joints_and_not_the_servos() {
        let posture = Posture { offset_rad: std::f64::consts::PI, gravity: 0.2 };
        let buses = buses_of_arm(&lift_and_slide(), &[follower()], posture).unwrap();
        let loads = |bus: &BusConfig| bus.servos.iter().map(|servo| servo.load).collect::<Vec<_>>();
        // What is mirrored is pulled the other way by its ticks.
        assert_eq!((loads(&buses[0]), loads(&buses[1])), (vec![0.2, 0.2, -0.2], vec![-0.2]));
        assert_eq!(positions(&buses[0]), [(1, 4096.0), (2, 2048.0), (3, 512.0)]);
        assert_eq!(positions(&buses[1]), [(7, 3000.0 - 6144.0)]);
    }

    #[test]
    fn a_pwm_servo_stands_where_it_is_said_to() {
        let hardware = hardware(&[
            ("urdf", text("none")),
            ("joints", names(&["jaw"])),
            ("protocol", text("maestro")),
            ("port", text("none")),
            ("servos.jaw.channel", Value::Integer(4)),
            ("servos.jaw.pulse_min_us", Value::Double(1000.0)),
            ("servos.jaw.pulse_max_us", Value::Double(2000.0)),
            ("servos.jaw.position_at_pulse_min", Value::Double(1.0)),
            ("servos.jaw.position_at_pulse_max", Value::Double(0.0)),
            ("servos.jaw.start_position", Value::Double(0.25)),
        ]);
        assert_eq!(positions(&buses_of_arm(&hardware, &[], Posture::default()).unwrap()[0]), [(4, 1750.0)]);
        let posture = Posture { offset_rad: 0.5, ..Posture::default() };
        assert_eq!(positions(&buses_of_arm(&hardware, &[], posture).unwrap()[0]), [(4, 1250.0)]);
    }
}
