//! Where the joints should be: at present, one period ahead, and by what they were told.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use crate::config::arm::MAX_JOINTS;
use crate::trajectory::spline::JointState;

/// The references of a controller's joints.
#[derive(Debug)]
pub(super) struct References {
    /// Of the present.
    pub(super) desired: Vec<JointState>,
    /// One period ahead.
    pub(super) command: Vec<JointState>,
    /// What the joints were told last, with the velocity and acceleration that the steps between commands make; braking
    /// from there is what the limiter passes unchanged.
    pub(super) told: Vec<JointState>,
}

/// A speed factor at which nothing moves.
pub(super) const NEARLY_PAUSED: f64 = 1e-3;

impl References {
    /// At rest at zero.
    pub(super) fn new(joints: usize) -> Self {
        let at_zero = vec![JointState::default(); joints];
        Self { desired: at_zero.clone(), command: at_zero.clone(), told: at_zero }
    }

    /// A joint is and stays at a position.
    pub(super) fn rest_at(&mut self, joint: usize, position: f64) {
        for states in [&mut self.desired, &mut self.command, &mut self.told] {
            states[joint] = JointState::at_rest(position);
        }
    }

    /// What was ahead is the present.
    pub(super) fn step(&mut self) {
        self.desired.copy_from_slice(&self.command);
    }

    /// What will be ahead, unless something moves a joint: the place where it is.
    pub(super) fn stay(&mut self) {
        for (command, desired) in self.command.iter_mut().zip(&self.desired) {
            *command = JointState::at_rest(desired.position);
        }
    }

    /// The joints are told what is ahead, `secs` after they were told the last time.
    pub(super) fn tell(&mut self, secs: f64) {
        for (told, command) in self.told.iter_mut().zip(&self.command) {
            let velocity = (command.position - told.position) / secs;
            let acceleration = (velocity - told.velocity) / secs;
            *told = JointState { position: command.position, velocity, acceleration };
        }
    }

    /// The present as a trajectory sees it, whose time goes faster or slower by a factor.
    pub(super) fn in_trajectory_time(&self, factor: f64) -> [JointState; MAX_JOINTS] {
        let mut states = [JointState::default(); MAX_JOINTS];
        for (state, desired) in states.iter_mut().zip(&self.desired) {
            *state = if factor < NEARLY_PAUSED {
                JointState::at_rest(desired.position)
            } else {
                JointState {
                    position: desired.position,
                    velocity: desired.velocity / factor,
                    acceleration: desired.acceleration / (factor * factor),
                }
            };
        }
        states
    }
}
