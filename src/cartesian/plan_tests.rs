use std::f64::consts::FRAC_PI_2;

use nalgebra::{Isometry3, Point3, Translation3, Unit, UnitQuaternion, Vector3};

use super::super::path::{Through, Via, Way};
use super::*;
use crate::kinematics::RobotModel;
use crate::kinematics::ik::Aim;
use crate::trajectory::leg::Leg;
use crate::trajectory::limits::RawLimits;
use crate::trajectory::spline::Spline;

struct Arm {
    solver: Solver,
    limits: Vec<JointLimits>,
    aim: Aim,
}

fn arm(urdf: &str, aim: Aim) -> Arm {
    let model = RobotModel::from_urdf(urdf).unwrap();
    let chain = Chain::between(&model, "base_link", "tool0").unwrap();
    let limits = chain.joints().iter().map(|joint| {
        let range = joint.limits.position.unwrap();
        let raw = RawLimits {
            lower: range.lower,
            upper: range.upper,
            max_velocity: joint.limits.velocity.unwrap(),
            max_acceleration: 38.0,
            max_jerk: 1000.0,
        };
        JointLimits::new(raw).unwrap()
    });
    Arm { limits: limits.collect(), solver: Solver::new(&chain).unwrap(), aim }
}

/// Five joints: the place of the tool, and where it points.
fn so101() -> Arm {
    arm(include_str!("../../urdf/so101.urdf"), Aim::pointing(Vector3::z_axis()))
}

fn wx250s() -> Arm {
    arm(include_str!("../../urdf/wx250s.urdf"), Aim::POSE)
}

/// The tool points down.
const SO101_START: [f64; 5] = [-0.43, 0.4, -0.1, FRAC_PI_2 - 0.3, 0.2];
const WX250S_START: [f64; 6] = [0.3, -0.2, 0.3, 0.2, 0.4, 0.1];

impl Arm {
    fn tip(&self, positions: &[f64]) -> Isometry3<f64> {
        self.solver.chain().tip_pose(positions)
    }

    fn options(&self) -> PlanOptions<'_> {
        PlanOptions {
            walk: WalkOptions::new(self.aim),
            joints: &self.limits,
            tip: CartesianLimits::NONE,
            tool_speed: ToolSpeed::Fastest,
            frame_speed: None,
        }
    }

    fn plan(&self, start: &[f64], vias: &[Via], options: &PlanOptions) -> Plan {
        let path = Path::through(&self.tip(start), vias).unwrap();
        plan(&self.solver, &path, start, options).unwrap()
    }

    /// The commanded motion as the controller interpolates it: time and positions, densely.
    fn motion(&self, plan: &Plan) -> Vec<Vec<f64>> {
        let mut spline = Spline::new(&plan.waypoints, &self.limits, &[]);
        let count = 3000;
        let sample = |index: i32| {
            let mut positions = vec![0.0; self.limits.len()];
            let time = plan.duration() * f64::from(index) / f64::from(count);
            spline.sample(time, |column, state| positions[column] = state.position);
            positions
        };
        (0..=count).map(sample).collect()
    }

    /// Everything that must hold for any plan.
    fn check(&self, plan: &Plan) {
        let (first, last) = (&plan.waypoints[0], &plan.waypoints[plan.waypoints.len() - 1]);
        for state in first.states.iter().chain(&last.states) {
            assert_eq!((state.velocity, state.acceleration), (0.0, 0.0));
        }
        if plan.waypoints.len() < 2 {
            return;
        }
        assert!(excess(&plan.waypoints, &self.limits).unwrap() == 1.0, "beyond the limits of a joint");
        let mut spline = Spline::new(&plan.waypoints, &self.limits, &[]);
        let step = 1e-4;
        let mut before: Option<Vec<JointState>> = None;
        for index in 0.. {
            let time = step * f64::from(index);
            if plan.duration() < time {
                break;
            }
            let mut states = vec![JointState::default(); self.limits.len()];
            spline.sample(time, |column, state| states[column] = state);
            for (column, (state, limits)) in states.iter().zip(&self.limits).enumerate() {
                assert!(limits.contains(state.position));
                assert!(state.velocity.abs() <= limits.max_velocity() * 1.00001);
                assert!(state.acceleration.abs() <= limits.max_acceleration() * 1.00001);
                if let Some(before) = &before {
                    let jerk = (state.acceleration - before[column].acceleration) / step;
                    assert!(jerk.abs() <= limits.max_jerk() * 1.001, "jerk {jerk} of {column} at {time}");
                }
            }
            before = Some(states);
        }
    }

    /// How far the tip is from a line at most (m).
    fn deviation(&self, plan: &Plan, from: Vector3<f64>, to: Vector3<f64>) -> f64 {
        let along = (to - from).normalize();
        let off = |positions: Vec<f64>| {
            let way = self.tip(&positions).translation.vector - from;
            (way - along * along.dot(&way)).norm()
        };
        self.motion(plan).into_iter().map(off).fold(0.0, f64::max)
    }
}

