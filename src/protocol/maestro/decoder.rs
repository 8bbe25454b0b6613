//! Requests out of a stream of bytes, as the device hears them; fixed memory, no allocation.
//!
//! A byte with its top bit set begins a command, whatever came before, so noise costs one command at most.

use super::frame::{Framing, MAX_FRAME, Request};
use super::{Errors, MAX_CHANNELS, crc7};

/// Finds requests in bytes that come one after the other.
#[derive(Clone, Debug)]
pub struct Decoder {
    framing: Framing,
    bytes: [u8; MAX_FRAME],
    len: usize,
}

/// Why bytes are no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused(pub Errors);

impl Decoder {
    /// An empty decoder. It hears both protocols; `framing` says which device it is, and whether a check byte follows.
    pub fn new(framing: Framing) -> Self {
        Self { framing, bytes: [0; MAX_FRAME], len: 0 }
    }

    /// The next byte; gives the request that it ends, or what is wrong with it. What another device is told is nothing.
    pub fn push(&mut self, byte: u8) -> Option<Result<Request, Refused>> {
        let is_interrupted = 0x7F < byte && 0 < self.len;
        if 0x7F < byte {
            self.len = 0;
        } else if self.len == 0 {
            return Some(Err(Refused(Errors::PROTOCOL)));
        }
        self.bytes[self.len] = byte;
        self.len += 1;
        let ended = self.ended();
        if is_interrupted && ended.is_none() {
            return Some(Err(Refused(Errors::PROTOCOL)));
        }
        ended?
    }

    /// What the bytes so far make: `None` where some are missing, `Some(None)` where another device is meant.
    fn ended(&mut self) -> Option<Option<Result<Request, Refused>>> {
        let bytes = &self.bytes[..self.len];
        let (head, code, device) = match bytes[0] {
            0xAA => (3, 0x80 | *bytes.get(2)?, Some(bytes[1])),
            code => (1, code, None),
        };
        let Some(data) = data_len(code, bytes.get(head)) else {
            self.len = 0;
            return Some(Some(Err(Refused(Errors::PROTOCOL))));
        };
        let (body, whole) = (head + data, head + data + usize::from(self.framing.crc));
        if bytes.len() < whole {
            return None;
        }
        let is_ours = device.is_none() || device == self.framing.device;
        let good = !self.framing.crc || crc7(&bytes[..body]) == bytes[body];
        let request = if good { parse(code, &bytes[head..body]) } else { None };
        let error = if good { Errors::PROTOCOL } else { Errors::CRC };
        self.len = 0;
        Some(is_ours.then_some(request.ok_or(Refused(error))))
    }
}

/// How many bytes of data follow a command; `None` where it is none. `first` is the first of them, if it is there.
fn data_len(code: u8, first: Option<&u8>) -> Option<usize> {
    Some(match code {
        0x84 | 0x87 | 0x89 => 3,
        0x8A => 4,
        0x90 => 1,
        0x93 | 0xA1 | 0xA2 => 0,
        // The number of targets is not known before the first byte.
        0x9F => match usize::from(*first.unwrap_or(&1)) {
            count if count <= MAX_CHANNELS => 2 + 2 * count,
            _ => return None,
        },
        _ => return None,
    })
}

fn parse(code: u8, data: &[u8]) -> Option<Request> {
    let word = |at: usize| Some(u16::from(*data.get(at)?) | u16::from(*data.get(at + 1)?) << 7);
    let channel = data.first().copied();
    Some(match code {
        0x84 => Request::SetTarget { channel: channel?, target: word(1)? },
        0x87 => Request::SetSpeed { channel: channel?, speed: word(1)? },
        0x89 => Request::SetAcceleration { channel: channel?, acceleration: word(1)? },
        0x8A => Request::SetPwm { on: word(0)?, period: word(2)? },
        0x90 => Request::GetPosition { channel: channel? },
        0x93 => Request::GetMoving,
        0xA1 => Request::GetErrors,
        0xA2 => Request::GoHome,
        0x9F => {
            let (count, first) = (usize::from(*data.first()?), *data.get(1)?);
            let mut targets = [0; MAX_CHANNELS];
            for (index, target) in targets.get_mut(..count)?.iter_mut().enumerate() {
                *target = word(2 + 2 * index)?;
            }
            return Request::targets(first, &targets[..count]);
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::maestro::Frame;

    #[test]
    fn requests_come_back_in_both_protocols_with_and_without_a_check_byte() {
        for framing in framings() {
            let mut decoder = Decoder::new(framing);
            for request in requests() {
                let heard = hear(&mut decoder, Frame::new(&request, framing).as_bytes());
                assert_eq!(heard, [Ok(request)], "{framing:?}");
            }
        }
    }

    #[test]
    fn another_device_is_not_heard() {
        let (ours, other) =
            (Framing { device: Some(12), crc: false }, Framing { device: Some(13), crc: false });
        let frame = Frame::new(&Request::GoHome, other);
        assert_eq!(hear(&mut Decoder::new(ours), frame.as_bytes()), []);
    }

    #[test]
    fn a_wrong_check_byte_and_bytes_that_are_no_command_are_told_apart() {
        let mut decoder = Decoder::new(Framing { device: None, crc: true });
        assert_eq!(hear(&mut decoder, &[0x84, 2, 0x70, 0x2E, 0]), [Err(Refused(Errors::CRC))]);
        let protocol = Err(Refused(Errors::PROTOCOL));
        assert_eq!(hear(&mut decoder, &[0x05]), [protocol]);
        assert_eq!(hear(&mut decoder, &[0xEE]), [protocol]);
        assert_eq!(hear(&mut decoder, &[0x9F, 25]), [protocol]);
    }

    #[test]
    fn a_command_that_breaks_off_costs_itself_only() {
        let mut decoder = Decoder::new(Framing::default());
        let heard = hear(&mut decoder, &[0x84, 2, 0x84, 2, 0x70, 0x2E]);
        assert_eq!(
            heard,
            [Err(Refused(Errors::PROTOCOL)), Ok(Request::SetTarget { channel: 2, target: 6000 })]
        );
    }

    proptest! {
        #[test]
        fn after_any_bytes_the_next_command_is_heard(
            noise in prop::collection::vec(any::<u8>(), 0..200),
            crc in any::<bool>(),
            pololu in any::<bool>(),
        ) {
            let framing = Framing { device: pololu.then_some(12), crc };
            let mut decoder = Decoder::new(framing);
            hear(&mut decoder, &noise);
            let request = Request::targets(0, &[6000, 4000]).unwrap();
            let heard = hear(&mut decoder, Frame::new(&request, framing).as_bytes());
            prop_assert_eq!(heard.last(), Some(&Ok(request)));
        }
    }

    fn hear(decoder: &mut Decoder, bytes: &[u8]) -> Vec<Result<Request, Refused>> {
        bytes.iter().filter_map(|byte| decoder.push(*byte)).collect()
    }

    fn framings() -> [Framing; 4] {
        let of = |device, crc| Framing { device, crc };
        [of(None, false), of(None, true), of(Some(12), false), of(Some(12), true)]
    }

    fn requests() -> Vec<Request> {
        vec![
            Request::SetTarget { channel: 23, target: 0x3FFF },
            Request::SetSpeed { channel: 0, speed: 140 },
            Request::SetAcceleration { channel: 1, acceleration: 255 },
            Request::SetPwm { on: 4800, period: 9600 },
            Request::GetPosition { channel: 7 },
            Request::GetMoving,
            Request::GetErrors,
            Request::GoHome,
            Request::targets(2, &[0, 4000, 16383]).unwrap(),
        ]
    }
}
