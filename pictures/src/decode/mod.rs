//! The native decoders. Each gives rows in the file's own colours; [`canvas`] makes the rest.

mod canvas;
mod colour;
mod jpeg;
mod others;
mod png;

use std::sync::Mutex;

use lookalike_error::{Error, ErrorKind, Result};

use crate::{Format, Limits, Picture, bad, sniff};

/// One picture at a time is decoded that is larger than what is kept: some formats need all of it
/// in memory, and an index is built with a picture on every processor.
static LARGE: Mutex<()> = Mutex::new(());

/// Decodes a picture file as a browser shows it: first frame, EXIF orientation applied where
/// browsers apply it, colours converted to sRGB, transparency over white, 16 bits reduced to 8.
/// A picture of more than [`Limits::kept_pixels`] is halved until it fits.
///
/// # Errors
/// As [`sniff`]; also `BadPicture` if the pixels are damaged, and `Unsupported` for formats that
/// browsers alone read (AVIF, HEIC, JPEG XL).
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Picture> {
    let header = sniff(bytes, limits)?;
    let by_browsers = |advice: &str| {
        let what = format!(
            "{} pictures cannot be read here, only in some browsers; {advice}",
            header.format
        );
        Err(Error::new(ErrorKind::Unsupported, what))
    };
    let is_large = u64::from(header.width) * u64::from(header.height) > limits.kept_pixels;
    let _turn = is_large.then(|| LARGE.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    match header.format {
        Format::Jpeg => jpeg::decode(bytes, limits),
        Format::Png => png::decode(bytes, limits),
        Format::Gif | Format::WebP | Format::Bmp | Format::Tiff => {
            others::decode(bytes, &header, limits)
        }
        Format::Avif | Format::JpegXl => by_browsers("convert the file to JPEG, PNG or WebP"),
        Format::Heic => by_browsers(
            "export the photo as JPEG (on an iPhone: Settings, Camera, Formats, Most Compatible)",
        ),
    }
}

/// The decoder's own words, behind ours.
fn failed(format: Format, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    let what = format!("the {format} picture is damaged or cut short");
    Error::with_source(ErrorKind::BadPicture, what, cause)
}

fn turned(picture: image::RgbImage, orientation: image::metadata::Orientation) -> Result<Picture> {
    let mut picture = image::DynamicImage::ImageRgb8(picture);
    picture.apply_orientation(orientation);
    let image::DynamicImage::ImageRgb8(picture) = picture else {
        return Err(bad("the picture could not be turned"));
    };
    let (width, height) = picture.dimensions();
    Picture::from_rgb(width, height, picture.into_raw())
}
