//! Every shipped configuration: its emulated servos go through the demonstration's motion, on simulated time.

#[path = "../../src/bin/arm_demo/controllers.rs"]
mod controllers;
#[path = "../../src/bin/arm_demo/script.rs"]
#[expect(dead_code, reason = "the demonstration uses more of it")]
mod script;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rtrb::Producer;
use servo_arm::config::hardware::ServoConfig;
use servo_arm::config::parameters::{self, Parameters, Value};
use servo_arm::config::{Config, Part};
use servo_arm::control::ensemble::{Ensemble, Member, MemberEvent, MemberRequest};
use servo_arm::control::follower::{
    Ended, Follower, FollowerEvent, FollowerSetup, Goal, GoalId, Outcome, Request, Tolerances,
};
use servo_arm::control::gripper::goal::{GripperOutcome, RawGripperGoal};
use servo_arm::control::gripper::{Gripper, GripperEvent, GripperRequest, JointEffort};
use servo_arm::control::safety::State;
use servo_arm::kinematics::RobotModel;
use servo_arm::servo::clock::{self, Simulation};
use servo_arm::servo::control_thread::ArmSetup;
use servo_arm::servo::emulator::BusConfig;
use servo_arm::servo::emulator::of_arm::{Posture, buses_of_arm};
use servo_arm::servo::ports::{ArmEvent, EnsembleCommander};
use servo_arm::servo::setup::{arm_setup, robot_model};
use servo_arm::servo::simulated::SimulatedPort;
use servo_arm::trajectory::motion::Motion as Trajectory;
use servo_arm::trajectory::waypoints::{Point, Rules, Waypoints};
use servo_arm::units::{Radians, Ticks, Time};

use self::controllers::{Controllers, GripperController};
use self::script::{Motion, Script, Step};
use crate::emulated_arm::{Arm, Buses};

/// A result that is later than this will not come any more.
const PATIENCE: Duration = Duration::from_secs(5);
/// How far a servo may be from where its joint is told to be: less than its ticks, and than a count of a PCA9685 (µs).
const NEAR: f64 = 5.0;

#[test]
fn six_sts_servos_go_through_the_demonstration() {
    let arm = Demonstration::run("so101");
    assert_eq!(arm.servos().len(), 6);
}

#[test]
fn nine_dynamixels_two_pairs_of_them_mirrored_go_through_the_demonstration() {
    let arm = Demonstration::run("wx250s");
    assert_eq!(arm.servos().len(), 9);
    let pairs = arm.setup.hardware.further_servos.iter();
    assert_eq!(pairs.map(|pair| pair.servo.calibration.reversed).collect::<Vec<_>>(), [true, true]);
    // The other finger has no servo, and is where it must be.
    let (finger, [other]) = (arm.last.joints()[6], arm.last.mimics()) else { panic!("one joint mimics") };
    assert_eq!(other.position, -finger.servo.position);
}

#[test]
fn six_lx16a_servos_go_through_the_demonstration() {
    Demonstration::run("lx16a");
}

#[test]
fn six_pwm_servos_on_a_maestro_go_through_the_demonstration() {
    Demonstration::run("maestro");
}

#[test]
fn six_pwm_servos_on_a_pca9685_go_through_the_demonstration() {
    Demonstration::run("pca9685");
}

#[test]
fn seven_servos_on_three_buses_of_three_protocols_go_through_the_demonstration() {
    let arm = Demonstration::run("mixed");
    let buses: Vec<usize> = arm.servos().iter().map(|(_, servo)| servo.bus).collect();
    assert_eq!(buses, [0, 0, 0, 1, 1, 2, 0]);
}

/// An arm of emulated servos, as it is after the motion.
struct Demonstration {
    arm: Arm<Buses<SimulatedPort>>,
    requests: Producer<(usize, MemberRequest)>,
    file: PathBuf,
    setup: ArmSetup,
    controllers: Controllers,
    last: servo_arm::servo::snapshot::Snapshot,
    next_id: u64,
    _time: Simulation,
}

impl Demonstration {
    /// Starts the arm of that configuration, goes through the motion, and looks at every servo.
    fn run(name: &str) -> Self {
        let mut demonstration = Self::start(name);
        let script = Script::new(&demonstration.controllers);
        for step in std::iter::once(script.preparation()).chain(script.steps()) {
            demonstration.execute(step);
        }
        demonstration.last = demonstration.arm.turn_for(Duration::from_millis(500));
        assert_eq!(demonstration.last.overruns, 0, "{name}: cycles were left out");
        demonstration.look_at_servos();
        demonstration
    }

