//! Lines of JSON: one answer for each, whatever comes.
//!
//! Knows nothing of what is asked.

use std::io::{self, BufRead as _, BufReader, ErrorKind, Read, Write};

use serde::Serialize;
use serde_json::{Map, Value as Json};

/// A longer line is not read to its end: nothing that is asked here needs that much.
const LONGEST: u64 = 1 << 20;

/// What a line asks.
pub type Question = Map<String, Json>;

/// Writes one answer for each line of the input, until it ends or nobody reads the answers any more.
///
/// A line that cannot be answered gets what `refuse` makes of the reason. Answers are passed on
/// before waiting for more lines, so that who waits for each of them gets it, while a file goes
/// through in large pieces.
pub fn answer<A: Serialize>(
    input: impl Read,
    mut output: impl Write,
    mut solve: impl FnMut(&Question) -> Result<A, String>,
    refuse: impl Fn(String) -> A,
) -> io::Result<()> {
    let mut input = BufReader::with_capacity(1 << 16, input);
    let mut line = Vec::new();
    for number in 1_u64.. {
        let may_wait = !input.buffer().contains(&b'\n');
        if (may_wait && is_unread(output.flush())?) || !read_line(&mut input, &mut line)? {
            break;
        }
        let answer = question(&line).and_then(|question| solve(&question));
        let answer = answer.unwrap_or_else(|reason| refuse(format!("line {number}: {reason}")));
        let written = serde_json::to_writer(&mut output, &answer).map_err(io::Error::from);
        if is_unread(written.and_then(|()| output.write_all(b"\n")))? {
            break;
        }
    }
    Ok(())
}

/// Whether there was another line. Of one that is too long only the beginning is kept.
fn read_line(input: &mut BufReader<impl Read>, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let read = input.by_ref().take(LONGEST).read_until(b'\n', line)?;
    if is_too_long(line) {
        input.skip_until(b'\n')?;
    }
    Ok(read != 0)
}

fn is_too_long(line: &[u8]) -> bool {
    line.len() as u64 == LONGEST && !line.ends_with(b"\n")
}

/// Whether nobody reads the answers any more, which is no error.
fn is_unread(written: io::Result<()>) -> io::Result<bool> {
    match written {
        Ok(()) => Ok(false),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(true),
        Err(error) => Err(error),
    }
}

fn question(line: &[u8]) -> Result<Question, String> {
    if is_too_long(line) {
        return Err(format!("it is longer than {LONGEST} bytes; it must be one short JSON object"));
    }
    match serde_json::from_slice(line) {
        Ok(Json::Object(question)) => Ok(question),
        Ok(other) => Err(format!("it is {}; it must be a JSON object", kind(&other))),
        Err(_) if line.trim_ascii().is_empty() => Err("it is empty; it must be a JSON object".to_owned()),
        Err(error) => Err(format!("it is not JSON ({error}); it must be one JSON object")),
    }
}

/// What a value is, in words.
pub fn kind(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "true or false",
        Json::Number(_) => "a number",
        Json::String(_) => "a text",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_gets_one_answer_and_a_bad_one_names_its_number() {
        let answers = answers(b"{\"a\":1}\n\nno\n[]\n{\"a\":2}");
        assert_eq!(answers.len(), 5, "{answers:?}");
        assert_eq!((&*answers[0], &*answers[4]), ("1", "2"));
        for (index, says) in
            [(1, "line 2: it is empty"), (2, "line 3: it is not JSON"), (3, "line 4: it is a list")]
        {
            assert!(answers[index].contains(says), "{}", answers[index]);
        }
    }

    #[test]
    fn a_line_without_end_costs_one_answer_and_little_memory() {
        let mut input = vec![b'['; 3 << 20];
        input.extend(b"\n{\"a\":7}\n");
        let answers = answers(&input);
        assert_eq!(answers.len(), 2);
        assert!(answers[0].contains("line 1: it is longer than"), "{}", answers[0]);
        assert_eq!(answers[1], "7");
    }

    #[test]
    fn that_nobody_reads_on_is_the_end_and_no_error() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        answer(&b"{}\n{}\n"[..], Closed, |_| Ok(Json::Null), Json::String).unwrap();
    }

    #[test]
    fn an_answer_is_passed_on_before_waiting_for_the_next_line() {
        /// Each read needs the answers to all lines before.
        struct Dialogue<'a>(&'a std::cell::Cell<usize>, usize);
        impl Read for Dialogue<'_> {
            fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
                assert_eq!(self.0.get(), self.1);
                self.1 += 1;
                let line: &[u8] = if self.1 <= 3 { b"{\"a\":0}\n" } else { b"" };
                into[..line.len()].copy_from_slice(line);
                Ok(line.len())
            }
        }
        struct Flushed<'a>(&'a std::cell::Cell<usize>, usize);
        impl Write for Flushed<'_> {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.1 += bytes.iter().filter(|&&byte| byte == b'\n').count();
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                self.0.set(self.1);
                Ok(())
            }
        }
        let passed_on = std::cell::Cell::new(0);
        answer(Dialogue(&passed_on, 0), Flushed(&passed_on, 0), |_| Ok(Json::Null), Json::String).unwrap();
        assert_eq!(passed_on.get(), 3);
    }

    fn answers(input: &[u8]) -> Vec<String> {
        let mut output = Vec::new();
        answer(input, &mut output, |question| Ok(question["a"].clone()), Json::String).unwrap();
        String::from_utf8(output).unwrap().lines().map(str::to_owned).collect()
    }
}
