//! Channels first, throughout: `Transpose` nodes go where nobody reads them.
//!
//! TensorFlow's networks take `[1, size, size, 3]`, and their exports turn maps to channels first before some operators, and
//! back after. Here each tensor is a view: another tensor, and the order of its axes. A `Transpose` changes the view alone;
//! an operator that does not mind the order is given the tensor as it lies, with its axes renamed; before any other the
//! view is written out.

use std::collections::HashMap;

use super::{listed, stored};
use crate::error::Result;
use crate::model::onnx::{self, bad, ints};
use crate::model::proto::{DataType, GraphProto, NodeProto, TensorProto};
use crate::model::shapes::Facts;
use crate::model::write;

/// Axis `i` of the tensor that the graph means is axis `order[i]` of `source`.
#[derive(Clone, PartialEq)]
struct View {
    source: String,
    order: Vec<usize>,
}

fn plain(order: &[usize]) -> bool {
    order.iter().enumerate().all(|(i, axis)| i == *axis)
}

/// The order that undoes another.
fn inverse(order: &[usize]) -> Vec<usize> {
    let mut inverse = vec![0; order.len()];
    for (i, axis) in order.iter().enumerate() {
        inverse[*axis] = i;
    }
    inverse
}

/// Rewrites the graph; with `nhwc` its input becomes `[1, 3, size, size]`. Layers become the tensors that they are views
/// of, whose channels are axis 1.
///
/// # Errors
/// `BadModel` if a tensor is not known to `facts`.
pub(super) fn channels_first(
    graph: &mut GraphProto,
    facts: &Facts,
    layers: &mut [String],
    nhwc: bool,
) -> Result<()> {
    let mut pass = Pass { facts, views: HashMap::new(), nodes: Vec::new(), made: Vec::new() };
    if nhwc {
        let name = onnx::input(graph)?.name.clone();
        let dims = pass.dims(&name)?;
        let [n, h, w, c] = dims[..] else { return Err(bad("the input has not four axes")) };
        let turned = [n, c, h, w].map(|d| Some(d as i64));
        graph.input = vec![onnx::value_info(&name, &turned)];
        pass.views.insert(name.clone(), View { source: name, order: vec![0, 2, 3, 1] });
    }
    for node in std::mem::take(&mut graph.node) {
        pass.node(graph, node)?;
    }
    for layer in layers.iter_mut() {
        // A vector's order is its features'.
        if let Some(view) = pass.views.get(layer.as_str()).cloned() {
            *layer = if view.order.len() == 4 { view.source } else { pass.whole(layer)? };
        }
    }
    graph.node = pass.nodes;
    graph.initializer.append(&mut pass.made);
    Ok(())
}

struct Pass<'a> {
    facts: &'a Facts,
    /// Those that are not simply themselves.
    views: HashMap<String, View>,
    nodes: Vec<NodeProto>,
    made: Vec<TensorProto>,
}

