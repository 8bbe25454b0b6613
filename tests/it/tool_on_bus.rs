//! `servo_tool` beside an emulated bus; shared by its tests.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use servo_arm::protocol::feetech::Id;
use servo_arm::servo::emulator::{BusConfig, Emulator, EmulatorConfig, Endpoint, FamilyName, Running};

/// Six emulated servos, and a place for files.
pub(crate) struct Desk {
    pub(crate) emulator: Running,
    pub(crate) scratch: tempfile::TempDir,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self::of(FamilyName::FeetechSts)
    }

    pub(crate) fn of(family: FamilyName) -> Self {
        let bus = BusConfig::of(family, (1..=6).map(|id| Id::new(id).unwrap()));
        let emulator = Emulator::spawn(EmulatorConfig::new(bus), Endpoint::Pty { link: None }).unwrap();
        Self { emulator, scratch: tempfile::tempdir().unwrap() }
    }

    /// One line of the emulator's control protocol, which must be obeyed.
    pub(crate) fn emulate(&self, line: &str) -> String {
        let said = self.emulator.command(line);
        said.strip_prefix("ok ").unwrap_or_else(|| panic!("{line}: {said}")).to_owned()
    }

    /// A register of a servo as the emulator has it.
    pub(crate) fn register(&self, id: u8, name: &str) -> i64 {
        self.emulate(&format!("get id={id} {name}")).parse().unwrap()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// The tool on this bus, with nothing to read but its options; patient, as machines are slow.
    pub(crate) fn tool(&self, arguments: &[&str]) -> Output {
        self.answer(arguments, "")
    }

    /// The tool on this bus, with these answers to its questions.
    pub(crate) fn answer(&self, arguments: &[&str], answers: &str) -> Output {
        let mut child = self.start(arguments);
        // A tool that refuses at once asks nothing, and may be gone before it could be answered.
        let answered = child.stdin.take().unwrap().write_all(answers.as_bytes());
        if let Err(error) = answered {
            assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
        }
        child.wait_with_output().unwrap()
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_servo_tool"))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .args(arguments)
            .args(["--port", self.emulator.port(), "--timeout-ms", "250"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Turns joints by hand whenever the tool asks for one: each servo named goes to these positions, one after the other
    /// and never far at once. Then Enter, and in the end `answers`.
    pub(crate) fn calibrate(&self, arguments: &[&str], ways: &[(u8, &[i32])], answers: &str) -> Output {
        let mut child = self.start(arguments);
        let mut stdin = child.stdin.take().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let (mut told, mut line) = (String::new(), String::new());
        let mut left: Vec<u8> = ways.iter().map(|(id, _)| *id).collect();
        while !left.is_empty() && 0 < stderr.read_line(&mut line).unwrap() {
            told += &line;
            let prompt = line.split_once("(servo ").and_then(|(_, behind)| behind.split_once("): turn it"));
            if let Some((ids, _)) = prompt {
                for id in ids.split(", ").map(|id| id.parse::<u8>().unwrap()) {
                    self.turn(id, ways.iter().find(|(known, _)| *known == id).unwrap().1);
                    left.retain(|other| *other != id);
                }
                // It may have ended.
                let _unread = stdin.write_all(b"\n");
            }
            line.clear();
        }
        let _unread = stdin.write_all(answers.as_bytes());
        drop(stdin);
        stderr.read_to_string(&mut told).unwrap();
        let mut output = child.wait_with_output().unwrap();
        output.stderr = told.into_bytes();
        output
    }

    /// Turns one joint; the servo counts 0 to 4095 and begins again.
    fn turn(&self, id: u8, way: &[i32]) {
        const STEP: i32 = 400;
        let mut at = self.looked_at(id);
        for target in way {
            while at != *target {
                at += (target - at).clamp(-STEP, STEP);
                self.emulate(&format!("set id={id} position={}", at.rem_euclid(4096)));
                self.looked_at(id);
            }
        }
    }

    /// Waits until the tool has certainly asked where the servo is since now; gives where it is.
    fn looked_at(&self, id: u8) -> i32 {
        let frames = || -> u64 {
            let stats: serde_json::Value = serde_json::from_str(&self.emulate("stats")).unwrap();
            stats["frames"].as_u64().unwrap()
        };
        let before = frames();
        // The first question may have been under way.
        while frames() < before + 2 {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        i32::try_from(self.register(id, "present_position")).unwrap()
    }
}

/// What a tool printed, which must have ended well.
pub(crate) fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What a tool complained of, which must have ended with status 1.
pub(crate) fn complained(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A path as the command line takes it.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
