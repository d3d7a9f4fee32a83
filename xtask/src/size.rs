//! Bytes that a shopper downloads, against budgets.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::builds::VARIANTS;
use crate::cache::{files_below, hash_file, hex, write_atomic};
use crate::paths::Paths;
use crate::{minify, sh};

/// A figure with what it is held to, as all chores that measure write it.
#[derive(Debug, Serialize, Deserialize, PartialEq)]
pub struct Figure {
    pub name: String,
    pub value: f64,
    pub unit: String,
    /// The most that is allowed; none where the figure only informs.
    pub bar: Option<f64>,
    pub pass: bool,
}

/// What one visit needs, in the order in which it is needed.
struct Group {
    name: String,
    /// Most bytes after brotli.
    budget: Option<u64>,
    files: Vec<PathBuf>,
}

const MB: u64 = 1_000_000;
/// One build of the engine, its bindings and the page's scripts and styles: what one visitor fetches. A quarter above what it
/// is; onnxruntime-web's module alone has 2.7 MB.
const CODE_BUDGET: u64 = 35 * MB / 100;
/// The network.
const MODEL_BUDGET: u64 = 155 * MB / 10;
/// Codes, graph and projection of the sample catalogue.
const INDEX_BUDGET: u64 = 3 * MB;
/// Names and attributes of the sample catalogue.
const PRODUCTS_BUDGET: u64 = MB / 10;
/// All that a first visit to the sample shop downloads but thumbnails, from a host that compresses nothing. A tenth above
/// what it is.
const VISIT_BUDGET: u64 = 111 * MB / 10;

#[derive(Serialize, Deserialize, Clone, Copy, Default, Debug, PartialEq)]
struct Sizes {
    raw: u64,
    gzip: u64,
    brotli: u64,
}

impl std::ops::AddAssign for Sizes {
    fn add_assign(&mut self, other: Self) {
        self.raw += other.raw;
        self.gzip += other.gzip;
        self.brotli += other.brotli;
    }
}

/// Prints the table, writes `json`, and fails where a budget is exceeded.
pub fn size(paths: &Paths, json: Option<&Path>) -> Result<()> {
    let cache_file = paths.work().join("sizes.json");
    let mut cache: BTreeMap<String, Sizes> = fs::read(&cache_file)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default();
    let mut figures = Vec::new();
    let mut code = None;
    println!("{:<34} {:>12} {:>12} {:>12}", "bytes", "raw", "gzip -9", "brotli -q 11");
    for group in groups(paths)? {
        let mut total = Sizes::default();
        for file in &group.files {
            let sizes = measured(file, &mut cache)?;
            total += sizes;
            row(
                &format!(
                    "  {}",
                    file.strip_prefix(paths.work().join("page"))
                        .or_else(|_| file.strip_prefix(&paths.root))
                        .unwrap_or(file)
                        .display()
                ),
                sizes,
            );
        }
        row(&group.name, total);
        figures.extend(held_to(&group, total));
        // The build that every browser can run comes first.
        code.get_or_insert(total.raw);
    }
    let visits = visits(&paths.catalog(), code.context("there is no page")?)?;
    for figure in &visits {
        println!("{:<34} {:>12}", figure.name.trim_start_matches("size."), figure.value);
    }
    figures.extend(visits);
    write_atomic(&cache_file, &serde_json::to_vec(&cache)?)?;
    if let Some(json) = json {
        fs::write(json, serde_json::to_vec_pretty(&figures)?)
            .with_context(|| format!("writing {}", json.display()))?;
    }
    let over: Vec<String> = figures
        .iter()
        .filter(|figure| !figure.pass)
        .map(|f| {
            format!(
                "{} is {} {}, the budget {}",
                f.name,
                f.value,
                f.unit,
                f.bar.unwrap_or_default()
            )
        })
        .collect();
    if !over.is_empty() {
        bail!("over budget: {}", over.join("; "));
    }
    println!("All within budget.");
    Ok(())
}

