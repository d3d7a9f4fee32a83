//! Networks that our kernels do not cover, on tract: the only module that names it.
//!
//! The browser's usual module is built without it (feature `tract`), since it is ten times as large as all the rest.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use prost::Message;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::model::TypedSimplePlan;

use super::features::{FeatureMap, Features};
use super::onnx::{self, bad, float_tensor, floats};
use super::proto::{GraphProto, ModelProto, NodeProto, TensorProto};
use super::spec::{Layout, ModelSpec};
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

fn input_shape(input: &InputSpec, layout: Layout) -> [usize; 4] {
    let side = input.size as usize;
    match layout {
        Layout::Nchw => [1, 3, side, side],
        Layout::Nhwc => [1, side, side, 3],
    }
}

/// The graph with its input's shape given; others that the file states may be of before it was cut.
fn read(model: &ModelProto, input: &InputSpec, layout: Layout) -> TractResult<InferenceModel> {
    // tract's messages are of other Rust types, but the same on the wire.
    let model = tract_onnx::pb::ModelProto::decode(&model.encode_to_vec()[..])?;
    onnx()
        .with_ignore_output_shapes(true)
        .with_ignore_value_info(true)
        .model_for_proto_model(&model)?
        .with_input_fact(0, f32::fact(input_shape(input, layout)).into())
}

impl Plan {
    /// Optimises a graph. Constant `DequantizeLinear` nodes must be gone: [`dequantise_weights`].
    ///
    /// # Errors
    /// `BadModel` with tract's reason.
    pub(super) fn new(model: &ModelProto, input: &InputSpec, layout: Layout) -> Result<Self> {
        let plan = || read(model, input, layout)?.into_optimized()?.into_runnable();
        plan().map(Self).map_err(cannot_run)
    }

    /// Runs the graph on one picture of the input's size.
    ///
    /// # Errors
    /// `BadModel` if it fails.
    pub(super) fn run(
        &self,
        picture: &Picture,
        input: &InputSpec,
        layout: Layout,
    ) -> Result<Vec<Output>> {
        self.run_planes(&normalise(picture, input), input, layout)
    }

    /// As [`Plan::run`], on normalised planes, `[3][size][size]`.
    pub(super) fn run_planes(
        &self,
        planes: &[f32],
        input: &InputSpec,
        layout: Layout,
    ) -> Result<Vec<Output>> {
        let run = || -> TractResult<Vec<Output>> {
            let tensor = Tensor::from_shape(&input_shape(input, Layout::Nchw), planes)?;
            let tensor = match layout {
                Layout::Nchw => tensor,
                Layout::Nhwc => tensor.permute_axes(&[0, 2, 3, 1])?,
            };
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
        let outputs = self.run(picture, &spec.input, spec.layout)?;
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
    Plan::new(&model, &spec.input, spec.layout)
}

/// Rank and channels of each output of `graph`, by shape inference.
///
/// # Errors
/// `BadModel` if the graph makes no sense, or an output is neither a map nor a vector.
#[cfg(feature = "cli")]
pub(super) fn layer_dims(
    model: &ModelProto,
    input: &InputSpec,
    layout: Layout,
) -> Result<Vec<(usize, usize)>> {
    let typed = read(model, input, layout).and_then(InferenceModelExt::into_typed);
    let typed = typed.map_err(cannot_run)?;
    let outputs = typed.output_outlets().map_err(cannot_run)?.to_vec();
    outputs
        .iter()
        .map(|&outlet| {
            let fact = typed.outlet_fact(outlet).map_err(cannot_run)?;
            match fact.shape.as_concrete() {
                Some(dims @ ([1, c] | [1, c, _, _])) => Ok((dims.len(), *c)),
                dims => Err(bad(format!(
                    "layer {:?} has shape {dims:?}; a feature map [1, channels, height, width] or \
                     a vector [1, channels] is needed",
                    typed.node(outlet.node).name
                ))),
            }
        })
        .collect()
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
        let tensor = dequantised(&node, &stored)
            .map_err(|e| e.at(format_args!("node {:?} (DequantizeLinear)", node.name)))?;
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

fn dequantised(node: &NodeProto, stored: &HashMap<String, TensorProto>) -> Result<TensorProto> {
    let tensor = |i: usize| node.input.get(i).and_then(|name| stored.get(name));
    let (Some(values), Some(scale), Some(output)) = (tensor(0), tensor(1), node.output.first())
    else {
        return Err(bad("values or scale are missing"));
    };
    let scales = floats(scale)?;
    if !scales.iter().all(|s| s.is_finite() && *s > 0.0) {
        return Err(bad("a scale is not a number above 0"));
    }
    let zeros = match tensor(2) {
        Some(zero) => floats(zero)?,
        None => vec![0.0; scales.len()],
    };
    if zeros.len() != scales.len() {
        return Err(bad(format!("{} scales, {} zero points", scales.len(), zeros.len())));
    }
    let mut numbers = floats(values)?;
    if scales.len() == 1 {
        numbers.iter_mut().for_each(|x| *x = (*x - zeros[0]) * scales[0]);
    } else {
        let rank = values.dims.len() as i64;
        let axis = node.attribute.iter().find(|a| a.name == "axis").map_or(1, |a| a.i);
        let axis = if axis < 0 { axis + rank } else { axis };
        let channels = usize::try_from(axis).ok().and_then(|a| values.dims.get(a)).copied();
        if channels != Some(scales.len() as i64) {
            return Err(bad(format!(
                "{} scales do not fit axis {axis} of shape {:?}",
                scales.len(),
                values.dims
            )));
        }
        let inner: i64 = values.dims[axis as usize + 1..].iter().product();
        for (run, chunk) in numbers.chunks_mut((inner as usize).max(1)).enumerate() {
            let channel = run % scales.len();
            chunk.iter_mut().for_each(|x| *x = (*x - zeros[channel]) * scales[channel]);
        }
    }
    Ok(float_tensor(output, &values.dims, &numbers))
}

#[cfg(all(test, feature = "cli"))]
mod tests {
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
