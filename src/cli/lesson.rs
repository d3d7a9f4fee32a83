//! What a projection is learnt from, as the command line names it.

use std::collections::HashMap;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::catalogue::{Item, Pictures};
use super::composites::{self, Copies, Grounds};
use super::grow::{Mix, grow};
use super::look::{Looked, every_picture};
use super::state::{PictureId, State};
use super::{files, output};
use crate::catalog::Product;
use crate::engine::pooled_features;
use crate::error::{Error, ErrorKind, Result};
use crate::image::Picture;
use crate::index::Owners;
use crate::learn::{self, Column, LearnOptions, Lesson, Recipe, Teacher};
use crate::model::{ModelSpec, Network};
use crate::preprocess::resize;
use crate::projection::{Block, Projection};

/// Exponent of the signed power before the projection.
pub(super) const POWER: f32 = 0.5;

#[derive(clap::Args, Clone)]
pub(super) struct Args {
    /// A stronger network, prepared as well, that only this machine runs: the embeddings learn to
    /// see its neighbours. Repeat for several, whose views are joined; those that do not help
    /// products held out are left out.
    #[arg(long = "teacher", value_name = "TEACHER")]
    pub(super) teachers: Vec<PathBuf>,
    /// A column to learn from: products that share its values move together, if that holds for
    /// products held out. Repeat or separate by comma. `title` means the title's words.
    #[arg(long, value_delimiter = ',', value_name = "COLUMN")]
    pub(super) learn_from: Vec<String>,
    #[command(flatten)]
    pub(super) composites: composites::Args,
    /// Remember what the networks see in each picture in this folder, for the next run. `index` has
    /// a place for it in the folder that it writes.
    #[arg(long, value_name = "FOLDER")]
    pub(super) state: Option<PathBuf>,
    /// Dimension of the embeddings, at most.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) dim: u16,
}

impl Args {
    /// The same without teacher, columns and copies.
    pub(super) fn plain(&self) -> Self {
        let composites = composites::Args::none();
        Self { teachers: Vec::new(), learn_from: Vec::new(), composites, ..self.clone() }
    }

    /// Whether more is learnt from than the pictures.
    pub(super) fn is_plain(&self) -> bool {
        self.teachers.is_empty() && self.learn_from.is_empty() && self.composites.composites == 0
    }

    /// The memory that is asked for, if one is.
    pub(super) fn open_state(&self) -> Result<Option<State>> {
        self.state.as_deref().map(State::open).transpose()
    }
}

/// The networks that look at a catalogue.
pub(super) struct Networks {
    pub(super) own: Network,
    /// The own network's file.
    pub(super) bytes: Vec<u8>,
    own_id: [u8; 32],
    teachers: Vec<([u8; 32], Network)>,
}

/// What the networks see in a picture.
pub(super) struct Seen {
    own: Vec<f32>,
    /// By teacher.
    teachers: Vec<Vec<f32>>,
}

impl Networks {
    pub(super) fn load(own: &PathBuf, args: &Args) -> Result<Self> {
        let bytes = files::read_network(own)?;
        let load = |path: &PathBuf, bytes: &[u8]| {
            Network::load(bytes.to_vec()).map_err(|e| e.at(path.display()))
        };
        let mut teachers: Vec<([u8; 32], Network)> = Vec::new();
        for path in &args.teachers {
            let bytes = files::read_network(path)?;
            let id = Sha256::digest(&bytes).into();
            if teachers.iter().any(|(there, _)| *there == id) {
                output::remark(format_args!(
                    "note: {} is a teacher already: it counts once",
                    path.display()
                ));
                continue;
            }
            teachers.push((id, load(path, &bytes)?));
        }
        let own_id = Sha256::digest(&bytes).into();
        Ok(Self { own: load(own, &bytes)?, own_id, bytes, teachers })
    }

    /// The SHA-256 of their files, the own one's first.
    pub(super) fn ids(&self) -> impl Iterator<Item = &[u8; 32]> {
        std::iter::once(&self.own_id).chain(self.teachers.iter().map(|(id, _)| id))
    }

