//! Inverse kinematics finds what forward kinematics says is there, on arms of every kind.

use std::sync::LazyLock;

use nalgebra::{Isometry3, Unit, UnitQuaternion, Vector3};
use servo_arm::kinematics::ik::{
    Aim, Answer, Goal, JointSet, RotationAim, Search, Solver, Status, Tolerance, TrackOptions,
};
use servo_arm::kinematics::{Chain, RobotModel};

const SO101: &str = include_str!("../../urdf/so101.urdf");
const WX250S: &str = include_str!("../../urdf/wx250s.urdf");
const CROOKED: &str = include_str!("data/crooked.urdf");

/// Targets for each arm and aim.
const TARGETS: usize = 50;

#[test]
fn every_pose_that_joints_within_their_limits_give_is_found() {
    for arm in arms() {
        check_all(arm, Aim::POSE, random_positions);
    }
}

#[test]
fn poses_with_joints_at_their_limits_are_found() {
    for arm in arms() {
        check_all(arm, Aim::POSE, |chain, random| {
            let mut positions = random_positions(chain, random);
            for _ in 0..2 {
                let joint = random.usize(..positions.len());
                let (lower, upper) = range(chain, joint);
                positions[joint] = [lower, upper, 0.0_f64.clamp(lower, upper)][random.usize(..3)];
            }
            positions
        });
    }
}

#[test]
fn less_than_a_pose_is_found_too() {
    let axis = Unit::new_normalize(Vector3::new(0.3, -0.5, 0.8));
    let about = |weights| Aim { position: [1.0; 3], rotation: RotationAim::About(weights) };
    let aims = [
        Aim::POSITION,
        Aim::pointing(Vector3::z_axis()),
        Aim::pointing(-Vector3::z_axis()),
        Aim::pointing(axis),
        Aim::planar(),
        Aim { position: [0.0, 1.0, 0.3], ..Aim::pointing(axis) },
        Aim { position: [0.0; 3], ..Aim::POSE },
        about([0.0, 1.0, 1.0]),
        about([1.0, 0.0, 2.0]),
        about([0.0, 1.0, 0.0]),
        about([0.5, 0.2, 2.0]),
    ];
    for arm in arms() {
        for aim in aims {
            check_all(arm, aim, random_positions);
        }
    }
}

#[test]
fn the_same_question_has_the_same_answer_to_the_last_bit() {
    for Arm { chain, solver, .. } in arms() {
        let again = Solver::new(chain).unwrap();
        let mut random = fastrand::Rng::with_seed(3);
        for _ in 0..20 {
            let goal = Goal::pose(chain.tip_pose(&random_positions(chain, &mut random)));
            let seed = random_positions(chain, &mut random);
            let bits =
                |answer: Answer| -> Vec<u64> { answer.positions.iter().map(|q| q.to_bits()).collect() };
            let first = bits(solver.solve(&goal, &Search::from(&seed)));
            assert_eq!(first, bits(solver.solve(&goal, &Search::from(&seed))));
            assert_eq!(first, bits(again.solve(&goal, &Search::from(&seed))));
        }
    }
}

#[test]
fn solving_and_tracking_allocate_nothing() {
    for Arm { name, chain, solver } in arms() {
        let mut random = fastrand::Rng::with_seed(4);
        let pose = chain.tip_pose(&random_positions(chain, &mut random));
        let seed = random_positions(chain, &mut random);
        let far = Isometry3::from_parts((pose.translation.vector * 1000.0).into(), pose.rotation);
        let refusing = Search { is_acceptable: &|_| false, stay_near: 1.0, ..Search::from(&seed) };
        let used = allocation_counter::measure(|| {
            for goal in [Goal::pose(pose), Goal { aim: Aim::planar(), ..Goal::pose(pose) }, Goal::pose(far)] {
                std::hint::black_box(solver.solve(&goal, &Search::from(&seed)));
                std::hint::black_box(solver.solve(&goal, &refusing));
                std::hint::black_box(solver.track(&goal, &seed, &TrackOptions { max_step: 0.1 }));
            }
        });
        assert_eq!(used.count_total, 0, "{name}");
    }
}

