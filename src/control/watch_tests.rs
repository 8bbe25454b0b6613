//! A servo that gets hot, stalls, falls silent or has no supply, as samples on simulated time.

use super::*;
use crate::config::watch::Levels;

const PERIOD: f64 = 0.1;

/// One watched joint that is fine, unless a test says otherwise.
struct Bench {
    watch: Watch,
    now: Time,
    seen: Sighting,
}

impl Bench {
    fn new() -> Self {
        Self::of(JointWatch::default())
    }

    fn of(joint: JointWatch) -> Self {
        let config = WatchConfig { joints: vec![joint], slow_factor: 0.25 };
        let health =
            Health { temperature_degc: 30.0, voltage_v: 7.4, current_a: 0.1, load: 0.0, alarms: false };
        let seen = Sighting {
            fresh: true,
            stamp: None,
            health,
            position: 0.0,
            command: Some(0.0),
            excess: 0.0,
            load_limit: 1.0,
            may_stall: false,
        };
        Self { watch: Watch::new(&config), now: Time(0).plus_secs(1.0), seen }
    }

    /// So many seconds go by; gives the levels of the cause that began or ended, with the second of each.
    fn run(&mut self, watched: Watched, secs: f64) -> Vec<(f64, Level)> {
        let mut levels = Vec::new();
        let begun = self.now;
        while self.now.secs_since(begun) < secs - 1e-9 {
            self.now = self.now.plus_secs(PERIOD);
            if self.seen.fresh {
                self.seen.stamp = Some(self.now);
            }
            self.watch.judge(self.now, 0, &self.seen);
            while let Some(news) = self.watch.pop_news() {
                if news.watched == watched {
                    let at = self.now.secs_since(begun);
                    levels.push(((at * 10.0).round() / 10.0, news.level));
                }
            }
        }
        levels
    }

    fn level(&self, watched: Watched) -> Level {
        self.watch.level(0, watched)
    }
}

#[test]
fn a_servo_that_is_fine_is_nothing_to_tell_of() {
    let mut bench = Bench::new();
    for watched in Watched::ALL {
        assert_eq!(bench.run(watched, 5.0), []);
        assert_eq!(bench.level(watched), Level::Fine);
    }
    assert_eq!(bench.watch.worst(), None);
}

#[test]
fn each_cause_warns_and_trips_at_its_levels_and_ends_when_it_is_gone() {
    type Change = fn(&mut Sighting, f64);
    let causes: [(Watched, Change, [f64; 3]); 8] = [
        (Watched::Temperature, |seen, value| seen.health.temperature_degc = value, [62.0, 67.0, 30.0]),
        (Watched::VoltageLow, |seen, value| seen.health.voltage_v = value, [4.5, 4.0, 7.4]),
        (Watched::VoltageHigh, |seen, value| seen.health.voltage_v = value, [13.5, 15.0, 7.4]),
        (Watched::Current, |seen, value| seen.health.current_a = value, [2.5, 3.5, 0.1]),
        (Watched::Load, |seen, value| seen.health.load = value, [-0.9, -0.99, 0.0]),
        (Watched::FollowingError, |seen, value| seen.position = value, [-0.7, 1.4, 0.0]),
        (Watched::OutsideLimits, |seen, value| seen.excess = value, [0.1, 0.5, 0.0]),
        (Watched::Alarm, |seen, value| seen.health.alarms = value != 0.0, [0.0, 1.0, 0.0]),
    ];
    for (watched, change, [warns, trips, fine]) in causes {
        let mut bench = Bench::new();
        let delay = JointWatch::default().levels(watched).delay_secs;
        for (value, level) in [(warns, Level::Warning), (trips, Level::Trip), (fine, Level::Fine)] {
            change(&mut bench.seen, value);
            let told = bench.run(watched, delay + 1.0);
            if watched == Watched::Alarm && level == Level::Warning {
                assert_eq!(told, [], "an alarm is there or is not");
                continue;
            }
            assert_eq!(told.len(), 1, "{watched:?} at {value}: {told:?}");
            assert_eq!(told[0].1, level, "{watched:?} at {value}");
            let expected = if level == Level::Fine { 0.1 } else { delay + PERIOD };
            assert!((told[0].0 - expected).abs() < 0.11, "{watched:?} at {value}: {told:?}");
        }
    }
}

#[test]
fn a_stall_is_effort_and_error_and_time_together() {
    let stalls = [(0.6, Level::Warning), (1.6, Level::Trip)];
    let run = |load: f64, position: f64, change: fn(&mut Sighting)| {
        let mut bench = Bench::new();
        (bench.seen.health.load, bench.seen.position) = (load, position);
        change(&mut bench.seen);
        bench.run(Watched::Stall, 3.0)
    };
    assert_eq!(run(-0.8, 0.15, |_| ()), stalls);
    assert_eq!(run(0.6, 0.15, |_| ()), [], "little effort");
    assert_eq!(run(0.8, 0.05, |_| ()), [], "little error");
    assert_eq!(run(0.4, 0.15, |seen| seen.load_limit = 0.5), stalls, "all that it may use");
    assert_eq!(run(0.8, 0.15, |seen| seen.may_stall = true), [], "a gripper that holds something");
    assert_eq!(run(0.8, 0.15, |seen| seen.command = None), [], "nobody told it to be anywhere");
    assert_eq!(run(f64::NAN, 0.15, |_| ()), [], "nobody says how hard it pushes");
}

