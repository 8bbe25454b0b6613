//! `servo_tool calibrate`: the travel of each joint, found by hand, becomes what its servo keeps and what the nodes load.
//!
//! - [`sweep`], [`plan`], [`diff`]: what positions mean, what follows from them, what would change;
//! - [`hand`]: a joint is turned, and somebody is told how far it came.

pub mod diff;
pub mod hand;
pub mod plan;
pub mod sweep;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, bail, ensure};

use super::servos::backup::write_whole;
use super::servos::eeprom;
use super::servos::keyboard::Keyboard;
use super::servos::map::Role;
use super::servos::probing::{self, Presence};
use super::servos::session::{BusOptions, Family, Member, Servo, Session};
use crate::config::Config;
use crate::config::calibration::{ArmCalibration, JointCalibration};
use crate::kinematics::RobotModel;
use crate::servo::setup::locate;
use plan::{Counting, Gearing, OffsetRule, Zero};
use sweep::Travel;

/// Calibrates an arm: turn each joint by hand through its whole travel, and its servo gets offset and limits for it.
///
/// Torque must be off; the arm is supported by hand. Nothing is written before all joints were turned and the changes
/// were shown. Then each servo gets its offset, so that the end of its turn lies outside of the travel, and its limits,
/// and the file gets what the nodes have to know: give its path as parameter `calibration` of hardware_node.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example: servo_tool calibrate --config my_arm.yaml --out my_arm_calibration.yaml")]
pub struct Options {
    #[command(flatten)]
    bus: BusOptions,
    /// The calibration file; joints that are not calibrated now stay as they are in it.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Only these joints.
    #[arg(long, value_name = "JOINTS", value_delimiter = ',')]
    joints: Vec<String>,
    #[command(flatten)]
    zero: ZeroOptions,
    /// Do not ask before writing.
    #[arg(long, short)]
    yes: bool,
    /// Show what would be written, and write nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Where joints' zeros are.
#[derive(Clone, Debug, clap::Args)]
pub struct ZeroOptions {
    /// Where a joint's zero is: so that the middle of its travel is the middle of its range in the robot model, or right
    /// in the middle of its travel.
    #[arg(long, value_enum, default_value = "model")]
    zero: ZeroRule,
    /// The robot model; otherwise that of the configuration.
    #[arg(long, value_name = "FILE")]
    urdf: Option<PathBuf>,
}

/// Where a joint's zero is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ZeroRule {
    /// By the joint's range in the URDF.
    Model,
    /// In the middle of the travel.
    Middle,
}

/// A servo that is to be calibrated.
struct Subject {
    /// What its calibration is called: the joint, or `joint.second`.
    name: String,
    /// The joint that it moves; servos of one joint are turned at once.
    joint: String,
    servo: Servo,
    gearing: Gearing,
    zero: Zero,
    counting: Counting,
    /// What the servo's registers hold at present, of those that are written.
    present: BTreeMap<String, i64>,
}

