//! Trips, brown-outs, the rest pose and the loss of commands, on simulated time.

use super::*;
use crate::config::hardware::ArmEnd;
use crate::config::watch::{Action, JointWatch, Levels, WatchConfig, Watched};
use crate::control::safety::Refusal;
use crate::control::watch::Health;
use crate::trajectory::limits::RawLimits;

const PERIOD: f64 = 0.01;
const POSE: [f64; 2] = [0.0, 0.5];

/// A source that asks for one position of every joint while it is not silent.
#[derive(Default)]
struct Source {
    wanted: Option<f64>,
    speed: f64,
    heard: Option<Time>,
    may_stall: bool,
    held: bool,
}

impl ReferenceSource for Source {
    fn step(&mut self, now: Time, _measured: &[MeasuredJoint], reference: &mut [Reference]) -> bool {
        let Some(wanted) = self.wanted else { return false };
        self.heard = Some(now);
        reference.fill(Reference::Follow(wanted));
        true
    }

    fn limit_speed(&mut self, most: f64) {
        self.speed = most;
    }

    fn may_stall(&self, _joint: usize) -> bool {
        self.may_stall
    }

    fn silence(&self, now: Time) -> Option<Duration> {
        self.heard.map(|heard| now.saturating_since(heard))
    }

    fn hold_at(&mut self, _positions: &[f64]) {
        (self.held, self.heard) = (true, None);
    }

    fn halt(&mut self, _why: &'static str) {
        (self.wanted, self.heard, self.held) = (None, None, false);
    }
}

/// An arm of two joints whose servos follow at once, unless something is in the way.
struct Bench {
    core: ArmCore,
    source: Source,
    now: Time,
    positions: [f64; 2],
    blocked: [bool; 2],
    silent: [bool; 2],
    torque: [bool; 2],
    health: [Health; 2],
}

struct Wishes {
    watched: Watched,
    action: Action,
    on_fault: TorquePolicy,
    loss: CommandLoss,
    on_deactivate: ArmEnd,
    rest_pose: Option<Vec<f64>>,
    positions: [f64; 2],
}

impl Default for Wishes {
    fn default() -> Self {
        Self {
            watched: Watched::Temperature,
            action: Action::Hold,
            on_fault: TorquePolicy::Hold,
            loss: CommandLoss { after: None, end: ArmEnd::Hold },
            on_deactivate: ArmEnd::Hold,
            rest_pose: Some(POSE.to_vec()),
            positions: [0.3, -0.4],
        }
    }
}

impl Bench {
    fn new(wishes: Wishes) -> Self {
        let raw = RawLimits {
            lower: -2.0,
            upper: 2.0,
            max_velocity: 2.0,
            max_acceleration: 20.0,
            max_jerk: 2000.0,
        };
        let limits = [JointLimits::new(raw).unwrap(); 2];
        let policy = ArmPolicy {
            torque_ramp: Duration::from_millis(50),
            misses_to_degraded: 3,
            misses_to_fault: 30,
            on_fault: wishes.on_fault,
            on_command_loss: wishes.loss,
            on_deactivate: wishes.on_deactivate,
        };
        let levels = *JointWatch::default().levels(wishes.watched);
        let joint = JointWatch::default()
            .with(wishes.watched, Levels { action: wishes.action, delay_secs: 0.0, ..levels });
        let care = Care {
            watch: WatchConfig { joints: vec![joint; 2], slow_factor: 0.25 },
            torque_limits: vec![1.0; 2],
            max_efforts: vec![0.0; 2],
            rest_pose: wishes.rest_pose,
        };
        let mut core = ArmCore::new(&limits, PERIOD, policy, true).with_care(care, PERIOD);
        core.on_connected(&[Standing::default(); 2]);
        let health =
            Health { temperature_degc: 30.0, voltage_v: 7.4, current_a: 0.1, load: 0.0, alarms: false };
        Self {
            core,
            source: Source::default(),
            now: Time(0).plus_secs(1.0),
            positions: wishes.positions,
            blocked: [false; 2],
            silent: [false; 2],
            torque: [false; 2],
            health: [health; 2],
        }
    }

    /// It holds, and its log is empty.
    fn holding(wishes: Wishes) -> Self {
        let mut bench = Self::new(wishes);
        bench.run(60);
        assert_eq!(bench.core.state(), State::Holding);
        bench.transitions();
        bench
    }

