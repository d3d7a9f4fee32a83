//! What a run has done, for people and for a monitor.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use lookalike_publish::Committed;
use serde::Serialize;

use super::choice::{Choice, Drift};
use super::previous::Previous;
use crate::catalog::{Image, Product};
use crate::cli::output;
use crate::cli::state::PictureId;
use crate::error::Result;

/// Ids of products by what became of them since the last run.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(super) struct Changes {
    /// Not there before.
    pub(super) added: Vec<String>,
    /// Another picture, or anything else that the list says of them.
    pub(super) changed: Vec<String>,
    /// Not there any more.
    pub(super) removed: Vec<String>,
}

/// A product as the last run had it.
struct Before {
    product: Product,
    /// `None` where the last run's state is gone.
    pictures: Option<Vec<PictureId>>,
}

/// The products of the last run by id, to compare with.
pub(super) struct Old(HashMap<String, Before>);

impl Old {
    pub(super) fn of(previous: Option<&Previous>) -> Self {
        let products = previous.and_then(|p| p.products.as_ref()).map_or(&[][..], |p| p.as_slice());
        let rows = previous.and_then(|p| p.origin.as_ref()).map(|origin| origin.rows.as_slice());
        let all: usize = products.iter().map(|p| p.images.len()).sum();
        let mut rest = rows.filter(|rows| rows.len() == all);
        let before = products.iter().map(|product| {
            let pictures = rest.map(|rows| {
                let (own, others) = rows.split_at(product.images.len());
                rest = Some(others);
                own.to_vec()
            });
            (product.id.clone(), Before { product: bare(product), pictures })
        });
        Self(before.collect())
    }

    /// What has changed, `rows` being the pictures of `products` in their order.
    pub(super) fn changes(mut self, products: &[Product], rows: &[PictureId]) -> Changes {
        let mut changes = Changes::default();
        let mut rest = rows;
        for product in products {
            let (own, others) = rest.split_at(product.images.len().min(rest.len()));
            rest = others;
            match self.0.remove(&product.id) {
                None => changes.added.push(product.id.clone()),
                Some(before) => {
                    let same = before.pictures.is_none_or(|pictures| pictures == own);
                    if !same || before.product != bare(product) {
                        changes.changed.push(product.id.clone());
                    }
                }
            }
        }
        changes.removed = self.0.into_keys().collect();
        changes.removed.sort_unstable();
        changes
    }
}

/// What the feed says of a product, without what a run adds.
fn bare(product: &Product) -> Product {
    let images = product.images.iter().map(|i| Image { thumb: None, ..i.clone() }).collect();
    Product { images, variant_of: None, ..product.clone() }
}

/// Seconds that each part of a run took.
#[derive(Default, Serialize)]
pub(super) struct Seconds {
    /// Networks, folder and catalogue.
    read: f64,
    look: f64,
    learn: f64,
    graph: f64,
    publish: f64,
    total: f64,
}

/// The parts of a run, in their order.
#[derive(Clone, Copy)]
pub(super) enum Part {
    Read,
    Look,
    Learn,
    Graph,
    Publish,
}

/// Times the parts of a run.
pub(super) struct Clock {
    start: Instant,
    last: Instant,
    seconds: Seconds,
}

impl Clock {
    pub(super) fn start() -> Self {
        let now = Instant::now();
        Self { start: now, last: now, seconds: Seconds::default() }
    }

    /// What was done since the last call was this part.
    pub(super) fn done(&mut self, part: Part) {
        let took = std::mem::replace(&mut self.last, Instant::now()).elapsed();
        let slot = match part {
            Part::Read => &mut self.seconds.read,
            Part::Look => &mut self.seconds.look,
            Part::Learn => &mut self.seconds.learn,
            Part::Graph => &mut self.seconds.graph,
            Part::Publish => &mut self.seconds.publish,
        };
        *slot += rounded(took);
    }

    fn stop(mut self) -> Seconds {
        self.seconds.total = rounded(self.start.elapsed());
        self.seconds
    }
}

fn rounded(took: Duration) -> f64 {
    took.as_millis() as f64 / 1000.0
}

