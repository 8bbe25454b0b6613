use std::path::Path;

use super::*;
use crate::config::Config;
use crate::config::parameters::{Parameters, Value};
use crate::control::arm::ArmRequest;
use crate::control::ensemble::Ensemble;
use crate::control::safety::{Cause, State};
use crate::servo::clock::Simulation;
use crate::servo::control_thread::ControlLoop;
use crate::servo::ports::{ArmEvent, ArmPorts, EnsembleCommander, ports};
use crate::servo::setup::{arm_setup, robot_model};

const JOINTS: usize = 6;

/// A simulated arm of which a test tells where it stands, and what goes to it.
struct Arm {
    control: ControlLoop,
    ports: ArmPorts,
    requests: rtrb::Producer<ArmRequest>,
    link: Arc<GazeboLink>,
    due: Time,
    /// How often the simulation was told something.
    told: usize,
    _simulation: Simulation,
}

impl Arm {
    fn new() -> Self {
        let simulation = Simulation::begin(Time(1_000_000_000));
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let overrides = Parameters::from([
            ("backend".to_owned(), Value::String("gazebo".to_owned())),
            ("urdf".to_owned(), Value::String(root.join("urdf/so101.urdf").display().to_string())),
        ]);
        let config = Config::read_hardware(&root.join("config/so101.yaml"), &overrides).unwrap();
        let mut setup = arm_setup(&config, &robot_model(&config.arm).unwrap()).unwrap();
        let link =
            Arc::new(GazeboLink { topic: "/gazebo/joint_states".to_owned(), states: JointSlot::default() });
        setup.gazebo = Some(link.clone());
        let (thread_ports, ports, requests) = ports();
        let (commander, _goals) = EnsembleCommander::new(Ensemble::new(Vec::new()));
        let control = ControlLoop::connect(setup, Box::new(commander), thread_ports).unwrap();
        Self { control, ports, requests, link, due: clock::now(), told: 0, _simulation: simulation }
    }

    /// Gazebo says that the first of the joints stand there.
    fn stands(&self, positions: &[f64]) {
        let mut sample = JointSample { stamp: self.due, ..JointSample::default() };
        sample.positions[..positions.len()].copy_from_slice(positions);
        self.link.states.put(&sample);
    }

    fn turn(&mut self) {
        self.due = self.control.turn(self.due);
        self.told += usize::from(self.control.snapshot().told);
    }

    fn turns(&mut self, count: usize, positions: &[f64]) {
        for _ in 0..count {
            self.stands(positions);
            self.turn();
        }
    }

    fn state(&self) -> State {
        self.control.core().state()
    }

    fn commanded(&self) -> Option<[f64; JOINTS]> {
        let snapshot = self.control.snapshot();
        snapshot.told.then(|| std::array::from_fn(|joint| snapshot.joints()[joint].command))
    }

    fn troubles(&mut self) -> Vec<String> {
        let events = std::iter::from_fn(|| self.ports.events.pop().ok());
        let troubles = events.filter_map(|event| match event {
            ArmEvent::Trouble(text) => Some(text),
            _ => None,
        });
        troubles.collect()
    }
}

#[test]
fn a_simulation_is_waited_for_and_its_arm_is_held_where_it_stands() {
    let mut arm = Arm::new();
    arm.turn();
    assert_eq!((arm.state(), arm.commanded()), (State::Disconnected, None));
    let troubles = arm.troubles();
    assert!(troubles[0].contains("no joint states of Gazebo come on /gazebo/joint_states"), "{troubles:?}");
    let stands = [0.1, -0.2, 0.3, 0.4, 0.5, 0.6];
    arm.turns(300, &stands);
    assert_eq!((arm.state(), arm.commanded()), (State::Holding, Some(stands)));
}

#[test]
fn a_joint_that_the_simulation_lacks_is_named() {
    let mut arm = Arm::new();
    arm.turns(300, &[0.0; JOINTS - 1]);
    assert_eq!(arm.state(), State::Disconnected);
    let troubles = arm.troubles();
    let named = troubles.iter().any(|text| text.starts_with("joint `gripper` is not among Gazebo's"));
    assert!(named, "{troubles:?}");
    arm.turns(300, &[0.0; JOINTS]);
    assert_eq!(arm.state(), State::Holding);
}

#[test]
fn a_joint_that_falls_silent_alone_faults_the_arm_by_name() {
    let mut arm = Arm::new();
    arm.turns(300, &[0.0; JOINTS]);
    arm.turns(150, &[0.0; JOINTS - 1]);
    assert_eq!((arm.state(), arm.control.core().cause()), (State::Faulted, Some(Cause::ServoLost(5))));
}

#[test]
fn a_simulation_that_is_gone_is_a_lost_port_and_what_comes_back_is_held_when_torque_is_asked_for() {
    let mut arm = Arm::new();
    arm.turns(300, &[0.0; JOINTS]);
    while arm.state() != State::Disconnected {
        arm.turn();
        assert!(arm.due < Time(20_000_000_000), "{}", arm.state());
    }
    let troubles = arm.troubles();
    assert!(troubles.iter().any(|text| text.contains("nothing has come from Gazebo")), "{troubles:?}");
    arm.turns(50, &[0.7; JOINTS]);
    // It had been faulted before by so much silence, and it still is.
    assert_eq!(arm.state(), State::Faulted);
    arm.requests.push(ArmRequest::Reset).unwrap();
    arm.requests.push(ArmRequest::TorqueOn).unwrap();
    arm.turns(300, &[0.7; JOINTS]);
    assert_eq!((arm.state(), arm.commanded()), (State::Holding, Some([0.7; JOINTS])));
}

#[test]
fn a_velocity_is_how_far_a_joint_went_from_state_to_state() {
    let mut arm = Arm::new();
    for step in 0..10 {
        arm.turns(1, &[0.01 * f64::from(step); JOINTS]);
    }
    let velocity = arm.control.snapshot().joints()[0].servo.velocity;
    assert!((velocity - 2.0).abs() < 1e-6, "{velocity}");
}

#[test]
fn torque_that_is_off_tells_the_simulation_nothing() {
    let mut arm = Arm::new();
    arm.turns(300, &[0.0; JOINTS]);
    arm.requests.push(ArmRequest::TorqueOff).unwrap();
    arm.turns(50, &[0.0; JOINTS]);
    assert_eq!(arm.state(), State::Identified);
    let told = arm.told;
    arm.turns(50, &[0.0; JOINTS]);
    assert_eq!(arm.told, told);
}

#[test]
fn an_arm_that_stands_elsewhere_after_time_was_set_back_is_held_there() {
    let mut arm = Arm::new();
    arm.turns(300, &[0.5; JOINTS]);
    arm.control.set_time_back();
    assert_eq!(arm.control.core().cause(), Some(Cause::TimeSetBack));
    arm.turns(300, &[0.0; JOINTS]);
    assert_eq!((arm.state(), arm.commanded()), (State::Holding, Some([0.0; JOINTS])));
    arm.requests.push(ArmRequest::EmergencyStop).unwrap();
    arm.turns(10, &[0.0; JOINTS]);
    arm.control.set_time_back();
    arm.turns(10, &[0.3; JOINTS]);
    assert_eq!(arm.state(), State::EmergencyStop, "a latched state lasts");
    let told = arm.told;
    arm.turns(10, &[0.3; JOINTS]);
    assert_eq!(arm.told, told);
}
