//! The HNSW graph as flat arrays, and the search over it.
//!
//! Hierarchical navigable small worlds, Malkov and Yashunin, IEEE TPAMI 2018. Nodes are numbered so
//! that the upper layers hold the first nodes: layer `l` has nodes `0..len(l)`.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::error::{Error, ErrorKind, Result};

/// One layer: the neighbours of node `i` are `links[offsets[i]..offsets[i + 1]]`, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    offsets: Vec<u32>,
    links: Vec<u32>,
}

impl Layer {
    /// A layer from the neighbours of each of its nodes.
    #[must_use]
    pub fn from_lists(lists: &[Vec<u32>]) -> Self {
        let mut offsets = Vec::with_capacity(lists.len() + 1);
        let mut links = Vec::new();
        offsets.push(0);
        for list in lists {
            let start = links.len();
            links.extend_from_slice(list);
            links[start..].sort_unstable();
            offsets.push(links.len() as u32);
        }
        Self { offsets, links }
    }

    /// A layer from its arrays.
    ///
    /// # Errors
    /// `BadIndex` if the offsets do not ascend from 0 to the number of links, a node's links do
    /// not ascend, or a link leads out of the layer.
    pub fn new(offsets: Vec<u32>, links: Vec<u32>) -> Result<Self> {
        let bad = |what: &str| Err(Error::new(ErrorKind::BadIndex, format!("graph: {what}")));
        if offsets.first() != Some(&0)
            || offsets.last().map(|&o| o as usize) != Some(links.len())
            || !offsets.is_sorted()
        {
            return bad("offsets do not ascend to the number of links");
        }
        let nodes = offsets.len() - 1;
        if links.iter().any(|&l| l as usize >= nodes) {
            return bad("a link leads out of its layer");
        }
        let ascend = |ends: &[u32]| links[ends[0] as usize..ends[1] as usize].is_sorted();
        if !offsets.windows(2).all(ascend) {
            return bad("the links of a node do not ascend");
        }
        Ok(Self { offsets, links })
    }

    /// How many nodes the layer has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The neighbours of a node of this layer.
    #[must_use]
    pub fn neighbours(&self, node: u32) -> &[u32] {
        let node = node as usize;
        &self.links[self.offsets[node] as usize..self.offsets[node + 1] as usize]
    }

    /// The arrays, for writing.
    #[must_use]
    pub fn parts(&self) -> (&[u32], &[u32]) {
        (&self.offsets, &self.links)
    }
}

/// All layers, the bottom one first.
#[derive(Clone, PartialEq, Eq)]
pub struct Graph(Vec<Layer>);

/// A cosine, ordered; scores are never NaN.
#[derive(Clone, Copy, PartialEq)]
struct Score(f32);

impl Eq for Score {}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Score {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl Graph {
    /// A graph of layers, bottom first; each at most as long as the one below.
    ///
    /// # Errors
    /// `BadIndex` if there is no layer, one is empty, or they grow upwards.
    pub fn new(layers: Vec<Layer>) -> Result<Self> {
        if layers.is_empty()
            || layers.iter().any(Layer::is_empty)
            || !layers.is_sorted_by(|below, above| below.len() >= above.len())
        {
            return Err(Error::new(
                ErrorKind::BadIndex,
                "graph: the layers do not form a hierarchy",
            ));
        }
        Ok(Self(layers))
    }

    /// The layers, bottom first.
    #[must_use]
    pub fn layers(&self) -> &[Layer] {
        &self.0
    }

    /// The number of nodes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0[0].len()
    }

