//! What a projection is learnt from, as the command line names it.

use std::collections::HashMap;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::catalogue::{Item, Pictures};
use super::grow::{Mix, grow};
use super::look::{Looked, every_picture};
use super::{files, output};
use crate::catalog::Product;
use crate::engine::pooled_features;
use crate::error::{Error, ErrorKind, Result};
use crate::image::Picture;
use crate::index::Owners;
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
    /// Keep what the networks see in each picture in this folder, for the next run.
    #[arg(long, value_name = "FOLDER")]
    pub(super) cache: Option<PathBuf>,
    /// Dimension of the embeddings, at most.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) dim: u16,
}

impl Args {
    /// The same without teacher and columns.
    pub(super) fn plain(&self) -> Self {
        Self { teacher: None, learn_from: Vec::new(), ..self.clone() }
    }
}

/// The networks that look at a catalogue.
pub(super) struct Networks {
    pub(super) own: Network,
    /// The own network's file.
    pub(super) bytes: Vec<u8>,
    own_id: [u8; 32],
    teacher: Option<([u8; 32], Network)>,
    cache: Option<Cache>,
}

/// What the networks see in a picture.
pub(super) struct Seen {
    own: Vec<f32>,
    teacher: Option<Vec<f32>>,
}

impl Networks {
    pub(super) fn load(own: &PathBuf, args: &Args) -> Result<Self> {
        let bytes = files::read_network(own)?;
        let load = |path: &PathBuf, bytes: &[u8]| {
            Network::load(bytes.to_vec()).map_err(|e| e.at(path.display()))
        };
        let teacher = args
            .teacher
            .as_ref()
            .map(|path| {
                let bytes = files::read_network(path)?;
                Ok::<_, Error>((Sha256::digest(&bytes).into(), load(path, &bytes)?))
            })
            .transpose()?;
        let cache = args.cache.clone().map(Cache::new).transpose()?;
        let own_id = Sha256::digest(&bytes).into();
        Ok(Self { own: load(own, &bytes)?, own_id, bytes, teacher, cache })
    }

    /// What they see in a picture; from the cache if its `file` was seen before.
    pub(super) fn see(&self, file: &[u8], picture: &Picture) -> Result<Seen> {
        let key = |network: &[u8; 32]| Cache::key(network, file);
        let cached = |id: &[u8; 32], network: &Network| {
            self.cache.as_ref()?.get(&key(id), network.spec().dim())
        };
        let own = cached(&self.own_id, &self.own);
        let teacher = self.teacher.as_ref().and_then(|(id, network)| cached(id, network));
        if let (Some(own), true) = (&own, self.teacher.is_none() || teacher.is_some()) {
            return Ok(Seen { own: own.clone(), teacher });
        }
        let seen = self.look(picture)?;
        if let Some(cache) = &self.cache {
            cache.put(&key(&self.own_id), &seen.own)?;
            if let (Some((id, _)), Some(features)) = (&self.teacher, &seen.teacher) {
                cache.put(&key(id), features)?;
            }
        }
        Ok(seen)
    }

    fn look(&self, picture: &Picture) -> Result<Seen> {
        let features = |network: &Network| {
            pooled_features(network, &resize(picture, network.spec().input.size)?, None)
        };
        Ok(Seen {
            own: features(&self.own)?,
            teacher: self.teacher.as_ref().map(|(_, network)| features(network)).transpose()?,
        })
    }

