//! The robot models that the package ships are the arms they claim to be.

use nalgebra::{Isometry3, Matrix3, Point3, Vector3};
use servo_arm::kinematics::{Chain, JointKind, RobotModel};

const SO101: &str = include_str!("../../urdf/so101.urdf");
const WX250S: &str = include_str!("../../urdf/wx250s.urdf");

#[test]
fn the_so101_at_zero_is_where_its_maker_has_it() {
    let chain = chain(SO101, "tool0");
    let places = [
        ("upper_arm_link", [0.0692, -0.0183, 0.1166]),
        ("lower_arm_link", [0.0972, -0.0183, 0.2292]),
        ("wrist_link", [0.2321, -0.0183, 0.2344]),
        // The offsets that lead here are known to 0.1 mm each; their sum is 0.2 mm beside the middle.
        ("gripper_link", [0.2932, -0.0002, 0.2344]),
        ("tool0", [0.3914, 0.0, 0.2265]),
    ];
    check_places(&chain, &[0.0; 5], &places);

    let tip = chain.tip_pose(&[0.0; 5]);
    check_close(tip * Vector3::z(), Vector3::x(), 1e-12, "the tool points forward");
    check_close(tip * Vector3::x(), -Vector3::z(), 1e-12, "its x points down");
}

#[test]
fn the_so101_turns_each_joint_the_way_its_maker_has_it() {
    let chain = chain(SO101, "tool0");
    let tip = |positions: [f64; 5]| chain.tip_pose(&positions).translation.vector;
    let quarter = std::f64::consts::FRAC_PI_2;
    let (pan, lift) = (Vector3::new(0.0388353, 0.0, 0.0), Vector3::new(0.0692345, 0.0, 0.1166));
    let (elbow, wrist) = (Vector3::new(0.0972345, 0.0, 0.22917), Vector3::new(0.2321345, 0.0, 0.23437));
    let at_zero = tip([0.0; 5]);

    // About -z: forward goes to the right.
    let from_pan = at_zero - pan;
    let expected = pan + Vector3::new(from_pan.y, -from_pan.x, from_pan.z);
    check_close(tip([quarter, 0.0, 0.0, 0.0, 0.0]), expected, 1e-6, "pan");
    // About +y: forward goes down, up goes forward.
    for (index, pivot) in [(1, lift), (2, elbow), (3, wrist)] {
        let mut positions = [0.0; 5];
        positions[index] = quarter;
        let arm = at_zero - pivot;
        let expected = pivot + Vector3::new(arm.z, arm.y, -arm.x);
        check_close(tip(positions), expected, 1e-6, "lift, elbow and wrist");
    }
    // About -x, at the height of the wrist: what is below goes to the left of where it looks, so to -y.
    let expected = Vector3::new(at_zero.x, -0.0001778 - 0.0079, 0.23437 - 0.000167);
    check_close(tip([0.0, 0.0, 0.0, 0.0, quarter]), expected, 1e-6, "roll");
}

#[test]
fn the_jaw_of_the_so101_opens_upwards() {
    let chain = chain(SO101, "jaw_link");
    let finger_tip = Point3::new(0.07, -0.0178, -0.015);
    let height = |jaw: f64| (chain.tip_pose(&[0.0, 0.0, 0.0, 0.0, 0.0, jaw]) * finger_tip).z;
    assert!(height(0.0) + 0.04 < height(1.0), "{} {}", height(0.0), height(1.0));
}

#[test]
fn the_wx250s_at_zero_is_where_its_maker_has_it() {
    let places = [
        ("shoulder_link", [0.0, 0.0, 0.072]),
        ("upper_arm_link", [0.0, 0.0, 0.11065]),
        ("upper_forearm_link", [0.04975, 0.0, 0.36065]),
        ("lower_forearm_link", [0.22475, 0.0, 0.36065]),
        ("wrist_link", [0.29975, 0.0, 0.36065]),
        ("gripper_link", [0.36475, 0.0, 0.36065]),
        ("ee_arm_link", [0.40775, 0.0, 0.36065]),
        ("tool0", [0.458325, 0.0, 0.36065]),
    ];
    check_places(&chain(WX250S, "tool0"), &[0.0; 6], &places);
}

