//! The code for any processor does what the code for this one does.

use super::super::search::TrackOptions;
use super::*;
use crate::kinematics::RobotModel;

const ARMS: [(&str, &str, &str); 3] = [
    (include_str!("../../../urdf/so101.urdf"), "base_link", "tool0"),
    (include_str!("../../../urdf/wx250s.urdf"), "base_link", "tool0"),
    (include_str!("../../../tests/it/data/crooked.urdf"), "probe", "boom"),
];

#[test]
fn without_avx2_the_same_poses_are_reached() {
    for (urdf, base, tip) in ARMS {
        let chain = Chain::between(&RobotModel::from_urdf(urdf).unwrap(), base, tip).unwrap();
        let arm = Arm::new(&chain);
        let engine = engine(&arm, Processor::Any);
        let solver = Solver { chain: chain.clone(), arm, engine };
        let mut random = fastrand::Rng::with_seed(1);
        let mut positions = || -> Vec<f64> {
            let place = |joint: &ArmJoint| span(joint).from + span(joint).length * random.f64();
            solver.arm.joints.iter().map(place).collect()
        };
        for _ in 0..50 {
            let there = positions();
            let goal = Goal::pose(chain.tip_pose(&there));
            let answer = solver.solve(&goal, &Search::from(&positions()));
            assert_eq!(answer.status, Status::Solved, "{answer:?}");
            let left = goal.base_from_tip.inverse() * chain.tip_pose(&answer.positions);
            assert!(left.translation.vector.norm() < 1.1e-5 && left.rotation.angle() < 1.1e-5, "{left}");
            let beside: Vec<f64> = there.iter().map(|position| position + 1e-4).collect();
            let step = solver.track(&goal, &beside, &TrackOptions { max_step: 0.01 });
            assert!(step.is_met || step.at_limit, "{step:?}");
        }
    }
}