    /// What they saw in a picture, if all of them have.
    pub(super) fn remembered(&self, state: &State, id: PictureId) -> Option<Seen> {
        let own = self.own_remembered(state, id)?;
        let of = |(teacher, network): &([u8; 32], Network)| {
            state.features(teacher, id, network.spec().dim())
        };
        let teachers = self.teachers.iter().map(of).collect::<Option<_>>()?;
        Some(Seen { own, teachers })
    }

    /// Lets them remember what they saw in a picture.
    pub(super) fn remember(&self, state: &State, id: PictureId, seen: &Seen) -> Result<()> {
        self.own_remember(state, id, &seen.own)?;
        for ((teacher, _), features) in self.teachers.iter().zip(&seen.teachers) {
            state.keep_features(teacher, id, features)?;
        }
        Ok(())
    }

    /// What they see in a picture.
    pub(super) fn look(&self, picture: &Picture) -> Result<Seen> {
        let taught = |(_, network): &([u8; 32], Network)| {
            pooled_features(network, &resize(picture, network.spec().input.size)?, None)
        };
        let teachers = self.teachers.iter().map(taught).collect::<Result<_>>()?;
        Ok(Seen { own: self.own_look(picture)?, teachers })
    }

    /// What the own network saw in a picture, if it has.
    pub(super) fn own_remembered(&self, state: &State, id: PictureId) -> Option<Vec<f32>> {
        state.features(&self.own_id, id, self.own.spec().dim())
    }

    /// Lets the own network remember what it saw in a picture.
    pub(super) fn own_remember(&self, state: &State, id: PictureId, seen: &[f32]) -> Result<()> {
        state.keep_features(&self.own_id, id, seen)
    }

    /// What the own network sees in a picture.
    pub(super) fn own_look(&self, picture: &Picture) -> Result<Vec<f32>> {
        pooled_features(&self.own, &resize(picture, self.own.spec().input.size)?, None)
    }

