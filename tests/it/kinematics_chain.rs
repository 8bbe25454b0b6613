//! Forward kinematics agrees with strangers: Pinocchio by golden data, `k` side by side.

use std::collections::HashMap;

use nalgebra::{Isometry3, Matrix3, Rotation3, Translation3, UnitQuaternion, Vector3};
use serde::Deserialize;
use servo_arm::kinematics::{Chain, ModelError, RobotModel};

const SO101: &str = include_str!("../../urdf/so101.urdf");
const WX250S: &str = include_str!("../../urdf/wx250s.urdf");
const CROOKED: &str = include_str!("data/crooked.urdf");
const GOLDEN: &str = include_str!("data/fk_golden.json");

#[derive(Deserialize)]
struct Golden {
    urdf: String,
    base: String,
    tip: String,
    positions: HashMap<String, f64>,
    translation: [f64; 3],
    rotation: [[f64; 3]; 3],
}

#[test]
fn poses_are_those_of_pinocchio() {
    let golden: Vec<Golden> = serde_json::from_str(GOLDEN).unwrap();
    assert_eq!(golden.len(), 200);
    for case in golden {
        let urdf = match case.urdf.as_str() {
            "so101.urdf" => SO101,
            "wx250s.urdf" => WX250S,
            _ => CROOKED,
        };
        let chain = Chain::between(&model(urdf), &case.base, &case.tip).unwrap();
        let positions: Vec<f64> = chain.joints().iter().map(|joint| case.positions[&joint.name]).collect();
        let turn = Matrix3::from_fn(|row, column| case.rotation[row][column]);
        let expected = Isometry3::from_parts(
            Translation3::from(case.translation),
            UnitQuaternion::from_rotation_matrix(&Rotation3::from_matrix_unchecked(turn)),
        );
        let what = format!("{} from {} to {}", case.urdf, case.base, case.tip);
        check_close(&chain.tip_pose(&positions), &expected, 1e-12, &what);
    }
}

#[test]
fn poses_are_those_of_k() {
    for (urdf, tip) in [(SO101, "tool0"), (WX250S, "tool0"), (WX250S, "left_finger_link")] {
        let chain = Chain::between(&model(urdf), "base_link", tip).unwrap();
        let stranger = k::Chain::<f64>::from(urdf_rs::read_from_string(urdf).unwrap());
        let mut dice = fastrand::Rng::with_seed(7);
        for _ in 0..500 {
            let positions = random_positions(&chain, &mut dice);
            for (joint, &position) in chain.joints().iter().zip(&positions) {
                stranger.find(&joint.name).unwrap().set_joint_position(position).unwrap();
            }
            stranger.update_transforms();
            for (frame, pose) in chain.frames().zip(chain.frame_poses(&positions)).skip(1) {
                let theirs = stranger.find_link(frame).unwrap().world_transform().unwrap();
                check_close(&pose, &from_k(&theirs), 1e-12, frame);
            }
        }
    }
}

#[test]
fn the_last_of_the_frame_poses_is_the_tip_pose() {
    for (urdf, base, tip) in [(SO101, "base_link", "tool0"), (CROOKED, "camera", "probe")] {
        let chain = Chain::between(&model(urdf), base, tip).unwrap();
        let positions = random_positions(&chain, &mut fastrand::Rng::with_seed(3));
        let poses = chain.frame_poses(&positions);

        assert_eq!(poses.len(), chain.frames().len());
        assert_eq!((chain.frames().next(), chain.frames().last()), (Some(base), Some(tip)));
        check_close(&poses[0], &Isometry3::identity(), 1e-15, "base");
        check_close(&poses[poses.len() - 1], &chain.tip_pose(&positions), 0.0, "tip");
    }
}

#[test]
fn the_way_back_is_the_inverse_of_the_way_there() {
    let model = model(CROOKED);
    let there = Chain::between(&model, "camera", "probe").unwrap();
    let back = Chain::between(&model, "probe", "camera").unwrap();
    let mut dice = fastrand::Rng::with_seed(5);
    for _ in 0..100 {
        let positions = random_positions(&there, &mut dice);
        let reordered: Vec<f64> =
            back.joints().iter().map(|joint| position_of(&there, &positions, &joint.name)).collect();
        let round_trip = there.tip_pose(&positions) * back.tip_pose(&reordered);
        check_close(&round_trip, &Isometry3::identity(), 1e-12, "round trip");
    }
}

