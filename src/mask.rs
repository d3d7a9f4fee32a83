//! What the shopper painted over: coverage per pixel, and what is put in its place.

use fast_image_resize::PixelType;

use crate::area::Area;
use crate::error::{Error, ErrorKind, Result};
use crate::image::Picture;
use crate::preprocess::resample;

/// How much of each pixel is taken out of a picture: `[height][width]`, 0 keeps it, 255 takes it
/// out. Its size need not be the picture's; it covers the whole picture, scaled.
#[derive(Clone, PartialEq, Eq)]
pub struct Mask {
    width: u32,
    height: u32,
    coverage: Vec<u8>,
}

/// What replaces the pixels that a mask takes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Fill {
    /// Nothing: the pixels stay.
    Keep,
    /// White, as behind a product picture.
    White,
    /// Middle grey.
    Grey,
    /// The mean colour of the pixels that stay.
    Mean,
    /// The picture itself, blurred until nothing is recognisable in it.
    Blur,
    /// Colours that flow in from the mask's border: pull-push interpolation, Gortler et al., The
    /// Lumigraph, SIGGRAPH 1996.
    #[default]
    Diffusion,
}

impl Fill {
    /// All of them, for measuring.
    pub const ALL: [Self; 6] =
        [Self::Keep, Self::White, Self::Grey, Self::Mean, Self::Blur, Self::Diffusion];

    /// Its name on the command line and in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::White => "white",
            Self::Grey => "grey",
            Self::Mean => "mean",
            Self::Blur => "blur",
            Self::Diffusion => "diffusion",
        }
    }
}

impl Mask {
    /// A mask from one byte a pixel.
    ///
    /// # Errors
    /// `BadQuery` if a side is 0 or the length is not `width * height`.
    pub fn new(width: u32, height: u32, coverage: Vec<u8>) -> Result<Self> {
        let expected = u64::from(width) * u64::from(height);
        if expected == 0 || expected != coverage.len() as u64 {
            return Err(Error::new(
                ErrorKind::BadQuery,
                format!("the mask has {} bytes, {width}x{height} needs {expected}", coverage.len()),
            ));
        }
        Ok(Self { width, height, coverage })
    }

    /// The coverage, `[height][width]`.
    #[must_use]
    pub fn coverage(&self) -> &[u8] {
        &self.coverage
    }

