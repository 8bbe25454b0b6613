//! Why there is no collision model.

use std::path::PathBuf;

/// Why a robot, or what stands around it, is no collision model.
#[derive(Debug, thiserror::Error)]
pub enum CollisionError {
    /// A file of the URDF that is nowhere.
    #[error("{owner}: mesh `{file}` is not there; looked for {}", list(.looked_for))]
    NoMesh {
        /// Whose shape it is: link or obstacle, with its name.
        owner: String,
        /// The file as it was named.
        file: String,
        /// Where it was looked for.
        looked_for: Vec<PathBuf>,
    },
    /// A file that cannot be opened, or has something else in it.
    #[error("{owner}: mesh {path} cannot be read: {reason}", path = .path.display())]
    Mesh {
        /// Whose shape it is: link or obstacle, with its name.
        owner: String,
        /// The file that was found.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A format that is not read.
    #[error("{owner}: mesh `{file}` is {format}; only STL and OBJ are read")]
    Format {
        /// Whose shape it is: link or obstacle, with its name.
        owner: String,
        /// The file as it was named.
        file: String,
        /// What it seems to be.
        format: String,
    },
    /// A link that the robot does not have.
    #[error("{what} names link `{name}`, and the robot has none of that name; it has {known}")]
    NoLink {
        /// Who names it.
        what: String,
        /// The name.
        name: String,
        /// Those that exist.
        known: String,
    },
    /// An obstacle that would be taken for a link.
    #[error("obstacle `{0}` has the name of a link; give it another")]
    NameOfALink(String),
    /// A shape without extent.
    #[error("obstacle `{name}` has {what} {value}; it must be finite and not zero, lengths above it")]
    Shape {
        /// The obstacle.
        name: String,
        /// The length.
        what: &'static str,
        /// Its value.
        value: f64,
    },
    /// A shape that is larger than what can be computed with.
    #[error("{owner}: a shape reaches {radius} m from its middle; a million metres must do")]
    TooLarge {
        /// Whose shape it is: link or obstacle, with its name.
        owner: String,
        /// How far it reaches (m).
        radius: f64,
    },
    /// A pose that is nowhere.
    #[error("obstacle `{0}` has a pose with numbers that are not finite")]
    Pose(String),
    /// A semantic description that cannot be read.
    #[error("the SRDF cannot be read: {0}")]
    Srdf(String),
    /// A joint that the robot does not have.
    #[error("the robot has no moving joint `{joint}`; it has {known}")]
    NoJoint {
        /// The joint asked for.
        joint: String,
        /// Those that exist.
        known: String,
    },
}

fn list(paths: &[PathBuf]) -> String {
    match paths {
        [] => "it in no folder, because none was given".to_owned(),
        paths => paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", "),
    }
}
