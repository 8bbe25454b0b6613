//! What a travel means for a servo: its offset, its limits, and where the joint's zero is.
//!
//! The end of the servo's turn (the seam) has to lie outside of the travel. The offset that the servo itself adds moves
//! it, within what its register holds.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use std::f64::consts::TAU;

use super::sweep::Travel;

/// How far from the seam the travel must stay (ticks): play and noise of the encoder.
pub const SEAM_MARGIN: i32 = 16;
/// A zero farther than this away is in no register.
const FARTHEST_ZERO: f64 = 32_767.0;

/// How a servo counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counting {
    /// Ticks of one turn of its encoder.
    pub turn: i32,
    /// Its offset register, where it has a usable one.
    pub offset: Option<OffsetRule>,
}

/// How an offset register acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetRule {
    /// What it holds at present.
    pub present: i32,
    /// Whether positions are the encoder's plus the offset; otherwise less it.
    pub is_added: bool,
    /// The greatest magnitude that it takes.
    pub most: i32,
}

/// Where the joint's zero is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Zero {
    /// In the middle of the travel.
    Middle,
    /// Where the middle of the travel is the middle of this range of the model (rad).
    OfModel {
        /// The joint's lower end.
        lower: f64,
        /// The joint's upper end.
        upper: f64,
    },
}

/// How the joint's radians and the servo's ticks go together, as far as it is configured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gearing {
    /// Whether growing ticks turn the joint the negative way.
    pub reversed: bool,
    /// Ticks of one turn of the joint; positive.
    pub ticks_per_turn: f64,
}

/// What is to be written, all in the ticks that the servo counts from then on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The offset register; `None` where the servo has none.
    pub offset: Option<i32>,
    /// The lower end of the travel.
    pub lower: i32,
    /// The upper end of the travel.
    pub upper: i32,
    /// The joint's zero.
    pub zero: i32,
    /// What a position of before has to be increased by, give or take turns.
    pub shift: i32,
}

/// Why a travel cannot be calibrated.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// It was hardly moved.
    #[error("it was moved by {span} ticks only; turn it to both ends of its travel")]
    Still {
        /// From end to end (ticks).
        span: i32,
    },
    /// The travel has no room in a turn.
    #[error(
        "its travel of {span} ticks leaves no room for the end of the servo's turn of {turn} ticks; such a joint cannot be driven by position: is a stop or a horn loose?"
    )]
    WholeTurn {
        /// From end to end (ticks).
        span: i32,
        /// Ticks of a turn.
        turn: i32,
    },
    /// No offset that the register holds brings the seam out of the travel.
    #[error(
        "an offset of {wanted} ticks would be needed to keep the end of the servo's turn out of the travel, and the register holds {most} at most; take the horn off and put it on again with the joint in its middle and the servo at {middle}"
    )]
    Offset {
        /// The offset that would put the middle of the travel into the middle of the turn.
        wanted: i32,
        /// The greatest magnitude of the register; 0 where there is none.
        most: i32,
        /// The middle of the turn.
        middle: i32,
    },
    /// The zero is beyond all registers.
    #[error("its zero would be at {zero} ticks, and {most} is the farthest", most = FARTHEST_ZERO)]
    Zero {
        /// Where it would be.
        zero: f64,
    },
}

/// Less than this is no travel (ticks): about four degrees.
const LEAST_TRAVEL: i32 = 45;

/// Chooses the offset that puts the middle of the travel as near to the middle of the turn as the register allows.
///
/// # Errors
/// Where there is none with which the whole travel is within the turn.
pub fn plan(travel: Travel, counting: Counting, gearing: Gearing, zero: Zero) -> Result<Plan, PlanError> {
    let (turn, span) = (counting.turn, travel.span());
    if span < LEAST_TRAVEL {
        return Err(PlanError::Still { span });
    }
    if turn - 1 - 2 * SEAM_MARGIN < span {
        return Err(PlanError::WholeTurn { span, turn });
    }
    let (offset, lower) = placed(travel, counting)?;
    let upper = lower + span;
    let middle = f64::from(lower) + f64::from(span) / 2.0;
    Ok(Plan { offset, lower, upper, zero: zero_ticks(middle, gearing, zero)?, shift: lower - travel.lowest })
}

/// The offset, and where the lower end of the travel is then.
fn placed(travel: Travel, counting: Counting) -> Result<(Option<i32>, i32), PlanError> {
    let Counting { turn, offset: rule } = counting;
    let span = travel.span();
    let (present, sign, most) = match rule {
        Some(OffsetRule { present, is_added, most }) => (present, if is_added { 1 } else { -1 }, most),
        None => (0, 1, 0),
    };
    // By the encoder itself, without the present offset.
    let lowest = travel.lowest - sign * present;
    let off_middle = |lower: i32| (2 * lower + span - turn).abs();
    let best = (-most..=most)
        .map(|offset| (offset, (lowest + sign * offset).rem_euclid(turn)))
        .filter(|(_, lower)| SEAM_MARGIN <= *lower && lower + span <= turn - 1 - SEAM_MARGIN)
        .min_by_key(|(offset, lower)| (off_middle(*lower), offset.abs()));
    match best {
        Some((offset, lower)) => Ok((rule.map(|_| offset), lower)),
        None => {
            let wanted = (sign * (turn / 2 - lowest - span / 2)).rem_euclid(turn);
            let wanted = if turn / 2 < wanted { wanted - turn } else { wanted };
            Err(PlanError::Offset { wanted, most, middle: turn / 2 })
        }
    }
}

