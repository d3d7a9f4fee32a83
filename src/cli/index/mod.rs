//! `lookalike index`: from a catalogue to the files that a shop hosts.

mod build;
mod choice;
mod origin;
mod pack;
mod pictures;
mod previous;
mod report;
mod scores;
mod write;

use std::path::PathBuf;
use std::time::Duration;

use lookalike_publish::Folder;

use super::catalogue::{self, Catalogue, Pictures};
use super::composites::Grounds;
use super::lesson::{self, Networks, Seen};
use super::look::{Looked, every_picture};
use super::progress::Progress;
use super::state::{PictureId, State};
use super::{output, values};
use crate::catalog::Product;
use crate::error::{Error, ErrorKind, Result};
use crate::index::{ModelId, Owners};
use crate::manifest::Role;
use choice::{Today, choose};
use origin::Origin;
use pictures::{Embedded, Looking};
use previous::Previous;
use report::{Clock, Old, Outcome, Part};

pub(super) use build::group_keys;
pub(super) use pictures::thumbnail;
pub(super) use write::{json as manifest_json, put};

/// How long files of earlier runs stay, unless told otherwise.
const KEEP: &str = "2d";

#[derive(clap::Args)]
pub(super) struct Args {
    /// A folder of pictures (sub-folders are categories), or a feed or its address: a table, XML or
    /// JSON as Google Merchant, Meta, Shopify, WooCommerce and others have it.
    catalog: PathBuf,
    /// A network that `lookalike model prepare` has written.
    #[arg(short, long)]
    model: PathBuf,
    /// The folder to write. Files there that are not ours stay as they are.
    #[arg(short, long)]
    output: PathBuf,
    #[command(flatten)]
    reading: catalogue::Args,
    #[command(flatten)]
    lesson: lesson::Args,
    /// Let products that show the same thing stand together among results, one for all. Which they
    /// are is told by their pictures, or by the column item_group_id.
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set)]
    variants: bool,
    /// Share of the products that may be unusable before the run fails.
    #[arg(long, default_value_t = 0.1, value_name = "SHARE", value_parser = values::share)]
    max_skipped: f64,
    /// Share of the products of the last run that may be missing from the catalogue before the run
    /// fails; 1 allows all.
    #[arg(long, default_value_t = 0.3, value_name = "SHARE", value_parser = values::share)]
    max_shrink: f64,
    /// Learn the projection anew. The files then depend on the catalogue alone, not on earlier
    /// runs.
    #[arg(long)]
    relearn: bool,
    /// Share of new pictures from which on the projection is learnt anew without being told.
    #[arg(long, default_value_t = 0.25, value_name = "SHARE", value_parser = values::share)]
    max_drift: f64,
    /// How long files of earlier runs stay after they were replaced, for pages that were opened
    /// before: a number with d, h or m behind it, or 0.
    #[arg(long, default_value = KEEP, value_name = "TIME", value_parser = time)]
    keep: Duration,
    /// Longer side of the thumbnails in pixels; 0 makes none.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(0..=4096))]
    thumbs: u32,
    /// Split files into parts of at most this many bytes, for hosts that limit a file's size; they are not packed then.
    #[arg(long, value_parser = values::count(1000..=1_000_000_000_000))]
    part_bytes: Option<usize>,
    /// Print what was done as one line of JSON, for a monitor: {"products", "pictures", "dim",
    /// "embedded", "added", "changed", "removed", "refused", "projection", "because", "drift",
    /// "files", "seconds", "changes", "refusals"}; docs/hosting.md says what each is.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let mut clock = Clock::start();
    let networks = Networks::load(&args.model, &args.lesson)?;
    if let Some(warning) = networks.own.engine().warning() {
        output::remark(format_args!("warning: {warning}"));
    }
    let catalogue = catalogue::read(&args.catalog, &args.reading)?;
    let folder = Folder::open(&args.output)?;
    let state = match args.lesson.open_state()? {
        Some(state) => state,
        None => State::open(&folder.state())?,
    };
    let previous = Previous::read(&folder, &state);
    if let Some(previous) = &previous {
        previous.check_shrinking(catalogue.items.len(), args.max_shrink)?;
    }
    clock.done(Part::Read);

    let attribution = catalogue.attribution.clone();
    let looking =
        Looking { networks: &networks, state: &state, folder: &folder, side: args.thumbs };
    let composites = &args.lesson.composites;
    let grounds = Grounds::open(composites.grounds.as_deref())?;
    let (seen, pictures) = look(args, catalogue, &looking)?;
    let names: Vec<Option<&str>> = seen.groups.iter().map(Option::as_deref).collect();
    let mut material = networks.material(seen.features, seen.owners, &names);
    let list: Vec<&Product> = seen.products.iter().collect();
    let from = (&pictures, Some(&state));
    material.copy(&networks, (&list, &seen.rows), from, &grounds, composites.composites)?;
    clock.done(Part::Look);

    let old = Old::of(previous.as_ref());
    let today = Today {
        networks: &networks,
        material: &material,
        grounds: &grounds,
        products: &seen.products,
        rows: &seen.rows,
    };
    let bar = Progress::new(0, "learning");
    let (lesson, choice) = choose(&today, previous, &args.lesson, args.relearn, args.max_drift)?;
    let embeddings = build::embeddings(&lesson.projection, &material)?;
    bar.finish();
    let changes = old.changes(&seen.products, &seen.rows);
    clock.done(Part::Learn);

    let model = ModelId::of(&networks.bytes);
    let bar = Progress::new(0, "building the graph");
    let index = build::index(model, &lesson, &embeddings, &material, &seen.products)?;
    bar.finish();
    clock.done(Part::Graph);

    let products = if args.variants {
        let alike = (&seen.hashes[..], &seen.groups[..]);
        build::with_variants(seen.products, &lesson, &material, alike, &index)?
    } else {
        crate::catalog::Products::new(seen.products)?
    };
    let mut files = Vec::new();
    for (role, content) in [
        (Role::Model, networks.bytes.clone()),
        (Role::Index, index.write()),
        (Role::Products, products.write()),
    ] {
        files.push(put(&folder, role, &content, args.part_bytes)?);
    }
    let size = (lesson.projection.out_dim(), products.len());
    let (manifest, bytes) = write::manifest(&networks, &lesson, size, files, attribution)?;
    let origin = Origin { lesson, rows: seen.rows };
    state.keep_origin(&manifest.file(Role::Index)?.sha256, &origin.write()?)?;
    let committed = folder.commit(&bytes, args.keep)?;
    // The new index is there: what cannot be tidied up now is for the next run.
    for untidy in committed.untidy.iter().chain(&state.forget_unused().err()) {
        output::remark(format_args!(
            "note: the new index is in place; left to the next run: {untidy}"
        ));
    }
    clock.done(Part::Publish);

    let outcome = Outcome {
        products: products.len(),
        pictures: origin.rows.len(),
        dim: manifest.dim,
        embedded: seen.embedded,
        changes,
        refusals: seen.refusals,
        choice,
        committed,
        clock,
    };
    outcome.say(&args.output, args.json)
}

