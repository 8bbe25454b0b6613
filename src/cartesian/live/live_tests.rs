use nalgebra::{Isometry3, Vector3};
use proptest::prelude::*;

use super::*;
use crate::kinematics::RobotModel;
use crate::kinematics::ik::Positions;

const SIX: &str = include_str!("../../../urdf/wx250s.urdf");
const FIVE: &str = include_str!("../../../urdf/so101.urdf");
const RATES: (f64, f64, f64) = (2.0, 10.0, 200.0);

fn six() -> Bench {
    Bench::new(SIX, "tool0", &[0.1, -0.4, 0.5, 0.2, 0.6, 0.1], Options::default())
}

fn five() -> Bench {
    Bench::new(FIVE, "tool0", &[0.1, -0.6, 0.8, 0.6, 0.2], Options::default())
}

/// An arm on simulated time, whose every step is held against its limits.
struct Bench {
    chain: Chain,
    limits: Vec<JointLimits>,
    live: Live,
    now: Time,
    states: Vec<JointState>,
    outputs: Vec<Output>,
    /// How far above the table the tip should be; the table is a clearance of the scene.
    table: f64,
}

impl Bench {
    fn new(urdf: &str, tip: &str, at: &[f64], options: Options) -> Self {
        let model = RobotModel::from_urdf(urdf).unwrap();
        let chain = Chain::between(&model, model.root(), tip).unwrap();
        let limits: Vec<JointLimits> = chain
            .joints()
            .iter()
            .map(|joint| {
                let range = joint.limits.position.unwrap();
                let (lower, upper) = (range.lower, range.upper);
                let (max_velocity, max_acceleration, max_jerk) = RATES;
                JointLimits::new(RawLimits { lower, upper, max_velocity, max_acceleration, max_jerk })
                    .unwrap()
            })
            .collect();
        let live = Live::new(&chain, &limits, options).unwrap();
        let states = at.iter().map(|at| JointState::at_rest(*at)).collect();
        let table = f64::NEG_INFINITY;
        Self { chain, limits, live, now: Time(1_000_000_000), states, outputs: Vec::new(), table }
    }

    fn with_twist(mut self) -> Self {
        self.live.set_command_type(CommandType::Twist);
        self
    }

    fn give(&mut self, command: Command) {
        self.live.take(command, self.now, self.now).unwrap();
    }

    fn twist(&mut self, linear: [f64; 3], angular: [f64; 3]) {
        let (linear, angular) = (Vector3::from(linear), Vector3::from(angular));
        self.give(Command::Twist(Twist { linear, angular, frame: TwistFrame::Base }));
    }

    fn step(&mut self) -> Output {
        self.now = self.now.plus_secs(0.01);
        let (chain, table) = (&self.chain, self.table);
        let mut closeness = |at: &[f64]| {
            let z = chain.tip_pose(at).translation.z;
            Clearance { itself: f64::INFINITY, scene: z - table }
        };
        let output = self.live.step(self.now, &self.states, &mut closeness);
        let told = &output.states[..self.chain.dof()];
        for (joint, (before, after)) in self.states.iter().zip(told).enumerate() {
            let (velocity, acceleration, jerk) = RATES;
            let speed = (after.position - before.position) / 0.01;
            let change = (speed - before.velocity) / 0.01;
            let snap = (change - before.acceleration) / 0.01;
            assert!((speed - after.velocity).abs() < 1e-7, "joint {joint}: {before:?} {after:?}");
            assert!((change - after.acceleration).abs() < 1e-5, "joint {joint}: {before:?} {after:?}");
            assert!(speed.abs() <= velocity * (1.0 + 1e-6), "joint {joint}: speed {speed}");
            assert!(change.abs() <= acceleration * (1.0 + 1e-5), "joint {joint}: acceleration {change}");
            assert!(snap.abs() <= jerk * (1.0 + 1e-3), "joint {joint}: jerk {snap}");
            assert!(self.limits[joint].contains(after.position), "joint {joint} at {}", after.position);
        }
        self.states.copy_from_slice(told);
        self.outputs.push(output);
        output
    }

