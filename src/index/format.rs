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
//! Everything is little-endian; *packed* numbers are LEB128 (seven bits a byte, the lowest first).
//! They are unpacked into flat arrays when read. A reader refuses sections that it does not know: they would change
//! the meaning of what it does.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::bytes::{Reader, bad, put, put_floats, put_packed};
use super::codes::Codes;
use super::graph::{Graph, Layer};
use super::groups::{Group, GroupKey};
use super::{Index, ModelId, Owners, Parts};
use crate::embedding::Embedding;
use crate::error::{Error, ErrorKind, Result};
use crate::projection::{Block, Matrix, Projection};

const MAGIC: &[u8; 8] = b"LOOKALIK";
const VERSION: u32 = 3;
const HEADER: usize = 48;
const TABLE_ENTRY: usize = 24;

/// What a section holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Section {
    /// SHA-256 of the network's file, 32 bytes.
    Model = 1,
    /// u32 blocks, u32 out_dim, per block (u32 dim, f32 power, f32 weight), f32 mean `[in_dim]`,
    /// f32 scales `[out_dim]`, i8 matrix `[out_dim][in_dim]`.
    Projection = 2,
    /// u32 dim, u32 count, then count * dim of i8, by node.
    Codes = 3,
    /// Packed picture row per node.
    Rows = 4,
    /// u32 layers, then per layer u32 nodes and per node packed its number of links and the links
    /// ascending: the first one, then how much larger each next one is.
    Graph = 5,
    /// u32 groups, u32 dim, f32 centroids `[groups][dim]`, f32 discriminants the same, then JSON: an array of
    /// `{column, value, count, coherence, offered}` in the centroids' order.
    Groups = 6,
    /// u32 products, then packed each one's number of pictures. Rows of pictures are in product
    /// order, the main picture first.
    Owners = 7,
}

impl Section {
    const ALL: [Self; 7] = [
        Self::Model,
        Self::Projection,
        Self::Codes,
        Self::Rows,
        Self::Graph,
        Self::Groups,
        Self::Owners,
    ];
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
            put_floats(&mut out, p.mean());
            put_floats(&mut out, p.matrix().scales());
            out.extend(p.matrix().values().iter().map(|&v| v as u8));
        }
        Section::Codes => {
            put(&mut out, &[index.codes.dim() as u32, index.codes.len() as u32]);
            out.extend(index.codes.as_slice().iter().map(|&v| v as u8));
        }
        Section::Rows => index.rows.iter().for_each(|&row| put_packed(&mut out, row)),
        Section::Graph => {
            put(&mut out, &[index.graph.layers().len() as u32]);
            for layer in index.graph.layers() {
                put(&mut out, &[layer.len() as u32]);
                for node in 0..layer.len() as u32 {
                    let links = layer.neighbours(node);
                    put_packed(&mut out, links.len() as u32);
                    let mut last = 0;
                    for &link in links {
                        put_packed(&mut out, link - last);
                        last = link;
                    }
                }
            }
        }
        Section::Groups => {
            put(&mut out, &[index.groups.len() as u32, index.codes.dim() as u32]);
            for group in &index.groups {
                put_floats(&mut out, group.centroid.as_slice());
            }
            for group in &index.groups {
                put_floats(&mut out, &group.discriminant);
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
        Section::Owners => {
            put(&mut out, &[index.products() as u32]);
            index.owners.counts().for_each(|count| put_packed(&mut out, count));
        }
    }
    out
}

/// Compares the checksum of all that is behind it.
pub(super) fn check(bytes: &[u8]) -> Result<()> {
    let hash = bytes.get(16..HEADER);
    if hash.is_some_and(|hash| Sha256::digest(&bytes[HEADER..])[..] == *hash) {
        return Ok(());
    }
    Err(bad("the index is damaged or cut short: its checksum does not match"))
}

