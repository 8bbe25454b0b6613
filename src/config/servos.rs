//! The servos of an arm, and what lies between each and its joint: gears, a lead screw, a second servo.
//!
//! Knows no robot model: whether a joint slides, or mimics another, is compared with it where an arm is put together.

use std::collections::BTreeMap;
use std::f64::consts::TAU;
use std::path::Path;
use std::sync::Arc;

use super::calibration::{ArmCalibration, JointCalibration};
use super::declaration::Declaration;
use super::hardware::{BusConfig, MAX_BUS_SERVOS, Protocol, integer};
use super::parameters::Value;
use super::pwm::{self, PwmServo};
use super::servo_limits::ServoLimits;
use crate::protocol::registers::RegisterMap;
use crate::units::{Calibration, Ticks};

/// One servo and how it moves its joint.
#[derive(Clone, Debug, PartialEq)]
pub struct ServoConfig {
    /// The bus that it hangs on, counted from 0.
    pub bus: usize,
    /// The servo's id on the bus.
    pub id: u8,
    /// What its registers are; `None` for servos that have none.
    pub map: Option<Arc<RegisterMap>>,
    /// How its ticks and the joint's radians, or metres, go together.
    pub calibration: Calibration,
    /// Whether the joint slides, so that its positions are metres.
    pub slides: bool,
    /// The most torque it may use, as a part of what it can (0..=1).
    pub torque_limit: f64,
    /// What it is to keep by itself, without a host.
    pub limits: ServoLimits,
    /// Its pulses, where it is a PWM servo; then it has no id, ticks or torque limit.
    pub pwm: Option<PwmServo>,
    /// What a calibration says of it, where there is one.
    pub recorded: Option<Recorded>,
}

/// What a calibration file says of a servo, beside how its ticks and its joint go together.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// The file.
    pub file: String,
    /// The servo's model number, where it is known.
    pub model: Option<u32>,
    /// What its registers hold, by their names.
    pub registers: BTreeMap<String, i64>,
    /// The lowest and the highest position of the joint (rad or m).
    pub travel: (f64, f64),
}

/// A servo that helps another one to move a joint.
#[derive(Clone, Debug, PartialEq)]
pub struct FurtherServo {
    /// The joint, counted from 0.
    pub joint: usize,
    /// The servo.
    pub servo: ServoConfig,
    /// How far it may be from the joint's first servo before somebody is told (rad or m).
    pub max_disagreement: f64,
}

/// The servo of a joint that mimics one of the arm's.
#[derive(Clone, Debug, PartialEq)]
pub struct MimicServo {
    /// The mimicking joint.
    pub joint: String,
    /// The servo, calibrated for that joint.
    pub servo: ServoConfig,
    /// How far it may be from where the leading joint says before somebody is told (rad or m).
    pub max_disagreement: f64,
}

/// All servos of an arm.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Servos {
    pub(super) servos: Vec<ServoConfig>,
    pub(super) further: Vec<FurtherServo>,
    pub(super) mimics: Vec<MimicServo>,
}

impl ServoConfig {
    /// Takes what a calibration file says.
    fn record(&mut self, file: &str, joint: &JointCalibration) {
        self.calibration = joint.calibration();
        self.recorded = Some(Recorded {
            file: file.to_owned(),
            model: joint.model,
            registers: joint.registers.clone(),
            travel: joint.travel(),
        });
    }
}

/// What the servos of a joint beyond its first are called.
const FURTHER: [&str; 3] = ["second", "third", "fourth"];
/// How far servos of one joint may disagree: gears with play, and a tick or two.
const DISAGREEMENT_RAD: f64 = 0.05;
const DISAGREEMENT_M: f64 = 0.002;

