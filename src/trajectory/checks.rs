//! What must hold for a client's points, one by one, before they are made a motion of.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use super::limits::JointLimits;
use super::refusal::Refusal;
use super::waypoints::{MAX_POINTS, Point, Rules, Waypoints};

/// Below this a last velocity counts as zero; `joint_trajectory_controller` uses the same number.
const REST_VELOCITY: f64 = f32::EPSILON as f64;
/// No position, velocity or acceleration is beyond it; so nothing computed from them overflows.
const LARGEST: f64 = 1e9;
/// Some seventy years.
const LONGEST_SECS: f64 = i32::MAX as f64 + 1.0;
/// A nanosecond, less what is lost in a number of seconds.
const LEAST_STEP_SECS: f64 = 0.5e-9;

fn is_sane(value: f64) -> bool {
    value.abs() <= LARGEST
}

impl Waypoints {
    /// Which joint of the arm each name means.
    pub(super) fn joint_indices(&self, rules: &Rules<'_>) -> Result<Vec<usize>, Refusal> {
        if self.joint_names.is_empty() {
            return Err(Refusal::NoJoints);
        }
        let mut indices = Vec::with_capacity(self.joint_names.len());
        for name in &self.joint_names {
            let index = rules
                .joints
                .iter()
                .position(|joint| joint == name)
                .ok_or_else(|| Refusal::UnknownJoint { joint: name.clone(), known: rules.joints.to_vec() })?;
            if indices.contains(&index) {
                return Err(Refusal::RepeatedJoint(name.clone()));
            }
            indices.push(index);
        }
        if !rules.allow_partial && indices.len() < rules.joints.len() {
            let missing =
                rules.joints.iter().filter(|joint| !self.joint_names.contains(joint)).cloned().collect();
            return Err(Refusal::MissingJoints { missing });
        }
        Ok(indices)
    }

    /// Every list has as many numbers as joints are named, or none where it may be left out.
    pub(super) fn check_points(&self, integrates: bool) -> Result<(), Refusal> {
        if MAX_POINTS < self.points.len() {
            return Err(Refusal::TooManyPoints { count: self.points.len(), most: MAX_POINTS });
        }
        let mut points = self.points.iter().enumerate();
        points.try_for_each(|(index, point)| self.check_lists(index, point, integrates))
    }

    fn check_lists(&self, index: usize, point: &Point, integrates: bool) -> Result<(), Refusal> {
        let (velocities, accelerations) = (&point.velocities, &point.accelerations);
        if point.positions.is_empty() {
            if !integrates {
                let expected = self.joint_names.len();
                return Err(Refusal::Size { field: "positions", point: index, expected, actual: 0 });
            }
            if velocities.is_empty() && accelerations.is_empty() {
                return Err(Refusal::NoFields(index));
            }
        }
        if !point.effort.is_empty() {
            return Err(Refusal::Effort(index));
        }
        let lists =
            [("positions", &point.positions), ("velocities", velocities), ("accelerations", accelerations)];
        for (field, list) in lists {
            if !list.is_empty() && list.len() != self.joint_names.len() {
                let (expected, actual) = (self.joint_names.len(), list.len());
                return Err(Refusal::Size { field, point: index, expected, actual });
            }
            if let Some(column) = list.iter().position(|value| !is_sane(*value)) {
                let joint = self.joint_names[column].clone();
                return Err(Refusal::NotFinite { field, joint, point: index, value: list[column] });
            }
        }
        Ok(())
    }

    /// Every point is within the travel.
    pub(super) fn check_positions(&self, points: &[Point], limits: &[JointLimits]) -> Result<(), Refusal> {
        for (point, positions) in points.iter().map(|point| &point.positions).enumerate() {
            let outside = positions.iter().zip(limits).position(|(&position, limits)| {
                // What was integrated may be beyond all measure.
                !limits.contains(position) || !is_sane(position)
            });
            if let Some(column) = outside {
                let joint = self.joint_names[column].clone();
                let (lower, upper) = (limits[column].lower(), limits[column].upper());
                return Err(Refusal::Limit { joint, point, position: positions[column], lower, upper });
            }
        }
        Ok(())
    }

    /// Nothing moves at the end, as far as its velocities are given.
    pub(super) fn check_rest_at_end(&self) -> Result<(), Refusal> {
        let Some(last) = self.points.last() else { return Ok(()) };
        match last.velocities.iter().position(|velocity| REST_VELOCITY < velocity.abs()) {
            None => Ok(()),
            Some(column) => Err(Refusal::MovingEnd {
                joint: self.joint_names[column].clone(),
                velocity: last.velocities[column],
            }),
        }
    }
}

/// Time goes forward, by a nanosecond at least.
pub(super) fn check_times(points: &[Point]) -> Result<(), Refusal> {
    let first = points[0].time_from_start;
    if first != 0.0 && !(LEAST_STEP_SECS..=LONGEST_SECS).contains(&first) {
        return Err(Refusal::BadTime { point: 0, time: first });
    }
    for (index, pair) in points.windows(2).enumerate() {
        let (before, time) = (pair[0].time_from_start, pair[1].time_from_start);
        // Stated positively, so that NaN fails too.
        let increases = before + LEAST_STEP_SECS <= time;
        if !increases {
            return Err(Refusal::Time { point: index + 1, before, time });
        }
        if LONGEST_SECS < time {
            return Err(Refusal::BadTime { point: index + 1, time });
        }
    }
    Ok(())
}
