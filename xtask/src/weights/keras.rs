//! Reads a Keras "layers model" as TensorFlow.js stores it: a JSON description
//! of the layers and one run of bytes with every weight.

use std::collections::HashMap;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

/// Layers in the order of the file, each naming the layers that feed it.
pub struct Network {
    pub layers: Vec<Layer>,
    pub weights: HashMap<String, Weight>,
}

pub struct Layer {
    pub name: String,
    pub kind: Kind,
    pub inputs: Vec<String>,
}

/// What a layer computes, as far as image networks need it; NHWC throughout.
#[derive(Debug)]
pub enum Kind {
    Input {
        shape: [usize; 3],
    },
    Conv(Conv),
    BatchNorm {
        epsilon: f64,
    },
    Relu,
    MaxPool(Window),
    AveragePool(Window),
    Concat,
    /// Anything else, by its Keras class; an error only where it is needed.
    Other(String),
}

#[derive(Debug)]
pub struct Conv {
    pub filters: usize,
    pub window: Window,
    pub relu: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    pub size: [usize; 2],
    pub stride: [usize; 2],
    pub same: bool,
}

impl Window {
    /// Output length and padding before and after, along axis 0 (height) or 1 (width).
    ///
    /// Keras pads `same` so that the output has `ceil(len / stride)` entries, the odd pixel after.
    pub fn along(&self, axis: usize, len: usize) -> Result<(usize, [usize; 2])> {
        let (size, stride) = (self.size[axis], self.stride[axis]);
        if self.same {
            let out = len.div_ceil(stride);
            let pad = ((out - 1) * stride + size).saturating_sub(len);
            Ok((out, [pad / 2, pad - pad / 2]))
        } else {
            ensure!(len >= size, "a window of {size} does not fit into {len} pixels");
            Ok(((len - size) / stride + 1, [0, 0]))
        }
    }
}

pub struct Weight {
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    model_topology: Topology,
    weights_manifest: Vec<Group>,
}

#[derive(Deserialize)]
struct Topology {
    model_config: ModelConfig,
}

#[derive(Deserialize)]
struct ModelConfig {
    config: Graph,
}

#[derive(Deserialize)]
struct Graph {
    layers: Vec<RawLayer>,
}

#[derive(Deserialize)]
struct RawLayer {
    name: String,
    class_name: String,
    config: Config,
    /// For each call of the layer, for each tensor: layer, call, output, arguments.
    inbound_nodes: Vec<Vec<(String, usize, usize, serde_json::Value)>>,
}

/// The union of the fields of all the layers read here.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Config {
    batch_input_shape: Vec<Option<usize>>,
    filters: usize,
    kernel_size: Vec<usize>,
    pool_size: Vec<usize>,
    strides: Vec<usize>,
    dilation_rate: Vec<usize>,
    padding: String,
    activation: String,
    data_format: Option<String>,
    axis: Option<i64>,
    epsilon: f64,
}

#[derive(Deserialize)]
struct Group {
    weights: Vec<RawWeight>,
}

#[derive(Deserialize)]
struct RawWeight {
    name: String,
    shape: Vec<usize>,
    dtype: String,
    quantization: Option<Quantization>,
}

#[derive(Deserialize)]
struct Quantization {
    min: f64,
    scale: f64,
    dtype: String,
}

impl Network {
    /// Reads the description and the bytes that it describes, which must fit exactly.
    pub fn read(json: &[u8], bytes: &[u8]) -> Result<Self> {
        let file: File =
            serde_json::from_slice(json).context("the model description is not as expected")?;
        let layers = file
            .model_topology
            .model_config
            .config
            .layers
            .into_iter()
            .map(|raw| {
                let name = raw.name.clone();
                layer(raw).with_context(|| format!("layer {name}"))
            })
            .collect::<Result<_>>()?;
        let mut rest = bytes;
        let mut weights = HashMap::new();
        for raw in file.weights_manifest.into_iter().flat_map(|group| group.weights) {
            let values = raw.take(&mut rest).with_context(|| format!("weight {}", raw.name))?;
            weights.insert(raw.name, Weight { shape: raw.shape, values });
        }
        ensure!(rest.is_empty(), "{} bytes of weights belong to no tensor", rest.len());
        Ok(Self { layers, weights })
    }

