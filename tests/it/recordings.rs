//! Recordings as anybody reads them: by the crate `mcap`, by our reader and our picture; whole, broken off and damaged.

use std::path::{Path, PathBuf};
use std::process::Command;

use mcap::records::Record;
use mcap::{MessageStream, Summary};
use serde_norway::Value;
use servo_arm::recording::definition::Definition;
use servo_arm::recording::reader::{self, ReadError};
use servo_arm::recording::writer::{Offered, Recording, RecordingError};

const JOINT_STATE: &str = "std_msgs/Header header\nstring[] name\nfloat64[] position\n";
const LATCHED: Offered = Offered { depth: Some(1), reliable: true, transient_local: true };
const SENSOR: Offered = Offered { depth: None, reliable: false, transient_local: false };

fn definition(type_name: &str, text: &str) -> Definition {
    Definition { type_name: type_name.to_owned(), text: text.to_owned(), hash: "RIHS01_0".to_owned() }
}

/// `sensor_msgs/JointState` of one joint, in CDR.
fn joint_state(nanos: u64, position: f64) -> Vec<u8> {
    let mut bytes = vec![0, 1, 0, 0];
    bytes.extend(u32::try_from(nanos / 1_000_000_000).unwrap().to_le_bytes());
    bytes.extend(u32::try_from(nanos % 1_000_000_000).unwrap().to_le_bytes());
    // Frame "", padded; one name, "lift", padded; one position, padded; neither velocities nor efforts.
    bytes.extend([1, 0, 0, 0, 0, 0, 0, 0]);
    bytes.extend([1, 0, 0, 0, 5, 0, 0, 0, b'l', b'i', b'f', b't', 0, 0, 0, 0]);
    bytes.extend([1, 0, 0, 0, 0, 0, 0, 0]);
    bytes.extend(position.to_le_bytes());
    bytes.extend([0; 8]);
    bytes
}

/// A file with some seconds of one joint, and a text.
fn recorded(folder: &Path) -> PathBuf {
    let file = folder.join("arm.mcap");
    let mut recording = Recording::create(&file).unwrap();
    let text = definition("std_msgs/msg/String", "string data\n");
    let text = recording.add_channel("/robot_description", &text, &[LATCHED]).unwrap();
    recording.write(text, 5_000_000_000, &[0, 1, 0, 0, 1, 0, 0, 0, 0]).unwrap();
    let states = definition("sensor_msgs/msg/JointState", JOINT_STATE);
    let states = recording.add_channel("/joint_states", &states, &[SENSOR, LATCHED]).unwrap();
    for index in 0..300 {
        let nanos = 5_000_000_000 + index * 10_000_000;
        recording.write(states, nanos + 1_000_000, &joint_state(nanos, (index as f64 * 0.01).sin())).unwrap();
    }
    assert_eq!(recording.finish().unwrap(), 301);
    file
}

#[test]
fn a_recording_is_what_rosbag2_and_foxglove_look_for() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = std::fs::read(recorded(folder.path())).unwrap();
    let header = mcap::read::LinearReader::new(&bytes).unwrap().next().unwrap().unwrap();
    assert!(matches!(header, Record::Header(header) if header.profile == "ros2"));
    let summary = Summary::read(&bytes).unwrap().unwrap();
    let statistics = summary.stats.unwrap();
    assert_eq!((statistics.message_count, statistics.channel_count, statistics.schema_count), (301, 2, 2));
    let channel = summary.channels.values().find(|channel| channel.topic == "/joint_states").unwrap();
    let schema = channel.schema.as_ref().unwrap();
    assert_eq!((schema.name.as_str(), schema.encoding.as_str()), ("sensor_msgs/msg/JointState", "ros2msg"));
    assert_eq!(&*schema.data, JOINT_STATE.as_bytes());
    assert_eq!(
        (channel.message_encoding.as_str(), channel.metadata["topic_type_hash"].as_str()),
        ("cdr", "RIHS01_0")
    );
    let profiles: Value = serde_norway::from_str(&channel.metadata["offered_qos_profiles"]).unwrap();
    let of = |index: usize, key: &str| profiles[index][key].as_u64().unwrap();
    let keys = ["history", "depth", "reliability", "durability", "liveliness"];
    assert_eq!(keys.map(|key| of(0, key)), [2, 0, 2, 2, 1]);
    assert_eq!(keys.map(|key| of(1, key)), [1, 1, 1, 1, 1]);
    for key in ["deadline", "lifespan", "liveliness_lease_duration"] {
        assert_eq!(profiles[0][key]["sec"].as_u64(), Some(9_223_372_036), "{key}");
    }
    assert_eq!(profiles[1]["avoid_ros_namespace_conventions"], Value::Bool(false));
    let states: Vec<_> = MessageStream::new(&bytes)
        .unwrap()
        .map(Result::unwrap)
        .filter(|m| m.channel.topic == "/joint_states")
        .collect();
    assert_eq!(states.len(), 300);
    assert_eq!((states[7].sequence, states[7].log_time), (7, 5_071_000_000));
    assert_eq!(*states[7].data, joint_state(5_070_000_000, 0.07_f64.sin()));
}