    /// A catalogue as the networks see it; pictures that cannot be used are left out, and said.
    ///
    /// # Errors
    /// `BadCatalog` if no product has a picture that can be used.
    pub(super) fn view(
        &self,
        items: Vec<Item>,
        pictures: &Pictures,
        state: Option<&State>,
        args: &composites::Args,
    ) -> Result<(Vec<Item>, Material)> {
        let looked = every_picture(items, pictures, |shot| {
            if let Some(seen) = state.and_then(|state| self.remembered(state, shot.id)) {
                return Ok(Ok((shot.id, seen)));
            }
            let seen = shot.decode().and_then(|picture| self.look(&picture));
            if let (Ok(seen), Some(state)) = (&seen, state) {
                self.remember(state, shot.id, seen)?;
            }
            Ok(seen.map(|seen| (shot.id, seen)))
        })?;
        for reason in looked.pictures_skipped.iter().chain(&looked.products_skipped) {
            output::remark(format_args!("skipped: {reason}"));
        }
        if looked.items.is_empty() {
            let what = "no product of the catalogue has a picture that can be used";
            return Err(Error::new(ErrorKind::BadCatalog, what));
        }
        let owners = looked.owners()?;
        let Looked { items, seen, .. } = looked;
        let (ids, seen): (Vec<PictureId>, Vec<Seen>) = seen.into_iter().unzip();
        let groups: Vec<Option<&str>> = items.iter().map(|item| item.group.as_deref()).collect();
        let mut material = self.material(seen, owners, &groups);
        let products: Vec<&Product> = items.iter().map(|item| &item.product).collect();
        let grounds = Grounds::open(args.grounds.as_deref())?;
        material.copy(self, (&products, &ids), (pictures, state), &grounds, args.composites)?;
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
        let taught = |(_, network): &([u8; 32], Network)| Taught {
            name: network.spec().name.clone(),
            blocks: blocks(network.spec()),
            pooled: Vec::with_capacity(seen.len()),
        };
        let mut teachers: Vec<Taught> = self.teachers.iter().map(taught).collect();
        let mut pooled = Vec::with_capacity(seen.len());
        for seen in seen {
            pooled.push(seen.own);
            let theirs = teachers.iter_mut().zip(seen.teachers);
            theirs.for_each(|(teacher, features)| teacher.pooled.push(features));
        }
        Material {
            pooled,
            owners,
            units: units(groups),
            blocks: blocks(self.own.spec()),
            teachers,
            copies: Copies::default(),
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
    teachers: Vec<Taught>,
    /// Of main pictures, over other grounds.
    pub(super) copies: Copies,
}

/// What a teacher sees of a catalogue's pictures.
#[derive(Clone)]
struct Taught {
    name: String,
    blocks: Vec<Block>,
    /// By picture.
    pooled: Vec<Vec<f32>>,
}

impl Material {
    /// Adds copies over other grounds. `ids` are those of all pictures.
    pub(super) fn copy(
        &mut self,
        networks: &Networks,
        (products, ids): (&[&Product], &[PictureId]),
        from: (&Pictures, Option<&State>),
        grounds: &Grounds,
        count: u8,
    ) -> Result<()> {
        let mains: Vec<PictureId> = (0..products.len()).map(|p| ids[self.main(p)]).collect();
        self.copies = Copies::view(networks, (products, &mains), from, grounds, count)?;
        Ok(())
    }

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
            teachers: self.taught(of),
            copies: self.copies.clone(),
        })
    }

    /// The features of a catalogue that is grown from this one, of one picture a product.
    pub(super) fn grown(&self, plan: &[Mix]) -> Result<Self> {
        Ok(Self {
            pooled: grow(&self.pooled, plan),
            owners: Owners::single(plan.len())?,
            units: (0..plan.len() as u32).collect(),
            blocks: self.blocks.clone(),
            teachers: self.taught(|pooled| grow(pooled, plan)),
            copies: Copies::default(),
        })
    }

    /// The teachers, with other pictures made of theirs.
    fn taught(&self, of: impl Fn(&[Vec<f32>]) -> Vec<Vec<f32>>) -> Vec<Taught> {
        let teacher = |t: &Taught| Taught { pooled: of(&t.pooled), ..t.clone() };
        self.teachers.iter().map(teacher).collect()
    }

    /// Bytes that the features take.
    pub(super) fn bytes(&self) -> usize {
        let taught = self.teachers.iter().flat_map(|teacher| &teacher.pooled);
        self.pooled.iter().chain(taught).map(|row| size_of_val(row.as_slice())).sum()
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
        // A plain recipe has no teacher, even where one has looked.
        let teachers = if args.teachers.is_empty() { &[] } else { &self.teachers[..] };
        let taught: Vec<Vec<&[f32]>> = teachers
            .iter()
            .map(|teacher| pictures.iter().map(|p| teacher.pooled[p.1].as_slice()).collect())
            .collect();
        let teachers: Vec<Teacher<'_>> = teachers
            .iter()
            .zip(&taught)
            .map(|(t, pooled)| Teacher { name: &t.name, pooled, blocks: &t.blocks })
            .collect();
        let units: Vec<u32> = rows.iter().map(|&row| self.units[row]).collect();
        // The place of each product's main picture among those that are learnt from.
        let mut places = vec![None; self.owners.products()];
        for (place, &(at, picture)) in (0..).zip(&pictures) {
            let product = rows[at as usize];
            if picture == self.main(product) {
                places[product] = Some(place);
            }
        }
        let wanted = args.composites.composites > 0;
        let copies = self.copies.of.iter().zip(&self.copies.pooled).filter(|_| wanted);
        let (of, copied): (Vec<u32>, Vec<&[f32]>) = copies
            .filter_map(|(&product, row)| Some((places[product as usize]?, row.as_slice())))
            .unzip();
        let lesson = Lesson {
            pooled: &pooled,
            owners: &owners,
            units: &units,
            blocks: &self.blocks,
            copies: learn::Copies { pooled: &copied, of: &of },
            teachers: &teachers,
            columns: &columns,
        };
        learn::learn(
            &lesson,
            LearnOptions { dim: usize::from(args.dim), ..LearnOptions::default() },
        )
    }
}

fn blocks(spec: &ModelSpec) -> Vec<Block> {
    spec.layers.iter().map(|l| Block { dim: l.dim, power: POWER, weight: 1.0 }).collect()
}
