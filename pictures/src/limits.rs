//! How large a picture may be.

use lookalike_error::{Error, ErrorKind, Result};

/// What a picture may be at most. The browser and the command line use the same values, those of
/// [`Limits::default`]; they are values so that a caller can choose and a test can check them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest file in bytes.
    pub max_bytes: u64,
    /// Largest width and height in pixels.
    pub max_side: u32,
    /// Largest width times height of what a file holds.
    pub max_pixels: u64,
    /// Largest width times height of what decoding gives back: a larger picture is halved until
    /// it fits, while it is decoded, so that memory is bounded.
    pub kept_pixels: u64,
}

impl Default for Limits {
    /// 100 MB, 65 500 pixels a side (as far as JPEG decoders go), 200 megapixels (the largest
    /// sensors of phones), of which 25 are kept.
    fn default() -> Self {
        Self {
            max_bytes: 100_000_000,
            max_side: 65_500,
            max_pixels: 200_000_000,
            kept_pixels: 25_000_000,
        }
    }
}

impl Limits {
    /// Whether a file of so many bytes is read at all.
    ///
    /// # Errors
    /// `TooLarge` if it is larger than `max_bytes`, `BadPicture` if it is empty.
    pub fn check_bytes(&self, bytes: u64) -> Result<()> {
        if bytes == 0 {
            let what = "the file is empty (0 bytes); choose a JPEG, PNG or WebP picture";
            return Err(Error::new(ErrorKind::BadPicture, what));
        }
        if bytes > self.max_bytes {
            let what = format!(
                "the file has {} MB, at most {} MB are read; save a smaller copy",
                bytes.div_ceil(1_000_000),
                self.max_bytes / 1_000_000
            );
            return Err(Error::new(ErrorKind::TooLarge, what));
        }
        Ok(())
    }

    /// Whether a picture of this size is decoded at all.
    ///
    /// # Errors
    /// `BadPicture` if a side is 0, `TooLarge` beyond `max_side` or `max_pixels`.
    pub fn check_size(&self, width: u64, height: u64) -> Result<()> {
        if width == 0 || height == 0 {
            let what = format!("the picture is {width}x{height} pixels: it has no content");
            return Err(Error::new(ErrorKind::BadPicture, what));
        }
        let side = u64::from(self.max_side);
        if width > side || height > side || width * height > self.max_pixels {
            let what = format!(
                "the picture is {width}x{height} pixels, at most {side} a side and {} megapixels \
                 are read; save a smaller copy",
                self.max_pixels / 1_000_000
            );
            return Err(Error::new(ErrorKind::TooLarge, what));
        }
        Ok(())
    }

    /// By how much each side is divided so that `kept_pixels` hold it: 1, 2, 4 or more.
    #[cfg(feature = "decode")]
    pub(crate) fn reduction(&self, width: u32, height: u32) -> u32 {
        let mut by = 1;
        while by < 1 << 15
            && u64::from(width.div_ceil(by)) * u64::from(height.div_ceil(by)) > self.kept_pixels
        {
            by *= 2;
        }
        by
    }
}
