//! A geared motor with a position loop: where it goes, how hard it works, how hot it gets.
//!
//! Told how much time passes and what to aim at; knows no registers. Positions are ticks of the encoder,
//! with fractions. Efforts are parts of the stall torque, -1 to 1; the duty cycle that balances one is the
//! same number.
//!
//! The loop is a servo's: speed in proportion to the distance left (so a stream of goals is followed with a
//! lag of one time constant), within the speed, the acceleration and the effort that there are. A load moves
//! the balance: the motor holds it at a distance from its goal that the stiffness decides.

use std::time::Duration;

/// What a motor is like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MotorConfig {
    /// No-load speed (ticks/s); an STS3215 at 7.4 V turns with 5.4 rad/s.
    pub max_speed_ticks_s: f64,
    /// What the stall torque does to the inertia (ticks/s²).
    pub max_acceleration_ticks_s2: f64,
    /// Bandwidth of the position loop (Hz); the lag behind a moving goal is `1 / (2π bandwidth)`.
    pub bandwidth_hz: f64,
    /// How far from its goal the motor uses all it has (ticks).
    pub full_effort_error_ticks: f64,
    /// Play of the gears (ticks).
    pub backlash_ticks: f64,
    /// Temperature of the surroundings (°C).
    pub ambient_celsius: f64,
    /// How much hotter than that a stalled motor gets (°C).
    pub stall_heating_celsius: f64,
    /// Time constant of the heating (s).
    pub heating_time_s: f64,
    /// Current of the stalled motor (A).
    pub stall_current_a: f64,
}

impl Default for MotorConfig {
    fn default() -> Self {
        Self {
            max_speed_ticks_s: 3520.0,
            max_acceleration_ticks_s2: 100_000.0,
            bandwidth_hz: 16.0,
            full_effort_error_ticks: 120.0,
            backlash_ticks: 0.0,
            ambient_celsius: 25.0,
            stall_heating_celsius: 60.0,
            heating_time_s: 90.0,
            stall_current_a: 2.4,
        }
    }
}

impl MotorConfig {
    /// The same motor with another number of ticks a turn, so many times as many.
    #[must_use]
    pub fn with_ticks(self, factor: f64) -> Self {
        Self {
            max_speed_ticks_s: self.max_speed_ticks_s * factor,
            max_acceleration_ticks_s2: self.max_acceleration_ticks_s2 * factor,
            full_effort_error_ticks: self.full_effort_error_ticks * factor,
            backlash_ticks: self.backlash_ticks * factor,
            ..self
        }
    }
}

/// What the motor aims at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Aim {
    /// Nothing: it is free, and friction is all that holds it.
    Free,
    /// A position.
    Position(f64),
    /// A speed (ticks/s).
    Speed(f64),
}

/// What the motor is told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drive {
    /// What it aims at.
    pub aim: Aim,
    /// The greatest speed (ticks/s).
    pub speed_limit: f64,
    /// The greatest acceleration (ticks/s²).
    pub acceleration_limit: f64,
    /// The greatest effort, 0 to 1.
    pub effort_limit: f64,
    /// Stiffness of the position loop, as a multiple of the usual.
    pub stiffness: f64,
}

/// The state of a motor.
#[derive(Clone, Debug)]
pub struct Motor {
    config: MotorConfig,
    /// The driven side of the gears' play.
    shaft: f64,
    speed: f64,
    /// The other side, where the encoder is.
    position: f64,
    effort: f64,
    duty: f64,
    temperature: f64,
    load: f64,
    walls: (f64, f64),
}

impl Motor {
    /// Longest step of the integration (s).
    const STEP: f64 = 0.0005;
    /// More steps than this are never made; longer times are gone through in longer steps.
    const MOST_STEPS: f64 = 20_000.0;
    /// Duty that a motor needs for its no-load speed, as a part of what the supply gives.
    const DUTY_AT_FULL_SPEED: f64 = 0.6;
    /// Load that friction holds when nothing drives.
    const FRICTION: f64 = 0.04;
    /// The part of the acceleration that braking counts on; the rest is for its own lag.
    const BRAKING: f64 = 0.8;
    const DUTY_TIME: f64 = 0.02;
    const SPEED_TIME: f64 = 0.003;

    /// A motor at rest.
    pub fn new(config: MotorConfig, position: f64) -> Self {
        Self {
            config,
            shaft: position,
            speed: 0.0,
            position,
            effort: 0.0,
            duty: 0.0,
            temperature: config.ambient_celsius,
            load: 0.0,
            walls: (f64::NEG_INFINITY, f64::INFINITY),
        }
    }

    /// Where the encoder says it is.
    pub fn position(&self) -> f64 {
        self.position
    }

    /// How fast it turns (ticks/s).
    pub fn speed(&self) -> f64 {
        self.speed
    }

    /// The duty cycle, -1 to 1.
    pub fn duty(&self) -> f64 {
        self.duty
    }

    /// The effort as a part of the stall torque, -1 to 1.
    pub fn effort(&self) -> f64 {
        self.effort
    }

    /// The current (A), always positive.
    pub fn current_a(&self) -> f64 {
        self.effort.abs() * self.config.stall_current_a
    }

    /// How hot it is (°C).
    pub fn temperature(&self) -> f64 {
        self.temperature
    }

    /// What the motor is like.
    pub fn config(&self) -> &MotorConfig {
        &self.config
    }

    /// Puts it somewhere, at rest.
    pub fn put(&mut self, position: f64) {
        (self.shaft, self.position, self.speed) = (position, position, 0.0);
    }

