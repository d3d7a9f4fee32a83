//! Whether the projection of the index that is there stays, or one is learnt anew.

use std::fmt;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::origin::Lesson;
use super::previous::Previous;
use super::scores::{self, Learnt};
use crate::catalog::Product;
use crate::cli::composites::Grounds;
use crate::cli::lesson::{self, Material, Networks, POWER};
use crate::cli::output;
use crate::cli::state::PictureId;
use crate::error::{Error, ErrorKind, Result};
use crate::index::EF_CONSTRUCTION;
use crate::learn::{Recipe, explained};

/// Of the variance, how much less may be kept of all pictures than when the projection was learnt.
const MAX_LOST: f64 = 0.05;
/// Pictures by which the variance that is kept is measured, at most.
const SAMPLE: usize = 1000;

/// How far a catalogue has moved from what its projection was learnt from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct Drift {
    /// Share of the pictures that it was not learnt from.
    pub(super) new: f64,
    /// How much less of the variance of all pictures is kept than was when it was learnt.
    pub(super) lost: f64,
}

/// Why a projection is learnt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Why {
    First,
    Asked,
    Forgotten,
    Options,
    Drifted(Drift),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::First => write!(f, "there was no index"),
            Self::Asked => write!(f, "--relearn was given"),
            Self::Forgotten => write!(f, "nothing is remembered of how the old index was made"),
            Self::Options => write!(f, "the networks or the options have changed"),
            Self::Drifted(drift) => write!(
                f,
                "{:.0} % of the pictures are new since it was learnt, and it keeps {:.3} less of their variance",
                drift.new * 100.0,
                drift.lost
            ),
        }
    }
}

/// What becomes of the projection.
pub(super) enum Choice {
    Kept(Drift),
    Learnt(Why),
}

/// A catalogue as it is today.
pub(super) struct Today<'a> {
    pub(super) networks: &'a Networks,
    pub(super) material: &'a Material,
    pub(super) grounds: &'a Grounds,
    pub(super) products: &'a [Product],
    /// By row.
    pub(super) rows: &'a [PictureId],
}

/// Keeps the old projection where it still fits, else learns one. `max_new` is the share of new
/// pictures from which on it does not.
pub(super) fn choose(
    today: &Today<'_>,
    previous: Option<Previous>,
    args: &lesson::Args,
    relearn: bool,
    max_new: f64,
) -> Result<(Lesson, Choice)> {
    let options = fingerprint(today, args);
    let Some(previous) = previous else { return learn(today, args, options, Why::First) };
    if relearn {
        return learn(today, args, options, Why::Asked);
    }
    let Some(origin) = previous.origin else {
        return learn(today, args, options, Why::Forgotten);
    };
    if origin.lesson.options != options {
        return learn(today, args, options, Why::Options);
    }
    let drift = drift(today, &origin.lesson);
    if drift.new > max_new || drift.lost > MAX_LOST {
        return learn(today, args, options, Why::Drifted(drift));
    }
    Ok((origin.lesson, Choice::Kept(drift)))
}

fn learn(
    today: &Today<'_>,
    args: &lesson::Args,
    options: [u8; 32],
    why: Why,
) -> Result<(Lesson, Choice)> {
    let everyone: Vec<usize> = (0..today.products.len()).collect();
    let list: Vec<&Product> = today.products.iter().collect();
    let (projection, recipe) = today.material.learn(&everyone, &list, args)?;
    for note in &recipe.notes {
        output::remark(format_args!("note: {note}"));
    }
    // What a teacher or labels draw together may differ for the eye.
    let (plain, plain_method) = if args.is_plain() {
        (None, recipe.projection)
    } else {
        let (plain, recipe) = today.material.learn(&everyone, &list, &args.plain())?;
        (Some(plain), recipe.projection)
    };
    let pooled = &today.material.pooled;
    let step = pooled.len().div_ceil(SAMPLE).max(1);
    let sample: Vec<&[f32]> = pooled.iter().step_by(step).map(Vec::as_slice).collect();
    let explained = explained(&projection, &sample).unwrap_or(1.0);
    let mut learnt = today.rows.to_vec();
    learnt.sort_unstable();
    learnt.dedup();
    let scores = scores::learn(today.material, &list, args)?;
    let recipe = describe(&recipe, today.grounds, scores)?;
    let lesson =
        Lesson { options, projection, plain, plain_method, learnt, explained, recipe, scores };
    Ok((lesson, Choice::Learnt(why)))
}

fn drift(today: &Today<'_>, lesson: &Lesson) -> Drift {
    let pictures = today.rows.iter().zip(&today.material.pooled);
    let new: Vec<&[f32]> = pictures
        .filter(|(id, _)| lesson.learnt.binary_search(id).is_err())
        .map(|(_, pooled)| pooled.as_slice())
        .collect();
    let share = new.len() as f64 / today.rows.len().max(1) as f64;
    let step = new.len().div_ceil(SAMPLE).max(1);
    let sample: Vec<&[f32]> = new.into_iter().step_by(step).collect();
    // Of the pictures that it was learnt from, as much is kept as ever.
    let kept = explained(&lesson.projection, &sample).unwrap_or(lesson.explained);
    Drift { new: share, lost: (share * (lesson.explained - kept)).max(0.0) }
}

/// All that a projection depends on besides the catalogue.
fn fingerprint(today: &Today<'_>, args: &lesson::Args) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(env!("CARGO_PKG_VERSION"));
    today.networks.ids().for_each(|id| hash.update(id));
    hash.update([0, args.composites.composites]);
    today.grounds.ids().for_each(|id| hash.update(id));
    for column in &args.learn_from {
        hash.update((column.len() as u64).to_le_bytes());
        hash.update(column);
    }
    hash.update(args.dim.to_le_bytes());
    hash.update(POWER.to_le_bytes());
    hash.finalize().into()
}

/// The recipe as the manifest holds it.
fn describe(
    recipe: &Recipe,
    grounds: &Grounds,
    scores: Option<Learnt>,
) -> Result<serde_json::Value> {
    let failed =
        |cause| Error::with_source(ErrorKind::Internal, "writing the recipe failed", cause);
    let mut value = serde_json::to_value(recipe).map_err(failed)?;
    if let Some(learnt) = scores {
        value["scores"] = serde_json::to_value(learnt).map_err(failed)?;
    }
    if recipe.composites.is_some() {
        value["composites"]["grounds"] = grounds.name().into();
    }
    value["power"] = POWER.into();
    value["ef_construction"] = EF_CONSTRUCTION.into();
    Ok(value)
}
