//! Dots: of the things that mark themselves in a photo, how many are the product that is in it, and
//! how many mark a bare ground.

use std::time::Instant;

use serde::Serialize;

use super::super::masks;
use super::figure::Figure;
use super::grounds::{Grounds, HEIGHT, WIDTH};
use super::made::lay;
use super::{Args, made};
use crate::area::Rect;
use crate::cli::cutout::CutOut;
use crate::cli::progress::Progress;
use crate::cli::random::{mixed, shuffled};
use crate::cli::{files, output};
use crate::engine::{Engine, Found, Next};
use crate::error::{Error, ErrorKind, Result};
use crate::image::Picture;

/// A dot is the product's if its box and the product's overlap by this.
const OVERLAP: f32 = 0.3;

#[derive(Serialize)]
struct Row {
    /// The least score of what gets a dot.
    least: f32,
    /// Share of the products that get one.
    product: Figure,
    /// Dots elsewhere in the same photos.
    elsewhere: Figure,
    /// Dots in a photo of the same ground without a product.
    ground: Figure,
}

#[derive(Serialize)]
struct Table {
    draws: usize,
    area: f64,
    seed: u64,
    /// Windows that are looked at in a photo.
    windows: Figure,
    /// Whether any window is the product's.
    proposed: Figure,
    /// Windows that are looked at until there is a dot, in photos that get one.
    first: Figure,
    /// Seconds until all windows have been looked at, a photo.
    seconds: Figure,
    rows: Vec<Row>,
}

/// What came up in a scene, and in its ground.
struct Draw {
    place: Rect,
    scene: Vec<Found>,
    ground: Vec<Found>,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let grounds = Grounds::of(args.grounds.as_deref())?;
    let mut engine = files::open_engine(&args.index)?;
    let Some(scores) = engine.manifest().scores else {
        let what = format!(
            "{}: it is not known what scores mean, and there are no dots; build the index with \
             --composites",
            args.index.display()
        );
        return Err(Error::new(ErrorKind::BadQuery, what));
    };
    let shown = masks::shown(&args.photos, &args.index, &engine)?;
    let area = args.areas.first().copied().unwrap_or(made::AREAS[1]);
    let wanted = if args.draws == 0 { shown.rows.len() } else { args.draws.min(shown.rows.len()) };
    let bar = Progress::new(wanted, "looking");
    let (mut draws, mut windows, mut proposed, mut first, mut seconds) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for product in shuffled(shown.rows.len(), args.seed) {
        if draws.len() == wanted {
            break;
        }
        let Some(cut) = CutOut::new(&shown.picture(product)?, args.rectangles) else { continue };
        let seed = mixed(args.seed << 32 | product as u64) ^ area.to_bits();
        let ground = grounds.picture(seed)?;
        let (scene, place) = lay(&cut, &ground, area, seed)?;
        let share = |at: u32, of: u32| (f64::from(at) / f64::from(of)) as f32;
        let place = Rect {
            x0: share(place.x0, WIDTH),
            y0: share(place.y0, HEIGHT),
            x1: share(place.x1, WIDTH),
            y1: share(place.y1, HEIGHT),
        };
        let at = draws.len();
        let begun = Instant::now();
        let things = crate::things::things(&scene)?;
        windows.push((at, things.len() as f64));
        let is = things.iter().any(|thing| thing.rect.overlap(place) >= OVERLAP);
        proposed.push((at, f64::from(u8::from(is))));
        let scene = dots(&mut engine, scene)?;
        seconds.push((at, begun.elapsed().as_secs_f64()));
        first.extend(scene.first().map(|(window, _)| (at, *window as f64 + 1.0)));
        let ground = dots(&mut engine, ground)?;
        let found = |dots: Vec<(usize, Found)>| dots.into_iter().map(|(_, dot)| dot).collect();
        draws.push(Draw { place, scene: found(scene), ground: found(ground) });
        bar.inc(1);
    }
    bar.finish();
    let row = |least: f32| {
        let figure = |of: &dyn Fn(&Draw) -> usize| {
            Figure::of(draws.iter().map(|draw| of(draw) as f64).enumerate())
        };
        let own = |draw: &Draw, dot: &Found| dot.thing.rect.overlap(draw.place) >= OVERLAP;
        let shown = |dot: &&Found| dot.score >= least;
        Row {
            least,
            product: figure(&|draw| {
                usize::from(draw.scene.iter().filter(shown).any(|dot| own(draw, dot)))
            }),
            elsewhere: figure(&|draw| {
                draw.scene.iter().filter(shown).filter(|dot| !own(draw, dot)).count()
            }),
            ground: figure(&|draw| draw.ground.iter().filter(shown).count()),
        }
    };
    let table = Table {
        draws: draws.len(),
        area,
        seed: args.seed,
        windows: Figure::of(windows),
        proposed: Figure::of(proposed),
        first: Figure::of(first),
        seconds: Figure::of(seconds),
        rows: [scores.similar, (scores.similar + scores.close) / 2.0, scores.close].map(row).into(),
    };
    if args.json { output::json(&table) } else { print(&table) }
}

/// All that a photo has, one window after the other, with the number of each one's window.
fn dots(engine: &mut Engine, photo: Picture) -> Result<Vec<(usize, Found)>> {
    engine.set_photo(photo)?;
    let mut dots: Vec<(usize, Found)> = Vec::new();
    for window in 0.. {
        let found: Vec<Rect> = dots.iter().map(|(_, dot)| dot.thing.rect).collect();
        match engine.look_at(window, &found)? {
            Next::Found(found) => dots.push((window, found)),
            Next::Nothing => {}
            Next::Done => break,
        }
    }
    Ok(dots)
}

fn print(table: &Table) -> Result<()> {
    output::line(format_args!(
        "dots in {} scenes, the product's box {:.0} % of the photo: {} windows, one of them the \
         product's in {}, {} until the first dot, {} s",
        table.draws,
        table.area * 100.0,
        table.windows.in_words(),
        table.proposed.in_words(),
        table.first.in_words(),
        table.seconds.in_words()
    ))?;
    for row in &table.rows {
        output::line(format_args!(
            "score {:.3} or more: the product has one {}, elsewhere {}, on the bare ground {}",
            row.least,
            row.product.in_words(),
            row.elsewhere.in_words(),
            row.ground.in_words()
        ))?;
    }
    Ok(())
}
