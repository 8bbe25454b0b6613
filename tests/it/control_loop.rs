//! The control loop against emulated servos: switching on, moving, in steady state without the heap.

use std::time::Duration;

use servo_arm::config::parameters::Value;
use servo_arm::control::arm::ArmRequest;
use servo_arm::control::follower::{GoalId, Outcome};
use servo_arm::control::safety::State;
use servo_arm::protocol::feetech::registers::{
    GOAL_BLOCK, GOAL_POSITION, LOCK, RETURN_DELAY, Register, TORQUE_ENABLE, TORQUE_LIMIT,
};
use servo_arm::servo::clock::{self, Simulation};
use servo_arm::servo::emulator::events::Event;
use servo_arm::servo::emulator::{BusConfig, Emulator, EmulatorConfig, Endpoint};
use servo_arm::servo::simulated::SimulatedPort;
use servo_arm::units::Time;

use crate::emulated_arm::{Arm, Changes, Servos, ended, power_up, servos};

/// Where simulated time begins.
const START: Time = Time(1_000_000_000);

#[test]
fn switching_on_writes_where_the_servos_stand_then_the_least_torque_then_torque_and_nothing_moves() {
    let mut bus = servos();
    for (servo, position) in bus.servos.iter_mut().zip([1500.0, 1800.0, 2048.0, 2300.0, 2600.0, 2100.0]) {
        servo.position = position;
    }
    let _time = Simulation::begin(START);
    let emulator = SimulatedPort::plug_in(bus);
    let watch = emulator.watch("writes").unwrap();
    let ramp = [("torque_ramp_s", Value::Double(0.05))];
    let (mut arm, _goals) = Arm::with_trajectories(emulator, &ramp).unwrap();
    let before: Vec<i32> = (1..=6).map(|id| arm.register(id, "present_position")).collect();
    arm.turn_until_state(State::Holding);

    let mut seen = [[false; 3]; 6];
    let [goal, limit, torque] = [0, 1, 2];
    for event in watch.events.try_iter() {
        let Event::Write { id, address, data, .. } = event else { unreachable!() };
        let servo = usize::from(id) - 1;
        match address {
            _ if address == u16::from(GOAL_BLOCK.address) => {
                assert_eq!(word(&data[1..3], &GOAL_POSITION), before[servo], "goal of servo {id}");
                seen[servo][goal] = true;
            }
            _ if address == u16::from(TORQUE_LIMIT.address) => {
                let value = word(&data, &TORQUE_LIMIT);
                let most = if servo == 5 { 500 } else { 1000 };
                assert!(value <= most, "torque limit of servo {id}: {value}");
                if !seen[servo][torque] {
                    assert_eq!(value, most / 5);
                }
                seen[servo][limit] = true;
            }
            _ if address == u16::from(TORQUE_ENABLE.address) => {
                assert_eq!((data[0], seen[servo][goal], seen[servo][limit]), (1, true, true));
                seen[servo][torque] = true;
            }
            _ => panic!("register {address} of servo {id} was written"),
        }
    }
    assert_eq!(seen, [[true; 3]; 6]);
    for id in 1..=6 {
        assert_eq!(arm.register(id, "present_position"), before[id - 1]);
        assert_eq!(arm.register(id, "torque_limit"), if id == 6 { 500 } else { 1000 });
    }
}

#[test]
fn a_trajectory_leads_the_servos_to_its_end_and_comes_back_as_reached() {
    let _time = Simulation::begin(START);
    arrives(SimulatedPort::plug_in(servos()), &[]);
}

#[test]
fn the_same_over_tcp() {
    let endpoint = Endpoint::Tcp("127.0.0.1:0".to_owned());
    arrives(Emulator::spawn(EmulatorConfig::new(servos()), endpoint).unwrap(), &patience());
}

#[test]
fn the_same_behind_an_adapter_that_echoes() {
    let _time = Simulation::begin(START);
    let echo = [("echo", Value::Bool(true))];
    arrives(SimulatedPort::plug_in(BusConfig { echo: true, ..servos() }), &echo);
}