fn moved(pose: &Isometry3<f64>, x: f64, y: f64, z: f64) -> Isometry3<f64> {
    Isometry3::from_parts(Translation3::from(pose.translation.vector + Vector3::new(x, y, z)), pose.rotation)
}

/// How much of the time some joint is near one of its limits.
fn saturation(arm: &Arm, plan: &Plan) -> f64 {
    let mut spline = Spline::new(&plan.waypoints, &arm.limits, &[]);
    let step = plan.duration() / 2000.0;
    let mut before = vec![JointState::default(); arm.limits.len()];
    let busy = (1..2000).filter(|&index| {
        let mut is_busy = false;
        spline.sample(step * f64::from(index), |column, state| {
            let limits = &arm.limits[column];
            let jerk = (state.acceleration - before[column].acceleration) / step;
            is_busy |= 0.85 * limits.max_velocity() < state.velocity.abs();
            is_busy |= 0.85 * limits.max_acceleration() < state.acceleration.abs();
            is_busy |= 0.75 * limits.max_jerk() < jerk.abs();
            before[column] = state;
        });
        is_busy
    });
    busy.count() as f64 / 2000.0
}

#[test]
fn an_arm_of_five_joints_goes_straight_for_20_cm() {
    let arm = so101();
    let from = arm.tip(&SO101_START);
    let to = moved(&from, 0.0, -0.2, 0.0);
    let begun = std::time::Instant::now();
    let plan = arm.plan(&SO101_START, &[Via::line(to)], &arm.options());
    println!("{:?} {} points {} s {:?}", begun.elapsed(), plan.waypoints.len(), plan.duration(), plan.stop);
    assert_eq!((plan.fraction, &plan.stop), (1.0, &None));
    arm.check(&plan);
    let deviation = arm.deviation(&plan, from.translation.vector, to.translation.vector);
    let busy = saturation(&arm, &plan);
    println!("deviation {deviation} m, saturation {busy}");
    assert!(deviation < 5e-5, "{deviation} m");
    assert!(0.9 < busy, "no joint is at a limit most of the time: {busy}");
    let end = arm.motion(&plan).pop().unwrap();
    assert!((arm.tip(&end).translation.vector - to.translation.vector).norm() < 1e-5);
    assert!((arm.tip(&end).rotation * Vector3::z()).angle(&(to.rotation * Vector3::z())) < 1e-4);
}

#[test]
fn the_place_alone_can_be_asked_for() {
    let arm = Arm { aim: Aim::POSITION, ..so101() };
    let from = arm.tip(&SO101_START);
    let to = moved(&from, 0.0, -0.15, 0.05);
    let plan = arm.plan(&SO101_START, &[Via::line(to)], &arm.options());
    assert_eq!((plan.fraction, &plan.stop), (1.0, &None));
    arm.check(&plan);
    assert!(arm.deviation(&plan, from.translation.vector, to.translation.vector) < 5e-5);
}