/// Reads and validates an index: after this, no content of it can lead out of bounds. The checksum is [`check`]'s.
pub(super) fn read(bytes: &[u8]) -> Result<Index> {
    let mut header = Reader::new(bytes);
    if header.take(8).ok() != Some(MAGIC.as_slice()) {
        return Err(bad("this is not an index file"));
    }
    let version = header.u32()?;
    if version != VERSION {
        return Err(Error::new(
            ErrorKind::Mismatch,
            format!(
                "the index is of format {version}, this version reads {VERSION}: build the index \
                 again with this version of `lookalike index`"
            ),
        ));
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
    let [
        Some(model),
        Some(projection),
        Some(codes),
        Some(rows),
        Some(graph),
        Some(groups),
        Some(owners),
    ] = found
    else {
        return Err(bad("a section is missing"));
    };
    let codes = read_codes(Reader::new(codes))?;
    Index::new(Parts {
        model: ModelId(model.try_into().map_err(|_| bad("the model's hash has a wrong length"))?),
        projection: read_projection(Reader::new(projection))?,
        rows: read_rows(Reader::new(rows), codes.len())?,
        owners: read_owners(Reader::new(owners), codes.len())?,
        codes,
        graph: read_graph(Reader::new(graph))?,
        groups: read_groups(Reader::new(groups))?,
    })
}

fn read_rows(mut r: Reader<'_>, count: usize) -> Result<Vec<u32>> {
    let rows = r.packed_list(count)?;
    r.end()?;
    Ok(rows)
}

fn read_owners(mut r: Reader<'_>, pictures: usize) -> Result<Owners> {
    let products = r.u32()? as usize;
    let counts = r.packed_list(products)?;
    r.end()?;
    // Before anything is allocated for them.
    if counts.iter().map(|&count| u64::from(count)).sum::<u64>() != pictures as u64 {
        return Err(bad(format!("{products} products do not have {pictures} pictures together")));
    }
    Owners::of_counts(counts.into_iter().map(|count| count as usize))
}

fn read_groups(mut r: Reader<'_>) -> Result<Vec<Group>> {
    let (count, dim) = (r.u32()? as usize, r.u32()? as usize);
    let length = count.checked_mul(dim).ok_or_else(|| bad("too many groups"))?;
    let (centroids, discriminants) = (r.floats(length)?, r.floats(length)?);
    let infos: Vec<GroupInfo> = serde_json::from_slice(r.rest()).map_err(|cause| {
        Error::with_source(ErrorKind::BadIndex, "the groups cannot be read", cause)
    })?;
    if infos.len() != count || dim == 0 {
        return Err(bad(format!("{count} centroids of {dim} dimensions, {} groups", infos.len())));
    }
    infos
        .into_iter()
        .zip(centroids.chunks_exact(dim).zip(discriminants.chunks_exact(dim)))
        .map(|(info, (centroid, discriminant))| {
            if !info.coherence.is_finite() || !discriminant.iter().all(|x| x.is_finite()) {
                return Err(bad(format!("the values of {} are not finite", info.key)));
            }
            let centroid = Embedding::from_normalised(centroid.to_vec()).map_err(|cause| {
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
    let mean = r.floats(in_dim)?;
    let scales = r.floats(out_dim)?;
    let entries = in_dim.checked_mul(out_dim).ok_or_else(|| bad("the projection is too large"))?;
    let values = r.take(entries)?.iter().map(|&b| b as i8).collect();
    r.end()?;
    Projection::new(list, mean, Matrix::new(in_dim, scales, values)?)
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
        let nodes = r.u32()? as usize;
        // Each node takes a byte at least.
        if nodes > r.rest().len() {
            return Err(bad("a section is shorter than it says"));
        }
        let mut offsets = Vec::with_capacity(nodes + 1);
        let mut links = Vec::new();
        offsets.push(0);
        for _ in 0..nodes {
            let mut last = 0u32;
            for _ in 0..r.packed()? {
                let link = last.checked_add(r.packed()?);
                last = link.ok_or_else(|| bad("a link leads out of its layer"))?;
                links.push(last);
            }
            offsets.push(u32::try_from(links.len()).map_err(|_| bad("too many links"))?);
        }
        layers.push(Layer::new(offsets, links)?);
    }
    r.end()?;
    Graph::new(layers)
}
