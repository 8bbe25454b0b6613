//! PWM servos and the joints that they move. They tell nothing, so where they are is a model.
//!
//! ```text
//! goal ─ pulse ─ (the servo, unseen)
//!   └── model: within the servo's speed and acceleration towards the goal, while there are pulses
//! ```
//! Reports have the model's position, and NaN for all that nobody knows: velocity, effort, current, temperature,
//! voltage. Before its first pulse a servo is taken to stand at the configured start position; without pulses it is
//! taken to stay where it was, which an arm under gravity does not. Told the time; knows no wire.

use std::time::Duration;

use super::driver::DrivenServo;
use super::snapshot::ServoReport;
use crate::config::pwm::PwmServo;
use crate::control::torque::Standing;
use crate::units::Time;

/// The servos of one board.
pub(super) struct PwmServos {
    servos: Vec<Servo>,
    has_pulses: bool,
    updated: Option<Time>,
}

/// One servo.
pub(super) struct Servo {
    /// The joint's name.
    pub(super) joint: String,
    /// Its channel, and what its pulses mean.
    pub(super) config: PwmServo,
    /// What is known of it.
    pub(super) report: ServoReport,
    model: Model,
    /// Where it is to be (rad or m).
    goal: f64,
}

impl PwmServos {
    /// Servos before their first pulse. One that is not configured as a PWM servo is left out; there is none, as the
    /// configuration is read for one protocol.
    pub(super) fn new(driven: &[DrivenServo]) -> Self {
        let servos =
            driven.iter().filter_map(|servo| Some((servo, servo.config.pwm?))).map(|(servo, config)| {
                let model = Model {
                    position: config.start_position,
                    velocity: 0.0,
                    speed: config.speed.unwrap_or(servo.rating.max_velocity),
                    acceleration: config.acceleration,
                };
                let report = ServoReport { position: config.start_position, ..ServoReport::untold() };
                Servo { joint: servo.joint.clone(), config, report, model, goal: config.start_position }
            });
        Self { servos: servos.collect(), has_pulses: false, updated: None }
    }

    /// The servos, in the arm's order.
    pub(super) fn all(&self) -> &[Servo] {
        &self.servos
    }

    /// Whether they get pulses.
    pub(super) fn has_pulses(&self) -> bool {
        self.has_pulses
    }

    /// Pulses begin or end.
    pub(super) fn set_pulses(&mut self, has_pulses: bool) {
        self.has_pulses = has_pulses;
    }

    /// A servo gets pulses already, which tell better than the configuration where it is.
    pub(super) fn found_at(&mut self, servo: usize, pulse_us: f64) -> f64 {
        let servo = &mut self.servos[servo];
        let position = servo.config.position(pulse_us);
        (servo.model.position, servo.goal, servo.report.position) = (position, position, position);
        position
    }

    /// Where they are to be from now on; what is no number changes nothing.
    pub(super) fn aim(&mut self, positions: &[f64]) {
        for (servo, position) in self.servos.iter_mut().zip(positions).filter(|(_, goal)| goal.is_finite()) {
            servo.goal = *position;
        }
    }

    /// The models go on to `now`.
    pub(super) fn advance(&mut self, now: Time) {
        let elapsed = self.updated.map_or(Duration::ZERO, |updated| now.saturating_since(updated));
        self.updated = Some(now);
        for servo in &mut self.servos {
            if self.has_pulses {
                // No pulse leads farther than the servo may go.
                let goal = servo.config.position(servo.pulse_us());
                servo.model.advance(goal, elapsed.as_secs_f64());
            } else {
                servo.model.velocity = 0.0;
            }
        }
    }

    /// The board answered at `now`, or did not: whether the reports are fresh.
    pub(super) fn report(&mut self, answered: bool, now: Time) {
        for servo in &mut self.servos {
            servo.report.fresh = answered;
            if answered {
                (servo.report.position, servo.report.stamp) = (servo.model.position, now);
            }
        }
    }

    /// The joints' names, for those who look for a board.
    pub(super) fn names(&self) -> String {
        let names: Vec<String> = self.servos.iter().map(|servo| format!("`{}`", servo.joint)).collect();
        names.join(", ")
    }
}

impl Servo {
    /// The pulse for its goal (µs).
    pub(super) fn pulse_us(&self) -> f64 {
        self.config.pulse_us(self.goal)
    }
}

/// Where a servo is by what it was told.
#[derive(Clone, Copy, Debug)]
struct Model {
    position: f64,
    velocity: f64,
    speed: f64,
    acceleration: Option<f64>,
}

impl Model {
    /// The longest step (s) with an acceleration.
    const STEP: f64 = 0.001;
    /// More steps than this are never made; a longer time is gone through in longer steps.
    const MOST_STEPS: f64 = 1000.0;

