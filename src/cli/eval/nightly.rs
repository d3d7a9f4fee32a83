//! What a night costs: an index of many pictures, and the same again with a few of them changed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fast_image_resize::PixelType;
use image::codecs::jpeg::JpegEncoder;
use rayon::prelude::*;
use serde::Serialize;
use serde_json::{Value, json};

use crate::cli::catalogue::{self, Catalogue};
use crate::cli::progress::Progress;
use crate::cli::random::{mixed, uniform};
use crate::cli::{files, output, values};
use crate::error::{Error, ErrorKind, Result};
use crate::image::Picture;
use crate::preprocess::resample;

#[derive(clap::Args)]
pub(super) struct Args {
    /// The catalogue whose pictures others are made of, by cropping and tinting.
    catalog: PathBuf,
    /// A network that `lookalike model prepare` has written.
    #[arg(short, long)]
    model: PathBuf,
    /// How many products to make.
    #[arg(long, default_value_t = 10_000, value_parser = values::count(2..=1_000_000))]
    products: usize,
    /// Share of them that change overnight.
    #[arg(long, default_value_t = 0.01, value_parser = values::share)]
    changed: f64,
    /// The folder to work in; the pictures and the index stay there.
    #[arg(short, long)]
    output: PathBuf,
    /// Print one line of JSON.
    #[arg(long)]
    json: bool,
}

/// Longer side of the pictures that are made.
const SIDE: u32 = 320;

/// What was measured, in seconds where nothing else is said.
#[derive(Serialize)]
struct Row {
    products: usize,
    /// Pictures that the second run looked at.
    embedded: u64,
    /// All of the first run but its graph.
    full_s: f64,
    /// All of the second run but its graph.
    night_s: f64,
    /// The second by the first.
    share: f64,
    full_graph_s: f64,
    night_graph_s: f64,
    /// Whether the second run kept the first one's projection.
    projection: String,
    /// Of the true 20 nearest under that projection, the share that the second index finds.
    recall_at_20: f64,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let Catalogue { items, pictures, .. } =
        catalogue::read(&args.catalog, &catalogue::Args::default())?;
    let shop = args.output.join("shop");
    std::fs::create_dir_all(&shop).map_err(|cause| {
        Error::with_source(ErrorKind::Io, format!("cannot make {}", shop.display()), cause)
    })?;
    let step = if args.changed > 0.0 {
        (1.0 / args.changed).round().max(1.0) as usize
    } else {
        usize::MAX
    };
    let draw = |night: u64| -> Result<()> {
        let due = |i: usize| night == 0 || i.is_multiple_of(step);
        let bar = Progress::new(items.len(), "drawing");
        items.par_iter().enumerate().try_for_each(|(at, item)| {
            let mut rows = (at..args.products).step_by(items.len()).filter(|&i| due(i)).peekable();
            if rows.peek().is_some() {
                let (_, stem) = pictures.main(&item.product)?;
                for i in rows {
                    let jpeg = varied(&stem, (i as u64) << 1 | night)?;
                    files::write(&shop.join(format!("{i}.jpg")), &jpeg)?;
                }
            }
            bar.inc(1);
            Ok(())
        })?;
        let line = |i: usize| {
            let category = items[i % items.len()].product.category.as_deref().unwrap_or("Things");
            // Of others than those whose pictures change.
            let price = 10 + if i % step == 1 { night } else { 0 };
            let row = json!({"id": format!("p{i}"), "title": format!("Product {i}"), "category": category,
                "image": format!("{i}.jpg"), "price": price});
            format!("{row}\n")
        };
        let feed: String = (0..args.products).map(line).collect();
        files::write(&shop.join("catalog.jsonl"), feed.as_bytes())
    };
    draw(0)?;
    let full = index(args, &shop)?;
    draw(1)?;
    let night = index(args, &shop)?;
    let served = args.output.join("served");
    let figures = answer(
        Command::new(program()?)
            .args(["eval", "--json", "--label", "category", "--index"])
            .arg(&served),
    )?;
    let seconds = |report: &Value, part: &str| report["seconds"][part].as_f64().unwrap_or(f64::NAN);
    let rest = |report: &Value| seconds(report, "total") - seconds(report, "graph");
    let row = Row {
        products: args.products,
        embedded: night["embedded"].as_u64().unwrap_or_default(),
        full_s: rest(&full),
        night_s: rest(&night),
        share: rest(&night) / rest(&full),
        full_graph_s: seconds(&full, "graph"),
        night_graph_s: seconds(&night, "graph"),
        projection: night["projection"].as_str().unwrap_or_default().to_owned(),
        recall_at_20: figures["recall_at_20"].as_f64().unwrap_or(f64::NAN),
    };
    if args.json {
        return output::json(&row);
    }
    output::line(format_args!(
        "{} products: {:.1} s, next night {:.2} s ({:.1} %) for {} pictures; graph {:.1} s and {:.1} s; projection {}; \
         recall@20 {:.4}",
        row.products,
        row.full_s,
        row.night_s,
        row.share * 100.0,
        row.embedded,
        row.full_graph_s,
        row.night_graph_s,
        row.projection,
        row.recall_at_20
    ))
}

