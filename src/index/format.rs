//! `index.bin`: how an index lies in a file.
//!
//! ```text
//! 0   magic "LOOKALIK"            8 bytes
//! 8   version                     u32
//! 12  number of sections          u32
//! 16  SHA-256 of all from 48 on   32 bytes
//! 48  section table               per section: kind u32, 0 u32, offset u64, length u64
//!     sections, each at a multiple of 8
//! ```
//! Everything is little-endian. A reader refuses sections that it does not know: they would change
//! the meaning of what it does.

use half::f16;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::codes::Codes;
use super::graph::{Graph, Layer};
use super::groups::{Group, GroupKey};
use super::{Index, ModelId};
use crate::embedding::Embedding;
use crate::error::{Error, ErrorKind, Result};
use crate::projection::{Block, Projection};

const MAGIC: &[u8; 8] = b"LOOKALIK";
const VERSION: u32 = 2;
const HEADER: usize = 48;
const TABLE_ENTRY: usize = 24;

/// What a section holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Section {
    /// SHA-256 of the network's file, 32 bytes.
    Model = 1,
    /// u32 blocks, u32 out_dim, per block (u32 dim, f32 power, f32 weight), f32 mean, f16 matrix.
    Projection = 2,
    /// u32 dim, u32 count, then count * dim of i8, by node.
    Codes = 3,
    /// u32 product row per node.
    Rows = 4,
    /// u32 layers, then per layer u32 nodes, u32 links, nodes + 1 offsets, links.
    Graph = 5,
    /// u32 groups, u32 dim, f32 centroids `[groups][dim]`, f32 discriminants the same, then JSON: an array of
    /// `{column, value, count, coherence, offered}` in the centroids' order.
    Groups = 6,
}

impl Section {
    const ALL: [Self; 6] =
        [Self::Model, Self::Projection, Self::Codes, Self::Rows, Self::Graph, Self::Groups];
}

/// What the JSON of the groups says of one.
#[derive(Serialize, Deserialize)]
struct GroupInfo {
    #[serde(flatten)]
    key: GroupKey,
    count: u32,
    coherence: f32,
    offered: bool,
}

/// Serialises an index.
pub(super) fn write(index: &Index) -> Vec<u8> {
    let sections = Section::ALL.map(|section| (section, section_bytes(index, section)));
    let mut offset = HEADER + sections.len() * TABLE_ENTRY;
    let mut table = Vec::new();
    let mut body = Vec::new();
    for (section, bytes) in &sections {
        put(&mut table, &[*section as u32, 0]);
        table.extend((offset as u64).to_le_bytes());
        table.extend((bytes.len() as u64).to_le_bytes());
        body.extend_from_slice(bytes);
        body.resize(body.len().next_multiple_of(8), 0);
        offset = HEADER + sections.len() * TABLE_ENTRY + body.len();
    }
    let mut file = MAGIC.to_vec();
    put(&mut file, &[VERSION, sections.len() as u32]);
    let mut hash = Sha256::new();
    hash.update(&table);
    hash.update(&body);
    file.extend(hash.finalize());
    file.extend(table);
    file.extend(body);
    file
}

fn put(out: &mut Vec<u8>, values: &[u32]) {
    out.extend(values.iter().flat_map(|v| v.to_le_bytes()));
}

