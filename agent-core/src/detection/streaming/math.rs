//! The few functions that the detectors need, from additions, multiplications, divisions and bits alone: the same
//! result on every machine, which the platform's own `log` and `cbrt` do not promise.

/// How many standard deviations of a normal distribution its mean absolute deviation is worth: `sqrt(π/2)`.
pub(in crate::detection) const SIGMAS_PER_DEVIATION: f32 = 1.253_314_1;
const LOG10_2: f32 = std::f32::consts::LOG10_2;

/// A polynomial of degree six for the binary logarithm of 1.5 + t, through the zeros of a Chebyshev polynomial.
const LOG2_SERIES: [f32; 7] =
    [0.584_962_5, 0.961_820_8, -0.320_613_03, 0.141_724_74, -0.070_796_86, 0.043_907_48, -0.024_568_535];

/// The binary logarithm of a positive, normal number, to 1e-5 or so. No branches and no divisions: many at once are
/// worked out side by side.
#[inline]
#[expect(clippy::cast_precision_loss, reason = "an exponent is below 256")]
pub(in crate::detection) fn log2(x: f32) -> f32 {
    let bits = x.max(f32::MIN_POSITIVE).to_bits();
    let exponent = (bits >> 23).cast_signed() as f32 - 127.0;
    let part = f32::from_bits((bits & 0x007f_ffff) | 0x3f80_0000) - 1.5;
    LOG2_SERIES.iter().rev().fold(0.0, |sum, factor| sum * part + factor) + exponent
}

/// The decimal logarithm of a positive, normal number.
#[inline]
pub(in crate::detection) fn log10(x: f32) -> f32 {
    log2(x) * LOG10_2
}

/// The natural logarithm of a positive, normal number.
#[inline]
pub(in crate::detection) fn ln(x: f32) -> f32 {
    log2(x) * std::f32::consts::LN_2
}

/// A polynomial of degree five for `2^t`, 0 to 1, through the zeros of a Chebyshev polynomial.
const EXP2_SERIES: [f32; 6] =
    [0.999_999_9, 0.693_154_5, 0.240_141_82, 0.055_860_337, 0.008_949_59, 0.001_893_754];

/// `e^x`, to 1e-6 or so of it; 0 below what a normal number holds.
pub(in crate::detection) fn exp(x: f32) -> f32 {
    let x = (x * std::f32::consts::LOG2_E).clamp(-126.0, 126.0);
    let whole = x.floor();
    let part = EXP2_SERIES.iter().rev().fold(0.0, |sum, factor| sum * (x - whole) + factor);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1 to 253")]
    let power = f32::from_bits(((whole + 127.0) as u32) << 23);
    part * power
}

/// `x^(2/3)` for `x >= 0`, by two steps of Halley's method from a guess that divides the exponent by three.
#[inline]
pub(in crate::detection) fn two_thirds_power(x: f32) -> f32 {
    if x < 1e-12 {
        return 0.0;
    }
    let mut root = f32::from_bits(x.to_bits() / 3 + 709_921_077);
    for _ in 0..2 {
        let cube = root * root * root;
        root *= (cube + 2.0 * x) / (2.0 * cube + x);
    }
    root * root
}

/// A count as a weight; exact far beyond any count that is used.
#[expect(clippy::cast_precision_loss, reason = "counts are capped far below 2^24")]
pub(in crate::detection) fn count(number: u32) -> f32 {
    number as f32
}

/// What is left of a number's precision is enough.
#[expect(clippy::cast_possible_truncation, reason = "ratios and offsets, clamped before")]
pub(in crate::detection) fn narrow(x: f64) -> f32 {
    x as f32
}

/// The weight of a sample in a mean that begins as a plain one and then follows: `seen` samples were, this one included.
#[inline]
pub(in crate::detection) fn weight(seen: u32, window: u32) -> f32 {
    // Of a constant window the quotient is a constant too: once it is full nothing is divided.
    if seen >= window { 1.0 / count(window) } else { 1.0 / count(seen.max(1)) }
}

/// Moves such a mean.
#[inline]
pub(in crate::detection) fn follow(mean: &mut f32, value: f32, seen: u32, window: u32) {
    *mean += (value - *mean) * weight(seen, window);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_what_they_say() {
        for step in 1..4_000u16 {
            let x = f32::from(step) * f32::from(step) * 1e-3;
            assert!((log2(x) - x.log2()).abs() < 2e-4, "{x}: {} {}", log2(x), x.log2());
            assert!((log10(x) - x.log10()).abs() < 1e-4);
            assert!((two_thirds_power(x) / x.powf(2.0 / 3.0) - 1.0).abs() < 1e-5, "{x}");
        }
        for step in -300..300i16 {
            let x = f32::from(step) * 0.25;
            assert!((exp(x) / x.exp() - 1.0).abs() < 2e-5, "{x}: {}", exp(x));
            assert!((ln(exp(x)) - x).abs() < 1e-4);
        }
        assert!(exp(-1e9) >= 0.0 && exp(-1e9) < 1e-37);
        assert!(two_thirds_power(0.0).abs() < f32::EPSILON);
        assert!(log2(0.0).is_finite());
    }
}
