//! PWM servos on a PCA9685.
//!
//! ```text
//! read:   ask for the mode, which tells that the chip is there and awake; the servos themselves cannot be asked
//! write:  every channel from the first servo's to the last's in one burst, which take effect together
//! torque: pulses; off is the full-off bit of every channel
//! ```
//! A chip that lost its supply comes back asleep, without pulses; that counts as torque that is lost, and nothing is
//! written before torque is switched off, as pulses that begin again would make the servos jump.

use std::io;
use std::time::Duration;

use pwm_pca9685::{Channel, OutputDriver, Pca9685};

use super::bus::{BusCounters, LinkLost, ServoError, Wait};
use super::clock;
use super::driver::{DrivenServo, Driver, IdentifyError};
use super::i2c::{self, I2cError, I2cPort};
use super::link::OpenError;
use super::pwm::{PwmServos, twice_the_same};
use super::snapshot::ServoReport;
use crate::config::hardware::BusConfig;
use crate::config::pwm::PwmBusConfig;
use crate::control::torque::{Standing, TorqueOrder};
use crate::protocol::pca9685::registers::{
    self, ALL_LED_ON_L, AUTO_INCREMENT, CHANNELS, COUNTS, EXTCLK, FULL, LED0_ON_L, MODE1, PRE_SCALE, SLEEP,
};
use crate::protocol::pca9685::{ChannelOutput, counts_of};
use crate::units::Time;

/// The servos of one arm on one chip.
pub(super) struct Pca9685Arm<I: I2cPort> {
    port: I,
    config: PwmBusConfig,
    servos: PwmServos,
    prescale: u8,
    /// The pulse rate that the prescaler gives (Hz).
    pulse_rate_hz: f64,
    /// The channels of the burst: those of the servos, and what is between them.
    channels: std::ops::Range<usize>,
    /// The chip lost its settings; nothing is written until torque is switched off.
    strayed: bool,
    /// It seemed so when it was asked last.
    seems_strayed: bool,
    /// That it did was not told yet.
    untold: bool,
}

const CAVEATS: &[&str] = &[
    "PWM servos tell nothing: joint_states has the modelled position, and NaN for velocity and effort",
    "PWM servos have no torque limit, and at their first pulse they jump to servos.<joint>.start_position",
    "a PCA9685 knows no timeout: its pulses go on for ever when the host is gone; wire its pin OE to something that \
     cuts them",
];
const TRIES: u32 = 3;
/// What a transfer takes besides the wire.
const RESERVE: Duration = Duration::from_millis(1);
/// The most bytes of a burst: the first register, and four for each channel.
const LONGEST_BURST: usize = 1 + 4 * CHANNELS;
/// Bytes that ask for a mode and answer.
const MODE_READ: usize = 3;

impl<I: I2cPort> Driver for Pca9685Arm<I> {
    fn read(&mut self, latest: Time) -> Result<(), LinkLost> {
        let now = clock::now();
        self.servos.advance(now);
        self.port.wait(Wait::Until(latest));
        let mode = gone_or_silent(self.read_registers(MODE1))?;
        if let Some([mode]) = mode
            && self.servos.has_pulses()
            && !self.strayed
        {
            let is_as_set = mode & (SLEEP | AUTO_INCREMENT) == AUTO_INCREMENT;
            // Nothing checks what is read; once is not enough to stop an arm.
            let is_sure = !is_as_set && self.seems_strayed;
            (self.strayed, self.untold, self.seems_strayed) = (is_sure, is_sure, !is_as_set);
        }
        self.servos.report(mode.is_some(), now);
        Ok(())
    }

    fn report(&self, servo: usize) -> &ServoReport {
        &self.servos.all()[servo].report
    }

