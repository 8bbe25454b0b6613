//! `servo_tool` as a user and a script meet it: lines in, lines out, pictures, and words for what is wrong.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use proptest::prelude::{ProptestConfig, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::strategy::Strategy as _;
use serde_json::{Value as Json, json};

const SO101: [&str; 4] = ["--urdf", "urdf/so101.urdf", "--tip", "tool0"];
const WX250S: [&str; 4] = ["--urdf", "urdf/wx250s.urdf", "--tip", "tool0"];

#[test]
fn poses_come_back_as_positions_that_give_them() {
    let there = json!({ "q": [0.3, -0.4, 0.5, 0.6, -0.7, 0.8] });
    let pose = ask("fk", &WX250S, &[], &there.to_string()).remove(0)["pose"].clone();
    let question = json!({ "pose": pose, "seed": [0.2, -0.3, 0.4, 0.5, -0.6, 0.7] });
    let answer = ask("ik", &WX250S, &[], &question.to_string()).remove(0);
    assert_eq!(answer["status"], "solved", "{answer}");
    assert!(
        answer["pos_err"].as_f64().unwrap() <= 1e-5 && answer["rot_err"].as_f64().unwrap() <= 1e-5,
        "{answer}"
    );
    assert!(0 < answer["time_ns"].as_u64().unwrap() && answer["iterations"].is_u64(), "{answer}");
    let again = ask("fk", &WX250S, &[], &answer.to_string()).remove(0)["pose"].clone();
    assert!(farthest(&pose, &again) < 3e-5, "{pose} {again}");
}

#[test]
fn the_keys_of_an_answer_come_in_the_order_in_which_they_are_documented() {
    let output = tool("ik", &SO101, &[], "{}\n");
    let line = String::from_utf8(output.stdout).unwrap();
    let keys =
        ["\"q\"", "\"status\"", "\"pos_err\"", "\"rot_err\"", "\"time_ns\"", "\"iterations\"", "\"error\""];
    let places: Vec<usize> = keys.iter().map(|key| line.find(key).unwrap()).collect();
    assert!(places.is_sorted(), "{line}");
}

