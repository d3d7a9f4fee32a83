//! How good the neighbours are, by labels that the search never sees.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use rayon::prelude::*;
use serde::Serialize;

use super::heldout::{self, Answer, HeldOut};
use super::report::{self, Shown, Variant};
use crate::catalog::Product;
use crate::cli::catalogue::{self, Catalogue};
use crate::cli::lesson::{self, Networks};
use crate::cli::progress::Progress;
use crate::cli::{files, index as indexing, output, values};
use crate::embedding::Embedding;
use crate::engine::{EF_SEARCH, pooled_features};
use crate::error::{Error, ErrorKind, Result};
use crate::index::{Codes, Index};
use crate::learn::{LearnOptions, Method, Recipe, pca_whitening};
use crate::preprocess::resize;
use crate::projection::{Block, powered};

#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["folder", "index"])))]
pub(super) struct Args {
    /// A catalogue: a folder of pictures whose sub-folders are the labels, or a feed. Compares
    /// layers and recipes; with --folds or --halves, on products that were not learnt from.
    #[arg(requires = "model")]
    folder: Option<PathBuf>,
    /// The network to embed the folder with, prepared with the layers to compare.
    #[arg(short, long)]
    model: Option<PathBuf>,
    /// A folder that `lookalike index` has written: measures the index as it is served.
    #[arg(short, long, conflicts_with = "model")]
    index: Option<PathBuf>,
    /// Another index of the same products, to compare with: what was before.
    #[arg(long, requires = "index")]
    against: Option<PathBuf>,
    /// Ask with each product once, learning without it: in this many groups.
    #[arg(long, requires = "folder", conflicts_with = "halves", value_parser = values::count(2..=1_000_000))]
    folds: Option<usize>,
    /// Learn from a random half and ask with the other, this many times.
    #[arg(long, requires = "folder", value_parser = values::count(1..=1000))]
    halves: Option<usize>,
    #[command(flatten)]
    lesson: lesson::Args,
    /// What products are labelled by; the category if a folder of pictures is given.
    #[arg(long, value_enum)]
    label: Option<Label>,
    /// Write a page with the hard cases and what changed, pictures included.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Labels with fewer products are left out.
    #[arg(long, default_value_t = 6, value_parser = values::count(2..=1_000_000))]
    min_label: usize,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Neighbours that are looked at.
const DEPTH: usize = 10;

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Label {
    /// The last word of the title without numbers: "Office chair 2" is a chair. A couch is a sofa.
    TitleNoun,
    /// The category column.
    Category,
}

/// Leave-one-out figures of one recipe; shares are 0 to 1.
#[derive(Debug, Default, Serialize)]
pub(super) struct Figures {
    /// Share of queries whose best neighbour has their label.
    top1: f64,
    /// Mean share of the best 5 that have the query's label.
    p_at_5: f64,
    /// Mean share of the best 10 that have the query's label.
    p_at_10: f64,
    queries: usize,
    labels: usize,
    /// Share of the exact scan's best 20 that the graph finds.
    #[serde(skip_serializing_if = "Option::is_none")]
    recall_at_20: Option<f64>,
}

#[derive(Serialize)]
struct Row {
    layers: String,
    recipe: String,
    #[serde(flatten)]
    figures: Figures,
    /// The projection was learnt from labels or a teacher's view of the very products that ask:
    /// the figures are higher than a new photo will see.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    seen_when_learning: bool,
}

pub(super) fn run(args: &Args) -> Result<()> {
    if let Some(path) = &args.report {
        files::must_be_writable(path)?;
    }
    match (&args.folder, &args.model, &args.index) {
        (Some(folder), Some(model), _) => match (args.folds, args.halves) {
            (None, None) => eval_folder(folder, model, args),
            (Some(n), _) => eval_held_out(folder, model, HeldOut::Folds(n), args),
            (_, Some(n)) => eval_held_out(folder, model, HeldOut::Halves(n), args),
        },
        (_, _, Some(index)) => eval_index(index, args),
        _ => Err(Error::new(ErrorKind::BadQuery, "give a folder and --model, or --index")),
    }
}

/// The label of each item, `None` for those that take no part.
pub(super) fn labels<'a>(
    names: impl Iterator<Item = Option<String>> + 'a,
    min_label: usize,
) -> Vec<Option<String>> {
    let names: Vec<Option<String>> = names.collect();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for name in names.iter().flatten() {
        *counts.entry(name).or_default() += 1;
    }
    let common = |name: &String| counts[name.as_str()] >= min_label.max(2);
    names.iter().map(|name| name.clone().filter(common)).collect()
}

