//! Which recipe is learnt: each part is tried on products held out, and stays if it helps them.

use super::recipe::{ColumnRecipe, CompositesRecipe, Recipe, TeacherRecipe};
use super::samples::{Samples, Shares, Targets};
use super::trial::{Embeddings, Judged, Part, Trial};
use super::{COLUMN_WEIGHT, Column, LearnOptions, STRENGTHS, TARGET_DIM};
use crate::projection::Block;

/// A teacher whose neighbours are found less than so many times as often as by chance is not
/// understood.
const BEYOND_CHANCE: f64 = 2.0;

/// What a network sees of the pictures: what our features are regressed to.
pub(super) struct View<'a> {
    name: &'a str,
    targets: Targets<'a>,
    /// Mean squared length of the targets.
    energy: f64,
}

impl<'a> View<'a> {
    /// Along its principal directions, at most 256; `None` if it sees no difference. `of` is each
    /// row's picture.
    pub(super) fn of(
        name: &'a str,
        pooled: &'a [&'a [f32]],
        blocks: &'a [Block],
        shares: &'a Shares,
        of: &'a [usize],
    ) -> Option<Self> {
        let samples = Samples::new(pooled, blocks, shares);
        let (variances, directions) = samples.principal(TARGET_DIM)?;
        let energy: f64 = variances.iter().sum();
        let targets = Targets::Projected(samples, directions, of);
        (!variances.is_empty() && energy > 0.0).then_some(Self { name, targets, energy })
    }

    pub(super) fn targets(&self) -> &Targets<'a> {
        &self.targets
    }

    /// Several at once, each counting the same.
    fn beside(views: &[&'a View<'a>]) -> Targets<'a> {
        let of = |view: &&'a View<'a>| {
            let scale = if views.len() == 1 { 1.0 } else { view.energy.sqrt().recip() };
            (&view.targets, scale)
        };
        Targets::Beside(views.iter().map(of).collect())
    }
}

/// The recipe as far as it has been chosen.
pub(super) struct Choice<'a> {
    trial: &'a Trial,
    /// All that are learnt from; the trial may do with fewer.
    copies: usize,
    /// What the projection consists of; at first principal components.
    parts: Vec<(Part<'a>, f64)>,
    /// Regularisation of what is added.
    strength: f64,
    /// What the parts make of products held out; `None` if that cannot be learnt.
    ours: Option<Embeddings>,
}

impl<'a> Choice<'a> {
    /// Principal components, whitened if copies find no more without.
    pub(super) fn components(trial: &'a Trial, copies: usize, options: LearnOptions) -> Self {
        let of = |whitening: f64| {
            let parts = vec![(Part::Principal(options.dim, whitening), 1.0)];
            let ours = trial.embed(&parts);
            Self { trial, copies, parts, strength: STRENGTHS[STRENGTHS.len() / 2], ours }
        };
        let whitened = of(options.whitening);
        if !trial.has_copies() || options.whitening == 0.0 {
            return whitened;
        }
        let plain = of(0.0);
        if plain.found() > whitened.found() { plain } else { whitened }
    }

    /// The whitening of the principal components, if they are part of it.
    pub(super) fn whitening(&self) -> Option<f64> {
        self.parts.iter().find_map(|(part, _)| match part {
            Part::Principal(_, whitening) => Some(*whitening),
            Part::Ridge(..) => None,
        })
    }

    /// The regressions, their regularisation, and what each counts.
    pub(super) fn regressions(&self) -> impl Iterator<Item = (&'a Targets<'a>, f64, f64)> {
        self.parts.iter().filter_map(|&(part, weight)| match part {
            Part::Principal(..) => None,
            Part::Ridge(targets, strength) => Some((targets, strength, weight)),
        })
    }

