//! Turns a Keras network into an ONNX graph: NHWC to NCHW, batch
//! normalisation folded into the convolution before it, cut after one layer.

use std::collections::{HashMap, HashSet};

use anyhow::{Context, Result, bail, ensure};

use super::keras::{Conv, Kind, Layer, Network, Weight, Window};
use super::onnx::{self, AttributeProto, GraphProto};

/// Name of the graph's input tensor.
const INPUT: &str = "input";

/// The graph up to and including the layer `last`. Every tensor has the name of
/// the Keras layer that ends in it.
pub fn convert(network: &Network, last: &str) -> Result<GraphProto> {
    let mut builder = Builder {
        network,
        tensors: HashMap::new(),
        pending: HashMap::new(),
        graph: GraphProto { name: last.to_owned(), ..GraphProto::default() },
    };
    let needed = needed(network, last)?;
    // Keras lists a layer after those that feed it, so one pass in file order is enough.
    for layer in network.layers.iter().filter(|layer| needed.contains(layer.name.as_str())) {
        builder.layer(layer).with_context(|| format!("layer {}", layer.name))?;
    }
    ensure!(
        builder.pending.is_empty(),
        "{last} is a convolution whose normalisation would be cut off"
    );
    let (name, shape) =
        builder.tensors.get(last).with_context(|| format!("layer {last} gives no tensor"))?;
    builder.graph.output.push(onnx::value(name, &shape.nchw()));
    // An output of the graph must not be listed a second time among its inner values.
    builder.graph.value_info.retain(|value| value.name != *name);
    Ok(builder.graph)
}

/// The layers that `last` depends on, itself included.
fn needed<'a>(network: &'a Network, last: &'a str) -> Result<HashSet<&'a str>> {
    let by_name: HashMap<&str, &Layer> =
        network.layers.iter().map(|layer| (layer.name.as_str(), layer)).collect();
    let mut needed = HashSet::new();
    let mut open = vec![last];
    while let Some(name) = open.pop() {
        let layer =
            by_name.get(name).with_context(|| format!("the network has no layer {name}"))?;
        if needed.insert(name) {
            open.extend(layer.inputs.iter().map(String::as_str));
        }
    }
    Ok(needed)
}

#[derive(Clone, Copy)]
struct Shape {
    height: usize,
    width: usize,
    channels: usize,
}

impl Shape {
    fn nchw(self) -> [usize; 4] {
        [1, self.channels, self.height, self.width]
    }
}

struct Builder<'a> {
    network: &'a Network,
    /// Per finished layer: the name and shape of its tensor.
    tensors: HashMap<&'a str, (String, Shape)>,
    /// Convolutions that wait for the normalisation that follows them.
    pending: HashMap<&'a str, (&'a Layer, &'a Conv)>,
    graph: GraphProto,
}

impl<'a> Builder<'a> {
    fn layer(&mut self, layer: &'a Layer) -> Result<()> {
        match &layer.kind {
            Kind::Input { shape: [height, width, channels] } => {
                let shape = Shape { height: *height, width: *width, channels: *channels };
                self.graph.input.push(onnx::value(INPUT, &shape.nchw()));
                self.tensors.insert(&layer.name, (INPUT.to_owned(), shape));
                Ok(())
            }
            Kind::Conv(conv) if !conv.relu && self.is_normalised(layer) => {
                self.pending.insert(&layer.name, (layer, conv));
                Ok(())
            }
            Kind::Conv(conv) => self.conv(layer, conv, layer, None),
            Kind::BatchNorm { epsilon } => {
                let (from, conv) = self
                    .pending
                    .remove(only_input(layer)?)
                    .context("normalises something other than a convolution of its own")?;
                self.conv(from, conv, layer, Some(*epsilon))
            }
            Kind::Relu => {
                let (input, shape) = self.tensor(only_input(layer)?)?;
                self.emit(layer, "Relu", &[&input], vec![], shape);
                Ok(())
            }
            Kind::MaxPool(window) => self.pool(layer, "MaxPool", *window, vec![]),
            // Keras' average leaves padded pixels out of the count as well as of the sum.
            Kind::AveragePool(window) => {
                self.pool(layer, "AveragePool", *window, vec![onnx::int("count_include_pad", 0)])
            }
            Kind::Concat => self.concat(layer),
            Kind::Other(class) => bail!("layers of class {class} are not supported"),
        }
    }

    /// Whether the one thing that follows `layer` is a batch normalisation.
    fn is_normalised(&self, layer: &Layer) -> bool {
        let mut users = self.network.layers.iter().filter(|user| user.inputs.contains(&layer.name));
        matches!((users.next(), users.next()), (Some(user), None) if matches!(user.kind, Kind::BatchNorm { .. }))
    }