/// A catalogue whose pictures have all been looked at.
struct Shown {
    /// With the names of their thumbnails.
    products: Vec<Product>,
    /// The feed's groups of variants, by product.
    groups: Vec<Option<String>>,
    /// Difference hashes of main pictures, by product.
    hashes: Vec<u64>,
    /// Whose each picture is.
    owners: Owners,
    /// By picture, as all that follows but `refusals`.
    features: Vec<Seen>,
    rows: Vec<PictureId>,
    /// How many the networks had not seen before.
    embedded: usize,
    /// What could not be used, and why.
    refusals: Vec<String>,
}

fn look(args: &Args, catalogue: Catalogue, looking: &Looking<'_>) -> Result<(Shown, Pictures)> {
    let Catalogue { items, pictures, mut skipped, .. } = catalogue;
    let total = items.len() + skipped.len();
    let looked = every_picture(items, &pictures, |shot| looking.at(shot))?;
    skipped.extend(looked.products_skipped.iter().cloned());
    let lost = skipped.len();
    let refusals: Vec<String> =
        skipped.into_iter().chain(looked.pictures_skipped.iter().cloned()).collect();
    for reason in &refusals {
        output::remark(format_args!("skipped: {reason}"));
    }
    if looked.items.is_empty() || lost as f64 > args.max_skipped * total as f64 {
        return Err(Error::new(
            ErrorKind::BadCatalog,
            format!(
                "{lost} of {total} products could not be used, more than the {:.0} % that --max-skipped allows",
                args.max_skipped * 100.0
            ),
        ));
    }
    let owners = looked.owners()?;
    let Looked { items, seen, .. } = looked;
    let mut shown = Shown {
        products: Vec::with_capacity(items.len()),
        groups: Vec::with_capacity(items.len()),
        hashes: Vec::with_capacity(items.len()),
        features: Vec::with_capacity(seen.len()),
        rows: Vec::with_capacity(seen.len()),
        owners,
        embedded: seen.iter().filter(|picture| picture.fresh).count(),
        refusals,
    };
    let mut seen = seen.into_iter();
    for item in items {
        let mut product = item.product;
        for (at, (image, picture)) in product.images.iter_mut().zip(seen.by_ref()).enumerate() {
            let Embedded { id, seen, hash, thumb, .. } = picture;
            image.thumb = thumb;
            // Whether products are the same thing is told by their main pictures.
            if at == 0 {
                shown.hashes.push(hash);
            }
            shown.features.push(seen);
            shown.rows.push(id);
        }
        shown.products.push(product);
        shown.groups.push(item.group);
    }
    Ok((shown, pictures))
}

/// `2d`, `12h`, `30m` or `0`.
fn time(text: &str) -> Result<Duration, String> {
    let (number, seconds) = match text.strip_suffix(['d', 'h', 'm']) {
        Some(number) if text.ends_with('d') => (number, 86_400),
        Some(number) if text.ends_with('h') => (number, 3_600),
        Some(number) => (number, 60),
        None if text == "0" => (text, 0),
        None => return Err("a number with d, h or m behind it is needed, such as 7d".into()),
    };
    let number: u64 = number.parse().map_err(|_| format!("{number:?} is not a whole number"))?;
    Ok(Duration::from_secs(number.saturating_mul(seconds)))
}
