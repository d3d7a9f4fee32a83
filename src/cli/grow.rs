//! Catalogues larger than the one at hand, for measuring time and memory at scale.
//!
//! A grown row lies between a row and one of its nearest: each coordinate at its own place between
//! theirs. So rows keep the range, the sign and the neighbourhoods of real ones, and they have full
//! rank, which mixes with one share for all coordinates would not. Interpolation between neighbours
//! is that of SMOTE (Chawla et al., JAIR 2002). What a search finds among grown rows says nothing
//! about quality.

use rayon::prelude::*;

use super::random::{mixed, uniform};

/// Neighbours between which rows are grown.
const NEIGHBOURS: usize = 5;
/// How far a coordinate may leave the row's share.
const SCATTER: f32 = 0.25;

/// Where a row lies between two of those that are there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Mix {
    /// The row that it stems from; what is no number, such as a title, it has from here.
    pub(super) from: usize,
    to: usize,
    share: f32,
    seed: u64,
}

/// How to make `count` rows of `vectors`, of which there must be some: these themselves first, then
/// rows between them; if `count` is smaller, every so many-th. The same plan grows other features of
/// the same rows alike.
pub(super) fn plan(vectors: &[Vec<f32>], count: usize) -> Vec<Mix> {
    let there = vectors.len();
    let itself = |row| Mix { from: row, to: row, share: 0.0, seed: 0 };
    if count <= there {
        return (0..count).map(|i| itself(i * there / count)).collect();
    }
    let near = nearest(vectors);
    let grown = |row: usize| {
        let (from, seed) = (row % there, mixed(row as u64));
        let near = &near[from];
        let to = near.get(seed as usize % near.len().max(1)).copied().unwrap_or(from);
        Mix { from, to, share: uniform(seed), seed }
    };
    (0..there).map(itself).chain((there..count).map(grown)).collect()
}

/// The rows of a plan.
pub(super) fn grow(vectors: &[Vec<f32>], plan: &[Mix]) -> Vec<Vec<f32>> {
    plan.par_iter()
        .map(|mix| {
            let (from, to) = (&vectors[mix.from], &vectors[mix.to]);
            if mix.from == mix.to {
                return from.clone();
            }
            let pairs = from.iter().zip(to).enumerate();
            pairs
                .map(|(i, (a, b))| {
                    let scatter = SCATTER * (2.0 * uniform(mix.seed.wrapping_add(i as u64)) - 1.0);
                    a + (mix.share + scatter).clamp(0.0, 1.0) * (b - a)
                })
                .collect()
        })
        .collect()
}

/// Per row, those of greatest cosine.
fn nearest(vectors: &[Vec<f32>]) -> Vec<Vec<usize>> {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
    let lengths: Vec<f32> =
        vectors.iter().map(|v| dot(v, v).sqrt().max(f32::MIN_POSITIVE)).collect();
    (0..vectors.len())
        .into_par_iter()
        .map(|row| {
            let mut others: Vec<(usize, f32)> = (0..vectors.len())
                .filter(|&other| other != row)
                .map(|other| (other, dot(&vectors[row], &vectors[other]) / lengths[other]))
                .collect();
            others.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            others.truncate(NEIGHBOURS);
            others.into_iter().map(|o| o.0).collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(count: usize) -> Vec<Vec<f32>> {
        (0..count).map(|i| (0..4).map(|j| uniform((i * 4 + j) as u64)).collect()).collect()
    }

    #[test]
    fn grown_rows_lie_between_two_and_differ() {
        let vectors = rows(9);
        let plan = plan(&vectors, 40);
        let grown = grow(&vectors, &plan);
        assert_eq!(grown[..9], vectors);
        for (row, mix) in grown.iter().zip(&plan) {
            for (j, x) in row.iter().enumerate() {
                let (a, b) = (vectors[mix.from][j], vectors[mix.to][j]);
                assert!((a.min(b)..=a.max(b)).contains(x), "{x} between {a} and {b}");
            }
        }
        assert!(grown.iter().enumerate().all(|(i, row)| !grown[..i].contains(row)));
        assert_eq!(grow(&vectors, &plan), grown, "repeats");
    }

    #[test]
    fn fewer_rows_are_spread_over_all_and_one_row_grows_itself() {
        let from = |plan: Vec<Mix>| plan.into_iter().map(|m| m.from).collect::<Vec<_>>();
        assert_eq!(from(plan(&rows(9), 3)), [0, 3, 6]);
        assert_eq!(from(plan(&rows(1), 3)), [0, 0, 0]);
        assert!(plan(&rows(2), 0).is_empty());
    }
}
