//! The motion between waypoints: per segment a line, a cubic or a quintic, by what both ends carry.
//!
//! Formulas: Hermite interpolation of position, velocity and acceleration at both ends, as in
//! `joint_trajectory_controller` (`src/trajectory.cpp`). Sampling allocates nothing.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

/// Position, velocity and acceleration of one joint (rad or m, and a second, and a second squared).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct JointState {
    /// Position (rad or m).
    pub position: f64,
    /// Velocity (rad/s or m/s).
    pub velocity: f64,
    /// Acceleration (rad/s² or m/s²).
    pub acceleration: f64,
}

impl JointState {
    /// At rest at `position`.
    pub fn at_rest(position: f64) -> Self {
        Self { position, ..Self::default() }
    }
}

/// How smoothly a waypoint can be passed, by the fields it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Degree {
    /// Positions only.
    Linear,
    /// Positions and velocities.
    Cubic,
    /// Positions, velocities and accelerations.
    Quintic,
}

/// A point that the motion passes at a given time.
#[derive(Clone, Debug, PartialEq)]
pub struct Waypoint {
    /// Seconds from the start.
    pub time: f64,
    /// Which fields of the states are given.
    pub degree: Degree,
    /// One state for each column.
    pub states: Vec<JointState>,
}

/// A piecewise polynomial motion of several joints, one column each.
///
/// Segment `i` ends at waypoint `i`. The first one starts from wherever the arm is at the time, which
/// [`Spline::begin`] says; sampled before that, it stays at the first waypoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Spline {
    columns: usize,
    waypoints: Vec<Waypoint>,
    segments: Vec<Segment>,
    /// Coefficients of every segment's columns, in order of the segments.
    coefficients: Vec<[f64; 6]>,
    /// The segment sampled last; time mostly goes forward.
    cursor: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Segment {
    start: f64,
    end: f64,
}

impl Spline {
    /// A motion through `waypoints` (at least one, times strictly increasing, `columns` states each).
    pub fn new(columns: usize, waypoints: Vec<Waypoint>) -> Self {
        let count = waypoints.len();
        let mut spline = Self {
            columns,
            waypoints,
            segments: Vec::with_capacity(count),
            coefficients: vec![[0.0; 6]; count * columns],
            cursor: 0,
        };
        for index in 0..count {
            let from = index.saturating_sub(1);
            let (start, end) = (spline.waypoints[from].time, spline.waypoints[index].time);
            spline.segments.push(Segment { start, end });
            let degree = spline.waypoints[from].degree.min(spline.waypoints[index].degree);
            for column in 0..columns {
                let state = spline.waypoints[from].states[column];
                spline.set_segment(index, column, state, degree);
            }
        }
        spline
    }

    /// Seconds from the start to the last waypoint.
    pub fn duration(&self) -> f64 {
        self.waypoints.last().map_or(0.0, |waypoint| waypoint.time)
    }

    /// Where a column ends.
    pub fn end(&self, column: usize) -> JointState {
        self.waypoints.last().map_or_else(JointState::default, |waypoint| waypoint.states[column])
    }

    /// Joins the motion at `time`, coming from `state_of(column)`: the segment under way is bent to start there.
    ///
    /// A first waypoint at time 0 is where the motion starts, so nothing is bent for it.
    pub fn begin(&mut self, time: f64, state_of: impl Fn(usize) -> JointState) {
        let Some(index) = self.segments.iter().position(|segment| time < segment.end) else { return };
        self.cursor = index;
        self.segments[index].start = time;
        let degree = self.waypoints[index].degree;
        for column in 0..self.columns {
            self.set_segment(index, column, state_of(column), degree);
        }
    }

