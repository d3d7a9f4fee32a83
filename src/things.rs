//! Which thing of a photo a shopper means by a tap: its outline and box, by colours alone.
//!
//! Two distances decide, both along the cheapest way through the photo, where crossing an edge of
//! colour is what costs (geodesic segmentation; Bai and Sapiro, ICCV 2007): from the tap, and from
//! the photo's border. What is nearer to the tap is the thing. Colours then have their say: those of
//! the thing so far against those of the rest, by histograms, as GrabCut does it (Rother et al.,
//! SIGGRAPH 2004), a few times over. No network is run: docs/things.md has the figures.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use fast_image_resize::PixelType;

use crate::area::{Area, Rect};
use crate::error::{Error, ErrorKind, Result};
use crate::image::Picture;
use crate::mask::Mask;
use crate::preprocess::resample;

/// Cells on the photo's longer side.
const SIDE: u32 = 64;
/// What a step costs where there is no edge, in units of Lab's distance.
const FLAT: f32 = 1.0;
/// How much colours have to say against distances.
const COLOUR: f32 = 1.5;
/// Colours are never surer than this (a logarithm of odds), lest they spill over an edge.
const SURE: f32 = 2.0;
/// How much it counts to be near to the tap, in photos' sides, and where that turns.
const NEAR: f32 = 2.0;
const REACH: f32 = 0.35;
/// How often colours are asked.
const ROUNDS: usize = 3;
/// The mean step of colour across its outline below which there is no thing: a wall, a floor.
const PLAIN: f32 = 6.0;
/// Bins of a histogram along lightness, green to red, blue to yellow.
const BINS: [usize; 3] = [8, 12, 12];

/// What lies at a point of a photo.
#[derive(Clone, Debug, PartialEq)]
pub struct Thing {
    /// Around it, in fractions of the photo.
    pub rect: Rect,
    /// Leaves it alone; coarse, and as wide and high as the photo in proportion.
    pub mask: Mask,
}

/// The thing at a point in fractions of the photo, 0 to 1; `None` where there is nothing but a plain
/// ground.
///
/// # Errors
/// `BadQuery` if the point lies outside of the photo.
pub fn thing_at(photo: &Picture, x: f32, y: f32) -> Result<Option<Thing>> {
    if !((0.0..=1.0).contains(&x) && (0.0..=1.0).contains(&y)) {
        return Err(Error::new(
            ErrorKind::BadQuery,
            format!("the point {x}, {y} lies outside of the photo: give fractions from 0 to 1"),
        ));
    }
    let grid = Grid::of(photo)?;
    let tap = grid.cell(x, y);
    let inside = grid.component(&grid.segment(tap), tap);
    if grid.contrast(&inside) < PLAIN {
        return Ok(None);
    }
    let coverage = inside.iter().map(|&inside| if inside { 0 } else { 255 }).collect();
    let mask = Mask::new(grid.width as u32, grid.height as u32, coverage)?;
    let Some(Area { x0, y0, x1, y1 }) = mask.left() else { return Ok(None) };
    let share = |at: u32, of: usize| at as f32 / of as f32;
    let (w, h) = (grid.width, grid.height);
    let rect = Rect { x0: share(x0, w), y0: share(y0, h), x1: share(x1, w), y1: share(y1, h) };
    Ok(Some(Thing { rect, mask }))
}

/// A photo in few cells, row by row.
struct Grid {
    width: usize,
    height: usize,
    /// CIE Lab.
    lab: Vec<[f32; 3]>,
    /// What it costs to pass a cell.
    cost: Vec<f32>,
}

impl Grid {
    fn of(photo: &Picture) -> Result<Self> {
        let (w, h) = (photo.width(), photo.height());
        let side = |side: u32| {
            let most = u64::from(SIDE) * u64::from(side);
            (most.div_ceil(u64::from(w.max(h))) as u32).clamp(1, SIDE)
        };
        let (width, height) = (side(w), side(h));
        let rgb = resample(w, h, photo.rgb(), PixelType::U8x3, width, height)?;
        let (width, height) = (width as usize, height as usize);
        let lab: Vec<[f32; 3]> = rgb.chunks_exact(3).map(|p| lab([p[0], p[1], p[2]])).collect();
        let cost = edges(&lab, width, height);
        Ok(Self { width, height, lab, cost })
    }

    /// The cell at a point in fractions.
    fn cell(&self, x: f32, y: f32) -> usize {
        let at = |share: f32, of: usize| ((share * of as f32) as usize).min(of - 1);
        at(y, self.height) * self.width + at(x, self.width)
    }

