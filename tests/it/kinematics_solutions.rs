//! One goal has several solutions, and leaves freedom to wish for more.

use std::f64::consts::{PI, TAU};

use nalgebra::{Isometry3, Vector3};
use servo_arm::kinematics::ik::{
    Aim, Goal, JointSet, Ranking, Search, Settled, Settling, Solution, Solver, Variety, Wish,
};
use servo_arm::kinematics::{Chain, Conditioning, RobotModel, Rows};

const SO101: (&str, &str, &str) = (include_str!("../../urdf/so101.urdf"), "base_link", "tool0");
const PANDA: (&str, &str, &str) = (include_str!("data/arms/panda.urdf"), "panda_link0", "panda_hand_tcp");
const UR5: (&str, &str, &str) = (include_str!("data/arms/ur5.urdf"), "world", "tool0");

const UR5_BENT: [f64; 6] = [0.4, -1.1, 1.3, -0.9, -1.2, 0.7];
const PANDA_BENT: [f64; 7] = [0.6, 0.5, -0.4, -1.6, 0.7, 1.9, 1.2];

#[test]
fn a_ur5_has_eight_solutions_that_differ() {
    let solver = solver(UR5);
    let goal = Goal::pose(solver.chain().tip_pose(&UR5_BENT));
    let found = solutions(&solver, &goal, &UR5_BENT, Ranking::Nearest, 16);

    assert_eq!(found.len(), 8, "{found:#?}");
    for (index, one) in found.iter().enumerate() {
        check_pose(&solver, &goal, &one.answer.positions);
        for other in &found[..index] {
            let apart = one.answer.positions.iter().zip(other.answer.positions.iter()).map(|(a, b)| {
                let way: f64 = a - b;
                (way - TAU * (way / TAU).round()).abs()
            });
            assert!(0.1 < apart.fold(0.0, f64::max), "{one:?} is {other:?}");
        }
    }
    let first = &found[0];
    assert!(first.score < 1e-3, "the seed itself is the nearest: {first:?}");
    assert!(found.is_sorted_by(|a, b| a.score <= b.score));
    for solution in &found {
        let far =
            solution.answer.positions.iter().zip(UR5_BENT).any(|(at, seed)| PI + 1e-9 < (at - seed).abs());
        assert!(!far, "within half a turn of the seed: {solution:?}");
    }
}

#[test]
fn too_little_room_holds_the_best() {
    let solver = solver(UR5);
    let goal = Goal::pose(solver.chain().tip_pose(&UR5_BENT));
    let all = solutions(&solver, &goal, &UR5_BENT, Ranking::Nearest, 16);
    let some = solutions(&solver, &goal, &UR5_BENT, Ranking::Nearest, 3);
    for (all, some) in all.iter().zip(&some) {
        assert!((all.score - some.score).abs() < 1e-3, "{all:?} {some:?}");
    }
}

#[test]
fn the_best_is_what_the_ranking_says() {
    let solver = solver(UR5);
    let goal = Goal::pose(solver.chain().tip_pose(&UR5_BENT));
    let conditioning = Conditioning::new(solver.chain(), Rows::POSE).unwrap();
    let by_ease = solutions(&solver, &goal, &UR5_BENT, Ranking::Manipulability(&conditioning), 16);
    assert!(by_ease.len() == 8 && by_ease.is_sorted_by(|a, b| a.score >= b.score));
    for solution in &by_ease {
        assert_eq!(solution.score, conditioning.at(&solution.answer.positions).manipulability);
    }
    // The elbow as high as can be.
    let height = |positions: &[f64]| positions[1].sin();
    let by_height = solutions(&solver, &goal, &UR5_BENT, Ranking::Clearance(&height), 16);
    assert!(by_height.len() == 8 && by_height.is_sorted_by(|a, b| a.score >= b.score));
    assert!(by_height.iter().all(|solution| solution.score == height(&solution.answer.positions)));
}

#[test]
fn what_is_not_acceptable_is_no_solution() {
    let solver = solver(UR5);
    let goal = Goal::pose(solver.chain().tip_pose(&UR5_BENT));
    let is_acceptable = |positions: &[f64]| 0.0 < positions[2];
    let search = Search { is_acceptable: &is_acceptable, ..Search::from(&UR5_BENT) };
    let mut found = [None; 16];
    let count = solver.solutions(&goal, &search, &Variety::ranked(Ranking::Nearest), &mut found);
    assert_eq!(count, 4);
    assert!(found.iter().flatten().all(|solution| 0.0 < solution.answer.positions[2]));
}

