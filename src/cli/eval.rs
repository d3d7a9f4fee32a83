//! `lookalike eval`: how good the neighbours are, by labels that the search never sees.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use rayon::prelude::*;
use serde::Serialize;

use super::{catalogue, files};
use crate::catalog::Product;
use crate::embedding::Embedding;
use crate::engine::{EF_SEARCH, pooled_features};
use crate::error::{Error, ErrorKind, Result};
use crate::image::{Limits, decode};
use crate::index::{Codes, Index};
use crate::learn::{LearnOptions, pca_whitening};
use crate::model::Network;
use crate::preprocess::resize;
use crate::projection::{Block, powered};

#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["folder", "index"])))]
pub(super) struct Args {
    /// A folder of labelled pictures: its sub-folders are the labels. Compares layers and recipes.
    #[arg(requires = "model")]
    folder: Option<PathBuf>,
    /// The network to embed the folder with, prepared with the layers to compare.
    #[arg(short, long)]
    model: Option<PathBuf>,
    /// A folder that `lookalike index` has written: measures the index as it is served.
    #[arg(short, long, conflicts_with = "model")]
    index: Option<PathBuf>,
    /// What an index's products are labelled by.
    #[arg(long, value_enum, default_value_t = Label::TitleNoun)]
    label: Label,
    /// Labels with fewer products are left out.
    #[arg(long, default_value_t = 6)]
    min_label: usize,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Label {
    /// The last word of the title without numbers: "Office chair 2" is a chair. A couch is a sofa.
    TitleNoun,
    /// The category column.
    Category,
}

/// Leave-one-out figures of one recipe; shares are 0 to 1.
#[derive(Debug, Default, Serialize)]
struct Figures {
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
    recipe: &'static str,
    #[serde(flatten)]
    figures: Figures,
}

pub(super) fn run(args: &Args) -> Result<()> {
    match (&args.folder, &args.model, &args.index) {
        (Some(folder), Some(model), _) => eval_folder(folder, model, args),
        (_, _, Some(index)) => eval_index(index, args),
        _ => Err(Error::new(ErrorKind::BadQuery, "give a folder and --model, or --index")),
    }
}

/// The label of each item, `None` for those that take no part.
fn labels<'a>(
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

fn label(product: &Product, by: Label) -> Option<String> {
    match by {
        Label::TitleNoun => title_noun(&product.title),
        Label::Category => product.category.clone(),
    }
}

/// Leave-one-out over all labelled rows. `neighbours(row, k)` gives the rows nearest to `row`,
/// best first; itself may be among them.
fn leave_one_out(
    labels: &[Option<String>],
    neighbours: impl Fn(usize, usize) -> Result<Vec<usize>> + Sync,
) -> Result<Figures> {
    let queries: Vec<(usize, &String)> =
        labels.iter().enumerate().filter_map(|(i, l)| Some((i, l.as_ref()?))).collect();
    if queries.is_empty() {
        return Err(Error::new(
            ErrorKind::BadCatalog,
            "no label has enough products to measure with; see --label and --min-label",
        ));
    }
    let shares: Vec<[f64; 3]> = queries
        .par_iter()
        .map(|&(row, label)| {
            // Products without a label are found as well, and are wrong.
            let found: Vec<bool> = neighbours(row, 11)?
                .into_iter()
                .filter(|&other| other != row)
                .map(|other| labels[other].as_ref() == Some(label))
                .collect();
            let share =
                |k: usize| found.iter().take(k).filter(|hit| **hit).count() as f64 / k as f64;
            Ok([share(1), share(5), share(10)])
        })
        .collect::<Result<_>>()?;
    let mean = |i: usize| shares.iter().map(|s| s[i]).sum::<f64>() / shares.len() as f64;
    let distinct: std::collections::BTreeSet<&str> =
        queries.iter().map(|(_, label)| label.as_str()).collect();
    Ok(Figures {
        top1: mean(0),
        p_at_5: mean(1),
        p_at_10: mean(2),
        queries: queries.len(),
        labels: distinct.len(),
        recall_at_20: None,
    })
}

fn eval_index(folder: &Path, args: &Args) -> Result<()> {
    let engine = files::open_engine(folder)?;
    let (Some(index), Some(products)) = (engine.index(), engine.products()) else {
        return Err(Error::new(ErrorKind::Internal, "the engine did not load its files"));
    };
    let names = products.as_slice().iter().map(|p| label(p, args.label));
    let mut figures = leave_one_out(&labels(names, args.min_label), |row, k| {
        let query = index.embedding(row as u32)?;
        let found = index.search(&query, k, EF_SEARCH)?;
        Ok(found.into_iter().map(|n| n.row as usize).collect())
    })?;
    figures.recall_at_20 = Some(recall(index)?);
    let model = &engine.manifest().model;
    print(args, vec![Row { layers: model.layers.join("+"), recipe: "as served", figures }])
}

/// Share of the exact scan's best 20 that the graph finds, over all products.
fn recall(index: &Index) -> Result<f64> {
    let shares: Vec<f64> = (0..index.len() as u32)
        .into_par_iter()
        .map(|row| {
            let query = index.embedding(row)?;
            let exact = index.search_exact(&query, 20, |_| true)?;
            let found = index.search(&query, 20, EF_SEARCH)?;
            let hits = exact.iter().filter(|e| found.iter().any(|f| f.row == e.row)).count();
            Ok(hits as f64 / exact.len().max(1) as f64)
        })
        .collect::<Result<_>>()?;
    Ok(shares.iter().sum::<f64>() / shares.len().max(1) as f64)
}

fn eval_folder(folder: &Path, model: &Path, args: &Args) -> Result<()> {
    let network = Network::load(&files::read(model)?).map_err(|e| e.at(model.display()))?;
    let spec = network.spec();
    let items = catalogue::read(folder)?.items;
    let bar = files::progress(items.len(), "embedding");
    let pooled: Vec<Vec<f32>> = items
        .par_iter()
        .map(|item| {
            let picture = decode(&files::read(&item.picture)?, &Limits::default())
                .map_err(|e| e.at(item.picture.display()))?;
            let small = resize(&picture, spec.input.size)?;
            let features = pooled_features(&network, &small, None);
            bar.inc(1);
            features
        })
        .collect::<Result<_>>()?;
    bar.finish_and_clear();
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
                let projection = pca_whitening(&part, &blocks, LearnOptions::default())?;
                part.iter().map(|p| projection.apply(p)).collect::<Result<_>>()?
            };
            let figures = leave_one_out(&labels, scan(&embeddings)?)?;
            rows.push(Row { layers: name.clone(), recipe, figures });
        }
    }
    print(args, rows)
}