#[test]
fn a_seed_that_is_the_answer_is_the_answer() {
    for Arm { name, chain, solver } in arms() {
        let mut random = fastrand::Rng::with_seed(5);
        for _ in 0..TARGETS {
            let seed = random_positions(chain, &mut random);
            let answer = solver.solve(&Goal::pose(chain.tip_pose(&seed)), &Search::from(&seed));
            let way = farthest(&answer.positions, &seed);
            assert!(answer.status == Status::Solved && way < 1e-9, "{name}: {way} {answer:?}");
        }
    }
}

#[test]
fn out_of_reach_the_nearest_approach_is_told_from_success() {
    for Arm { name, chain, solver } in arms() {
        let seed = vec![0.0; chain.dof()];
        let far = Isometry3::translation(300.0, 400.0, 0.0);
        let answer = solver.solve(&Goal { aim: Aim::POSITION, ..Goal::pose(far) }, &Search::from(&seed));
        assert_eq!(answer.status, Status::Approximate, "{name}");
        assert!((answer.position_error - error(chain, &far, &answer.positions)).abs() < 1e-6, "{name}");
        // No positions of many are nearer.
        let mut random = fastrand::Rng::with_seed(6);
        for _ in 0..2000 {
            let other = error(chain, &far, &random_positions(chain, &mut random));
            assert!(answer.position_error <= other + 1e-6, "{name}: {} {other}", answer.position_error);
        }
    }
}

#[test]
fn locked_joints_stay() {
    let chain = shipped(WX250S);
    let solver = Solver::new(&chain).unwrap();
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..TARGETS {
        let target = random_positions(&chain, &mut random);
        let mut seed = random_positions(&chain, &mut random);
        (seed[1], seed[4]) = (target[1], target[4]);
        let goal = Goal { aim: Aim::POSITION, ..Goal::pose(chain.tip_pose(&target)) };
        let locked = JointSet::NONE.with(1).with(4);
        let answer = solver.solve(&goal, &Search { locked, ..Search::from(&seed) });
        assert_eq!(answer.status, Status::Solved);
        assert_eq!(
            (answer.positions[1].to_bits(), answer.positions[4].to_bits()),
            (seed[1].to_bits(), seed[4].to_bits())
        );
    }
}

#[test]
fn what_is_not_acceptable_is_not_the_answer() {
    let chain = shipped(WX250S);
    let solver = Solver::new(&chain).unwrap();
    let mut random = fastrand::Rng::with_seed(8);
    let mut solved = 0;
    for _ in 0..TARGETS {
        let target = random_positions(&chain, &mut random);
        let seed = random_positions(&chain, &mut random);
        let goal = Goal::pose(chain.tip_pose(&target));
        let side = target[2] > 0.0;
        let is_acceptable = |positions: &[f64]| (positions[2] > 0.0) == side;
        let answer = solver.solve(&goal, &Search { is_acceptable: &is_acceptable, ..Search::from(&seed) });
        assert!(answer.status != Status::Solved || is_acceptable(&answer.positions));
        solved += usize::from(answer.status == Status::Solved);
        let refused = solver.solve(&goal, &Search { is_acceptable: &|_| false, ..Search::from(&seed) });
        assert_eq!(refused.status, Status::Refused);
    }
    assert_eq!(solved, TARGETS);
}

#[test]
fn staying_near_brings_answers_nearer() {
    for Arm { name, chain, solver } in arms() {
        let mut random = fastrand::Rng::with_seed(9);
        let mut ways = [0.0; 2];
        for _ in 0..TARGETS {
            let goal = Goal::pose(chain.tip_pose(&random_positions(chain, &mut random)));
            let seed = random_positions(chain, &mut random);
            for (way, stay_near) in ways.iter_mut().zip([0.0, 1.0]) {
                let answer = solver.solve(&goal, &Search { stay_near, ..Search::from(&seed) });
                assert_eq!(answer.status, Status::Solved, "{name}");
                *way += answer.positions.iter().zip(&seed).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
            }
        }
        assert!(ways[1] <= ways[0] + 1e-9, "{name}: {ways:?}");
    }
}

