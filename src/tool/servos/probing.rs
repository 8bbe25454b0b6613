//! Whether one servo has an id, or several: what answers to the same questions look like tells.
//!
//! Servos that share an id answer at once. Where their answers are alike to the bit nobody can tell; where they differ,
//! or come a little apart, they damage each other, or both come.

use super::map::{Map, Role};
use crate::servo::probe::{Ask, AskError, Heard};

/// Who has an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Nobody answers.
    Nobody,
    /// One servo.
    One,
    /// Several, as far as can be told.
    Several(&'static str),
}

/// What came back for one question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// The data of the answers that came whole, from the servo that was asked.
    pub answers: Vec<Vec<u8>>,
    /// Whether bytes came that belong to no answer.
    pub is_damaged: bool,
    /// Whether the same bytes are to come each time that it is asked.
    pub is_constant: bool,
}

/// How often each question is asked.
const ROUNDS: usize = 3;

/// Looks who has the id: a ping, and if anything comes back, registers that differ between servos.
///
/// # Errors
/// Where the wire is lost.
pub fn look(line: &mut dyn Ask, map: &Map, id: u8) -> Result<Presence, AskError> {
    let first = round(id, line.ping(id, true)?, false);
    if first == Round::default() {
        return Ok(Presence::Nobody);
    }
    let mut rounds = vec![first];
    let constant = map.role(Role::Model).map(|model| (0, model.address + u16::from(model.size)));
    // Position, supply and temperature: no two servos agree about all of them for long.
    let changing = map.role(Role::Position).map(|position| (position.address, 8));
    for _ in 0..ROUNDS {
        for (block, is_constant) in [(constant, true), (changing, false)] {
            if let Some((address, len)) = block {
                rounds.push(round(id, line.listen(id, address, len)?, is_constant));
            } else if is_constant {
                rounds.push(round(id, line.ping(id, true)?, is_constant));
            }
        }
    }
    Ok(judge(&rounds))
}

fn round(id: u8, heard: Heard, is_constant: bool) -> Round {
    let is_damaged = 0 < heard.stray_bytes;
    let answers = heard.answers.into_iter().filter(|answer| answer.id == id).map(|answer| answer.data);
    Round { answers: answers.collect(), is_damaged, is_constant }
}

/// What several rounds say.
pub fn judge(rounds: &[Round]) -> Presence {
    let answered = rounds.iter().filter(|round| !round.answers.is_empty()).count();
    let damaged = rounds.iter().filter(|round| round.is_damaged).count();
    if answered == 0 && damaged == 0 {
        return Presence::Nobody;
    }
    if rounds.iter().any(|round| 1 < round.answers.len()) {
        return Presence::Several("one question gets two answers");
    }
    let mut constants = rounds.iter().filter(|round| round.is_constant).flat_map(|round| &round.answers);
    if let Some(first) = constants.next()
        && constants.any(|other| other != first)
    {
        return Presence::Several("answers differ that should not");
    }
    // A single damaged answer is noise on the wire.
    if answered == 0 || rounds.len() < 2 * damaged {
        return Presence::Several("answers are damaged");
    }
    Presence::One
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good(data: u8) -> Round {
        Round { answers: vec![vec![data]], is_damaged: false, is_constant: true }
    }

    fn damaged() -> Round {
        Round { is_damaged: true, ..Round::default() }
    }

    #[test]
    fn clean_answers_are_one_servos_and_silence_is_nobodys() {
        assert_eq!(judge(&[good(1), good(1), good(1)]), Presence::One);
        assert_eq!(judge(&[Round::default()]), Presence::Nobody);
        assert_eq!(judge(&[]), Presence::Nobody);
    }

    #[test]
    fn one_damaged_answer_is_noise_and_many_are_not() {
        assert_eq!(judge(&[good(1), damaged(), good(1), good(1)]), Presence::One);
        assert!(matches!(judge(&[good(1), damaged(), damaged()]), Presence::Several(_)));
        assert!(matches!(judge(&[damaged()]), Presence::Several(_)));
    }

    #[test]
    fn two_answers_and_answers_that_differ_are_two_servos() {
        let twice = Round { answers: vec![vec![1], vec![1]], ..Round::default() };
        assert!(matches!(judge(&[good(1), twice]), Presence::Several(_)));
        assert!(matches!(judge(&[good(1), good(1), good(2)]), Presence::Several(_)));
        let changing = |data| Round { is_constant: false, ..good(data) };
        assert_eq!(judge(&[changing(1), changing(2)]), Presence::One);
    }
}
