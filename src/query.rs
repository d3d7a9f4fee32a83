//! What a shopper asks for, as one value: the same in Rust, in JavaScript and as JSON in the
//! terminal, with camelCase names. What a field does to the embedding is in [`crate::engine`].

use serde::{Deserialize, Serialize};

use crate::catalog::Filter;
use crate::error::{Error, ErrorKind, Result};
use crate::index::GroupKey;

/// Results when a query does not say how many.
pub const DEFAULT_K: usize = 20;
/// Most results that a query may ask for.
pub const MAX_K: usize = 1000;
/// How far a walk may go to either side, in walks from the whole to the masked photo.
pub const MAX_WALK: f32 = 10.0;

/// Which version of the photo is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum View {
    /// All of it.
    Whole,
    /// Without what the mask takes out; the whole if there is no mask.
    Masked,
}

/// A step along the direction between two groups, see [`crate::index::Index::direction`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Toward {
    /// Where the direction starts; the mean of the column's groups if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<GroupKey>,
    /// Where it points.
    pub to: GroupKey,
    /// How far to go: 0 stays, 0.1 to 0.9 is a shopper's scale, 0.5 brings about half of the first
    /// results from there; negative goes away.
    pub strength: f32,
}

/// A query. It starts from exactly one of `photo`, `product_id` and `embedding`, or, without any of
/// them, from the mean of `like`; the other fields move that start and choose among what is found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Query {
    /// Start from the photo.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub photo: Option<View>,
    /// Start from this product's main picture; it is then not among the hits, with none of its
    /// pictures. Its variants may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product_id: Option<String>,
    /// Start from a vector, `[dim]`, of any length but 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embedding: Option<Vec<f32>>,
    /// Go from the whole photo (0) to the masked one (1), or beyond. Only with the masked photo.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub walk: Option<f32>,
    /// Steps along directions between groups, one after the other.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub toward: Vec<Toward>,
    /// More like these products, by their main pictures.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub like: Vec<String>,
    /// Less like these products, by their main pictures; they are then not among the hits.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unlike: Vec<String>,
    /// Only products that pass; the nearest of them are found exactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<Filter>,
    /// Leave out hits with a lower score, -1 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_score: Option<f32>,
    /// Show variants of a product one by one; else a group of them takes one place, by the best
    /// picture of any of them: the variant that owns it is the hit, and names the others.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub variants: bool,
    /// How many hits, 1 to [`MAX_K`]; [`DEFAULT_K`] if absent. A group of variants is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub k: Option<usize>,
}

impl Query {
    /// Reads a query's JSON.
    ///
    /// # Errors
    /// `BadQuery` with what is wrong and where.
    pub fn from_json(json: &str) -> Result<Self> {
        serde_json::from_str(json).map_err(|cause| {
            Error::with_source(ErrorKind::BadQuery, "the query cannot be read", cause)
        })
    }

    /// Checks what can be checked without a catalogue.
    ///
    /// # Errors
    /// `BadQuery` with the field that is wrong.
    pub fn validate(&self) -> Result<()> {
        let bad = |what: String| Err(Error::new(ErrorKind::BadQuery, what));
        let starts = [self.photo.is_some(), self.product_id.is_some(), self.embedding.is_some()];
        match starts.into_iter().filter(|s| *s).count() {
            0 if self.like.is_empty() => {
                return bad("a query needs a photo, a productId, an embedding or a like".into());
            }
            0 | 1 => {}
            _ => return bad("a query starts from one of photo, productId and embedding".into()),
        }
        let k = self.k.unwrap_or(DEFAULT_K);
        if k == 0 || k > MAX_K {
            return bad(format!("k is {k}, not in 1..={MAX_K}"));
        }
        if let Some(walk) = self.walk {
            if self.photo != Some(View::Masked) {
                return bad("walk needs \"photo\": \"masked\"".into());
            }
            if !(walk.abs() <= MAX_WALK) {
                return bad(format!("walk is {walk}, not in -{MAX_WALK}..={MAX_WALK}"));
            }
        }
        if let Some(step) = self.toward.iter().find(|t| !(t.strength.abs() <= MAX_WALK)) {
            return bad(format!(
                "toward {}: the strength is {}; 0.1 to 0.9 is usual",
                step.to, step.strength
            ));
        }
        if let Some(score) = self.min_score.filter(|s| !s.is_finite()) {
            return bad(format!("minScore is {score}: give a number from -1 to 1"));
        }
        self.filter.as_ref().map_or(Ok(()), Filter::validate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(json: &str) -> String {
        let error = Query::from_json(json).and_then(|q| q.validate()).expect_err(json);
        assert_eq!(error.kind(), ErrorKind::BadQuery);
        error.to_string()
    }

    #[test]
    fn json_round_trips_in_camel_case() {
        let json = r#"{"photo":"masked","walk":0.5,"toward":[{"from":{"column":"category","value":"Chairs"},"to":{"column":"category","value":"Sofas"},"strength":0.4}],"like":["a"],"unlike":["b"],"filter":{"category":["Sofas"],"price":{"max":100.0}},"minScore":0.2,"k":5}"#;
        let query = Query::from_json(json).unwrap();
        query.validate().unwrap();
        assert_eq!(serde_json::to_string(&query).unwrap(), json);
    }

    #[test]
    fn contradictions_are_named() {
        assert!(refused("{}").contains("needs a photo"));
        assert!(refused(r#"{"photo":"whole","productId":"a"}"#).contains("one of"));
        assert!(refused(r#"{"photo":"whole","walk":0.5}"#).contains("masked"));
        assert!(refused(r#"{"photo":"masked","walk":1e9}"#).contains("walk"));
        assert!(refused(r#"{"productId":"a","k":0}"#).contains("k is 0"));
        assert!(refused(r#"{"productId":"a","tow":1}"#).contains("tow"));
        assert!(refused(r#"{"photo":"upside-down"}"#).contains("cannot be read"));
        let query = Query { product_id: Some("a".into()), ..Query::default() };
        let group = GroupKey { column: "category".into(), value: "x".into() };
        let nan = Toward { from: None, to: group, strength: f32::NAN };
        assert!(Query { toward: vec![nan], ..query.clone() }.validate().is_err());
        assert!(Query { min_score: Some(f32::NAN), ..query }.validate().is_err());
    }
}
