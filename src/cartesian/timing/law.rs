//! When each place of a way is passed: place, speed and acceleration at even times, quintics between them.
//!
//! A change of pace is a spline over several of these times, so that its kinks do not become overshoots of the
//! quintics. Knows nothing of the way but its length.

use super::super::sampled::Derivatives;

/// A place (m) and its first three derivatives by time, at even times.
#[derive(Clone, Debug)]
pub(in super::super) struct Law {
    step: f64,
    /// Place, speed, acceleration.
    nodes: Vec<[f64; 3]>,
}

/// A change of time: its squared rate, a cubic spline with knots at every [`NODES_PER_KNOT`]th node of a [`Law`].
#[derive(Clone, Debug)]
pub(super) struct Pace {
    /// One more at either end than there are knots.
    pub(super) coefficients: Vec<f64>,
}

/// Time between knots (s), and how many there are at least and at most.
const KNOT_STEP: f64 = 0.006;
const FEWEST_KNOTS: usize = 48;
const MOST_KNOTS: usize = 8_000;
/// Nodes from knot to knot.
pub(super) const NODES_PER_KNOT: usize = 2;
/// Places and weights of Gauss and Legendre's rule with four points.
const GAUSS: [(f64, f64); 4] = [
    (0.069_431_844_202_973_71, 0.173_927_422_568_726_93),
    (0.330_009_478_207_571_87, 0.326_072_577_431_273_07),
    (0.669_990_521_792_428_1, 0.326_072_577_431_273_07),
    (0.930_568_155_797_026_3, 0.173_927_422_568_726_93),
];

impl Law {
    /// From rest to rest over `length`: up to `speed` within `ramp` seconds, even, and down again.
    pub(super) fn trapezoid(length: f64, speed: f64, ramp: f64) -> Self {
        // On a short way there is no time to come to the speed.
        let slower = (speed * ramp / length).max(1.0).sqrt();
        let speed = speed / slower;
        let ramp = (ramp / slower).min(length / speed);
        let duration = length / speed + ramp;
        let count = node_count(duration);
        let step = duration / count as f64;
        let node = |index: usize| {
            let time = step * index as f64;
            let (rising, falling) = (ramped(time, ramp), ramped(duration - time, ramp));
            if time < 0.5 * duration {
                [speed * rising[0], speed * rising[1], speed * rising[2]]
            } else {
                [length - speed * falling[0], speed * falling[1], -speed * falling[2]]
            }
        };
        let mut nodes: Vec<[f64; 3]> = (0..=count).map(node).collect();
        (nodes[0], nodes[count]) = ([0.0; 3], [length, 0.0, 0.0]);
        Self { step, nodes }
    }

    /// Seconds from begin to end.
    pub(in super::super) fn duration(&self) -> f64 {
        self.step * (self.nodes.len() - 1) as f64
    }

    /// Seconds between knots of a pace.
    pub(super) fn knot_step(&self) -> f64 {
        self.step * NODES_PER_KNOT as f64
    }

    /// The places at the nodes; their last derivative is the mean of before and after.
    pub(super) fn smooth_places(&self) -> impl Iterator<Item = Derivatives> {
        let last = self.nodes.len() - 1;
        (0..=last).map(move |index| {
            let mut place = self.at(index, 0.0);
            if 0 < index && index < last {
                place[3] = 0.5 * (place[3] + self.at(index - 1, 1.0)[3]);
            }
            place
        })
    }

    /// The times (s) of the nodes, with the place and its derivatives there.
    pub(in super::super) fn nodes(&self) -> impl Iterator<Item = (f64, Derivatives)> {
        let timed = self.places(1).enumerate();
        timed.map(|(index, place)| (self.step * index as f64, place))
    }

    /// Places, so many for each interval, and the last.
    pub(super) fn places(&self, each: usize) -> impl Iterator<Item = Derivatives> {
        let count = (self.nodes.len() - 1) * each;
        (0..=count).map(move |index| self.at(index / each, (index % each) as f64 / each as f64))
    }

    /// The same, so many times slower.
    pub(super) fn slowed(mut self, factor: f64) -> Self {
        self.step *= factor;
        for [_, speed, acceleration] in &mut self.nodes {
            *speed /= factor;
            *acceleration /= factor * factor;
        }
        self
    }

