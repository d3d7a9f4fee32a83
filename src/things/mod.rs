//! Which thing of a photo a shopper means by a tap: its outline and box, by colours alone; and what
//! things there may be at all.
//!
//! Two distances decide, both along the cheapest way through the photo, where crossing an edge of
//! colour is what costs (geodesic segmentation; Bai and Sapiro, ICCV 2007): from the tap, and from
//! the photo's border. What is nearer to the tap is the thing. Colours then have their say: those of
//! the thing so far against those of the rest, by histograms, as GrabCut does it (Rother et al.,
//! SIGGRAPH 2004), a few times over. No network is run: docs/things.md has the figures.

mod grid;

use crate::area::{Area, Rect};
use crate::error::{Error, ErrorKind, Result};
use crate::image::Picture;
use crate::mask::Mask;
use grid::Grid;

/// Taps across and down by which things are looked for.
const TAPS: usize = 5;
/// Things that overlap by more than this are one; see [`Rect::overlap`].
const SAME: f32 = 0.6;
/// What takes more of the photo than this is its ground, and what takes less is not a thing but a
/// part of one.
const SIZES: std::ops::Range<f32> = 0.02..0.6;
/// At most so many things: each is looked at by the network.
const MOST: usize = 14;

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
    Ok(at(&Grid::of(photo)?, x, y)?.map(|(thing, _)| thing))
}

/// What may be things in a photo, those first that stand out most: what taps on a grid find, each
/// once. Walls and floors are left out, and what takes nearly all of the photo or nearly nothing.
///
/// # Errors
/// `Internal` only: a [`Picture`] can be shrunk.
pub fn things(photo: &Picture) -> Result<Vec<Thing>> {
    let grid = Grid::of(photo)?;
    let mut found: Vec<(Thing, f32)> = Vec::new();
    for tap in 0..TAPS * TAPS {
        let share = |at: usize| (at as f32 + 0.5) / TAPS as f32;
        if let Some(thing) = at(&grid, share(tap % TAPS), share(tap / TAPS))?
            && SIZES.contains(&thing.0.rect.area())
        {
            found.push(thing);
        }
    }
    found.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut kept: Vec<Thing> = Vec::new();
    for (thing, _) in found {
        if kept.iter().all(|there| there.rect.overlap(thing.rect) <= SAME) {
            kept.push(thing);
        }
    }
    kept.truncate(MOST);
    Ok(kept)
}

/// The thing at a point, and the mean step of colour across its outline.
fn at(grid: &Grid, x: f32, y: f32) -> Result<Option<(Thing, f32)>> {
    let Some((inside, contrast)) = grid.thing(x, y) else { return Ok(None) };
    let coverage = inside.iter().map(|&inside| if inside { 0 } else { 255 }).collect();
    let (width, height) = (grid.width() as u32, grid.height() as u32);
    let mask = Mask::new(width, height, coverage)?;
    let Some(Area { x0, y0, x1, y1 }) = mask.left() else { return Ok(None) };
    let share = |at: u32, of: u32| at as f32 / of as f32;
    let (w, h) = (width, height);
    let rect = Rect { x0: share(x0, w), y0: share(y0, h), x1: share(x1, w), y1: share(y1, h) };
    Ok(Some((Thing { rect, mask }, contrast)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A photo of 160 x 120 pixels.
    fn drawn(colour: impl Fn(f32, f32) -> [u8; 3]) -> Picture {
        let pixels = (0..160 * 120).flat_map(|at| colour((at % 160) as f32, (at / 160) as f32));
        Picture::from_rgb(160, 120, pixels.collect()).unwrap()
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
            assert!(thing.rect.overlap(disc) > 0.8, "{:?}", thing.rect);
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
            assert!(thing.rect.overlap(block) > 0.8, "{left}: {:?}", thing.rect);
        }
    }

    #[test]
    fn things_are_found_each_once_and_none_on_a_wall() {
        let photo = drawn(|x, y| match (x, y) {
            (20.0..65.0, 30.0..90.0) => [30, 60, 180],
            (95.0..140.0, 30.0..90.0) => [220, 180, 40],
            _ => [230, 230, 225],
        });
        let found = things(&photo).unwrap();
        for left in [20.0, 95.0] {
            let block = Rect { x0: left / 160.0, y0: 0.25, x1: (left + 45.0) / 160.0, y1: 0.75 };
            let those = found.iter().filter(|thing| thing.rect.overlap(block) > 0.6);
            assert_eq!(those.count(), 1, "{found:?}");
        }
        assert!(found.len() <= MOST);
        let wall = drawn(|x, y| [200, 195, (180.0 + x / 20.0 + y / 30.0) as u8]);
        assert_eq!(things(&wall).unwrap(), []);
        for (width, height) in [(1, 3000), (3000, 1), (1, 1)] {
            let pixels = (0..width * height * 3).map(|i| (i * 37 % 256) as u8).collect();
            things(&Picture::from_rgb(width, height, pixels).unwrap()).unwrap();
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
