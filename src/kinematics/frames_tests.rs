use nalgebra::Vector3;

use super::*;
use crate::kinematics::Chain;

const ARM: &str = r#"<robot name="arm">
  <link name="base"/><link name="upper"/><link name="slide"/><link name="tool"/><link name="finger"/>
  <joint name="turn" type="revolute"><parent link="base"/><child link="upper"/><origin xyz="0 0 0.2" rpy="0.1 0 0.3"/>
    <axis xyz="0 1 1"/><limit lower="-2" upper="2" effort="1" velocity="1"/></joint>
  <joint name="slide" type="prismatic"><parent link="upper"/><child link="slide"/><origin xyz="0.3 0 0" rpy="0 0.2 0"/>
    <axis xyz="1 0 0"/><limit lower="-1" upper="1" effort="1" velocity="1"/></joint>
  <joint name="fixed" type="fixed"><parent link="slide"/><child link="tool"/><origin xyz="0 0.1 0" rpy="0 0 1"/></joint>
  <joint name="finger" type="prismatic"><parent link="tool"/><child link="finger"/><axis xyz="0 1 0"/>
    <mimic joint="slide" multiplier="-2" offset="0.1"/><limit lower="-1" upper="1" effort="1" velocity="1"/></joint>
</robot>"#;

fn model() -> RobotModel {
    RobotModel::from_urdf(ARM).unwrap()
}

fn positions(joint: &str) -> Option<f64> {
    match joint {
        "turn" => Some(0.7),
        "slide" => Some(-0.2),
        _ => None,
    }
}

fn shift(x: f64, y: f64, z: f64) -> Isometry3<f64> {
    Isometry3::new(Vector3::new(x, y, z), Vector3::new(0.1 * z, 0.2, 0.3 * x))
}

fn is_near(a: &Isometry3<f64>, b: &Isometry3<f64>) -> bool {
    let off = a.inverse() * b;
    off.translation.vector.norm() < 1e-12 && off.rotation.angle() < 1e-7
}

fn own(frame: &str) -> Option<Result<Isometry3<f64>, FrameError>> {
    model().frame(frame).map(|_| root_from_frame(&model(), frame, &positions))
}

#[test]
fn the_robots_frames_are_where_its_chains_put_them() {
    let model = model();
    for frame in ["upper", "slide", "tool", "finger"] {
        let chain = Chain::between(&model, "base", frame).unwrap();
        let values: Vec<f64> = chain.joints().iter().map(|joint| positions(&joint.name).unwrap()).collect();
        let found = root_from_frame(&model, frame, &positions).unwrap();
        assert!(is_near(&found, &chain.tip_pose(&values)), "{frame}");
    }
    assert!(is_near(&root_from_frame(&model, "base", &|_| None).unwrap(), &Isometry3::identity()));
}

#[test]
fn a_joint_without_a_position_and_a_frame_that_there_is_not_are_named() {
    let error = root_from_frame(&model(), "tool", &|joint| (joint == "turn").then_some(0.0)).unwrap_err();
    assert!(
        error.to_string().contains("frame `tool` in `base` needs the position of joint `slide`"),
        "{error}"
    );
    let error = root_from_frame(&model(), "tol", &positions).unwrap_err();
    assert_eq!(error, FrameError::Unknown { frame: "tol".into(), other: "base".into() });
}

#[test]
fn frames_on_the_robot_above_it_and_beside_it_are_found() {
    let mut tree = FrameTree::default();
    tree.set("camera", "tool", shift(0.1, 0.0, 0.0), 1);
    tree.set("base", "world", shift(1.0, 2.0, 0.0), 1);
    tree.set("table", "world", shift(0.0, 0.0, 0.5), 1);
    tree.set("cup", "table", shift(0.2, 0.2, 0.0), 1);
    let root_from = |frame: &str| tree.root_from("base", frame, &own).unwrap();
    let tool = root_from_frame(&model(), "tool", &positions).unwrap();
    assert!(is_near(&root_from("camera"), &(tool * shift(0.1, 0.0, 0.0))));
    let world = shift(1.0, 2.0, 0.0).inverse();
    assert!(is_near(&root_from("world"), &world));
    assert!(is_near(&root_from("cup"), &(world * shift(0.0, 0.0, 0.5) * shift(0.2, 0.2, 0.0))));
    assert!(is_near(&root_from("base"), &Isometry3::identity()));
}

#[test]
fn what_the_joints_say_counts_over_what_is_broadcast_of_the_robot() {
    let mut tree = FrameTree::default();
    tree.set("tool", "base", shift(9.0, 9.0, 9.0), 1);
    let found = tree.root_from("base", "tool", &own).unwrap();
    assert!(is_near(&found, &root_from_frame(&model(), "tool", &positions).unwrap()));
}

#[test]
fn frames_that_are_unknown_unconnected_or_in_a_circle_are_told_with_both_names() {
    let mut tree = FrameTree::default();
    tree.set("lamp", "room", shift(0.0, 0.0, 1.0), 1);
    tree.set("a", "b", shift(0.0, 0.0, 1.0), 1);
    tree.set("b", "a", shift(0.0, 0.0, 1.0), 1);
    let error = |frame: &str| tree.root_from("base", frame, &own).unwrap_err().to_string();
    assert_eq!(
        error("moon"),
        "nothing is known of frame `moon`, which is needed in `base`: it is no link of the robot and not in /tf"
    );
    assert_eq!(
        error("lamp"),
        "frames `lamp` and `base` are not connected: the way from the first ends at `room`"
    );
    assert_eq!(error("a"), "frame `a` is not connected with `base`: its parents in /tf lead in a circle");
    // A circle above the robot is no reason to hang either.
    tree.set("base", "a", shift(0.0, 0.0, 1.0), 1);
    assert!(tree.root_from("base", "lamp", &own).is_err());
    assert!(tree.root_from("base", "b", &own).is_ok());
}

#[test]
fn an_older_transform_does_not_count_unless_time_begins_anew() {
    let mut tree = FrameTree::default();
    let place = |tree: &FrameTree| tree.root_from("base", "cup", &own).unwrap().translation.x;
    assert!(tree.set("cup", "base", shift(1.0, 0.0, 0.0), 5_000_000_000));
    assert!(!tree.set("cup", "base", shift(2.0, 0.0, 0.0), 4_000_000_000));
    assert_eq!(place(&tree), 1.0);
    assert!(tree.set("cup", "base", shift(3.0, 0.0, 0.0), 5_000_000_000));
    assert!(tree.set("cup", "base", shift(4.0, 0.0, 0.0), -6_000_000_000));
    assert_eq!(place(&tree), 4.0);
}

#[test]
fn frames_without_number_fill_no_memory() {
    let mut tree = FrameTree::default();
    for number in 0..MAX_FRAMES {
        assert!(tree.set(&number.to_string(), "world", Isometry3::identity(), 0));
    }
    assert!(!tree.set("one more", "world", Isometry3::identity(), 0));
    assert!(tree.set("7", "world", Isometry3::identity(), 1));
}
