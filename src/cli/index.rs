//! `lookalike index`: from a catalogue to the files that a shop hosts.

use std::path::{Path, PathBuf};
use std::time::Instant;

use fast_image_resize::PixelType;
use image::codecs::jpeg::JpegEncoder;

use super::catalogue::{self, Catalogue};
use super::lesson::{self, Material, Networks, POWER, Seen};
use super::look::{Looked, every_picture};
use super::{files, output, values};
use crate::catalog::{Product, Products};
use crate::engine::EF_SEARCH;
use crate::error::{Error, ErrorKind, Result};
use crate::image::Picture;
use crate::index::{EF_CONSTRUCTION, GroupKey, Index, ModelId};
use crate::learn::{Alike, Recipe, difference_hash, variants};
use crate::manifest::{FORMAT, File, Manifest, Model, Part, Role, sha256};
use crate::preprocess::resample;

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
    #[command(flatten)]
    lesson: lesson::Args,
    /// Let products that show the same thing stand together among results, one for all. Which they
    /// are is told by their pictures, or by the column item_group_id.
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set)]
    variants: bool,
    /// Share of the pictures that may be unreadable before the run fails.
    #[arg(long, default_value_t = 0.1, value_parser = values::share)]
    max_skipped: f64,
    /// Longer side of the thumbnails in pixels; 0 makes none.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(0..=4096))]
    thumbs: u32,
    /// Split files into parts of at most this many bytes, for hosts that limit a file's size.
    #[arg(long, value_parser = values::count(1000..=1_000_000_000_000))]
    part_bytes: Option<usize>,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let start = Instant::now();
    let networks = Networks::load(&args.model, &args.lesson)?;
    let Catalogue { items, pictures, mut skipped, attribution, .. } =
        catalogue::read(&args.catalog)?;
    let total = items.len() + skipped.len();
    files::make_folder(&args.output)?;
    let thumbs = args.output.join("thumbs");
    files::remove_folder(&thumbs)?;
    if args.thumbs > 0 {
        files::make_folder(&thumbs)?;
    }

    let looked = every_picture(items, &pictures, |file, picture| {
        embed(file, picture, &networks, args.thumbs)
    });
    let owners = looked.owners();
    let Looked { items, seen, pictures_skipped, products_skipped, .. } = looked;
    skipped.extend(products_skipped);
    for reason in skipped.iter().chain(&pictures_skipped) {
        output::remark(format_args!("skipped: {reason}"));
    }
    let mut products = Vec::new();
    let mut features = Vec::new();
    let mut hashes = Vec::new();
    let mut groups = Vec::new();
    let mut seen = seen.into_iter();
    for item in items {
        let mut product = item.product;
        for (at, image) in product.images.iter_mut().enumerate() {
            let Some(Embedded { seen, hash, thumb }) = seen.next() else { break };
            if let Some(jpeg) = thumb {
                let path = format!("thumbs/{}.jpg", features.len());
                files::write(&args.output.join(&path), &jpeg)?;
                image.thumb = Some(path);
            }
            // Whether products are the same thing is told by their main pictures.
            if at == 0 {
                hashes.push(hash);
            }
            features.push(seen);
        }
        products.push(product);
        groups.push(item.group);
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
    let names: Vec<Option<&str>> = groups.iter().map(Option::as_deref).collect();
    let material = networks.material(features, owners?, &names);
    let manifest = write_all(args, &networks, &material, &hashes, &groups, products, attribution)?;
    output::line(format_args!(
        "{}: {} products ({} skipped), {} dimensions, {:.1} s",
        args.output.display(),
        manifest.products,
        skipped.len(),
        manifest.dim,
        start.elapsed().as_secs_f64()
    ))?;
    Ok(())
}

/// What is made of a picture.
struct Embedded {
    seen: Seen,
    hash: u64,
    thumb: Option<Vec<u8>>,
}

fn embed(file: &[u8], picture: &Picture, networks: &Networks, thumb: u32) -> Result<Embedded> {
    Ok(Embedded {
        seen: networks.see(file, picture)?,
        hash: difference_hash(picture)?,
        thumb: if thumb > 0 { Some(thumbnail(picture, thumb)?) } else { None },
    })
}

