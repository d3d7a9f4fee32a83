//! Groups of products that share a column's value, and the centroids that directions run between.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::embedding::{Direction, Embedding, dot};
use crate::error::{Error, ErrorKind, Result};

/// A category, or one value of an attribute column.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupKey {
    /// `category`, or the attribute's name.
    pub column: String,
    /// The value that its members share.
    pub value: String,
}

impl fmt::Display for GroupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.column, self.value)
    }
}

/// A group, as stored in the index.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Which one.
    pub key: GroupKey,
    /// How many members.
    pub count: u32,
    /// Mean cosine of the members to the centroid, -1 to 1: near 1 they look alike. Also the length
    /// of the members' plain mean, which is `coherence * centroid`.
    pub coherence: f32,
    /// Whether its centroid says something; small or incoherent groups are not offered.
    pub offered: bool,
    /// The normalised mean of the members' embeddings.
    pub centroid: Embedding,
    /// `[dim]`: the members' plain mean, times the inverse of the covariance that the column's groups
    /// have within themselves. Differences of two are Fisher's linear discriminants.
    pub discriminant: Box<[f32]>,
}

/// A strength of 1/2 brings about half of the first results from the group that a direction leads
/// to: measured with `lookalike eval algebra`, see `docs/algebra.md`.
const SCALE: f32 = 4.0 / 3.0;

/// The direction between two groups, of a length that makes strengths comparable.
///
/// Going along the difference `d` of two groups' means brings their most typical members first,
/// whatever the start looked like: members of one group differ in how far they lie along `d`.
/// Fisher's linear discriminant (The use of multiple measurements in taxonomic problems, 1936) is
/// the direction `w` along which they differ least for the same distance between the means, so that
/// among the members of the group it leads to the order by likeness to the start survives. Its
/// length is chosen so that a step moves the scores of the two groups apart as much as the same step
/// along `d` would: `w * (d . d) / (d . w)`, times a constant for all directions.
pub(super) fn direction(from: &Group, to: &Group) -> Result<Direction> {
    between(&Ends::of(from), &Ends::of(to))
}

/// The direction from the mean of a column's groups to one of them.
pub(super) fn direction_from_all(column: &[Group], to: &Group) -> Result<Direction> {
    let total: f32 = column.iter().map(|g| g.count as f32).sum();
    let mut all = Ends {
        column: &to.key.column,
        mean: vec![0.0; to.centroid.dim()],
        discriminant: vec![0.0; to.centroid.dim()],
    };
    for group in column {
        let ends = Ends::of(group);
        let share = group.count as f32 / total;
        all.mean.iter_mut().zip(&ends.mean).for_each(|(sum, x)| *sum += share * x);
        all.discriminant.iter_mut().zip(&ends.discriminant).for_each(|(sum, x)| *sum += share * x);
    }
    between(&all, &Ends::of(to))
}

/// What a direction starts or ends with.
struct Ends<'a> {
    column: &'a str,
    mean: Vec<f32>,
    discriminant: Vec<f32>,
}

impl<'a> Ends<'a> {
    fn of(group: &'a Group) -> Self {
        Self {
            column: &group.key.column,
            mean: group.centroid.as_slice().iter().map(|x| x * group.coherence).collect(),
            discriminant: group.discriminant.to_vec(),
        }
    }
}

fn between(from: &Ends<'_>, to: &Ends<'_>) -> Result<Direction> {
    let minus = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<f32>>();
    let means = minus(&to.mean, &from.mean);
    let squared = dot(&means, &means);
    if !(squared > 1e-12) {
        return Err(Error::new(
            ErrorKind::BadQuery,
            "the two ends of a direction are the same point",
        ));
    }
    let along = minus(&to.discriminant, &from.discriminant);
    let agreement = dot(&means, &along);
    // Two columns have no covariance in common: there, the difference of the means has to do.
    if from.column != to.column || !(agreement > 1e-9 * squared) {
        return Direction::new(means.into_iter().map(|x| x * SCALE).collect());
    }
    Direction::new(along.into_iter().map(|x| x * (SCALE * squared / agreement)).collect())
}

#[cfg(feature = "cli")]
pub(super) use building::groups;

#[cfg(feature = "cli")]
mod building {
    use std::collections::{BTreeMap, BTreeSet};

    use lookalike_linalg::Matrix;

    use super::{Group, GroupKey};
    use crate::embedding::Embedding;
    use crate::error::Result;

