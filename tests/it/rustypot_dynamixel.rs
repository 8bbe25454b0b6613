//! A stranger's driver, the crate `rustypot`, finds nothing odd about the emulated Dynamixels.

use std::time::Duration;

use rustypot::DynamixelProtocolHandler;
use servo_arm::protocol::wire::Id;
use servo_arm::servo::emulator::{BusConfig, Emulator, EmulatorConfig, Endpoint, FamilyName, Running};

const TORQUE_ENABLE: u8 = 64;
const HARDWARE_ERROR: u8 = 70;
const GOAL_POSITION: u8 = 116;
const PRESENT_BLOCK: u8 = 126;
const PRESENT_POSITION: u8 = 132;
const IDS: [u8; 6] = [1, 2, 3, 4, 5, 6];

#[test]
fn a_ping_finds_those_that_are_there() {
    let mut host = Host::new(None);
    assert!(host.protocol.ping(host.port.as_mut(), 1).unwrap());
    assert!(host.protocol.ping(host.port.as_mut(), 6).unwrap());
    assert!(!host.protocol.ping(host.port.as_mut(), 7).unwrap());
}

#[test]
fn six_servos_are_told_and_asked_at_once_plainly_and_fast() {
    for pace_bps in [None, Some(1_000_000)] {
        let mut host = Host::new(pace_bps);
        let goals: Vec<Vec<u8>> = IDS.iter().map(|id| vec![10 * id, 8, 0, 0]).collect();
        host.protocol.sync_write(host.port.as_mut(), &IDS, GOAL_POSITION, &goals).unwrap();
        assert_eq!(host.protocol.sync_read(host.port.as_mut(), &IDS, GOAL_POSITION, 4).unwrap(), goals);
        assert_eq!(host.protocol.fast_sync_read(host.port.as_mut(), &IDS, GOAL_POSITION, 4).unwrap(), goals);
        let present = host.protocol.fast_sync_read(host.port.as_mut(), &IDS, PRESENT_BLOCK, 10).unwrap();
        assert!(present.iter().all(|block| block[6..] == [0, 8, 0, 0]), "{present:?}");
    }
}

#[test]
fn what_looks_like_a_header_passes_in_both_directions() {
    let mut host = Host::new(None);
    // A goal of -3 in the mode of several turns is FD FF FF FF; two of them, by indirect addresses, are a header.
    host.protocol.write(host.port.as_mut(), 1, 11, &[4]).unwrap();
    host.protocol.write(host.port.as_mut(), 1, GOAL_POSITION, &[0xFD, 0xFF, 0xFF, 0xFF]).unwrap();
    let pointers: Vec<u8> =
        [117, 118, 116, 119].iter().flat_map(|address: &u16| address.to_le_bytes()).collect();
    host.protocol.write(host.port.as_mut(), 1, 168, &pointers).unwrap();
    let gathered = host.protocol.read(host.port.as_mut(), 1, 224, 4).unwrap();
    assert_eq!(gathered, [0xFF, 0xFF, 0xFD, 0xFF]);
    host.protocol.write(host.port.as_mut(), 1, 224, &[0xFF, 0xFF, 0xFD, 0xFF]).unwrap();
    assert_eq!(
        host.protocol.read(host.port.as_mut(), 1, GOAL_POSITION, 4).unwrap(),
        [0xFD, 0xFF, 0xFF, 0xFF]
    );
}

#[test]
fn a_servo_with_torque_goes_where_it_is_told() {
    let mut host = Host::new(None);
    host.protocol.write(host.port.as_mut(), 2, GOAL_POSITION, &[0x60, 8, 0, 0]).unwrap();
    host.protocol.write(host.port.as_mut(), 2, TORQUE_ENABLE, &[1]).unwrap();
    let arrived = (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        host.protocol.read(host.port.as_mut(), 2, PRESENT_POSITION, 4).unwrap() == [0x60, 8, 0, 0]
    });
    assert!(arrived, "{}", host.emulator.command("state"));
}

#[test]
fn a_hardware_error_is_an_alert_beside_good_data_and_ends_with_a_reboot() {
    let mut host = Host::new(None);
    host.emulator.command("set id=3 voltage=12");
    host.protocol.write(host.port.as_mut(), 3, TORQUE_ENABLE, &[1]).unwrap();
    host.emulator.command("set id=3 temperature=95");
    std::thread::sleep(Duration::from_millis(50));
    let (data, error) = host.protocol.read_with_error(host.port.as_mut(), 3, HARDWARE_ERROR, 1).unwrap();
    assert_eq!((data, error.v2_alert(), error.v2_instruction_error()), (vec![4], true, 0));
    let (torque, _) = host.protocol.read_with_error(host.port.as_mut(), 3, TORQUE_ENABLE, 1).unwrap();
    assert_eq!(torque, [0]);
    host.emulator.command("set id=3 temperature=30");
    assert!(host.protocol.reboot(host.port.as_mut(), 3).is_ok());
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(host.protocol.read(host.port.as_mut(), 3, HARDWARE_ERROR, 1).unwrap(), [0]);
}

struct Host {
    protocol: DynamixelProtocolHandler,
    port: Box<dyn serialport::SerialPort>,
    emulator: Running,
}

impl Host {
    fn new(pace_bps: Option<u32>) -> Self {
        let servos = IDS.map(|id| Id::new(id).unwrap());
        let bus = BusConfig { pace_bps, ..BusConfig::of(FamilyName::Dynamixel2, servos) };
        let emulator = Emulator::spawn(EmulatorConfig::new(bus), Endpoint::Pty { link: None }).unwrap();
        let port = serialport::new(emulator.port(), 1_000_000).timeout(Duration::from_millis(500));
        Self { protocol: DynamixelProtocolHandler::v2(), port: port.open().unwrap(), emulator }
    }
}
