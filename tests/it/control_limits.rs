//! Whatever is asked of the arm, what is written to its servos stays within the joints' limits.
//!
//! Positions, velocities and accelerations are judged on what reaches the servos' registers. A third difference of
//! those would be rounding only, so jerk is judged on the commands of the snapshots, before they are rounded.

use proptest::prelude::*;
use servo_arm::config::arm::MAX_JOINTS;
use servo_arm::config::parameters::Value;
use servo_arm::control::arm::ArmRequest;
use servo_arm::control::follower::{GoalId, Request};
use servo_arm::control::safety::State;
use servo_arm::control::stream::JointCommand;
use servo_arm::protocol::feetech::registers::{GOAL_BLOCK, GOAL_POSITION, TORQUE_ENABLE};
use servo_arm::servo::clock::{self, Simulation};
use servo_arm::servo::emulator::events::{Event, Watch};
use servo_arm::servo::simulated::SimulatedPort;
use servo_arm::trajectory::limits::JointLimits;
use servo_arm::units::Time;

use crate::emulated_arm::{Arm, servos};

/// Where simulated time begins.
const START: Time = Time(1_000_000_000);
const JOINTS: usize = 6;
const RAD_PER_TICK: f64 = std::f64::consts::TAU / 4096.0;
/// Half a tick for each position that is rounded.
const ROUNDING: f64 = 0.5;

/// Something hostile, and how many cycles it lasts.
#[derive(Clone, Debug)]
enum Act {
    Command([f64; JOINTS]),
    Goal {
        secs: f64,
        position: f64,
    },
    Cancel,
    Stop,
    Ask(ArmRequest),
    /// Out of any latched state and back to torque, long enough to get there.
    Recover,
}

fn hostile_number() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => -3.0..3.0,
        3 => -0.2..0.2,
        1 => -1e300..1e300,
        1 => prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(1e9)],
    ]
}

fn request() -> impl Strategy<Value = ArmRequest> {
    prop_oneof![
        Just(ArmRequest::TorqueOn),
        Just(ArmRequest::TorqueOff),
        Just(ArmRequest::EmergencyStop),
        Just(ArmRequest::Reset),
    ]
}

fn acts(of_kind: impl Strategy<Value = Act> + 'static) -> impl Strategy<Value = Vec<(Act, usize)>> {
    let act = prop_oneof![
        8 => of_kind.boxed(),
        1 => request().prop_map(Act::Ask).boxed(),
        1 => Just(Act::Recover).boxed(),
    ];
    prop::collection::vec((act, 1_usize..60), 5..40)
}

fn command() -> impl Strategy<Value = Act> {
    prop::array::uniform6(hostile_number()).prop_map(Act::Command)
}

fn goal() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0.005..0.5, -0.17..1.65).prop_map(|(secs, position)| Act::Goal { secs, position }),
        1 => Just(Act::Cancel),
        1 => Just(Act::Stop),
    ]
}

proptest! {
    // Each case is an arm that moves for seconds, of its own time.
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_stream_of_commands_leads_the_servos_outside_the_limits(acts in acts(command())) {
        // Commands are not held back until they come near, so that the limiter has everything to do.
        let obey_all = [("command_guard_rad", Value::Double(1e3))];
        let _time = Simulation::begin(START);
        let emulator = SimulatedPort::plug_in(servos());
        let mut tap = Tap::on(&emulator);
        let (mut arm, mut commands) = Arm::with_stream(emulator, &obey_all).unwrap();
        arm.turn_until_state(State::Holding);
        for (act, cycles) in acts {
            match act {
                Act::Command(wanted) => {
                    for _ in 0..cycles {
                        let mut positions = [f64::NAN; MAX_JOINTS];
                        positions[..JOINTS].copy_from_slice(&wanted);
                        let (velocities, efforts) = ([f64::NAN; MAX_JOINTS], [f64::NAN; MAX_JOINTS]);
                        commands.push(JointCommand { received: clock::now(), positions, velocities, efforts }).unwrap();
                        tap.cycle(&mut arm);
                    }
                }
                Act::Ask(request) => ask(&mut arm, &mut tap, &[request], cycles),
                Act::Recover => recover(&mut arm, &mut tap),
                Act::Goal { .. } | Act::Cancel | Act::Stop => {}
            }
            tap.take();
        }
        tap.check(&arm);
    }

    #[test]
    fn no_sequence_of_goals_leads_the_servos_outside_the_limits(acts in acts(goal())) {
        let _time = Simulation::begin(START);
        let emulator = SimulatedPort::plug_in(servos());
        let mut tap = Tap::on(&emulator);
        let (mut arm, mut goals) = Arm::with_trajectories(emulator, &[]).unwrap();
        arm.turn_until_state(State::Holding);
        for (id, (act, cycles)) in (1..).zip(acts) {
            match act {
                Act::Goal { secs, position } => goals.push(arm.goal(id, &[(secs, position)])),
                Act::Cancel => goals.push(Request::Cancel(GoalId(id - 1))),
                Act::Stop => goals.push(Request::Stop),
                Act::Ask(request) => ask(&mut arm, &mut tap, &[request], 0),
                Act::Recover => recover(&mut arm, &mut tap),
                Act::Command(_) => {}
            }
            tap.cycles(&mut arm, cycles);
            tap.take();
        }
        tap.check(&arm);
    }
}

