//! `lookalike index`: from a catalogue to the files that a shop hosts.

use std::path::{Path, PathBuf};
use std::time::Instant;

use fast_image_resize::PixelType;
use image::codecs::jpeg::JpegEncoder;
use rayon::prelude::*;

use super::catalogue::{self, Catalogue, Item};
use super::files;
use crate::catalog::Products;
use crate::engine::pooled_features;
use crate::error::{Error, ErrorKind, Result};
use crate::image::{Limits, Picture, decode};
use crate::index::{EF_CONSTRUCTION, Index, ModelId};
use crate::learn::{PcaOptions, pca_whitening};
use crate::manifest::{FORMAT, File, Manifest, Model, Part, Role, sha256};
use crate::model::{ModelSpec, Network};
use crate::preprocess::{resample, resize};
use crate::projection::Block;

/// Exponent of the signed power before the projection.
const POWER: f32 = 0.5;

#[derive(clap::Args)]
pub(super) struct Args {
    /// A folder of pictures (sub-folders are categories), or a .csv, .tsv or .jsonl file.
    catalog: PathBuf,
    /// A network that `lookalike model prepare` has written.
    #[arg(short, long)]
    model: PathBuf,
    /// The folder to write.
    #[arg(short, long)]
    output: PathBuf,
    /// Dimension of the embeddings, at most.
    #[arg(long, default_value_t = 256)]
    dim: usize,
    /// Share of the pictures that may be unreadable before the run fails.
    #[arg(long, default_value_t = 0.1)]
    max_skipped: f64,
    /// Longer side of the thumbnails in pixels; 0 makes none.
    #[arg(long, default_value_t = 256)]
    thumbs: u32,
    /// Split files into parts of at most this many bytes, for hosts that limit a file's size.
    #[arg(long)]
    part_bytes: Option<usize>,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let start = Instant::now();
    let model = files::read(&args.model)?;
    let network = Network::load(&model).map_err(|e| e.at(args.model.display()))?;
    let Catalogue { items, mut skipped, attribution } = catalogue::read(&args.catalog)?;
    let total = items.len() + skipped.len();
    files::make_folder(&args.output)?;
    let thumbs = args.output.join("thumbs");
    files::remove_folder(&thumbs)?;
    if args.thumbs > 0 {
        files::make_folder(&thumbs)?;
    }

    let bar = files::progress(items.len(), "embedding");
    let results: Vec<Result<(Vec<f32>, Option<Vec<u8>>)>> = items
        .par_iter()
        .map(|item| {
            let result = embed(item, &network, args.thumbs);
            bar.inc(1);
            result
        })
        .collect();
    bar.finish_and_clear();

    let mut products = Vec::new();
    let mut pooled = Vec::new();
    for (item, result) in items.into_iter().zip(results) {
        match result {
            Err(error) => skipped.push(error.at(item.picture.display()).to_string()),
            Ok((features, thumb)) => {
                let mut product = item.product;
                if let Some(jpeg) = thumb {
                    let path = format!("thumbs/{}.jpg", products.len());
                    files::write(&args.output.join(&path), &jpeg)?;
                    product.thumb = Some(path);
                }
                products.push(product);
                pooled.push(features);
            }
        }
    }
    for reason in &skipped {
        eprintln!("skipped: {reason}");
    }
    if products.is_empty() || skipped.len() as f64 > args.max_skipped * total as f64 {
        return Err(Error::new(
            ErrorKind::BadCatalog,
            format!(
                "{} of {total} products could not be used, more than the {:.0} % that --max-skipped \
                 allows",
                skipped.len(),
                args.max_skipped * 100.0
            ),
        ));
    }

    let products = Products::new(products)?;
    let manifest = write_all(args, &model, network.spec(), &pooled, &products, attribution)?;
    println!(
        "{}: {} products ({} skipped), {} dimensions, {:.1} s",
        args.output.display(),
        manifest.products,
        skipped.len(),
        manifest.dim,
        start.elapsed().as_secs_f64()
    );
    Ok(())
}

