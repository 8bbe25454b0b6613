//! An emulated PCA9685 behind an I2C adapter on a serial line, and the servos on its channels.
//!
//! A channel's servo has the channel's number as its id. Where the supply of every servo breaks down, the chip's does.

use std::collections::VecDeque;
use std::time::Duration;

use crate::config::pwm::PwmBusConfig;
use crate::protocol::pca9685::ChannelOutput;
use crate::protocol::pca9685::bridge::{Decoder, Heard as Message, Outcome, STATUS_REGISTER};
use crate::protocol::pca9685::registers::{
    ALL_LED_ON_L, AUTO_INCREMENT, CHANNELS, COUNTS, EXTCLK, FULL, LED0_ON_L, MODE1, MODE1_AT_RESET, MODE2,
    MODE2_AT_RESET, PRE_SCALE, PRE_SCALE_AT_RESET, RESTART, SLEEP, frequency_of,
};
use crate::units::Time;

use super::bus::BusConfig;
use super::family::{EmulatedServo, Family, Heard};
use super::faults::Shape;
use super::pwm_servo::PwmServo;
use super::wire::Wire;

/// The registers of a chip.
#[derive(Debug)]
pub(crate) struct Chip {
    registers: [u8; 256],
    pointer: u8,
    /// Channels that sleep has stopped, until they are written or started again.
    stopped: [bool; CHANNELS],
    oscillator_hz: f64,
}

impl Chip {
    /// A chip that has just got its supply.
    pub(crate) fn new(oscillator_hz: f64) -> Self {
        let mut chip = Self { registers: [0; 256], pointer: 0, stopped: [false; CHANNELS], oscillator_hz };
        chip.reset();
        chip
    }

    /// Forgets everything.
    pub(crate) fn reset(&mut self) {
        self.registers = [0; 256];
        self.stopped = [false; CHANNELS];
        self.registers[usize::from(MODE1)] = MODE1_AT_RESET;
        self.registers[usize::from(MODE2)] = MODE2_AT_RESET;
        self.registers[usize::from(PRE_SCALE)] = PRE_SCALE_AT_RESET;
        for channel in 0..CHANNELS {
            self.registers[Self::led(channel) + 3] = FULL;
        }
    }

