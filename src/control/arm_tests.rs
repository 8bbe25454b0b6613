//! The arm on simulated time, with servos that can be silent, stubborn or limp.

use super::super::torque::LEAST_TORQUE;
use super::*;
use crate::config::hardware::ArmEnd;
use crate::control::safety::Refusal;
use crate::trajectory::limits::RawLimits;

const PERIOD: f64 = 0.01;
const TOLERANCE: f64 = 0.002;

/// A source that asks for one position of every joint, and remembers what it was told.
#[derive(Default)]
struct Source {
    wanted: Option<f64>,
    held_at: Vec<f64>,
    halted: Option<&'static str>,
    /// An effort limit of the second joint.
    effort: Option<f64>,
}

impl ReferenceSource for Source {
    fn step(&mut self, _now: Time, _measured: &[MeasuredJoint], reference: &mut [Reference]) -> bool {
        let Some(wanted) = self.wanted else { return false };
        reference.fill(Reference::Follow(wanted));
        true
    }

    fn limit_efforts(&mut self, limits: &mut [f64]) {
        limits[1] = self.effort.unwrap_or(limits[1]);
    }

    fn hold_at(&mut self, positions: &[f64]) {
        self.held_at = positions.to_vec();
        self.halted = None;
    }

    fn halt(&mut self, why: &'static str) {
        self.halted = Some(why);
        self.wanted = None;
    }
}

/// An arm of two joints whose servos do as they are told, unless a test says otherwise.
struct Bench {
    core: ArmCore,
    source: Source,
    now: Time,
    positions: [f64; 2],
    silent: [bool; 2],
    stubborn: bool,
    servos: [Standing; 2],
    torque_limit: f64,
    limits_ordered: usize,
    /// The commands of every cycle that wrote goals.
    written: Vec<Vec<f64>>,
}

impl Bench {
    fn new(on_fault: TorquePolicy) -> Self {
        let raw = RawLimits {
            lower: -2.0,
            upper: 2.0,
            max_velocity: 2.0,
            max_acceleration: 20.0,
            max_jerk: f64::INFINITY,
        };
        let limits = [JointLimits::new(raw).unwrap(); 2];
        let policy = ArmPolicy {
            torque_ramp: Duration::from_millis(200),
            misses_to_degraded: 3,
            misses_to_fault: 10,
            on_fault,
            on_command_loss: CommandLoss { after: None, end: ArmEnd::Hold },
            on_deactivate: ArmEnd::Hold,
        };
        let mut bench = Self {
            core: ArmCore::new(&limits, PERIOD, policy, true),
            source: Source::default(),
            now: Time(0),
            positions: [0.3, -0.4],
            silent: [false; 2],
            stubborn: false,
            servos: [Standing { torque: false, goal: 1.0, limit_strays: false }; 2],
            torque_limit: 1.0,
            limits_ordered: 0,
            written: Vec::new(),
        };
        bench.core.on_connected(&bench.servos);
        bench
    }

    fn holding(on_fault: TorquePolicy) -> Self {
        let mut bench = Self::new(on_fault);
        bench.run(60);
        assert_eq!(bench.core.state(), State::Holding);
        bench
    }

    fn run(&mut self, cycles: usize) {
        for _ in 0..cycles {
            self.cycle();
        }
    }

    fn cycle(&mut self) {
        let fresh: Vec<_> = (0..2)
            .map(|joint| {
                let position = self.positions[joint];
                let measured =
                    MeasuredJoint { stamp: self.now, fresh: true, position, velocity: 0.0, effort: 0.0 };
                (!self.silent[joint]).then_some(measured)
            })
            .collect();
        let orders = self.core.tick(self.now, fresh, &mut self.source);
        if orders.goals {
            self.written.push(self.core.commands().to_vec());
            for (servo, command) in self.servos.iter_mut().zip(self.core.commands()) {
                servo.goal = *command;
            }
        }
        match orders.torque {
            Some(TorqueOrder::Limit(part)) => {
                self.torque_limit = part;
                self.limits_ordered += 1;
            }
            Some(TorqueOrder::On) => self.servos.iter_mut().for_each(|servo| servo.torque = !self.stubborn),
            Some(TorqueOrder::Off) => self.servos.iter_mut().for_each(|servo| servo.torque &= self.stubborn),
            Some(TorqueOrder::ReadBack(joint) | TorqueOrder::Check(joint)) => {
                let said = (!self.silent[joint]).then_some(self.servos[joint]);
                self.core.on_read_back(joint, said, TOLERANCE, &mut self.source);
            }
            None => {}
        }
        self.now = self.now.plus_secs(PERIOD);
    }