/// Declares and reads the servos of the arm's `joints`, and of those that mimic them.
pub(super) fn declare(d: &mut Declaration<'_>, buses: &[BusConfig], joints: &[String]) -> Servos {
    let servos: Vec<ServoConfig> =
        joints.iter().map(|joint| servo(d, buses, &format!("servos.{joint}"), None)).collect();
    let mut further = Vec::new();
    for (index, (joint, first)) in joints.iter().zip(&servos).enumerate() {
        further.extend(further_servos(d, buses, joint, index, first));
    }
    let about = "Joints that mimic one of `joints`, as the URDF says, and have servos of their own.";
    let mimic_joints: Vec<String> = d.or("mimic_joints", Vec::new(), about);
    if let Some(joint) = mimic_joints.iter().find(|joint| joints.contains(joint)) {
        let expected = format!("`{joint}` is one of `joints` already, and a joint either leads or mimics");
        d.refuse("mimic_joints", Value::StringArray(mimic_joints.clone()), expected);
    }
    let mimics: Vec<MimicServo> = mimic_joints
        .into_iter()
        .map(|joint| {
            let prefix = format!("servos.{joint}");
            let servo = servo(d, buses, &prefix, None);
            MimicServo { max_disagreement: max_disagreement(d, &prefix, servo.slides), servo, joint }
        })
        .collect();
    let mut all = Servos { servos, further, mimics };
    all.calibrate(d, joints);
    let named = all.named(joints);
    refuse_twins(d, buses, &named);
    refuse_counts(d, buses, &named);
    let pwm_servos = named.into_iter().filter_map(|(name, servo)| Some((name, servo.bus, servo.pwm?)));
    pwm::refuse_twins(d, pwm_servos);
    all
}

impl Servos {
    /// Takes what the calibration file says, where one is named.
    fn calibrate(&mut self, d: &mut Declaration<'_>, joints: &[String]) {
        const NAME: &str = "calibration";
        let about = "File that servo_tool calibrate has written: zeros, directions, travels of the joints.";
        let file = d.or(NAME, String::new(), about);
        if file.is_empty() {
            return;
        }
        let refuse = |d: &mut Declaration<'_>, why: String| d.refuse(NAME, Value::String(file.clone()), why);
        let arm = match ArmCalibration::read(Path::new(&file)) {
            Ok(arm) => arm,
            Err(error) => return refuse(d, error.to_string()),
        };
        let known: Vec<String> = self.named(joints).into_iter().map(|(name, _)| name).collect();
        let servos = self
            .servos
            .iter_mut()
            .chain(self.further.iter_mut().map(|it| &mut it.servo))
            .chain(self.mimics.iter_mut().map(|it| &mut it.servo));
        for (name, servo) in known.iter().zip(servos) {
            let name = name.trim_start_matches("servos.");
            match arm.joints.get(name) {
                // A controller may be told of the file for the travels in it, and knows no ids.
                Some(joint) if joint.id == servo.id || servo.id == 0 => servo.record(&file, joint),
                Some(joint) => refuse(
                    d,
                    format!(
                        "the file says that servo {} moves `{name}`, and servos.{name}.id is {}: is it another arm's?",
                        joint.id, servo.id
                    ),
                ),
                None => refuse(
                    d,
                    format!("the file has no `{name}`; calibrate it: servo_tool calibrate --joints {name}"),
                ),
            }
        }
    }

    /// Each servo with the prefix of its parameters.
    fn named(&self, joints: &[String]) -> Vec<(String, &ServoConfig)> {
        let first = joints.iter().zip(&self.servos).map(|(joint, servo)| (format!("servos.{joint}"), servo));
        let mut named: Vec<_> = first.collect();
        for (index, joint) in joints.iter().enumerate() {
            let of_joint = self.further.iter().filter(|further| further.joint == index);
            let word = |(nth, further)| (format!("servos.{joint}.{nth}"), further);
            named.extend(FURTHER.into_iter().zip(of_joint.map(|further| &further.servo)).map(word));
        }
        let mimics = self.mimics.iter().map(|mimic| (format!("servos.{}", mimic.joint), &mimic.servo));
        named.extend(mimics);
        named
    }
}

fn further_servos(
    d: &mut Declaration<'_>,
    buses: &[BusConfig],
    joint: &str,
    index: usize,
    first: &ServoConfig,
) -> Vec<FurtherServo> {
    let mut further = Vec::new();
    for word in FURTHER {
        let prefix = format!("servos.{joint}.{word}");
        let own = format!("{prefix}.");
        if !d.given_names().any(|name| name.starts_with(&own)) {
            break;
        }
        let servo = servo(d, buses, &prefix, Some(first));
        let max_disagreement = max_disagreement(d, &prefix, first.slides);
        further.push(FurtherServo { joint: index, servo, max_disagreement });
    }
    further
}

