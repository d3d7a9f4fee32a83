//! Networks that our kernels do not cover, on tract: the only module that names it.
//!
//! The browser's usual module is built without it (feature `tract`), since it is ten times as large as all the rest.

mod pools;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use prost::Message;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::model::TypedSimplePlan;

use super::features::{FeatureMap, Features};
use super::onnx::{self, bad};
use super::proto::{GraphProto, ModelProto, TensorProto};
use super::spec::ModelSpec;
use super::{dequantise, shapes};
use crate::error::{Error, ErrorKind, Result};
use crate::image::Picture;
use crate::preprocess::{InputSpec, normalise};

/// A graph that tract has optimised for one input.
pub(super) struct Plan(Arc<TypedSimplePlan>);

/// One output of a run.
pub(super) struct Output {
    pub(super) shape: Vec<usize>,
    pub(super) values: Vec<f32>,
}

fn cannot_run(cause: TractError) -> Error {
    Error::with_source(ErrorKind::BadModel, "the network cannot be run", format!("{cause:#}"))
}

fn failed(cause: TractError) -> Error {
    Error::with_source(ErrorKind::BadModel, "the network failed", format!("{cause:#}"))
}

/// Reads a graph, once it is known what its attributes make of it: tract believes them. Its input is
/// `[1, 3, size, size]`; types and shapes that the file states may be of before it was cut.
fn read(model: &ModelProto, input: &InputSpec) -> Result<InferenceModel> {
    let mut model = model.clone();
    let graph = onnx::graph_mut(&mut model)?;
    let side = i64::from(input.size);
    let name = onnx::input(graph)?.name.clone();
    graph.input = vec![onnx::value_info(&name, &[1, 3, side, side].map(Some))];
    let facts = shapes::infer(graph)?;
    pools::spell_out(graph, &facts)?;
    let read = || -> TractResult<InferenceModel> {
        // tract's messages are of other Rust types, but the same on the wire.
        let model = tract_onnx::pb::ModelProto::decode(&model.encode_to_vec()[..])?;
        let side = input.size as usize;
        onnx()
            .with_ignore_output_shapes(true)
            .with_ignore_value_info(true)
            .model_for_proto_model(&model)?
            .with_input_fact(0, f32::fact([1, 3, side, side]).into())
    };
    read().map_err(cannot_run)
}

impl Plan {
    /// Optimises a graph. Constant `DequantizeLinear` nodes must be gone: [`dequantise_weights`].
    ///
    /// # Errors
    /// `BadModel` with what [`shapes::infer`] finds, or tract's reason.
    pub(super) fn new(model: &ModelProto, input: &InputSpec) -> Result<Self> {
        let plan = read(model, input)?.into_optimized().and_then(|plan| plan.into_runnable());
        plan.map(Self).map_err(cannot_run)
    }

    /// Runs the graph on one picture of the input's size.
    ///
    /// # Errors
    /// `BadModel` if it fails.
    pub(super) fn run(&self, picture: &Picture, input: &InputSpec) -> Result<Vec<Output>> {
        self.run_planes(&normalise(picture, input), input)
    }

    /// As [`Plan::run`], on normalised planes, `[3][size][size]`.
    pub(super) fn run_planes(&self, planes: &[f32], input: &InputSpec) -> Result<Vec<Output>> {
        let run = || -> TractResult<Vec<Output>> {
            let side = input.size as usize;
            let tensor = Tensor::from_shape(&[1, 3, side, side], planes)?;
            let outputs = self.0.run(tvec!(tensor.into()))?;
            outputs
                .iter()
                .map(|output| {
                    let values = output.to_plain_array_view::<f32>()?;
                    let shape = values.shape().to_vec();
                    Ok(Output { shape, values: values.iter().copied().collect() })
                })
                .collect()
        };
        run().map_err(failed)
    }

    /// The layers' maps of a picture.
    ///
    /// # Errors
    /// `BadModel` if the graph fails or gives numbers that are not finite.
    pub(super) fn features(&self, picture: &Picture, spec: &ModelSpec) -> Result<Features> {
        let outputs = self.run(picture, &spec.input)?;
        let maps = outputs.into_iter().zip(&spec.layers).map(|(output, layer)| {
            if !output.values.iter().all(|v| v.is_finite()) {
                return Err(bad(format!(
                    "layer {:?} gives numbers that are not finite",
                    layer.name
                )));
            }
            let (height, width) = match output.shape[..] {
                [1, c, h, w] if c == layer.dim => (h, w),
                _ => (1, 1),
            };
            Ok(FeatureMap::from_chw(layer.dim, height, width, output.values.into_iter()))
        });
        Ok(Features(maps.collect::<Result<_>>()?))
    }

