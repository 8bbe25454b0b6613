//! Steps of live control as points of a trajectory, so that who samples it at any time gets one smooth motion.
//!
//! The steps' positions are the control points of a uniform cubic spline. Its velocity, acceleration and jerk are means
//! of what neighbouring steps differ by, so that they are within every limit that the steps are within; and a quintic
//! through its points with their velocities and accelerations is that spline itself. A point hangs on the steps beside
//! it only: what has been sent of it never changes, once the step after it is known. Knows no clock.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use std::collections::VecDeque;

use crate::kinematics::ik::MAX_JOINTS;
use crate::trajectory::spline::JointState;

/// One number for each joint of a step.
type Step = [JointState; MAX_JOINTS];

/// The last steps, and what comes after them as far as that is known.
#[derive(Clone, Debug)]
pub struct Window {
    period: f64,
    past: VecDeque<Step>,
    behind: usize,
}

impl Window {
    /// Points that reach `behind_secs` back from the last step at least, of steps every `period` seconds.
    pub fn new(period: f64, behind_secs: f64) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "bounded, and float casts saturate"
        )]
        let behind = (behind_secs / period).ceil().clamp(0.0, 1000.0) as usize + 2;
        Self { period, past: VecDeque::with_capacity(behind + 1), behind }
    }

    /// Begins at these states, as if the joints had moved on like that for some time.
    pub fn begin(&mut self, at: &Step) {
        self.past.clear();
        for step in (0..=self.behind).rev() {
            let ago = self.period * step as f64;
            self.past.push_back(
                at.map(|state| JointState { position: state.position - state.velocity * ago, ..state }),
            );
        }
    }

    /// Another step.
    pub fn push(&mut self, step: &Step) {
        if self.past.is_empty() {
            return self.begin(step);
        }
        self.past.pop_front();
        self.past.push_back(*step);
    }

    /// How long before the last step the first of the points is (s).
    pub fn behind_secs(&self) -> f64 {
        self.period * (self.behind - 1) as f64
    }

    /// The points from the first to where the steps `ahead` end, given to `put(secs from the first, states)`.
    ///
    /// The steps end at rest, so that the last point is at rest.
    pub fn points(&self, ahead: &[Step], mut put: impl FnMut(f64, &Step)) {
        let Some(last) = ahead.last().or(self.past.back()) else { return };
        let steps = self.past.len() + ahead.len();
        let step = |index: usize| {
            self.past.get(index).or_else(|| ahead.get(index - self.past.len())).unwrap_or(last)
        };
        for index in 1..=steps {
            let (before, here, after) = (step(index - 1), step(index), step(index + 1));
            let point = std::array::from_fn(|joint| {
                let positions = [before, here, after].map(|step| step[joint].position);
                through(positions, self.period)
            });
            put((index - 1) as f64 * self.period, &point);
        }
    }
}

/// The spline at the middle one of three control points.
fn through([before, here, after]: [f64; 3], period: f64) -> JointState {
    JointState {
        position: (before + 4.0 * here + after) / 6.0,
        velocity: (after - before) / (2.0 * period),
        acceleration: (after - 2.0 * here + before) / (period * period),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trajectory::limiter::Limiter;
    use crate::trajectory::limits::{JointLimits, RawLimits};
    use crate::trajectory::spline::{Degree, Spline, Waypoint};

    const PERIOD: f64 = 0.01;

    fn limits() -> JointLimits {
        let (lower, upper) = (-3.0, 3.0);
        let raw = RawLimits { lower, upper, max_velocity: 2.0, max_acceleration: 10.0, max_jerk: 200.0 };
        JointLimits::new(raw).unwrap()
    }

    fn state(limiter: &Limiter) -> Step {
        let mut step = [JointState::default(); MAX_JOINTS];
        step[0] = JointState {
            position: limiter.position(),
            velocity: limiter.velocity(),
            acceleration: limiter.acceleration(),
        };
        step
    }

    fn spline(window: &Window, ahead: &[Step]) -> Spline {
        let mut points = Vec::new();
        window.points(ahead, |time, states| {
            points.push(Waypoint { time, degree: Degree::Quintic, states: vec![states[0]] });
        });
        Spline::new(&points, &[limits()], &[])
    }

    #[test]
    fn the_points_of_step_after_step_are_one_motion_within_the_limits_that_ends_at_rest() {
        let mut limiter = Limiter::new(limits(), PERIOD, 0.0);
        let mut window = Window::new(PERIOD, 0.03);
        window.begin(&state(&limiter));
        let (mut told, mut last) = (JointState::default(), 0.0);
        for tick in 0..120 {
            limiter.follow(if tick < 60 { 1.0 } else { -0.5 });
            window.push(&state(&limiter));
            let (mut braking, mut ahead) = (limiter, Vec::new());
            while braking.velocity() != 0.0 || braking.acceleration() != 0.0 {
                braking.brake();
                ahead.push(state(&braking));
            }
            let mut spline = spline(&window, &ahead);
            // Two steps are between the first point and what is sampled now.
            let now = window.behind_secs() - 0.03;
            spline.begin(now, |_| told);
            for part in 1..=4 {
                spline.sample(now + 0.0025 * f64::from(part), |_, state| {
                    let jerk = (state.acceleration - told.acceleration) / 0.0025;
                    assert!(jerk.abs() <= 200.0 * (1.0 + 1e-6), "{jerk} in tick {tick}");
                    assert!(
                        state.acceleration.abs() <= 10.0 * (1.0 + 1e-6),
                        "{} in tick {tick}",
                        state.acceleration
                    );
                    assert!(state.velocity.abs() <= 2.0 * (1.0 + 1e-6), "{} in tick {tick}", state.velocity);
                    told = state;
                });
            }
            last = spline.end(0).position;
            assert_eq!((spline.end(0).velocity, spline.end(0).acceleration), (0.0, 0.0));
        }
        assert!(told.position > -0.5 && last < 1.0);
    }
}
