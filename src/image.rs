//! Bytes of a picture file to oriented, bounded RGB pixels.
//!
//! [`sniff`] reads the header alone, so that a lying or oversized file is refused before anything
//! is allocated for it; the browser calls it before its own decoder runs. [`decode`] (feature
//! `decode`) is the native decoder: it applies the EXIF orientation, converts embedded colour
//! profiles to sRGB and puts transparent pictures over white, as a browser shows them.

use crate::error::{Error, ErrorKind, Result};

/// An RGB picture in memory: 8 bits a channel, sRGB, rows top to bottom, `[height][width][3]`
/// (HWC), no padding. Neither side is 0.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    width: u32,
    height: u32,
    rgb: Vec<u8>,
}

impl Picture {
    /// A picture of `rgb`, whose length must be `width * height * 3`.
    ///
    /// # Errors
    /// `BadPicture` if a side is 0 or the length does not fit.
    pub fn from_rgb(width: u32, height: u32, rgb: Vec<u8>) -> Result<Self> {
        check_buffer(width, height, rgb.len(), 3)?;
        Ok(Self { width, height, rgb })
    }

    /// A picture of straight-alpha `rgba` (as in a browser's `ImageData`) composited over white.
    /// The length must be `width * height * 4`.
    ///
    /// # Errors
    /// `BadPicture` if a side is 0 or the length does not fit.
    pub fn from_rgba(width: u32, height: u32, rgba: &[u8]) -> Result<Self> {
        check_buffer(width, height, rgba.len(), 4)?;
        let mut rgb = Vec::with_capacity(rgba.len() / 4 * 3);
        for pixel in rgba.chunks_exact(4) {
            let alpha = u32::from(pixel[3]);
            for &channel in &pixel[..3] {
                // Rounded to nearest: c*a + 255*(1-a), all over 255.
                let over_white = u32::from(channel) * alpha + 255 * (255 - alpha);
                rgb.push(((over_white + 127) / 255) as u8);
            }
        }
        Ok(Self { width, height, rgb })
    }

    /// Width in pixels, at least 1.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels, at least 1.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The pixels, `[height][width][3]`.
    #[must_use]
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Picture({}x{})", self.width, self.height)
    }
}

fn check_buffer(width: u32, height: u32, len: usize, channels: u128) -> Result<()> {
    let expected = u128::from(width) * u128::from(height) * channels;
    if expected == 0 {
        return Err(Error::new(
            ErrorKind::BadPicture,
            format!("the picture is {width}x{height} pixels: it has no content"),
        ));
    }
    if expected != len as u128 {
        return Err(Error::new(
            ErrorKind::BadPicture,
            format!("{len} bytes of pixels given, {expected} expected for {width}x{height}"),
        ));
    }
    Ok(())
}

/// What a picture may be at most. Values, so that a caller can choose and a test can check them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest file in bytes.
    pub max_bytes: usize,
    /// Largest width and height in pixels.
    pub max_side: u32,
    /// Largest width times height.
    pub max_pixels: u64,
}

impl Default for Limits {
    /// 64 MiB, 20 000 pixels a side, 100 megapixels: twice what phones take today.
    fn default() -> Self {
        Self { max_bytes: 64 << 20, max_side: 20_000, max_pixels: 100_000_000 }
    }
}

/// What a file's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Short name of the format, such as `jpeg`.
    pub format: &'static str,
    /// Width in pixels as stored, before the EXIF orientation.
    pub width: u32,
    /// Height in pixels as stored, before the EXIF orientation.
    pub height: u32,
}

/// Reads the header of a picture file and checks it against `limits`; decodes nothing.
///
/// # Errors
/// `BadPicture` for bytes that are no picture or have no area, `Unsupported` for formats that are
/// recognised but not read (HEIC by name), `TooLarge` beyond the limits.
pub fn sniff(bytes: &[u8], limits: &Limits) -> Result<Header> {
    use imagesize::ImageType;
    if bytes.is_empty() {
        return Err(Error::new(
            ErrorKind::BadPicture,
            "the file is empty; choose a JPEG, PNG or WebP picture",
        ));
    }
    if bytes.len() > limits.max_bytes {
        return Err(Error::new(
            ErrorKind::TooLarge,
            format!(
                "the file has {} MB, at most {} MB are read; save a smaller copy",
                bytes.len().div_ceil(1 << 20),
                limits.max_bytes >> 20
            ),
        ));
    }
    let not_a_picture = || {
        Error::new(
            ErrorKind::BadPicture,
            "the file is not a picture, whatever its name says; choose a JPEG, PNG or WebP picture",
        )
    };
    let format = match imagesize::image_type(bytes).map_err(|_| not_a_picture())? {
        ImageType::Jpeg => "jpeg",
        ImageType::Png => "png",
        ImageType::Webp => "webp",
        ImageType::Gif => "gif",
        ImageType::Bmp => "bmp",
        ImageType::Tiff => "tiff",
        ImageType::Heif(imagesize::Compression::Av1) => "avif",
        ImageType::Heif(_) => {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "HEIC pictures cannot be read here; export the photo as JPEG (on an iPhone: \
                 Settings, Camera, Formats, Most Compatible)",
            ));
        }
        _ => {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "this picture format is not supported; choose a JPEG, PNG or WebP picture",
            ));
        }
    };
    let size = imagesize::blob_size(bytes).map_err(|cause| {
        Error::with_source(
            ErrorKind::BadPicture,
            format!("the {format} picture is damaged: its size cannot be read"),
            cause,
        )
    })?;
    let (width, height) = (size.width as u64, size.height as u64);
    if width == 0 || height == 0 {
        return Err(Error::new(
            ErrorKind::BadPicture,
            format!("the picture is {width}x{height} pixels: it has no content"),
        ));
    }
    let side = u64::from(limits.max_side);
    if width > side || height > side || width * height > limits.max_pixels {
        return Err(Error::new(
            ErrorKind::TooLarge,
            format!(
                "the picture is {width}x{height} pixels, at most {side} a side and {} megapixels \
                 are read; save a smaller copy",
                limits.max_pixels / 1_000_000
            ),
        ));
    }
    Ok(Header { format, width: width as u32, height: height as u32 })
}