    fn start(name: &str) -> Self {
        let time = Simulation::begin(Time(1_000_000_000));
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let file = root.join(format!("config/{name}.yaml"));
        let own_urdf = own_urdf(root, &file);
        let elsewhere = Config::read_hardware_at(&file, &own_urdf, |_| "none".to_owned()).unwrap();
        let model = robot_model(&elsewhere.arm).unwrap();
        let mimics = arm_setup(&elsewhere, &model).unwrap().mimics;
        let emulated = buses_of_arm(&elsewhere.hardware, &mimics, Posture::default()).unwrap();
        let of_bus = |(bus, emulated): (&servo_arm::config::hardware::BusConfig, BusConfig)| {
            let pace_bps = Some(bus.baud_rate_bps);
            (bus.name.clone(), SimulatedPort::plug_in(BusConfig { pace_bps, ..emulated }))
        };
        let (names, ports): (Vec<String>, Vec<SimulatedPort>) =
            elsewhere.hardware.buses.iter().zip(emulated).map(of_bus).unzip();
        let port_of = |bus: &str| {
            let index = names.iter().position(|name| name == bus).unwrap();
            ports[index].name().to_owned()
        };
        let config = Config::read_hardware_at(&file, &own_urdf, port_of).unwrap();
        let setup = arm_setup(&config, &model).unwrap();
        let controllers = Controllers::read(&file, &setup, &model).unwrap();
        let mut members = vec![Member::Trajectory(follower(&setup, &controllers))];
        members.extend(
            controllers.gripper.as_ref().map(|gripper| Member::Gripper(jaw(&file, &setup, gripper, &model))),
        );
        let (commander, requests) = EnsembleCommander::new(Ensemble::new(members));
        let mut arm = Arm::connect(Buses(ports), setup.clone(), Box::new(commander)).unwrap();
        let last = arm.turn_until_state(State::Holding);
        Self { arm, requests, file, setup, controllers, last, next_id: 1, _time: time }
    }

    /// Sends one goal, and waits until it is reached.
    fn execute(&mut self, step: &Step) {
        let id = GoalId(self.next_id);
        self.next_id += 1;
        let request = match &step.motion {
            Motion::Arm(points) => (0, MemberRequest::Trajectory(self.trajectory(id, points))),
            Motion::Gripper(position) => (1, MemberRequest::Gripper(self.grip(id, *position))),
        };
        self.requests.push(request).unwrap();
        let end = clock::now() + Duration::from_secs_f64(step.motion.secs().unwrap_or(0.0)) + PATIENCE;
        loop {
            let snapshot = self.arm.turn();
            let can_move = matches!(snapshot.state, State::Holding | State::Active);
            assert!(can_move, "{}: {} because of {:?}", step.name, snapshot.state, snapshot.cause);
            let mut is_reached = false;
            for event in self.arm.events() {
                is_reached |= is_reached_by(&event, id, step.name);
            }
            if is_reached {
                return;
            }
            assert!(clock::now() < end, "`{}` has not ended", step.name);
        }
    }

    /// As the controller makes a goal of a client's points.
    fn trajectory(&self, id: GoalId, points: &[script::Point]) -> Request {
        let controller = &self.controllers.trajectory;
        let config = config_of(&self.file, &controller.name, &self.setup, Part::Controller);
        let names: Vec<String> = controller.joints.iter().map(|joint| joint.name.clone()).collect();
        let limits: Vec<_> = controller.joints.iter().map(|joint| joint.limits).collect();
        let point = |point: &script::Point| Point {
            time_from_start: point.secs,
            positions: point.positions.clone(),
            velocities: point.velocities.clone().unwrap_or_default(),
            ..Point::default()
        };
        let points = points.iter().map(point).collect();
        let waypoints = Waypoints { joint_names: names.clone(), points };
        let rules = Rules { policy: config.controller.limits_policy, ..Rules::new(&names, &limits) };
        let tolerances = Tolerances {
            joints: config.controller.tolerances.clone(),
            goal_time_secs: config.controller.goal_time_secs,
            timeout_secs: None,
        };
        let motion = Trajectory::new(waypoints.validate(rules).unwrap());
        Request::Follow(Box::new(Goal { id, motion, start: None, tolerances, blends: true }))
    }

