//! Which frames a group of joints lies between, where nobody has said it.
//!
//! Knows the tree of frames and what people call the frame at the end of an arm.

use super::model::{Frame, Joint, JointKind, RobotModel};

/// Parts of names that people give to the frame that tools are at, the surest first.
const TOOL_NAMES: [&str; 8] =
    ["tcp", "tool", "gripper_frame", "end_effector", "endeffector", "ee", "grasp", "flange"];

/// The frame that carries the first of these joints, as seen from the root; `None` where the robot has none of them.
pub fn base<'a>(model: &'a RobotModel, joints: &[String]) -> Option<&'a str> {
    // Those nearer to the root come first.
    let first = model.joints().iter().find(|joint| is_of(joint, joints))?;
    Some(&first.parent)
}

/// The frame at the end of these joints: one that is fixed to what the last of them carries and has a tool's name, or
/// else that itself. `None` where the robot has none of the joints.
pub fn tip<'a>(model: &'a RobotModel, joints: &[String]) -> Option<&'a str> {
    let depth = |frame: &Frame| way_up(model, frame).filter(|joint| is_of(joint, joints)).count();
    let mut last: Option<(usize, &Frame)> = None;
    for frame in model.frames() {
        let is_carried = frame.joint.is_some_and(|joint| is_of(&model.joints()[joint], joints));
        let depth = depth(frame);
        // Of two as far out the first counts: the left finger, or the right one.
        if is_carried && last.is_none_or(|(deepest, _)| deepest < depth) {
            last = Some((depth, frame));
        }
    }
    let (_, last) = last?;
    Some(tool_on(model, &last.name).unwrap_or(&last.name))
}

/// The joints that make the robot's arm, those nearer to the root first: all between the root and a frame with a tool's
/// name, or else the longest row of joints, as far as it does not branch.
pub fn arm(model: &RobotModel) -> Vec<String> {
    let moves = |frame: &&Frame| way_up(model, frame).any(is_leader);
    let tools = model.frames().iter().filter(moves).filter_map(|frame| Some((tool_rank(frame)?, frame)));
    let tool = tools.min_by_key(|(rank, _)| *rank).map(|(_, frame)| frame);
    let Some(end) = tool.or_else(|| longest(model)) else { return Vec::new() };
    let on_the_way = way_up(model, end).filter(|joint| is_leader(joint));
    let mut joints: Vec<String> = on_the_way.map(|joint| joint.name.clone()).collect();
    joints.reverse();
    joints
}

/// How sure it is that the frame is a tool's, by its name: the less the surer.
fn tool_rank(frame: &Frame) -> Option<usize> {
    let name = frame.name.to_lowercase();
    TOOL_NAMES.iter().position(|tool| has_word(&name, tool))
}

/// The frame that the most joints carry, or the one nearest above it from which there is one way to go on only.
fn longest(model: &RobotModel) -> Option<&Frame> {
    let depth = |frame: &Frame| way_up(model, frame).filter(|joint| is_leader(joint)).count();
    // Of several the first.
    let mut deepest: Option<(usize, &Frame)> = None;
    for frame in model.frames() {
        if deepest.is_none_or(|(most, _)| most < depth(frame)) {
            deepest = Some((depth(frame), frame));
        }
    }
    let branches = |frame: &Frame| {
        let moving =
            model.joints().iter().filter(|joint| joint.kind.is_single() && joint.parent == frame.name);
        1 < moving.count()
    };
    let (_, end) = deepest?;
    let up = std::iter::successors(Some(end), |at| Some(&model.frames()[at.parent?]));
    let forks: Vec<&Frame> = up.filter(|at| branches(at)).collect();
    // Fingers fork at the hand; what forks at the root is a robot with several arms.
    Some(forks.into_iter().find(|fork| 0 < depth(fork)).unwrap_or(end))
}

fn is_leader(joint: &Joint) -> bool {
    joint.kind.is_single() && joint.mimic.is_none()
}

fn is_of(joint: &Joint, joints: &[String]) -> bool {
    is_leader(joint) && joints.contains(&joint.name)
}

/// The joints between a frame and the root.
fn way_up<'a>(model: &'a RobotModel, frame: &'a Frame) -> impl Iterator<Item = &'a Joint> {
    let up = std::iter::successors(Some(frame), |at| Some(&model.frames()[at.parent?]));
    up.filter_map(|at| Some(&model.joints()[at.joint?]))
}