#[test]
fn time_that_is_up_ends_a_search() {
    let chain = shipped(WX250S);
    let solver = Solver::new(&chain).unwrap();
    let goal = Goal::pose(Isometry3::translation(0.1, 0.1, 2.0));
    let answer = solver.solve(&goal, &Search { is_time_up: &|| true, ..Search::from(&[0.0; 6]) });
    assert_eq!(answer.status, Status::TimedOut);
    assert!(answer.iterations < 20 && answer.position_error.is_finite(), "{answer:?}");
}

#[test]
fn a_joint_that_turns_freely_ends_near_the_seed_and_within_its_limits() {
    let chain = continuous_arm();
    let solver = Solver::new(&chain).unwrap();
    let mut random = fastrand::Rng::with_seed(10);
    for _ in 0..TARGETS {
        let goal = Goal::pose(chain.tip_pose(&random_positions(&chain, &mut random)));
        let mut seed = random_positions(&chain, &mut random);
        seed[0] += 100.0;
        let answer = solver.solve(&goal, &Search::from(&seed));
        assert_eq!(answer.status, Status::Solved);
        assert!((answer.positions[0] - seed[0]).abs() <= std::f64::consts::PI + 1e-9, "{answer:?}");
    }
}

#[test]
fn tracking_follows_a_way_without_jumps() {
    for Arm { name, chain, solver } in arms() {
        let mut random = fastrand::Rng::with_seed(11);
        for _ in 0..4 {
            let (from, to) = (random_positions(chain, &mut random), random_positions(chain, &mut random));
            let mut here = from.clone();
            for step in 1..=1000 {
                let part = f64::from(step) / 1000.0;
                let there: Vec<f64> = from.iter().zip(&to).map(|(a, b)| a + part * (b - a)).collect();
                let goal = Goal::pose(chain.tip_pose(&there));
                let next = solver.track(&goal, &here, &TrackOptions { max_step: 0.05 });
                let way = farthest(&next.positions, &here);
                assert!(way <= 0.05 + 1e-12, "{name}: {way}");
                if next.is_met {
                    check(name, chain, &goal, &next.positions);
                } else {
                    let before = solver.track(&goal, &here, &TrackOptions { max_step: 0.0 });
                    let comes_nearer = next.position_error < before.position_error
                        || next.rotation_error < before.rotation_error;
                    let is_told = next.at_limit || next.is_bounded || next.is_near_singular;
                    assert!(comes_nearer || is_told, "{name}: {next:?}");
                }
                here.copy_from_slice(&next.positions);
            }
        }
    }
}

#[test]
fn too_many_joints_are_refused() {
    let joints: Vec<String> = (0..9).map(|index| joint(index, "continuous", [0, 0, 1], 0.1, "")).collect();
    let refused = Solver::new(&chain(&urdf(&joints), "link0", "link9")).unwrap_err();
    let told = "the chain has 9 moving joints; inverse kinematics takes at most 8";
    assert_eq!(refused.to_string(), told);
}

fn check_all(arm: &Arm, aim: Aim, target: impl Fn(&Chain, &mut fastrand::Rng) -> Vec<f64>) {
    let Arm { name, chain, solver } = arm;
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..TARGETS {
        let goal = Goal { aim, ..Goal::pose(chain.tip_pose(&target(chain, &mut random))) };
        let answer = solver.solve(&goal, &Search::from(&random_positions(chain, &mut random)));
        assert_eq!(answer.status, Status::Solved, "{name} {aim:?} {answer:?}");
        assert!(answer.position_error <= goal.tolerance.position, "{name} {answer:?}");
        assert!(answer.rotation_error <= goal.tolerance.rotation, "{name} {answer:?}");
        check(name, chain, &goal, &answer.positions);
    }
}