#[test]
fn a_joint_that_gets_on_does_not_stall() {
    let mut bench = Bench::new();
    bench.seen.health.load = 0.9;
    for step in 0..30 {
        bench.seen.position = -2.0 + 0.06 * f64::from(step);
        assert_eq!(bench.run(Watched::Stall, 0.4), []);
    }
}

#[test]
fn a_stall_ends_when_the_joint_pushes_no_more() {
    let mut bench = Bench::new();
    (bench.seen.health.load, bench.seen.position) = (0.8, 0.15);
    bench.run(Watched::Stall, 2.0);
    bench.seen.health.load = 0.6;
    assert_eq!(bench.run(Watched::Stall, 0.5), [], "it still pushes, with a little less");
    bench.seen.health.load = 0.3;
    assert_eq!(bench.run(Watched::Stall, 0.5), [(0.1, Level::Fine)]);
}

#[test]
fn what_a_servo_does_not_tell_is_not_judged() {
    let mut bench = Bench::new();
    bench.seen.health = Health::default();
    for watched in Watched::ALL {
        assert_eq!(bench.run(watched, 3.0), [], "{watched:?}");
    }
}

#[test]
fn silence_ages_the_sample_and_judges_nothing_else() {
    let mut bench = Bench::new();
    bench.run(Watched::SampleAge, 1.0);
    (bench.seen.fresh, bench.seen.health.temperature_degc) = (false, 90.0);
    let aged = bench.run(Watched::SampleAge, 3.0);
    assert_eq!(aged, [(0.2, Level::Warning), (2.0, Level::Trip)]);
    assert_eq!(bench.level(Watched::Temperature), Level::Fine);
    bench.seen.fresh = true;
    assert_eq!(bench.run(Watched::SampleAge, 0.2), [(0.1, Level::Fine)]);
}

#[test]
fn a_servo_that_was_never_heard_ages_from_the_moment_when_it_should_have_been() {
    let mut bench = Bench::new();
    bench.seen.fresh = false;
    assert_eq!(bench.run(Watched::SampleAge, 1.0), [(0.3, Level::Warning)]);
    bench.watch.forget();
    assert_eq!(bench.level(Watched::SampleAge), Level::Fine);
    assert_eq!(bench.run(Watched::SampleAge, 1.0), [(0.3, Level::Warning)]);
}

#[test]
fn a_dip_is_remembered_for_a_moment() {
    let mut bench = Bench::new();
    bench.run(Watched::VoltageLow, 1.0);
    assert!(!bench.watch.has_dipped(0, bench.now));
    bench.seen.health.voltage_v = 4.0;
    bench.run(Watched::VoltageLow, 0.1);
    bench.seen.fresh = false;
    bench.run(Watched::VoltageLow, 1.0);
    assert!(bench.watch.has_dipped(0, bench.now));
    bench.run(Watched::VoltageLow, 2.0);
    assert!(!bench.watch.has_dipped(0, bench.now));
}

#[test]
fn of_several_trips_the_one_that_does_most_counts() {
    let quick = |action| Levels { warn: 1.0, trip: 2.0, hysteresis: 0.5, delay_secs: 0.0, action };
    let joint = JointWatch::default()
        .with(Watched::Temperature, quick(Action::Slow))
        .with(Watched::Current, quick(Action::Release));
    let mut bench = Bench::of(joint);
    bench.seen.health.current_a = 0.0;
    bench.run(Watched::Current, 0.1);
    assert_eq!(bench.watch.worst().map(|trip| trip.action), Some(Action::Slow));
    bench.seen.health.current_a = 3.0;
    bench.run(Watched::Current, 0.1);
    let worst = bench.watch.worst().unwrap();
    assert_eq!((worst.watched, worst.action, worst.value), (Watched::Current, Action::Release, 3.0));
    assert_eq!(worst.sentence(), "current is 3 A, and the trip ends below 1.5 A");
}

#[test]
fn the_news_say_value_and_threshold() {
    let mut bench = Bench::new();
    bench.seen.health.temperature_degc = 67.04567;
    for _ in 0..15 {
        bench.now = bench.now.plus_secs(PERIOD);
        bench.seen.stamp = Some(bench.now);
        bench.watch.judge(bench.now, 0, &bench.seen);
    }
    let news = bench.watch.pop_news().unwrap();
    assert_eq!(news.sentence(), "temperature is 67.046 °C, beyond 66 °C: trip");
    bench.seen.health.temperature_degc = 50.0;
    bench.watch.judge(bench.now, 0, &bench.seen);
    assert_eq!(bench.watch.pop_news().unwrap().sentence(), "temperature is 50 °C, back within 63 °C: fine");
}
