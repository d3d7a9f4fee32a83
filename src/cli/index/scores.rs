//! What scores mean in a catalogue, by trials: copies over other grounds of products that nothing was
//! learnt from ask for them, with the product in the catalogue, without it, and without its category.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::catalog::Product;
use crate::cli::lesson::{self, Material};
use crate::cli::random::shuffled;
use crate::embedding::Embedding;
use crate::error::Result;
use crate::manifest::Scores;

/// One of so many units is left out of learning.
const HELD: usize = 5;
/// Fewer trials tell nothing.
const LEAST: usize = 50;
/// More tell nothing new, and each looks at the whole catalogue.
const MOST: usize = 400;
/// Of things that are there, this share may be told that they are not.
const WRONGLY_SAID: f64 = 0.1;
/// Of what is called the same, this share has to be.
const SURE: f64 = 0.9;

/// Thresholds, and how often they are wrong.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Learnt {
    pub(super) scores: Scores,
    /// How many copies asked.
    trials: usize,
    /// Share of them told that there is nothing much like them, with the product there.
    nothing_wrongly_said: f64,
    /// Share of grounds without a product, and of copies with their category taken out of the
    /// catalogue, not told so.
    nothing_wrongly_not_said: f64,
    /// The same of grounds alone.
    nothing_not_said_of_grounds: f64,
}

/// `None` where there are too few copies to ask with.
pub(super) fn learn(
    material: &Material,
    products: &[&Product],
    args: &lesson::Args,
) -> Result<Option<Learnt>> {
    let held = held_out(&material.units);
    let asking: Vec<usize> =
        (0..material.copies.of.len()).filter(|&i| held[material.copies.of[i] as usize]).collect();
    if asking.len() < LEAST {
        return Ok(None);
    }
    let asking: Vec<usize> = asking.iter().copied().step_by(asking.len().div_ceil(MOST)).collect();
    let train: Vec<usize> = (0..products.len()).filter(|&product| !held[product]).collect();
    let (projection, _) = material.learn(&train, products, args)?;
    let embed = |rows: &[Vec<f32>]| -> Result<Vec<Embedding>> {
        rows.par_iter().map(|pooled| projection.apply(pooled)).collect()
    };
    let pictures = embed(&material.pooled)?;
    let copies: Vec<Embedding> = asking
        .par_iter()
        .map(|&copy| projection.apply(&material.copies.pooled[copy]))
        .collect::<Result<_>>()?;
    let best = |query: &Embedding, may: &dyn Fn(usize) -> bool| -> Result<Option<(f32, usize)>> {
        let mut best: Option<(f32, usize)> = None;
        for product in (0..products.len()).filter(|&product| may(product)) {
            for picture in material.owners.pictures_of(product as u32) {
                let score = query.dot(&pictures[picture as usize])?;
                if best.is_none_or(|(most, _)| score > most) {
                    best = Some((score, product));
                }
            }
        }
        Ok(best)
    };
    let units = &material.units;
    let trials: Vec<Trial> = asking
        .par_iter()
        .zip(&copies)
        .map(|(&copy, query)| {
            let own = material.copies.of[copy] as usize;
            let category = products[own].category.as_deref();
            let there = best(query, &|_| true)?;
            let other = best(query, &|product| units[product] != units[own])?;
            let elsewhere = match category {
                None => None,
                Some(category) => {
                    best(query, &|product| products[product].category.as_deref() != Some(category))?
                }
            };
            let score = |found: Option<(f32, usize)>| found.map(|(score, _)| score);
            Ok(Trial {
                there: score(there).unwrap_or(-1.0),
                is_own: there.is_some_and(|(_, product)| units[product] == units[own]),
                other: score(other),
                elsewhere: score(elsewhere),
            })
        })
        .collect::<Result<_>>()?;
    let bare: Vec<f32> = embed(&material.copies.bare)?
        .par_iter()
        .map(|query| Ok(best(query, &|_| true)?.map_or(-1.0, |(score, _)| score)))
        .collect::<Result<_>>()?;
    Ok(Some(thresholds(&trials, &bare)))
}

/// By product, whether its unit is left out of learning.
fn held_out(units: &[u32]) -> Vec<bool> {
    let mut names: Vec<u32> = units.to_vec();
    names.sort_unstable();
    names.dedup();
    let mut left_out = vec![false; names.len()];
    shuffled(names.len(), 1).into_iter().step_by(HELD).for_each(|unit| left_out[unit] = true);
    units.iter().map(|unit| names.binary_search(unit).is_ok_and(|at| left_out[at])).collect()
}