    /// Pixels from left to right.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Pixels from top to bottom.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Whether nothing is taken out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.coverage.iter().all(|&c| c == 0)
    }

    /// The share of the picture that stays, 0 to 1.
    #[must_use]
    pub fn kept(&self) -> f32 {
        let taken: u64 = self.coverage.iter().map(|&c| u64::from(c)).sum();
        1.0 - taken as f32 / (255.0 * self.coverage.len() as f32)
    }

    /// The pixels around what is left: those of which at least half stays, or else anything at all.
    /// `None` if nothing does. Next to what is taken out whole, a soft edge or the noise of a JPEG
    /// is nothing to look at.
    #[must_use]
    pub fn left(&self) -> Option<Area> {
        self.around(|c| c < 128).or_else(|| self.around(|c| c < 255))
    }

    /// The pixels around those whose coverage is as wanted.
    fn around(&self, wanted: impl Fn(u8) -> bool) -> Option<Area> {
        let rows = (0u32..).zip(self.coverage.chunks_exact(self.width as usize));
        rows.fold(None, |around: Option<Area>, (y, row)| {
            let first = row.iter().position(|&c| wanted(c));
            let last = row.iter().rposition(|&c| wanted(c));
            let (Some(x0), Some(x1)) = (first, last) else { return around };
            let (x0, x1) = (x0 as u32, x1 as u32 + 1);
            let so_far = around.unwrap_or(Area { x0, y0: y, x1, y1: y + 1 });
            Some(Area { x0: so_far.x0.min(x0), x1: so_far.x1.max(x1), y1: y + 1, ..so_far })
        })
    }

    /// A mask that leaves nothing but these pixels of a `width` x `height` picture.
    ///
    /// # Errors
    /// `BadQuery` if the picture has no pixels.
    pub fn only(area: Area, width: u32, height: u32) -> Result<Self> {
        let nothing = vec![0; width as usize * height as usize];
        Ok(Self::new(width, height, nothing)?.within(area))
    }

    /// The mask, and everything outside of these of its pixels taken out as well.
    #[must_use]
    pub fn within(mut self, area: Area) -> Self {
        let columns = area.x0.min(self.width) as usize..area.x1.min(self.width) as usize;
        let rows = self.coverage.chunks_exact_mut(self.width as usize);
        for (y, row) in (0u32..).zip(rows) {
            if (area.y0..area.y1).contains(&y) {
                row[..columns.start].fill(255);
                row[columns.end..].fill(255);
            } else {
                row.fill(255);
            }
        }
        self
    }

    /// The mask at another size, averaged over the pixels that fall together.
    ///
    /// # Errors
    /// `Internal` only.
    pub fn resized(&self, width: u32, height: u32) -> Result<Self> {
        let coverage =
            resample(self.width, self.height, &self.coverage, PixelType::U8, width, height)?;
        Ok(Self { width, height, coverage })
    }

    /// The picture with the masked pixels replaced. Half-covered pixels are blended.
    ///
    /// # Errors
    /// `Internal` only: the mask is scaled to the picture's size first.
    pub fn fill(&self, picture: &Picture, fill: Fill) -> Result<Picture> {
        if fill == Fill::Keep || self.is_empty() {
            return Ok(picture.clone());
        }
        let (width, height) = (picture.width(), picture.height());
        let mask = self.resized(width, height)?;
        let flat = |colour: [u8; 3]| colour.repeat(picture.rgb().len() / 3);
        let replacement = match fill {
            Fill::Keep | Fill::White => flat([255; 3]),
            Fill::Grey => flat([128; 3]),
            Fill::Mean => flat(mask.mean_kept(picture)),
            Fill::Blur => blurred(picture)?,
            Fill::Diffusion => diffused(picture, &mask),
        };
        let pixels = picture
            .rgb()
            .chunks_exact(3)
            .zip(replacement.chunks_exact(3))
            .zip(&mask.coverage)
            .flat_map(|((old, new), &c)| {
                let c = u32::from(c);
                [0, 1, 2].map(|i| {
                    ((u32::from(new[i]) * c + u32::from(old[i]) * (255 - c) + 127) / 255) as u8
                })
            })
            .collect();
        Picture::from_rgb(width, height, pixels)
    }

    /// Mean colour of what stays; white if nothing does.
    fn mean_kept(&self, picture: &Picture) -> [u8; 3] {
        let mut sums = [0u64; 3];
        let mut weight = 0u64;
        for (pixel, &c) in picture.rgb().chunks_exact(3).zip(&self.coverage) {
            let kept = u64::from(255 - c);
            weight += kept;
            for (sum, &v) in sums.iter_mut().zip(pixel) {
                *sum += u64::from(v) * kept;
            }
        }
        if weight == 0 { [255; 3] } else { sums.map(|s| ((s + weight / 2) / weight) as u8) }
    }
}

impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mask({}x{}, {:.0} % kept)", self.width, self.height, self.kept() * 100.0)
    }
}

/// Down to a twelfth and up again: the same as a wide blur, at a fraction of the work.
fn blurred(picture: &Picture) -> Result<Vec<u8>> {
    let (w, h) = (picture.width(), picture.height());
    let (sw, sh) = (w.div_ceil(12), h.div_ceil(12));
    let small = resample(w, h, picture.rgb(), PixelType::U8x3, sw, sh)?;
    resample(sw, sh, &small, PixelType::U8x3, w, h)
}

/// One level of the pull-push pyramid: colour times weight, and weight, per pixel.
struct Level {
    width: usize,
    height: usize,
    /// `[height][width][4]`: R*w, G*w, B*w, w with w in 0..=1.
    cells: Vec<[f32; 4]>,
}

