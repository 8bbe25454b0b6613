//! Which interfaces and joints a controller commands and watches: servos take positions.
//!
//! The lists are read as ros2_control's files have them, and refused only where servos cannot do what they say.

use super::{refuse_list, repeated};
use crate::config::declaration::Declaration;

const POSITION: &str = "position";
const VELOCITY: &str = "velocity";
const ACCELERATION: &str = "acceleration";
const EFFORT: &str = "effort";

/// Declares `command_interfaces` and `state_interfaces`.
pub(super) fn declare(d: &mut Declaration<'_>) {
    let command: Vec<String> = d.or(
        "command_interfaces",
        names(&[POSITION]),
        "What is commanded: position, for servos take no other.",
    );
    let known = [POSITION, VELOCITY, ACCELERATION, EFFORT];
    let expected =
        "servos take positions: it must be [position], and may have velocity and acceleration beside it";
    if is_usable(d, "command_interfaces", &command, &known, expected) {
        remark_on_others(d, "command_interfaces", &command, &[POSITION], "servos are commanded by position");
    }

    let both = [POSITION, VELOCITY];
    let state: Vec<String> = d.or("state_interfaces", names(&both), "What is measured: position, velocity.");
    let known = [POSITION, VELOCITY, ACCELERATION];
    let expected = "it must be [position], [position, velocity] or [position, velocity, acceleration]";
    let has = |name: &str| state.iter().any(|interface| interface == name);
    if has(ACCELERATION) && !has(VELOCITY) {
        refuse_list(d, "state_interfaces", &state, expected);
    } else if is_usable(d, "state_interfaces", &state, &known, expected) {
        remark_on_others(d, "state_interfaces", &state, &both, "servos measure position and velocity");
    }
}

/// For each of `joints`, whether it is commanded: all where `command_joints` is empty.
pub(super) fn commanded(d: &mut Declaration<'_>, joints: &[String]) -> Vec<bool> {
    let about = "Joints that are commanded; empty for all, and the others are only watched.";
    let command_joints: Vec<String> = d.or("command_joints", Vec::new(), about);
    d.constrain("command_joints", "a subset of joints, none twice");
    let stranger = command_joints.iter().find(|joint| !joints.contains(joint));
    if let Some(joint) = stranger {
        let expected = format!("`{joint}` is not one of `joints`, which are {}", joints.join(", "));
        refuse_list(d, "command_joints", &command_joints, expected);
    } else if let Some(joint) = repeated(&command_joints) {
        let expected = format!("each joint must be named once, and `{joint}` is named twice");
        refuse_list(d, "command_joints", &command_joints, expected);
    }
    joints.iter().map(|joint| command_joints.is_empty() || command_joints.contains(joint)).collect()
}

fn is_usable(d: &mut Declaration<'_>, name: &str, list: &[String], known: &[&str], expected: &str) -> bool {
    d.constrain(name, format!("position among them, the others of {}; none twice", known[1..].join(", ")));
    let is_known = |interface: &String| known.contains(&interface.as_str());
    let is_right = list.iter().all(is_known) && list.iter().any(|interface| interface == POSITION);
    if !is_right {
        refuse_list(d, name, list, expected);
    } else if let Some(twice) = repeated(list) {
        refuse_list(d, name, list, format!("each must be named once, and {twice} is named twice"));
    }
    is_right
}

fn remark_on_others(d: &mut Declaration<'_>, name: &str, list: &[String], used: &[&str], why: &str) {
    let others: Vec<_> =
        list.iter().map(String::as_str).filter(|interface| !used.contains(interface)).collect();
    if !others.is_empty() {
        let others = others.join(", ");
        d.remark(format!("parameter `{name}`: without effect are {others}, because {why}"));
    }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}
