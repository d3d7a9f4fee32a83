//! Held-out checks: what a recipe does for products that it was not learnt from.
//!
//! Rows are pictures. All pictures of a product, and all products of one unit (variants that the feed
//! names), are in the same fold: a check never asks with what it has learnt from. Each product weighs
//! the same in every figure, and neighbours are products, each by its nearest picture. Copies over
//! other grounds are learnt from and ask, and are never found: an index has none.

use std::collections::HashMap;

use lookalike_linalg::Matrix;

use super::samples::{Samples, Targets, column_means, minus, regularised, rms};

/// More rows than these say nothing new about which recipe is better, and cost their cube.
const MOST: usize = 1500;
/// The same where some of the rows are copies.
const MOST_WITH_COPIES: usize = 2500;
const FOLDS: usize = 5;
/// Neighbours that are compared for agreement with the teacher.
const AGREEING: usize = 10;
/// Neighbours that are looked at for shared labels.
const ALIKE: usize = 5;

/// A sample of the catalogue, split several ways into products to learn from and products to ask
/// with.
pub(super) struct Trial {
    folds: Vec<Fold>,
}

struct Fold {
    train: Side,
    held: Side,
    /// Centred on `train`: `[train][train]` and `[held][train]`.
    gram: Matrix,
    cross: Matrix,
}

/// Rows of pictures and copies, whose they are, and what each weighs.
struct Side {
    rows: Vec<usize>,
    owners: Vec<u32>,
    weights: Vec<f64>,
    /// Whether each is a copy over another ground.
    copies: Vec<bool>,
}

/// A product that was found, the place of its nearest row, and that row's cosine.
type Found = (u32, usize, f64);

/// Embeddings of one fold, not yet of length 1: `[train][any]` and `[held][any]`.
struct Embedded {
    train: Matrix,
    held: Matrix,
}

/// Those of every fold.
pub(super) struct Embeddings(Vec<Embedded>);

/// How well a recipe does for products held out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judged {
    /// Mean share of the 10 nearest products that it has in common with what it follows.
    pub(super) agreement: f64,
    /// Share of the copies that have their product among their 10 nearest; none without copies.
    pub(super) found: Option<f64>,
}

impl Judged {
    /// By which recipes are compared.
    pub(super) fn overall(&self) -> f64 {
        self.found.map_or(self.agreement, |found| (self.agreement + found) / 2.0)
    }
}

/// What a recipe joins: parts whose lengths are made equal and then weighted.
#[derive(Clone, Copy)]
pub(super) enum Part<'a> {
    /// Principal components: dimension and whitening.
    Principal(usize, f64),
    /// Ridge regression, and its strength.
    Ridge(&'a Targets<'a>, f64),
}

impl Trial {
    /// `units` are what must not be torn apart: one for each product. The first rows of the samples
    /// are `pictures`, those behind them copies; `clean` is each row's picture.
    pub(super) fn new(
        samples: &Samples<'_>,
        units: &[u32],
        clean: &[usize],
        pictures: usize,
    ) -> Self {
        let shares = samples.shares();
        let most = if samples.len() > pictures { MOST_WITH_COPIES } else { MOST };
        // Catalogues come sorted by category: taking every n-th keeps the mix.
        let count = pictures.min(most * pictures / samples.len().max(1)).max(1);
        let mut chosen: Vec<usize> = (0..count).map(|i| i * pictures / count).collect();
        let copies: Vec<usize> = (pictures..samples.len())
            .filter(|&row| chosen.binary_search(&clean[row]).is_ok())
            .collect();
        chosen.extend(copies);
        let count = chosen.len();
        let x = samples.centred(&chosen);
        let gram = x.times_transposed(&x);
        let mut places: HashMap<u32, usize> = HashMap::new();
        let fold_of: Vec<usize> = chosen
            .iter()
            .map(|&row| {
                let next = places.len();
                *places.entry(units[shares.owner(row) as usize]).or_insert(next) % FOLDS
            })
            .collect();
        let folds = (0..FOLDS).filter_map(|fold| {
            let (held, train): (Vec<usize>, Vec<usize>) =
                (0..count).partition(|&i| fold_of[i] == fold);
            // With few units some folds have nothing to ask with or to learn from.
            if held.is_empty() || train.is_empty() {
                return None;
            }
            let side = |places: &[usize]| {
                let rows: Vec<usize> = places.iter().map(|&i| chosen[i]).collect();
                Side {
                    owners: rows.iter().map(|&row| shares.owner(row)).collect(),
                    weights: rows.iter().map(|&row| shares.weight(row)).collect(),
                    copies: rows.iter().map(|&row| row >= pictures).collect(),
                    rows,
                }
            };
            let weights = side(&train).weights;
            let total: f64 = weights.iter().sum();
            let mean_to = |i: usize| {
                train.iter().zip(&weights).map(|(&t, w)| w * gram.at(i, t)).sum::<f64>() / total
            };
            let to_train: Vec<f64> = (0..count).map(mean_to).collect();
            let mean =
                train.iter().zip(&weights).map(|(&t, w)| w * to_train[t]).sum::<f64>() / total;
            let centred = |rows: &[usize]| {
                Matrix::from_fn(rows.len(), train.len(), |i, j| {
                    let (r, t) = (rows[i], train[j]);
                    gram.at(r, t) - to_train[r] - to_train[t] + mean
                })
            };
            Some(Fold {
                gram: centred(&train),
                cross: centred(&held),
                train: side(&train),
                held: side(&held),
            })
        });
        Self { folds: folds.collect() }
    }