/// A JPEG whose longer side has at most `side` pixels.
pub(super) fn thumbnail(picture: &Picture, side: u32) -> Result<Vec<u8>> {
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
    networks: &Networks,
    material: &Material,
    hashes: &[u64],
    groups: &[Option<String>],
    products: Products,
    attribution: Option<String>,
) -> Result<Manifest> {
    let (model, spec) = (networks.bytes.as_slice(), networks.own.spec());
    let everyone: Vec<usize> = (0..products.len()).collect();
    let list: Vec<&Product> = products.as_slice().iter().collect();
    let (projection, recipe) = material.learn(&everyone, &list, &args.lesson)?;
    for note in &recipe.notes {
        output::remark(format_args!("note: {note}"));
    }
    let embeddings =
        material.pooled.iter().map(|p| projection.apply(p)).collect::<Result<Vec<_>>>()?;
    let dim = projection.out_dim();
    let keys: Vec<Vec<GroupKey>> = products.as_slice().iter().map(group_keys).collect();
    let owners = material.owners.clone();
    let index = Index::build(ModelId::of(model), projection, &embeddings, owners, &keys)?;

    let products = if args.variants {
        with_variants(args, material, hashes, groups, products, &index)?
    } else {
        products
    };
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
            engine: networks.own.engine().runtime(),
            input_size: spec.input.size,
            layers: spec.layers.iter().map(|l| l.name.clone()).collect(),
            dims: spec.layers.iter().map(|l| l.dim).collect(),
        },
        recipe: describe(&recipe)?,
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

/// Neighbours among which variants of a product are looked for.
const VARIANT_CANDIDATES: usize = 32;

/// The products, those that are variants of another saying so.
fn with_variants(
    args: &Args,
    material: &Material,
    hashes: &[u64],
    groups: &[Option<String>],
    products: Products,
    index: &Index,
) -> Result<Products> {
    let rows: Vec<usize> = (0..products.len()).collect();
    let mut list = products.as_slice().to_vec();
    let borrowed: Vec<&Product> = list.iter().collect();
    // What a teacher or labels draw together may differ for the eye.
    let (plain, recipe) = material.learn(&rows, &borrowed, &args.lesson.plain())?;
    let main = |&row: &usize| plain.apply(&material.pooled[material.main(row)]);
    let plain = rows.iter().map(main).collect::<Result<Vec<_>>>()?;
    let alike = Alike::by(recipe.projection);
    let first = variants(&plain, alike, hashes, groups, |row| {
        let found = index.search(&index.embedding(row as u32)?, VARIANT_CANDIDATES, EF_SEARCH)?;
        Ok(found.into_iter().map(|n| n.product as usize).collect())
    })?;
    for (row, &first) in first.iter().enumerate() {
        list[row].variant_of = (first != row).then(|| list[first].id.clone());
    }
    Products::new(list)
}

/// The recipe as the manifest holds it.
fn describe(recipe: &Recipe) -> Result<serde_json::Value> {
    let mut value = serde_json::to_value(recipe).map_err(|cause| {
        Error::with_source(ErrorKind::Internal, "writing the recipe failed", cause)
    })?;
    value["power"] = POWER.into();
    value["ef_construction"] = EF_CONSTRUCTION.into();
    Ok(value)
}

/// The columns' values by which products are grouped.
pub(super) fn group_keys(product: &Product) -> Vec<GroupKey> {
    let category = product.category.iter().map(|value| ("category", value));
    let attributes = product.attributes.iter().map(|(column, value)| (column.as_str(), value));
    category
        .chain(attributes)
        .map(|(column, value)| GroupKey { column: column.to_owned(), value: value.clone() })
        .collect()
}

fn write_file(
    folder: &Path,
    role: Role,
    path: &str,
    content: &[u8],
    part_bytes: Option<usize>,
) -> Result<File> {
    let file = File::of(role, path, content);
    let Some(limit) = part_bytes.filter(|&limit| content.len() > limit) else {
        files::write(&folder.join(path), content)?;
        return Ok(file);
    };
    let mut parts = Vec::new();
    for (i, part) in content.chunks(limit.max(1)).enumerate() {
        let path = format!("{path}.{i}");
        files::write(&folder.join(&path), part)?;
        parts.push(Part { path, bytes: part.len() as u64, sha256: sha256(part) });
    }
    Ok(file.in_parts(parts))
}
