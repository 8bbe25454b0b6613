//! One arm on several buses, two servos on a joint, joints that mimic others; on simulated time, and once with threads.

use std::path::Path;
use std::time::Duration;

use servo_arm::config::parameters::{Parameters, Value, read};
use servo_arm::config::{Config, Part};
use servo_arm::control::arm::ArmRequest;
use servo_arm::control::ensemble::{Ensemble, Member};
use servo_arm::control::follower::{GoalId, Outcome};
use servo_arm::control::safety::State;
use servo_arm::protocol::feetech::Id;
use servo_arm::servo::clock::{self, Simulation};
use servo_arm::servo::control_thread::ArmSetup;
use servo_arm::servo::driver::IdentifyError;
use servo_arm::servo::emulator::events::Event;
use servo_arm::servo::emulator::{BusConfig, Running};
use servo_arm::servo::ports::{ArmEvent, EnsembleCommander};
use servo_arm::servo::setup::{arm_setup, robot_model};
use servo_arm::servo::simulated::SimulatedPort;
use servo_arm::units::Time;

use crate::emulated_arm::{Arm, Buses, Changes, Goals, Servos, ended, follower, power_up};

const ARM: usize = 0;
const HAND: usize = 1;
const SHOULDER_LIFT: usize = 1;
const RAD_PER_TICK: f64 = std::f64::consts::TAU / 4096.0;

fn bus(ids: &[u8]) -> BusConfig {
    BusConfig::new(ids.iter().map(|id| Id::new(*id).unwrap()))
}

/// The servos on the arm's bus, and on the hand's, where the second one of the shoulder hangs, too.
fn two_buses() -> [BusConfig; 2] {
    [bus(&[1, 2, 3, 4]), bus(&[1, 2, 7])]
}

fn setup(ports: [&str; 2], changes: Changes<'_>) -> ArmSetup {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut given = read(&root.join("config/so101.yaml"), "/hardware_node").unwrap();
    for key in ["protocol", "port", "baud_rate_bps", "echo", "adapter_latency_s"] {
        given.remove(key);
    }
    let text = |text: &str| Value::String(text.to_owned());
    given.insert("urdf".into(), text(&root.join("urdf/so101.urdf").display().to_string()));
    given.insert("buses".into(), Value::StringArray(vec!["arm".into(), "hand".into()]));
    let joints = ["shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper"];
    for (joint, (bus, id)) in
        joints.into_iter().zip([("arm", 1), ("arm", 2), ("arm", 3), ("arm", 4), ("hand", 1), ("hand", 2)])
    {
        given.insert(format!("servos.{joint}.bus"), text(bus));
        given.insert(format!("servos.{joint}.id"), Value::Integer(id));
    }
    for (name, value) in [
        ("bus.arm.port", text(ports[ARM])),
        ("bus.hand.port", text(ports[HAND])),
        ("servos.shoulder_lift.second.bus", text("hand")),
        ("servos.shoulder_lift.second.id", Value::Integer(7)),
        ("servos.shoulder_lift.second.reversed", Value::Bool(true)),
        ("torque_ramp_s", Value::Double(0.0)),
    ] {
        given.insert(name.to_owned(), value);
    }
    given.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    set_up(&given)
}

fn set_up(given: &Parameters) -> ArmSetup {
    let config = Config::new(given, &[Part::Hardware]).unwrap();
    arm_setup(&config, &robot_model(&config.arm).unwrap()).unwrap()
}

fn connect<E: Servos>(buses: [E; 2], changes: Changes<'_>) -> Result<(Arm<Buses<E>>, Goals), IdentifyError> {
    let setup = setup([buses[ARM].port(), buses[HAND].port()], changes);
    let member = Member::Trajectory(follower(&setup));
    let (commander, requests) = EnsembleCommander::new(Ensemble::new(vec![member]));
    let arm = Arm::connect(Buses(buses.into()), setup, Box::new(commander))?;
    Ok((arm, Goals::of(requests)))
}

fn simulated(buses: [BusConfig; 2]) -> (Arm<Buses<SimulatedPort>>, Goals) {
    connect(buses.map(SimulatedPort::plug_in), &[]).unwrap()
}

fn register<E: Servos>(arm: &Arm<Buses<E>>, bus: usize, id: u8, name: &str) -> i32 {
    arm.emulate(&format!("{bus} get id={id} {name}")).parse().unwrap()
}

fn torques<E: Servos>(arm: &Arm<Buses<E>>, bus: usize, ids: &[u8]) -> Vec<i32> {
    ids.iter().map(|&id| register(arm, bus, id, "torque_enable")).collect()
}

