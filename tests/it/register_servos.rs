//! Arms of register servos of other families, by their register maps, on simulated time: identified, moved, watched.

use std::time::Duration;

use servo_arm::config::parameters::Value;
use servo_arm::control::arm::ArmRequest;
use servo_arm::control::follower::{GoalId, Outcome};
use servo_arm::control::safety::State;
use servo_arm::protocol::alarms::Alarms;
use servo_arm::protocol::feetech::Id;
use servo_arm::servo::clock::{self, Simulation};
use servo_arm::servo::emulator::{BusConfig, FamilyName};
use servo_arm::servo::ports::ArmEvent;
use servo_arm::servo::simulated::SimulatedPort;
use servo_arm::units::Time;

use crate::emulated_arm::{Arm, Goals, ended, register_servo};

const JOINTS: [&str; 6] =
    ["shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper"];

#[test]
fn scs_servos_are_asked_one_by_one_and_go_where_they_are_told_in_their_own_counts() {
    let (_time, mut arm, mut goals) = start(FamilyName::FeetechScs, "scs0009", 1024);
    arm.turn_until_state(State::Holding);
    assert_eq!(arm.register(1, "present_position"), 512);
    moves(&mut arm, &mut goals);
    // 0.3 rad are 49 of 1024 counts.
    assert!((arm.register(1, "present_position") - 561).abs() <= 2);
    let snapshot = arm.turn();
    assert_eq!(snapshot.overruns, 0);
    assert!(snapshot.joints().iter().all(|joint| (joint.servo.voltage_v - 6.0).abs() < 0.5));
}

#[test]
fn dynamixels_answer_in_one_frame_and_go_where_they_are_told() {
    let (_time, mut arm, mut goals) = start(FamilyName::Dynamixel2, "xm430-w350", 4096);
    let held = arm.turn_until_state(State::Holding);
    assert!(held.joints().iter().all(|joint| joint.servo.fresh));
    moves(&mut arm, &mut goals);
    let before = arm.turn().bus;
    let after = arm.turn().bus;
    // A sync write of six goals and a fast sync read of ten bytes; now and then something more is asked.
    assert_eq!((after.sent - before.sent, after.received - before.received), (44 + 20, 92));
    arm.turn_for(Duration::from_secs(1));
    let snapshot = arm.turn();
    assert!(snapshot.joints().iter().all(|joint| (joint.servo.voltage_v - 12.0).abs() < 1.0));
    assert!(snapshot.joints().iter().all(|joint| 10.0 < joint.servo.temperature_degc));
}

#[test]
fn dynamixels_that_gather_their_telemetry_tell_all_of_it_in_each_cycle_and_forget_it_without_power() {
    let time = Simulation::begin(Time(1_000_000_000));
    let more = [("gather_telemetry", Value::Bool(true))];
    let (mut arm, mut goals) =
        connect_with(&time, FamilyName::Dynamixel2, "xm430-w350", 4096, &more).unwrap();
    arm.turn_until_state(State::Holding);
    moves(&mut arm, &mut goals);
    let before = arm.turn().bus;
    let after = arm.turn().bus;
    assert_eq!((after.sent - before.sent, after.received - before.received), (44 + 20, 92 + 6 * 5));
    arm.emulate("fault alarm id=2 bits=overheat");
    let seen = arm.turn();
    assert_eq!(seen.joints()[1].servo.alarms, Alarms::OVERHEAT, "named in the cycle in which it is seen");
    assert!(seen.joints().iter().all(|joint| (joint.servo.voltage_v - 12.0).abs() < 1.0));

    arm.emulate("fault brownout id=2 ms=10");
    arm.turn_until_state(State::Faulted);
    let end = clock::now() + Duration::from_secs(1);
    while clock::now() < end {
        let servo = arm.turn().joints()[1].servo;
        assert!((servo.position - 0.3).abs() < 0.02, "{} is no position of it", servo.position);
    }
    assert!(arm.turn().joints()[1].servo.fresh, "it was told again what to gather");
}