    fn with_action(action: Action) -> Self {
        Self::holding(Wishes { action, ..Wishes::default() })
    }

    fn run(&mut self, cycles: usize) {
        (0..cycles).for_each(|_| self.cycle());
    }

    fn cycle(&mut self) {
        let fresh: Vec<_> = (0..2)
            .map(|joint| {
                self.core.note_health(joint, self.health[joint]);
                let position = self.positions[joint];
                let measured =
                    MeasuredJoint { stamp: self.now, fresh: true, position, velocity: 0.0, effort: 0.0 };
                (!self.silent[joint]).then_some(measured)
            })
            .collect();
        let orders = self.core.tick(self.now, fresh, &mut self.source);
        for joint in 0..2 {
            if orders.goals && self.torque[joint] && !self.blocked[joint] {
                self.positions[joint] = self.core.commands()[joint];
            }
        }
        match orders.torque {
            Some(TorqueOrder::On) => self.torque = [true; 2],
            Some(TorqueOrder::Off) => self.torque = [false; 2],
            Some(TorqueOrder::ReadBack(joint) | TorqueOrder::Check(joint)) => {
                let goal = self.core.commands()[joint];
                let said = Standing { torque: self.torque[joint], goal, limit_strays: false };
                let said = (!self.silent[joint]).then_some(said);
                self.core.on_read_back(joint, said, 0.002, &mut self.source);
            }
            Some(TorqueOrder::Limit(_)) | None => {}
        }
        self.now = self.now.plus_secs(PERIOD);
    }

    fn ask(&mut self, request: ArmRequest) -> Result<(), Refusal> {
        self.core.request(request, &mut self.source)
    }

    fn transitions(&mut self) -> Vec<(State, Cause)> {
        std::iter::from_fn(|| self.core.pop_transition()).map(|t| (t.to, t.cause)).collect()
    }

    fn heat(&mut self, celsius: f64) {
        self.health[1].temperature_degc = celsius;
    }
}

const TOO_HOT: Cause = Cause::Tripped(Watched::Temperature, 1);

fn names() -> [String; 2] {
    ["elbow".to_owned(), "wrist".to_owned()]
}

#[test]
fn a_trip_that_only_warns_is_told_once_and_changes_nothing() {
    let mut bench = Bench::with_action(Action::Warn);
    bench.heat(70.0);
    bench.run(20);
    assert_eq!((bench.core.state(), bench.transitions()), (State::Holding, vec![]));
    let news: Vec<_> = std::iter::from_fn(|| bench.core.pop_watch_news()).collect();
    assert_eq!(news.len(), 1);
    assert_eq!((news[0].joint, news[0].value), (1, 70.0));
}

#[test]
fn a_trip_that_slows_degrades_the_arm_until_its_cause_is_gone() {
    let mut bench = Bench::with_action(Action::Slow);
    bench.heat(67.0);
    bench.run(2);
    assert_eq!(bench.transitions(), [(State::Degraded, TOO_HOT)]);
    assert_eq!((bench.source.speed, bench.core.speed_factor()), (0.25, 0.25));
    bench.source.wanted = Some(0.0);
    bench.run(50);
    assert_eq!(bench.core.commands()[0], 0.0, "it still moves");
    bench.heat(64.0);
    bench.run(2);
    assert_eq!(bench.core.state(), State::Degraded, "not before it is cooler by some");
    bench.heat(62.0);
    bench.source.wanted = None;
    bench.run(2);
    assert_eq!(bench.transitions(), [(State::Holding, Cause::TripOver)]);
    assert_eq!(bench.source.speed, 1.0);
}

#[test]
fn a_trip_that_holds_faults_the_arm_with_torque_whatever_the_policy_for_faults() {
    let wishes = Wishes { on_fault: TorquePolicy::Release, ..Wishes::default() };
    let mut bench = Bench::holding(wishes);
    bench.source.wanted = Some(1.0);
    bench.run(10);
    bench.transitions();
    bench.heat(67.0);
    bench.run(50);
    assert_eq!(bench.transitions(), [(State::Faulted, TOO_HOT)]);
    assert!(bench.core.torque().is_on() && bench.core.command_velocity(0) == 0.0);
}

