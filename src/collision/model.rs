//! The collision model: the shapes of a robot's links and of what stands around it, and which links may touch.
//!
//! Knows no posture; [`super::Checker`] does. Cheap to clone next to what it costs to make.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use nalgebra::Isometry3;
use parry3d_f64::math::{Pose, Vector};

use super::allowed::{self, Allowed, Reason};
use super::error::CollisionError;
use super::mesh::{self, MeshFolders};
use super::scene::{Part, TOO_FAR, is_sound_pose, to_pose};
use super::skeleton::Skeleton;
use super::solid::Solid;
use crate::kinematics::{RobotModel, Shape};

/// How a collision model is made of a robot.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the files of meshes are.
    pub meshes: MeshFolders,
    /// Whether a mesh that is not there or cannot be read is left out, with a warning, instead of refused.
    pub leaves_out_missing_meshes: bool,
    /// Links that may touch, by name.
    pub allowed: Vec<[String; 2]>,
    /// The text of MoveIt's semantic description, whose links may touch that it disables.
    pub srdf: Option<String>,
    /// How many random postures say which links touch always or never; 0 for none.
    pub samples: usize,
    /// The folder that keeps what the postures said; without it that is found out each time.
    pub cache_folder: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            meshes: MeshFolders::default(),
            leaves_out_missing_meshes: false,
            allowed: Vec::new(),
            srdf: None,
            samples: 2000,
            cache_folder: None,
        }
    }
}

/// The shape of an obstacle, or of something that the arm carries.
#[derive(Clone, Debug, PartialEq)]
pub enum ObstacleShape {
    /// A shape like those of links; a mesh is looked for where the robot's are.
    Solid(Shape),
    /// All that is below z = 0 of its own frame, without end: a table, a floor, a wall.
    HalfSpace,
}

/// The shapes of a robot's links, what stands around it, and which links may touch.
#[derive(Clone, Debug)]
pub struct CollisionModel {
    pub(super) skeleton: Arc<Skeleton>,
    pub(super) parts: Arc<[Part]>,
    pub(super) objects: BTreeMap<String, Object>,
    pub(super) allowed: Arc<Allowed>,
    meshes: MeshFolders,
    warnings: Vec<String>,
}

/// An obstacle, which the root carries, or something that another link does.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) part: Part,
    /// The frames that it may touch.
    pub(super) may_touch: Vec<usize>,
}

