//! Rows of a decoder to the pixels that are kept: colours to sRGB, over white, and halved as often
//! as the limits ask.

use lookalike_error::Result;

use super::colour::{Colours, Converter};
use crate::{Limits, bad};

/// What a row's bytes are, 8 bits a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    Grey,
    GreyAlpha,
    Rgb,
    Rgba,
    /// Inks: 0 is none, 255 all.
    Cmyk,
}

impl Layout {
    pub(super) fn channels(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::GreyAlpha => 2,
            Self::Rgb => 3,
            Self::Rgba | Self::Cmyk => 4,
        }
    }
}

/// Takes rows from the top.
pub(super) struct Canvas {
    width: usize,
    height: usize,
    /// Rows and columns that become one.
    by: usize,
    layout: Layout,
    converter: Converter,
    /// A row of sRGB with alpha.
    converted: Vec<u8>,
    /// Sums of the rows that become one, `[width / by][3]`; how many they are.
    sums: Vec<u32>,
    summed: u32,
    rows: usize,
    rgb: Vec<u8>,
}

impl Canvas {
    /// For `height` rows of `width` pixels.
    pub(super) fn new(
        width: u32,
        height: u32,
        layout: Layout,
        colours: &Colours,
        limits: &Limits,
    ) -> Self {
        let by = limits.reduction(width, height) as usize;
        let (width, height) = (width as usize, height as usize);
        Self {
            width,
            height,
            by,
            layout,
            converter: Converter::new(colours, layout),
            converted: Vec::new(),
            sums: vec![0; if by > 1 { width.div_ceil(by) * 3 } else { 0 }],
            summed: 0,
            rows: 0,
            rgb: Vec::new(),
        }
    }

    /// Bytes of a row.
    pub(super) fn stride(&self) -> usize {
        self.width * self.layout.channels()
    }

    /// Takes the next row, [`Canvas::stride`] bytes.
    pub(super) fn push(&mut self, row: &[u8]) -> Result<()> {
        if self.rows == self.height || row.len() != self.stride() {
            return Err(bad("the picture has other rows than its header says"));
        }
        self.rows += 1;
        self.converter.convert(row, &mut self.converted)?;
        let over_white = self.converted.chunks_exact(4).map(|pixel| {
            let alpha = u32::from(pixel[3]);
            [0, 1, 2].map(|i| {
                let sum = u32::from(pixel[i]) * alpha + 255 * (255 - alpha);
                (sum + 127) / 255
            })
        });
        if self.by == 1 {
            self.rgb.extend(over_white.flatten().map(|value| value as u8));
            return Ok(());
        }
        for (x, pixel) in over_white.enumerate() {
            for (sum, value) in self.sums[x / self.by * 3..].iter_mut().zip(pixel) {
                *sum += value;
            }
        }
        self.summed += 1;
        if self.summed as usize == self.by || self.rows == self.height {
            for (x, pixel) in self.sums.chunks_exact(3).enumerate() {
                let columns = (self.width - x * self.by).min(self.by) as u32;
                let count = columns * self.summed;
                self.rgb.extend(pixel.iter().map(|sum| ((sum + count / 2) / count) as u8));
            }
            self.sums.fill(0);
            self.summed = 0;
        }
        Ok(())
    }

    /// The picture, once all rows are there.
    pub(super) fn finish(self) -> Result<image::RgbImage> {
        let side = |pixels: usize| pixels.div_ceil(self.by) as u32;
        let whole = self.rows == self.height;
        whole
            .then(|| image::RgbImage::from_raw(side(self.width), side(self.height), self.rgb))
            .flatten()
            .ok_or_else(|| bad("the picture has fewer rows than its header says"))
    }
}
