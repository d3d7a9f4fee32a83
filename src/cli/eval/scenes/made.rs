//! Scenes made of the catalogue's own products, each cut out of its plain ground and laid over
//! another: is the very product found again?

use std::path::Path;

use fast_image_resize::PixelType;
use serde::Serialize;

use super::super::masks;
use super::super::stage::silhouette;
use super::figure::Figure;
use super::grounds::{Grounds, HEIGHT, WIDTH};
use super::page::{Case, Shown, page};
use super::{Args, DEPTH, View};
use crate::area::Area;
use crate::catalog::Product;
use crate::cli::progress::Progress;
use crate::cli::random::{mixed, shuffled, uniform};
use crate::cli::{files, index as indexing, output};
use crate::error::{Error, ErrorKind, Result};
use crate::frame::Crop;
use crate::image::Picture;
use crate::preprocess::resample;

/// Shares of a scene that a product's box takes, if no others are said.
const AREAS: [f64; 3] = [0.1, 0.2, 0.4];

#[derive(Serialize)]
struct Row {
    /// Share of the scene that the product's box takes.
    area: f64,
    view: View,
    /// Share of scenes in which the product itself is among the first ten.
    recall_at_10: Figure,
    /// What this view has more than the one that is not cropped, scene by scene.
    #[serde(skip_serializing_if = "Option::is_none")]
    gain: Option<Figure>,
}

#[derive(Serialize)]
struct Table {
    draws: usize,
    /// Products that came up and have no plain ground to be cut out of.
    not_cut_out: usize,
    seed: u64,
    margin: f64,
    rows: Vec<Row>,
    /// What products drawn at random would have.
    chance: f64,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let grounds = match &args.grounds {
        Some(folder) => Grounds::read(folder)?,
        None => Grounds::Made,
    };
    let mut engine = files::open_engine(&args.index)?;
    let shown = masks::shown(&args.photos, &args.index, &engine)?;
    let list: Vec<Product> = engine.products().map(|p| p.as_slice().to_vec()).unwrap_or_default();
    let areas = if args.areas.is_empty() { &AREAS[..] } else { &args.areas };
    let views = if args.views.is_empty() { &View::ALL[..] } else { &args.views };
    let crop = Crop::from(&args.crop);
    let wanted = if args.draws == 0 { list.len() } else { args.draws.min(list.len()) };
    let bar = Progress::new(wanted * areas.len() * views.len(), "looking");
    let (mut asked, mut draws, mut not_cut_out) = (Vec::new(), 0, 0);
    let mut cases = Vec::new();
    for product in shuffled(shown.rows.len(), args.seed) {
        if draws == wanted {
            break;
        }
        let Some(cut) = CutOut::new(&shown.picture(product)?, args.rectangles) else {
            not_cut_out += 1;
            continue;
        };
        let row = shown.rows[product];
        for &area in areas {
            let seed = mixed(args.seed << 32 | product as u64) ^ area.to_bits();
            let (scene, place) = cut.lay(&grounds.picture(seed)?, area, seed)?;
            let place = place.grown(args.margin, WIDTH, HEIGHT);
            for &view in views {
                let found = view.first(&mut engine, crop, &scene, place)?;
                bar.inc(1);
                asked.push((draws, area, view, found.contains(&row)));
                if args.report.is_some() {
                    let what = format!(
                        "{}, {:.0} %, {}",
                        list[row as usize].title,
                        area * 100.0,
                        view.name()
                    );
                    cases.push(case(what, &scene, &found, row, &list, &args.index)?);
                }
            }
        }
        draws += 1;
    }
    bar.finish();
    if draws == 0 {
        return Err(Error::new(
            ErrorKind::BadCatalog,
            format!("{}: no product has a plain ground to be cut out of", args.photos.display()),
        ));
    }
    let rows = rows(&asked, areas, views);
    let chance = (DEPTH as f64 / list.len() as f64).min(1.0);
    let (seed, margin) = (args.seed, args.margin);
    let table = Table { draws, not_cut_out, seed, margin, rows, chance };
    if let Some(path) = &args.report {
        let words = |row: &Row| {
            let name = format!("{}, {:.0} % of the photo", row.view.name(), row.area * 100.0);
            (name, row.recall_at_10.in_words())
        };
        let figures: Vec<(String, String)> = table.rows.iter().map(words).collect();
        files::write(path, page(&figures, &cases).as_bytes())?;
    }
    if args.json { output::json(&table) } else { print(&table) }
}

