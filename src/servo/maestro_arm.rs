//! PWM servos on a Pololu Maestro.
//!
//! ```text
//! read:   ask for the errors, which tells that the board is there; the servos themselves cannot be asked
//! write:  targets of channels in a row in one command
//! torque: pulses; off is target 0
//! ```
//! At an error a Maestro may switch every channel off or lead it home, as is set in it, and one that lost its supply
//! starts again without pulses. So after an error, or without an answer, no target is sent before the outputs were read:
//! pulses that begin again would make the servos jump. Outputs that are not what they were told count as torque that is
//! lost.

use std::time::Duration;

use super::bus::{BusCounters, LinkLost, ServoError, Timing, Wait};
use super::clock;
use super::driver::{DrivenServo, Driver, IdentifyError};
use super::link;
use super::maestro_port::MaestroPort;
use super::pwm::{PwmServos, twice_the_same};
use super::snapshot::ServoReport;
use crate::config::hardware::BusConfig;
use crate::control::torque::{Standing, TorqueOrder};
use crate::protocol::maestro::{
    ACCELERATION_UNIT_US_S2, Errors, Framing, MAX_CHANNELS, MAX_TARGET, Request, SPEED_UNIT_US_S,
};
use crate::units::Time;

/// The servos of one arm on one Maestro.
pub(super) struct MaestroArm {
    port: MaestroPort,
    servos: PwmServos,
    /// Whether it takes several targets in one command.
    has_rows: bool,
    /// Servos in the order of their channels.
    by_channel: Vec<usize>,
    /// What each servo's channel was told last, in quarters of a µs.
    told: Vec<u16>,
    /// The board did something by itself; nothing is told until torque is switched off.
    strayed: bool,
    /// Errors that nobody was told of.
    untold: Errors,
    /// Errors after which the outputs have not been read.
    unjudged: bool,
    /// In how many cycles since then an output seemed to be another one than it was told.
    suspicions: u32,
}

const CAVEATS: &[&str] = &[
    "PWM servos tell nothing: joint_states has the modelled position, and NaN for velocity and effort",
    "PWM servos have no torque limit, and at their first pulse they jump to servos.<joint>.start_position",
    "a Maestro whose serial timeout is 0, as it is sold, keeps its last pulses for ever when the host is gone; \
     set one with Pololu's Maestro Control Center (Serial Settings, Timeout)",
];
/// How often the board is asked before it counts as absent.
const TRIES: u32 = 3;
/// What an answer takes besides the wire.
const SINGLE_TRY_RESERVE: Duration = Duration::from_millis(1);
const QUARTERS_A_US: f64 = 4.0;
/// So often an output must seem to have strayed, each time in another cycle, until it has.
const ENOUGH_SUSPICIONS: u32 = 4;

impl Driver for MaestroArm {
    fn read(&mut self, latest: Time) -> Result<(), LinkLost> {
        let now = clock::now();
        self.servos.advance(now);
        let said = self.port.ask(&Request::GetErrors, Wait::Until(latest))?;
        // Bits that no Maestro sets are noise.
        let errors = said.and_then(Errors::parse);
        self.untold |= errors.unwrap_or(Errors::NONE);
        // One that said nothing may have started again, without pulses.
        self.unjudged |= errors != Some(Errors::NONE);
        if self.unjudged {
            self.judge_outputs(latest)?;
        }
        // While nobody knows what its outputs are, it takes no targets, and is as good as silent.
        self.servos.report(errors.is_some() && !self.unjudged, now);
        Ok(())
    }

    fn report(&self, servo: usize) -> &ServoReport {
        &self.servos.all()[servo].report
    }

    fn write_goals(&mut self, positions: &[f64]) -> Result<(), LinkLost> {
        self.servos.aim(positions);
        if self.servos.has_pulses() && !self.strayed && !self.unjudged { self.send_targets() } else { Ok(()) }
    }

    fn obey(
        &mut self,
        order: TorqueOrder,
        _efforts: &[f64],
        latest: Time,
    ) -> Result<Option<Standing>, LinkLost> {
        match order {
            TorqueOrder::Limit(_) => Ok(None),
            TorqueOrder::On => {
                if !self.strayed {
                    self.servos.set_pulses(true);
                    self.send_targets()?;
                }
                Ok(None)
            }
            TorqueOrder::Off => self.switch_off().map(|()| None),
            TorqueOrder::ReadBack(servo) => self.standing(servo, Wait::Patiently),
            TorqueOrder::Check(servo) => {
                let request = Request::GetPosition { channel: self.channel(servo) };
                if latest < clock::now() + self.port.wire_time(&request) + SINGLE_TRY_RESERVE {
                    return Ok(None);
                }
                let standing = self.standing(servo, Wait::Until(latest))?;
                // What seems to have let go is looked at as after an error.
                self.unjudged |= standing.is_some_and(|standing| !standing.torque) && !self.strayed;
                Ok(standing.filter(|standing| standing.torque || self.strayed))
            }
        }
    }