fn title_noun(title: &str) -> Option<String> {
    let noun = title
        .split(|c: char| !c.is_alphanumeric())
        .rfind(|word| !word.is_empty() && !word.chars().all(|c| c.is_ascii_digit()))?
        .to_lowercase();
    Some(if noun == "couch" { "sofa".into() } else { noun })
}

pub(super) fn label(product: &Product, by: Label) -> Option<String> {
    match by {
        Label::TitleNoun => title_noun(&product.title),
        Label::Category => product.category.clone(),
    }
}

/// Leave-one-out over all labelled rows. `neighbours(row, k)` gives the rows nearest to `row`,
/// best first; itself may be among them.
pub(super) fn leave_one_out(
    labels: &[Option<String>],
    neighbours: impl Fn(usize, usize) -> Result<Vec<usize>> + Sync,
) -> Result<Vec<Answer>> {
    (0..labels.len())
        .into_par_iter()
        .filter(|&row| labels[row].is_some())
        .map(|query| {
            let mut found = neighbours(query, DEPTH + 1)?;
            found.retain(|&other| other != query);
            found.truncate(DEPTH);
            Ok(Answer { query, found })
        })
        .collect()
}

/// Figures over the answers to labelled queries. Products without a label are found as well, and
/// are wrong.
pub(super) fn figures(labels: &[Option<String>], answers: &[Answer]) -> Result<Figures> {
    let asked: Vec<(&Answer, &String)> =
        answers.iter().filter_map(|a| Some((a, labels[a.query].as_ref()?))).collect();
    if asked.is_empty() {
        return Err(Error::new(
            ErrorKind::BadCatalog,
            "no label has enough products to measure with; see --label and --min-label",
        ));
    }
    let mean = |k: usize| {
        let hits = |(answer, label): &(&Answer, &String)| {
            answer.found.iter().take(k).filter(|&&row| labels[row].as_ref() == Some(*label)).count()
        };
        asked.iter().map(hits).sum::<usize>() as f64 / (k * asked.len()) as f64
    };
    let distinct: BTreeSet<&str> = asked.iter().map(|(_, label)| label.as_str()).collect();
    Ok(Figures {
        top1: mean(1),
        p_at_5: mean(5),
        p_at_10: mean(10),
        queries: asked.len(),
        labels: distinct.len(),
        recall_at_20: None,
    })
}

fn eval_index(folder: &Path, args: &Args) -> Result<()> {
    let mut rows = Vec::new();
    let mut variants = Vec::new();
    let mut shown = Vec::new();
    let mut ids: Option<Vec<String>> = None;
    for folder in args.against.as_deref().into_iter().chain([folder]) {
        let engine = files::open_engine(folder)?;
        let (Some(index), Some(products)) = (engine.index(), engine.products()) else {
            return Err(Error::new(ErrorKind::Internal, "the engine did not load its files"));
        };
        let list = products.as_slice();
        let these: Vec<String> = list.iter().map(|p| p.id.clone()).collect();
        if ids.replace(these.clone()).is_some_and(|others| others != these) {
            return Err(Error::new(
                ErrorKind::Mismatch,
                "the two indexes hold different products: build both from the same catalogue",
            ));
        }
        let by = args.label.unwrap_or(Label::TitleNoun);
        let labels = labels(list.iter().map(|p| label(p, by)), args.min_label);
        let answers = leave_one_out(&labels, |row, k| {
            let query = index.embedding(row as u32)?;
            let found = index.search(&query, k, EF_SEARCH)?;
            Ok(found.into_iter().map(|n| n.product as usize).collect())
        })?;
        let mut figures = figures(&labels, &answers)?;
        figures.recall_at_20 = Some(recall(index)?);
        let manifest = engine.manifest();
        let method = manifest.recipe.get("projection").and_then(|name| name.as_str());
        let learnt = method.is_some_and(Method::learns_labels);
        let row = Row {
            layers: manifest.model.layers.join("+"),
            recipe: "as served".into(),
            figures,
            seen_when_learning: learnt,
        };
        variants.push(Variant {
            name: folder.display().to_string(),
            figures: row.figures.in_words(),
            answers,
        });
        shown = list
            .iter()
            .zip(&labels)
            .map(|(p, l)| {
                (Shown { title: p.title.clone(), label: l.clone() }, p.thumb().map(str::to_owned))
            })
            .collect();
        rows.push(row);
    }
    if let Some(path) = &args.report {
        let (shown, thumbs): (Vec<Shown>, Vec<Option<String>>) = shown.into_iter().unzip();
        let picture = |row: usize| files::read(&folder.join(thumbs.get(row)?.as_ref()?)).ok();
        files::write(path, report::html(&variants, &shown, picture).as_bytes())?;
    }
    print(args, rows)
}