#[test]
fn five_joints_solve_a_position_and_where_an_axis_points() {
    let pose = ask("fk", &SO101, &[], r#"{"q": [0.3, -0.4, 0.5, 0.6, -0.7]}"#).remove(0)["pose"].clone();
    // Turned about its own z: the whole pose is out of reach, the direction of z is not.
    let turned = turn_about_z(&pose, 1.0);
    for (constraint, pose) in
        [("axis:z", &turned), ("free:z", &turned), ("position", &turned), ("pose", &pose)]
    {
        let question = json!({ "pose": pose }).to_string();
        let answer =
            ask("ik", &SO101, &["--constraint", constraint, "--time-limit-us", "2000000"], &question)
                .remove(0);
        assert_eq!(answer["status"], "solved", "{constraint}: {answer}");
    }
}

#[test]
fn what_is_out_of_reach_is_approximate_and_says_how_far_off_it_is() {
    let question = r#"{"pose": [[1,0,0,3],[0,1,0,0],[0,0,1,0.2],[0,0,0,1]]}"#;
    let answer =
        ask("ik", &SO101, &["--constraint", "position", "--time-limit-us", "2000000"], question).remove(0);
    assert_eq!(answer["status"], "approximate", "{answer}");
    assert!((2.0..3.0).contains(&answer["pos_err"].as_f64().unwrap()), "{answer}");
    assert_eq!(answer["q"].as_array().unwrap().len(), 5);
}

#[test]
fn a_bad_line_is_answered_with_its_number_and_what_would_be_right() {
    let pose = json!([[1, 0, 0, 0.2], [0, 1, 0, 0], [0, 0, 1, 0.2], [0, 0, 0, 1]]);
    let questions = [
        "no JSON".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        json!({ "pose": pose, "seed": [0, 0] }).to_string(),
        r#"{"pose": [[NaN]]}"#.to_owned(),
        json!({ "pose": [[2, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]] }).to_string(),
        json!({ "pose": pose }).to_string(),
    ];
    let answers = ask("ik", &SO101, &["--constraint", "position"], &questions.join("\n"));
    assert_eq!(answers.len(), questions.len());
    let says = [
        "line 1: it is not JSON",
        "line 2: it is a list; it must be a JSON object",
        "line 3: it has no `pose`; that must be a list of 4 rows of 4 numbers",
        "line 4: `seed` has 2 numbers; it must have 5 positions, one for each of shoulder_pan, shoulder_lift",
        "line 5: it is not JSON",
        "line 6: the upper left 3x3 of `pose` is no rotation",
    ];
    for (answer, says) in answers.iter().zip(says) {
        assert_eq!((&answer["status"], &answer["q"]), (&json!("invalid"), &Json::Null), "{answer}");
        assert!(answer["error"].as_str().unwrap().starts_with(says), "{answer}");
    }
    assert_ne!(answers[6]["status"], "invalid", "{}", answers[6]);
}

#[test]
fn all_frames_have_their_poses() {
    let answer = ask("fk", &SO101, &["--all-frames"], r#"{"q": [0, 0, 0, 0, 0]}"#).remove(0);
    let frames = answer["frames"].as_object().unwrap();
    assert!(frames.contains_key("base_link") && frames.contains_key("wrist_link"), "{answer}");
    assert_eq!(frames["tool0"], answer["pose"]);
}

#[test]
fn who_waits_for_each_answer_gets_it() {
    let mut child = command("fk", &SO101, &[]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut questions = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap());
    for _ in 0..3 {
        questions.write_all(b"{\"q\": [0, 0, 0, 0, 0]}\n").unwrap();
        let mut answer = String::new();
        answers.read_line(&mut answer).unwrap();
        assert!(answer.starts_with("{\"pose\":[["), "{answer}");
    }
    drop(questions);
    assert!(child.wait().unwrap().success());
}

#[test]
fn that_nobody_reads_on_is_no_error() {
    let mut child = command("fk", &SO101, &[])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    // It may have gone before all is written.
    let _ = child.stdin.take().unwrap().write_all("{}\n".repeat(100_000).as_bytes());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
}

#[test]
fn without_a_tip_the_only_end_is_meant_and_several_are_listed() {
    let output = tool("fk", &["--urdf", "urdf/so101.urdf"], &[], "");
    assert!(!output.status.success());
    let says = String::from_utf8(output.stderr).unwrap();
    assert!(says.contains("say with --tip which link is meant: the robot ends in jaw_link, tool0"), "{says}");
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("one.urdf");
    let joint = r#"<joint name="j" type="continuous"><parent link="a"/><child link="b"/></joint>"#;
    std::fs::write(&file, format!(r#"<robot name="r"><link name="a"/><link name="b"/>{joint}</robot>"#))
        .unwrap();
    let answer = ask("fk", &["--urdf", file.to_str().unwrap()], &["--all-frames"], r#"{"q": [0]}"#).remove(0);
    assert_eq!(answer["frames"]["b"], answer["pose"]);
}

#[test]
fn a_link_or_a_file_that_is_not_there_is_named() {
    let output = tool("ik", &["--urdf", "urdf/so101.urdf", "--tip", "elbow"], &[], "");
    let says = String::from_utf8(output.stderr).unwrap();
    assert!(says.contains("no frame `elbow`") && says.contains("lower_arm_link"), "{says}");
    let output = tool("ik", &["--urdf", "no/such.urdf"], &[], "");
    assert!(String::from_utf8(output.stderr).unwrap().contains("cannot read no/such.urdf"));
}

#[test]
fn a_command_line_that_makes_no_sense_is_refused() {
    for arguments in [
        ["--constraint", "pos"],
        ["--constraint", "axis:0,0,0"],
        ["--tol-pos", "-1"],
        ["--tol-rot", "NaN"],
        ["--stay-near", "inf"],
        ["--time-limit-us", "1.5"],
    ] {
        assert_eq!(tool("ik", &SO101, &arguments, "").status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn the_help_says_what_lines_look_like_and_when_there_is_no_answer() {
    let help = |question: &str| String::from_utf8(tool(question, &["--help"], &[], "").stdout).unwrap();
    for words in ["{\"pose\": [[4x4]], \"seed\": [...]}", "`approximate`", "`timeout`", "then `q` is null"] {
        assert!(help("ik").split_whitespace().collect::<Vec<_>>().join(" ").contains(words), "{words}");
    }
    assert!(help("fk").contains("{\"q\": [...]}") && help("reach").contains("seen from the side"));
}

#[test]
fn a_map_is_drawn_as_svg_and_as_png() {
    let scratch = tempfile::tempdir().unwrap();
    let draw = |name: &str| {
        let file = scratch.path().join(name);
        let out = file.to_str().unwrap().to_owned();
        let output = tool("reach", &SO101, &["--samples", "2000", "--resolution", "0.05", "--out", &out], "");
        assert!(output.status.success(), "{output:?}");
        std::fs::read(file).unwrap()
    };
    let svg = String::from_utf8(draw("map.svg")).unwrap();
    for words in ["Reach of so101", "x (m)", "z (m)", "base_link", "From above", "From the side", "0 %"] {
        assert!(svg.contains(words), "{words}");
    }
    assert!(draw("map.png").starts_with(b"\x89PNG"));
}

#[test]
fn a_map_that_cannot_be_drawn_says_why() {
    let draw = |arguments: &[&str]| tool("reach", &SO101, &[&["--samples", "1000"], arguments].concat(), "");
    let says = |output: Output| {
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(says(draw(&["--out", "map.gif"])).contains("must end in .svg or .png"));
    assert!(says(draw(&["--out", "/no/such/map.png"])).contains("cannot draw /no/such/map.png"));
    assert!(
        says(draw(&["--out", "map.png", "--resolution", "1e-9"])).contains("--resolution must be at least")
    );
    assert!(!Path::new("map.png").exists());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn whatever_comes_each_line_gets_one_answer_in_json(lines in prop::collection::vec(hostile_line(), 1..40)) {
        let mut input = lines.join(&b'\n');
        input.push(b'\n');
        for question in ["ik", "fk"] {
            let options: &[&str] = if question == "ik" { &["--time-limit-us", "200"] } else { &[] };
            let output = feed(question, &SO101, options, &input);
            prop_assert!(output.status.success(), "{output:?}");
            let text = String::from_utf8(output.stdout).unwrap();
            let answers: Vec<Json> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            prop_assert_eq!(answers.len(), lines.len());
            for answer in answers {
                let key = if question == "ik" { "q" } else { "pose" };
                prop_assert_eq!(answer[key].is_null(), answer["error"].is_string(), "{}", answer);
            }
        }
    }
}

fn hostile_line() -> impl proptest::strategy::Strategy<Value = Vec<u8>> {
    let bytes = prop::collection::vec(any::<u8>().prop_filter("one line", |byte| *byte != b'\n'), 0..60);
    let number = prop_oneof![
        (-4.0..4.0).prop_map(|number: f64| number.to_string()),
        any::<f64>().prop_map(|number| json!(number).to_string()),
        prop::sample::select(vec!["1e999", "-0", "null", "\"1\"", "[]", "1e308", "NaN", "5e-324"])
            .prop_map(str::to_owned),
    ];
    let list = prop::collection::vec(number, 0..7).prop_map(|numbers| format!("[{}]", numbers.join(",")));
    let pose = prop::collection::vec(list.clone(), 0..6).prop_map(|rows| format!("[{}]", rows.join(",")));
    let right = "\\[\\[1,0,0,[-0-9.e]{1,6}\\],\\[0,0,-1,0.1\\],\\[0,1,0,[0-9]{1,300}\\],\\[0,0,0,1\\]\\]";
    let line = (prop::sample::select(vec!["pose", "q", "x"]), prop_oneof![pose, list.clone(), right], list)
        .prop_map(|(key, value, seed)| format!("{{\"{key}\": {value}, \"seed\": {seed}}}").into_bytes());
    let nested = (1..5000_usize).prop_map(|depth| "[".repeat(depth).into_bytes());
    prop_oneof![2 => bytes, 5 => line, 1 => nested]
}

/// The answers to lines of questions.
fn ask(question: &str, arm: &[&str], options: &[&str], lines: &str) -> Vec<Json> {
    let output = tool(question, arm, options, lines);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn tool(question: &str, arm: &[&str], options: &[&str], input: &str) -> Output {
    feed(question, arm, options, input.as_bytes())
}

fn feed(question: &str, arm: &[&str], options: &[&str], input: &[u8]) -> Output {
    let mut child = command(question, arm, options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // Beside reading, so that neither waits for the other; it may end before it has read everything.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

fn command(question: &str, arm: &[&str], options: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_servo_tool"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).arg(question).args(arm).args(options);
    command
}

fn number(pose: &Json, row: usize, column: usize) -> f64 {
    pose[row][column].as_f64().unwrap()
}

fn farthest(one: &Json, other: &Json) -> f64 {
    let cells =
        (0..16).map(|cell| (number(one, cell / 4, cell % 4) - number(other, cell / 4, cell % 4)).abs());
    cells.fold(0.0, f64::max)
}

fn turn_about_z(pose: &Json, angle: f64) -> Json {
    let (sin, cos) = angle.sin_cos();
    let row = |row: usize| {
        let (x, y) = (number(pose, row, 0), number(pose, row, 1));
        [x * cos + y * sin, y * cos - x * sin, number(pose, row, 2), number(pose, row, 3)]
    };
    json!([row(0), row(1), row(2), row(3)])
}
