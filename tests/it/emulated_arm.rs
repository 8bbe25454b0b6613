//! The SO-101 as it is shipped, on emulated servos, with its cycles run by hand; shared by tests and benches.

use std::path::Path;
use std::time::Duration;

use rtrb::Producer;
use servo_arm::config::Config;
use servo_arm::config::controller::JointTolerance;
use servo_arm::config::parameters::{Parameters, Value};
use servo_arm::control::arm::ArmRequest;
use servo_arm::control::ensemble::{Ensemble, Member, MemberEvent, MemberRequest};
use servo_arm::control::follower::{
    Ended, Follower, FollowerEvent, FollowerSetup, Goal, GoalId, Outcome, Request, Tolerances,
};
use servo_arm::control::safety::State;
use servo_arm::control::stream::{CommandStream, JointCommand};
use servo_arm::protocol::feetech::Id;
use servo_arm::servo::clock;
use servo_arm::servo::control_thread::{ArmSetup, ControlLoop};
use servo_arm::servo::driver::IdentifyError;
use servo_arm::servo::emulator::{BusConfig, Emulator, EmulatorConfig, Endpoint, Running};
use servo_arm::servo::ports::{ArmEvent, ArmPorts, Commander, EnsembleCommander, StreamCommander, ports};
use servo_arm::servo::setup::{arm_setup, robot_model};
use servo_arm::servo::simulated::SimulatedPort;
use servo_arm::servo::snapshot::Snapshot;
use servo_arm::trajectory::motion::Motion;
use servo_arm::trajectory::waypoints::{Point, Rules, Waypoints};