/// A figure for each area and view. `asked`: draw, area, view, and whether the product was found.
fn rows(asked: &[(usize, f64, View, bool)], areas: &[f64], views: &[View]) -> Vec<Row> {
    let values = |area: f64, view: View| {
        let those = asked.iter().filter(move |(_, a, v, _)| *a == area && *v == view);
        those.map(|&(draw, _, _, found)| (draw, f64::from(u8::from(found))))
    };
    let row = |area: f64, view: View| {
        // The scenes of an area come in the same order with each view.
        let pairs = values(area, view).zip(values(area, View::NotCropped));
        let more: Vec<(usize, f64)> = pairs.map(|((draw, v), (_, w))| (draw, v - w)).collect();
        let gain = (view != View::NotCropped && !more.is_empty()).then(|| Figure::of(more));
        Row { area, view, recall_at_10: Figure::of(values(area, view)), gain }
    };
    areas.iter().flat_map(|&area| views.iter().map(move |&view| row(area, view))).collect()
}

fn case(
    title: String,
    scene: &Picture,
    found: &[u32],
    row: u32,
    products: &[Product],
    folder: &Path,
) -> Result<Case> {
    let product = |&at: &u32| {
        let product = &products[at as usize];
        let thumb = product.thumb().map(|thumb| folder.join(thumb));
        Shown {
            jpeg: thumb.and_then(|thumb| files::read(&thumb).ok()),
            title: product.title.clone(),
            right: at == row,
        }
    };
    let asked = indexing::thumbnail(scene, 160)?;
    Ok(Case { title, asked, found: found.iter().map(product).collect() })
}

/// A product without its ground.
struct CutOut {
    width: u32,
    height: u32,
    /// RGB `[height][width][3]`, black where the ground was.
    rgb: Vec<u8>,
    /// 255 where the product is, else 0: `[height][width]`.
    cover: Vec<u8>,
}

impl CutOut {
    /// `None` if the picture has no plain ground, unless `rectangles` takes all of it then, or next
    /// to nothing else.
    fn new(picture: &Picture, rectangles: bool) -> Option<Self> {
        let outline = silhouette(picture);
        let covered = outline.iter().filter(|shown| **shown).count();
        // A photo, or a stain.
        if (covered == outline.len() && !rectangles) || covered * 200 < outline.len() {
            return None;
        }
        let width = picture.width();
        let at = |i: usize| (i as u32 % width, i as u32 / width);
        let mut around = Area { x0: u32::MAX, y0: u32::MAX, x1: 0, y1: 0 };
        for (x, y) in outline.iter().enumerate().filter(|(_, shown)| **shown).map(|(i, _)| at(i)) {
            around = Area {
                x0: around.x0.min(x),
                y0: around.y0.min(y),
                x1: around.x1.max(x + 1),
                y1: around.y1.max(y + 1),
            };
        }
        let (mut rgb, mut cover) = (Vec::new(), Vec::new());
        for y in around.y0..around.y1 {
            for x in around.x0..around.x1 {
                let at = (y * width + x) as usize;
                let shown = outline[at];
                let pixel = &picture.rgb()[at * 3..at * 3 + 3];
                rgb.extend(pixel.iter().map(|&c| if shown { c } else { 0 }));
                cover.push(u8::from(shown) * 255);
            }
        }
        let (width, height) = (around.x1 - around.x0, around.y1 - around.y0);
        Some(Self { width, height, rgb, cover })
    }

    /// The product over a ground, somewhere, its box taking this share of it, or what of that fits
    /// in; and its box.
    fn lay(&self, ground: &Picture, area: f64, seed: u64) -> Result<(Picture, Area)> {
        let (w, h) = (f64::from(self.width), f64::from(self.height));
        let (most_w, most_h) = (f64::from(WIDTH), f64::from(HEIGHT));
        let scale = (area * most_w * most_h / (w * h)).sqrt().min(most_w / w).min(most_h / h);
        let w = ((w * scale).round() as u32).clamp(1, WIDTH);
        let h = ((h * scale).round() as u32).clamp(1, HEIGHT);
        let rgb = resample(self.width, self.height, &self.rgb, PixelType::U8x3, w, h)?;
        let cover = resample(self.width, self.height, &self.cover, PixelType::U8, w, h)?;
        let somewhere = |seed: u64, space: u32| (uniform(seed) * (space + 1) as f32) as u32;
        let x0 = somewhere(seed, WIDTH - w).min(WIDTH - w);
        let y0 = somewhere(mixed(seed), HEIGHT - h).min(HEIGHT - h);
        let mut scene = ground.rgb().to_vec();
        for (i, (pixel, cover)) in rgb.chunks_exact(3).zip(&cover).enumerate() {
            let (x, y) = (x0 + i as u32 % w, y0 + i as u32 / w);
            let to = ((y * WIDTH + x) * 3) as usize;
            for (below, &above) in scene[to..to + 3].iter_mut().zip(pixel) {
                let rest = u16::from(*below) * u16::from(255 - cover) / 255;
                *below = (u16::from(above) + rest).min(255) as u8;
            }
        }
        let place = Area { x0, y0, x1: x0 + w, y1: y0 + h };
        Ok((Picture::from_rgb(WIDTH, HEIGHT, scene)?, place))
    }
}

