//! Commands, and the bytes that they become; building allocates nothing.

use super::{MAX_CHANNELS, MAX_TARGET, crc7};

/// The bytes of the longest frame: 24 targets in the Pololu protocol, with a check byte.
pub const MAX_FRAME: usize = 3 + 2 + 2 * MAX_CHANNELS + 1;

/// How commands are put into bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Framing {
    /// The number of the device in the Pololu protocol, so that several may share the wire; `None` for the compact
    /// protocol, which every device obeys.
    pub device: Option<u8>,
    /// Whether a check byte follows; it must be switched on in the device as well.
    pub crc: bool,
}

/// What a Maestro is told or asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Pulses of this width (quarters of a µs); 0 for none.
    SetTarget {
        /// Of which channel.
        channel: u8,
        /// How wide.
        target: u16,
    },
    /// The same for channels in a row, at once; the Micro Maestro 6 does not know it.
    SetTargets {
        /// The first channel.
        first: u8,
        /// How many.
        count: u8,
        /// How wide; those beyond `count` mean nothing.
        targets: [u16; MAX_CHANNELS],
    },
    /// The pulses change so fast at most (quarters of a µs in 10 ms); 0 for at once.
    SetSpeed {
        /// Of which channel.
        channel: u8,
        /// How fast.
        speed: u16,
    },
    /// Their speed changes so fast at most (quarters of a µs in 10 ms, in 80 ms); 0 for at once.
    SetAcceleration {
        /// Of which channel.
        channel: u8,
        /// How fast.
        acceleration: u16,
    },
    /// The PWM output of a Mini Maestro (1/48 µs); no servo's business.
    SetPwm {
        /// How long it is on.
        on: u16,
        /// From one beginning to the next.
        period: u16,
    },
    /// Tell the pulses that are put out now; not where the servo is.
    GetPosition {
        /// Of which channel.
        channel: u8,
    },
    /// Tell whether the pulses of a channel are still on their way to its target.
    GetMoving,
    /// Tell the errors, and forget them.
    GetErrors,
    /// Every channel does what it does at power-on.
    GoHome,
}

impl Request {
    /// The command byte of the compact protocol.
    pub fn code(&self) -> u8 {
        match self {
            Self::SetTarget { .. } => 0x84,
            Self::SetSpeed { .. } => 0x87,
            Self::SetAcceleration { .. } => 0x89,
            Self::SetPwm { .. } => 0x8A,
            Self::GetPosition { .. } => 0x90,
            Self::GetMoving => 0x93,
            Self::SetTargets { .. } => 0x9F,
            Self::GetErrors => 0xA1,
            Self::GoHome => 0xA2,
        }
    }

    /// How many bytes come back.
    pub fn reply_len(&self) -> usize {
        match self {
            Self::GetPosition { .. } | Self::GetErrors => 2,
            Self::GetMoving => 1,
            _ => 0,
        }
    }

    /// Targets of channels in a row, as many as there are in `targets`; `None` where no Maestro has so many.
    pub fn targets(first: u8, targets: &[u16]) -> Option<Self> {
        let end = usize::from(first) + targets.len();
        let mut all = [0; MAX_CHANNELS];
        all.get_mut(..targets.len())?.copy_from_slice(targets);
        let count = u8::try_from(targets.len()).ok()?;
        (0 < count && end <= MAX_CHANNELS).then_some(Self::SetTargets { first, count, targets: all })
    }
}

/// Bytes to be sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    bytes: [u8; MAX_FRAME],
    len: usize,
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Frame({:02x?})", self.as_bytes())
    }
}

