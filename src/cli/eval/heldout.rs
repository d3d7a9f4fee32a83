//! Protocols in which the projection has never seen the pictures that it is asked with. Variants that
//! the feed names are learnt from together or not at all, and do not find each other.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::catalog::Product;
use crate::cli::lesson::{self, Material};
use crate::cli::random::shuffled;
use crate::error::{Error, ErrorKind, Result};
use crate::index::Codes;
use crate::learn::Recipe;

/// How products are split into those that are learnt from and those that ask.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum HeldOut {
    /// Each product asks once, with a projection learnt without it and its share of the others;
    /// it looks for its neighbours among all others.
    Folds(usize),
    /// As often as said: a random half is the catalogue, learnt from and searched; the other asks.
    Halves(usize),
}

/// One query and what it found.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answer {
    /// Row of the product that asks.
    pub(super) query: usize,
    /// Rows of what was found, best first, without itself.
    pub(super) found: Vec<usize>,
}

/// Answers with the `k` nearest int8 codes, and the recipe of the last split.
pub(super) fn answers(
    material: &Material,
    products: &[&Product],
    args: &lesson::Args,
    held_out: HeldOut,
    k: usize,
    step: impl Fn() + Sync,
) -> Result<(Vec<Answer>, Recipe)> {
    let mut all = Vec::new();
    let mut last = Recipe::default();
    for Split { train, ask, search } in splits(&material.units, held_out)? {
        let (projection, recipe) = material.learn(&train, products, args)?;
        let embeddings = material
            .pooled
            .par_iter()
            .map(|pooled| projection.apply(pooled))
            .collect::<Result<Vec<_>>>()?;
        let codes = Codes::from_embeddings(&embeddings)?;
        // A product asks with its main picture and is found by its nearest.
        let likeness = |query: usize, row: usize| {
            let pictures = material.owners.pictures_of(row as u32);
            let cosines = pictures.map(|p| codes.cosine(material.main(query), p as usize));
            cosines.fold(f32::NEG_INFINITY, f32::max)
        };
        let found: Vec<Answer> = ask
            .into_par_iter()
            .map(|query| {
                let mut scored: Vec<(usize, f32)> = search
                    .iter()
                    .filter(|&&row| material.units[row] != material.units[query])
                    .map(|&row| (row, likeness(query, row)))
                    .collect();
                scored.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
                scored.truncate(k);
                Answer { query, found: scored.into_iter().map(|s| s.0).collect() }
            })
            .collect();
        all.extend(found);
        last = recipe;
        step();
    }
    all.sort_by_key(|answer| answer.query);
    Ok((all, last))
}

/// How many projections are learnt.
pub(super) fn rounds(held_out: HeldOut) -> usize {
    match held_out {
        HeldOut::Folds(n) | HeldOut::Halves(n) => n,
    }
}

struct Split {
    train: Vec<usize>,
    ask: Vec<usize>,
    search: Vec<usize>,
}

/// Splits products, given the unit of each: those of one unit stay together.
fn splits(units: &[u32], held_out: HeldOut) -> Result<Vec<Split>> {
    let mut members: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (product, &unit) in units.iter().enumerate() {
        members.entry(unit).or_default().push(product);
    }
    let members: Vec<Vec<usize>> = members.into_values().collect();
    let count = members.len();
    let products = |chosen: Vec<usize>| -> Vec<usize> {
        chosen.into_iter().flat_map(|unit| members[unit].iter().copied()).collect()
    };
    let few = |needed: usize| {
        Error::new(
            ErrorKind::BadCatalog,
            format!("{count} products cannot be split so: at least {needed} are needed"),
        )
    };
    Ok(match held_out {
        HeldOut::Folds(folds) => {
            if folds < 2 {
                let what = "--folds needs 2 groups at least: one asks, the others are learnt from";
                return Err(Error::new(ErrorKind::BadCatalog, what));
            }
            if folds > count {
                return Err(few(folds));
            }
            let order = shuffled(count, 0);
            let held = |fold: usize| (0..count).map(move |at| at % folds == fold);
            let pick = |fold: usize, wanted: bool| {
                let chosen = order.iter().zip(held(fold)).filter(|(_, h)| *h == wanted);
                products(chosen.map(|(&i, _)| i).collect())
            };
            (0..folds)
                .map(|fold| Split {
                    train: pick(fold, false),
                    ask: pick(fold, true),
                    search: (0..units.len()).collect(),
                })
                .collect()
        }
        HeldOut::Halves(seeds) => {
            if count < 4 || seeds == 0 {
                return Err(few(4));
            }
            (0..seeds)
                .map(|seed| {
                    let mut train = shuffled(count, seed as u64);
                    let ask = products(train.split_off(count / 2));
                    let train = products(train);
                    Split { search: train.clone(), train, ask }
                })
                .collect()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alone(count: u32) -> Vec<u32> {
        (0..count).collect()
    }

    #[test]
    fn variants_are_never_torn_apart() {
        // Every three products are one thing.
        let units: Vec<u32> = (0..60).map(|i| i / 3 * 3).collect();
        for held_out in [HeldOut::Folds(5), HeldOut::Halves(3)] {
            for split in splits(&units, held_out).unwrap() {
                let learnt: Vec<u32> = split.train.iter().map(|&i| units[i]).collect();
                assert!(split.ask.iter().all(|&i| !learnt.contains(&units[i])));
                assert_eq!(split.ask.len() + split.train.len(), 60);
            }
        }
        assert!(splits(&[0; 60], HeldOut::Folds(5)).is_err());
    }

    #[test]
    fn every_product_asks_once_and_is_never_learnt_from_then() {
        let splits = splits(&alone(23), HeldOut::Folds(10)).unwrap();
        let mut asked: Vec<usize> = splits.iter().flat_map(|s| s.ask.clone()).collect();
        asked.sort_unstable();
        assert_eq!(asked, (0..23).collect::<Vec<_>>());
        for split in &splits {
            assert!(split.ask.iter().all(|i| !split.train.contains(i)));
            assert_eq!((split.ask.len() + split.train.len(), split.search.len()), (23, 23));
        }
    }

    #[test]
    fn halves_do_not_meet_and_differ_by_seed() {
        let splits = splits(&alone(9), HeldOut::Halves(3)).unwrap();
        for split in &splits {
            assert_eq!((split.train.len(), split.ask.len()), (4, 5));
            assert!(split.ask.iter().all(|i| !split.search.contains(i)));
        }
        assert_ne!(splits[0].train, splits[1].train);
    }

    #[test]
    fn too_few_products_are_refused() {
        for (count, held_out) in [
            (1, HeldOut::Folds(10)),
            (9, HeldOut::Folds(10)),
            (9, HeldOut::Folds(1)),
            (3, HeldOut::Halves(5)),
            (30, HeldOut::Halves(0)),
        ] {
            assert_eq!(
                splits(&alone(count), held_out).err().unwrap().kind(),
                ErrorKind::BadCatalog
            );
        }
    }
}
