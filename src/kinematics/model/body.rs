//! The shapes that a link has for collisions, as plain numbers.
//!
//! Reads no mesh and intersects nothing; [`crate::collision`] does.

use std::path::PathBuf;

use nalgebra::{Isometry3, Translation3, UnitQuaternion, Vector3};

use super::ModelError;

/// A shape that a link carries.
#[derive(Clone, Debug, PartialEq)]
pub struct Body {
    /// Its name; empty where the URDF gives none.
    pub name: String,
    /// Where it is in its link.
    pub frame_from_body: Isometry3<f64>,
    /// What it is.
    pub shape: Shape,
}

/// A shape around its own origin. Every length is finite and above zero.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// A box, its edges along the axes.
    Box {
        /// The whole lengths of its edges (m).
        size: Vector3<f64>,
    },
    /// A cylinder about z.
    Cylinder {
        /// Its radius (m).
        radius: f64,
        /// Its whole length (m).
        length: f64,
    },
    /// A cylinder about z with half a sphere at each end.
    Capsule {
        /// Its radius (m).
        radius: f64,
        /// The length of the cylinder alone (m).
        length: f64,
    },
    /// A sphere.
    Sphere {
        /// Its radius (m).
        radius: f64,
    },
    /// What a file has.
    Mesh {
        /// Where the file is, as the URDF has it: `package://…`, `file://…` or a path.
        file: PathBuf,
        /// What its lengths are multiplied by; negative ones mirror it, none is zero.
        scale: Vector3<f64>,
    },
}

impl Shape {
    /// The first length that no shape has: its name and its value.
    pub fn fault(&self) -> Option<(&'static str, f64)> {
        let is_length = |value: f64| value.is_finite() && 0.0 < value;
        match self {
            Self::Box { size } => size.iter().find(|&&edge| !is_length(edge)).map(|&edge| ("size", edge)),
            Self::Cylinder { radius, length } | Self::Capsule { radius, length } => {
                [("radius", *radius), ("length", *length)].into_iter().find(|(_, value)| !is_length(*value))
            }
            Self::Sphere { radius } => Some(("radius", *radius)).filter(|(_, value)| !is_length(*value)),
            Self::Mesh { scale, .. } => {
                scale.iter().find(|&&by| !is_length(by.abs())).map(|&by| ("scale", by))
            }
        }
    }
}

/// The bodies of a link, in the URDF's order.
pub(super) fn bodies(link: &urdf_rs::Link) -> Result<Vec<Body>, ModelError> {
    link.collision.iter().enumerate().map(|(index, collision)| body(&link.name, index, collision)).collect()
}

fn body(link: &str, index: usize, collision: &urdf_rs::Collision) -> Result<Body, ModelError> {
    let name = collision.name.clone().unwrap_or_default();
    let called = || if name.is_empty() { format!("number {}", index + 1) } else { format!("`{name}`") };
    let fault = |what: &'static str, value: f64| ModelError::Body {
        link: link.to_owned(),
        body: called(),
        what,
        value,
    };
    let (xyz, rpy) = (&*collision.origin.xyz, &*collision.origin.rpy);
    if let Some(&value) = xyz.iter().chain(rpy).find(|value| !value.is_finite()) {
        return Err(ModelError::BodyOrigin { link: link.to_owned(), body: called(), value });
    }
    let shape = shape(&collision.geometry);
    if let Some((what, value)) = shape.fault() {
        return Err(fault(what, value));
    }
    let frame_from_body = Isometry3::from_parts(
        Translation3::new(xyz[0], xyz[1], xyz[2]),
        UnitQuaternion::from_euler_angles(rpy[0], rpy[1], rpy[2]),
    );
    Ok(Body { name, frame_from_body, shape })
}

fn shape(geometry: &urdf_rs::Geometry) -> Shape {
    match geometry {
        urdf_rs::Geometry::Box { size } => Shape::Box { size: Vector3::from(**size) },
        urdf_rs::Geometry::Cylinder { radius, length } => {
            Shape::Cylinder { radius: *radius, length: *length }
        }
        urdf_rs::Geometry::Capsule { radius, length } => Shape::Capsule { radius: *radius, length: *length },
        urdf_rs::Geometry::Sphere { radius } => Shape::Sphere { radius: *radius },
        urdf_rs::Geometry::Mesh { filename, scale } => Shape::Mesh {
            file: PathBuf::from(filename),
            scale: scale.as_ref().map_or_else(|| Vector3::repeat(1.0), |scale| Vector3::from(**scale)),
        },
    }
}
