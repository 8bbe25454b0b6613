//! A trajectory as a client sends it, and what must hold before anything moves.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use super::limits::JointLimits;
use super::refusal::Refusal;
use super::spline::{Degree, JointState, Spline, Waypoint};

/// A trajectory as it comes: any length of any list, any number in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Waypoints {
    /// The names that the lists of every point follow.
    pub joint_names: Vec<String>,
    /// The points, in the order of their times.
    pub points: Vec<Point>,
}

/// One point of a trajectory as it comes; a list may be empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Point {
    /// Seconds from the trajectory's start.
    pub time_from_start: f64,
    /// Positions (rad or m).
    pub positions: Vec<f64>,
    /// Velocities (rad/s or m/s).
    pub velocities: Vec<f64>,
    /// Accelerations (rad/s² or m/s²).
    pub accelerations: Vec<f64>,
    /// Efforts (N m or N).
    pub effort: Vec<f64>,
}

/// What a trajectory is held against.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// The arm's joints.
    pub joints: &'a [String],
    /// Their limits, in the same order.
    pub limits: &'a [JointLimits],
    /// Whether joints may be left out.
    pub allow_partial: bool,
    /// Whether the last point may be in motion.
    pub allow_moving_end: bool,
}

/// A trajectory that can be executed: finite, within the travel, its time strictly increasing.
#[derive(Clone, Debug, PartialEq)]
pub struct Trajectory {
    /// For each column of the spline, the joint it moves (index into the arm's list).
    pub joints: Vec<usize>,
    /// The motion itself.
    pub spline: Spline,
}

/// Below this a last velocity counts as zero; `joint_trajectory_controller` uses the same number.
const REST_VELOCITY: f64 = f32::EPSILON as f64;

impl Waypoints {
    /// Makes a trajectory of the points.
    ///
    /// # Errors
    /// The first thing that is wrong, with the joint, the point and the value.
    pub fn validate(&self, rules: Rules<'_>) -> Result<Trajectory, Refusal> {
        if self.points.is_empty() {
            return Err(Refusal::NoPoints);
        }
        let joints = self.joint_indices(rules)?;
        for (index, point) in self.points.iter().enumerate() {
            self.check_lists(index, point)?;
            self.check_positions(index, point, &joints, rules.limits)?;
        }
        self.check_times()?;
        if !rules.allow_moving_end {
            self.check_rest_at_end()?;
        }
        let waypoints = self.points.iter().map(|point| waypoint(point, joints.len())).collect();
        Ok(Trajectory { spline: Spline::new(joints.len(), waypoints), joints })
    }