    /// Whether the outputs are what the file says of its layers.
    ///
    /// # Errors
    /// `BadModel` that names the layer which is not.
    pub(super) fn check_outputs(&self, spec: &ModelSpec) -> Result<()> {
        for (i, layer) in spec.layers.iter().enumerate() {
            let fact = self.0.model().output_fact(i).map_err(cannot_run)?;
            let shape = fact.shape.as_concrete().unwrap_or(&[]);
            let fits = matches!(shape, [1, c, ..] if *c == layer.dim)
                && (shape.len() == 4 || shape[2..].iter().all(|d| *d == 1));
            if !fits {
                return Err(bad(format!(
                    "layer {:?} has shape {shape:?}, expected [1, {}, height, width]",
                    layer.name, layer.dim
                )));
            }
        }
        Ok(())
    }
}

/// A network for [`super::Network`], from its cut graph.
///
/// # Errors
/// `BadModel` if tract cannot run it either.
pub(super) fn load(mut model: ModelProto, spec: &ModelSpec) -> Result<Plan> {
    dequantise_weights(onnx::graph_mut(&mut model)?)?;
    Plan::new(&model, &spec.input)
}

/// Replaces constant `DequantizeLinear` nodes by the `f32` tensors that they give, per tensor or
/// per channel, so that whatever runs the graph never sees them.
pub(super) fn dequantise_weights(graph: &mut GraphProto) -> Result<()> {
    let mut stored: HashMap<String, TensorProto> =
        graph.initializer.drain(..).map(|t| (t.name.clone(), t)).collect();
    let mut nodes = Vec::with_capacity(graph.node.len());
    let mut replaced: Vec<String> = Vec::new();
    for node in graph.node.drain(..) {
        let constant =
            node.op_type == "DequantizeLinear" && node.input.iter().all(|i| stored.contains_key(i));
        if !constant {
            nodes.push(node);
            continue;
        }
        let [Some(values), Some(scale), zero] =
            [0, 1, 2].map(|i| node.input.get(i).and_then(|name| stored.get(name)))
        else {
            return Err(bad("values or scale are missing").at(onnx::place(&node)));
        };
        let tensor =
            dequantise::tensor(&node, values, scale, zero).map_err(|e| e.at(onnx::place(&node)))?;
        replaced.extend(node.input.iter().cloned());
        stored.insert(tensor.name.clone(), tensor);
    }
    let used: HashSet<&str> =
        nodes.iter().flat_map(|n| n.input.iter().map(String::as_str)).collect();
    for name in replaced {
        if !used.contains(name.as_str()) {
            stored.remove(&name);
        }
    }
    graph.node = nodes;
    graph.initializer = stored.into_values().collect();
    // A fixed order, whatever the hash map's was.
    graph.initializer.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(())
}

#[cfg(all(test, feature = "cli"))]
mod tests {
    use super::super::onnx::{float_tensor, floats};
    use super::super::proto::NodeProto;
    use super::super::write::{int8_tensor, node};
    use super::*;

    fn model(initializer: Vec<TensorProto>, node: Vec<NodeProto>) -> ModelProto {
        let graph = GraphProto { node, initializer, ..GraphProto::default() };
        ModelProto { graph: Some(graph), ..ModelProto::default() }
    }

    #[test]
    fn weights_are_dequantised_per_channel() {
        let mut m = model(
            vec![
                int8_tensor("w", &[2, 2], &[1, -2, 3, 4]),
                float_tensor("s", &[2], &[0.5, 2.0]),
                int8_tensor("z", &[2], &[0, 1]),
            ],
            vec![
                node("DequantizeLinear", &["w", "s", "z"], "f", &[("axis", 0)]),
                node("Relu", &["f"], "y", &[]),
            ],
        );
        let g = onnx::graph_mut(&mut m).unwrap();
        dequantise_weights(g).unwrap();
        assert_eq!((g.node.len(), g.initializer.len()), (1, 1));
        assert_eq!(floats(&g.initializer[0]).unwrap(), [0.5, -1.0, 4.0, 6.0]);
    }

    #[test]
    fn scales_that_make_no_sense_are_refused() {
        for scale in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            let mut m = model(
                vec![int8_tensor("w", &[1], &[1]), float_tensor("s", &[1], &[scale])],
                vec![node("DequantizeLinear", &["w", "s"], "f", &[])],
            );
            assert!(dequantise_weights(onnx::graph_mut(&mut m).unwrap()).is_err(), "{scale}");
        }
    }
}