/// Calibrates.
///
/// # Errors
/// Where the configuration or a servo is not usable, a joint cannot be calibrated, or the answer is no; what was written
/// until then is told.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let mut session = options.bus.open()?;
    let Some(config) = session.config.clone() else {
        bail!("say with --config which arm is calibrated: its joints, their servos, and the robot model");
    };
    let mut file = match options.out.exists() {
        true => ArmCalibration::read(&options.out)?,
        false => ArmCalibration::default(),
    };
    let family = session.family.name();
    ensure!(
        file.protocol.is_empty() || file.protocol == family,
        "{} is of servos that speak {}, and these speak {family}",
        options.out.display(),
        file.protocol
    );
    let members = chosen(&session.members, &options.joints)?;
    let zeros = options.zero.zeros(&config)?;
    let subjects = members
        .iter()
        .map(|member| subject(&mut session, member, &zeros))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let mut keyboard = Keyboard::default();
    release(&mut session, &subjects, &mut keyboard)?;

    let groups: Vec<&[Subject]> = subjects.chunk_by(|one, other| one.joint == other.joint).collect();
    let mut planned = Vec::new();
    for (index, group) in groups.iter().enumerate() {
        let place = format!("[{}/{}]", index + 1, groups.len());
        planned.extend(turn(&mut session, group, &place, &mut keyboard)?);
    }
    let table = changes(&subjects, &planned, &file);
    if table.is_empty() {
        println!("The servos and {} have all of this already.", options.out.display());
        return Ok(());
    }
    print!("{table}");
    if options.dry_run {
        return Ok(());
    }
    let question = format!("Write this into the servos, for good, and into {}?", options.out.display());
    ensure!(options.yes || keyboard.confirm(&question)?, "nothing was written");
    write_servos(&mut session, &subjects, &planned)?;
    file.protocol = family.to_owned();
    file.joints.extend(subjects.iter().map(|subject| subject.name.clone()).zip(planned));
    write_whole(&options.out, &file.to_text(&config.arm.joints))
        .context("the servos are written, the file is not")?;
    println!(
        "{} servos are calibrated. The nodes load it with the parameter `calibration: {}` of hardware_node.",
        subjects.len(),
        options.out.display()
    );
    Ok(())
}

/// The servos of the joints that were asked for; all where none was.
fn chosen(members: &[Member], asked: &[String]) -> anyhow::Result<Vec<Member>> {
    if let Some(stranger) = asked.iter().find(|name| !members.iter().any(|member| member.joint == **name)) {
        let mut joints: Vec<&str> = members.iter().map(|member| member.joint.as_str()).collect();
        joints.dedup();
        bail!("there is no joint `{stranger}`; there are {}", joints.join(", "));
    }
    let is_chosen = |member: &&Member| asked.is_empty() || asked.contains(&member.joint);
    Ok(members.iter().filter(is_chosen).cloned().collect())
}

impl ZeroOptions {
    /// Where the zero of each of the arm's joints is.
    ///
    /// # Errors
    /// Where the robot model is needed and cannot be had.
    pub fn zeros(&self, config: &Config) -> anyhow::Result<BTreeMap<String, Zero>> {
        let mimics = config.hardware.mimic_servos.iter().map(|mimic| &mimic.joint);
        let joints = config.arm.joints.iter().chain(mimics).cloned();
        if self.zero == ZeroRule::Middle {
            return Ok(joints.map(|joint| (joint, Zero::Middle)).collect());
        }
        let model = self.model(config)?;
        let zero = |joint: &str| {
            let range = model.joint(joint).and_then(|joint| joint.limits.position);
            range.map_or(Zero::Middle, |range| Zero::OfModel { lower: range.lower, upper: range.upper })
        };
        Ok(joints.map(|joint| (joint.clone(), zero(&joint))).collect())
    }

    fn model(&self, config: &Config) -> anyhow::Result<RobotModel> {
        const HELP: &str =
            "name the URDF with --urdf, or put each zero in the middle of the travel: --zero middle";
        let (origin, text) = match &self.urdf {
            None if !config.arm.robot_description.is_empty() => {
                ("robot_description".to_owned(), config.arm.robot_description.clone())
            }
            urdf => {
                let path = urdf.clone().map_or_else(|| locate(&config.arm.urdf), Ok).context(HELP)?;
                let text = std::fs::read_to_string(&path)
                    .with_context(|| format!("cannot read {}", path.display()))
                    .context(HELP)?;
                (path.display().to_string(), text)
            }
        };
        RobotModel::from_urdf(&text).with_context(|| origin)
    }
}