fn section_bytes(index: &Index, section: Section) -> Vec<u8> {
    let mut out = Vec::new();
    match section {
        Section::Model => out.extend(index.model.0),
        Section::Projection => {
            let p = &index.projection;
            put(&mut out, &[p.blocks().len() as u32, p.out_dim() as u32]);
            for block in p.blocks() {
                put(&mut out, &[block.dim as u32, block.power.to_bits(), block.weight.to_bits()]);
            }
            out.extend(p.mean().iter().flat_map(|v| v.to_le_bytes()));
            out.extend(p.matrix().iter().flat_map(|v| v.to_le_bytes()));
        }
        Section::Codes => {
            put(&mut out, &[index.codes.dim() as u32, index.codes.len() as u32]);
            out.extend(index.codes.as_slice().iter().map(|&v| v as u8));
        }
        Section::Rows => put(&mut out, &index.rows),
        Section::Graph => {
            put(&mut out, &[index.graph.layers().len() as u32]);
            for layer in index.graph.layers() {
                let (offsets, links) = layer.parts();
                put(&mut out, &[layer.len() as u32, links.len() as u32]);
                put(&mut out, offsets);
                put(&mut out, links);
            }
        }
        Section::Groups => {
            put(&mut out, &[index.groups.len() as u32, index.codes.dim() as u32]);
            for group in &index.groups {
                out.extend(group.centroid.as_slice().iter().flat_map(|v| v.to_le_bytes()));
            }
            for group in &index.groups {
                out.extend(group.discriminant.iter().flat_map(|v| v.to_le_bytes()));
            }
            let info = |g: &Group| GroupInfo {
                key: g.key.clone(),
                count: g.count,
                coherence: g.coherence,
                offered: g.offered,
            };
            // Strings and finite numbers: serialising cannot fail.
            let json = serde_json::to_vec(&index.groups.iter().map(info).collect::<Vec<_>>());
            out.extend(json.unwrap_or_default());
        }
    }
    out
}

/// Compares the checksum of all that is behind it.
pub(super) fn check(bytes: &[u8]) -> Result<()> {
    let hash = Reader { bytes, at: 16 }.take(32);
    if hash.ok().is_some_and(|hash| Sha256::digest(&bytes[HEADER..])[..] == *hash) {
        return Ok(());
    }
    Err(bad("the index is damaged or cut short: its checksum does not match"))
}

/// Reads and validates an index: after this, no content of it can lead out of bounds. The checksum is [`check`]'s.
pub(super) fn read(bytes: &[u8]) -> Result<Index> {
    let mut header = Reader { bytes, at: 0 };
    if header.take(8).ok() != Some(MAGIC.as_slice()) {
        return Err(bad("this is not an index file"));
    }
    let version = header.u32()?;
    if version != VERSION {
        return Err(bad(format!(
            "index format {version}, this version reads {VERSION}: build the index again"
        )));
    }
    let count = header.u32()? as usize;
    header.take(32)?;
    if count > Section::ALL.len() {
        return Err(bad(format!("{count} sections")));
    }
    let mut found: [Option<&[u8]>; Section::ALL.len()] = [None; Section::ALL.len()];
    for _ in 0..count {
        let (kind, _) = (header.u32()?, header.u32()?);
        let (offset, length) = (header.u64()?, header.u64()?);
        let slot = Section::ALL.iter().position(|s| *s as u32 == kind);
        let end = offset.checked_add(length).filter(|end| *end <= bytes.len() as u64);
        let (Some(slot), Some(end)) = (slot, end) else {
            return Err(bad(format!("section {kind} is unknown or leads out of the file")));
        };
        found[slot] = Some(&bytes[offset as usize..end as usize]);
    }
    let [Some(model), Some(projection), Some(codes), Some(rows), Some(graph), Some(groups)] = found
    else {
        return Err(bad("a section is missing"));
    };
    let model = ModelId(model.try_into().map_err(|_| bad("the model's hash has a wrong length"))?);
    let (rows, rest) = rows.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(bad("the rows end within a number"));
    }
    Index::new(
        model,
        read_projection(Reader { bytes: projection, at: 0 })?,
        read_codes(Reader { bytes: codes, at: 0 })?,
        rows.iter().map(|b| u32::from_le_bytes(*b)).collect(),
        read_graph(Reader { bytes: graph, at: 0 })?,
        read_groups(Reader { bytes: groups, at: 0 })?,
    )
}

