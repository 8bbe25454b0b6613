//! The thread of a bus beside the control thread's own: does what it is asked, and says what came of it.
//!
//! Between two tasks it sleeps, and allocates nothing for them; of goals that wait it writes only the newest. Once it
//! is told to hold it repeats its goals by itself for a while, as servos with a watchdog want it.

use std::thread::{JoinHandle, Thread};
use std::time::Duration;

use rtrb::{Consumer, Producer, RingBuffer};

use super::plan::MOST_SERVOS;
use crate::config::hardware::{BusConfig, RealtimeConfig};
use crate::control::torque::{Standing, TorqueOrder};
use crate::servo::bus::{BusCounters, LinkLost};
use crate::servo::driver::{self, DrivenServo, Driver, IdentifyError};
use crate::servo::snapshot::ServoReport;
use crate::servo::{clock, realtime};
use crate::units::Time;

/// What a bus is asked; who asks for an answer is woken when it is there.
pub(super) enum Task {
    /// Read every servo until then.
    Read { latest: Time, asker: Thread },
    /// Write these goals.
    Goals([f64; MOST_SERVOS]),
    /// An order about torque, whose joint is the servo's place on the bus. Those that read back have a number.
    Torque { order: TorqueOrder, efforts: [f64; MOST_SERVOS], latest: Time, number: u64, asker: Thread },
    /// Go on telling the servos to hold until then.
    Hold { until: Time },
    /// Let go.
    Release { asker: Thread },
    /// Look for a bus that was lost.
    Connect { asker: Thread },
}

/// What came of it.
#[expect(clippy::large_enum_variant, reason = "a box would allocate in each cycle")]
pub(super) enum Answer {
    Read { reports: [ServoReport; MOST_SERVOS], counters: BusCounters },
    Stands { servo: usize, number: u64, said: Option<Standing> },
    Held(Vec<String>),
    Connected(Vec<Standing>),
    Refused(IdentifyError),
    Lost(LinkLost),
    Trouble(String),
}

/// A running thread; it ends when this is dropped.
pub(super) struct BusThread {
    tasks: Option<Producer<Task>>,
    pub(super) answers: Consumer<Answer>,
    thread: Option<JoinHandle<()>>,
}

/// Tasks that may wait; only goals are given without being asked for answers, four in a cycle at most.
const TASKS: usize = 64;
const ANSWERS: usize = 64;
/// How often goals are repeated while nobody says anything.
const KEEP_ALIVE: Duration = Duration::from_millis(50);

impl BusThread {
    /// Gives a bus to a thread of its own.
    pub(super) fn spawn(
        driver: Box<dyn Driver>,
        config: BusConfig,
        servos: Vec<DrivenServo>,
        realtime: &RealtimeConfig,
    ) -> std::io::Result<Self> {
        let (tasks, task_out) = RingBuffer::new(TASKS);
        let (answer_in, answers) = RingBuffer::new(ANSWERS);
        let realtime = realtime.clone();
        let name = format!("bus {}", config.name);
        let thread = std::thread::Builder::new().name(name).spawn(move || {
            // What is refused here is refused to the control thread, too, and it tells.
            let _told_elsewhere = realtime::set_up_current_thread(&realtime);
            let worker = Worker {
                driver: Some(driver),
                config,
                busy_wait: realtime.busy_wait,
                servos,
                tasks: task_out,
                answers: answer_in,
                goals: None,
                hold_until: Time(0),
            };
            worker.run();
        })?;
        Ok(Self { tasks: Some(tasks), answers, thread: Some(thread) })
    }

    /// Hands over a task; one that does not fit any more is dropped, as the bus has stopped to listen.
    pub(super) fn give(&mut self, task: Task) {
        if let Some(tasks) = &mut self.tasks {
            let _full = tasks.push(task);
        }
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Drop for BusThread {
    fn drop(&mut self) {
        self.tasks = None;
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _panicked = thread.join();
        }
    }
}

struct Worker {
    driver: Option<Box<dyn Driver>>,
    config: BusConfig,
    busy_wait: Duration,
    servos: Vec<DrivenServo>,
    tasks: Consumer<Task>,
    answers: Producer<Answer>,
    /// What the servos were told last, while they hold.
    goals: Option<[f64; MOST_SERVOS]>,
    hold_until: Time,
}

impl Worker {
    fn run(mut self) {
        loop {
            match self.tasks.pop() {
                Ok(task) => self.carry_out(task),
                Err(_) if self.tasks.is_abandoned() => return,
                Err(_) if self.holds() => {
                    self.write_goals();
                    std::thread::park_timeout(KEEP_ALIVE);
                }
                Err(_) => std::thread::park(),
            }
        }
    }

    fn holds(&self) -> bool {
        self.driver.is_some() && self.goals.is_some() && clock::now() < self.hold_until
    }

    fn carry_out(&mut self, task: Task) {
        match task {
            Task::Read { latest, asker } => {
                self.read(latest);
                asker.unpark();
            }
            Task::Goals(goals) => {
                self.goals = Some(goals);
                if !matches!(self.tasks.peek(), Ok(Task::Goals(_))) {
                    self.write_goals();
                }
            }
            Task::Torque { order, efforts, latest, number, asker } => {
                self.order(order, &efforts, latest, number);
                asker.unpark();
            }
            Task::Hold { until } => {
                self.hold_until = until;
                self.write_goals();
            }
            Task::Release { asker } => {
                self.goals = None;
                let held = self.driver.as_mut().map_or_else(Vec::new, |driver| driver.release());
                self.say(Answer::Held(held));
                asker.unpark();
            }
            Task::Connect { asker } => {
                self.connect();
                asker.unpark();
            }
        }
    }

    fn read(&mut self, latest: Time) {
        let Some(driver) = &mut self.driver else { return };
        if let Err(lost) = driver.read(latest) {
            return self.lose(lost);
        }
        let mut reports = [ServoReport::default(); MOST_SERVOS];
        for (index, report) in reports.iter_mut().enumerate().take(self.servos.len()) {
            *report = *driver.report(index);
        }
        let (counters, trouble) = (driver.counters(), driver.next_trouble());
        self.say(Answer::Read { reports, counters });
        if let Some(trouble) = trouble {
            self.say(Answer::Trouble(trouble));
        }
    }

    fn write_goals(&mut self) {
        let (Some(driver), Some(goals)) = (&mut self.driver, &self.goals) else { return };
        if let Err(lost) = driver.write_goals(&goals[..self.servos.len()]) {
            self.lose(lost);
        }
    }

    fn order(&mut self, order: TorqueOrder, efforts: &[f64], latest: Time, number: u64) {
        if order == TorqueOrder::Off {
            self.goals = None;
        }
        let Some(driver) = &mut self.driver else { return };
        match (driver.obey(order, &efforts[..self.servos.len()], latest), order.joint()) {
            (Err(lost), _) => self.lose(lost),
            (Ok(said), Some(servo)) => self.say(Answer::Stands { servo, number, said }),
            (Ok(_), None) => {}
        }
    }

    fn connect(&mut self) {
        self.driver = None;
        match driver::connect(&self.config, self.busy_wait, &self.servos) {
            Ok((driver, standings)) => {
                self.driver = Some(driver);
                self.say(Answer::Connected(standings));
            }
            Err(why) => self.say(Answer::Refused(why)),
        }
    }

    fn lose(&mut self, lost: LinkLost) {
        (self.driver, self.goals) = (None, None);
        self.say(Answer::Lost(lost));
    }

    fn say(&mut self, answer: Answer) {
        // A full queue means that nobody listens any more.
        let _full = self.answers.push(answer);
    }
}