    /// A weight, by layer and role (`kernel`, `beta`, …).
    pub fn weight(&self, layer: &str, role: &str) -> Option<&Weight> {
        self.weights.get(&format!("{layer}/{role}"))
    }
}

impl RawWeight {
    /// Decodes this tensor from the front of `bytes`.
    fn take(&self, bytes: &mut &[u8]) -> Result<Vec<f32>> {
        let count = self
            .shape
            .iter()
            .try_fold(1usize, |product, &dim| product.checked_mul(dim))
            .context("too many values")?;
        let width = match &self.quantization {
            None if self.dtype == "float32" => 4,
            Some(q) if q.dtype == "uint8" => 1,
            other => {
                let stored = other.as_ref().map_or(self.dtype.as_str(), |q| q.dtype.as_str());
                bail!("values stored as {stored} are not supported (float32 and uint8 are)")
            }
        };
        let len = count.checked_mul(width).context("too many values")?;
        let (front, rest) = bytes
            .split_at_checked(len)
            .with_context(|| format!("{len} bytes declared, {} left", bytes.len()))?;
        *bytes = rest;
        Ok(match &self.quantization {
            None => front.as_chunks().0.iter().map(|&value| f32::from_le_bytes(value)).collect(),
            Some(q) => {
                front.iter().map(|&code| (q.min + q.scale * f64::from(code)) as f32).collect()
            }
        })
    }
}

fn layer(raw: RawLayer) -> Result<Layer> {
    let config = &raw.config;
    let kind = match raw.class_name.as_str() {
        "InputLayer" => match config.batch_input_shape[..] {
            [_, Some(h), Some(w), Some(c)] => Kind::Input { shape: [h, w, c] },
            _ => bail!(
                "the input must have a fixed height, width and depth, not {:?}",
                config.batch_input_shape
            ),
        },
        "Conv2D" => Kind::Conv(Conv {
            filters: config.filters,
            window: window(config, &config.kernel_size)?,
            relu: match config.activation.as_str() {
                "linear" | "" => false,
                "relu" => true,
                other => bail!("activation {other} is not supported"),
            },
        }),
        "BatchNormalization" => {
            ensure!(
                matches!(config.axis, Some(3 | -1)),
                "normalises axis {:?}, not the last",
                config.axis
            );
            Kind::BatchNorm { epsilon: config.epsilon }
        }
        "Activation" if config.activation == "relu" => Kind::Relu,
        "MaxPooling2D" => Kind::MaxPool(window(config, &config.pool_size)?),
        "AveragePooling2D" => Kind::AveragePool(window(config, &config.pool_size)?),
        "Concatenate" => {
            ensure!(
                matches!(config.axis, Some(3 | -1)),
                "joins along axis {:?}, not the last",
                config.axis
            );
            Kind::Concat
        }
        other => Kind::Other(other.to_owned()),
    };
    let mut inputs = Vec::new();
    match &raw.inbound_nodes[..] {
        [] => {}
        [call] => {
            for (from, call, output, _) in call {
                ensure!(
                    *call == 0 && *output == 0,
                    "takes output {output} of call {call} of {from}"
                );
                inputs.push(from.clone());
            }
        }
        calls => bail!("is used {} times; shared layers are not supported", calls.len()),
    }
    Ok(Layer { name: raw.name, kind, inputs })
}

