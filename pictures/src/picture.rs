//! Pixels in memory.

use lookalike_error::{Error, ErrorKind, Result};

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alpha_goes_over_white() {
        let rgba = [10, 20, 30, 255, 10, 20, 30, 0, 0, 0, 0, 128];
        let picture = Picture::from_rgba(3, 1, &rgba).unwrap();
        assert_eq!(picture.rgb(), [10, 20, 30, 255, 255, 255, 127, 127, 127]);
    }

    #[test]
    fn buffers_must_fit_their_size() {
        let kind_of = |result: Result<Picture>| result.expect_err("should be refused").kind();
        assert_eq!(kind_of(Picture::from_rgb(2, 2, vec![0; 11])), ErrorKind::BadPicture);
        assert_eq!(kind_of(Picture::from_rgb(0, 2, vec![])), ErrorKind::BadPicture);
        assert_eq!(kind_of(Picture::from_rgba(u32::MAX, u32::MAX, &[])), ErrorKind::BadPicture);
    }
}