    fn steps(&mut self, count: usize) {
        for _ in 0..count {
            self.step();
        }
    }

    /// Sends the same twist a hundred times a second.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few seconds")]
    fn hold_twist(&mut self, secs: f64, linear: [f64; 3], angular: [f64; 3]) {
        for _ in 0..(secs * 100.0) as usize {
            self.twist(linear, angular);
            self.step();
        }
    }

    fn until_rest(&mut self) {
        for _ in 0..400 {
            if !self.step().is_motion {
                return;
            }
        }
        panic!("still moving: {:?}", self.states);
    }

    fn tip(&self) -> Isometry3<f64> {
        let at: Vec<f64> = self.states.iter().map(|state| state.position).collect();
        self.chain.tip_pose(&at)
    }

    fn speed(&self) -> f64 {
        self.states.iter().map(|state| state.velocity.abs()).fold(0.0, f64::max)
    }

    /// How far the tip has been from the line through two points at most.
    fn off_line(&self, from: &Vector3<f64>, to: &Vector3<f64>) -> f64 {
        let direction = (to - from).normalize();
        let off = |output: &Output| {
            let at = Positions::from_slice(&output.states.map(|state| state.position)[..self.chain.dof()]);
            let way = self.chain.tip_pose(&at).translation.vector - from;
            (way - direction * way.dot(&direction)).norm()
        };
        self.outputs.iter().map(off).fold(0.0, f64::max)
    }
}

#[test]
fn a_held_twist_moves_the_tip_on_a_straight_line_and_halts_on_it() {
    for mut bench in [six().with_twist(), five().with_twist()] {
        let from = bench.tip();
        bench.hold_twist(2.0, [0.0, 0.25, 0.0], [0.0; 3]);
        let on_the_way = bench.tip();
        bench.until_rest();
        let to = bench.tip();
        let way = to.translation.vector - from.translation.vector;
        assert!(0.17 < way.y, "{way:?}");
        assert!(bench.off_line(&from.translation.vector, &(from.translation.vector + Vector3::y())) < 1e-3);
        if bench.chain.dof() == 6 {
            assert!(to.rotation.angle_to(&from.rotation) < 2e-3);
        }
        assert!((to.translation.vector - on_the_way.translation.vector).norm() < 0.05);
        assert_eq!(bench.outputs.last().unwrap().status, Status::NoWarning);
    }
}

#[test]
fn a_twist_in_the_frame_of_the_tip_turns_with_the_tip() {
    let mut bench = six().with_twist();
    let turn =
        Twist { linear: Vector3::zeros(), angular: Vector3::new(0.0, 0.0, 0.4), frame: TwistFrame::Tip };
    let from = bench.tip();
    for _ in 0..100 {
        bench.give(Command::Twist(turn));
        bench.step();
    }
    bench.until_rest();
    let to = bench.tip();
    assert!((to.translation.vector - from.translation.vector).norm() < 1e-3);
    let turned = from.rotation.inverse() * to.rotation;
    let axis = turned.axis().unwrap();
    assert!(axis.z > 0.999 && 0.2 < turned.angle() && turned.angle() < 0.4, "{axis:?} {}", turned.angle());
}

#[test]
fn held_into_the_end_of_a_joints_travel_it_stops_in_time_and_moves_out_again() {
    for mut bench in [six().with_twist(), five().with_twist()] {
        let mut codes = Vec::new();
        let turn = if bench.chain.dof() == 6 { [0.0, 0.0, 1.0] } else { [0.0, 1.0, 0.0] };
        for _ in 0..400 {
            bench.twist([0.0; 3], turn);
            codes.push(bench.step().status);
        }
        assert!(
            codes.iter().any(|code| matches!(code, Status::JointBound { halts: false, .. })),
            "{codes:?}"
        );
        assert!(codes.last().unwrap().is_halt(), "{:?} {:?}", codes.last(), bench.states);
        assert!(bench.speed() < 1e-6, "{:?}", bench.states);
        let stuck = bench.tip();
        bench.hold_twist(0.5, [0.0; 3], turn.map(|part| -part));
        assert!(0.1 < bench.tip().rotation.angle_to(&stuck.rotation));
        bench.until_rest();
    }
}

