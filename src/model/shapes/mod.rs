//! What each tensor of a graph is, worked out before anything runs it: tract believes what attributes say, and panics or
//! allocates accordingly. Only operators whose attributes are checked here get through; the sum of what a run would hold
//! and multiply is bounded.

mod arrange;
mod numbers;
mod operators;

use std::collections::{HashMap, HashSet};

use super::onnx::{self, bad, place};
use super::proto::{DataType, GraphProto, NodeProto, TensorProto};
use crate::error::Result;

/// Axes of a tensor.
const MAX_RANK: usize = 8;
/// Elements of a computed tensor.
const MAX_ELEMENTS: u64 = 1 << 26;
/// Elements that may be held at the same time.
const MAX_HELD: u64 = 1 << 28;
/// Multiplications of a run; the largest image networks that are known take a hundredth of it.
const MAX_MACS: u64 = 1 << 44;

/// What is known of a tensor.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fact {
    /// Holds real numbers; else integers, codes or truths.
    pub(super) real: bool,
    pub(super) dims: Vec<usize>,
    /// Does not depend on the picture.
    pub(super) constant: bool,
    /// The integers that it holds, where they are known and few: shapes are computed with them.
    numbers: Option<Vec<i64>>,
}

impl Fact {
    fn real(dims: Vec<usize>) -> Self {
        Self { real: true, dims, constant: false, numbers: None }
    }

    fn integers(dims: Vec<usize>, numbers: Option<Vec<i64>>) -> Self {
        Self { real: false, dims, constant: false, numbers }
    }

    /// The same with another shape.
    fn with(&self, dims: Vec<usize>) -> Self {
        Self { dims, ..self.clone() }
    }

    fn rank(&self) -> usize {
        self.dims.len()
    }

    fn count(&self) -> u64 {
        self.dims.iter().fold(1, |all, d| all.saturating_mul(*d as u64))
    }

    /// Channels, height and width of a map `[1, c, h, w]`.
    pub(super) fn map(&self) -> Option<(usize, usize, usize)> {
        match self.dims[..] {
            [1, c, h, w] => Some((c, h, w)),
            _ => None,
        }
    }
}

/// The tensors of a graph by name.
pub(super) type Facts = HashMap<String, Fact>;

/// Works out what each tensor is. The input's shape has to be fixed, the nodes in the order of their dependencies.
///
/// # Errors
/// `BadModel` that names the node, and the attribute or the shape that is wrong: a name that is read before it is written
/// or is written twice, an operator that is not known, shapes that do not fit or that only a run could tell, tensors and
/// work out of proportion.
pub(super) fn infer(graph: &GraphProto) -> Result<Facts> {
    let mut facts = Facts::new();
    for tensor in &graph.initializer {
        if facts.insert(tensor.name.clone(), stored(tensor)?).is_some() {
            return Err(bad(format!("tensor {:?} is there twice", tensor.name)));
        }
    }
    let input = onnx::input(graph)?;
    let dims: Option<Vec<usize>> = onnx::dims(input)
        .into_iter()
        .flatten()
        .map(|d| d.and_then(|d| usize::try_from(d).ok()))
        .collect();
    let Some(dims) = dims.filter(|dims| !dims.is_empty()) else {
        return Err(bad(format!("the shape of input {:?} is not fixed", input.name)));
    };
    let fact = Fact::real(dims);
    within(&fact).map_err(|e| e.at(format_args!("input {:?}", input.name)))?;
    facts.insert(input.name.clone(), fact);
    let mut macs = 0u64;
    for node in &graph.node {
        let at = |e: error::Error| e.at(place(node));
        known(node, &facts).map_err(at)?;
        let inference = Node { node, facts: &facts };
        let (outputs, work) = inference.run().map_err(at)?;
        macs = macs.saturating_add(work);
        if macs > MAX_MACS {
            return Err(at(bad("up to here a run takes more than 2^44 multiplications")));
        }
        let constant = node.input.iter().all(|i| facts.get(i).is_none_or(|fact| fact.constant));
        for (name, mut fact) in node.output.iter().zip(outputs) {
            within(&fact).map_err(at)?;
            fact.constant = constant;
            if !name.is_empty() && facts.insert(name.clone(), fact).is_some() {
                return Err(at(bad(format!("it writes {name:?}, which is there already"))));
            }
        }
    }
    held(graph, &facts)?;
    Ok(facts)
}