impl Level {
    /// Half the size; weights add up to at most 1, so that well-known areas do not outshout others.
    fn pulled(&self) -> Self {
        let (width, height) = (self.width.div_ceil(2), self.height.div_ceil(2));
        let mut cells = vec![[0f32; 4]; width * height];
        for y in 0..self.height {
            for x in 0..self.width {
                let cell = &mut cells[y / 2 * width + x / 2];
                for (sum, v) in cell.iter_mut().zip(self.cells[y * self.width + x]) {
                    *sum += v;
                }
            }
        }
        for cell in &mut cells {
            if cell[3] > 1.0 {
                let scale = 1.0 / cell[3];
                cell.iter_mut().for_each(|v| *v *= scale);
            }
        }
        Self { width, height, cells }
    }

    /// Fills in what this level does not know from the `coarse` level, which knows everything.
    fn pushed(&mut self, coarse: &Self) {
        for y in 0..self.height {
            // Bilinear between cell centres.
            let fy = (y as f32 - 0.5) / 2.0;
            let (y0, ty) = (fy.floor(), fy - fy.floor());
            let row = |dy: f32| ((y0 + dy).max(0.0) as usize).min(coarse.height - 1) * coarse.width;
            let rows = [row(0.0), row(1.0)];
            for x in 0..self.width {
                let cell = &mut self.cells[y * self.width + x];
                let missing = 1.0 - cell[3];
                if missing <= 0.0 {
                    continue;
                }
                let fx = (x as f32 - 0.5) / 2.0;
                let (x0, tx) = (fx.floor(), fx - fx.floor());
                let column = |dx: f32| ((x0 + dx).max(0.0) as usize).min(coarse.width - 1);
                let columns = [column(0.0), column(1.0)];
                let mut colour = [0f32; 4];
                for (i, wy) in [(0, 1.0 - ty), (1, ty)] {
                    for (j, wx) in [(0, 1.0 - tx), (1, tx)] {
                        for (sum, v) in colour.iter_mut().zip(coarse.cells[rows[i] + columns[j]]) {
                            *sum += wy * wx * v;
                        }
                    }
                }
                if colour[3] > 0.0 {
                    let scale = missing / colour[3];
                    for (v, c) in cell.iter_mut().zip(colour) {
                        *v += c * scale;
                    }
                }
            }
        }
    }
}

