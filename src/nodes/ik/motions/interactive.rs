//! A target that is dragged: an interactive marker, by the protocol of ROS 2's `interactive_markers`.
//!
//! `~/target/update`, `~/target/feedback` and `~/target/get_interactive_markers`. The handle stays at the measured tip
//! until somebody drags it; let go of, or by its menu, it is what `~/target_pose` would be. [`handle`] knows when what
//! happens; here it is said on ROS.

mod handle;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use futures::StreamExt as _;
use nalgebra::Isometry3;
use r2r::geometry_msgs::msg::{Pose, PoseStamped, Quaternion, Vector3};
use r2r::std_msgs::msg::Header;
use r2r::visualization_msgs::msg::{
    InteractiveMarker, InteractiveMarkerControl, InteractiveMarkerFeedback, InteractiveMarkerPose,
    InteractiveMarkerUpdate, Marker, MenuEntry,
};
use r2r::visualization_msgs::srv::GetInteractiveMarkers;
use r2r::{Node, Publisher, QosProfile};

use super::Motions;
use super::markers::color;
use super::targets::Within;
use crate::nodes::hardware::publish;
use crate::nodes::ik::failure::Failure;
use crate::nodes::ik::tf::message_of;
use crate::nodes::parameters::{respond, service};
use crate::nodes::ros;
use handle::{Act, Event, Handle};

/// The marker's name, and how large its rings and arrows are (m).
const NAME: &str = "target";
const SCALE: f32 = 0.12;
/// The ball in its middle, which has the menu and can be dragged freely (m).
const BALL: f64 = 0.025;
/// How often the handle goes after the tip.
const PERIOD: Duration = Duration::from_millis(100);

/// The menu, in its order.
const MENU: [(u32, &str); 3] = [(GO, "Go there"), (BACK, "Back to the tip"), (STOP, "Stop")];
const GO: u32 = 1;
const BACK: u32 = 2;
const STOP: u32 = 3;

/// Offers it, for the group that moves where nobody names one.
///
/// # Errors
/// Where that cannot be.
pub(super) fn offer(node: &mut Node, motions: &Rc<Motions>) -> anyhow::Result<()> {
    let qos = || QosProfile::default().keep_last(100);
    let updates = node.create_publisher("~/target/update", qos());
    let updates = updates.map_err(|error| anyhow!("cannot publish ~/target/update: {error}"))?;
    let feedback = node.subscribe::<InteractiveMarkerFeedback>("~/target/feedback", qos());
    let feedback = feedback.map_err(|error| anyhow!("cannot listen to ~/target/feedback: {error}"))?;
    let requests = service::<GetInteractiveMarkers::Service>(node, "~/target/get_interactive_markers")?;
    let server_id = node.fully_qualified_name()?;
    let state = RefCell::new(State { sequence: 0, handle: Handle::default(), marker: None });
    let server = Rc::new(Server { motions: motions.clone(), updates, server_id, state });
    let shared = server.clone();
    ros::spawn(requests.for_each(move |request| {
        let state = shared.state.borrow();
        let markers = state.marker.clone().into_iter().collect();
        respond(request, GetInteractiveMarkers::Response { sequence_number: state.sequence, markers });
        futures::future::ready(())
    }));
    let shared = server.clone();
    ros::spawn(feedback.for_each(move |feedback| {
        shared.clone().take(&feedback);
        futures::future::ready(())
    }));
    ros::spawn(async move {
        loop {
            server.follow();
            tokio::time::sleep(PERIOD).await;
        }
    });
    Ok(())
}

/// The marker's server.
struct Server {
    motions: Rc<Motions>,
    updates: Publisher<InteractiveMarkerUpdate>,
    server_id: String,
    state: RefCell<State>,
}

struct State {
    /// Counts updates, so that clients notice when they have missed one.
    sequence: u64,
    handle: Handle,
    /// As clients have it; none before the tip has been measured.
    marker: Option<InteractiveMarker>,
}

impl Server {
    /// Puts the marker where the tip is, unless somebody has it elsewhere.
    fn follow(&self) {
        let Some((group, tip)) = self.motions.tip() else { return };
        let is_new = self.state.borrow().marker.is_none();
        if self.state.borrow_mut().handle.follow(Instant::now(), &tip) || is_new {
            self.put(&self.motions.context.transforms.name_of(&group.base), &tip);
        }
    }

    /// Puts the marker somewhere, and tells every client.
    fn put(&self, base: &str, base_from_marker: &Isometry3<f64>) {
        let mut state = self.state.borrow_mut();
        state.sequence += 1;
        let mut update = InteractiveMarkerUpdate {
            server_id: self.server_id.clone(),
            seq_num: state.sequence,
            type_: InteractiveMarkerUpdate::UPDATE as u8,
            ..InteractiveMarkerUpdate::default()
        };
        let (pose, header) = (message_of(base_from_marker), header(base));
        if let Some(marker) = &mut state.marker {
            marker.pose = pose.clone();
            update.poses.push(InteractiveMarkerPose { header, pose, name: NAME.to_owned() });
        } else {
            update.markers.push(state.marker.insert(marker(header, pose)).clone());
        }
        publish(&self.updates, &update);
    }