    /// The state of every column at `time`, given to `put(column, state)`; before and after, it rests at the ends.
    pub fn sample(&mut self, time: f64, mut put: impl FnMut(usize, JointState)) {
        let last = self.segments.len() - 1;
        if time < self.segments[self.cursor].start {
            self.cursor = 0;
        }
        while self.cursor < last && self.segments[self.cursor].end <= time {
            self.cursor += 1;
        }
        let segment = self.segments[self.cursor];
        if segment.end <= time {
            (0..self.columns).for_each(|column| put(column, JointState::at_rest(self.end(column).position)));
            return;
        }
        let elapsed = (time - segment.start).max(0.0);
        for column in 0..self.columns {
            put(column, evaluate(&self.coefficients[self.cursor * self.columns + column], elapsed));
        }
    }

    fn set_segment(&mut self, index: usize, column: usize, from: JointState, degree: Degree) {
        let span = self.segments[index].end - self.segments[index].start;
        let to = self.waypoints[index].states[column];
        self.coefficients[index * self.columns + column] = polynomial(from, to, span, degree);
    }
}

/// The polynomial that leads `from` one state `to` another in `span` seconds.
fn polynomial(from: JointState, to: JointState, span: f64, degree: Degree) -> [f64; 6] {
    if span <= 0.0 {
        return [to.position, 0.0, 0.0, 0.0, 0.0, 0.0];
    }
    let distance = to.position - from.position;
    let (v0, v1) = (from.velocity * span, to.velocity * span);
    let (a0, a1) = (from.acceleration * span * span, to.acceleration * span * span);
    // In units of the span; scaled back below.
    let unit = match degree {
        Degree::Linear => [from.position, distance, 0.0, 0.0, 0.0, 0.0],
        Degree::Cubic => {
            [from.position, v0, 3.0 * distance - 2.0 * v0 - v1, v0 + v1 - 2.0 * distance, 0.0, 0.0]
        }
        Degree::Quintic => [
            from.position,
            v0,
            a0 / 2.0,
            10.0 * distance - 6.0 * v0 - 4.0 * v1 - 1.5 * a0 + 0.5 * a1,
            -15.0 * distance + 8.0 * v0 + 7.0 * v1 + 1.5 * a0 - a1,
            6.0 * distance - 3.0 * (v0 + v1) + 0.5 * (a1 - a0),
        ],
    };
    let mut scale = 1.0;
    unit.map(|coefficient| {
        let scaled = coefficient * scale;
        scale /= span;
        scaled
    })
}

