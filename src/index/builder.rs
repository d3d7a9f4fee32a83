//! Builds the HNSW graph with instant-distance and takes it over into flat arrays. Native only.

use std::sync::Arc;

use instant_distance::{Builder, Point};
use serde::{Deserialize, Serialize, Serializer};

use super::codes::Codes;
use super::graph::{Graph, Layer};
use crate::error::{Error, ErrorKind, Result};

/// The width of the candidate list while building; more is slower and links better.
pub const EF_CONSTRUCTION: usize = 200;
/// instant-distance draws its insertion order from a seed; any fixed one makes builds repeatable.
const SEED: u64 = 0x100c_a11c;
/// How instant-distance marks an unused link.
const NO_LINK: u32 = u32::MAX;

/// A code by its place; the distance is one minus the cosine.
#[derive(Clone)]
struct CodeAt(Arc<Codes>, u32);

impl Point for CodeAt {
    fn distance(&self, other: &Self) -> f32 {
        1.0 - self.0.cosine(self.1 as usize, other.1 as usize)
    }
}

impl Serialize for CodeAt {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_u32(self.1)
    }
}

/// instant-distance keeps its graph private but serialises it; this is the serialised shape.
#[derive(Deserialize)]
struct Serialised {
    points: Vec<u32>,
    zero: Vec<Vec<u32>>,
    layers: Vec<Vec<Vec<u32>>>,
}

/// Builds the graph over `codes`, on one thread so that the same codes always give the same bytes.
/// Returns the graph and, for each of its nodes, the code it stands for.
///
/// # Errors
/// `BadIndex` if there are no codes or more than `u32` can count; `Internal` if instant-distance's
/// output is not as expected.
pub(super) fn build(codes: &Codes) -> Result<(Graph, Vec<u32>)> {
    let count = u32::try_from(codes.len()).ok().filter(|n| (1..NO_LINK).contains(n));
    let Some(count) = count else {
        return Err(Error::new(
            ErrorKind::BadIndex,
            format!("an index of {} products cannot be built", codes.len()),
        ));
    };
    let shared = Arc::new(codes.clone());
    let points: Vec<CodeAt> = (0..count).map(|i| CodeAt(Arc::clone(&shared), i)).collect();
    let internal = |cause: Box<dyn std::error::Error + Send + Sync>| {
        Error::with_source(ErrorKind::Internal, "building the graph failed", cause)
    };
    let pool =
        rayon::ThreadPoolBuilder::new().num_threads(1).build().map_err(|e| internal(e.into()))?;
    let (hnsw, _) = pool.install(|| {
        Builder::default().ef_construction(EF_CONSTRUCTION).seed(SEED).build_hnsw(points)
    });
    let json = serde_json::to_vec(&hnsw).map_err(|e| internal(e.into()))?;
    drop(hnsw);
    let parts: Serialised = serde_json::from_slice(&json).map_err(|e| internal(e.into()))?;
    drop(json);

    let live = |list: &Vec<u32>| list.iter().copied().filter(|&l| l != NO_LINK).collect();
    let mut bottom: Vec<Vec<u32>> = parts.zero.iter().map(live).collect();
    reconnect(&mut bottom, &parts.points, codes);
    let mut layers = vec![Layer::from_lists(&bottom)];
    for layer in &parts.layers {
        layers.push(Layer::from_lists(&layer.iter().map(live).collect::<Vec<_>>()));
    }
    Ok((Graph::new(layers)?, parts.points))
}

/// Pruning can leave nodes that no path leads to. Each gets a link from the nearest node that a
/// path does lead to.
fn reconnect(bottom: &mut [Vec<u32>], code_of: &[u32], codes: &Codes) {
    let mut reachable = vec![false; bottom.len()];
    let visit = |start: u32, bottom: &[Vec<u32>], reachable: &mut Vec<bool>| {
        let mut open = vec![start];
        reachable[start as usize] = true;
        while let Some(node) = open.pop() {
            for &next in &bottom[node as usize] {
                if !std::mem::replace(&mut reachable[next as usize], true) {
                    open.push(next);
                }
            }
        }
    };
    visit(0, bottom, &mut reachable);
    for orphan in 0..bottom.len() as u32 {
        if reachable[orphan as usize] {
            continue;
        }
        let cosine = |node: u32| {
            codes.cosine(code_of[orphan as usize] as usize, code_of[node as usize] as usize)
        };
        let nearest = (0..bottom.len() as u32)
            .filter(|&n| reachable[n as usize])
            .max_by(|&a, &b| cosine(a).total_cmp(&cosine(b)).then(b.cmp(&a)));
        if let Some(nearest) = nearest {
            bottom[nearest as usize].push(orphan);
            visit(orphan, bottom, &mut reachable);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Codes that scatter without a random number generator.
    pub(crate) fn scattered(count: usize, dim: usize) -> Codes {
        let mut state = 1u32;
        let values = (0..count * dim)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                ((state >> 24) as u8) as i8
            })
            .collect();
        Codes::new(dim, values).unwrap()
    }

    #[test]
    fn every_node_can_be_reached_and_building_twice_is_the_same() {
        let codes = scattered(700, 8);
        let (graph, rows) = build(&codes).unwrap();
        assert!(graph.unreachable().is_empty());
        let mut sorted = rows.clone();
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..700));
        assert_eq!(build(&codes).unwrap(), (graph, rows));
    }

    #[test]
    fn tiny_and_degenerate_catalogues_build() {
        for count in [1, 2, 40] {
            let (graph, _) = build(&scattered(count, 4)).unwrap();
            assert_eq!(graph.len(), count);
            assert!(graph.unreachable().is_empty());
        }
        let alike = Codes::new(2, [1, 2].repeat(200)).unwrap();
        assert!(build(&alike).unwrap().0.unreachable().is_empty());
        assert!(build(&Codes::new(2, vec![]).unwrap()).is_err());
    }

    #[test]
    fn orphans_are_linked_from_their_nearest() {
        let codes = Codes::new(2, vec![100, 0, 0, 100, 10, 100]).unwrap();
        let mut bottom = vec![vec![1], vec![0], vec![]];
        reconnect(&mut bottom, &[0, 1, 2], &codes);
        assert_eq!(bottom, [vec![1], vec![0, 2], vec![]]);
    }
}
