//! What is given away: a folder for any static host, and the npm package.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::builds::Which;
use crate::cache::fresh_folder;
use crate::minify::{self, copy};
use crate::paths::Paths;
use crate::{demo, sh};

/// What a shop that hosts its own catalogue installs.
const PACKAGE: [&str; 5] = ["www", "pkg", "README.md", "LICENSE-MIT", "LICENSE-APACHE"];
const NAME: &str = "lookalike";

/// Makes `target/lookalike/dist/site/` and `target/lookalike/dist/lookalike-VERSION.tgz`.
pub fn dist(paths: &Paths, own: Option<&Path>) -> Result<()> {
    demo::prepare(paths, own, demo::Model::InceptionV3, Which::All)?;
    let dist = paths.work().join("dist");
    eprintln!("==> dist");

    let site = dist.join("site");
    fresh_folder(&site)?;
    copy(&minify::page(paths)?, &site)?;
    copy(&paths.catalog(), &site.join("catalog"))?;
    copy(&paths.samples(), &site.join("samples"))?;
    eprintln!("    upload the contents of {} to any static host", site.display());

    let package = dist.join("package");
    fresh_folder(&package)?;
    for part in PACKAGE {
        copy(&paths.root.join(part), &package.join(part))?;
    }
    describe(paths, &package)?;
    let manifest = package_json(&version(paths)?);
    check_exports(&manifest, &package)?;
    fs::write(package.join("package.json"), serde_json::to_vec_pretty(&manifest)?)?;
    let mut pack = sh::command("npm");
    pack.args(["pack", "--silent", "--pack-destination"]).arg(&dist).current_dir(&package);
    sh::run(&mut pack)
}

/// Type declarations and the list of custom elements, made from the scripts' own comments.
fn describe(paths: &Paths, package: &Path) -> Result<()> {
    let tool = |name: &str| sh::command(paths.root.join("node_modules/.bin").join(name));
    for project in ["tsconfig.page.json", "tsconfig.worker.json"] {
        let mut tsc = tool("tsc");
        tsc.args(["-p", project, "--noEmit", "false", "--declaration", "--emitDeclarationOnly"])
            .args(["--rootDir", ".", "--outDir"])
            .arg(package)
            .current_dir(&paths.root);
        sh::run(&mut tsc)?;
    }
    // The examples are checked with the page, but are no part of the package.
    let examples = package.join("examples");
    if examples.exists() {
        fs::remove_dir_all(examples)?;
    }
    // Run inside the package: it writes into the package.json of the folder where it runs.
    fs::write(package.join("package.json"), "{}")?;
    let mut analyse = tool("cem");
    analyse.args(["analyze", "--quiet", "--globs", "www/element.js", "--outdir", "www"]);
    sh::run(analyse.current_dir(package))
}

fn package_json(version: &str) -> serde_json::Value {
    json!({
        "name": NAME,
        "version": version,
        "description": "Visual product search that runs in the shopper's browser",
        "license": "MIT OR Apache-2.0",
        "type": "module",
        "main": "./www/element.js",
        "types": "./www/element.d.ts",
        "exports": {
            ".": { "types": "./www/element.d.ts", "default": "./www/element.js" },
            "./engine": { "types": "./pkg/lookalike.d.ts", "default": "./pkg/lookalike.js" },
            "./custom-elements.json": "./www/custom-elements.json",
            // Scripts, styles and the wasm find each other by relative addresses.
            "./www/*": "./www/*",
            "./pkg/*": "./pkg/*"
        },
        "customElements": "./www/custom-elements.json",
        // Importing the element defines it.
        "sideEffects": ["./www/element.js", "./www/worker.js", "./www/helper.js"]
    })
}

/// Each file that the package promises must be in it.
fn check_exports(manifest: &serde_json::Value, package: &Path) -> Result<()> {
    let mut promised = Vec::new();
    strings(&manifest["exports"], &mut promised);
    for file in promised.into_iter().filter(|file| !file.contains('*')) {
        ensure!(
            package.join(file).is_file(),
            "package.json exports {file}, which is not in the package"
        );
    }
    Ok(())
}

fn strings<'a>(value: &'a serde_json::Value, into: &mut Vec<&'a str>) {
    match value {
        serde_json::Value::String(text) => into.push(text),
        serde_json::Value::Object(fields) => fields.values().for_each(|value| strings(value, into)),
        _ => {}
    }
}

/// The version of the crate, which is the package's as well.
fn version(paths: &Paths) -> Result<String> {
    let text = fs::read_to_string(paths.root.join("Cargo.toml")).context("reading Cargo.toml")?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("version = "))
        .context("Cargo.toml has no version")?;
    Ok(line.trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promised_file_that_is_missing_is_named() -> Result<()> {
        let package = std::env::temp_dir().join(format!("xtask-dist-{}", std::process::id()));
        fresh_folder(&package)?;
        let manifest =
            json!({"exports": {".": {"types": "./a.d.ts", "default": "./a.js"}, "./x/*": "./x/*"}});
        fs::write(package.join("a.js"), "")?;
        let error = check_exports(&manifest, &package).expect_err("a.d.ts is missing").to_string();
        assert!(error.contains("./a.d.ts"), "{error}");
        fs::write(package.join("a.d.ts"), "")?;
        check_exports(&manifest, &package)?;
        fs::remove_dir_all(&package)?;
        Ok(())
    }

    #[test]
    fn the_version_is_the_crates() -> Result<()> {
        let version = version(&Paths::new())?;
        assert_eq!(version.split('.').count(), 3, "{version}");
        Ok(())
    }
}
