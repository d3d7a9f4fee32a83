//! The index: int8 codes of all products, the projection that made them, and the HNSW graph over
//! them.

#[cfg(feature = "cli")]
mod builder;
mod codes;
mod format;
mod graph;
mod groups;

use std::fmt;

#[cfg(feature = "cli")]
pub use builder::EF_CONSTRUCTION;
pub use codes::{Code, Codes, Scorer};
pub use graph::{Graph, Layer};
pub use groups::{Group, GroupKey};
use sha2::{Digest, Sha256};

use crate::embedding::{Direction, Embedding};
use crate::error::{Error, ErrorKind, Result};
use crate::projection::Projection;

/// Which network an index was built with: the SHA-256 of its file.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ModelId(pub [u8; 32]);

impl ModelId {
    /// The identity of a network's file.
    #[must_use]
    pub fn of(model: &[u8]) -> Self {
        Self(Sha256::digest(model).into())
    }
}

impl fmt::Display for ModelId {
    /// 64 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ModelId({self})")
    }
}

/// A product that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neighbour {
    /// Its row in the product list.
    pub row: u32,
    /// Cosine to the query, -1 to 1.
    pub score: f32,
}

/// One code per product, searchable. Rows count products in catalogue order; nodes count them in
/// the graph's order.
#[derive(Clone, PartialEq)]
pub struct Index {
    model: ModelId,
    projection: Projection,
    /// By node.
    codes: Codes,
    /// Row of each node.
    rows: Vec<u32>,
    /// Node of each row.
    nodes: Vec<u32>,
    graph: Graph,
    groups: Vec<Group>,
}

impl Index {
    /// Builds an index over one embedding per product row; `keys[row]` are the groups that the
    /// product belongs to, by column.
    ///
    /// # Errors
    /// `BadIndex` if there are none; `Mismatch` if dimensions differ.
    #[cfg(feature = "cli")]
    pub fn build(
        model: ModelId,
        projection: Projection,
        embeddings: &[Embedding],
        keys: &[Vec<GroupKey>],
    ) -> Result<Self> {
        let by_row = Codes::from_embeddings(embeddings)?;
        let (graph, rows) = builder::build(&by_row)?;
        let by_node = rows.iter().flat_map(|&row| by_row.get(row as usize)).copied().collect();
        let codes = Codes::new(by_row.dim(), by_node)?;
        let groups = groups::groups(keys, embeddings)?;
        Self::new(model, projection, codes, rows, graph, groups)
    }

    /// Puts the parts together after checking that they fit.
    fn new(
        model: ModelId,
        projection: Projection,
        codes: Codes,
        rows: Vec<u32>,
        graph: Graph,
        groups: Vec<Group>,
    ) -> Result<Self> {
        let bad = |what: String| Err(Error::new(ErrorKind::BadIndex, what));
        let count = codes.len();
        if projection.out_dim() != codes.dim() {
            return bad(format!(
                "the projection gives {} dimensions, the codes have {}",
                projection.out_dim(),
                codes.dim()
            ));
        }
        if graph.len() != count || rows.len() != count {
            return bad(format!(
                "{count} codes, {} rows and {} graph nodes do not fit",
                rows.len(),
                graph.len()
            ));
        }
        let mut nodes = vec![u32::MAX; count];
        for (node, &row) in rows.iter().enumerate() {
            match nodes.get_mut(row as usize) {
                Some(slot) if *slot == u32::MAX => *slot = node as u32,
                _ => return bad(format!("row {row} is out of range or appears twice")),
            }
        }
        let fits =
            |g: &Group| g.centroid.dim() == codes.dim() && g.discriminant.len() == codes.dim();
        if let Some(group) = groups.iter().find(|g| !fits(g)) {
            return bad(format!("the centroid of {} has another dimension", group.key));
        }
        Ok(Self { model, projection, codes, rows, nodes, graph, groups })
    }

