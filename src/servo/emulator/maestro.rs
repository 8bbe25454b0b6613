//! An emulated Pololu Maestro, without scripts, and the servos on its channels.
//!
//! It hears both protocols. Its settings that are made with Pololu's own program are registers of its channels here:
//! `serial_timeout_ms` (the longest of all channels' counts) and, for each channel, `home_us`: what it does at an error,
//! a pulse, 0 for off, -1 for nothing. A channel's servo has the channel's number as its id.

use std::collections::VecDeque;
use std::time::Duration;

use crate::protocol::maestro::{
    ACCELERATION_UNIT_US_S2, Decoder, Errors, Framing, Refused, Request, SPEED_UNIT_US_S,
};
use crate::units::Time;

use super::bus::BusConfig;
use super::family::{EmulatedServo, Family, Heard};
use super::faults::Shape;
use super::pwm_servo::PwmServo;
use super::wire::Wire;

/// A Maestro and what hangs on it.
#[derive(Debug)]
pub(super) struct Maestro {
    decoder: Decoder,
    inbox: VecDeque<u8>,
    /// The bytes of the request that is on its way.
    partial: Vec<u8>,
    /// What the last whole request says.
    understood: Option<Result<Request, Refused>>,
    framing: Framing,
    channels: Vec<PwmServo>,
    errors: Errors,
    heard: Heard,
}

/// What a Maestro takes before it answers; not documented.
const TURNAROUND: Duration = Duration::from_micros(100);

impl Family for Maestro {
    fn push(&mut self, bytes: &[u8]) -> usize {
        self.inbox.extend(bytes);
        bytes.len()
    }

