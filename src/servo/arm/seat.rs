//! One bus of an arm, in the thread of whoever calls or in one of its own; both are asked alike.

use std::time::Duration;

use super::bus_thread::{Answer, BusThread, Task};
use super::plan::MOST_SERVOS;
use crate::config::hardware::{BusConfig, RealtimeConfig};
use crate::control::torque::{Standing, TorqueOrder};
use crate::servo::bus::{BusCounters, LinkLost};
use crate::servo::clock;
use crate::servo::driver::{self, DrivenServo, Driver, IdentifyError};
use crate::servo::link::OpenError;
use crate::servo::snapshot::ServoReport;
use crate::units::Time;

/// A bus, and what its servos said last.
pub(super) struct Bus {
    /// One for each servo, as is all that follows.
    pub(super) reports: Vec<ServoReport>,
    /// Where each is to be.
    pub(super) goals: Vec<f64>,
    /// What each may use (N m or N).
    pub(super) efforts: Vec<f64>,
    /// How each was found.
    pub(super) standings: Vec<Standing>,
    pub(super) resolutions: Vec<f64>,
    /// What each said of its torque when it was asked.
    pub(super) said: Vec<Said>,
    /// Whether a read ended in this cycle.
    pub(super) has_said: bool,
    /// How it was lost, until somebody takes notice.
    pub(super) lost: Option<LinkLost>,
    pub(super) counters: BusCounters,
    pub(super) cycle_wire_time: Duration,
    pub(super) write_wire_time: Duration,
    /// Of all cycles so far.
    pub(super) wire_time: Duration,
    pub(super) caveats: Vec<String>,
    config: BusConfig,
    servos: Vec<DrivenServo>,
    busy_wait: Duration,
    seat: Seat,
    is_lost: bool,
    /// Whether it was not lost since the arm was whole.
    has_stayed: bool,
    is_asked: bool,
    is_connecting: bool,
    is_releasing: bool,
    refused: Option<IdentifyError>,
    held: Vec<String>,
    trouble: Option<String>,
    /// Whether its servos hold what they were told.
    holds: bool,
}

enum Seat {
    Here(Option<Box<dyn Driver>>),
    Apart(BusThread),
}

/// What a servo says of its torque.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Said {
    /// It was not asked.
    Nothing,
    /// It was asked with this number.
    Asked(u64),
    /// It said this, or was silent.
    Told(Option<Standing>),
}

/// What comes of looking for a bus.
pub(super) enum Rejoining {
    /// It is there.
    Here,
    /// It is being looked for.
    Under,
    /// It cannot be had.
    Refused(IdentifyError),
}

/// A thread's answers have so much time to arrive.
const HAND_OVER: Duration = Duration::from_micros(150);
/// A bus that is slower than the cycle has so much more than its bytes need.
const SLOW_MARGIN: Duration = Duration::from_millis(3);
/// While the arm is not whole, servos hold for so long without being told again: finding a bus takes its time.
const ALONE: Duration = Duration::from_secs(5);

impl Bus {
    /// Opens it here.
    pub(super) fn connect(
        config: BusConfig,
        mut servos: Vec<DrivenServo>,
        realtime: &RealtimeConfig,
    ) -> Result<Self, IdentifyError> {
        let busy_wait = realtime.busy_wait;
        let (driver, standings) = driver::connect(&config, busy_wait, &servos)?;
        for (index, servo) in servos.iter_mut().enumerate() {
            servo.known = driver.identity(index);
        }
        let count = servos.len();
        Ok(Self {
            reports: vec![ServoReport::default(); count],
            goals: vec![0.0; count],
            efforts: vec![f64::INFINITY; count],
            standings,
            resolutions: (0..count).map(|servo| driver.resolution(servo)).collect(),
            said: vec![Said::Nothing; count],
            has_said: false,
            lost: None,
            counters: BusCounters::default(),
            cycle_wire_time: driver.cycle_wire_time(),
            write_wire_time: driver.write_wire_time(),
            wire_time: Duration::ZERO,
            caveats: driver.caveats(),
            config,
            servos,
            busy_wait,
            seat: Seat::Here(Some(driver)),
            is_lost: false,
            has_stayed: true,
            is_asked: false,
            is_connecting: false,
            is_releasing: false,
            refused: None,
            held: Vec::new(),
            trouble: None,
            holds: false,
        })
    }

    /// Gives it a thread of its own.
    pub(super) fn move_out(&mut self, realtime: &RealtimeConfig) -> Result<(), IdentifyError> {
        let Seat::Here(driver) = &mut self.seat else { return Ok(()) };
        let Some(driver) = driver.take() else { return Ok(()) };
        let thread = BusThread::spawn(driver, self.config.clone(), self.servos.clone(), realtime);
        let thread = thread.map_err(|error| OpenError {
            port: self.config.port.clone(),
            problem: format!("there can be no thread for it ({error})"),
        })?;
        self.seat = Seat::Apart(thread);
        Ok(())
    }