#[test]
fn an_arm_of_six_joints_goes_straight_while_it_turns() {
    let arm = wx250s();
    let from = arm.tip(&WX250S_START);
    let mut to = moved(&from, -0.05, -0.2, 0.1);
    to.rotation *= UnitQuaternion::new(Vector3::new(0.3, 0.2, -0.4));
    let begun = std::time::Instant::now();
    let plan = arm.plan(&WX250S_START, &[Via::line(to)], &arm.options());
    println!("{:?} {} points {} s {:?}", begun.elapsed(), plan.waypoints.len(), plan.duration(), plan.stop);
    assert_eq!((plan.fraction, &plan.stop), (1.0, &None));
    arm.check(&plan);
    let deviation = arm.deviation(&plan, from.translation.vector, to.translation.vector);
    println!("deviation {deviation} m, saturation {}", saturation(&arm, &plan));
    assert!(deviation < 5e-5, "{deviation} m");
    let end = arm.tip(&arm.motion(&plan).pop().unwrap());
    assert!(end.rotation.angle_to(&to.rotation) < 1e-5);
}

#[test]
fn the_tool_keeps_its_speed_where_that_is_asked_for() {
    let arm = wx250s();
    let to = moved(&arm.tip(&WX250S_START), 0.0, -0.25, 0.0);
    for (asked, held) in [(0.1, 0.1), (50.0, f64::NAN)] {
        let options = PlanOptions { tool_speed: ToolSpeed::Constant(asked), ..arm.options() };
        let plan = arm.plan(&WX250S_START, &[Via::line(to)], &options);
        arm.check(&plan);
        let places: Vec<_> = arm.motion(&plan).iter().map(|at| arm.tip(at).translation.vector).collect();
        let step = plan.duration() / (places.len() - 1) as f64;
        let speeds: Vec<f64> = places.windows(2).map(|pair| (pair[1] - pair[0]).norm() / step).collect();
        let even = &speeds[speeds.len() / 3..speeds.len() * 2 / 3];
        let (least, most) = even.iter().fold((f64::MAX, 0.0_f64), |(a, b), &v| (a.min(v), b.max(v)));
        println!("asked {asked}: {least}..{most} m/s, {} s", plan.duration());
        assert!(most - least < 0.01 * most, "from {least} to {most} m/s");
        assert!(held.is_nan() || (most - held).abs() < 0.002);
        assert!(most <= asked * 1.001);
    }
}

#[test]
fn limits_of_the_tool_are_kept() {
    let arm = wx250s();
    let from = arm.tip(&WX250S_START);
    let corner = moved(&from, 0.0, -0.1, 0.0);
    let end = moved(&from, 0.0, -0.1, 0.1);
    let vias = [Via { base_from_tip: corner, way: Way::Line, blend_radius: 0.03 }, Via::line(end)];
    let tip = CartesianLimits {
        max_trans_vel: 0.2,
        max_trans_acc: 1.0,
        max_trans_jerk: 20.0,
        ..CartesianLimits::NONE
    };
    let options = PlanOptions { tip, ..arm.options() };
    let plan = arm.plan(&WX250S_START, &vias, &options);
    arm.check(&plan);
    let step = plan.duration() / 3000.0;
    let mut rates: Vec<Vector3<f64>> =
        arm.motion(&plan).iter().map(|at| arm.tip(at).translation.vector).collect();
    let mut busiest: f64 = 0.0;
    for (limit, slack) in [(0.2, 1.001), (1.0, 1.01), (20.0, 1.05)] {
        rates = rates.windows(2).map(|pair| (pair[1] - pair[0]) / step).collect();
        let most = rates.iter().map(Vector3::norm).fold(0.0, f64::max);
        assert!(most <= limit * slack, "{most} is more than {limit}");
        busiest = busiest.max(most / limit);
    }
    assert!(0.9 < busiest, "nothing limits the motion: {busiest}");
}