#[test]
fn a_dynamixels_complaint_is_known_at_once_and_named_when_it_was_asked_for() {
    let (_time, mut arm, _goals) = start(FamilyName::Dynamixel2, "xm430-w350", 4096);
    arm.turn_until_state(State::Holding);
    arm.turn_for(Duration::from_millis(200));
    arm.emulate("fault alarm id=2 bits=overheat");
    let seen = arm.turn();
    assert!(!seen.joints()[1].servo.alarms.is_empty() && seen.joints()[0].servo.alarms.is_empty());
    let named = arm.turn_for(Duration::from_millis(150));
    assert!(
        !named.joints()[1].servo.alarms.contains(Alarms::UNSPECIFIED),
        "{}",
        named.joints()[1].servo.alarms
    );
    assert!(named.joints()[1].servo.fresh, "an alarm hides no data");
}

#[test]
fn a_dynamixel_whose_host_falls_silent_stops_and_is_taken_up_again_only_when_asked() {
    let (_time, mut arm, _goals) = start(FamilyName::Dynamixel2, "xm430-w350", 4096);
    arm.turn_until_state(State::Holding);
    assert_eq!(arm.register(3, "bus_watchdog"), 25, "0.5 s are 25 times 20 ms");
    clock::sleep_until(clock::now() + Duration::from_secs(1));
    assert_eq!(arm.register(3, "bus_watchdog"), -1, "it has given up");
    arm.turn_until_state(State::Faulted);
    arm.ask(ArmRequest::TorqueOff);
    arm.turn_for(Duration::from_millis(100));
    arm.ask(ArmRequest::Reset);
    arm.turn();
    arm.ask(ArmRequest::TorqueOn);
    arm.turn_until_state(State::Holding);
    assert_eq!(arm.register(3, "bus_watchdog"), 25);
    drop(arm.control);
    assert_eq!(arm.emulator.command("get id=3 bus_watchdog"), "ok 0", "who goes on purpose leaves it off");
}

#[test]
fn a_dynamixel_that_missed_a_setting_is_told_again() {
    let (_time, mut arm, _goals) = start(FamilyName::Dynamixel2, "xm430-w350", 4096);
    arm.turn_until_state(State::Holding);
    for register in ["profile_velocity", "bus_watchdog", "goal_pwm"] {
        let told = arm.register(3, register);
        assert!(0 < told, "{register}");
        arm.emulate(&format!("set id=3 {register}=0"));
        arm.turn_for(Duration::from_secs(1));
        assert_eq!((arm.register(3, register), arm.turn().state), (told, State::Holding), "{register}");
    }
}

#[test]
fn cycles_of_every_family_leave_the_heap_alone() {
    for (family, model, counts) in
        [(FamilyName::FeetechScs, "scs0009", 1024), (FamilyName::Dynamixel2, "xm430-w350", 4096)]
    {
        let (_time, mut arm, _goals) = start(family, model, counts);
        arm.turn_until_state(State::Holding);
        arm.turn_for(Duration::from_secs(2));
        // The emulator runs in this thread too, and may take memory: what is lent must come back.
        let used = allocation_counter::measure(|| {
            arm.turn_for(Duration::from_secs(1));
        });
        assert_eq!(used.count_current, 0, "{model}: {used:?}");
    }
}

#[test]
fn after_a_replug_another_servo_in_the_place_of_one_is_refused_by_name_until_the_old_one_is_back() {
    let sts = (FamilyName::FeetechSts, "sts3215", 4096);
    let dynamixel = (FamilyName::Dynamixel2, "xm430-w350", 4096);
    for ((family, model, counts), register, [was, is]) in [
        (sts, "model", ["model 777, firmware 3.6, offset 0", "model 778, firmware 3.6, offset 0"]),
        (sts, "firmware_minor", ["model 777, firmware 3.6, offset 0", "model 777, firmware 3.7, offset 0"]),
        (sts, "position_offset", ["model 777, firmware 3.6, offset 0", "model 777, firmware 3.6, offset 1"]),
        (
            dynamixel,
            "firmware_version",
            ["model 1020, firmware 45, offset 0", "model 1020, firmware 46, offset 0"],
        ),
    ] {
        let (_time, mut arm, _goals) = start(family, model, counts);
        arm.turn_until_state(State::Holding);
        arm.emulate("unplug");
        arm.turn_until_state(State::Disconnected);
        arm.events();
        let before = arm.register(3, register);
        arm.emulate(&format!("set id=3 {register}={}", before + 1));
        arm.emulate("replug");
        assert_eq!(arm.turn_for(Duration::from_secs(2)).state, State::Disconnected);
        let told: Vec<String> = arm.events().into_iter().filter_map(trouble).collect();
        let expected = format!(
            "servo 3 of joint `elbow_flex` is not the one that was there before: that was {was}, and this is {is}; \
             put the other one back, or calibrate the joint (servo_tool calibrate) and start this program again"
        );
        assert_eq!(told, [expected], "told once");

        arm.emulate(&format!("set id=3 {register}={before}"));
        let found = arm.turn_for(Duration::from_secs(1));
        assert_eq!((found.state, found.torque), (State::Identified, false));
        arm.ask(ArmRequest::TorqueOn);
        arm.turn_until_state(State::Holding);
    }
}

