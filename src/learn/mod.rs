//! Learns the projection from a catalogue's own pictures. Native only; the browser gets one matrix.
//!
//! Three things can be learnt from, and what is there is joined:
//!
//! - the pictures alone: principal components with partial whitening ([`pca_whitening`]);
//! - teachers, stronger networks that only the indexing machine runs: ridge regression from our
//!   features to their embeddings of the same pictures, each counting the same, so that our
//!   neighbours become theirs;
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

mod choice;
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

use choice::{Choice, View};
pub use columns::Column;
pub use drift::explained;
pub use pca::pca_whitening;
pub use recipe::{ColumnRecipe, CompositesRecipe, Method, Recipe, TeacherRecipe};
use samples::{Samples, Shares, Targets, beside, unit_columns};
use trial::Trial;
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
    /// Stronger networks, whose views are joined.
    pub teachers: &'a [Teacher<'a>],
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
        !lesson.teachers.is_empty() || !lesson.columns.is_empty() || !lesson.copies.of.is_empty();
    if !enough_differ(lesson.pooled) || !samples.vary() {
        return as_they_are(lesson, options, recipe);
    }
    let mut parts: Vec<(Matrix, f64)> = Vec::new();
    let mut whitening = Some(options.whitening);
    if wanted && lesson.units.len() < MIN_PRODUCTS {
        recipe.notes.push(format!(
            "{} products are too few to learn from a teacher, columns or copies, {MIN_PRODUCTS} are \
             needed",
            lesson.units.len()
        ));
    } else if wanted {
        let views: Vec<View<'_>> = lesson
            .teachers
            .iter()
            .filter_map(|teacher| {
                let view = View::of(teacher.name, teacher.pooled, teacher.blocks, &own, &clean);
                if view.is_none() {
                    let what = format!("{} sees no difference between the pictures", teacher.name);
                    recipe.notes.push(what);
                }
                view
            })
            .collect();
        let trial = Trial::new(&samples, lesson.units, &clean, pictures);
        let columns: Vec<Option<Targets<'_>>> =
            lesson.columns.iter().map(|c| Some(Targets::Labels(c.shared()?, &shares))).collect();
        let mut choice = Choice::components(&trial, copied.len(), options);
        let teachers = choice.teachers(&views, &mut recipe);
        let follows = match &teachers {
            Some((views, joined)) => choice.follow(joined, views, &mut recipe),
            None => false,
        };
        // Without a teacher that helps, the network itself says what a copy should look like: its own
        // picture.
        let itself = (!follows && trial.has_copies())
            .then(|| View::of("", lesson.pooled, lesson.blocks, &own, &clean))
            .flatten();
        if let Some(itself) = &itself {
            choice.follow_itself(itself.targets(), &mut recipe);
        }
        choice.columns(lesson.columns, &columns, &mut recipe);
        for (targets, strength, weight) in choice.regressions() {
            parts.push((solve(&samples, targets, strength)?, weight));
        }
        whitening = choice.whitening();
    }

    let (linear, taught) = (!parts.is_empty(), whitening.is_none());
    if let Some(whitening) = whitening {
        let clean = Samples::new(lesson.pooled, lesson.blocks, &own);
        let components = pca::components(&clean, LearnOptions { whitening, ..options })?;
        let Some(components) = components.filter(|c| c.cols() >= MIN_COMPONENTS) else {
            return as_they_are(lesson, options, recipe);
        };
        recipe.whitening = Some(whitening);
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
    let fits = lesson.owners.len() == pictures
        && lesson.owners.iter().all(|&owner| (owner as usize) < products)
        && lesson.teachers.iter().all(|t| t.pooled.len() == pictures)
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
    let teachers = lesson.teachers.iter().map(|t| (t.name, t.pooled, t.blocks));
    let owner = |row: usize| lesson.owners.get(row).map_or(0, |owner| owner + 1);
    for (who, pooled, blocks) in own.chain(teachers) {
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
