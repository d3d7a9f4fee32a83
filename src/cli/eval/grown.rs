//! A larger index made of one that is there, to measure time and memory with.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use lookalike_publish::Folder;

use crate::catalog::{Image, Product, Products};
use crate::cli::grow::{grow, plan};
use crate::cli::index::{group_keys, manifest_json, put};
use crate::cli::{files, output, values};
use crate::embedding::Embedding;
use crate::error::{Error, ErrorKind, Result};
use crate::index::{GroupKey, Index, Owners};
use crate::manifest::Role;

#[derive(clap::Args)]
pub(super) struct Args {
    /// A folder that `lookalike index` has written.
    #[arg(short, long)]
    index: PathBuf,
    /// How many products to grow it to. Those beyond lie between two that resemble each other.
    #[arg(long, default_value_t = 100_000, value_parser = values::count(1..=10_000_000))]
    products: usize,
    /// The folder to write.
    #[arg(short, long)]
    output: PathBuf,
}

/// Of the grown products, one in so many is a variant of the one that it stems from.
const VARIANTS: usize = 8;

pub(super) fn run(args: &Args) -> Result<()> {
    let start = Instant::now();
    let engine = files::open_engine(&args.index)?;
    let (Some(index), Some(products)) = (engine.index(), engine.products()) else {
        return Err(Error::new(ErrorKind::Internal, "the engine did not load its files"));
    };
    // Of each product its main picture.
    let there = (0..index.products() as u32)
        .map(|row| Ok(index.embedding(row)?.as_slice().to_vec()))
        .collect::<Result<Vec<_>>>()?;
    let plan = plan(&there, args.products);
    let embeddings =
        grow(&there, &plan).into_iter().map(Embedding::new).collect::<Result<Vec<_>>>()?;
    let list = products.as_slice();
    let mut grown: Vec<Product> = plan
        .iter()
        .enumerate()
        .map(|(row, mix)| {
            let stem = &list[mix.from];
            let images: Vec<Image> = stem.images.first().cloned().into_iter().collect();
            if row < list.len() {
                return Product { images, ..stem.clone() };
            }
            let stands = stem.variant_of.as_ref().unwrap_or(&stem.id);
            Product {
                id: format!("{}~{row}", stem.id),
                images,
                variant_of: row.is_multiple_of(VARIANTS).then(|| stands.clone()),
                ..stem.clone()
            }
        })
        .collect();
    let keys: Vec<Vec<GroupKey>> = grown.iter().map(group_keys).collect();
    let building = Instant::now();
    let owners = Owners::single(embeddings.len())?;
    let projection = index.projection().clone();
    let larger = Index::build(index.model(), projection, &embeddings, owners, &keys)?;
    let built = building.elapsed().as_secs_f64();

    let folder = Folder::open(&args.output)?;
    let mut thumbs = HashMap::new();
    for image in grown.iter_mut().flat_map(|product| &mut product.images) {
        let Some(name) = &mut image.thumb else { continue };
        if !thumbs.contains_key(name) {
            let jpeg = files::read(&args.index.join(&*name))?;
            thumbs.insert(name.clone(), folder.put_thumb(&jpeg)?);
        }
        name.clone_from(&thumbs[name]);
    }
    let mut manifest = engine.manifest().clone();
    manifest.products = grown.len();
    manifest.files.clear();
    for (role, content) in [
        (Role::Model, files::read_role(&args.index, engine.manifest(), Role::Model)?),
        (Role::Index, larger.write()),
        (Role::Products, Products::new(grown)?.write()),
    ] {
        manifest.files.push(put(&folder, role, &content, None)?);
    }
    folder.commit(&manifest_json(&manifest)?, Duration::ZERO)?;
    output::line(format_args!(
        "{}: {} products, {built:.1} s for groups and graph, {:.1} s in all",
        args.output.display(),
        manifest.products,
        start.elapsed().as_secs_f64()
    ))?;
    Ok(())
}
