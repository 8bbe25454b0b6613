//! The package from outside, one module for each thing that must hold.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail loudly too")]

mod collision;
mod collision_obstacles;
mod control_faults;
mod control_limits;
mod control_loop;
mod emulated_arm;
mod emulated_port;
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
mod rustypot_client;
mod safety_stops;
mod safety_table;
mod safety_wire;
mod servo_tool;
mod servo_tool_bus;
mod servo_tool_calibrate;
mod simulated_time;
mod tool_on_bus;
