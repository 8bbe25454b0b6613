//! Controllers and hardware in the messages of a controller manager.

use r2r::controller_manager_msgs::msg::{
    ControllerManagerActivity, ControllerState as ControllerMessage, HardwareComponentState,
    HardwareInterface, NamedLifecycleState,
};
use r2r::lifecycle_msgs::msg::State as StateMessage;
use r2r::std_msgs::msg::Header;

use super::super::messages::stamp_now;
use super::{HARDWARE_NAME, Hardware};
use crate::config::manager::ControllerKind;
use crate::control::lifecycle::Phase;
use crate::control::roster::{Controller, Lifecycle, Roster};

const COMMAND_INTERFACES: [&str; 1] = ["position"];
/// What a controller of positions reads.
const READ_BY_CONTROLLERS: [&str; 2] = ["position", "velocity"];
/// What `joint_states` has.
const STATE_INTERFACES: [&str; 3] = ["position", "velocity", "effort"];

/// The loaded controllers.
pub(super) fn controllers(roster: &Roster, rate_hz: f64) -> Vec<ControllerMessage> {
    roster.loaded().map(|(controller, state)| controller_message(controller, state, rate_hz)).collect()
}

fn controller_message(controller: &Controller, state: Lifecycle, rate_hz: f64) -> ControllerMessage {
    let commanded = interfaces(controller.commanded(), &COMMAND_INTERFACES);
    let read = match controller.kind {
        ControllerKind::JointStateBroadcaster => &STATE_INTERFACES[..],
        _ => &READ_BY_CONTROLLERS,
    };
    let is_configured = matches!(state, Lifecycle::Inactive | Lifecycle::Active);
    ControllerMessage {
        name: controller.name.clone(),
        state: state.word().to_owned(),
        type_: controller.kind.type_name().to_owned(),
        update_rate: whole(rate_hz),
        claimed_interfaces: if controller.is_active() { commanded.clone() } else { Vec::new() },
        required_command_interfaces: if is_configured { commanded } else { Vec::new() },
        required_state_interfaces: if is_configured {
            interfaces(&controller.joints, read)
        } else {
            Vec::new()
        },
        ..ControllerMessage::default()
    }
}

/// The types that a controller can have, and the base class of each.
pub(super) fn types() -> (Vec<String>, Vec<String>) {
    let class = "controller_interface::ControllerInterface";
    ControllerKind::ALL.iter().map(|kind| (kind.type_name().to_owned(), class.to_owned())).unzip()
}

/// The hardware.
pub(super) fn component(hardware: &Hardware, state: Lifecycle, roster: &Roster) -> HardwareComponentState {
    // Without naming `class_type`: upstream has it in Jazzy only.
    HardwareComponentState {
        name: HARDWARE_NAME.to_owned(),
        type_: "system".to_owned(),
        rw_rate: whole(hardware.rate_hz),
        plugin_name: hardware.plugin_name.clone(),
        state: self::state(state),
        command_interfaces: command_interfaces(hardware, state, roster),
        state_interfaces: state_interfaces(hardware, state),
        ..HardwareComponentState::default()
    }
}

/// What the hardware takes.
pub(super) fn command_interfaces(
    hardware: &Hardware,
    state: Lifecycle,
    roster: &Roster,
) -> Vec<HardwareInterface> {
    let of = |joint: &String| {
        let names = interfaces(std::slice::from_ref(joint), &COMMAND_INTERFACES);
        let is_claimed = roster.is_claimed(joint);
        names.into_iter().map(move |name| HardwareInterface { is_claimed, ..interface(name, state) })
    };
    hardware.joints.iter().flat_map(of).collect()
}

/// What the hardware gives.
pub(super) fn state_interfaces(hardware: &Hardware, state: Lifecycle) -> Vec<HardwareInterface> {
    let names = interfaces(&hardware.joints, &STATE_INTERFACES);
    names.into_iter().map(|name| interface(name, state)).collect()
}

fn interface(name: String, state: Lifecycle) -> HardwareInterface {
    let is_available = state != Lifecycle::Unconfigured;
    HardwareInterface { name, data_type: "double".to_owned(), is_available, is_claimed: false }
}

/// The states of everything.
pub(super) fn activity(roster: &Roster, hardware: Lifecycle) -> ControllerManagerActivity {
    let named = |name: &str, of: Lifecycle| NamedLifecycleState { name: name.to_owned(), state: state(of) };
    ControllerManagerActivity {
        header: Header { stamp: stamp_now(), ..Header::default() },
        controllers: roster.loaded().map(|(controller, of)| named(&controller.name, of)).collect(),
        hardware_components: vec![named(HARDWARE_NAME, hardware)],
    }
}

/// A state as a message.
pub(super) fn state(state: Lifecycle) -> StateMessage {
    StateMessage { id: Phase::from(state).id(), label: state.word().to_owned() }
}

/// The state that a message names by its id, or by its label where the id is 0.
pub(super) fn asked_state(asked: &StateMessage) -> Result<Lifecycle, String> {
    let is_it = |state: &Lifecycle| match asked.id {
        0 => asked.label == state.word(),
        id => id == Phase::from(*state).id(),
    };
    Lifecycle::ALL.into_iter().find(is_it).ok_or_else(|| {
        let StateMessage { id, label } = asked;
        format!("target state {id} `{label}` is none that {HARDWARE_NAME} can have; ask for inactive (2) or active (3)")
    })
}

/// `<joint>/<interface>` for every joint, all of one joint together.
fn interfaces(joints: &[String], kinds: &[&str]) -> Vec<String> {
    joints.iter().flat_map(|joint| kinds.iter().map(move |kind| format!("{joint}/{kind}"))).collect()
}

/// A rate as the messages have it; none is above 2000 Hz.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate is between 1 and 2000 Hz"
)]
fn whole(rate_hz: f64) -> u16 {
    rate_hz.round() as u16
}
