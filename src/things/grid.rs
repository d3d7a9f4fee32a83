//! A photo in few cells of colour, and which of them hang together.

use std::cell::OnceCell;
use std::cmp::Ordering;
use std::collections::BinaryHeap;

use fast_image_resize::PixelType;

use crate::error::Result;
use crate::image::Picture;
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

/// A photo in few cells, row by row.
pub(super) struct Grid {
    width: usize,
    height: usize,
    /// CIE Lab.
    lab: Vec<[f32; 3]>,
    /// What it costs to pass a cell.
    cost: Vec<f32>,
    /// How far each cell is from the photo's border.
    from_border: OnceCell<Vec<f32>>,
}

impl Grid {
    pub(super) fn of(photo: &Picture) -> Result<Self> {
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
        Ok(Self { width, height, lab, cost, from_border: OnceCell::new() })
    }

    pub(super) const fn width(&self) -> usize {
        self.width
    }

    pub(super) const fn height(&self) -> usize {
        self.height
    }

    /// Which cells are what lies at a point in fractions, and the mean step of colour across their
    /// outline; `None` where that is a plain ground.
    pub(super) fn thing(&self, x: f32, y: f32) -> Option<(Vec<bool>, f32)> {
        let tap = self.cell(x, y);
        let inside = self.component(&self.segment(tap), tap);
        let contrast = self.contrast(&inside);
        (contrast >= PLAIN).then_some((inside, contrast))
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
        // The same for every tap.
        let from_border = self
            .from_border
            .get_or_init(|| seeds(&|x, y| x == 0 || y == 0 || x == w - 1 || y == h - 1));
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
        let kernel: Vec<(isize, f32)> = kernel(1.0).collect();
        // Along each axis on its own; what leaves at the ends is lost.
        for (stride, count) in [(b * c, a), (c, b), (1, c)] {
            let before = bins.clone();
            for (at, value) in bins.iter_mut().enumerate() {
                let place = at / stride % count;
                *value = kernel
                    .iter()
                    .filter_map(|&(offset, weight)| {
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