#[test]
fn a_trip_that_releases_faults_the_arm_and_lets_go() {
    let mut bench = Bench::with_action(Action::Release);
    bench.heat(67.0);
    bench.run(10);
    assert_eq!(bench.transitions(), [(State::Faulted, TOO_HOT)]);
    assert_eq!(bench.torque, [false; 2]);
}

#[test]
fn a_worse_trip_of_an_arm_that_is_faulted_or_stopped_lets_go_too() {
    for request in [None, Some(ArmRequest::EmergencyStop)] {
        let mut bench = Bench::with_action(Action::Release);
        match request {
            Some(request) => bench.ask(request).unwrap(),
            None => {
                bench.silent[0] = true;
                bench.run(40);
                bench.silent[0] = false;
            }
        }
        let state = bench.core.state();
        assert!(state.is_latched() && bench.core.torque().is_on());
        bench.heat(67.0);
        bench.run(10);
        assert_eq!((bench.core.state(), bench.torque), (state, [false; 2]));
    }
}

#[test]
fn a_trip_sends_the_arm_to_its_rest_pose_and_faults_it_there() {
    let mut bench = Bench::with_action(Action::Rest);
    bench.source.wanted = Some(1.0);
    bench.run(10);
    bench.transitions();
    bench.heat(67.0);
    bench.run(5);
    assert_eq!(bench.transitions(), [(State::Resting, TOO_HOT)]);
    bench.source.wanted = Some(1.0);
    bench.run(400);
    assert_eq!(bench.transitions(), [(State::Faulted, Cause::RestReached)]);
    for (position, rest) in bench.positions.iter().zip(POSE) {
        assert!((position - rest).abs() < 1e-6, "{:?}", bench.positions);
    }
    assert!(bench.torque[0]);
}

#[test]
fn without_a_rest_pose_the_arm_holds() {
    let mut bench = Bench::holding(Wishes { action: Action::Rest, rest_pose: None, ..Wishes::default() });
    bench.heat(67.0);
    bench.run(5);
    assert_eq!(bench.transitions(), [(State::Faulted, TOO_HOT)]);
}

#[test]
fn on_the_way_to_rest_nothing_is_obeyed_but_a_stop_and_torque_off() {
    let resting = || {
        let mut bench = Bench::with_action(Action::Rest);
        bench.heat(67.0);
        bench.run(5);
        assert_eq!(bench.core.state(), State::Resting);
        bench
    };
    let mut bench = resting();
    assert!(bench.ask(ArmRequest::TorqueOn).is_err() && bench.ask(ArmRequest::Reset).is_err());
    bench.ask(ArmRequest::EmergencyStop).unwrap();
    bench.run(50);
    assert_eq!((bench.core.state(), bench.core.command_velocity(0)), (State::EmergencyStop, 0.0));
    let mut bench = resting();
    bench.ask(ArmRequest::TorqueOff).unwrap();
    bench.run(20);
    assert_eq!((bench.core.state(), bench.torque), (State::Identified, [false; 2]));
    let mut bench = resting();
    bench.silent[0] = true;
    bench.run(40);
    assert_eq!(bench.core.cause(), Some(Cause::ServoLost(0)));
    let mut bench = resting();
    bench.core.on_disconnected(&mut bench.source);
    assert_eq!(bench.core.state(), State::Disconnected);
}

#[test]
fn an_emergency_stop_is_heard_in_every_state_that_has_servos() {
    for (action, cycles, state) in [
        (Action::Hold, 0, State::Identified),
        (Action::Hold, 3, State::Energizing),
        (Action::Slow, 60, State::Degraded),
    ] {
        let mut bench = Bench::new(Wishes { action, ..Wishes::default() });
        bench.run(cycles);
        if state == State::Degraded {
            bench.heat(67.0);
            bench.run(2);
        }
        assert_eq!(bench.core.state(), state);
        bench.ask(ArmRequest::EmergencyStop).unwrap();
        bench.run(1);
        assert_eq!(bench.core.state(), State::EmergencyStop, "from {state}");
    }
}