impl Frame {
    /// The bytes of a request. What is beyond seven or fourteen bits is the most that they hold.
    pub fn new(request: &Request, framing: Framing) -> Self {
        let mut frame = Self { bytes: [0; MAX_FRAME], len: 0 };
        match framing.device {
            None => frame.push(request.code()),
            Some(device) => {
                [0xAA, device & 0x7F, request.code() & 0x7F].into_iter().for_each(|byte| frame.push(byte));
            }
        }
        match *request {
            Request::SetTarget { channel, target: value }
            | Request::SetSpeed { channel, speed: value }
            | Request::SetAcceleration { channel, acceleration: value } => {
                frame.push(channel & 0x7F);
                frame.push_word(value);
            }
            Request::SetTargets { first, count, ref targets } => {
                let count = usize::from(count).min(MAX_CHANNELS);
                frame.push(u8::try_from(count).unwrap_or(0));
                frame.push(first & 0x7F);
                targets[..count].iter().for_each(|target| frame.push_word(*target));
            }
            Request::SetPwm { on, period } => {
                frame.push_word(on);
                frame.push_word(period);
            }
            Request::GetPosition { channel } => frame.push(channel & 0x7F),
            Request::GetMoving | Request::GetErrors | Request::GoHome => {}
        }
        if framing.crc {
            frame.push(crc7(frame.as_bytes()));
        }
        frame
    }

    /// All of it.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn push_word(&mut self, value: u16) {
        let [low, high] = (value.min(MAX_TARGET) << 1).to_le_bytes();
        self.push(low >> 1);
        self.push(high);
    }

    fn push(&mut self, byte: u8) {
        self.bytes[self.len] = byte;
        self.len += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPACT: Framing = Framing { device: None, crc: false };

    #[test]
    fn frames_are_those_of_the_manual() {
        let target = Request::SetTarget { channel: 2, target: 6000 };
        assert_eq!(bytes(&target, COMPACT), [0x84, 0x02, 0x70, 0x2E]);
        let pololu = Framing { device: Some(12), crc: false };
        assert_eq!(bytes(&target, pololu), [0xAA, 0x0C, 0x04, 0x02, 0x70, 0x2E]);
        assert_eq!(bytes(&Request::SetSpeed { channel: 5, speed: 140 }, COMPACT), [0x87, 0x05, 0x0C, 0x01]);
        assert_eq!(bytes(&Request::GetErrors, COMPACT), [0xA1]);
        assert_eq!(bytes(&Request::GoHome, pololu), [0xAA, 0x0C, 0x22]);
        let targets = Request::targets(3, &[0, 6000]).unwrap();
        assert_eq!(bytes(&targets, COMPACT), [0x9F, 0x02, 0x03, 0x00, 0x00, 0x70, 0x2E]);
    }

    #[test]
    fn a_check_byte_covers_all_that_is_before_it() {
        let framing = Framing { device: Some(12), crc: true };
        let all = bytes(&Request::GetPosition { channel: 1 }, framing);
        assert_eq!(all, [0xAA, 0x0C, 0x10, 0x01, crc7(&[0xAA, 0x0C, 0x10, 0x01])]);
    }

    #[test]
    fn the_longest_frame_fits() {
        let targets = Request::targets(0, &[MAX_TARGET; MAX_CHANNELS]).unwrap();
        assert_eq!(bytes(&targets, Framing { device: Some(1), crc: true }).len(), MAX_FRAME);
        assert_eq!(Request::targets(1, &[0; MAX_CHANNELS]), None);
        assert_eq!(Request::targets(0, &[0; MAX_CHANNELS + 1]), None);
        assert_eq!(Request::targets(0, &[]), None);
    }

    #[test]
    fn only_the_first_byte_has_its_top_bit_set() {
        let request = Request::SetTarget { channel: 0xFF, target: u16::MAX };
        let all = bytes(&request, Framing { device: Some(0xFF), crc: true });
        assert_eq!(all[1..].iter().filter(|byte| 0x7F < **byte).count(), 0, "{all:02x?}");
    }

    fn bytes(request: &Request, framing: Framing) -> Vec<u8> {
        Frame::new(request, framing).as_bytes().to_vec()
    }
}