fn diffused(picture: &Picture, mask: &Mask) -> Vec<u8> {
    let cells = picture
        .rgb()
        .chunks_exact(3)
        .zip(&mask.coverage)
        .map(|(p, &c)| {
            let w = f32::from(255 - c) / 255.0;
            [f32::from(p[0]) * w, f32::from(p[1]) * w, f32::from(p[2]) * w, w]
        })
        .collect();
    let mut levels =
        vec![Level { width: picture.width() as usize, height: picture.height() as usize, cells }];
    while let Some(last) = levels.last()
        && (last.width > 1 || last.height > 1)
    {
        let next = last.pulled();
        levels.push(next);
    }
    while let Some(coarse) = levels.pop() {
        match levels.last_mut() {
            Some(fine) => fine.pushed(&coarse),
            None => {
                return coarse
                    .cells
                    .iter()
                    // Nothing known anywhere: white.
                    .flat_map(|c| if c[3] > 0.0 { [c[0], c[1], c[2]] } else { [255.0; 3] })
                    .map(|v| v.round() as u8)
                    .collect();
            }
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Left half red, right half blue, a black square in the middle, and a mask over the square.
    fn scene() -> (Picture, Mask) {
        let (w, h) = (48u32, 32u32);
        let inside = |x: u32, y: u32| (16..32).contains(&x) && (8..24).contains(&y);
        let xy = (0..w * h).map(|i| (i % w, i / w));
        let rgb = xy
            .clone()
            .flat_map(|(x, y)| match (inside(x, y), x < w / 2) {
                (true, _) => [0, 0, 0],
                (false, true) => [200, 0, 0],
                (false, false) => [0, 0, 200],
            })
            .collect();
        let coverage = xy.map(|(x, y)| if inside(x, y) { 255 } else { 0 }).collect();
        (Picture::from_rgb(w, h, rgb).unwrap(), Mask::new(w, h, coverage).unwrap())
    }

    fn pixel(picture: &Picture, x: u32, y: u32) -> [u8; 3] {
        let at = ((y * picture.width() + x) * 3) as usize;
        [0, 1, 2].map(|i| picture.rgb()[at + i])
    }

    #[test]
    fn every_fill_leaves_the_rest_alone_and_hides_what_is_masked() {
        let (picture, mask) = scene();
        for fill in Fill::ALL {
            let filled = mask.fill(&picture, fill).unwrap();
            assert_eq!(pixel(&filled, 2, 2), [200, 0, 0], "{fill:?}");
            assert_eq!(pixel(&filled, 45, 30), [0, 0, 200], "{fill:?}");
            let hidden = pixel(&filled, 24, 16) != [0, 0, 0];
            assert_eq!(hidden, fill != Fill::Keep, "{fill:?}");
        }
    }

    #[test]
    fn diffusion_brings_in_the_nearest_colours() {
        let (picture, mask) = scene();
        let filled = mask.fill(&picture, Fill::Diffusion).unwrap();
        let (left, right) = (pixel(&filled, 17, 16), pixel(&filled, 30, 16));
        assert!(left[0] > 120 && left[2] < 80, "{left:?}");
        assert!(right[2] > 120 && right[0] < 80, "{right:?}");
    }

    #[test]
    fn masks_that_cover_everything_or_nothing_are_fine() {
        let (picture, _) = scene();
        let all = Mask::new(1, 1, vec![255]).unwrap();
        for fill in Fill::ALL {
            assert!(all.fill(&picture, fill).is_ok());
        }
        assert_eq!(all.fill(&picture, Fill::Diffusion).unwrap().rgb()[0], 255);
        assert_eq!(all.kept(), 0.0);
        let none = Mask::new(2, 2, vec![0; 4]).unwrap();
        assert!(none.is_empty());
        assert_eq!(none.fill(&picture, Fill::Diffusion).unwrap(), picture);
    }

    #[test]
    fn sizes_must_fit_and_scaling_averages() {
        assert!(Mask::new(2, 2, vec![0; 3]).is_err());
        assert!(Mask::new(0, 0, vec![]).is_err());
        let half = Mask::new(2, 1, vec![0, 255]).unwrap().resized(1, 1).unwrap();
        assert!((126..=129).contains(&half.coverage()[0]));
    }

    #[test]
    fn a_box_is_a_mask_and_the_box_around_what_it_leaves() {
        let area = Area { x0: 3, y0: 2, x1: 7, y1: 9 };
        let mask = Mask::only(area, 20, 10).unwrap();
        assert!((mask.kept() - 28.0 / 200.0).abs() < 1e-6);
        assert_eq!((mask.coverage()[2 * 20 + 3], mask.coverage()[2 * 20 + 7]), (0, 255));
        assert_eq!(mask.left(), Some(area));
        // Box and paint are one mask.
        let painted = Mask::new(20, 10, (0..200).map(|i| u8::from(i % 20 < 5) * 255).collect());
        let both = painted.unwrap().within(area);
        assert_eq!(both.left(), Some(Area { x0: 5, ..area }));
        // A soft edge is not what is left, unless nothing else is.
        let soft = Mask::new(4, 1, vec![255, 200, 0, 200]).unwrap();
        assert_eq!(soft.left(), Some(Area { x0: 2, y0: 0, x1: 3, y1: 1 }));
        let faint = Mask::new(4, 1, vec![255, 254, 255, 200]).unwrap();
        assert_eq!(faint.left(), Some(Area { x0: 1, y0: 0, x1: 4, y1: 1 }));
        assert_eq!(Mask::new(2, 1, vec![255, 255]).unwrap().left(), None);
        assert_eq!(Mask::only(Area { x1: 99, y1: 99, x0: 0, y0: 0 }, 3, 3).unwrap().kept(), 1.0);
    }
}