/// Pooled features and thumbnail of a product.
fn embed(item: &Item, network: &Network, thumb: u32) -> Result<(Vec<f32>, Option<Vec<u8>>)> {
    let picture = decode(&files::read(&item.picture)?, &Limits::default())?;
    let features = pooled_features(network, &resize(&picture, network.spec().input.size)?, None)?;
    let thumb = if thumb > 0 { Some(thumbnail(&picture, thumb)?) } else { None };
    Ok((features, thumb))
}

/// A JPEG whose longer side has at most `side` pixels.
fn thumbnail(picture: &Picture, side: u32) -> Result<Vec<u8>> {
    let (width, height) = (picture.width(), picture.height());
    let longer = width.max(height);
    let shrink = |x: u32| {
        if longer <= side {
            x
        } else {
            ((u64::from(x) * u64::from(side)) / u64::from(longer)).max(1) as u32
        }
    };
    let (w, h) = (shrink(width), shrink(height));
    let pixels = resample(width, height, picture.rgb(), PixelType::U8x3, w, h)?;
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, 85)
        .encode(&pixels, w, h, image::ExtendedColorType::Rgb8)
        .map_err(|cause| {
            Error::with_source(ErrorKind::Internal, "writing a thumbnail failed", cause)
        })?;
    Ok(jpeg)
}

fn write_all(
    args: &Args,
    model: &[u8],
    spec: &ModelSpec,
    pooled: &[Vec<f32>],
    products: &Products,
    attribution: Option<String>,
) -> Result<Manifest> {
    let blocks: Vec<Block> =
        spec.layers.iter().map(|l| Block { dim: l.dim, power: POWER, weight: 1.0 }).collect();
    let options = PcaOptions { dim: args.dim, ..PcaOptions::default() };
    let projection = pca_whitening(pooled, &blocks, options)?;
    let embeddings = pooled.iter().map(|p| projection.apply(p)).collect::<Result<Vec<_>>>()?;
    let dim = projection.out_dim();
    let index = Index::build(ModelId::of(model), projection, &embeddings)?;

    let mut list = Vec::new();
    for (role, path, content) in [
        (Role::Model, "model.onnx", model.to_vec()),
        (Role::Index, "index.bin", index.write()),
        (Role::Products, "products.json", products.write()),
    ] {
        list.push(write_file(&args.output, role, path, &content, args.part_bytes)?);
    }
    let manifest = Manifest {
        format: FORMAT,
        generator: concat!("lookalike ", env!("CARGO_PKG_VERSION")).into(),
        model: Model {
            name: spec.name.clone(),
            sha256: sha256(model),
            input_size: spec.input.size,
            layers: spec.layers.iter().map(|l| l.name.clone()).collect(),
            dims: spec.layers.iter().map(|l| l.dim).collect(),
        },
        recipe: serde_json::json!({
            "projection": "pca",
            "power": POWER,
            "whitening": options.whitening,
            "ef_construction": EF_CONSTRUCTION,
        }),
        dim,
        products: products.len(),
        files: list,
        attribution,
    };
    let json = serde_json::to_vec_pretty(&manifest).map_err(|cause| {
        Error::with_source(ErrorKind::Internal, "writing the manifest failed", cause)
    })?;
    // Last, so that a page never sees a manifest whose files are not there yet.
    files::write(&args.output.join("manifest.json"), &json)?;
    Ok(manifest)
}

fn write_file(
    folder: &Path,
    role: Role,
    path: &str,
    content: &[u8],
    part_bytes: Option<usize>,
) -> Result<File> {
    let mut file = File::of(role, path, content);
    match part_bytes.filter(|&limit| content.len() > limit) {
        None => files::write(&folder.join(path), content)?,
        Some(limit) => {
            for (i, part) in content.chunks(limit.max(1)).enumerate() {
                let path = format!("{path}.{i}");
                files::write(&folder.join(&path), part)?;
                file.parts.push(Part { path, bytes: part.len() as u64, sha256: sha256(part) });
            }
        }
    }
    Ok(file)
}