impl Pass<'_> {
    fn dims(&self, name: &str) -> Result<&[usize]> {
        let fact = self.facts.get(name).ok_or_else(|| bad(format!("no tensor {name:?}")))?;
        Ok(&fact.dims)
    }

    fn view(&self, name: &str) -> Result<View> {
        match self.views.get(name) {
            Some(view) => Ok(view.clone()),
            None => {
                let order = (0..self.dims(name)?.len()).collect();
                Ok(View { source: name.to_owned(), order })
            }
        }
    }

    /// The name of a tensor whose axes are in the order that the graph means.
    fn whole(&mut self, name: &str) -> Result<String> {
        let view = self.view(name)?;
        if plain(&view.order) {
            return Ok(view.source);
        }
        let order = view.order.clone();
        Ok(self.turned(&view.source, &order))
    }

    /// Writes a `Transpose`, unless it is there already.
    fn turned(&mut self, source: &str, order: &[usize]) -> String {
        let digits: String = order.iter().map(ToString::to_string).collect();
        let name = format!("{source}.axes{digits}");
        if !self.nodes.iter().any(|n| n.output[0] == name) {
            let mut node = write::node("Transpose", &[source], &name, &[]);
            let perm: Vec<i64> = order.iter().map(|i| *i as i64).collect();
            set_ints(&mut node, "perm", perm);
            self.nodes.push(node);
        }
        name
    }

    fn node(&mut self, graph: &GraphProto, node: NodeProto) -> Result<()> {
        let views = node
            .input
            .iter()
            .map(|name| match name.as_str() {
                "" => Ok(None),
                name => self.view(name).map(Some),
            })
            .collect::<Result<Vec<_>>>()?;
        if node.op_type == "Transpose" {
            let Some(Some(view)) = views.into_iter().next() else {
                return Err(bad("a Transpose without input"));
            };
            let rank = view.order.len();
            let perm: Vec<usize> = match ints(&node, "perm") {
                Some(perm) => perm.iter().map(|p| *p as usize).collect(),
                None => (0..rank).rev().collect(),
            };
            let order = perm.iter().map(|p| view.order[*p]).collect();
            self.views.insert(node.output[0].clone(), View { source: view.source, order });
            return Ok(());
        }
        // The order that the result will have: that of the first input which has one of its own.
        let order = views.iter().flatten().map(|v| &v.order).find(|order| !plain(order)).cloned();
        if let Some(order) = order
            && let Some(turned) = self.follow(graph, &node, &views, &order)?
        {
            let (node, after) = turned;
            for output in &node.output {
                if !plain(&after) {
                    let view = View { source: output.clone(), order: after.clone() };
                    self.views.insert(output.clone(), view);
                }
            }
            self.nodes.push(node);
            return Ok(());
        }
        let mut node = node;
        for name in node.input.iter_mut().filter(|name| !name.is_empty()) {
            *name = self.whole(name)?;
        }
        self.nodes.push(node);
        Ok(())
    }

    /// The node on the tensors as they lie, and the order of its result's axes; `None` if the operator minds.
    fn follow(
        &mut self,
        graph: &GraphProto,
        node: &NodeProto,
        views: &[Option<View>],
        order: &[usize],
    ) -> Result<Option<(NodeProto, Vec<usize>)>> {
        let mut turned = node.clone();
        let first = views.first().cloned().flatten();
        let leads = first.as_ref().is_some_and(|view| view.order == order);
        let op = node.op_type.as_str();
        let same = match op {
            "Relu" | "LeakyRelu" | "Sigmoid" | "HardSigmoid" | "HardSwish" | "Tanh" | "Elu"
            | "Selu" | "Celu" | "Softplus" | "Softsign" | "Erf" | "Exp" | "Log" | "Sqrt"
            | "Reciprocal" | "Floor" | "Ceil" | "Round" | "Gelu" | "Mish" | "ThresholdedRelu"
            | "Neg" | "Abs" | "Sign" | "Clip" | "Cast" | "Identity" | "Dropout" => leads,
            "Add" | "Sub" | "Mul" | "Div" | "Pow" | "Max" | "Min" | "Sum" | "Mean" | "PRelu" => {
                for (i, view) in views.iter().enumerate() {
                    let Some(view) = view else { return Ok(None) };
                    match self.aligned(graph, &node.input[i], view, order)? {
                        Some(name) => turned.input[i] = name,
                        None => return Ok(None),
                    }
                }
                return Ok(Some((turned, order.to_vec())));
            }
            "Concat" | "Softmax" | "LogSoftmax" => {
                let axis = onnx::int(node, "axis").unwrap_or(if op == "Concat" { 0 } else { -1 });
                let axis = if axis < 0 { axis + order.len() as i64 } else { axis };
                let axis = order[axis as usize] as i64;
                turned.attribute.retain(|a| a.name != "axis");
                turned.attribute.push(write::int_attribute("axis", axis));
                for (i, view) in views.iter().enumerate() {
                    let Some(view) = view else { return Ok(None) };
                    match self.aligned(graph, &node.input[i], view, order)? {
                        Some(name) => turned.input[i] = name,
                        None => return Ok(None),
                    }
                }
                return Ok(Some((turned, order.to_vec())));
            }
            "ReduceMean" | "ReduceSum" | "ReduceMax" | "ReduceMin" | "Squeeze" if leads => {
                let Some(axes) = listed(graph, node, "axes", 1) else { return Ok(None) };
                let rank = order.len() as i64;
                let own: Vec<usize> =
                    axes.iter().map(|a| (if *a < 0 { a + rank } else { *a }) as usize).collect();
                let moved = own.iter().map(|a| order[*a] as i64).collect();
                self.set_list(&mut turned, "axes", moved);
                turned.input[0] = first.map(|v| v.source).unwrap_or_default();
                if op != "Squeeze" && onnx::int(node, "keepdims") != Some(0) {
                    return Ok(Some((turned, order.to_vec())));
                }
                // What is left of the axes, numbered anew.
                let left = order.iter().enumerate().filter(|(i, _)| !own.contains(i));
                let left: Vec<usize> = left.map(|(_, axis)| *axis).collect();
                let rank_of = |axis: &usize| left.iter().filter(|other| *other < axis).count();
                return Ok(Some((turned, left.iter().map(rank_of).collect())));
            }
            "Pad" if leads => {
                let Some(pads) = listed(graph, node, "pads", 1) else { return Ok(None) };
                let rank = order.len();
                let mut moved = vec![0; pads.len()];
                for (i, axis) in order.iter().enumerate() {
                    moved[*axis] = pads[i];
                    moved[*axis + rank] = pads[i + rank];
                }
                self.set_list(&mut turned, "pads", moved);
                true
            }
            // Where all axes but one are 1, as behind a pool, their order says nothing.
            "Flatten" | "Reshape" if leads => {
                let meant = self.dims(&node.input[0])?;
                let lies = inverse(order).into_iter().map(|i| meant[i]).filter(|d| *d != 1);
                if !lies.eq(meant.iter().copied().filter(|d| *d != 1)) {
                    return Ok(None);
                }
                let to = self.dims(&node.output[0])?.iter().map(|d| *d as i64).collect();
                turned.op_type = "Reshape".into();
                turned.attribute.clear();
                turned.input.truncate(1);
                self.set_list(&mut turned, "shape", to);
                turned.input[0] = first.map(|v| v.source).unwrap_or_default();
                let rank = self.dims(&node.output[0])?.len();
                return Ok(Some((turned, (0..rank).collect())));
            }
            _ => false,
        };
        if !same {
            return Ok(None);
        }
        turned.input[0] = first.map(|v| v.source).unwrap_or_default();
        Ok(Some((turned, order.to_vec())))
    }

    /// The name of an operand whose axes lie as `order` says; `None` if it would take more than turning it.
    fn aligned(
        &mut self,
        graph: &GraphProto,
        name: &str,
        view: &View,
        order: &[usize],
    ) -> Result<Option<String>> {
        if view.order == order || self.dims(name)?.iter().all(|d| *d == 1) {
            return Ok(Some(view.source.clone()));
        }
        let back = inverse(order);
        let constant = stored(graph, name).filter(|t| {
            view.source == name
                && t.data_type == DataType::Float as i32
                && t.dims.len() <= back.len()
        });
        if let Some(tensor) = constant {
            let turned = transposed(tensor, &back)?;
            let known = self.made.iter().any(|t| t.name == turned.name);
            let name = turned.name.clone();
            if !known {
                self.made.push(turned);
            }
            return Ok(Some(name));
        }
        if view.order.len() != order.len() {
            return Ok(None);
        }
        let both: Vec<usize> = back.iter().map(|i| view.order[*i]).collect();
        Ok(Some(self.turned(&view.source, &both)))
    }

    /// Integers where the operator looks for them: in an attribute of that name, or in a stored input.
    fn set_list(&mut self, node: &mut NodeProto, name: &str, list: Vec<i64>) {
        if name != "shape" && ints(node, name).is_some() {
            return set_ints(node, name, list);
        }
        let stored = format!("{}.{name}", node.output[0]);
        self.made.push(write::int64_tensor(&stored, &list));
        match node.input.get_mut(1) {
            Some(input) => *input = stored,
            None => node.input.push(stored),
        }
    }
}

