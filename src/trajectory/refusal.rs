//! Why a trajectory is not executed, in words that help.

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
    #[error("Incoming joint {joint} doesn't match the controller's joints: {}.", known.join(", "))]
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
    #[error("Joints on incoming trajectory don't match the controller joints: {} missing (allow_partial_joints_goal is false).", missing.join(", "))]
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
    /// A point without positions.
    #[error("Point #{0} has no positions; the given trajectory must have positions at every point.")]
    NoPositions(usize),
    /// Efforts are given, and servos take positions.
    #[error(
        "Trajectories with effort fields are only supported for controllers using the 'effort' command interface; point #{0} has them."
    )]
    Effort(usize),
    /// NaN or infinity.
    #[error("{field} of joint {joint} at point #{point} is {value}; it must be a finite number.")]
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
    /// The first point is before the start.
    #[error("time_from_start of point #0 is {0:.6} s; it must not be negative.")]
    NegativeTime(f64),
    /// The motion would not end at rest.
    #[error("Velocity of last trajectory point of joint {joint} is not zero: {velocity:.15}")]
    MovingEnd {
        /// The joint's name.
        joint: String,
        /// Its velocity at the end.
        velocity: f64,
    },
    /// The whole trajectory lies in the past.
    #[error("Received trajectory with non-zero start time that ended {0:.3} s in the past.")]
    Past(f64),
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
            Self::Past(_) => RefusalKind::OldTimestamp,
            _ => RefusalKind::Goal,
        }
    }
}
