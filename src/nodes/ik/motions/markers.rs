//! What is planned, to be seen: the target's axes and the way of the tip, in the base frame of the group.
//!
//! Markers have no stamp and stay with their frame: they are where that is now, whoever's clock is looked at.

use std::cell::Cell;

use anyhow::anyhow;
use nalgebra::{Isometry3, Vector3};
use r2r::geometry_msgs::msg::{Point, Pose, Quaternion, Vector3 as Vector3Message};
use r2r::std_msgs::msg::{ColorRGBA, Header};
use r2r::visualization_msgs::msg::{Marker, MarkerArray};
use r2r::{Node, Publisher};

use crate::nodes::hardware::{latched, publish};

/// How long the axes of a target are, and how thick they and the path are (m).
const AXIS_LENGTH: f64 = 0.05;
const AXIS_WIDTH: f64 = 0.004;
const PATH_WIDTH: f64 = 0.002;
/// The path has no more points than that.
const MOST_POINTS: usize = 500;

/// Publishes `~/markers`; who comes later still gets the last.
pub(super) struct Markers {
    publisher: Publisher<MarkerArray>,
    /// Counts what was shown.
    shown: Cell<u64>,
}

/// Something that is shown until this is dropped, or something else is shown.
pub(super) struct Shown<'a> {
    markers: &'a Markers,
    number: u64,
}

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if self.markers.shown.get() == self.number {
            self.markers.clear();
        }
    }
}

impl Markers {
    pub(super) fn new(node: &mut Node) -> anyhow::Result<Self> {
        let publisher = node.create_publisher("~/markers", latched());
        let publisher = publisher.map_err(|error| anyhow!("cannot publish ~/markers: {error}"))?;
        let markers = Self { publisher, shown: Cell::new(0) };
        // Viewers still show what a node that ended in mid-motion left.
        markers.clear();
        Ok(markers)
    }

    /// Shows targets and the way of the tip, both in `base`, in place of what was shown.
    pub(super) fn show(&self, base: String, targets: &[Isometry3<f64>], tip: &[Isometry3<f64>]) -> Shown<'_> {
        let header = Header { frame_id: base, ..Header::default() };
        let mut markers = vec![delete_all()];
        if !targets.is_empty() {
            let axes = targets.iter().flat_map(axes);
            markers.push(lines(&header, "target_pose", Marker::LINE_LIST as i32, AXIS_WIDTH, axes));
        }
        let step = tip.len().div_ceil(MOST_POINTS).max(1);
        let last = tip.last().filter(|_| tip.len() % step != 1);
        let white = color(1.0, 1.0, 1.0);
        let way = tip.iter().step_by(step).chain(last).map(|pose| (pose.translation.vector, white.clone()));
        // One point is no line.
        if 1 < tip.len() {
            markers.push(lines(&header, "planned_path", Marker::LINE_STRIP as i32, PATH_WIDTH, way));
        }
        self.publish(markers);
        Shown { markers: self, number: self.shown.get() }
    }

    /// Shows nothing.
    pub(super) fn clear(&self) {
        self.publish(vec![delete_all()]);
    }

    fn publish(&self, markers: Vec<Marker>) {
        self.shown.set(self.shown.get().wrapping_add(1));
        publish(&self.publisher, &MarkerArray { markers });
    }
}

/// A point of a line (m), and its colour there.
pub(super) type Vertex = (Vector3<f64>, ColorRGBA);

/// Red, green and blue from the origin along x, y and z.
fn axes(pose: &Isometry3<f64>) -> Vec<Vertex> {
    let axis = |(direction, color): (Vector3<f64>, ColorRGBA)| {
        let begin = pose.translation.vector;
        let end = begin + pose.rotation * direction * AXIS_LENGTH;
        [(begin, color.clone()), (end, color)]
    };
    let directions = [
        (Vector3::x(), color(1.0, 0.0, 0.0)),
        (Vector3::y(), color(0.0, 1.0, 0.0)),
        (Vector3::z(), color(0.0, 0.0, 1.0)),
    ];
    directions.into_iter().flat_map(axis).collect()
}

/// A marker of lines; its id is 0, so there is one of each namespace.
pub(super) fn lines(
    header: &Header,
    namespace: &str,
    kind: i32,
    width: f64,
    vertices: impl Iterator<Item = Vertex>,
) -> Marker {
    let (points, colors) = vertices.map(|(at, color)| (Point { x: at.x, y: at.y, z: at.z }, color)).unzip();
    Marker {
        header: header.clone(),
        ns: namespace.to_owned(),
        type_: kind,
        action: Marker::ADD as i32,
        pose: Pose { orientation: Quaternion { w: 1.0, ..Quaternion::default() }, ..Pose::default() },
        scale: Vector3Message { x: width, ..Vector3Message::default() },
        color: color(1.0, 1.0, 1.0),
        frame_locked: true,
        points,
        colors,
        ..Marker::default()
    }
}

fn delete_all() -> Marker {
    Marker { action: Marker::DELETEALL as i32, ..Marker::default() }
}

pub(super) fn color(r: f32, g: f32, b: f32) -> ColorRGBA {
    ColorRGBA { r, g, b, a: 1.0 }
}
