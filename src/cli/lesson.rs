//! What a projection is learnt from, as the command line names it.

use std::path::PathBuf;

use super::files;
use crate::catalog::Product;
use crate::engine::pooled_features;
use crate::error::Result;
use crate::image::Picture;
use crate::learn::{Column, LearnOptions, Lesson, Recipe, Teacher, learn};
use crate::model::{ModelSpec, Network};
use crate::preprocess::resize;
use crate::projection::{Block, Projection};

/// Exponent of the signed power before the projection.
pub(super) const POWER: f32 = 0.5;

#[derive(clap::Args, Clone)]
pub(super) struct Args {
    /// A stronger network, prepared as well, that only this machine runs: the embeddings learn to
    /// see its neighbours.
    #[arg(long)]
    pub(super) teacher: Option<PathBuf>,
    /// A column to learn from: products that share its values move together, if that holds for
    /// products held out. Repeat or separate by comma. `title` means the title's words.
    #[arg(long, value_delimiter = ',', value_name = "COLUMN")]
    pub(super) learn_from: Vec<String>,
    /// Dimension of the embeddings, at most.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) dim: u16,
}

/// The networks that look at a catalogue.
pub(super) struct Networks {
    pub(super) own: Network,
    /// The own network's file.
    pub(super) bytes: Vec<u8>,
    teacher: Option<Network>,
}

/// What the networks see in a picture.
pub(super) struct Seen {
    own: Vec<f32>,
    teacher: Option<Vec<f32>>,
}

impl Networks {
    pub(super) fn load(own: &PathBuf, args: &Args) -> Result<Self> {
        let bytes = files::read(own)?;
        let load =
            |path: &PathBuf, bytes: &[u8]| Network::load(bytes).map_err(|e| e.at(path.display()));
        let teacher =
            args.teacher.as_ref().map(|path| load(path, &files::read(path)?)).transpose()?;
        Ok(Self { own: load(own, &bytes)?, bytes, teacher })
    }

    pub(super) fn see(&self, picture: &Picture) -> Result<Seen> {
        let features = |network: &Network| {
            pooled_features(network, &resize(picture, network.spec().input.size)?, None)
        };
        Ok(Seen {
            own: features(&self.own)?,
            teacher: self.teacher.as_ref().map(features).transpose()?,
        })
    }

    /// Everything that was seen of a catalogue, ready to learn from.
    pub(super) fn material(&self, seen: Vec<Seen>) -> Material {
        let teacher = self.teacher.as_ref().map(Network::spec);
        let (pooled, taught): (Vec<_>, Vec<_>) =
            seen.into_iter().map(|s| (s.own, s.teacher)).unzip();
        Material {
            pooled,
            blocks: blocks(self.own.spec()),
            taught: taught.into_iter().flatten().collect(),
            teacher: teacher.map(|spec| (spec.name.clone(), blocks(spec))),
        }
    }
}

/// Pooled features of a catalogue's products.
pub(super) struct Material {
    pub(super) pooled: Vec<Vec<f32>>,
    pub(super) blocks: Vec<Block>,
    /// The teacher's, as many or none.
    taught: Vec<Vec<f32>>,
    teacher: Option<(String, Vec<Block>)>,
}

impl Material {
    /// Learns a projection from the products in `rows` and from what `args` name.
    pub(super) fn learn(
        &self,
        rows: &[usize],
        products: &[&Product],
        args: &Args,
    ) -> Result<(Projection, Recipe)> {
        let pick = |from: &[Vec<f32>]| rows.iter().map(|&i| from[i].clone()).collect::<Vec<_>>();
        let chosen: Vec<&Product> = rows.iter().map(|&i| products[i]).collect();
        let columns = args
            .learn_from
            .iter()
            .map(|name| Column::read(name, &chosen))
            .collect::<Result<Vec<_>>>()?;
        let (pooled, taught) =
            (pick(&self.pooled), if self.taught.is_empty() { vec![] } else { pick(&self.taught) });
        let lesson = Lesson {
            pooled: &pooled,
            blocks: &self.blocks,
            teacher: self.teacher.as_ref().map(|(name, blocks)| Teacher {
                name,
                pooled: &taught,
                blocks,
            }),
            columns: &columns,
        };
        learn(&lesson, LearnOptions { dim: usize::from(args.dim), ..LearnOptions::default() })
    }
}

fn blocks(spec: &ModelSpec) -> Vec<Block> {
    spec.layers.iter().map(|l| Block { dim: l.dim, power: POWER, weight: 1.0 }).collect()
}