    fn grip(&self, id: GoalId, position: f64) -> GripperRequest {
        let gripper = self.controllers.gripper.as_ref().unwrap();
        let raw = RawGripperGoal { position, max_effort: 0.0, max_velocity: 0.0 };
        GripperRequest::Move(raw.check(id, &gripper.joint, &gripper.limits, 1.0).unwrap())
    }

    /// Every servo of the arm with the joint that it moves: first ones, then those that help them.
    fn servos(&self) -> Vec<(usize, ServoConfig)> {
        let hardware = &self.setup.hardware;
        let further = hardware.further_servos.iter().map(|it| (it.joint, it.servo.clone()));
        hardware.servos.iter().cloned().enumerate().chain(further).collect()
    }

    /// Each stands where its joint was told to be, however it is mounted.
    fn look_at_servos(&self) {
        for (joint, servo) in self.servos() {
            let command = self.last.joints()[joint].command;
            let (id, expected) = match servo.pwm {
                Some(pwm) => (pwm.channel, pwm.pulse_us(command)),
                None => {
                    let Ticks(ticks) = servo.calibration.to_ticks(Radians(command));
                    (servo.id, f64::from(ticks))
                }
            };
            let said = self.arm.emulate(&format!("{} get id={id} present_position", servo.bus));
            let stands: f64 = said.parse().unwrap();
            let name = &self.setup.joints[joint];
            assert!((stands - expected).abs() <= NEAR, "`{name}`: {stands} instead of {expected}");
        }
    }
}

/// Whether the goal was reached; what went wrong is told.
fn is_reached_by(event: &ArmEvent, id: GoalId, name: &str) -> bool {
    match event {
        ArmEvent::Controller(_, MemberEvent::Trajectory(FollowerEvent::Ended(ended))) => {
            assert_eq!(*ended, Ended { id, outcome: Outcome::Reached }, "`{name}`");
            true
        }
        ArmEvent::Controller(_, MemberEvent::Gripper(GripperEvent::Finished(finished))) => {
            assert_eq!((finished.id, finished.outcome), (id, GripperOutcome::Reached), "`{name}`");
            true
        }
        ArmEvent::Watch(news) => panic!("`{name}`: {news:?}"),
        ArmEvent::Trouble(text) => {
            assert!(!text.contains("disagree"), "`{name}`: {text}");
            false
        }
        _ => false,
    }
}

/// The robot model beside the configuration, where no package is installed.
fn own_urdf(root: &Path, file: &Path) -> Parameters {
    let given = parameters::read(file, "/hardware_node").unwrap();
    let Some(Value::String(uri)) = given.get("urdf") else { panic!("no urdf") };
    let path = root.join(uri.strip_prefix("package://servo_arm/").unwrap());
    Parameters::from([("urdf".to_owned(), Value::String(path.display().to_string()))])
}

fn config_of(file: &Path, node: &str, setup: &ArmSetup, part: Part) -> Config {
    let given = parameters::read(file, &format!("/{node}")).unwrap();
    Config::of_arm(&given, &setup.joints, &[part]).unwrap()
}

fn follower(setup: &ArmSetup, controllers: &Controllers) -> Follower {
    let joints = &controllers.trajectory.joints;
    let limits: Vec<_> = joints.iter().map(|joint| joint.limits).collect();
    let index = |name: &str| setup.joints.iter().position(|joint| joint == name).unwrap();
    Follower::new(FollowerSetup {
        joints: joints.iter().map(|joint| index(&joint.name)).collect(),
        commanded: vec![true; joints.len()],
        braking_limits: limits.clone(),
        limits,
        period_secs: setup.period.as_secs_f64(),
        speed_factor: 1.0,
    })
}

fn jaw(file: &Path, setup: &ArmSetup, gripper: &GripperController, model: &RobotModel) -> Gripper {
    let config = config_of(file, &gripper.name, setup, Part::Gripper(gripper.kind));
    let joint = setup.joints.iter().position(|joint| *joint == gripper.joint).unwrap();
    let own = arm_setup(&config, model).unwrap();
    let own_index = config.arm.joints.iter().position(|joint| *joint == gripper.joint).unwrap();
    let (limits, rated) = (own.limits[own_index], own.ratings[own_index].max_effort);
    let configured = rated * setup.hardware.servos[joint].torque_limit;
    let effort = JointEffort { rated, configured };
    Gripper::new(joint, config.gripper.rules, limits, effort, setup.period.as_secs_f64())
}