    fn ask(&mut self, request: ArmRequest) -> Result<(), Refusal> {
        self.core.request(request, &mut self.source)
    }

    fn transitions(&mut self) -> Vec<(State, Cause)> {
        std::iter::from_fn(|| self.core.pop_transition()).map(|t| (t.to, t.cause)).collect()
    }
}

#[test]
fn switching_on_writes_where_the_joints_are_before_torque_and_nothing_else() {
    let mut bench = Bench::new(TorquePolicy::Hold);
    let mut torque_came_at = None;
    for cycle in 0..60 {
        bench.cycle();
        if torque_came_at.is_none() && bench.servos[0].torque {
            torque_came_at = Some((cycle, bench.written.len(), bench.torque_limit));
        }
    }
    let (_, goals_written_before, torque_limit) = torque_came_at.unwrap();
    assert!(0 < goals_written_before, "goals come before torque");
    assert_eq!(torque_limit, LEAST_TORQUE, "torque comes on weakly");
    assert!(bench.written.iter().all(|goals| goals == &[0.3, -0.4]), "nothing moves");
    assert_eq!((bench.core.state(), bench.torque_limit), (State::Holding, 1.0));
    assert_eq!(bench.source.held_at, [0.3, -0.4]);
}

#[test]
fn on_a_dead_line_the_arm_stays_where_it_was_heard_last_and_goes_on_from_there_within_its_limits() {
    let mut bench = Bench::holding(TorquePolicy::Hold);
    bench.source.wanted = Some(1.5);
    bench.run(30);
    let heard = bench.written.last().unwrap()[0];
    bench.silent = [true; 2];
    let mut before = heard;
    let mut cycles = |bench: &mut Bench, count: usize| {
        for _ in 0..count {
            bench.cycle();
            let command = bench.core.commands()[0];
            assert!((command - before).abs() <= 2.0 * PERIOD + 1e-9, "from {before} to {command}");
            before = command;
        }
        before
    };
    // It may be the answers only that do not come: then the way back is within the limits, too.
    let kept = cycles(&mut bench, 9);
    assert!((kept - heard).abs() <= 2.0 * PERIOD + 1e-9, "from {heard} to {kept}");
    assert_eq!(bench.core.command_velocity(0), 0.0);
    bench.silent = [false; 2];
    let arrived = cycles(&mut bench, 200);
    assert!((arrived - 1.5).abs() < 1e-6, "it arrives: {arrived}");
}

#[test]
fn when_one_of_several_lines_is_dead_the_joints_of_the_others_brake_and_all_go_on_together() {
    let mut bench = Bench::holding(TorquePolicy::Hold);
    bench.core.hearing.set_lines([0, 1]);
    bench.source.wanted = Some(1.5);
    bench.run(30);
    let mut before = bench.core.commands().to_vec();
    let mut cycles = |bench: &mut Bench, count: usize| {
        for _ in 0..count {
            bench.cycle();
            for (before, command) in before.iter_mut().zip(bench.core.commands()) {
                assert!((command - *before).abs() <= 2.0 * PERIOD + 1e-9, "from {before} to {command}");
                *before = *command;
            }
        }
        before.clone()
    };
    let velocity = bench.core.command_velocity(1);
    bench.silent = [true, false];
    cycles(&mut bench, 9);
    assert_eq!(bench.core.command_velocity(0), 0.0);
    let slower = bench.core.command_velocity(1);
    assert!(slower < velocity, "{slower} after {velocity}");
    bench.silent = [false; 2];
    let arrived = cycles(&mut bench, 300);
    assert!(arrived.iter().all(|arrived| (arrived - 1.5).abs() < 1e-6), "{arrived:?}");
}

#[test]
fn no_torque_before_every_joint_has_answered() {
    let mut bench = Bench::new(TorquePolicy::Hold);
    bench.silent = [false, true];
    bench.run(100);
    assert_eq!(bench.core.state(), State::Identified);
    assert!(bench.written.is_empty() && !bench.servos[0].torque);
    bench.silent = [false; 2];
    bench.run(60);
    assert_eq!(bench.core.state(), State::Holding);
}

