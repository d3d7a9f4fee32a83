//! Textures that are made up: walls above floors, and what stands about, out of focus. The scenes that
//! products are looked for in when all this is measured (`eval scenes --synthetic`) have others.

use crate::cli::random::{Dice, mix, mixed, uniform};
use crate::error::Result;
use crate::image::Picture;

type Colour = [f32; 3];
/// The colour of a point, in fractions of the frame.
type Texture = Box<dyn Fn(f32, f32) -> Colour>;

/// A square ground.
pub(super) fn made(seed: u64, side: u32) -> Result<Picture> {
    let mut dice = Dice(mixed(seed ^ 0x6772_6f75_6e64));
    let texture = match (dice.roll(0.0, 4.0)) as u32 {
        0 => texture(&mut dice),
        1 | 2 => room(&mut dice),
        _ => lights(&mut dice),
    };
    let grain = dice.roll(0.0, 14.0);
    let start = mixed(dice.0);
    let rgb = (0..side * side)
        .flat_map(|at| {
            let (x, y) = ((at % side) as f32 / side as f32, (at / side) as f32 / side as f32);
            let grain = grain * (uniform(start.wrapping_add(u64::from(at))) - 0.5);
            texture(x, y).map(|c| (c + grain).clamp(0.0, 255.0) as u8)
        })
        .collect();
    Picture::from_rgb(side, side, rgb)
}

fn texture(dice: &mut Dice) -> Texture {
    match (dice.roll(0.0, 3.0)) as u32 {
        0 => cells(dice),
        1 => weave(dice),
        _ => waves(dice),
    }
}

/// One texture above another, with the edge between them somewhere below the middle, not quite level,
/// and light from one side.
fn room(dice: &mut Dice) -> Texture {
    let (wall, floor) = (texture(dice), texture(dice));
    let (level, slope) = (dice.roll(0.45, 0.95), dice.roll(-0.15, 0.15));
    let (from, to) = (dice.roll(0.6, 1.1), dice.roll(0.6, 1.1));
    Box::new(move |x, y| {
        let colour = if y < level + slope * (x - 0.5) { wall(x, y) } else { floor(x, y) };
        let light = from + (to - from) * x;
        colour.map(|c| c * light)
    })
}

/// Stones or leather: each point has the colour of the nearest of scattered points (Worley, A Cellular
/// Texture Basis Function, SIGGRAPH 1996).
fn cells(dice: &mut Dice) -> Texture {
    let (colour, size, seed) = (dice.colour(), dice.roll(4.0, 26.0), mixed(dice.0));
    let (reach, edge) = (dice.roll(6.0, 45.0), dice.roll(0.0, 0.5));
    Box::new(move |x, y| {
        let (x, y) = (x * size, y * size);
        let mut nearest = (f32::INFINITY, 0u64);
        for (dx, dy) in (0..9).map(|i| (i % 3 - 1, i / 3 - 1)) {
            let (cx, cy) = (x.floor() as i64 + dx, y.floor() as i64 + dy);
            let cell = mixed(seed ^ mixed(cx as u64) ^ (cy as u64).rotate_left(32));
            let (px, py) = (cx as f32 + uniform(cell), cy as f32 + uniform(cell ^ 1));
            let far = (px - x).hypot(py - y);
            if far < nearest.0 {
                nearest = (far, cell);
            }
        }
        let own = Dice(nearest.1).near(colour, reach);
        own.map(|c| c * (1.0 - edge * nearest.0))
    })
}

/// Cloth: stripes across stripes.
fn weave(dice: &mut Dice) -> Texture {
    let (ground, warp, weft) = (dice.colour(), dice.colour(), dice.colour());
    let turn = dice.roll(0.0, std::f32::consts::PI);
    let (sin, cos) = turn.sin_cos();
    let stripes = [0; 2].map(|_| (dice.roll(8.0, 140.0), dice.roll(0.0, 6.0), dice.roll(0.1, 0.7)));
    Box::new(move |x, y| {
        let (u, v) = (x * cos + y * sin, y * cos - x * sin);
        let share = |at: f32, (often, phase, much): (f32, f32, f32)| {
            much * (0.5 + 0.5 * (at * often + phase).sin())
        };
        mix(mix(ground, warp, share(u, stripes[0])), weft, share(v, stripes[1]))
    })
}

/// Wood or marble: bands that bend.
fn waves(dice: &mut Dice) -> Texture {
    let (light, dark) = (dice.colour(), dice.colour());
    let (often, bend) = (dice.roll(6.0, 60.0), dice.roll(0.5, 5.0));
    let phases = [0; 4].map(|_| dice.roll(0.0, 6.0));
    let across = dice.roll(0.0, 1.0) < 0.5;
    Box::new(move |x, y| {
        let (x, y) = if across { (y, x) } else { (x, y) };
        let bent = (x * 7.0 + phases[0]).sin()
            + (y * 11.0 + phases[1]).sin()
            + 0.5 * ((x + y) * 23.0 + phases[2]).sin();
        let band = 0.5 + 0.5 * (y * often + bend * bent + phases[3]).sin();
        mix(light, dark, 0.7 * band)
    })
}

/// What is far behind: soft discs, one over the other.
fn lights(dice: &mut Dice) -> Texture {
    let ground = dice.colour();
    let discs: Vec<([f32; 3], Colour, f32)> = (0..dice.roll(6.0, 40.0) as usize)
        .map(|_| {
            let disc = [dice.roll(0.0, 1.0), dice.roll(0.0, 1.0), dice.roll(0.03, 0.4)];
            (disc, dice.colour(), dice.roll(0.3, 1.0))
        })
        .collect();
    Box::new(move |x, y| {
        discs.iter().fold(ground, |below, ([cx, cy, radius], colour, much)| {
            let inside = 1.0 - ((x - cx).hypot(y - cy) / radius);
            mix(below, *colour, much * (inside * 3.0).clamp(0.0, 1.0))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn textures_repeat_differ_and_few_are_plain() {
        let all: Vec<Picture> = (0..40).map(|seed| made(seed, 64).unwrap()).collect();
        assert!(made(7, 64).unwrap().rgb() == all[7].rgb());
        assert!((1..40).all(|i| all[i].rgb() != all[i - 1].rgb()));
        let busy = all.iter().filter(|picture| {
            let reds = || picture.rgb().iter().step_by(3);
            reds().max().unwrap() - reds().min().unwrap() > 25
        });
        assert!(busy.count() >= 34);
    }
}
