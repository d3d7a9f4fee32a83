//! RGB pictures to what a network takes in: resized, filled where masked, normalised.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::{U8, U8x3};
use fast_image_resize::{FilterType, PixelTrait, PixelType, ResizeAlg, ResizeOptions, Resizer};

use crate::error::{Error, ErrorKind, Result};
use crate::image::Picture;

/// How a network wants its input; stored in the network's file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InputSpec {
    /// Side of the square input in pixels.
    pub size: u32,
    /// Per channel (RGB), subtracted from values in 0..=1.
    pub mean: [f32; 3],
    /// Per channel (RGB), divided by after that.
    pub std: [f32; 3],
}

impl InputSpec {
    /// Network inputs beyond this side are refused: nobody trains there, and a lying file would
    /// make us allocate in proportion.
    pub const MAX_SIZE: u32 = 2048;

    /// Checks that the values make sense.
    ///
    /// # Errors
    /// `BadModel` with the value that does not.
    pub fn validate(&self) -> Result<()> {
        let bad = |what| Err(Error::new(ErrorKind::BadModel, what));
        if self.size == 0 || self.size > Self::MAX_SIZE {
            return bad(format!("input size {} is not in 1..={}", self.size, Self::MAX_SIZE));
        }
        if !self.mean.iter().all(|x| x.is_finite()) {
            return bad(format!("input mean {:?} is not finite", self.mean));
        }
        if !self.std.iter().all(|x| x.is_finite() && *x > 0.0) {
            return bad(format!("input std {:?} is not above 0", self.std));
        }
        Ok(())
    }
}

/// Resizes to `size` x `size`, ignoring the aspect ratio: triangle filter widened to the scale, so
/// that shrinking averages over all pixels (what other libraries call antialiased bilinear).
/// 8-bit fixed-point arithmetic, the same on every machine.
///
/// # Errors
/// `Internal` only: a [`Picture`] is always resizable.
pub fn resize(picture: &Picture, size: u32) -> Result<Picture> {
    let pixels =
        resample(picture.width(), picture.height(), picture.rgb(), PixelType::U8x3, size, size)?;
    Picture::from_rgb(size, size, pixels)
}

/// Resizes tightly packed 8-bit pixels, `U8x3` or `U8`, antialiased. Only these two: each pixel type
/// of the library is a copy of its code.
pub(crate) fn resample(
    width: u32,
    height: u32,
    pixels: &[u8],
    pixel_type: PixelType,
    to_width: u32,
    to_height: u32,
) -> Result<Vec<u8>> {
    match pixel_type {
        _ if (width, height) == (to_width, to_height) => Ok(pixels.to_vec()),
        PixelType::U8x3 => convolve::<U8x3>((width, height), pixels, (to_width, to_height)),
        PixelType::U8 => convolve::<U8>((width, height), pixels, (to_width, to_height)),
        other => {
            Err(Error::new(ErrorKind::Internal, format!("{other:?} pixels cannot be resized")))
        }
    }
}

fn convolve<P: PixelTrait<Component = u8>>(
    from: (u32, u32),
    pixels: &[u8],
    to: (u32, u32),
) -> Result<Vec<u8>> {
    let failed = |cause: Box<dyn std::error::Error + Send + Sync>| {
        Error::with_source(ErrorKind::Internal, "resizing a picture failed", cause)
    };
    let source = TypedImageRef::<P>::from_buffer(from.0, from.1, pixels)
        .map_err(|cause| failed(cause.into()))?;
    let mut target = TypedImage::<P>::new(to.0, to.1);
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
        .use_alpha(false);
    Resizer::new()
        .resize_typed(&source, &mut target, &options)
        .map_err(|cause| failed(cause.into()))?;
    Ok(P::components(target.pixels()).to_vec())
}

/// `(rgb / 255 - mean) / std`, as planes: `[3][height][width]` (CHW).
#[must_use]
pub fn normalise(picture: &Picture, spec: &InputSpec) -> Vec<f32> {
    let area = picture.rgb().len() / 3;
    let mut planes = Vec::with_capacity(area * 3);
    for channel in 0..3 {
        // 256 possible values: look them up.
        let table: [f32; 256] =
            std::array::from_fn(|v| (v as f32 / 255.0 - spec.mean[channel]) / spec.std[channel]);
        planes
            .extend(picture.rgb().iter().skip(channel).step_by(3).map(|&v| table[usize::from(v)]));
    }
    planes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shrinking_averages_over_all_pixels() {
        // Columns of black and white, one pixel wide: grey everywhere when halved.
        let rgb: Vec<u8> =
            (0..64 * 64).flat_map(|i| [if i % 2 == 0 { 0 } else { 255 }; 3]).collect();
        let small = resize(&Picture::from_rgb(64, 64, rgb).unwrap(), 16).unwrap();
        assert!(small.rgb().iter().all(|v| (118..=138).contains(v)), "{:?}", &small.rgb()[..12]);
    }

    #[test]
    fn resizing_keeps_flat_colour_and_takes_any_shape() {
        for (w, h) in [(1, 1), (1, 999), (777, 2), (299, 299)] {
            let flat = [12u8, 200, 99].repeat((w * h) as usize);
            let resized = resize(&Picture::from_rgb(w, h, flat).unwrap(), 33).unwrap();
            assert!(resized.rgb().chunks(3).all(|p| p == [12, 200, 99]), "{w}x{h}");
        }
    }

    #[test]
    fn normalises_into_planes() {
        let picture = Picture::from_rgb(2, 1, vec![0, 51, 255, 255, 102, 0]).unwrap();
        let spec = InputSpec { size: 2, mean: [0.0, 0.2, 0.5], std: [1.0, 0.2, 0.5] };
        let planes = normalise(&picture, &spec);
        let expected = [0.0, 1.0, 0.0, 1.0, 1.0, -1.0];
        assert!(planes.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{planes:?}");
    }

    #[test]
    fn refuses_specs_that_make_no_sense() {
        let good = InputSpec { size: 299, mean: [0.0; 3], std: [1.0; 3] };
        assert!(good.validate().is_ok());
        assert!(InputSpec { size: 0, ..good }.validate().is_err());
        assert!(InputSpec { size: 4096, ..good }.validate().is_err());
        assert!(InputSpec { std: [1.0, 0.0, 1.0], ..good }.validate().is_err());
        assert!(InputSpec { mean: [f32::NAN; 3], ..good }.validate().is_err());
    }
}