    /// The convolution of `layer`; its tensor is named after `named`, the normalisation folded into it if any.
    fn conv(
        &mut self,
        layer: &Layer,
        conv: &Conv,
        named: &'a Layer,
        epsilon: Option<f64>,
    ) -> Result<()> {
        let (input, shape) = self.tensor(only_input(layer)?)?;
        let kernel = self.network.weight(&layer.name, "kernel").context("has no kernel")?;
        let [kh, kw] = conv.window.size;
        let dims = [kh, kw, shape.channels, conv.filters];
        ensure!(kernel.shape == dims, "the kernel is {:?}, not {dims:?}", kernel.shape);
        let bias = self.vector(layer, "bias", conv.filters)?;
        let Affine { scale, offset } = match epsilon {
            Some(epsilon) => self.normalisation(named, epsilon, conv.filters)?,
            None => Affine { scale: vec![1.0; conv.filters], offset: vec![0.0; conv.filters] },
        };
        let weights = oihw(kernel, &scale);
        let bias = (0..conv.filters)
            .map(|o| (offset[o] + scale[o] * bias.map_or(0.0, |b| f64::from(b[o]))) as f32);

        let (weight_name, bias_name) =
            (format!("{}.weight", layer.name), format!("{}.bias", layer.name));
        let dims = [conv.filters, shape.channels, kh, kw];
        self.graph.initializer.push(onnx::tensor(&weight_name, &dims, weights.into_iter()));
        self.graph.initializer.push(onnx::tensor(&bias_name, &[conv.filters], bias));
        let (out, attributes) = windowed(conv.window, Shape { channels: conv.filters, ..shape })?;
        if conv.relu {
            let linear = format!("{}.linear", named.name);
            let inputs = [input.as_str(), &weight_name, &bias_name];
            self.graph.node.push(onnx::node(&linear, "Conv", &inputs, attributes));
            self.emit(named, "Relu", &[&linear], vec![], out);
        } else {
            self.emit(named, "Conv", &[&input, &weight_name, &bias_name], attributes, out);
        }
        Ok(())
    }

    /// `scale` and `offset` that do what the normalisation does: `y = scale * x + offset`.
    fn normalisation(&self, layer: &Layer, epsilon: f64, channels: usize) -> Result<Affine> {
        let mean = self.vector(layer, "moving_mean", channels)?.context("has no moving_mean")?;
        let variance =
            self.vector(layer, "moving_variance", channels)?.context("has no moving_variance")?;
        let gamma = self.vector(layer, "gamma", channels)?;
        let beta = self.vector(layer, "beta", channels)?;
        let at = |values: Option<&[f32]>, i: usize, otherwise: f64| {
            values.map_or(otherwise, |v| f64::from(v[i]))
        };
        let mut affine = Affine { scale: Vec::new(), offset: Vec::new() };
        for i in 0..channels {
            let deviation = (f64::from(variance[i]) + epsilon).sqrt();
            ensure!(deviation > 0.0, "the variance of channel {i} is {}", variance[i]);
            let scale = at(gamma, i, 1.0) / deviation;
            affine.scale.push(scale);
            affine.offset.push(at(beta, i, 0.0) - scale * f64::from(mean[i]));
        }
        Ok(affine)
    }

    fn vector(&self, layer: &Layer, role: &str, len: usize) -> Result<Option<&'a [f32]>> {
        let Some(weight) = self.network.weight(&layer.name, role) else {
            return Ok(None);
        };
        ensure!(weight.shape == [len], "{role} is {:?}, not [{len}]", weight.shape);
        Ok(Some(&weight.values))
    }

    fn pool(
        &mut self,
        layer: &'a Layer,
        op: &str,
        window: Window,
        mut attributes: Vec<AttributeProto>,
    ) -> Result<()> {
        let (input, shape) = self.tensor(only_input(layer)?)?;
        let (out, of_window) = windowed(window, shape)?;
        attributes.splice(0..0, of_window);
        self.emit(layer, op, &[&input], attributes, out);
        Ok(())
    }

    fn concat(&mut self, layer: &'a Layer) -> Result<()> {
        let parts =
            layer.inputs.iter().map(|input| self.tensor(input)).collect::<Result<Vec<_>>>()?;
        let (_, first) = parts.first().context("joins nothing")?;
        let mut out = Shape { channels: 0, ..*first };
        for (name, part) in &parts {
            ensure!(
                (part.height, part.width) == (first.height, first.width),
                "{name} is {}x{}, the others {}x{}",
                part.height,
                part.width,
                first.height,
                first.width
            );
            out.channels += part.channels;
        }
        let names: Vec<&str> = parts.iter().map(|(name, _)| name.as_str()).collect();
        self.emit(layer, "Concat", &names, vec![onnx::int("axis", 1)], out);
        Ok(())
    }

    fn tensor(&self, layer: &str) -> Result<(String, Shape)> {
        self.tensors
            .get(layer)
            .cloned()
            .with_context(|| format!("{layer}, which feeds it, gives no tensor"))
    }

    fn emit(
        &mut self,
        layer: &'a Layer,
        op: &str,
        inputs: &[&str],
        attributes: Vec<AttributeProto>,
        shape: Shape,
    ) {
        self.graph.node.push(onnx::node(&layer.name, op, inputs, attributes));
        self.graph.value_info.push(onnx::value(&layer.name, &shape.nchw()));
        self.tensors.insert(&layer.name, (layer.name.clone(), shape));
    }
}

