//! Why a text is not a robot model, or two frames not a chain.

use super::JointKind;

/// Why a URDF is not a robot model, or no chain joins two of its frames.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ModelError {
    /// The parser cannot read the text at all; its own words.
    #[error("the URDF cannot be read: {0}")]
    Xml(String),
    /// Some other XML, an unexpanded xacro without a root, or none.
    #[error("the outermost element of a URDF is <robot>, here it is <{0}>")]
    NotARobot(String),
    /// Elements within elements within elements.
    #[error("the URDF nests its elements more than {limit} deep")]
    Nesting {
        /// The deepest that is read.
        limit: usize,
    },
    /// The parser cannot read one element; its own words.
    #[error("{element} `{name}`: {reason}")]
    Element {
        /// `joint`, `link` or `material`.
        element: String,
        /// The element's `name` attribute, or where it stands in the text.
        name: String,
        /// What the parser said.
        reason: String,
    },
    /// There is nothing to move.
    #[error("the URDF has no <link>")]
    NoLink,
    /// Which one would be meant?
    #[error("{count} links are called `{name}`; names must be unique")]
    DuplicateLink {
        /// The name.
        name: String,
        /// How many have it.
        count: usize,
    },
    /// Which one would be meant?
    #[error("{count} joints are called `{name}`; names must be unique")]
    DuplicateJoint {
        /// The name.
        name: String,
        /// How many have it.
        count: usize,
    },
    /// A joint holds on to nothing.
    #[error("joint `{joint}` has the {role} `{link}`, and no <link> has that name")]
    MissingLink {
        /// The joint.
        joint: String,
        /// `parent` or `child`.
        role: &'static str,
        /// The link that is not there.
        link: String,
    },
    /// A link at two ends at once.
    #[error("link `{link}` is the child of two joints, `{first}` and `{second}`; a link has at most one")]
    TwoParents {
        /// The link.
        link: String,
        /// The joint that the URDF gives first.
        first: String,
        /// The joint that the URDF gives next.
        second: String,
    },
    /// A link that carries itself.
    #[error("link `{link}` carries itself, by joint `{joint}`; the links must form a tree")]
    Loop {
        /// A link of the loop.
        link: String,
        /// The joint that carries it.
        joint: String,
    },
    /// Two robots in one text.
    #[error("links `{first}` and `{second}` have no parent joint; exactly one link may be the root")]
    TwoRoots {
        /// The link that the URDF gives first.
        first: String,
        /// The link that the URDF gives next.
        second: String,
    },
    /// A tower of joints.
    #[error("link `{link}` is more than {limit} joints away from the root")]
    TooFar {
        /// The link.
        link: String,
        /// The farthest that is read.
        limit: usize,
    },
    /// NaN or an infinity.
    #[error("joint `{joint}`: {what} is {value}; it must be a finite number")]
    NotFinite {
        /// The joint.
        joint: String,
        /// The attribute.
        what: &'static str,
        /// Its value.
        value: f64,
    },
    /// A number that nothing can be reckoned with.
    #[error("joint `{joint}`: {what} is {value:e}; its size must be below {limit:e}")]
    TooLarge {
        /// The joint.
        joint: String,
        /// The attribute.
        what: &'static str,
        /// Its value.
        value: f64,
        /// The size that is not read any more.
        limit: f64,
    },
    /// An axis that points nowhere.
    #[error("joint `{joint}`: axis {xyz:?} has no direction; give it a length near 1")]
    Axis {
        /// The joint.
        joint: String,
        /// The axis as the URDF gives it.
        xyz: [f64; 3],
    },
    /// A shape without extent.
    #[error(
        "link `{link}`: collision {body} has {what} {value}; it must be finite and not zero, lengths above it"
    )]
    Body {
        /// The link.
        link: String,
        /// The body's name in backticks, or its number.
        body: String,
        /// The attribute.
        what: &'static str,
        /// Its value.
        value: f64,
    },
    /// A shape that is nowhere.
    #[error("link `{link}`: collision {body} has {value} in its origin; it must be a finite number")]
    BodyOrigin {
        /// The link.
        link: String,
        /// The body's name in backticks, or its number.
        body: String,
        /// The number.
        value: f64,
    },
    /// A joint that stops nowhere.
    #[error("joint `{joint}` has no <limit>; a {kind} joint needs lower, upper, velocity and effort")]
    MissingLimit {
        /// The joint.
        joint: String,
        /// Revolute or prismatic.
        kind: JointKind,
    },
    /// A range with nothing in it.
    #[error("joint `{joint}`: lower limit {lower} is above upper limit {upper}")]
    EmptyRange {
        /// The joint.
        joint: String,
        /// Its lower limit.
        lower: f64,
        /// Its upper limit.
        upper: f64,
    },
    /// A speed or effort below nothing.
    #[error("joint `{joint}`: {what} is {value}; it must not be negative")]
    Negative {
        /// The joint.
        joint: String,
        /// The attribute.
        what: &'static str,
        /// Its value.
        value: f64,
    },
    /// A follower without a leader.
    #[error("joint `{joint}` mimics `{leader}`, which is no revolute, continuous or prismatic joint here")]
    NoLeader {
        /// The follower.
        joint: String,
        /// Whom it should follow.
        leader: String,
    },
    /// A follower of itself.
    #[error("joint `{joint}` mimics itself, by way of `{leader}`; one joint must lead")]
    MimicLoop {
        /// The follower.
        joint: String,
        /// Whom it follows.
        leader: String,
    },
    /// A frame that the model does not have.
    #[error("the robot has no frame `{name}`; it has {known}")]
    NoFrame {
        /// The name asked for.
        name: String,
        /// Those that exist.
        known: String,
    },
    /// Nothing moves between the frames.
    #[error("no joint moves between `{base}` and `{tip}`")]
    NothingMoves {
        /// Where the chain would start.
        base: String,
        /// Where the chain would end.
        tip: String,
    },
    /// A joint that one number does not describe.
    #[error(
        "joint `{joint}`, between `{base}` and `{tip}`, is floating, planar or spherical; a chain has \
         revolute, continuous, prismatic and fixed joints"
    )]
    FreeJoint {
        /// The joint.
        joint: String,
        /// Where the chain would start.
        base: String,
        /// Where the chain would end.
        tip: String,
    },
}

impl std::fmt::Display for JointKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Fixed => "fixed",
            Self::Revolute => "revolute",
            Self::Continuous => "continuous",
            Self::Prismatic => "prismatic",
            Self::Free => "floating, planar or spherical",
        })
    }
}