    /// Whether each cell belongs to what is tapped.
    fn segment(&self, tap: usize) -> Vec<bool> {
        let (w, h) = (self.width, self.height);
        let (tx, ty) = (tap % w, tap / w);
        let near = |a: usize, b: usize| a.abs_diff(b) <= 1;
        let seeds = |seed: &dyn Fn(usize, usize) -> bool| {
            self.distances((0..w * h).filter(|at| seed(at % w, at / w)))
        };
        let from_tap = seeds(&|x, y| near(x, tx) && near(y, ty));
        let from_border = seeds(&|x, y| x == 0 || y == 0 || x == w - 1 || y == h - 1);
        let prior: Vec<f32> = (0..w * h)
            .map(|at| {
                let across = (at % w).abs_diff(tx) as f32 / w as f32;
                let down = (at / w).abs_diff(ty) as f32 / h as f32;
                let nearer = ((from_border[at] + 0.5) / (from_tap[at] + 0.5)).ln();
                nearer - NEAR * (across.hypot(down) - REACH)
            })
            .collect();
        let mut score = prior.clone();
        for _ in 0..ROUNDS {
            let likely: Vec<f32> = score.iter().map(|z| 1.0 / (1.0 + (-3.0 * z).exp())).collect();
            let ours = self.histogram(likely.iter().copied());
            let theirs = self.histogram(likely.iter().map(|p| 1.0 - p));
            let ratio: Vec<f32> = self
                .lab
                .iter()
                .map(|lab| {
                    let at = bin(lab);
                    ((ours[at] + 1e-5) / (theirs[at] + 1e-5)).ln().clamp(-SURE, SURE)
                })
                .collect();
            let ratio = blurred(&ratio, w, h, 1.0);
            score = prior.iter().zip(ratio).map(|(prior, ratio)| prior + COLOUR * ratio).collect();
        }
        score.iter().map(|z| *z > 0.0).collect()
    }

    /// The cheapest way from any of the seeds to each cell (Dijkstra's), to its eight neighbours.
    fn distances(&self, seeds: impl Iterator<Item = usize>) -> Vec<f32> {
        let (w, h) = (self.width, self.height);
        let mut distance = vec![f32::INFINITY; w * h];
        let mut open = BinaryHeap::new();
        for at in seeds {
            distance[at] = 0.0;
            open.push(Reached { distance: 0.0, at });
        }
        while let Some(Reached { distance: so_far, at }) = open.pop() {
            if so_far > distance[at] {
                continue;
            }
            let (x, y) = (at % w, at / w);
            for ny in y.saturating_sub(1)..=(y + 1).min(h - 1) {
                for nx in x.saturating_sub(1)..=(x + 1).min(w - 1) {
                    let to = ny * w + nx;
                    let far = if nx != x && ny != y { std::f32::consts::SQRT_2 } else { 1.0 };
                    let through = so_far + far * (self.cost[at] + self.cost[to]) / 2.0;
                    if to != at && through < distance[to] {
                        distance[to] = through;
                        open.push(Reached { distance: through, at: to });
                    }
                }
            }
        }
        distance
    }

    /// How much weight each bin of colour has, smoothed, summing to 1.
    fn histogram(&self, weights: impl Iterator<Item = f32>) -> Vec<f32> {
        let [a, b, c] = BINS;
        let mut bins = vec![0f32; a * b * c];
        self.lab.iter().zip(weights).for_each(|(lab, weight)| bins[bin(lab)] += weight);
        // Along each axis on its own; what leaves at the ends is lost.
        for (stride, count) in [(b * c, a), (c, b), (1, c)] {
            let before = bins.clone();
            for (at, value) in bins.iter_mut().enumerate() {
                let place = at / stride % count;
                *value = kernel(1.0)
                    .filter_map(|(offset, weight)| {
                        let to = place.checked_add_signed(offset).filter(|to| *to < count)?;
                        Some(weight * before[at - place * stride + to * stride])
                    })
                    .sum();
            }
        }
        let total: f32 = bins.iter().sum();
        bins.iter_mut().for_each(|value| *value /= total + 1e-12);
        bins
    }

    /// What hangs together with the tap, and what it encloses.
    fn component(&self, inside: &[bool], tap: usize) -> Vec<bool> {
        let (w, h) = (self.width, self.height);
        let mut thing = self.flood([tap].into_iter(), |at| inside[at] || at == tap);
        let rim = (0..w * h).filter(|at| {
            let (x, y) = (at % w, at / w);
            (x == 0 || y == 0 || x == w - 1 || y == h - 1) && !thing[*at]
        });
        let outside = self.flood(rim.collect::<Vec<_>>().into_iter(), |at| !thing[at]);
        thing.iter_mut().zip(outside).for_each(|(thing, outside)| *thing = !outside);
        thing
    }