    fn take(self: Rc<Self>, feedback: &InteractiveMarkerFeedback) {
        let Some(event) = event_of(feedback) else { return };
        let at = match self.pose(feedback) {
            Ok(at) => at,
            Err(failure) => return tracing::warn!("~/target/feedback: {}", failure.message),
        };
        let now = Instant::now();
        let goes_on_release = self.motions.context.settings().markers.goes_on_release;
        let act =
            self.state.borrow_mut().handle.take(event, &feedback.client_id, &at.1, now, goes_on_release);
        match act {
            Act::Nothing => {}
            Act::Put => self.put(&at.0, &at.1),
            Act::Stop => {
                let motions = self.motions.clone();
                ros::spawn(async move {
                    if let Err(failure) = motions.halt().await {
                        tracing::warn!("~/{NAME}: {}", failure.message);
                    }
                });
            }
            Act::Go(turn) => {
                let pose = PoseStamped { header: header(&at.0), pose: message_of(&at.1) };
                ros::spawn(async move {
                    self.motions.clone().go_to_pose(pose, Within::Reach, NAME).await;
                    self.state.borrow_mut().handle.arrived(turn);
                });
            }
        }
    }

    /// The base of the group that moves, and where the client has the marker in it.
    fn pose(&self, feedback: &InteractiveMarkerFeedback) -> Result<(String, Isometry3<f64>), Failure> {
        let context = &self.motions.context;
        let group = self.motions.moved_group("")?;
        let stamped = PoseStamped { header: feedback.header.clone(), pose: feedback.pose.clone() };
        let at = context.base_from(group, &stamped, &context.positions())?;
        Ok((context.transforms.name_of(&group.base), at))
    }
}

/// What a client has done with the marker; nothing where that means nothing here.
fn event_of(feedback: &InteractiveMarkerFeedback) -> Option<Event> {
    type Feedback = InteractiveMarkerFeedback;
    if feedback.marker_name != NAME {
        return None;
    }
    match u32::from(feedback.event_type) {
        kind if kind == Feedback::KEEP_ALIVE as u32 => Some(Event::KeepAlive),
        kind if kind == Feedback::POSE_UPDATE as u32 => Some(Event::Dragged),
        kind if kind == Feedback::MOUSE_UP as u32 => Some(Event::Released),
        kind if kind == Feedback::MENU_SELECT as u32 => match feedback.menu_entry_id {
            GO => Some(Event::Go),
            BACK => Some(Event::Back),
            STOP => Some(Event::Stop),
            _ => None,
        },
        _ => None,
    }
}

/// Without a stamp: the marker stays with its frame, and clients say in that frame where it was dragged.
fn header(frame: &str) -> Header {
    Header { frame_id: frame.to_owned(), ..Header::default() }
}

/// A ball with a menu, three arrows and three rings.
fn marker(header: Header, pose: Pose) -> InteractiveMarker {
    type Control = InteractiveMarkerControl;
    let ball = Marker {
        type_: Marker::SPHERE as i32,
        scale: Vector3 { x: BALL, y: BALL, z: BALL },
        color: r2r::std_msgs::msg::ColorRGBA { a: 0.6, ..color(1.0, 0.6, 0.1) },
        pose: Pose { orientation: Quaternion { w: 1.0, ..Quaternion::default() }, ..Pose::default() },
        ..Marker::default()
    };
    let middle = Control {
        name: "middle".to_owned(),
        orientation: Quaternion { w: 1.0, ..Quaternion::default() },
        interaction_mode: Control::MOVE_ROTATE_3D as u8,
        always_visible: true,
        markers: vec![ball],
        ..Control::default()
    };
    let half = std::f64::consts::FRAC_1_SQRT_2;
    // Turned so that its own x, along which it moves and about which it turns, is the marker's x, y or z.
    let axes = [
        ("x", Quaternion { w: half, x: half, ..Quaternion::default() }),
        ("y", Quaternion { w: half, z: half, ..Quaternion::default() }),
        ("z", Quaternion { w: half, y: half, ..Quaternion::default() }),
    ];
    let handles = axes.into_iter().flat_map(|(axis, orientation)| {
        [("move", Control::MOVE_AXIS as u8), ("turn", Control::ROTATE_AXIS as u8)].map(|(what, mode)| {
            Control {
                name: format!("{what}_{axis}"),
                orientation: orientation.clone(),
                interaction_mode: mode,
                ..Control::default()
            }
        })
    });
    let entry = |(id, title): (u32, &str)| MenuEntry { id, title: title.to_owned(), ..MenuEntry::default() };
    InteractiveMarker {
        header,
        pose,
        name: NAME.to_owned(),
        description: String::new(),
        scale: SCALE,
        menu_entries: MENU.into_iter().map(entry).collect(),
        controls: std::iter::once(middle).chain(handles).collect(),
    }
}
