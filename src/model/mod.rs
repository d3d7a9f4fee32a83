//! The network: an ONNX file that describes itself, and what it sees in a picture.

mod features;
mod int8;
mod onnx;
#[cfg(feature = "cli")]
mod prepare;
mod spec;
#[cfg(feature = "cli")]
mod write;

use std::sync::{Mutex, PoisonError};

use tract_onnx::prelude::*;
use tract_onnx::tract_core::model::TypedSimplePlan;

pub use features::{FeatureMap, Features};
#[cfg(feature = "cli")]
pub use prepare::{Calibration, PrepareOptions, layer_names, prepare};
#[cfg(feature = "cli")]
pub(crate) use spec::parse_triple;
pub use spec::{Layer, Layout, ModelSpec};

use crate::error::{Error, ErrorKind, Result};
use crate::image::Picture;
use crate::preprocess::normalise;

/// A network that is ready to run. Immutable: one value serves any number of threads.
pub struct Network {
    spec: ModelSpec,
    runner: Runner,
}

enum Runner {
    Int8(Box<Int8>),
    /// Anything that our kernels do not cover, and why.
    Tract(Arc<TypedSimplePlan>, String),
}

/// A quantised network on our own kernels.
struct Int8 {
    program: int8::Program,
    /// Code of each value of a pixel, for red, green and blue.
    codes: [[u8; 256]; 3],
    /// Buffers that are not in use.
    states: Mutex<Vec<int8::State>>,
}

/// How a network is run; see [`Network::engine`].
#[derive(Clone, Debug, PartialEq)]
pub struct Engine {
    /// The nodes that run on our kernels, each with what runs it; empty if tract runs the network.
    pub lowered: Vec<(String, String)>,
    /// Why tract runs the network, naming the node that it fails at.
    pub not_lowered: Option<String>,
    /// Multiplications of one run, as the textbook counts them; 0 if tract runs the network.
    pub macs: u64,
    /// Bytes that the packed weights take.
    pub weight_bytes: usize,
    /// Bytes that one run takes for maps and for work space.
    pub run_bytes: usize,
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
        let nhwc = spec.layout == Layout::Nhwc;
        let isa = crate::kernels::Isa::best();
        let runner = match int8::lower(graph, spec.input.size as usize, nhwc, &layers, isa) {
            Ok(program) => Runner::Int8(Box::new(Int8::new(program, &spec))),
            Err(int8::NotLowered::Bad(error)) => return Err(error),
            Err(int8::NotLowered::Unsupported(why)) => {
                onnx::dequantise_weights(graph)?;
                let plan = plan(&model, &spec).map_err(|cause| {
                    let text = format!("{cause:#}");
                    Error::with_source(ErrorKind::BadModel, "the network cannot be run", text)
                })?;
                Runner::Tract(plan, why)
            }
        };
        let network = Self { spec, runner };
        network.check_outputs()?;
        Ok(network)
    }

    /// How this network is run.
    #[must_use]
    pub fn engine(&self) -> Engine {
        match &self.runner {
            Runner::Int8(own) => {
                let (weight_bytes, maps, scratch) = own.program.memory();
                let nodes = || own.program.nodes();
                Engine {
                    lowered: nodes().map(|(name, kind, ..)| (name.to_owned(), kind)).collect(),
                    not_lowered: None,
                    macs: nodes().map(|(_, _, macs, _)| macs).sum(),
                    weight_bytes,
                    run_bytes: maps + scratch,
                }
            }
            Runner::Tract(_, why) => Engine {
                lowered: Vec::new(),
                not_lowered: Some(why.clone()),
                macs: 0,
                weight_bytes: 0,
                run_bytes: 0,
            },
        }
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
        let plan = match &self.runner {
            Runner::Int8(own) => return Ok(own.run(picture)),
            Runner::Tract(plan, _) => plan,
        };
        let planes = normalise(picture, &self.spec.input);
        let failed = |cause: TractError| {
            Error::with_source(ErrorKind::BadModel, "the network failed", format!("{cause:#}"))
        };
        let input = input_tensor(&planes, &self.spec).map_err(failed)?;
        let outputs = plan.run(tvec!(input.into())).map_err(failed)?;
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
        let plan = match &self.runner {
            Runner::Tract(plan, _) => plan,
            Runner::Int8(own) => {
                let wrong =
                    own.program.outputs().zip(&self.spec.layers).find(|(o, l)| o.shape.c != l.dim);
                return match wrong {
                    None => Ok(()),
                    Some((output, layer)) => Err(onnx::bad(format!(
                        "layer {:?} has {} channels, expected {}",
                        layer.name, output.shape.c, layer.dim
                    ))),
                };
            }
        };
        for (i, layer) in self.spec.layers.iter().enumerate() {
            let fact = plan.model().output_fact(i).map_err(|cause| {
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

impl Int8 {
    fn new(program: int8::Program, spec: &ModelSpec) -> Self {
        let input = program.input();
        let codes = std::array::from_fn(|channel| {
            let real: [f32; 256] = std::array::from_fn(|v| {
                (v as f32 / 255.0 - spec.input.mean[channel]) / spec.input.std[channel]
            });
            let mut codes = [0; 256];
            crate::kernels::quantise(input.scale, input.zero_point, &real, &mut codes);
            codes
        });
        Self { program, codes, states: Mutex::default() }
    }

    fn run(&self, picture: &Picture) -> Features {
        let mut codes = picture.rgb().to_vec();
        for pixel in codes.chunks_exact_mut(3) {
            pixel.iter_mut().zip(&self.codes).for_each(|(v, table)| *v = table[usize::from(*v)]);
        }
        let states = || self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = states().pop().unwrap_or_default();
        let maps = self.program.run(&codes, &mut state, &int8::Alone);
        let features = maps.iter().map(|map| {
            let shape = map.tensor.shape;
            FeatureMap { height: shape.h, width: shape.w, channels: shape.c, values: map.values() }
        });
        let features = Features(features.collect());
        states().push(state);
        features
    }
}

/// Normalised planes in the layout that the network wants.
fn input_tensor(planes: &[f32], spec: &ModelSpec) -> TractResult<Tensor> {
    let side = spec.input.size as usize;
    let input = Tensor::from_shape(&[1, 3, side, side], planes)?;
    if spec.layout == Layout::Nhwc { input.permute_axes(&[0, 2, 3, 1]) } else { Ok(input) }
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
