//! A catalogue's pictures: files, and what is fetched by http and https.

use std::path::{Path, PathBuf};

use lookalike_sources::{Address, Fetched, Finder, Options, Sources, default_cache};

use super::output;
use crate::catalog::{Image, Product};
use crate::error::{Error, ErrorKind, Result};
use crate::image::{Limits, Picture, decode};

/// How pictures are fetched.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Args {
    /// The folder in which pictures that a feed names by http and https are kept from run to run
    /// [default: lookalike/fetched among the user's caches].
    #[arg(long, value_name = "DIR")]
    pictures: Option<PathBuf>,
    /// Fetch from this machine and from private networks too.
    #[arg(long)]
    allow_private: bool,
    /// Pictures that one host is asked for at a time.
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    per_host: u16,
}

impl Default for Args {
    fn default() -> Self {
        Self { pictures: None, allow_private: false, per_host: 4 }
    }
}

impl Args {
    fn options(&self) -> Options {
        let cache = self.pictures.clone().unwrap_or_else(default_cache);
        let usual = Options::new(cache, Limits::default().max_bytes);
        let per_host = usize::from(self.per_host);
        let total = usual.total.max(per_host);
        Options { allow_private: self.allow_private, per_host, total, ..usual }
    }
}

/// Where a catalogue's pictures come from.
pub(super) struct Pictures {
    sources: Sources,
}

impl Pictures {
    /// Those of a catalogue whose names are relative to a folder.
    pub(super) fn in_folder(folder: &Path, args: &Args) -> Self {
        Self { sources: Sources::new(Finder::in_folder(folder), args.options(), |_| {}) }
    }

    /// A feed that is fetched, and its pictures.
    pub(super) fn of_feed(address: &Address, args: &Args) -> Result<(Self, Fetched)> {
        let (sources, feed) = Sources::of_feed(address, args.options(), |_| {})?;
        Ok((Self { sources }, feed))
    }

    /// Begins to fetch what is to be fetched, in the order in which it is wanted, while pictures are
    /// read.
    pub(super) fn prefetch(&self, images: &[&Image]) {
        // What is wrong with the cache is said by whatever is read.
        let _ = self.sources.prefetch(images.iter().map(|image| image.image.as_str()));
    }

    /// The content of a picture, by the name that the catalogue gives it.
    pub(super) fn read(&self, name: &str) -> Result<Vec<u8>> {
        self.sources.read(name)
    }

    /// A product's main picture, as its file and decoded.
    pub(super) fn main(&self, product: &Product) -> Result<(Vec<u8>, Picture)> {
        let image = product.images.first().ok_or_else(|| {
            let what = format!("the product {:?} has no picture", product.id);
            Error::new(ErrorKind::BadCatalog, what)
        })?;
        self.open(image)
    }

    /// A picture, as its file and decoded.
    pub(super) fn open(&self, image: &Image) -> Result<(Vec<u8>, Picture)> {
        let file = self.read(&image.image)?;
        let picture = self.decode(&image.image, &file)?;
        Ok((file, picture))
    }

    /// The picture that a file is; the name is for whoever has to mend it.
    pub(super) fn decode(&self, name: &str, file: &[u8]) -> Result<Picture> {
        decode(file, &Limits::default()).map_err(|e| e.at(self.sources.describe(name)))
    }

    /// Says what came of fetching, if anything was fetched. Those that failed are said where they
    /// were wanted.
    pub(super) fn say_fetched(&self) {
        let Some(fetcher) = self.sources.fetcher() else { return };
        for stale in fetcher.stale() {
            let (address, why) = (stale.address, stale.why);
            output::remark(format_args!("note: {address} is that of an earlier run: {why}"));
        }
        output::remark(format_args!("addresses: {}", fetcher.counts()));
    }
}
