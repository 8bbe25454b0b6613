//! The words of one command line: bare ones in order, and `key=value` in any.
//!
//! Every word must be taken before [`Words::finish`], so that a mistyped key is an error and not ignored.

use std::time::Duration;

/// Why words are not what was needed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum WordsError {
    /// A bare word is missing.
    #[error("{0} is missing")]
    Word(&'static str),
    /// A key is missing.
    #[error("{0}=… is missing")]
    Key(String),
    /// A key is there twice.
    #[error("{0}=… is there twice")]
    Twice(String),
    /// A value is not of the kind needed.
    #[error("{key}={actual} is not {expected}")]
    Value {
        /// Of which key.
        key: String,
        /// What it should be.
        expected: &'static str,
        /// What it is.
        actual: String,
    },
    /// A word that nothing asked for.
    #[error("`{0}` does not belong here")]
    Leftover(String),
}

/// Where something is, in a servo's own terms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Place {
    /// What its position register says there.
    Ticks(f64),
    /// So far from its middle (rad).
    Radians(f64),
}

/// What is left of a command line.
#[derive(Debug)]
pub(super) struct Words {
    bare: Vec<String>,
    keyed: Vec<(String, String)>,
}

impl Words {
    pub(super) fn of(line: &str) -> Result<Self, WordsError> {
        let mut words = Self { bare: Vec::new(), keyed: Vec::new() };
        for word in line.split_whitespace() {
            match word.split_once('=') {
                Some((key, _)) if words.keyed.iter().any(|(known, _)| known == key) => {
                    return Err(WordsError::Twice(key.to_owned()));
                }
                Some((key, value)) => words.keyed.push((key.to_owned(), value.to_owned())),
                None => words.bare.push(word.to_owned()),
            }
        }
        Ok(words)
    }

    pub(super) fn finish(self) -> Result<(), WordsError> {
        let keyed = self.keyed.into_iter().map(|(key, value)| format!("{key}={value}"));
        self.bare.into_iter().chain(keyed).next().map_or(Ok(()), |word| Err(WordsError::Leftover(word)))
    }

    pub(super) fn word(&mut self, what: &'static str) -> Result<String, WordsError> {
        self.word_or_none().ok_or(WordsError::Word(what))
    }

    pub(super) fn word_or_none(&mut self) -> Option<String> {
        if self.bare.is_empty() { None } else { Some(self.bare.remove(0)) }
    }

    pub(super) fn next_key(&self) -> Option<String> {
        self.keyed.first().map(|(key, _)| key.clone())
    }

    pub(super) fn text(&mut self, key: &str) -> Result<String, WordsError> {
        self.text_or_none(key).ok_or_else(|| WordsError::Key(key.to_owned()))
    }

    pub(super) fn number(&mut self, key: &str) -> Result<f64, WordsError> {
        let text = self.text(key)?;
        number(key, &text)
    }

    pub(super) fn number_or(&mut self, key: &str, otherwise: f64) -> Result<f64, WordsError> {
        self.text_or_none(key).map_or(Ok(otherwise), |text| number(key, &text))
    }

    pub(super) fn integer(&mut self, key: &str) -> Result<i64, WordsError> {
        let text = self.text(key)?;
        parse(key, &text, "a whole number")
    }

    pub(super) fn count_or_none(&mut self, key: &str) -> Result<Option<u32>, WordsError> {
        self.text_or_none(key).map(|text| parse(key, &text, "a count")).transpose()
    }

    pub(super) fn id(&mut self) -> Result<u8, WordsError> {
        self.id_or_all()?.ok_or_else(|| WordsError::Key("id".to_owned()))
    }

    pub(super) fn id_or_all(&mut self) -> Result<Option<u8>, WordsError> {
        self.text_or_none("id").map(|text| parse("id", &text, "a servo's id")).transpose()
    }

    pub(super) fn millis(&mut self, key: &str) -> Result<Duration, WordsError> {
        let text = self.text(key)?;
        millis(key, &text)
    }

    pub(super) fn millis_or(&mut self, key: &str, otherwise: Duration) -> Result<Duration, WordsError> {
        self.text_or_none(key).map_or(Ok(otherwise), |text| millis(key, &text))
    }

    /// Ticks, or radians from the middle where the value ends with `rad`.
    pub(super) fn position(&mut self, key: &str) -> Result<Place, WordsError> {
        let text = self.text(key)?;
        match text.strip_suffix("rad") {
            Some(radians) => number(key, radians).map(Place::Radians),
            None => number(key, &text).map(Place::Ticks),
        }
    }

    fn text_or_none(&mut self, key: &str) -> Option<String> {
        let at = self.keyed.iter().position(|(known, _)| known == key)?;
        Some(self.keyed.remove(at).1)
    }
}

fn number(key: &str, text: &str) -> Result<f64, WordsError> {
    let number: f64 = parse(key, text, "a number")?;
    if number.is_finite() { Ok(number) } else { Err(wrong(key, text, "a number")) }
}

fn millis(key: &str, text: &str) -> Result<Duration, WordsError> {
    let expected = "a time in milliseconds";
    let secs = number(key, text)? / 1e3;
    Duration::try_from_secs_f64(secs).map_err(|_out_of_range| wrong(key, text, expected))
}

fn parse<T: std::str::FromStr>(key: &str, text: &str, expected: &'static str) -> Result<T, WordsError> {
    text.parse().map_err(|_unreadable| wrong(key, text, expected))
}

fn wrong(key: &str, text: &str, expected: &'static str) -> WordsError {
    WordsError::Value { key: key.to_owned(), expected, actual: text.to_owned() }
}
