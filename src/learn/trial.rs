//! Held-out checks: what a recipe does for products that it was not learnt from.

use lookalike_linalg::Matrix;

use super::samples::{Samples, Targets, column_means, minus, regularised, rms};

/// More products than these say nothing new about which recipe is better, and cost their cube.
const MOST: usize = 1500;
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
    train: Vec<usize>,
    held: Vec<usize>,
    /// Centred on `train`: `[train][train]` and `[held][train]`.
    gram: Matrix,
    cross: Matrix,
}

/// Embeddings of one fold, not yet of length 1: `[train][any]` and `[held][any]`.
struct Embedded {
    train: Matrix,
    held: Matrix,
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
    pub(super) fn new(samples: &Samples<'_>) -> Self {
        // Catalogues come sorted by category: taking every n-th keeps the mix.
        let count = samples.len().min(MOST);
        let chosen: Vec<usize> = (0..count).map(|i| i * samples.len() / count.max(1)).collect();
        let x = samples.centred(&chosen);
        let gram = x.times_transposed(&x);
        let folds = (0..FOLDS).map(|fold| {
            let (held, train): (Vec<usize>, Vec<usize>) =
                (0..count).partition(|i| i % FOLDS == fold);
            let mean_to = |i: usize| {
                train.iter().map(|&t| gram.at(i, t)).sum::<f64>() / train.len().max(1) as f64
            };
            let to_train: Vec<f64> = (0..count).map(mean_to).collect();
            let mean = train.iter().map(|&t| to_train[t]).sum::<f64>() / train.len().max(1) as f64;
            let centred = |rows: &[usize]| {
                Matrix::from_fn(rows.len(), train.len(), |i, j| {
                    let (r, t) = (rows[i], train[j]);
                    gram.at(r, t) - to_train[r] - to_train[t] + mean
                })
            };
            let named = |rows: &[usize]| rows.iter().map(|&i| chosen[i]).collect();
            Fold {
                gram: centred(&train),
                cross: centred(&held),
                train: named(&train),
                held: named(&held),
            }
        });
        Self { folds: folds.collect() }
    }

    /// Mean share of the 10 nearest products that the recipe and `truth` have in common.
    /// `None` if the recipe cannot be learnt.
    pub(super) fn agreement(&self, recipe: &[(Part<'_>, f64)], truth: &Targets<'_>) -> Option<f64> {
        self.mean(|fold| {
            let ours = fold.embed(recipe)?;
            let (train, held) = (truth.rows(&fold.train), truth.rows(&fold.held));
            let means = column_means(&train);
            let theirs = Embedded { train: minus(&train, &means), held: minus(&held, &means) };
            let theirs = theirs.nearest(AGREEING);
            let shares = ours.nearest(AGREEING).into_iter().zip(&theirs).map(|(a, b)| {
                a.iter().filter(|row| b.contains(row)).count() as f64 / b.len().max(1) as f64
            });
            Some(shares.sum::<f64>() / theirs.len().max(1) as f64)
        })
    }

    /// How much the 5 nearest products share a product's labels, 0 to 1: the mean cosine between
    /// rows of `labels`; with one label a product, the share that have the same.
    pub(super) fn likeness(&self, recipe: &[(Part<'_>, f64)], labels: &Targets<'_>) -> Option<f64> {
        self.mean(|fold| {
            let nearest = fold.embed(recipe)?.nearest(ALIKE);
            let (train, held) =
                (unit_rows(&labels.rows(&fold.train)), unit_rows(&labels.rows(&fold.held)));
            let alike = held.times_transposed(&train);
            let (mut sum, mut queries) = (0.0, 0usize);
            for (i, found) in nearest.iter().enumerate() {
                // A product without labels has nothing to ask for.
                if (0..held.cols()).any(|j| held.at(i, j) != 0.0) {
                    sum += found.iter().map(|&j| alike.at(i, j)).sum::<f64>()
                        / found.len().max(1) as f64;
                    queries += 1;
                }
            }
            Some(sum / queries.max(1) as f64)
        })
    }

    fn mean(&self, figure: impl Fn(&Fold) -> Option<f64>) -> Option<f64> {
        let figures: Vec<f64> = self.folds.iter().map(figure).collect::<Option<_>>()?;
        Some(figures.iter().sum::<f64>() / figures.len().max(1) as f64)
    }
}

impl Fold {
    fn embed(&self, recipe: &[(Part<'_>, f64)]) -> Option<Embedded> {
        let parts: Vec<(Embedded, f64)> = recipe
            .iter()
            .map(|&(part, weight)| {
                let embedded = self.part(part)?;
                let length = rms(&embedded.train);
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
        let onto = match part {
            Part::Ridge(targets, strength) => {
                let targets = targets.rows(&self.train);
                regularised(&self.gram, strength, self.train.len())
                    .solve_positive_definite(&minus(&targets, &column_means(&targets)))?
            }
            Part::Principal(dim, whitening) => {
                let (values, vectors) = self.gram.symmetric_eigen()?;
                let strongest = values.last().copied().unwrap_or(0.0);
                let kept: Vec<usize> = (0..values.len())
                    .rev()
                    .take_while(|&i| values[i] > 0.0 && values[i] > strongest * 1e-7)
                    .take(dim)
                    .collect();
                Matrix::from_fn(vectors.rows(), kept.len(), |i, j| {
                    vectors.at(i, kept[j]) * values[kept[j]].powf(-0.5 - whitening / 2.0)
                })
            }
        };
        Some(Embedded { train: self.gram.times(&onto), held: self.cross.times(&onto) })
    }
}

impl Embedded {
    /// Per held-out row, the positions of the nearest train rows by cosine.
    fn nearest(&self, count: usize) -> Vec<Vec<usize>> {
        let similar = unit_rows(&self.held).times_transposed(&unit_rows(&self.train));
        (0..similar.rows())
            .map(|i| {
                let mut order: Vec<usize> = (0..similar.cols()).collect();
                order.sort_by(|&a, &b| similar.at(i, b).total_cmp(&similar.at(i, a)));
                order.truncate(count);
                order
            })
            .collect()
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