fn set_ints(node: &mut NodeProto, name: &str, list: Vec<i64>) {
    node.attribute.retain(|a| a.name != name);
    node.attribute.push(write::ints_attribute(name, list));
}

/// A tensor, given leading axes of 1, with its axes in another order.
pub(super) fn transposed(tensor: &TensorProto, order: &[usize]) -> Result<TensorProto> {
    let mut dims = vec![1usize; order.len() - tensor.dims.len()];
    dims.extend(tensor.dims.iter().map(|d| *d as usize));
    let values = onnx::floats(tensor)?;
    let strides: Vec<usize> =
        (0..dims.len()).map(|i| dims[i + 1..].iter().product::<usize>()).collect();
    let to: Vec<usize> = order.iter().map(|i| dims[*i]).collect();
    let at = |mut flat: usize| {
        let mut at = 0;
        for (side, axis) in to.iter().zip(order).rev() {
            at += flat % side * strides[*axis];
            flat /= side;
        }
        values[at]
    };
    let turned: Vec<f32> = (0..values.len()).map(at).collect();
    let digits: String = order.iter().map(ToString::to_string).collect();
    let sides: Vec<i64> = to.iter().map(|d| *d as i64).collect();
    Ok(onnx::float_tensor(&format!("{}.axes{digits}", tensor.name), &sides, &turned))
}
