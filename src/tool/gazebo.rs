//! `servo_tool gazebo`: the arm's URDF as Gazebo needs it, and a world with the arm in it.

use std::fmt::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use roxmltree::{Document, Node};

use crate::config::Config;
use crate::config::parameters::{Parameters, Value};
use crate::kinematics::RobotModel;
use crate::servo::control_thread::ArmSetup;
use crate::servo::setup::{arm_setup, locate, robot_model};

/// Prints the arm's URDF with what Gazebo (Harmonic) needs to simulate it, or writes a world with the arm in it.
///
/// Added are plugins that publish the joints' states and take their positions, all in one message on
/// /model/<MODEL>/joint_state and /model/<MODEL>/actuators; a joint that fixes the arm to the world; absolute paths of
/// meshes. config/gazebo_bridge.yaml has the same topics on ROS.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// The arm's parameter file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The robot model, in place of the file's `urdf`.
    #[arg(long, value_name = "FILE")]
    urdf: Option<PathBuf>,
    /// What the model is called in Gazebo.
    #[arg(long, value_name = "NAME", default_value = "servo_arm", value_parser = model_name)]
    model: String,
    /// Writes <MODEL>.urdf and <MODEL>.sdf, a world with the arm in it, into this folder instead.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// The world that the arm is put into, in place of the one that is shipped (worlds/servo_arm.sdf).
    #[arg(long, value_name = "FILE", requires = "out")]
    world: Option<PathBuf>,
}

/// How much faster a simulated joint may be than it is told to.
const CATCHING_UP: f64 = 1.2;
/// How much farther than the arm's joints those in Gazebo can go (rad, m).
const ROOM_TURNING: f64 = 0.1;
const ROOM_SLIDING: f64 = 0.01;
const WORLD: &str = include_str!("../../worlds/servo_arm.sdf");

/// Prints or writes.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let urdf = urdf(options)?;
    let Some(out) = &options.out else {
        print!("{urdf}");
        return Ok(());
    };
    let (world, origin) = match &options.world {
        None => (WORLD.to_owned(), "the world that is shipped".to_owned()),
        Some(file) => {
            let text = std::fs::read_to_string(file);
            (text.with_context(|| format!("cannot read {}", file.display()))?, file.display().to_string())
        }
    };
    let folder = std::path::absolute(out).with_context(|| format!("cannot use {}", out.display()))?;
    let model = folder.join(format!("{}.urdf", options.model));
    let world = world_with(&world, &options.model, &model).with_context(|| origin)?;
    let write = |path: &Path, text: &str| {
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    write(&model, &urdf)?;
    write(&folder.join(format!("{}.sdf", options.model)), &world)
}

fn model_name(text: &str) -> Result<String, String> {
    let is_word =
        !text.is_empty() && text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    if is_word { Ok(text.to_owned()) } else { Err("it must be made of letters, digits and _".to_owned()) }
}

fn urdf(options: &Options) -> anyhow::Result<String> {
    let mut overrides = Parameters::from([("backend".to_owned(), Value::String("gazebo".to_owned()))]);
    if let Some(urdf) = &options.urdf {
        overrides.insert("urdf".to_owned(), Value::String(urdf.display().to_string()));
        overrides.insert("robot_description".to_owned(), Value::String(String::new()));
    }
    let config = Config::read_hardware(&options.config, &overrides)?;
    let model = robot_model(&config.arm)?;
    let setup = arm_setup(&config, &model)?;
    let (text, folder) = if config.arm.robot_description.is_empty() {
        let path = locate(&config.arm.urdf)?;
        let text = std::fs::read_to_string(&path);
        let text = text.with_context(|| format!("cannot read the URDF {}", path.display()))?;
        (text, std::path::absolute(path)?.parent().map(Path::to_owned))
    } else {
        (config.arm.robot_description.clone(), None)
    };
    for_gazebo(&text, folder.as_deref(), &model, &setup, &options.model)
}

/// The text with what Gazebo needs, just before the robot ends.
fn for_gazebo(
    text: &str,
    folder: Option<&Path>,
    robot: &RobotModel,
    setup: &ArmSetup,
    model: &str,
) -> anyhow::Result<String> {
    let document = Document::parse(text).context("the URDF is no XML")?;
    let mut changes: Vec<(Range<usize>, String)> = Vec::new();
    for mesh in document.descendants().filter(|node| node.has_tag_name("mesh")) {
        if let Some(file) = mesh.attribute_node("filename") {
            changes.push((file.range_value(), mesh_path(file.value(), folder)?));
        }
    }
    for joint in document.descendants().filter(|node| node.has_tag_name("joint")) {
        let name = joint.attribute("name").unwrap_or_default();
        if setup.joints.iter().any(|of_arm| of_arm == name)
            || setup.mimics.iter().any(|mimic| mimic.name == name)
        {
            changes.extend(freed(joint));
        }
    }
    changes.sort_by_key(|(range, _)| range.start);
    let end = text.rfind("</robot>").context("the URDF has no </robot>")?;
    changes.push((end..end, additions(robot, setup, model)));
    let mut whole = text.to_owned();
    for (range, replacement) in changes.into_iter().rev() {
        whole.replace_range(range, &replacement);
    }
    Ok(whole)
}

