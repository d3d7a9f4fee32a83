//! What numbers an option takes: a value out of range is a wrong call, said before anything runs.

use std::ops::RangeInclusive;

use clap::builder::RangedU64ValueParser;

/// A whole number within `range`.
pub(super) fn count(range: RangeInclusive<u64>) -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(range)
}

/// A share, 0 to 1.
pub(super) fn share(text: &str) -> Result<f64, String> {
    // A comparison with NaN is never true.
    match text.trim().parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("a share from 0 to 1 is needed, such as 0.1".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_lie_between_nothing_and_all() {
        for good in ["0", "1", "0.25", " 0.5 ", "1e-3", "-0"] {
            assert!(share(good).is_ok(), "{good}");
        }
        for bad in ["", "-0.1", "1.01", "NaN", "inf", "-inf", "ten", "10 %", "0,5"] {
            assert!(share(bad).is_err(), "{bad}");
        }
    }
}
