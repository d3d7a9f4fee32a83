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

/// A box of pixels, `x0,y0,x1,y1`, half open; it may reach beyond the picture, which is not known yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Corners(pub(super) [i64; 4]);

/// A box as it is written on the command line.
pub(super) fn corners(text: &str) -> Result<Corners, String> {
    let parts: Option<Vec<i64>> = text.split(',').map(|part| part.trim().parse().ok()).collect();
    let Some(Ok(corners)) = parts.map(<[i64; 4]>::try_from) else {
        return Err("four whole numbers are needed, x0,y0,x1,y1 in pixels from the upper left \
                    corner, such as 120,80,360,400"
            .into());
    };
    let [x0, y0, x1, y1] = corners;
    if x0 >= x1 || y0 >= y1 {
        return Err(
            "the box has no area: x0,y0 is its upper left corner and x1,y1 its lower right \
                    one, of which x1 and y1 are no part of it"
                .into(),
        );
    }
    Ok(Corners(corners))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_are_four_whole_numbers_with_something_between() {
        assert_eq!(corners("1,2,3,4"), Ok(Corners([1, 2, 3, 4])));
        assert_eq!(corners(" -5, 0 ,99999999999,4"), Ok(Corners([-5, 0, 99_999_999_999, 4])));
        for bad in ["", "1,2,3", "1,2,3,4,5", "1.5,2,3,4", "a,b,c,d", "1 2 3 4", "1e99,0,2,3"] {
            assert!(corners(bad).unwrap_err().contains("four whole numbers"), "{bad}");
        }
        for nothing in ["3,2,3,4", "1,4,3,4", "5,2,3,4", "1,9,3,4"] {
            assert!(corners(nothing).unwrap_err().contains("no area"), "{nothing}");
        }
    }

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