    fn write_goals(&mut self, positions: &[f64]) -> Result<(), LinkLost> {
        self.servos.aim(positions);
        if self.servos.has_pulses() && !self.strayed { self.send_pulses() } else { Ok(()) }
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
                    self.send_pulses()?;
                }
                Ok(None)
            }
            TorqueOrder::Off => self.switch_off().map(|()| None),
            TorqueOrder::ReadBack(servo) => {
                self.port.wait(Wait::Patiently);
                self.standing(servo)
            }
            TorqueOrder::Check(servo) => {
                if latest < clock::now() + self.port.transfer_time(6) + RESERVE {
                    return Ok(None);
                }
                self.port.wait(Wait::Until(latest));
                self.standing(servo)
            }
        }
    }

    fn release(&mut self) -> Vec<String> {
        self.port.wait(Wait::Patiently);
        let mut held: Vec<usize> = (0..self.servos.all().len()).collect();
        for _ in 0..TRIES {
            // Whether this went through is seen when each channel is asked.
            let _told = self.switch_off();
            held.retain(|servo| !matches!(self.standing(*servo), Ok(Some(Standing { torque: false, .. }))));
            if held.is_empty() {
                break;
            }
        }
        held.into_iter().map(|servo| self.servos.all()[servo].joint.clone()).collect()
    }

    fn resolution(&self, servo: usize) -> f64 {
        let us_a_count = 1e6 / (self.pulse_rate_hz * f64::from(COUNTS));
        self.servos.all()[servo].config.rad_per_us() * us_a_count
    }

    fn cycle_wire_time(&self) -> Duration {
        self.port.transfer_time(MODE_READ) + self.write_wire_time()
    }

    fn write_wire_time(&self) -> Duration {
        self.port.transfer_time(1 + 4 * self.channels.len())
    }

    fn counters(&self) -> BusCounters {
        self.port.counters()
    }

    fn caveats(&self) -> Vec<String> {
        CAVEATS.iter().map(|caveat| (*caveat).to_owned()).collect()
    }

    fn next_trouble(&mut self) -> Option<String> {
        std::mem::take(&mut self.untold).then(|| {
            "the PCA9685 has lost its settings, as when its supply broke down; it puts out no pulses"
                .to_owned()
        })
    }
}

impl Pca9685Arm<Box<dyn I2cPort>> {
    /// Opens the bus that was configured; see [`super::driver::connect`].
    pub(super) fn open(
        config: &BusConfig,
        servos: &[DrivenServo],
    ) -> Result<(Self, Vec<Standing>), IdentifyError> {
        let port = i2c::open(&config.port, config.baud_rate_bps, config.pwm.i2c_clock_hz)?;
        Self::connect(port, config, servos)
    }
}

impl<I: I2cPort> Pca9685Arm<I> {
    /// Makes sure that the chip answers, at the configured pulse rate. Pulses that it puts out already go on.
    pub(super) fn connect(
        port: I,
        config: &BusConfig,
        servos: &[DrivenServo],
    ) -> Result<(Self, Vec<Standing>), IdentifyError> {
        let pwm = config.pwm;
        let servos = PwmServos::new(servos);
        let channels = servos.all().iter().map(|servo| usize::from(servo.config.channel));
        let channels =
            channels.clone().min().unwrap_or(0)..channels.max().map_or(0, |last| (last + 1).min(CHANNELS));
        let (prescale, pulse_rate_hz) = registers::prescale(pwm.oscillator_hz, pwm.pulse_rate_hz)
            .ok_or_else(|| {
                let problem = format!("a PCA9685 cannot make {} pulses a second", pwm.pulse_rate_hz);
                IdentifyError::Open(OpenError { port: config.port.clone(), problem })
            })?;
        let (strayed, seems_strayed, untold) = (false, false, false);
        let mut arm = Self {
            port,
            config: pwm,
            servos,
            prescale,
            pulse_rate_hz,
            channels,
            strayed,
            seems_strayed,
            untold,
        };
        let standings = arm.set_up(config)?;
        Ok((arm, standings))
    }

    fn set_up(&mut self, config: &BusConfig) -> Result<Vec<Standing>, IdentifyError> {
        self.port.wait(Wait::Patiently);
        self.find(config)?;
        // Which pulses a chip that runs already puts out must not change because somebody looks, and sees wrong.
        if !self.runs()? && !self.runs()? {
            self.begin().map_err(|error| self.failed(error))?;
        }
        let mut standings = Vec::new();
        for servo in 0..self.servos.all().len() {
            // Nothing checks an answer, and a wrong one would make its servo jump.
            let standing = twice_the_same(2 * TRIES, || self.standing(servo))
                .map_err(|lost| IdentifyError::Servo { joint: self.servos.names(), cause: lost.into() })?;
            if standing.torque {
                let pulse = self.servos.all()[servo].config.pulse_us(standing.goal);
                self.servos.found_at(servo, pulse);
                self.servos.set_pulses(true);
            }
            standings.push(standing);
        }
        Ok(standings)
    }

    /// Whether it puts out pulses at the configured rate.
    fn runs(&mut self) -> Result<bool, IdentifyError> {
        let [mode] = self.read_registers(MODE1).map_err(|error| self.failed(error))?;
        let [present] = self.read_registers(PRE_SCALE).map_err(|error| self.failed(error))?;
        Ok(mode & (SLEEP | AUTO_INCREMENT | EXTCLK) == AUTO_INCREMENT && present == self.prescale)
    }

