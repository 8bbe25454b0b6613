//! What must be known of collisions: how near is too near, what stands around the arm, which links may touch.
//!
//! Everything is below `collision.`, but for MoveIt's `robot_description_semantic`. Knows no robot: whether a link is
//! there, and what a file has in it, is found out where the collision model is made.

use std::collections::BTreeSet;

use super::declaration::Declaration;
use super::parameters::Value;

/// The configuration of collision checks.
#[derive(Clone, Debug, PartialEq)]
pub struct CollisionConfig {
    /// Whether anything is checked at all.
    pub is_checked: bool,
    /// What is not farther apart than this counts as touching (m).
    pub margin: f64,
    /// What is nearer than this comes nearer only slowly under live control (m); at least the margin.
    pub slow_within: f64,
    /// How fast things that are so near may come nearer; evenly less down to the margin (m/s).
    pub approach_speed: f64,
    /// How high a table without end is in the frame of the robot's root (m).
    pub table_height: Option<f64>,
    /// What else is around or on the arm.
    pub obstacles: Vec<ObstacleConfig>,
    /// Links that may touch.
    pub allowed_pairs: Vec<[String; 2]>,
    /// MoveIt's semantic description as text; empty for none.
    pub semantic_description: String,
    /// Where MoveIt's semantic description is, a path or `package://PACKAGE/PATH`; empty for none.
    pub srdf: String,
    /// Whether meshes that are not there are left out instead of refused.
    pub leaves_out_missing_meshes: bool,
    /// How many random postures say which links touch always or never.
    pub samples: usize,
    /// The folder that keeps what the postures said; empty for none.
    pub cache_folder: String,
}

/// Something that the arm must not touch, or that it carries.
#[derive(Clone, Debug, PartialEq)]
pub struct ObstacleConfig {
    /// Its name.
    pub name: String,
    /// What it is.
    pub shape: ObstacleShapeConfig,
    /// The link that it does not move in; empty for the robot's root.
    pub frame: String,
    /// Where it is in that link: x, y, z (m), then roll, pitch and yaw about the link's fixed axes (rad).
    pub pose: [f64; 6],
    /// Links that it may touch, besides those that do not move in its frame.
    pub may_touch: Vec<String>,
}

/// The shape of an obstacle; every length is above zero.
#[derive(Clone, Debug, PartialEq)]
pub enum ObstacleShapeConfig {
    /// The edges of a box along x, y and z (m).
    Box([f64; 3]),
    /// The radius of a sphere (m).
    Sphere(f64),
    /// Radius and length of a cylinder about z (m).
    Cylinder([f64; 2]),
    /// Radius of a capsule about z, and the length of what is a cylinder of it (m).
    Capsule([f64; 2]),
    /// A file, STL or OBJ, as a path or `package://PACKAGE/PATH`.
    Mesh(String),
    /// All that is below its own x-y plane.
    HalfSpace,
}

const OBSTACLES: &str = "collision.obstacles.";
/// Of an obstacle exactly one.
const SHAPES: [&str; 6] = ["box", "sphere", "cylinder", "capsule", "mesh", "half_space"];

impl CollisionConfig {
    /// Declares and reads the parameters of collision checks.
    pub fn declare(declaration: &mut Declaration<'_>) -> Self {
        let d = declaration;
        let margin = d.changeable().number_in(
            "collision.margin",
            0.005,
            0.0..=1.0,
            "What is not farther apart than this counts as touching (m).",
        );
        let slow_within = d.changeable().number_in(
            "collision.slow_within",
            0.05,
            0.0..=10.0,
            "What is nearer than this comes nearer only slowly under live control (m).",
        );
        d.constrain("collision.slow_within", "greater than collision.margin");
        if slow_within <= margin {
            let expected = format!("it must be greater than `collision.margin`, which is {margin:?}");
            d.refuse("collision.slow_within", Value::Double(slow_within), expected);
        }
        let policies = [("refuse", false), ("leave_out", true)];
        Self {
            is_checked: d.or(
                "collision.check",
                true,
                "Whether the arm is kept from touching itself and the obstacles.",
            ),
            margin,
            slow_within,
            approach_speed: d.changeable().number_in(
                "collision.approach_speed",
                0.2,
                0.0..=10.0,
                "How fast things at slow_within may come nearer; evenly less down to the margin (m/s).",
            ),
            table_height: table_height(d),
            obstacles: names_of_obstacles(d).iter().filter_map(|name| obstacle(d, name)).collect(),
            allowed_pairs: allowed_pairs(d),
            semantic_description: d.or(
                "robot_description_semantic",
                String::new(),
                "MoveIt's SRDF as text; links that it disables may touch.",
            ),
            srdf: d.or(
                "collision.srdf",
                String::new(),
                "MoveIt's SRDF: a path, or package://PACKAGE/PATH; links that it disables may touch.",
            ),
            leaves_out_missing_meshes: d
                .one_of(
                    "collision.missing_meshes",
                    "refuse",
                    &policies,
                    "A mesh that is not there: refuse to start, or leave_out with a warning.",
                )
                .unwrap_or(false),
            samples: usize::try_from(d.integer_in(
                "collision.samples",
                2000,
                0..=1_000_000,
                "Random postures that say which links touch always or never; 0 for none.",
            ))
            .unwrap_or(0),
            cache_folder: d.or(
                "collision.cache_folder",
                String::new(),
                "Folder that keeps what the random postures said; empty to ask them at each start.",
            ),
        }
    }
}