    /// All cells that can be reached from some over those that may be passed, by their four sides.
    fn flood(
        &self,
        from: impl Iterator<Item = usize>,
        passes: impl Fn(usize) -> bool,
    ) -> Vec<bool> {
        let (w, h) = (self.width, self.height);
        let mut reached = vec![false; w * h];
        let mut open: Vec<usize> = from.collect();
        open.iter().for_each(|&at| reached[at] = true);
        while let Some(at) = open.pop() {
            let (x, y) = (at % w, at / w);
            let sides = [
                (x > 0).then(|| at - 1),
                (x + 1 < w).then(|| at + 1),
                (y > 0).then(|| at - w),
                (y + 1 < h).then(|| at + w),
            ];
            for to in sides.into_iter().flatten() {
                if !reached[to] && passes(to) {
                    reached[to] = true;
                    open.push(to);
                }
            }
        }
        reached
    }

    /// The mean step of colour across the border of some cells; infinite where they are all.
    fn contrast(&self, inside: &[bool]) -> f32 {
        let (w, h) = (self.width, self.height);
        let (mut sum, mut count) = (0f32, 0u32);
        for at in 0..w * h {
            let right = (at % w + 1 < w).then(|| at + 1);
            let below = (at / w + 1 < h).then(|| at + w);
            for to in right.into_iter().chain(below).filter(|&to| inside[at] != inside[to]) {
                sum += length(difference(self.lab[at], self.lab[to]));
                count += 1;
            }
        }
        if count == 0 { f32::INFINITY } else { sum / count as f32 }
    }
}

/// A cell that a way has reached; the nearest first.
#[derive(PartialEq)]
struct Reached {
    distance: f32,
    at: usize,
}

impl Eq for Reached {}

impl Ord for Reached {
    fn cmp(&self, other: &Self) -> Ordering {
        other.distance.total_cmp(&self.distance).then(other.at.cmp(&self.at))
    }
}

