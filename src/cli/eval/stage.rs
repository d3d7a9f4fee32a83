//! Pictures in which one product is in another's way, and the mask that takes it out.

use crate::area::Area;
use crate::cli::cutout::silhouette;
use crate::error::Result;
use crate::image::Picture;
use crate::mask::Mask;
use crate::preprocess::resize;

/// Where the other product is pasted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Place {
    /// At half size, over the lower right of the product's picture.
    Over,
    /// At a third of the size, in a strip of its own; the product at two thirds.
    Beside,
}

impl Place {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Over => "over",
            Self::Beside => "beside",
        }
    }
}

/// All at the network's input size.
pub(super) struct Scene {
    /// The product, with nothing in the way.
    pub(super) clean: Picture,
    /// With the other one pasted.
    pub(super) pasted: Picture,
    /// What the other one covers, a little grown.
    pub(super) mask: Mask,
    /// All but the product, as far as it can be seen.
    pub(super) only: Mask,
    /// The box around the product, hidden or not.
    pub(super) area: Area,
}

/// Pastes `other` into the picture of `product`. The mask is its silhouette, grown by `grow` pixels.
pub(super) fn set(
    product: &Picture,
    other: &Picture,
    place: Place,
    size: u32,
    grow: u32,
) -> Result<Scene> {
    let (clean, side, left, top) = match place {
        Place::Over => {
            let side = size / 2;
            (resize(product, size)?, side, size - side, size - side)
        }
        Place::Beside => {
            let (large, side) = (size * 2 / 3, size / 3);
            let mut clean = vec![255; (size * size * 3) as usize];
            let shown = resize(product, large)?;
            paste(&mut clean, size, &shown, (0, (size - large) / 2), |_| true);
            (Picture::from_rgb(size, size, clean)?, side, size - side, (size - side) / 2)
        }
    };
    let shown = resize(other, side)?;
    let outline = silhouette(&shown);
    let mut pasted = clean.rgb().to_vec();
    paste(&mut pasted, size, &shown, (left, top), |at| outline[at]);
    let covered = grown(&outline, side, (left, top), size, grow);
    let mut own: Vec<u8> = silhouette(&clean).iter().map(|&own| u8::from(!own) * 255).collect();
    if own.iter().all(|&c| c == 255) {
        // Nothing stands out from its ground: it is all product.
        own.fill(0);
    }
    let only: Vec<u8> = own.iter().zip(&covered).map(|(own, other)| *own.max(other)).collect();
    let own = Mask::new(size, size, own)?;
    let only = Mask::new(size, size, only)?;
    Ok(Scene {
        clean,
        pasted: Picture::from_rgb(size, size, pasted)?,
        mask: Mask::new(size, size, covered)?,
        area: own.left().unwrap_or(Area { x0: 0, y0: 0, x1: size, y1: size }),
        // Of what is hidden wholly, where it is stays.
        only: if only.left().is_some() { only } else { own },
    })
}

/// Copies the pixels for which `shown` holds.
fn paste(
    canvas: &mut [u8],
    size: u32,
    picture: &Picture,
    (left, top): (u32, u32),
    shown: impl Fn(usize) -> bool,
) {
    for (at, pixel) in picture.rgb().chunks_exact(3).enumerate() {
        if !shown(at) {
            continue;
        }
        let (x, y) = (at as u32 % picture.width(), at as u32 / picture.width());
        let to = (((top + y) * size + left + x) * 3) as usize;
        canvas[to..to + 3].copy_from_slice(pixel);
    }
}

/// Coverage of a `size` x `size` picture: 255 within `grow` pixels of the outline, a square of
/// `side` at `(left, top)`.
fn grown(outline: &[bool], side: u32, (left, top): (u32, u32), size: u32, grow: u32) -> Vec<u8> {
    let mut covered = vec![0; (size * size) as usize];
    let reach = i64::from(grow);
    for (at, _) in outline.iter().enumerate().filter(|(_, shown)| **shown) {
        let (x, y) = (i64::from(left + at as u32 % side), i64::from(top + at as u32 / side));
        for dy in -reach..=reach {
            for dx in -reach..=reach {
                let (x, y, inside) = (x + dx, y + dy, 0..i64::from(size));
                if dx * dx + dy * dy <= reach * reach && inside.contains(&x) && inside.contains(&y)
                {
                    covered[(y * i64::from(size) + x) as usize] = 255;
                }
            }
        }
    }
    covered
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::cutout::tests::ring;

    #[test]
    fn the_mask_covers_all_that_was_pasted_and_a_little_more() {
        let product = Picture::from_rgb(80, 80, vec![200; 80 * 80 * 3]).unwrap();
        for place in [Place::Over, Place::Beside] {
            let scene = set(&product, &ring(90), place, 100, 4).unwrap();
            let pixels = scene.clean.rgb().chunks(3).zip(scene.pasted.rgb().chunks(3));
            let changed: Vec<bool> = pixels.map(|(a, b)| a != b).collect();
            let count = changed.iter().filter(|c| **c).count();
            assert!(count > 200, "{place:?} {count}");
            let masked: Vec<bool> = scene.mask.coverage().iter().map(|c| *c == 255).collect();
            assert!(changed.iter().zip(&masked).all(|(c, m)| !c || *m), "{place:?}");
            let more = masked.iter().filter(|m| **m).count();
            assert!(more > count && more < count * 2, "{place:?} {count} {more}");
            let seen: Vec<bool> = scene.only.coverage().iter().map(|c| *c == 0).collect();
            assert!(seen.iter().zip(&masked).all(|(seen, other)| !seen || !other), "{place:?}");
            assert!(seen.iter().any(|seen| *seen), "{place:?}");
            let Area { x0, y0, x1, y1 } = scene.area;
            assert!(x0 < x1 && x1 <= 100 && y0 < y1 && y1 <= 100, "{:?}", scene.area);
            let tight = set(&product, &ring(90), place, 100, 0).unwrap();
            assert!(tight.mask.kept() > scene.mask.kept());
        }
    }
}