fn table_height(d: &mut Declaration<'_>) -> Option<f64> {
    let name = "collision.table_height";
    let height: Option<f64> =
        d.optional(name, "Height of a table without end in the frame of the robot's root (m).");
    if let Some(wrong) = height.filter(|height| !height.is_finite()) {
        d.refuse(name, Value::Double(wrong), "it must be a finite number");
    }
    height.filter(|height| height.is_finite())
}

fn allowed_pairs(d: &mut Declaration<'_>) -> Vec<[String; 2]> {
    let name = "collision.allowed_pairs";
    let words: Vec<String> = d.or(name, Vec::new(), "Links that may touch, each pair as LINK:LINK.");
    let mut pairs = Vec::new();
    for word in &words {
        match word.split_once(':') {
            Some((first, second)) if !first.is_empty() && !second.is_empty() => {
                pairs.push([first.to_owned(), second.to_owned()]);
            }
            _ => {
                let expected = format!("each must be LINK:LINK, and `{word}` is not");
                d.refuse(name, Value::StringArray(words.clone()), expected);
            }
        }
    }
    pairs
}

fn names_of_obstacles(d: &Declaration<'_>) -> BTreeSet<String> {
    d.given_names()
        .filter_map(|name| name.strip_prefix(OBSTACLES)?.split_once('.'))
        .map(|(obstacle, _)| obstacle.to_owned())
        .collect()
}

fn obstacle(d: &mut Declaration<'_>, name: &str) -> Option<ObstacleConfig> {
    let key = |key: &str| format!("{OBSTACLES}{name}.{key}");
    let given: Vec<&str> = SHAPES.into_iter().filter(|shape| d.has(&key(shape))).collect();
    let shape = shape(d, &key);
    if given.len() != 1 {
        let expected =
            format!("obstacle `{name}` must have one of {}, and it has {}", SHAPES.join(", "), given.len());
        d.refuse(&key(given.first().unwrap_or(&"box")), Value::StringArray(owned(&given)), expected);
    }
    let frame =
        d.or(&key("frame"), String::new(), "Link that the obstacle does not move in; empty for the root.");
    let about = "Where the obstacle is in its frame: x, y, z (m), roll, pitch, yaw (rad).";
    let pose = numbers(d, &key("pose"), Some([0.0; 6]), f64::NEG_INFINITY, about).unwrap_or_default();
    let may_touch = d.or(&key("may_touch"), Vec::new(), "Links that the obstacle may touch.");
    Some(ObstacleConfig { name: name.to_owned(), shape: shape?, frame, pose, may_touch })
}

/// All six are declared, so that each is known; one is meant.
fn shape(d: &mut Declaration<'_>, key: &impl Fn(&str) -> String) -> Option<ObstacleShapeConfig> {
    let edges = numbers(d, &key("box"), None, 0.0, "Edges of a box (m).");
    let cylinder = numbers(d, &key("cylinder"), None, 0.0, "Radius and length of a cylinder about z (m).");
    let capsule = numbers(
        d,
        &key("capsule"),
        None,
        0.0,
        "Radius and length without the ends of a capsule about z (m).",
    );
    let sphere = radius(d, &key("sphere"));
    let mesh: Option<String> = d.optional(&key("mesh"), "File of a mesh, STL or OBJ; its hull counts.");
    let half_space: Option<bool> =
        d.optional(&key("half_space"), "Whether all below the obstacle's x-y plane is it.");
    edges
        .map(ObstacleShapeConfig::Box)
        .or(cylinder.map(ObstacleShapeConfig::Cylinder))
        .or(capsule.map(ObstacleShapeConfig::Capsule))
        .or(sphere.map(ObstacleShapeConfig::Sphere))
        .or(mesh.map(ObstacleShapeConfig::Mesh))
        .or(half_space.filter(|&is_one| is_one).map(|_| ObstacleShapeConfig::HalfSpace))
}

fn radius(d: &mut Declaration<'_>, name: &str) -> Option<f64> {
    let radius: Option<f64> = d.optional(name, "Radius of a sphere (m).");
    let is_length = |radius: f64| 0.0 < radius && radius.is_finite();
    if let Some(wrong) = radius.filter(|&radius| !is_length(radius)) {
        d.refuse(name, Value::Double(wrong), "it must be above zero");
    }
    radius.filter(|&radius| is_length(radius))
}