#[test]
fn held_into_a_singularity_it_stops_in_time_and_moves_out_again() {
    for mut bench in [six().with_twist(), five().with_twist()] {
        let begin = bench.tip();
        let mut codes = Vec::new();
        for _ in 0..400 {
            bench.twist([1.0, 0.0, 0.0], [0.0; 3]);
            codes.push(bench.step().status);
        }
        let at: Vec<f64> = bench.states.iter().map(|state| state.position).collect();
        let measure = bench.live.arm.measure.at(&bench.chain, &at);
        assert!(codes.contains(&Status::ApproachingSingularity), "{codes:?}");
        assert_eq!(*codes.last().unwrap(), Status::HaltForSingularity);
        assert!(measure < 30.01 && bench.speed() < 1e-6, "{measure} {}", bench.speed());
        let stuck = bench.tip();
        bench.outputs.clear();
        bench.hold_twist(1.0, [-1.0, 0.0, 0.0], [0.0; 3]);
        let out = stuck.translation.x - bench.tip().translation.x;
        assert!(0.05 < out, "{out} from {begin:?}");
        assert!(bench.outputs.iter().any(|output| output.status == Status::LeavingSingularity));
    }
}

#[test]
fn held_into_the_table_it_stops_before_it_and_moves_away_again() {
    for mut bench in [six().with_twist(), five().with_twist()] {
        bench.table = bench.tip().translation.z - 0.06;
        let mut codes = Vec::new();
        for _ in 0..300 {
            bench.twist([0.0, 0.0, -1.0], [0.0; 3]);
            codes.push(bench.step().status);
        }
        let above = bench.tip().translation.z - bench.table;
        assert!(codes.contains(&Status::ApproachingCollision), "{codes:?}");
        assert_eq!(*codes.last().unwrap(), Status::HaltForCollision);
        assert!((0.006..0.01).contains(&above) && bench.speed() < 1e-6, "{above} {}", bench.speed());
        bench.hold_twist(0.5, [0.0, 0.0, 1.0], [0.0; 3]);
        assert!(above + 0.05 < bench.tip().translation.z - bench.table);
    }
}

#[test]
fn without_commands_it_halts_and_the_last_thing_told_is_rest() {
    let mut bench = six().with_twist();
    bench.hold_twist(0.5, [0.0, 1.0, 0.0], [0.0; 3]);
    let silent = bench.now;
    let speed = bench.speed();
    while 0.9 * speed < bench.speed() {
        bench.step();
    }
    assert!((0.09..0.25).contains(&bench.now.secs_since(silent)), "{}", bench.now.secs_since(silent));
    bench.until_rest();
    let last = bench.outputs.iter().rfind(|output| output.is_motion).unwrap();
    assert!(last.states.iter().all(|state| state.velocity == 0.0 && state.acceleration == 0.0));
    assert!(bench.now.secs_since(silent) < 0.7, "{}", bench.now.secs_since(silent));
    assert!(bench.live.halt().is_empty());
}

#[test]
fn a_stream_that_jitters_and_has_gaps_is_one_motion() {
    let mut bench = six().with_twist();
    let mut random = fastrand::Rng::with_seed(5);
    bench.hold_twist(0.5, [0.0, 0.5, 0.0], [0.0; 3]);
    let from = bench.tip().translation.y;
    for _ in 0..60 {
        if random.f64() < 0.4 {
            bench.twist([0.0, 0.5, 0.0], [0.0; 3]);
        }
        bench.step();
    }
    let speed = (bench.tip().translation.y - from) / 0.6;
    assert!((0.18..0.205).contains(&speed), "{speed}");
}