    fn next_request(&mut self) -> Option<Vec<u8>> {
        while let Some(byte) = self.inbox.pop_front() {
            self.partial.push(byte);
            let Some(understood) = self.decoder.push(byte) else { continue };
            match understood {
                Ok(_) => self.heard.frames += 1,
                Err(Refused(Errors::CRC)) => self.heard.bad_checksums += 1,
                Err(_) => self.heard.noise_bytes += self.partial.len() as u64,
            }
            self.understood = Some(understood);
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
        self.decoder = Decoder::new(self.framing);
    }

    fn heard(&self) -> Heard {
        self.heard
    }

    fn obey(&mut self, wire: &mut Wire, _request: &[u8]) {
        let Some(understood) = self.understood.take() else { return };
        let now = wire.free_at();
        self.come_up_to(now);
        if self.channels.iter().all(|channel| !channel.is_awake(now)) {
            return;
        }
        match understood {
            Ok(request) => {
                self.carry_out(wire, request);
                self.wind_up(now);
            }
            Err(Refused(error)) => {
                wire.count_bad_request();
                self.raise(error);
            }
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

impl Maestro {
    /// Powers board and servos up: no pulses.
    pub(super) fn new(config: &BusConfig, now: Time) -> Self {
        // Every device that is not told otherwise has this number.
        let device = Some(config.board.device_number.unwrap_or(12));
        let framing = Framing { device, crc: config.board.crc };
        let mut maestro = Self {
            decoder: Decoder::new(framing),
            inbox: VecDeque::new(),
            partial: Vec::new(),
            understood: None,
            framing,
            channels: config.servos.iter().map(|servo| PwmServo::new(servo, now)).collect(),
            errors: Errors::NONE,
            heard: Heard::default(),
        };
        maestro.wind_up(now);
        maestro
    }

    fn come_up_to(&mut self, now: Time) {
        for channel in &mut self.channels {
            channel.advance(now);
        }
        // Each channel is asked, or the next one would tell it again.
        let timed_out = self
            .channels
            .iter_mut()
            .filter_map(|channel| std::mem::take(&mut channel.timed_out).then_some(()));
        if 0 < timed_out.count() {
            // The channels have done already what they do at an error.
            self.errors |= Errors::TIMEOUT;
        }
    }

    /// From now on the time until the timeout counts.
    fn wind_up(&mut self, now: Time) {
        let timeout = self
            .channels
            .iter()
            .map(|channel| channel.timeout_ms)
            .max()
            .and_then(|ms| u64::try_from(ms).ok());
        let deadline = timeout.filter(|ms| 0 < *ms).map(|ms| now + Duration::from_millis(ms));
        self.channels.iter_mut().for_each(|channel| channel.deadline = deadline);
    }

    fn raise(&mut self, error: Errors) {
        self.errors |= error;
        self.channels.iter_mut().for_each(PwmServo::on_board_error);
    }

    fn carry_out(&mut self, wire: &mut Wire, request: Request) {
        let code = request.code().into();
        match request {
            Request::SetTarget { channel, target } => self.set_target(wire, channel, target),
            Request::SetTargets { first, count, targets } => {
                for (channel, target) in (first..).zip(targets).take(count.into()) {
                    self.set_target(wire, channel, target);
                }
            }
            Request::SetSpeed { channel, speed } => {
                if let Some(servo) = self.channel(channel) {
                    servo.speed = f64::from(speed) * SPEED_UNIT_US_S;
                    wire.tell_write(channel, code, &speed.to_le_bytes());
                }
            }
            Request::SetAcceleration { channel, acceleration } => {
                if let Some(servo) = self.channel(channel) {
                    servo.acceleration = f64::from(acceleration) * ACCELERATION_UNIT_US_S2;
                    wire.tell_write(channel, code, &acceleration.to_le_bytes());
                }
            }
            Request::SetPwm { .. } => {}
            Request::GetPosition { channel } => {
                let output = self.channel(channel).map_or(0, |servo| quarters(servo.output_us()));
                wire.answer(channel, TURNAROUND, &output.to_le_bytes());
            }
            Request::GetMoving => {
                let is_moving = self.channels.iter().any(PwmServo::is_changing);
                self.say(wire, &[u8::from(is_moving)]);
            }
            Request::GetErrors => {
                let errors = std::mem::take(&mut self.errors);
                self.say(wire, &errors.bits().to_le_bytes());
            }
            Request::GoHome => {
                for servo in &mut self.channels {
                    servo.on_board_error();
                }
            }
        }
    }

    fn set_target(&mut self, wire: &mut Wire, channel: u8, target: u16) {
        const SET_TARGET: u16 = 0x84;
        if let Some(servo) = self.channel(channel) {
            servo.pulse(f64::from(target) / 4.0);
            wire.tell_write(channel, SET_TARGET, &target.to_le_bytes());
        }
    }

    /// What is the whole board's to say counts as the first channel's.
    fn say(&self, wire: &mut Wire, answer: &[u8]) {
        let id = self.channels.first().map_or(0, PwmServo::id);
        wire.answer(id, TURNAROUND, answer);
    }

    fn channel(&mut self, number: u8) -> Option<&mut PwmServo> {
        self.channels.iter_mut().find(|servo| servo.id() == number)
    }
}

fn quarters(us: f64) -> u16 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "float casts saturate")]
    {
        (us * 4.0).round() as u16
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::pwm::PwmBusConfig;
    use crate::protocol::maestro::Frame;
    use crate::protocol::wire::Id;
    use crate::servo::emulator::bus::Bus;
    use crate::servo::emulator::family::FamilyName;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_target_leads_the_servo_there_and_none_lets_it_go() {
        let mut bus = power_up(PwmBusConfig::default());
        tell(&mut bus, Time(0), &Request::targets(0, &[4000, 8000]).unwrap());
        assert_eq!(positions(&mut bus, Time(0) + 1000 * MS), [1000, 2000]);
        assert_eq!(tell(&mut bus, Time(0) + 1000 * MS, &Request::GetPosition { channel: 1 }), [0x40, 0x1F]);
        tell(&mut bus, Time(0) + 1000 * MS, &Request::SetTarget { channel: 1, target: 0 });
        assert_eq!(register(&mut bus, 1, "torque_enable", Time(0) + 1000 * MS), 0);
    }

    #[test]
    fn a_speed_makes_pulses_change_slowly_but_for_the_first() {
        let mut bus = power_up(PwmBusConfig::default());
        tell(&mut bus, Time(0), &Request::SetSpeed { channel: 0, speed: 40 });
        tell(&mut bus, Time(0), &Request::SetTarget { channel: 0, target: 6000 });
        assert_eq!(register(&mut bus, 0, "pulse_us", Time(0)), 1500);
        tell(&mut bus, Time(0), &Request::SetTarget { channel: 0, target: 8000 });
        assert_eq!(tell(&mut bus, Time(0), &Request::GetMoving), [1]);
        // 40 units are 1000 µs/s.
        assert_eq!(register(&mut bus, 0, "pulse_us", Time(0) + 250 * MS), 1750);
        assert_eq!(tell(&mut bus, Time(0) + 600 * MS, &Request::GetMoving), [0]);
    }

    #[test]
    fn an_acceleration_makes_them_start_and_stop_slowly() {
        let mut bus = power_up(PwmBusConfig::default());
        tell(&mut bus, Time(0), &Request::SetAcceleration { channel: 0, acceleration: 8 });
        tell(&mut bus, Time(0), &Request::SetTarget { channel: 0, target: 4000 });
        tell(&mut bus, Time(0), &Request::SetTarget { channel: 0, target: 8000 });
        let early = register(&mut bus, 0, "pulse_us", Time(0) + 100 * MS);
        assert!((1005..1030).contains(&early), "{early}");
        assert_eq!(register(&mut bus, 0, "pulse_us", Time(0) + 3000 * MS), 2000);
    }

    #[test]
    fn without_commands_for_the_timeout_pulses_end_and_the_error_is_told_once() {
        let mut bus = power_up(PwmBusConfig::default());
        bus.servo_with_id(0, Time(0)).unwrap().put("serial_timeout_ms", 500);
        bus.servo_with_id(1, Time(0)).unwrap().put("home_us", 1500);
        tell(&mut bus, Time(0), &Request::targets(0, &[4000, 8000]).unwrap());
        assert_eq!(register(&mut bus, 0, "pulse_us", Time(0) + 499 * MS), 1000);
        assert_eq!(register(&mut bus, 0, "pulse_us", Time(0) + 500 * MS), 0);
        assert_eq!(register(&mut bus, 1, "pulse_us", Time(0) + 500 * MS), 1500);
        let asked_at = Time(0) + 600 * MS;
        assert_eq!(tell(&mut bus, asked_at, &Request::GetErrors), Errors::TIMEOUT.bits().to_le_bytes());
        assert_eq!(tell(&mut bus, asked_at, &Request::GetErrors), [0, 0]);
    }

    #[test]
    fn a_wrong_check_byte_is_an_error_and_ends_the_pulses() {
        let board = PwmBusConfig { crc: true, ..PwmBusConfig::default() };
        let mut bus = power_up(board);
        let framing = Framing { device: Some(12), crc: true };
        say(
            &mut bus,
            Time(0),
            Frame::new(&Request::SetTarget { channel: 0, target: 6000 }, framing).as_bytes(),
        );
        assert_eq!(register(&mut bus, 0, "pulse_us", Time(0)), 1500);
        say(&mut bus, Time(0), &[0x84, 0, 0x70, 0x2E, 0x00]);
        assert_eq!(register(&mut bus, 0, "pulse_us", Time(0)), 0);
        let errors = say(&mut bus, Time(0), Frame::new(&Request::GetErrors, framing).as_bytes());
        assert_eq!(errors, Errors::CRC.bits().to_le_bytes());
    }

    fn power_up(board: PwmBusConfig) -> Bus {
        let ids = [0, 1].map(|raw| Id::new(raw).unwrap());
        Bus::new(BusConfig { board, ..BusConfig::of(FamilyName::Maestro, ids) }, Time(0))
    }

    fn tell(bus: &mut Bus, now: Time, request: &Request) -> Vec<u8> {
        say(bus, now, Frame::new(request, Framing::default()).as_bytes())
    }

    fn say(bus: &mut Bus, now: Time, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        bus.on_bytes(now, bytes);
        bus.take_due(now, &mut out);
        out
    }

    fn register(bus: &mut Bus, id: u8, name: &str, now: Time) -> i64 {
        bus.servo_with_id(id, now).unwrap().get(name).unwrap()
    }

    fn positions(bus: &mut Bus, now: Time) -> [i64; 2] {
        [0, 1].map(|id| register(bus, id, "present_position", now))
    }
}
