//! What the fuzz targets do with any bytes; without libFuzzer, so that the tests of the package do it too.
//!
//! Nothing may panic, a good frame behind anything must be found, and what is written of something that was read must be
//! read as the same.

use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use servo_arm::collision::Srdf;
use servo_arm::config::calibration::ArmCalibration;
use servo_arm::config::hardware::{self, ServoConfig};
use servo_arm::config::parameters::{self, Value};
use servo_arm::config::pwm::PwmBusConfig;
use servo_arm::config::{Config, Part};
use servo_arm::control::torque::TorqueOrder;
use servo_arm::kinematics::{Chain, RobotModel};
use servo_arm::protocol::dynamixel::{self, Dynamixel2};
use servo_arm::protocol::feetech::{self, FeetechScs, FeetechSts, Id, Telemetry};
use servo_arm::protocol::lx16a;
use servo_arm::protocol::maestro::{self, Framing};
use servo_arm::protocol::pca9685;
use servo_arm::protocol::registers::RegisterMap;
use servo_arm::protocol::wire::{Answers, ReplyDecoder, Wire};
use servo_arm::servo::clock::{self, Simulation};
use servo_arm::servo::driver::{self, DrivenServo, JointRating};
use servo_arm::servo::emulator::BusConfig;
use servo_arm::servo::emulator::bus::Bus;
use servo_arm::servo::emulator::control::Command;
use servo_arm::servo::emulator::family::FamilyName;
use servo_arm::servo::setup::arm_setup;
use servo_arm::servo::simulated::SimulatedPort;
use servo_arm::tool::calibrate::plan::Zero;
use servo_arm::tool::lerobot;
use servo_arm::units::{Calibration, Ticks, Time};

/// Does something with any bytes.
pub(crate) type Entry = fn(&[u8]);

/// Every target.
#[allow(dead_code, reason = "a target calls its own entry")]
pub(crate) const ALL: [(&str, Entry); 16] = [
    ("feetech_sts_replies", feetech_sts_replies),
    ("feetech_scs_replies", feetech_scs_replies),
    ("feetech_requests", feetech_requests),
    ("dynamixel_replies", dynamixel_replies),
    ("dynamixel_requests", dynamixel_requests),
    ("lx16a_frames", lx16a_frames),
    ("maestro_requests", maestro_requests),
    ("pca9685_bridge", pca9685_bridge),
    ("emulated_bus", emulated_bus),
    ("emulator_commands", emulator_commands),
    ("parameter_files", parameter_files),
    ("register_maps", register_maps),
    ("arm_calibrations", arm_calibrations),
    ("lerobot_files", lerobot_files),
    ("urdf_models", urdf_models),
    ("srdf_texts", srdf_texts),
];

/// An STS servo's empty answer.
const FEETECH_ANSWER: [u8; 6] = [0xFF, 0xFF, 0x01, 0x02, 0x00, 0xFC];
/// A Dynamixel servo's empty answer.
const DYNAMIXEL_ANSWER: [u8; 11] = [0xFF, 0xFF, 0xFD, 0x00, 0x01, 0x04, 0x00, 0x55, 0x00, 0xA1, 0x0C];

/// Answers of Feetech STS servos.
pub(crate) fn feetech_sts_replies(bytes: &[u8]) {
    replies::<FeetechSts>(bytes, &FEETECH_ANSWER);
    let _any_block = Telemetry::parse(bytes);
}

/// Answers of Feetech SCS servos.
pub(crate) fn feetech_scs_replies(bytes: &[u8]) {
    replies::<FeetechScs>(bytes, &FEETECH_ANSWER);
}

/// Answers of Dynamixel servos, each its own packet or all in one.
pub(crate) fn dynamixel_replies(bytes: &[u8]) {
    replies::<Dynamixel2>(bytes, &DYNAMIXEL_ANSWER);
}

/// Requests to Feetech servos.
pub(crate) fn feetech_requests(bytes: &[u8]) {
    let mut decoder = feetech::Decoder::new(feetech::Direction::Requests);
    decoder.feed(bytes, |packet| {
        if let Ok((_, feetech::Request::SyncWrite(write))) = packet.request() {
            assert!(write.entries().count() <= 256);
        }
    });
}

/// Requests to Dynamixel servos.
pub(crate) fn dynamixel_requests(bytes: &[u8]) {
    let mut decoder = dynamixel::Decoder::new(dynamixel::Direction::Requests);
    decoder.feed(bytes, |packet| {
        let _any_request = packet.request().is_ok();
    });
}