    /// The same at another pace.
    pub(super) fn at_pace(&self, pace: &Pace) -> Self {
        let times = self.times(pace);
        let duration = times[times.len() - 1];
        let count = node_count(duration);
        let step = duration / count as f64;
        let mut interval = 0;
        let nodes = (0..=count).map(|index| {
            let time = duration * index as f64 / count as f64;
            while interval + 2 < times.len() && times[interval + 1] < time {
                interval += 1;
            }
            let part = self.part(pace, interval, time - times[interval]);
            let [place, first, second, _] = self.at(interval, part);
            let [squared, slope] = self.pace_at(pace, interval, part);
            let rate = squared.max(0.0).sqrt();
            [place, first * rate, second * squared + 0.5 * first * slope]
        });
        let mut nodes: Vec<[f64; 3]> = nodes.collect();
        // At the ends nothing moves, whatever rounding says.
        if let (Some(first), Some(last)) = (self.nodes.first(), self.nodes.last()) {
            nodes[0] = *first;
            nodes[count] = *last;
        }
        Self { step, nodes }
    }

    /// The new times of the nodes.
    fn times(&self, pace: &Pace) -> Vec<f64> {
        let mut time = 0.0;
        let mut times = Vec::with_capacity(self.nodes.len());
        times.push(0.0);
        for interval in 0..self.nodes.len() - 1 {
            time += self.elapsed(pace, interval, 1.0);
            times.push(time);
        }
        times
    }

    /// The new time that a part of an interval takes.
    fn elapsed(&self, pace: &Pace, interval: usize, part: f64) -> f64 {
        let each = |(at, weight): (f64, f64)| {
            weight / self.pace_at(pace, interval, at * part)[0].max(LEAST_PACE).sqrt()
        };
        self.step * part * GAUSS.into_iter().map(each).sum::<f64>()
    }

    /// The part of an interval after which so much of the new time is gone.
    fn part(&self, pace: &Pace, interval: usize, elapsed: f64) -> f64 {
        let mut part = (elapsed / self.elapsed(pace, interval, 1.0)).clamp(0.0, 1.0);
        for _ in 0..4 {
            let rate = self.pace_at(pace, interval, part)[0].max(LEAST_PACE).sqrt();
            let missing = elapsed - self.elapsed(pace, interval, part);
            part = (part + missing * rate / self.step).clamp(0.0, 1.0);
        }
        part
    }

    /// The pace within an interval, after a part of it, and its slope.
    fn pace_at(&self, pace: &Pace, interval: usize, part: f64) -> [f64; 2] {
        let (knot, offset) = (interval / NODES_PER_KNOT, interval % NODES_PER_KNOT);
        pace.at(knot, (offset as f64 + part) / NODES_PER_KNOT as f64, self.knot_step())
    }

    /// Within an interval, after a part of it.
    fn at(&self, interval: usize, part: f64) -> Derivatives {
        let last = self.nodes.len() - 1;
        let (interval, part) = if interval < last { (interval, part) } else { (last - 1, 1.0) };
        let [s0, v0, a0] = self.nodes[interval];
        let [s1, v1, a1] = self.nodes[interval + 1];
        let h = self.step;
        let (v0, v1, a0, a1) = (v0 * h, v1 * h, a0 * h * h, a1 * h * h);
        let distance = s1 - s0;
        let c3 = 10.0 * distance - 6.0 * v0 - 4.0 * v1 - 1.5 * a0 + 0.5 * a1;
        let c4 = -15.0 * distance + 8.0 * v0 + 7.0 * v1 + 1.5 * a0 - a1;
        let c5 = 6.0 * distance - 3.0 * (v0 + v1) + 0.5 * (a1 - a0);
        let x = part;
        [
            s0 + x * (v0 + x * (0.5 * a0 + x * (c3 + x * (c4 + x * c5)))),
            (v0 + x * (a0 + x * (3.0 * c3 + x * (4.0 * c4 + x * 5.0 * c5)))) / h,
            (a0 + x * (6.0 * c3 + x * (12.0 * c4 + x * 20.0 * c5))) / (h * h),
            (6.0 * c3 + x * (24.0 * c4 + x * 60.0 * c5)) / (h * h * h),
        ]
    }
}

/// No pace is slower; the program that finds it keeps far above.
const LEAST_PACE: f64 = 1e-6;

