//! The index: int8 codes of all products' pictures, the projection that made them, and the HNSW
//! graph over them.

#[cfg(feature = "cli")]
mod builder;
mod bytes;
mod codes;
mod format;
mod graph;
mod groups;
mod owners;
mod search;

use std::fmt;

#[cfg(feature = "cli")]
pub use builder::EF_CONSTRUCTION;
pub use codes::{Code, Codes, Scorer};
pub use graph::{Graph, Layer};
pub use groups::{Group, GroupKey};
pub use owners::Owners;
pub use search::Wanted;
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
    pub product: u32,
    /// Which of its pictures is the nearest, 0 being the main one.
    pub picture: u32,
    /// Cosine of that picture to the query, -1 to 1.
    pub score: f32,
}

/// One code per picture, searchable. Rows count pictures in catalogue order, see [`Owners`]; nodes
/// count them in the graph's order.
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
    owners: Owners,
    graph: Graph,
    groups: Vec<Group>,
}

/// What an index is put together from.
struct Parts {
    model: ModelId,
    projection: Projection,
    codes: Codes,
    rows: Vec<u32>,
    owners: Owners,
    graph: Graph,
    groups: Vec<Group>,
}

impl Index {
    /// Builds an index over one embedding per picture, in the order of `owners`; `keys[product]` are
    /// the groups that a product belongs to, by column. In a group each product counts once, by its
    /// main picture.
    ///
    /// # Errors
    /// `BadIndex` if there are none; `Mismatch` if dimensions or numbers differ.
    #[cfg(feature = "cli")]
    pub fn build(
        model: ModelId,
        projection: Projection,
        embeddings: &[Embedding],
        owners: Owners,
        keys: &[Vec<GroupKey>],
    ) -> Result<Self> {
        if embeddings.len() != owners.pictures() {
            return Err(Error::new(
                ErrorKind::Mismatch,
                format!("{} embeddings of {} pictures", embeddings.len(), owners.pictures()),
            ));
        }
        let by_row = Codes::from_embeddings(embeddings)?;
        let (graph, rows) = builder::build(&by_row)?;
        let by_node = rows.iter().flat_map(|&row| by_row.get(row as usize)).copied().collect();
        let codes = Codes::new(by_row.dim(), by_node)?;
        let main = |product: usize| owners.pictures_of(product as u32).start as usize;
        let mains: Vec<&Embedding> =
            (0..owners.products()).map(|product| &embeddings[main(product)]).collect();
        let groups = groups::groups(keys, &mains)?;
        Self::new(Parts { model, projection, codes, rows, owners, graph, groups })
    }

    /// Puts the parts together after checking that they fit.
    fn new(parts: Parts) -> Result<Self> {
        let Parts { model, projection, codes, rows, owners, graph, groups } = parts;
        let bad = |what: String| Err(Error::new(ErrorKind::BadIndex, what));
        let count = codes.len();
        if projection.out_dim() != codes.dim() {
            return bad(format!(
                "the projection gives {} dimensions, the codes have {}",
                projection.out_dim(),
                codes.dim()
            ));
        }
        if graph.len() != count || rows.len() != count || owners.pictures() != count {
            return bad(format!(
                "{count} codes, {} rows, {} pictures and {} graph nodes do not fit",
                rows.len(),
                owners.pictures(),
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
        Ok(Self { model, projection, codes, rows, nodes, owners, graph, groups })
    }

    /// Reads `index.bin`.
    ///
    /// # Errors
    /// `BadIndex` if the file is damaged or cut short; `Mismatch` if it is of another version.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let index = format::read(bytes)?;
        format::check(bytes)?;
        Ok(index)
    }

    /// As [`Index::read`], for bytes whose hash was compared already: does not compute the file's own
    /// checksum, which takes wasm longer than all the rest. Whatever the bytes are, what is read of
    /// them is sound.
    ///
    /// # Errors
    /// `BadIndex` if the file is not an index, or contradicts itself; `Mismatch` if it is of another
    /// version.
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

    /// The number of pictures.
    #[must_use]
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    /// Always false: an empty index is not built.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }

    /// The number of products.
    #[must_use]
    pub fn products(&self) -> usize {
        self.owners.products()
    }

    /// Whose the pictures are.
    #[must_use]
    pub fn owners(&self) -> &Owners {
        &self.owners
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

    /// The stored embedding of a product's main picture, to within int8 rounding.
    ///
    /// # Errors
    /// `BadQuery` if there is no such product.
    pub fn embedding(&self, product: u32) -> Result<Embedding> {
        self.picture(product, 0)
    }

    /// The stored embedding of one of a product's pictures, 0 being the main one, to within int8
    /// rounding.
    ///
    /// # Errors
    /// `BadQuery` if there is no such product or picture.
    pub fn picture(&self, product: u32, picture: u32) -> Result<Embedding> {
        let rows = self.owners.pictures_of(product);
        match rows.start.checked_add(picture).filter(|row| rows.contains(row)) {
            Some(row) => self.codes.embedding(self.nodes[row as usize] as usize),
            None => Err(Error::new(
                ErrorKind::BadQuery,
                format!("the index has no picture {picture} of product {product}"),
            )),
        }
    }
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Index({:?}, {:?}, {:?})", self.codes, self.graph, self.projection)
    }
}

#[cfg(all(test, feature = "cli"))]
mod tests;
