//! How near the arm is to itself and to what stands around it, for live control.

use anyhow::{Context as _, anyhow};

use crate::cartesian::live::Clearance;
use crate::collision::Checker;
use crate::config::live::LiveConfig;
use crate::kinematics::Chain;
use crate::nodes::ik::IkContext;

/// Tells clearances of one chain.
pub(super) struct Closeness {
    checker: Option<Checker>,
    obstacles: Vec<String>,
    /// Joints of the robot that live control does not drive.
    others: Vec<String>,
}

/// Farther off (m) nothing is looked at.
const FAR: f64 = 0.1;
const STILL: [f64; crate::kinematics::ik::MAX_JOINTS] = [0.0; crate::kinematics::ik::MAX_JOINTS];

impl Closeness {
    /// What the configuration puts around the robot; nothing where it is not to be looked for.
    ///
    /// # Errors
    /// Where the collision model cannot be made.
    pub(super) fn new(context: &IkContext, config: &LiveConfig, chain: &Chain) -> anyhow::Result<Self> {
        let settings = context.settings();
        if !(config.check_collisions && settings.collision.is_checked) {
            return Ok(Self { checker: None, obstacles: Vec::new(), others: Vec::new() });
        }
        let model = context.collisions.as_ref().map_err(|reason| anyhow!("{reason}"));
        let model = model.context("collisions of live control (servo.check_collisions switches them off)")?;
        let own = |name: &str| chain.joints().iter().any(|joint| joint.name == name);
        let joints = context.robot.model.joints().iter();
        let others =
            joints.filter(|joint| joint.kind.is_single() && joint.mimic.is_none() && !own(&joint.name));
        Ok(Self {
            checker: Some(Checker::new(model, chain)?),
            obstacles: model.obstacles().map(str::to_owned).collect(),
            others: others.map(|joint| joint.name.clone()).collect(),
        })
    }

    /// The joints that are not driven are where they were measured.
    pub(super) fn follow_others(&mut self, context: &IkContext) {
        let Some(checker) = self.checker.as_mut() else { return };
        let measured = context.measured.borrow();
        for joint in &self.others {
            if let Some(is) = measured.joint(joint)
                && let Err(error) = checker.set_joint(joint, is.position)
            {
                tracing::debug!(%error, "a joint that collisions do not know");
            }
        }
    }

    /// With the driven joints at `positions`.
    pub(super) fn at(&self, positions: &[f64]) -> Clearance {
        let Some(checker) = &self.checker else { return Clearance::FREE };
        let mut clearance = Clearance::FREE;
        let is_known = checker.approaches(positions, &STILL[..positions.len()], FAR, |approach| {
            let is_scene = approach.pair.iter().any(|name| self.obstacles.iter().any(|known| known == name));
            let nearest = if is_scene { &mut clearance.scene } else { &mut clearance.itself };
            *nearest = nearest.min(approach.distance);
        });
        if is_known { clearance } else { Clearance { itself: 0.0, scene: 0.0 } }
    }
}