fn window(config: &Config, size: &[usize]) -> Result<Window> {
    let pair = |what: &str, values: &[usize]| -> Result<[usize; 2]> {
        match *values {
            [h, w] if h > 0 && w > 0 => Ok([h, w]),
            _ => bail!("{what} must be two positive numbers, not {values:?}"),
        }
    };
    ensure!(config.dilation_rate.iter().all(|&rate| rate == 1), "dilation is not supported");
    ensure!(
        config.data_format.as_deref() != Some("channels_first"),
        "channels_first is not supported"
    );
    Ok(Window {
        size: pair("the window", size)?,
        stride: pair("strides", &config.strides)?,
        same: match config.padding.as_str() {
            "same" => true,
            "valid" => false,
            other => bail!("padding {other:?} is not supported"),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(size: usize, stride: usize, same: bool) -> Window {
        Window { size: [size; 2], stride: [stride; 2], same }
    }

    #[test]
    fn windows_pad_as_keras_does() -> Result<()> {
        assert_eq!(window(3, 1, true).along(0, 35)?, (35, [1, 1]));
        assert_eq!(window(5, 1, true).along(0, 35)?, (35, [2, 2]));
        assert_eq!(window(3, 2, true).along(0, 224)?, (112, [0, 1]));
        assert_eq!(window(3, 2, true).along(0, 225)?, (113, [1, 1]));
        assert_eq!(window(1, 2, true).along(0, 4)?, (2, [0, 0]));
        assert_eq!(window(3, 2, false).along(0, 299)?, (149, [0, 0]));
        assert!(window(3, 2, false).along(0, 2).is_err());
        Ok(())
    }

    fn read(weights: &str, bytes: &[u8]) -> Result<Network> {
        let json = format!(
            r#"{{"modelTopology":{{"model_config":{{"config":{{"layers":[]}}}}}},"weightsManifest":[{{"weights":{weights}}}]}}"#
        );
        Network::read(json.as_bytes(), bytes)
    }

    #[test]
    fn weights_are_decoded_in_order() -> Result<()> {
        let list = r#"[{"name":"a/k","shape":[2],"dtype":"float32","quantization":{"min":-1,"scale":0.5,"dtype":"uint8"}},
                       {"name":"b/k","shape":[1,1],"dtype":"float32"}]"#;
        let mut bytes = vec![0, 4];
        bytes.extend(1.5f32.to_le_bytes());
        let network = read(list, &bytes)?;
        assert_eq!(network.weight("a", "k").map(|w| &w.values[..]), Some(&[-1.0, 1.0][..]));
        assert_eq!(network.weight("b", "k").map(|w| &w.values[..]), Some(&[1.5][..]));
        Ok(())
    }

    #[test]
    fn bytes_and_description_must_agree() {
        let list = |shape: &str| format!(r#"[{{"name":"a/k","shape":{shape},"dtype":"float32"}}]"#);
        for (shape, bytes) in [("[2]", 4), ("[1]", 8), ("[4611686018427387904,8]", 4)] {
            assert!(read(&list(shape), &vec![0; bytes]).is_err(), "{shape} in {bytes} bytes");
        }
        assert!(read(r#"[{"name":"a","shape":[1],"dtype":"int32"}]"#, &[0; 4]).is_err());
    }

    fn one_layer(class: &str, config: &str, nodes: &str) -> Result<Kind> {
        let json = format!(
            r#"{{"name":"l","class_name":"{class}","config":{config},"inbound_nodes":{nodes}}}"#
        );
        Ok(layer(serde_json::from_str(&json)?)?.kind)
    }

    #[test]
    fn what_is_not_supported_is_refused_or_kept_by_name() -> Result<()> {
        assert!(matches!(one_layer("Lambda", "{}", "[]")?, Kind::Other(name) if name == "Lambda"));
        assert!(one_layer("Concatenate", r#"{"axis":1}"#, "[]").is_err());
        assert!(
            one_layer(
                "Activation",
                r#"{"activation":"relu"}"#,
                r#"[[["a",0,0,{}]],[["b",0,0,{}]]]"#
            )
            .is_err()
        );
        let conv = r#"{"filters":1,"kernel_size":[3,3],"strides":[1,1],"padding":"causal"}"#;
        assert!(one_layer("Conv2D", conv, "[]").is_err());
        Ok(())
    }
}
