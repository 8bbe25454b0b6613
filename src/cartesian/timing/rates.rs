//! What a motion along a section asks of joints and tool, and what they may be asked.
//!
//! Knows derivatives by time, whatever time that is; not how fast it runs.

use nalgebra::Vector3;

use super::super::joint_path::JointSection;
use super::super::sampled::Derivatives;
use super::{TimingLimits, finite};

/// Greatest velocity, acceleration and jerk of something.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Limit {
    pub(super) velocity: f64,
    pub(super) acceleration: f64,
    pub(super) jerk: f64,
}

/// What a motion is held against.
#[derive(Clone, Debug)]
pub(super) struct Demands {
    pub(super) joints: Vec<Limit>,
    /// Of the tip, of its turning, and of another frame where there is one.
    pub(super) vectors: [Limit; VECTORS],
}

/// Tip, turning, frame.
pub(super) const VECTORS: usize = 3;

/// Velocity, acceleration and jerk by the time of a motion.
#[derive(Clone, Debug)]
pub(super) struct Rates {
    pub(super) joints: Vec<[f64; 3]>,
    pub(super) vectors: [[Vector3<f64>; 3]; VECTORS],
}

impl Demands {
    pub(super) fn of(limits: &TimingLimits) -> Self {
        let joint = |limits| {
            let (velocity, acceleration, jerk) = finite(limits);
            Limit { velocity, acceleration, jerk }
        };
        let tip = limits.tip;
        let vector = |velocity, acceleration, jerk| Limit { velocity, acceleration, jerk };
        Self {
            joints: limits.joints.iter().map(joint).collect(),
            vectors: [
                vector(tip.max_trans_vel, tip.max_trans_acc, tip.max_trans_jerk),
                vector(tip.max_rot_vel, tip.max_rot_acc, tip.max_rot_jerk),
                vector(limits.frame_speed, f64::INFINITY, f64::INFINITY),
            ],
        }
    }

    /// The same with this part of every jerk.
    pub(super) fn with_jerk(&self, part: f64) -> Self {
        let less = |limit: &Limit| Limit { jerk: limit.jerk * part, ..*limit };
        Self { joints: self.joints.iter().map(less).collect(), vectors: self.vectors.each_ref().map(less) }
    }

    /// The tip is not to be faster than this (m/s).
    pub(super) fn limit_tip_speed(&mut self, speed: f64) {
        self.vectors[0].velocity = self.vectors[0].velocity.min(speed);
    }
}

impl Limit {
    /// How many times slower a motion must be that asks for so much.
    fn excess(&self, [velocity, acceleration, jerk]: [f64; 3]) -> f64 {
        let by_velocity = velocity / self.velocity;
        by_velocity.max((acceleration / self.acceleration).sqrt()).max((jerk / self.jerk).cbrt())
    }
}

impl Rates {
    /// At a place (path parameter) and its derivatives by time; `curves` is room for the section's curves.
    pub(super) fn of(section: &JointSection, place: &Derivatives, curves: &mut [Derivatives]) -> Self {
        section.curves().at(place[0], curves);
        let [_, speed, acceleration, jerk] = *place;
        let chained = |[first, second, third]: [f64; 3]| {
            [
                first * speed,
                second * speed * speed + first * acceleration,
                third * speed * speed * speed + 3.0 * second * speed * acceleration + first * jerk,
            ]
        };
        let joints = section.joints();
        let place_rates = |curve: &Derivatives| chained([curve[1], curve[2], curve[3]]);
        let turn_rates = |curve: &Derivatives| chained([curve[0], curve[1], curve[2]]);
        let tip = vectors(curves[joints..][..3].iter().map(place_rates));
        let turn = vectors(curves[joints + 3..][..3].iter().map(turn_rates));
        let frame = vectors(curves[joints + 6..].iter().map(place_rates));
        Self { joints: curves[..joints].iter().map(place_rates).collect(), vectors: [tip, turn, frame] }
    }

    /// How many times slower the motion must be.
    pub(super) fn excess(&self, demands: &Demands) -> f64 {
        let joints = self.joints.iter().zip(&demands.joints);
        let joints = joints.map(|(rates, limit)| limit.excess(rates.map(f64::abs)));
        let vectors = self.vectors.iter().zip(&demands.vectors);
        let vectors = vectors.map(|(rates, limit)| limit.excess(rates.map(|rate| rate.norm())));
        joints.chain(vectors).fold(0.0, f64::max)
    }
}

fn vectors(columns: impl Iterator<Item = [f64; 3]>) -> [Vector3<f64>; 3] {
    let mut vectors = [Vector3::zeros(); 3];
    for (axis, column) in columns.enumerate() {
        for (vector, rate) in vectors.iter_mut().zip(column) {
            vector[axis] = rate;
        }
    }
    vectors
}

/// Where the demands of a section are looked at (path parameter).
fn places(section: &JointSection) -> impl Iterator<Item = f64> {
    const COUNT: usize = 400;
    let length = section.length();
    (0..=COUNT).map(move |index| length * index as f64 / COUNT as f64)
}

/// The greatest tip speed (m/s) at which no limit is broken anywhere, once it is reached.
pub(super) fn speed_held_everywhere(section: &JointSection, demands: &Demands) -> f64 {
    let mut curves = vec![[0.0; 4]; section.curves().columns()];
    let speed_at = |place| {
        let rates = Rates::of(section, &[place, 1.0, 0.0, 0.0], &mut curves);
        rates.vectors[0][0].norm() / rates.excess(demands)
    };
    // Where the tip only turns, no speed of it is too much or too little.
    places(section).map(speed_at).filter(|speed| 0.0 < *speed).fold(f64::INFINITY, f64::min)
}

/// A speed (path parameter by second) and a time (s) to come to it that are within the limits everywhere.
pub(super) fn safe_pace(section: &JointSection, demands: &Demands) -> (f64, f64) {
    let mut curves = vec![[0.0; 4]; section.curves().columns()];
    let unit: Vec<Rates> =
        places(section).map(|place| Rates::of(section, &[place, 1.0, 0.0, 0.0], &mut curves)).collect();
    let excess = unit.iter().map(|rates| rates.excess(demands)).fold(f64::MIN_POSITIVE, f64::max);
    let speed = 0.6 / excess;
    // While the speed rises, the limits are those of what moves most for each metre.
    let ramp_of = |limit: &Limit, rate: f64| {
        let by_acceleration = 3.0 * speed * rate / limit.acceleration;
        by_acceleration.max((12.0 * speed * rate / limit.jerk).sqrt())
    };
    let ramp_at = |rates: &Rates| {
        let joints =
            rates.joints.iter().zip(&demands.joints).map(|(rate, limit)| ramp_of(limit, rate[0].abs()));
        let vectors =
            rates.vectors.iter().zip(&demands.vectors).map(|(rate, limit)| ramp_of(limit, rate[0].norm()));
        joints.chain(vectors).fold(0.0, f64::max)
    };
    (speed, unit.iter().map(ramp_at).fold(1e-3, f64::max))
}
