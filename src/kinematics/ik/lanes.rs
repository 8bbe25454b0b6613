//! Numbers that the kernel computes with: one at a time, or four side by side.
//!
//! Knows nothing of kinematics. The same generic code becomes plain code, code with fused multiply-add, and AVX2
//! code; the token that the latter two carry proves that the processor has the instructions.

use std::ops::{Add, Div, Mul, Neg, Sub};

/// One number in each of [`Lanes::COUNT`] lanes, up to [`MOST`].
pub(super) trait Lanes:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self> + Neg<Output = Self>
{
    /// How many lanes there are.
    const COUNT: usize;

    /// What stands for the right to run the instructions.
    type Token: Copy;

    /// A yes or no in each lane.
    type Mask: Copy;

    /// The same number in every lane.
    fn splat(token: Self::Token, value: f64) -> Self;

    /// The token that it was made with.
    fn token(self) -> Self::Token;

    /// The numbers, the first [`Lanes::COUNT`] of them.
    fn to_array(self) -> [f64; MOST];

    /// From the first [`Lanes::COUNT`] of these.
    fn from_array(token: Self::Token, values: [f64; MOST]) -> Self;

    /// `self · factor + addend`
    fn mul_add(self, factor: Self, addend: Self) -> Self;

    /// `minuend − self · factor`
    fn sub_from(self, factor: Self, minuend: Self) -> Self;

    fn sqrt(self) -> Self;

    /// The smaller one; `other` where either is NaN.
    fn min(self, other: Self) -> Self;

    /// The larger one; `other` where either is NaN.
    fn max(self, other: Self) -> Self;

    /// `self <= other`; NaN is not.
    fn is_at_most(self, other: Self) -> Self::Mask;

    fn both(a: Self::Mask, b: Self::Mask) -> Self::Mask;

    fn either(a: Self::Mask, b: Self::Mask) -> Self::Mask;

    fn choose(mask: Self::Mask, yes: Self, no: Self) -> Self;

    /// Bit `i` says yes in lane `i`.
    fn bits(mask: Self::Mask) -> u32;

    /// `odd` where the lowest bit of the number's pattern is set, `even` elsewhere.
    fn by_lowest_bit(self, odd: Self, even: Self) -> Self;

    /// `value`, negated where the second lowest bit of the number's pattern is set.
    fn negate_by_second_bit(self, value: Self) -> Self;

    /// Another number, in every lane.
    #[inline(always)]
    fn like(self, value: f64) -> Self {
        Self::splat(self.token(), value)
    }
}

/// The most lanes that there are.
pub(super) const MOST: usize = 4;

/// One number; compiled for any processor.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plain(f64);

/// The token of [`Plain`]: every processor may.
#[derive(Clone, Copy, Debug)]
pub(super) struct Anywhere;

macro_rules! operators {
    ($name:ident, $(($trait:ident, $method:ident, |$a:ident, $b:ident| $body:expr)),*) => {$(
        impl $trait for $name {
            type Output = Self;

            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                let ($a, $b) = (self, other);
                $body
            }
        }
    )*};
}

operators!(
    Plain,
    (Add, add, |a, b| Self(a.0 + b.0)),
    (Sub, sub, |a, b| Self(a.0 - b.0)),
    (Mul, mul, |a, b| Self(a.0 * b.0)),
    (Div, div, |a, b| Self(a.0 / b.0))
);

impl Neg for Plain {
    type Output = Self;

    #[inline(always)]
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

/// What one number does the same way with and without fused multiply-add.
macro_rules! single {
    ($make:expr) => {
        const COUNT: usize = 1;
        type Mask = bool;

        #[inline(always)]
        fn to_array(self) -> [f64; MOST] {
            [self.0; MOST]
        }

        #[inline(always)]
        fn from_array(token: Self::Token, values: [f64; MOST]) -> Self {
            Self::splat(token, values[0])
        }

        #[inline(always)]
        fn sqrt(self) -> Self {
            self.like(self.0.sqrt())
        }

        #[inline(always)]
        fn min(self, other: Self) -> Self {
            if self.0 < other.0 { self } else { other }
        }

        #[inline(always)]
        fn max(self, other: Self) -> Self {
            if self.0 > other.0 { self } else { other }
        }

        #[inline(always)]
        fn is_at_most(self, other: Self) -> bool {
            self.0 <= other.0
        }

        #[inline(always)]
        fn both(a: bool, b: bool) -> bool {
            a & b
        }

        #[inline(always)]
        fn either(a: bool, b: bool) -> bool {
            a | b
        }

        #[inline(always)]
        fn choose(mask: bool, yes: Self, no: Self) -> Self {
            if mask { yes } else { no }
        }

        #[inline(always)]
        fn bits(mask: bool) -> u32 {
            u32::from(mask)
        }

        #[inline(always)]
        fn by_lowest_bit(self, odd: Self, even: Self) -> Self {
            if self.0.to_bits() & 1 != 0 { odd } else { even }
        }

        #[inline(always)]
        fn negate_by_second_bit(self, value: Self) -> Self {
            let sign = (self.0.to_bits() & 2) << 62;
            self.like(f64::from_bits(value.0.to_bits() ^ sign))
        }
    };
}

impl Lanes for Plain {
    type Token = Anywhere;
    single!(Plain);

    #[inline(always)]
    fn splat(_: Anywhere, value: f64) -> Self {
        Self(value)
    }

    #[inline(always)]
    fn token(self) -> Anywhere {
        Anywhere
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, addend: Self) -> Self {
        Self(self.0 * factor.0 + addend.0)
    }

    #[inline(always)]
    fn sub_from(self, factor: Self, minuend: Self) -> Self {
        Self(minuend.0 - self.0 * factor.0)
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) use x86::{Four, Fused};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::__m256d;
    use std::ops::{Add, Div, Mul, Neg, Sub};

