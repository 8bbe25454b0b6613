//! Frames and Jacobians of strangers' arms are those that Pinocchio finds; data/arms/README.md has the arms.

use nalgebra::{Isometry3, Quaternion, Translation3, UnitQuaternion, Vector6};
use serde::Deserialize;
use servo_arm::kinematics::{Chain, Expressed, RobotModel, Tree};

/// Entries of golden.json are rounded to 14 digits.
const TOLERANCE: f64 = 1e-13;

#[derive(Deserialize)]
struct Golden {
    arm: String,
    base: String,
    tip: String,
    /// All joints that lead, and those between base and tip.
    joints: Vec<String>,
    chain: Vec<String>,
    frames: Vec<String>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    positions: Vec<f64>,
    /// Translation, then the quaternion from its real part on.
    poses: Vec<[f64; 7]>,
    jacobian: Vec<[f64; 6]>,
}

#[test]
fn there_are_seven_arms_in_six_places_each() {
    let arms: Vec<String> = golden().iter().map(|golden| golden.arm.clone()).collect();
    assert_eq!(arms, ["panda", "ur5", "baxter", "pr2", "gen3", "iiwa14", "vx300s"]);
    assert!(golden().iter().all(|golden| golden.cases.len() == 6));
}

#[test]
fn all_frames_are_where_pinocchio_has_them() {
    for golden in golden() {
        let tree = Tree::new(&model(&golden.arm));
        let mut poses = vec![Isometry3::identity(); tree.frames().len()];
        for case in &golden.cases {
            let position = |name: &str| golden.position(case, name);
            let positions: Vec<f64> = tree.joints().iter().map(|joint| position(&joint.name)).collect();
            tree.poses(&positions, &mut poses);
            for (frame, expected) in golden.frames.iter().zip(&case.poses) {
                let found = poses[tree.frame_index(frame).unwrap()];
                check_close(&found, expected, &format!("{} {frame}", golden.arm));
            }
        }
    }
}

#[test]
fn frames_and_jacobians_of_the_chains_are_those_of_pinocchio() {
    for golden in golden() {
        let chain = Chain::between(&model(&golden.arm), &golden.base, &golden.tip).unwrap();
        let names: Vec<&String> = chain.joints().iter().map(|joint| &joint.name).collect();
        assert!(names.iter().copied().eq(&golden.chain), "{names:?}");
        for case in &golden.cases {
            let positions: Vec<f64> = names.iter().map(|name| golden.position(case, name)).collect();
            for (frame, found) in chain.frames().zip(chain.frame_poses(&positions)) {
                let index = golden.frames.iter().position(|name| name == frame).unwrap();
                check_close(&found, &case.poses[index], &format!("{} {frame}", golden.arm));
            }
            let mut columns = vec![Vector6::zeros(); chain.dof()];
            chain.jacobian(&positions, Expressed::Base, &mut columns);
            for ((name, found), expected) in names.iter().zip(&columns).zip(&case.jacobian) {
                let apart = (found - Vector6::from(*expected)).amax();
                assert!(apart < TOLERANCE, "{} {name}: {found} instead of {expected:?}", golden.arm);
            }
        }
    }
}

impl Golden {
    fn position(&self, case: &Case, name: &str) -> f64 {
        case.positions[self.joints.iter().position(|joint| joint == name).unwrap()]
    }
}

fn golden() -> Vec<Golden> {
    serde_json::from_str(include_str!("data/arms/golden.json")).unwrap()
}

fn model(arm: &str) -> RobotModel {
    RobotModel::from_urdf(match arm {
        "panda" => include_str!("data/arms/panda.urdf"),
        "ur5" => include_str!("data/arms/ur5.urdf"),
        "baxter" => include_str!("data/arms/baxter.urdf"),
        "pr2" => include_str!("data/arms/pr2.urdf"),
        "gen3" => include_str!("data/arms/gen3.urdf"),
        "iiwa14" => include_str!("data/arms/iiwa14.urdf"),
        "vx300s" => include_str!("data/arms/vx300s.urdf"),
        _ => panic!("no arm is called {arm}"),
    })
    .unwrap()
}

fn check_close(found: &Isometry3<f64>, &[x, y, z, w, i, j, k]: &[f64; 7], what: &str) {
    let turn = UnitQuaternion::new_normalize(Quaternion::new(w, i, j, k));
    let expected = Isometry3::from_parts(Translation3::new(x, y, z), turn);
    let apart = (found.to_homogeneous() - expected.to_homogeneous()).amax();
    assert!(apart < TOLERANCE, "{what}: {found} instead of {expected}, {apart:e} apart");
}
