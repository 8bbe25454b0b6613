//! The tree's poses are those of the chains, on every branch.

use nalgebra::Isometry3;
use servo_arm::kinematics::{Chain, Joint, RobotModel, Tree};

const SO101: &str = include_str!("../../urdf/so101.urdf");
const WX250S: &str = include_str!("../../urdf/wx250s.urdf");
const CROOKED: &str = include_str!("data/crooked.urdf");

#[test]
fn every_frame_is_where_its_chain_has_it() {
    let mut dice = fastrand::Rng::with_seed(11);
    for urdf in [SO101, WX250S, CROOKED] {
        let model = RobotModel::from_urdf(urdf).unwrap();
        let tree = Tree::new(&model);
        for _ in 0..20 {
            let positions: Vec<f64> = tree.joints().iter().map(|joint| within(joint, &mut dice)).collect();
            let poses = poses(&tree, &positions);
            for (frame, pose) in tree.frames().zip(&poses) {
                let Ok(chain) = Chain::between(&model, model.root(), frame) else {
                    continue;
                };
                let position = |joint: &Joint| positions[tree.joint_index(&joint.name).unwrap()];
                let expected = chain.tip_pose(&chain.joints().iter().map(position).collect::<Vec<_>>());
                check_close(pose, &expected, frame);
            }
        }
    }
}

#[test]
fn frames_are_those_of_the_model_and_joints_those_that_lead() {
    let model = RobotModel::from_urdf(WX250S).unwrap();
    let tree = Tree::new(&model);

    assert!(tree.frames().eq(model.frames().iter().map(|frame| frame.name.as_str())));
    assert_eq!(tree.frame_index("base_link"), Some(0));
    assert_eq!((tree.joint_index("right_finger"), tree.joint_index("tool0")), (None, None));
    assert_eq!(tree.frame_index("waist"), None);
    let names: Vec<&str> = tree.joints().iter().map(|joint| joint.name.as_str()).collect();
    let arm = ["waist", "shoulder", "elbow", "forearm_roll", "wrist_angle", "wrist_rotate"];
    assert_eq!(names, [&arm[..], &["left_finger"]].concat());
}

#[test]
fn what_no_number_moves_stays_where_the_urdf_puts_it() {
    let free = CROOKED.replace("name=\"swivel\" type=\"continuous\"", "name=\"swivel\" type=\"floating\"");
    let (free, held) = (RobotModel::from_urdf(&free).unwrap(), RobotModel::from_urdf(CROOKED).unwrap());
    let (free, held) = (Tree::new(&free), Tree::new(&held));

    assert_eq!(free.joint_index("swivel"), None);
    let at = |tree: &Tree| {
        let position = |joint: &Joint| if joint.name == "swivel" { 0.0 } else { 0.2 };
        poses(tree, &tree.joints().iter().map(position).collect::<Vec<_>>())
    };
    for (frame, (free, held)) in held.frames().zip(at(&free).iter().zip(&at(&held))) {
        check_close(free, held, frame);
    }
}

#[test]
fn poses_of_a_tree_allocate_nothing() {
    let tree = Tree::new(&RobotModel::from_urdf(WX250S).unwrap());
    let mut poses = vec![Isometry3::identity(); tree.frames().len()];
    let positions = vec![0.1; tree.dof()];
    let used = allocation_counter::measure(|| tree.poses(&positions, std::hint::black_box(&mut poses)));
    assert_eq!(used.count_total, 0);
}

fn poses(tree: &Tree, positions: &[f64]) -> Vec<Isometry3<f64>> {
    let mut poses = vec![Isometry3::identity(); tree.frames().len()];
    tree.poses(positions, &mut poses);
    poses
}

fn within(joint: &Joint, dice: &mut fastrand::Rng) -> f64 {
    let (lower, upper) = joint.limits.position.map_or((-3.0, 3.0), |range| (range.lower, range.upper));
    lower + (upper - lower) * dice.f64()
}

fn check_close(actual: &Isometry3<f64>, expected: &Isometry3<f64>, what: &str) {
    let apart = (actual.to_homogeneous() - expected.to_homogeneous()).amax();
    assert!(apart < 1e-13, "{what}: {actual} instead of {expected}");
}
