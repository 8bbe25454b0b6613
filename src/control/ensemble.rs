//! The controllers of an arm side by side: each drives its own joints, and together they are one source of references.
//!
//! Joints that no controller drives are held.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use super::arm::{MeasuredJoint, Reference, ReferenceSource};
use super::follower::{Follower, FollowerEvent, GoalId, Request};
use super::gripper::{Gripper, GripperEvent, GripperRequest};
use crate::trajectory::spline::JointState;
use crate::units::Time;

/// The most controllers of one arm; snapshots have a fixed size.
pub const MAX_CONTROLLERS: usize = 8;

/// A controller.
#[derive(Debug)]
pub enum Member {
    /// It executes trajectories.
    Trajectory(Follower),
    /// It opens and closes a gripper.
    Gripper(Gripper),
}

/// What a node asks of a controller.
#[derive(Debug)]
pub enum MemberRequest {
    /// Of one that executes trajectories.
    Trajectory(Request),
    /// Of a gripper.
    Gripper(GripperRequest),
}

/// What a controller says.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a box would allocate in the control thread")]
pub enum MemberEvent {
    /// One that executes trajectories.
    Trajectory(FollowerEvent),
    /// A gripper.
    Gripper(GripperEvent),
}

/// What others may see of a controller.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MemberView {
    /// The goal under way.
    pub goal: Option<GoalId>,
    /// How fast trajectory time goes.
    pub speed_factor: f64,
    /// Seconds of its trajectory since the start of the goal under way.
    pub elapsed_secs: f64,
    /// Whether it obeys goals.
    pub active: bool,
    /// Whether it is a gripper that pushes against something and does not move.
    pub stalled: bool,
}

/// Controllers with joints of their own.
#[derive(Debug, Default)]
pub struct Ensemble {
    members: Vec<Member>,
}

impl Member {
    fn may_stall(&self, joint: usize) -> bool {
        match self {
            Self::Trajectory(_) => false,
            Self::Gripper(gripper) => gripper.may_stall(joint),
        }
    }

    fn source(&mut self) -> &mut dyn ReferenceSource {
        match self {
            Self::Trajectory(follower) => follower,
            Self::Gripper(gripper) => gripper,
        }
    }

    fn has_room(&self) -> bool {
        match self {
            Self::Trajectory(follower) => follower.has_room(),
            Self::Gripper(gripper) => gripper.has_room(),
        }
    }

    fn pop_event(&mut self) -> Option<MemberEvent> {
        match self {
            Self::Trajectory(follower) => follower.pop_event().map(MemberEvent::Trajectory),
            Self::Gripper(gripper) => gripper.pop_event().map(MemberEvent::Gripper),
        }
    }

    fn view(&self) -> MemberView {
        match self {
            Self::Trajectory(follower) => MemberView {
                goal: follower.current(),
                speed_factor: follower.speed_factor(),
                elapsed_secs: follower.elapsed_secs(),
                active: follower.is_active(),
                stalled: false,
            },
            Self::Gripper(gripper) => MemberView {
                goal: gripper.status().goal,
                speed_factor: 1.0,
                elapsed_secs: 0.0,
                active: gripper.is_active(),
                stalled: gripper.status().is_stalled,
            },
        }
    }

    fn is_idle(&self) -> bool {
        match self {
            Self::Trajectory(follower) => follower.is_idle(),
            Self::Gripper(gripper) => gripper.is_idle(),
        }
    }
}

impl Ensemble {
    /// Puts controllers together; they must not share joints.
    pub fn new(members: Vec<Member>) -> Self {
        Self { members }
    }

    /// The controllers, in the order in which requests name them.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Whether another request can be taken before [`Ensemble::pop_event`] is called.
    pub fn has_room(&self) -> bool {
        self.members.iter().all(Member::has_room)
    }

    /// Takes a request for a controller.
    pub fn request(&mut self, member: usize, request: MemberRequest) {
        match (self.members.get_mut(member), request) {
            (Some(Member::Trajectory(follower)), MemberRequest::Trajectory(request)) => {
                follower.request(request)
            }
            (Some(Member::Gripper(gripper)), MemberRequest::Gripper(request)) => gripper.request(request),
            _ => debug_assert!(false, "a request for another kind of controller"),
        }
    }

    /// What happened since the last call, one by one, and which controller says so.
    pub fn pop_event(&mut self) -> Option<(usize, MemberEvent)> {
        self.members.iter_mut().enumerate().find_map(|(index, member)| Some((index, member.pop_event()?)))
    }

    /// Whether no controller moves anything, or is about to.
    pub fn is_idle(&self) -> bool {
        self.members.iter().all(Member::is_idle)
    }

    /// What others may see of the controllers.
    pub fn views(&self) -> impl Iterator<Item = MemberView> {
        self.members.iter().map(Member::view)
    }

    /// The reference of the present of each joint that is driven, given to `put(joint, state)`.
    pub fn desired(&self, mut put: impl FnMut(usize, JointState)) {
        for member in &self.members {
            match member {
                Member::Trajectory(follower) => {
                    let states = follower.joints().iter().zip(follower.desired());
                    states.for_each(|(joint, state)| put(*joint, *state));
                }
                Member::Gripper(gripper) => put(gripper.joint(), gripper.desired()),
            }
        }
    }

    /// The reference one period ahead of each joint that is commanded now, given to `put(joint, state)`.
    pub fn commands(&self, mut put: impl FnMut(usize, JointState)) {
        for member in &self.members {
            match member {
                Member::Trajectory(follower) => follower.commands(&mut put),
                Member::Gripper(gripper) => put(gripper.joint(), gripper.desired()),
            }
        }
    }
}

impl ReferenceSource for Ensemble {
    fn step(&mut self, now: Time, measured: &[MeasuredJoint], reference: &mut [Reference]) -> bool {
        let mut moves = false;
        for member in &mut self.members {
            moves |= member.source().step(now, measured, reference);
        }
        moves
    }

    fn limit_efforts(&mut self, limits: &mut [f64]) {
        self.members.iter_mut().for_each(|member| member.source().limit_efforts(limits));
    }

    fn limit_speed(&mut self, most: f64) {
        self.members.iter_mut().for_each(|member| member.source().limit_speed(most));
    }

    fn may_stall(&self, joint: usize) -> bool {
        self.members.iter().any(|member| member.may_stall(joint))
    }

    fn hold_at(&mut self, positions: &[f64]) {
        self.members.iter_mut().for_each(|member| member.source().hold_at(positions));
    }

    fn halt(&mut self, why: &'static str) {
        self.members.iter_mut().for_each(|member| member.source().halt(why));
    }
}