#[test]
fn the_wx250s_turns_each_joint_the_way_its_maker_has_it() {
    let chain = chain(WX250S, "ee_arm_link");
    let quarter = std::f64::consts::FRAC_PI_2;
    let cases = [
        ([quarter, 0.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.40775, 0.36065]),
        ([0.0, quarter, 0.0, 0.0, 0.0, 0.0], [0.25, 0.0, 0.11065 - 0.40775]),
        ([0.0, 0.0, quarter, 0.0, 0.0, 0.0], [0.04975, 0.0, 0.36065 - 0.358]),
        ([0.0, 0.0, 0.0, 0.0, quarter, 0.0], [0.29975, 0.0, 0.36065 - 0.108]),
        // With the forearm rolled by a quarter, the wrist's y axis is the arm's z: it bends sideways.
        ([0.0, 0.0, 0.0, quarter, quarter, 0.3], [0.29975, 0.108, 0.36065]),
    ];
    for (positions, [x, y, z]) in cases {
        let tip = chain.tip_pose(&positions).translation.vector;
        check_close(tip, Vector3::new(x, y, z), 1e-12, "quarter turns");
    }
}

#[test]
fn the_fingers_of_the_wx250s_move_as_one() {
    let model = RobotModel::from_urdf(WX250S).unwrap();
    let gap = Chain::between(&model, "right_finger_link", "left_finger_link").unwrap();

    assert_eq!(names(&gap), ["left_finger"]);
    check_close(gap.tip_pose(&[0.02]).translation.vector, Vector3::new(0.0, 0.04, 0.0), 1e-15, "gap");
}

