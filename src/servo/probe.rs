//! Asks single servos, one at a time, and hears everything that comes back: who answers, how often, and how damaged.
//!
//! For tools, not for a control cycle: it allocates, and waits as long as it is told to. Knows no registers.

use std::time::Duration;

use super::bus::LinkLost;
use super::clock;
use super::link::{self, Link, OpenError};
use crate::protocol::wire::{Answers, FrameError, Id, Raised, Refusal, ReplyDecoder, Wire};
use crate::units::Time;

/// How a port is opened, and how long its servos are waited for.
#[derive(Clone, Debug, PartialEq)]
pub struct ProbeConfig {
    /// A serial device, or `tcp://HOST:PORT`.
    pub port: String,
    /// Bits a second.
    pub baud_rate_bps: u32,
    /// Whether the adapter gives our own bytes back.
    pub echo: bool,
    /// How long a servo is waited for beyond the time that the bytes take.
    pub patience: Duration,
}

/// One servo's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Who answers.
    pub id: u8,
    /// The registers asked for.
    pub data: Vec<u8>,
    /// Whether it complains of something.
    pub complains: bool,
    /// Why there is no data, where the servo refused.
    pub refusal: Option<Refusal>,
    /// How long after the request was sent it had come.
    pub took: Duration,
}

/// What came back after one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// The answers that came whole.
    pub answers: Vec<Answer>,
    /// Bytes that belong to no answer.
    pub stray_bytes: u64,
}

/// Why a servo gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nothing came in time, however often it was asked.
    #[error("servo {0} does not answer")]
    Silent(u8),
    /// Bytes came, and none of them made a whole answer.
    #[error(
        "servo {id} answers with {bytes} damaged bytes: two servos with this id, a wrong baud rate, or a bad cable"
    )]
    Damaged {
        /// Which servo.
        id: u8,
        /// How many bytes.
        bytes: u64,
    },
    /// It answered with another number of bytes than were asked for.
    #[error("servo {id} answered with {actual} bytes instead of {expected}")]
    Length {
        /// Which servo.
        id: u8,
        /// Bytes asked for.
        expected: usize,
        /// Bytes that came.
        actual: usize,
    },
    /// It did not do what it was asked.
    #[error("servo {id} refuses: {why}")]
    Refused {
        /// Which servo.
        id: u8,
        /// What it says.
        why: Refusal,
    },
    /// The request cannot be put into a frame.
    #[error(transparent)]
    Request(#[from] FrameError),
    /// The wire is lost.
    #[error(transparent)]
    Lost(#[from] LinkLost),
}

/// A bus whose servos are asked one at a time, whatever they speak.
pub trait Ask {
    /// The greatest id that a servo can have.
    fn max_id(&self) -> u8;

    /// Pings a servo. With `all` it is listened to the end of the time, for whoever else answers.
    ///
    /// # Errors
    /// Where there is no such id, or the wire is lost; that nobody answers is none.
    fn ping(&mut self, id: u8, all: bool) -> Result<Heard, AskError>;

    /// Reads registers once, and listens to the end of the time.
    ///
    /// # Errors
    /// Where the request makes no frame, or the wire is lost; that nobody answers is none.
    fn listen(&mut self, id: u8, address: u16, len: u16) -> Result<Heard, AskError>;

    /// Reads registers; asks a few times.
    ///
    /// # Errors
    /// Where the servo does not answer, or refuses.
    fn read(&mut self, id: u8, address: u16, len: u16) -> Result<Vec<u8>, AskError>;

    /// Writes registers; gives whether the servo answered, which it may be set up not to do.
    ///
    /// # Errors
    /// Where the servo refuses, or the wire is lost.
    fn write(&mut self, id: u8, address: u16, data: &[u8]) -> Result<bool, AskError>;

    /// Has a servo start again, as after power-on.
    ///
    /// # Errors
    /// Where the wire is lost.
    fn reboot(&mut self, id: u8) -> Result<(), AskError>;

    /// Opens the port again, at another speed.
    ///
    /// # Errors
    /// Where that fails; the port is closed then.
    fn set_baud_rate(&mut self, baud_rate_bps: u32) -> Result<(), OpenError>;

    /// How long a servo is waited for from now on, beyond the time that the bytes take.
    fn set_patience(&mut self, patience: Duration);
}

/// A bus of servos of one family.
pub struct Probe<W: Wire> {
    config: ProbeConfig,
    link: Option<Box<dyn Link>>,
    decoder: W::Decoder,
}

/// One request.
struct Question<'a> {
    id: u8,
    request: &'a [u8],
    /// Bytes of data of the answer.
    len: usize,
    /// Whether it is listened to the end of the time.
    all: bool,
}

/// How often a servo is asked before it counts as silent.
const TRIES: usize = 3;
/// A line that never falls silent is not listened to for ever.
const MOST_BYTES: usize = 16_384;

impl<W: Wire> Probe<W> {
    /// Opens the port.
    ///
    /// # Errors
    /// Where it cannot be opened.
    pub fn open(config: ProbeConfig) -> Result<Self, OpenError> {
        let link = link::open(&config.port, config.baud_rate_bps)?;
        Ok(Self { config, link: Some(link), decoder: W::decoder() })
    }