    /// Takes the bytes of one I2C write: where to begin, and what to put there.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let Some((pointer, data)) = bytes.split_first() else { return };
        self.pointer = *pointer;
        for byte in data {
            self.put(self.pointer, *byte);
            self.step();
        }
    }

    /// Gives a byte of an I2C read.
    pub(crate) fn read(&mut self) -> u8 {
        let byte = self.registers[usize::from(self.pointer)];
        self.step();
        byte
    }

    /// The pulses of a channel (µs); 0 for none.
    pub(crate) fn pulse_us(&self, channel: usize) -> f64 {
        let at = Self::led(channel);
        let [a, b, c, d] = [0, 1, 2, 3].map(|offset| self.registers[at + offset]);
        let frequency = frequency_of(self.oscillator_hz, self.registers[usize::from(PRE_SCALE)]);
        match ChannelOutput::of([a, b, c, d]) {
            ChannelOutput::Pulse(counts) if !self.is_asleep() && !self.stopped[channel] => {
                f64::from(counts) * 1e6 / (frequency * f64::from(COUNTS))
            }
            // No servo understands a line that is always high.
            _ => 0.0,
        }
    }

    fn led(channel: usize) -> usize {
        usize::from(LED0_ON_L) + 4 * channel
    }

    fn mode1(&self) -> u8 {
        self.registers[usize::from(MODE1)]
    }

    fn is_asleep(&self) -> bool {
        self.mode1() & SLEEP != 0
    }

    fn step(&mut self) {
        /// Behind the last channel's registers the address begins anew.
        const LAST_LED: u8 = LED0_ON_L + 4 * 16 - 1;
        if self.mode1() & AUTO_INCREMENT != 0 {
            self.pointer = if self.pointer == LAST_LED { MODE1 } else { self.pointer.wrapping_add(1) };
        }
    }

    fn put(&mut self, address: u8, value: u8) {
        match address {
            MODE1 => self.put_mode1(value),
            PRE_SCALE if self.is_asleep() => self.registers[usize::from(PRE_SCALE)] = value.max(3),
            PRE_SCALE => {}
            ALL_LED_ON_L.. => {
                // They can be written only; every channel takes them.
                for channel in 0..CHANNELS {
                    self.put_led(channel, usize::from(address - ALL_LED_ON_L) % 4, value);
                }
            }
            _ if usize::from(address) >= Self::led(CHANNELS) => {}
            LED0_ON_L.. => {
                let at = usize::from(address - LED0_ON_L);
                self.put_led(at / 4, at % 4, value);
            }
            _ => self.registers[usize::from(address)] = value,
        }
    }

    fn put_led(&mut self, channel: usize, offset: usize, value: u8) {
        self.registers[Self::led(channel) + offset] = if offset % 2 == 1 { value & 0x1F } else { value };
        self.stopped[channel] = false;
    }

    fn put_mode1(&mut self, value: u8) {
        let before = self.mode1();
        let mut after = value & !RESTART;
        // Only a reset ends an external clock; it can begin asleep only.
        after = if before & EXTCLK != 0 { after | EXTCLK } else { after };
        if after & EXTCLK != 0 && before & (EXTCLK | SLEEP) == 0 {
            after &= !EXTCLK;
        }
        let falls_asleep = before & SLEEP == 0 && after & SLEEP != 0;
        if falls_asleep {
            for channel in 0..CHANNELS {
                self.stopped[channel] |= 0.0 < self.pulse_us(channel);
            }
        }
        if value & RESTART != 0 && after & SLEEP == 0 && before & SLEEP == 0 {
            self.stopped = [false; CHANNELS];
        }
        if self.stopped.contains(&true) {
            after |= RESTART;
        }
        self.registers[usize::from(MODE1)] = after;
    }
}

/// An adapter, a chip and what hangs on it.
#[derive(Debug)]
pub(super) struct Pca9685 {
    decoder: Decoder,
    inbox: VecDeque<u8>,
    partial: Vec<u8>,
    understood: VecDeque<Order>,
    chip: Chip,
    address: u8,
    outcome: Outcome,
    channels: Vec<PwmServo>,
    heard: Heard,
}

/// What an adapter was told.
#[derive(Debug)]
enum Order {
    Write(u8, Vec<u8>),
    Read(u8, u8),
    Register(u8),
}

/// What the adapter takes before it answers.
const TURNAROUND: Duration = Duration::from_micros(100);

impl Family for Pca9685 {
    fn push(&mut self, bytes: &[u8]) -> usize {
        self.inbox.extend(bytes);
        bytes.len()
    }

    fn next_request(&mut self) -> Option<Vec<u8>> {
        while let Some(byte) = self.inbox.pop_front() {
            self.partial.push(byte);
            match self.decoder.push(byte) {
                None => continue,
                Some(Message::Write(address, data)) => {
                    self.understood.push_back(Order::Write(address, data.to_vec()));
                    continue;
                }
                Some(Message::Read(address, count)) => {
                    self.understood.push_back(Order::Read(address, count));
                    continue;
                }
                Some(Message::Noise) => {
                    self.heard.noise_bytes += self.partial.len() as u64;
                    self.partial.clear();
                    self.understood.clear();
                    continue;
                }
                Some(Message::Register(register)) => self.understood.push_back(Order::Register(register)),
                Some(Message::Stop) => {}
            }
            self.heard.frames += 1;
            return Some(std::mem::take(&mut self.partial));
        }
        None
    }

    fn pending(&self) -> usize {
        self.inbox.len() + self.partial.len()
    }

