//! Reading a feed: once over all of it to learn how it is written, then product by product.

use std::collections::VecDeque;
use std::io::{Read, Seek};

use lookalike_error::Result;

use crate::charset::{self, Charset};
use crate::columns::{Draft, Mapping, Slot};
use crate::dialect::Dialect;
use crate::options::Options;
use crate::product::{Entry, Maker, Outcome, shown};
use crate::record::{Names, Raw};
use crate::report::{Column, LeftOut, Loss, Remark, Summary};
use crate::survey::{Assembly, Survey, check};
use crate::syntax::{Rows, Syntax, failed, sample, syntax};
use crate::table;

/// What a feed is, as told from its content.
#[derive(Clone, Debug, PartialEq)]
pub struct About {
    /// Whose way of writing it follows.
    pub dialect: Dialect,
    /// Its encoding's name, such as `UTF-8`.
    pub encoding: &'static str,
    /// Whether a byte order mark stands at its begin.
    pub mark: bool,
    /// What stands between values, for tables: `comma`, `semicolon`, `tab` or `bar`.
    pub delimiter: Option<&'static str>,
    /// Its columns in their order, or in the order of their first use.
    pub columns: Vec<Column>,
}

/// What reading gives next.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// A product.
    Product(Box<Entry>),
    /// What cannot be used.
    Refused(Remark),
    /// What is left out on purpose.
    LeftOut(LeftOut, Remark),
    /// What a product that was kept has lost.
    Lost(Loss, Remark),
}

/// A feed that is being read. Iterating gives its products and all that is the matter with it.
pub struct Feed<'a> {
    about: About,
    rows: Rows<'a>,
    names: Names,
    mapping: Mapping,
    assembly: Assembly,
    maker: Maker,
    options: Options,
    queue: VecDeque<Found>,
    summary: Summary,
    ended: bool,
}

impl<'a> Feed<'a> {
    /// Looks over a feed. It is read twice from its begin: which of comma and point is the decimal
    /// one, and which rows belong together, cannot be told from its first lines.
    ///
    /// # Errors
    /// `BadCatalog` if it is empty or no feed, if no column has ids or pictures, or if the options
    /// name a column that it does not have, or an encoding that there is not; `Io` if reading fails.
    pub fn open<R: Read + Seek + 'a>(mut source: R, options: Options) -> Result<Self> {
        let charset = {
            let given = options.encoding.as_deref().map(charset::named).transpose()?;
            Charset::detect(&mut source, given).map_err(failed)?
        };
        let sample = sample(&mut source, charset)?;
        let syntax = syntax(&mut source, &sample).map_err(failed)?;
        let mut survey = Survey::run(&mut source, charset, &syntax, &sample, &options)?;
        let columns = survey.columns(&options);
        check(&survey, &columns)?;
        let mut names = Names::default();
        let mut rows = Rows::open(source, charset, &syntax, &mut names).map_err(failed)?;
        rows.look_for(&survey.mapping);
        let about = About {
            dialect: survey.dialect,
            encoding: charset.name(),
            mark: charset.mark(),
            delimiter: match syntax {
                Syntax::Table(delimiter) => Some(table::delimiter_name(delimiter)),
                _ => None,
            },
            columns,
        };
        Ok(Self {
            about,
            rows,
            names: survey.names,
            mapping: survey.mapping,
            assembly: survey.assembly,
            maker: Maker::new(options.clone(), survey.decimals),
            options,
            queue: VecDeque::new(),
            summary: Summary::default(),
            ended: false,
        })
    }

    /// What the feed is.
    #[must_use]
    pub fn about(&self) -> &About {
        &self.about
    }

    /// Counts of what was read so far; of the whole feed once iterating has ended.
    #[must_use]
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    fn advance(&mut self) -> Result<()> {
        match self.rows.next(&mut self.names).map_err(failed)? {
            Some(Raw::Record(record)) => {
                self.summary.rows += 1;
                let draft = self.mapping.draft(record);
                match &mut self.assembly {
                    Assembly::Plain => self.make(draft),
                    Assembly::Shopify(shopify) => {
                        let done = shopify.push(draft, &self.options);
                        done.into_iter().for_each(|draft| self.make(draft));
                    }
                    Assembly::WooCommerce(woo) => {
                        let place = draft.place;
                        if let Some((draft, lost)) = woo.take(draft, &self.options) {
                            if lost {
                                let why = format!(
                                    "the variation's product {:?} is not in the feed",
                                    shown(draft.get(Slot::Group).unwrap_or_default())
                                );
                                self.lose(Loss::Relation, Remark { place, why });
                            }
                            self.make(draft);
                        }
                    }
                }
            }
            Some(Raw::Refused(remark)) => {
                self.summary.rows += 1;
                self.refuse(remark);
            }
            Some(Raw::Bad(place)) => {
                let why = "a byte stands here that is no character".to_owned();
                self.lose(Loss::Byte, Remark { place, why });
            }
            Some(Raw::BrokenOff(remark)) => {
                self.summary.broken_off = Some(remark.clone());
                self.refuse(remark);
            }
            None => {
                self.ended = true;
                if let Assembly::Shopify(shopify) = &mut self.assembly {
                    let done = shopify.finish(&self.options);
                    done.into_iter().for_each(|draft| self.make(draft));
                }
            }
        }
        Ok(())
    }

    fn make(&mut self, draft: Draft) {
        let outcome = self.maker.make(draft);
        let kept = matches!(outcome, Outcome::Entry(_));
        let losses = std::mem::take(&mut self.maker.losses);
        match outcome {
            Outcome::Entry(entry) => {
                self.summary.products += 1;
                self.summary.pictures += entry.product.images.len() as u64;
                self.summary.variants = self.maker.variants;
                self.queue.push_back(Found::Product(entry));
            }
            Outcome::LeftOut(why, remark) => {
                *self.summary.left_out.entry(why).or_default() += 1;
                self.queue.push_back(Found::LeftOut(why, remark));
            }
            Outcome::Refused(remark) => self.refuse(remark),
        }
        if kept {
            losses.into_iter().for_each(|(loss, remark)| self.lose(loss, remark));
        }
    }

    fn refuse(&mut self, remark: Remark) {
        self.summary.refused += 1;
        self.queue.push_back(Found::Refused(remark));
    }

    fn lose(&mut self, loss: Loss, remark: Remark) {
        *self.summary.losses.entry(loss).or_default() += 1;
        self.queue.push_back(Found::Lost(loss, remark));
    }
}

impl Iterator for Feed<'_> {
    type Item = Result<Found>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(found) = self.queue.pop_front() {
                return Some(Ok(found));
            }
            if self.ended {
                return None;
            }
            if let Err(error) = self.advance() {
                self.ended = true;
                return Some(Err(error));
            }
        }
    }
}