/// Puts the nodes in the order of their dependencies; those that are in order stay where they are.
///
/// # Errors
/// `BadModel` that names a node which waits for itself, reads what is not there, or writes what is.
#[cfg(feature = "cli")]
pub(super) fn sort(graph: &mut GraphProto) -> Result<()> {
    let made: HashSet<&str> =
        graph.node.iter().flat_map(|n| n.output.iter().map(String::as_str)).collect();
    let given =
        graph.initializer.iter().map(|t| &t.name).chain(graph.input.iter().map(|i| &i.name));
    let mut there: HashSet<&str> = given.map(String::as_str).collect();
    for node in &graph.node {
        let lost = node.input.iter().find(|name| {
            !name.is_empty() && !made.contains(name.as_str()) && !there.contains(name.as_str())
        });
        if let Some(name) = lost {
            return Err(bad(format!("it reads {name:?}, which nothing writes")).at(place(node)));
        }
    }
    for node in &graph.node {
        for name in node.output.iter().filter(|name| !name.is_empty()) {
            if !there.insert(name) {
                let twice = bad(format!("it writes {name:?}, which is there already"));
                return Err(twice.at(place(node)));
            }
        }
    }
    let mut done: HashSet<&str> = HashSet::new();
    let mut order = Vec::with_capacity(graph.node.len());
    let mut waiting: Vec<usize> = (0..graph.node.len()).collect();
    while !waiting.is_empty() {
        let before = waiting.len();
        waiting.retain(|&i| {
            let node = &graph.node[i];
            let ready =
                |name: &String| !made.contains(name.as_str()) || done.contains(name.as_str());
            let ready = node.input.iter().all(ready);
            if ready {
                done.extend(node.output.iter().map(String::as_str));
                order.push(i);
            }
            !ready
        });
        if waiting.len() == before {
            return Err(bad("it waits for its own result").at(place(&graph.node[waiting[0]])));
        }
    }
    let mut nodes: Vec<Option<NodeProto>> = graph.node.drain(..).map(Some).collect();
    graph.node = order.into_iter().filter_map(|i| nodes[i].take()).collect();
    Ok(())
}

/// The integers of a stored tensor, if they are few.
#[cfg(feature = "cli")]
pub(super) fn integers(tensor: &TensorProto) -> Option<Vec<i64>> {
    numbers::of(tensor)
}

/// What an initializer is.
fn stored(tensor: &TensorProto) -> Result<Fact> {
    let dims = tensor.dims.iter().map(|d| usize::try_from(*d).unwrap_or(0)).collect();
    let real = matches!(
        DataType::try_from(tensor.data_type),
        Ok(DataType::Float | DataType::Float16 | DataType::Double | DataType::Bfloat16)
    );
    let numbers = if real { None } else { numbers::of(tensor) };
    let fact = Fact { real, dims, constant: true, numbers };
    if fact.rank() > MAX_RANK {
        return Err(bad(format!("tensor {:?} has {} axes", tensor.name, fact.rank())));
    }
    Ok(fact)
}

fn within(fact: &Fact) -> Result<()> {
    if fact.rank() > MAX_RANK || fact.count() > MAX_ELEMENTS {
        let dims = &fact.dims;
        return Err(bad(format!(
            "its result has shape {dims:?}, beyond 2^26 numbers or {MAX_RANK} axes"
        )));
    }
    if fact.real && fact.count() == 0 {
        return Err(bad(format!("its result has shape {:?} and holds nothing", fact.dims)));
    }
    Ok(())
}

/// Whether what a node reads is there.
fn known(node: &NodeProto, facts: &Facts) -> Result<()> {
    match node.input.iter().find(|name| !name.is_empty() && !facts.contains_key(*name)) {
        Some(name) => Err(bad(format!("it reads {name:?}, which nothing has written before"))),
        None if node.output.is_empty() => Err(bad("it has no output")),
        None => Ok(()),
    }
}

