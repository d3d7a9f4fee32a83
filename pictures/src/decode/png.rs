//! PNG, row by row.

use image::metadata::Orientation;
use lookalike_error::Result;
use png::{BitDepth, ColorType, Transformations};

use super::canvas::{Canvas, Layout};
use super::colour::Colours;
use super::{failed, turned};
use crate::{Format, Limits, Picture};

pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Picture> {
    let failed = |cause| failed(Format::Png, cause);
    let mut decoder = png::Decoder::new(std::io::Cursor::new(bytes));
    // Its own bound counts what it allocates: at most 16-bit RGBA of the largest picture.
    let most = limits.max_pixels.saturating_mul(8);
    decoder.set_limits(png::Limits { bytes: most.try_into().unwrap_or(usize::MAX) });
    decoder.set_transformations(Transformations::EXPAND);
    let mut reader = decoder.read_info().map_err(failed)?;
    let info = reader.info();
    let (width, height) = (info.width, info.height);
    let colours = colours(info);
    let orientation = info.exif_metadata.as_deref().and_then(Orientation::from_exif_chunk);
    let interlaced = info.interlaced;
    // Of an animation its first picture is shown, which need not be the still in front of it.
    let still_is_outside = info.animation_control.is_some() && info.frame_control.is_none();
    let (kind, depth) = reader.output_color_type();
    let layout = match kind {
        ColorType::Grayscale => Layout::Grey,
        ColorType::GrayscaleAlpha => Layout::GreyAlpha,
        ColorType::Rgb | ColorType::Indexed => Layout::Rgb,
        ColorType::Rgba => Layout::Rgba,
    };
    let mut part = Part { left: 0, above: 0, height };
    if still_is_outside {
        let frame = reader.next_frame_info().map_err(failed)?;
        part = Part { left: frame.x_offset, above: frame.y_offset, height: frame.height };
    }
    let mut rows = Rows {
        canvas: Canvas::new(width, height, layout, &colours, limits),
        step: layout.channels(),
        wide: depth == BitDepth::Sixteen,
        part,
        row: Vec::new(),
    };
    rows.blank(part.above)?;
    if interlaced {
        let size = reader.output_buffer_size().filter(|&size| size as u64 <= most);
        let size = size.ok_or_else(|| crate::bad("the PNG picture is larger than it says"))?;
        let mut pixels = vec![0; size];
        let frame = reader.next_frame(&mut pixels).map_err(failed)?;
        for row in pixels.chunks_exact(frame.line_size.max(1)).take(part.height as usize) {
            rows.push(row)?;
        }
    } else {
        while let Some(row) = reader.next_row().map_err(failed)? {
            rows.push(row.data())?;
        }
    }
    rows.blank(height.saturating_sub(part.above.saturating_add(part.height)))?;
    turned(rows.canvas.finish()?, orientation.unwrap_or(Orientation::NoTransforms))
}

/// Where a frame lies in the picture.
#[derive(Clone, Copy)]
struct Part {
    left: u32,
    above: u32,
    height: u32,
}

/// Rows of the file to rows of the canvas.
struct Rows {
    canvas: Canvas,
    /// Bytes of a pixel of 8 bits a channel.
    step: usize,
    wide: bool,
    part: Part,
    row: Vec<u8>,
}

impl Rows {
    /// Rows that the frame does not cover.
    fn blank(&mut self, count: u32) -> Result<()> {
        let row = vec![255; self.canvas.stride()];
        (0..count).try_for_each(|_| self.canvas.push(&row))
    }

    fn push(&mut self, row: &[u8]) -> Result<()> {
        if !self.wide && row.len() == self.canvas.stride() {
            return self.canvas.push(row);
        }
        self.row.clear();
        self.row.resize(self.step * self.part.left as usize, 255);
        if self.wide {
            // To the nearest of 8 bits.
            self.row.extend(row.chunks_exact(2).map(|v| {
                let value = u32::from(u16::from_be_bytes([v[0], v[1]]));
                ((value * 255 + 32_767) / 65_535) as u8
            }));
        } else {
            self.row.extend(row);
        }
        self.row.resize(self.canvas.stride(), 255);
        self.canvas.push(&self.row)
    }
}

/// By the order of precedence that the standard gives: cICP, iCCP, sRGB, gAMA with cHRM.
fn colours(info: &png::Info) -> Colours {
    // Those of a narrow range, as in films, count for nothing in browsers.
    let points = info.coding_independent_code_points;
    if let Some(points) = points.filter(|points| points.is_video_full_range_image) {
        return Colours::CodePoints(points.color_primaries, points.transfer_function);
    }
    if let Some(profile) = &info.icc_profile {
        return Colours::Profile(profile.to_vec());
    }
    if info.srgb.is_some() {
        return Colours::Srgb;
    }
    let Some(gamma) = info.gama_chunk else { return Colours::Srgb };
    let primaries = info.chrm_chunk.map(|all| {
        [all.white, all.red, all.green, all.blue].map(|(x, y)| (x.into_value(), y.into_value()))
    });
    Colours::Gamma(gamma.into_value(), primaries)
}
