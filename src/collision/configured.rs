//! The collision model that a configuration describes.
//!
//! Opens the SRDF and the meshes that are named, and no other file.

use std::path::PathBuf;

use nalgebra::{Isometry3, Translation3, UnitQuaternion, Vector3};

use super::error::CollisionError;
use super::mesh::MeshFolders;
use super::model::{CollisionModel, ObstacleShape, Options};
use crate::config::collision::{CollisionConfig, ObstacleConfig, ObstacleShapeConfig};
use crate::kinematics::{RobotModel, Shape};

/// What the table of `collision.table_height` is called.
const TABLE: &str = "table";

impl CollisionModel {
    /// The model of `robot` with all that the configuration puts around it; files are looked for in `folders`.
    ///
    /// # Errors
    /// Where a file is missing or damaged and not to be left out, or something names a link that there is not.
    pub fn configured(
        robot: &RobotModel,
        config: &CollisionConfig,
        folders: &MeshFolders,
    ) -> Result<Self, CollisionError> {
        let options = Options {
            meshes: folders.clone(),
            leaves_out_missing_meshes: config.leaves_out_missing_meshes,
            allowed: config.allowed_pairs.clone(),
            srdf: semantic_description(config, folders)?,
            samples: config.samples,
            cache_folder: Some(&config.cache_folder).filter(|folder| !folder.is_empty()).map(PathBuf::from),
        };
        let mut model = Self::new(robot, &options)?;
        if let Some(height) = config.table_height {
            let root_from_table = Isometry3::translation(0.0, 0.0, height);
            model.add_obstacle(TABLE, &ObstacleShape::HalfSpace, &root_from_table)?;
        }
        for obstacle in &config.obstacles {
            let frame = if obstacle.frame.is_empty() { robot.root() } else { &obstacle.frame };
            let may_touch: Vec<&str> = obstacle.may_touch.iter().map(String::as_str).collect();
            model.attach(&obstacle.name, &shape(&obstacle.shape), frame, &pose(obstacle), &may_touch)?;
        }
        Ok(model)
    }
}

fn semantic_description(
    config: &CollisionConfig,
    folders: &MeshFolders,
) -> Result<Option<String>, CollisionError> {
    if !config.semantic_description.is_empty() {
        return Ok(Some(config.semantic_description.clone()));
    }
    if config.srdf.is_empty() {
        return Ok(None);
    }
    let candidates = folders.candidates(&config.srdf);
    let found = candidates.iter().find(|path| path.is_file());
    let path = found.ok_or_else(|| CollisionError::Srdf(format!("there is no file `{}`", config.srdf)))?;
    let text = std::fs::read_to_string(path);
    text.map(Some).map_err(|cause| CollisionError::Srdf(format!("{}: {cause}", path.display())))
}

fn pose(obstacle: &ObstacleConfig) -> Isometry3<f64> {
    let [x, y, z, roll, pitch, yaw] = obstacle.pose;
    Isometry3::from_parts(Translation3::new(x, y, z), UnitQuaternion::from_euler_angles(roll, pitch, yaw))
}

fn shape(shape: &ObstacleShapeConfig) -> ObstacleShape {
    ObstacleShape::Solid(match shape {
        ObstacleShapeConfig::Box(size) => Shape::Box { size: Vector3::from(*size) },
        ObstacleShapeConfig::Sphere(radius) => Shape::Sphere { radius: *radius },
        ObstacleShapeConfig::Cylinder([radius, length]) => {
            Shape::Cylinder { radius: *radius, length: *length }
        }
        ObstacleShapeConfig::Capsule([radius, length]) => Shape::Capsule { radius: *radius, length: *length },
        ObstacleShapeConfig::Mesh(file) => {
            Shape::Mesh { file: PathBuf::from(file), scale: Vector3::repeat(1.0) }
        }
        ObstacleShapeConfig::HalfSpace => return ObstacleShape::HalfSpace,
    })
}