/// Compares the plain recipe with the one that was asked for, on products that were not learnt
/// from.
fn eval_held_out(folder: &Path, model: &PathBuf, held_out: HeldOut, args: &Args) -> Result<()> {
    let networks = Networks::load(model, &args.lesson)?;
    let catalogue = catalogue::read(folder, &catalogue::Args::default())?;
    let is_feed = catalogue.feed;
    let pictures = catalogue.pictures;
    let state = args.lesson.open_state()?;
    let (items, material) =
        networks.view(catalogue.items, &pictures, state.as_ref(), &args.lesson.composites)?;
    let products: Vec<&Product> = items.iter().map(|i| &i.product).collect();
    let by = args.label.unwrap_or(if !is_feed { Label::Category } else { Label::TitleNoun });
    let labels = labels(products.iter().map(|p| label(p, by)), args.min_label);

    let plain = args.lesson.plain();
    let mut recipes = vec![&plain];
    if !args.lesson.is_plain() {
        recipes.push(&args.lesson);
    }
    let layers: Vec<&str> = networks.own.spec().layers.iter().map(|l| l.name.as_str()).collect();
    let bar = Progress::new(recipes.len() * heldout::rounds(held_out), "learning");
    let (mut rows, mut variants) = (Vec::new(), Vec::new());
    for recipe in recipes {
        let (answers, learnt) =
            heldout::answers(&material, &products, recipe, held_out, DEPTH, || bar.inc(1))?;
        for note in &learnt.notes {
            output::remark(format_args!("note: {note}"));
        }
        let row = Row {
            layers: layers.join("+"),
            recipe: describe(&learnt),
            figures: figures(&labels, &answers)?,
            seen_when_learning: false,
        };
        variants.push(Variant {
            name: row.recipe.clone(),
            figures: row.figures.in_words(),
            answers,
        });
        rows.push(row);
    }
    bar.finish();
    if let Some(path) = &args.report {
        let shown: Vec<Shown> = products
            .iter()
            .zip(&labels)
            .map(|(p, l)| Shown { title: p.title.clone(), label: l.clone() })
            .collect();
        let picture = |row: usize| {
            let (_, picture) = pictures.main(&items.get(row)?.product).ok()?;
            indexing::thumbnail(&picture, 128).ok()
        };
        files::write(path, report::html(&variants, &shown, picture).as_bytes())?;
    }
    print(args, rows)
}

fn describe(recipe: &Recipe) -> String {
    let mut words = recipe.projection.as_str().to_owned();
    if !recipe.teachers.is_empty() {
        let names: Vec<&str> = recipe.teachers.iter().map(|t| t.name.as_str()).collect();
        words += &format!(", taught by {}", names.join(" and "));
    }
    let used: Vec<&str> =
        recipe.columns.iter().filter(|c| c.used).map(|c| c.name.as_str()).collect();
    if !used.is_empty() {
        words += &format!(", learnt from {}", used.join(" and "));
    }
    words
}

impl Figures {
    pub(super) fn in_words(&self) -> String {
        format!(
            "top1 {:.3}, p@5 {:.3}, p@10 {:.3} over {} queries with {} labels",
            self.top1, self.p_at_5, self.p_at_10, self.queries, self.labels
        )
    }
}

/// Share of the exact scan's best 20 that the graph finds, over all products.
fn recall(index: &Index) -> Result<f64> {
    let shares: Vec<f64> = (0..index.products() as u32)
        .into_par_iter()
        .map(|row| {
            let query = index.embedding(row)?;
            let exact = index.search_exact(&query, 20, |_| true)?;
            let found = index.search(&query, 20, EF_SEARCH)?;
            let hits =
                exact.iter().filter(|e| found.iter().any(|f| f.product == e.product)).count();
            Ok(hits as f64 / exact.len().max(1) as f64)
        })
        .collect::<Result<_>>()?;
    Ok(shares.iter().sum::<f64>() / shares.len().max(1) as f64)
}