fn troubles<E: Servos>(arm: &mut Arm<E>) -> Vec<String> {
    let trouble = |event| match event {
        ArmEvent::Trouble(text) => Some(text),
        _ => None,
    };
    arm.events().into_iter().filter_map(trouble).collect()
}

#[test]
fn a_trajectory_leads_the_servos_of_both_buses_and_the_mirrored_second_one_to_its_end() {
    let _time = Simulation::begin(Time(1_000_000_000));
    let (mut arm, mut goals) = simulated(two_buses());
    arm.turn_until_state(State::Holding);
    goals.push(arm.goal(3, &[(0.2, 0.15), (0.4, 0.3)]));
    arm.turn_until_state(State::Active);
    let last = arm.turn_until_state(State::Holding);
    assert_eq!(arm.events().iter().filter_map(ended).collect::<Vec<_>>(), [(GoalId(3), Outcome::Reached)]);
    for (bus, id) in [(ARM, 1), (ARM, 2), (ARM, 3), (ARM, 4), (HAND, 1), (HAND, 2)] {
        assert_eq!(register(&arm, bus, id, "goal_position"), 2048 + 196, "servo {id} of bus {bus}");
    }
    assert_eq!(register(&arm, HAND, 7, "goal_position"), 2048 - 196);
    for joint in last.joints() {
        assert!((joint.servo.position - 0.3).abs() <= 0.0105, "{joint:?}");
    }
    let [arm_bus, hand_bus] = last.buses() else { panic!("{:?}", last.buses()) };
    // Four servos have more to say than three.
    assert!(hand_bus.counters.received < arm_bus.counters.received);
    assert_eq!(arm_bus.counters.received + hand_bus.counters.received, last.bus.received);
    let used = [arm_bus, hand_bus].map(|bus| bus.utilisation(last.elapsed));
    assert!(0.1 < used[1] && used[1] < used[0] && used[0] < 0.5, "{used:?}");
}

#[test]
fn a_joint_with_two_servos_is_where_their_mean_is_and_their_disagreement_is_named() {
    let _time = Simulation::begin(Time(1_000_000_000));
    let mut buses = two_buses();
    // The mirrored one should be at 2048 - 100.
    buses[ARM].servos[1].position = 2048.0 + 100.0;
    buses[HAND].servos[2].position = 2048.0 - 160.0;
    let off = [("torque_on_start", Value::Bool(false))];
    let (mut arm, _goals) = connect(buses.map(SimulatedPort::plug_in), &off).unwrap();
    let snapshot = arm.turn_for(Duration::from_millis(50));
    let joint = snapshot.joints()[SHOULDER_LIFT];
    assert!((joint.servo.position - 130.0 * RAD_PER_TICK).abs() < 1e-9, "{joint:?}");
    assert!((joint.disagreement - 60.0 * RAD_PER_TICK).abs() < 1e-9, "{joint:?}");
    let troubles: Vec<String> =
        troubles(&mut arm).into_iter().filter(|trouble| trouble.contains("disagree")).collect();
    let [trouble] = troubles.as_slice() else { panic!("{troubles:?}") };
    let expected = "the servos of joint `shoulder_lift` disagree: servo 7 on bus hand is 0.0920 rad from where it \
                    should be, and 0.05 rad are allowed";
    assert!(trouble.starts_with(expected), "{trouble}");
}

#[test]
fn a_joint_is_fresh_only_if_both_of_its_servos_are() {
    let _time = Simulation::begin(Time(1_000_000_000));
    let (mut arm, _goals) = simulated(two_buses());
    arm.turn_until_state(State::Holding);
    arm.emulate("1 fault silent id=7");
    let snapshot = arm.turn();
    let fresh: Vec<bool> = snapshot.joints().iter().map(|joint| joint.servo.fresh).collect();
    assert_eq!(fresh, [true, false, true, true, true, true]);
    arm.turn_until_state(State::Degraded);
    arm.emulate("1 clear");
    arm.turn_until_state(State::Holding);
}

#[test]
fn switching_off_reaches_every_servo_and_one_that_keeps_its_torque_is_noticed() {
    let _time = Simulation::begin(Time(1_000_000_000));
    let (mut arm, _goals) = simulated(two_buses());
    arm.turn_until_state(State::Holding);
    assert_eq!(
        (torques(&arm, ARM, &[1, 2, 3, 4]), torques(&arm, HAND, &[1, 2, 7])),
        (vec![1; 4], vec![1; 3])
    );
    arm.ask(ArmRequest::TorqueOff);
    arm.turn_until_state(State::Identified);
    assert_eq!(
        (torques(&arm, ARM, &[1, 2, 3, 4]), torques(&arm, HAND, &[1, 2, 7])),
        (vec![0; 4], vec![0; 3])
    );

    arm.ask(ArmRequest::TorqueOn);
    arm.turn_until_state(State::Holding);
    // The second servo of a joint is watched as the first is.
    arm.emulate("1 set id=7 torque_enable=0");
    arm.turn_until_state(State::Faulted);
}