fn recover(arm: &mut Arm<SimulatedPort>, tap: &mut Tap) {
    const CYCLES: usize = 40;
    ask(arm, tap, &[ArmRequest::Reset, ArmRequest::TorqueOn], CYCLES);
}

fn ask(arm: &mut Arm<SimulatedPort>, tap: &mut Tap, requests: &[ArmRequest], cycles: usize) {
    for request in requests {
        arm.ask(*request);
        if *request == ArmRequest::TorqueOff {
            tap.cut();
        }
    }
    tap.cycles(arm, cycles);
}

/// Every goal that reached a servo, in ticks, and every command, in pieces between which the torque was off.
struct Tap {
    watch: Watch,
    pieces: Vec<[Vec<f64>; JOINTS]>,
    commands: Vec<[Vec<f64>; JOINTS]>,
}

impl Tap {
    fn on(emulator: &SimulatedPort) -> Self {
        Self {
            watch: emulator.watch("writes").unwrap(),
            pieces: vec![Default::default()],
            commands: Vec::new(),
        }
    }

    /// Commands from now on do not go on from those before: without torque they stop dead, or start elsewhere.
    fn cut(&mut self) {
        self.commands.push(Default::default());
    }

    fn cycles(&mut self, arm: &mut Arm<SimulatedPort>, count: usize) {
        (0..count).for_each(|_| self.cycle(arm));
    }

    fn cycle(&mut self, arm: &mut Arm<SimulatedPort>) {
        let snapshot = arm.turn();
        let moves = matches!(snapshot.state, State::Holding | State::Active | State::Degraded);
        if !(moves || snapshot.state.is_latched()) || self.commands.is_empty() {
            self.cut();
        }
        let piece = self.commands.last_mut().unwrap();
        for (commands, joint) in piece.iter_mut().zip(snapshot.joints()) {
            commands.push(joint.command);
        }
    }

    /// To be called before too many events wait.
    fn take(&mut self) {
        assert_eq!(self.watch.take_lost(), 0);
        for event in self.watch.events.try_iter() {
            let Event::Write { id, address, data, .. } = event else { unreachable!() };
            let joint = usize::from(id) - 1;
            if address == u16::from(GOAL_BLOCK.address) {
                let raw = u16::from_le_bytes([data[1], data[2]]);
                let goal = f64::from(GOAL_POSITION.decode_raw(raw));
                self.pieces.last_mut().unwrap()[joint].push(goal);
            } else if address == u16::from(TORQUE_ENABLE.address) && data[0] == 0 && joint == 0 {
                self.pieces.push(Default::default());
            }
        }
    }

    fn check(mut self, arm: &Arm<SimulatedPort>) {
        self.take();
        let period_secs = arm.setup.period.as_secs_f64();
        let written: usize = self.pieces.iter().map(|piece| piece[0].len()).sum();
        assert!(0 < written, "nothing was written, so nothing is proved");
        for piece in &self.commands {
            for (joint, commands) in piece.iter().enumerate() {
                check_commands(joint, commands, &arm.setup.limits[joint], period_secs);
            }
        }
        for piece in &self.pieces {
            for (joint, goals) in piece.iter().enumerate() {
                check_joint(joint, goals, &arm.setup.limits[joint], period_secs);
            }
        }
    }
}

/// What a servo sees is the difference of two commands, of two such velocities, and of two such accelerations.
fn check_commands(joint: usize, commands: &[f64], limits: &JointLimits, period_secs: f64) {
    let most = [limits.max_velocity(), limits.max_acceleration(), limits.max_jerk()];
    assert!(most[2].is_finite(), "joint {joint} has no jerk limit, so nothing is proved");
    let mut rates = commands.to_vec();
    let mut rounding = 8.0 * f64::EPSILON * std::f64::consts::PI;
    for (order, most) in (1..).zip(most) {
        rates = rates.windows(2).map(|pair| (pair[1] - pair[0]) / period_secs).collect();
        rounding /= period_secs;
        let highest = rates.iter().fold(0.0_f64, |highest, rate| highest.max(rate.abs()));
        let bound = most * (1.0 + 1e-8) + rounding;
        assert!(highest <= bound, "joint {joint}: derivative {order} is {highest} of at most {most}");
    }
}

/// Over one tick rounding hides an acceleration, so it is also looked for over longer times.
fn check_joint(joint: usize, goals: &[f64], limits: &JointLimits, period_secs: f64) {
    let Some(&first) = goals.first() else { return };
    let ticks = |position: f64| position / RAD_PER_TICK + 2048.0;
    // Torque that comes on outside the travel, where a servo overshot for one, holds there until it moves inwards.
    let (lower, upper) = (ticks(limits.lower()).min(first), ticks(limits.upper()).max(first));
    for goal in goals {
        assert!((lower - ROUNDING..=upper + ROUNDING).contains(goal), "joint {joint} told {goal}");
    }
    for stride in [1, 4, 16, 48] {
        let secs = stride as f64 * period_secs;
        let farthest = limits.max_velocity() * secs / RAD_PER_TICK + 2.0 * ROUNDING;
        let hardest = limits.max_acceleration() * secs * secs / RAD_PER_TICK + 4.0 * ROUNDING;
        for window in goals.windows(2 * stride + 1) {
            let [a, b, c] = [window[0], window[stride], window[2 * stride]];
            assert!((b - a).abs() <= farthest, "joint {joint}: {a} to {b} in {secs} s");
            assert!((c - 2.0 * b + a).abs() <= hardest, "joint {joint}: {a}, {b}, {c} in steps of {secs} s");
        }
    }
}