/// Neighbours by comparing int8 codes with every other.
fn scan(embeddings: &[Embedding]) -> Result<impl Fn(usize, usize) -> Result<Vec<usize>> + Sync> {
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
        // One index: one object. A folder: a list of what was compared.
        let json = match (args.index.is_some(), rows.first()) {
            (true, Some(row)) => serde_json::to_string(row),
            _ => serde_json::to_string(&rows),
        };
        println!("{}", json.map_err(|e| Error::with_source(ErrorKind::Internal, "JSON", e))?);
        return Ok(());
    }
    println!(
        "{:<28} {:<36} {:>6} {:>6} {:>6} {:>9}",
        "layers", "recipe", "top1", "p@5", "p@10", "recall@20"
    );
    let mut notes = BTreeMap::new();
    for Row { layers, recipe, figures: f } in &rows {
        let recall = f.recall_at_20.map_or(String::new(), |r| format!("{r:.4}"));
        println!(
            "{layers:<28} {recipe:<36} {:>6.3} {:>6.3} {:>6.3} {recall:>9}",
            f.top1, f.p_at_5, f.p_at_10
        );
        notes.insert((f.queries, f.labels), ());
    }
    for (queries, labels) in notes.keys() {
        println!("{queries} queries, {labels} labels, leave-one-out");
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
        let f = leave_one_out(&labels, |_, _| Ok(vec![0, 1, 2, 3])).unwrap();
        assert_eq!((f.queries, f.labels), (4, 2));
        assert_eq!(f.top1, 0.5);
        assert_eq!(f.p_at_5, 0.2);
        assert!(leave_one_out(&[None], |_, _| Ok(vec![])).is_err());
    }
}
