//! What a prepared network says of itself, in the ONNX file's `metadata_props`.

use super::onnx::{bad, metadata};
use super::proto::ModelProto;
#[cfg(feature = "cli")]
use super::write::set_metadata;
use crate::error::Result;
use crate::preprocess::InputSpec;

/// Version of the metadata keys below.
const FORMAT: &str = "1";
/// The order of the input's axes, `[1][3][size][size]`: `lookalike model prepare` turns others.
const LAYOUT: &str = "NCHW";

/// A layer whose pooled features go into the embedding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Name of the ONNX tensor, a feature map `[1][dim][height][width]` or a vector `[1][dim]`.
    pub name: String,
    /// Its number of channels.
    pub dim: usize,
}

/// What is needed to feed a network and to understand its output.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelSpec {
    /// For people: which network this is.
    pub name: String,
    /// Size and normalisation of the input.
    pub input: InputSpec,
    /// The layers that are pooled and joined, in this order.
    pub layers: Vec<Layer>,
}

impl ModelSpec {
    /// Dimension of all layers' features joined.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.layers.iter().map(|l| l.dim).sum()
    }

    /// Reads the metadata.
    ///
    /// # Errors
    /// `BadModel` if a key is missing or does not parse.
    pub(super) fn read(model: &ModelProto) -> Result<Self> {
        let get = |key: &str| {
            metadata(model, &format!("lookalike.{key}")).ok_or_else(|| {
                bad(format!(
                    "the model says nothing about its {key}: run `lookalike model prepare` on it first"
                ))
            })
        };
        let format = get("format")?;
        if format != FORMAT {
            return Err(bad(format!(
                "the model is of format {format}, this version reads {FORMAT}: prepare it again"
            )));
        }
        let unclear =
            |key: &str, value: &str| bad(format!("metadata lookalike.{key} is {value:?}"));
        let triple = |key: &str| -> Result<[f32; 3]> {
            let text = get(key)?;
            parse_triple(text).ok_or_else(|| unclear(key, text))
        };
        let size = get("input_size")?;
        let input = InputSpec {
            size: size.parse().map_err(|_| unclear("input_size", size))?,
            mean: triple("mean")?,
            std: triple("std")?,
        };
        input.validate()?;
        let layout = get("layout")?;
        if layout != LAYOUT {
            return Err(bad(format!(
                "the model's input is {layout}, this version reads {LAYOUT}: prepare it again"
            )));
        }
        let (names, dims) = (get("layers")?, get("dims")?);
        let dims: Vec<usize> = dims
            .split(',')
            .map(|d| d.parse().ok().filter(|d| (1..=1 << 20).contains(d)))
            .collect::<Option<_>>()
            .ok_or_else(|| unclear("dims", dims))?;
        let layers: Vec<Layer> = names
            .split(',')
            .zip(&dims)
            .map(|(name, &dim)| Layer { name: name.to_owned(), dim })
            .collect();
        if names.split(',').count() != dims.len() {
            return Err(bad(format!("{} dims for the layers {names}", dims.len())));
        }
        Ok(Self { name: get("name")?.to_owned(), input, layers })
    }

    /// Writes the metadata.
    #[cfg(feature = "cli")]
    pub(super) fn write(&self, model: &mut ModelProto) {
        let join = |values: Vec<String>| values.join(",");
        let triple = |values: [f32; 3]| join(values.map(|v| v.to_string()).to_vec());
        for (key, value) in [
            ("format", FORMAT.to_owned()),
            ("name", self.name.clone()),
            ("input_size", self.input.size.to_string()),
            ("layout", LAYOUT.to_owned()),
            ("mean", triple(self.input.mean)),
            ("std", triple(self.input.std)),
            ("layers", join(self.layers.iter().map(|l| l.name.clone()).collect())),
            ("dims", join(self.layers.iter().map(|l| l.dim.to_string()).collect())),
        ] {
            set_metadata(model, &format!("lookalike.{key}"), value);
        }
    }
}

/// Three comma-separated numbers, or one for all three.
pub(crate) fn parse_triple(text: &str) -> Option<[f32; 3]> {
    let values: Vec<f32> = text.split(',').map(|v| v.trim().parse().ok()).collect::<Option<_>>()?;
    match values[..] {
        [a] => Some([a; 3]),
        [a, b, c] => Some([a, b, c]),
        _ => None,
    }
}

#[cfg(all(test, feature = "cli"))]
mod tests {
    use super::*;

    #[test]
    fn metadata_survives_the_round_trip() {
        let spec = ModelSpec {
            name: "tiny".into(),
            input: InputSpec { size: 32, mean: [0.485, 0.456, 0.406], std: [0.25; 3] },
            layers: vec![Layer { name: "a/b".into(), dim: 8 }, Layer { name: "c".into(), dim: 16 }],
        };
        let mut model = ModelProto::default();
        spec.write(&mut model);
        assert_eq!(ModelSpec::read(&model).unwrap(), spec);
        assert_eq!(spec.dim(), 24);
        for (key, value) in [
            ("dims", "8"),
            ("dims", "8,-1"),
            ("mean", "x"),
            ("input_size", "0"),
            ("std", "0,0,0"),
            ("format", "9"),
            ("layout", "NHWC"),
        ] {
            let mut broken = model.clone();
            set_metadata(&mut broken, &format!("lookalike.{key}"), value.into());
            assert!(ModelSpec::read(&broken).is_err(), "{key}={value}");
        }
        assert!(ModelSpec::read(&ModelProto::default()).is_err());
    }
}