#[test]
fn the_same_on_a_paced_wire_on_a_thread_of_its_own() {
    let emulator = power_up(BusConfig { pace_bps: Some(1_000_000), ..servos() });
    let (mut arm, mut goals) = Arm::with_trajectories(emulator, &patience()).unwrap();
    arm.cycle_until_state(State::Holding);
    goals.push(arm.goal(7, &[(0.3, 0.1)]));
    let Arm { emulator, control, mut ports, .. } = arm;
    let thread = control.spawn().unwrap();
    let end = clock::now() + Duration::from_secs(10);
    let outcome = loop {
        if let Some(ended) = ports.events.pop().ok().as_ref().and_then(ended) {
            break ended;
        }
        while ports.snapshots.pop().is_ok() {}
        assert!(clock::now() < end);
        std::thread::sleep(Duration::from_millis(5));
    };
    assert_eq!(outcome, (GoalId(7), Outcome::Reached));
    drop(thread);
    drop(emulator);
}

#[test]
fn a_cycle_in_steady_state_leaves_the_heap_alone() {
    let (mut arm, mut goals) = Arm::with_trajectories(power_up(servos()), &patience()).unwrap();
    arm.cycle_until_state(State::Holding);
    // Everything that grows to its size once has done so.
    arm.cycles(50);
    arm.events();
    assert_no_heap("holding", || arm.cycles(300));
    arm.emulate("fault silent id=3");
    assert_no_heap("waiting in vain", || arm.cycles(30));
    arm.emulate("clear");

    let (first, second) = (arm.goal(1, &[(0.1, 0.05), (5.0, 0.2)]), arm.goal(2, &[(0.2, 0.1)]));
    goals.push(first);
    assert_no_heap("taking up a goal", || arm.cycles(1));
    assert_no_heap("following it", || arm.cycles(300));
    assert_eq!(arm.control.core().state(), State::Active);
    goals.push(second);
    assert_no_heap("replacing it and reaching the end", || {
        arm.cycle_until("arrived", |snapshot| snapshot.state == State::Holding);
    });
    let ended = finished(&mut arm);
    assert_eq!(ended, [(GoalId(1), Outcome::Replaced), (GoalId(2), Outcome::Reached)]);
}

#[test]
fn an_emergency_stop_leaves_the_heap_alone_too() {
    let (mut arm, mut goals) = Arm::with_trajectories(power_up(servos()), &patience()).unwrap();
    arm.cycle_until_state(State::Holding);
    goals.push(arm.goal(1, &[(5.0, 0.5)]));
    arm.cycle_until_state(State::Active);
    arm.ask(ArmRequest::EmergencyStop);
    assert_no_heap("stopping", || arm.cycles(100));
    assert_eq!(finished(&mut arm), [(GoalId(1), Outcome::Halted("emergency stop"))]);
}

#[test]
fn a_missing_servo_is_named_with_those_that_answer() {
    let mut bus = servos();
    bus.servos.remove(2);
    let _time = Simulation::begin(START);
    let error = Arm::with_trajectories(SimulatedPort::plug_in(bus), &[]).err().unwrap().to_string();
    assert!(error.starts_with("no answer from `elbow_flex` (id 3) on sim://"), "{error}");
    assert!(error.contains("`shoulder_pan` (id 1), `shoulder_lift` (id 2)"), "{error}");
}

#[test]
fn an_absent_port_is_named() {
    let emulator = power_up(servos());
    let absent = [("port", Value::String("/dev/no-such-arm".into()))];
    let error = Arm::with_trajectories(emulator, &absent).err().unwrap().to_string();
    assert!(error.starts_with("cannot open port /dev/no-such-arm: there is no such device"), "{error}");
}

