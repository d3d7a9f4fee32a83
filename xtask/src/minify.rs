//! The page as it is given away: scripts and styles without what only their readers need. Files stay apart, so that
//! they find each other by the same relative addresses; the sources themselves are what `serve` shows.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::cache::{Step, files_below, fresh_folder};
use crate::paths::Paths;
use crate::sh;

/// What a page loads besides its catalogue.
const PARTS: [&str; 3] = ["index.html", "www", "pkg"];

/// Makes `target/lookalike/page/`, with `index.html`, `www/` and `pkg/`, and returns it.
pub fn page(paths: &Paths) -> Result<PathBuf> {
    let out = paths.work().join("page");
    let lock =
        fs::read(paths.root.join("package-lock.json")).context("reading package-lock.json")?;
    let mut step = Step::new(&paths.stamps(), "page")
        .value("source", include_str!("minify.rs"))
        .value("esbuild", lock)
        .output(&out);
    for part in PARTS {
        step = step.input(&paths.root.join(part))?;
    }
    step.run(|| {
        fresh_folder(&out)?;
        for part in PARTS {
            copy(&paths.root.join(part), &out.join(part))?;
        }
        minify(paths, &out)
    })?;
    Ok(out)
}

/// Minifies all scripts and styles of a folder where they lie.
pub fn minify(paths: &Paths, folder: &Path) -> Result<()> {
    let files = files_below(folder)?;
    let code = files.iter().filter(|path| is_code(path));
    let mut esbuild = sh::command(paths.root.join("node_modules/.bin/esbuild"));
    esbuild
        .args(["--minify", "--format=esm", "--charset=utf8", "--legal-comments=none"])
        .args(["--log-level=warning", "--allow-overwrite", "--outbase=.", "--outdir=."])
        .args(code.map(|path| path.strip_prefix(folder).unwrap_or(path)));
    sh::run(esbuild.current_dir(folder))
}

fn is_code(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "js" || ending == "css")
}

/// A file, or a folder with all below it but tools for developers and what only the next `lookalike index` wants.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    for file in files_below(from)? {
        let relative = file.strip_prefix(from).unwrap_or(&file);
        if relative.starts_with("tools")
            || relative.starts_with(".lookalike")
            || file.extension().is_some_and(|ending| ending == "map")
        {
            continue;
        }
        let target =
            if relative.as_os_str().is_empty() { to.to_owned() } else { to.join(relative) };
        fs::create_dir_all(target.parent().context("a file has a folder")?)?;
        fs::copy(&file, &target).with_context(|| format!("copying {}", file.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_private_is_not_given_away() -> Result<()> {
        let root = std::env::temp_dir().join(format!("xtask-private-{}", std::process::id()));
        let (from, to) = (root.join("catalog"), root.join("site"));
        for name in [
            "manifest.json",
            "thumbs/ab/cd.jpg",
            ".lookalike/files.json",
            ".lookalike/state/seen.log",
        ] {
            let path = from.join(name);
            fs::create_dir_all(path.parent().context("a file has a folder")?)?;
            fs::write(path, name)?;
        }
        copy(&from, &to)?;
        assert_eq!(
            files_below(&to)?,
            ["manifest.json", "thumbs/ab/cd.jpg"].map(|name| to.join(name))
        );
        fs::remove_dir_all(&root)?;
        Ok(())
    }

    #[test]
    fn scripts_and_styles_lose_their_comments_and_keep_their_addresses() -> Result<()> {
        let paths = Paths::new();
        if !paths.root.join("node_modules/.bin/esbuild").exists() {
            eprintln!("skipped: esbuild is not installed; run `cargo xtask setup`");
            return Ok(());
        }
        let folder = std::env::temp_dir().join(format!("xtask-minify-{}", std::process::id()));
        fresh_folder(&folder.join("www"))?;
        let (script, style) = (folder.join("www/a.js"), folder.join("www/a.css"));
        fs::write(
            &script,
            "/** Why. */\nimport { b } from './b.js';\nexport const w = () => new Worker(new URL('./w.js', import.meta.url), { type: 'module', name: b });\n",
        )?;
        fs::write(&style, "/* Why. */\n:host { color: #ff0000; }\n")?;
        minify(&paths, &folder)?;
        let (script, style) = (fs::read_to_string(&script)?, fs::read_to_string(&style)?);
        assert!(
            script.contains("\"./b.js\"") && script.contains("new URL(\"./w.js\",import.meta.url)"),
            "{script}"
        );
        assert!(!script.contains("Why") && !style.contains("Why"), "{script} {style}");
        fs::remove_dir_all(&folder)?;
        Ok(())
    }
}
