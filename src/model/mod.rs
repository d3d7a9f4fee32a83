//! The network: an ONNX file that describes itself, and what it sees in a picture.

mod features;
mod onnx;
#[cfg(feature = "cli")]
mod prepare;
mod spec;
#[cfg(feature = "cli")]
mod write;

use tract_onnx::prelude::*;
use tract_onnx::tract_core::model::TypedSimplePlan;

pub use features::{FeatureMap, Features};
#[cfg(feature = "cli")]
pub use prepare::{PrepareOptions, layer_names, prepare};
#[cfg(feature = "cli")]
pub(crate) use spec::parse_triple;
pub use spec::{Layer, Layout, ModelSpec};

use crate::error::{Error, ErrorKind, Result};
use crate::image::Picture;
use crate::preprocess::normalise;

/// A network that is ready to run. Immutable: one value serves any number of threads.
pub struct Network {
    spec: ModelSpec,
    plan: Arc<TypedSimplePlan>,
}

impl Network {
    /// Loads a network that `lookalike model prepare` has written.
    ///
    /// # Errors
    /// `BadModel` if the file is damaged, was not prepared, or uses an operator that cannot be run.
    pub fn load(bytes: &[u8]) -> Result<Self> {
        let mut model = onnx::decode(bytes)?;
        let spec = ModelSpec::read(&model)?;
        let graph = onnx::graph_mut(&mut model)?;
        let layers: Vec<String> = spec.layers.iter().map(|l| l.name.clone()).collect();
        // The pooling at the end is for other runtimes; ours is weighted by the mask.
        onnx::cut(graph, &layers)?;
        onnx::dequantise_weights(graph)?;
        let plan = plan(&model, &spec).map_err(|cause| {
            let text = format!("{cause:#}");
            Error::with_source(ErrorKind::BadModel, "the network cannot be run", text)
        })?;
        let network = Self { spec, plan };
        network.check_outputs()?;
        Ok(network)
    }

    /// What the file says of itself.
    #[must_use]
    pub fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    /// The feature maps of a picture, which must have the network's input size
    /// ([`crate::preprocess::resize`]).
    ///
    /// # Errors
    /// `Internal` if the size differs; `BadModel` if the network fails or gives numbers that are
    /// not finite.
    pub fn run(&self, picture: &Picture) -> Result<Features> {
        let size = self.spec.input.size;
        if (picture.width(), picture.height()) != (size, size) {
            return Err(Error::new(
                ErrorKind::Internal,
                format!("{picture:?} given to a network that takes {size}x{size}"),
            ));
        }
        let side = size as usize;
        let planes = normalise(picture, &self.spec.input);
        let failed = |cause: TractError| {
            Error::with_source(ErrorKind::BadModel, "the network failed", format!("{cause:#}"))
        };
        let mut input = Tensor::from_shape(&[1, 3, side, side], &planes).map_err(failed)?;
        if self.spec.layout == Layout::Nhwc {
            input = input.permute_axes(&[0, 2, 3, 1]).map_err(failed)?;
        }
        let outputs = self.plan.run(tvec!(input.into())).map_err(failed)?;
        let maps = outputs.iter().zip(&self.spec.layers).map(|(output, layer)| {
            let values = output.to_plain_array_view::<f32>().map_err(failed)?;
            if !values.iter().all(|v| v.is_finite()) {
                return Err(onnx::bad(format!(
                    "layer {:?} gives numbers that are not finite",
                    layer.name
                )));
            }
            let (height, width) = match *values.shape() {
                [1, c, h, w] if c == layer.dim => (h, w),
                _ => (1, 1),
            };
            Ok(FeatureMap::from_chw(layer.dim, height, width, values.iter().copied()))
        });
        Ok(Features(maps.collect::<Result<_>>()?))
    }

    fn check_outputs(&self) -> Result<()> {
        for (i, layer) in self.spec.layers.iter().enumerate() {
            let fact = self.plan.model().output_fact(i).map_err(|cause| {
                Error::with_source(ErrorKind::BadModel, "no output", format!("{cause:#}"))
            })?;
            let shape = fact.shape.as_concrete().unwrap_or(&[]);
            let fits = matches!(shape, [1, c, ..] if *c == layer.dim)
                && (shape.len() == 4 || shape[2..].iter().all(|d| *d == 1));
            if !fits {
                return Err(onnx::bad(format!(
                    "layer {:?} has shape {shape:?}, expected [1, {}, height, width]",
                    layer.name, layer.dim
                )));
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Network({:?})", self.spec)
    }
}

/// Optimises a cut graph for the input that `spec` names.
fn plan(model: &tract_onnx::pb::ModelProto, spec: &ModelSpec) -> TractResult<Arc<TypedSimplePlan>> {
    let side = spec.input.size as usize;
    let shape = match spec.layout {
        Layout::Nchw => [1, 3, side, side],
        Layout::Nhwc => [1, side, side, 3],
    };
    onnx()
        .with_ignore_output_shapes(true)
        .with_ignore_value_info(true)
        .model_for_proto_model(model)?
        .with_input_fact(0, f32::fact(shape).into())?
        .into_optimized()?
        .into_runnable()
}
