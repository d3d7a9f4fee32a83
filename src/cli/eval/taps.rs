//! Taps: how well the thing at a point of a photo is outlined, on photos whose things are.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::area::Rect;
use crate::cli::progress::Progress;
use crate::cli::{files, output, values};
use crate::error::{Error, ErrorKind, Result};
use crate::image::{Limits, decode};
use crate::things::thing_at;

#[derive(clap::Args)]
pub(super) struct Args {
    /// A folder of photos with an objects.json that has the outlines of what is in them.
    photos: PathBuf,
    /// Least share of the photo that a thing's outline takes to be tapped.
    #[arg(long, value_name = "SHARE", default_value_t = 0.05, value_parser = values::share)]
    least: f64,
    /// Print one line of JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Deserialize)]
struct Photo {
    file: String,
    width: u32,
    height: u32,
    objects: Vec<Object>,
}

#[derive(Deserialize)]
struct Object {
    kind: Option<String>,
    r#box: [f32; 4],
    polygon: Vec<[f32; 2]>,
}

/// Of one tap: intersection over union with the true box and outline.
struct Tapped {
    photo: usize,
    is_person: bool,
    /// Of the box and the outline that were found; of the whole photo in their place.
    found: [f64; 2],
    whole: [f64; 2],
}

#[derive(Serialize)]
struct Row {
    things: &'static str,
    count: usize,
    box_iou: Mean,
    outline_iou: Mean,
    whole_box_iou: f64,
    whole_outline_iou: f64,
}

/// A mean and its standard error, tap by tap.
#[derive(Serialize)]
struct Mean {
    mean: f64,
    error: f64,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let path = args.photos.join("objects.json");
    files::must_exist(
        &path,
        "give a folder of photos with outlines of what is in them, see docs/things.md",
    )?;
    let photos: Vec<Photo> = serde_json::from_slice(&files::read(&path)?).map_err(|cause| {
        let what = format!("{} has no outlines: see docs/things.md", path.display());
        Error::with_source(ErrorKind::BadCatalog, what, cause)
    })?;
    let bar = Progress::new(photos.len(), "tapping");
    let (mut tapped, mut nothing) = (Vec::new(), 0);
    for (at, photo) in photos.iter().enumerate() {
        let file = args.photos.join(&photo.file);
        let picture = decode(&files::read_picture(&file)?, &Limits::default())
            .map_err(|error| error.at(file.display()))?;
        if (picture.width(), picture.height()) != (photo.width, photo.height) {
            let what = format!("{} is not of the size that {} says", photo.file, path.display());
            return Err(Error::new(ErrorKind::BadCatalog, what));
        }
        for object in &photo.objects {
            let outline = Outline::of(&object.polygon, photo.width, photo.height);
            if outline.share() < args.least {
                continue;
            }
            let (x, y) = outline.innermost();
            let rect = |[x0, y0, x1, y1]: [f32; 4]| {
                let (w, h) = (photo.width as f32, photo.height as f32);
                Rect { x0: x0 / w, y0: y0 / h, x1: x1 / w, y1: y1 / h }
            };
            let thing = thing_at(&picture, x, y)?;
            let found = match &thing {
                Some(thing) => {
                    let mask = thing.mask.resized(photo.width, photo.height)?;
                    let inside: Vec<bool> = mask.coverage().iter().map(|&c| c < 128).collect();
                    [overlap(thing.rect, rect(object.r#box)), outline.overlap(&inside)]
                }
                None => [0.0; 2],
            };
            nothing += usize::from(thing.is_none());
            tapped.push(Tapped {
                photo: at,
                is_person: object.kind.as_deref() == Some("person"),
                found,
                whole: [overlap(Rect::WHOLE, rect(object.r#box)), outline.share()],
            });
        }
        bar.inc(1);
    }
    bar.finish();
    if tapped.is_empty() {
        let what = "no outline takes as much of its photo: lower --least";
        return Err(Error::new(ErrorKind::BadCatalog, what).at(path.display()));
    }
    let rows = [
        row("all", &tapped, |_| true),
        row("without persons", &tapped, |t| !t.is_person),
        row("photos of even number", &tapped, |t| t.photo % 2 == 0),
        row("photos of odd number", &tapped, |t| t.photo % 2 == 1),
    ];
    if args.json {
        return output::json(&serde_json::json!({ "rows": rows, "nothing_found": nothing }));
    }
    for Row { things, count, box_iou, outline_iou, whole_box_iou, whole_outline_iou } in &rows {
        output::line(format_args!(
            "{things:22} {count:4}: box {:.3} +- {:.3}, outline {:.3} +- {:.3}; the whole photo {whole_box_iou:.3}, \
             {whole_outline_iou:.3}",
            box_iou.mean, box_iou.error, outline_iou.mean, outline_iou.error
        ))?;
    }
    output::line(format_args!("{nothing} taps found nothing, which counts as 0"))
}

fn row(things: &'static str, tapped: &[Tapped], wanted: impl Fn(&Tapped) -> bool) -> Row {
    let of: Vec<&Tapped> = tapped.iter().filter(|t| wanted(t)).collect();
    let count = of.len();
    let mean = |value: &dyn Fn(&Tapped) -> f64| {
        let n = count.max(1) as f64;
        let mean = of.iter().map(|t| value(t)).sum::<f64>() / n;
        let spread = of.iter().map(|t| (value(t) - mean).powi(2)).sum::<f64>();
        Mean { mean, error: (spread / (n - 1.0).max(1.0) / n).sqrt() }
    };
    Row {
        things,
        count,
        box_iou: mean(&|t| t.found[0]),
        outline_iou: mean(&|t| t.found[1]),
        whole_box_iou: mean(&|t| t.whole[0]).mean,
        whole_outline_iou: mean(&|t| t.whole[1]).mean,
    }
}

/// Intersection over union of two boxes.
fn overlap(a: Rect, b: Rect) -> f64 {
    let area = |r: Rect| f64::from((r.x1 - r.x0).max(0.0)) * f64::from((r.y1 - r.y0).max(0.0));
    let both = area(Rect {
        x0: a.x0.max(b.x0),
        y0: a.y0.max(b.y0),
        x1: a.x1.min(b.x1),
        y1: a.y1.min(b.y1),
    });
    both / (area(a) + area(b) - both).max(f64::MIN_POSITIVE)
}

/// The pixels of a thing.
struct Outline {
    width: usize,
    inside: Vec<bool>,
}

impl Outline {
    /// Pixels whose middle lies within a polygon, by the even-odd rule.
    fn of(polygon: &[[f32; 2]], width: u32, height: u32) -> Self {
        let (width, height) = (width as usize, height as usize);
        let mut inside = vec![false; width * height];
        for (y, row) in inside.chunks_exact_mut(width).enumerate() {
            let middle = y as f32 + 0.5;
            let next = polygon.iter().cycle().skip(1);
            let mut crossings: Vec<f32> = polygon
                .iter()
                .zip(next)
                .filter(|([_, a], [_, b])| (*a <= middle) != (*b <= middle))
                .map(|([ax, ay], [bx, by])| ax + (middle - ay) / (by - ay) * (bx - ax))
                .collect();
            crossings.sort_by(f32::total_cmp);
            for [from, to] in crossings.as_chunks::<2>().0 {
                let at = |x: f32| ((x - 0.5).ceil().max(0.0) as usize).min(width);
                row[at(*from)..at(*to).max(at(*from))].fill(true);
            }
        }
        Self { width, inside }
    }

    fn share(&self) -> f64 {
        self.inside.iter().filter(|inside| **inside).count() as f64 / self.inside.len() as f64
    }

    /// The point that lies farthest from everything else, in fractions: two passes of a chamfer
    /// distance (Borgefors, 1986).
    fn innermost(&self) -> (f32, f32) {
        let (w, h) = (self.width, self.inside.len() / self.width);
        let mut far = vec![0u32; w * h];
        let order: Vec<usize> = (0..w * h).collect();
        let pass = |far: &mut [u32], at: usize, sides: [(isize, isize, u32); 4]| {
            let (x, y) = ((at % w) as isize, (at / w) as isize);
            let value = |(dx, dy, step): (isize, isize, u32)| {
                let (x, y) = (x + dx, y + dy);
                let within = (0..w as isize).contains(&x) && (0..h as isize).contains(&y);
                step + if within { far[y as usize * w + x as usize] } else { 0 }
            };
            let least = sides.map(value).into_iter().min().unwrap_or(0);
            let first = far[at] == 0;
            far[at] = match self.inside[at] {
                false => 0,
                true if first => least,
                true => far[at].min(least),
            };
        };
        for &at in &order {
            pass(&mut far, at, [(-1, 0, 5), (0, -1, 5), (-1, -1, 7), (1, -1, 7)]);
        }
        for &at in order.iter().rev() {
            pass(&mut far, at, [(1, 0, 5), (0, 1, 5), (1, 1, 7), (-1, 1, 7)]);
        }
        let best =
            order.into_iter().max_by_key(|&at| (far[at], std::cmp::Reverse(at))).unwrap_or(0);
        (((best % w) as f32 + 0.5) / w as f32, ((best / w) as f32 + 0.5) / h as f32)
    }

    fn overlap(&self, found: &[bool]) -> f64 {
        let count = |both: fn(bool, bool) -> bool| {
            self.inside.iter().zip(found).filter(|(a, b)| both(**a, **b)).count() as f64
        };
        count(|a, b| a && b) / count(|a, b| a || b).max(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_polygon_is_drawn_and_its_innermost_point_found() {
        let square = [[2.0, 1.0], [8.0, 1.0], [8.0, 7.0], [2.0, 7.0]];
        let outline = Outline::of(&square, 10, 10);
        assert!((outline.share() - 0.36).abs() < 1e-9);
        let (x, y) = outline.innermost();
        assert!((0.4..0.6).contains(&x) && (0.3..0.5).contains(&y), "{x} {y}");
        assert_eq!(outline.overlap(&outline.inside.clone()), 1.0);
        let all = overlap(Rect::WHOLE, Rect { x0: 0.2, y0: 0.1, x1: 0.8, y1: 0.7 });
        assert!((all - 0.36).abs() < 1e-6);
    }
}