#[test]
fn a_port_in_use_is_named() {
    let emulator = power_up(servos());
    let _other = serialport::new(emulator.port(), 1_000_000).open().unwrap();
    let error = Arm::with_trajectories(emulator, &[]).err().unwrap().to_string();
    assert!(error.contains("another program is using it"), "{error}");
}

#[test]
fn a_servo_in_another_mode_is_named() {
    let _time = Simulation::begin(START);
    let emulator = SimulatedPort::plug_in(servos());
    assert_eq!(emulator.command("set id=4 mode=1"), "ok servo 4 changed");
    let error = Arm::with_trajectories(emulator, &[]).err().unwrap().to_string();
    assert!(error.contains("`wrist_flex`") && error.contains("mode 1"), "{error}");
}

#[test]
fn a_return_delay_is_set_to_zero_unless_the_servo_holds() {
    let _time = Simulation::begin(START);
    let emulator = SimulatedPort::plug_in(servos());
    for line in ["set id=2 return_delay=250", "set id=5 return_delay=250", "set id=5 torque_enable=1"] {
        assert!(emulator.command(line).starts_with("ok"), "{line}");
    }
    let watch = emulator.watch("writes").unwrap();
    let (arm, _goals) = Arm::with_trajectories(emulator, &[]).unwrap();
    assert_eq!([2, 5].map(|id| arm.register(id, "return_delay")), [0, 250]);
    assert_eq!(arm.register(2, "lock"), 1);
    let written: Vec<(u8, u16)> = watch
        .events
        .try_iter()
        .map(|event| match event {
            Event::Write { id, address, .. } => (id, address),
            _ => unreachable!(),
        })
        .collect();
    let of_2 = |address| (2, u16::from(address));
    assert_eq!(written, [of_2(LOCK.address), of_2(RETURN_DELAY.address), of_2(LOCK.address)]);
}

/// A terminal or a socket of a machine that does other things beside is silent for a while now and then.
fn patience() -> [(&'static str, Value); 2] {
    ["misses_to_degraded", "misses_to_fault"].map(|name| (name, Value::Integer(100_000)))
}

fn arrives<E: Servos>(emulator: E, changes: Changes<'_>) {
    let (mut arm, mut goals) = Arm::with_trajectories(emulator, changes).unwrap();
    arm.turn_until_state(State::Holding);
    goals.push(arm.goal(3, &[(0.2, 0.15), (0.4, 0.3)]));
    arm.turn_until_state(State::Active);
    arm.turn_until_state(State::Holding);
    assert_eq!(finished(&mut arm), [(GoalId(3), Outcome::Reached)]);
    // What servos answer now comes after what they were told last.
    let mut last = arm.turn();
    while !last.joints().iter().all(|joint| joint.servo.fresh) {
        last = arm.turn();
    }
    // An arm that nobody heard for a while comes to rest a little farther; in real time nobody knows.
    let (ticks, radians) = if clock::is_simulated() { (7, 0.0105) } else { (65, 0.1) };
    for (joint, id) in last.joints().iter().zip(1..) {
        // 0.3 rad are 195.6 ticks; the goal's tolerance is 0.01 rad.
        let position = arm.register(id, "present_position");
        assert!((position - 2244).abs() <= ticks, "servo {id} at {position}");
        assert!((joint.servo.position - 0.3).abs() <= radians, "{}", joint.servo.position);
        if clock::is_simulated() {
            assert_eq!(arm.register(id, "goal_position"), 2244);
        }
    }
}

fn finished<E: Servos>(arm: &mut Arm<E>) -> Vec<(GoalId, Outcome)> {
    arm.events().iter().filter_map(ended).collect()
}

fn assert_no_heap(what: &str, cycles: impl FnOnce()) {
    let used = allocation_counter::measure(cycles);
    assert_eq!((used.count_total, used.count_current), (0, 0), "{what}: {used:?}");
}

/// A register's value from its bytes.
fn word(bytes: &[u8], register: &Register) -> i32 {
    register.decode_raw(u16::from_le_bytes([bytes[0], bytes[1]]))
}
