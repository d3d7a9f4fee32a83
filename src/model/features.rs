//! Feature maps and their pooling.

use crate::error::{Error, ErrorKind, Result};
use crate::mask::Mask;

/// One layer's output for one picture: `[height][width][channels]` (HWC), as a network that runs
/// in NHWC gives it. A layer that is a vector has height and width 1.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureMap {
    /// Cells from top to bottom.
    pub height: usize,
    /// Cells from left to right.
    pub width: usize,
    /// Features of a cell.
    pub channels: usize,
    /// `height * width * channels` values.
    pub values: Vec<f32>,
}

impl FeatureMap {
    /// From `[channels][height][width]` (CHW), the order that NCHW networks give.
    #[cfg(any(test, feature = "tract"))]
    pub(super) fn from_chw(
        channels: usize,
        height: usize,
        width: usize,
        chw: impl Iterator<Item = f32>,
    ) -> Self {
        let area = height * width;
        let mut values = vec![0.0; channels * area];
        for (i, value) in chw.enumerate().take(values.len()) {
            values[i % area * channels + i / area] = value;
        }
        Self { height, width, channels, values }
    }

    /// What each cell counts for in the mean over cells, `[height][width]`, summing to 1: as much
    /// as the mask leaves of its area.
    ///
    /// # Errors
    /// `BadQuery` if the mask leaves nothing of the picture.
    pub fn weights(&self, mask: Option<&Mask>) -> Result<Vec<f32>> {
        let area = self.height * self.width;
        let Some(mask) = mask else { return Ok(vec![1.0 / area as f32; area]) };
        let scaled = mask.resized(self.width as u32, self.height as u32)?;
        let total: u32 = scaled.coverage().iter().map(|&c| u32::from(255 - c)).sum();
        if total == 0 {
            return Err(Error::new(
                ErrorKind::BadQuery,
                "the mask covers the whole picture: leave something to search for",
            ));
        }
        Ok(scaled.coverage().iter().map(|&c| f32::from(255 - c) / total as f32).collect())
    }
}

/// The layers' maps of one picture, in the order of the model's layers.
#[derive(Clone, Debug, PartialEq)]
pub struct Features(pub Vec<FeatureMap>);

impl Features {
    /// Global average pooling of each layer, joined: `[sum of channels]`. With a mask the average
    /// is weighted by how much of each cell's area stays, so that what was taken out does not
    /// speak.
    ///
    /// # Errors
    /// `BadQuery` if the mask leaves nothing of the picture.
    pub fn pool(&self, mask: Option<&Mask>) -> Result<Vec<f32>> {
        let mut pooled = Vec::with_capacity(self.0.iter().map(|m| m.channels).sum());
        for map in &self.0 {
            let weights = map.weights(mask)?;
            let mut means = vec![0f32; map.channels];
            for (cell, weight) in map.values.chunks_exact(map.channels).zip(&weights) {
                if *weight > 0.0 {
                    means.iter_mut().zip(cell).for_each(|(mean, x)| *mean += weight * x);
                }
            }
            pooled.append(&mut means);
        }
        Ok(pooled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pools_what_the_mask_leaves() {
        // Two channels over a row of two cells, given as CHW.
        let map = FeatureMap::from_chw(2, 1, 2, [1.0, 3.0, 10.0, 30.0].into_iter());
        assert_eq!(map.values, [1.0, 10.0, 3.0, 30.0]);
        let features = Features(vec![map.clone(), map]);
        assert_eq!(features.pool(None).unwrap(), [2.0, 20.0, 2.0, 20.0]);
        let left = Mask::new(2, 1, vec![0, 255]).unwrap();
        assert_eq!(features.pool(Some(&left)).unwrap()[..2], [1.0, 10.0]);
        let all = Mask::new(1, 1, vec![255]).unwrap();
        assert_eq!(features.pool(Some(&all)).unwrap_err().kind(), ErrorKind::BadQuery);
    }
}
