//! Register addresses and bits, and the arithmetic of pulses.

/// The address of a chip whose address pins are all low.
pub const BASE_ADDRESS: u8 = 0x40;
/// Outputs of a chip.
pub const CHANNELS: usize = 16;
/// Steps of one period.
pub const COUNTS: u16 = 4096;
/// The oscillator in the chip, as it is sold (Hz); a few percent off in each.
pub const OSCILLATOR_HZ: f64 = 25e6;

/// The first mode register.
pub const MODE1: u8 = 0x00;
/// The second mode register.
pub const MODE2: u8 = 0x01;
/// The first of four registers of channel 0; those of channel n begin 4 n further.
pub const LED0_ON_L: u8 = 0x06;
/// The first of four registers that write those of every channel.
pub const ALL_LED_ON_L: u8 = 0xFA;
/// What the oscillator is divided by; writable asleep only.
pub const PRE_SCALE: u8 = 0xFE;

/// In MODE1: begin again where sleep interrupted.
pub const RESTART: u8 = 0x80;
/// In MODE1: the clock comes from outside; only a reset ends that.
pub const EXTCLK: u8 = 0x40;
/// In MODE1: the register address grows with each byte.
pub const AUTO_INCREMENT: u8 = 0x20;
/// In MODE1: the oscillator is off, and so are the outputs.
pub const SLEEP: u8 = 0x10;
/// In the high byte of ON and OFF: all of the period.
pub const FULL: u8 = 0x10;

/// What MODE1 is after a reset: asleep, and listening to the address of all chips.
pub const MODE1_AT_RESET: u8 = SLEEP | 0x01;
/// What MODE2 is after a reset: outputs drive both ways.
pub const MODE2_AT_RESET: u8 = 0x04;
/// What PRE_SCALE is after a reset: 200 Hz.
pub const PRE_SCALE_AT_RESET: u8 = 0x1E;

/// The four registers of one channel, understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelOutput {
    /// Low throughout.
    Off,
    /// High throughout.
    On,
    /// High for so many counts of each period.
    Pulse(u16),
}

impl ChannelOutput {
    /// What the registers ON_L, ON_H, OFF_L, OFF_H make a channel put out.
    pub fn of([on_low, on_high, off_low, off_high]: [u8; 4]) -> Self {
        if off_high & FULL != 0 {
            return Self::Off;
        }
        if on_high & FULL != 0 {
            return Self::On;
        }
        let counts = |low, high: u8| u16::from_le_bytes([low, high & 0x0F]);
        match (counts(off_low, off_high) + COUNTS - counts(on_low, on_high)) % COUNTS {
            0 => Self::Off,
            width => Self::Pulse(width),
        }
    }
}

/// The prescale value for a frequency, and the frequency that it gives; `None` where none comes near.
pub fn prescale(oscillator_hz: f64, frequency_hz: f64) -> Option<(u8, f64)> {
    let value = (oscillator_hz / (f64::from(COUNTS) * frequency_hz)).round() - 1.0;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "3 to 255")]
    (3.0..=255.0).contains(&value).then(|| (value as u8, frequency_of(oscillator_hz, value as u8)))
}

/// The frequency that a prescale value gives (Hz).
pub fn frequency_of(oscillator_hz: f64, prescale: u8) -> f64 {
    oscillator_hz / (f64::from(COUNTS) * (f64::from(prescale) + 1.0))
}

/// The counts of a pulse (µs) at a frequency; as many as a period has, less one, at most.
pub fn counts_of(pulse_us: f64, frequency_hz: f64) -> u16 {
    let counts = (pulse_us * 1e-6 * frequency_hz * f64::from(COUNTS)).round();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 4095; NaN becomes 0")]
    {
        counts.clamp(0.0, f64::from(COUNTS - 1)) as u16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fifty_hertz_are_the_prescale_of_the_datasheet() {
        let (value, hz) = prescale(OSCILLATOR_HZ, 50.0).unwrap();
        assert_eq!(value, 121);
        assert!((hz - 50.03).abs() < 0.01, "{hz}");
        assert_eq!(prescale(OSCILLATOR_HZ, 10.0), None);
        assert_eq!(prescale(OSCILLATOR_HZ, 2000.0), None);
        assert_eq!(prescale(OSCILLATOR_HZ, f64::NAN), None);
    }

    #[test]
    fn a_pulse_of_1500_us_is_307_counts_at_50_hz() {
        assert_eq!(counts_of(1500.0, 50.0), 307);
        assert_eq!((counts_of(-3.0, 50.0), counts_of(1e9, 50.0), counts_of(f64::NAN, 50.0)), (0, 4095, 0));
    }

    #[test]
    fn full_off_wins_over_full_on() {
        assert_eq!(ChannelOutput::of([0, FULL, 0, FULL]), ChannelOutput::Off);
        assert_eq!(ChannelOutput::of([0, FULL, 0, 0]), ChannelOutput::On);
        assert_eq!(ChannelOutput::of([0, 0, 0x33, 0x01]), ChannelOutput::Pulse(307));
        assert_eq!(ChannelOutput::of([0xFF, 0x0F, 0x01, 0x00]), ChannelOutput::Pulse(2));
        assert_eq!(ChannelOutput::of([0; 4]), ChannelOutput::Off);
    }
}
