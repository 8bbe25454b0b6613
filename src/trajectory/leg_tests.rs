use super::*;
use crate::trajectory::limits::RawLimits;

fn limits(max_velocity: f64, max_acceleration: f64, max_jerk: f64) -> JointLimits {
    let (lower, upper) = (f64::NEG_INFINITY, f64::INFINITY);
    JointLimits::new(RawLimits { lower, upper, max_velocity, max_acceleration, max_jerk }).unwrap()
}

fn state(position: f64, velocity: f64, acceleration: f64) -> JointState {
    JointState { position, velocity, acceleration }
}

#[test]
fn a_move_may_last_hours() {
    let from = state(2.9858988721376782, 0.08379291362010476, 1.968765885745446);
    let to = state(2.5299686903653864, -1.2886708150294643, 0.0);
    let limits = limits(1.4202966231847174, 9.177564484035491, 113.60966641663663);
    for least in [10.0, 100.0, 1000.0, 24185.24103538345, 1e6] {
        let leg = Leg::plan(from, to, &limits, least).unwrap();
        assert_eq!(leg.duration(), least);
    }
}