/// The frame with a tool's name among those that are fixed to `link`.
fn tool_on<'a>(model: &'a RobotModel, link: &str) -> Option<&'a str> {
    let rank = |frame: &'a Frame| {
        let rank = tool_rank(frame)?;
        is_fixed_to(model, frame, link).then_some((rank, &*frame.name))
    };
    model.frames().iter().filter_map(rank).min_by_key(|(rank, _)| *rank).map(|(_, name)| name)
}

/// Whether there are joints between the two, and none of them moves.
fn is_fixed_to(model: &RobotModel, frame: &Frame, link: &str) -> bool {
    let parent = |at: &Frame| {
        let joint = &model.joints()[at.joint?];
        (joint.kind == JointKind::Fixed).then_some(&model.frames()[at.parent?])
    };
    std::iter::successors(Some(frame), |at| parent(at)).skip(1).any(|at| at.name == link)
}

/// Whether the word stands in the name with nothing but digits, or other words, beside it.
fn has_word(name: &str, word: &str) -> bool {
    name.match_indices(word).any(|(at, _)| {
        let before = name[..at].chars().next_back();
        let after = name[at + word.len()..].chars().next();
        !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphabetic)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn so101() -> RobotModel {
        RobotModel::from_urdf(include_str!("../../urdf/so101.urdf")).unwrap()
    }

    fn wx250s() -> RobotModel {
        RobotModel::from_urdf(include_str!("../../urdf/wx250s.urdf")).unwrap()
    }

    #[test]
    fn an_arm_lies_between_what_carries_it_and_its_tool() {
        let joints = names(&["wrist_roll", "shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex"]);
        assert_eq!((base(&so101(), &joints), tip(&so101(), &joints)), (Some("base_link"), Some("tool0")));
        let some = names(&["shoulder_lift", "elbow_flex"]);
        assert_eq!(
            (base(&so101(), &some), tip(&so101(), &some)),
            (Some("shoulder_link"), Some("lower_arm_link"))
        );
    }

    #[test]
    fn a_tool_behind_two_fixed_joints_is_found() {
        let joints = names(&["waist", "shoulder", "elbow", "forearm_roll", "wrist_angle", "wrist_rotate"]);
        assert_eq!((base(&wx250s(), &joints), tip(&wx250s(), &joints)), (Some("base_link"), Some("tool0")));
    }

    #[test]
    fn a_gripper_lies_between_the_hand_and_the_jaw() {
        let jaw = names(&["gripper"]);
        assert_eq!((base(&so101(), &jaw), tip(&so101(), &jaw)), (Some("gripper_link"), Some("jaw_link")));
        let finger = names(&["left_finger"]);
        assert_eq!(
            (base(&wx250s(), &finger), tip(&wx250s(), &finger)),
            (Some("gripper_link"), Some("left_finger_link"))
        );
    }

    #[test]
    fn without_a_joint_of_the_robot_there_are_no_ends() {
        assert_eq!((base(&so101(), &names(&["elbow"])), tip(&so101(), &[])), (None, None));
    }

    #[test]
    fn an_arm_is_what_leads_to_its_tool_or_as_far_as_nothing_forks() {
        let expected = ["shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll"];
        assert_eq!(arm(&so101()), names(&expected));
        let joint = |name: &str, parent: &str, child: &str| {
            format!(
                r#"<joint name="{name}" type="revolute"><parent link="{parent}"/><child link="{child}"/><axis xyz="0 0 1"/>
                <limit lower="-1" upper="1" effort="1" velocity="1"/></joint>"#
            )
        };
        let links =
            ["base", "a", "b", "hand", "left", "right"].map(|link| format!(r#"<link name="{link}"/>"#));
        let joints = [
            joint("j1", "base", "a"),
            joint("j2", "a", "b"),
            joint("j3", "b", "hand"),
            joint("left", "hand", "left"),
            joint("right", "hand", "right"),
        ];
        let urdf = format!("<robot name=\"arm\">{}{}</robot>", links.concat(), joints.concat());
        assert_eq!(arm(&RobotModel::from_urdf(&urdf).unwrap()), names(&["j1", "j2", "j3"]));
    }

    #[test]
    fn a_word_is_a_word() {
        assert!(has_word("tool0", "tool") && has_word("left_tcp", "tcp") && has_word("arm_ee_link", "ee"));
        assert!(!has_word("wheel", "ee") && !has_word("toolbox_lid", "tool") && !has_word("stool", "tool"));
    }
}