    /// Makes it that hot.
    pub fn heat_to(&mut self, celsius: f64) {
        self.temperature = celsius;
    }

    /// Makes the surroundings that hot.
    pub fn set_ambient(&mut self, celsius: f64) {
        self.config.ambient_celsius = celsius;
    }

    /// What pulls toward falling positions, as a part of the stall torque; negative pulls the other way.
    pub fn set_load(&mut self, load: f64) {
        self.load = load.clamp(-2.0, 2.0);
    }

    /// Puts something in the way at `position`, on the side where the motor is not.
    pub fn block(&mut self, position: f64) {
        if self.shaft <= position {
            self.walls.1 = position;
        } else {
            self.walls.0 = position;
        }
    }

    /// Takes everything out of the way.
    pub fn unblock(&mut self) {
        self.walls = (f64::NEG_INFINITY, f64::INFINITY);
    }

    /// Lets time pass.
    pub fn advance(&mut self, elapsed: Duration, drive: &Drive) {
        let mut left = elapsed.as_secs_f64();
        let step = Self::STEP.max(left / Self::MOST_STEPS);
        while 0.0 < left {
            self.step(step.min(left), drive);
            left -= step;
        }
        self.follow_through_play();
    }

    fn step(&mut self, dt: f64, drive: &Drive) {
        let wanted = self.wanted_speed(drive);
        let (slowest, fastest) = self.speeds_within_effort(drive);
        let wanted = wanted.max(slowest).min(fastest.max(slowest));
        let reach = self.acceleration(drive) * dt;
        let before = self.speed;
        let change = (wanted - before) * (dt / Self::SPEED_TIME).min(1.0);
        self.speed += change.clamp(-reach, reach);
        // The mean speed makes the position exact while the acceleration is constant.
        let free = self.shaft + 0.5 * (before + self.speed) * dt;
        self.shaft = free.max(self.walls.0).min(self.walls.1);
        let is_blocked = self.shaft != free;
        if is_blocked {
            self.speed = 0.0;
        }
        self.work((self.speed - before) / dt, is_blocked, dt, drive);
    }

    /// The speed that the loop asks for.
    fn wanted_speed(&self, drive: &Drive) -> f64 {
        match drive.aim {
            Aim::Free => 0.0,
            Aim::Speed(speed) => speed.clamp(-drive.speed_limit, drive.speed_limit),
            Aim::Position(goal) => {
                let error = goal - self.sag(drive) - self.shaft;
                let gain = std::f64::consts::TAU * self.config.bandwidth_hz * drive.stiffness.max(0.05);
                // Faster than this it could not stop in time.
                let braking = (2.0 * Self::BRAKING * self.acceleration(drive) * error.abs()).sqrt();
                let speed = (gain * error.abs()).min(braking).min(drive.speed_limit);
                speed.copysign(error)
            }
        }
    }

    /// How far below its goal the motor holds the load.
    fn sag(&self, drive: &Drive) -> f64 {
        let held = self.load.clamp(-drive.effort_limit, drive.effort_limit);
        held * self.config.full_effort_error_ticks / drive.stiffness.max(0.05)
    }

    fn acceleration(&self, drive: &Drive) -> f64 {
        drive.acceleration_limit.min(self.config.max_acceleration_ticks_s2)
    }

    /// The speeds that the effort left beside the load allows; too little effort means falling.
    fn speeds_within_effort(&self, drive: &Drive) -> (f64, f64) {
        let (effort, load) = match drive.aim {
            Aim::Free => (0.0, self.load.signum() * (self.load.abs() - Self::FRICTION).max(0.0)),
            _ => (drive.effort_limit, self.load),
        };
        let speed_of = |effort: f64| {
            let most = self.config.max_speed_ticks_s;
            (effort / Self::DUTY_AT_FULL_SPEED * most).clamp(-most, most)
        };
        (speed_of(-effort - load), speed_of(effort - load))
    }

    /// What the motion costs: effort, duty, heat.
    fn work(&mut self, acceleration: f64, is_blocked: bool, dt: f64, drive: &Drive) {
        let limit = drive.effort_limit;
        self.effort = match drive.aim {
            Aim::Free => 0.0,
            Aim::Position(goal) if is_blocked => {
                let error = (goal - self.shaft) * drive.stiffness / self.config.full_effort_error_ticks;
                error.clamp(-limit, limit)
            }
            Aim::Speed(speed) if is_blocked => limit.copysign(speed),
            _ => {
                let inertia = 0.5 * acceleration / self.config.max_acceleration_ticks_s2;
                (self.load + inertia).clamp(-limit, limit)
            }
        };
        let back_emf = match drive.aim {
            Aim::Free => 0.0,
            _ => Self::DUTY_AT_FULL_SPEED * self.speed / self.config.max_speed_ticks_s,
        };
        let duty = (self.effort + back_emf).clamp(-limit, limit);
        self.duty += (duty - self.duty) * (dt / Self::DUTY_TIME).min(1.0);
        let heating = self.config.stall_heating_celsius * self.effort * self.effort;
        let balance = self.config.ambient_celsius + heating;
        self.temperature += (balance - self.temperature) * (dt / self.config.heating_time_s).min(1.0);
    }

    fn follow_through_play(&mut self) {
        let half = self.config.backlash_ticks / 2.0;
        self.position = self.position.clamp(self.shaft - half, self.shaft + half);
    }
}

#[cfg(test)]
#[path = "motor_tests.rs"]
mod tests;