    /// Members from which the covariance within groups is estimated, at most.
    const MAX_SAMPLES: usize = 20_000;
    /// How far that covariance is drawn towards that of a sphere, in units of its mean eigenvalue:
    /// few members per dimension say little about single dimensions.
    const SHRINKAGE: f64 = 1.0;

    /// Groups with fewer members are not stored.
    const MIN_STORED: usize = 2;
    /// Groups with fewer members are not offered: their mean is mostly chance.
    const MIN_OFFERED: usize = 8;
    /// Columns with more values are not grouped by: they name products, not kinds.
    const MAX_VALUES: usize = 256;

    /// The groups of a catalogue, sorted by key. `keys[row]` are the columns' values of a product,
    /// `embeddings[row]` where it lies.
    ///
    /// A group is incoherent if the mean of its members is no longer than chance makes the mean of
    /// as many unrelated products. For `n` unit vectors around the catalogue's mean `m`, chance
    /// makes the squared length of their mean exceed `|m|^2` by about `(1 - |m|^2) / n` (Rayleigh's
    /// test, Mardia and Jupp, Directional Statistics, 2000); four times that is asked for.
    pub(crate) fn groups(keys: &[Vec<GroupKey>], embeddings: &[&Embedding]) -> Result<Vec<Group>> {
        let mut members: BTreeMap<&GroupKey, Vec<&Embedding>> = BTreeMap::new();
        for (row_keys, &embedding) in keys.iter().zip(embeddings) {
            for key in row_keys {
                members.entry(key).or_default().push(embedding);
            }
        }
        let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for key in members.keys() {
            values.entry(&key.column).or_default().insert(&key.value);
        }
        let numeric = |column: &BTreeSet<&str>| column.iter().all(|v| v.parse::<f64>().is_ok());
        let kinds: BTreeSet<&str> = values
            .into_iter()
            .filter(|(_, column)| (2..=MAX_VALUES).contains(&column.len()) && !numeric(column))
            .map(|(name, _)| name)
            .collect();
        let overall = mean_length(embeddings).powi(2);
        let mut found = Vec::new();
        for (&key, members) in &members {
            if members.len() < MIN_STORED || !kinds.contains(key.column.as_str()) {
                continue;
            }
            // Members that cancel each other out have no centroid.
            let Ok(centroid) = Embedding::mean(members.iter().copied()) else { continue };
            let mut sum = 0.0;
            for member in members {
                sum += member.dot(&centroid)?;
            }
            let excess = mean_length(members).powi(2) - overall;
            let chance = (1.0 - overall) / members.len() as f32;
            found.push(Group {
                key: key.clone(),
                count: members.len() as u32,
                coherence: sum / members.len() as f32,
                offered: members.len() >= MIN_OFFERED && excess > 4.0 * chance,
                centroid,
                discriminant: Box::default(),
            });
        }
        for column in found.chunk_by_mut(|a, b| a.key.column == b.key.column) {
            let rows: Vec<(usize, &Embedding)> = column
                .iter()
                .enumerate()
                .flat_map(|(at, group)| members[&group.key].iter().map(move |&m| (at, m)))
                .collect();
            set_discriminants(column, &rows);
        }
        Ok(found)
    }

    /// Sets the discriminants of a column's groups; `rows` are their members, each with the place
    /// of the group that it belongs to.
    fn set_discriminants(column: &mut [Group], rows: &[(usize, &Embedding)]) {
        let dim = column[0].centroid.dim();
        let mean = |at: usize, d: usize| {
            f64::from(column[at].centroid.as_slice()[d]) * f64::from(column[at].coherence)
        };
        let step = rows.len().div_ceil(MAX_SAMPLES).max(1);
        let rows: Vec<&(usize, &Embedding)> = rows.iter().step_by(step).collect();
        let spread = Matrix::from_fn(rows.len(), dim, |i, d| {
            f64::from(rows[i].1.as_slice()[d]) - mean(rows[i].0, d)
        });
        let scatter = spread.transposed_times(&spread);
        let average = (0..dim).map(|d| scatter.at(d, d)).sum::<f64>() / dim as f64;
        // Members that are all alike vary in no way: any metric will do.
        let scale = if average > 1e-9 { 1.0 / average } else { 0.0 };
        let within = Matrix::from_fn(dim, dim, |i, j| {
            scale * scatter.at(i, j) + if i == j { SHRINKAGE } else { 0.0 }
        });
        let means = Matrix::from_fn(dim, column.len(), |d, at| mean(at, d));
        // The sum of a covariance and a multiple of the identity is positive definite.
        let solved = within.solve_positive_definite(&means).unwrap_or(means);
        for (at, group) in column.iter_mut().enumerate() {
            group.discriminant = (0..dim).map(|d| solved.at(d, at) as f32).collect();
        }
    }