/// Decodes a picture file as a browser would show it: first frame, EXIF orientation applied,
/// embedded colour profile converted to sRGB, transparency over white, 16 bits reduced to 8.
///
/// # Errors
/// As [`sniff`]; also `BadPicture` if the pixels are damaged or cut short.
#[cfg(feature = "decode")]
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Picture> {
    use image::{DynamicImage, ImageDecoder, ImageReader};
    let header = sniff(bytes, limits)?;
    if header.format == "avif" {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "AVIF pictures are read by the browser only; convert the file to JPEG, PNG or WebP",
        ));
    }
    let damaged = |cause: image::ImageError| {
        Error::with_source(
            ErrorKind::BadPicture,
            format!("the {} picture is damaged or cut short", header.format),
            cause,
        )
    };
    let mut reader = ImageReader::new(std::io::Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|cause| damaged(cause.into()))?;
    let mut bounds = image::Limits::default();
    bounds.max_image_width = Some(limits.max_side);
    bounds.max_image_height = Some(limits.max_side);
    // 16-bit RGBA, and the decoder's own working copy.
    bounds.max_alloc = Some(limits.max_pixels * 16);
    reader.limits(bounds);
    let mut decoder = reader.into_decoder().map_err(damaged)?;
    let orientation = decoder.orientation().unwrap_or(image::metadata::Orientation::NoTransforms);
    let profile = decoder.icc_profile().ok().flatten();
    let mut decoded = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    decoded.apply_orientation(orientation);
    let mut rgba = decoded.into_rgba8();
    if let Some(profile) = profile {
        to_srgb(&mut rgba, &profile);
    }
    let (width, height) = rgba.dimensions();
    Picture::from_rgba(width, height, rgba.as_raw())
}

/// Converts pixels from the colour space of an ICC profile to sRGB. A profile that is damaged or
/// not for RGB is ignored, as browsers do.
#[cfg(feature = "decode")]
fn to_srgb(rgba: &mut image::RgbaImage, profile: &[u8]) {
    use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};
    let Ok(source) = ColorProfile::new_from_slice(profile) else { return };
    if source.color_space != DataColorSpace::Rgb {
        return;
    }
    let target = ColorProfile::new_srgb();
    let Ok(transform) = source.create_transform_8bit(
        Layout::Rgba,
        &target,
        Layout::Rgba,
        TransformOptions::default(),
    ) else {
        return;
    };
    let mut converted = vec![0; rgba.as_raw().len()];
    if transform.transform(rgba.as_raw(), &mut converted).is_ok() {
        rgba.copy_from_slice(&converted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind_of<T: std::fmt::Debug>(result: Result<T>) -> ErrorKind {
        result.expect_err("should be refused").kind()
    }

    /// A PNG header that claims a size, with nothing behind it.
    fn png_header(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
        bytes.extend(width.to_be_bytes());
        bytes.extend(height.to_be_bytes());
        bytes.extend([8, 2, 0, 0, 0, 0, 0, 0, 0]);
        bytes
    }

    #[test]
    fn alpha_goes_over_white() {
        let rgba = [10, 20, 30, 255, 10, 20, 30, 0, 0, 0, 0, 128];
        let picture = Picture::from_rgba(3, 1, &rgba).unwrap();
        assert_eq!(picture.rgb(), [10, 20, 30, 255, 255, 255, 127, 127, 127]);
    }

    #[test]
    fn buffers_must_fit_their_size() {
        assert_eq!(kind_of(Picture::from_rgb(2, 2, vec![0; 11])), ErrorKind::BadPicture);
        assert_eq!(kind_of(Picture::from_rgb(0, 2, vec![])), ErrorKind::BadPicture);
        assert_eq!(kind_of(Picture::from_rgba(u32::MAX, u32::MAX, &[])), ErrorKind::BadPicture);
    }

    #[test]
    fn headers_are_checked_before_anything_is_decoded() {
        let limits = Limits::default();
        assert_eq!(kind_of(sniff(b"", &limits)), ErrorKind::BadPicture);
        assert_eq!(kind_of(sniff(b"hello, I am a text file", &limits)), ErrorKind::BadPicture);
        assert_eq!(kind_of(sniff(&png_header(0, 10), &limits)), ErrorKind::BadPicture);
        assert_eq!(kind_of(sniff(&png_header(30_000, 30_000), &limits)), ErrorKind::TooLarge);
        assert_eq!(kind_of(sniff(&png_header(19_000, 19_000), &limits)), ErrorKind::TooLarge);
        let small = Limits { max_bytes: 8, ..limits };
        assert_eq!(kind_of(sniff(&png_header(1, 1), &small)), ErrorKind::TooLarge);
        let header = sniff(&png_header(8064, 6048), &limits).unwrap();
        assert_eq!(header, Header { format: "png", width: 8064, height: 6048 });
    }

    #[test]
    fn heic_is_named() {
        let heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic\0\0\0\0";
        let error = sniff(heic, &Limits::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("HEIC"), "{error}");
    }
}