#[test]
fn joints_have_the_names_axes_and_limits_of_the_hardware() {
    type Row = (&'static str, [f64; 3], f64, f64, f64, f64);
    let so101: [Row; 6] = [
        ("shoulder_pan", [0.0, 0.0, -1.0], -1.91986, 1.91986, 5.4, 1.9),
        ("shoulder_lift", [0.0, 1.0, 0.0], -1.74533, 1.74533, 5.4, 1.9),
        ("elbow_flex", [0.0, 1.0, 0.0], -1.69, 1.69, 5.4, 1.9),
        ("wrist_flex", [0.0, 1.0, 0.0], -1.65806, 1.65806, 5.4, 1.9),
        ("wrist_roll", [-1.0, 0.0, 0.0], -2.74385, 2.84121, 5.4, 1.9),
        ("gripper", [0.0, -0.9988, -0.0487], -0.174533, 1.74533, 5.4, 1.9),
    ];
    let pi = std::f64::consts::PI;
    let wx250s: [Row; 8] = [
        ("waist", [0.0, 0.0, 1.0], -3.14158, 3.14158, pi, 10.0),
        ("shoulder", [0.0, 1.0, 0.0], -1.88496, 1.98968, pi, 20.0),
        ("elbow", [0.0, 1.0, 0.0], -2.14675, 1.6057, pi, 15.0),
        ("forearm_roll", [1.0, 0.0, 0.0], -3.14158, 3.14158, pi, 2.0),
        ("wrist_angle", [0.0, 1.0, 0.0], -1.74533, 2.14675, pi, 5.0),
        ("wrist_rotate", [1.0, 0.0, 0.0], -3.14158, 3.14158, pi, 1.0),
        ("left_finger", [0.0, 1.0, 0.0], 0.015, 0.037, 1.0, 5.0),
        ("right_finger", [0.0, 1.0, 0.0], -0.037, -0.015, 1.0, 5.0),
    ];
    for (urdf, rows) in [(SO101, &so101[..]), (WX250S, &wx250s[..])] {
        let model = RobotModel::from_urdf(urdf).unwrap();
        let moving = model.joints().iter().filter(|joint| joint.kind != JointKind::Fixed);
        assert_eq!(moving.count(), rows.len());
        for &(name, [x, y, z], lower, upper, velocity, effort) in rows {
            let joint = model.joint(name).unwrap();
            check_close(joint.axis.into_inner(), Vector3::new(x, y, z), 1e-4, name);
            let range = joint.limits.position.unwrap();
            assert_eq!((range.lower, range.upper), (lower, upper), "{name}");
            assert_eq!(
                (joint.limits.velocity, joint.limits.effort),
                (Some(velocity), Some(effort)),
                "{name}"
            );
        }
    }
}

#[test]
fn masses_add_up_and_lie_where_they_are() {
    assert!((total_mass(SO101) - 0.632).abs() < 1e-9);
    assert!((total_mass(WX250S) - 2.1335).abs() < 1e-9);

    let centres = [
        ("base_link", [0.0137, 0.0, 0.0335]),
        ("shoulder_link", [0.0696, 0.0, 0.0877]),
        ("upper_arm_link", [0.0776, 0.0, 0.2064]),
        ("lower_arm_link", [0.1953, 0.0, 0.2324]),
        ("wrist_link", [0.2707, 0.0098, 0.2345]),
        ("gripper_link", [0.3184, 0.0, 0.2346]),
        ("jaw_link", [0.3467, -0.0016, 0.2530]),
    ];
    let chain = chain(SO101, "jaw_link");
    let poses: Vec<Isometry3<f64>> = chain.frame_poses(&[0.0; 6]);
    for ((frame, pose), (name, [x, y, z])) in chain.frames().zip(poses).zip(centres) {
        assert_eq!(frame, name);
        let robot = urdf_rs::read_from_string(SO101).unwrap();
        let link = robot.links.iter().find(|link| link.name == name).unwrap();
        let centre = pose * Point3::from(*link.inertial.origin.xyz);
        check_close(centre.coords, Vector3::new(x, y, z), 1.5e-4, name);
    }
}

#[test]
fn every_inertia_is_that_of_a_body() {
    for urdf in [SO101, WX250S] {
        for link in urdf_rs::read_from_string(urdf).unwrap().links {
            let urdf_rs::Inertia { ixx, ixy, ixz, iyy, iyz, izz } = link.inertial.inertia;
            if link.inertial.mass.value == 0.0 {
                assert!(link.visual.is_empty(), "`{}` has a shape and no mass", link.name);
                continue;
            }
            let moments = Matrix3::new(ixx, ixy, ixz, ixy, iyy, iyz, ixz, iyz, izz).symmetric_eigenvalues();
            let (least, most) = (moments.min(), moments.max());
            assert!(0.0 < least, "`{}`: {moments}", link.name);
            assert!(2.0 * most <= moments.sum(), "`{}` breaks the triangle inequality: {moments}", link.name);
            // A gyration radius beyond the body would be a slip of a power of ten.
            let radius = (most / link.inertial.mass.value).sqrt();
            assert!((0.005..0.12).contains(&radius), "`{}`: {radius}", link.name);
        }
    }
}

#[test]
fn every_body_has_a_shape_to_see_and_to_bump_into() {
    for urdf in [SO101, WX250S] {
        let robot = urdf_rs::read_from_string(urdf).unwrap();
        for link in robot.links.iter().filter(|link| 0.0 < link.inertial.mass.value) {
            assert!(!link.visual.is_empty() && !link.collision.is_empty(), "{}", link.name);
            for visual in &link.visual {
                let material = visual.material.as_ref().unwrap();
                assert!(robot.materials.iter().any(|known| known.name == material.name), "{}", link.name);
            }
        }
    }
}

fn chain(urdf: &str, tip: &str) -> Chain {
    Chain::between(&RobotModel::from_urdf(urdf).unwrap(), "base_link", tip).unwrap()
}

fn names(chain: &Chain) -> Vec<&str> {
    chain.joints().iter().map(|joint| joint.name.as_str()).collect()
}

fn total_mass(urdf: &str) -> f64 {
    urdf_rs::read_from_string(urdf).unwrap().links.iter().map(|link| link.inertial.mass.value).sum()
}

/// Each frame within 0.1 mm of where it should be.
fn check_places(chain: &Chain, positions: &[f64], places: &[(&str, [f64; 3])]) {
    let poses = chain.frame_poses(positions);
    for (name, [x, y, z]) in places {
        let index = chain.frames().position(|frame| frame == *name).unwrap();
        check_close(poses[index].translation.vector, Vector3::new(*x, *y, *z), 1e-4, name);
    }
}

fn check_close(actual: Vector3<f64>, expected: Vector3<f64>, tolerance: f64, what: &str) {
    assert!((actual - expected).amax() <= tolerance, "{what}: {actual} instead of {expected}");
}
