//! What a query does: where it looks, and what it finds there.

use std::collections::HashSet;

use serde::Serialize;

use super::Engine;
use crate::catalog::{Filter, Product};
use crate::embedding::Embedding;
use crate::error::{Error, ErrorKind, Result};
use crate::index::Wanted;
use crate::query::{DEFAULT_K, Query, View};

/// Width of the graph search; [`Index::search`] explains.
pub const EF_SEARCH: usize = 128;
/// Weight of the mean of the liked products against the start, as usual for Rocchio's method.
const LIKE: f32 = 0.75;
/// Weight of the mean of the disliked ones.
const UNLIKE: f32 = 0.25;

/// A product that was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Hit<'a> {
    /// Its row in the product list.
    pub row: u32,
    /// Its id.
    pub id: &'a str,
    /// Cosine of its best picture to the query, -1 to 1.
    pub score: f32,
    /// All that is known of it.
    pub product: &'a Product,
    /// Which of `product.images` that picture is, 0 being the main one.
    pub image: u32,
    /// Ids of its variants, which are not hits of their own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub variants: Vec<&'a str>,
}

impl Engine {
    /// Where in the embedding space a query looks. In this order: the start; the walk along the
    /// great circle; the examples, after Rocchio (in: The SMART Retrieval System, 1971); `strength`
    /// times each direction of [`Index::direction`]. Renormalised after each step.
    ///
    /// # Errors
    /// `BadQuery` if the query is contradictory, names what does not exist, or ends nowhere;
    /// `NotReady` if something has to be provided first.
    pub fn locate(&mut self, query: &Query) -> Result<Embedding> {
        query.validate()?;
        let photo = match (query.photo, query.walk) {
            (None, _) => None,
            (Some(View::Masked), Some(t)) => {
                let whole = self.embed(View::Whole)?.clone();
                Some(whole.walk(self.embed(View::Masked)?, t)?)
            }
            (Some(view), _) => Some(self.embed(view)?.clone()),
        };
        let (index, products) = self.searchable()?;
        // A product is where its main picture is.
        let stored = |id: &String| index.embedding(products.row(id)?);
        let mean_of = |ids: &[String]| -> Result<Option<Embedding>> {
            let examples = ids.iter().map(stored).collect::<Result<Vec<_>>>()?;
            if examples.is_empty() { Ok(None) } else { Embedding::mean(&examples).map(Some) }
        };
        let start = match (photo, &query.product_id, &query.embedding) {
            (Some(embedding), ..) => Some(embedding),
            (_, Some(id), _) => Some(stored(id)?),
            (_, _, Some(values)) => Some(Embedding::new(values.clone())?),
            _ => None,
        };
        let (like, unlike) = (mean_of(&query.like)?, mean_of(&query.unlike)?);
        let mut at = match (start, like) {
            (Some(start), None) => start,
            (None, Some(like)) => like,
            (Some(start), Some(like)) => start.moved(&like.as_direction(), LIKE)?,
            (None, None) => return Err(Error::new(ErrorKind::BadQuery, "the query has no start")),
        };
        if let Some(unlike) = unlike {
            at = at.moved(&unlike.as_direction(), -UNLIKE)?;
        }
        for step in &query.toward {
            let direction = index.direction(step.from.as_ref(), &step.to)?;
            at = at.moved(&direction, step.strength)?;
        }
        if at.dim() != index.projection().out_dim() {
            return Err(Error::new(
                ErrorKind::BadQuery,
                format!(
                    "the embedding has {} dimensions, the index {}",
                    at.dim(),
                    index.projection().out_dim()
                ),
            ));
        }
        Ok(at)
    }

    /// Answers a query, best hits first. With a filter every picture of the products that pass is
    /// compared, so the hits are the true nearest; without one they come through the graph.
    ///
    /// Hits are products. Variants stand together: a group of them takes one place, by the best
    /// picture that any of them has, and the hit is the variant that owns it; with
    /// [`Query::variants`] each is a hit of its own. The products of `product_id` and `unlike` are
    /// left out with all their pictures; their variants are not.
    ///
    /// # Errors
    /// As [`Engine::locate`]; also `BadQuery` if the filter names a column that does not exist.
    pub fn search(&mut self, query: &Query) -> Result<Vec<Hit<'_>>> {
        let at = self.locate(query)?;
        if let Some(filter) = &query.filter {
            self.apply(filter)?;
        }
        let (index, products) = self.searchable()?;
        let left_out = query
            .product_id
            .iter()
            .chain(&query.unlike)
            .map(|id| products.row(id))
            .collect::<Result<HashSet<_>>>()?;
        let passing = match (&query.filter, &self.passing) {
            (Some(_), Some((_, passing))) => Some(passing.as_slice()),
            _ => None,
        };
        let wanted = Wanted {
            k: query.k.unwrap_or(DEFAULT_K),
            least: query.min_score.unwrap_or(f32::NEG_INFINITY),
            place: |row: u32| {
                let passes = passing.is_none_or(|passing| passing[row as usize]);
                let place = if query.variants { row } else { products.stands_for(row) };
                (passes && !left_out.contains(&row)).then_some(place)
            },
        };
        let found = match passing {
            None => index.search_places(&at, EF_SEARCH, &wanted)?,
            Some(_) => index.search_places_exact(&at, &wanted)?,
        };
        Ok(found
            .into_iter()
            .filter_map(|n| {
                let product = products.get(n.product)?;
                let others = if query.variants { &[] } else { products.variants(n.product) };
                let variants = others
                    .iter()
                    .filter(|&&row| row != n.product && !left_out.contains(&row))
                    .filter_map(|&row| Some(products.get(row)?.id.as_str()))
                    .collect();
                let (row, id) = (n.product, product.id.as_str());
                Some(Hit { row, id, score: n.score, product, image: n.picture, variants })
            })
            .collect())
    }

    /// What of a query fits this catalogue, and in words what does not: links outlive the catalogue
    /// they were made with. Only names are looked at: products, groups, columns and their values.
    ///
    /// # Errors
    /// `NotReady` if index or products are missing.
    pub fn fit(&self, query: &Query) -> Result<(Query, Vec<String>)> {
        let (index, products) = self.searchable()?;
        let mut fitting = query.clone();
        let mut left_out = Vec::new();
        let mut known = |id: &String| {
            let known = products.row(id).is_ok();
            if !known {
                left_out.push(format!("product {id:?}"));
            }
            known
        };
        fitting.product_id = fitting.product_id.filter(&mut known);
        fitting.like.retain(&mut known);
        fitting.unlike.retain(&mut known);
        fitting.toward.retain_mut(|step| {
            // Without its start, a direction can still come from the mean of all.
            step.from = step.from.take().filter(|from| index.group(from).is_ok());
            let leads = index.direction(step.from.as_ref(), &step.to).is_ok();
            if !leads {
                left_out.push(format!("direction to {}", step.to));
            }
            leads
        });
        if let Some(filter) = &mut fitting.filter {
            left_out.extend(filter.fit(products));
            if *filter == Filter::default() {
                fitting.filter = None;
            }
        }
        Ok((fitting, left_out))
    }

    /// Notes which rows pass a filter, unless they are noted already.
    fn apply(&mut self, filter: &Filter) -> Result<()> {
        if self.passing.as_ref().is_some_and(|(last, _)| last == filter) {
            return Ok(());
        }
        let (_, products) = self.searchable()?;
        filter.check_columns(products)?;
        let passing = products.as_slice().iter().map(|p| filter.accepts(p)).collect();
        self.passing = Some((filter.clone(), passing));
        Ok(())
    }
}
