//! `lookalike model prepare` and `lookalike model features`.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::catalogue::{self, Catalogue};
use super::progress::Progress;
use super::{files, output};
use crate::error::{Error, ErrorKind, Result};
use crate::image::{Limits, Picture, decode};
use crate::model::{
    Calibration, Network, PrepareOptions, Prepared, RangeRule, Rounding, Weights, parse_triple,
    prepare,
};
use crate::preprocess::resize;

#[derive(clap::Args)]
pub(super) struct Args {
    /// An ONNX image network with one RGB input and weights in the same file.
    input: PathBuf,
    /// Where to write the prepared network.
    #[arg(short, long)]
    output: PathBuf,
    /// Layers whose pooled features are joined, by the names of tensors or nodes or a part of their path that fits
    /// only one; repeat or separate by comma.
    #[arg(long = "layer", value_delimiter = ',', required = true)]
    layers: Vec<String>,
    /// Side of the square input in pixels, where the file does not fix it.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=4096))]
    input_size: Option<u32>,
    /// Subtracted from RGB in 0..=1: one number, or three separated by comma.
    #[arg(long, default_value = "0", value_parser = triple, allow_hyphen_values = true)]
    mean: Triple,
    /// Divided by after that.
    #[arg(long, default_value = "1", value_parser = divisor, allow_hyphen_values = true)]
    std: Triple,
    /// Pictures (a folder, or a catalogue) to quantise the whole network with, so that it runs in
    /// integers; up to 64 of them are looked at. Without, only its weights are quantised.
    #[arg(long, value_name = "DIR")]
    calibrate: Option<PathBuf>,
    /// How a tensor's range is taken from what the pictures give: `error` for the smallest mean square
    /// error, `whole`, or the share of its values that it holds, such as 0.9999.
    #[arg(long, value_name = "RULE", default_value = "error", value_parser = range_rule, requires = "calibrate")]
    range: RangeRule,
    /// How weights become codes: `compensated`, so that the errors cancel in what a layer gives for the pictures, or each to
    /// the `nearest`.
    #[arg(long, value_name = "RULE", default_value = "compensated", value_parser = rounding, requires = "calibrate")]
    rounding: Rounding,
    /// Bits of a weight: 3 to 8 with --calibrate, or `mixed:MEAN`, such as mixed:3.5, for 3 to 7 in each layer, as many as
    /// pay there, and so many on average; without --calibrate 8, or 32 to keep real numbers. Fewer bits make a file that
    /// packs better. 7 if absent, or 8 without --calibrate.
    #[arg(long, value_name = "BITS", value_parser = weights)]
    weight_bits: Option<Weights>,
    /// A name for people; the file's name if absent.
    #[arg(long)]
    name: Option<String>,
}

#[derive(Clone, Copy)]
struct Triple([f32; 3]);

fn triple(text: &str) -> std::result::Result<Triple, String> {
    parse_triple(text)
        .filter(|values| values.iter().all(|v| v.is_finite()))
        .map(Triple)
        .ok_or_else(|| "one number or three are needed, separated by commas".to_owned())
}

fn divisor(text: &str) -> std::result::Result<Triple, String> {
    match triple(text)? {
        Triple(values) if values.iter().all(|v| *v > 0.0) => Ok(Triple(values)),
        _ => Err("numbers above 0 are needed: features are divided by them".to_owned()),
    }
}

fn range_rule(text: &str) -> std::result::Result<RangeRule, String> {
    match (text, text.parse()) {
        ("error", _) => Ok(RangeRule::SquareError),
        ("whole", _) => Ok(RangeRule::Whole),
        (_, Ok(share)) if share > 0.0 && share <= 1.0 => Ok(RangeRule::Share(share)),
        _ => Err("`error`, `whole`, or a share above 0 and up to 1 is needed".to_owned()),
    }
}

fn rounding(text: &str) -> std::result::Result<Rounding, String> {
    match text {
        "compensated" => Ok(Rounding::Compensated),
        "nearest" => Ok(Rounding::Nearest),
        _ => Err("`compensated` or `nearest` is needed".to_owned()),
    }
}

