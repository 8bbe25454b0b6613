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

/// The travels of a joint's servos between now and Enter; the inner error says why they count for nothing.
///
/// # Errors
/// Where the port is lost, or the input ends.
pub fn travels(
    line: &mut dyn Ask,
    servos: &[&Servo],
    keyboard: &mut Keyboard,
) -> anyhow::Result<Result<Vec<Travel>, SweepError>> {
    let mut sweeps: Vec<Sweep> = servos.iter().map(|servo| Sweep::new(servo.map.turn)).collect();
    for look in 0_u32.. {
        let mut problem = None;
        for (servo, sweep) in servos.iter().zip(&mut sweeps) {
            problem = problem.or(see(line, servo, sweep)?.err());
        }
        if let Some(problem) = problem {
            clear_line();
            return Ok(Err(problem));
        }
        if look % LOOKS_A_LINE == 0 && stderr().is_terminal() {
            eprint!("\r  {}\x1b[K", progress(servos, &sweeps));
            let _nobody_looks = stderr().flush();
        }
        match keyboard.line(Some(LOOK))? {
            None => {}
            Some(Typed::Line(_)) => break,
            Some(Typed::End) => bail!("the input ended before the joint was turned; nothing was written"),
        }
    }
    clear_line();
    eprintln!("  {}", progress(servos, &sweeps));
    let travels: Option<Vec<Travel>> = sweeps.iter().map(Sweep::travel).collect();
    match travels {
        Some(travels) => Ok(Ok(travels)),
        None => bail!("no servo of this joint answers any more; nothing was written"),
    }
}

fn see(line: &mut dyn Ask, servo: &Servo, sweep: &mut Sweep) -> anyhow::Result<Result<(), SweepError>> {
    let Some(position) = servo.map.role(Role::Position) else {
        bail!("the registers of {} tell no position", servo.map.name);
    };
    match eeprom::read(line, servo.id, position) {
        Ok(ticks) => Ok(sweep.see(clock::now(), i32::try_from(ticks).unwrap_or(i32::MAX))),
        Err(AskError::Lost(lost)) => Err(lost.into()),
        // Silence that lasts is noticed with the next answer.
        Err(_) => Ok(Ok(())),
    }
}

fn clear_line() {
    if stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
}

fn progress(servos: &[&Servo], sweeps: &[Sweep]) -> String {
    let words = servos.iter().zip(sweeps).map(|(servo, sweep)| words(sweep, servo.map.turn));
    words.collect::<Vec<_>>().join("; ")
}

/// How far it came, in words.
fn words(sweep: &Sweep, turn: i32) -> String {
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
        assert_eq!(words(&sweep, 4096), "no answer yet");
        for position in [3500, 4000, 300] {
            sweep.see(Time(0), position).unwrap();
        }
        let says = words(&sweep, 4096);
        assert_eq!(says, "at 4396, from 3500 to 4396: 78.8°, over the end of the servo's turn");
    }
}
