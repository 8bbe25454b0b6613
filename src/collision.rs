//! What of a robot can touch what: shapes, pairs that may, and the clearance of the nearest pair that may not.
//!
//! Knows the robot's geometry and what stands around it; no time, no limits of motion, no ROS. The only module
//! that knows `parry3d`.
//!
//! - [`CollisionModel`]: the shapes of a robot and of obstacles, and which links may touch;
//! - [`Checker`]: how near things are to each other with the joints at given positions, and what brings them nearer.
//!
//! ```text
//! RobotModel ─▶ shapes ─▶ pairs of links ─▶ less the rigid, the adjacent, those that always or never touch
//!               └ meshes: convex hulls         and those that are named ─▶ Checker: pairs that its joints move
//! ```
//! Every shape is convex: a mesh counts as its hull. Shapes are never too small, so a clearance is never too large.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

mod allowed;
mod cache;
mod checker;
mod configured;
mod distance;
mod error;
mod mesh;
mod model;
mod sampling;
mod scene;
mod skeleton;
mod solid;
mod srdf;

pub use allowed::Reason;
pub use checker::{Approach, Checker, Clearance, Damper, Nearest};
pub use error::CollisionError;
pub use mesh::MeshFolders;
pub use model::{CollisionModel, ObstacleShape, Options};
pub use srdf::Srdf;