/// A servo whose keys begin with `prefix`; what is not said of a further one is as with the `first`.
fn servo(
    d: &mut Declaration<'_>,
    buses: &[BusConfig],
    prefix: &str,
    first: Option<&ServoConfig>,
) -> ServoConfig {
    let name = |key: &str| format!("{prefix}.{key}");
    let bus = bus(d, buses, &name("bus"), first);
    let protocol = buses.get(bus).map_or(Protocol::FeetechSts, |bus| bus.protocol);
    if let Some(board) = buses.get(bus).filter(|_| protocol.is_pwm()) {
        return pwm_servo(d, bus, prefix, board);
    }
    let (middle, turn) = protocol.ticks();
    let id: i64 = d.required(&name("id"), "The servo's id on the bus (1 to 253).");
    if !(1..=253).contains(&id) && d.has(&name("id")) {
        d.refuse(&name("id"), Value::Integer(id), "it must be from 1 to 253");
    }
    let map = model(d, buses.get(bus), prefix, first);
    let (middle, turn) =
        map.as_ref().map_or((middle, turn), |map| (i64::from(map.counts_per_turn / 2), map.ticks_per_turn()));
    let zero =
        d.integer_in(&name("zero_ticks"), middle, -32767..=32767, "Where the joint's zero is (ticks).");
    let reversed = d.or(&name("reversed"), false, "Whether growing ticks turn the joint the negative way.");
    let (ticks_per_turn, slides) = transmission(d, prefix, first, turn);
    ServoConfig {
        limits: ServoLimits::declare(d, prefix),
        bus,
        map,
        id: u8::try_from(id).unwrap_or(0),
        calibration: Calibration { zero: Ticks(integer(zero)), reversed, ticks_per_turn },
        slides,
        torque_limit: d.number_in(
            &name("torque_limit"),
            first.map_or(1.0, |first| first.torque_limit),
            0.0..=1.0,
            "The most torque, as a part of what the servo can (0 to 1).",
        ),
        recorded: None,
        pwm: None,
    }
}

/// A servo that gets pulses: its address is a channel, and its ticks are quarters of a µs.
fn pwm_servo(d: &mut Declaration<'_>, bus: usize, prefix: &str, board: &BusConfig) -> ServoConfig {
    let pwm = pwm::servo(d, prefix, board.pwm.channels);
    ServoConfig {
        limits: ServoLimits::default(),
        bus,
        id: 0,
        map: None,
        calibration: pwm.calibration(),
        slides: false,
        torque_limit: 1.0,
        pwm: Some(pwm),
        recorded: None,
    }
}

fn bus(d: &mut Declaration<'_>, buses: &[BusConfig], name: &str, first: Option<&ServoConfig>) -> usize {
    const ABOUT: &str = "The bus that the servo hangs on, where the arm has several.";
    let names: Vec<&str> = buses.iter().map(|bus| bus.name.as_str()).collect();
    let is_named = names.iter().any(|name| !name.is_empty());
    let given: Option<String> = match first {
        _ if !is_named => d.optional(name, ABOUT),
        None => Some(d.required(name, ABOUT)),
        Some(first) => Some(d.or(name, names.get(first.bus).copied().unwrap_or_default().to_owned(), ABOUT)),
    };
    let Some(given) = given else { return 0 };
    let found = names.iter().position(|name| is_named && *name == given);
    if found.is_none() && d.has(name) {
        let expected = if is_named {
            format!("it must be one of `buses`, which are {}", names.join(", "))
        } else {
            "there is one bus without a name; list several as `buses`".to_owned()
        };
        d.refuse(name, Value::String(given), expected);
    }
    found.unwrap_or(0)
}

/// The register map of a servo; servos of one family mostly differ in their limits.
fn model(
    d: &mut Declaration<'_>,
    bus: Option<&BusConfig>,
    prefix: &str,
    first: Option<&ServoConfig>,
) -> Option<Arc<RegisterMap>> {
    let family = bus?.protocol.family()?;
    let name = format!("{prefix}.model");
    let as_first = first.and_then(|first| first.map.clone()).filter(|map| map.family == family);
    if let Some(map) = as_first.filter(|_| !d.has(&name)) {
        return Some(map);
    }
    let about = "The servo's model, which is a register map that is shipped, or the path of one.";
    let model: String = d.or(&name, family.default_model().to_owned(), about);
    match RegisterMap::load(&model) {
        Ok(map) if map.family == family => Some(Arc::new(map)),
        Ok(map) => {
            let (theirs, ours) = (map.family.name(), family.name());
            let expected = format!("it speaks {theirs}, and the servo's bus {ours}");
            d.refuse(&name, Value::String(model), expected);
            None
        }
        Err(error) => {
            d.refuse(&name, Value::String(model), error.to_string());
            None
        }
    }
}