    fn forget(&mut self) {
        self.inbox.clear();
        self.partial.clear();
        self.understood.clear();
        self.decoder.give_up();
    }

    fn heard(&self) -> Heard {
        self.heard
    }

    fn obey(&mut self, wire: &mut Wire, _request: &[u8]) {
        let now = wire.free_at();
        self.come_up_to(now);
        let orders = std::mem::take(&mut self.understood);
        let has_supply = self.channels.iter().any(|channel| channel.is_awake(now));
        let mut answer = Vec::new();
        for order in orders {
            let addressed = match &order {
                Order::Write(address, _) | Order::Read(address, _) => *address == self.address && has_supply,
                Order::Register(_) => true,
            };
            match order {
                Order::Register(register) => {
                    answer.push(if register == STATUS_REGISTER { self.outcome as u8 } else { 0 });
                }
                // The rest of a transfer whose address nobody has is not carried out.
                _ if !addressed => {
                    self.outcome = Outcome::NoAddress;
                    break;
                }
                Order::Write(_, data) => {
                    self.outcome = Outcome::Done;
                    self.write(wire, &data);
                }
                Order::Read(_, count) => {
                    self.outcome = Outcome::Done;
                    answer.extend((0..count).map(|_| self.chip.read()));
                }
            }
        }
        if !answer.is_empty() {
            let id = self.channels.first().map_or(0, PwmServo::id);
            wire.answer(id, TURNAROUND, &answer);
        }
    }

    fn shape(&self) -> Shape {
        // An answer says of nobody whose it is.
        Shape { body_at: 0, with_another_id: <[u8]>::to_vec }
    }

    fn count(&self) -> usize {
        self.channels.len()
    }

    fn servo_mut(&mut self, index: usize) -> Option<&mut dyn EmulatedServo> {
        self.channels.get_mut(index).map(|servo| -> &mut dyn EmulatedServo { servo })
    }
}

impl Pca9685 {
    /// Powers adapter, chip and servos up: no pulses.
    pub(super) fn new(config: &BusConfig, now: Time) -> Self {
        let PwmBusConfig { oscillator_hz, i2c_address, .. } = config.board;
        Self {
            decoder: Decoder::default(),
            inbox: VecDeque::new(),
            partial: Vec::new(),
            understood: VecDeque::new(),
            chip: Chip::new(oscillator_hz),
            address: i2c_address,
            outcome: Outcome::Done,
            channels: config.servos.iter().map(|servo| PwmServo::new(servo, now)).collect(),
            heard: Heard::default(),
        }
    }

    fn come_up_to(&mut self, now: Time) {
        for channel in &mut self.channels {
            channel.advance(now);
        }
        if self.channels.iter().all(|channel| channel.lost_supply) {
            self.chip.reset();
        }
        self.channels.iter_mut().for_each(|channel| channel.lost_supply = false);
    }

    fn write(&mut self, wire: &mut Wire, data: &[u8]) {
        let before: Vec<f64> = self.channels.iter().map(PwmServo::output_us).collect();
        self.chip.write(data);
        let address = data.first().copied().unwrap_or(0);
        for (servo, before) in self.channels.iter_mut().zip(before) {
            let number = usize::from(servo.id());
            let pulse = if number < CHANNELS { self.chip.pulse_us(number) } else { 0.0 };
            if pulse != before {
                servo.pulse(pulse);
            }
            let first = Chip::led(number);
            let is_meant = usize::from(address) <= first && first < usize::from(address) + data.len();
            if is_meant && (LED0_ON_L..ALL_LED_ON_L).contains(&address) {
                let at = 1 + first - usize::from(address);
                let registers = data.get(at..at + 4).unwrap_or_default();
                wire.tell_write(servo.id(), u16::try_from(first).unwrap_or(0), registers);
            }
        }
    }
}

#[cfg(test)]
#[path = "pca9685_tests.rs"]
mod tests;
