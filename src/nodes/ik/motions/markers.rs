//! What is planned, to be seen: the target's axes and the way of the tip, in the base frame of the group.

use anyhow::anyhow;
use nalgebra::{Isometry3, Vector3};
use r2r::geometry_msgs::msg::{Point, Pose, Quaternion, Vector3 as Vector3Message};
use r2r::qos::DurabilityPolicy;
use r2r::std_msgs::msg::{ColorRGBA, Header};
use r2r::visualization_msgs::msg::{Marker, MarkerArray};
use r2r::{Node, Publisher, QosProfile};

use crate::nodes::messages::stamp_now;

/// How long the axes of a target are, and how thick they and the path are (m).
const AXIS_LENGTH: f64 = 0.05;
const AXIS_WIDTH: f64 = 0.004;
const PATH_WIDTH: f64 = 0.002;
/// The path has no more points than that.
const MOST_POINTS: usize = 500;

/// Publishes `~/markers`; who comes later still gets the last.
pub(super) struct Markers {
    publisher: Publisher<MarkerArray>,
}

impl Markers {
    pub(super) fn new(node: &mut Node) -> anyhow::Result<Self> {
        let qos =
            QosProfile { durability: DurabilityPolicy::TransientLocal, ..QosProfile::default().keep_last(1) };
        let publisher = node.create_publisher("~/markers", qos);
        Ok(Self { publisher: publisher.map_err(|error| anyhow!("cannot publish ~/markers: {error}"))? })
    }

    /// Shows targets and the way of the tip, both in `base`, in place of what was shown.
    pub(super) fn show(&self, base: &str, targets: &[Isometry3<f64>], tip: &[Isometry3<f64>]) {
        let header = Header { stamp: stamp_now(), frame_id: base.to_owned() };
        let mut markers = vec![delete_all(&header)];
        let axes = targets.iter().flat_map(axes);
        markers.push(lines(&header, "target_pose", Marker::LINE_LIST as i32, AXIS_WIDTH, axes));
        let step = tip.len().div_ceil(MOST_POINTS).max(1);
        let last = tip.last().filter(|_| tip.len() % step != 1);
        let white = color(1.0, 1.0, 1.0);
        let way = tip.iter().step_by(step).chain(last).map(|pose| (pose.translation.vector, white.clone()));
        markers.push(lines(&header, "planned_path", Marker::LINE_STRIP as i32, PATH_WIDTH, way));
        self.publish(markers);
    }

    /// Shows nothing.
    pub(super) fn clear(&self) {
        self.publish(vec![delete_all(&Header { stamp: stamp_now(), frame_id: String::new() })]);
    }

    fn publish(&self, markers: Vec<Marker>) {
        if let Err(error) = self.publisher.publish(&MarkerArray { markers }) {
            tracing::debug!(%error, "markers were not published");
        }
    }
}

type Vertex = (Vector3<f64>, ColorRGBA);

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

fn lines(
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
        points,
        colors,
        ..Marker::default()
    }
}

fn delete_all(header: &Header) -> Marker {
    Marker { header: header.clone(), action: Marker::DELETEALL as i32, ..Marker::default() }
}

fn color(r: f32, g: f32, b: f32) -> ColorRGBA {
    ColorRGBA { r, g, b, a: 1.0 }
}
