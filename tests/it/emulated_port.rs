//! The emulator in real time: behind its terminal, its TCP port and its control socket.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use servo_arm::protocol::feetech::registers::{PRESENT_BLOCK, TORQUE_ENABLE};
use servo_arm::protocol::feetech::{Decoder, Direction, Frame, Id};
use servo_arm::servo::emulator::{BusConfig, Emulator, EmulatorConfig, Endpoint, Running};

#[test]
fn a_paced_sync_read_takes_no_less_than_the_wire_does() {
    let emulator = spawn(BusConfig { pace_bps: Some(1_000_000), ..servos() }, Endpoint::Pty { link: None });
    let mut port = open(emulator.port());
    let request = sync_read();
    let mut fastest = Duration::MAX;
    for _ in 0..50 {
        let begun = Instant::now();
        port.write_all(request.as_bytes()).unwrap();
        assert_eq!(answers(&mut port, 6), [1, 2, 3, 4, 5, 6]);
        fastest = fastest.min(begun.elapsed());
    }
    // A scheduler can make it longer, but nothing can make it shorter than 140 µs + 6 × 210 µs.
    assert!(Duration::from_micros(1400) <= fastest, "{fastest:?}");
    assert!(fastest < Duration::from_millis(20), "{fastest:?}");
}

#[test]
fn pulling_the_adapter_hangs_up_and_plugging_it_in_gives_a_new_port_behind_the_same_link() {
    let scratch = tempfile::tempdir().unwrap();
    let link = scratch.path().join("arm");
    let emulator = spawn(servos(), Endpoint::Pty { link: Some(link.clone()) });
    assert_eq!(Path::new(emulator.port()), link);
    let mut port = open(emulator.port());
    assert_eq!(emulator.command("unplug"), "ok unplugged");
    assert!(!link.exists());
    let mut byte = [0];
    assert!(!matches!(port.read(&mut byte), Ok(1..)));
    assert!(emulator.command("replug").starts_with("ok "));
    let mut port = open(emulator.port());
    port.write_all(sync_read().as_bytes()).unwrap();
    assert_eq!(answers(&mut port, 6).len(), 6);
    drop(emulator);
    assert!(fs::symlink_metadata(&link).is_err());
}

#[test]
fn a_link_replaces_a_link_and_nothing_else() {
    let scratch = tempfile::tempdir().unwrap();
    let link = scratch.path().join("arm");
    std::os::unix::fs::symlink("/nowhere", &link).unwrap();
    drop(spawn(servos(), Endpoint::Pty { link: Some(link.clone()) }));
    fs::write(&link, "a file").unwrap();
    let endpoint = Endpoint::Pty { link: Some(link.clone()) };
    let refused = Emulator::spawn(EmulatorConfig::new(servos()), endpoint).unwrap_err();
    assert!(refused.to_string().ends_with("arm: exists and is not a link"), "{refused}");
    assert_eq!(fs::read_to_string(&link).unwrap(), "a file");
}

#[test]
fn one_host_after_another_is_served_over_tcp() {
    let emulator = spawn(servos(), Endpoint::Tcp("127.0.0.1:0".to_owned()));
    for _ in 0..2 {
        let mut port = TcpStream::connect(emulator.port().strip_prefix("tcp://").unwrap()).unwrap();
        port.write_all(sync_read().as_bytes()).unwrap();
        assert_eq!(answers(&mut port, 6).len(), 6);
    }
}

#[test]
fn faults_reach_the_host_until_they_are_cleared() {
    let emulator = spawn(servos(), Endpoint::Pty { link: None });
    let mut port = open(emulator.port());
    assert_eq!(emulator.command("fault silent id=3"), "ok silent injected");
    port.write_all(sync_read().as_bytes()).unwrap();
    assert_eq!(answers(&mut port, 5), [1, 2, 4, 5, 6]);
    assert_eq!(emulator.command("clear"), "ok 1 cleared");
    port.write_all(sync_read().as_bytes()).unwrap();
    assert_eq!(answers(&mut port, 6).len(), 6);
}

#[test]
fn the_control_socket_answers_and_tells_of_writes() {
    let scratch = tempfile::tempdir().unwrap();
    let socket = scratch.path().join("control");
    let config = EmulatorConfig { control: Some(socket.clone()), ..EmulatorConfig::new(servos()) };
    let emulator = Emulator::spawn(config, Endpoint::Pty { link: None }).unwrap();
    let mut control = BufReader::new(UnixStream::connect(&socket).unwrap());
    assert_eq!(ask(&mut control, "get id=2 torque_enable"), "ok 0");
    assert_eq!(ask(&mut control, "dance"), "error there is no command `dance`; try `help`");
    assert_eq!(ask(&mut control, "watch writes"), "ok watching");
    let mut told = || {
        let mut line = String::new();
        control.read_line(&mut line).unwrap();
        let mut words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        assert!(words.remove(1).parse::<u64>().is_ok(), "{line}");
        words
    };
    let mut port = open(emulator.port());
    for (torque, mark) in [(1, "on"), (0, "off")] {
        let frame = Frame::write(Id::new(2).unwrap(), TORQUE_ENABLE.address, &[torque]).unwrap();
        port.write_all(frame.as_bytes()).unwrap();
        assert_eq!(told(), ["write", "2", "40", &format!("0{torque}")]);
        assert_eq!(emulator.command(&format!("mark {mark}")), "ok marked");
        assert_eq!(told(), ["mark", mark]);
    }

    let second = EmulatorConfig { control: Some(socket.clone()), ..EmulatorConfig::new(servos()) };
    let refused = Emulator::spawn(second, Endpoint::Pty { link: None }).unwrap_err();
    assert!(refused.to_string().ends_with("another emulator listens there"), "{refused}");
    drop(emulator);
    assert!(!socket.exists());
}

fn servos() -> BusConfig {
    BusConfig::new((1..=6).map(|id| Id::new(id).unwrap()))
}

fn spawn(bus: BusConfig, endpoint: Endpoint) -> Running {
    Emulator::spawn(EmulatorConfig::new(bus), endpoint).unwrap()
}

fn open(path: &str) -> File {
    let no_controlling_terminal = rustix::fs::OFlags::NOCTTY.bits().cast_signed();
    OpenOptions::new().read(true).write(true).custom_flags(no_controlling_terminal).open(path).unwrap()
}

fn sync_read() -> Frame {
    let ids: Vec<Id> = (1..=6).map(|id| Id::new(id).unwrap()).collect();
    Frame::sync_read(PRESENT_BLOCK.address, PRESENT_BLOCK.len, &ids).unwrap()
}

/// The ids of the next `count` answers, in the order in which they come.
fn answers(port: &mut impl Read, count: usize) -> Vec<u8> {
    let mut decoder = Decoder::new(Direction::Replies);
    let mut ids = Vec::new();
    let mut buffer = [0; 256];
    while ids.len() < count {
        let read = port.read(&mut buffer).unwrap();
        decoder.feed(&buffer[..read], |packet| ids.push(packet.id()));
    }
    ids
}

fn ask(control: &mut BufReader<UnixStream>, line: &str) -> String {
    writeln!(control.get_mut(), "{line}").unwrap();
    let mut answer = String::new();
    control.read_line(&mut answer).unwrap();
    answer.trim_end().to_owned()
}
