//! Products without their ground.

use fast_image_resize::PixelType;

use crate::area::Area;
use crate::error::Result;
use crate::image::Picture;
use crate::preprocess::resample;

/// What a picture shows, cut to the box around it.
#[derive(Clone, Debug)]
pub(super) struct CutOut {
    width: u32,
    height: u32,
    /// RGB `[height][width][3]`, black where the ground was.
    rgb: Vec<u8>,
    /// 255 where the product is, else 0, and between at its edge once it is resized:
    /// `[height][width]`.
    cover: Vec<u8>,
}

impl CutOut {
    /// `None` if the picture has no plain ground, unless `rectangles` takes all of it then, or next
    /// to nothing else.
    pub(super) fn new(picture: &Picture, rectangles: bool) -> Option<Self> {
        let outline = silhouette(picture);
        let covered = outline.iter().filter(|shown| **shown).count();
        // A photo, or a stain.
        if (covered == outline.len() && !rectangles) || covered * 200 < outline.len() {
            return None;
        }
        let width = picture.width();
        let at = |i: usize| (i as u32 % width, i as u32 / width);
        let mut around = Area { x0: u32::MAX, y0: u32::MAX, x1: 0, y1: 0 };
        for (x, y) in outline.iter().enumerate().filter(|(_, shown)| **shown).map(|(i, _)| at(i)) {
            around = Area {
                x0: around.x0.min(x),
                y0: around.y0.min(y),
                x1: around.x1.max(x + 1),
                y1: around.y1.max(y + 1),
            };
        }
        let (mut rgb, mut cover) = (Vec::new(), Vec::new());
        for y in around.y0..around.y1 {
            for x in around.x0..around.x1 {
                let at = (y * width + x) as usize;
                let shown = outline[at];
                let pixel = &picture.rgb()[at * 3..at * 3 + 3];
                rgb.extend(pixel.iter().map(|&c| if shown { c } else { 0 }));
                cover.push(u8::from(shown) * 255);
            }
        }
        let (width, height) = (around.x1 - around.x0, around.y1 - around.y0);
        Some(Self { width, height, rgb, cover })
    }

    pub(super) fn width(&self) -> u32 {
        self.width
    }

    pub(super) fn height(&self) -> u32 {
        self.height
    }

    /// The same at another size.
    pub(super) fn resized(&self, width: u32, height: u32) -> Result<Self> {
        let rgb = resample(self.width, self.height, &self.rgb, PixelType::U8x3, width, height)?;
        let cover = resample(self.width, self.height, &self.cover, PixelType::U8, width, height)?;
        Ok(Self { width, height, rgb, cover })
    }

    /// The same from left to right.
    pub(super) fn mirrored(&self) -> Self {
        let w = self.width as usize;
        let rgb = self.rgb.chunks_exact(w * 3).flat_map(|row| row.rchunks_exact(3)).flatten();
        let cover = self.cover.chunks_exact(w).flat_map(|row| row.iter().rev());
        Self { rgb: rgb.copied().collect(), cover: cover.copied().collect(), ..*self }
    }

    /// The same with each channel times a factor, as under another light.
    pub(super) fn lit(&self, factors: [f32; 3]) -> Self {
        let rgb = self.rgb.iter().zip(factors.iter().cycle());
        let rgb = rgb.map(|(&c, f)| (f32::from(c) * f).clamp(0.0, 255.0) as u8).collect();
        Self { rgb, cover: self.cover.clone(), ..*self }
    }

    /// Over a ground, with its upper left corner at `(left, top)`; what is outside is not shown.
    pub(super) fn over(&self, ground: &Picture, left: i64, top: i64) -> Result<Picture> {
        let (w, h) = (ground.width(), ground.height());
        let mut scene = ground.rgb().to_vec();
        for (i, (pixel, cover)) in self.rgb.chunks_exact(3).zip(&self.cover).enumerate() {
            let (x, y) = (i as u32 % self.width, i as u32 / self.width);
            let (x, y) = (left + i64::from(x), top + i64::from(y));
            if !(0..i64::from(w)).contains(&x) || !(0..i64::from(h)).contains(&y) {
                continue;
            }
            let to = (y * i64::from(w) + x) as usize * 3;
            for (below, &above) in scene[to..to + 3].iter_mut().zip(pixel) {
                let rest = u16::from(*below) * u16::from(255 - cover) / 255;
                *below = (u16::from(above) + rest).min(255) as u8;
            }
        }
        Picture::from_rgb(w, h, scene)
    }
}