/// Requests to LX-16A servos and their answers, which the first byte decides.
pub(crate) fn lx16a_frames(bytes: &[u8]) {
    let Some((&first, rest)) = bytes.split_first() else { return };
    let directions = [feetech::Direction::Requests, feetech::Direction::Replies];
    let mut decoder = lx16a::decoder::Decoder::new(directions[usize::from(first % 2)]);
    for piece in rest.chunks(1 + usize::from(first / 2)) {
        decoder.feed(piece, |_| ());
        let _bytes_behind = decoder.pending_behind();
    }
    while decoder.give_up() {
        while decoder.next_frame().is_some() {}
    }
}

/// Requests to a Maestro; the first byte decides whether they are checked.
pub(crate) fn maestro_requests(bytes: &[u8]) {
    let Some((&first, rest)) = bytes.split_first() else { return };
    let device = (first % 4 < 2).then_some(12);
    let mut decoder = maestro::decoder::Decoder::new(Framing { device, crc: first % 2 == 1 });
    for byte in rest {
        let _request = decoder.push(*byte);
    }
}

/// Transfers of an I2C adapter on a serial line.
pub(crate) fn pca9685_bridge(bytes: &[u8]) {
    let mut decoder = pca9685::bridge::Decoder::default();
    for byte in bytes {
        if let Some(pca9685::bridge::Heard::Write(_, data)) = decoder.push(*byte) {
            assert!(data.len() <= 255);
        }
    }
}

/// Bytes of a host on a wire of emulated servos of each family; the first byte says which, and how they are cut.
pub(crate) fn emulated_bus(bytes: &[u8]) {
    let Some((&first, rest)) = bytes.split_first() else { return };
    let mut bus = bus(first);
    let mut now = Time(0);
    let mut out = Vec::new();
    for piece in rest.chunks(1 + usize::from(first / 8)) {
        bus.on_bytes(now, piece);
        now = now + Duration::from_micros(u64::from(first) * 20);
        bus.take_due(now, &mut out);
    }
    bus.take_due(Time(i64::MAX), &mut out);
}

/// Lines of the emulator's control protocol, the first byte being the family's.
pub(crate) fn emulator_commands(bytes: &[u8]) {
    let Some((&first, rest)) = bytes.split_first() else { return };
    let mut bus = bus(first);
    for (number, line) in String::from_utf8_lossy(rest).lines().take(20).enumerate() {
        if let Ok(command) = Command::parse(line) {
            let now = Time(1_000_000 * i64::try_from(number).unwrap_or(0));
            let _said = command.carry_out(&mut bus, now);
        }
    }
}

/// Parameter files of the hardware node, and the arms that they make.
pub(crate) fn parameter_files(bytes: &[u8]) {
    static MODEL: LazyLock<Option<RobotModel>> =
        LazyLock::new(|| RobotModel::from_urdf(include_str!("../urdf/so101.urdf")).ok());
    let text = String::from_utf8_lossy(bytes);
    let Ok(mut given) = parameters::of_text(&text, Path::new("arm.yaml"), "/hardware_node") else { return };
    // What other files say is not for here.
    given.retain(|name, value| {
        let is_file = matches!(value, Value::String(text) if text.contains(['/', '.']));
        !(is_file && (name.ends_with("calibration") || name.ends_with("model")))
    });
    if let (Ok(config), Some(model)) = (Config::new(&given, &[Part::Hardware]), &*MODEL) {
        let _any_arm = arm_setup(&config, model).is_ok();
    }
}

/// Register maps, and a servo that is driven by them.
pub(crate) fn register_maps(bytes: &[u8]) {
    let Ok(map) = RegisterMap::parse("map.yaml", &String::from_utf8_lossy(bytes)) else { return };
    for register in map.registers() {
        let (least, most) = register.coding.holds(register.size);
        for value in [least, most] {
            let bytes = register.coding.encode(value, register.size, map.byte_order());
            assert_eq!(register.coding.decode(bytes.as_ref(), map.byte_order()), value);
        }
    }
    drive(map);
}