/// What a first visit costs where the host compresses nothing, besides `code`: with the plain files alone, as it was before
/// they were packed as well, and now.
fn visits(catalog: &Path, code: u64) -> Result<[Figure; 2]> {
    let files = manifest(catalog)?.files;
    let base = code + size_of(&catalog.join("manifest.json"))?;
    let (mut plain, mut packed) = (base, base);
    for file in &files {
        let mut own = 0;
        for path in file.hosted(catalog) {
            own += size_of(&path)?;
        }
        plain += own;
        packed += match &file.packed {
            Some(packed) => size_of(&catalog.join(&packed.path))?,
            None => own,
        };
    }
    let figure = |name: &str, value: u64, bar: Option<u64>| Figure {
        name: format!("size.visit.{name}"),
        value: value as f64,
        unit: "bytes".into(),
        bar: bar.map(|bar| bar as f64),
        pass: bar.is_none_or(|bar| value <= bar),
    };
    Ok([figure("plain", plain, None), figure("packed", packed, Some(VISIT_BUDGET))])
}

fn size_of(path: &Path) -> Result<u64> {
    Ok(fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?.len())
}

fn row(name: &str, sizes: Sizes) {
    println!("{name:<34} {:>12} {:>12} {:>12}", sizes.raw, sizes.gzip, sizes.brotli);
}

fn held_to(group: &Group, total: Sizes) -> [Figure; 3] {
    let figure = |ending: &str, value: u64, bar: Option<u64>| Figure {
        name: format!("size.{}.{ending}", group.name),
        value: value as f64,
        unit: "bytes".into(),
        bar: bar.map(|bar| bar as f64),
        pass: bar.is_none_or(|bar| value <= bar),
    };
    [
        figure("raw", total.raw, None),
        figure("gz", total.gzip, None),
        figure("br", total.brotli, group.budget),
    ]
}

fn groups(paths: &Paths) -> Result<Vec<Group>> {
    let (root, catalog) = (minify::page(paths)?, paths.catalog());
    let pkg = root.join("pkg");
    let mut page = vec![root.join("index.html")];
    let served = |path: &PathBuf| {
        let name = path.to_string_lossy();
        [".js", ".css", ".wasm", ".html"].iter().any(|ending| name.ends_with(ending))
    };
    page.extend(files_below(&root.join("www"))?.into_iter().filter(served));
    let mut groups = Vec::new();
    for variant in &VARIANTS {
        let folder = pkg.join(variant.folder);
        let engine = [folder.join("lookalike.js"), folder.join("lookalike_bg.wasm")];
        if variant.folder.is_empty() {
            ensure!(engine.iter().all(|f| f.is_file()), "build it first: cargo xtask build");
        } else if !engine.iter().all(|f| f.is_file()) {
            continue;
        }
        let name = ["code", variant.folder].join(".");
        groups.push(Group {
            name: name.trim_end_matches('.').to_owned(),
            // tract is for those whose network needs it.
            budget: (!variant.has_tract()).then_some(CODE_BUDGET),
            files: page.iter().cloned().chain(engine).collect(),
        });
    }
    let role =
        |role: &str| hosted(&catalog, role).context("make it first: cargo xtask demo --no-serve");
    for (name, budget, files) in [
        ("manifest", None, vec![catalog.join("manifest.json")]),
        ("model", Some(MODEL_BUDGET), role("model")?),
        ("index", Some(INDEX_BUDGET), role("index")?),
        ("products", Some(PRODUCTS_BUDGET), role("products")?),
    ] {
        groups.push(Group { name: name.to_owned(), budget, files });
    }
    Ok(groups)
}

#[derive(Deserialize)]
struct Manifest {
    files: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    role: String,
    path: String,
    #[serde(default)]
    parts: Vec<Part>,
    #[serde(default)]
    packed: Option<Part>,
}

#[derive(Deserialize)]
struct Part {
    path: String,
}

impl Entry {
    /// What the host serves of it as it is: its parts where it is split.
    fn hosted(&self, catalog: &Path) -> Vec<PathBuf> {
        if self.parts.is_empty() {
            vec![catalog.join(&self.path)]
        } else {
            self.parts.iter().map(|part| catalog.join(&part.path)).collect()
        }
    }
}

fn manifest(catalog: &Path) -> Result<Manifest> {
    let path = catalog.join("manifest.json");
    let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&bytes).with_context(|| path.display().to_string())
}

/// The files of one role that the host serves as they are.
fn hosted(catalog: &Path, role: &str) -> Result<Vec<PathBuf>> {
    let manifest = manifest(catalog)?;
    let entry = manifest.files.iter().find(|entry| entry.role == role);
    Ok(entry.with_context(|| format!("the manifest lists no {role}"))?.hosted(catalog))
}