    pub(super) fn name(&self) -> &str {
        &self.config.name
    }

    /// Whether the calling thread talks on it itself.
    pub(super) fn is_own(&self) -> bool {
        matches!(self.seat, Seat::Here(_))
    }

    pub(super) fn is_lost(&self) -> bool {
        self.is_lost
    }

    pub(super) fn has_stayed(&self) -> bool {
        self.has_stayed
    }

    pub(super) fn is_whole_again(&mut self) {
        self.has_stayed = true;
    }

    /// Whether its thread is still reading.
    pub(super) fn is_asked(&self) -> bool {
        self.is_asked
    }

    pub(super) fn is_releasing(&self) -> bool {
        self.is_releasing
    }

    /// A thread of its own begins to read, unless it still does so.
    pub(super) fn ask(&mut self, latest: Time) {
        if self.is_lost || self.is_asked {
            return;
        }
        let patience = clock::now() + self.cycle_wire_time.mul_f64(1.5) + SLOW_MARGIN;
        let is_slow = latest < clock::now() + self.cycle_wire_time;
        let latest = if is_slow { patience } else { latest - HAND_OVER };
        if let Seat::Apart(thread) = &mut self.seat {
            thread.give(Task::Read { latest, asker: std::thread::current() });
            self.is_asked = true;
        }
    }

    /// Reads it here, where it is.
    pub(super) fn read(&mut self, latest: Time) -> Result<(), LinkLost> {
        let Seat::Here(Some(driver)) = &mut self.seat else { return Ok(()) };
        if let Err(lost) = driver.read(latest) {
            return Err(self.lose(lost));
        }
        for (index, report) in self.reports.iter_mut().enumerate() {
            *report = *driver.report(index);
        }
        (self.counters, self.has_said) = (driver.counters(), true);
        self.wire_time += self.cycle_wire_time;
        if self.trouble.is_none() {
            self.trouble = driver.next_trouble();
        }
        Ok(())
    }

    /// From now on nothing was said in this cycle.
    pub(super) fn begin_cycle(&mut self) {
        self.has_said = false;
    }

    /// Takes what its thread said.
    pub(super) fn hear(&mut self) {
        loop {
            let Seat::Apart(thread) = &mut self.seat else { return };
            let Ok(answer) = thread.answers.pop() else { return };
            match answer {
                Answer::Read { reports, counters } => {
                    let count = self.reports.len();
                    self.reports.copy_from_slice(&reports[..count]);
                    (self.counters, self.has_said, self.is_asked) = (counters, true, false);
                    self.wire_time += self.cycle_wire_time;
                }
                Answer::Stands { servo, number, said } => {
                    if self.said.get(servo) == Some(&Said::Asked(number)) {
                        self.said[servo] = Said::Told(said);
                    }
                }
                Answer::Held(held) => (self.held, self.is_releasing) = (held, false),
                Answer::Connected(standings) => {
                    (self.standings, self.is_lost, self.is_connecting) = (standings, false, false);
                }
                Answer::Refused(why) => (self.refused, self.is_connecting) = (Some(why), false),
                Answer::Lost(lost) => self.lost = Some(self.lose(lost)),
                Answer::Trouble(trouble) => self.trouble = Some(trouble),
            }
        }
    }

    /// Writes the goals.
    pub(super) fn write_goals(&mut self) -> Result<(), LinkLost> {
        if self.is_lost {
            return Ok(());
        }
        self.holds = true;
        match &mut self.seat {
            Seat::Here(Some(driver)) => {
                let written = driver.write_goals(&self.goals);
                written.map_err(|lost| self.lose(lost))
            }
            Seat::Here(None) => Ok(()),
            Seat::Apart(thread) => {
                thread.give(Task::Goals(filled(&self.goals)));
                Ok(())
            }
        }
    }

    /// Tells all servos the same about torque.
    pub(super) fn order(&mut self, order: TorqueOrder) -> Result<(), LinkLost> {
        // What they said before is no answer to this.
        self.said.fill(Said::Nothing);
        self.holds &= order != TorqueOrder::Off;
        self.give_order(order, Time(i64::MAX), 0).map(|_| ())
    }

    /// Asks a servo how it stands, unless it is still thinking about that; the answer is in `said`.
    pub(super) fn ask_standing(
        &mut self,
        servo: usize,
        number: u64,
        order: TorqueOrder,
        latest: Time,
    ) -> Result<(), LinkLost> {
        let is_check = matches!(order, TorqueOrder::Check(_));
        if is_check && self.said[servo] != Said::Nothing {
            return Ok(());
        }
        self.said[servo] = if self.is_lost { Said::Told(None) } else { Said::Asked(number) };
        let order = if is_check { TorqueOrder::Check(servo) } else { TorqueOrder::ReadBack(servo) };
        if let Some(said) = self.give_order(order, latest, number)? {
            self.said[servo] = Said::Told(said);
        }
        Ok(())
    }

