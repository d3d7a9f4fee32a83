//! What quantising the network costs, by `lookalike eval quantised`.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::paths::Paths;
use crate::sh;
use crate::size::Figure;

const COSINE_MEAN: f64 = 0.995;
const COSINE_MIN: f64 = 0.98;
/// Most that a precision may lose.
const LOSS: f64 = 0.01;

#[derive(Deserialize)]
struct Row {
    cosines: Vec<Cosines>,
    model: Precision,
    against: Precision,
}

#[derive(Deserialize)]
struct Cosines {
    mean: f64,
    min: f64,
}

#[derive(Deserialize)]
struct Precision {
    p_at_5: f64,
    p_at_10: f64,
}

/// The sample furniture, and real photos of clothing where they lie beside the checkout.
pub fn figures(paths: &Paths) -> Result<Vec<Figure>> {
    let clothing = paths.root.join("../shared/photos/clothing");
    let mut catalogues = vec![paths.catalog_source()];
    if clothing.is_dir() {
        catalogues.push(clothing);
    } else {
        println!("quality: on furniture only, {} is not there", clothing.display());
    }
    let mut rows = Vec::new();
    for catalogue in &catalogues {
        let mut eval = sh::command(paths.lookalike());
        eval.args(["eval", "quantised"]).arg(catalogue).arg("--model").arg(paths.model());
        eval.arg("--against").arg(paths.bench().join("f32.onnx")).arg("--json");
        eprintln!("    $ {}", sh::show(&eval));
        let text = sh::text(&mut eval)?;
        println!("{text}");
        let [row]: [Row; 1] = serde_json::from_str(&text).context("reading its answer")?;
        rows.push((catalogue.as_path(), row));
    }
    Ok(gathered(&rows, &paths.catalog_source()))
}

/// The worst over layers and catalogues.
fn gathered(rows: &[(&Path, Row)], furniture: &Path) -> Vec<Figure> {
    let cosines = || rows.iter().flat_map(|(_, row)| &row.cosines);
    let mean = cosines().map(|c| c.mean).fold(1.0, f64::min);
    let min = cosines().map(|c| c.min).fold(1.0, f64::min);
    // Furniture has kinds of six and more pieces, clothing has ten photos a kind.
    let loss = |(path, row): &(&Path, Row)| {
        if *path == furniture {
            row.against.p_at_5 - row.model.p_at_5
        } else {
            row.against.p_at_10 - row.model.p_at_10
        }
    };
    let loss = rows.iter().map(loss).fold(f64::NEG_INFINITY, f64::max);
    let figure = |name: &str, value: f64, unit: &str, bar: f64, pass: bool| Figure {
        name: format!("quality.{name}"),
        value,
        unit: unit.into(),
        bar: Some(bar),
        pass,
    };
    vec![
        figure("cos_f32.mean", mean, "cosine", COSINE_MEAN, mean >= COSINE_MEAN),
        figure("cos_f32.min", min, "cosine", COSINE_MIN, min >= COSINE_MIN),
        figure("loss", loss, "share", LOSS, loss <= LOSS),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_counts() {
        let row = |min, p5, p10| Row {
            cosines: vec![Cosines { mean: 0.999, min }, Cosines { mean: 0.996, min: 0.99 }],
            model: Precision { p_at_5: p5, p_at_10: p10 },
            against: Precision { p_at_5: 0.5, p_at_10: 0.5 },
        };
        let (furniture, clothing) = (Path::new("furniture"), Path::new("clothing"));
        let rows = [(furniture, row(0.97, 0.495, 0.4)), (clothing, row(0.99, 0.4, 0.51))];
        let figures = gathered(&rows, furniture);
        let values: Vec<(f64, bool)> = figures.iter().map(|f| (f.value, f.pass)).collect();
        assert_eq!(values[..2], [(0.996, true), (0.97, false)]);
        assert!((values[2].0 - 0.005).abs() < 1e-9 && values[2].1);
    }
}
