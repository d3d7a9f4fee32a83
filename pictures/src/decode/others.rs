//! GIF, WebP, BMP and TIFF, by the crate image.

use std::io::Cursor;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader};
use lookalike_error::{Error, ErrorKind, Result};

use super::canvas::{Canvas, Layout};
use super::colour::Colours;
use super::{failed, turned};
use crate::{Format, Header, Limits, Picture};

pub(super) fn decode(bytes: &[u8], header: &Header, limits: &Limits) -> Result<Picture> {
    let format = match header.format {
        Format::Gif => ImageFormat::Gif,
        Format::WebP => ImageFormat::WebP,
        Format::Bmp => ImageFormat::Bmp,
        _ => ImageFormat::Tiff,
    };
    let wrong = |cause: image::ImageError| match cause {
        image::ImageError::Unsupported(_) => {
            let what = format!(
                "this kind of {} picture is not read; save it as JPEG, PNG or WebP",
                header.format
            );
            Error::with_source(ErrorKind::Unsupported, what, cause)
        }
        _ => failed(header.format, cause),
    };
    let original = bytes;
    let usual = match header.format {
        Format::Bmp => without_os2(bytes),
        Format::Gif => with_screen(bytes, header),
        _ => None,
    };
    let bytes = usual.as_deref().unwrap_or(bytes);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut bounds = image::Limits::default();
    bounds.max_image_width = Some(limits.max_side);
    bounds.max_image_height = Some(limits.max_side);
    // 16-bit RGBA, and the decoder's own working copy.
    bounds.max_alloc = Some(limits.max_pixels * 16);
    reader.limits(bounds);
    let mut decoder = reader.into_decoder().map_err(wrong)?;
    // Browsers do not turn WebP, whatever its EXIF block says; the others have none, but TIFF.
    let orientation = match header.format {
        Format::Tiff => decoder.orientation().ok(),
        _ => None,
    };
    let profile = match header.format {
        Format::Bmp => bmp_profile(original),
        _ => decoder.icc_profile().ok().flatten(),
    };
    let decoded = DynamicImage::from_decoder(decoder).map_err(wrong)?;
    let colours = profile.map_or(Colours::Srgb, Colours::Profile);
    let (width, height) = (decoded.width(), decoded.height());
    let (layout, pixels) = match decoded {
        DynamicImage::ImageLuma8(image) => (Layout::Grey, image.into_raw()),
        DynamicImage::ImageLumaA8(image) => (Layout::GreyAlpha, image.into_raw()),
        DynamicImage::ImageRgb8(image) => (Layout::Rgb, image.into_raw()),
        DynamicImage::ImageRgba8(image) => {
            let mut pixels = image.into_raw();
            if header.format == Format::Bmp {
                shown_if_all_clear(&mut pixels);
            }
            (Layout::Rgba, pixels)
        }
        DynamicImage::ImageLuma16(_) => (Layout::Grey, decoded.into_luma8().into_raw()),
        DynamicImage::ImageRgb16(_) => (Layout::Rgb, decoded.into_rgb8().into_raw()),
        _ => (Layout::Rgba, decoded.into_rgba8().into_raw()),
    };
    let mut canvas = Canvas::new(width, height, layout, &colours, limits);
    for row in pixels.chunks_exact(canvas.stride()) {
        canvas.push(row)?;
    }
    turned(canvas.finish()?, orientation.unwrap_or(Orientation::NoTransforms))
}

/// Programs that know no alpha leave its bits zero where the header has them: such a BMP is opaque.
fn shown_if_all_clear(rgba: &mut [u8]) {
    if rgba.chunks_exact(4).all(|pixel| pixel[3] == 0) {
        rgba.chunks_exact_mut(4).for_each(|pixel| pixel[3] = 255);
    }
}

/// A BMP of OS/2's second kind, whose header has 64 bytes or the first 16 of them, with Windows'
/// of 40 in its place, which says the same; none for all others.
fn without_os2(bytes: &[u8]) -> Option<Vec<u8>> {
    let size = usize::from(*bytes.get(14)?);
    if size != 16 && size != 64 {
        return None;
    }
    let mut info = bytes.get(14..14 + size)?.to_vec();
    info.resize(40, 0);
    info[..4].copy_from_slice(&40_u32.to_le_bytes());
    let offset = u32::from_le_bytes(*bytes.get(10..)?.first_chunk()?);
    let offset = i64::from(offset) + 40 - size as i64;
    let mut out = bytes[..10].to_vec();
    out.extend(u32::try_from(offset).ok()?.to_le_bytes());
    out.extend(info);
    out.extend(&bytes[14 + size..]);
    Some(out)
}

/// The colour profile that the largest of BMP's headers can name.
fn bmp_profile(bytes: &[u8]) -> Option<Vec<u8>> {
    let header = bytes.get(14..14 + 124).filter(|header| header[0] == 124)?;
    let number = |at: usize| {
        let bytes = header.get(at..)?.first_chunk()?;
        Some(u32::from_le_bytes(*bytes) as usize)
    };
    // "MBED", as a number of the machine's.
    if &header[56..60] != b"DEBM" {
        return None;
    }
    let at = number(112)?.checked_add(14)?;
    bytes.get(at..at.checked_add(number(116)?)?).map(<[u8]>::to_vec)
}

/// A GIF whose screen holds its first frame; none where it does already.
fn with_screen(bytes: &[u8], header: &Header) -> Option<Vec<u8>> {
    let sides = [header.width, header.height].map(|side| u16::try_from(side).ok());
    let [Some(width), Some(height)] = sides else { return None };
    let screen = [width.to_le_bytes(), height.to_le_bytes()].concat();
    if bytes.get(6..10)? == screen {
        return None;
    }
    let mut out = bytes.to_vec();
    out[6..10].copy_from_slice(&screen);
    Some(out)
}