struct Affine {
    scale: Vec<f64>,
    offset: Vec<f64>,
}

fn only_input(layer: &Layer) -> Result<&str> {
    match &layer.inputs[..] {
        [one] => Ok(one),
        several => bail!("has {} inputs, not one", several.len()),
    }
}

/// Shape after a window has passed over `shape`, and the window as ONNX attributes.
fn windowed(window: Window, shape: Shape) -> Result<(Shape, Vec<AttributeProto>)> {
    let (height, [top, bottom]) = window.along(0, shape.height)?;
    let (width, [left, right]) = window.along(1, shape.width)?;
    let pair = |values: [usize; 2]| values.map(|value| value as i64);
    let pads = [top, left, bottom, right].map(|pad| pad as i64);
    let attributes = vec![
        onnx::ints("kernel_shape", &pair(window.size)),
        onnx::ints("strides", &pair(window.stride)),
        onnx::ints("pads", &pads),
    ];
    Ok((Shape { height, width, ..shape }, attributes))
}

/// HWIO to OIHW, each output channel times its scale.
fn oihw(kernel: &Weight, scale: &[f64]) -> Vec<f32> {
    let &[kh, kw, inputs, outputs] = &kernel.shape[..] else {
        return Vec::new();
    };
    let mut weights = Vec::with_capacity(kernel.values.len());
    for (o, scale) in scale.iter().enumerate().take(outputs) {
        for i in 0..inputs {
            for cell in 0..kh * kw {
                let value = kernel.values[(cell * inputs + i) * outputs + o];
                weights.push((f64::from(value) * scale) as f32);
            }
        }
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(name: &str, kind: Kind, inputs: &[&str]) -> Layer {
        Layer { name: name.into(), kind, inputs: inputs.iter().map(|&i| i.into()).collect() }
    }

    fn weight(shape: &[usize], values: &[f32]) -> Weight {
        Weight { shape: shape.to_vec(), values: values.to_vec() }
    }

    fn conv(size: usize, stride: usize, filters: usize) -> Kind {
        let window = Window { size: [size; 2], stride: [stride; 2], same: true };
        Kind::Conv(Conv { filters, window, relu: false })
    }

    /// input 4x4x2 -> conv 1x1, 2 filters -> normalisation -> ReLU; and a dense head.
    fn small() -> Network {
        Network {
            layers: vec![
                layer("in", Kind::Input { shape: [4, 4, 2] }, &[]),
                layer("c", conv(1, 2, 2), &["in"]),
                layer("bn", Kind::BatchNorm { epsilon: 0.0 }, &["c"]),
                layer("act", Kind::Relu, &["bn"]),
                layer("join", Kind::Concat, &["act", "act"]),
                layer("head", Kind::Other("Dense".into()), &["join"]),
            ],
            weights: HashMap::from([
                ("c/kernel".into(), weight(&[1, 1, 2, 2], &[1.0, 2.0, 3.0, 4.0])),
                ("bn/moving_mean".into(), weight(&[2], &[1.0, 2.0])),
                ("bn/moving_variance".into(), weight(&[2], &[4.0, 0.25])),
                ("bn/beta".into(), weight(&[2], &[10.0, 20.0])),
            ]),
        }
    }

    fn floats(graph: &GraphProto, name: &str) -> Vec<f32> {
        let tensor = graph.initializer.iter().find(|t| t.name == name).expect("present");
        tensor
            .raw_data
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect()
    }

    #[test]
    fn normalisation_is_folded_and_the_kernel_transposed() -> Result<()> {
        let graph = convert(&small(), "join")?;
        // Scales 1/2 and 2; the kernel's rows are inputs, so output 0 has weights 1 and 3.
        assert_eq!(floats(&graph, "c.weight"), [0.5, 1.5, 4.0, 8.0]);
        assert_eq!(floats(&graph, "c.bias"), [10.0 - 0.5, 20.0 - 4.0]);
        let ops: Vec<_> =
            graph.node.iter().map(|n| (n.name.as_str(), n.op_type.as_str())).collect();
        assert_eq!(ops, [("bn", "Conv"), ("act", "Relu"), ("join", "Concat")]);
        assert_eq!(graph.output, [onnx::value("join", &[1, 4, 2, 2])]);
        Ok(())
    }

    #[test]
    fn only_what_the_cut_needs_must_be_supported() {
        let error = |last| format!("{:#}", convert(&small(), last).expect_err("must fail"));
        assert!(error("head").contains("Dense"), "{}", error("head"));
        assert!(error("nowhere").contains("no layer nowhere"));
        assert!(error("c").contains("cut off"));
    }

    #[test]
    fn a_kernel_of_another_shape_is_refused() {
        let mut network = small();
        network.weights.insert("c/kernel".into(), weight(&[1, 1, 1, 2], &[1.0, 2.0]));
        let error = format!("{:#}", convert(&network, "join").expect_err("wrong kernel"));
        assert!(error.contains("layer bn") && error.contains("kernel"), "{error}");
    }
}
