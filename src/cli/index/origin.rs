//! What an index was made from, as the state remembers it: the projection, what that was learnt
//! from, and which picture each row shows.

use serde::{Deserialize, Serialize};

use super::scores::Learnt;
use crate::cli::state::PictureId;
use crate::error::{Error, ErrorKind, Result};
use crate::learn::Method;
use crate::projection::{Block, Matrix, Projection};

/// How pictures become embeddings, and how that was found.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Lesson {
    /// SHA-256 of the networks and of the options that it was learnt with.
    pub(super) options: [u8; 32],
    pub(super) projection: Projection,
    /// Of pictures alone, where a teacher or columns had a say in the other.
    pub(super) plain: Option<Projection>,
    /// What the plain one, or the only one, consists of.
    pub(super) plain_method: Method,
    /// The pictures that it was learnt from, ascending.
    pub(super) learnt: Vec<PictureId>,
    /// Share of their variance that it keeps.
    pub(super) explained: f64,
    /// As the manifest has it.
    pub(super) recipe: serde_json::Value,
    /// What scores mean, where copies have told.
    pub(super) scores: Option<Learnt>,
}

impl Lesson {
    /// The projection that no label has a say in.
    pub(super) fn plain(&self) -> &Projection {
        self.plain.as_ref().unwrap_or(&self.projection)
    }
}

/// All that is remembered of an index.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Origin {
    pub(super) lesson: Lesson,
    /// By row of the index.
    pub(super) rows: Vec<PictureId>,
}

/// The first line. The rest is binary, little-endian, in the order of the fields here.
#[derive(Serialize, Deserialize)]
struct Head {
    options: [u8; 32],
    plain_method: Method,
    explained: f64,
    recipe: serde_json::Value,
    scores: Option<Learnt>,
    main: Shape,
    plain: Option<Shape>,
    learnt: usize,
    rows: usize,
}

#[derive(Serialize, Deserialize)]
struct Shape {
    /// Dimension, power, weight.
    blocks: Vec<(usize, f32, f32)>,
    outputs: usize,
}

impl Shape {
    fn of(projection: &Projection) -> Self {
        let blocks = projection.blocks().iter().map(|b| (b.dim, b.power, b.weight)).collect();
        Self { blocks, outputs: projection.out_dim() }
    }
}

impl Origin {
    pub(super) fn write(&self) -> Result<Vec<u8>> {
        let lesson = &self.lesson;
        let head = Head {
            options: lesson.options,
            plain_method: lesson.plain_method,
            explained: lesson.explained,
            recipe: lesson.recipe.clone(),
            scores: lesson.scores,
            main: Shape::of(&lesson.projection),
            plain: lesson.plain.as_ref().map(Shape::of),
            learnt: lesson.learnt.len(),
            rows: self.rows.len(),
        };
        let mut bytes = serde_json::to_vec(&head).map_err(|cause| {
            Error::with_source(ErrorKind::Internal, "writing the state failed", cause)
        })?;
        bytes.push(b'\n');
        for projection in std::iter::once(&lesson.projection).chain(&lesson.plain) {
            let scales = projection.matrix().scales();
            let floats = projection.mean().iter().chain(scales);
            bytes.extend(floats.flat_map(|x| x.to_le_bytes()));
            bytes.extend(projection.matrix().values().iter().map(|&v| v as u8));
        }
        bytes.extend(lesson.learnt.iter().chain(&self.rows).flat_map(|id| id.0));
        Ok(bytes)
    }

    /// `None` if it is not whole: it is then as if nothing were remembered.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let end = bytes.iter().position(|&b| b == b'\n')?;
        let head: Head = serde_json::from_slice(&bytes[..end]).ok()?;
        let mut rest = &bytes[end + 1..];
        let projection = projection(&head.main, &mut rest)?;
        let plain = match &head.plain {
            None => None,
            Some(shape) => Some(self::projection(shape, &mut rest)?),
        };
        let mut ids = |count: usize| {
            let bytes = take(&mut rest, count.checked_mul(32)?)?;
            Some(bytes.as_chunks::<32>().0.iter().map(|&id| PictureId(id)).collect::<Vec<_>>())
        };
        let (learnt, rows) = (ids(head.learnt)?, ids(head.rows)?);
        let Head { options, plain_method, explained, recipe, scores, .. } = head;
        let lesson =
            Lesson { options, projection, plain, plain_method, learnt, explained, recipe, scores };
        rest.is_empty().then_some(Self { lesson, rows })
    }
}

fn projection(shape: &Shape, rest: &mut &[u8]) -> Option<Projection> {
    let blocks: Vec<Block> =
        shape.blocks.iter().map(|&(dim, power, weight)| Block { dim, power, weight }).collect();
    let inputs = blocks.iter().try_fold(0usize, |sum, b| sum.checked_add(b.dim))?;
    let mut floats = |count: usize| -> Option<Vec<f32>> {
        let bytes = take(rest, count.checked_mul(4)?)?;
        Some(bytes.as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect())
    };
    let (mean, scales) = (floats(inputs)?, floats(shape.outputs)?);
    let values = take(rest, inputs.checked_mul(shape.outputs)?)?;
    let values = values.iter().map(|&b| b as i8).collect();
    Projection::new(blocks, mean, Matrix::new(inputs, scales, values).ok()?).ok()
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(count)?;
    *rest = left;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn projection(outputs: usize) -> Projection {
        let rows: Vec<f32> = (0..outputs * 3).map(|i| i as f32 - 2.5).collect();
        let block = |dim| Block { dim, power: 0.5, weight: 1.0 };
        let matrix = Matrix::rounded(3, &rows).unwrap();
        Projection::new(vec![block(1), block(2)], vec![0.1, -0.2, 0.3], matrix).unwrap()
    }

    #[test]
    fn an_origin_round_trips_and_a_part_of_it_is_none() {
        for plain in [None, Some(projection(4))] {
            let lesson = Lesson {
                options: [3; 32],
                projection: projection(2),
                plain,
                plain_method: Method::Principal,
                learnt: vec![PictureId([1; 32]), PictureId([2; 32])],
                explained: 0.93,
                recipe: serde_json::json!({"projection": "pca", "whitening": 0.5}),
                scores: None,
            };
            let origin = Origin { lesson, rows: vec![PictureId([2; 32])] };
            let bytes = origin.write().unwrap();
            assert_eq!(Origin::read(&bytes), Some(origin));
            assert!((0..bytes.len()).all(|end| Origin::read(&bytes[..end]).is_none()));
            assert_eq!(Origin::read(&[&bytes[..], b"x"].concat()), None);
        }
    }
}
