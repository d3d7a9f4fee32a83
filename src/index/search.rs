//! Finding the nearest: rows of codes are pictures, answers are products, and products that stand
//! together take one place.

use super::codes::Code;
use super::{Index, Neighbour};
use crate::embedding::Embedding;
use crate::error::{Error, ErrorKind, Result};

/// What a search is after.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<F> {
    /// Places to fill.
    pub k: usize,
    /// Leave out what scores less.
    pub least: f32,
    /// The place that a product takes, a number below that of the products; products of one place
    /// share it, and the nearest picture of any of them is what is found. `None` leaves it out.
    pub place: F,
}

impl<F: Fn(u32) -> Option<u32>> Wanted<F> {
    /// The `k` best places, whatever they score.
    pub fn best(k: usize, place: F) -> Self {
        Self { k, least: f32::NEG_INFINITY, place }
    }
}

impl Index {
    /// The `k` nearest products found through the graph, best first, each by its nearest picture.
    /// `ef` is the width of the candidate list: wider finds more of the true neighbours and takes
    /// longer; `k` at least.
    ///
    /// # Errors
    /// `Mismatch` if the query's dimension is not the index's.
    pub fn search(&self, query: &Embedding, k: usize, ef: usize) -> Result<Vec<Neighbour>> {
        self.search_places(query, ef, &Wanted::best(k, Some))
    }

    /// The `k` nearest of the products that `accept` lets pass, best first, each by its nearest
    /// picture, by comparing with every one of them.
    ///
    /// # Errors
    /// `Mismatch` if the query's dimension is not the index's.
    pub fn search_exact(
        &self,
        query: &Embedding,
        k: usize,
        accept: impl Fn(u32) -> bool,
    ) -> Result<Vec<Neighbour>> {
        self.search_places_exact(query, &Wanted::best(k, |p| accept(p).then_some(p)))
    }

    /// Fills the wanted places through the graph, best first. The candidate list grows until they
    /// are filled, however many pictures share a place.
    ///
    /// # Errors
    /// `Mismatch` if the query's dimension is not the index's.
    pub fn search_places(
        &self,
        query: &Embedding,
        ef: usize,
        wanted: &Wanted<impl Fn(u32) -> Option<u32>>,
    ) -> Result<Vec<Neighbour>> {
        let code = Code::new(query);
        let scorer = self.codes.scorer(&code)?;
        let mut width = ef.max(wanted.k).max(1);
        loop {
            let found = self.graph.search(width, |node| scorer.cosine(node as usize));
            // Best first: beyond the last are none that score higher.
            let exhausted = found.len() < width
                || width >= self.len()
                || found.last().is_some_and(|(_, score)| *score < wanted.least);
            let candidates = found.iter().map(|&(node, score)| self.neighbour(node, score));
            let kept: Vec<(u32, Neighbour)> = candidates
                .filter(|n| n.score >= wanted.least)
                .filter_map(|n| Some(((wanted.place)(n.product)?, n)))
                .collect();
            let filled = best_places(kept, wanted.k);
            // The end of the candidate list is found less surely than its beginning: where places
            // were lost to others of the same product or group, the last must not lie there.
            let sure = match wanted.k.checked_sub(1).map(|last| filled.get(last)) {
                None => true,
                Some(None) => false,
                Some(Some((_, last))) => {
                    let before = found.partition_point(|(_, score)| *score > last.score);
                    before < wanted.k || before < width / 2
                }
            };
            if sure || exhausted {
                return Ok(filled.into_iter().map(|(_, n)| n).collect());
            }
            width = (width * 2).min(self.len());
        }
    }

    /// Fills the wanted places exactly, best first, by comparing with every picture.
    ///
    /// # Errors
    /// `Mismatch` if the query's dimension is not the index's.
    pub fn search_places_exact(
        &self,
        query: &Embedding,
        wanted: &Wanted<impl Fn(u32) -> Option<u32>>,
    ) -> Result<Vec<Neighbour>> {
        let code = Code::new(query);
        let scorer = self.codes.scorer(&code)?;
        // What is kept is cut to the best `k` places whenever it has grown to this; from then on,
        // most pictures only have to be compared with the worst of those.
        let room = 2 * wanted.k.max(64);
        let mut kept: Vec<(u32, Neighbour)> = Vec::new();
        let mut worst = wanted.least;
        for node in 0..self.len() as u32 {
            let product = self.product_of(node);
            let Some(place) = (wanted.place)(product) else { continue };
            let score = scorer.cosine(node as usize);
            if score < worst {
                continue;
            }
            kept.push((place, self.neighbour(node, score)));
            if kept.len() >= room {
                kept = best_places(kept, wanted.k);
                if let Some((_, last)) = kept.last().filter(|_| kept.len() == wanted.k) {
                    worst = last.score;
                }
            }
        }
        Ok(best_places(kept, wanted.k).into_iter().map(|(_, n)| n).collect())
    }

    /// Which of a product's pictures is the nearest, 0 being the main one.
    ///
    /// # Errors
    /// `Mismatch` if the query's dimension is not the index's; `BadQuery` if there is no such
    /// product.
    pub fn nearest_picture(&self, query: &Embedding, product: u32) -> Result<u32> {
        let code = Code::new(query);
        let scorer = self.codes.scorer(&code)?;
        let rows = self.owners.pictures_of(product);
        let scored = rows.map(|row| {
            let node = self.nodes[row as usize];
            self.neighbour(node, scorer.cosine(node as usize))
        });
        scored.min_by(order).map(|n| n.picture).ok_or_else(|| {
            Error::new(ErrorKind::BadQuery, format!("the index has no product {product}"))
        })
    }

    fn neighbour(&self, node: u32, score: f32) -> Neighbour {
        let row = self.rows[node as usize];
        let product = self.owners.as_slice()[row as usize];
        Neighbour { product, picture: row - self.owners.pictures_of(product).start, score }
    }

    fn product_of(&self, node: u32) -> u32 {
        self.owners.as_slice()[self.rows[node as usize] as usize]
    }
}

/// By score, then product, then picture: the same on every machine.
fn order(a: &Neighbour, b: &Neighbour) -> std::cmp::Ordering {
    let key = |n: &Neighbour| (n.product, n.picture);
    b.score.total_cmp(&a.score).then(key(a).cmp(&key(b)))
}

/// The best of each place.
fn one_a_place(mut found: Vec<(u32, Neighbour)>) -> Vec<(u32, Neighbour)> {
    found.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(order(&a.1, &b.1)));
    found.dedup_by_key(|(place, _)| *place);
    found
}

/// The best `k` places, best first.
fn best_places(found: Vec<(u32, Neighbour)>, k: usize) -> Vec<(u32, Neighbour)> {
    let mut best = one_a_place(found);
    best.sort_unstable_by(|a, b| order(&a.1, &b.1));
    best.truncate(k);
    best
}