    fn exchange(&mut self, question: &Question<'_>) -> Result<Heard, LinkLost> {
        let Self { config, link, decoder } = self;
        let Some(link) = link else {
            return Err(std::io::Error::from(std::io::ErrorKind::NotConnected).into());
        };
        link.discard_input()?;
        decoder.begin(Answers::Single);
        let noise = decoder.counts().noise_bytes;
        link.send(question.request)?;
        let sent = clock::now();
        let bytes = question.request.len() + W::answer_len(question.len);
        let deadline = sent + wire_time(bytes, config.baud_rate_bps) + config.patience;
        let mut echo = if config.echo { question.request } else { &[] };
        let mut heard = Heard::default();
        let (mut buffer, mut taken) = ([0; 256], 0);
        loop {
            let count = link.receive(deadline, &mut buffer)?;
            let at = clock::now();
            taken += count;
            let fresh = without_echo(&buffer[..count], &mut echo);
            let _all_fit = decoder.push(fresh);
            take_answers(decoder, at, sent, &mut heard);
            let has_answered = heard.answers.iter().any(|answer| answer.id == question.id);
            let is_over = deadline <= at && count == 0;
            if is_over || MOST_BYTES < taken || (has_answered && !question.all) {
                break;
            }
        }
        while decoder.give_up() {
            take_answers(decoder, clock::now(), sent, &mut heard);
        }
        heard.stray_bytes = decoder.counts().noise_bytes.saturating_sub(noise);
        Ok(heard)
    }

    /// Asks until there is an answer of `len` bytes.
    fn ask(&mut self, id: u8, request: &[u8], len: usize) -> Result<Vec<u8>, AskError> {
        let mut problem = AskError::Silent(id);
        for _ in 0..TRIES {
            let heard = self.exchange(&Question { id, request, len, all: false })?;
            match heard.answers.into_iter().find(|answer| answer.id == id) {
                Some(Answer { refusal: Some(why), .. }) => return Err(AskError::Refused { id, why }),
                Some(answer) if answer.data.len() == len => return Ok(answer.data),
                Some(answer) => {
                    problem = AskError::Length { id, expected: len, actual: answer.data.len() };
                }
                None if 0 < heard.stray_bytes => {
                    problem = AskError::Damaged { id, bytes: heard.stray_bytes };
                }
                None => {}
            }
        }
        Err(problem)
    }
}

impl<W: Wire> Ask for Probe<W> {
    fn max_id(&self) -> u8 {
        W::MAX_ID
    }

    fn ping(&mut self, id: u8, all: bool) -> Result<Heard, AskError> {
        let frame = W::ping(Id::new(id)?)?;
        Ok(self.exchange(&Question { id, request: frame.as_ref(), len: W::PING_DATA, all })?)
    }

    fn listen(&mut self, id: u8, address: u16, len: u16) -> Result<Heard, AskError> {
        let frame = W::read(Id::new(id)?, address, len)?;
        Ok(self.exchange(&Question { id, request: frame.as_ref(), len: len.into(), all: true })?)
    }

    fn read(&mut self, id: u8, address: u16, len: u16) -> Result<Vec<u8>, AskError> {
        let frame = W::read(Id::new(id)?, address, len)?;
        self.ask(id, frame.as_ref(), len.into())
    }

    fn write(&mut self, id: u8, address: u16, data: &[u8]) -> Result<bool, AskError> {
        let frame = W::write(Id::new(id)?, address, data)?;
        match self.ask(id, frame.as_ref(), 0) {
            Ok(_) => Ok(true),
            // It may be set up not to answer writes; whether it took this one is seen when it is read.
            Err(AskError::Silent(_) | AskError::Damaged { .. } | AskError::Length { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn reboot(&mut self, id: u8) -> Result<(), AskError> {
        let frame = W::reboot(Id::new(id)?)?;
        let question = Question { id, request: frame.as_ref(), len: 0, all: false };
        self.exchange(&question)?;
        Ok(())
    }

    fn set_baud_rate(&mut self, baud_rate_bps: u32) -> Result<(), OpenError> {
        // A port is opened once only.
        self.link = None;
        self.config.baud_rate_bps = baud_rate_bps;
        self.link = Some(link::open(&self.config.port, baud_rate_bps)?);
        Ok(())
    }

    fn set_patience(&mut self, patience: Duration) {
        self.config.patience = patience;
    }
}

fn take_answers(decoder: &mut impl ReplyDecoder, at: Time, sent: Time, heard: &mut Heard) {
    while let Some(reply) = decoder.next_reply() {
        heard.answers.push(Answer {
            id: reply.id.raw(),
            data: reply.data.to_vec(),
            complains: !matches!(reply.raised, Raised::Bits(0) | Raised::Alert(false)),
            refusal: reply.refusal,
            took: at.saturating_since(sent),
        });
    }
}

fn wire_time(bytes: usize, baud_rate_bps: u32) -> Duration {
    const BITS_A_BYTE: u64 = 10;
    Duration::from_nanos(BITS_A_BYTE * bytes as u64 * 1_000_000_000 / u64::from(baud_rate_bps.max(1)))
}

/// Strips what the adapter gave back of our own request, however it is cut into pieces.
fn without_echo<'a>(bytes: &'a [u8], echo: &mut &[u8]) -> &'a [u8] {
    let same = bytes.iter().zip(echo.iter()).take_while(|(byte, sent)| byte == sent).count();
    let is_broken = same < bytes.len() && same < echo.len();
    *echo = if is_broken { &[] } else { &echo[same..] };
    &bytes[same..]
}
