//! Servos that nobody makes, by a register map that is not shipped, against a memory that answers.

use std::io;

use super::*;
use crate::config::hardware::{Protocol, ServoConfig};
use crate::config::pwm::PwmBusConfig;
use crate::control::torque::TorqueOrder;
use crate::protocol::feetech::{Decoder, Direction, FeetechSts, Frame, Request, Target};
use crate::servo::driver::{Driver, JointRating};
use crate::units::{Calibration, Ticks};

/// Other addresses, other coding, more counts; a position of four bytes.
const INVENTED: &str = "
name: invented
family: feetech_sts
models: [4711]
counts_per_turn: 16384
position_modes: [7]
registers:
  - {name: model, address: 100, size: 2, access: r, area: eeprom}
  - {name: mode, address: 104, size: 1, access: rw, area: eeprom}
  - {name: torque_enable, address: 10, size: 1, access: rw, area: ram}
  - {name: torque_limit, address: 11, size: 1, unit: part, scale: 0.01, access: rw, area: ram, range: [0, 100]}
  - {name: goal_position, address: 12, size: 4, coding: twos_complement, unit: ticks, access: rw, area: ram}
  - {name: present_position, address: 20, size: 4, coding: twos_complement, unit: ticks, access: r, area: ram}
  - {name: present_speed, address: 24, size: 2, coding: twos_complement, unit: rad/s, scale: 0.001, access: r, area: ram}
  - {name: present_temperature, address: 200, size: 1, unit: degC, access: r, area: ram}
";

/// One servo: an address space that answers.
struct Memory {
    id: Id,
    bytes: [u8; 256],
    decoder: Decoder,
    answers: Vec<u8>,
    writes: std::sync::mpsc::Sender<(u8, Vec<u8>)>,
}

impl Link for Memory {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Self { id, bytes: memory, decoder, answers, writes } = self;
        decoder.feed(bytes, |packet| {
            let Ok((target, request)) = packet.request() else { return };
            let write = |memory: &mut [u8; 256], address: u8, data: &[u8]| {
                memory[usize::from(address)..][..data.len()].copy_from_slice(data);
                writes.send((address, data.to_vec())).unwrap();
            };
            let data = match request {
                Request::Ping => Some(Vec::new()),
                Request::Read { address, len } => Some(memory[usize::from(address)..][..len.into()].to_vec()),
                Request::SyncRead { address, len, .. } => {
                    Some(memory[usize::from(address)..][..len.into()].to_vec())
                }
                Request::Write { address, data } => {
                    write(memory, address, data);
                    Some(Vec::new())
                }
                Request::SyncWrite(all) => {
                    all.entries().for_each(|(_, data)| write(memory, all.address, data));
                    None
                }
                _ => None,
            };
            if let Some(data) = data.filter(|_| target == Target::All || target == Target::One(*id)) {
                let answer = Frame::status(*id, crate::protocol::feetech::Alarms::NONE, &data).unwrap();
                answers.extend(answer.as_bytes());
            }
        });
        Ok(())
    }

    fn receive(&mut self, _deadline: Time, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.answers.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.answers[..count]);
        self.answers.drain(..count);
        Ok(count)
    }

    fn discard_input(&mut self) -> io::Result<()> {
        self.answers.clear();
        Ok(())
    }
}

type Writes = std::sync::mpsc::Receiver<(u8, Vec<u8>)>;

fn connect(model: u16, mode: u8) -> Result<(RegisterArm<FeetechSts>, Writes), IdentifyError> {
    let (writes, seen) = std::sync::mpsc::channel();
    let mut bytes = [0; 256];
    bytes[100..102].copy_from_slice(&model.to_le_bytes());
    bytes[104] = mode;
    bytes[20..24].copy_from_slice(&(-4096_i32).to_le_bytes());
    bytes[24..26].copy_from_slice(&(-500_i16).to_le_bytes());
    bytes[200] = 41;
    let id = Id::new(9).unwrap();
    let memory =
        Memory { id, bytes, decoder: Decoder::new(Direction::Requests), answers: Vec::new(), writes };
    let file = std::env::temp_dir().join(format!("invented-{}-{model}-{mode}.yaml", std::process::id()));
    std::fs::write(&file, INVENTED).unwrap();
    let map = RegisterMap::load(file.to_str().unwrap()).unwrap();
    std::fs::remove_file(file).unwrap();
    let servo = DrivenServo {
        joint: "wing".into(),
        config: ServoConfig {
            bus: 0,
            id: 9,
            map: Some(Arc::new(map)),
            calibration: Calibration { zero: Ticks(0), reversed: false, ticks_per_turn: 16384.0 },
            slides: false,
            torque_limit: 0.5,
            pwm: None,
            recorded: None,
            limits: crate::config::servo_limits::ServoLimits::default(),
        },
        rating: JointRating { max_velocity: 5.0, max_effort: 2.0 },
        known: None,
    };
    let bus = BusConfig {
        name: String::new(),
        protocol: Protocol::FeetechSts,
        port: "memory".into(),
        baud_rate_bps: 1_000_000,
        echo: false,
        adapter_latency: Duration::ZERO,
        watchdog: Duration::from_millis(500),
        gather_telemetry: false,
        pwm: PwmBusConfig::default(),
    };
    let connected = RegisterArm::over(Box::new(memory), Family::FeetechSts, &bus, Duration::ZERO, &[servo]);
    connected.map(|(arm, _standings)| (arm, seen))
}

#[test]
fn a_servo_with_other_addresses_is_read_and_told_by_its_file_alone() {
    let (mut arm, seen) = connect(4711, 7).unwrap();
    assert_eq!(arm.identity(0).unwrap().model, Some(4711));
    arm.read(Time(i64::MAX)).unwrap();
    arm.read(Time(i64::MAX)).unwrap();
    let report = *arm.report(0);
    assert!(report.fresh, "a first position counts when it is confirmed");
    assert!((report.position + std::f64::consts::FRAC_PI_2).abs() < 1e-9);
    assert!((report.velocity + 0.5).abs() < 1e-9);
    assert_eq!(report.temperature_degc, 41.0);
    assert!(report.voltage_v.is_nan() && report.effort.is_nan(), "nobody says so");

    arm.write_goals(&[std::f64::consts::PI]).unwrap();
    arm.obey(TorqueOrder::Limit(1.0), &[f64::INFINITY], Time(i64::MAX)).unwrap();
    arm.obey(TorqueOrder::On, &[], Time(i64::MAX)).unwrap();
    let writes: Vec<_> = seen.try_iter().collect();
    assert_eq!(writes, [(12, vec![0x00, 0x20, 0, 0]), (11, vec![50]), (10, vec![1])]);
    let standing = arm.obey(TorqueOrder::ReadBack(0), &[], Time(i64::MAX)).unwrap().unwrap();
    assert!(standing.torque && !standing.limit_strays);
    assert!((standing.goal - std::f64::consts::PI).abs() < 1e-9);
    assert!(arm.release().is_empty());
}

#[test]
fn a_servo_that_is_another_one_or_in_another_mode_is_refused_by_name() {
    let refused = connect(815, 7).err().unwrap().to_string();
    assert_eq!(
        refused,
        "servo 9 of joint `wing` is model 815, and its register map invented is of model 4711; set servos.wing.model"
    );
    let refused = connect(4711, 1).err().unwrap().to_string();
    assert_eq!(refused, "servo 9 of joint `wing` is in mode 1; it must be in position mode (7)");
}