    /// Reads `index.bin`.
    ///
    /// # Errors
    /// `BadIndex` if the file is damaged, cut short, or of another version.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let index = format::read(bytes)?;
        format::check(bytes)?;
        Ok(index)
    }

    /// As [`Index::read`], for bytes whose hash was compared already: does not compute the file's own checksum, which takes
    /// wasm longer than all the rest. Whatever the bytes are, what is read of them is sound.
    ///
    /// # Errors
    /// `BadIndex` if the file is not an index, or contradicts itself.
    pub fn read_checked(bytes: &[u8]) -> Result<Self> {
        format::read(bytes)
    }

    /// The content of `index.bin`; the same index always gives the same bytes.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        format::write(self)
    }

    /// The network that the index was built with.
    #[must_use]
    pub fn model(&self) -> ModelId {
        self.model
    }

    /// From the network's features to embeddings.
    #[must_use]
    pub fn projection(&self) -> &Projection {
        &self.projection
    }

    /// The number of products.
    #[must_use]
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    /// Always false: an empty index is not built.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }

    /// The groups that directions run between, sorted by key.
    #[must_use]
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// A group by its key.
    ///
    /// # Errors
    /// `BadQuery` if the index has no such group.
    pub fn group(&self, key: &GroupKey) -> Result<&Group> {
        match self.groups.binary_search_by(|g| g.key.cmp(key)) {
            Ok(at) => Ok(&self.groups[at]),
            Err(_) => Err(Error::new(
                ErrorKind::BadQuery,
                format!("the index has no group {key}, or it has only one member"),
            )),
        }
    }

    /// The direction from a group, or from the mean of all groups of the column, to another; a step
    /// of 1/2 along it brings about half of the first results from there.
    ///
    /// # Errors
    /// `BadQuery` if the index has no such group, or both ends are the same point.
    pub fn direction(&self, from: Option<&GroupKey>, to: &GroupKey) -> Result<Direction> {
        let target = self.group(to)?;
        if let Some(from) = from {
            return groups::direction(self.group(from)?, target);
        }
        let start = self.groups.partition_point(|g| g.key.column < to.column);
        let end = self.groups.partition_point(|g| g.key.column <= to.column);
        groups::direction_from_all(&self.groups[start..end], target)
    }

    /// The graph, for inspection.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The stored embedding of a product, to within int8 rounding.
    ///
    /// # Errors
    /// `BadQuery` if there is no such row.
    pub fn embedding(&self, row: u32) -> Result<Embedding> {
        match self.nodes.get(row as usize) {
            Some(&node) => self.codes.embedding(node as usize),
            None => Err(Error::new(ErrorKind::BadQuery, format!("the index has no row {row}"))),
        }
    }

    /// The `k` nearest products found through the graph, best first. `ef` is the width of the
    /// candidate list: wider finds more of the true neighbours and takes longer; `k` at least.
    ///
    /// # Errors
    /// `Mismatch` if the query's dimension is not the index's.
    pub fn search(&self, query: &Embedding, k: usize, ef: usize) -> Result<Vec<Neighbour>> {
        let code = Code::new(query);
        let scorer = self.codes.scorer(&code)?;
        let mut found: Vec<Neighbour> = self
            .graph
            .search(ef.max(k), |node| scorer.cosine(node as usize))
            .into_iter()
            .map(|(node, score)| Neighbour { row: self.rows[node as usize], score })
            .collect();
        best_of(&mut found, k);
        Ok(found)
    }

    /// The `k` nearest of the products that `accept` lets pass, best first, by comparing with every
    /// one of them.
    ///
    /// # Errors
    /// `Mismatch` if the query's dimension is not the index's.
    pub fn search_exact(
        &self,
        query: &Embedding,
        k: usize,
        mut accept: impl FnMut(u32) -> bool,
    ) -> Result<Vec<Neighbour>> {
        let code = Code::new(query);
        let scorer = self.codes.scorer(&code)?;
        // What is kept is cut to the best `k` whenever it has grown to this; from then on, most
        // products only have to be compared with the worst of those.
        let room = 2 * k.max(64);
        let mut kept = Vec::new();
        let mut worst = f32::NEG_INFINITY;
        for (node, &row) in self.rows.iter().enumerate() {
            if !accept(row) {
                continue;
            }
            let score = scorer.cosine(node);
            if score < worst {
                continue;
            }
            kept.push(Neighbour { row, score });
            if kept.len() == room {
                best_of(&mut kept, k);
                worst = kept.last().map_or(worst, |n| n.score);
            }
        }
        best_of(&mut kept, k);
        Ok(kept)
    }
}

/// Cuts to the best `k`, ordered by score, then row: the same on every machine.
fn best_of(found: &mut Vec<Neighbour>, k: usize) {
    let order = |a: &Neighbour, b: &Neighbour| b.score.total_cmp(&a.score).then(a.row.cmp(&b.row));
    if k > 0 && found.len() > k {
        found.select_nth_unstable_by(k - 1, order);
    }
    found.truncate(k);
    found.sort_unstable_by(order);
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Index({:?}, {:?}, {:?})", self.codes, self.graph, self.projection)
    }
}