    fn advance(&mut self, goal: f64, elapsed_secs: f64) {
        let Some(acceleration) = self.acceleration else {
            let reach = self.speed * elapsed_secs;
            self.position += (goal - self.position).clamp(-reach, reach);
            return;
        };
        let mut left = elapsed_secs;
        let step = Self::STEP.max(left / Self::MOST_STEPS);
        while 0.0 < left {
            let dt = step.min(left);
            left -= dt;
            let error = goal - self.position;
            let braking = (2.0 * acceleration * error.abs()).sqrt();
            let wanted = braking.min(self.speed).min(error.abs() / dt).copysign(error);
            let reach = acceleration * dt;
            self.velocity += (wanted - self.velocity).clamp(-reach, reach);
            self.position += self.velocity * dt;
        }
    }
}

/// What is said twice in a row, of so many answers at most; where nothing is, a servo counts as one without pulses.
pub(super) fn twice_the_same<E>(
    most: u32,
    mut ask: impl FnMut() -> Result<Option<Standing>, E>,
) -> Result<Standing, E> {
    let mut before: Option<Standing> = None;
    for _ in 0..most {
        let said = ask()?;
        if let (Some(said), Some(before)) = (said, before)
            && said.torque == before.torque
            && (said.goal - before.goal).abs() <= ON_ITS_WAY
        {
            return Ok(said);
        }
        before = said;
    }
    Ok(Standing::default())
}

/// Pulses that change slowly differ by no more from one answer to the next (rad).
const ON_ITS_WAY: f64 = 0.05;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::hardware::ServoConfig;
    use crate::config::pwm::half_turn_servo;
    use crate::servo::driver::JointRating;
    use crate::units::{Calibration, Ticks};

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_model_goes_as_fast_as_the_servo_and_stops_at_the_goal() {
        let mut servos = servos(PwmServo { speed: Some(2.0), ..half_turn_servo(0) });
        assert_eq!(run(&mut servos, 1.0, 250), 0.5);
        assert_eq!(run(&mut servos, 1.0, 300), 1.0);
        assert_eq!(run(&mut servos, 0.8, 100), 0.8);
    }

    #[test]
    fn with_an_acceleration_it_starts_and_stops_slowly_and_does_not_run_past() {
        let mut servos = servos(PwmServo { acceleration: Some(10.0), ..half_turn_servo(0) });
        let after_100_ms = run(&mut servos, 1.0, 100);
        assert!((0.04..0.06).contains(&after_100_ms), "{after_100_ms}");
        let furthest = (0..1500).map(|_| run(&mut servos, 1.0, 1)).fold(0.0, f64::max);
        assert!(furthest <= 1.0 + 2e-3, "{furthest}");
        assert!((run(&mut servos, 1.0, 100) - 1.0).abs() < 1e-3);
    }

    #[test]
    fn without_pulses_it_stays_and_a_goal_beyond_the_pulses_is_not_reached() {
        let mut servos = servos(half_turn_servo(0));
        servos.set_pulses(false);
        assert_eq!(run(&mut servos, 1.0, 500), 0.0);
        servos.set_pulses(true);
        let reached = run(&mut servos, 7.0, 5000);
        assert!((reached - std::f64::consts::FRAC_PI_2).abs() < 1e-6, "{reached}");
    }

    #[test]
    fn what_nobody_knows_is_nan_and_a_board_that_is_silent_leaves_old_reports() {
        let mut servos = servos(half_turn_servo(0));
        run(&mut servos, 0.5, 500);
        let report = servos.all()[0].report;
        let unknown =
            [report.velocity, report.effort, report.current_a, report.voltage_v, report.temperature_degc];
        assert!(unknown.iter().all(|value| value.is_nan()) && report.fresh);
        servos.report(false, Time(9));
        let silent = servos.all()[0].report;
        assert_eq!((silent.fresh, silent.position, silent.stamp), (false, report.position, report.stamp));
    }

    #[test]
    fn goals_that_are_no_numbers_change_nothing() {
        let mut servos = servos(half_turn_servo(0));
        run(&mut servos, 0.5, 500);
        assert_eq!([f64::NAN, f64::INFINITY].map(|goal| run(&mut servos, goal, 100)), [0.5, 0.5]);
    }

    fn run(servos: &mut PwmServos, goal: f64, millis: u32) -> f64 {
        servos.aim(&[goal]);
        let began = servos.updated.unwrap_or_default();
        servos.advance(began);
        (1..=millis).for_each(|ms| servos.advance(began + MS * ms));
        servos.report(true, began + MS * millis);
        let position = servos.all()[0].report.position;
        (position * 1e9).round() / 1e9
    }

    fn servos(config: PwmServo) -> PwmServos {
        let config = ServoConfig {
            limits: Default::default(),
            bus: 0,
            map: None,
            slides: false,
            id: 0,
            calibration: Calibration { zero: Ticks(0), reversed: false, ticks_per_turn: 1.0 },
            torque_limit: 1.0,
            pwm: Some(config),
            recorded: None,
        };
        let rating = JointRating { max_velocity: 5.0, max_effort: 1.0 };
        let mut servos =
            PwmServos::new(&[DrivenServo { joint: "elbow".into(), config, rating, known: None }]);
        servos.set_pulses(true);
        servos
    }
}