impl Pace {
    /// Value and slope after a part of an interval between knots that is `step` long.
    fn at(&self, interval: usize, part: f64, step: f64) -> [f64; 2] {
        let coefficients = [0, 1, 2, 3].map(|offset| self.coefficients[interval + offset]);
        let [value, slope, _] = spline(&coefficients, part, step);
        [value, slope]
    }
}

/// Value, slope and bend of a cubic spline after a part of an interval that is `step` long.
pub(super) fn spline([c0, c1, c2, c3]: &[f64; 4], part: f64, step: f64) -> [f64; 3] {
    let (x, y) = (part, 1.0 - part);
    let value = y * y * y * c0
        + (3.0 * x * x * x - 6.0 * x * x + 4.0) * c1
        + (3.0 * y * y * y - 6.0 * y * y + 4.0) * c2
        + x * x * x * c3;
    let slope = -y * y * c0 + (3.0 * x * x - 4.0 * x) * c1 + (4.0 * y - 3.0 * y * y) * c2 + x * x * c3;
    let bend = y * c0 + (3.0 * x - 2.0) * c1 + (3.0 * y - 2.0) * c2 + x * c3;
    [value / 6.0, slope / (2.0 * step), bend / (step * step)]
}

fn node_count(duration: f64) -> usize {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "held within bounds")]
    let knots = (duration / KNOT_STEP).ceil().clamp(0.0, MOST_KNOTS as f64) as usize;
    knots.max(FEWEST_KNOTS) * NODES_PER_KNOT
}

/// Place, speed and acceleration of a motion that comes to unit speed within `ramp`.
fn ramped(time: f64, ramp: f64) -> [f64; 3] {
    if ramp <= time {
        return [time - 0.5 * ramp, 1.0, 0.0];
    }
    let x = (time / ramp).max(0.0);
    [ramp * x * x * x * (1.0 - 0.5 * x), x * x * (3.0 - 2.0 * x), 6.0 * x * (1.0 - x) / ramp]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_motion_goes_all_the_way_from_rest_to_rest() {
        for (length, speed, ramp) in [(0.2, 0.1, 0.05), (0.01, 1.0, 0.3), (3.0, 0.01, 1.0)] {
            let law = Law::trapezoid(length, speed, ramp);
            let (first, last) = (law.nodes[0], law.nodes[law.nodes.len() - 1]);
            assert_eq!(first, [0.0; 3]);
            assert!(
                (last[0] - length).abs() < 1e-12 && last[1].abs() < 1e-12 && last[2].abs() < 1e-9,
                "{last:?}"
            );
            assert!(law.nodes.windows(2).all(|pair| pair[0][0] < pair[1][0]));
            assert!(law.nodes.iter().all(|node| node[1] <= speed * (1.0 + 1e-12)));
        }
    }

    #[test]
    fn an_even_pace_scales_time() {
        let law = Law::trapezoid(0.2, 0.1, 0.5);
        let pace = Pace { coefficients: vec![4.0; law.nodes.len() / NODES_PER_KNOT + 3] };
        let faster = law.at_pace(&pace);
        assert!((faster.duration() - 0.5 * law.duration()).abs() < 1e-9);
        let (_, [place, speed, ..]) = faster.nodes().nth(faster.nodes.len() / 2).unwrap();
        assert!((place - 0.1).abs() < 1e-3 && (speed - 0.2).abs() < 1e-6, "{place} {speed}");
    }

    #[test]
    fn places_and_derivatives_agree_at_an_uneven_pace() {
        let law = Law::trapezoid(0.2, 0.1, 0.5);
        let wavy = |index: usize| 1.5 + (0.05 * index as f64).sin();
        let pace = Pace { coefficients: (0..law.nodes.len() / NODES_PER_KNOT + 3).map(wavy).collect() };
        let law = law.at_pace(&pace);
        let nodes: Vec<_> = law.nodes().collect();
        for three in nodes.windows(3).skip(2) {
            let [(_, before), (_, here), (_, after)] = three else { unreachable!() };
            let h = law.step;
            let speed = (after[0] - before[0]) / (2.0 * h);
            let acceleration = (after[1] - before[1]) / (2.0 * h);
            assert!((speed - here[1]).abs() < 2e-4, "{speed} {here:?}");
            assert!((acceleration - here[2]).abs() < 2e-2, "{acceleration} {here:?}");
        }
    }
}