    /// Always false: an empty graph is not built.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The best nodes by `score` (higher is better), best first, found by keeping the `ef` best
    /// candidates while walking the bottom layer. At most `ef` are returned. Ties go to the lower
    /// node, so the result is the same everywhere.
    pub fn search(&self, ef: usize, score: impl Fn(u32) -> f32) -> Vec<(u32, f32)> {
        let mut best = (Score(score(0)), 0u32);
        for layer in self.0[1..].iter().rev() {
            // Greedy descent: move while a neighbour is better.
            loop {
                let next = layer
                    .neighbours(best.1)
                    .iter()
                    .map(|&n| (Score(score(n)), n))
                    .max_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
                match next {
                    Some(next) if next.0 > best.0 => best = next,
                    _ => break,
                }
            }
        }
        let ef = ef.max(1);
        let mut seen = vec![false; self.len()];
        seen[best.1 as usize] = true;
        let mut open = BinaryHeap::from([(best.0, Reverse(best.1))]);
        // The worst of the kept on top.
        let mut kept = BinaryHeap::from([(Reverse(best.0), best.1)]);
        while let Some((candidate, Reverse(node))) = open.pop() {
            let worst = kept.peek().map_or(Score(f32::NEG_INFINITY), |(Reverse(w), _)| *w);
            if kept.len() >= ef && candidate < worst {
                break;
            }
            for &next in self.0[0].neighbours(node) {
                if std::mem::replace(&mut seen[next as usize], true) {
                    continue;
                }
                let found = Score(score(next));
                let worst = kept.peek().map_or(Score(f32::NEG_INFINITY), |(Reverse(w), _)| *w);
                if kept.len() < ef || found > worst {
                    open.push((found, Reverse(next)));
                    kept.push((Reverse(found), next));
                    if kept.len() > ef {
                        kept.pop();
                    }
                }
            }
        }
        kept.into_sorted_vec().into_iter().map(|(Reverse(Score(s)), node)| (node, s)).collect()
    }

    /// The nodes of the bottom layer that cannot be reached from node 0, ascending.
    #[must_use]
    pub fn unreachable(&self) -> Vec<u32> {
        let bottom = &self.0[0];
        let mut seen = vec![false; bottom.len()];
        seen[0] = true;
        let mut open = vec![0u32];
        while let Some(node) = open.pop() {
            for &next in bottom.neighbours(node) {
                if !std::mem::replace(&mut seen[next as usize], true) {
                    open.push(next);
                }
            }
        }
        (0..bottom.len() as u32).filter(|&n| !seen[n as usize]).collect()
    }
}

impl std::fmt::Debug for Graph {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Graph({:?})", self.0.iter().map(Layer::len).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ring of `n` nodes, every tenth of them in a layer above.
    fn ring(n: u32) -> Graph {
        let lists = |n: u32| (0..n).map(|i| vec![(i + 1) % n, (i + n - 1) % n]).collect::<Vec<_>>();
        Graph::new(vec![Layer::from_lists(&lists(n)), Layer::from_lists(&lists(n / 10))]).unwrap()
    }

    #[test]
    fn finds_the_best_in_order() {
        let graph = ring(100);
        let found = graph.search(5, |node| -((node as f32 - 42.2).abs()));
        let nodes: Vec<u32> = found.iter().map(|f| f.0).collect();
        assert_eq!(nodes, [42, 43, 41, 44, 40]);
        assert_eq!(graph.search(0, |node| node as f32).len(), 1);
        assert_eq!(graph.search(1000, |node| node as f32).len(), 100);
    }

    #[test]
    fn damaged_graphs_are_refused() {
        assert!(Layer::new(vec![], vec![]).is_err());
        assert!(Layer::new(vec![0, 2], vec![0]).is_err());
        assert!(Layer::new(vec![0, 1], vec![7]).is_err());
        assert!(Layer::new(vec![0, 2, 1], vec![0]).is_err());
        assert!(Layer::new(vec![0, 2, 2], vec![1, 0]).is_err());
        assert!(Graph::new(vec![]).is_err());
        let (small, large) = (Layer::from_lists(&[vec![]]), Layer::from_lists(&[vec![1], vec![0]]));
        assert!(Graph::new(vec![small, large]).is_err());
    }

    #[test]
    fn tells_who_cannot_be_reached() {
        let lists = [vec![1], vec![0], vec![0]];
        assert_eq!(Graph::new(vec![Layer::from_lists(&lists)]).unwrap().unreachable(), [2]);
        assert!(ring(50).unreachable().is_empty());
    }
}