impl CollisionModel {
    /// The shapes of `robot`, and the pairs of links that may touch.
    ///
    /// Takes tenths of a second for sampling, unless the cache knows the robot.
    ///
    /// # Errors
    /// Where a mesh is missing or damaged and not to be left out, an allowed pair names a link that there is not, or
    /// the SRDF is none.
    pub fn new(robot: &RobotModel, options: &Options) -> Result<Self, CollisionError> {
        let skeleton = Skeleton::new(robot);
        let mut warnings = Vec::new();
        let mut parts = Vec::new();
        for (frame, link) in robot.frames().iter().enumerate() {
            let owner: Arc<str> = link.name.as_str().into();
            for body in &link.collision {
                let of = format!("link `{owner}`");
                match solid(&of, &body.shape, &options.meshes) {
                    Ok((solid, middle)) => {
                        let frame_from_solid =
                            to_pose(&body.frame_from_body) * Pose::from_translation(middle);
                        parts.push(Part { owner: owner.clone(), frame, frame_from_solid, solid });
                    }
                    Err(error) if is_left_out(&error, options) => {
                        warnings.push(format!("{error}; it is left out of collision checks"));
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        let (allowed, more) = allowed::find(&skeleton, &parts, options)?;
        warnings.extend(more);
        Ok(Self {
            skeleton: Arc::new(skeleton),
            parts: parts.into(),
            objects: BTreeMap::new(),
            allowed: Arc::new(allowed),
            meshes: options.meshes.clone(),
            warnings,
        })
    }

    /// What the user should know: meshes that were left out, a cache that cannot be written. One sentence each.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The pairs of links that are not looked at, by name, and why.
    pub fn allowed_pairs(&self) -> impl Iterator<Item = (&str, &str, Reason)> {
        let name = |frame: usize| self.skeleton.names[frame].as_str();
        self.allowed.iter().map(move |(&(first, second), &reason)| (name(first), name(second), reason))
    }

    /// The links that have shapes, in the order of the robot's frames.
    pub fn links_with_shapes(&self) -> impl Iterator<Item = &str> {
        let names = &self.skeleton.names;
        let is_solid = |frame: usize| self.parts.iter().any(|part| part.frame == frame);
        names.iter().enumerate().filter(move |(frame, _)| is_solid(*frame)).map(|(_, name)| name.as_str())
    }

    /// Puts an obstacle at `root_from_obstacle`, instead of one of the same name. Links that no joint moves may touch
    /// it: a table may be where the arm stands on it. Checkers made before do not see it.
    ///
    /// # Errors
    /// Where the name is a link's, the shape has no extent, the pose is not finite, or a mesh cannot be read.
    pub fn add_obstacle(
        &mut self,
        name: &str,
        shape: &ObstacleShape,
        root_from_obstacle: &Isometry3<f64>,
    ) -> Result<(), CollisionError> {
        self.add(name, shape, 0, root_from_obstacle, Vec::new())
    }

    /// Has `link` carry an object, instead of an obstacle or object of the same name. It may touch the links of
    /// `may_touch`, and those that no joint moves in `link`. Checkers made before do not see it.
    ///
    /// # Errors
    /// As for [`CollisionModel::add_obstacle`], and where there is no such link.
    pub fn attach(
        &mut self,
        name: &str,
        shape: &ObstacleShape,
        link: &str,
        link_from_object: &Isometry3<f64>,
        may_touch: &[&str],
    ) -> Result<(), CollisionError> {
        let what = format!("object `{name}`");
        let frame = allowed::link(&self.skeleton, &what, link)?;
        let may_touch = may_touch.iter().map(|link| allowed::link(&self.skeleton, &what, link));
        let may_touch = may_touch.collect::<Result<Vec<_>, _>>()?;
        self.add(name, shape, frame, link_from_object, may_touch)
    }

    /// Takes the obstacle or object of this name away; false where there is none.
    pub fn remove_obstacle(&mut self, name: &str) -> bool {
        self.objects.remove(name).is_some()
    }

    /// The names of obstacles and carried objects.
    pub fn obstacles(&self) -> impl Iterator<Item = &str> {
        self.objects.keys().map(String::as_str)
    }

    fn add(
        &mut self,
        name: &str,
        shape: &ObstacleShape,
        frame: usize,
        frame_from_object: &Isometry3<f64>,
        may_touch: Vec<usize>,
    ) -> Result<(), CollisionError> {
        if self.skeleton.index_of(name).is_some() {
            return Err(CollisionError::NameOfALink(name.to_owned()));
        }
        let pose = to_pose(frame_from_object);
        if !is_sound_pose(&pose) {
            return Err(CollisionError::Pose(name.to_owned()));
        }
        let (solid, middle) = match shape {
            ObstacleShape::HalfSpace => (Solid::half_space(), Vector::ZERO),
            ObstacleShape::Solid(shape) => {
                if let Some((what, value)) = shape.fault() {
                    return Err(CollisionError::Shape { name: name.to_owned(), what, value });
                }
                solid(&format!("obstacle `{name}`"), shape, &self.meshes)?
            }
        };
        let frame_from_solid = pose * Pose::from_translation(middle);
        let part = Part { owner: name.into(), frame, frame_from_solid, solid };
        self.objects.insert(name.to_owned(), Object { part, may_touch });
        Ok(())
    }
}

/// What cannot be read at all by this program is left out in any case: a robot whose meshes are DAE should move.
fn is_left_out(error: &CollisionError, options: &Options) -> bool {
    match error {
        CollisionError::Format { .. } => true,
        CollisionError::NoMesh { .. } | CollisionError::Mesh { .. } => options.leaves_out_missing_meshes,
        _ => false,
    }
}

/// The solid of a shape, and where its frame is in the shape's.
fn solid(owner: &str, shape: &Shape, meshes: &MeshFolders) -> Result<(Solid, Vector), CollisionError> {
    let solid = match shape {
        Shape::Box { size } => Solid::cuboid(Vector::new(size.x, size.y, size.z)),
        Shape::Cylinder { radius, length } => Solid::cylinder(*radius, *length),
        Shape::Capsule { radius, length } => Solid::capsule(*radius, *length),
        Shape::Sphere { radius } => Solid::sphere(*radius),
        Shape::Mesh { file, scale } => return mesh::load(owner, &file.to_string_lossy(), *scale, meshes),
    };
    if TOO_FAR < solid.radius() {
        return Err(CollisionError::TooLarge { owner: owner.to_owned(), radius: solid.radius() });
    }
    Ok((solid, Vector::ZERO))
}