/// So many numbers, each finite and above `above`.
fn numbers<const N: usize>(
    d: &mut Declaration<'_>,
    name: &str,
    default: Option<[f64; N]>,
    above: f64,
    about: &'static str,
) -> Option<[f64; N]> {
    let given: Option<Vec<f64>> = d.optional(name, about);
    let Some(given) = given else { return default };
    match <[f64; N]>::try_from(given.as_slice()) {
        Ok(numbers) if numbers.iter().all(|number| above < *number && number.is_finite()) => Some(numbers),
        _ => {
            let which = if above.is_finite() { format!("above {above}") } else { "finite".to_owned() };
            d.refuse(name, Value::DoubleArray(given), format!("it must be {N} numbers, each {which}"));
            default
        }
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::parameters::Parameters;
    use super::*;

    fn read(entries: &[(&str, Value)]) -> Result<CollisionConfig, String> {
        let given: Parameters =
            entries.iter().map(|(name, value)| (format!("collision.{name}"), value.clone())).collect();
        let mut declaration = Declaration::new(&given);
        let config = CollisionConfig::declare(&mut declaration);
        let (declared, errors) = declaration.finish();
        let unknown = super::super::declaration::reject_unknown(&given, declared.keys()).err();
        match errors.into_iter().chain(unknown).next() {
            Some(error) => Err(error.to_string()),
            None => Ok(config),
        }
    }

    #[test]
    fn without_a_word_nothing_is_around_and_all_is_checked() {
        let config = read(&[]).unwrap();
        assert!(config.is_checked && config.margin < config.slow_within);
        assert_eq!((config.table_height, config.obstacles.len()), (None, 0));
    }

    #[test]
    fn an_obstacle_has_a_shape_and_a_pose_and_integers_are_numbers_too() {
        let config = read(&[
            ("table_height", Value::Double(-0.01)),
            ("obstacles.crate.box", Value::IntegerArray(vec![1, 2, 3])),
            ("obstacles.crate.pose", Value::DoubleArray(vec![0.5, 0.0, 1.5, 0.0, 0.0, 0.1])),
            ("obstacles.pen.capsule", Value::DoubleArray(vec![0.005, 0.1])),
            ("obstacles.pen.frame", Value::String("hand".into())),
        ])
        .unwrap();
        assert_eq!(config.table_height, Some(-0.01));
        let [large, pen] = config.obstacles.as_slice() else { panic!("{:?}", config.obstacles) };
        assert_eq!(large.shape, ObstacleShapeConfig::Box([1.0, 2.0, 3.0]));
        assert_eq!(large.pose, [0.5, 0.0, 1.5, 0.0, 0.0, 0.1]);
        assert_eq!((pen.name.as_str(), pen.frame.as_str(), pen.pose), ("pen", "hand", [0.0; 6]));
        assert_eq!(pen.shape, ObstacleShapeConfig::Capsule([0.005, 0.1]));
    }

    #[test]
    fn each_fault_of_an_obstacle_is_named() {
        let error = |key: &str, value: Value| read(&[(key, value)]).unwrap_err();
        let flat = error("obstacles.crate.box", Value::DoubleArray(vec![1.0, 0.0, 1.0]));
        assert!(flat.contains("`collision.obstacles.crate.box`") && flat.contains("3 numbers"), "{flat}");
        let none = error("obstacles.crate.frame", Value::String("hand".into()));
        assert!(none.contains("obstacle `crate` must have one of box"), "{none}");
        let typo = error("obstacles.crate.bx", Value::DoubleArray(vec![1.0; 3]));
        assert!(typo.contains("`crate`"), "{typo}");
        let sphere = error("obstacles.ball.sphere", Value::Double(-1.0));
        assert!(sphere.contains("above zero"), "{sphere}");
        let pose =
            [("obstacles.b.sphere", Value::Double(1.0)), ("obstacles.b.pose", Value::DoubleArray(vec![1.0]))];
        assert!(read(&pose).unwrap_err().contains("6 numbers"));
    }

    #[test]
    fn pairs_and_distances_are_checked() {
        let pairs = |word: &str| read(&[("allowed_pairs", Value::StringArray(vec![word.into()]))]);
        assert_eq!(pairs("a:b").unwrap().allowed_pairs, [["a".to_owned(), "b".to_owned()]]);
        assert!(pairs("a").unwrap_err().contains("LINK:LINK"));
        assert!(read(&[("slow_within", Value::Double(0.001))]).unwrap_err().contains("collision.margin"));
        assert!(read(&[("table_height", Value::Double(f64::NAN))]).unwrap_err().contains("finite"));
    }
}
