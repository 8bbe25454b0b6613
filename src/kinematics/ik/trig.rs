//! Sine and cosine together, without branches.
//!
//! To about 1e-16 for any angle of up to 100 000 turns. The polynomials are those of Sun's fdlibm.

use super::lanes::Lanes;

/// π/2 in three parts; the first two end in so many zeros that their products with whole numbers are exact.
const QUARTER_TURN: [f64; 3] =
    [1.570_796_326_734_125_6, 6.077_100_506_303_966e-11, 2.022_266_248_795_950_6e-21];

/// Added to a small number and taken away again, it leaves the nearest whole one, which meanwhile stands in the
/// lowest bits of the pattern.
const ROUNDER: f64 = 6_755_399_441_055_744.0;

const SIN: [f64; 6] = [
    -1.666_666_666_666_663_2e-1,
    8.333_333_333_322_49e-3,
    -1.984_126_982_985_795e-4,
    2.755_731_370_707_006_8e-6,
    -2.505_076_025_340_686_4e-8,
    1.589_690_995_211_55e-10,
];

const COS: [f64; 6] = [
    4.166_666_666_666_66e-2,
    -1.388_888_888_887_411e-3,
    2.480_158_728_947_673e-5,
    -2.755_731_435_139_066_3e-7,
    2.087_572_321_298_175e-9,
    -1.135_964_755_778_819_5e-11,
];

/// The sine and the cosine of an angle in radians.
#[inline(always)]
pub(super) fn sin_cos<L: Lanes>(angle: L) -> (L, L) {
    let rounder = angle.like(ROUNDER);
    let quarters_in_bits = angle.mul_add(angle.like(std::f64::consts::FRAC_2_PI), rounder);
    let quarters = quarters_in_bits - rounder;
    let rest = quarters.sub_from(angle.like(QUARTER_TURN[0]), angle);
    let rest = quarters.sub_from(angle.like(QUARTER_TURN[1]), rest);
    let rest = quarters.sub_from(angle.like(QUARTER_TURN[2]), rest);
    let square = rest * rest;
    let sin = (rest * square).mul_add(polynomial(square, SIN), rest);
    let one_less_half = square.sub_from(angle.like(0.5), angle.like(1.0));
    let cos = (square * square).mul_add(polynomial(square, COS), one_less_half);
    let next_quarter = quarters_in_bits + angle.like(1.0);
    (
        quarters_in_bits.negate_by_second_bit(quarters_in_bits.by_lowest_bit(cos, sin)),
        next_quarter.negate_by_second_bit(quarters_in_bits.by_lowest_bit(sin, cos)),
    )
}

/// In pairs, so that it does not wait for itself so often.
#[inline(always)]
fn polynomial<L: Lanes>(x: L, c: [f64; 6]) -> L {
    let square = x * x;
    let low = x.mul_add(x.like(c[1]), x.like(c[0]));
    let middle = x.mul_add(x.like(c[3]), x.like(c[2]));
    let high = x.mul_add(x.like(c[5]), x.like(c[4]));
    square.mul_add(square.mul_add(high, middle), low)
}

#[cfg(test)]
mod tests {
    use super::super::lanes::{Anywhere, Plain};
    use super::*;

    #[test]
    fn sine_and_cosine_are_those_of_the_standard_library() {
        for step in -200_000..200_000 {
            let angle = f64::from(step) * 0.001_234_567;
            let (sin, cos) = sin_cos(Plain::splat(Anywhere, angle));
            let error = (sin.to_array()[0] - angle.sin()).abs().max((cos.to_array()[0] - angle.cos()).abs());
            assert!(error < 4e-16, "at {angle} by {error}");
        }
    }

    #[test]
    fn many_turns_away_they_are_still_exact() {
        for turns in [-1e5, -3e4, 12_345.0, 1e5] {
            let angle: f64 = turns * std::f64::consts::TAU + 0.7;
            let (sin, cos) = sin_cos(Plain::splat(Anywhere, angle));
            let error = (sin.to_array()[0] - angle.sin()).abs().max((cos.to_array()[0] - angle.cos()).abs());
            assert!(error < 1e-15, "at {angle} by {error}");
        }
    }
}
