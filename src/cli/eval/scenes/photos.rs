//! Photos from life: of the first products that are found for a thing, how many are of its kind.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::annotations::{self, Photo, SIX, is_of_kind};
use super::figure::Figure;
use super::page::{Case, Shown, page};
use super::{Answer, Args, DEPTH, View};
use crate::area::Area;
use crate::cli::progress::Progress;
use crate::cli::{files, index as indexing, output};
use crate::error::{Error, ErrorKind, Result};
use crate::frame::Crop;
use crate::image::{Limits, Picture, decode};

/// What a thing found.
#[derive(Serialize)]
struct Found {
    file: String,
    /// `None` where the catalogue has nothing of the kind.
    kind: Option<String>,
    #[serde(rename = "box")]
    place: [u32; 4],
    view: View,
    /// Ids, best first.
    found: Vec<String>,
    /// How many of them are of the thing's kind.
    of_kind: usize,
    /// Whether the page would say that there is nothing much like it.
    #[serde(skip_serializing_if = "Option::is_none")]
    nothing_alike: Option<bool>,
    #[serde(skip)]
    photo: usize,
    #[serde(skip)]
    rows: Vec<u32>,
}

/// A figure over all things and over those of six kinds.
#[derive(Serialize)]
struct Pair {
    things: Figure,
    six_kinds: Figure,
}

#[derive(Serialize)]
struct Row {
    index: String,
    view: View,
    #[serde(flatten)]
    of_kind: Pair,
    /// The same by kind.
    kinds: BTreeMap<String, Figure>,
    /// What this index has more than the other, thing by thing.
    #[serde(skip_serializing_if = "Option::is_none")]
    gain: Option<Pair>,
    /// What this view has more than the one that is not cropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    over_not_cropped: Option<Pair>,
    /// How often the page would say that there is nothing much like it.
    #[serde(skip_serializing_if = "Option::is_none")]
    nothing_alike: Option<NothingAlike>,
}

#[derive(Serialize)]
struct NothingAlike {
    /// Of things of whose kind the catalogue has something: wrongly.
    of_kind: Figure,
    /// Of other things.
    of_none: Figure,
}

#[derive(Serialize)]
struct Table {
    photos: usize,
    margin: f64,
    rows: Vec<Row>,
    /// What products drawn at random would have.
    chance: Pair,
    /// What can be had at most, where a kind has few products.
    best: Pair,
    /// What each thing found with the index in question.
    found: Vec<Found>,
}

/// What is needed of an index's products.
struct Shelf {
    ids: Vec<String>,
    titles: Vec<String>,
    thumbs: Vec<Option<String>>,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let photos = annotations::read(&args.photos)?;
    let mut asked: Vec<(String, Vec<Found>)> = Vec::new();
    let mut shelf = None;
    for folder in args.against.as_deref().into_iter().chain([args.index.as_path()]) {
        let (found, products) = ask(args, folder, &photos)?;
        asked.push((folder.display().to_string(), found));
        shelf = Some(products);
    }
    let (Some(shelf), Some((_, last))) = (shelf, asked.last()) else {
        return Err(Error::new(ErrorKind::Internal, "no index was asked"));
    };
    let views = views(args);
    let (before, mut rows) = (&asked[0].1, Vec::new());
    for (index, found) in &asked {
        for &view in views {
            let of = |found: &Found| found.of_kind as f64 / DEPTH as f64;
            // A thing is asked for with all views, one after the other.
            let step = |to: View| views.iter().position(|v| *v == to);
            let back = step(View::NotCropped).zip(step(view));
            let over = |at: usize, (then, now): (usize, usize)| {
                of(&found[at]) - of(&found[at + then - now])
            };
            let back = back.filter(|_| view != View::NotCropped);
            let compared = args.against.is_some() && !std::ptr::eq(before, found);
            rows.push(Row {
                index: index.clone(),
                view,
                of_kind: pair(found, view, |at| of(&found[at])),
                kinds: by_kind(found, view, of),
                gain: compared.then(|| pair(found, view, |at| of(&found[at]) - of(&before[at]))),
                over_not_cropped: back.map(|back| pair(found, view, |at| over(at, back))),
                nothing_alike: nothing_alike(found, view),
            });
        }
    }
    // By chance and at best: how many products of its kind there are for each thing.
    let counts: Vec<f64> = last
        .iter()
        .map(|f| shelf.titles.iter().filter(|title| f.is_kind_of(title)).count() as f64)
        .collect();
    let products = shelf.titles.len().max(1) as f64;
    let any = views[0];
    let chance = pair(last, any, |at| counts[at] / products);
    let best = pair(last, any, |at| (counts[at] / DEPTH as f64).min(1.0));
    if let Some(path) = &args.report {
        report(args, path, &rows, last, &shelf)?;
    }
    let found = asked.pop().map(|(_, found)| found).unwrap_or_default();
    let table = Table { photos: photos.len(), margin: args.margin, rows, chance, best, found };
    if args.json { output::json(&table) } else { print(&table) }
}