fn evaluate(c: &[f64; 6], t: f64) -> JointState {
    JointState {
        position: ((((c[5] * t + c[4]) * t + c[3]) * t + c[2]) * t + c[1]) * t + c[0],
        velocity: (((5.0 * c[5] * t + 4.0 * c[4]) * t + 3.0 * c[3]) * t + 2.0 * c[2]) * t + c[1],
        acceleration: ((20.0 * c[5] * t + 12.0 * c[4]) * t + 6.0 * c[3]) * t + 2.0 * c[2],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(position: f64, velocity: f64, acceleration: f64) -> JointState {
        JointState { position, velocity, acceleration }
    }

    fn spline(degree: Degree, states: &[(f64, JointState)]) -> Spline {
        let waypoint = |&(time, state)| Waypoint { time, degree, states: vec![state] };
        Spline::new(1, states.iter().map(waypoint).collect())
    }

    fn sample(spline: &mut Spline, time: f64) -> JointState {
        let mut sampled = JointState::default();
        spline.sample(time, |_, state| sampled = state);
        sampled
    }

    fn assert_close(actual: JointState, expected: JointState) {
        let same = |a: f64, b: f64| (a - b).abs() < 1e-9;
        assert!(
            same(actual.position, expected.position)
                && same(actual.velocity, expected.velocity)
                && same(actual.acceleration, expected.acceleration),
            "{actual:?} is not {expected:?}"
        );
    }

    #[test]
    fn positions_alone_are_joined_by_lines() {
        let mut spline = spline(Degree::Linear, &[(1.0, state(2.0, 0.0, 0.0)), (3.0, state(4.0, 0.0, 0.0))]);
        spline.begin(0.0, |_| JointState::at_rest(0.0));
        assert_close(sample(&mut spline, 0.5), state(1.0, 2.0, 0.0));
        assert_close(sample(&mut spline, 2.0), state(3.0, 1.0, 0.0));
    }

    #[test]
    fn cubics_pass_positions_and_velocities_quintics_accelerations_too() {
        let (a, b) = (state(0.2, -0.5, 1.0), state(1.0, 0.7, -2.0));
        for (degree, derivatives) in [(Degree::Cubic, 2), (Degree::Quintic, 3)] {
            let mut spline = spline(degree, &[(2.0, b), (3.5, a)]);
            spline.begin(0.5, |_| a);
            for (time, expected) in [(0.5, a), (2.0 - 1e-12, b), (2.0, b)] {
                let at = sample(&mut spline, time);
                assert!((at.position - expected.position).abs() < 1e-9);
                assert!((at.velocity - expected.velocity).abs() < 1e-9);
                assert!(derivatives == 2 || (at.acceleration - expected.acceleration).abs() < 1e-8);
            }
        }
    }

    #[test]
    fn velocity_is_the_derivative_of_position_in_every_segment() {
        let points = [(1.0, state(0.5, 0.3, 0.1)), (1.7, state(-0.5, 0.0, 0.4)), (4.0, state(0.1, 0.0, 0.0))];
        for degree in [Degree::Linear, Degree::Cubic, Degree::Quintic] {
            let mut spline = spline(degree, &points);
            spline.begin(0.0, |_| state(0.1, 0.2, 0.3));
            for step in 1..39 {
                let (time, h) = (f64::from(step) * 0.1 + 0.03, 1e-6);
                let slope = (sample(&mut spline, time + h).position - sample(&mut spline, time - h).position)
                    / (2.0 * h);
                assert!((slope - sample(&mut spline, time).velocity).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn the_last_segment_is_sampled_to_its_end() {
        let mut spline = spline(Degree::Linear, &[(1.0, state(1.0, 0.0, 0.0)), (2.0, state(2.0, 0.0, 0.0))]);
        spline.begin(0.0, |_| JointState::default());
        assert_close(sample(&mut spline, 1.999), state(1.999, 1.0, 0.0));
        assert_close(sample(&mut spline, 2.0), JointState::at_rest(2.0));
        assert_close(sample(&mut spline, 9.0), JointState::at_rest(2.0));
    }

    #[test]
    fn a_motion_joined_late_goes_on_from_where_the_arm_is() {
        let points = [(1.0, state(1.0, 0.0, 0.0)), (2.0, state(2.0, 0.0, 0.0)), (3.0, state(3.0, 0.0, 0.0))];
        let mut spline = spline(Degree::Linear, &points);
        spline.begin(1.5, |_| JointState::at_rest(0.0));
        assert_close(sample(&mut spline, 1.5), state(0.0, 4.0, 0.0));
        assert_close(sample(&mut spline, 1.75), state(1.0, 4.0, 0.0));
        assert_close(sample(&mut spline, 2.5), state(2.5, 1.0, 0.0));
    }

    #[test]
    fn a_first_waypoint_at_time_zero_is_the_start() {
        let mut spline = spline(Degree::Cubic, &[(0.0, state(1.0, 0.0, 0.0)), (1.0, state(2.0, 0.0, 0.0))]);
        spline.begin(0.0, |_| state(1.0, 0.0, 0.0));
        assert_close(sample(&mut spline, 0.5), state(1.5, 1.5, 0.0));
    }

    #[test]
    fn time_may_go_back() {
        let mut spline = spline(Degree::Linear, &[(1.0, state(1.0, 0.0, 0.0)), (2.0, state(3.0, 0.0, 0.0))]);
        spline.begin(0.0, |_| JointState::default());
        assert_eq!(sample(&mut spline, 1.5).position, 2.0);
        assert_eq!(sample(&mut spline, 0.5).position, 0.5);
    }
}