    fn release(&mut self) -> Vec<String> {
        let mut held: Vec<usize> = (0..self.told.len()).collect();
        for _ in 0..TRIES {
            // Whether this went through is seen when each channel is asked.
            let _told = self.switch_off();
            held.retain(|servo| {
                !matches!(self.standing(*servo, Wait::Patiently), Ok(Some(Standing { torque: false, .. })))
            });
            if held.is_empty() {
                break;
            }
        }
        held.into_iter().map(|servo| self.servos.all()[servo].joint.clone()).collect()
    }

    fn resolution(&self, servo: usize) -> f64 {
        self.servos.all()[servo].config.rad_per_us() / QUARTERS_A_US
    }

    fn cycle_wire_time(&self) -> Duration {
        self.port.wire_time(&Request::GetErrors) + self.write_wire_time()
    }

    fn write_wire_time(&self) -> Duration {
        let mut time = Duration::ZERO;
        self.each_command(|request| time += self.port.wire_time(request));
        time
    }

    fn counters(&self) -> BusCounters {
        self.port.counters()
    }

    fn caveats(&self) -> Vec<String> {
        CAVEATS.iter().map(|caveat| (*caveat).to_owned()).collect()
    }

    fn next_trouble(&mut self) -> Option<String> {
        let errors = std::mem::take(&mut self.untold);
        (!errors.is_empty()).then(|| format!("the Maestro reports: {errors}"))
    }
}

impl MaestroArm {
    /// Opens the port and makes sure that the board answers; see [`super::driver::connect`].
    pub(super) fn connect(
        config: &BusConfig,
        busy_wait: Duration,
        servos: &[DrivenServo],
    ) -> Result<(Self, Vec<Standing>), IdentifyError> {
        const MICRO_MAESTRO: u8 = 6;
        let timing = Timing {
            baud_rate_bps: config.baud_rate_bps,
            adapter_latency: config.adapter_latency,
            busy_wait,
        };
        let framing = Framing { device: config.pwm.device_number, crc: config.pwm.crc };
        let port = MaestroPort::new(link::open(&config.port, config.baud_rate_bps)?, timing, framing);
        let servos = PwmServos::new(servos);
        let count = servos.all().len();
        let mut by_channel: Vec<usize> = (0..count).collect();
        by_channel.sort_by_key(|servo| servos.all()[*servo].config.channel);
        let mut arm = Self {
            port,
            servos,
            has_rows: config.pwm.channels != MICRO_MAESTRO,
            by_channel,
            told: vec![0; count],
            strayed: false,
            untold: Errors::NONE,
            unjudged: false,
            suspicions: 0,
        };
        arm.find(config)?;
        let standings = arm.set_up().map_err(|lost| arm.failed(lost))?;
        Ok((arm, standings))
    }

    /// Errors from before, such as those of a host of another speed, end here.
    fn find(&mut self, config: &BusConfig) -> Result<(), IdentifyError> {
        for _ in 0..TRIES {
            let said =
                self.port.ask(&Request::GetErrors, Wait::Patiently).map_err(|lost| self.failed(lost))?;
            if let Some(errors) = said.and_then(Errors::parse) {
                if !errors.is_empty() {
                    tracing::info!(%errors, "the Maestro had errors from before");
                }
                return Ok(());
            }
        }
        Err(IdentifyError::Missing {
            missing: format!("the Maestro of {}", self.servos.names()),
            port: config.port.clone(),
            found: "nothing answers; its serial mode must be USB Dual Port, or UART with this baud rate"
                .to_owned(),
            baud_rate_bps: config.baud_rate_bps,
        })
    }

    /// Sets each channel's speed and acceleration, and tells whether it puts out pulses already.
    fn set_up(&mut self) -> Result<Vec<Standing>, LinkLost> {
        let mut standings = Vec::with_capacity(self.told.len());
        for index in 0..self.told.len() {
            let config = self.servos.all()[index].config;
            let channel = config.channel;
            let units = |value: Option<f64>, unit: f64| {
                let of_pulse: f64 = value.map_or(0.0, |value| value / config.rad_per_us() / unit);
                // Rounded up: 0 would mean that there is no limit.
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 16383")]
                {
                    of_pulse.ceil().clamp(0.0, f64::from(MAX_TARGET)) as u16
                }
            };
            self.port.tell(&Request::SetSpeed { channel, speed: units(config.speed, SPEED_UNIT_US_S) })?;
            let acceleration = units(config.acceleration, ACCELERATION_UNIT_US_S2).min(255);
            self.port.tell(&Request::SetAcceleration { channel, acceleration })?;
            let standing = self.found(index)?;
            if standing.torque {
                self.told[index] = target_of(config.pulse_us(standing.goal));
                self.servos.found_at(index, config.pulse_us(standing.goal));
                self.servos.set_pulses(true);
            }
            standings.push(standing);
        }
        Ok(standings)
    }