/// A crop of a picture, tinted, of at most [`SIDE`] pixels, as a JPEG. Another for each seed.
fn varied(stem: &Picture, seed: u64) -> Result<Vec<u8>> {
    let number = |n: u64| uniform(mixed(seed) ^ n);
    let (width, height) = (stem.width(), stem.height());
    let kept = |size: u32, n: u64| ((size as f32 * (0.7 + 0.3 * number(n))) as u32).clamp(1, size);
    let (w, h) = (kept(width, 1), kept(height, 2));
    let (left, top) = ((width - w) as f32 * number(3), (height - h) as f32 * number(4));
    let tint: [f32; 3] = [5, 6, 7].map(|n| 0.6 + 0.4 * number(n));
    let (left, top) = (left as usize, top as usize);
    let rows = stem.rgb().chunks_exact(width as usize * 3).skip(top).take(h as usize);
    let cut: Vec<u8> = rows
        .flat_map(|row| row[left * 3..(left + w as usize) * 3].chunks_exact(3))
        .flat_map(|p| [0, 1, 2].map(|c| (f32::from(p[c]) * tint[c]) as u8))
        .collect();
    let longer = w.max(h);
    let shrink = |x: u32| if longer <= SIDE { x } else { (x * SIDE / longer).max(1) };
    let (small_w, small_h) = (shrink(w), shrink(h));
    let small = resample(w, h, &cut, PixelType::U8x3, small_w, small_h)?;
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, 85)
        .encode(&small, small_w, small_h, image::ExtendedColorType::Rgb8)
        .map_err(|cause| Error::with_source(ErrorKind::Internal, "writing a JPEG failed", cause))?;
    Ok(jpeg)
}

fn program() -> Result<PathBuf> {
    std::env::current_exe()
        .map_err(|cause| Error::with_source(ErrorKind::Io, "where is this program?", cause))
}

/// Runs `index` as a shop does, and gives its report.
fn index(args: &Args, shop: &Path) -> Result<Value> {
    let mut index = Command::new(program()?);
    index.arg("index").arg(shop.join("catalog.jsonl")).arg("--model").arg(&args.model);
    answer(index.arg("-o").arg(args.output.join("served")).args(["--json", "--keep", "0"]))
}

fn answer(command: &mut Command) -> Result<Value> {
    let call = format!("{command:?}");
    let failed = |why: String| Error::new(ErrorKind::Io, format!("{call}: {why}"));
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.map_err(|cause| failed(cause.to_string()))?;
    if !output.status.success() {
        return Err(failed(output.status.to_string()));
    }
    serde_json::from_slice(&output.stdout).map_err(|cause| failed(cause.to_string()))
}