/// The views that are asked with.
fn views(args: &Args) -> &[View] {
    if args.views.is_empty() { &View::USUAL } else { &args.views }
}

/// What each thing finds with each view, photo by photo.
fn ask(args: &Args, folder: &Path, photos: &[Photo]) -> Result<(Vec<Found>, Shelf)> {
    let mut engine = files::open_engine(folder)?;
    let products = engine.products().map(|p| p.as_slice()).unwrap_or_default();
    let shelf = Shelf {
        ids: products.iter().map(|p| p.id.clone()).collect(),
        titles: products.iter().map(|p| p.title.clone()).collect(),
        thumbs: products.iter().map(|p| p.thumb().map(str::to_owned)).collect(),
    };
    let bar = Progress::new(photos.iter().map(|p| p.things.len()).sum(), "looking");
    let crop = Crop::from(&args.crop);
    let mut all = Vec::new();
    for (at, photo) in photos.iter().enumerate() {
        let picture = read(&args.photos, photo)?;
        let mut whole = None;
        for thing in &photo.things {
            let mut found = |place: Area, view: View, answer: Answer| {
                let Answer { rows, nothing_alike } = answer;
                let titles = rows.iter().filter_map(|&row| shelf.titles.get(row as usize));
                let kind = thing.kind.as_deref();
                let is_kind = |title: &&String| kind.is_some_and(|kind| is_of_kind(title, kind));
                all.push(Found {
                    file: photo.file.clone(),
                    kind: thing.kind.clone(),
                    place: [place.x0, place.y0, place.x1, place.y1],
                    view,
                    found: rows.iter().map(|&row| shelf.ids[row as usize].clone()).collect(),
                    of_kind: titles.filter(is_kind).count(),
                    nothing_alike,
                    photo: at,
                    rows,
                });
            };
            let place = thing.place.grown(args.margin, picture.width(), picture.height());
            for &view in views(args) {
                let answer = match (view, &whole) {
                    (View::Whole, Some(answer)) => Answer::clone(answer),
                    (View::Whole, None) => {
                        whole.insert(view.ask(&mut engine, crop, &picture, place)?).clone()
                    }
                    _ => view.ask(&mut engine, crop, &picture, place)?,
                };
                found(if view == View::Whole { thing.place } else { place }, view, answer);
            }
            bar.inc(1);
        }
    }
    bar.finish();
    Ok((all, shelf))
}

/// A photo, which must be as large as its boxes take it to be.
fn read(folder: &Path, photo: &Photo) -> Result<Picture> {
    let path = folder.join(&photo.file);
    let picture =
        decode(&files::read(&path)?, &Limits::default()).map_err(|e| e.at(path.display()))?;
    if (picture.width(), picture.height()) != (photo.width, photo.height) {
        let what = format!(
            "{}: the photo has {}x{} pixels, its boxes are for {}x{}",
            path.display(),
            picture.width(),
            picture.height(),
            photo.width,
            photo.height
        );
        return Err(Error::new(ErrorKind::Mismatch, what));
    }
    Ok(picture)
}

/// Over the things that were asked about with this view; `value` takes their places in `found`.
fn pair(found: &[Found], view: View, value: impl Fn(usize) -> f64) -> Pair {
    let those = |wanted: &dyn Fn(&Found) -> bool| {
        let those = found
            .iter()
            .enumerate()
            .filter(|(_, f)| f.view == view && f.kind.is_some() && wanted(f));
        Figure::of(those.map(|(at, f)| (f.photo, value(at))))
    };
    Pair {
        things: those(&|_| true),
        six_kinds: those(&|f| f.kind.as_deref().is_some_and(|kind| SIX.contains(&kind))),
    }
}

