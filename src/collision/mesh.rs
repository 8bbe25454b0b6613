//! Meshes become convex hulls with few corners.
//!
//! Knows files of STL and OBJ, and where a URDF means them to be. Opens the files that a robot names, and no
//! other. What lies outside of the few corners is made up for by a skin, so that a hull is never too small.

use std::fs::File;
use std::io::BufReader;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use nalgebra::Vector3;
use parry3d_f64::math::{Pose, Vector};
use parry3d_f64::query::gjk::VoronoiSimplex;
use parry3d_f64::transformation::try_convex_hull;

use super::distance::nearest;
use super::error::CollisionError;
use super::solid::{Placed, Solid};

/// Where the files of a robot's meshes are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MeshFolders {
    /// Folders in which `package://PACKAGE/PATH` means `PACKAGE/PATH`, or the package's own folder: the `share` of
    /// each prefix that `AMENT_PREFIX_PATH` names.
    pub packages: Vec<PathBuf>,
    /// The folder of the URDF; relative paths start there.
    pub urdf: Option<PathBuf>,
}

impl MeshFolders {
    /// Those of an environment, whose `AMENT_PREFIX_PATH` is given.
    pub fn of_prefixes(ament_prefix_path: &str) -> Self {
        let packages = std::env::split_paths(ament_prefix_path).map(|prefix| prefix.join("share")).collect();
        Self { packages, urdf: None }
    }

    /// Where the file of this name may be, the likeliest first.
    pub fn candidates(&self, file: &str) -> Vec<PathBuf> {
        for scheme in ["package://", "model://"] {
            if let Some(rest) = file.strip_prefix(scheme) {
                let (package, path) = rest.split_once('/').unwrap_or((rest, ""));
                let own = self.packages.iter().filter(|folder| folder.ends_with(package));
                let below = self.packages.iter().map(|folder| folder.join(package).join(path));
                return below.chain(own.map(|folder| folder.join(path))).collect();
            }
        }
        let path = Path::new(file.strip_prefix("file://").unwrap_or(file));
        match &self.urdf {
            Some(folder) => vec![folder.join(path)],
            None => vec![path.to_owned()],
        }
    }
}

/// Corners beyond this cost more time than they save distance.
const MAX_CORNERS: usize = 64;
/// A skin this thick is thin enough (m).
const FINE: f64 = 2e-4;

/// The hull of the mesh in `file`, and where its frame is in the mesh's.
pub(super) fn load(
    owner: &str,
    file: &str,
    scale: Vector3<f64>,
    folders: &MeshFolders,
) -> Result<(Solid, Vector), CollisionError> {
    let format = Path::new(file).extension().map(|end| end.to_string_lossy().to_lowercase());
    let read: fn(&Path) -> Result<Vec<Vector>, String> = match format.as_deref() {
        Some("stl") => read_stl,
        Some("obj") => read_obj,
        other => {
            let format = other.map_or_else(|| "of no known kind".to_owned(), str::to_uppercase);
            return Err(CollisionError::Format { owner: owner.to_owned(), file: file.to_owned(), format });
        }
    };
    let candidates = folders.candidates(file);
    let Some(path) = candidates.iter().find(|path| path.is_file()) else {
        let (owner, file) = (owner.to_owned(), file.to_owned());
        return Err(CollisionError::NoMesh { owner, file, looked_for: candidates });
    };
    let scale = Vector::new(scale.x, scale.y, scale.z);
    let corners = read(path).and_then(|corners| hull_corners(corners, scale));
    let fault = |reason| CollisionError::Mesh { owner: owner.to_owned(), path: path.clone(), reason };
    Ok(reduced(&corners.map_err(fault)?))
}

fn read_stl(path: &Path) -> Result<Vec<Vector>, String> {
    let file = File::open(path).map_err(|cause| cause.to_string())?;
    let mut reader = BufReader::new(file);
    let triangles = stl_io::create_stl_reader(&mut reader).map_err(|cause| cause.to_string())?;
    let mut corners = Vec::new();
    for triangle in triangles {
        for corner in triangle.map_err(|cause| cause.to_string())?.vertices {
            corners.push(Vector::new(corner[0].into(), corner[1].into(), corner[2].into()));
        }
    }
    Ok(corners)
}

