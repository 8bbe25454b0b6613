//! How fast a path is gone along: as fast as the limits of joints and tool allow, from rest to rest, without a jerk
//! beyond them.
//!
//! The way is taken as a function `x(τ)` of the time of a first, slow motion along it; sought is `b = τ̇²`, with
//! `a = b′/2`. Then
//!
//! ```text
//! ẋ² = x′²b     ẍ = x″b + x′a     x⃛ = √b (x‴b + 3x″a + x′a′)
//! ```
//! The first two are linear in `b` (Verscheure et al., "Time-optimal path tracking for robots: a convex optimization
//! approach", 2009). The third is not; `1/√b` is replaced by its tangent, which is below it, so that every solution
//! keeps to the limit (Debrouwere et al., "Time-optimal path following for robots with convex–concave constraints
//! using sequential convex programming", 2013). `b` is a cubic spline, what is found is the next first motion, and so
//! on until nothing is gained. Knows neither arm nor clock.

mod law;
mod linear;
mod rates;
mod rows;

use super::joint_path::JointSection;
use super::sampled::Derivatives;
use crate::trajectory::limits::JointLimits;
pub(super) use law::Law;
use rates::{Demands, Rates};

/// What the tool may do at most, named as Pilz's planner names it; infinite where nothing is said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CartesianLimits {
    /// Speed of the tip (m/s).
    pub max_trans_vel: f64,
    /// Acceleration of the tip (m/s²).
    pub max_trans_acc: f64,
    /// Jerk of the tip (m/s³).
    pub max_trans_jerk: f64,
    /// How fast the tip turns (rad/s).
    pub max_rot_vel: f64,
    /// Its angular acceleration (rad/s²).
    pub max_rot_acc: f64,
    /// Its angular jerk (rad/s³).
    pub max_rot_jerk: f64,
}

impl CartesianLimits {
    /// No limits.
    pub const NONE: Self = Self {
        max_trans_vel: f64::INFINITY,
        max_trans_acc: f64::INFINITY,
        max_trans_jerk: f64::INFINITY,
        max_rot_vel: f64::INFINITY,
        max_rot_acc: f64::INFINITY,
        max_rot_jerk: f64::INFINITY,
    };

    fn all(&self) -> [(&'static str, f64); 6] {
        [
            ("max_trans_vel", self.max_trans_vel),
            ("max_trans_acc", self.max_trans_acc),
            ("max_trans_jerk", self.max_trans_jerk),
            ("max_rot_vel", self.max_rot_vel),
            ("max_rot_acc", self.max_rot_acc),
            ("max_rot_jerk", self.max_rot_jerk),
        ]
    }
}

/// How fast the tip should go.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum ToolSpeed {
    /// As fast as the limits allow.
    #[default]
    Fastest,
    /// The same everywhere but near stops (m/s): this, or as much of it as the limits allow everywhere.
    Constant(f64),
}

/// What limits a motion along a path.
#[derive(Clone, Copy, Debug)]
pub struct TimingLimits<'a> {
    /// Of the chain's joints.
    pub joints: &'a [JointLimits],
    /// Of the tip.
    pub tip: CartesianLimits,
    /// How fast the tip should go.
    pub tool_speed: ToolSpeed,
    /// How fast (m/s) another frame of the chain may go; infinite where nothing is said.
    pub frame_speed: f64,
}

/// Why there is no timing.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum TimingError {
    /// It is no limit.
    #[error("{name} is {value}; it must be positive")]
    Limit {
        /// Its name.
        name: &'static str,
        /// Its value.
        value: f64,
    },
    /// There is not one limit for each joint.
    #[error("there are limits of {actual} joints; the chain has {expected}")]
    Joints {
        /// How many joints there are.
        expected: usize,
        /// How many limits there are.
        actual: usize,
    },
    /// The numbers are beyond all measure.
    #[error("the path cannot be timed: it would take {0} s")]
    Duration(f64),
}

/// No motion takes longer (s).
const LONGEST: f64 = 1e5;
/// How often the motion is improved at most.
const MOST_ROUNDS: usize = 24;
/// Parts of the duration: where less is gained, smaller changes are tried.
const LITTLE: f64 = 5e-3;
const MUCH: f64 = 2e-2;
/// How much a change of pace bends at most from knot to knot, and how it becomes less.
const MOST_BEND: f64 = 0.2;
const LESS_BEND: f64 = 0.3;
const LEAST_BEND: f64 = 0.01;
/// A motion that has to be slowed down by more than this is asked for with less jerk.
const EXCESS: f64 = 1.002;
const MOST_CAUTION: f64 = 1.3;
const LEAST_JERK: f64 = 0.5;
/// Of a speed that can just be held everywhere, so much is asked for.
const HELD: f64 = 0.995;
/// A joint without an acceleration limit comes to its greatest speed in this time (s), one without a jerk limit to its
/// acceleration.
const UNLIMITED_ACCELERATION_SECS: f64 = 0.1;
const UNLIMITED_JERK_SECS: f64 = 0.05;

