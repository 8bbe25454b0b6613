//! Whatever is asked of the arm, what is written to its servos stays within the joints' limits.

use proptest::prelude::*;
use servo_arm::config::arm::MAX_JOINTS;
use servo_arm::config::parameters::Value;
use servo_arm::control::arm::ArmRequest;
use servo_arm::control::follower::{GoalId, Request};
use servo_arm::control::safety::State;
use servo_arm::control::stream::JointCommand;
use servo_arm::protocol::feetech::registers::{GOAL_BLOCK, GOAL_POSITION, TORQUE_ENABLE};
use servo_arm::servo::clock;
use servo_arm::servo::emulator::Running;
use servo_arm::servo::emulator::events::{Event, Watch};
use servo_arm::trajectory::limits::JointLimits;

use crate::emulated_arm::{Arm, power_up, servos};

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
    // Each case is an arm on a terminal of its own.
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_stream_of_commands_leads_the_servos_outside_the_limits(acts in acts(command())) {
        // Commands are not held back until they come near, so that the limiter has everything to do.
        let obey_all = [("command_guard_rad", Value::Double(1e3))];
        let emulator = power_up(servos());
        let mut tap = Tap::on(&emulator);
        let (mut arm, mut commands) = Arm::with_stream(emulator, &obey_all).unwrap();
        arm.cycle_until_state(State::Holding);
        for (act, cycles) in acts {
            match act {
                Act::Command(wanted) => {
                    for _ in 0..cycles {
                        let mut positions = [f64::NAN; MAX_JOINTS];
                        positions[..JOINTS].copy_from_slice(&wanted);
                        let (velocities, efforts) = ([f64::NAN; MAX_JOINTS], [f64::NAN; MAX_JOINTS]);
                        commands.push(JointCommand { received: clock::now(), positions, velocities, efforts }).unwrap();
                        arm.cycle();
                    }
                }
                Act::Ask(request) => ask(&mut arm, &[request], cycles),
                Act::Recover => recover(&mut arm),
                Act::Goal { .. } | Act::Cancel | Act::Stop => {}
            }
            tap.take();
        }
        tap.check(&arm);
    }

    #[test]
    fn no_sequence_of_goals_leads_the_servos_outside_the_limits(acts in acts(goal())) {
        let emulator = power_up(servos());
        let mut tap = Tap::on(&emulator);
        let (mut arm, mut goals) = Arm::with_trajectories(emulator, &[]).unwrap();
        arm.cycle_until_state(State::Holding);
        for (id, (act, cycles)) in (1..).zip(acts) {
            match act {
                Act::Goal { secs, position } => goals.push(arm.goal(id, &[(secs, position)])).unwrap(),
                Act::Cancel => goals.push(Request::Cancel(GoalId(id - 1))).unwrap(),
                Act::Stop => goals.push(Request::Stop).unwrap(),
                Act::Ask(request) => arm.ask(request),
                Act::Recover => recover(&mut arm),
                Act::Command(_) => {}
            }
            arm.cycles(cycles);
            tap.take();
        }
        tap.check(&arm);
    }
}

fn recover(arm: &mut Arm) {
    const CYCLES: usize = 40;
    ask(arm, &[ArmRequest::Reset, ArmRequest::TorqueOn], CYCLES);
}

fn ask(arm: &mut Arm, requests: &[ArmRequest], cycles: usize) {
    requests.iter().for_each(|request| arm.ask(*request));
    arm.cycles(cycles);
}

/// Every goal that reached a servo, in ticks, in pieces between which the torque was off.
struct Tap {
    watch: Watch,
    pieces: Vec<[Vec<f64>; JOINTS]>,
}

impl Tap {
    fn on(emulator: &Running) -> Self {
        Self { watch: emulator.watch("writes").unwrap(), pieces: vec![Default::default()] }
    }

    /// To be called before too many events wait.
    fn take(&mut self) {
        assert_eq!(self.watch.take_lost(), 0);
        for event in self.watch.events.try_iter() {
            let Event::Write { id, address, data, .. } = event else { unreachable!() };
            let joint = usize::from(id) - 1;
            if address == GOAL_BLOCK.address {
                let raw = u16::from_le_bytes([data[1], data[2]]);
                let goal = f64::from(GOAL_POSITION.decode_raw(raw));
                self.pieces.last_mut().unwrap()[joint].push(goal);
            } else if address == TORQUE_ENABLE.address && data[0] == 0 && joint == 0 {
                self.pieces.push(Default::default());
            }
        }
    }

    fn check(mut self, arm: &Arm) {
        self.take();
        let period_secs = arm.setup.period.as_secs_f64();
        let written: usize = self.pieces.iter().map(|piece| piece[0].len()).sum();
        assert!(0 < written, "nothing was written, so nothing is proved");
        for piece in &self.pieces {
            for (joint, goals) in piece.iter().enumerate() {
                check_joint(joint, goals, &arm.setup.limits[joint], period_secs);
            }
        }
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