/// By the chain's own forward kinematics.
fn check(name: &str, chain: &Chain, goal: &Goal, positions: &[f64]) {
    for (joint, &position) in positions.iter().enumerate() {
        if let Some(range) = chain.joints()[joint].limits.position {
            assert!(range.lower <= position && position <= range.upper, "{name}: {position} in {range:?}");
        }
    }
    let left = goal.base_from_tip.inverse() * chain.tip_pose(positions);
    let way = left.translation.vector.component_mul(&Vector3::from(goal.aim.position)).norm();
    let turn = match goal.aim.rotation {
        RotationAim::About(weights) => match weights.map(|weight| weight > 0.0) {
            // Where one turn is free, its axis is where it should be.
            [false, true, true] => {
                (left.rotation * Vector3::x()).cross(&Vector3::x()).norm() * weights[1].min(weights[2])
            }
            [true, false, true] => {
                (left.rotation * Vector3::y()).cross(&Vector3::y()).norm() * weights[0].min(weights[2])
            }
            _ => left.rotation.scaled_axis().component_mul(&Vector3::from(weights)).norm(),
        },
        RotationAim::Axis(axis) => left.rotation.transform_vector(&axis).angle(&axis),
        RotationAim::Free => 0.0,
    };
    let Tolerance { position, rotation } = goal.tolerance;
    assert!(way <= position + 1e-9 && turn <= rotation + 1e-8, "{name} {:?}: {way} m, {turn} rad", goal.aim);
}

fn error(chain: &Chain, goal: &Isometry3<f64>, positions: &[f64]) -> f64 {
    (chain.tip_pose(positions).translation.vector - goal.translation.vector).norm()
}

fn farthest(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

pub(crate) fn random_positions(chain: &Chain, random: &mut fastrand::Rng) -> Vec<f64> {
    let place = |joint| {
        let (lower, upper) = range(chain, joint);
        lower + (upper - lower) * random.f64()
    };
    (0..chain.dof()).map(place).collect()
}

fn range(chain: &Chain, joint: usize) -> (f64, f64) {
    let turn = (-std::f64::consts::PI, std::f64::consts::PI);
    chain.joints()[joint].limits.position.map_or(turn, |range| (range.lower, range.upper))
}

pub(crate) struct Arm {
    pub(crate) name: &'static str,
    pub(crate) chain: Chain,
    pub(crate) solver: Solver,
}

pub(crate) fn arms() -> &'static [Arm] {
    static ARMS: LazyLock<Vec<Arm>> = LazyLock::new(|| {
        let arm = |(name, chain)| Arm { name, solver: Solver::new(&chain).unwrap(), chain };
        chains().into_iter().map(arm).collect()
    });
    &ARMS
}

/// Arms of every kind: shipped ones, crooked ones, tiny and large, with slides, with followers, endless.
fn chains() -> Vec<(&'static str, Chain)> {
    vec![
        ("so101", shipped(SO101)),
        ("wx250s", shipped(WX250S)),
        ("crooked", chain(CROOKED, "world", "probe")),
        ("crooked, backwards", chain(CROOKED, "probe", "boom")),
        ("continuous", continuous_arm()),
        ("tiny", seven_joints(0.001)),
        ("large", seven_joints(50.0)),
        ("gantry", gantry()),
        ("followers", followers()),
        ("eight", rail_and_seven()),
        ("one", chain(WX250S, "base_link", "shoulder_link")),
        ("two", chain(WX250S, "base_link", "upper_arm_link")),
        ("wrist", chain(WX250S, "upper_arm_link", "tool0")),
    ]
}

fn shipped(urdf: &str) -> Chain {
    chain(urdf, "base_link", "tool0")
}

fn continuous_arm() -> Chain {
    let axes = [[0, 0, 1], [0, 1, 0], [0, 1, 0], [1, 0, 0], [0, 1, 0], [1, 0, 0]];
    let joints: Vec<String> =
        axes.iter().enumerate().map(|(index, axis)| joint(index, "continuous", *axis, 0.2, "")).collect();
    chain(&urdf(&joints), "link0", "link6")
}

fn seven_joints(size: f64) -> Chain {
    let axes = [[0, 0, 1], [0, 1, 0], [0, 0, 1], [0, -1, 0], [0, 0, 1], [0, 1, 0], [0, 0, -1]];
    let limit = "<limit lower=\"-2.5\" upper=\"2\" velocity=\"1\" effort=\"1\"/>";
    let joints: Vec<String> = axes
        .iter()
        .enumerate()
        .map(|(index, axis)| joint(index, "revolute", *axis, 0.2 * size, limit))
        .collect();
    chain(&urdf(&joints), "link0", "link7")
}

