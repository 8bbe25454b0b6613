use nalgebra::{Isometry3, Vector3};
use proptest::prelude::*;

use super::*;
use crate::kinematics::RobotModel;
use crate::kinematics::ik::Positions;

const SIX: &str = include_str!("../../../urdf/wx250s.urdf");
const FIVE: &str = include_str!("../../../urdf/so101.urdf");
const RATES: (f64, f64, f64) = (2.0, 10.0, 200.0);

fn six() -> Bench {
    Bench::new(SIX, "tool0", &[0.1, -0.4, 0.5, 0.2, 0.6, 0.1], Options::default())
}

fn five() -> Bench {
    Bench::new(FIVE, "tool0", &[0.1, -0.6, 0.8, 0.6, 0.2], Options::default())
}

/// An arm on simulated time, whose every step is held against its limits.
struct Bench {
    chain: Chain,
    limits: Vec<JointLimits>,
    live: Live,
    now: Time,
    states: Vec<JointState>,
    outputs: Vec<Output>,
    /// How far above the table the tip should be; the table is a clearance of the scene.
    table: f64,
}

impl Bench {
    fn new(urdf: &str, tip: &str, at: &[f64], options: Options) -> Self {
        let model = RobotModel::from_urdf(urdf).unwrap();
        let chain = Chain::between(&model, model.root(), tip).unwrap();
        let limits: Vec<JointLimits> = chain
            .joints()
            .iter()
            .map(|joint| {
                let range = joint.limits.position.unwrap();
                let (lower, upper) = (range.lower, range.upper);
                let (max_velocity, max_acceleration, max_jerk) = RATES;
                JointLimits::new(RawLimits { lower, upper, max_velocity, max_acceleration, max_jerk }).unwrap()
            })
            .collect();
        let live = Live::new(&chain, &limits, options).unwrap();
        let states = at.iter().map(|at| JointState::at_rest(*at)).collect();
        let table = f64::NEG_INFINITY;
        Self { chain, limits, live, now: Time(1_000_000_000), states, outputs: Vec::new(), table }
    }

    fn with_twist(mut self) -> Self {
        self.live.set_command_type(CommandType::Twist);
        self
    }

    fn give(&mut self, command: Command) {
        self.live.take(command, self.now, self.now).unwrap();
    }

    fn twist(&mut self, linear: [f64; 3], angular: [f64; 3]) {
        let (linear, angular) = (Vector3::from(linear), Vector3::from(angular));
        self.give(Command::Twist(Twist { linear, angular, frame: TwistFrame::Base }));
    }

    fn step(&mut self) -> Output {
        self.now = self.now.plus_secs(0.01);
        let (chain, table) = (&self.chain, self.table);
        let mut closeness = |at: &[f64]| {
            let z = chain.tip_pose(at).translation.z;
            Clearance { itself: f64::INFINITY, scene: z - table }
        };
        let output = self.live.step(self.now, &self.states, &mut closeness);
        let told = &output.states[..self.chain.dof()];
        for (joint, (before, after)) in self.states.iter().zip(told).enumerate() {
            let (velocity, acceleration, jerk) = RATES;
            let speed = (after.position - before.position) / 0.01;
            let change = (speed - before.velocity) / 0.01;
            let snap = (change - before.acceleration) / 0.01;
            assert!((speed - after.velocity).abs() < 1e-7, "joint {joint}: {before:?} {after:?}");
            assert!((change - after.acceleration).abs() < 1e-5, "joint {joint}: {before:?} {after:?}");
            assert!(speed.abs() <= velocity * (1.0 + 1e-6), "joint {joint}: speed {speed}");
            assert!(change.abs() <= acceleration * (1.0 + 1e-5), "joint {joint}: acceleration {change}");
            assert!(snap.abs() <= jerk * (1.0 + 1e-3), "joint {joint}: jerk {snap}");
            assert!(self.limits[joint].contains(after.position), "joint {joint} at {}", after.position);
        }
        self.states.copy_from_slice(told);
        self.outputs.push(output);
        output
    }

    fn steps(&mut self, count: usize) {
        for _ in 0..count {
            self.step();
        }
    }

    /// Sends the same twist a hundred times a second.
    fn hold_twist(&mut self, secs: f64, linear: [f64; 3], angular: [f64; 3]) {
        for _ in 0..(secs * 100.0) as usize {
            self.twist(linear, angular);
            self.step();
        }
    }

    fn until_rest(&mut self) {
        for _ in 0..400 {
            if !self.step().is_motion {
                return;
            }
        }
        panic!("still moving: {:?}", self.states);
    }

    fn tip(&self) -> Isometry3<f64> {
        let at: Vec<f64> = self.states.iter().map(|state| state.position).collect();
        self.chain.tip_pose(&at)
    }

    fn speed(&self) -> f64 {
        self.states.iter().map(|state| state.velocity.abs()).fold(0.0, f64::max)
    }

    /// How far the tip has been from the line through two points at most.
    fn off_line(&self, from: &Vector3<f64>, to: &Vector3<f64>) -> f64 {
        let direction = (to - from).normalize();
        let off = |output: &Output| {
            let at = Positions::from_slice(&output.states.map(|state| state.position)[..self.chain.dof()]);
            let way = self.chain.tip_pose(&at).translation.vector - from;
            (way - direction * way.dot(&direction)).norm()
        };
        self.outputs.iter().map(off).fold(0.0, f64::max)
    }
}

#[test]
fn a_held_twist_moves_the_tip_on_a_straight_line_and_halts_on_it() {
    for mut bench in [six().with_twist(), five().with_twist()] {
        let from = bench.tip();
        bench.hold_twist(2.0, [0.0, 0.25, 0.0], [0.0; 3]);
        let on_the_way = bench.tip();
        bench.until_rest();
        let to = bench.tip();
        let way = to.translation.vector - from.translation.vector;
        eprintln!("way {way:?} off {}", bench.off_line(&from.translation.vector, &to.translation.vector));
        assert!(0.17 < way.y, "{way:?}");
        assert!(bench.off_line(&from.translation.vector, &(from.translation.vector + Vector3::y())) < 1e-3);
        if bench.chain.dof() == 6 {
            assert!(to.rotation.angle_to(&from.rotation) < 2e-3);
        }
        assert!((to.translation.vector - on_the_way.translation.vector).norm() < 0.05);
        assert_eq!(bench.outputs.last().unwrap().status, Status::NoWarning);
    }
}