/// What a picture shows, `[height][width]`: all but the ground that is connected to its border. A
/// picture whose border is not of one colour has no ground: a photo is pasted as a rectangle.
pub(super) fn silhouette(picture: &Picture) -> Vec<bool> {
    /// Differences that compression and scaling leave in a plain ground.
    const SAME: u8 = 6;
    let (w, h) = (picture.width() as usize, picture.height() as usize);
    let pixel = |at: usize| &picture.rgb()[at * 3..at * 3 + 3];
    let border: Vec<usize> = (0..w * h)
        .filter(|at| at % w == 0 || at % w == w - 1 || at / w == 0 || at / w == h - 1)
        .collect();
    let ground: Vec<u8> = (0..3)
        .map(|channel| {
            let mut values: Vec<u8> = border.iter().map(|&at| pixel(at)[channel]).collect();
            values.sort_unstable();
            values[values.len() / 2]
        })
        .collect();
    let like_ground =
        |at: usize| pixel(at).iter().zip(&ground).all(|(a, b)| a.abs_diff(*b) <= SAME);
    let mut shown = vec![true; w * h];
    let mut open: Vec<usize> = border.iter().copied().filter(|&at| like_ground(at)).collect();
    if open.len() * 10 < border.len() * 9 {
        return shown;
    }
    while let Some(at) = open.pop() {
        if !std::mem::replace(&mut shown[at], false) {
            continue;
        }
        let (x, y) = (at % w, at / w);
        let near = [
            (x > 0).then(|| at - 1),
            (x + 1 < w).then(|| at + 1),
            (y > 0).then(|| at - w),
            (y + 1 < h).then(|| at + w),
        ];
        open.extend(near.into_iter().flatten().filter(|&n| shown[n] && like_ground(n)));
    }
    shown
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::cli::random::mixed;

    /// A black ring on white: its inside is not ground.
    pub(in crate::cli) fn ring(side: u32) -> Picture {
        let middle = side as f32 / 2.0;
        let rgb = (0..side * side)
            .flat_map(|i| {
                let (x, y) = ((i % side) as f32 + 0.5 - middle, (i / side) as f32 + 0.5 - middle);
                let radius = x.hypot(y) / middle;
                [if (0.4..0.8).contains(&radius) { 0 } else { 255 }; 3]
            })
            .collect();
        Picture::from_rgb(side, side, rgb).unwrap()
    }

    #[test]
    fn the_ground_is_what_the_border_leads_to() {
        let outline = silhouette(&ring(60));
        let at = |x: usize, y: usize| outline[y * 60 + x];
        assert!(!at(0, 0) && !at(30, 2) && at(30, 30) && at(30, 10));
        let noise: Vec<u8> = (0..300u32).map(|i| (i * 7919 % 251) as u8).collect();
        let photo = Picture::from_rgb(10, 10, noise).unwrap();
        assert!(silhouette(&photo).iter().all(|shown| *shown));
    }

    #[test]
    fn what_has_no_plain_ground_is_no_cut_out() {
        let noise: Vec<u8> = (0..3000u32).map(|i| (mixed(u64::from(i)) % 251) as u8).collect();
        let photo = Picture::from_rgb(40, 25, noise).unwrap();
        assert!(CutOut::new(&photo, false).is_none());
        let whole = CutOut::new(&photo, true).unwrap();
        assert_eq!((whole.width, whole.height, &whole.rgb[..]), (40, 25, photo.rgb()));
        assert!(CutOut::new(&Picture::from_rgb(20, 20, vec![255; 1200]).unwrap(), true).is_none());
    }

    #[test]
    fn cut_outs_are_turned_lit_and_laid_over_the_edge() {
        let (mut rgb, cover) = (vec![0; 12], vec![255, 255, 0, 255]);
        rgb[..6].copy_from_slice(&[10, 20, 30, 200, 100, 50]);
        let cut = CutOut { width: 2, height: 2, rgb, cover };
        let turned = cut.mirrored();
        assert_eq!(
            (&turned.rgb[..6], &turned.cover[..]),
            (&[200, 100, 50, 10, 20, 30][..], &[255, 255, 255, 0][..])
        );
        assert_eq!(cut.lit([2.0, 1.0, 0.5]).rgb[..6], [20, 20, 15, 255, 100, 25]);
        let ground = Picture::from_rgb(2, 2, vec![7; 12]).unwrap();
        let over = |left, top| cut.over(&ground, left, top).unwrap().rgb().to_vec();
        assert_eq!(over(0, 0), [10, 20, 30, 200, 100, 50, 7, 7, 7, 0, 0, 0]);
        assert_eq!(over(-1, 0), [200, 100, 50, 7, 7, 7, 0, 0, 0, 7, 7, 7]);
        assert_eq!(over(0, 1), [7, 7, 7, 7, 7, 7, 10, 20, 30, 200, 100, 50]);
        assert_eq!(over(5, -9), [7; 12]);
    }
}