/// Looks whether the joint's servo can be calibrated, and what it holds at present.
fn subject(
    session: &mut Session,
    member: &Member,
    zeros: &BTreeMap<String, Zero>,
) -> anyhow::Result<Subject> {
    let Member { name, joint, config: configured } = member;
    let context = || format!("joint `{name}`");
    let servo = session.servo(configured.id).with_context(context)?;
    servo.check_known().with_context(context)?;
    if let Presence::Several(why) = probing::look(session.line.as_mut(), &servo.map, servo.id)? {
        bail!("joint `{name}`: several servos seem to have the id {} ({why})", servo.id);
    }
    check_mode(session, &servo).with_context(context)?;
    let mut present = BTreeMap::new();
    for role in [Role::Offset, Role::LowerLimit, Role::UpperLimit] {
        if let Some(register) = servo.map.role(role) {
            let value = eeprom::read(session.line.as_mut(), servo.id, register)?;
            present.insert(register.name.clone(), value);
        }
    }
    let offset = servo.map.role(Role::Offset).and_then(|register| {
        let present = i32::try_from(*present.get(&register.name)?).ok()?;
        let (most, is_added) = session.family.offset_rule();
        Some(OffsetRule { present, is_added, most })
    });
    let calibration = configured.calibration;
    Ok(Subject {
        name: name.clone(),
        joint: joint.clone(),
        gearing: Gearing { reversed: calibration.reversed, ticks_per_turn: calibration.ticks_per_turn },
        zero: zeros.get(joint).copied().unwrap_or(Zero::Middle),
        counting: Counting { turn: servo.map.turn, offset },
        servo,
        present,
    })
}

/// Travel, offset and limits mean what they should in position mode, within one turn.
fn check_mode(session: &mut Session, servo: &Servo) -> anyhow::Result<()> {
    let id = servo.id;
    if let Some(mode) = servo.map.role(Role::Mode) {
        let value = eeprom::read(session.line.as_mut(), id, mode)?;
        let wanted = session.family.position_mode();
        ensure!(
            value == wanted,
            "servo {id} is in mode {value}, and is calibrated in position mode: servo_tool write --id {id} {} {wanted}",
            mode.name
        );
    }
    const BEYOND_ONE_TURN: i64 = 1 << 4;
    if let (Family::FeetechSts, Ok(phase)) = (session.family, servo.map.find("phase", None)) {
        let value = eeprom::read(session.line.as_mut(), id, &phase)?;
        ensure!(
            value & BEYOND_ONE_TURN == 0,
            "servo {id} counts beyond one turn, which does not go with an offset; clear that bit: servo_tool write --id {id} phase {}",
            value & !BEYOND_ONE_TURN
        );
    }
    Ok(())
}

/// Makes sure that no servo holds torque; switches it off where that is wanted.
fn release(session: &mut Session, subjects: &[Subject], keyboard: &mut Keyboard) -> anyhow::Result<()> {
    let mut holding = Vec::new();
    for Subject { name, servo, .. } in subjects {
        if let Some(torque) = servo.map.role(Role::Torque)
            && eeprom::read(session.line.as_mut(), servo.id, torque)? != 0
        {
            holding.push((name, servo.id, torque));
        }
    }
    if holding.is_empty() {
        return Ok(());
    }
    let names = holding.iter().map(|(name, ..)| name.as_str()).collect::<Vec<_>>().join(", ");
    let question = format!("{names}: torque is on. Support the arm, or it falls. Switch torque off?");
    ensure!(keyboard.confirm(&question)?, "torque is on, and joints are turned by hand; nothing was changed");
    for (_, id, torque) in holding {
        eeprom::write_one(session.line.as_mut(), id, torque, 0).context("torque did not go off")?;
    }
    Ok(())
}

