//! How a projection was made: what the manifest says of it.

use serde::{Deserialize, Serialize};

/// What a projection consists of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Method {
    /// Features as they are: there was too little to learn from.
    #[serde(rename = "plain")]
    Plain,
    /// Principal components.
    #[default]
    #[serde(rename = "pca")]
    Principal,
    /// Regression to a teacher, and to columns if any.
    #[serde(rename = "ridge")]
    Ridge,
    /// Principal components, and regression to columns.
    #[serde(rename = "pca+ridge")]
    PrincipalAndRidge,
}

impl Method {
    /// Its name in the manifest.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Principal => "pca",
            Self::Ridge => "ridge",
            Self::PrincipalAndRidge => "pca+ridge",
        }
    }

    /// Whether more than the pictures was learnt from: a teacher, or columns.
    #[must_use]
    pub fn learns_labels(name: &str) -> bool {
        [Self::Ridge, Self::PrincipalAndRidge].iter().any(|method| method.as_str() == name)
    }
}

/// How a projection was made; goes into the manifest.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Recipe {
    /// What it consists of.
    pub projection: Method,
    /// Of the principal components, if they are part of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub whitening: Option<f64>,
    /// Composites that were learnt from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub composites: Option<CompositesRecipe>,
    /// The teachers that were learnt from, joined.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub teachers: Vec<TeacherRecipe>,
    /// The columns that were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<ColumnRecipe>,
    /// What was asked for and not done, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Composites, which are copies of products over other grounds, and what they did for products held
/// out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CompositesRecipe {
    /// How many there are.
    pub copies: usize,
    /// Regularisation, as a share of the features' total variance.
    pub strength: f64,
    /// Share of copies of products held out that find their product among their 10 nearest.
    pub found: f64,
    /// The same for principal components, which know no copies.
    pub found_without: f64,
}

/// A teacher, and how well it was followed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TeacherRecipe {
    /// For people.
    pub name: String,
    /// Regularisation, as a share of the features' total variance.
    pub strength: f64,
    /// Share of the teacher's 10 nearest products that are ours as well, for pictures and copies of
    /// products held out.
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