#[test]
fn a_redundant_arm_has_as_many_solutions_as_there_is_room() {
    let solver = solver(PANDA);
    let goal = Goal::pose(solver.chain().tip_pose(&PANDA_BENT));
    let mut found = [None; 6];
    let variety = Variety { searches: 12, ..Variety::ranked(Ranking::Nearest) };
    assert_eq!(solver.solutions(&goal, &Search::from(&PANDA_BENT), &variety, &mut found), 6);
    for solution in found.iter().flatten() {
        check_pose(&solver, &goal, &solution.answer.positions);
    }
}

#[test]
fn the_same_question_finds_the_same_solutions_and_nonsense_none() {
    let solver = solver(UR5);
    let goal = Goal::pose(solver.chain().tip_pose(&UR5_BENT));
    let find = || solutions(&solver, &goal, &UR5_BENT, Ranking::Nearest, 4);
    assert_eq!(find(), find());
    assert!(solutions(&solver, &goal, &[f64::NAN; 6], Ranking::Nearest, 4).is_empty());
    assert!(solutions(&solver, &goal, &[0.0; 5], Ranking::Nearest, 4).is_empty());
    let beyond = Goal::pose(Isometry3::translation(5.0, 0.0, 0.0));
    assert!(solutions(&solver, &beyond, &UR5_BENT, Ranking::Nearest, 4).is_empty());
}

#[test]
fn a_redundant_arm_goes_towards_its_rest_and_keeps_the_pose() {
    let solver = solver(PANDA);
    let goal = Goal::pose(solver.chain().tip_pose(&PANDA_BENT));
    let mut rest = PANDA_BENT;
    rest[2] += 1.0;
    let settled = settle(&solver, &goal, &PANDA_BENT, Wish::Rest(&rest));
    assert!(settled.after < 0.9 * settled.before, "{settled:?}");
    // No way down is left: what remains of the way to the rest would move the tip.
    let mut way: Vec<f64> = rest.iter().zip(settled.positions.iter()).map(|(rest, at)| rest - at).collect();
    solver.free_motion(&goal, &settled.positions, JointSet::NONE, &mut way);
    assert!(way.iter().all(|by| by.abs() < 1e-2), "{way:?}");
}

#[test]
fn a_redundant_arm_leaves_its_limits_and_keeps_the_pose() {
    let solver = solver(PANDA);
    let mut at_limit = PANDA_BENT;
    at_limit[1] = -1.75;
    let goal = Goal::pose(solver.chain().tip_pose(&at_limit));
    let settled = settle(&solver, &goal, &at_limit, Wish::FarFromLimits);
    let room = |positions: &[f64]| {
        let room = solver.chain().joints().iter().zip(positions).map(|(joint, at)| {
            let range = joint.limits.position.unwrap();
            (at - range.lower).min(range.upper - at)
        });
        room.fold(f64::INFINITY, f64::min)
    };
    assert!(settled.after < settled.before);
    assert!(2.0 * room(&at_limit) < room(&settled.positions), "{settled:?}");
}

#[test]
fn a_redundant_arm_becomes_more_manipulable_and_keeps_the_pose() {
    let solver = solver(PANDA);
    let conditioning = Conditioning::new(solver.chain(), Rows::POSE).unwrap();
    let goal = Goal::pose(solver.chain().tip_pose(&PANDA_BENT));
    let settled = settle(&solver, &goal, &PANDA_BENT, Wish::Manipulability(&conditioning));
    let (before, after) =
        (conditioning.at(&PANDA_BENT).manipulability, conditioning.at(&settled.positions).manipulability);
    assert!(1.02 * before < after, "{before} {after}");
}

#[test]
fn partial_aims_leave_freedom_to_five_and_six_joints() {
    let so101 = solver(SO101);
    let bent = [0.3, -0.6, 0.7, 0.4, 0.5];
    let position = Goal { aim: Aim::POSITION, ..Goal::pose(so101.chain().tip_pose(&bent)) };
    let settled = settle(&so101, &position, &bent, Wish::Rest(&[0.0, 0.0, 0.0, -0.4, 0.0]));
    assert!(settled.after < 0.9 * settled.before, "{settled:?}");
    assert!(1e-3 < settled.positions.iter().zip(bent).map(|(at, from)| (at - from).abs()).sum::<f64>());

    let ur5 = solver(UR5);
    let pose = ur5.chain().tip_pose(&UR5_BENT);
    let pointing = Goal { aim: Aim::pointing(Vector3::z_axis()), ..Goal::pose(pose) };
    let mut rest = UR5_BENT;
    rest[5] -= 2.0;
    let settled = settle(&ur5, &pointing, &UR5_BENT, Wish::Rest(&rest));
    // The last axis is the tip's z: only that joint turns, all the way.
    assert!(settled.after < 1e-6 && (settled.positions[5] - rest[5]).abs() < 1e-3, "{settled:?}");
}

