//! Groups of products that share a column's value, and the centroids that directions run between.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::embedding::Embedding;

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
    /// Mean cosine of the members to the centroid, -1 to 1: near 1 they look alike.
    pub coherence: f32,
    /// Whether its centroid says something; small or incoherent groups are not offered.
    pub offered: bool,
    /// The normalised mean of the members' embeddings.
    pub centroid: Embedding,
}

#[cfg(feature = "cli")]
pub(super) use building::groups;

#[cfg(feature = "cli")]
mod building {
    use std::collections::{BTreeMap, BTreeSet};

    use super::{Group, GroupKey};
    use crate::embedding::Embedding;
    use crate::error::Result;

    /// Groups with fewer members are not stored.
    const MIN_STORED: usize = 2;
    /// Groups with fewer members are not offered: their mean is mostly chance.
    const MIN_OFFERED: usize = 8;
    /// Columns with more values are not grouped by: they name products, not kinds.
    const MAX_VALUES: usize = 256;

    /// The groups of a catalogue, sorted by key. `keys[row]` are the columns' values of a product.
    ///
    /// A group is incoherent if the mean of its members is no longer than chance makes the mean of
    /// as many unrelated products. For `n` unit vectors around the catalogue's mean `m`, chance
    /// makes the squared length of their mean exceed `|m|^2` by about `(1 - |m|^2) / n` (Rayleigh's
    /// test, Mardia and Jupp, Directional Statistics, 2000); four times that is asked for.
    pub(crate) fn groups(keys: &[Vec<GroupKey>], embeddings: &[Embedding]) -> Result<Vec<Group>> {
        let mut members: BTreeMap<&GroupKey, Vec<&Embedding>> = BTreeMap::new();
        for (row_keys, embedding) in keys.iter().zip(embeddings) {
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
        let overall = mean_length(&embeddings.iter().collect::<Vec<_>>()).powi(2);
        let mut found = Vec::new();
        for (key, members) in members {
            if members.len() < MIN_STORED || !kinds.contains(key.column.as_str()) {
                continue;
            }
            // Members that cancel each other out have no centroid.
            let Ok(centroid) = Embedding::mean(members.iter().copied()) else { continue };
            let mut sum = 0.0;
            for member in &members {
                sum += member.dot(&centroid)?;
            }
            let excess = mean_length(&members).powi(2) - overall;
            let chance = (1.0 - overall) / members.len() as f32;
            found.push(Group {
                key: key.clone(),
                count: members.len() as u32,
                coherence: sum / members.len() as f32,
                offered: members.len() >= MIN_OFFERED && excess > 4.0 * chance,
                centroid,
            });
        }
        Ok(found)
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
            let found = groups(&keys, &embeddings).unwrap();
            let names: Vec<&str> = found.iter().map(|g| g.key.value.as_str()).collect();
            assert_eq!(names, ["a", "b"], "neither numbers nor a column of one value");
            assert!(found[0].offered && found[0].coherence > 0.99 && found[0].count == 20);
            assert!(!found[1].offered, "{}", found[1].coherence);
        }
    }
}