    /// How a channel is found. Nothing checks an answer, and a wrong one would make its servo jump: the same must come
    /// twice.
    fn found(&mut self, servo: usize) -> Result<Standing, LinkLost> {
        twice_the_same(2 * TRIES, || self.standing(servo, Wait::Patiently))
    }

    /// Tells every channel its target.
    fn send_targets(&mut self) -> Result<(), LinkLost> {
        for (told, servo) in self.told.iter_mut().zip(self.servos.all()) {
            *told = target_of(servo.pulse_us());
        }
        self.send_told()
    }

    fn switch_off(&mut self) -> Result<(), LinkLost> {
        self.servos.set_pulses(false);
        (self.strayed, self.unjudged, self.suspicions) = (false, false, 0);
        self.told.fill(0);
        self.send_told()
    }

    fn send_told(&mut self) -> Result<(), LinkLost> {
        let mut sent = Ok(());
        let mut commands = [None; MAX_CHANNELS];
        let mut count = 0;
        self.each_command(|request| {
            if let Some(place) = commands.get_mut(count) {
                *place = Some(*request);
                count += 1;
            }
        });
        for request in commands.iter().flatten() {
            sent = sent.and_then(|()| self.port.tell(request));
        }
        sent
    }

    /// The commands that tell every channel its target: one for each row of neighbours, or one for each channel.
    fn each_command(&self, mut command: impl FnMut(&Request)) {
        let mut row: [u16; MAX_CHANNELS] = [0; MAX_CHANNELS];
        let mut from = 0;
        while from < self.by_channel.len() {
            let first = self.channel(self.by_channel[from]);
            let mut len = 0;
            for servo in &self.by_channel[from..] {
                let is_next = usize::from(self.channel(*servo)) == usize::from(first) + len;
                if !is_next || len == MAX_CHANNELS || (!self.has_rows && 0 < len) {
                    break;
                }
                row[len] = self.told[*servo];
                len += 1;
            }
            match Request::targets(first, &row[..len]) {
                Some(request) if 1 < len => command(&request),
                _ => command(&Request::SetTarget { channel: first, target: row[0] }),
            }
            from += len.max(1);
        }
    }

    /// After an error: whether every output is still what it was told. What is not said counts as let go.
    fn judge_outputs(&mut self, latest: Time) -> Result<(), LinkLost> {
        if !self.servos.has_pulses() {
            self.unjudged = false;
            return Ok(());
        }
        for servo in 0..self.told.len() {
            let request = Request::GetPosition { channel: self.channel(servo) };
            if latest < clock::now() + self.port.wire_time(&request) + SINGLE_TRY_RESERVE {
                // The next cycle goes on.
                return Ok(());
            }
            let Some(output) = self.port.ask(&request, Wait::Until(latest))? else { return Ok(()) };
            if self.is_as_told(servo, output) {
                continue;
            }
            // Nothing says which question an answer is to, and late ones look like outputs without pulses: one cycle is
            // not enough to stop an arm. Meanwhile nobody is told anything.
            if self.port.ask(&request, Wait::Until(latest))? == Some(output) {
                self.suspicions += 1;
                self.strayed |= ENOUGH_SUSPICIONS <= self.suspicions;
            }
            if !self.strayed {
                return Ok(());
            }
        }
        (self.unjudged, self.suspicions) = (false, 0);
        Ok(())
    }

    /// Whether an output is what it was told; one with a speed may be on its way.
    fn is_as_told(&self, servo: usize, output: [u8; 2]) -> bool {
        let output = u16::from_le_bytes(output);
        let is_slow = self.servos.all()[servo].config.speed.is_some();
        output != 0 && (output == self.told[servo] || is_slow)
    }

    fn standing(&mut self, servo: usize, wait: Wait) -> Result<Option<Standing>, LinkLost> {
        let channel = self.channel(servo);
        let Some(output) = self.port.ask(&Request::GetPosition { channel }, wait)? else { return Ok(None) };
        let output = u16::from_le_bytes(output);
        if MAX_TARGET < output {
            return Ok(None);
        }
        let config = self.servos.all()[servo].config;
        let goal = config.position(f64::from(output) / QUARTERS_A_US);
        let torque = output != 0 && !self.strayed;
        // An output that is still on its way has the goal that it was told.
        let goal = if config.speed.is_some() && self.told[servo] != 0 {
            config.position(f64::from(self.told[servo]) / QUARTERS_A_US)
        } else {
            goal
        };
        Ok(Some(Standing { torque, goal, limit_strays: false }))
    }

    fn channel(&self, servo: usize) -> u8 {
        self.servos.all()[servo].config.channel
    }

    fn failed(&self, lost: LinkLost) -> IdentifyError {
        IdentifyError::Servo { joint: self.servos.names(), cause: ServoError::Lost(lost) }
    }
}

/// A pulse (µs) as a target.
fn target_of(pulse_us: f64) -> u16 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 16383; NaN becomes 0")]
    {
        (pulse_us * QUARTERS_A_US).round().clamp(0.0, f64::from(MAX_TARGET)) as u16
    }
}