#[test]
fn who_has_no_freedom_stays() {
    let solver = solver(UR5);
    let goal = Goal::pose(solver.chain().tip_pose(&UR5_BENT));
    let settled = settle(&solver, &goal, &UR5_BENT, Wish::Rest(&[0.0; 6]));
    let far = settled.positions.iter().zip(UR5_BENT).map(|(at, from)| (at - from).abs()).fold(0.0, f64::max);
    assert!(far < 1e-3, "{settled:?}");
}

#[test]
fn locked_joints_stay_while_the_others_settle() {
    let solver = solver(SO101);
    let bent = [0.3, -0.6, 0.7, 0.4, 0.5];
    let goal = Goal { aim: Aim::POSITION, ..Goal::pose(solver.chain().tip_pose(&bent)) };
    let locked = JointSet::NONE.with(4);
    let rest = [0.0, 0.0, 0.0, -0.4, 0.0];
    let settled = solver.settle(&goal, &bent, &Settling { locked, ..Settling::with(Wish::Rest(&rest)) });
    assert!(settled.is_met && settled.after < settled.before, "{settled:?}");
    assert_eq!(settled.positions[4], bent[4]);
}

#[test]
fn who_is_not_at_the_goal_is_not_moved() {
    let solver = solver(UR5);
    let goal = Goal::pose(Isometry3::translation(5.0, 0.0, 0.0));
    let settled = solver.settle(&goal, &UR5_BENT, &Settling::with(Wish::FarFromLimits));
    assert!(!settled.is_met && settled.positions[..] == UR5_BENT, "{settled:?}");
    for nonsense in [&[f64::NAN; 6][..], &[0.0; 4]] {
        assert!(!solver.settle(&goal, nonsense, &Settling::with(Wish::FarFromLimits)).is_met);
    }
}

#[test]
fn settling_allocates_nothing() {
    let solver = solver(PANDA);
    let conditioning = Conditioning::new(solver.chain(), Rows::POSE).unwrap();
    let goal = Goal::pose(solver.chain().tip_pose(&PANDA_BENT));
    let used = allocation_counter::measure(|| {
        let wish = Wish::Manipulability(&conditioning);
        std::hint::black_box(solver.settle(&goal, &PANDA_BENT, &Settling::with(wish)));
    });
    assert_eq!(used.count_total, 0);
}

fn solver((urdf, base, tip): (&str, &str, &str)) -> Solver {
    Solver::new(&Chain::between(&RobotModel::from_urdf(urdf).unwrap(), base, tip).unwrap()).unwrap()
}

fn solutions(solver: &Solver, goal: &Goal, seed: &[f64], ranking: Ranking, room: usize) -> Vec<Solution> {
    let mut found = vec![None; room];
    let count = solver.solutions(goal, &Search::from(seed), &Variety::ranked(ranking), &mut found);
    assert_eq!(count, found.iter().flatten().count());
    found.into_iter().flatten().collect()
}

fn settle(solver: &Solver, goal: &Goal, from: &[f64], wish: Wish) -> Settled {
    let settled = solver.settle(goal, from, &Settling::with(wish));
    assert!(settled.is_met && settled.after <= settled.before, "{settled:?}");
    for (joint, at) in solver.chain().joints().iter().zip(settled.positions.iter()) {
        let is_within = joint.limits.position.is_none_or(|range| (range.lower..=range.upper).contains(at));
        assert!(is_within, "`{}` at {at}", joint.name);
    }
    check_pose(solver, goal, &settled.positions);
    settled
}

/// By forward kinematics, with what the aim leaves free left out.
fn check_pose(solver: &Solver, goal: &Goal, positions: &[f64]) {
    let goal_from_tip = goal.base_from_tip.inverse() * solver.chain().tip_pose(positions);
    let far = goal_from_tip.translation.vector.norm();
    assert!(far <= goal.tolerance.position, "{far} m away");
    let turned = match goal.aim {
        Aim::POSE => goal_from_tip.rotation.angle(),
        Aim::POSITION => 0.0,
        _ => (goal_from_tip.rotation * Vector3::z()).angle(&Vector3::z()),
    };
    // The angle between nearly equal directions is known to half the digits.
    assert!(turned <= goal.tolerance.rotation + 1e-7, "{turned} rad turned");
}