    /// A catalogue as the networks see it; pictures that cannot be used are left out, and said.
    ///
    /// # Errors
    /// `BadCatalog` if no product has a picture that can be used.
    pub(super) fn view(
        &self,
        items: Vec<Item>,
        pictures: &Pictures,
    ) -> Result<(Vec<Item>, Material)> {
        let looked = every_picture(items, pictures, |file, picture| self.see(file, picture));
        for reason in looked.pictures_skipped.iter().chain(&looked.products_skipped) {
            output::remark(format_args!("skipped: {reason}"));
        }
        if looked.items.is_empty() {
            let what = "no product of the catalogue has a picture that can be used";
            return Err(Error::new(ErrorKind::BadCatalog, what));
        }
        let owners = looked.owners()?;
        let Looked { items, seen, .. } = looked;
        let groups: Vec<Option<&str>> = items.iter().map(|item| item.group.as_deref()).collect();
        let material = self.material(seen, owners, &groups);
        Ok((items, material))
    }

    /// Everything that was seen of a catalogue's pictures, ready to learn from. `groups` are the
    /// feed's groups of variants, by product.
    pub(super) fn material(
        &self,
        seen: Vec<Seen>,
        owners: Owners,
        groups: &[Option<&str>],
    ) -> Material {
        let teacher = self.teacher.as_ref().map(|(_, network)| network.spec());
        let (pooled, taught): (Vec<_>, Vec<_>) =
            seen.into_iter().map(|s| (s.own, s.teacher)).unzip();
        Material {
            pooled,
            owners,
            units: units(groups),
            blocks: blocks(self.own.spec()),
            taught: taught.into_iter().flatten().collect(),
            teacher: teacher.map(|spec| (spec.name.clone(), blocks(spec))),
        }
    }
}

/// Per product, the first product of its group; itself without a group.
fn units(groups: &[Option<&str>]) -> Vec<u32> {
    let mut first = HashMap::new();
    let unit = |(product, group): (u32, &Option<&str>)| match *group {
        Some(name) => *first.entry(name.to_owned()).or_insert(product),
        None => product,
    };
    (0..).zip(groups).map(unit).collect()
}

/// Pooled features of a catalogue's pictures.
pub(super) struct Material {
    /// By picture.
    pub(super) pooled: Vec<Vec<f32>>,
    pub(super) owners: Owners,
    /// By product, what it must not be torn apart from in a held-out check: the first of its variants.
    pub(super) units: Vec<u32>,
    pub(super) blocks: Vec<Block>,
    /// The teacher's, as many or none.
    taught: Vec<Vec<f32>>,
    teacher: Option<(String, Vec<Block>)>,
}

impl Material {
    /// The row of a product's main picture.
    pub(super) fn main(&self, product: usize) -> usize {
        self.owners.pictures_of(product as u32).start as usize
    }

    /// The same products with their main pictures alone.
    pub(super) fn mains(&self) -> Result<Self> {
        let of = |rows: &[Vec<f32>]| {
            let main = |product: usize| rows.get(self.main(product)).cloned();
            (0..self.owners.products()).filter_map(main).collect()
        };
        Ok(Self {
            pooled: of(&self.pooled),
            owners: Owners::single(self.owners.products())?,
            units: self.units.clone(),
            blocks: self.blocks.clone(),
            taught: of(&self.taught),
            teacher: self.teacher.clone(),
        })
    }

    /// The features of a catalogue that is grown from this one, of one picture a product.
    pub(super) fn grown(&self, plan: &[Mix]) -> Result<Self> {
        Ok(Self {
            pooled: grow(&self.pooled, plan),
            owners: Owners::single(plan.len())?,
            units: (0..plan.len() as u32).collect(),
            blocks: self.blocks.clone(),
            taught: if self.taught.is_empty() { Vec::new() } else { grow(&self.taught, plan) },
            teacher: self.teacher.clone(),
        })
    }

    /// Bytes that the features take.
    pub(super) fn bytes(&self) -> usize {
        self.pooled.iter().chain(&self.taught).map(|row| size_of_val(row.as_slice())).sum()
    }

