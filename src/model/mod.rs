//! The network: an ONNX file that describes itself, and what it sees in a picture.

#[cfg(feature = "tract")]
mod dequantise;
mod features;
#[cfg(feature = "cli")]
mod graph;
mod int8;
mod onnx;
#[cfg(feature = "cli")]
mod prepare;
mod proto;
#[cfg(feature = "tract")]
mod shapes;
mod spec;
#[cfg(feature = "tract")]
mod tract;
mod window;
#[cfg(feature = "tract")]
mod write;

use std::sync::{Mutex, PoisonError};

pub use features::{FeatureMap, Features};
#[cfg(feature = "cli")]
pub use int8::quantise::{RangeRule, Rounding};
#[cfg(feature = "cli")]
pub use prepare::{Calibration, PrepareOptions, Prepared, Weights, prepare};
#[cfg(feature = "cli")]
pub(crate) use spec::parse_triple;
pub use spec::{Layer, ModelSpec};

use crate::error::{Error, ErrorKind, Result};
use crate::image::Picture;
use crate::kernels::{Alone, Split};
use crate::manifest::Runtime;

/// A network that is ready to run. Immutable: one value serves any number of threads.
pub struct Network {
    spec: ModelSpec,
    runner: Runner,
    threads: &'static dyn Split,
}

enum Runner {
    Int8(Box<Int8>),
    /// Anything that our kernels do not cover, and why.
    #[cfg(feature = "tract")]
    Tract(tract::Plan, String),
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

impl Engine {
    /// What runs the network, as the manifest says it.
    #[must_use]
    pub fn runtime(&self) -> Runtime {
        if self.not_lowered.is_some() { Runtime::Tract } else { Runtime::Int8 }
    }

    /// What a shop should know before it serves this network: that it needs another build of the engine, and why.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let why = self.not_lowered.as_ref()?;
        Some(format!(
            "this network does not run on the int8 engine, so browsers load pkg/full/, ten times the \
             bytes, and take several times as long. Why: {why}. `lookalike model prepare --calibrate \
             PICTURES` quantises a network; docs/networks.md says what runs then"
        ))
    }
}

/// What a run multiplies on one kind of inner loop.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Work {
    /// Name of the [`crate::kernels::Isa`].
    pub variant: String,
    /// Multiplications as the textbook counts them.
    pub macs: u64,
    /// Multiplications done, fewer where Winograd's method is used.
    pub products: u64,
}

impl Network {
    /// Loads a network that `lookalike model prepare` has written. Weights are read where they lie
    /// in `bytes`, which is freed in the end.
    ///
    /// # Errors
    /// `BadModel` if the file is damaged, was not prepared, or uses an operator that cannot be run; also
    /// if it needs tract, and this build has none (feature `tract`).
    pub fn load(bytes: Vec<u8>) -> Result<Self> {
        let mut model = onnx::decode(bytes)?;
        let spec = ModelSpec::read(&model)?;
        let graph = onnx::graph_mut(&mut model)?;
        let layers: Vec<String> = spec.layers.iter().map(|l| l.name.clone()).collect();
        // The pooling at the end is for other runtimes; ours is weighted by the mask.
        onnx::cut(graph, &layers)?;
        let isa = crate::kernels::Isa::best();
        let runner = match int8::lower(graph, spec.input.size as usize, &layers, isa) {
            Ok(program) => Runner::Int8(Box::new(Int8::new(program, &spec))),
            Err(int8::NotLowered::Bad(error)) => return Err(error),
            #[cfg(feature = "tract")]
            Err(int8::NotLowered::Unsupported(why)) => {
                Runner::Tract(tract::load(model, &spec)?, why)
            }
            #[cfg(not(feature = "tract"))]
            Err(int8::NotLowered::Unsupported(why)) => {
                return Err(onnx::bad(format!(
                    "this build of the engine runs quantised networks only ({why}): run \
                         `lookalike index` again, whose manifest.json says that the network needs \
                         pkg/full/, or prepare the network with `lookalike model prepare --calibrate`"
                )));
            }
        };
        let network = Self { spec, runner, threads: &Alone };
        network.check_outputs()?;
        Ok(network)
    }

    /// Lets these threads share the layers, where our kernels run them.
    pub fn share(&mut self, threads: &'static dyn Split) {
        self.threads = threads;
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
            #[cfg(feature = "tract")]
            Runner::Tract(_, why) => Engine {
                lowered: Vec::new(),
                not_lowered: Some(why.clone()),
                macs: 0,
                weight_bytes: 0,
                run_bytes: 0,
            },
        }
    }

    /// The multiplications of one run, by inner loop; empty if tract runs the network.
    #[must_use]
    pub fn work(&self) -> Vec<Work> {
        match &self.runner {
            Runner::Int8(own) => own.program.work(),
            #[cfg(feature = "tract")]
            Runner::Tract(..) => Vec::new(),
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
        match &self.runner {
            Runner::Int8(own) => Ok(own.run(picture, self.threads)),
            #[cfg(feature = "tract")]
            Runner::Tract(plan, _) => plan.features(picture, &self.spec),
        }
    }

    fn check_outputs(&self) -> Result<()> {
        match &self.runner {
            Runner::Int8(own) => {
                let wrong =
                    own.program.outputs().zip(&self.spec.layers).find(|(o, l)| o.shape.c != l.dim);
                match wrong {
                    None => Ok(()),
                    Some((output, layer)) => Err(onnx::bad(format!(
                        "layer {:?} has {} channels, expected {}",
                        layer.name, output.shape.c, layer.dim
                    ))),
                }
            }
            #[cfg(feature = "tract")]
            Runner::Tract(plan, _) => plan.check_outputs(&self.spec),
        }
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

    fn run(&self, picture: &Picture, threads: &dyn Split) -> Features {
        let mut codes = picture.rgb().to_vec();
        for pixel in codes.chunks_exact_mut(3) {
            pixel.iter_mut().zip(&self.codes).for_each(|(v, table)| *v = table[usize::from(*v)]);
        }
        let states = || self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = states().pop().unwrap_or_default();
        let maps = self.program.run(&codes, &mut state, threads);
        let features = maps.iter().map(|map| {
            let shape = map.tensor.shape;
            FeatureMap { height: shape.h, width: shape.w, channels: shape.c, values: map.values() }
        });
        let features = Features(features.collect());
        states().push(state);
        features
    }
}