#[test]
fn a_servo_that_already_holds_keeps_its_goal_and_does_not_ratchet_down() {
    let mut bench = Bench::new(TorquePolicy::Hold);
    bench.servos = [
        Standing { torque: true, goal: 0.35, ..Standing::default() },
        Standing { torque: true, goal: 1.5, ..Standing::default() },
    ];
    bench.core.on_connected(&bench.servos);
    bench.run(60);
    assert_eq!(bench.core.commands(), [0.35, -0.4]);
}

#[test]
fn a_servo_that_takes_no_torque_is_named_and_the_others_let_go() {
    let mut bench = Bench::new(TorquePolicy::Hold);
    bench.stubborn = true;
    bench.run(200);
    assert_eq!(bench.core.state(), State::Faulted);
    assert!(bench.transitions().contains(&(State::Faulted, Cause::TorqueRefused(0))));
    assert!(!bench.core.torque().is_on());
}

#[test]
fn motion_makes_active_and_its_end_holding() {
    let mut bench = Bench::holding(TorquePolicy::Hold);
    bench.transitions();
    bench.source.wanted = Some(0.0);
    bench.run(100);
    bench.source.wanted = None;
    bench.run(2);
    let expected = [(State::Active, Cause::MotionCommanded), (State::Holding, Cause::MotionEnded)];
    assert_eq!(bench.transitions(), expected);
    assert!(bench.core.commands().iter().all(|command| command.abs() < 1e-6));
}

#[test]
fn a_lost_stream_brakes_and_holds_instead_of_stopping_dead() {
    let mut bench = Bench::holding(TorquePolicy::Hold);
    bench.source.wanted = Some(2.0);
    bench.run(30);
    let speed = bench.core.command_velocity(0);
    bench.source.wanted = None;
    bench.run(1);
    assert!(0.0 < bench.core.command_velocity(0) && bench.core.command_velocity(0) < speed);
    bench.run(50);
    assert_eq!(bench.core.command_velocity(0), 0.0);
}

#[test]
fn silence_degrades_then_faults_and_only_a_reset_leads_out() {
    let mut bench = Bench::holding(TorquePolicy::Hold);
    bench.transitions();
    bench.silent = [false, true];
    bench.run(5);
    assert_eq!(bench.transitions(), [(State::Degraded, Cause::ServoSilent(1))]);
    bench.run(10);
    assert_eq!(bench.transitions(), [(State::Faulted, Cause::ServoLost(1))]);
    assert!(bench.core.torque().is_on(), "the policy is to hold");
    assert!(bench.ask(ArmRequest::Reset).is_err(), "not while a servo is silent");
    bench.silent = [false; 2];
    bench.run(1);
    assert_eq!(bench.core.state(), State::Faulted);
    assert_eq!(bench.ask(ArmRequest::Reset), Ok(()));
    assert_eq!(bench.core.state(), State::Holding);
}

#[test]
fn a_short_silence_is_forgiven() {
    let mut bench = Bench::holding(TorquePolicy::Hold);
    bench.transitions();
    bench.silent = [true, false];
    bench.run(4);
    bench.silent = [false; 2];
    bench.run(2);
    let expected = [(State::Degraded, Cause::ServoSilent(0)), (State::Holding, Cause::ServosAnswer)];
    assert_eq!(bench.transitions(), expected);
}

#[test]
fn an_emergency_stop_acts_within_one_cycle_and_is_latched() {
    let mut bench = Bench::holding(TorquePolicy::Hold);
    bench.source.wanted = Some(2.0);
    bench.run(30);
    let speed = bench.core.command_velocity(0);
    bench.ask(ArmRequest::EmergencyStop).unwrap();
    bench.run(1);
    assert!(bench.core.command_velocity(0) < speed);
    bench.source.wanted = Some(2.0);
    bench.run(100);
    assert_eq!((bench.core.state(), bench.core.command_velocity(0)), (State::EmergencyStop, 0.0));
    assert!(bench.ask(ArmRequest::TorqueOn).is_err());
}

#[test]
fn with_the_policy_to_release_a_stop_lets_go_and_torque_must_be_asked_for_again() {
    let mut bench = Bench::holding(TorquePolicy::Release);
    bench.ask(ArmRequest::EmergencyStop).unwrap();
    bench.run(5);
    assert!(!bench.servos[0].torque && !bench.core.torque().is_on());
    bench.ask(ArmRequest::Reset).unwrap();
    bench.run(100);
    assert_eq!(bench.core.state(), State::Identified);
    bench.ask(ArmRequest::TorqueOn).unwrap();
    bench.run(60);
    assert_eq!(bench.core.state(), State::Holding);
}