#[test]
fn when_one_bus_is_pulled_the_others_go_on_being_told_to_hold_until_it_is_back() {
    let _time = Simulation::begin(Time(1_000_000_000));
    let (mut arm, mut goals) = simulated(two_buses());
    arm.turn_until_state(State::Holding);
    goals.push(arm.goal(1, &[(2.0, 0.5)]));
    arm.turn_until_state(State::Active);
    arm.turn_for(Duration::from_millis(300));
    arm.emulate("1 unplug");
    arm.turn_until_state(State::Disconnected);
    assert_eq!(
        arm.events().iter().filter_map(ended).collect::<Vec<_>>(),
        [(GoalId(1), Outcome::Halted("the port was lost"))]
    );
    let held: Vec<i32> = (1..=4).map(|id| register(&arm, ARM, id, "goal_position")).collect();
    let watch = arm.emulator.0[ARM].watch("writes").unwrap();
    let snapshot = arm.turn_for(Duration::from_secs(20));
    assert_eq!(torques(&arm, ARM, &[1, 2, 3, 4]), [1; 4]);
    let writes = watch.events.try_iter().filter(|event| matches!(event, Event::Write { id: 1, .. })).count();
    assert!(1000 < writes, "told {writes} times to hold");
    assert_eq!((1..=4).map(|id| register(&arm, ARM, id, "goal_position")).collect::<Vec<_>>(), held);
    let fresh: Vec<bool> = snapshot.joints().iter().map(|joint| joint.servo.fresh).collect();
    assert_eq!(fresh, [true, false, true, true, false, false], "the shoulder's second servo is lost");
    assert_eq!(snapshot.buses().iter().map(|bus| bus.lost).collect::<Vec<_>>(), [false, true]);

    arm.emulate("1 replug");
    let replugged = clock::now();
    let back = arm.turn_until_state(State::Identified);
    assert!(clock::now() < replugged + Duration::from_secs(1));
    assert_eq!((1..=4).map(|id| register(&arm, ARM, id, "goal_position")).collect::<Vec<_>>(), held);
    assert!(back.buses().iter().all(|bus| !bus.lost));
    assert!(!back.torque && torques(&arm, ARM, &[1, 2, 3, 4]) == [1; 4]);
    arm.ask(ArmRequest::TorqueOn);
    arm.turn_until_state(State::Holding);
    assert_eq!((1..=4).map(|id| register(&arm, ARM, id, "goal_position")).collect::<Vec<_>>(), held);
}

#[test]
fn what_is_left_of_an_arm_lets_go_when_it_is_asked_to() {
    let _time = Simulation::begin(Time(1_000_000_000));
    let (mut arm, _goals) = simulated(two_buses());
    arm.turn_until_state(State::Holding);
    arm.emulate("0 unplug");
    arm.turn_until_state(State::Disconnected);
    assert_eq!(torques(&arm, HAND, &[1, 2, 7]), [1; 3]);
    arm.ask(ArmRequest::TorqueOff);
    arm.turn_for(Duration::from_millis(50));
    assert_eq!(torques(&arm, HAND, &[1, 2, 7]), [0; 3]);
    let watch = arm.emulator.0[HAND].watch("writes").unwrap();
    arm.turn_for(Duration::from_secs(1));
    assert_eq!(watch.events.try_iter().count(), 0, "a servo that let go is told nothing");
}

#[test]
fn a_servo_that_is_missing_on_one_of_the_buses_is_named() {
    let _time = Simulation::begin(Time(1_000_000_000));
    let buses = [bus(&[1, 2, 3, 4]), bus(&[1, 2])];
    let error = connect(buses.map(SimulatedPort::plug_in), &[]).err().unwrap().to_string();
    assert!(error.starts_with("no answer from `shoulder_lift` (id 7) on sim://"), "{error}");
}