    fn find(&mut self, config: &BusConfig) -> Result<(), IdentifyError> {
        for _ in 0..TRIES {
            match self.read_registers::<1>(MODE1) {
                Ok(_mode) => return Ok(()),
                Err(lost @ I2cError::Lost(_)) => return Err(self.failed(lost)),
                Err(_) => {}
            }
        }
        Err(IdentifyError::Missing {
            missing: format!(
                "the PCA9685 of {} (I2C address {:#x})",
                self.servos.names(),
                self.config.i2c_address
            ),
            found: "nothing has that address".to_owned(),
            port: config.port.clone(),
            baud_rate_bps: config.baud_rate_bps,
        })
    }

    /// Wakes the chip at the pulse rate, without any pulses.
    fn begin(&mut self) -> Result<(), I2cError> {
        let mut chip = Pca9685::new(&mut self.port, self.config.i2c_address).map_err(of_crate)?;
        chip.disable().map_err(of_crate)?;
        chip.set_channel_full_off(Channel::All).map_err(of_crate)?;
        chip.set_prescale(self.prescale).map_err(of_crate)?;
        chip.set_output_driver(OutputDriver::TotemPole).map_err(of_crate)?;
        chip.enable().map_err(of_crate)?;
        // The oscillator needs half a millisecond before pulses are what they should be.
        clock::sleep_until(clock::now() + Duration::from_micros(500));
        Ok(())
    }

    /// Writes the channels in one burst; those between them that have no servo are off.
    fn send_pulses(&mut self) -> Result<(), LinkLost> {
        let first = self.channels.start;
        let mut burst = [0; LONGEST_BURST];
        for off_high in burst[1..].chunks_exact_mut(4) {
            off_high[3] = FULL;
        }
        for servo in self.servos.all() {
            let at = 1 + 4 * usize::from(servo.config.channel).saturating_sub(first);
            let [low, high] = counts_of(servo.pulse_us(), self.pulse_rate_hz).to_le_bytes();
            if let Some(registers) = burst.get_mut(at..at + 4) {
                registers.copy_from_slice(&[0, 0, low, high]);
            }
        }
        burst[0] = LED0_ON_L + 4 * u8::try_from(first).unwrap_or(0);
        let bytes = &burst[..1 + 4 * self.channels.len()];
        gone_or_silent(self.port.write(self.config.i2c_address, bytes)).map(|_said| ())
    }

    fn switch_off(&mut self) -> Result<(), LinkLost> {
        /// The full-off bit of every channel; what else is in those registers does not matter then.
        const ALL_OFF: [u8; 3] = [ALL_LED_ON_L + 2, 0, FULL];
        self.servos.set_pulses(false);
        if self.strayed && gone_or_silent(self.begin())?.is_some() {
            self.strayed = false;
        }
        gone_or_silent(self.port.write(self.config.i2c_address, &ALL_OFF)).map(|_said| ())
    }

    /// Registers, from one on.
    fn read_registers<const N: usize>(&mut self, register: u8) -> Result<[u8; N], I2cError> {
        let mut data = [0; N];
        self.port.write_read(self.config.i2c_address, &[register], &mut data)?;
        Ok(data)
    }

    fn standing(&mut self, servo: usize) -> Result<Option<Standing>, LinkLost> {
        let config = self.servos.all()[servo].config;
        let register = LED0_ON_L + 4 * config.channel;
        let Some(led) = gone_or_silent(self.read_registers(register))? else { return Ok(None) };
        let us = |counts: u16| f64::from(counts) * 1e6 / (self.pulse_rate_hz * f64::from(COUNTS));
        Ok(Some(match ChannelOutput::of(led) {
            ChannelOutput::Pulse(counts) => {
                Standing { torque: !self.strayed, goal: config.position(us(counts)), limit_strays: false }
            }
            ChannelOutput::Off | ChannelOutput::On => Standing::default(),
        }))
    }

    fn failed(&self, error: I2cError) -> IdentifyError {
        let cause = match error {
            I2cError::Lost(lost) => lost,
            error => io::Error::other(error.to_string()),
        };
        IdentifyError::Servo { joint: self.servos.names(), cause: ServoError::Lost(cause.into()) }
    }
}

fn of_crate(error: pwm_pca9685::Error<I2cError>) -> I2cError {
    match error {
        pwm_pca9685::Error::I2C(error) => error,
        pwm_pca9685::Error::InvalidInputData => I2cError::Lost(io::ErrorKind::InvalidInput.into()),
    }
}

fn gone_or_silent<T>(result: Result<T, I2cError>) -> Result<Option<T>, LinkLost> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(I2cError::Lost(lost)) => Err(lost.into()),
        // Who does not answer is missed when it is read.
        Err(_) => Ok(None),
    }
}

#[cfg(test)]
#[path = "pca9685_arm_tests.rs"]
mod tests;