#[test]
fn torque_off_is_repeated_until_every_servo_says_so() {
    let mut bench = Bench::holding(TorquePolicy::Hold);
    bench.stubborn = true;
    bench.ask(ArmRequest::TorqueOff).unwrap();
    bench.run(5);
    assert_eq!(bench.core.state(), State::Releasing);
    bench.stubborn = false;
    bench.run(10);
    assert_eq!(bench.core.state(), State::Identified);
    assert!(bench.servos.iter().all(|servo| !servo.torque));
}

#[test]
fn after_a_lost_port_torque_is_not_enabled_again_by_itself() {
    let mut bench = Bench::holding(TorquePolicy::Hold);
    bench.core.on_disconnected(&mut bench.source);
    assert_eq!(bench.core.state(), State::Disconnected);
    bench.core.on_connected(&bench.servos);
    bench.written.clear();
    bench.run(100);
    assert_eq!(bench.core.state(), State::Identified);
    assert!(bench.written.is_empty());
}

#[test]
fn a_servo_that_does_not_let_go_is_named_and_the_arm_is_not_said_to_be_free() {
    let mut bench = Bench::holding(TorquePolicy::Hold);
    bench.stubborn = true;
    bench.transitions();
    bench.ask(ArmRequest::TorqueOff).unwrap();
    bench.run(300);
    assert!(bench.transitions().contains(&(State::Faulted, Cause::TorqueStuck(0))));
    assert!(bench.core.torque().may_hold());
    assert_eq!(bench.ask(ArmRequest::Reset).unwrap_err().joint, Some(0), "nobody knows whether it holds");
    bench.stubborn = false;
    bench.ask(ArmRequest::TorqueOff).unwrap();
    bench.run(20);
    assert!(!bench.core.torque().may_hold() && bench.servos.iter().all(|servo| !servo.torque));
}

#[test]
fn a_servo_that_lost_its_torque_by_itself_is_found_and_named() {
    let mut bench = Bench::holding(TorquePolicy::Hold);
    bench.transitions();
    bench.servos[1].torque = false;
    bench.run(15);
    assert_eq!(bench.transitions(), [(State::Faulted, Cause::TorqueLost(1))]);
    assert!(bench.servos[0].torque, "the policy is to hold");
    assert!(bench.ask(ArmRequest::Reset).is_err(), "torque never comes back by itself");
    bench.ask(ArmRequest::TorqueOff).unwrap();
    bench.run(10);
    bench.ask(ArmRequest::Reset).unwrap();
    bench.ask(ArmRequest::TorqueOn).unwrap();
    bench.run(60);
    assert_eq!((bench.core.state(), bench.servos[1].torque), (State::Holding, true));
}

#[test]
fn a_servo_that_was_silent_is_asked_first_whether_it_still_holds() {
    let mut bench = Bench::holding(TorquePolicy::Hold);
    bench.silent[0] = true;
    bench.run(5);
    (bench.silent[0], bench.servos[0].torque) = (false, false);
    bench.run(2);
    assert_eq!(bench.core.state(), State::Faulted);
    assert_eq!(bench.core.cause(), Some(Cause::BrownOut(0)), "what is silent and then limp had no power");
}

#[test]
fn an_arm_that_was_let_go_and_moved_a_little_is_held_where_it_is() {
    let mut bench = Bench::new(TorquePolicy::Hold);
    bench.servos = [
        Standing { torque: true, goal: 0.35, ..Standing::default() },
        Standing { torque: true, goal: -0.4, ..Standing::default() },
    ];
    bench.core.on_connected(&bench.servos);
    bench.run(60);
    assert_eq!(bench.core.commands(), [0.35, -0.4]);
    bench.ask(ArmRequest::TorqueOff).unwrap();
    bench.run(10);
    bench.positions = [0.3, -0.35];
    bench.ask(ArmRequest::TorqueOn).unwrap();
    bench.run(60);
    assert_eq!((bench.core.state(), bench.core.commands()), (State::Holding, &[0.3, -0.35][..]));
}

#[test]
fn an_emergency_stop_outlasts_a_lost_port() {
    let mut bench = Bench::holding(TorquePolicy::Hold);
    bench.ask(ArmRequest::EmergencyStop).unwrap();
    bench.core.on_disconnected(&mut bench.source);
    bench.core.on_connected(&bench.servos);
    assert_eq!(bench.core.state(), State::EmergencyStop);
    assert!(bench.ask(ArmRequest::TorqueOn).is_err());
}

