//! The ROS faces of the arm: thin shells that turn messages into values and values into messages.
//!
//! Decisions are made in [`crate::control`]; here they are received, carried over, and published.
//!
//! - [`ros`]: context, nodes, the threads that spin them, start and end of a process;
//! - [`logging`], [`parameters`], [`lifecycle`], [`action_server`], [`messages`]: what every node needs of ROS;
//! - [`hardware`], [`controller`], [`gripper`], [`controller_manager`]: what a node of that kind offers, wherever it runs;
//! - [`controllers`]: the controllers that a process hosts, put together as its parameters say;
//! - [`publisher`], [`statistics`], [`running_arm`]: the threads that run an arm and publish what it does;
//! - [`ik`]: what inverse kinematics offer, wherever they run;
//! - [`hardware_node`], [`controller_node`], [`ik_node`], [`arm_node`]: the processes.

pub mod action_server;
pub mod arm_node;
pub mod controller;
pub mod controller_manager;
pub mod controller_node;
pub mod controllers;
pub mod gripper;
pub mod hardware;
pub mod hardware_node;
pub mod ik;
pub mod ik_node;
pub mod lifecycle;
pub mod logging;
pub mod messages;
mod parameter_values;
pub mod parameters;
pub mod publisher;
pub mod ros;
pub mod running_arm;
pub mod statistics;