    /// What a driver here answers at once.
    fn give_order(
        &mut self,
        order: TorqueOrder,
        latest: Time,
        number: u64,
    ) -> Result<Option<Option<Standing>>, LinkLost> {
        if self.is_lost {
            return Ok(None);
        }
        match &mut self.seat {
            Seat::Here(Some(driver)) => match driver.obey(order, &self.efforts, latest) {
                Ok(said) => Ok(Some(said)),
                Err(lost) => Err(self.lose(lost)),
            },
            Seat::Here(None) => Ok(None),
            Seat::Apart(thread) => {
                // One that is slower than the cycle answers when it can.
                let latest = latest.max(clock::now() + self.cycle_wire_time + SLOW_MARGIN);
                let (efforts, asker) = (filled(&self.efforts), std::thread::current());
                thread.give(Task::Torque { order, efforts, latest, number, asker });
                Ok(None)
            }
        }
    }

    /// Tells its servos once more to hold, while other buses are lost.
    pub(super) fn hold(&mut self, latest: Time) {
        self.ask(latest);
        if let Err(lost) = self.read(latest) {
            self.lost = Some(lost);
            return;
        }
        if self.is_lost || !self.holds {
            return;
        }
        match &mut self.seat {
            Seat::Apart(thread) => thread.give(Task::Hold { until: clock::now() + ALONE }),
            Seat::Here(_) => {
                if let Err(lost) = self.write_goals() {
                    self.lost = Some(lost);
                }
            }
        }
    }

    /// Lets go.
    pub(super) fn begin_release(&mut self) {
        self.holds = false;
        if self.is_lost {
            return;
        }
        match &mut self.seat {
            Seat::Here(driver) => {
                self.held = driver.as_mut().map_or_else(Vec::new, |driver| driver.release());
            }
            Seat::Apart(thread) => {
                thread.give(Task::Release { asker: std::thread::current() });
                self.is_releasing = true;
            }
        }
    }

    /// The joints that did not let go, as far as anybody knows.
    pub(super) fn take_held(&mut self) -> Vec<String> {
        if std::mem::take(&mut self.is_releasing) || self.is_lost {
            return self.servos.iter().map(|servo| servo.joint.clone()).collect();
        }
        std::mem::take(&mut self.held)
    }

    /// Looks for it, if it is lost; a thread of its own does so meanwhile.
    pub(super) fn rejoin(&mut self) -> Rejoining {
        if !self.is_lost {
            return Rejoining::Here;
        }
        match &mut self.seat {
            Seat::Here(seat) => match driver::connect(&self.config, self.busy_wait, &self.servos) {
                Ok((driver, standings)) => {
                    (*seat, self.standings, self.is_lost) = (Some(driver), standings, false);
                    Rejoining::Here
                }
                Err(why) => Rejoining::Refused(why),
            },
            Seat::Apart(thread) => {
                if !self.is_connecting {
                    thread.give(Task::Connect { asker: std::thread::current() });
                    self.is_connecting = true;
                }
                self.refused.take().map_or(Rejoining::Under, Rejoining::Refused)
            }
        }
    }

    /// What went wrong beside, in a sentence.
    pub(super) fn next_trouble(&mut self) -> Option<String> {
        self.trouble.take()
    }

    /// Says of the loss which bus it is.
    fn lose(&mut self, lost: LinkLost) -> LinkLost {
        (self.is_lost, self.has_stayed, self.holds) = (true, false, false);
        (self.is_asked, self.is_connecting, self.is_releasing) = (false, false, false);
        self.said.fill(Said::Nothing);
        if let Seat::Here(driver) = &mut self.seat {
            *driver = None;
        }
        lost.of_bus(&self.config.name)
    }
}

impl Said {
    /// Whether the servo was asked and has not answered.
    pub(super) fn is_open(self) -> bool {
        matches!(self, Self::Asked(_))
    }

    /// What it said, if it said anything.
    pub(super) fn standing(self) -> Option<Standing> {
        match self {
            Self::Told(standing) => standing,
            Self::Nothing | Self::Asked(_) => None,
        }
    }
}

/// Values of a bus's servos in an array of fixed size.
fn filled(values: &[f64]) -> [f64; MOST_SERVOS] {
    let mut filled = [0.0; MOST_SERVOS];
    for (place, value) in filled.iter_mut().zip(values) {
        *place = *value;
    }
    filled
}
