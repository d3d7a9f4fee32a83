//! Scenes made of the catalogue's own products, each cut out of its plain ground and laid over
//! another: is the very product found again?

use std::path::Path;

use serde::Serialize;

use super::super::masks;
use super::figure::Figure;
use super::grounds::{Grounds, HEIGHT, WIDTH};
use super::page::{Case, Shown, page};
use super::{Answer, Args, DEPTH, View};
use crate::area::Area;
use crate::catalog::Product;
use crate::cli::cutout::CutOut;
use crate::cli::progress::Progress;
use crate::cli::random::{mixed, shuffled, uniform};
use crate::cli::{files, index as indexing, output};
use crate::error::{Error, ErrorKind, Result};
use crate::frame::Crop;
use crate::image::Picture;

/// Shares of a scene that a product's box takes, if no others are said.
pub(super) const AREAS: [f64; 3] = [0.1, 0.2, 0.4];

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
    /// How often the page would say that there is nothing much like it.
    #[serde(skip_serializing_if = "Option::is_none")]
    nothing_alike: Option<NothingAlike>,
}

#[derive(Serialize)]
struct NothingAlike {
    /// Of the product: wrongly.
    product: Figure,
    /// Of the same place in the same ground without a product.
    ground: Figure,
}

/// A question, and what came of it.
struct Asked {
    draw: usize,
    area: f64,
    view: View,
    found: bool,
    /// Whether there was said to be nothing alike: of the product, and of its bare ground.
    nothing_alike: Option<(bool, bool)>,
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
    let grounds = Grounds::of(args.grounds.as_deref())?;
    let mut engine = files::open_engine(&args.index)?;
    let shown = masks::shown(&args.photos, &args.index, &engine)?;
    let list: Vec<Product> = engine.products().map(|p| p.as_slice().to_vec()).unwrap_or_default();
    let areas = if args.areas.is_empty() { &AREAS[..] } else { &args.areas };
    let views = if args.views.is_empty() { &View::USUAL[..] } else { &args.views };
    let crop = Crop::from(&args.crop);
    let wanted = if args.draws == 0 { list.len() } else { args.draws.min(list.len()) };
    let bar = Progress::new(wanted * areas.len() * views.len(), "looking");
    let (mut asked, mut draws, mut not_cut_out) = (Vec::new(), 0, 0);
    let mut cases = Vec::new();
    // What stands before a product: the one that was asked for before it.
    let mut before: Option<CutOut> = None;
    for product in shuffled(shown.rows.len(), args.seed) {
        if draws == wanted {
            break;
        }
        let Some(cut) = CutOut::new(&shown.picture(product)?, args.rectangles) else {
            not_cut_out += 1;
            continue;
        };
        let other = args.hidden.zip(before.replace(cut.clone()));
        if args.hidden.is_some() && other.is_none() {
            continue;
        }
        let row = shown.rows[product];
        for &area in areas {
            let seed = mixed(args.seed << 32 | product as u64) ^ area.to_bits();
            let ground = grounds.picture(seed)?;
            let (mut scene, place) = lay(&cut, &ground, area, seed)?;
            if let Some((share, other)) = &other {
                scene = hide(&scene, place, other, *share)?;
            }
            let place = place.grown(args.margin, WIDTH, HEIGHT);
            for &view in views {
                let Answer { rows, nothing_alike } = view.ask(&mut engine, crop, &scene, place)?;
                let nothing_alike = match nothing_alike {
                    Some(said) => {
                        let bare = view.ask(&mut engine, crop, &ground, place)?.nothing_alike;
                        bare.map(|bare| (said, bare))
                    }
                    None => None,
                };
                bar.inc(1);
                let found = rows.contains(&row);
                asked.push(Asked { draw: draws, area, view, found, nothing_alike });
                if args.report.is_some() {
                    let what = format!(
                        "{}, {:.0} %, {}",
                        list[row as usize].title,
                        area * 100.0,
                        view.name()
                    );
                    cases.push(case(what, &scene, &rows, row, &list, &args.index)?);
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

/// A figure for each area and view.
fn rows(asked: &[Asked], areas: &[f64], views: &[View]) -> Vec<Row> {
    let values = |area: f64, view: View| {
        let those = asked.iter().filter(move |asked| asked.area == area && asked.view == view);
        those.map(|asked| (asked.draw, f64::from(u8::from(asked.found))))
    };
    let nothing_alike = |area: f64, view: View| {
        let those = asked.iter().filter(|asked| asked.area == area && asked.view == view);
        let said: Vec<(usize, (bool, bool))> =
            those.map(|asked| Some((asked.draw, asked.nothing_alike?))).collect::<Option<_>>()?;
        let share = |of: &dyn Fn(&(bool, bool)) -> bool| {
            Figure::of(said.iter().map(|(draw, said)| (*draw, f64::from(u8::from(of(said))))))
        };
        Some(NothingAlike { product: share(&|said| said.0), ground: share(&|said| said.1) })
    };
    let row = |area: f64, view: View| {
        // The scenes of an area come in the same order with each view.
        let pairs = values(area, view).zip(values(area, View::NotCropped));
        let more: Vec<(usize, f64)> = pairs.map(|((draw, v), (_, w))| (draw, v - w)).collect();
        let gain = (view != View::NotCropped && !more.is_empty()).then(|| Figure::of(more));
        let recall_at_10 = Figure::of(values(area, view));
        Row { area, view, recall_at_10, gain, nothing_alike: nothing_alike(area, view) }
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

/// The product over a ground, somewhere, its box taking this share of it, or what of that fits in;
/// and its box.
pub(super) fn lay(cut: &CutOut, ground: &Picture, area: f64, seed: u64) -> Result<(Picture, Area)> {
    let (w, h) = (f64::from(cut.width()), f64::from(cut.height()));
    let (most_w, most_h) = (f64::from(WIDTH), f64::from(HEIGHT));
    let scale = (area * most_w * most_h / (w * h)).sqrt().min(most_w / w).min(most_h / h);
    let w = ((w * scale).round() as u32).clamp(1, WIDTH);
    let h = ((h * scale).round() as u32).clamp(1, HEIGHT);
    let somewhere = |seed: u64, space: u32| (uniform(seed) * (space + 1) as f32) as u32;
    let x0 = somewhere(seed, WIDTH - w).min(WIDTH - w);
    let y0 = somewhere(mixed(seed), HEIGHT - h).min(HEIGHT - h);
    let scene = cut.resized(w, h)?.over(ground, i64::from(x0), i64::from(y0))?;
    Ok((scene, Area { x0, y0, x1: x0 + w, y1: y0 + h }))
}

/// Another product before the lower part of a place, half as wide again, so that it reaches from
/// below over this share of it.
fn hide(scene: &Picture, place: Area, other: &CutOut, share: f64) -> Result<Picture> {
    let (w, h) = (place.x1 - place.x0, place.y1 - place.y0);
    let wide = (w + w / 2).max(1);
    let high = (u64::from(wide) * u64::from(other.height())).div_ceil(u64::from(other.width()));
    let other = other.resized(wide, u32::try_from(high).unwrap_or(HEIGHT).clamp(1, 2 * HEIGHT))?;
    let top = i64::from(place.y1) - (share * f64::from(h)).round() as i64;
    other.over(scene, i64::from(place.x0) - i64::from(w / 4), top)
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
            "{:>3.0} % of the photo  {:<12}  {mean:.3} +- {error:.3}{}",
            row.area * 100.0,
            row.view.name(),
            more.unwrap_or_default()
        ))?;
        if let Some(said) = &row.nothing_alike {
            output::line(format_args!(
                "  nothing much like it: said of products {}, of bare grounds {}",
                said.product.in_words(),
                said.ground.in_words()
            ))?;
        }
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
        assert_eq!((cut.width(), cut.height()), (60, 60));
        let ground = vec![0u8; (WIDTH * HEIGHT * 3) as usize];
        let ground = Picture::from_rgb(WIDTH, HEIGHT, ground).unwrap();
        for area in AREAS {
            let (scene, place) = lay(&cut, &ground, area, 9).unwrap();
            let took = f64::from((place.x1 - place.x0) * (place.y1 - place.y0));
            assert!((took / f64::from(WIDTH * HEIGHT) - area).abs() < 0.01, "{area}");
            let middle = ((place.y0 + place.y1) / 2 * WIDTH + (place.x0 + place.x1) / 2) as usize;
            assert_eq!(scene.rgb()[middle * 3..middle * 3 + 3], [200, 10, 10]);
            assert!(scene.rgb().chunks(3).all(|p| p[1] <= 20), "nothing white on black");
            assert_eq!(lay(&cut, &ground, area, 9).unwrap().1, place, "repeats");
            assert_ne!(lay(&cut, &ground, area, 10).unwrap().1, place);
        }
    }

    #[test]
    fn what_stands_before_a_product_hides_its_lower_part_alone() {
        let cut = CutOut::new(&disc(100), false).unwrap();
        let ground = vec![0u8; (WIDTH * HEIGHT * 3) as usize];
        let ground = Picture::from_rgb(WIDTH, HEIGHT, ground).unwrap();
        let (scene, place) = lay(&cut, &ground, 0.2, 9).unwrap();
        let red = |scene: &Picture| scene.rgb().chunks(3).filter(|p| p[0] > 100).count() as f64;
        let blue: Vec<u8> = disc(100).rgb().chunks(3).flat_map(|p| [p[2], p[1], p[0]]).collect();
        let other = CutOut::new(&Picture::from_rgb(100, 100, blue).unwrap(), false).unwrap();
        assert_eq!(hide(&scene, place, &other, 0.0).unwrap().rgb().len(), scene.rgb().len());
        assert!(red(&hide(&scene, place, &other, 0.0).unwrap()) > red(&scene) * 0.99);
        let left = red(&hide(&scene, place, &other, 0.5).unwrap()) / red(&scene);
        assert!((0.4..0.8).contains(&left), "{left}");
        let row = (place.y0 + 2) as usize * WIDTH as usize * 3;
        let hidden = hide(&scene, place, &other, 0.5).unwrap();
        assert_eq!(hidden.rgb()[..row], scene.rgb()[..row], "the upper part is as it was");
    }

    #[test]
    fn the_tall_still_fit() {
        // Of two colours: the border is no ground then.
        let stripes = (0..800).flat_map(|i| [if i / 20 % 2 == 0 { 9 } else { 240 }; 3]).collect();
        let tall = Picture::from_rgb(2, 400, stripes).unwrap();
        let tall = CutOut::new(&tall, true).unwrap();
        let ground = Grounds::Made.picture(1).unwrap();
        let (_, place) = lay(&tall, &ground, 0.4, 1).unwrap();
        assert!(place.y1 <= HEIGHT && place.x1 <= WIDTH);
    }
}
