//! What a follower is asked, and what it says about it.

use crate::config::arm::MAX_JOINTS;
use crate::config::controller::JointTolerance;
use crate::trajectory::motion::Motion;
use crate::trajectory::spline::JointState;
use crate::units::Time;

/// Names a goal between a node and the follower.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GoalId(pub u64);

/// A trajectory to execute, and what counts as having executed it.
#[derive(Clone, Debug)]
pub struct Goal {
    /// The goal's name.
    pub id: GoalId,
    /// The motion.
    pub motion: Motion,
    /// When its time zero is; `None` for the moment it is taken up.
    pub start: Option<Time>,
    /// How well it must be followed.
    pub tolerances: Tolerances,
    /// Whether joints that it leaves out finish the motion that they are in; otherwise they come to rest.
    pub blends: bool,
}

/// How well a goal must be followed.
#[derive(Clone, Debug, PartialEq)]
pub struct Tolerances {
    /// One for each joint of the controller.
    pub joints: Vec<JointTolerance>,
    /// How long after the end the joints may still settle (s); 0 for ever.
    pub goal_time_secs: f64,
    /// How long after the end the goal is given up (s), if it is.
    pub timeout_secs: Option<f64>,
}

/// What a node asks of the follower.
#[derive(Debug)]
pub enum Request {
    /// Execute this, instead of what is under way.
    Follow(Box<Goal>),
    /// End this goal, if it is still there, and come to rest.
    Cancel(GoalId),
    /// End whatever is under way, and come to rest.
    Stop,
    /// Go so many times as fast as trajectories say; 0 pauses.
    SetSpeed(f64),
    /// Where will the joints be at this time?
    Query(Time),
    /// Obey goals from now on.
    Activate(StartFrom),
    /// End whatever is under way, and obey none.
    Deactivate,
}

/// What a controller that becomes active takes for its reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartFrom {
    /// What the joints were told last.
    Command,
    /// Where they are.
    Measured,
}

/// What a follower says.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a box would allocate in the control thread")]
pub enum FollowerEvent {
    /// A goal ended.
    Ended(Ended),
    /// A goal is no longer needed. It comes back whole, so that nothing is freed where time matters.
    Retired(Box<Goal>),
    /// It obeys goals from now on, or does not any more.
    Active(bool),
    /// What the oldest [`Request::Query`] that has no answer yet asked for.
    Answer(Answer),
}

/// Where the joints will be, or why that is not known.
pub type Answer = Result<[JointState; MAX_JOINTS], &'static str>;

/// How a goal ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ended {
    /// The goal.
    pub id: GoalId,
    /// How it ended.
    pub outcome: Outcome,
}

/// How a goal ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome {
    /// At its end, within its tolerances.
    Reached,
    /// Because its client asked.
    Cancelled,
    /// Because another goal took its place.
    Replaced,
    /// Because the controller was deactivated.
    Deactivated,
    /// Because it was told to stop, or the arm could not go on; says why.
    Halted(&'static str),
    /// A joint was too far from its reference on the way.
    PathTolerance(Violation),
    /// A joint was too far from the end when time was over.
    GoalTolerance(Violation),
}

/// Which joint violated which tolerance, and by how much.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Violation {
    /// The joint (index into the controller's list).
    pub joint: usize,
    /// Reference minus measured position (rad or m).
    pub error: f64,
    /// The tolerance (rad or m).
    pub tolerance: f64,
    /// Seconds of the trajectory since its start.
    pub after_secs: f64,
    /// Seconds of the trajectory beyond its end and the time that it had to settle; 0 on the way.
    pub overdue_secs: f64,
}