#[test]
fn a_slow_bus_hangs_on_a_fast_arm_with_a_thread_of_its_own() {
    const SLOW_BPS: u32 = 57_600;
    let [fast, slow] = two_buses();
    let slow = BusConfig { pace_bps: Some(SLOW_BPS), ..slow };
    // Three answers of 21 bytes each: two periods of the arm.
    let changes = [
        ("bus.hand.baud_rate_bps", Value::Integer(SLOW_BPS.into())),
        // On a machine that does other things, too.
        ("state_age_limit_s", Value::Double(1.0)),
        ("misses_to_degraded", Value::Integer(100)),
        ("misses_to_fault", Value::Integer(1000)),
    ];
    let (mut arm, mut goals): (Arm<Buses<Running>>, Goals) =
        connect([fast, slow].map(power_up), &changes).unwrap();
    arm.turn_until_state(State::Holding);
    goals.push(arm.goal(1, &[(0.4, 0.3), (0.8, 0.1)]));
    let end = clock::now() + Duration::from_secs(20);
    let mut events = Vec::new();
    let outcome = loop {
        arm.turn();
        events.extend(arm.events());
        if let Some(ended) = events.iter().find_map(ended) {
            break ended;
        }
        assert!(clock::now() < end);
    };
    assert_eq!(outcome, (GoalId(1), Outcome::Reached));
    let is_degraded =
        |event: &ArmEvent| matches!(event, ArmEvent::Transition(change) if change.to == State::Degraded);
    let degraded: Vec<&ArmEvent> = events.iter().filter(|event| is_degraded(event)).collect();
    assert!(degraded.is_empty(), "{degraded:?}");
    // The slow bus has its last goals a few cycles later.
    arm.turn_for(Duration::from_millis(200));
    assert_eq!(register(&arm, HAND, 7, "goal_position"), 2048 - 65);

    arm.emulate("1 unplug");
    arm.turn_until_state(State::Disconnected);
    arm.turn_for(Duration::from_millis(200));
    assert_eq!(torques(&arm, ARM, &[1, 2, 3, 4]), [1; 4]);
}

#[test]
fn a_thread_of_a_bus_costs_the_control_thread_no_memory() {
    let (mut arm, mut goals): (Arm<Buses<Running>>, Goals) =
        connect(two_buses().map(power_up), &[("state_age_limit_s", Value::Double(1.0))]).unwrap();
    arm.turn_until_state(State::Holding);
    goals.push(arm.goal(1, &[(100.0, 0.3)]));
    arm.turn_until_state(State::Active);
    arm.cycles(50);
    arm.events();
    let used = allocation_counter::measure(|| arm.cycles(300));
    assert_eq!((used.count_total, used.count_current), (0, 0), "{used:?}");
    assert_eq!(arm.control.core().state(), State::Active);
}

/// The two fingers of a WidowX 250: one slides, the other mimics it.
fn fingers(port: &str, changes: Changes<'_>) -> ArmSetup {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let urdf = root.join("urdf/wx250s.urdf").display().to_string();
    let mut given: Parameters = [
        ("urdf", Value::String(urdf)),
        ("joints", Value::StringArray(vec!["left_finger".into()])),
        ("update_rate_hz", Value::Double(200.0)),
        ("port", Value::String(port.to_owned())),
        ("servos.left_finger.id", Value::Integer(1)),
        ("servos.left_finger.metres_per_turn", Value::Double(0.08)),
        // The middle of the travel, 26 mm, is that of the servo.
        ("servos.left_finger.zero_ticks", Value::Integer(2048 - 1331)),
        ("torque_ramp_s", Value::Double(0.0)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    given.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    set_up(&given)
}

#[test]
fn a_joint_that_slides_moves_by_metres_and_its_mimic_follows() {
    let _time = Simulation::begin(Time(1_000_000_000));
    let own_servo = [
        ("mimic_joints", Value::StringArray(vec!["right_finger".into()])),
        ("servos.right_finger.id", Value::Integer(2)),
        ("servos.right_finger.metres_per_turn", Value::Double(0.08)),
        ("servos.right_finger.zero_ticks", Value::Integer(2048 + 1331)),
    ];
    for changes in [&own_servo[..], &[]] {
        let port = SimulatedPort::plug_in(bus(&[1, 2]));
        let setup = fingers(port.name(), changes);
        let member = Member::Trajectory(follower(&setup));
        let (commander, requests) = EnsembleCommander::new(Ensemble::new(vec![member]));
        let mut arm = Arm::connect(port, setup, Box::new(commander)).unwrap();
        let mut goals = Goals::of(requests);
        arm.turn_until_state(State::Holding);
        goals.push(arm.goal(1, &[(1.0, 0.03)]));
        arm.turn_until_state(State::Active);
        arm.turn_until_state(State::Holding);
        let last = arm.turn_for(Duration::from_millis(500));
        // 4 mm from the middle are 204.8 ticks.
        assert_eq!(arm.register(1, "goal_position"), 2253);
        assert_eq!(arm.register(2, "goal_position"), if changes.is_empty() { 2048 } else { 2048 - 205 });
        let ([finger], [mimic]) = (last.joints(), last.mimics()) else { panic!("{last:?}") };
        assert!((finger.servo.position - 0.03).abs() < 0.0002, "{finger:?}");
        assert!((mimic.position + 0.03).abs() < 0.0002, "{mimic:?}");
        assert!(mimic.fresh && mimic.effort.is_nan() == changes.is_empty(), "{mimic:?}");
    }
}