/// The best scores of a copy.
struct Trial {
    /// With its product in the catalogue, and whether that is what was found.
    there: f32,
    is_own: bool,
    /// Without it.
    other: Option<f32>,
    /// Without its category.
    elsewhere: Option<f32>,
}

fn thresholds(trials: &[Trial], bare: &[f32]) -> Learnt {
    let there: Vec<f32> = trials.iter().map(|trial| trial.there).collect();
    let similar = quantile(&there, WRONGLY_SAID);
    // Half of what shoppers ask for being there: the least score from which on nearly all that is
    // found is the very product.
    let mut found: Vec<(f32, bool)> = trials
        .iter()
        .flat_map(|trial| {
            let other = trial.other.map(|score| (score, false));
            [Some((trial.there, trial.is_own)), other].into_iter().flatten()
        })
        .collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut right, mut same) = (0usize, 1.0f32);
    for (i, &(score, is_own)) in found.iter().enumerate() {
        right += usize::from(is_own);
        // Of equal scores all or none.
        let ends = found.get(i + 1).is_none_or(|next| next.0 < score);
        if ends && right as f64 >= SURE * (i + 1) as f64 {
            same = score;
        }
    }
    let same = same.max(similar);
    // Closer than a product's nearest other one usually is.
    let others: Vec<f32> = trials.iter().filter_map(|trial| trial.other).collect();
    let close = quantile(&others, 0.5).clamp(similar, same);
    let absent: Vec<f32> =
        trials.iter().filter_map(|trial| trial.elsewhere).chain(bare.iter().copied()).collect();
    let share = |scores: &[f32], hit: &dyn Fn(f32) -> bool| {
        scores.iter().filter(|&&score| hit(score)).count() as f64 / scores.len().max(1) as f64
    };
    Learnt {
        scores: Scores { same, close, similar },
        trials: trials.len(),
        nothing_wrongly_said: share(&there, &|score| score < similar),
        nothing_wrongly_not_said: share(&absent, &|score| score >= similar),
        nothing_not_said_of_grounds: share(bare, &|score| score >= similar),
    }
}

/// The value below which this share of them lies; in -1 to 1.
fn quantile(values: &[f32], share: f64) -> f32 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f32::total_cmp);
    let at = (share * sorted.len() as f64) as usize;
    sorted.get(at.min(sorted.len().saturating_sub(1))).copied().unwrap_or(1.0).clamp(-1.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Products that are there score 0.5 to 1, the nearest others 0.1 less, other kinds 0.6 less.
    fn trials() -> Vec<Trial> {
        (0..100)
            .map(|i| {
                let there = 0.5 + i as f32 / 200.0;
                Trial {
                    there,
                    is_own: i > 10,
                    other: Some(there - 0.1),
                    elsewhere: Some(there - 0.6),
                }
            })
            .collect()
    }

    #[test]
    fn thresholds_keep_their_promises() {
        let learnt = thresholds(&trials(), &[0.1; 20]);
        let Scores { same, close, similar } = learnt.scores;
        assert!(same > close && close > similar, "{learnt:?}");
        assert!((learnt.nothing_wrongly_said - 0.1).abs() < 0.011, "{learnt:?}");
        assert!(learnt.nothing_wrongly_not_said < 0.01, "{learnt:?}");
        let called: Vec<bool> = trials()
            .iter()
            .flat_map(|t| [(t.there, t.is_own), (t.other.unwrap(), false)])
            .filter(|(score, _)| *score >= same)
            .map(|(_, own)| own)
            .collect();
        let right = called.iter().filter(|own| **own).count();
        assert!(right as f64 >= SURE * called.len() as f64 && called.len() > 20, "{called:?}");
    }

    #[test]
    fn scores_that_tell_nothing_apart_still_make_thresholds_in_order() {
        let of = |there, is_own, other| Trial { there, is_own, other, elsewhere: None };
        for trials in [
            vec![of(0.4, false, Some(0.4)), of(0.4, false, None)],
            vec![of(-1.0, true, None)],
            vec![of(0.9, true, Some(0.95)), of(0.2, false, Some(0.1))],
        ] {
            let Scores { same, close, similar } = thresholds(&trials, &[]).scores;
            assert!(1.0 >= same && same >= close && close >= similar && similar >= -1.0);
        }
    }

    #[test]
    fn variants_are_held_out_together() {
        let units: Vec<u32> = (0..50).map(|product| product / 2 * 2).collect();
        let held = held_out(&units);
        assert_eq!(held.iter().filter(|held| **held).count(), 10);
        assert!((0..50).all(|product| held[product] == held[product / 2 * 2]));
    }
}
