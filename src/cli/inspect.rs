//! `lookalike inspect`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::{files, output};
use crate::error::{Error, ErrorKind, Result};
use crate::index::{Index, ModelId};
use crate::manifest::Manifest;
use crate::model::Network;

#[derive(clap::Args)]
pub(super) struct Args {
    /// A network, index or manifest.json.
    file: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let advice = "give a network, an index or a manifest.json";
    files::must_exist(&args.file, advice)?;
    if args.file.is_dir() {
        let manifest = args.file.join("manifest.json");
        let what = if manifest.is_file() {
            format!(
                "{} is a folder; its index is described by {}",
                args.file.display(),
                manifest.display()
            )
        } else {
            format!("{} is a folder: {advice}", args.file.display())
        };
        return Err(Error::new(ErrorKind::BadFile, what));
    }
    let bytes = files::read(&args.file)?;
    let about = describe(&bytes).map_err(|e| e.at(args.file.display()))?;
    if args.json {
        return output::json(&about);
    }
    if let Value::Object(entries) = about {
        for (key, value) in entries {
            match value {
                Value::String(text) => output::line(format_args!("{key:>14}  {text}"))?,
                Value::Array(lines) if key == "lowered" => {
                    for line in lines.iter().filter_map(Value::as_str) {
                        output::line(format_args!("{key:>14}  {line}"))?;
                    }
                }
                other => output::line(format_args!("{key:>14}  {other}"))?,
            }
        }
    }
    Ok(())
}

fn describe(bytes: &[u8]) -> Result<Value> {
    if bytes.starts_with(b"LOOKALIK") {
        let index = Index::read(bytes)?;
        let graph = index.graph();
        let mut columns: BTreeMap<&str, usize> = BTreeMap::new();
        for group in index.groups() {
            *columns.entry(&group.key.column).or_default() += 1;
        }
        let counts = || index.owners().counts();
        return Ok(json!({
            "file": "index",
            "bytes": bytes.len(),
            "model": index.model().to_string(),
            "products": index.products(),
            "pictures": index.len(),
            "with_several_pictures": counts().filter(|&count| count > 1).count(),
            "most_pictures": counts().max(),
            "dim": index.projection().out_dim(),
            "features": index.projection().in_dim(),
            "layers": graph.layers().iter().map(|l| l.len()).collect::<Vec<_>>(),
            "links": graph.layers().iter().map(|l| l.parts().1.len()).sum::<usize>(),
            "groups": index.groups().len(),
            "groups_by_column": columns,
            "groups_offered": index.groups().iter().filter(|g| g.offered).count(),
            "unreachable": graph.unreachable().len(),
        }));
    }
    if bytes.first() == Some(&b'{') {
        let manifest = serde_json::to_value(Manifest::read(bytes)?);
        return manifest.map_err(|cause| {
            Error::with_source(ErrorKind::Internal, "writing JSON failed", cause)
        });
    }
    let network = Network::load(bytes.to_vec())?;
    let spec = network.spec();
    let engine = network.engine();
    Ok(json!({
        "file": "model",
        "bytes": bytes.len(),
        "sha256": ModelId::of(bytes).to_string(),
        "name": spec.name,
        "input_size": spec.input.size,
        "mean": spec.input.mean,
        "std": spec.input.std,
        "layout": "NCHW",
        "layers": spec.layers.iter().map(|l| l.name.as_str()).collect::<Vec<_>>(),
        "dims": spec.layers.iter().map(|l| l.dim).collect::<Vec<_>>(),
        "engine": engine.runtime(),
        "not_lowered": engine.not_lowered,
        "macs": engine.macs,
        "weight_bytes": engine.weight_bytes,
        "run_bytes": engine.run_bytes,
        "lowered": engine.lowered.iter().map(|(name, by)| format!("{name}: {by}")).collect::<Vec<_>>(),
    }))
}
