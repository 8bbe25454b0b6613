//! Why a trajectory is not executed, in words that help.

use super::feasibility::Quantity;

/// Why a trajectory is refused. Where `joint_trajectory_controller` has a text for it, the text begins like that one.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// No point at all.
    #[error("Empty trajectory received.")]
    NoPoints,
    /// No joint at all.
    #[error("Empty joint names on incoming trajectory.")]
    NoJoints,
    /// A name that the arm does not have.
    #[error("Incoming joint {joint} doesn't match the controller's joints. They are {}.", known.join(", "))]
    UnknownJoint {
        /// The name that was given.
        joint: String,
        /// The names that would be right.
        known: Vec<String>,
    },
    /// The same name twice.
    #[error("Joint {0} is named twice on incoming trajectory.")]
    RepeatedJoint(String),
    /// Not every joint of the arm is named, and that is not allowed.
    #[error("Joints on incoming trajectory don't match the controller joints. Missing: {} (allow_partial_joints_goal is false).", missing.join(", "))]
    MissingJoints {
        /// The joints that were left out.
        missing: Vec<String>,
    },
    /// A list has another length than the list of names.
    #[error("Mismatch between joint_names size ({expected}) and {field} ({actual}) at point #{point}.")]
    Size {
        /// `positions`, `velocities` or `accelerations`.
        field: &'static str,
        /// Which point, from 0.
        point: usize,
        /// How many joints are named.
        expected: usize,
        /// How many numbers are there.
        actual: usize,
    },
    /// A point without anything to follow.
    #[error("The given trajectory has no position, velocity, or acceleration points. Point #{0} is empty.")]
    NoFields(usize),
    /// Positions are to be integrated, and nothing says where from.
    #[error("Point #{0} has no positions, and where the joints start is not known.")]
    NoStart(usize),
    /// More than anybody can mean.
    #[error("The trajectory has {count} points; the most are {most}.")]
    TooManyPoints {
        /// How many there are.
        count: usize,
        /// How many there may be.
        most: usize,
    },
    /// Efforts are given, and servos take positions.
    #[error(
        "Trajectories with effort fields are only supported for controllers using the 'effort' command interface. Point #{0} has them."
    )]
    Effort(usize),
    /// NaN, infinity, or a number beyond all measure.
    #[error("{field} of joint {joint} at point #{point} is {value}; it must be a finite number within ±1e9.")]
    NotFinite {
        /// `positions`, `velocities` or `accelerations`.
        field: &'static str,
        /// The joint's name.
        joint: String,
        /// Which point, from 0.
        point: usize,
        /// What was given.
        value: f64,
    },
    /// A position that the joint cannot take.
    #[error(
        "Position of joint {joint} at point #{point} is {position:.4}; its limits are {lower:.4} to {upper:.4}."
    )]
    Limit {
        /// The joint's name.
        joint: String,
        /// Which point, from 0.
        point: usize,
        /// What was given.
        position: f64,
        /// Lower end of the travel.
        lower: f64,
        /// Upper end of the travel.
        upper: f64,
    },
    /// A position on the way that the joint cannot take, where all points are within the limits.
    #[error(
        "Position of joint {joint} would be {position:.4} at {time:.3} s, on the way between points; its limits are {lower:.4} to {upper:.4}."
    )]
    Overshoot {
        /// The joint's name.
        joint: String,
        /// Seconds from the start.
        time: f64,
        /// Where it would be.
        position: f64,
        /// Lower end of the travel.
        lower: f64,
        /// Upper end of the travel.
        upper: f64,
    },
    /// More than a joint can do.
    #[error("{quantity} of joint {joint} would be {value:.4} at {time:.3} s; its limit is {limit:.4}.")]
    Excess {
        /// What is too much.
        quantity: Quantity,
        /// The joint's name.
        joint: String,
        /// Seconds from the start.
        time: f64,
        /// The absolute value (rad or m, and a second, a second squared or cubed).
        value: f64,
        /// The limit.
        limit: f64,
    },
    /// Time does not go forward.
    #[error("Time between points {} and {point} is not strictly increasing, it is {before:.6} and {time:.6} respectively.", point - 1)]
    Time {
        /// The later point.
        point: usize,
        /// `time_from_start` of the point before (s).
        before: f64,
        /// `time_from_start` of this point (s).
        time: f64,
    },
    /// Positions without times that no times can be found for; says why.
    #[error("The points have no times, and none can be found for them: {0}.")]
    Untimed(String),
    /// Time that is none.
    #[error(
        "time_from_start of point #{point} is {time} s; it must be finite, whole nanoseconds, and must not be negative."
    )]
    BadTime {
        /// Which point, from 0.
        point: usize,
        /// What was given (s).
        time: f64,
    },
    /// A duration that is none.
    #[error("time_from_start of point #{point} has {nanosec} nanoseconds; they must be below 1000000000.")]
    Nanoseconds {
        /// Which point, from 0.
        point: usize,
        /// What was given.
        nanosec: u32,
    },
    /// The motion would not end at rest.
    #[error("Velocity of last trajectory point of joint {joint} is not zero: {velocity:.15}")]
    MovingEnd {
        /// The joint's name.
        joint: String,
        /// Its velocity at the end.
        velocity: f64,
    },
    /// The whole trajectory lies in the past.
    #[error(
        "Received trajectory with non-zero start time ({start:.6}) that ends in the past ({end:.6}), {ago:.3} s ago."
    )]
    Past {
        /// When it should have started (s, as the stamp says it).
        start: f64,
        /// When it would have ended (s).
        end: f64,
        /// How long ago that is (s).
        ago: f64,
    },
    /// The controller does not take goals now.
    #[error("Can't accept new action goals. Controller is not running.")]
    Inactive,
    /// A tolerance that means nothing.
    #[error("{0}")]
    Tolerance(String),
}

/// The kinds of refusal that clients tell apart by code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// The joints are not the arm's.
    Joints,
    /// The time is over.
    OldTimestamp,
    /// Anything else.
    Goal,
}

impl Refusal {
    /// Which kind of refusal this is.
    pub fn kind(&self) -> RefusalKind {
        match self {
            Self::NoJoints
            | Self::UnknownJoint { .. }
            | Self::RepeatedJoint(_)
            | Self::MissingJoints { .. } => RefusalKind::Joints,
            Self::Past { .. } => RefusalKind::OldTimestamp,
            _ => RefusalKind::Goal,
        }
    }
}
