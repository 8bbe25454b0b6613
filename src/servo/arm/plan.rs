//! Which servo of which bus moves which joint, and how; made once of what was configured.

use std::fmt::Write as _;

use crate::config::hardware::{BusConfig, ServoConfig};
use crate::servo::control_thread::ArmSetup;
use crate::servo::driver::{DrivenServo, Identity, JointRating};

pub(super) use crate::config::hardware::MAX_BUS_SERVOS as MOST_SERVOS;

/// An arm's servos by bus, and by joint.
pub(super) struct Plan {
    pub(super) buses: Vec<(BusConfig, Vec<DrivenServo>)>,
    pub(super) joints: Vec<Vec<Member>>,
    is_plain: bool,
}

/// One of a joint's servos.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Member {
    /// Its bus, and its place there.
    pub(super) bus: usize,
    pub(super) index: usize,
    /// The joint that it really moves, where that one mimics the joint.
    pub(super) mimic: Option<usize>,
    /// What it is of the joint's effort.
    pub(super) effort_share: f64,
    pub(super) max_disagreement: f64,
    multiplier: f64,
    offset: f64,
    unit: &'static str,
    id: u8,
}

impl Plan {
    pub(super) fn new(setup: &ArmSetup) -> Self {
        let hardware = &setup.hardware;
        let buses = hardware.buses.iter().map(|bus| (bus.clone(), Vec::new())).collect();
        let is_plain = hardware.buses.len() == 1
            && hardware.further_servos.is_empty()
            && hardware.mimic_servos.is_empty();
        let mut plan = Self { buses, joints: vec![Vec::new(); setup.joints.len()], is_plain };
        for (joint, (servo, rating)) in hardware.servos.iter().zip(&setup.ratings).enumerate() {
            let further = hardware.further_servos.iter().filter(|further| further.joint == joint);
            let share = 1.0 / (1 + further.clone().count()) as f64;
            let rating = JointRating { max_effort: rating.max_effort * share, ..*rating };
            plan.add(joint, &setup.joints[joint], servo, rating, f64::INFINITY, share);
            for further in further {
                let name = &setup.joints[joint];
                plan.add(joint, name, &further.servo, rating, further.max_disagreement, share);
            }
        }
        for servo in &hardware.mimic_servos {
            let Some(index) = setup.mimics.iter().position(|mimic| mimic.name == servo.joint) else {
                continue;
            };
            let mimic = &setup.mimics[index];
            let share = mimic.rating.max_effort / setup.ratings[mimic.leader].max_effort;
            // Where one of them has no rating, no effort can be kept anyway.
            let share = if share.is_finite() && 0.0 < share { share } else { 1.0 };
            plan.add(mimic.leader, &mimic.name, &servo.servo, mimic.rating, servo.max_disagreement, share);
            if let Some(member) = plan.joints[mimic.leader].last_mut() {
                (member.mimic, member.multiplier, member.offset) =
                    (Some(index), mimic.multiplier, mimic.offset);
            }
        }
        plan
    }

    /// The servos of a plain arm were connected before.
    pub(super) fn remember(&mut self, known: &[Option<Identity>]) {
        let servos = self.buses.first_mut().into_iter().flat_map(|(_, servos)| servos);
        servos.zip(known).for_each(|(servo, known)| servo.known = *known);
    }

    /// The only bus and its servos, where each joint has one servo on it and nothing is to be merged.
    pub(super) fn as_plain(&self) -> Option<(&BusConfig, &[DrivenServo])> {
        let (bus, servos) = self.buses.first()?;
        self.is_plain.then_some((bus, servos.as_slice()))
    }

    fn add(
        &mut self,
        joint: usize,
        name: &str,
        config: &ServoConfig,
        rating: JointRating,
        max_disagreement: f64,
        effort_share: f64,
    ) {
        let Some((_, servos)) = self.buses.get_mut(config.bus) else { return };
        self.joints[joint].push(Member {
            bus: config.bus,
            index: servos.len(),
            mimic: None,
            effort_share,
            max_disagreement,
            multiplier: 1.0,
            offset: 0.0,
            unit: if config.slides { "m" } else { "rad" },
            id: config.id,
        });
        servos.push(DrivenServo { joint: name.to_owned(), config: config.clone(), rating, known: None });
    }
}

impl Member {
    /// Where the servo's own joint is to be when the joint is at `position`.
    pub(super) fn of_servo(&self, position: f64) -> f64 {
        if self.mimic.is_some() { self.multiplier * position + self.offset } else { position }
    }

    /// Where the joint is when the servo's own joint is at `position`.
    pub(super) fn of_joint(&self, position: f64) -> f64 {
        if self.mimic.is_some() { (position - self.offset) / self.multiplier } else { position }
    }

    /// How much the servo's own joint moves when the joint does.
    pub(super) fn scale(&self) -> f64 {
        self.multiplier.abs()
    }

    /// A sentence about a servo that is not where it should be.
    pub(super) fn disagreement(&self, joint: &str, bus: &str, amount: f64) -> String {
        let Self { id, unit, max_disagreement, .. } = self;
        let mut sentence = format!("the servos of joint `{joint}` disagree: servo {id}");
        if !bus.is_empty() {
            // Nothing can go wrong in memory.
            let _written = write!(sentence, " on bus {bus}");
        }
        let _written = write!(
            sentence,
            " is {amount:.4} {unit} from where it should be, and {max_disagreement} {unit} are allowed; look for a slipped \
             horn or a wrong zero_ticks"
        );
        sentence
    }
}