/// A servo of a family that has other registers than the map says, for a few cycles.
fn drive(map: RegisterMap) {
    let _time = Simulation::begin(Time(1_000_000_000));
    let protocol = hardware::Protocol::NAMES.into_iter().find(|(name, _)| *name == map.family.name());
    let (Some((name, protocol)), Ok(id)) = (protocol, Id::new(1)) else { return };
    let Some(family) = FamilyName::by_name(name) else { return };
    let port = SimulatedPort::plug_in(BusConfig::of(family, [id]));
    let bus = hardware::BusConfig {
        name: String::new(),
        protocol,
        port: port.name().to_owned(),
        baud_rate_bps: 1_000_000,
        echo: false,
        adapter_latency: Duration::ZERO,
        watchdog: Duration::from_millis(500),
        gather_telemetry: false,
        pwm: PwmBusConfig::default(),
    };
    let ticks_per_turn = map.ticks_per_turn();
    let config = ServoConfig {
        bus: 0,
        id: 1,
        map: Some(Arc::new(map)),
        calibration: Calibration { zero: Ticks(0), reversed: false, ticks_per_turn },
        slides: false,
        torque_limit: 1.0,
        limits: Default::default(),
        pwm: None,
        recorded: None,
    };
    let rating = JointRating { max_velocity: 5.0, max_effort: 1.0 };
    let servo = DrivenServo { joint: "any".to_owned(), config, rating, known: None };
    let Ok((mut driver, _)) = driver::connect(&bus, Duration::ZERO, &[servo]) else { return };
    let orders = [TorqueOrder::Limit(0.5), TorqueOrder::On, TorqueOrder::ReadBack(0), TorqueOrder::Off];
    for order in orders {
        let latest = clock::now() + Duration::from_millis(5);
        let _any = (driver.read(latest).is_ok(), driver.write_goals(&[0.1]).is_ok());
        let _said = driver.obey(order, &[f64::INFINITY], latest).is_ok();
        clock::sleep_until(clock::now() + Duration::from_millis(60));
    }
}

/// Calibrations of arms.
pub(crate) fn arm_calibrations(bytes: &[u8]) {
    let path = Path::new("calibration.yaml");
    let Ok(arm) = ArmCalibration::of_text(&String::from_utf8_lossy(bytes), path) else { return };
    for joint in arm.joints.values() {
        let (lower, upper) = joint.travel();
        assert!(lower <= upper);
    }
    let again = ArmCalibration::of_text(&arm.to_text(&[]), path);
    assert_eq!(again.ok().as_ref(), Some(&arm), "what was written is read as the same");
}

/// LeRobot's calibrations.
pub(crate) fn lerobot_files(bytes: &[u8]) {
    let registers = lerobot::Registers {
        offset: "position_offset".to_owned(),
        most_offset: 2047,
        lower: "min_angle".to_owned(),
        upper: "max_angle".to_owned(),
    };
    let Ok(motors) = lerobot::motors_of(&String::from_utf8_lossy(bytes), &registers) else { return };
    let arm = lerobot::to_arm(&motors, &registers, "feetech_sts", |_| Zero::Middle);
    let Ok(arm) = arm else { return };
    let again = lerobot::of_arm(&arm, &registers).and_then(|text| lerobot::motors_of(&text, &registers));
    assert_eq!(again.ok(), Some(motors), "what was written is read as the same");
}

/// Robot models.
pub(crate) fn urdf_models(bytes: &[u8]) {
    let Ok(model) = RobotModel::from_urdf(&String::from_utf8_lossy(bytes)) else { return };
    for frame in model.frames() {
        let Ok(chain) = Chain::between(&model, model.root(), &frame.name) else { continue };
        let pose = chain.tip_pose(&vec![0.1; chain.dof()]);
        assert!(pose.translation.vector.iter().all(|part| !part.is_nan()), "{}", frame.name);
    }
}

/// Which links may touch.
pub(crate) fn srdf_texts(bytes: &[u8]) {
    let _any_pairs = Srdf::read(&String::from_utf8_lossy(bytes)).is_ok();
}

fn bus(first: u8) -> Bus {
    let family = FamilyName::ALL[usize::from(first) % FamilyName::ALL.len()];
    let ids = (1..=3).filter_map(|id| Id::new(id).ok());
    Bus::new(
        BusConfig { pace_bps: Some(1_000_000), seed: first.into(), ..BusConfig::of(family, ids) },
        Time(0),
    )
}

/// Feeds answers in pieces that the first byte decides, and then a good one.
fn replies<W: Wire>(bytes: &[u8], good: &[u8]) {
    let Some((&first, rest)) = bytes.split_first() else { return };
    let mut decoder = W::decoder();
    let answers =
        if first % 4 == 3 { Answers::Joint { len: usize::from(first / 4) } } else { Answers::Single };
    decoder.begin(answers);
    for mut piece in rest.chunks(1 + usize::from(first)) {
        while !piece.is_empty() {
            let taken = decoder.push(piece);
            assert!(0 < taken, "nothing more is taken in");
            piece = &piece[taken..];
            drain(&mut decoder);
        }
    }
    while decoder.give_up() {
        drain(&mut decoder);
    }
    decoder.begin(Answers::Single);
    assert_eq!(decoder.push(good), good.len());
    let heard = decoder.next_reply().map(|reply| reply.id.raw());
    assert_eq!(heard, Some(1), "a good answer behind anything");
}

fn drain(decoder: &mut impl ReplyDecoder) {
    while let Some(reply) = decoder.next_reply() {
        assert!(reply.data.len() <= 1 << 16);
    }
}