#[test]
fn nothing_is_overwritten_and_what_cannot_be_made_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let file = recorded(folder.path());
    let before = std::fs::read(&file).unwrap();
    assert!(matches!(Recording::create(&file), Err(RecordingError::Exists(_))));
    assert_eq!(std::fs::read(&file).unwrap(), before);
    let error = Recording::create(&folder.path().join("no/arm.mcap")).err().unwrap().to_string();
    assert!(error.starts_with("cannot record to ") && error.contains("No such file"), "{error}");
}

#[test]
fn a_recording_that_is_dropped_or_broken_off_is_read_as_far_as_it_goes() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("dropped.mcap");
    let mut recording = Recording::create(&file).unwrap();
    let channel = recording.add_channel("/a", &definition("std_msgs/msg/Empty", ""), &[]).unwrap();
    (0..5).for_each(|index| recording.write(channel, index, &[0; 100]).unwrap());
    drop(recording);
    assert_eq!(reader::read(&file, |_, _, _| {}).unwrap()["/a"].messages, 5);

    let whole = std::fs::read(recorded(folder.path())).unwrap();
    let file = folder.path().join("broken.mcap");
    let mut most = 0;
    for length in (0..whole.len()).step_by(97) {
        std::fs::write(&file, &whole[..length]).unwrap();
        let mut messages = 0;
        match reader::read(&file, |_, _, _| messages += 1) {
            Ok(topics) => assert_eq!(topics.values().map(|topic| topic.messages).sum::<usize>(), messages),
            Err(error) => assert_eq!(messages, 0, "{length}: {error}"),
        }
        assert!(most <= messages);
        most = messages;
    }
    assert_eq!(most, 301);
}

#[test]
fn a_file_that_is_damaged_or_something_else_is_an_error_and_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.mcap");
    for other in [&b""[..], b"hello", &[0; 1000]] {
        std::fs::write(&file, other).unwrap();
        let error = reader::read(&file, |_, _, _| {}).unwrap_err();
        assert!(
            matches!(
                error,
                ReadError::NoMcap(_)
                    | ReadError::Damaged { messages: 0, .. }
                    | ReadError::Length { messages: 0, .. }
            ),
            "{error}"
        );
    }
    assert!(matches!(reader::read(&folder.path().join("y"), |_, _, _| {}), Err(ReadError::Open { .. })));
    let whole = std::fs::read(recorded(folder.path())).unwrap();
    let random = &mut fastrand::Rng::with_seed(7);
    for _ in 0..2000 {
        let mut damaged = whole.clone();
        for _ in 0..random.usize(1..4) {
            let at = random.usize(..damaged.len());
            damaged[at] = random.u8(..);
        }
        std::fs::write(&file, &damaged).unwrap();
        let _ = reader::read(&file, |_, _, _| {});
    }
}

#[test]
fn a_recording_is_listed_and_drawn_as_svg_and_png() {
    let folder = tempfile::tempdir().unwrap();
    let file = recorded(folder.path());
    let listed = servo_tool(&["recording".as_ref(), &file]);
    assert!(listed.0, "{}", listed.2);
    let line = listed.1.lines().find(|line| line.starts_with("/joint_states")).unwrap();
    assert_eq!(
        line.split_whitespace().collect::<Vec<_>>(),
        ["/joint_states", "sensor_msgs/msg/JointState", "300", "100.0"]
    );
    let (svg, png) = (folder.path().join("arm.svg"), folder.path().join("other.png"));
    assert!(servo_tool(&["plot".as_ref(), &file]).0);
    let picture = std::fs::read_to_string(&svg).unwrap();
    for words in ["arm.mcap", "lift", "rad", "no goal was told", "Hz", "time since the first joint state (s)"]
    {
        assert!(picture.contains(words), "{words}");
    }
    assert!(servo_tool(&["plot".as_ref(), &file, &png]).0);
    assert!(std::fs::read(&png).unwrap().starts_with(b"\x89PNG"));
}

#[test]
fn what_cannot_be_drawn_is_refused_in_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let file = recorded(folder.path());
    let empty = folder.path().join("empty.mcap");
    drop(Recording::create(&empty).unwrap());
    let nowhere = folder.path().join("no/a.svg");
    for (arguments, why) in [
        (vec!["plot".as_ref(), empty.as_path()], "has no joint_states"),
        (vec!["plot".as_ref(), &file, "a.gif".as_ref()], "must end in .svg or .png"),
        (vec!["plot".as_ref(), &file, &nowhere], "No such file"),
        (
            vec!["plot".as_ref(), "--namespace".as_ref(), "left".as_ref(), file.as_path()],
            "has no such arm; there are /",
        ),
        (vec!["plot".as_ref(), "/nowhere.mcap".as_ref()], "cannot read /nowhere.mcap"),
        (vec!["recording".as_ref(), "/dev/null".as_ref()], "/dev/null"),
    ] {
        let (succeeded, _, stderr) = servo_tool(&arguments);
        assert!(!succeeded && stderr.contains(why), "{why}: {stderr}");
    }
}

fn servo_tool(arguments: &[&Path]) -> (bool, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_servo_tool")).args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}
