//! Parameters of `joint_trajectory_controller` that change nothing for servos.
//!
//! They are declared so that such a file loads as it is; whoever gives one is told that it is ignored.

use crate::config::declaration::Declaration;

const FOR_SERVOS: &str = "for position-controlled servos";
const FROM_REFERENCE: &str = "here, because every motion starts from the reference";
const SCALED_BY_TOPIC: &str = "here, because the speed is scaled through `~/speed_scaling_input`";
const REMOVED: &str = "any more, as upstream has removed it";

/// Declares them for a controller of `joints`.
pub(super) fn declare(d: &mut Declaration<'_>, joints: &[String]) {
    start(d);
    for joint in joints {
        gains(d, joint);
    }
    for name in ["state_interface", "command_interface"] {
        let name = format!("speed_scaling.{name}");
        d.no_meaning(SCALED_BY_TOPIC).or(
            &name,
            String::new(),
            "Interface of the speed scaling; there is none.",
        );
    }
    for name in [
        "state_publish_rate",
        "start_with_holding",
        "hardware_state_has_offset",
        "deduce_states_from_derivatives",
    ] {
        d.no_meaning(REMOVED).accept(name, "Of older versions of joint_trajectory_controller.");
    }
    d.no_meaning(SCALED_BY_TOPIC)
        .accept("speed_scaling_interface_name", "Of the scaled controller of Universal Robots.");
}

fn start(d: &mut Declaration<'_>) {
    d.no_meaning(FROM_REFERENCE).or(
        "interpolate_from_desired_state",
        false,
        "Whether motions start from the reference; here they always do.",
    );
    d.no_meaning(FROM_REFERENCE).or(
        "open_loop_control",
        false,
        "Old name of interpolate_from_desired_state.",
    );
}

fn gains(d: &mut Declaration<'_>, joint: &str) {
    let about = "A gain of velocity- and effort-controlled joints.";
    let name = |key: &str| format!("gains.{joint}.{key}");
    for (key, default) in [
        ("p", 0.0),
        ("i", 0.0),
        ("d", 0.0),
        ("ff_velocity_scale", 0.0),
        ("u_clamp_max", f64::INFINITY),
        ("u_clamp_min", f64::NEG_INFINITY),
        ("i_clamp", f64::INFINITY),
        ("i_clamp_max", f64::INFINITY),
        ("i_clamp_min", f64::NEG_INFINITY),
        ("tracking_time_constant", 0.0),
        ("error_deadband", 0.0),
    ] {
        d.no_meaning(FOR_SERVOS).changeable().or(&name(key), default, about);
    }
    let strategies = ["none", "legacy", "back_calculation", "conditional_integration"].map(|word| (word, ()));
    d.no_meaning(FOR_SERVOS).changeable().one_of(&name("antiwindup_strategy"), "none", &strategies, about);
    for key in ["angle_wraparound", "normalize_error"] {
        d.no_meaning(FOR_SERVOS).changeable().accept(&name(key), about);
    }
}