/// Ticks for each turn of the joint, or each 2π metres of it, and whether it is metres.
fn transmission(
    d: &mut Declaration<'_>,
    prefix: &str,
    first: Option<&ServoConfig>,
    turn: f64,
) -> (f64, bool) {
    let name = |key: &str| format!("{prefix}.{key}");
    let own = ["ticks_per_turn", "gear_ratio", "metres_per_turn"];
    let says_nothing = !own.into_iter().any(|key| d.has(&name(key)));
    let ticks =
        d.number_in(&name("ticks_per_turn"), turn, 1.0..=1e7, "Ticks of one turn of the servo's horn.");
    let gears = "Turns of the servo's horn for one turn of the joint, or of its screw or pinion.";
    let gear_ratio = d.number_in(&name("gear_ratio"), 1.0, 1e-3..=1e4, gears);
    let about = "How far a joint that slides goes with one turn of its screw or pinion (m).";
    let metres: Option<f64> = d.optional(&name("metres_per_turn"), about);
    if let Some(bad) = metres.filter(|metres| !(1e-5..=10.0).contains(metres)) {
        d.refuse(&name("metres_per_turn"), Value::Double(bad), "it must be from 0.00001 to 10 m");
        return (ticks, true);
    }
    match first {
        Some(first) if says_nothing => (first.calibration.ticks_per_turn, first.slides),
        _ => (ticks * gear_ratio * metres.map_or(1.0, |metres| TAU / metres), metres.is_some()),
    }
}

fn max_disagreement(d: &mut Declaration<'_>, prefix: &str, slides: bool) -> f64 {
    let default = if slides { DISAGREEMENT_M } else { DISAGREEMENT_RAD };
    let about =
        "How far the servo may be from where its joint's first servo says, before it is reported (rad or m).";
    d.number_in(&format!("{prefix}.max_disagreement"), default, 0.0..=10.0, about)
}

/// A bus has servos, and not too many.
fn refuse_counts(d: &mut Declaration<'_>, buses: &[BusConfig], servos: &[(String, &ServoConfig)]) {
    for (index, bus) in buses.iter().enumerate().filter(|(_, bus)| !bus.name.is_empty()) {
        let count = servos.iter().filter(|(_, servo)| servo.bus == index).count();
        if count == 0 || MAX_BUS_SERVOS < count {
            let names = buses.iter().map(|bus| bus.name.clone()).collect();
            let expected = format!("bus {} has {count} servos; it must have 1 to {MAX_BUS_SERVOS}", bus.name);
            d.refuse("buses", Value::StringArray(names), expected);
        }
    }
}

/// On one bus each id is one servo's.
fn refuse_twins(d: &mut Declaration<'_>, buses: &[BusConfig], servos: &[(String, &ServoConfig)]) {
    for (i, (name, servo)) in servos.iter().enumerate() {
        let is_twin = |other: &&(String, &ServoConfig)| (other.1.bus, other.1.id) == (servo.bus, servo.id);
        let Some((twin, _)) = servos[..i].iter().find(is_twin).filter(|_| servo.id != 0) else { continue };
        let on_bus = match buses.get(servo.bus).map(|bus| bus.name.as_str()) {
            None | Some("") => String::new(),
            Some(bus) => format!(" on bus {bus}"),
        };
        let twin = twin.trim_start_matches("servos.");
        let expected = match twin.split_once('.') {
            None => format!("each servo{on_bus} has its own id, and joint `{twin}` has this one"),
            Some((joint, nth)) => {
                format!(
                    "each servo{on_bus} has its own id, and the {nth} servo of joint `{joint}` has this one"
                )
            }
        };
        d.refuse(&format!("{name}.id"), Value::Integer(servo.id.into()), expected);
    }
}

#[cfg(test)]
#[path = "servos_tests.rs"]
mod tests;
