//! Learns the projection from a catalogue's own pictures. Native only; the browser gets one matrix.
//!
//! Three things can be learnt from, and what is there is joined:
//!
//! - the pictures alone: principal components with partial whitening ([`pca_whitening`]);
//! - a teacher, a stronger network that only the indexing machine runs: ridge regression from our
//!   features to its embeddings of the same pictures, so that our neighbours become its neighbours;
//! - columns of the catalogue, such as its categories: ridge regression to what the products share.
//!
//! Copies of products over other grounds, as in photos from life, teach to pass over the ground: what
//! a copy is regressed to is what is seen of the clean picture, by the teacher or else by the network
//! itself.
//!
//! Regularisation is chosen, and every lesson is checked, on products held out: a teacher or a
//! column that does not help them is left out, and the [`Recipe`] says so.
//!
//! All pictures of a product are learnt from; together they weigh as much as the picture of a product
//! that has one, in every mean, regression and check. Where the pictures differ too little for any
//! of this, features are taken as they are.

mod columns;
mod drift;
mod pca;
mod plain;
mod recipe;
mod samples;
mod trial;
mod variants;

use lookalike_linalg::Matrix;

use crate::error::{Error, ErrorKind, Result};
use crate::projection::{self, Block, Projection};

pub use columns::Column;
pub use drift::explained;
pub use pca::pca_whitening;
pub use recipe::{ColumnRecipe, CompositesRecipe, Method, Recipe, TeacherRecipe};
use samples::{Samples, Shares, Targets, beside, unit_columns};
use trial::{Embeddings, Judged, Part, Trial};
pub use variants::{Alike, difference_hash, variants};

/// Catalogues smaller than this teach nothing that holds for the next picture.
const MIN_PRODUCTS: usize = 40;
/// Regularisations to choose from, as shares of the features' total variance.
const STRENGTHS: [f64; 4] = [0.3, 0.1, 0.03, 0.01];
/// What is regressed to is cut to this many principal components: the rest is noise.
const TARGET_DIM: usize = 256;
/// What a column counts for beside the teacher or the components, which count 1.
const COLUMN_WEIGHT: f64 = 0.6;
/// Fewer principal components than these say nothing: that few pictures differ.
const MIN_COMPONENTS: usize = 3;
/// The largest entry of a projection's matrix: its scale is free, and squares stay far from both ends
/// of single precision.
const LARGEST: f64 = 64.0;

/// What to keep.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LearnOptions {
    /// Dimensions to keep at most; fewer if the catalogue does not have as many.
    pub dim: usize,
    /// For principal components: 0 keeps their strengths, 1 makes them equal: each is divided by
    /// its standard deviation to this power.
    pub whitening: f64,
}

impl Default for LearnOptions {
    fn default() -> Self {
        Self { dim: 256, whitening: 0.5 }
    }
}

/// A stronger network's view of the same pictures.
#[derive(Clone, Copy, Debug)]
pub struct Teacher<'a> {
    /// For people.
    pub name: &'a str,
    /// Its pooled features, `[pictures][sum of its block dims]`.
    pub pooled: &'a [&'a [f32]],
    /// How they are made comparable.
    pub blocks: &'a [Block],
}

/// Pictures of products over other grounds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Copies<'a> {
    /// Our network's pooled features, `[copies][sum of block dims]`.
    pub pooled: &'a [&'a [f32]],
    /// The row of the picture that each is a copy of.
    pub of: &'a [u32],
}

/// All that can be learnt from.
#[derive(Clone, Copy, Debug)]
pub struct Lesson<'a> {
    /// Our network's pooled features, `[pictures][sum of block dims]`.
    pub pooled: &'a [&'a [f32]],
    /// The product of each picture, below the number of products.
    pub owners: &'a [u32],
    /// Per product, what it must not be torn apart from in a held-out check, by any number: products
    /// of one number are variants of each other.
    pub units: &'a [u32],
    /// How they enter the projection.
    pub blocks: &'a [Block],
    /// The same products over other grounds.
    pub copies: Copies<'a>,
    /// A stronger network.
    pub teacher: Option<Teacher<'a>>,
    /// What the shop knows of its products.
    pub columns: &'a [Column],
}

