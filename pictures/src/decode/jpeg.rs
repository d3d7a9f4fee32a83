//! JPEG, by jpeg-decoder: it scales while it transforms, so that large pictures stay small.

use image::metadata::Orientation;
use jpeg_decoder::{ColorTransform, Decoder, PixelFormat};
use lookalike_error::Result;

use super::canvas::{Canvas, Layout};
use super::colour::Colours;
use super::{failed, turned};
use crate::{Format, Limits, Picture, jpeg};

pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Picture> {
    let (header, extras) = jpeg::read(bytes, limits)?;
    let mut decoder = Decoder::new(bytes);
    decoder.set_color_transform(transform(&extras));
    let by = limits.reduction(header.width, header.height).min(8);
    let failed = |cause| failed(Format::Jpeg, cause);
    if by > 1 {
        let side = |pixels: u32| pixels.div_ceil(by).min(u16::MAX.into()) as u16;
        decoder.scale(side(header.width), side(header.height)).map_err(failed)?;
    }
    let pixels = decoder.decode().map_err(failed)?;
    let info = decoder.info().ok_or_else(|| crate::bad("the JPEG picture has no header"))?;
    let layout = match info.pixel_format {
        PixelFormat::L8 => Layout::Grey,
        PixelFormat::CMYK32 => Layout::Cmyk,
        _ => Layout::Rgb,
    };
    let colours = extras.profile().map_or(Colours::Srgb, Colours::Profile);
    let (width, height) = (u32::from(info.width), u32::from(info.height));
    let mut canvas = Canvas::new(width, height, layout, &colours, limits);
    for row in pixels.chunks_exact(canvas.stride()) {
        canvas.push(row)?;
    }
    drop(pixels);
    let orientation = extras.exif.as_deref().and_then(Orientation::from_exif_chunk);
    turned(canvas.finish()?, orientation.unwrap_or(Orientation::NoTransforms))
}

/// Which colours the components are, by the rules of libjpeg, which browsers use.
fn transform(extras: &jpeg::Extras) -> ColorTransform {
    match (extras.components.as_slice(), extras.adobe) {
        ([_], _) => ColorTransform::Grayscale,
        ([_, _, _], _) if extras.jfif => ColorTransform::YCbCr,
        ([_, _, _], Some(0)) => ColorTransform::RGB,
        ([_, _, _], Some(_)) => ColorTransform::YCbCr,
        ([b'R', b'G', b'B'], None) => ColorTransform::RGB,
        ([_, _, _], None) => ColorTransform::YCbCr,
        (_, Some(2)) => ColorTransform::YCCK,
        _ => ColorTransform::CMYK,
    }
}