#[test]
fn commands_that_cannot_be_taken_are_refused_in_words() {
    let mut bench = six();
    let twist = |x: f64| {
        let (linear, angular) = (Vector3::new(x, 0.0, 0.0), Vector3::zeros());
        Command::Twist(Twist { linear, angular, frame: TwistFrame::Base })
    };
    let now = bench.now;
    let take = |bench: &mut Bench, command: Command, sent: Time| bench.live.take(command, sent, now);
    assert_eq!(take(&mut bench, twist(1.0), now), Err(Refused::NoType));
    assert_eq!(bench.step().status, Status::Invalid);
    assert_eq!(bench.step().status, Status::NoWarning);
    bench.live.set_command_type(CommandType::JointJog);
    assert_eq!(take(&mut bench, twist(1.0), now), Err(Refused::OtherType));
    bench.live.set_command_type(CommandType::Twist);
    assert_eq!(take(&mut bench, twist(f64::NAN), now), Err(Refused::NotFinite(CommandType::Twist)));
    assert_eq!(take(&mut bench, twist(1.0), now.plus_secs(-0.11)), Err(Refused::Stale));
    bench.live.set_paused(true);
    assert_eq!(take(&mut bench, twist(1.0), now), Err(Refused::Paused));
    bench.live.set_paused(false);
    assert!(!bench.step().is_motion);
    assert_eq!(take(&mut bench, twist(1.0), now), Ok(()));
}

#[test]
fn a_pause_and_another_type_bring_it_to_rest_first() {
    for pauses in [true, false] {
        let mut bench = six().with_twist();
        bench.hold_twist(0.5, [0.0, 1.0, 0.0], [0.0; 3]);
        if pauses {
            bench.live.set_paused(true);
        } else {
            bench.live.set_command_type(CommandType::JointJog);
            let velocities = Positions::from_slice(&[0.5, 0.0, 0.0, 0.0, 0.0, 0.0]);
            bench.give(Command::Jog(Jog { velocities, displacements: None }));
        }
        bench.until_rest();
    }
}

#[test]
fn a_jog_moves_its_joints_at_the_speed_asked_for_or_as_fast_as_they_can() {
    let mut bench = six();
    bench.live.set_command_type(CommandType::JointJog);
    for _ in 0..100 {
        let velocities = Positions::from_slice(&[1.0, 0.0, -0.5, 0.0, 0.0, 0.0]);
        bench.give(Command::Jog(Jog { velocities, displacements: None }));
        bench.step();
    }
    assert!((bench.states[0].velocity - 0.5).abs() < 1e-6 && (bench.states[2].velocity + 0.25).abs() < 1e-6);
    for _ in 0..36 {
        let velocities = Positions::from_slice(&[-1e300, 0.0, 0.5e300, 0.0, 0.0, 0.0]);
        bench.give(Command::Jog(Jog { velocities, displacements: None }));
        bench.step();
    }
    assert!((bench.states[0].velocity + 1.9).abs() < 1e-3, "{:?}", bench.states);
    assert!((bench.states[2].velocity - 0.95).abs() < 1e-3, "{:?}", bench.states);
}

#[test]
fn a_displacement_is_gone_to_its_end_and_another_one_adds_to_it() {
    let mut bench = six();
    bench.live.set_command_type(CommandType::JointJog);
    let from: Vec<f64> = bench.states.iter().map(|state| state.position).collect();
    for _ in 0..3 {
        let displacements = Some(Positions::from_slice(&[0.1, 0.0, -0.05, 0.0, 0.0, 0.0]));
        bench.give(Command::Jog(Jog { velocities: Positions::zeros(6), displacements }));
        bench.steps(7);
    }
    bench.until_rest();
    assert!((bench.states[0].position - from[0] - 0.3).abs() < 1e-7, "{:?}", bench.states);
    assert!((bench.states[2].position - from[2] + 0.15).abs() < 1e-7, "{:?}", bench.states);
    assert!(bench.outputs.len() < 150, "{}", bench.outputs.len());
}

