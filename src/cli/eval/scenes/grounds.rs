//! What products are laid over: grounds made here, of which nothing was ever learnt, or photos.

use std::path::Path;

use fast_image_resize::PixelType;

use crate::area::Area;
use crate::cli::catalogue::{self, Catalogue};
use crate::cli::output;
use crate::cli::random::{Dice, mix, mixed, uniform};
use crate::error::{Error, ErrorKind, Result};
use crate::image::Picture;
use crate::preprocess::resample;

/// Size of every scene.
pub(super) const WIDTH: u32 = 512;
pub(super) const HEIGHT: u32 = 384;

/// Where grounds come from.
pub(super) enum Grounds {
    Made,
    /// At least one, each [`WIDTH`] x [`HEIGHT`].
    Photos(Vec<Picture>),
}

impl Grounds {
    /// Those of a folder, or else made ones.
    pub(super) fn of(folder: Option<&Path>) -> Result<Self> {
        folder.map_or(Ok(Self::Made), Self::read)
    }

    /// Photos of a folder, each cut to the scene's shape. Those that cannot be read are said.
    fn read(folder: &Path) -> Result<Self> {
        let Catalogue { items, pictures, .. } =
            catalogue::read(folder, &catalogue::Args::default())?;
        let mut photos = Vec::new();
        for item in items {
            match pictures.main(&item.product).and_then(|(_, picture)| fitted(&picture)) {
                Ok(photo) => photos.push(photo),
                Err(error) => output::remark(format_args!("skipped: {error}")),
            }
        }
        if photos.is_empty() {
            let what = format!("{} holds no picture that can be read", folder.display());
            return Err(Error::new(ErrorKind::BadCatalog, what));
        }
        Ok(Self::Photos(photos))
    }

    /// The ground of this seed.
    pub(super) fn picture(&self, seed: u64) -> Result<Picture> {
        match self {
            Self::Made => made(seed),
            Self::Photos(photos) => Ok(photos[mixed(seed) as usize % photos.len()].clone()),
        }
    }
}

/// The middle of a picture, in the scene's shape and size.
fn fitted(picture: &Picture) -> Result<Picture> {
    let (w, h) = (picture.width(), picture.height());
    let (w64, h64) = (u64::from(w), u64::from(h));
    // The larger part of the scene's shape that the picture holds.
    let cw = w64.min(h64 * u64::from(WIDTH) / u64::from(HEIGHT)).max(1) as u32;
    let ch = h64.min(w64 * u64::from(HEIGHT) / u64::from(WIDTH)).max(1) as u32;
    let (x0, y0) = ((w - cw) / 2, (h - ch) / 2);
    let part = Area { x0, y0, x1: x0 + cw, y1: y0 + ch }.cut(picture)?;
    let rgb = resample(cw, ch, part.rgb(), PixelType::U8x3, WIDTH, HEIGHT)?;
    Picture::from_rgb(WIDTH, HEIGHT, rgb)
}

fn made(seed: u64) -> Result<Picture> {
    let mut dice = Dice(mixed(seed));
    let colour = dice.colour();
    let shade: Box<dyn Fn(f32, f32) -> [f32; 3]> = match mixed(seed) % 5 {
        0 => gradient(&mut dice, colour),
        1 => clouds(&mut dice, colour),
        2 => tiles(&mut dice, colour),
        3 => planks(&mut dice, colour),
        _ => clutter(&mut dice, colour),
    };
    // The grain of a sensor.
    let grain = dice.roll(0.0, 10.0);
    let start = mixed(dice.0);
    let rgb = (0..WIDTH * HEIGHT)
        .flat_map(|at| {
            let colour = shade((at % WIDTH) as f32, (at / WIDTH) as f32);
            let grain = grain * (uniform(start.wrapping_add(u64::from(at))) - 0.5);
            colour.map(|c| (c + grain).clamp(0.0, 255.0) as u8)
        })
        .collect();
    Picture::from_rgb(WIDTH, HEIGHT, rgb)
}

type Shade = Box<dyn Fn(f32, f32) -> [f32; 3]>;

/// From one colour to another, as light falls on a wall.
fn gradient(dice: &mut Dice, from: [f32; 3]) -> Shade {
    let to = dice.colour();
    let (dx, dy) = (dice.roll(-1.0, 1.0), dice.roll(-1.0, 1.0));
    Box::new(move |x, y| {
        let along = dx * (x / WIDTH as f32 - 0.5) + dy * (y / HEIGHT as f32 - 0.5);
        mix(from, to, (0.5 + along).clamp(0.0, 1.0))
    })
}

/// Noise of several sizes: Perlin, An Image Synthesizer, SIGGRAPH 1985, with values for gradients.
fn clouds(dice: &mut Dice, from: [f32; 3]) -> Shade {
    let to = dice.colour();
    let (size, seed) = (dice.roll(40.0, 160.0), mixed(dice.0));
    Box::new(move |x, y| mix(from, to, noise(x / size, y / size, seed)))
}