fn read_groups(mut r: Reader<'_>) -> Result<Vec<Group>> {
    let (count, dim) = (r.u32()? as usize, r.u32()? as usize);
    let length = count.checked_mul(dim).ok_or_else(|| bad("too many groups"))?;
    let (centroids, discriminants) = (r.u32s(length)?, r.u32s(length)?);
    let json = &r.bytes[r.at..];
    let infos: Vec<GroupInfo> = serde_json::from_slice(json).map_err(|cause| {
        Error::with_source(ErrorKind::BadIndex, "the groups cannot be read", cause)
    })?;
    if infos.len() != count || dim == 0 {
        return Err(bad(format!("{count} centroids of {dim} dimensions, {} groups", infos.len())));
    }
    infos
        .into_iter()
        .zip(centroids.chunks_exact(dim).zip(discriminants.chunks_exact(dim)))
        .map(|(info, (centroid, discriminant))| {
            let floats = |bits: &[u32]| bits.iter().map(|&b| f32::from_bits(b)).collect::<Vec<_>>();
            let discriminant = floats(discriminant);
            if !info.coherence.is_finite() || !discriminant.iter().all(|x| x.is_finite()) {
                return Err(bad(format!("the values of {} are not finite", info.key)));
            }
            let centroid = floats(centroid);
            let centroid = Embedding::from_normalised(centroid).map_err(|cause| {
                Error::with_source(
                    ErrorKind::BadIndex,
                    format!("the centroid of {}", info.key),
                    cause,
                )
            })?;
            let GroupInfo { key, count, coherence, offered } = info;
            let discriminant = discriminant.into();
            Ok(Group { key, count, coherence, offered, centroid, discriminant })
        })
        .collect()
}

fn read_projection(mut r: Reader<'_>) -> Result<Projection> {
    let (blocks, out_dim) = (r.u32()?, r.u32()? as usize);
    let mut list = Vec::new();
    for _ in 0..blocks {
        let dim = r.u32()? as usize;
        list.push(Block { dim, power: f32::from_bits(r.u32()?), weight: f32::from_bits(r.u32()?) });
    }
    let in_dim = list.iter().try_fold(0usize, |sum, b| sum.checked_add(b.dim));
    let in_dim = in_dim.ok_or_else(|| bad("the projection is too large"))?;
    let mean = r.u32s(in_dim)?.into_iter().map(f32::from_bits).collect();
    let entries = in_dim.checked_mul(out_dim).ok_or_else(|| bad("the projection is too large"))?;
    let raw = r.take(entries.checked_mul(2).ok_or_else(|| bad("the projection is too large"))?)?;
    let matrix = raw.as_chunks::<2>().0.iter().map(|b| f16::from_le_bytes(*b)).collect();
    r.end()?;
    Projection::new(list, mean, matrix)
}

fn read_codes(mut r: Reader<'_>) -> Result<Codes> {
    let (dim, count) = (r.u32()? as usize, r.u32()? as usize);
    let length = dim.checked_mul(count).ok_or_else(|| bad("too many codes"))?;
    let values = r.take(length)?.iter().map(|&b| b as i8).collect();
    r.end()?;
    Codes::new(dim, values)
}

fn read_graph(mut r: Reader<'_>) -> Result<Graph> {
    let count = r.u32()?;
    let mut layers = Vec::new();
    for _ in 0..count {
        let (nodes, links) = (r.u32()? as usize, r.u32()? as usize);
        layers.push(Layer::new(r.u32s(nodes.saturating_add(1))?, r.u32s(links)?)?);
    }
    r.end()?;
    Graph::new(layers)
}

fn bad(context: impl Into<String>) -> Error {
    Error::new(ErrorKind::BadIndex, context)
}

/// Reads numbers off a slice; allocates only for bytes that are there.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or_else(|| bad("a section is shorter than it says"))?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn u32(&mut self) -> Result<u32> {
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn u64(&mut self) -> Result<u64> {
        let (low, high) = (self.u32()?, self.u32()?);
        Ok(u64::from(high) << 32 | u64::from(low))
    }

    fn u32s(&mut self, count: usize) -> Result<Vec<u32>> {
        let bytes = self.take(count.checked_mul(4).ok_or_else(|| bad("a section is too long"))?)?;
        Ok(bytes.as_chunks::<4>().0.iter().map(|b| u32::from_le_bytes(*b)).collect())
    }

    fn end(&self) -> Result<()> {
        if self.at == self.bytes.len() {
            return Ok(());
        }
        Err(bad("a section is longer than its content"))
    }
}