#[test]
fn another_frame_can_be_kept_slow() {
    let arm = wx250s();
    let model = RobotModel::from_urdf(include_str!("../../urdf/wx250s.urdf")).unwrap();
    let frame = arm.solver.chain().frames().nth(4).unwrap().to_owned();
    let chain = Chain::between(&model, "base_link", &frame).unwrap();
    let to = moved(&arm.tip(&WX250S_START), -0.1, -0.2, 0.0);
    let options = PlanOptions { frame_speed: Some((&chain, 0.05)), ..arm.options() };
    let plan = arm.plan(&WX250S_START, &[Via::line(to)], &options);
    arm.check(&plan);
    let dof = chain.dof();
    let places: Vec<_> =
        arm.motion(&plan).iter().map(|at| chain.tip_pose(&at[..dof]).translation.vector).collect();
    let step = plan.duration() / 3000.0;
    let most = places.windows(2).map(|pair| (pair[1] - pair[0]).norm() / step).fold(0.0, f64::max);
    assert!(0.045 < most && most <= 0.05 * 1.002, "{most} m/s");
}

#[test]
fn an_arc_is_followed() {
    let arm = wx250s();
    let from = arm.tip(&WX250S_START);
    let centre = from.translation.vector + Vector3::new(0.0, -0.08, 0.0);
    let to = moved(&from, 0.0, -0.08, 0.08);
    let way = Way::Arc(Through::Centre(Point3::from(centre)));
    let plan = arm.plan(&WX250S_START, &[Via { base_from_tip: to, way, blend_radius: 0.0 }], &arm.options());
    assert_eq!((plan.fraction, &plan.stop), (1.0, &None));
    arm.check(&plan);
    for positions in arm.motion(&plan) {
        let spoke = arm.tip(&positions).translation.vector - centre;
        assert!((spoke.norm() - 0.08).abs() < 5e-5 && spoke.x.abs() < 5e-5, "{spoke}");
    }
}

#[test]
fn a_corner_that_is_rounded_is_faster_than_one_that_is_not() {
    let arm = so101();
    let from = arm.tip(&SO101_START);
    let (corner, end) = (moved(&from, 0.0, -0.1, 0.0), moved(&from, 0.0, -0.1, 0.06));
    let through = |blend_radius| {
        let vias = [Via { base_from_tip: corner, way: Way::Line, blend_radius }, Via::line(end)];
        let plan = arm.plan(&SO101_START, &vias, &arm.options());
        assert_eq!((plan.fraction, &plan.stop), (1.0, &None));
        arm.check(&plan);
        plan.duration()
    };
    let (sharp, round) = (through(0.0), through(0.02));
    assert!(round < 0.95 * sharp, "{round} s, {sharp} s");
}

#[test]
fn a_line_out_of_reach_ends_where_the_arm_ends() {
    let arm = wx250s();
    let from = arm.tip(&WX250S_START);
    let to = moved(&from, 2.0, 0.0, 0.0);
    let plan = arm.plan(&WX250S_START, &[Via::line(to)], &arm.options());
    println!("{} {:?} {}", plan.fraction, plan.stop, plan.duration());
    assert!(0.01 < plan.fraction && plan.fraction < 0.5);
    assert!(matches!(
        plan.stop,
        Some(Stop::OutOfReach { .. } | Stop::Singularity { .. } | Stop::JointLimit { .. })
    ));
    arm.check(&plan);
    let end = arm.tip(&arm.motion(&plan).pop().unwrap()).translation.vector;
    assert!((end.x - from.translation.x - 2.0 * plan.fraction).abs() < 1e-4, "{end}");
}

#[test]
fn a_line_into_a_limit_names_the_joint() {
    let arm = so101();
    let start = [1.6, 0.4, -0.1, FRAC_PI_2 - 0.3, 0.2];
    let from = arm.tip(&start);
    // Round the base, beyond what the first joint can turn.
    let to = moved(&from, -0.25, 0.0, 0.0);
    let plan = arm.plan(&start, &[Via::line(to)], &Arm { aim: Aim::POSITION, ..so101() }.options());
    println!("{} {:?}", plan.fraction, plan.stop);
    arm.check(&plan);
    assert!(plan.fraction < 1.0);
    assert!(matches!(&plan.stop, Some(Stop::JointLimit { .. })), "{:?}", plan.stop);
}

