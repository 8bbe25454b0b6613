//! A trajectory controller's view of one moment, and the topic that tells it.

use r2r::Publisher;
use r2r::control_msgs::action::FollowJointTrajectory::Feedback;
use r2r::control_msgs::msg::JointTrajectoryControllerState;
use r2r::std_msgs::msg::Header;
use r2r::trajectory_msgs::msg::JointTrajectoryPoint;
use tokio::sync::watch;

use crate::config::arm::MAX_JOINTS;
use crate::control::arm::MeasuredJoint;
use crate::control::ensemble::MemberView;
use crate::control::follower::position_error;
use crate::nodes::hardware::{has_subscriber, publish};
use crate::nodes::messages::{duration_of, stamp_of};
use crate::nodes::publisher::SnapshotSink;
use crate::servo::snapshot::{Occasion, Snapshot};
use crate::trajectory::limits::JointLimits;
use crate::trajectory::spline::JointState;
use crate::units::Time;

/// A controller's view of one moment.
#[derive(Clone, Copy, Debug)]
pub struct ControllerReport {
    /// The moment.
    pub time: Time,
    /// The goal under way, the speed factor, whether it is active.
    pub view: MemberView,
    joint_count: usize,
    joints: [JointReport; MAX_JOINTS],
}

/// One joint in a [`ControllerReport`].
#[derive(Clone, Copy, Debug, Default)]
pub struct JointReport {
    /// Where it should be.
    pub desired: JointState,
    /// Where it is.
    pub measured: MeasuredJoint,
    /// How far it is from where it should be (rad or m).
    pub error: f64,
    /// What it is told (rad or m).
    pub command: f64,
}

/// Publishes `~/controller_state`, and tells the latest report to the controller's other parts.
pub struct ControllerPublisher {
    pub(super) names: Vec<String>,
    /// Which of the process's controllers it is.
    pub(super) member: usize,
    /// For each joint, which of the arm's it is.
    pub(super) joints: Vec<usize>,
    pub(super) limits: Vec<JointLimits>,
    pub(super) state: Publisher<JointTrajectoryControllerState>,
    pub(super) report: watch::Sender<ControllerReport>,
}

impl ControllerReport {
    /// A report of `joint_count` joints (at most [`MAX_JOINTS`]) that says nothing yet.
    pub fn new(joint_count: usize) -> Self {
        Self {
            time: Time(0),
            view: MemberView { active: true, speed_factor: 1.0, ..MemberView::default() },
            joint_count: joint_count.min(MAX_JOINTS),
            joints: [JointReport::default(); MAX_JOINTS],
        }
    }

    /// The joints, in the controller's order.
    pub fn joints(&self) -> &[JointReport] {
        &self.joints[..self.joint_count]
    }

    /// Feedback for the client of a goal.
    pub(super) fn feedback(&self, names: &[String]) -> Feedback {
        Feedback {
            header: self.header(),
            joint_names: names.to_vec(),
            desired: self.desired(),
            actual: self.actual(),
            error: self.error(),
            ..Feedback::default()
        }
    }

    fn state(&self, names: &[String]) -> JointTrajectoryControllerState {
        JointTrajectoryControllerState {
            header: self.header(),
            joint_names: names.to_vec(),
            reference: self.desired(),
            feedback: self.actual(),
            error: self.error(),
            output: self.output(),
            speed_scaling_factor: self.view.speed_factor,
            ..JointTrajectoryControllerState::default()
        }
    }

    fn header(&self) -> Header {
        Header { stamp: stamp_of(self.time), ..Header::default() }
    }

    fn desired(&self) -> JointTrajectoryPoint {
        let column =
            |value: fn(&JointState) -> f64| self.joints().iter().map(|j| value(&j.desired)).collect();
        JointTrajectoryPoint {
            time_from_start: duration_of(self.view.elapsed_secs),
            positions: column(|state| state.position),
            velocities: column(|state| state.velocity),
            accelerations: column(|state| state.acceleration),
            ..JointTrajectoryPoint::default()
        }
    }

    fn actual(&self) -> JointTrajectoryPoint {
        JointTrajectoryPoint {
            positions: self.joints().iter().map(|joint| joint.measured.position).collect(),
            velocities: self.joints().iter().map(|joint| joint.measured.velocity).collect(),
            ..JointTrajectoryPoint::default()
        }
    }

    fn error(&self) -> JointTrajectoryPoint {
        let velocities =
            self.joints().iter().map(|joint| joint.desired.velocity - joint.measured.velocity).collect();
        JointTrajectoryPoint {
            positions: self.joints().iter().map(|joint| joint.error).collect(),
            velocities,
            ..JointTrajectoryPoint::default()
        }
    }

    fn output(&self) -> JointTrajectoryPoint {
        let positions = self.joints().iter().map(|joint| joint.command).collect();
        JointTrajectoryPoint { positions, ..JointTrajectoryPoint::default() }
    }
}

impl SnapshotSink for ControllerPublisher {
    fn see(&mut self, snapshot: &Snapshot) {
        let mut report = ControllerReport::new(self.joints.len());
        (report.time, report.view) = (snapshot.time, snapshot.members[self.member]);
        for (own, &joint) in self.joints.iter().enumerate() {
            let seen = &snapshot.joints()[joint];
            let desired = seen.desired;
            report.joints[own] = JointReport {
                desired,
                measured: MeasuredJoint::from(&seen.servo),
                error: position_error(desired.position, seen.servo.position, &self.limits[own]),
                command: seen.command,
            };
        }
        self.report.send_replace(report);
        if snapshot.occasion != Occasion::Between && has_subscriber(&self.state) {
            publish(&self.state, &report.state(&self.names));
        }
    }
}
