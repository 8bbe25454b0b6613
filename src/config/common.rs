//! What several nodes are given: whose time it is, whether they get active, and what ros2_control gives any controller.

use super::declaration::Declaration;

const OWN_SCHEDULE: &str = "here, because controllers run with the arm, at `update_rate_hz`";
const NOT_SPAWNED: &str = "here, because nothing is spawned";

/// Declares whose time it is; whoever makes the node reads it.
pub fn use_sim_time(d: &mut Declaration<'_>) {
    d.or("use_sim_time", false, "Whether the node goes by /clock; with servos only the stamps do.");
}

/// Declares and reads whether a node gets active by itself.
pub fn autostart(d: &mut Declaration<'_>) -> bool {
    d.or(
        "autostart",
        true,
        "Whether the node gets active by itself; otherwise it stays unconfigured until it is asked (ros2 lifecycle).",
    )
}

/// Declares it for a controller that goes by any of the names `types`; the first is the default.
pub fn declare(d: &mut Declaration<'_>, types: &[&str]) {
    let names: Vec<_> = types.iter().map(|&name| (name, ())).collect();
    let default = types.first().copied().unwrap_or_default();
    d.one_of("type", default, &names, "What the controller is, as ros2_control names it.");
    d.no_meaning(OWN_SCHEDULE).or("update_rate", 0, "Rate of the controller (Hz); 0 for that of the arm.");
    d.no_meaning(OWN_SCHEDULE).or("is_async", false, "Whether the controller has a thread of its own.");
    for (name, about) in [
        ("thread_priority", "Priority of that thread."),
        ("async_parameters.thread_priority", "Priority of that thread."),
        ("async_parameters.cpu_affinity", "Processors of that thread."),
        ("async_parameters.scheduling_policy", "Scheduling of that thread."),
        ("async_parameters.execution_rate", "Rate of that thread (Hz)."),
        ("async_parameters.wait_until_initial_trigger", "Start of that thread."),
        ("async_parameters.print_warnings", "Warnings of that thread."),
    ] {
        d.no_meaning(OWN_SCHEDULE).accept(name, about);
    }
    for name in ["fallback_controllers", "node_options_args", "params_file"] {
        d.no_meaning(NOT_SPAWNED).accept(name, "For the spawner of ros2_control.");
    }
}