    use pulp::cast;
    use pulp::x86::V3;

    use super::{Lanes, MOST};

    /// One number, with fused multiply-add.
    #[derive(Clone, Copy, Debug)]
    pub(in super::super) struct Fused(f64, V3);

    /// Four numbers in an AVX2 register.
    #[derive(Clone, Copy, Debug)]
    pub(in super::super) struct Four(__m256d, V3);

    operators!(
        Fused,
        (Add, add, |a, b| Self(a.0 + b.0, a.1)),
        (Sub, sub, |a, b| Self(a.0 - b.0, a.1)),
        (Mul, mul, |a, b| Self(a.0 * b.0, a.1)),
        (Div, div, |a, b| Self(a.0 / b.0, a.1))
    );

    impl Neg for Fused {
        type Output = Self;

        #[inline(always)]
        fn neg(self) -> Self {
            Self(-self.0, self.1)
        }
    }

    impl Lanes for Fused {
        type Token = V3;
        single!(Fused);

        #[inline(always)]
        fn splat(token: V3, value: f64) -> Self {
            Self(value, token)
        }

        #[inline(always)]
        fn token(self) -> V3 {
            self.1
        }

        #[inline(always)]
        fn mul_add(self, factor: Self, addend: Self) -> Self {
            Self(self.0.mul_add(factor.0, addend.0), self.1)
        }

        #[inline(always)]
        fn sub_from(self, factor: Self, minuend: Self) -> Self {
            Self((-self.0).mul_add(factor.0, minuend.0), self.1)
        }
    }

    operators!(
        Four,
        (Add, add, |a, b| Self(a.1.avx._mm256_add_pd(a.0, b.0), a.1)),
        (Sub, sub, |a, b| Self(a.1.avx._mm256_sub_pd(a.0, b.0), a.1)),
        (Mul, mul, |a, b| Self(a.1.avx._mm256_mul_pd(a.0, b.0), a.1)),
        (Div, div, |a, b| Self(a.1.avx._mm256_div_pd(a.0, b.0), a.1))
    );

    impl Neg for Four {
        type Output = Self;

        #[inline(always)]
        fn neg(self) -> Self {
            let sign = self.like(-0.0);
            Self(self.1.avx._mm256_xor_pd(self.0, sign.0), self.1)
        }
    }

    /// `_CMP_LE_OQ`
    const AT_MOST: i32 = 0x12;

    impl Four {
        /// The bits of each number, moved up.
        #[inline(always)]
        fn bits_up<const PLACES: i32>(self) -> __m256d {
            let bits = self.1.avx._mm256_castpd_si256(self.0);
            self.1.avx._mm256_castsi256_pd(self.1.avx2._mm256_slli_epi64::<PLACES>(bits))
        }
    }

    impl Lanes for Four {
        const COUNT: usize = 4;
        type Token = V3;
        type Mask = Self;

        #[inline(always)]
        fn splat(token: V3, value: f64) -> Self {
            Self(token.avx._mm256_set1_pd(value), token)
        }

        #[inline(always)]
        fn token(self) -> V3 {
            self.1
        }

        #[inline(always)]
        fn to_array(self) -> [f64; MOST] {
            cast(self.0)
        }

        #[inline(always)]
        fn from_array(token: V3, values: [f64; MOST]) -> Self {
            Self(cast(values), token)
        }

        #[inline(always)]
        fn mul_add(self, factor: Self, addend: Self) -> Self {
            Self(self.1.fma._mm256_fmadd_pd(self.0, factor.0, addend.0), self.1)
        }

        #[inline(always)]
        fn sub_from(self, factor: Self, minuend: Self) -> Self {
            Self(self.1.fma._mm256_fnmadd_pd(self.0, factor.0, minuend.0), self.1)
        }

        #[inline(always)]
        fn sqrt(self) -> Self {
            Self(self.1.avx._mm256_sqrt_pd(self.0), self.1)
        }

        #[inline(always)]
        fn min(self, other: Self) -> Self {
            Self(self.1.avx._mm256_min_pd(self.0, other.0), self.1)
        }

        #[inline(always)]
        fn max(self, other: Self) -> Self {
            Self(self.1.avx._mm256_max_pd(self.0, other.0), self.1)
        }

        #[inline(always)]
        fn is_at_most(self, other: Self) -> Self {
            Self(self.1.avx._mm256_cmp_pd::<AT_MOST>(self.0, other.0), self.1)
        }

        #[inline(always)]
        fn both(a: Self, b: Self) -> Self {
            Self(a.1.avx._mm256_and_pd(a.0, b.0), a.1)
        }

        #[inline(always)]
        fn either(a: Self, b: Self) -> Self {
            Self(a.1.avx._mm256_or_pd(a.0, b.0), a.1)
        }

        #[inline(always)]
        fn choose(mask: Self, yes: Self, no: Self) -> Self {
            Self(mask.1.avx._mm256_blendv_pd(no.0, yes.0, mask.0), mask.1)
        }

        #[inline(always)]
        fn bits(mask: Self) -> u32 {
            mask.1.avx._mm256_movemask_pd(mask.0).cast_unsigned()
        }

        #[inline(always)]
        fn by_lowest_bit(self, odd: Self, even: Self) -> Self {
            let mask = self.bits_up::<63>();
            Self(self.1.avx._mm256_blendv_pd(even.0, odd.0, mask), self.1)
        }

        #[inline(always)]
        fn negate_by_second_bit(self, value: Self) -> Self {
            let sign = self.1.avx._mm256_and_pd(self.bits_up::<62>(), self.like(-0.0).0);
            Self(self.1.avx._mm256_xor_pd(value.0, sign), self.1)
        }
    }
}
