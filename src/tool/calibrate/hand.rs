//! Follows a joint that somebody turns by hand, until they press Enter.

use std::io::{IsTerminal as _, Write as _, stderr};
use std::time::Duration;

use anyhow::bail;

use super::sweep::{Sweep, SweepError, Travel};
use crate::servo::clock;
use crate::servo::probe::{Ask, AskError};
use crate::tool::servos::eeprom;
use crate::tool::servos::keyboard::{Keyboard, Typed};
use crate::tool::servos::map::Role;
use crate::tool::servos::session::Servo;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);
/// Looks between two lines of progress.
const LOOKS_A_LINE: u32 = 5;

/// The travel between now and Enter; the inner error says why it counts for nothing.
///
/// # Errors
/// Where the port is lost, or the input ends.
pub fn travel(
    line: &mut dyn Ask,
    servo: &Servo,
    keyboard: &mut Keyboard,
) -> anyhow::Result<Result<Travel, SweepError>> {
    let Some(position) = servo.map.role(Role::Position) else {
        bail!("the registers of {} tell no position", servo.map.name);
    };
    let turn = servo.map.turn;
    let mut sweep = Sweep::new(turn);
    let mut problem = None;
    for look in 0_u32.. {
        match eeprom::read(line, servo.id, position) {
            Ok(ticks) => {
                let ticks = i32::try_from(ticks).unwrap_or(i32::MAX);
                problem = problem.or(sweep.see(clock::now(), ticks).err());
            }
            Err(AskError::Lost(lost)) => return Err(lost.into()),
            // Silence that lasts is noticed with the next answer.
            Err(_) => {}
        }
        if look % LOOKS_A_LINE == 0 && stderr().is_terminal() {
            eprint!("\r  {}\x1b[K", progress(&sweep, turn, problem));
            let _nobody_looks = stderr().flush();
        }
        match keyboard.line(Some(LOOK))? {
            None => {}
            Some(Typed::Line(_)) => break,
            Some(Typed::End) => bail!("the input ended before the joint was turned; nothing was written"),
        }
        // What counts for nothing need not go on.
        if problem.is_some() {
            break;
        }
    }
    if stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
    match (problem, sweep.travel()) {
        (Some(problem), _) => Ok(Err(problem)),
        (None, None) => bail!("servo {} does not answer any more; nothing was written", servo.id),
        (None, Some(travel)) => {
            eprintln!("  {}", progress(&sweep, turn, None));
            Ok(Ok(travel))
        }
    }
}

/// How far it came, in words.
fn progress(sweep: &Sweep, turn: i32, problem: Option<SweepError>) -> String {
    if let Some(problem) = problem {
        return problem.to_string();
    }
    let Some((travel, present)) = sweep.travel().zip(sweep.present()) else {
        return "no answer yet".to_owned();
    };
    let degrees = f64::from(travel.span()) * 360.0 / f64::from(turn.max(1));
    let seam = match sweep.seams() {
        0 => "",
        _ => ", over the end of the servo's turn",
    };
    format!("at {present}, from {} to {}: {degrees:.1}°{seam}", travel.lowest, travel.highest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Time;

    #[test]
    fn progress_says_how_far_it_came() {
        let mut sweep = Sweep::new(4096);
        assert_eq!(progress(&sweep, 4096, None), "no answer yet");
        for position in [3500, 4000, 300] {
            sweep.see(Time(0), position).unwrap();
        }
        let says = progress(&sweep, 4096, None);
        assert_eq!(says, "at 4396, from 3500 to 4396: 78.8°, over the end of the servo's turn");
    }
}