/// Has a joint turned until something comes of it, for each of its servos.
fn turn(
    session: &mut Session,
    subjects: &[Subject],
    place: &str,
    keyboard: &mut Keyboard,
) -> anyhow::Result<Vec<JointCalibration>> {
    let Some(Subject { joint, .. }) = subjects.first() else { return Ok(Vec::new()) };
    let ids = subjects.iter().map(|subject| subject.servo.id.to_string()).collect::<Vec<_>>().join(", ");
    let servos: Vec<&Servo> = subjects.iter().map(|subject| &subject.servo).collect();
    loop {
        eprintln!(
            "{place} {joint} (servo {ids}): turn it by hand from one end of its travel to the other, then press Enter"
        );
        let planned = hand::travels(session.line.as_mut(), &servos, keyboard)?.map(|travels| {
            subjects.iter().zip(travels).map(|(subject, travel)| subject.calibration(travel)).collect()
        });
        let problem = match planned {
            Ok(Ok(planned)) => return Ok(planned),
            Ok(Err(problem @ plan::PlanError::Still { .. })) => problem.to_string(),
            Ok(Err(problem)) => {
                return Err(problem).with_context(|| {
                    format!("joint `{joint}` cannot be calibrated, and nothing was written")
                });
            }
            Err(problem) => problem.to_string(),
        };
        eprintln!("  {problem}; once more:");
    }
}

impl Subject {
    /// What follows from its travel.
    fn calibration(&self, travel: Travel) -> Result<JointCalibration, plan::PlanError> {
        let Self { servo, gearing, zero, counting, present, .. } = self;
        let plan = plan::plan(travel, *counting, *gearing, *zero)?;
        let values = [
            (Role::Offset, plan.offset),
            (Role::LowerLimit, Some(plan.lower)),
            (Role::UpperLimit, Some(plan.upper)),
        ];
        let name = |role| servo.map.role(role).map(|register| register.name.clone());
        let registers = values
            .into_iter()
            .filter_map(|(role, value)| Some((name(role)?, value?.into())))
            .filter(|(name, _)| present.contains_key(name))
            .collect();
        let calibration = JointCalibration {
            id: servo.id,
            model: servo.model,
            zero_ticks: plan.zero,
            reversed: gearing.reversed,
            ticks_per_turn: gearing.ticks_per_turn,
            lower_ticks: plan.lower,
            upper_ticks: plan.upper,
            registers,
        };
        if let Some(doubt) = doubt(&calibration, *zero) {
            eprintln!("  {doubt}");
        }
        Ok(calibration)
    }
}

/// A travel much shorter than the model's is one of which an end was not reached.
fn doubt(calibration: &JointCalibration, zero: Zero) -> Option<String> {
    let Zero::OfModel { lower, upper } = zero else { return None };
    let (from, to) = calibration.travel();
    let (travel, model) = ((to - from).to_degrees(), (upper - lower).to_degrees());
    let is_short = travel < 0.7 * model;
    is_short.then(|| {
        format!("it was turned by {travel:.0}°, and the model has {model:.0}°; if an end was not reached, answer no below and begin again")
    })
}

fn changes(subjects: &[Subject], planned: &[JointCalibration], file: &ArmCalibration) -> super::table::Table {
    let mut table = super::table::Table::new(&["joint", "", ">servo", ">file", ">new"]);
    for (subject, planned) in subjects.iter().zip(planned) {
        let in_file = file.joints.get(&subject.name);
        for line in diff::changes(&subject.name, planned, in_file, &subject.present) {
            table.line(line);
        }
    }
    table
}

fn write_servos(
    session: &mut Session,
    subjects: &[Subject],
    planned: &[JointCalibration],
) -> anyhow::Result<()> {
    let mut done: Vec<&str> = Vec::new();
    for (Subject { name: joint, servo, .. }, planned) in subjects.iter().zip(planned) {
        let mut values = Vec::new();
        for (name, value) in &planned.registers {
            if let Some(register) = servo.map.kept().find(|register| register.name == *name) {
                values.push((register, *value));
            }
        }
        eeprom::write(session.line.as_mut(), &servo.map, servo.id, &values).with_context(|| {
            let done = if done.is_empty() { "no joint".to_owned() } else { done.join(", ") };
            format!("joint `{joint}` was not calibrated ({done} was written before it, the file was not); begin again")
        })?;
        done.push(joint);
    }
    Ok(())
}