/// Changes of the shipped parameters.
pub(crate) type Changes<'a> = &'a [(&'a str, Value)];

/// The arm, the servos at the other end, and all that crosses.
pub(crate) struct Arm<E = Running> {
    pub(crate) emulator: E,
    pub(crate) control: ControlLoop,
    pub(crate) ports: ArmPorts,
    pub(crate) requests: Producer<ArmRequest>,
    pub(crate) setup: ArmSetup,
}

/// Emulated servos, in real time or on simulated time.
pub(crate) trait Servos {
    /// What a host opens.
    fn port(&self) -> &str;
    /// Carries out one line of the control protocol.
    fn command(&self, line: &str) -> String;
}

impl Servos for Running {
    fn port(&self) -> &str {
        self.port()
    }

    fn command(&self, line: &str) -> String {
        self.command(line)
    }
}

impl Servos for SimulatedPort {
    fn port(&self) -> &str {
        self.name()
    }

    fn command(&self, line: &str) -> String {
        self.command(line)
    }
}

/// Emulators of several buses; commands begin with the bus's number.
pub(crate) struct Buses<E>(pub(crate) Vec<E>);

impl<E: Servos> Servos for Buses<E> {
    fn port(&self) -> &str {
        self.0[0].port()
    }

    fn command(&self, line: &str) -> String {
        match line.split_once(' ') {
            Some((bus, line)) => self.0[bus.parse::<usize>().unwrap()].command(line),
            None => self.0.iter().map(|bus| bus.command(line)).collect::<Vec<_>>().join("; "),
        }
    }
}

/// The queue of a follower's requests.
pub(crate) struct Goals(Producer<(usize, MemberRequest)>);

impl Goals {
    /// The queue of the first controller of an arm.
    pub(crate) fn of(requests: Producer<(usize, MemberRequest)>) -> Self {
        Self(requests)
    }

    /// The next cycle hears it.
    pub(crate) fn push(&mut self, request: Request) {
        self.0.push((0, MemberRequest::Trajectory(request))).unwrap();
    }
}

/// How a goal ended, if the event says so of one.
pub(crate) fn ended(event: &ArmEvent) -> Option<(GoalId, Outcome)> {
    match event {
        ArmEvent::Controller(_, MemberEvent::Trajectory(FollowerEvent::Ended(Ended { id, outcome }))) => {
            Some((*id, *outcome))
        }
        _ => None,
    }
}

/// A follower of all joints.
pub(crate) fn follower(setup: &ArmSetup) -> Follower {
    let count = setup.joints.len();
    Follower::new(FollowerSetup {
        joints: (0..count).collect(),
        commanded: vec![true; count],
        limits: setup.limits.clone(),
        braking_limits: setup.limits.clone(),
        period_secs: setup.period.as_secs_f64(),
        speed_factor: 1.0,
    })
}

/// Long enough for anything that does not hang.
const PATIENCE: Duration = Duration::from_secs(10);

/// The servos of the arm; their bytes take no time.
pub(crate) fn servos() -> BusConfig {
    BusConfig::new((1..=6).map(|id| Id::new(id).unwrap()))
}

/// Powers servos up behind a pseudo-terminal.
pub(crate) fn power_up(bus: BusConfig) -> Running {
    Emulator::spawn(EmulatorConfig::new(bus), Endpoint::Pty { link: None }).unwrap()
}

/// What the shipped arm's parameters say of a joint whose servo is of another model, with so many counts a turn.
pub(crate) fn register_servo(joint: &str, model: &str, counts: i32) -> [(String, Value); 3] {
    let key = |key: &str| format!("servos.{joint}.{key}");
    [
        (key("model"), Value::String(model.to_owned())),
        (key("zero_ticks"), Value::Integer((counts / 2).into())),
        (key("ticks_per_turn"), Value::Double(counts.into())),
    ]
}

/// The shipped arm on that port; torque comes on without a ramp unless the changes say otherwise.
pub(crate) fn setup(port: &str, changes: Changes<'_>) -> ArmSetup {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = |text: &Path| Value::String(text.display().to_string());
    let mut overrides = Parameters::new();
    overrides.insert("port".into(), Value::String(port.to_owned()));
    overrides.insert("urdf".into(), text(&root.join("urdf/so101.urdf")));
    overrides.insert("torque_ramp_s".into(), Value::Double(0.0));
    overrides.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    let config = Config::read_hardware(&root.join("config/so101.yaml"), &overrides).unwrap();
    arm_setup(&config, &robot_model(&config.arm).unwrap()).unwrap()
}

impl<E: Servos> Arm<E> {
    /// An arm that executes trajectories; its requests go into the queue.
    pub(crate) fn with_trajectories(
        emulator: E,
        changes: Changes<'_>,
    ) -> Result<(Self, Goals), IdentifyError> {
        let setup = setup(emulator.port(), changes);
        let member = Member::Trajectory(follower(&setup));
        let (commander, requests) = EnsembleCommander::new(Ensemble::new(vec![member]));
        Ok((Self::connect(emulator, setup, Box::new(commander))?, Goals(requests)))
    }

    /// An arm that obeys a stream of commands; they go into the queue.
    pub(crate) fn with_stream(
        emulator: E,
        changes: Changes<'_>,
    ) -> Result<(Self, Producer<JointCommand>), IdentifyError> {
        let setup = setup(emulator.port(), changes);
        let hardware = &setup.hardware;
        let stream = CommandStream::new(
            setup.period.as_secs_f64(),
            hardware.command_timeout,
            hardware.command_guard_rad,
        );
        let (commander, commands) = StreamCommander::new(stream);
        Ok((Self::connect(emulator, setup, Box::new(commander))?, commands))
    }

    /// An arm that executes trajectories, and whose port is not open yet.
    pub(crate) fn unconnected(emulator: E, changes: Changes<'_>) -> (Self, Goals) {
        let setup = setup(emulator.port(), changes);
        let member = Member::Trajectory(follower(&setup));
        let (commander, goals) = EnsembleCommander::new(Ensemble::new(vec![member]));
        let (thread_ports, ports, requests) = ports();
        let control = ControlLoop::unconnected(setup.clone(), Box::new(commander), thread_ports);
        (Self { emulator, control, ports, requests, setup }, Goals(goals))
    }

    /// An arm that does what the commander says.
    pub(crate) fn connect(
        emulator: E,
        setup: ArmSetup,
        commander: Box<dyn Commander>,
    ) -> Result<Self, IdentifyError> {
        let (thread_ports, ports, requests) = ports();
        let control = ControlLoop::connect(setup.clone(), commander, thread_ports)?;
        Ok(Self { emulator, control, ports, requests, setup })
    }

    /// One cycle, without waiting for the next one's time.
    pub(crate) fn cycle(&mut self) -> Snapshot {
        let now = clock::now();
        self.control.cycle(now, now + Duration::from_millis(20));
        while self.ports.snapshots.pop().is_ok() {}
        *self.control.snapshot()
    }

    /// One turn of the control thread's loop, when it is due.
    pub(crate) fn turn(&mut self) -> Snapshot {
        let last = self.control.snapshot();
        let due = if last.cycle == 0 { clock::now() } else { last.due + self.setup.period };
        self.control.turn(due.max(clock::now()));
        while self.ports.snapshots.pop().is_ok() {}
        *self.control.snapshot()
    }

    /// Turns for so long, in the time of this thread.
    pub(crate) fn turn_for(&mut self, lasts: Duration) -> Snapshot {
        let end = clock::now() + lasts;
        loop {
            let snapshot = self.turn();
            if end <= clock::now() {
                return snapshot;
            }
        }
    }

    /// Turns until a state is reached.
    pub(crate) fn turn_until_state(&mut self, state: State) -> Snapshot {
        let end = clock::now() + PATIENCE;
        loop {
            let snapshot = self.turn();
            if snapshot.state == state {
                return snapshot;
            }
            assert!(clock::now() < end, "never: {state}; {}", self.describe(&snapshot));
        }
    }

    /// So many cycles.
    pub(crate) fn cycles(&mut self, count: usize) {
        for _ in 0..count {
            self.cycle();
        }
    }

    /// Cycles until something is so; gives the cycle in which it was.
    pub(crate) fn cycle_until(&mut self, what: &str, is_so: impl Fn(&Snapshot) -> bool) -> Snapshot {
        let end = clock::now() + PATIENCE;
        loop {
            let snapshot = self.cycle();
            if is_so(&snapshot) {
                return snapshot;
            }
            assert!(clock::now() < end, "never: {what}; {}", self.describe(&snapshot));
        }
    }

    /// Cycles until a state is reached.
    pub(crate) fn cycle_until_state(&mut self, state: State) -> Snapshot {
        self.cycle_until(&state.to_string(), |snapshot| snapshot.state == state)
    }

    /// What happened since this was asked last.
    pub(crate) fn events(&mut self) -> Vec<ArmEvent> {
        std::iter::from_fn(|| self.ports.events.pop().ok()).collect()
    }

    /// Asks for something; the next cycle hears it.
    pub(crate) fn ask(&mut self, request: ArmRequest) {
        self.requests.push(request).unwrap();
    }

    /// One line of the emulator's control protocol, which must be obeyed.
    pub(crate) fn emulate(&self, line: &str) -> String {
        let said = self.emulator.command(line);
        said.strip_prefix("ok ").unwrap_or_else(|| panic!("{line}: {said}")).to_owned()
    }

    /// The registers of one servo as the emulator has them.
    pub(crate) fn register(&self, id: usize, name: &str) -> i32 {
        self.emulate(&format!("get id={id} {name}")).parse().unwrap()
    }

    /// A goal that leads all joints through these positions (rad) at these times (s), at rest in each.
    pub(crate) fn goal(&self, id: u64, points: &[(f64, f64)]) -> Request {
        let joints = &self.setup.joints;
        let point = |&(time_from_start, position): &(f64, f64)| Point {
            time_from_start,
            positions: vec![position; joints.len()],
            velocities: vec![0.0; joints.len()],
            ..Point::default()
        };
        let waypoints = Waypoints { joint_names: joints.clone(), points: points.iter().map(point).collect() };
        let rules = Rules { allow_partial: true, ..Rules::new(joints, &self.setup.limits) };
        Request::Follow(Box::new(Goal {
            id: GoalId(id),
            motion: Motion::new(waypoints.validate(rules).unwrap()),
            start: None,
            tolerances: Tolerances {
                joints: vec![JointTolerance { path: 0.0, goal: 0.01 }; joints.len()],
                goal_time_secs: 0.0,
                timeout_secs: None,
            },
            blends: true,
        }))
    }

    fn describe(&mut self, snapshot: &Snapshot) -> String {
        let (state, bus) = (snapshot.state, snapshot.bus);
        let said = self.emulator.command("state");
        format!("{state}, {bus:?}, {:?}, {said}", self.events())
    }
}