/// Checks limits for a chain of so many joints.
///
/// # Errors
/// The first that is none.
pub(super) fn check(limits: &TimingLimits, joints: usize) -> Result<(), TimingError> {
    if limits.joints.len() != joints {
        return Err(TimingError::Joints { expected: joints, actual: limits.joints.len() });
    }
    let speed = match limits.tool_speed {
        ToolSpeed::Fastest => f64::INFINITY,
        ToolSpeed::Constant(speed) => speed,
    };
    let mut all = limits
        .tip
        .all()
        .into_iter()
        .chain([("the tool speed", speed), ("the frame speed", limits.frame_speed)]);
    let is_limit = |value: f64| 0.0 < value;
    match all.find(|&(_, value)| !is_limit(value)) {
        Some((name, value)) => Err(TimingError::Limit { name, value }),
        None => Ok(()),
    }
}

/// When each place of a section is passed.
///
/// # Errors
/// Where that is beyond all measure.
pub(super) fn time(section: &JointSection, limits: &TimingLimits) -> Result<Law, TimingError> {
    let mut demands = Demands::of(limits);
    if let ToolSpeed::Constant(speed) = limits.tool_speed {
        let held = HELD * rates::speed_held_everywhere(section, &demands);
        demands.limit_tip_speed(speed.min(held));
    }
    let mut law = first_law(section, &demands)?;
    let (mut most_bend, mut jerk) = (MOST_BEND, 1.0);
    for _ in 0..MOST_ROUNDS {
        let nodes = rates_at_nodes(section, &law);
        let asked = demands.with_jerk(jerk);
        let Some(pace) = rows::fastest_pace(&nodes, law.knot_step(), &asked, most_bend) else { break };
        let next = law.at_pace(&pace);
        let excess = excess(section, &next, &demands);
        let next = next.slowed(excess);
        let gain = 1.0 - next.duration() / law.duration();
        if 0.0 < gain && 0.0 < next.duration() {
            law = next;
        }
        // What lies between the nodes is beyond a limit: rather less jerk than less speed.
        if EXCESS < excess && gain < MUCH && LEAST_JERK < jerk {
            jerk = (jerk / excess.powi(3).min(MOST_CAUTION)).max(LEAST_JERK);
        } else if gain < LITTLE || gain.is_nan() {
            most_bend *= LESS_BEND;
        }
        if most_bend < LEAST_BEND {
            break;
        }
    }
    Ok(law)
}

/// A motion that is slow enough: its speed rises and falls smoothly and is even between.
fn first_law(section: &JointSection, demands: &Demands) -> Result<Law, TimingError> {
    let (speed, ramp) = rates::safe_pace(section, demands);
    let law = Law::trapezoid(section.length(), speed, ramp);
    let factor = excess(section, &law, demands);
    let law = law.slowed(factor);
    let duration = law.duration();
    if 0.0 < duration && duration < LONGEST { Ok(law) } else { Err(TimingError::Duration(duration)) }
}

/// How many times slower a motion must be, judged at its nodes and between them.
fn excess(section: &JointSection, law: &Law, demands: &Demands) -> f64 {
    let mut curves = room(section);
    law.places(2).map(|place| Rates::of(section, &place, &mut curves).excess(demands)).fold(0.0, f64::max)
}

fn rates_at_nodes(section: &JointSection, law: &Law) -> Vec<Rates> {
    let mut curves = room(section);
    law.smooth_places().map(|place| Rates::of(section, &place, &mut curves)).collect()
}

fn room(section: &JointSection) -> Vec<Derivatives> {
    vec![[0.0; 4]; section.curves().columns()]
}

/// The limits with numbers in place of those that are infinite.
fn finite(limits: &JointLimits) -> (f64, f64, f64) {
    let or = |value: f64, instead: f64| if value.is_finite() { value } else { instead };
    let velocity = limits.max_velocity();
    let acceleration = or(limits.max_acceleration(), velocity / UNLIMITED_ACCELERATION_SECS);
    (velocity, acceleration, or(limits.max_jerk(), acceleration / UNLIMITED_JERK_SECS))
}
