//! Why did this match? Where in the photo the similarity to a product comes from.

use crate::area::Rect;
use crate::embedding::{Embedding, dot};
use crate::error::Result;
use crate::mask::Mask;
use crate::model::Features;
use crate::projection::{Projection, powered};

/// How much each part of the photo adds to the similarity: `[height][width]`, row by row. Sums to
/// the cosine, up to the part that the centre takes off evenly; negative cells speak against.
#[derive(Clone, Debug, PartialEq)]
pub struct HeatMap {
    /// Cells from left to right.
    pub width: usize,
    /// Cells from top to bottom.
    pub height: usize,
    /// `height * width` values.
    pub values: Vec<f32>,
    /// What of the photo the cells cover.
    pub rect: Rect,
}

impl HeatMap {
    /// The map of a part of the photo that lies at `place` in what the network saw, without the
    /// padding around it. Cells that reach into the padding give all they have to the part: a pixel
    /// of padding was no part of the pooling.
    #[must_use]
    pub fn of_part(&self, place: Rect, rect: Rect) -> Self {
        let across = overlaps(self.width, place.x0, place.x1);
        let down = overlaps(self.height, place.y0, place.y1);
        let mut values = vec![0f32; across.cells * down.cells];
        for (y, to_y, part_y) in &down.shares {
            for (x, to_x, part_x) in &across.shares {
                values[to_y * across.cells + to_x] +=
                    self.values[y * self.width + x] * part_y * part_x;
            }
        }
        Self { width: across.cells, height: down.cells, values, rect }
    }
}

/// How the cells of one side are shared out among those of a part of it.
struct Overlaps {
    cells: usize,
    /// From which cell, to which of the part's, which share of it.
    shares: Vec<(usize, usize, f32)>,
}

/// `from..to` are fractions of a side of `cells` cells; the part has about as many as it covers.
fn overlaps(cells: usize, from: f32, to: f32) -> Overlaps {
    let (from, to) = (f64::from(from) * cells as f64, f64::from(to) * cells as f64);
    let count = ((to - from).round() as usize).clamp(1, cells);
    let width = (to - from) / count as f64;
    let mut shares = Vec::new();
    for cell in 0..cells {
        let within =
            |low: f64, high: f64| (high.min(cell as f64 + 1.0) - low.max(cell as f64)).max(0.0);
        let all = within(from, to);
        for at in (0..count).filter(|_| all > 0.0) {
            let part = within(from + at as f64 * width, from + (at + 1) as f64 * width) / all;
            if part > 0.0 {
                shares.push((cell, at, part as f32));
            }
        }
    }
    Overlaps { cells: count, shares }
}

/// Splits the cosine between a photo and a `target` over the cells of the photo's feature maps.
///
/// The score is linear in the powered pooled features, and a pooled feature is a mean over cells;
/// each cell gets its share of the feature's part in the score. That is exact where features are
/// not negative, as behind a ReLU. Layers add up on the grid of the finest.
///
/// # Errors
/// `BadQuery` if the mask leaves nothing; `Mismatch` if features and projection do not fit.
pub fn explain(
    features: &Features,
    mask: Option<&Mask>,
    projection: &Projection,
    target: &Embedding,
) -> Result<HeatMap> {
    let pooled = features.pool(mask)?;
    // Also checks that everything fits; its norm scales the linear part to a cosine.
    let length = projection.length(&pooled)?;
    let input = powered(&pooled, projection.blocks());
    // The score's slope along each powered feature: the matrix, transposed, times the target.
    let in_dim = projection.in_dim();
    let mut slope = vec![0f32; in_dim];
    for ((scale, row), t) in projection.matrix().rows().zip(target.as_slice()) {
        let factor = t / length * scale;
        slope.iter_mut().zip(row).for_each(|(s, m)| *s += factor * f32::from(*m));
    }
    let (width, height) =
        features.0.iter().map(|m| (m.width, m.height)).max_by_key(|(w, h)| w * h).unwrap_or((1, 1));
    let centre = dot(&slope, projection.mean()) / (width * height) as f32;
    let mut values = vec![-centre; width * height];
    let mut start = 0;
    for map in &features.0 {
        let channels = start..start + map.channels;
        // What a unit of each channel in one cell adds to the score.
        let per_unit: Vec<f32> = channels
            .clone()
            .map(|c| if pooled[c] == 0.0 { 0.0 } else { slope[c] * input[c] / pooled[c] })
            .collect();
        start = channels.end;
        let weights = map.weights(mask)?;
        let cells: Vec<f32> = map
            .values
            .chunks_exact(map.channels)
            .zip(&weights)
            .map(|(cell, weight)| weight * dot(cell, &per_unit))
            .collect();
        spread(&cells, map.width, map.height, &mut values, width, height);
    }
    Ok(HeatMap { width, height, values, rect: Rect::WHOLE })
}

/// Adds a coarse grid to a fine one; the sum is kept.
fn spread(
    cells: &[f32],
    width: usize,
    height: usize,
    fine: &mut [f32],
    fine_width: usize,
    fine_height: usize,
) {
    let from =
        |i: usize, fine: usize, coarse: usize| ((2 * i + 1) * coarse / (2 * fine)).min(coarse - 1);
    let mut counts = vec![0u32; cells.len()];
    let at = |x: usize, y: usize| from(y, fine_height, height) * width + from(x, fine_width, width);
    for y in 0..fine_height {
        for x in 0..fine_width {
            counts[at(x, y)] += 1;
        }
    }
    for y in 0..fine_height {
        for x in 0..fine_width {
            let cell = at(x, y);
            fine[y * fine_width + x] += cells[cell] / counts[cell] as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FeatureMap;
    use crate::projection::{Block, Matrix};

    #[test]
    fn the_heat_sums_to_the_score_and_lies_where_the_feature_is() {
        // Two layers, 2x2 and 1x1; channel 0 of the first fires in the top right cell only.
        let first = FeatureMap {
            height: 2,
            width: 2,
            channels: 2,
            values: vec![0.0, 1.0, 4.0, 1.0, 0.0, 1.0, 0.0, 1.0],
        };
        let second = FeatureMap { height: 1, width: 1, channels: 1, values: vec![9.0] };
        let features = Features(vec![first, second]);
        let block = |dim| Block { dim, power: 0.5, weight: 1.0 };
        let matrix = Matrix::rounded(3, &[1.0, 0.0, 0.0, 0.0, 1.0, 0.5]).unwrap();
        let projection =
            Projection::new(vec![block(2), block(1)], vec![0.1, 0.2, 0.3], matrix).unwrap();
        let target = Embedding::new(vec![1.0, 0.2]).unwrap();
        let heat = explain(&features, None, &projection, &target).unwrap();
        let score = projection.apply(&features.pool(None).unwrap()).unwrap().dot(&target).unwrap();
        assert_eq!((heat.width, heat.height), (2, 2));
        assert!((heat.values.iter().sum::<f32>() - score).abs() < 1e-4, "{heat:?} {score}");
        let hottest = (0..4).max_by(|&a, &b| heat.values[a].total_cmp(&heat.values[b]));
        assert_eq!(hottest, Some(1));
        // What is masked away adds nothing but its share of the centre.
        let mask = Mask::new(2, 2, vec![0, 255, 0, 0]).unwrap();
        let masked = explain(&features, Some(&mask), &projection, &target).unwrap();
        assert!(masked.values[1] < heat.values[1]);
    }
}
