//! Learns the projection from a catalogue's own pictures. Native only; the browser gets one matrix.
//!
//! Three things can be learnt from, and what is there is joined:
//!
//! - the pictures alone: principal components with partial whitening ([`pca_whitening`]);
//! - a teacher, a stronger network that only the indexing machine runs: ridge regression from our
//!   features to its embeddings of the same pictures, so that our neighbours become its neighbours;
//! - columns of the catalogue, such as its categories: ridge regression to what the products share.
//!
//! Regularisation is chosen, and every lesson is checked, on products held out: a teacher or a
//! column that does not help them is left out, and the [`Recipe`] says so.

mod columns;
mod pca;
mod samples;
mod trial;
mod variants;

use half::f16;
use lookalike_linalg::Matrix;
use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};
use crate::projection::{Block, Projection};

pub use columns::Column;
pub use pca::pca_whitening;
use samples::{Samples, Targets, beside, unit_columns};
use trial::{Part, Trial};
pub use variants::{difference_hash, variants};

/// Catalogues smaller than this teach nothing that holds for the next picture.
const MIN_PRODUCTS: usize = 40;
/// Regularisations to choose from, as shares of the features' total variance.
const STRENGTHS: [f64; 4] = [0.3, 0.1, 0.03, 0.01];
/// The teacher's embeddings are cut to this many principal components: the rest is noise.
const TEACHER_DIM: usize = 256;
/// What a column counts for beside the teacher or the components, which count 1.
const COLUMN_WEIGHT: f64 = 0.6;
/// The largest entry of a stored matrix: far from both ends of half precision.
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
    /// Its pooled features, `[products][sum of its block dims]`.
    pub pooled: &'a [&'a [f32]],
    /// How they are made comparable.
    pub blocks: &'a [Block],
}

/// All that can be learnt from.
#[derive(Clone, Copy, Debug)]
pub struct Lesson<'a> {
    /// Our network's pooled features, `[products][sum of block dims]`.
    pub pooled: &'a [&'a [f32]],
    /// How they enter the projection.
    pub blocks: &'a [Block],
    /// A stronger network.
    pub teacher: Option<Teacher<'a>>,
    /// What the shop knows of its products.
    pub columns: &'a [Column],
}

/// How a projection was made; goes into the manifest.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Recipe {
    /// `"pca"`, `"ridge"` or `"pca+ridge"`.
    pub projection: &'static str,
    /// Of the principal components, if they are part of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub whitening: Option<f64>,
    /// The teacher that was learnt from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub teacher: Option<TeacherRecipe>,
    /// The columns that were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<ColumnRecipe>,
    /// What was asked for and not done, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// A teacher, and how well it was followed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TeacherRecipe {
    /// For people.
    pub name: String,
    /// Regularisation, as a share of the features' total variance.
    pub strength: f64,
    /// Share of the teacher's 10 nearest products that are ours as well, for products held out.
    pub agreement: f64,
    /// The same for principal components.
    pub agreement_without: f64,
}

/// A column, and what it did for products held out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ColumnRecipe {
    /// As the feed names it.
    pub name: String,
    /// Whether it is in the projection: only if it helped.
    pub used: bool,
    /// How much the 5 nearest products share the column's labels with it, 0 to 1.
    pub held_out: f64,
    /// The same without it.
    pub held_out_without: f64,
}