#[test]
fn a_reset_is_refused_with_joint_and_value_until_the_cause_is_gone() {
    let mut bench = Bench::with_action(Action::Hold);
    bench.heat(67.0);
    bench.run(5);
    bench.heat(64.5);
    bench.run(5);
    let refusal = bench.ask(ArmRequest::Reset).unwrap_err();
    assert_eq!(
        refusal.sentence(&names()),
        "a servo is too hot (joint `wrist`): temperature is 64.5 °C, and the trip ends below 63 °C"
    );
    bench.heat(62.0);
    bench.run(1);
    bench.silent[0] = true;
    bench.run(5);
    let refusal = bench.ask(ArmRequest::Reset).unwrap_err();
    assert_eq!(refusal.sentence(&names()), "a servo does not answer; mend that first (joint `elbow`)");
    bench.silent[0] = false;
    bench.run(1);
    assert_eq!(bench.ask(ArmRequest::Reset), Ok(()));
    assert!(bench.core.state() == State::Holding && bench.source.held);
}

#[test]
fn a_reset_ends_where_torque_is_known_to_be_off() {
    let mut bench = Bench::with_action(Action::Release);
    bench.heat(67.0);
    bench.run(1);
    bench.heat(30.0);
    bench.run(1);
    assert_eq!(bench.ask(ArmRequest::Reset), Ok(()));
    assert_eq!(bench.core.state(), State::Releasing);
    bench.run(10);
    assert_eq!(bench.core.state(), State::Identified);
}

#[test]
fn an_arm_with_a_tripped_servo_takes_no_torque_and_says_why() {
    let mut bench = Bench::new(Wishes::default());
    bench.heat(67.0);
    bench.run(100);
    assert_eq!((bench.core.state(), bench.torque), (State::Identified, [false; 2]));
    let refusal = bench.ask(ArmRequest::TorqueOn).unwrap_err();
    assert!(refusal.sentence(&names()).contains("joint `wrist`"));
    bench.heat(50.0);
    bench.run(100);
    assert_eq!(bench.core.state(), State::Holding, "what was asked for at the start comes true");
}

#[test]
fn a_trip_while_torque_comes_on_lets_go() {
    let mut bench = Bench::new(Wishes::default());
    bench.run(3);
    assert_eq!(bench.core.state(), State::Energizing);
    bench.heat(67.0);
    bench.run(20);
    assert_eq!((bench.core.state(), bench.torque), (State::Faulted, [false; 2]));
}

#[test]
fn a_joint_that_cannot_be_read_keeps_the_arm_identified_and_is_named() {
    let mut bench = Bench::new(Wishes::default());
    bench.silent[1] = true;
    bench.run(100);
    assert_eq!((bench.core.state(), bench.torque), (State::Identified, [false; 2]));
    let named = std::iter::from_fn(|| bench.core.pop_watch_news())
        .any(|news| (news.joint, news.watched) == (1, Watched::SampleAge));
    assert!(named);
    assert_eq!(bench.ask(ArmRequest::TorqueOn).unwrap_err().joint, Some(1));
}

#[test]
fn a_stalled_joint_faults_the_arm_and_pushes_no_more() {
    let mut bench = Bench::holding(Wishes { watched: Watched::Stall, ..Wishes::default() });
    bench.source.wanted = Some(1.0);
    bench.blocked[0] = true;
    bench.health[0].load = 1.0;
    bench.run(250);
    assert_eq!(bench.core.cause(), Some(Cause::Tripped(Watched::Stall, 0)));
    assert!((bench.core.commands()[0] - 0.3).abs() < 1e-6, "{:?}", bench.core.commands());
    bench.health[0].load = 0.1;
    bench.run(2);
    assert_eq!(bench.ask(ArmRequest::Reset), Ok(()));
    bench.run(20);
    assert!((bench.core.commands()[0] - 0.3).abs() < 1e-6);
}

#[test]
fn a_gripper_that_holds_something_is_no_stall() {
    let mut bench = Bench::holding(Wishes { watched: Watched::Stall, ..Wishes::default() });
    (bench.source.wanted, bench.source.may_stall) = (Some(1.0), true);
    bench.blocked[0] = true;
    bench.health[0].load = 1.0;
    bench.run(400);
    assert_eq!(bench.core.state(), State::Active);
}

#[test]
fn a_servo_that_falls_silent_after_its_supply_broke_down_is_a_brown_out_and_no_bus_error() {
    let mut bench = Bench::with_action(Action::Hold);
    bench.health[0].voltage_v = 3.9;
    bench.run(1);
    bench.silent[0] = true;
    bench.run(40);
    let brown_out = Cause::BrownOut(0);
    assert_eq!(bench.transitions(), [(State::Degraded, brown_out), (State::Faulted, brown_out)]);
}

