//! Passes over a network's graph before it is quantised: after them it takes `[1, 3, size, size]`, its weights are stored
//! real numbers, and what only moves or scales numbers about has gone into something else where it can. Native only.
//!
//! Each pass leaves alone what it does not understand, and gives the graph that it was given if there is nothing for it to
//! do, byte by byte.

mod affine;
mod constants;
mod heads;
mod input;
mod layout;
mod names;
mod pads;

use std::collections::HashMap;

pub(super) use constants::only_f32;
pub(super) use names::resolve;

use super::onnx;
use super::proto::{GraphProto, ModelProto, NodeProto, TensorProto};
use super::shapes::{self, Facts};
use crate::error::Result;
use crate::preprocess::InputSpec;

/// What the passes work on.
pub(super) struct Draft<'a> {
    pub(super) model: &'a mut ModelProto,
    /// Tensors whose features are wanted. They may become others that give the same features.
    pub(super) layers: &'a mut [String],
    /// Size and normalisation; takes over what the graph does to its input alone.
    pub(super) input: &'a mut InputSpec,
    /// For people: what was changed that they should know.
    pub(super) notes: Vec<String>,
}

impl Draft<'_> {
    /// Runs all passes; gives what the tensors are afterwards.
    ///
    /// # Errors
    /// `BadModel` if the graph makes no sense, see [`shapes::infer`].
    pub(super) fn tidy(&mut self, nhwc: bool) -> Result<Facts> {
        let facts = self.facts()?;
        let graph = onnx::graph_mut(self.model)?;
        constants::fold(graph, &facts)?;
        constants::bypass(graph, &facts, self.layers);
        if nhwc || graph.node.iter().any(|n| n.op_type == "Transpose") {
            layout::channels_first(graph, &facts, self.layers, nhwc)?;
            onnx::cut(graph, self.layers)?;
        }
        let facts = self.facts()?;
        let graph = onnx::graph_mut(self.model)?;
        input::fold(graph, self.layers, self.input, &mut self.notes)?;
        affine::fold(graph, &facts, self.layers)?;
        pads::merge(graph, self.layers)?;
        let facts = self.facts()?;
        let graph = onnx::graph_mut(self.model)?;
        heads::keep_axes(graph, &facts);
        // The passes know of no tensor that another has just made.
        let facts = self.facts()?;
        let graph = onnx::graph_mut(self.model)?;
        heads::find(graph, &facts, self.layers, &mut self.notes);
        onnx::cut(graph, self.layers)?;
        self.facts()
    }

    fn facts(&self) -> Result<Facts> {
        shapes::infer(onnx::graph(self.model)?)
    }
}

/// How often each tensor is read, by nodes and as a layer.
fn readers(graph: &GraphProto, layers: &[String]) -> HashMap<String, usize> {
    let mut readers = HashMap::new();
    for name in graph.node.iter().flat_map(|n| &n.input).chain(layers) {
        *readers.entry(name.clone()).or_default() += 1;
    }
    readers
}

/// The node that writes a tensor.
fn maker<'a>(graph: &'a GraphProto, name: &str) -> Option<&'a NodeProto> {
    graph.node.iter().find(|n| n.output.iter().any(|o| o == name))
}

fn stored<'a>(graph: &'a GraphProto, name: &str) -> Option<&'a TensorProto> {
    graph.initializer.iter().find(|t| t.name == name)
}

/// The integers of an attribute, or else of a stored input.
fn listed(graph: &GraphProto, node: &NodeProto, attribute: &str, i: usize) -> Option<Vec<i64>> {
    if let Some(ints) = onnx::ints(node, attribute) {
        return Some(ints.to_vec());
    }
    shapes::integers(stored(graph, node.input.get(i)?)?)
}

/// Puts a tensor in the place of the one of the same name.
fn replace(graph: &mut GraphProto, tensor: TensorProto) {
    graph.initializer.retain(|t| t.name != tensor.name);
    graph.initializer.push(tensor);
}