/// All that is said of a run. `docs/hosting.md` describes the JSON.
#[derive(Serialize)]
pub(super) struct Report {
    products: usize,
    pictures: usize,
    dim: usize,
    /// Pictures that the networks looked at in this run.
    embedded: usize,
    added: usize,
    changed: usize,
    removed: usize,
    /// Products and pictures that could not be used.
    refused: usize,
    projection: &'static str,
    /// Why it was learnt.
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<String>,
    /// How far the catalogue has moved from what it was learnt from, where it was kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    drift: Option<Drift>,
    files: Files,
    seconds: Seconds,
    changes: Changes,
    refusals: Vec<String>,
}

#[derive(Serialize)]
struct Files {
    written: usize,
    kept: usize,
    removed: usize,
}

/// What a report is made of.
pub(super) struct Outcome {
    pub(super) products: usize,
    pub(super) pictures: usize,
    pub(super) dim: usize,
    pub(super) embedded: usize,
    pub(super) changes: Changes,
    pub(super) refusals: Vec<String>,
    pub(super) choice: Choice,
    pub(super) committed: Committed,
    pub(super) clock: Clock,
}

impl Outcome {
    fn report(self) -> Report {
        let (projection, because, drift) = match self.choice {
            Choice::Kept(drift) => ("kept", None, Some(drift)),
            Choice::Learnt(why) => ("learnt", Some(why.to_string()), None),
        };
        let Committed { written, kept, removed, .. } = self.committed;
        Report {
            products: self.products,
            pictures: self.pictures,
            dim: self.dim,
            embedded: self.embedded,
            added: self.changes.added.len(),
            changed: self.changes.changed.len(),
            removed: self.changes.removed.len(),
            refused: self.refusals.len(),
            projection,
            because,
            drift,
            files: Files { written, kept, removed },
            seconds: self.clock.stop(),
            changes: self.changes,
            refusals: self.refusals,
        }
    }

    /// Says it on standard output.
    pub(super) fn say(self, folder: &Path, json: bool) -> Result<()> {
        let report = self.report();
        if json {
            return output::json(&report);
        }
        output::line(format_args!(
            "{}: {} products ({} skipped), {} dimensions, {:.1} s",
            folder.display(),
            report.products,
            report.refused,
            report.dim,
            report.seconds.total
        ))?;
        output::line(format_args!(
            "{} added, {} changed, {} removed; {} of {} pictures embedded; projection {}{}",
            report.added,
            report.changed,
            report.removed,
            report.embedded,
            report.pictures,
            report.projection,
            report.because.map(|why| format!(": {why}")).unwrap_or_default()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Products;

    fn product(id: &str, pictures: usize) -> Product {
        let image = |i: usize| Image { image: format!("{id}-{i}.jpg"), thumb: None };
        let images = (0..pictures).map(image).collect();
        Product { id: id.into(), images, price: Some(1.0), ..Product::default() }
    }

    #[test]
    fn products_are_compared_by_what_the_feed_says_and_by_their_pictures() {
        let old = vec![product("a", 1), product("b", 2), product("c", 1), product("d", 1)];
        let id = |n: u8| PictureId([n; 32]);
        let before = |products: &[Product], pictures: Option<Vec<PictureId>>| {
            let mut rest = pictures;
            let before = products.iter().map(|product| {
                let own = rest.as_mut().map(|rest| rest.drain(..product.images.len()).collect());
                (product.id.clone(), Before { product: bare(product), pictures: own })
            });
            Old(before.collect())
        };
        let rows: Vec<PictureId> = (0..5).map(id).collect();
        let mut new = vec![product("e", 1), product("c", 1), product("b", 2), product("a", 1)];
        new[1].price = Some(2.0);
        new[3].images[0].thumb = Some("thumbs/0.jpg".into());
        new[3].variant_of = Some("b".into());
        let now = [id(9), id(3), id(1), id(8), id(0)];
        let list = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        let changes = before(&old, Some(rows)).changes(&new, &now);
        assert_eq!(changes.added, list(&["e"]));
        assert_eq!(changes.changed, list(&["c", "b"]), "b shows another second picture");
        assert_eq!(changes.removed, list(&["d"]));
        assert_eq!(before(&old, None).changes(&new, &now).changed, list(&["c"]));
        let none = Old::of(None).changes(Products::new(old).unwrap().as_slice(), &[]);
        assert_eq!((none.added.len(), none.changed.len(), none.removed.len()), (4, 0, 0));
    }
}