/// Learns the projection from all that the lesson has.
///
/// # Errors
/// `BadCatalog` if there are no pictures; `Mismatch` if the lesson's parts differ in length;
/// `BadModel` if features are not finite.
pub fn learn(lesson: &Lesson<'_>, options: LearnOptions) -> Result<(Projection, Recipe)> {
    check(lesson)?;
    let pictures = lesson.pooled.len();
    let copied: Vec<u32> =
        lesson.copies.of.iter().map(|&row| lesson.owners[row as usize]).collect();
    let rows = [lesson.pooled, lesson.copies.pooled].concat();
    let clean: Vec<usize> =
        (0..pictures).chain(lesson.copies.of.iter().map(|&row| row as usize)).collect();
    let shares = Shares::with_copies(lesson.owners, &copied);
    let own = Shares::new(lesson.owners);
    let samples = Samples::new(&rows, lesson.blocks, &shares);
    let mut recipe = Recipe::default();
    let wanted =
        lesson.teacher.is_some() || !lesson.columns.is_empty() || !lesson.copies.of.is_empty();
    let mut parts: Vec<(Matrix, f64)> = Vec::new();
    let mut taught = false;

    if !enough_differ(lesson.pooled) || !samples.vary() {
        return as_they_are(lesson, options, recipe);
    }
    if wanted && lesson.units.len() < MIN_PRODUCTS {
        recipe.notes.push(format!(
            "{} products are too few to learn from a teacher, columns or copies, {MIN_PRODUCTS} are \
             needed",
            lesson.units.len()
        ));
    } else if wanted {
        let trial = Trial::new(&samples, lesson.units, &clean, pictures);
        let principal = Part::Principal(options.dim, options.whitening);
        let plain = trial.embed(&[(principal, 1.0)]);
        let mut base = (principal, 1.0);
        let mut strength = STRENGTHS[STRENGTHS.len() / 2];

        let target = lesson.teacher.and_then(|teacher| {
            let target = target_of(teacher.pooled, teacher.blocks, &own, &clean);
            if target.is_none() {
                recipe
                    .notes
                    .push(format!("{} sees no difference between the pictures", teacher.name));
            }
            Some((teacher.name, target?))
        });
        // Without a teacher, the network itself says what a copy should look like: its own picture.
        let own_target = (target.is_none() && trial.has_copies())
            .then(|| target_of(lesson.pooled, lesson.blocks, &own, &clean))
            .flatten();
        let target = match (&target, &own_target) {
            (Some((name, target)), _) => Some((Some(*name), target)),
            (None, Some(target)) => Some((None, target)),
            (None, None) => None,
        };
        if let Some((name, target)) = target {
            let judge = |ours: &Embeddings| trial.judge(ours, target);
            let without = plain.as_ref().map(judge);
            let tried = STRENGTHS.into_iter().filter_map(|strength| {
                let ours = trial.embed(&[(Part::Ridge(target, strength), 1.0)])?;
                Some((strength, judge(&ours)))
            });
            // Of equals the first, which is the stronger regularisation. What the network itself
            // sees of pictures alone agrees with itself best: only what copies find counts then.
            let value = |judged: &Judged| match (name, judged.found) {
                (None, Some(found)) => found,
                _ => judged.overall(),
            };
            let best = tried
                .reduce(|best, next| if value(&next.1) > value(&best.1) { next } else { best });
            let before = without.as_ref().map_or(0.0, value);
            match best.filter(|(_, judged)| value(judged) > before) {
                Some((best, judged)) => {
                    (strength, base, taught) = (best, (Part::Ridge(target, best), 1.0), true);
                    parts.push((solve(&samples, target, best)?, 1.0));
                    let without = without.unwrap_or(Judged { agreement: 0.0, found: None });
                    recipe.teacher = name.map(|name| TeacherRecipe {
                        name: name.to_owned(),
                        strength: best,
                        agreement: judged.agreement,
                        agreement_without: without.agreement,
                    });
                    recipe.composites = judged.found.map(|found| CompositesRecipe {
                        copies: copied.len(),
                        strength: best,
                        found,
                        found_without: without.found.unwrap_or(0.0),
                    });
                }
                None => recipe.notes.push(match name {
                    Some(name) => format!(
                        "{name} is not used: for products held out, its neighbours are found no \
                         better"
                    ),
                    None => {
                        "composites are not used: products held out are found in them no better"
                            .to_owned()
                    }
                }),
            }
        }

        let shared: Vec<Option<Targets<'_>>> =
            lesson.columns.iter().map(|c| Some(Targets::Labels(c.shared()?, &shares))).collect();
        let mut accepted = vec![base];
        let mut ours = if taught { trial.embed(&accepted) } else { plain };
        for (column, labels) in lesson.columns.iter().zip(&shared) {
            let Some(labels) = labels else {
                recipe.notes.push(format!(
                    "the column {:?} is not used: no value is shared by some products and not by all",
                    column.name
                ));
                continue;
            };
            let mut more = accepted.clone();
            more.push((Part::Ridge(labels, strength), COLUMN_WEIGHT));
            let tried = trial.embed(&more);
            let likeness = |ours: &Option<Embeddings>| {
                ours.as_ref().map_or(0.0, |ours| trial.likeness(ours, labels))
            };
            let (without, with) = (likeness(&ours), likeness(&tried));
            let used = with > without;
            if used {
                (accepted, ours) = (more, tried);
                parts.push((solve(&samples, labels, strength)?, COLUMN_WEIGHT));
            } else {
                recipe.notes.push(format!(
                    "the column {:?} is not used: products held out gain nothing by it",
                    column.name
                ));
            }
            recipe.columns.push(ColumnRecipe {
                name: column.name.clone(),
                used,
                held_out: with,
                held_out_without: without,
            });
        }
    }

    let linear = !parts.is_empty();
    if !taught {
        let clean = Samples::new(lesson.pooled, lesson.blocks, &own);
        let components = pca::components(&clean, options)?;
        let Some(components) = components.filter(|c| c.cols() >= MIN_COMPONENTS) else {
            return as_they_are(lesson, options, recipe);
        };
        recipe.whitening = Some(options.whitening);
        if !linear {
            recipe.projection = Method::Principal;
            return Ok((finish(&clean, lesson.blocks, &components)?, recipe));
        }
        parts.insert(0, (components, 1.0));
    }
    recipe.projection = if taught { Method::Ridge } else { Method::PrincipalAndRidge };
    let joined = join(&samples, &parts, options.dim)?;
    Ok((finish(&samples, lesson.blocks, &joined)?, recipe))
}