impl PartialOrd for Reached {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// sRGB to CIE Lab under D65.
fn lab(rgb: [u8; 3]) -> [f32; 3] {
    let [r, g, b] = rgb.map(|value| {
        let value = f32::from(value) / 255.0;
        if value > 0.040_45 { ((value + 0.055) / 1.055).powf(2.4) } else { value / 12.92 }
    });
    let x = (0.412_453 * r + 0.357_58 * g + 0.180_423 * b) / 0.950_47;
    let y = 0.212_671 * r + 0.715_16 * g + 0.072_169 * b;
    let z = (0.019_334 * r + 0.119_193 * g + 0.950_227 * b) / 1.088_83;
    let [x, y, z] =
        [x, y, z].map(|t: f32| if t > 0.008_856 { t.cbrt() } else { 7.787 * t + 16.0 / 116.0 });
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

fn bin(&[l, a, b]: &[f32; 3]) -> usize {
    let place = |share: f32, bins: usize| ((share * bins as f32).max(0.0) as usize).min(bins - 1);
    let [x, y, z] = BINS;
    (place(l / 100.0, x) * y + place((a + 60.0) / 120.0, y)) * z + place((b + 60.0) / 120.0, z)
}

fn difference(a: [f32; 3], b: [f32; 3]) -> [f32; 3] {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

fn length([a, b, c]: [f32; 3]) -> f32 {
    (a * a + b * b + c * c).sqrt()
}

/// Offsets and weights of a Gaussian, summing to 1.
fn kernel(sigma: f32) -> impl Iterator<Item = (isize, f32)> {
    let reach = (4.0 * sigma + 0.5) as isize;
    let weight = move |offset: isize| (-0.5 * (offset as f32 / sigma).powi(2)).exp();
    let total: f32 = (-reach..=reach).map(weight).sum();
    (-reach..=reach).map(move |offset| (offset, weight(offset) / total))
}

/// Blurred by a Gaussian, mirrored at the rim.
fn blurred(values: &[f32], width: usize, height: usize, sigma: f32) -> Vec<f32> {
    let mirrored = |at: isize, of: usize| {
        let of = of as isize;
        let at = at.rem_euclid(2 * of);
        (if at < of { at } else { 2 * of - 1 - at }) as usize
    };
    let kernel: Vec<(isize, f32)> = kernel(sigma).collect();
    let sum = |at: &dyn Fn(isize) -> f32| kernel.iter().map(|&(o, weight)| weight * at(o)).sum();
    let mut across = vec![0f32; values.len()];
    for (at, value) in across.iter_mut().enumerate() {
        let (x, row) = ((at % width) as isize, at / width * width);
        *value = sum(&|offset| values[row + mirrored(x + offset, width)]);
    }
    let mut down = vec![0f32; values.len()];
    for (at, value) in down.iter_mut().enumerate() {
        let (x, y) = (at % width, (at / width) as isize);
        *value = sum(&|offset| across[mirrored(y + offset, height) * width + x]);
    }
    down
}

/// What it costs to pass each cell: the slope of its colour (Sobel's, of the blurred photo).
fn edges(lab: &[[f32; 3]], width: usize, height: usize) -> Vec<f32> {
    let channels = [0, 1, 2].map(|channel| {
        let values: Vec<f32> = lab.iter().map(|lab| lab[channel]).collect();
        blurred(&values, width, height, 1.0)
    });
    let near =
        |at: usize, by: isize, of: usize| (at as isize + by).clamp(0, of as isize - 1) as usize;
    (0..width * height)
        .map(|at| {
            let (x, y) = (at % width, at / width);
            let slope: f32 = channels
                .iter()
                .map(|values| {
                    let value = |dx, dy| values[near(y, dy, height) * width + near(x, dx, width)];
                    let sobel = |value: &dyn Fn(isize, isize) -> f32| {
                        [(-1, 1.0), (0, 2.0), (1, 1.0)]
                            .map(|(beside, weight)| weight * (value(1, beside) - value(-1, beside)))
                            .iter()
                            .sum::<f32>()
                            / 4.0
                    };
                    let across = sobel(&|along, beside| value(along, beside));
                    let down = sobel(&|along, beside| value(beside, along));
                    across * across + down * down
                })
                .sum();
            FLAT + slope.sqrt()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A photo of 160 x 120 pixels.
    fn drawn(colour: impl Fn(f32, f32) -> [u8; 3]) -> Picture {
        let pixels = (0..160 * 120).flat_map(|at| colour((at % 160) as f32, (at / 160) as f32));
        Picture::from_rgb(160, 120, pixels.collect()).unwrap()
    }

    fn overlap(a: Rect, b: Rect) -> f32 {
        let area = |r: Rect| (r.x1 - r.x0).max(0.0) * (r.y1 - r.y0).max(0.0);
        let both = area(Rect {
            x0: a.x0.max(b.x0),
            y0: a.y0.max(b.y0),
            x1: a.x1.min(b.x1),
            y1: a.y1.min(b.y1),
        });
        both / (area(a) + area(b) - both)
    }

    #[test]
    fn a_disc_on_a_gradient_is_found_wherever_it_is_tapped() {
        let photo = drawn(|x, y| {
            if (x - 100.0).hypot(y - 60.0) < 30.0 {
                [200, 40, 30]
            } else {
                [90, 120, (100.0 + x / 2.0) as u8]
            }
        });
        let disc = Rect { x0: 70.0 / 160.0, y0: 30.0 / 120.0, x1: 130.0 / 160.0, y1: 90.0 / 120.0 };
        for (x, y) in [(100.0, 60.0), (85.0, 50.0), (110.0, 75.0)] {
            let thing = thing_at(&photo, x / 160.0, y / 120.0).unwrap().expect("a disc");
            assert!(overlap(thing.rect, disc) > 0.8, "{:?}", thing.rect);
            assert!((thing.mask.kept() - 0.147).abs() < 0.03, "{:?}", thing.mask);
        }
    }

    #[test]
    fn of_two_things_the_tapped_one_is_meant() {
        let photo = drawn(|x, y| match (x, y) {
            (20.0..65.0, 30.0..90.0) => [30, 60, 180],
            (95.0..140.0, 30.0..90.0) => [220, 180, 40],
            _ => [230, 230, 225],
        });
        for left in [20.0, 95.0] {
            let thing = thing_at(&photo, (left + 20.0) / 160.0, 0.5).unwrap().expect("a block");
            let block = Rect { x0: left / 160.0, y0: 0.25, x1: (left + 45.0) / 160.0, y1: 0.75 };
            assert!(overlap(thing.rect, block) > 0.8, "{left}: {:?}", thing.rect);
        }
    }

    #[test]
    fn a_plain_wall_is_nothing_and_no_photo_is_too_odd() {
        let wall = drawn(|x, y| [200, 195, (180.0 + x / 20.0 + y / 30.0) as u8]);
        assert_eq!(thing_at(&wall, 0.5, 0.5).unwrap(), None);
        for (width, height) in [(1, 3000), (3000, 1), (1, 1), (2, 5)] {
            let pixels = (0..width * height * 3).map(|i| (i * 37 % 256) as u8).collect();
            let photo = Picture::from_rgb(width, height, pixels).unwrap();
            for (x, y) in [(0.0, 0.0), (1.0, 1.0), (0.5, 0.5)] {
                if let Some(Thing { rect, .. }) = thing_at(&photo, x, y).unwrap() {
                    assert!(
                        rect.x0 < rect.x1 && rect.y0 < rect.y1 && rect.x1 <= 1.0 && rect.y1 <= 1.0
                    );
                }
            }
            for (x, y) in [(-0.1, 0.5), (0.5, 1.1), (f32::NAN, 0.5)] {
                assert_eq!(thing_at(&photo, x, y).unwrap_err().kind(), ErrorKind::BadQuery);
            }
        }
    }
}
