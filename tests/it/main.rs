//! The package from outside, one module for each thing that must hold.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail loudly too")]

#[path = "../../benches/faults/campaign/mod.rs"]
mod campaign;
mod collision;
mod collision_obstacles;
mod complaints;
mod control_faults;
mod control_limits;
mod control_loop;
mod demonstration;
mod documented_parameters;
mod emulated_arm;
mod emulated_port;
mod fault_campaign;
mod fuzz;
#[path = "../../fuzz/entries.rs"]
mod fuzz_entries;
mod gripper;
mod kinematics_arms;
mod kinematics_chain;
mod kinematics_conditioning;
mod kinematics_golden;
mod kinematics_ik;
mod kinematics_ik_hostile;
mod kinematics_jacobian;
mod kinematics_model;
mod kinematics_solutions;
mod kinematics_tree;
mod merged_arm;
mod other_servos;
mod port_closed;
mod recordings;
mod register_servos;
mod rustypot_client;
mod rustypot_dynamixel;
mod safety_limits;
mod safety_stops;
mod safety_table;
mod safety_wire;
mod servo_tool;
mod servo_tool_bus;
mod servo_tool_calibrate;
mod servo_tool_families;
mod simulated_time;
mod tool_on_bus;
