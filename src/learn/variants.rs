//! Which products are the same thing again: another colour of it, or its picture twice.
//!
//! A difference hash alone takes any two small things on a white ground for each other, and
//! embeddings alone need a high bar; together they agree earlier. Measured on the sample
//! catalogue; see the constants.

use fast_image_resize::PixelType;

use super::Method;
use crate::embedding::Embedding;
use crate::error::Result;
use crate::image::Picture;
use crate::preprocess::resample;

/// Cosine of plain principal components from which two products are variants whatever the hash
/// says. On the sample catalogue 12 pairs: columns, switches, one car in two colours.
const SAME: f32 = 0.9;
/// Cosine from which they are if the hash agrees.
const ALIKE: f32 = 0.8;
/// Bits of 64 that may differ for the hash to agree.
const MAX_BITS: u32 = 5;

/// From which cosines on two products' main pictures show the same thing.
#[derive(Clone, Copy, Debug)]
pub struct Alike {
    /// Whatever the hash says.
    same: f32,
    /// If the hash agrees.
    alike: f32,
}

impl Alike {
    /// For embeddings by a projection of this kind.
    #[must_use]
    pub fn by(projection: Method) -> Self {
        match projection {
            // Nothing is taken off what all pictures have in common: everything looks much alike.
            Method::Plain => Self { same: f32::INFINITY, alike: 0.999 },
            _ => Self { same: SAME, alike: ALIKE },
        }
    }
}

/// Difference hash of a picture: for 8x8 places, whether it gets brighter to the right.
///
/// # Errors
/// `Internal` only.
pub fn difference_hash(picture: &Picture) -> Result<u64> {
    let small = resample(picture.width(), picture.height(), picture.rgb(), PixelType::U8x3, 9, 8)?;
    let luma: Vec<u32> = small
        .chunks_exact(3)
        .map(|p| 299 * u32::from(p[0]) + 587 * u32::from(p[1]) + 114 * u32::from(p[2]))
        .collect();
    let pairs = luma.chunks_exact(9).flat_map(|row| row.windows(2));
    Ok(pairs.fold(0, |hash, pair| hash << 1 | u64::from(pair[1] > pair[0])))
}

/// Per product, the row of the first product of its group; a product without variants has its own.
///
/// `plain` are embeddings of main pictures by principal components alone, which no label has drawn
/// together, and `alike` says what their cosines mean; `hashes` are the pictures' difference hashes; `groups` are the feed's own groups, equal values being
/// one; `neighbours(row)` gives candidates. A group is whatever resembles its first product, so that
/// chains of small differences do not join what differs much.
///
/// # Errors
/// `Mismatch` if embeddings differ in dimension; whatever `neighbours` gives.
pub fn variants(
    plain: &[Embedding],
    alike: Alike,
    hashes: &[u64],
    groups: &[Option<String>],
    neighbours: impl Fn(usize) -> Result<Vec<usize>>,
) -> Result<Vec<usize>> {
    let count = plain.len();
    let mut first: Vec<usize> = (0..count).collect();
    let mut of_feed = std::collections::HashMap::new();
    for ((row, leader), name) in first.iter_mut().enumerate().zip(groups) {
        if let Some(name) = name {
            *leader = *of_feed.entry(name).or_insert(row);
        }
    }
    for row in 0..count {
        // The feed knows better.
        if first[row] != row || groups.get(row).is_some_and(Option::is_some) {
            continue;
        }
        let mut leaders: Vec<usize> = neighbours(row)?;
        leaders.sort_unstable();
        for leader in leaders {
            let own_leader = leader < row && first[leader] == leader;
            if !own_leader || groups.get(leader).is_some_and(Option::is_some) {
                continue;
            }
            let cosine = plain[row].dot(&plain[leader])?;
            let bits = (hashes[row] ^ hashes[leader]).count_ones();
            if cosine >= alike.same || (cosine >= alike.alike && bits <= MAX_BITS) {
                first[row] = leader;
                break;
            }
        }
    }
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(degrees: f32) -> Embedding {
        let angle = degrees.to_radians();
        Embedding::new(vec![angle.cos(), angle.sin()]).unwrap()
    }

    fn everyone(count: usize) -> impl Fn(usize) -> Result<Vec<usize>> {
        move |_| Ok((0..count).collect())
    }

    #[test]
    fn groups_need_a_close_embedding_or_both_signs() {
        // 20 degrees: cosine 0.94. 33: 0.84. 60: 0.5.
        let plain = [at(0.0), at(20.0), at(33.0), at(-33.0), at(60.0)];
        let hashes = [0, u64::MAX, 0b111, u64::MAX, 0];
        let none = vec![None; 5];
        let alike = Alike::by(Method::Principal);
        let found = variants(&plain, alike, &hashes, &none, everyone(5)).unwrap();
        assert_eq!(found, [0, 0, 0, 3, 4]);
        // As the network sees them, pictures of different things are this close as well.
        let alike = Alike::by(Method::Plain);
        let found = variants(&plain, alike, &[0; 5], &none, everyone(5)).unwrap();
        assert_eq!(found, [0, 1, 2, 3, 4]);
        let twice = [at(0.0), at(0.5)];
        assert_eq!(variants(&twice, alike, &[0; 2], &none, everyone(2)).unwrap(), [0, 0]);
    }

    #[test]
    fn chains_do_not_join_and_the_feed_knows_better() {
        let plain = [at(0.0), at(20.0), at(40.0), at(40.0), at(41.0)];
        let hashes = [0, u64::MAX, 0, 0, 0];
        let red = Some("shirt".to_owned());
        let groups = [None, None, None, red.clone(), red];
        // 2 is close to 1 only, which is not the first of its group.
        let alike = Alike::by(Method::Principal);
        let found = variants(&plain, alike, &hashes, &groups, everyone(5)).unwrap();
        assert_eq!(found, [0, 0, 2, 3, 3]);
    }

    #[test]
    fn hashes_stay_under_a_change_of_size_and_differ_between_pictures() {
        let gradient = |w: u32, h: u32, up: bool| {
            let pixel = |i: u32| {
                let x = (i % w) * 255 / w;
                [if up { x as u8 } else { 255 - x as u8 }; 3]
            };
            Picture::from_rgb(w, h, (0..w * h).flat_map(pixel).collect()).unwrap()
        };
        let hash = |w, h, up| difference_hash(&gradient(w, h, up)).unwrap();
        assert_eq!(hash(64, 64, true), u64::MAX);
        assert_eq!(hash(200, 90, true), u64::MAX);
        assert_eq!(hash(64, 64, false), 0);
        assert_eq!(difference_hash(&Picture::from_rgb(1, 1, vec![9; 3]).unwrap()).unwrap(), 0);
    }
}