    fn joint_indices(&self, rules: Rules<'_>) -> Result<Vec<usize>, Refusal> {
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

    fn check_lists(&self, index: usize, point: &Point) -> Result<(), Refusal> {
        if point.positions.is_empty() {
            return Err(Refusal::NoPositions(index));
        }
        if !point.effort.is_empty() {
            return Err(Refusal::Effort(index));
        }
        let lists = [
            ("positions", &point.positions),
            ("velocities", &point.velocities),
            ("accelerations", &point.accelerations),
        ];
        for (field, list) in lists {
            if !list.is_empty() && list.len() != self.joint_names.len() {
                let (expected, actual) = (self.joint_names.len(), list.len());
                return Err(Refusal::Size { field, point: index, expected, actual });
            }
            if let Some(column) = list.iter().position(|value| !value.is_finite()) {
                let joint = self.joint_names[column].clone();
                return Err(Refusal::NotFinite { field, joint, point: index, value: list[column] });
            }
        }
        Ok(())
    }

    fn check_positions(
        &self,
        index: usize,
        point: &Point,
        joints: &[usize],
        limits: &[JointLimits],
    ) -> Result<(), Refusal> {
        for (column, (&joint, &position)) in joints.iter().zip(&point.positions).enumerate() {
            let limits = &limits[joint];
            if !limits.contains(position) {
                let joint = self.joint_names[column].clone();
                let (lower, upper) = (limits.lower(), limits.upper());
                return Err(Refusal::Limit { joint, point: index, position, lower, upper });
            }
        }
        Ok(())
    }

    fn check_times(&self) -> Result<(), Refusal> {
        let first = self.points[0].time_from_start;
        // Stated positively, so that NaN fails too.
        let starts_in_time = 0.0 <= first;
        if !starts_in_time {
            return Err(Refusal::NegativeTime(first));
        }
        for (index, pair) in self.points.windows(2).enumerate() {
            let (before, time) = (pair[0].time_from_start, pair[1].time_from_start);
            let increases = before < time;
            if !increases {
                return Err(Refusal::Time { point: index + 1, before, time });
            }
        }
        Ok(())
    }

    fn check_rest_at_end(&self) -> Result<(), Refusal> {
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

fn waypoint(point: &Point, columns: usize) -> Waypoint {
    let degree = match (point.velocities.is_empty(), point.accelerations.is_empty()) {
        (true, _) => Degree::Linear,
        (false, true) => Degree::Cubic,
        (false, false) => Degree::Quintic,
    };
    let value = |list: &[f64], column: usize| list.get(column).copied().unwrap_or(0.0);
    let state = |column| JointState {
        position: point.positions[column],
        velocity: value(&point.velocities, column),
        acceleration: value(&point.accelerations, column),
    };
    Waypoint { time: point.time_from_start, degree, states: (0..columns).map(state).collect() }
}

#[cfg(test)]
mod tests {
    use super::super::limits::RawLimits;
    use super::super::refusal::RefusalKind;
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn check(change: impl FnOnce(&mut Waypoints)) -> Result<Trajectory, Refusal> {
        check_with(false, change)
    }

    fn check_with(allow_partial: bool, change: impl FnOnce(&mut Waypoints)) -> Result<Trajectory, Refusal> {
        let limits = JointLimits::new(RawLimits {
            lower: -2.0,
            upper: 2.0,
            max_velocity: 1.0,
            max_acceleration: 1.0,
            max_jerk: f64::INFINITY,
        });
        let point = |time_from_start, position| Point {
            time_from_start,
            positions: vec![position, -position],
            velocities: vec![0.0; 2],
            ..Point::default()
        };
        let mut waypoints =
            Waypoints { joint_names: names(&["b", "a"]), points: vec![point(1.0, 0.5), point(2.0, 1.0)] };
        change(&mut waypoints);
        let joints = names(&["a", "b"]);
        waypoints.validate(Rules {
            joints: &joints,
            limits: &[limits.unwrap(); 2],
            allow_partial,
            allow_moving_end: false,
        })
    }

    #[test]
    fn a_jumbled_order_of_joints_is_mapped() {
        let trajectory = check(|_| ()).unwrap();
        assert_eq!(trajectory.joints, [1, 0]);
        assert_eq!(trajectory.spline.duration(), 2.0);
    }

    #[test]
    fn joints_that_are_not_the_arms_are_refused_as_such() {
        for names_given in [&["a", "c"][..], &["a", "a"], &[], &["a"]] {
            let refusal = check(|w| {
                w.joint_names = names(names_given);
                for point in &mut w.points {
                    point.positions.truncate(names_given.len());
                    point.velocities.truncate(names_given.len());
                }
            })
            .unwrap_err();
            assert_eq!(refusal.kind(), RefusalKind::Joints, "{refusal}");
        }
    }

    #[test]
    fn a_joint_may_be_left_out_only_by_permission() {
        let one_joint = |w: &mut Waypoints| {
            w.joint_names.truncate(1);
            for point in &mut w.points {
                point.positions.truncate(1);
                point.velocities.truncate(1);
            }
        };
        let refusal = check(one_joint).unwrap_err().to_string();
        assert!(refusal.contains("a missing"), "{refusal}");
        assert_eq!(check_with(true, one_joint).unwrap().joints, [1]);
    }

    #[test]
    fn numbers_that_cannot_be_executed_are_named() {
        type Change = fn(&mut Waypoints);
        let cases: [(Change, &str); 12] = [
            (|w| w.points.clear(), "Empty trajectory received."),
            (|w| w.points[1].positions[0] = f64::NAN, "positions of joint b at point #1 is NaN"),
            (|w| w.points[0].velocities[1] = f64::INFINITY, "velocities of joint a at point #0 is inf"),
            (
                |w| w.points[0].accelerations = vec![0.0],
                "joint_names size (2) and accelerations (1) at point #0",
            ),
            (
                |w| w.points[1].positions[1] = 5.0,
                "joint a at point #1 is 5.0000; its limits are -2.0000 to 2.0000",
            ),
            (|w| w.points[1].time_from_start = 1.0, "between points 0 and 1 is not strictly increasing"),
            (|w| w.points[1].time_from_start = f64::NAN, "not strictly increasing"),
            (|w| w.points[0].time_from_start = -0.5, "must not be negative"),
            (|w| w.points[1].velocities[0] = 0.1, "Velocity of last trajectory point of joint b is not zero"),
            (|w| w.points[0].positions.clear(), "Point #0 has no positions"),
            (|w| w.points[0].effort = vec![1.0; 2], "effort"),
            (|w| w.points[0].positions.push(0.0), "joint_names size (2) and positions (3)"),
        ];
        for (change, expected) in cases {
            let refusal = check(change).unwrap_err().to_string();
            assert!(refusal.contains(expected), "{refusal} does not say {expected}");
        }
    }
}