#[test]
fn positions_are_those_of_the_leaders_from_base_to_tip() {
    let names = |base: &str, tip: &str| -> Vec<String> {
        let chain = Chain::between(&model(CROOKED), base, tip).unwrap();
        chain.joints().iter().map(|joint| joint.name.clone()).collect()
    };
    assert_eq!(names("world", "probe"), ["swivel", "slide", "nod"]);
    assert_eq!(names("probe", "boom"), ["nod", "slide", "swivel", "hinge"]);
    assert_eq!(names("flange", "knuckle"), ["nod"]);
}

#[test]
fn a_tip_pose_allocates_nothing() {
    let chain = Chain::between(&model(WX250S), "base_link", "tool0").unwrap();
    let positions = [0.1, -0.2, 0.3, -0.4, 0.5, -0.6];
    let used = allocation_counter::measure(|| {
        std::hint::black_box(chain.tip_pose(std::hint::black_box(&positions)));
    });
    assert_eq!(used.count_total, 0);
}

#[test]
fn what_cannot_be_a_chain_is_told_by_name() {
    let between = |base: &str, tip: &str| Chain::between(&model(CROOKED), base, tip).unwrap_err().to_string();
    assert_eq!(between("mount", "pillar"), "no joint moves between `mount` and `pillar`");
    assert_eq!(between("probe", "probe"), "no joint moves between `probe` and `probe`");
    let unknown = between("world", "hand");
    assert!(unknown.starts_with("the robot has no frame `hand`; it has world, mount, "), "{unknown}");

    for kind in ["floating", "planar", "spherical"] {
        let kind = format!("name=\"swivel\" type=\"{kind}\"");
        let free = model(&CROOKED.replace("name=\"swivel\" type=\"continuous\"", &kind));
        let refused = Chain::between(&free, "world", "probe").unwrap_err().to_string();
        assert!(
            refused
                .starts_with("joint `swivel`, between `world` and `probe`, is floating, planar or spherical"),
            "{refused}"
        );
        assert!(Chain::between(&free, "sled", "probe").is_ok(), "the rest still moves");
    }
}

#[test]
fn a_follower_that_ignores_its_leader_stands_still() {
    let urdf = model(&CROOKED.replace("multiplier=\"-0.5\"", "multiplier=\"0\""));
    let fixed = model(&CROOKED.replace("multiplier=\"-0.5\"", "multiplier=\"1e-30\""));
    let refused = Chain::between(&urdf, "flange", "knuckle").unwrap_err();
    assert!(matches!(refused, ModelError::NothingMoves { .. }), "{refused}");
    for (base, tip) in [("world", "probe"), ("probe", "world")] {
        let (still, slow) =
            (Chain::between(&urdf, base, tip).unwrap(), Chain::between(&fixed, base, tip).unwrap());
        assert_eq!(still.dof(), 3);
        let positions = [0.3, 0.1, -0.7];
        check_close(&still.tip_pose(&positions), &slow.tip_pose(&positions), 1e-14, tip);
    }
}

fn model(urdf: &str) -> RobotModel {
    RobotModel::from_urdf(urdf).unwrap()
}

fn random_positions(chain: &Chain, dice: &mut fastrand::Rng) -> Vec<f64> {
    let position = |joint: &servo_arm::kinematics::Joint| {
        let (lower, upper) = joint.limits.position.map_or((-3.0, 3.0), |range| (range.lower, range.upper));
        lower + (upper - lower) * dice.f64()
    };
    chain.joints().iter().map(position).collect()
}

fn position_of(chain: &Chain, positions: &[f64], name: &str) -> f64 {
    positions[chain.joints().iter().position(|joint| joint.name == name).unwrap()]
}

fn from_k(pose: &k::Isometry3<f64>) -> Isometry3<f64> {
    let turn = pose.rotation.to_rotation_matrix();
    let turn = Matrix3::from_fn(|row, column| turn[(row, column)]);
    Isometry3::from_parts(
        Translation3::new(pose.translation.x, pose.translation.y, pose.translation.z),
        UnitQuaternion::from_rotation_matrix(&Rotation3::from_matrix_unchecked(turn)),
    )
}

fn check_close(actual: &Isometry3<f64>, expected: &Isometry3<f64>, tolerance: f64, what: &str) {
    let apart: Vector3<f64> = actual.translation.vector - expected.translation.vector;
    // Entry by entry: the angle between nearly equal rotations loses half its digits.
    let turned =
        actual.rotation.to_rotation_matrix().matrix() - expected.rotation.to_rotation_matrix().matrix();
    assert!(
        apart.amax() <= tolerance && turned.amax() <= tolerance,
        "{what}: {actual} instead of {expected}"
    );
}