/// What keeps a joint of the model from going where it is told. At the end of its travel Gazebo's physics (DART) ignores
/// velocities for good, and the arm keeps its limits itself: so the travel is wider there, and has the zero at which
/// Gazebo begins. A servo that goes as fast as it is told has its damping in that already; on top of it the effort would
/// not do.
fn freed(joint: Node<'_, '_>) -> Vec<(Range<usize>, String)> {
    let room = if joint.attribute("type") == Some("prismatic") { ROOM_SLIDING } else { ROOM_TURNING };
    let mut changes = Vec::new();
    for node in joint.children() {
        let mut change = |name: &str, changed: &dyn Fn(f64) -> f64| {
            if let Some(attribute) = node.attribute_node(name)
                && let Ok(value) = attribute.value().trim().parse::<f64>()
            {
                changes.push((attribute.range_value(), changed(value).to_string()));
            }
        };
        if node.has_tag_name("limit") {
            change("lower", &|lower| lower.min(0.0) - room);
            change("upper", &|upper| upper.max(0.0) + room);
        } else if node.has_tag_name("dynamics") {
            change("damping", &|_| 0.0);
        }
    }
    changes
}

/// A path that is the same wherever Gazebo runs on this machine; what has another scheme than a file's is left to it.
fn mesh_path(uri: &str, folder: Option<&Path>) -> anyhow::Result<String> {
    if uri.contains("://") && !uri.starts_with("package://") {
        return Ok(uri.to_owned());
    }
    let path = locate(uri)?;
    let path = folder.map_or(path.clone(), |folder| folder.join(path));
    Ok(format!("file://{}", path.display()))
}

fn additions(robot: &RobotModel, setup: &ArmSetup, model: &str) -> String {
    let mut out = String::new();
    if !robot.frames().iter().any(|frame| frame.name == "world") {
        let root = robot.root();
        out += &format!(
            "\n  <!-- The arm stands fixed in Gazebo's world. -->\n  <link name=\"world\"/>\n  \
             <joint name=\"world_to_{root}\" type=\"fixed\">\n    <parent link=\"world\"/>\n    <child link=\"{root}\"/>\n  \
             </joint>\n"
        );
    }
    // A joint that is late catches up.
    let fastest = |name: &str, told: f64| {
        let can = robot.joint(name).and_then(|joint| joint.limits.velocity).unwrap_or(0.0);
        can.max(CATCHING_UP * told)
    };
    let mimics = setup.mimics.iter();
    let mimics = mimics.map(|mimic| (&mimic.name, fastest(&mimic.name, mimic.rating.max_velocity), 0.0));
    let joints = setup.joints.iter().zip(&setup.limits);
    let joints = joints.map(|(name, limits)| {
        (name, fastest(name, limits.max_velocity()), 0.0_f64.max(limits.lower()).min(limits.upper()))
    });
    let joints: Vec<_> = joints.chain(mimics).collect();
    out += "\n  <!-- Where the joints are. -->\n  <gazebo>\n    <plugin filename=\"gz-sim-joint-state-publisher-system\" \
            name=\"gz::sim::systems::JointStatePublisher\">\n";
    let _ = writeln!(out, "      <topic>/model/{model}/joint_state</topic>");
    for (name, ..) in &joints {
        let _ = writeln!(out, "      <joint_name>{name}</joint_name>");
    }
    out += "    </plugin>\n  </gazebo>\n\n  <!-- Where they are to be: each goes there as fast as it can. -->\n  <gazebo>\n";
    for (number, (name, max_velocity, initial)) in joints.iter().enumerate() {
        let _ = write!(
            out,
            "    <plugin filename=\"gz-sim-joint-position-controller-system\" \
             name=\"gz::sim::systems::JointPositionController\">\n      \
             <joint_name>{name}</joint_name>\n      \
             <topic>/model/{model}/actuators</topic>\n      \
             <use_actuator_msg>true</use_actuator_msg>\n      \
             <actuator_number>{number}</actuator_number>\n      \
             <use_velocity_commands>true</use_velocity_commands>\n      \
             <cmd_max>{max_velocity}</cmd_max>\n      \
             <initial_position>{initial}</initial_position>\n    </plugin>\n"
        );
    }
    out + "  </gazebo>\n"
}

/// The world with the model of that file in it: what is in a world's file is there again after a reset.
fn world_with(world: &str, name: &str, model: &Path) -> anyhow::Result<String> {
    let document = Document::parse(world).context("it is no XML")?;
    let is_world = document.descendants().any(|node| node.has_tag_name("world"));
    let end = world.rfind("</world>").filter(|_| is_world).context("it has no <world>")?;
    let include = format!(
        "  <include>\n      <name>{name}</name>\n      <uri>{}</uri>\n    </include>\n  ",
        model.display()
    );
    let (before, after) = world.split_at(end);
    Ok(format!("{before}{include}{after}"))
}

#[cfg(test)]
#[path = "gazebo_tests.rs"]
mod tests;