#[test]
fn something_in_the_way_ends_the_path_and_is_named() {
    use super::super::joint_path::Obstruction;
    let arm = so101();
    let from = arm.tip(&SO101_START);
    let wall = from.translation.y - 0.1;
    let obstruction = |positions: &[f64]| {
        let clearance = arm.tip(positions).translation.y - wall;
        let (first, second) = ("gripper_link".to_owned(), "wall".to_owned());
        (clearance < 0.01).then_some(Obstruction { first, second, clearance, required: 0.01 })
    };
    let mut options = arm.options();
    options.walk.obstruction = &obstruction;
    let plan = arm.plan(&SO101_START, &[Via::line(moved(&from, 0.0, -0.2, 0.0))], &options);
    assert!((plan.fraction - 0.45).abs() < 0.001, "{}", plan.fraction);
    let words = plan.stop.as_ref().unwrap().to_string();
    assert!(words.contains("gripper_link and wall") && words.contains("0.0100 m"), "{words}");
    arm.check(&plan);
    options.walk.obstruction = &|_| {
        Some(Obstruction { first: "a".to_owned(), second: "b".to_owned(), clearance: -0.001, required: 0.0 })
    };
    let plan = arm.plan(&SO101_START, &[Via::line(moved(&from, 0.0, -0.2, 0.0))], &options);
    assert_eq!((plan.fraction, plan.waypoints.len()), (0.0, 1));
    assert_eq!(plan.stop.unwrap().to_string(), "a and b touch");
}

#[test]
fn a_path_that_goes_nowhere_is_its_start() {
    let arm = wx250s();
    let here = arm.tip(&WX250S_START);
    for vias in [vec![], vec![Via::line(here)], vec![Via::line(here), Via::line(here)]] {
        let plan = arm.plan(&WX250S_START, &vias, &arm.options());
        assert_eq!((plan.fraction, plan.waypoints.len(), plan.duration()), (1.0, 1, 0.0));
    }
}

#[test]
fn the_tool_turns_on_the_spot() {
    let arm = wx250s();
    let mut to = arm.tip(&WX250S_START);
    to.rotation *= UnitQuaternion::from_axis_angle(&Vector3::x_axis(), 1.2);
    let plan = arm.plan(&WX250S_START, &[Via::line(to)], &arm.options());
    assert_eq!((plan.fraction, &plan.stop), (1.0, &None));
    arm.check(&plan);
    for positions in arm.motion(&plan) {
        assert!((arm.tip(&positions).translation.vector - to.translation.vector).norm() < 5e-5);
    }
}

#[test]
fn tiny_and_back_and_forth_paths_are_gone_along() {
    let arm = so101();
    let from = arm.tip(&SO101_START);
    let near = moved(&from, 0.0, -1e-5, 0.0);
    let vias = [near, moved(&from, 0.0, -0.05, 0.0), from].map(|base_from_tip| Via {
        base_from_tip,
        way: Way::Line,
        blend_radius: 0.01,
    });
    let plan = arm.plan(&SO101_START, &vias, &arm.options());
    assert_eq!((plan.fraction, &plan.stop), (1.0, &None));
    arm.check(&plan);
    let plan = arm.plan(&SO101_START, &[Via::line(near)], &arm.options());
    arm.check(&plan);
    assert!(0.0 < plan.duration() && plan.duration() < 0.2);
}

