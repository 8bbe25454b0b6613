//! The Jacobian is the derivative of the poses.

use nalgebra::{Isometry3, Vector6};
use proptest::prelude::*;
use servo_arm::kinematics::{Chain, Expressed, RobotModel};

const SO101: &str = include_str!("../../urdf/so101.urdf");
const WX250S: &str = include_str!("../../urdf/wx250s.urdf");
const CROOKED: &str = include_str!("data/crooked.urdf");

/// Forwards, backwards, over a slide, past followers, and between two that one position moves.
const CHAINS: [(&str, &str, &str); 9] = [
    (SO101, "base_link", "tool0"),
    (WX250S, "base_link", "tool0"),
    (WX250S, "tool0", "base_link"),
    (WX250S, "base_link", "right_finger_link"),
    (WX250S, "right_finger_link", "left_finger_link"),
    (CROOKED, "world", "probe"),
    (CROOKED, "camera", "probe"),
    (CROOKED, "probe", "mount"),
    (CROOKED, "flange", "knuckle"),
];

proptest! {
    #[test]
    fn columns_are_the_differences_of_poses(
        (urdf, base, tip) in prop::sample::select(&CHAINS[..]),
        shares in prop::array::uniform8(-3.0..3.0),
    ) {
        let chain = chain(urdf, base, tip);
        let positions = &shares[..chain.dof()];
        let (columns, base_from_tip) = jacobian(&chain, positions, Expressed::Base);

        prop_assert_eq!(base_from_tip, chain.tip_pose(positions));
        for (joint, column) in columns.iter().enumerate() {
            let difference = difference(&chain, positions, joint);
            prop_assert!((column - difference).amax() < 1e-8, "{joint}: {column} instead of {difference}");
        }
    }

    #[test]
    fn in_the_tips_frame_the_same_motion_is_seen_along_other_axes(
        (urdf, base, tip) in prop::sample::select(&CHAINS[..]),
        shares in prop::array::uniform8(-3.0..3.0),
    ) {
        let chain = chain(urdf, base, tip);
        let positions = &shares[..chain.dof()];
        let (in_base, base_from_tip) = jacobian(&chain, positions, Expressed::Base);
        let (in_tip, _) = jacobian(&chain, positions, Expressed::Tip);
        for (in_base, in_tip) in in_base.iter().zip(&in_tip) {
            for half in [0, 3] {
                let turned = base_from_tip.rotation * in_tip.fixed_rows::<3>(half);
                prop_assert!((turned - in_base.fixed_rows::<3>(half)).amax() < 1e-13);
            }
        }
    }
}

#[test]
fn a_follower_moves_in_the_column_of_its_leader() {
    let chain = chain(WX250S, "right_finger_link", "left_finger_link");
    let (columns, _) = jacobian(&chain, &[0.02], Expressed::Base);
    assert_eq!(columns.len(), 1);
    let expected = Vector6::new(0.0, 2.0, 0.0, 0.0, 0.0, 0.0);
    assert!((columns[0] - expected).amax() < 1e-15, "both fingers move: {}", columns[0]);
}

#[test]
fn a_jacobian_allocates_nothing() {
    let chain = chain(WX250S, "base_link", "tool0");
    let mut columns = [Vector6::zeros(); 6];
    let used = allocation_counter::measure(|| {
        std::hint::black_box(chain.jacobian(&[0.3; 6], Expressed::Tip, &mut columns));
    });
    assert_eq!(used.count_total, 0);
}

fn chain(urdf: &str, base: &str, tip: &str) -> Chain {
    Chain::between(&RobotModel::from_urdf(urdf).unwrap(), base, tip).unwrap()
}

fn jacobian(chain: &Chain, positions: &[f64], expressed: Expressed) -> (Vec<Vector6<f64>>, Isometry3<f64>) {
    let mut columns = vec![Vector6::repeat(f64::NAN); chain.dof()];
    let base_from_tip = chain.jacobian(positions, expressed, &mut columns);
    (columns, base_from_tip)
}

/// The tip's twist while one joint moves, from the poses a little before and a little after.
fn difference(chain: &Chain, positions: &[f64], joint: usize) -> Vector6<f64> {
    const STEP: f64 = 1e-5;
    let pose = |by: f64| {
        let mut positions = positions.to_vec();
        positions[joint] += by;
        chain.tip_pose(&positions)
    };
    let (before, after) = (pose(-STEP), pose(STEP));
    let linear = after.translation.vector - before.translation.vector;
    let angular = (after.rotation * before.rotation.inverse()).scaled_axis();
    Vector6::new(linear.x, linear.y, linear.z, angular.x, angular.y, angular.z) / (2.0 * STEP)
}