/// Three slides and a wrist.
fn gantry() -> Chain {
    let slide = "<limit lower=\"-0.4\" upper=\"0.9\" velocity=\"1\" effort=\"1\"/>";
    let turn = "<limit lower=\"-2\" upper=\"2\" velocity=\"1\" effort=\"1\"/>";
    let joints = [
        joint(0, "prismatic", [1, 0, 0], 0.1, slide),
        joint(1, "prismatic", [0, -1, 0], 0.1, slide),
        joint(2, "prismatic", [0, 0, -1], 0.1, slide),
        joint(3, "revolute", [0, 0, 1], 0.1, turn),
        joint(4, "revolute", [0, 1, 0], 0.1, turn),
        joint(5, "revolute", [1, 0, 0], 0.1, turn),
    ];
    chain(&urdf(&joints), "link0", "link6")
}

/// Joints that move others along: one at half its angle, one the other way, a slide by an angle.
fn followers() -> Chain {
    let turn = "<limit lower=\"-2\" upper=\"2\" velocity=\"1\" effort=\"1\"/>";
    let follow = |leader: usize, by: f64| {
        format!("{turn}<mimic joint=\"joint{leader}\" multiplier=\"{by}\" offset=\"0.1\"/>")
    };
    let joints = [
        joint(0, "revolute", [0, 0, 1], 0.1, turn),
        joint(1, "revolute", [0, 1, 0], 0.2, turn),
        joint(2, "revolute", [0, 1, 0], 0.2, &follow(1, -1.0)),
        joint(3, "revolute", [0, 1, 0], 0.2, turn),
        joint(4, "revolute", [1, 0, 0], 0.1, &follow(0, 0.5)),
        joint(5, "prismatic", [0, 0, 1], 0.1, &follow(3, 0.05)),
        joint(6, "revolute", [0, 0, 1], 0.1, turn),
    ];
    chain(&urdf(&joints), "link0", "link7")
}

fn rail_and_seven() -> Chain {
    let slide = "<limit lower=\"-1\" upper=\"1\" velocity=\"1\" effort=\"1\"/>";
    let turn = "<limit lower=\"-2.5\" upper=\"2\" velocity=\"1\" effort=\"1\"/>";
    let axes = [[0, 1, 0], [0, 0, 1], [0, 1, 0], [0, 0, 1], [0, -1, 0], [0, 0, 1], [0, 1, 0], [0, 0, -1]];
    let kind = |index| if index == 0 { ("prismatic", slide) } else { ("revolute", turn) };
    let joints: Vec<String> = axes
        .iter()
        .enumerate()
        .map(|(index, axis)| joint(index, kind(index).0, *axis, 0.2, kind(index).1))
        .collect();
    chain(&urdf(&joints), "link0", "link8")
}

fn urdf(joints: &[String]) -> String {
    let links: String = (0..=joints.len()).map(|index| format!("<link name=\"link{index}\"/>")).collect();
    format!("<robot name=\"arm\">{links}{}</robot>", joints.concat())
}

fn joint(index: usize, kind: &str, axis: [i32; 3], length: f64, more: &str) -> String {
    let ([x, y, z], next) = (axis, index + 1);
    format!(
        "<joint name=\"joint{index}\" type=\"{kind}\"><origin xyz=\"{} 0 {length}\" rpy=\"0 0 0\"/>\
         <parent link=\"link{index}\"/><child link=\"link{next}\"/><axis xyz=\"{x} {y} {z}\"/>{more}</joint>",
        0.1 * length
    )
}

fn chain(urdf: &str, base: &str, tip: &str) -> Chain {
    Chain::between(&RobotModel::from_urdf(urdf).unwrap(), base, tip).unwrap()
}

/// Half a turn away no direction leads to the goal; it is found all the same, and never taken for met.
#[test]
fn half_a_turn_away_is_not_there() {
    let chain = continuous_arm();
    let solver = Solver::new(&chain).unwrap();
    for axis in [Vector3::x_axis(), Vector3::y_axis(), Vector3::z_axis()] {
        let seed = [0.0; 6];
        let turn = UnitQuaternion::from_axis_angle(&axis, std::f64::consts::PI);
        let goal = Goal::pose(chain.tip_pose(&seed) * turn);
        let answer = solver.solve(&goal, &Search::from(&seed));
        if answer.status == Status::Solved {
            check("half a turn", &chain, &goal, &answer.positions);
        }
    }
}