    /// Length of the plain mean of unit vectors, 0 (scattered) to 1 (all the same).
    fn mean_length(members: &[&Embedding]) -> f32 {
        let mut sum = vec![0f32; members.first().map_or(0, |e| e.dim())];
        for member in members {
            sum.iter_mut().zip(member.as_slice()).for_each(|(s, x)| *s += x);
        }
        crate::embedding::norm(&sum) / members.len().max(1) as f32
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn coherent_groups_are_offered_and_mixed_ones_are_not() {
            // Twenty directions; kind "a" sits around the first, kind "b" is everywhere.
            let unit = |i: usize| {
                let mut v = vec![0.05; 20];
                v[i % 20] = 1.0;
                Embedding::new(v).unwrap()
            };
            let mut embeddings: Vec<Embedding> = (0..20).map(|_| unit(0)).collect();
            embeddings.extend((0..80).map(|i| unit(i + 1)));
            let key = |column: &str, value: String| GroupKey { column: column.into(), value };
            let keys: Vec<Vec<GroupKey>> = (0..100)
                .map(|i| {
                    let kind = if i < 20 { "a" } else { "b" };
                    vec![
                        key("kind", kind.into()),
                        key("width", i.to_string()),
                        key("one", "x".into()),
                    ]
                })
                .collect();
            let found = groups(&keys, &embeddings.iter().collect::<Vec<_>>()).unwrap();
            let names: Vec<&str> = found.iter().map(|g| g.key.value.as_str()).collect();
            assert_eq!(names, ["a", "b"], "neither numbers nor a column of one value");
            assert!(found[0].offered && found[0].coherence > 0.99 && found[0].count == 20);
            assert!(!found[1].offered, "{}", found[1].coherence);
        }

        /// Two kinds told apart by the first component, each in two styles told apart by the second;
        /// the third scatters the first.
        fn furniture() -> (Vec<Vec<GroupKey>>, Vec<Embedding>) {
            let each = |i: usize| {
                let (kind, style) = (i % 2, i / 2 % 2);
                let noise = (i as f32 * 0.7).sin() * 0.4;
                let e = vec![
                    if kind == 0 { 0.5 } else { -0.5 } + noise,
                    if style == 0 { 0.4 } else { -0.4 },
                    noise,
                    1.0,
                ];
                (
                    vec![GroupKey { column: "kind".into(), value: ["bed", "sofa"][kind].into() }],
                    Embedding::new(e).unwrap(),
                )
            };
            (0..80).map(each).unzip()
        }

        #[test]
        fn directions_are_antisymmetric_and_tell_groups_apart_better_than_their_means() {
            let (keys, embeddings) = furniture();
            let found = groups(&keys, &embeddings.iter().collect::<Vec<_>>()).unwrap();
            let (bed, sofa) = (&found[0], &found[1]);
            let there = super::super::direction(bed, sofa).unwrap();
            let back = super::super::direction(sofa, bed).unwrap();
            assert!(there.as_slice().iter().zip(back.as_slice()).all(|(a, b)| *a == -*b));
            // Distance of the groups along a direction, in spreads of one of them.
            let apart = |along: &[f32]| {
                let project = |kind: usize| -> Vec<f32> {
                    let members = embeddings.iter().skip(kind).step_by(2);
                    members.map(|e| crate::embedding::dot(e.as_slice(), along)).collect()
                };
                let mean = |v: &[f32]| v.iter().sum::<f32>() / v.len() as f32;
                let (beds, sofas) = (project(0), project(1));
                let m = mean(&beds);
                let spread = mean(&beds.iter().map(|x| (x - m).powi(2)).collect::<Vec<_>>());
                (mean(&sofas) - m).abs() / spread.sqrt()
            };
            let plain = bed.centroid.direction_to(&sofa.centroid).unwrap();
            assert!(apart(there.as_slice()) > 1.2 * apart(plain.as_slice()));
            assert!(super::super::direction(bed, bed).is_err());
            // From the mean of two groups of one size, the way is half as long.
            let half = super::super::direction_from_all(&found, sofa).unwrap();
            let ratio = half.length() / there.length();
            assert!((ratio - 0.5).abs() < 0.01, "{ratio}");
        }
    }
}