fn eval_folder(folder: &Path, model: &Path, args: &Args) -> Result<()> {
    let network = files::open_network(model)?;
    let spec = network.spec();
    let Catalogue { items, pictures, .. } = catalogue::read(folder, &catalogue::Args::default())?;
    let bar = Progress::new(items.len(), "embedding");
    let pooled: Vec<Vec<f32>> = items
        .par_iter()
        .map(|item| {
            let (_, picture) = pictures.main(&item.product)?;
            let small = resize(&picture, spec.input.size)?;
            let features = pooled_features(&network, &small, None);
            bar.inc(1);
            features
        })
        .collect::<Result<_>>()?;
    bar.finish();
    let labels = labels(items.iter().map(|i| i.product.category.clone()), args.min_label);

    let mut rows = Vec::new();
    // Each layer alone, then all of them joined.
    let mut choices: Vec<std::ops::Range<usize>> =
        (0..spec.layers.len()).map(|i| i..i + 1).collect();
    if choices.len() > 1 {
        choices.push(0..spec.layers.len());
    }
    for choice in choices {
        let layers = &spec.layers[choice.clone()];
        let start: usize = spec.layers[..choice.start].iter().map(|l| l.dim).sum();
        let end = start + layers.iter().map(|l| l.dim).sum::<usize>();
        let part: Vec<Vec<f32>> = pooled.iter().map(|p| p[start..end].to_vec()).collect();
        let name = layers.iter().map(|l| l.name.as_str()).collect::<Vec<_>>().join("+");
        for (recipe, power) in [("cosine", 1.0), ("sqrt, pca 256, whitening 0.5, int8", 0.5)] {
            let blocks: Vec<Block> =
                layers.iter().map(|l| Block { dim: l.dim, power, weight: 1.0 }).collect();
            let embeddings: Vec<Embedding> = if power == 1.0 {
                part.iter().map(|p| Embedding::new(powered(p, &blocks))).collect::<Result<_>>()?
            } else {
                let rows: Vec<&[f32]> = part.iter().map(Vec::as_slice).collect();
                let projection = pca_whitening(&rows, &blocks, LearnOptions::default())?;
                part.iter().map(|p| projection.apply(p)).collect::<Result<_>>()?
            };
            let figures = figures(&labels, &leave_one_out(&labels, scan(&embeddings)?)?)?;
            let row = Row {
                layers: name.clone(),
                recipe: recipe.into(),
                figures,
                seen_when_learning: false,
            };
            rows.push(row);
        }
    }
    print(args, rows)
}

/// Neighbours by comparing int8 codes with every other.
pub(super) fn scan(
    embeddings: &[Embedding],
) -> Result<impl Fn(usize, usize) -> Result<Vec<usize>> + Sync> {
    let codes = Codes::from_embeddings(embeddings)?;
    Ok(move |row: usize, k: usize| {
        let mut scored: Vec<(usize, f32)> =
            (0..codes.len()).map(|other| (other, codes.cosine(row, other))).collect();
        scored.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        Ok(scored.into_iter().take(k).map(|s| s.0).collect())
    })
}

fn print(args: &Args, rows: Vec<Row>) -> Result<()> {
    if args.json {
        // One index: one object. Otherwise a list of what was compared.
        return match (args.index.is_some(), rows.as_slice()) {
            (true, [row]) => output::json(row),
            _ => output::json(&rows),
        };
    }
    output::line(format_args!(
        "{:<28} {:<36} {:>6} {:>6} {:>6} {:>9}",
        "layers", "recipe", "top1", "p@5", "p@10", "recall@20"
    ))?;
    let mut notes = BTreeMap::new();
    for Row { layers, recipe, figures: f, .. } in &rows {
        let recall = f.recall_at_20.map_or(String::new(), |r| format!("{r:.4}"));
        output::line(format_args!(
            "{layers:<28} {recipe:<36} {:>6.3} {:>6.3} {:>6.3} {recall:>9}",
            f.top1, f.p_at_5, f.p_at_10
        ))?;
        notes.insert((f.queries, f.labels), ());
    }
    for (queries, labels) in notes.keys() {
        output::line(format_args!("{queries} queries, {labels} labels"))?;
    }
    if rows.iter().any(|row| row.seen_when_learning) {
        output::line(format_args!(
            "the projection was learnt from the products that ask: a new photo will see less; \
             `lookalike eval CATALOG --model ... --folds 10` measures with products held out"
        ))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nouns_are_the_last_words_without_numbers() {
        assert_eq!(title_noun("Office chair 2").as_deref(), Some("chair"));
        assert_eq!(title_noun("Three-seat Couch").as_deref(), Some("sofa"));
        assert_eq!(title_noun("42").as_deref(), None);
    }

    #[test]
    fn rare_labels_take_no_part() {
        let names = ["a", "a", "b"].map(|n| Some(n.to_owned()));
        let kept = labels(names.into_iter().chain([None]), 2);
        assert_eq!(
            kept.iter().map(Option::is_some).collect::<Vec<_>>(),
            [true, true, false, false]
        );
    }

    #[test]
    fn figures_count_what_they_say() {
        let labels: Vec<_> = ["a", "a", "b", "b"].iter().map(|l| Some((*l).to_owned())).collect();
        // Everyone's neighbours: 0, 1, 2, 3 in this order.
        let answers = leave_one_out(&labels, |_, _| Ok(vec![0, 1, 2, 3])).unwrap();
        let f = figures(&labels, &answers).unwrap();
        assert_eq!((f.queries, f.labels), (4, 2));
        assert_eq!(f.top1, 0.5);
        assert_eq!(f.p_at_5, 0.2);
        assert!(figures(&[None], &[]).is_err());
    }
}