/// 0 to 1, smooth, with four octaves.
fn noise(x: f32, y: f32, seed: u64) -> f32 {
    let (mut sum, mut weight, mut all) = (0.0, 1.0, 0.0);
    for octave in 0..4u64 {
        let scale = (1 << octave) as f32;
        sum += weight * lattice(x * scale, y * scale, seed.wrapping_add(octave));
        all += weight;
        weight *= 0.5;
    }
    sum / all
}

/// Random values on the whole numbers, smooth between them.
fn lattice(x: f32, y: f32, seed: u64) -> f32 {
    let (left, top) = (x.floor(), y.floor());
    let value = |dx: f32, dy: f32| {
        let (column, row) = ((left + dx) as i64 as u64, (top + dy) as i64 as u64);
        uniform(mixed(mixed(seed ^ column) ^ row))
    };
    let smooth = |t: f32| t * t * (3.0 - 2.0 * t);
    let (u, v) = (smooth(x - left), smooth(y - top));
    let upper = value(0.0, 0.0) * (1.0 - u) + value(1.0, 0.0) * u;
    let lower = value(0.0, 1.0) * (1.0 - u) + value(1.0, 1.0) * u;
    upper * (1.0 - v) + lower * v
}

/// Bricks or tiles, each a little different, with joints.
fn tiles(dice: &mut Dice, colour: [f32; 3]) -> Shade {
    let joint = dice.colour();
    let (w, h) = (dice.roll(24.0, 96.0), dice.roll(16.0, 64.0));
    let (gap, shift) = (dice.roll(1.0, 5.0), dice.roll(0.0, 1.0).round() * 0.5);
    let (reach, seed) = (dice.roll(5.0, 40.0), mixed(dice.0));
    Box::new(move |x, y| {
        let row = (y / h).floor();
        let x = x + row * shift * w;
        if x.rem_euclid(w) < gap || y.rem_euclid(h) < gap {
            return joint;
        }
        let tile = mixed(seed ^ ((x / w).floor() as u64) << 16 ^ row as u64);
        Dice(tile).near(colour, reach)
    })
}

/// Boards with a grain along them.
fn planks(dice: &mut Dice, colour: [f32; 3]) -> Shade {
    let dark = colour.map(|c| c * 0.55);
    let (width, stretch) = (dice.roll(30.0, 110.0), dice.roll(8.0, 30.0));
    let (upright, seed) = (dice.roll(0.0, 1.0) < 0.5, mixed(dice.0));
    Box::new(move |x, y| {
        let (along, across) = if upright { (y, x) } else { (x, y) };
        let board = (across / width).floor();
        let seed = mixed(seed ^ board as u64);
        let grain = noise(along / (stretch * 10.0), across / 6.0, seed);
        let edge = if across.rem_euclid(width) < 1.5 { 0.8 } else { 0.0 };
        mix(colour, dark, (grain * 0.6 + uniform(seed) * 0.4).max(edge))
    })
}

/// Many things of many colours, one before the other.
fn clutter(dice: &mut Dice, colour: [f32; 3]) -> Shade {
    let things: Vec<([f32; 4], [f32; 3], bool)> = (0..40)
        .map(|_| {
            let place = [
                dice.roll(0.0, WIDTH as f32),
                dice.roll(0.0, HEIGHT as f32),
                dice.roll(8.0, 110.0),
                dice.roll(8.0, 90.0),
            ];
            (place, dice.colour(), dice.roll(0.0, 1.0) < 0.5)
        })
        .collect();
    Box::new(move |x, y| {
        let covers = |([cx, cy, w, h], _, round): &&([f32; 4], [f32; 3], bool)| {
            let (dx, dy) = (((x - cx) / w).abs(), ((y - cy) / h).abs());
            if *round { dx * dx + dy * dy < 0.25 } else { dx.max(dy) < 0.5 }
        };
        things.iter().rev().find(covers).map_or(colour, |thing| {
            // Lit from above.
            let [_, cy, _, h] = thing.0;
            thing.1.map(|c| c * (1.0 - 0.35 * ((y - cy) / h)))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grounds_repeat_and_differ_and_few_are_plain() {
        let all: Vec<Picture> = (0..30).map(|seed| Grounds::Made.picture(seed).unwrap()).collect();
        let again = Grounds::Made.picture(7).unwrap();
        assert!(again.rgb() == all[7].rgb(), "repeats");
        assert!((1..30).all(|i| all[i].rgb() != all[i - 1].rgb()));
        let spread = |picture: &Picture, channel: usize| {
            let values = picture.rgb().iter().skip(channel).step_by(3);
            values.clone().max().unwrap() - values.min().unwrap()
        };
        let busy = all.iter().filter(|picture| (0..3).any(|c| spread(picture, c) > 30));
        assert!(busy.count() >= 25);
    }

    #[test]
    fn photos_are_cut_to_the_shape_of_a_scene() {
        for (w, h) in [(1000, 100), (100, 1000), (512, 384), (3, 3), (1, 1)] {
            let picture = Picture::from_rgb(w, h, vec![90; (w * h * 3) as usize]).unwrap();
            let fitted = fitted(&picture).unwrap();
            assert_eq!((fitted.width(), fitted.height()), (WIDTH, HEIGHT));
        }
    }
}
