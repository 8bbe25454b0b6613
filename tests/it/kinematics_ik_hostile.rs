//! Whatever inverse kinematics is asked, it answers: no panic, no NaN, no position outside the limits.

use nalgebra::{Isometry3, Quaternion, Translation3, Unit, UnitQuaternion, Vector3};
use proptest::prelude::*;
use servo_arm::kinematics::Chain;
use servo_arm::kinematics::ik::{
    Aim, Flaw, Goal, JointSet, Positions, RotationAim, Search, Status, Tolerance, TrackOptions,
};

use crate::kinematics_ik::{Arm, arms};

fn number() -> impl Strategy<Value = f64> {
    let strange =
        [0.0, -0.0, 1.0, f64::NAN, f64::INFINITY, -f64::INFINITY, 1e300, -1e300, 1e-310, f64::MIN_POSITIVE];
    prop_oneof![4 => -3.0..3.0, 1 => prop::sample::select(strange.to_vec()), 1 => any::<f64>()]
}

fn weights() -> impl Strategy<Value = [f64; 3]> {
    let one = || prop_oneof![3 => Just(1.0), 3 => Just(0.0), 1 => 0.0..5.0, 1 => number()];
    [one(), one(), one()]
}

fn rotation() -> impl Strategy<Value = RotationAim> {
    prop_oneof![
        weights().prop_map(RotationAim::About),
        [number(), number(), number()]
            .prop_map(|axis| RotationAim::Axis(Unit::new_unchecked(Vector3::from(axis)))),
        [-1.0..1.0, -1.0..1.0, -1.0..1.0]
            .prop_map(|axis: [f64; 3]| RotationAim::Axis(Unit::new_normalize(Vector3::from(axis)))),
        Just(RotationAim::Free),
    ]
}

fn pose() -> impl Strategy<Value = Isometry3<f64>> {
    let sane = ([-2.0..2.0, -2.0..2.0, -2.0..2.0], [-4.0..4.0, -4.0..4.0, -4.0..4.0])
        .prop_map(|(shift, turn)| Isometry3::new(Vector3::from(shift), Vector3::<f64>::from(turn)));
    let any = ([number(), number(), number()], [number(), number(), number(), number()]).prop_map(
        |(shift, [w, i, j, k])| {
            let turn = UnitQuaternion::new_unchecked(Quaternion::new(w, i, j, k));
            Isometry3::from_parts(Translation3::from(shift), turn)
        },
    );
    prop_oneof![3 => sane, 1 => any]
}

fn goal() -> impl Strategy<Value = Goal> {
    let tolerance = prop_oneof![2 => Just(1e-5), 1 => Just(0.0), 1 => number()];
    (pose(), weights(), rotation(), tolerance.clone(), tolerance).prop_map(
        |(base_from_tip, position, rotation, loose, tight)| Goal {
            base_from_tip,
            aim: Aim { position, rotation },
            tolerance: Tolerance { position: loose, rotation: tight },
        },
    )
}

fn check(chain: &Chain, positions: &Positions, seed: &[f64]) {
    assert_eq!(positions.len(), chain.dof());
    for (joint, &position) in chain.joints().iter().zip(positions.iter()) {
        assert!(position.is_finite(), "{positions:?} from {seed:?}");
        if let Some(range) = joint.limits.position {
            assert!(range.lower <= position && position <= range.upper, "{positions:?} from {seed:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn no_question_is_answered_with_a_panic_or_nan(
        arm in 0_usize..13,
        goal in goal(),
        seed in prop::collection::vec(number(), 0..10),
        fits in any::<bool>(),
        locked in any::<u8>(),
        (stay_near, max_step) in (number(), number()),
    ) {
        let Arm { chain, solver, .. } = &arms()[arm];
        let mut seed = seed;
        if fits {
            seed.resize(chain.dof(), 0.5);
        }
        let locked = (0..8).filter(|bit| locked & (1 << bit) != 0).fold(JointSet::NONE, JointSet::with);
        let asked = std::cell::Cell::new(0);
        let is_time_up = || { asked.set(asked.get() + 1); asked.get() > 20 };
        let search = Search { locked, stay_near, is_time_up: &is_time_up, ..Search::from(&seed) };
        let answer = solver.solve(&goal, &search);
        check(chain, &answer.positions, &seed);
        prop_assert!(!answer.position_error.is_nan() && !answer.rotation_error.is_nan());
        let is_finite = answer.position_error.is_finite() && answer.rotation_error.is_finite();
        prop_assert!(is_finite || matches!(answer.status, Status::Invalid(_)), "{:?}", answer);
        let step = solver.track(&goal, &seed, &TrackOptions { max_step });
        check(chain, &step.positions, &seed);
        prop_assert!(!step.position_error.is_nan() && !step.rotation_error.is_nan());
    }
}

#[test]
fn what_makes_no_sense_is_told() {
    let solver = &arms()[1].solver;
    let fine = Goal::pose(Isometry3::translation(0.2, 0.0, 0.2));
    let asked = |goal: &Goal, seed: &[f64]| solver.solve(goal, &Search::from(seed)).status;
    assert_eq!(asked(&fine, &[0.0; 5]), Status::Invalid(Flaw::SeedLength));
    assert_eq!(asked(&fine, &[0.0, f64::NAN, 0.0, 0.0, 0.0, 0.0]), Status::Invalid(Flaw::Seed));
    let nowhere = Goal::pose(Isometry3::translation(f64::NAN, 0.0, 0.0));
    assert_eq!(asked(&nowhere, &[0.0; 6]), Status::Invalid(Flaw::Goal));
    let negative = Goal { tolerance: Tolerance { position: -1.0, rotation: 0.1 }, ..fine };
    assert_eq!(asked(&negative, &[0.0; 6]), Status::Invalid(Flaw::Weights));
    let weightless = Goal { aim: Aim { position: [f64::NAN; 3], ..Aim::POSE }, ..fine };
    assert_eq!(asked(&weightless, &[0.0; 6]), Status::Invalid(Flaw::Weights));
}

#[test]
fn a_seed_outside_the_limits_is_used_inside_them() {
    let Arm { chain, solver, .. } = &arms()[1];
    let goal = Goal::pose(chain.tip_pose(&[0.1, 0.2, -0.3, 0.4, 0.5, 0.6]));
    let answer = solver.solve(&goal, &Search::from(&[100.0, -100.0, 7.0, -1e300, 1e9, 4.0]));
    assert_eq!(answer.status, Status::Solved);
}