#[test]
fn options_that_are_none_are_refused() {
    let arm = wx250s();
    let path = Path::through(&arm.tip(&WX250S_START), &[]).unwrap();
    let refuse = |start: &[f64], change: &dyn Fn(&mut PlanOptions)| {
        let mut options = arm.options();
        change(&mut options);
        plan(&arm.solver, &path, start, &options).unwrap_err().to_string()
    };
    for step in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(refuse(&WX250S_START, &|options| options.walk.max_step = step).contains("greatest step"));
        assert!(refuse(&WX250S_START, &|options| options.walk.max_turn = step).contains("greatest step"));
    }
    assert!(refuse(&[0.0; 5], &|_| {}).contains("6 joints"));
    let nan = [f64::NAN, 0.0, 0.0, 0.0, 0.0, 0.0];
    assert!(refuse(&nan, &|_| {}).contains("joint waist starts at NaN"));
    assert!(refuse(&[4.0, 0.0, 0.0, 0.0, 0.0, 0.0], &|_| {}).contains("joint waist"));
    let bad = |options: &mut PlanOptions| options.tip.max_rot_vel = f64::NAN;
    assert!(refuse(&WX250S_START, &bad).contains("max_rot_vel is NaN"));
    let bad = |options: &mut PlanOptions| options.tool_speed = ToolSpeed::Constant(0.0);
    assert!(refuse(&WX250S_START, &bad).contains("the tool speed is 0"));
    let bad = |options: &mut PlanOptions| options.walk.jumps.relative = f64::NAN;
    assert!(refuse(&WX250S_START, &bad).contains("jump threshold"));
    let bad = |options: &mut PlanOptions| options.joints = &[];
    assert!(refuse(&WX250S_START, &bad).contains("0 joints; the chain has 6"));
}

#[test]
fn jumps_end_the_path_where_thresholds_say_so() {
    let arm = so101();
    let from = arm.tip(&SO101_START);
    let mut options = arm.options();
    options.walk.jumps.revolute = 1e-3;
    let plan = arm.plan(&SO101_START, &[Via::line(moved(&from, 0.0, -0.2, 0.0))], &options);
    assert!(matches!(plan.stop, Some(Stop::Jump { .. })), "{:?}", plan.stop);
    options.walk.jumps.revolute = 1.0;
    options.walk.jumps.relative = 10.0;
    let plan = arm.plan(&SO101_START, &[Via::line(moved(&from, 0.0, -0.2, 0.0))], &options);
    assert_eq!((plan.fraction, plan.stop), (1.0, None));
}

#[test]
fn a_tool_that_points_elsewhere_is_out_of_reach_of_five_joints() {
    let arm = so101();
    let from = arm.tip(&SO101_START);
    let mut to = moved(&from, 0.0, -0.05, 0.0);
    // Sideways, which no joint can do.
    let outwards = Vector3::new(0.43_f64.cos(), 0.43_f64.sin(), 0.0);
    to.rotation = UnitQuaternion::from_axis_angle(&Unit::new_normalize(outwards), 0.8) * to.rotation;
    let plan = arm.plan(&SO101_START, &[Via::line(to)], &arm.options());
    assert!(plan.fraction < 0.1);
    assert!(plan.stop.is_some());
}

#[test]
fn along_an_arc_that_one_joint_goes_the_motion_is_as_fast_as_that_joints_fastest() {
    let arm = wx250s();
    let from = arm.tip(&WX250S_START);
    let waist = Point3::new(0.0, 0.0, from.translation.z);
    for angle in [0.01, 0.3, 2.0] {
        let turn = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), angle);
        let via =
            Via { base_from_tip: turn * from, way: Way::Arc(Through::Centre(waist)), blend_radius: 0.0 };
        let plan = arm.plan(&WX250S_START, &[via], &arm.options());
        assert_eq!((plan.fraction, &plan.stop), (1.0, &None));
        arm.check(&plan);
        let (begin, end) = (JointState::at_rest(0.0), JointState::at_rest(angle));
        let best = Leg::plan(begin, end, &arm.limits[0], 0.0).unwrap().duration();
        println!("{angle} rad: {} s, at best {best} s", plan.duration());
        assert!(
            best * 0.999 <= plan.duration() && plan.duration() <= 1.04 * best,
            "{best} {}",
            plan.duration()
        );
    }
}