fn read_obj(path: &Path) -> Result<Vec<Vector>, String> {
    let file = File::open(path).map_err(|cause| cause.to_string())?;
    let no_materials = |_: &Path| Ok((Vec::new(), Default::default()));
    let options = tobj::LoadOptions { ignore_lines: true, ignore_points: true, ..Default::default() };
    let (models, _) = tobj::load_obj_buf(&mut BufReader::new(file), &options, no_materials)
        .map_err(|cause| cause.to_string())?;
    let numbers: Vec<f64> =
        models.iter().flat_map(|model| &model.mesh.positions).map(|&number| number.into()).collect();
    Ok(numbers.chunks_exact(3).map(|xyz| Vector::new(xyz[0], xyz[1], xyz[2])).collect())
}

/// The corners of the hull of all points; of a mesh that is flat or worse, all its points.
fn hull_corners(points: Vec<Vector>, scale: Vector) -> Result<Vec<Vector>, String> {
    let mut points: Vec<Vector> = points.into_iter().map(|point| point * scale).collect();
    if points.is_empty() {
        return Err("it has no triangles".to_owned());
    }
    if let Some(point) = points.iter().find(|point| !point.is_finite()) {
        return Err(format!("it has a corner at {point}; its numbers must be finite"));
    }
    points.sort_by(|a, b| a.x.total_cmp(&b.x).then(a.y.total_cmp(&b.y)).then(a.z.total_cmp(&b.z)));
    points.dedup();
    // The hull's own algorithm does not bear every degenerate mesh.
    let hull = catch_unwind(AssertUnwindSafe(|| try_convex_hull(&points)));
    match hull {
        Ok(Ok((corners, _))) if corners.iter().all(|corner| corner.is_finite()) && 3 < corners.len() => {
            Ok(corners)
        }
        _ => Ok(points),
    }
}

/// Few of the corners, the farthest out first, and a skin that holds all the others.
fn reduced(corners: &[Vector]) -> (Solid, Vector) {
    let mut kept: Vec<Vector> = Vec::new();
    for x in [-1.0, 0.0, 1.0] {
        for y in [-1.0, 0.0, 1.0] {
            for z in [-1.0, 0.0, 1.0] {
                let along = |corner: &&Vector| Vector::new(x, y, z).dot(**corner);
                let farthest = corners.iter().max_by(|a, b| along(a).total_cmp(&along(b)));
                kept.extend(farthest.filter(|corner| !kept.contains(corner)));
            }
        }
    }
    // How far each corner is outside; that only shrinks, so old values do until they come first.
    let mut outside: Vec<(f64, Vector)> = corners.iter().map(|corner| (f64::INFINITY, *corner)).collect();
    let skin = loop {
        let (hull, middle) = Solid::hull(&kept, 0.0);
        let farthest = farthest_outside(&mut outside, &hull, middle);
        match farthest {
            Some((distance, corner)) if FINE < distance && kept.len() < MAX_CORNERS => kept.push(corner),
            Some((distance, _)) => break distance,
            None => break 0.0,
        }
    };
    Solid::hull(&kept, skin)
}

/// The corner that is farthest outside of the hull. `outside` is in no order, and bounds each distance.
fn farthest_outside(outside: &mut [(f64, Vector)], hull: &Solid, middle: Vector) -> Option<(f64, Vector)> {
    let mut best: Option<(f64, Vector)> = None;
    outside.sort_by(|a, b| b.0.total_cmp(&a.0));
    for (bound, corner) in outside {
        if best.is_some_and(|(distance, _)| *bound <= distance) {
            break;
        }
        *bound = distance_to(hull, *corner - middle);
        if best.is_none_or(|(distance, _)| distance < *bound) {
            best = Some((*bound, *corner));
        }
    }
    best
}

fn distance_to(hull: &Solid, point: Vector) -> f64 {
    let corner = Solid::sphere(0.0);
    let (hull_pose, corner_pose) = (Pose::identity(), Pose::from_translation(point));
    let hull = Placed { solid: hull, root_from_solid: &hull_pose };
    let corner = Placed { solid: &corner, root_from_solid: &corner_pose };
    let found = nearest(hull, corner, f64::MAX, &mut VoronoiSimplex::new());
    found.map_or(0.0, |nearest| nearest.distance.max(0.0))
}

#[cfg(test)]
#[path = "mesh_tests.rs"]
mod tests;