    /// The teachers that help, joined; `None` if none of them does. Each alone has to have its
    /// neighbours found better than by the components, and than by chance. Of several, those are left out without which
    /// copies find more.
    pub(super) fn teachers<'v>(
        &self,
        views: &'v [View<'v>],
        recipe: &mut Recipe,
    ) -> Option<(Vec<&'v View<'v>>, Targets<'v>)> {
        let mut helpful: Vec<&View<'_>> = Vec::new();
        for view in views {
            let targets = View::beside(&[view]);
            let best = self.best(&targets, Judged::overall);
            let chance = self.trial.chance() * BEYOND_CHANCE;
            if best.is_some_and(|(_, judged)| judged.agreement > chance) {
                helpful.push(view);
            } else {
                recipe.notes.push(format!(
                    "{} is not used: for products held out, its neighbours are found no better",
                    view.name
                ));
            }
        }
        let found = |views: &[&View<'_>]| {
            let targets = View::beside(views);
            let ours = self.trial.embed(&[(Part::Ridge(&targets, self.strength), 1.0)]);
            ours.map_or(0.0, |ours| self.trial.found(&ours))
        };
        while helpful.len() > 1 && self.trial.has_copies() {
            let all = found(&helpful);
            let without = (0..helpful.len()).map(|at| {
                let others = [&helpful[..at], &helpful[at + 1..]].concat();
                (at, found(&others))
            });
            let best = without.reduce(|best, next| if next.1 > best.1 { next } else { best });
            let Some((at, _)) = best.filter(|(_, found)| *found > all) else { break };
            recipe.notes.push(format!(
                "{} is not used beside the others: without it more copies find their product",
                helpful.remove(at).name
            ));
        }
        (!helpful.is_empty()).then(|| (helpful.clone(), View::beside(&helpful)))
    }

    /// Follows teachers in place of the components; whether that helps.
    pub(super) fn follow(
        &mut self,
        joined: &'a Targets<'a>,
        views: &[&View<'_>],
        recipe: &mut Recipe,
    ) -> bool {
        let Some((strength, judged)) = self.best(joined, Judged::overall) else {
            // Each alone has helped.
            recipe.notes.push("the teachers together help no product held out".to_owned());
            return false;
        };
        let without = self.ours.take();
        self.replace(joined, strength);
        let agreement = |ours: &Option<Embeddings>, view: &View<'_>| {
            ours.as_ref().map_or(0.0, |ours| self.trial.agreement(ours, &view.targets))
        };
        recipe.teachers = views
            .iter()
            .map(|view| TeacherRecipe {
                name: view.name.to_owned(),
                strength,
                agreement: agreement(&self.ours, view),
                agreement_without: agreement(&without, view),
            })
            .collect();
        self.tell_of_copies(strength, judged, without.as_ref(), recipe);
        true
    }

    /// Follows what the network itself sees of clean pictures, if copies find more by that.
    pub(super) fn follow_itself(&mut self, targets: &'a Targets<'a>, recipe: &mut Recipe) -> bool {
        // What the network sees of pictures alone agrees with itself best: only copies count.
        let found = |judged: &Judged| judged.found.unwrap_or(0.0);
        let Some((strength, judged)) = self.best(targets, found) else {
            let what = "composites are not used: products held out are found in them no better";
            recipe.notes.push(what.to_owned());
            return false;
        };
        let without = self.ours.take();
        self.replace(targets, strength);
        self.tell_of_copies(strength, judged, without.as_ref(), recipe);
        true
    }

    /// Adds each column by which products held out find more of their likes, unless copies lose more
    /// of their products by that.
    pub(super) fn columns(
        &mut self,
        columns: &[Column],
        labels: &'a [Option<Targets<'a>>],
        recipe: &mut Recipe,
    ) {
        for (column, labels) in columns.iter().zip(labels) {
            let Some(labels) = labels else {
                recipe.notes.push(format!(
                    "the column {:?} is not used: no value is shared by some products and not by all",
                    column.name
                ));
                continue;
            };
            let mut parts = self.parts.clone();
            parts.push((Part::Ridge(labels, self.strength), COLUMN_WEIGHT));
            let more = Self { ours: self.trial.embed(&parts), parts, ..*self };
            let (held_out_without, held_out) = (self.likeness(labels), more.likeness(labels));
            let helps = held_out > held_out_without;
            let lost = if self.trial.has_copies() { self.found() - more.found() } else { 0.0 };
            let harms = lost >= held_out - held_out_without;
            let why = match (helps, harms) {
                (true, false) => None,
                (false, _) => Some("products held out gain nothing by it"),
                (true, true) => {
                    Some("by it copies of products held out find their product less often")
                }
            };
            if let Some(why) = why {
                recipe.notes.push(format!("the column {:?} is not used: {why}", column.name));
            } else {
                *self = more;
            }
            let (name, used) = (column.name.clone(), why.is_none());
            recipe.columns.push(ColumnRecipe { name, used, held_out, held_out_without });
        }
    }

    /// The regularisation that is best by this value, where it is better than what is chosen so far.
    fn best(&self, targets: &Targets<'_>, value: impl Fn(&Judged) -> f64) -> Option<(f64, Judged)> {
        let judge = |ours: &Embeddings| self.trial.judge(ours, targets);
        let before = self.ours.as_ref().map_or(0.0, |ours| value(&judge(ours)));
        let tried = STRENGTHS.into_iter().filter_map(|strength| {
            let ours = self.trial.embed(&[(Part::Ridge(targets, strength), 1.0)])?;
            Some((strength, judge(&ours)))
        });
        // Of equals the first, which is the stronger regularisation.
        tried
            .reduce(|best, next| if value(&next.1) > value(&best.1) { next } else { best })
            .filter(|(_, judged)| value(judged) > before)
    }

    fn replace(&mut self, targets: &'a Targets<'a>, strength: f64) {
        self.parts = vec![(Part::Ridge(targets, strength), 1.0)];
        self.strength = strength;
        self.ours = self.trial.embed(&self.parts);
    }

    fn found(&self) -> f64 {
        self.ours.as_ref().map_or(0.0, |ours| self.trial.found(ours))
    }

    fn likeness(&self, labels: &Targets<'_>) -> f64 {
        self.ours.as_ref().map_or(0.0, |ours| self.trial.likeness(ours, labels))
    }

    fn tell_of_copies(
        &self,
        strength: f64,
        judged: Judged,
        without: Option<&Embeddings>,
        recipe: &mut Recipe,
    ) {
        recipe.composites = judged.found.map(|found| CompositesRecipe {
            copies: self.copies,
            strength,
            found,
            found_without: without.map_or(0.0, |ours| self.trial.found(ours)),
        });
    }
}
