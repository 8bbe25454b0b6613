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

fn is_of(joint: &Joint, joints: &[String]) -> bool {
    joint.kind.is_single() && joint.mimic.is_none() && joints.contains(&joint.name)
}

/// The joints between a frame and the root.
fn way_up<'a>(model: &'a RobotModel, frame: &'a Frame) -> impl Iterator<Item = &'a Joint> {
    let up = std::iter::successors(Some(frame), |at| Some(&model.frames()[at.parent?]));
    up.filter_map(|at| Some(&model.joints()[at.joint?]))
}

/// The frame with a tool's name among those that are fixed to `link`.
fn tool_on<'a>(model: &'a RobotModel, link: &str) -> Option<&'a str> {
    let rank = |frame: &'a Frame| {
        let name = frame.name.to_lowercase();
        let rank = TOOL_NAMES.iter().position(|tool| has_word(&name, tool))?;
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
    fn a_word_is_a_word() {
        assert!(has_word("tool0", "tool") && has_word("left_tcp", "tcp") && has_word("arm_ee_link", "ee"));
        assert!(!has_word("wheel", "ee") && !has_word("toolbox_lid", "tool") && !has_word("stool", "tool"));
    }
}
