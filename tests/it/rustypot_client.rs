//! A stranger's driver, the crate `rustypot`, finds nothing odd about the emulated servos.

use std::time::Duration;

use rustypot::DynamixelProtocolHandler;
use servo_arm::protocol::feetech::Id;
use servo_arm::protocol::feetech::registers::{
    GOAL_BLOCK, GOAL_POSITION, MODEL, PRESENT_BLOCK, TORQUE_ENABLE,
};
use servo_arm::servo::emulator::{BusConfig, Emulator, EmulatorConfig, Endpoint, Running};

#[test]
fn a_ping_finds_those_that_are_there() {
    let mut host = Host::new(None);
    assert!(host.protocol.ping(host.port.as_mut(), 1).unwrap());
    assert!(host.protocol.ping(host.port.as_mut(), 6).unwrap());
    assert!(!host.protocol.ping(host.port.as_mut(), 7).unwrap());
}

#[test]
fn what_is_written_is_read_back() {
    let mut host = Host::new(None);
    assert_eq!(host.protocol.read(host.port.as_mut(), 1, MODEL.address, 2).unwrap(), [9, 3]);
    host.protocol.write(host.port.as_mut(), 3, TORQUE_ENABLE.address, &[1]).unwrap();
    assert_eq!(host.protocol.read(host.port.as_mut(), 3, TORQUE_ENABLE.address, 1).unwrap(), [1]);
}

#[test]
fn six_servos_are_told_and_asked_at_once() {
    for pace_bps in [None, Some(1_000_000)] {
        let mut host = Host::new(pace_bps);
        let ids = [1, 2, 3, 4, 5, 6];
        let goals: Vec<Vec<u8>> = ids.iter().map(|id| vec![0, 10 * id, 8, 0, 0, 0xE8, 3]).collect();
        host.protocol.sync_write(host.port.as_mut(), &ids, GOAL_BLOCK.address, &goals).unwrap();
        let read = host.protocol.sync_read(host.port.as_mut(), &ids, GOAL_BLOCK.address, 7).unwrap();
        assert_eq!(read, goals);
        let present = host.protocol.sync_read(host.port.as_mut(), &ids, PRESENT_BLOCK.address, 15).unwrap();
        assert!(present.iter().all(|block| block[..2] == [0, 8] && block[6] == 74), "{present:?}");
    }
}

#[test]
fn a_servo_with_torque_goes_where_it_is_told() {
    let mut host = Host::new(None);
    host.protocol.write(host.port.as_mut(), 2, GOAL_POSITION.address, &[0x60, 8]).unwrap();
    host.protocol.write(host.port.as_mut(), 2, TORQUE_ENABLE.address, &[1]).unwrap();
    let arrived = (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        host.protocol.read(host.port.as_mut(), 2, PRESENT_BLOCK.address, 2).unwrap() == [0x60, 8]
    });
    assert!(arrived, "{}", host.emulator.command("state"));
}

struct Host {
    protocol: DynamixelProtocolHandler,
    port: Box<dyn serialport::SerialPort>,
    emulator: Running,
}

impl Host {
    fn new(pace_bps: Option<u32>) -> Self {
        let servos = (1..=6).map(|id| Id::new(id).unwrap());
        let bus = BusConfig { pace_bps, ..BusConfig::new(servos) };
        let emulator = Emulator::spawn(EmulatorConfig::new(bus), Endpoint::Pty { link: None }).unwrap();
        let port = serialport::new(emulator.port(), 1_000_000).timeout(Duration::from_millis(500));
        Self { protocol: DynamixelProtocolHandler::v1(), port: port.open().unwrap(), emulator }
    }
}