/// Bounds what is alive at the same time. What does not depend on the picture is computed once, and kept.
fn held(graph: &GraphProto, facts: &Facts) -> Result<()> {
    let mut last: HashMap<&str, usize> = HashMap::new();
    for (i, node) in graph.node.iter().enumerate() {
        last.extend(node.input.iter().map(|name| (name.as_str(), i)));
    }
    last.extend(graph.output.iter().map(|o| (o.name.as_str(), usize::MAX)));
    let size = |name: &str| facts.get(name).map_or(0, Fact::count);
    let keeps = |name: &str| facts.get(name).is_some_and(|fact| fact.constant);
    let mut alive = 0u64;
    for (i, node) in graph.node.iter().enumerate() {
        alive += node.output.iter().map(|name| size(name)).sum::<u64>();
        if alive > MAX_HELD {
            return Err(bad("what is held up to here is beyond 2^28 numbers").at(place(node)));
        }
        let read: HashSet<&str> = node.input.iter().map(String::as_str).collect();
        let made = node.output.iter().map(String::as_str);
        let unread = made.filter(|name| !last.contains_key(name));
        let done = read.into_iter().filter(|name| last.get(name) == Some(&i));
        for name in done.chain(unread).filter(|name| !keeps(name)) {
            alive = alive.saturating_sub(size(name));
        }
    }
    Ok(())
}

/// A node while its results are worked out.
struct Node<'a> {
    node: &'a NodeProto,
    facts: &'a Facts,
}

impl<'a> Node<'a> {
    fn has(&self, i: usize) -> bool {
        self.node.input.get(i).is_some_and(|name| !name.is_empty())
    }

    fn input(&self, i: usize) -> Result<&'a Fact> {
        let name = self.node.input.get(i).filter(|name| !name.is_empty());
        name.and_then(|name| self.facts.get(name))
            .ok_or_else(|| bad(format!("input {i} is missing")))
    }

    /// Channels, height and width of an input that has to be a map.
    fn map(&self, i: usize) -> Result<(usize, usize, usize)> {
        let fact = self.input(i)?;
        match fact.dims[..] {
            [1, c, h, w] if c > 0 && h > 0 && w > 0 => Ok((c, h, w)),
            _ => Err(bad(format!(
                "input {i} has shape {:?}; a map [1, channels, height, width] is needed",
                fact.dims
            ))),
        }
    }

    /// An input that has to be known beforehand.
    fn numbers(&self, i: usize) -> Result<&'a [i64]> {
        self.input(i)?.numbers.as_deref().ok_or_else(|| {
            bad(format!(
                "input {i} ({:?}) is not known before the network runs: export it with fixed sizes",
                self.node.input[i]
            ))
        })
    }

    fn int(&self, name: &str, default: i64) -> i64 {
        onnx::int(self.node, name).unwrap_or(default)
    }

    /// An axis in `0..rank`; negative ones count from the end.
    fn axis(&self, name: &str, axis: i64, rank: usize) -> Result<usize> {
        let wrapped = if axis < 0 { axis.checked_add(rank as i64) } else { Some(axis) };
        wrapped
            .and_then(|a| usize::try_from(a).ok())
            .filter(|a| *a < rank)
            .ok_or_else(|| bad(format!("{name} {axis} is not one of {rank} axes")))
    }

    /// Several axes, each once, sorted.
    fn axes(&self, axes: &[i64], rank: usize) -> Result<Vec<usize>> {
        let mut found =
            axes.iter().map(|a| self.axis("axes", *a, rank)).collect::<Result<Vec<_>>>()?;
        found.sort_unstable();
        if found.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(bad(format!("axes {axes:?} name one twice")));
        }
        Ok(found)
    }

    /// Axes from the attribute, or from input `i` in later operator sets.
    fn listed(&self, i: usize) -> Result<Option<&'a [i64]>> {
        match onnx::ints(self.node, "axes") {
            Some(axes) => Ok(Some(axes)),
            None if self.has(i) => self.numbers(i).map(Some),
            None => Ok(None),
        }
    }
}