/// Learns the projection from all that the lesson has.
///
/// # Errors
/// `BadCatalog` if there are fewer than two pictures that differ; `Mismatch` if the lesson's parts
/// differ in length; `BadModel` if features are not finite.
pub fn learn(lesson: &Lesson<'_>, options: LearnOptions) -> Result<(Projection, Recipe)> {
    check(lesson)?;
    let samples = Samples::new(lesson.pooled, lesson.blocks);
    let mut recipe = Recipe::default();
    let wanted = lesson.teacher.is_some() || !lesson.columns.is_empty();
    let mut parts: Vec<(Matrix, f64)> = Vec::new();

    if wanted && samples.len() < MIN_PRODUCTS {
        recipe.notes.push(format!(
            "{} products are too few to learn from a teacher or columns, {MIN_PRODUCTS} are needed",
            samples.len()
        ));
    } else if wanted && samples.vary() {
        let trial = Trial::new(&samples);
        let principal = Part::Principal(options.dim, options.whitening);
        let mut base = (principal, 1.0);
        let mut strength = STRENGTHS[STRENGTHS.len() / 2];

        let target = lesson.teacher.and_then(|teacher| {
            let target = teacher_target(teacher);
            if target.is_none() {
                recipe
                    .notes
                    .push(format!("{} sees no difference between the pictures", teacher.name));
            }
            Some((teacher.name, target?))
        });
        if let Some((name, target)) = &target {
            let without = trial.agreement(&[base], target).unwrap_or(0.0);
            let tried = STRENGTHS.into_iter().filter_map(|s| {
                Some((s, trial.agreement(&[(Part::Ridge(target, s), 1.0)], target)?))
            });
            // Of equals the first, which is the stronger regularisation.
            let best = tried.reduce(|best, next| if next.1 > best.1 { next } else { best });
            match best {
                Some((best, agreement)) if agreement > without => {
                    strength = best;
                    base = (Part::Ridge(target, best), 1.0);
                    parts.push((solve(&samples, target, best)?, 1.0));
                    recipe.teacher = Some(TeacherRecipe {
                        name: (*name).to_owned(),
                        strength: best,
                        agreement,
                        agreement_without: without,
                    });
                }
                _ => recipe.notes.push(format!(
                    "{name} is not used: for products held out, its neighbours are found no better"
                )),
            }
        }

        let shared: Vec<Option<Targets<'_>>> =
            lesson.columns.iter().map(|c| c.shared().map(Targets::Labels)).collect();
        let mut accepted = vec![base];
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
            let without = trial.likeness(&accepted, labels).unwrap_or(0.0);
            let with = trial.likeness(&more, labels).unwrap_or(0.0);
            let used = with > without;
            if used {
                accepted = more;
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

    let linear = recipe.teacher.is_some() || !parts.is_empty();
    if recipe.teacher.is_none() {
        recipe.whitening = Some(options.whitening);
        let components = pca::components(&samples, options)?;
        if !linear {
            recipe.projection = "pca";
            return Ok((finish(&samples, lesson.blocks, &components)?, recipe));
        }
        parts.insert(0, (components, 1.0));
    }
    recipe.projection = if recipe.teacher.is_some() { "ridge" } else { "pca+ridge" };
    let joined = join(&samples, &parts, options.dim)?;
    Ok((finish(&samples, lesson.blocks, &joined)?, recipe))
}

fn check(lesson: &Lesson<'_>) -> Result<()> {
    let count = lesson.pooled.len();
    let teacher = lesson.teacher;
    let lengths = [teacher.map(|t| t.pooled.len())].into_iter().flatten();
    let columns = lesson.columns.iter().map(Column::len);
    if let Some(other) = lengths.chain(columns).find(|&other| other != count) {
        return Err(Error::new(
            ErrorKind::Mismatch,
            format!("{count} products, but {other} rows to learn from"),
        ));
    }
    let own = std::iter::once(("the network", lesson.pooled, lesson.blocks));
    for (who, pooled, blocks) in own.chain(teacher.map(|t| (t.name, t.pooled, t.blocks))) {
        let dim: usize = blocks.iter().map(|b| b.dim).sum();
        if let Some(row) = pooled.iter().position(|p| p.len() != dim) {
            return Err(Error::new(
                ErrorKind::Mismatch,
                format!(
                    "{who} gives {} features for product {}, not {dim}",
                    pooled[row].len(),
                    row + 1
                ),
            ));
        }
        if let Some(row) = pooled.iter().position(|p| p.iter().any(|x| !x.is_finite())) {
            return Err(Error::new(
                ErrorKind::BadModel,
                format!("{who} gives numbers that are not finite for product {}", row + 1),
            ));
        }
    }
    Ok(())
}

/// The teacher's embeddings along their principal directions, at most 256 of them; `None` if all are
/// the same.
fn teacher_target<'a>(teacher: Teacher<'a>) -> Option<Targets<'a>> {
    let samples = Samples::new(teacher.pooled, teacher.blocks);
    let (variances, directions) = samples.principal(TEACHER_DIM)?;
    (!variances.is_empty()).then_some(Targets::Projected(samples, directions))
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
        let length = (energy / samples.len().max(1) as f64).sqrt();
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
    let matrix = (0..out)
        .flat_map(|j| (0..dim).map(move |i| (i, j)))
        .map(|(i, j)| f16::from_f64(components.at(i, j) * scale))
        .collect();
    let mean = samples.mean().iter().map(|&m| m as f32).collect();
    Projection::new(blocks.to_vec(), mean, matrix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Product;

    const DIM: usize = 12;

    fn block(dim: usize) -> Block {
        Block { dim, power: 1.0, weight: 1.0 }
    }

    /// The same sequence on every machine, -1 to 1.
    fn noise(seed: usize) -> f32 {
        let x = (seed as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let x = (x ^ (x >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((x >> 40) as f32) / (1u64 << 23) as f32 - 1.0
    }

    /// Products of four kinds. Our features show the kind weakly under strong noise, the teacher's
    /// show little else.
    fn kind(row: usize) -> usize {
        row % 4
    }

    fn ours(count: usize) -> Vec<Vec<f32>> {
        let feature = |row: usize, d: usize| {
            let signal = if d < 4 && kind(row) == d { 0.5 } else { 0.0 };
            signal + noise(row * DIM + d) * if d < 4 { 0.2 } else { 1.0 }
        };
        (0..count).map(|row| (0..DIM).map(|d| feature(row, d)).collect()).collect()
    }

    fn teachers(count: usize) -> Vec<Vec<f32>> {
        let feature = |row: usize, d: usize| {
            f32::from(u8::from(kind(row) == d)) + 0.1 * noise(row * 4 + d + 77_777)
        };
        (0..count).map(|row| (0..4).map(|d| feature(row, d)).collect()).collect()
    }

    fn column(values: impl Iterator<Item = String>) -> Column {
        let list: Vec<Product> =
            values.map(|v| Product { category: Some(v), ..Product::default() }).collect();
        Column::read("category", &list.iter().collect::<Vec<_>>()).unwrap()
    }

    /// Share of the 3 nearest that are of the same kind, among products `from` the given row on.
    fn purity(projection: &Projection, pooled: &[Vec<f32>], from: usize) -> f64 {
        let e: Vec<_> = pooled.iter().map(|p| projection.apply(p).unwrap()).collect();
        let rows = from..e.len();
        let hits: usize = rows
            .clone()
            .map(|i| {
                let mut others: Vec<usize> = rows.clone().filter(|&j| j != i).collect();
                others.sort_by(|&a, &b| {
                    e[i].dot(&e[b]).unwrap().total_cmp(&e[i].dot(&e[a]).unwrap())
                });
                others[..3].iter().filter(|&&j| kind(j) == kind(i)).count()
            })
            .sum();
        hits as f64 / (3 * rows.len()) as f64
    }

    fn refs(rows: &[Vec<f32>]) -> Vec<&[f32]> {
        rows.iter().map(Vec::as_slice).collect()
    }

    /// Name, pooled features, blocks.
    type Seen<'a> = (&'a str, &'a [Vec<f32>], &'a [Block]);

    fn lesson(
        pooled: &[Vec<f32>],
        blocks: &[Block],
        teacher: Option<Seen<'_>>,
        columns: &[Column],
    ) -> Result<(Projection, Recipe)> {
        let taught = refs(teacher.map_or(&[], |t| t.1));
        let teacher = teacher.map(|(name, _, blocks)| Teacher { name, pooled: &taught, blocks });
        learn(&Lesson { pooled: &refs(pooled), blocks, teacher, columns }, LearnOptions::default())
    }

    #[test]
    fn a_teacher_helps_products_that_were_not_learnt_from() {
        let (all, taught) = (ours(200), teachers(120));
        let (blocks, theirs) = ([block(DIM)], [block(4)]);
        let teacher = ("t", &taught[..], &theirs[..]);
        let (plain, recipe) = lesson(&all[..120], &blocks, None, &[]).unwrap();
        assert_eq!((recipe.projection, recipe.notes.len()), ("pca", 0));
        let (learnt, recipe) = lesson(&all[..120], &blocks, Some(teacher), &[]).unwrap();
        assert_eq!(recipe.projection, "ridge");
        let followed = recipe.teacher.unwrap();
        assert!(followed.agreement > followed.agreement_without, "{followed:?}");
        let (before, after) = (purity(&plain, &all, 120), purity(&learnt, &all, 120));
        assert!(after > before + 0.1, "{before} {after}");
    }

    #[test]
    fn a_column_helps_only_if_it_says_something() {
        let all = ours(200);
        let blocks = [block(DIM)];
        let kinds = [column((0..120).map(|row| format!("kind {}", kind(row))))];
        let (plain, _) = lesson(&all[..120], &blocks, None, &[]).unwrap();
        let (learnt, recipe) = lesson(&all[..120], &blocks, None, &kinds).unwrap();
        assert!(recipe.columns[0].used && recipe.projection == "pca+ridge", "{recipe:?}");
        let (before, after) = (purity(&plain, &all, 120), purity(&learnt, &all, 120));
        assert!(after > before, "{before} {after}");

        // Every product alone in its category, and all in one.
        for useless in [
            column((0..120).map(|row| format!("only {row}"))),
            column((0..120).map(|_| "all".into())),
        ] {
            let columns = [useless];
            let (same, recipe) = lesson(&all[..120], &blocks, None, &columns).unwrap();
            assert_eq!(same, plain);
            assert!(recipe.notes[0].contains("not used"), "{recipe:?}");
        }
    }

    #[test]
    fn small_catalogues_fall_back_and_say_so() {
        let (all, taught) = (ours(10), teachers(10));
        let (blocks, theirs) = ([block(DIM)], [block(4)]);
        let teacher = Some(("t", &taught[..], &theirs[..]));
        let (p, recipe) = lesson(&all, &blocks, teacher, &[]).unwrap();
        assert_eq!(recipe.projection, "pca");
        assert!(recipe.notes[0].contains("10 products are too few"), "{recipe:?}");
        // Ten pictures span nine dimensions.
        assert_eq!(p.out_dim(), 9);
    }

    #[test]
    fn a_teacher_that_sees_nothing_is_left_out() {
        let (all, taught) = (ours(60), vec![vec![1.0; 4]; 60]);
        let (blocks, theirs) = ([block(DIM)], [block(4)]);
        let teacher = Some(("blind", &taught[..], &theirs[..]));
        let (_, recipe) = lesson(&all, &blocks, teacher, &[]).unwrap();
        assert_eq!((recipe.projection, recipe.teacher), ("pca", None));
        assert!(recipe.notes[0].contains("blind sees no difference"), "{:?}", recipe.notes);
    }

    #[test]
    fn what_cannot_be_learnt_from_is_refused() {
        let (blocks, theirs) = ([block(DIM)], [block(4)]);
        let alike = vec![vec![0.5; DIM]; 60];
        let taught = teachers(60);
        let teacher = Some(("t", &taught[..], &theirs[..]));
        let error = lesson(&alike, &blocks, teacher, &[]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadCatalog);

        let all = ours(60);
        let mut broken = taught.clone();
        broken[7][2] = f32::NAN;
        let teacher = Some(("t", &broken[..], &theirs[..]));
        let error = lesson(&all, &blocks, teacher, &[]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadModel);
        assert!(error.to_string().contains("product 8"), "{error}");

        let teacher = Some(("t", &taught[..59], &theirs[..]));
        let error = lesson(&all, &blocks, teacher, &[]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Mismatch);
    }

    #[test]
    fn the_same_lesson_gives_the_same_projection() {
        let (all, taught) = (ours(60), teachers(60));
        let (blocks, theirs) = ([block(DIM)], [block(4)]);
        let teacher = Some(("t", &taught[..], &theirs[..]));
        let once = lesson(&all, &blocks, teacher, &[]).unwrap();
        let again = lesson(&all, &blocks, teacher, &[]).unwrap();
        assert_eq!(once, again);
    }
}