fn weights(text: &str) -> std::result::Result<Weights, String> {
    let mean = text.strip_prefix("mixed:").and_then(|mean| mean.parse().ok());
    match (text, text.parse(), mean) {
        ("7", ..) => Ok(Weights::Usual),
        ("32", ..) => Ok(Weights::Real),
        (_, Ok(bits @ 3..=8), _) => Ok(Weights::Bits(bits)),
        (_, _, Some(mean)) if (3.0..=7.0).contains(&mean) => Ok(Weights::Mixed(mean)),
        _ => Err("3 to 8, mixed:3 to mixed:7 (such as mixed:3.5), or 32 is needed".to_owned()),
    }
}

#[derive(clap::Args)]
pub(super) struct FeaturesArgs {
    /// A network that `lookalike model prepare` has written.
    #[arg(short, long)]
    model: PathBuf,
    /// Pictures; each gives a line of JSON: {"file", "features": [sum of the layers' dims]}, the mean of each channel.
    #[arg(required = true)]
    photos: Vec<PathBuf>,
}

/// `lookalike model features`: what a network says of pictures, before any projection.
pub(super) fn features(args: &FeaturesArgs) -> Result<()> {
    let network =
        Network::load(files::read(&args.model)?).map_err(|e| e.at(args.model.display()))?;
    for photo in &args.photos {
        let one = || {
            let picture = decode(&files::read(photo)?, &Limits::default())?;
            network.run(&resize(&picture, network.spec().input.size)?)?.pool(None)
        };
        let features = one().map_err(|e| e.at(photo.display()))?;
        output::json(&json!({ "file": photo.display().to_string(), "features": features }))?;
    }
    Ok(())
}

pub(super) fn run(args: &Args) -> Result<()> {
    files::must_be_writable(&args.output)?;
    files::must_exist(&args.input, "give an ONNX network")?;
    let bytes = files::read(&args.input)?;
    let given = bytes.len();
    let stem = || args.input.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let options = PrepareOptions {
        name: args.name.clone().unwrap_or_else(stem),
        layers: args.layers.clone(),
        input_size: args.input_size,
        mean: args.mean.0,
        std: args.std.0,
        weights: args.weight_bits.unwrap_or_default(),
    };
    let pictures = match &args.calibrate {
        Some(path) => pictures(path)?,
        None => Vec::new(),
    };
    // Without pictures there is nothing to calibrate; writing takes a moment of its own.
    let doing = if args.calibrate.is_some() { "calibrating" } else { "preparing" };
    let bar = Progress::new(pictures.len(), doing);
    let calibration = Calibration {
        pictures: &pictures,
        range: args.range,
        rounding: args.rounding,
        seen: &|| bar.inc(1),
    };
    let calibration = args.calibrate.is_some().then_some(&calibration);
    let Prepared { bytes, spec, notes } =
        prepare(bytes, &options, calibration).map_err(|e| e.at(args.input.display()))?;
    bar.finish();
    // What cannot be loaded is not written: whoever indexes with it would find out.
    let network = Network::load(bytes.clone()).map_err(|e| e.at(args.input.display()))?;
    files::write(&args.output, &bytes)?;
    for note in &notes {
        output::remark(format_args!("note: {note}"));
    }
    if let Some(warning) = network.engine().warning() {
        output::remark(format_args!("warning: {warning}"));
    }
    output::line(format_args!(
        "{}: {} -> {} bytes, input {}x{}, {} features from {}",
        args.output.display(),
        given,
        bytes.len(),
        spec.input.size,
        spec.input.size,
        spec.dim(),
        spec.layers.iter().map(|l| l.name.as_str()).collect::<Vec<_>>().join(" + "),
    ))?;
    Ok(())
}

/// Pictures to calibrate with, evenly from the whole folder. Those that cannot be read are left out: the catalogue's own
/// command names them.
fn pictures(path: &Path) -> Result<Vec<Picture>> {
    const MOST: usize = 64;
    let Catalogue { items, pictures, .. } = catalogue::read(path, &catalogue::Args::default())?;
    let step = items.len().div_ceil(MOST).max(1);
    let shown: Vec<Picture> = items
        .iter()
        .step_by(step)
        .filter_map(|item| Some(pictures.main(&item.product).ok()?.1))
        .collect();
    if shown.is_empty() {
        let context = format!("{} holds no picture that can be read", path.display());
        return Err(Error::new(ErrorKind::BadCatalog, context));
    }
    Ok(shown)
}