#[test]
fn a_pose_is_gone_to_straight_and_met_exactly() {
    let mut bench = six();
    bench.live.set_command_type(CommandType::Pose);
    let from = bench.tip();
    let turn = nalgebra::UnitQuaternion::from_scaled_axis(Vector3::new(0.1, 0.2, -0.1));
    let target = Isometry3::from_parts(
        (from.translation.vector + Vector3::new(-0.03, 0.12, 0.05)).into(),
        turn * from.rotation,
    );
    let mut reached = None;
    for i in 0..250 {
        bench.give(Command::Pose(target));
        let output = bench.step();
        if output.is_reached && reached.is_none() {
            reached = Some(i);
        }
        if !output.is_motion && 10 < i {
            break;
        }
    }
    let off = motion::difference(&target, &bench.tip());
    assert!(off.norm() < 1e-6 && bench.speed() < 1e-6, "{off:?}");
    assert!(reached.unwrap() < 130, "{reached:?}");
    assert!(bench.off_line(&from.translation.vector, &target.translation.vector) < 1e-3);
}

#[test]
fn a_pose_that_moves_is_followed_without_lag() {
    let mut bench = six();
    bench.live.set_command_type(CommandType::Pose);
    let from = bench.tip();
    let mut target = from;
    for i in 0..200 {
        target.translation.y = from.translation.y + 0.1 * (f64::from(i) * 0.01);
        bench.give(Command::Pose(target));
        bench.step();
    }
    // The step was a period later, and says where the arm is to be after another one.
    let behind = target.translation.y + 0.002 - bench.tip().translation.y;
    assert!(behind.abs() < 3e-4, "{behind}");
}

#[test]
fn with_joints_that_stop_alone_the_others_go_on() {
    let options = Options { halt_all_joints_in_joint_mode: false, ..Options::default() };
    let mut bench = Bench::new(SIX, "tool0", &[0.1, -0.4, 0.5, 0.2, 0.6, 0.1], options);
    bench.live.set_command_type(CommandType::JointJog);
    for _ in 0..500 {
        let velocities = Positions::from_slice(&[0.1, 0.0, 1.0, 0.0, 0.0, 0.0]);
        bench.give(Command::Jog(Jog { velocities, displacements: None }));
        bench.step();
    }
    assert!(bench.states[2].velocity.abs() < 1e-3 && (bench.states[0].velocity - 0.05).abs() < 1e-6);
}

fn command() -> impl Strategy<Value = (u8, [f64; 6], bool)> {
    let number = prop_oneof![4 => -2.0..2.0_f64, 1 => Just(0.0), 1 => -1e6..1e6_f64];
    (0..8_u8, proptest::array::uniform6(number), any::<bool>())
}

proptest! {
    // A case takes a second, so one that fails is not made much smaller.
    #![proptest_config(ProptestConfig { max_shrink_iters: 30, ..ProptestConfig::with_cases(12) })]
    #[test]
    fn whatever_is_asked_for_every_step_is_within_the_limits(
        commands in proptest::collection::vec(command(), 1..25),
        is_six in any::<bool>(),
        table in 0.05..0.5_f64,
    ) {
        let mut bench = if is_six { six() } else { five() };
        bench.table = bench.tip().translation.z - table;
        for (what, numbers, holds) in commands {
            let (linear, angular) = ([numbers[0], numbers[1], numbers[2]], [numbers[3], numbers[4], numbers[5]]);
            for _ in 0..if holds { 30 } else { 2 } {
                let jog = |displacements| Command::Jog(Jog {
                    velocities: Positions::from_slice(&numbers[..bench.chain.dof()]),
                    displacements,
                });
                let (kind, command) = match what {
                    0..3 => (CommandType::Twist, Command::Twist(Twist {
                        linear: linear.into(), angular: angular.into(), frame: TwistFrame::Tip,
                    })),
                    3 => (CommandType::JointJog, jog(None)),
                    4 => (CommandType::JointJog, jog(Some(Positions::from_slice(&numbers[..bench.chain.dof()])))),
                    5..7 => {
                        let twist = nalgebra::Vector6::from(numbers) * 0.1;
                        (CommandType::Pose, Command::Pose(motion::moved(&bench.tip(), &twist)))
                    }
                    _ => { bench.live.set_paused(holds); bench.live.set_paused(false); bench.step(); continue }
                };
                bench.live.set_command_type(kind);
                bench.give(command);
                bench.step();
                prop_assert!(bench.table < bench.tip().translation.z);
            }
        }
        bench.live.set_paused(true);
        bench.until_rest();
    }
}