    /// Whether there are copies to ask with.
    pub(super) fn has_copies(&self) -> bool {
        self.folds.iter().any(|fold| fold.held.copies.contains(&true))
    }

    /// The agreement of neighbours that are drawn at random.
    pub(super) fn chance(&self) -> f64 {
        let chance = |fold: &Fold| {
            let mut owners = fold.train.owners.clone();
            owners.sort_unstable();
            owners.dedup();
            (AGREEING as f64 / owners.len().max(1) as f64).min(1.0)
        };
        self.folds.iter().map(chance).sum::<f64>() / self.folds.len().max(1) as f64
    }

    /// What a recipe makes of every fold; `None` if it cannot be learnt.
    pub(super) fn embed(&self, recipe: &[(Part<'_>, f64)]) -> Option<Embeddings> {
        self.folds.iter().map(|fold| fold.embed(recipe)).collect::<Option<_>>().map(Embeddings)
    }

    /// How well a recipe does for products held out, whose neighbours are those in `truth`.
    pub(super) fn judge(&self, ours: &Embeddings, truth: &Targets<'_>) -> Judged {
        let found = self.has_copies().then(|| self.found(ours));
        Judged { agreement: self.agreement(ours, truth), found }
    }

    /// Share of the copies of products held out that have their product among their 10 nearest.
    pub(super) fn found(&self, ours: &Embeddings) -> f64 {
        self.mean(ours, |fold, ours| {
            let held = unit_rows(&ours.held);
            let to_held = held.times_transposed(&held);
            let nearest = fold.nearest(ours, AGREEING);
            let found = nearest.iter().enumerate().map(|(i, nearest)| {
                if !fold.held.copies[i] {
                    return None;
                }
                let clean = || (0..held.rows()).filter(|&j| !fold.held.copies[j]);
                let own = clean().filter(|&j| fold.held.owners[j] == fold.held.owners[i]);
                let best = own.map(|j| to_held.at(i, j)).fold(f64::NEG_INFINITY, f64::max);
                // Nearer are products of both sides, each by its nearest picture.
                let mut nearer: Vec<u32> = clean()
                    .filter(|&j| to_held.at(i, j) > best)
                    .map(|j| fold.held.owners[j])
                    .chain(nearest.iter().filter(|found| found.2 > best).map(|found| found.0))
                    .collect();
                nearer.sort_unstable();
                nearer.dedup();
                Some(f64::from(u8::from(nearer.len() < AGREEING)))
            });
            fold.mean(found)
        })
    }

    /// Mean share of the 10 nearest products that the recipe and `truth` have in common.
    pub(super) fn agreement(&self, ours: &Embeddings, truth: &Targets<'_>) -> f64 {
        self.mean(ours, |fold, ours| {
            let (train, held) = (truth.rows(&fold.train.rows), truth.rows(&fold.held.rows));
            let means = column_means(&train, &fold.train.weights);
            let theirs = Embedded { train: minus(&train, &means), held: minus(&held, &means) };
            let theirs = fold.nearest(&theirs, AGREEING);
            let shares = fold.nearest(ours, AGREEING).into_iter().zip(&theirs).map(|(a, b)| {
                let product = |found: &Found| found.0;
                let same =
                    a.iter().filter(|found| b.iter().any(|t| product(t) == product(found))).count();
                Some(same as f64 / b.len().max(1) as f64)
            });
            fold.mean(shares)
        })
    }

    /// How much the 5 nearest products share a product's labels, 0 to 1: the mean cosine between
    /// rows of `labels`; with one label a product, the share that have the same.
    pub(super) fn likeness(&self, ours: &Embeddings, labels: &Targets<'_>) -> f64 {
        self.mean(ours, |fold, ours| {
            let nearest = fold.nearest(ours, ALIKE);
            let of = |side: &Side| unit_rows(&labels.rows(&side.rows));
            let (train, held) = (of(&fold.train), of(&fold.held));
            let alike = held.times_transposed(&train);
            let shared = nearest.iter().enumerate().map(|(i, found)| {
                // A product without labels has nothing to ask for.
                (0..held.cols()).any(|j| held.at(i, j) != 0.0).then(|| {
                    found.iter().map(|&(_, j, _)| alike.at(i, j)).sum::<f64>()
                        / found.len().max(1) as f64
                })
            });
            fold.mean(shared)
        })
    }

    fn mean(&self, ours: &Embeddings, figure: impl Fn(&Fold, &Embedded) -> f64) -> f64 {
        let figures = self.folds.iter().zip(&ours.0).map(|(fold, ours)| figure(fold, ours));
        figures.sum::<f64>() / self.folds.len().max(1) as f64
    }
}

impl Fold {
    fn embed(&self, recipe: &[(Part<'_>, f64)]) -> Option<Embedded> {
        let parts: Vec<(Embedded, f64)> = recipe
            .iter()
            .map(|&(part, weight)| {
                let embedded = self.part(part)?;
                let length = rms(&embedded.train, &self.train.weights);
                Some((embedded, if length > 0.0 { weight / length } else { 0.0 }))
            })
            .collect::<Option<_>>()?;
        let join = |side: fn(&Embedded) -> &Matrix| {
            let parts: Vec<_> = parts.iter().map(|(e, w)| (side(e).clone(), *w)).collect();
            super::samples::beside(&parts)
        };
        Some(Embedded { train: join(|e| &e.train), held: join(|e| &e.held) })
    }

    fn part(&self, part: Part<'_>) -> Option<Embedded> {
        // Components know no copies.
        let counts = |i: usize| matches!(part, Part::Ridge(..)) || !self.train.copies[i];
        let root = |(i, w): (usize, &f64)| if counts(i) { w.sqrt() } else { 0.0 };
        let roots: Vec<f64> = self.train.weights.iter().enumerate().map(root).collect();
        let rooted = |matrix: &Matrix| {
            Matrix::from_fn(matrix.rows(), matrix.cols(), |i, j| roots[i] * matrix.at(i, j))
        };
        let gram = Matrix::from_fn(roots.len(), roots.len(), |i, j| {
            roots[i] * self.gram.at(i, j) * roots[j]
        });
        let onto = match part {
            Part::Ridge(targets, strength) => {
                let targets = targets.rows(&self.train.rows);
                let means = column_means(&targets, &self.train.weights);
                regularised(&gram, strength, self.train.weights.iter().sum())
                    .solve_positive_definite(&rooted(&minus(&targets, &means)))?
            }
            Part::Principal(dim, whitening) => {
                let clean: Vec<usize> = (0..roots.len()).filter(|&i| counts(i)).collect();
                let among = |i: usize, j: usize| gram.at(clean[i], clean[j]);
                let (values, vectors) =
                    Matrix::from_fn(clean.len(), clean.len(), among).symmetric_eigen()?;
                let strongest = values.last().copied().unwrap_or(0.0);
                let kept: Vec<usize> = (0..values.len())
                    .rev()
                    .take_while(|&i| values[i] > 0.0 && values[i] > strongest * 1e-7)
                    .take(dim)
                    .collect();
                // Zero for copies.
                let mut place = vec![None; roots.len()];
                clean.iter().enumerate().for_each(|(at, &row)| place[row] = Some(at));
                Matrix::from_fn(roots.len(), kept.len(), |i, j| {
                    let power = values[kept[j]].powf(-0.5 - whitening / 2.0);
                    place[i].map_or(0.0, |at| vectors.at(at, kept[j]) * power)
                })
            }
        };
        let onto = rooted(&onto);
        Some(Embedded { train: self.gram.times(&onto), held: self.cross.times(&onto) })
    }

    /// Per held-out row, the nearest products of the train rows by cosine.
    fn nearest(&self, embedded: &Embedded, count: usize) -> Vec<Vec<Found>> {
        let similar = unit_rows(&embedded.held).times_transposed(&unit_rows(&embedded.train));
        (0..similar.rows())
            .map(|i| {
                let mut order: Vec<usize> =
                    (0..similar.cols()).filter(|&j| !self.train.copies[j]).collect();
                order.sort_by(|&a, &b| similar.at(i, b).total_cmp(&similar.at(i, a)));
                let mut found: Vec<Found> = Vec::with_capacity(count);
                for row in order {
                    let owner = self.train.owners[row];
                    if found.len() == count {
                        break;
                    }
                    if found.iter().all(|there| there.0 != owner) {
                        found.push((owner, row, similar.at(i, row)));
                    }
                }
                found
            })
            .collect()
    }

    /// The mean over the held-out rows, by weight; those without a figure take no part.
    fn mean(&self, figures: impl Iterator<Item = Option<f64>>) -> f64 {
        let (mut sum, mut total) = (0.0, 0.0);
        for (figure, weight) in figures.zip(&self.held.weights) {
            if let Some(figure) = figure {
                sum += weight * figure;
                total += weight;
            }
        }
        if total > 0.0 { sum / total } else { 0.0 }
    }
}

fn unit_rows(matrix: &Matrix) -> Matrix {
    let lengths: Vec<f64> = (0..matrix.rows())
        .map(|i| (0..matrix.cols()).map(|j| matrix.at(i, j).powi(2)).sum::<f64>().sqrt())
        .collect();
    Matrix::from_fn(matrix.rows(), matrix.cols(), |i, j| {
        if lengths[i] > 0.0 { matrix.at(i, j) / lengths[i] } else { 0.0 }
    })
}

#[cfg(test)]
mod tests {
    use super::super::samples::Shares;
    use super::*;
    use crate::projection::Block;

    #[test]
    fn pictures_of_a_product_and_products_of_a_unit_share_a_fold() {
        // Forty products of one to four pictures; every three in a row are variants.
        let owners: Vec<u32> = (0..40u32).flat_map(|p| vec![p; 1 + p as usize % 4]).collect();
        let units: Vec<u32> = (0..40).map(|p| p / 3).collect();
        let rows: Vec<Vec<f32>> =
            (0..owners.len()).map(|i| vec![(i as f32).sin(), (i as f32 * 0.7).cos()]).collect();
        let pooled: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
        let shares = Shares::new(&owners);
        let blocks = [Block { dim: 2, power: 1.0, weight: 1.0 }];
        let samples = Samples::new(&pooled, &blocks, &shares);
        let clean: Vec<usize> = (0..owners.len()).collect();
        let trial = Trial::new(&samples, &units, &clean, owners.len());
        assert_eq!(trial.folds.len(), FOLDS);
        let unit = |owner: &u32| units[*owner as usize];
        let mut held = 0;
        for fold in &trial.folds {
            let learnt: Vec<u32> = fold.train.owners.iter().map(unit).collect();
            assert!(fold.held.owners.iter().all(|owner| !learnt.contains(&unit(owner))));
            held += fold.held.rows.len();
            let own = Embedded { train: fold.gram.clone(), held: fold.cross.clone() };
            for found in fold.nearest(&own, 10) {
                let mut products: Vec<u32> = found.iter().map(|f| f.0).collect();
                products.sort_unstable();
                products.dedup();
                assert_eq!(products.len(), 10, "ten products, not ten pictures");
            }
        }
        assert_eq!(held, owners.len(), "each picture asks once");
        // All of one unit: nothing can be held out.
        assert!(Trial::new(&samples, &[7; 40], &clean, owners.len()).folds.is_empty());
    }
}