#[test]
fn time_that_is_set_back_ends_what_moves_and_holds_the_arm_where_it_stands_then() {
    let mut bench = Bench::holding(TorquePolicy::Hold);
    bench.source.wanted = Some(0.35);
    bench.run(3);
    bench.core.on_time_set_back(&mut bench.source);
    assert_eq!(bench.source.halted, Some("simulated time was set back"));
    assert_eq!((bench.core.state(), bench.core.torque().is_on()), (State::Identified, false));
    bench.positions = [0.25, -0.35];
    bench.run(60);
    assert_eq!((bench.core.state(), bench.source.held_at.clone()), (State::Holding, vec![0.25, -0.35]));

    bench.ask(ArmRequest::EmergencyStop).unwrap();
    bench.core.on_time_set_back(&mut bench.source);
    bench.run(10);
    assert_eq!((bench.core.state(), bench.core.torque().is_on()), (State::EmergencyStop, false));
    bench.ask(ArmRequest::Reset).unwrap();
    assert_eq!(bench.core.state(), State::Identified);
}

#[test]
fn an_emergency_stop_of_a_lost_arm_counts_when_it_is_back() {
    let mut bench = Bench::holding(TorquePolicy::Hold);
    bench.core.on_disconnected(&mut bench.source);
    assert!(bench.ask(ArmRequest::EmergencyStop).is_err());
    bench.core.on_connected(&bench.servos);
    assert_eq!(bench.core.state(), State::EmergencyStop);
}

#[test]
fn a_joint_with_a_lower_effort_limit_waits_until_its_servo_has_it() {
    let mut bench = Bench::holding(TorquePolicy::Hold);
    bench.limits_ordered = 0;
    bench.servos[1].limit_strays = true;
    (bench.source.effort, bench.source.wanted) = (Some(0.5), Some(0.2));
    bench.run(10);
    assert_eq!(bench.core.effort_limits(), [f64::INFINITY, 0.5]);
    assert!(bench.core.commands()[0] < 0.29, "the other joint goes ahead");
    assert_eq!(bench.core.commands()[1], -0.4);
    assert!((3..=6).contains(&bench.limits_ordered), "written again: {}", bench.limits_ordered);
    bench.servos[1].limit_strays = false;
    bench.run(60);
    assert!((bench.core.commands()[1] - 0.2).abs() < 1e-6);
}

#[test]
fn an_effort_limit_is_written_once_where_it_arrives_and_a_higher_one_holds_nothing_up() {
    let mut bench = Bench::holding(TorquePolicy::Hold);
    bench.limits_ordered = 0;
    (bench.source.effort, bench.source.wanted) = (Some(0.5), Some(0.2));
    // Written in one tick, read back in the next; a servo whose turn it is to be asked comes first.
    bench.run(4);
    assert_ne!(bench.core.commands()[1], -0.4);
    bench.run(100);
    assert_eq!(bench.limits_ordered, 1);
    (bench.source.effort, bench.source.wanted) = (None, Some(-0.4));
    bench.run(1);
    assert_ne!(bench.core.commands()[1], 0.2);
    assert_eq!(bench.limits_ordered, 2);
}

#[test]
fn an_effort_limit_is_written_whoever_is_just_being_asked_whether_it_still_holds() {
    // Two joints, one asked every 50 ms: all moments there are.
    for moment in 0..20 {
        let mut bench = Bench::holding(TorquePolicy::Hold);
        bench.run(moment);
        bench.limits_ordered = 0;
        (bench.source.effort, bench.source.wanted) = (Some(0.5), Some(0.2));
        bench.run(4);
        assert_eq!(bench.limits_ordered, 1, "{moment} cycles later");
    }
}

#[test]
fn a_servo_that_never_takes_a_limit_holds_its_joint_and_is_not_asked_for_ever() {
    let mut bench = Bench::holding(TorquePolicy::Hold);
    bench.servos[1].limit_strays = true;
    (bench.source.effort, bench.source.wanted) = (Some(0.5), Some(0.2));
    bench.run(300);
    assert_eq!(bench.core.commands()[1], -0.4);
    assert_eq!(bench.core.state(), State::Active);
    bench.source.effort = Some(f64::NAN);
    bench.servos[1].limit_strays = false;
    bench.run(100);
    assert_eq!(bench.core.effort_limits()[1], f64::INFINITY);
    assert!((bench.core.commands()[1] - 0.2).abs() < 1e-6);
}