/// Whether there are as many different pictures as [`MIN_COMPONENTS`] takes. Files that are equal give
/// equal features.
fn enough_differ(pooled: &[&[f32]]) -> bool {
    let mut different: Vec<&[f32]> = Vec::new();
    for &row in pooled {
        if !different.contains(&row) {
            different.push(row);
        }
        if different.len() > MIN_COMPONENTS {
            return true;
        }
    }
    false
}

/// The projection that learns nothing.
fn as_they_are(
    lesson: &Lesson<'_>,
    options: LearnOptions,
    recipe: Recipe,
) -> Result<(Projection, Recipe)> {
    let mut notes = recipe.notes;
    notes.push(format!(
        "fewer than {} pictures of the catalogue look different: that is too little to learn from, \
         and pictures are compared as the network sees them",
        MIN_COMPONENTS + 1
    ));
    let recipe = Recipe { projection: Method::Plain, notes, ..Recipe::default() };
    Ok((plain::projection(lesson.blocks, options.dim)?, recipe))
}

fn check(lesson: &Lesson<'_>) -> Result<()> {
    let (pictures, products) = (lesson.pooled.len(), lesson.units.len());
    if pictures == 0 {
        return Err(Error::new(ErrorKind::BadCatalog, "there are no pictures to learn from"));
    }
    let teacher = lesson.teacher;
    let fits = lesson.owners.len() == pictures
        && lesson.owners.iter().all(|&owner| (owner as usize) < products)
        && teacher.is_none_or(|t| t.pooled.len() == pictures)
        && lesson.copies.of.len() == lesson.copies.pooled.len()
        && lesson.copies.of.iter().all(|&row| (row as usize) < pictures)
        && lesson.columns.iter().all(|column| column.len() == products);
    if !fits {
        return Err(Error::new(
            ErrorKind::Mismatch,
            format!("{pictures} pictures of {products} products do not fit what is learnt from"),
        ));
    }
    let own = [lesson.pooled, lesson.copies.pooled];
    let own = own.into_iter().map(|pooled| ("the network", pooled, lesson.blocks));
    let owner = |row: usize| lesson.owners.get(row).map_or(0, |owner| owner + 1);
    for (who, pooled, blocks) in own.chain(teacher.map(|t| (t.name, t.pooled, t.blocks))) {
        let dim: usize = blocks.iter().map(|b| b.dim).sum();
        if let Some(row) = pooled.iter().position(|p| p.len() != dim) {
            return Err(Error::new(
                ErrorKind::Mismatch,
                format!(
                    "{who} gives {} features for product {}, not {dim}",
                    pooled[row].len(),
                    owner(row)
                ),
            ));
        }
        if let Some(row) = pooled.iter().position(|p| p.iter().any(|x| !x.is_finite())) {
            return Err(Error::new(
                ErrorKind::BadModel,
                format!("{who} gives numbers that are not finite for product {}", owner(row)),
            ));
        }
    }
    Ok(())
}