/// Brotli at its best takes a minute for the network, so results are kept by content.
fn measured(file: &Path, cache: &mut BTreeMap<String, Sizes>) -> Result<Sizes> {
    let key = hex(&hash_file(file)?);
    if let Some(sizes) = cache.get(&key) {
        return Ok(*sizes);
    }
    let text = sh::text(sh::command("node").args(["-e", MEASURE, "--"]).arg(file))?;
    let sizes = serde_json::from_str(&text).with_context(|| format!("node said {text:?}"))?;
    cache.insert(key, sizes);
    Ok(sizes)
}

/// node has both compressors built in.
const MEASURE: &str = r"
const z = require('zlib'), c = z.constants;
const raw = require('fs').readFileSync(process.argv[1]);
const gzip = z.gzipSync(raw, { level: 9 }).length;
const brotli = z.brotliCompressSync(raw, { params: {
  [c.BROTLI_PARAM_QUALITY]: 11, [c.BROTLI_PARAM_LGWIN]: 24, [c.BROTLI_PARAM_SIZE_HINT]: raw.length } }).length;
console.log(JSON.stringify({ raw: raw.length, gzip, brotli }));
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_over_its_budget_does_not_pass() {
        let group = |budget| Group { name: "code".into(), budget, files: vec![] };
        let total = Sizes { raw: 30, gzip: 20, brotli: 11 };
        let pass = |budget| held_to(&group(budget), total).map(|figure| figure.pass);
        assert_eq!(pass(Some(10)), [true, true, false]);
        assert_eq!(pass(Some(11)), [true, true, true]);
        assert_eq!(pass(None), [true, true, true]);
        assert_eq!(held_to(&group(None), total)[2].name, "size.code.br");
    }

    #[test]
    fn a_split_file_counts_as_its_parts() -> Result<()> {
        let folder = std::env::temp_dir().join(format!("xtask-size-{}", std::process::id()));
        crate::cache::fresh_folder(&folder)?;
        let manifest = r#"{"files":[{"role":"index","path":"index.bin"},
            {"role":"model","path":"m.onnx","parts":[{"path":"m.0"},{"path":"m.1"}]}]}"#;
        fs::write(folder.join("manifest.json"), manifest)?;
        assert_eq!(hosted(&folder, "index")?, [folder.join("index.bin")]);
        assert_eq!(hosted(&folder, "model")?, [folder.join("m.0"), folder.join("m.1")]);
        assert!(hosted(&folder, "products").is_err());
        fs::remove_dir_all(&folder)?;
        Ok(())
    }

    #[test]
    fn a_visit_costs_what_is_packed_where_it_is() -> Result<()> {
        let folder = std::env::temp_dir().join(format!("xtask-visit-{}", std::process::id()));
        crate::cache::fresh_folder(&folder)?;
        let manifest = r#"{"files":[{"role":"index","path":"i.bin","packed":{"path":"i.packed"}},
            {"role":"model","path":"m.onnx","parts":[{"path":"m.0"},{"path":"m.1"}]}]}"#;
        for (name, bytes) in [("i.bin", 1000), ("i.packed", 300), ("m.0", 40), ("m.1", 5)] {
            fs::write(folder.join(name), vec![0; bytes])?;
        }
        fs::write(folder.join("manifest.json"), manifest)?;
        let base = 20_000 + manifest.len() as u64;
        let [plain, packed] = visits(&folder, 20_000)?;
        assert_eq!((plain.value, plain.bar), ((base + 1045) as f64, None));
        assert_eq!((packed.value, packed.pass), ((base + 345) as f64, true));
        let [_, over] = visits(&folder, VISIT_BUDGET)?;
        assert!(!over.pass);
        fs::remove_file(folder.join("i.packed"))?;
        assert!(visits(&folder, 0).is_err());
        fs::remove_dir_all(&folder)?;
        Ok(())
    }

    #[test]
    fn compressed_sizes_are_measured_once_per_content() -> Result<()> {
        let file = std::env::temp_dir().join(format!("xtask-measured-{}", std::process::id()));
        fs::write(&file, "a".repeat(10_000))?;
        let mut cache = BTreeMap::new();
        let sizes = measured(&file, &mut cache)?;
        assert_eq!(sizes.raw, 10_000);
        assert!(sizes.gzip < 100 && sizes.brotli < 100, "{sizes:?}");
        cache.values_mut().for_each(|sizes| sizes.brotli = 7);
        assert_eq!(measured(&file, &mut cache)?.brotli, 7);
        fs::remove_file(&file)?;
        Ok(())
    }
}
