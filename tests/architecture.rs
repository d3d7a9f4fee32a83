//! The invariants of ARCHITECTURE.md that a reader of the source could break without noticing.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// Path below `src/` and content without comments and test modules.
fn rooms() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 15, "where is the source?");
    files
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let code: Vec<&str> = text
                .lines()
                .take_while(|line| !line.starts_with("#[cfg(test)]"))
                .filter(|line| !line.trim_start().starts_with("//"))
                .collect();
            let name = path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
            (name, code.join("\n"))
        })
        .collect()
}

fn names(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

#[test]
fn only_the_outer_rooms_know_the_outside() {
    for (room, code) in rooms() {
        let at_home = |owners: &[&str]| owners.iter().any(|o| room.starts_with(o));
        for (word, owners) in [
            ("web_sys::", &["wasm.rs", "wasm/"][..]),
            ("js_sys::", &["wasm.rs", "wasm/"]),
            ("wasm_bindgen::", &["wasm.rs", "wasm/"]),
            ("clap::", &["cli/"]),
            ("indicatif::", &["cli/"]),
            ("std::fs", &["cli/"]),
            ("unsafe ", &["kernels/"]),
            // One door, which knows what to do where nobody reads.
            ("println!", &["cli/output.rs"]),
            ("print!", &["cli/output.rs"]),
            ("eprintln!", &["cli/output.rs"]),
            ("eprint!", &["cli/output.rs"]),
        ] {
            assert!(at_home(owners) || !names(&code, word), "src/{room} names {word}");
        }
    }
}

#[test]
fn dependencies_point_one_way() {
    // A room may use those before it.
    let order = [
        &["error", "kernels"][..],
        &["image", "embedding", "manifest"],
        &["preprocess", "projection", "area"],
        &["mask"],
        &["frame", "things"],
        &["model", "index"],
        &["query", "learn", "explain"],
        &["engine"],
        &["wasm", "cli"],
        &["lib", "main"],
    ];
    let level = |name: &str| order.iter().position(|rooms| rooms.contains(&name));
    for (room, code) in rooms() {
        let name = room.split(['/', '.']).next().unwrap_or_default();
        let own = level(name).unwrap_or_else(|| panic!("src/{room} has no place in the order"));
        for (at, _) in code.match_indices("crate::") {
            let used: String =
                code[at + 7..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if let Some(theirs) = level(&used).filter(|_| used != name && name != "lib") {
                assert!(theirs < own, "src/{room} uses crate::{used}, which stands above it");
            }
        }
    }
}

#[test]
fn every_unsafe_block_says_why_it_is_sound() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/kernels");
    if !root.is_dir() {
        return;
    }
    let mut files = Vec::new();
    sources(&root, &mut files);
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        for (i, line) in lines.iter().enumerate() {
            let code = line.trim_start();
            if code.starts_with("//") || !code.contains("unsafe {") {
                continue;
            }
            let explained = lines[i.saturating_sub(6)..=i].iter().any(|l| l.contains("SAFETY:"));
            assert!(explained, "{}:{} has no SAFETY line", path.display(), i + 1);
        }
    }
}