/// What pictures are regressed to: a network's views of them along their principal directions, at
/// most 256; `None` if all are the same. `of` is each row's picture.
fn target_of<'a>(
    pooled: &'a [&'a [f32]],
    blocks: &'a [Block],
    shares: &'a Shares,
    of: &'a [usize],
) -> Option<Targets<'a>> {
    let samples = Samples::new(pooled, blocks, shares);
    let (variances, directions) = samples.principal(TARGET_DIM)?;
    (!variances.is_empty()).then_some(Targets::Projected(samples, directions, of))
}

fn solve(samples: &Samples<'_>, targets: &Targets<'_>, strength: f64) -> Result<Matrix> {
    samples
        .ridge(targets, strength)
        .ok_or_else(|| Error::new(ErrorKind::Internal, "the regression has no solution"))
}

/// Parts `[dim][any]` made equally long on average, weighted, side by side, and turned so that the
/// first `dim` directions hold the most: `[dim][at most options.dim]`. Cosines stay what they were.
fn join(samples: &Samples<'_>, parts: &[(Matrix, f64)], dim: usize) -> Result<Matrix> {
    let plain: Vec<(Matrix, f64)> = parts.iter().map(|(m, _)| (m.clone(), 1.0)).collect();
    let plain = beside(&plain);
    let moments = samples.moments_of(&plain);
    let mut scales = Vec::with_capacity(plain.cols());
    for (matrix, weight) in parts {
        let from = scales.len();
        let energy: f64 = (from..from + matrix.cols()).map(|j| moments.at(j, j)).sum();
        let length = (energy / samples.shares().products().max(1.0)).sqrt();
        let scale = if length > 0.0 { weight / length } else { 0.0 };
        scales.extend(std::iter::repeat_n(scale, matrix.cols()));
    }
    let scaled = Matrix::from_fn(plain.cols(), plain.cols(), |i, j| {
        moments.at(i, j) * scales[i] * scales[j]
    });
    let failed = || Error::new(ErrorKind::Internal, "the joined components do not converge");
    let (values, vectors) = scaled.symmetric_eigen().ok_or_else(failed)?;
    let strongest = values.last().copied().unwrap_or(0.0);
    let kept: Vec<usize> = (0..values.len())
        .rev()
        .take_while(|&i| values[i] > 0.0 && values[i] > strongest * 1e-9)
        .take(dim)
        .collect();
    if kept.is_empty() {
        return Err(Error::new(
            ErrorKind::BadCatalog,
            "nothing could be learnt from the catalogue",
        ));
    }
    let turn = Matrix::from_fn(vectors.rows(), kept.len(), |i, j| vectors.at(i, kept[j]));
    // The sign of an eigenvector is arbitrary; fix it so that builds repeat.
    let turn = unit_columns(&turn);
    let turn = Matrix::from_fn(turn.rows(), turn.cols(), |i, j| turn.at(i, j) * scales[i]);
    Ok(plain.times(&turn))
}

/// The projection with the columns of `components` `[dim][out]` as rows of its matrix.
fn finish(samples: &Samples<'_>, blocks: &[Block], components: &Matrix) -> Result<Projection> {
    let (dim, out) = (components.rows(), components.cols());
    let largest = (0..out)
        .flat_map(|j| (0..dim).map(move |i| (i, j)))
        .fold(0f64, |m, (i, j)| m.max(components.at(i, j).abs()));
    let scale = if largest > 0.0 { LARGEST / largest } else { 1.0 };
    let rows: Vec<f32> = (0..out)
        .flat_map(|j| (0..dim).map(move |i| (i, j)))
        .map(|(i, j)| (components.at(i, j) * scale) as f32)
        .collect();
    let mean = samples.mean().iter().map(|&m| m as f32).collect();
    Projection::new(blocks.to_vec(), mean, projection::Matrix::rounded(dim, &rows)?)
}

#[cfg(test)]
mod tests;