/// Where the zero is, with the middle of the travel at `middle` (ticks).
///
/// # Errors
/// Where it is beyond all registers.
pub fn zero_ticks(middle: f64, gearing: Gearing, zero: Zero) -> Result<i32, PlanError> {
    let angle = match zero {
        Zero::Middle => 0.0,
        Zero::OfModel { lower, upper } => 0.5 * lower + 0.5 * upper,
    };
    let sign = if gearing.reversed { -1.0 } else { 1.0 };
    let zero = (middle - sign * angle * gearing.ticks_per_turn / TAU).round();
    if !zero.is_finite() || FARTHEST_ZERO < zero.abs() {
        return Err(PlanError::Zero { zero });
    }
    #[expect(clippy::cast_possible_truncation, reason = "checked right above")]
    Ok(zero as i32)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    use super::*;

    const DIRECT: Gearing = Gearing { reversed: false, ticks_per_turn: 4096.0 };

    fn sts(present: i32) -> Counting {
        Counting { turn: 4096, offset: Some(OffsetRule { present, is_added: false, most: 2047 }) }
    }

    fn planned(lowest: i32, highest: i32, counting: Counting) -> Result<Plan, PlanError> {
        plan(Travel { lowest, highest }, counting, DIRECT, Zero::Middle)
    }

    #[test]
    fn the_middle_of_the_travel_becomes_the_middle_of_the_turn() {
        let plan = planned(900, 3100, sts(0)).unwrap();
        assert_eq!(plan, Plan { offset: Some(-48), lower: 948, upper: 3148, zero: 2048, shift: 48 });
    }

    #[test]
    fn a_travel_over_the_seam_is_moved_off_it() {
        let plan = planned(3500, 4796, sts(0)).unwrap();
        assert_eq!((plan.offset, plan.lower, plan.upper, plan.zero), (Some(-1996), 1400, 2696, 2048));
    }

    #[test]
    fn an_offset_that_no_register_holds_becomes_the_nearest_that_it_does() {
        // The middle is at the encoder's 0: 2048 off, and the register holds 2047.
        let plan = planned(-600, 600, sts(0)).unwrap();
        assert_eq!((plan.offset, plan.lower, plan.upper, plan.zero), (Some(-2047), 1447, 2647, 2047));
    }

    #[test]
    fn what_the_servo_adds_at_present_is_taken_off_first() {
        let fresh = planned(900, 3100, sts(0)).unwrap();
        let again = planned(fresh.lower, fresh.upper, sts(-48)).unwrap();
        assert_eq!(again, Plan { shift: 0, ..fresh });
    }

    #[test]
    fn a_servo_whose_register_holds_little_takes_what_it_can_or_says_what_to_do() {
        let dynamixel = |present| Counting {
            turn: 4096,
            offset: Some(OffsetRule { present, is_added: true, most: 1024 }),
        };
        let plan = planned(3000, 4000, dynamixel(0)).unwrap();
        assert_eq!((plan.offset, plan.lower, plan.upper), (Some(-1024), 1976, 2976));
        let refused = planned(-1400, 1400, dynamixel(0)).unwrap_err().to_string();
        assert!(refused.contains("an offset of 2048 ticks") && refused.contains("holds 1024"), "{refused}");
        let none = Counting { turn: 4096, offset: None };
        assert_eq!(planned(900, 3100, none).unwrap().offset, None);
        assert!(matches!(planned(3500, 4796, none), Err(PlanError::Offset { most: 0, .. })));
    }

    #[test]
    fn a_travel_of_a_whole_turn_or_of_none_is_refused() {
        let whole = planned(0, 4090, sts(0)).unwrap_err().to_string();
        assert!(whole.contains("4090 ticks leaves no room"), "{whole}");
        let still = planned(2000, 2010, sts(0)).unwrap_err().to_string();
        assert!(still.contains("moved by 10 ticks only"), "{still}");
        assert!(planned(i32::MIN, i32::MAX, sts(0)).is_err());
    }

    #[test]
    fn the_zero_lies_where_the_model_has_it() {
        let jaw = Zero::OfModel { lower: -0.1745, upper: 1.7453 };
        let travel = Travel { lowest: 1448, highest: 2648 };
        // 0.7854 rad from the middle are 512 ticks.
        let zero = |gearing| plan(travel, sts(0), gearing, jaw).unwrap().zero;
        assert_eq!(zero(DIRECT), 2048 - 512);
        assert_eq!(zero(Gearing { reversed: true, ..DIRECT }), 2048 + 512);
        let far = plan(travel, sts(0), Gearing { ticks_per_turn: 1e7, ..DIRECT }, jaw);
        assert!(matches!(far, Err(PlanError::Zero { .. })));
    }

    proptest! {
        #[test]
        fn the_seam_is_outside_and_the_registers_hold_what_is_planned(
            lowest in -9000..9000_i32,
            span in LEAST_TRAVEL..4060_i32,
            present in -2047..=2047_i32,
        ) {
            let plan = planned(lowest, lowest + span, sts(present)).unwrap();
            let offset = plan.offset.unwrap();
            prop_assert!((-2047..=2047).contains(&offset));
            prop_assert!(0 <= plan.lower && plan.upper <= 4095 && plan.upper - plan.lower == span);
            // What the servo will say at the ends is what was planned.
            prop_assert_eq!((lowest + present - offset).rem_euclid(4096), plan.lower);
        }
    }
}