    /// Learns a projection from the products in `rows`, with all their pictures, and from what
    /// `args` name.
    pub(super) fn learn(
        &self,
        rows: &[usize],
        products: &[&Product],
        args: &Args,
    ) -> Result<(Projection, Recipe)> {
        let chosen: Vec<&Product> = rows.iter().map(|&i| products[i]).collect();
        let columns = args
            .learn_from
            .iter()
            .map(|name| Column::read(name, &chosen))
            .collect::<Result<Vec<_>>>()?;
        let pictures: Vec<(u32, usize)> = (0..)
            .zip(rows)
            .flat_map(|(at, &row)| {
                self.owners.pictures_of(row as u32).map(move |picture| (at, picture as usize))
            })
            .collect();
        let owners: Vec<u32> = pictures.iter().map(|p| p.0).collect();
        let pooled: Vec<&[f32]> = pictures.iter().map(|p| self.pooled[p.1].as_slice()).collect();
        let taught: Vec<&[f32]> =
            pictures.iter().filter_map(|p| self.taught.get(p.1)).map(Vec::as_slice).collect();
        let units: Vec<u32> = rows.iter().map(|&row| self.units[row]).collect();
        // A plain recipe has no teacher, even where one has looked.
        let teacher = self.teacher.as_ref().filter(|_| args.teacher.is_some());
        let lesson = Lesson {
            pooled: &pooled,
            owners: &owners,
            units: &units,
            blocks: &self.blocks,
            teacher: teacher.map(|(name, blocks)| Teacher { name, pooled: &taught, blocks }),
            columns: &columns,
        };
        learn(&lesson, LearnOptions { dim: usize::from(args.dim), ..LearnOptions::default() })
    }
}

fn blocks(spec: &ModelSpec) -> Vec<Block> {
    spec.layers.iter().map(|l| Block { dim: l.dim, power: POWER, weight: 1.0 }).collect()
}

/// Features by the hashes of network and picture, one small file each.
struct Cache {
    folder: PathBuf,
}

impl Cache {
    fn new(folder: PathBuf) -> Result<Self> {
        files::make_folder(&folder)?;
        Ok(Self { folder })
    }

    /// The version counts as well: another may resize or compute differently.
    fn key(network: &[u8; 32], picture: &[u8]) -> String {
        let mut hash = Sha256::new();
        hash.update(env!("CARGO_PKG_VERSION"));
        hash.update(network);
        hash.update(picture);
        hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
    }

    fn path(&self, key: &str) -> PathBuf {
        self.folder.join(&key[..2]).join(format!("{key}.f32"))
    }

    /// `None` if there is none or what is there is damaged: it is then made again.
    fn get(&self, key: &str, dim: usize) -> Option<Vec<f32>> {
        let path = self.path(key);
        let bytes = path.is_file().then(|| files::read(&path).ok())??;
        let values = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        let values: Vec<f32> = values.collect();
        (bytes.len() == dim * 4 && values.iter().all(|v| v.is_finite())).then_some(values)
    }

    fn put(&self, key: &str, features: &[f32]) -> Result<()> {
        files::make_folder(&self.folder.join(&key[..2]))?;
        let bytes: Vec<u8> = features.iter().flat_map(|v| v.to_le_bytes()).collect();
        files::write(&self.path(key), &bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_gives_back_what_fits_and_nothing_else() {
        let folder = std::env::temp_dir().join(format!("lookalike-cache-{}", std::process::id()));
        let cache = Cache::new(folder.clone()).unwrap();
        let key = Cache::key(&[1; 32], b"picture");
        assert_ne!(key, Cache::key(&[2; 32], b"picture"), "another network");
        assert_eq!(cache.get(&key, 2), None);
        cache.put(&key, &[1.5, -2.0]).unwrap();
        assert_eq!(cache.get(&key, 2), Some(vec![1.5, -2.0]));
        assert_eq!(cache.get(&key, 3), None, "of another length");
        cache.put(&key, &[f32::NAN, 0.0]).unwrap();
        assert_eq!(cache.get(&key, 2), None, "damaged");
        files::remove_folder(&folder).unwrap();
    }
}
