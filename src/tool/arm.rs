//! Which arm is meant: a URDF, and the two links between which its joints are asked about.

use std::path::PathBuf;

use anyhow::Context as _;
use nalgebra::Isometry3;
use serde_json::{Value as Json, json};

use crate::kinematics::{Chain, RobotModel};

/// The arm of a command line.
#[derive(Clone, Debug, clap::Args)]
pub struct ArmOptions {
    /// The robot model (not a xacro: expand that first).
    #[arg(long, value_name = "FILE")]
    urdf: PathBuf,
    /// The link that poses are given in; otherwise the root of the model.
    #[arg(long, value_name = "LINK")]
    base: Option<String>,
    /// The link whose pose is meant; otherwise the end of the model, if it has but one.
    #[arg(long, value_name = "LINK")]
    tip: Option<String>,
}

/// A chain with the names that it goes by.
#[derive(Clone, Debug)]
pub struct Arm {
    /// The robot's name, or the file's where the URDF gives none.
    pub name: String,
    /// The link that poses are given in.
    pub base: String,
    /// The link whose pose is meant.
    pub tip: String,
    /// The joints between them.
    pub chain: Chain,
}

impl ArmOptions {
    /// Reads the file and finds the two links.
    pub fn load(&self) -> anyhow::Result<Arm> {
        let file = self.urdf.display();
        let text = std::fs::read_to_string(&self.urdf).with_context(|| format!("cannot read {file}"))?;
        let model = RobotModel::from_urdf(&text).with_context(|| file.to_string())?;
        let base = self.base.clone().unwrap_or_else(|| model.root().to_owned());
        let tip = match &self.tip {
            Some(tip) => tip.clone(),
            None => only_leaf(&model)?,
        };
        let chain = Chain::between(&model, &base, &tip).with_context(|| file.to_string())?;
        let name = match model.name() {
            "" => self.urdf.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned()),
            name => name.to_owned(),
        };
        Ok(Arm { name, base, tip, chain })
    }
}

impl Arm {
    /// The names of the joints, in the order of positions.
    pub fn joint_names(&self) -> String {
        self.chain.joints().iter().map(|joint| joint.name.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// The lowest and the highest position of each joint; one turn for a joint that turns without end.
    pub fn ranges(&self) -> Vec<(f64, f64)> {
        let range = |joint: &crate::kinematics::Joint| {
            joint
                .limits
                .position
                .map_or((-std::f64::consts::PI, std::f64::consts::PI), |it| (it.lower, it.upper))
        };
        self.chain.joints().iter().map(range).collect()
    }

    /// The positions in the middle of all ranges.
    pub fn middle(&self) -> Vec<f64> {
        self.ranges().iter().map(|(lower, upper)| 0.5 * lower + 0.5 * upper).collect()
    }

    /// One finite position for each joint, from JSON; `key` is what the line calls them.
    pub fn positions(&self, key: &str, value: &Json) -> Result<Vec<f64>, String> {
        let count = self.chain.dof();
        let wanted = || format!("{count} positions, one for each of {}", self.joint_names());
        let values = value.as_array().ok_or_else(|| format!("`{key}` must be a list of {}", wanted()))?;
        if values.len() != count {
            return Err(format!("`{key}` has {} numbers; it must have {}", values.len(), wanted()));
        }
        let number = |(index, value): (usize, &Json)| {
            let number = value.as_f64().filter(|number| number.is_finite());
            number.ok_or_else(|| format!("`{key}` has {value} at index {index}; it must be a finite number"))
        };
        values.iter().enumerate().map(number).collect()
    }
}

/// A transform as four rows of four numbers.
pub fn matrix(a_from_b: &Isometry3<f64>) -> Json {
    let matrix = a_from_b.to_homogeneous();
    let row = |row: usize| (0..4).map(|column| matrix[(row, column)]).collect::<Vec<_>>();
    json!((0..4).map(row).collect::<Vec<_>>())
}

fn only_leaf(model: &RobotModel) -> anyhow::Result<String> {
    let is_parent = |name: &str| model.joints().iter().any(|joint| joint.parent == name);
    let names: Vec<&str> = model.frames().iter().map(|frame| frame.name.as_str()).collect();
    let leaves: Vec<&str> = names.iter().copied().filter(|name| !is_parent(name)).collect();
    match leaves[..] {
        [leaf] => Ok(leaf.to_owned()),
        _ => anyhow::bail!(
            "say with --tip which link is meant: the robot ends in {}; all its links are {}",
            leaves.join(", "),
            names.join(", ")
        ),
    }
}