fn trouble(event: ArmEvent) -> Option<String> {
    match event {
        ArmEvent::Trouble(text) => Some(text),
        _ => None,
    }
}

#[test]
fn a_servo_of_another_model_is_named_with_its_map() {
    let time = Simulation::begin(Time(1_000_000_000));
    let error = connect(&time, FamilyName::Dynamixel2, "xl330-m288", 4096).err().unwrap();
    assert_eq!(
        error,
        "servo 1 of joint `shoulder_pan` is model 1020 (xm430-w350), and its register map xl330-m288 is of model \
         1200; set servos.shoulder_pan.model"
    );
}

#[test]
fn a_dynamixel_that_obeys_the_id_of_another_one_too_is_not_used() {
    let _time = Simulation::begin(Time(1_000_000_000));
    let mut bus = bus(FamilyName::Dynamixel2);
    bus.servos[2].registers.push(("secondary_id", 2));
    let error = connect_to(bus, "xm430-w350", 4096, &[]).err().unwrap();
    assert_eq!(
        error,
        "joint `elbow_flex`: its servo 3 has the shadow_id 2, so that it obeys what is told to the servo of joint \
         `shoulder_lift` too; set its shadow_id to 255"
    );
}

fn start(family: FamilyName, model: &str, counts: i32) -> (Simulation, Arm<SimulatedPort>, Goals) {
    let time = Simulation::begin(Time(1_000_000_000));
    let (arm, goals) = connect(&time, family, model, counts).unwrap();
    (time, arm, goals)
}

/// The shipped arm with servos of that family, on a paced bus of 1 Mbit/s.
fn connect(
    time: &Simulation,
    family: FamilyName,
    model: &str,
    counts: i32,
) -> Result<(Arm<SimulatedPort>, Goals), String> {
    connect_with(time, family, model, counts, &[])
}

fn connect_with(
    _time: &Simulation,
    family: FamilyName,
    model: &str,
    counts: i32,
    more: &[(&str, Value)],
) -> Result<(Arm<SimulatedPort>, Goals), String> {
    connect_to(bus(family), model, counts, more)
}

fn bus(family: FamilyName) -> BusConfig {
    let ids = (1..=6).map(|id| Id::new(id).unwrap());
    BusConfig { pace_bps: Some(1_000_000), ..BusConfig::of(family, ids) }
}

fn connect_to(
    bus: BusConfig,
    model: &str,
    counts: i32,
    more: &[(&str, Value)],
) -> Result<(Arm<SimulatedPort>, Goals), String> {
    let family = bus.family;
    let port = SimulatedPort::plug_in(bus);
    let servos = JOINTS.into_iter().flat_map(|joint| register_servo(joint, model, counts));
    let protocol = ("protocol".to_owned(), Value::String(family.name().to_owned()));
    let given: Vec<(String, Value)> = servos.chain([protocol]).collect();
    let mut changes: Vec<(&str, Value)> =
        given.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    changes.extend_from_slice(more);
    Arm::with_trajectories(port, &changes).map_err(|error| error.to_string())
}

fn moves(arm: &mut Arm<SimulatedPort>, goals: &mut Goals) {
    goals.push(arm.goal(1, &[(0.5, 0.3)]));
    arm.turn_until_state(State::Active);
    let last = arm.turn_until_state(State::Holding);
    assert_eq!(arm.events().iter().filter_map(ended).collect::<Vec<_>>(), [(GoalId(1), Outcome::Reached)]);
    assert!(last.joints().iter().all(|joint| (joint.servo.position - 0.3).abs() < 0.0105));
}