#[cfg(all(test, feature = "cli"))]
mod tests {
    use half::f16;

    use super::*;
    use crate::projection::Block;

    fn embeddings(count: usize) -> Vec<Embedding> {
        let value = |i: usize, d: usize| ((i * 37 + d * 11) as f32 * 0.618).sin();
        (0..count)
            .map(|i| Embedding::new((0..16).map(|d| value(i, d)).collect()).unwrap())
            .collect()
    }

    fn index(count: usize) -> Index {
        let block = Block { dim: 3, power: 0.5, weight: 1.0 };
        let projection = Projection::new(vec![block], vec![0.0; 3], vec![f16::ONE; 48]).unwrap();
        let key =
            |row: usize| GroupKey { column: "kind".into(), value: ["a", "b"][row % 2].into() };
        let keys: Vec<Vec<GroupKey>> = (0..count).map(|row| vec![key(row)]).collect();
        Index::build(ModelId([7; 32]), projection, &embeddings(count), &keys).unwrap()
    }

    #[test]
    fn the_graph_finds_what_the_scan_finds() {
        let (index, queries) = (index(500), embeddings(500));
        let mut agree = 0;
        for (row, query) in queries.iter().enumerate() {
            let exact = index.search_exact(query, 20, |_| true).unwrap();
            let found = index.search(query, 20, 100).unwrap();
            assert!(found[0].score > 0.999 && found.len() == 20, "row {row}");
            agree += exact.iter().filter(|e| found.iter().any(|f| f.row == e.row)).count();
        }
        assert!(agree >= 500 * 20 * 99 / 100, "{agree}");
    }

    #[test]
    fn filters_are_exact_and_order_is_fixed() {
        let index = index(100);
        let query = index.embedding(10).unwrap();
        let odd = index.search_exact(&query, 1000, |row| row % 2 == 1).unwrap();
        assert_eq!(odd.len(), 50);
        assert!(odd.iter().all(|n| n.row % 2 == 1) && odd.is_sorted_by(|a, b| a.score >= b.score));
        assert!(index.search_exact(&query, 0, |_| true).unwrap().is_empty());
        // Large enough for what is kept to be cut on the way.
        let large = self::index(1000);
        let all = large.search_exact(&query, 1000, |_| true).unwrap();
        for k in [1, 20, 90] {
            assert_eq!(large.search_exact(&query, k, |_| true).unwrap(), all[..k]);
        }
        assert!(index.embedding(100).is_err());
    }

    #[test]
    fn groups_are_found_by_key() {
        let index = index(100);
        let key = |value: &str| GroupKey { column: "kind".into(), value: value.into() };
        assert_eq!(index.groups().len(), 2);
        assert_eq!(index.group(&key("b")).unwrap(), &index.groups()[1]);
        assert_eq!(index.group(&key("c")).unwrap_err().kind(), ErrorKind::BadQuery);
        assert!(index.direction(Some(&key("a")), &key("b")).unwrap().length() > 0.0);
        assert!(index.direction(None, &key("b")).unwrap().length() > 0.0);
        assert!(index.direction(Some(&key("b")), &key("b")).is_err());
    }

    #[test]
    fn the_file_round_trips() {
        let index = index(120);
        let bytes = index.write();
        assert_eq!(Index::read(&bytes).unwrap(), index);
        assert_eq!(bytes, self::index(120).write(), "building twice must give the same bytes");
    }

    #[test]
    fn damaged_files_are_refused_whatever_is_damaged() {
        let bytes = index(40).write();
        for cut in (0..bytes.len()).step_by(97) {
            assert_eq!(Index::read(&bytes[..cut]).unwrap_err().kind(), ErrorKind::BadIndex);
            assert_eq!(Index::read_checked(&bytes[..cut]).unwrap_err().kind(), ErrorKind::BadIndex);
        }
        // Behind the checksum's back: every field is checked for itself.
        for at in (48..bytes.len()).step_by(13) {
            for flip in [0x01, 0x80, 0xff] {
                let mut damaged = bytes.clone();
                damaged[at] ^= flip;
                assert!(Index::read(&damaged).is_err(), "byte {at}");
                if let Ok(read) = Index::read_checked(&damaged) {
                    let query = embeddings(1).remove(0);
                    let _ = read.search(&query, 5, 10);
                    let _ = read.search_exact(&query, 5, |_| true);
                }
            }
        }
    }
}