fn print(table: &Table) -> Result<()> {
    output::line(format_args!(
        "share of {} scenes a row in which the very product is among the first {DEPTH}; by chance \
         {:.3}",
        table.draws, table.chance
    ))?;
    for row in &table.rows {
        let Figure { mean, error, .. } = row.recall_at_10;
        let more = row.gain.map(|Figure { mean, error, .. }| {
            format!("  {mean:+.3} +- {error:.3} against not cropped")
        });
        output::line(format_args!(
            "{:>3.0} % of the photo  {:<11}  {mean:.3} +- {error:.3}{}",
            row.area * 100.0,
            row.view.name(),
            more.unwrap_or_default()
        ))?;
    }
    if table.not_cut_out > 0 {
        let left_out = table.not_cut_out;
        output::line(format_args!("{left_out} products have no plain ground and were left out"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A red disc on white.
    fn disc(side: u32) -> Picture {
        let middle = side as f32 / 2.0;
        let inside = |i: u32| {
            let (x, y) = ((i % side) as f32 + 0.5 - middle, (i / side) as f32 + 0.5 - middle);
            x.hypot(y) < middle * 0.6
        };
        let rgb = (0..side * side).flat_map(|i| if inside(i) { [200, 10, 10] } else { [255; 3] });
        Picture::from_rgb(side, side, rgb.collect()).unwrap()
    }

    #[test]
    fn a_product_takes_its_share_and_nothing_of_its_ground_comes_along() {
        let cut = CutOut::new(&disc(100), false).unwrap();
        assert_eq!((cut.width, cut.height), (60, 60));
        let ground = vec![0u8; (WIDTH * HEIGHT * 3) as usize];
        let ground = Picture::from_rgb(WIDTH, HEIGHT, ground).unwrap();
        for area in AREAS {
            let (scene, place) = cut.lay(&ground, area, 9).unwrap();
            let took = f64::from((place.x1 - place.x0) * (place.y1 - place.y0));
            assert!((took / f64::from(WIDTH * HEIGHT) - area).abs() < 0.01, "{area}");
            let middle = ((place.y0 + place.y1) / 2 * WIDTH + (place.x0 + place.x1) / 2) as usize;
            assert_eq!(scene.rgb()[middle * 3..middle * 3 + 3], [200, 10, 10]);
            assert!(scene.rgb().chunks(3).all(|p| p[1] <= 20), "nothing white on black");
            assert_eq!(cut.lay(&ground, area, 9).unwrap().1, place, "repeats");
            assert_ne!(cut.lay(&ground, area, 10).unwrap().1, place);
        }
    }

    #[test]
    fn what_has_no_plain_ground_is_no_cut_out_and_the_tall_still_fit() {
        let noise: Vec<u8> = (0..3000u32).map(|i| (mixed(u64::from(i)) % 251) as u8).collect();
        let photo = Picture::from_rgb(40, 25, noise).unwrap();
        assert!(CutOut::new(&photo, false).is_none());
        let whole = CutOut::new(&photo, true).unwrap();
        assert_eq!((whole.width, whole.height, &whole.rgb[..]), (40, 25, photo.rgb()));
        assert!(CutOut::new(&Picture::from_rgb(20, 20, vec![255; 1200]).unwrap(), true).is_none());
        let tall = CutOut { width: 2, height: 400, rgb: vec![9; 2400], cover: vec![255; 800] };
        let ground = Grounds::Made.picture(1).unwrap();
        let (_, place) = tall.lay(&ground, 0.4, 1).unwrap();
        assert!(place.y1 <= HEIGHT && place.x1 <= WIDTH);
    }
}