#[test]
fn a_servo_that_goes_limp_after_its_supply_broke_down_is_a_brown_out() {
    let mut bench = Bench::with_action(Action::Hold);
    bench.health[0].voltage_v = 4.1;
    bench.run(2);
    (bench.torque[0], bench.health[0].voltage_v) = (false, 7.4);
    bench.run(30);
    assert_eq!(bench.transitions(), [(State::Faulted, Cause::BrownOut(0))]);
    let why = bench.ask(ArmRequest::Reset).unwrap_err().sentence(&names());
    assert_eq!(why, "a servo lost its torque by itself; switch torque off before the reset (joint `elbow`)");
}

#[test]
fn an_arm_whose_commands_do_not_come_any_more_does_what_the_policy_says() {
    let after = Some(Duration::from_millis(500));
    let run = |end| {
        let mut bench = Bench::holding(Wishes { loss: CommandLoss { after, end }, ..Wishes::default() });
        bench.run(200);
        assert_eq!(bench.transitions(), [], "nobody has commanded yet");
        bench.source.wanted = Some(0.2);
        bench.run(100);
        bench.source.wanted = None;
        bench.run(40);
        assert_eq!(bench.core.state(), State::Holding, "not yet");
        bench.transitions();
        bench.run(500);
        bench
    };
    assert_eq!(run(ArmEnd::Hold).transitions(), []);
    let mut rested = run(ArmEnd::Rest);
    let way = [(State::Resting, Cause::CommandsLost), (State::Holding, Cause::RestReached)];
    assert_eq!(rested.transitions(), way);
    assert!((rested.positions[1] - POSE[1]).abs() < 1e-6 && rested.source.held);
    let mut released = run(ArmEnd::Release);
    assert_eq!(released.transitions()[0], (State::Releasing, Cause::CommandsLost));
    assert_eq!((released.core.state(), released.torque), (State::Identified, [false; 2]));
}

#[test]
fn a_trip_on_the_way_to_rest_faults_the_arm_at_its_end() {
    let after = Some(Duration::from_millis(100));
    let loss = CommandLoss { after, end: ArmEnd::Rest };
    let mut bench = Bench::holding(Wishes { loss, action: Action::Rest, ..Wishes::default() });
    bench.source.wanted = Some(0.2);
    bench.run(20);
    bench.source.wanted = None;
    bench.run(60);
    assert_eq!(bench.core.state(), State::Resting);
    bench.heat(67.0);
    bench.run(400);
    assert_eq!(bench.core.state(), State::Faulted);
}

#[test]
fn a_node_that_stops_leads_its_arm_to_rest_if_it_can_move() {
    let mut bench = Bench::with_action(Action::Hold);
    assert!(bench.core.rest_and_stop(&mut bench.source));
    bench.run(400);
    let way = [(State::Resting, Cause::NodeStops), (State::Holding, Cause::RestReached)];
    assert_eq!(bench.transitions(), way);
    bench.ask(ArmRequest::EmergencyStop).unwrap();
    assert!(!bench.core.rest_and_stop(&mut bench.source), "not in {}", bench.core.state());
}

#[test]
fn a_joint_outside_its_limits_is_held_there_is_told_of_and_moves_inwards_only() {
    let mut bench = Bench::holding(Wishes { positions: [2.2, -0.4], ..Wishes::default() });
    assert_eq!(bench.core.commands(), [2.2, -0.4], "it is not moved by being switched on");
    bench.run(30);
    let told = std::iter::from_fn(|| bench.core.pop_watch_news())
        .any(|news| (news.joint, news.watched) == (0, Watched::OutsideLimits));
    assert!(told);
    bench.source.wanted = Some(2.4);
    bench.run(50);
    assert_eq!(bench.core.commands()[0], 2.2, "no farther out");
    let mut last = bench.core.commands()[0];
    bench.source.wanted = Some(1.5);
    for _ in 0..200 {
        bench.run(1);
        assert!(bench.core.commands()[0] <= last);
        last = bench.core.commands()[0];
    }
    assert!((last - 1.5).abs() < 1e-6);
    bench.source.wanted = Some(2.4);
    bench.run(300);
    assert!((bench.core.commands()[0] - 2.0).abs() < 1e-6, "and not out again");
}

#[path = "deactivation_tests.rs"]
mod deactivation;