fn nothing_alike(found: &[Found], view: View) -> Option<NothingAlike> {
    let share = |of_kind: bool| {
        let those = found.iter().filter(move |f| f.view == view && f.kind.is_some() == of_kind);
        those.map(|f| Some((f.photo, f64::from(u8::from(f.nothing_alike?))))).collect()
    };
    let (of_kind, of_none): (Option<Vec<_>>, Option<Vec<_>>) = (share(true), share(false));
    Some(NothingAlike { of_kind: Figure::of(of_kind?), of_none: Figure::of(of_none?) })
}

impl Found {
    /// Whether a product of this title is of its kind.
    fn is_kind_of(&self, title: &str) -> bool {
        self.kind.as_deref().is_some_and(|kind| is_of_kind(title, kind))
    }
}

fn by_kind(found: &[Found], view: View, of: impl Fn(&Found) -> f64) -> BTreeMap<String, Figure> {
    let mut kinds: BTreeMap<&str, Vec<(usize, f64)>> = BTreeMap::new();
    for f in found.iter().filter(|f| f.view == view) {
        let Some(kind) = f.kind.as_deref() else { continue };
        kinds.entry(kind).or_default().push((f.photo, of(f)));
    }
    kinds.into_iter().map(|(kind, values)| (kind.to_owned(), Figure::of(values))).collect()
}

fn report(args: &Args, path: &Path, rows: &[Row], found: &[Found], shelf: &Shelf) -> Result<()> {
    let figures: Vec<(String, String)> = rows
        .iter()
        .map(|row| (format!("{}, {}", row.index, row.view.name()), row.of_kind.in_words()))
        .collect();
    let mut cases = Vec::new();
    for f in found {
        let photo = args.photos.join(&f.file);
        let picture = decode(&files::read(&photo)?, &Limits::default())?;
        let [x0, y0, x1, y1] = f.place;
        let shown = match f.view {
            View::Whole => picture,
            View::OnlyThis
            | View::NotCropped
            | View::Box
            | View::Tap
            | View::Mirrored
            | View::Wider => Area { x0, y0, x1, y1 }.cut(&picture)?,
        };
        let product = |row: &u32| {
            let row = *row as usize;
            let thumb = shelf.thumbs[row].as_ref();
            Shown {
                jpeg: thumb.and_then(|thumb| files::read(&args.index.join(thumb)).ok()),
                title: shelf.titles[row].clone(),
                right: f.is_kind_of(&shelf.titles[row]),
            }
        };
        cases.push(Case {
            title: format!(
                "{} in {}, {}",
                f.kind.as_deref().unwrap_or("something else"),
                f.file,
                f.view.name()
            ),
            asked: indexing::thumbnail(&shown, 128)?,
            found: f.rows.iter().map(product).collect(),
        });
    }
    files::write(path, page(&figures, &cases).as_bytes())
}

impl NothingAlike {
    fn in_words(&self) -> String {
        format!(
            "said of things of a kind {}, of others {}",
            self.of_kind.in_words(),
            self.of_none.in_words()
        )
    }
}

impl Pair {
    fn in_words(&self) -> String {
        format!("things {}, six kinds {}", self.things.in_words(), self.six_kinds.in_words())
    }
}

fn print(table: &Table) -> Result<()> {
    output::line(format_args!(
        "share of the first {DEPTH} that are of the thing's kind, over the things of {} photos",
        table.photos
    ))?;
    for row in &table.rows {
        output::line(format_args!(
            "{}, {:<12} {}",
            row.index,
            row.view.name(),
            row.of_kind.in_words()
        ))?;
        if let Some(gain) = &row.gain {
            output::line(format_args!("  more than the other: {}", gain.in_words()))?;
        }
        if let Some(gain) = &row.over_not_cropped {
            output::line(format_args!("  more than not cropped: {}", gain.in_words()))?;
        }
        if let Some(said) = &row.nothing_alike {
            output::line(format_args!("  nothing much like it: {}", said.in_words()))?;
        }
    }
    output::line(format_args!("by chance    {}", table.chance.in_words()))?;
    output::line(format_args!("at best      {}", table.best.in_words()))?;
    for row in &table.rows {
        output::line(format_args!("{}, {}:", row.index, row.view.name()))?;
        for (kind, figure) in &row.kinds {
            output::line(format_args!("  {kind:<14} {}", figure.in_words()))?;
        }
    }
    Ok(())
}
