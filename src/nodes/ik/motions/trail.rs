//! `~/trail`: where the measured tip was lately, as a line that fades; nothing is followed while nobody looks.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use nalgebra::Vector3;
use r2r::builtin_interfaces::msg::Duration as RosDuration;
use r2r::std_msgs::msg::{ColorRGBA, Header};
use r2r::visualization_msgs::msg::{Marker, MarkerArray};
use r2r::{Node, QosProfile};

use super::Motions;
use super::markers::{Vertex, color, lines};
use crate::nodes::hardware::{has_subscriber, publish};
use crate::nodes::ros;

/// How thick it is, and how far the tip goes between two of its points at least (m).
const WIDTH: f64 = 0.002;
const STEP: f64 = 0.002;
/// It has no more points than that.
const MOST_POINTS: usize = 1000;
/// How often it is published, and how long it is seen when that ends.
const PERIOD: Duration = Duration::from_millis(100);
const LIFETIME: RosDuration = RosDuration { sec: 2, nanosec: 0 };
/// How much of its colour is left at its end.
const FAINTEST: f32 = 0.05;

/// Offers it.
///
/// # Errors
/// Where that cannot be.
pub(super) fn offer(node: &mut Node, motions: &Rc<Motions>) -> anyhow::Result<()> {
    let publisher = node.create_publisher("~/trail", QosProfile::default());
    let publisher = publisher.map_err(|error| anyhow!("cannot publish ~/trail: {error}"))?;
    let motions = motions.clone();
    ros::spawn(async move {
        let mut measured = motions.context.measured.clone();
        let (mut trail, mut next) = (Trail::default(), Instant::now());
        loop {
            let longest = Duration::from_secs_f64(motions.context.config.borrow().ik.markers.trail_secs);
            if longest.is_zero() || !has_subscriber(&publisher) {
                trail = Trail::default();
                tokio::time::sleep(PERIOD).await;
                continue;
            }
            if measured.changed().await.is_err() {
                return;
            }
            let now = Instant::now();
            let Some((group, base_from_tip)) = motions.tip() else { continue };
            trail.follow(now, base_from_tip.translation.vector, longest);
            if next <= now {
                next = now + PERIOD;
                let frame = motions.context.transforms.name_of(&group.base);
                publish(&publisher, &MarkerArray { markers: vec![trail.marker(frame, now, longest)] });
            }
        }
    });
    Ok(())
}

/// Where the tip was, and when, oldest first; the last is where it is.
#[derive(Default)]
struct Trail {
    points: VecDeque<(Instant, Vector3<f64>)>,
}

impl Trail {
    fn follow(&mut self, now: Instant, tip: Vector3<f64>, longest: Duration) {
        let old = |(at, _): &(Instant, Vector3<f64>)| longest < now.saturating_duration_since(*at);
        while self.points.front().is_some_and(old) || MOST_POINTS <= self.points.len() {
            self.points.pop_front();
        }
        // The newest point goes with the tip until it is a step away from the one before.
        if let [.., before, newest] = self.points.make_contiguous()
            && (newest.1 - before.1).norm() < STEP
        {
            *newest = (now, tip);
        } else {
            self.points.push_back((now, tip));
        }
    }

    /// One that deletes the line while it would be a point.
    fn marker(&self, frame_id: String, now: Instant, longest: Duration) -> Marker {
        let header = Header { frame_id, ..Header::default() };
        let kind = Marker::LINE_STRIP as i32;
        if self.points.len() < 2 {
            let nothing = lines(&header, "trail", kind, WIDTH, std::iter::empty());
            return Marker { action: Marker::DELETE as i32, ..nothing };
        }
        let vertex = |(at, tip): &(Instant, Vector3<f64>)| -> Vertex {
            let age = now.saturating_duration_since(*at).as_secs_f32() / longest.as_secs_f32();
            (*tip, ColorRGBA { a: (1.0 - age).max(FAINTEST), ..color(1.0, 0.6, 0.1) })
        };
        let line = lines(&header, "trail", kind, WIDTH, self.points.iter().map(vertex));
        Marker { lifetime: LIFETIME, ..line }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_secs(10);

    fn moved(metres: f64, secs: f64) -> (Trail, Instant) {
        let (mut trail, began) = (Trail::default(), Instant::now());
        let mut now = began;
        for index in 0..=1000 {
            let part = f64::from(index) / 1000.0;
            now = began + Duration::from_secs_f64(part * secs);
            trail.follow(now, Vector3::new(part * metres, 0.0, 0.0), LONGEST);
        }
        (trail, now)
    }

    #[test]
    fn a_trail_has_a_point_for_each_step_and_ends_at_the_tip() {
        let (trail, now) = moved(1.0, 5.0);
        let marker = trail.marker("base".to_owned(), now, LONGEST);
        assert!((330..=501).contains(&marker.points.len()), "{}", marker.points.len());
        assert_eq!((marker.points[0].x, marker.points.last().unwrap().x), (0.0, 1.0));
        assert!(marker.colors[0].a < 0.51 && marker.colors.last().unwrap().a == 1.0);
    }

    #[test]
    fn what_is_too_old_is_forgotten_and_no_trail_is_longer_than_its_bound() {
        let (trail, _) = moved(1.0, 20.0);
        assert!((0.49..0.51).contains(&trail.points[0].1.x), "{}", trail.points[0].1.x);
        let (trail, _) = moved(100.0, 5.0);
        assert!(trail.points.len() <= MOST_POINTS);
    }

    #[test]
    fn a_tip_that_rests_has_no_trail_after_a_while() {
        let (mut trail, now) = moved(1.0, 5.0);
        for second in 1..=30 {
            trail.follow(now + Duration::from_secs(second), Vector3::new(1.0, 0.0, 0.0), LONGEST);
        }
        let marker = trail.marker("base".to_owned(), now + Duration::from_secs(30), LONGEST);
        assert!(marker.action == Marker::DELETE as i32 || marker.points.len() == 2, "{:?}", marker.points);
    }
}
