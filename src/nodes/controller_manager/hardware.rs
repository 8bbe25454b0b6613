//! The one piece of hardware that a controller manager has here, and what can be asked of it.

use r2r::controller_manager_msgs::srv::SetHardwareComponentState;

use super::messages::asked_state;
use crate::control::roster::Lifecycle;

/// What the hardware is listed as.
#[derive(Clone, Debug)]
pub struct Hardware {
    /// Who drives it: `servo_arm/feetech_sts`.
    pub plugin_name: String,
    /// Its joints, in the arm's order.
    pub joints: Vec<String>,
    /// How often it is read and written (Hz).
    pub rate_hz: f64,
    /// Whether torque can be switched from this process; otherwise the answer says where it can.
    pub is_ours: bool,
}

/// What the one piece of hardware is called.
pub const HARDWARE_NAME: &str = "servo_bus";

impl Hardware {
    /// The state that the hardware is to have, `present` being the one that it has; or why it cannot have it.
    pub(super) fn order(
        &self,
        asked: &SetHardwareComponentState::Request,
        present: Lifecycle,
    ) -> Result<Lifecycle, String> {
        if asked.name != HARDWARE_NAME {
            return Err(format!("there is no hardware `{}`; there is {HARDWARE_NAME}", asked.name));
        }
        let wanted = asked_state(&asked.target_state)?;
        if wanted == present {
            return Ok(wanted);
        }
        if !self.is_ours {
            return Err("the servos belong to another process; call hardware_node/torque instead".to_owned());
        }
        match (wanted, present) {
            (Lifecycle::Unconfigured, _) => Err(format!(
                "{HARDWARE_NAME} is let go by hardware_node/change_state only (cleanup); ask for inactive"
            )),
            (_, Lifecycle::Unconfigured) => Err(format!(
                "{HARDWARE_NAME} is disconnected; it is connected by hardware_node/change_state (configure), or when \
                 a port that was lost is there again"
            )),
            _ => Ok(wanted),
        }
    }
}
