//! A terminal's habits: exit codes, help, pipes, full disks, missing files, options out of range.

use std::fs;
use std::process::Command;

use crate::harness::{ROOT, fail, folder, indexed, lookalike, prepared, shop, succeed, text};

#[test]
fn wrong_calls_exit_with_2() {
    for args in [&["serach"][..], &["search"], &["index", "x"], &["eval"], &[]] {
        assert_eq!(lookalike(args).status.code(), Some(2), "{args:?}");
    }
}

/// Names of the commands below one, by its help.
fn commands_below(command: &[&str]) -> Vec<String> {
    let help = succeed(&[command, &["--help"]].concat());
    let Some((_, rest)) = help.split_once("Commands:\n") else { return Vec::new() };
    rest.lines()
        .take_while(|line| !line.is_empty() && !line.starts_with("Options"))
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_command_explains_itself() {
    let mut open: Vec<Vec<String>> = vec![Vec::new()];
    let mut seen = 0;
    while let Some(command) = open.pop() {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let help = succeed(&[&words[..], &["--help"]].concat());
        assert!(help.contains("Usage: lookalike"), "{words:?}: {help}");
        let by_name = succeed(&[&["help"], &words[..]].concat());
        assert_eq!(by_name.lines().next(), help.lines().next(), "{words:?}");
        succeed(&[&words[..], &["-h"]].concat());
        seen += 1;
        open.extend(
            commands_below(&words).into_iter().map(|name| [&command[..], &[name]].concat()),
        );
    }
    assert!(seen > 10, "{seen} commands");
    assert!(succeed(&["--version"]).starts_with("lookalike "));
}

#[test]
fn numbers_out_of_range_and_contradictions_are_wrong_calls() {
    let root = folder("ranges");
    let (model, shop, out) = (prepared(&root), shop(&root), root.join("out"));
    let (model, shop, out) = (text(&model), text(&shop), text(&out));
    let index = ["index", shop, "--model", model, "-o", out];
    let search = ["search", "--index", out, "p.png"];
    let query = ["search", "--index", out, "--query", "{}"];
    let prepare = ["model", "prepare", model, "-o", "m.onnx", "--layer", "x"];
    let eval = ["eval", shop, "--model", model];
    let with = |call: &[&'static str]| call.to_vec();
    for (call, options) in [
        (&index[..], with(&["--part-bytes", "0"])),
        (&index, with(&["--part-bytes", "-1"])),
        (&index, with(&["--part-bytes", "all"])),
        (&index, with(&["--max-skipped", "nan"])),
        (&index, with(&["--max-skipped", "1.5"])),
        (&index, with(&["--max-skipped=-0.1"])),
        (&index, with(&["--thumbs", "100000"])),
        (&index, with(&["--dim", "0"])),
        (&index, with(&["--dim", "70000"])),
        (&index, with(&["--variants", "maybe"])),
        (&search, with(&["-k", "0"])),
        (&search, with(&["-k", "1001"])),
        (&search, with(&["-k", "-1"])),
        (&search, with(&["-k", "99999999999999999999"])),
        (&search, with(&["--product", "p1"])),
        (&query, with(&["-k", "3"])),
        (&query, with(&["--product", "p1"])),
        (&query, with(&["--mask", "m.png"])),
        (&prepare, with(&["--std", "0"])),
        (&prepare, with(&["--std", "1,-1,1"])),
        (&prepare, with(&["--mean", "nan"])),
        (&prepare, with(&["--mean", "inf"])),
        (&prepare, with(&["--mean", "1,2"])),
        (&prepare, with(&["--input-size", "0"])),
        (&prepare, with(&["--input-size", "1000000"])),
        (&prepare, with(&["--weight-bits", "2"])),
        (&prepare, with(&["--weight-bits", "9"])),
        (&prepare, with(&["--weight-bits", "3.5"])),
        (&prepare, with(&["--weight-bits", "mixed"])),
        (&prepare, with(&["--weight-bits", "mixed:2.9"])),
        (&prepare, with(&["--weight-bits", "mixed:nan"])),
        (&prepare, with(&["--calibrate", "x", "--range", "nan"])),
        (&prepare, with(&["--range", "0.99"])),
        (&eval, with(&["--folds", "0"])),
        (&eval, with(&["--folds", "1"])),
        (&eval, with(&["--halves", "0"])),
        (&eval, with(&["--folds", "5", "--halves", "5"])),
        (&eval, with(&["--index", "x"])),
    ] {
        let output = lookalike(&[call, &options].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{options:?}: {said}");
        assert!(said.contains("error: ") && output.stdout.is_empty(), "{options:?}: {said}");
    }
    assert!(!root.join("out").exists(), "a wrong call writes nothing");
    // An empty name is no name of a file.
    for call in [["search", "--index", "", "p.png"], ["search", "--index", out, ""]] {
        assert_eq!(lookalike(&call).status.code(), Some(2), "{call:?}");
    }
}

#[test]
fn what_is_missing_is_called_missing_and_what_is_no_file_a_folder() {
    let (root, served) = indexed("missing");
    let (shop, model) = (root.join("shop"), root.join("model.onnx"));
    let (shop, model, served) = (text(&shop), text(&model), text(&served));
    let none = root.join("none");
    let none = text(&none);
    let photo = root.join("shop/1.png");
    let photo = text(&photo);
    let (onnx, out) = (format!("{ROOT}/tests/models/tiny.onnx"), root.join("none/deep.onnx"));
    let tiny = onnx.as_str();
    for (call, words) in [
        (&["index", none, "--model", model, "-o", served][..], &["none is missing", "feed"][..]),
        (&["index", shop, "--model", none, "-o", served], &["none is missing", "model prepare"]),
        (&["index", shop, "--model", shop, "-o", served], &["shop is a folder"]),
        (&["search", "--index", none, photo], &["none is missing", "lookalike index"]),
        (&["search", "--index", shop, photo], &["manifest.json is missing", "lookalike index"]),
        (&["search", "--index", model, photo], &["model.onnx is a file", "lookalike index"]),
        (&["search", "--index", served, none], &["none is missing"]),
        (&["search", "--index", served, shop], &["shop is a folder"]),
        (&["search", "--index", served, model], &["model.onnx", "not a picture"]),
        (&["search", "--index", served, photo, "--mask", none], &["none is missing"]),
        (&["search", "--index", served, photo, "--mask", model], &["not a picture"]),
        (&["inspect", none], &["none is missing", "manifest.json"]),
        (&["inspect", shop], &["shop is a folder"]),
        (&["model", "prepare", none, "-o", "x.onnx", "--layer", "x"], &["none is missing"]),
        (&["model", "prepare", tiny, "-o", shop, "--layer", "first"], &["shop is a folder"]),
        (&["model", "prepare", tiny, "-o", text(&out), "--layer", "first"], &["no folder"]),
        (
            &["model", "prepare", tiny, "-o", "x", "--layer", "first", "--calibrate", none],
            &["none"],
        ),
        (&["eval", none, "--model", model], &["none is missing"]),
        (&["eval", shop, "--model", none], &["none is missing", "model prepare"]),
        (&["eval", "--index", none], &["none is missing", "lookalike index"]),
        (&["eval", "--index", served, "--report", shop], &["shop is a folder"]),
        (&["eval", "masks", none, "--index", served], &["none is missing"]),
        (&["eval", "quantised", shop, "--model", model, "--against", none], &["none is missing"]),
    ] {
        let said = fail(call);
        for word in words {
            assert!(said.contains(word), "{call:?} does not say {word:?}: {said}");
        }
    }
    assert!(fs::metadata(photo).is_ok());
}

#[cfg(unix)]
mod unix {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::harness::{hosted, in_shell};

    /// A call of each command that prints, and of what clap prints.
    fn calls(name: &str) -> Vec<Vec<String>> {
        let (root, served) = indexed(name);
        let at = |below: &str| root.join(below).display().to_string();
        let index = hosted(&served, "index").display().to_string();
        let served = served.display().to_string();
        let tiny = format!("{ROOT}/tests/models/tiny.onnx");
        let (shop, model) = (at("shop"), at("model.onnx"));
        let eval = ["--index", &served, "--label", "category"];
        [
            &["search", "--index", &served, &at("shop/1.png")][..],
            &["search", "--index", &served, &at("shop/1.png"), "--json"],
            &["embed", "--index", &served, &at("shop/1.png"), &at("shop/2.png")],
            &["inspect", &index],
            &["inspect", &at("served/manifest.json"), "--json"],
            &["index", &shop, "--model", &model, "-o", &at("again")],
            &["model", "prepare", &tiny, "-o", &at("again.onnx"), "--layer", "first"],
            &[&["eval"][..], &eval].concat(),
            &[&["eval"][..], &eval, &["--json"]].concat(),
            &["eval", "masks", &shop, "--index", &served, "--draws", "3"],
            &["--help"],
            &["help", "eval"],
            &["--version"],
        ]
        .map(|call| call.iter().map(|word| (*word).to_owned()).collect())
        .to_vec()
    }

    #[test]
    fn a_reader_who_has_seen_enough_is_no_error() {
        for call in calls("pipe") {
            let words: Vec<&str> = call.iter().map(String::as_str).collect();
            // The pipe is closed before anything is written.
            let script = r#"{ "$0" "$@"; echo "exit $?" >&2; } | true"#;
            let output = in_shell(script, &words);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(said.trim_end().lines().last(), Some("exit 0"), "{words:?}: {said}");
            assert!(!said.contains("panicked") && !said.contains("error: "), "{words:?}: {said}");
        }
    }

    #[test]
    fn what_cannot_be_printed_is_an_error() {
        if !std::path::Path::new("/dev/full").exists() {
            eprintln!("skipped: this system has no /dev/full");
            return;
        }
        for call in calls("full") {
            let words: Vec<&str> = call.iter().map(String::as_str).collect();
            for (door, what) in [("> /dev/full", "cannot write"), (">&-", "is closed")] {
                let output = in_shell(&format!(r#""$0" "$@" {door}"#), &words);
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                assert_eq!(output.status.code(), Some(1), "{words:?} {door}: {said}");
                assert!(said.contains(what) && !said.contains("panicked"), "{words:?}: {said}");
            }
            // Nobody need hear what is said besides.
            for door in ["2> /dev/full", "2>&-"] {
                let output = in_shell(&format!(r#""$0" "$@" {door}"#), &words);
                assert_eq!(output.status.code(), Some(0), "{words:?} {door}");
                assert!(!output.stdout.is_empty(), "{words:?} {door}");
            }
        }
        for door in ["2> /dev/full", "2>&-"] {
            let script = format!(r#""$0" search --index /nowhere x.png {door}"#);
            assert_eq!(in_shell(&script, &[]).status.code(), Some(1), "{door}");
            assert_eq!(in_shell(&format!(r#""$0" serach {door}"#), &[]).status.code(), Some(2));
        }
        // /dev/null and an input that is closed are fine.
        assert!(in_shell(r#""$0" --version > /dev/null"#, &[]).status.success());
        assert!(in_shell(r#""$0" --version <&-"#, &[]).status.success());
    }

    #[test]
    fn arguments_need_not_be_utf8() {
        let (root, served) = indexed("bytes");
        let name = OsStr::from_bytes(b"\xff\xfe.png");
        let photo = root.join(name);
        fs::copy(root.join("shop/2.png"), &photo).unwrap();
        let run = |args: &[&OsStr]| {
            Command::new(env!("CARGO_BIN_EXE_lookalike")).args(args).output().unwrap()
        };
        let (search, index) = (OsStr::new("search"), OsStr::new("--index"));
        let found = run(&[search, index, served.as_os_str(), photo.as_os_str()]);
        assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stderr));
        let embedded = run(&[OsStr::new("embed"), index, served.as_os_str(), photo.as_os_str()]);
        assert!(embedded.status.success());
        let missing = run(&[search, index, served.as_os_str(), name]);
        assert_eq!(missing.status.code(), Some(1));
        for wrong in [["--product"], ["--query"], ["--no-such"]] {
            let output = run(&[search, index, served.as_os_str(), OsStr::new(wrong[0]), name]);
            assert_eq!(output.status.code(), Some(2), "{wrong:?}");
        }
    }

    #[test]
    fn files_without_permission_are_named() {
        let (root, served) = indexed("permission");
        let photo = root.join("closed.png");
        fs::copy(root.join("shop/2.png"), &photo).unwrap();
        fs::set_permissions(&photo, fs::Permissions::from_mode(0o000)).unwrap();
        if fs::read(&photo).is_ok() {
            eprintln!("skipped: this user reads everything");
            return;
        }
        let said = fail(&["search", "--index", text(&served), text(&photo)]);
        assert!(said.contains("closed.png") && said.contains("ermission"), "{said}");
    }

    /// What a call shows on a terminal of this kind.
    fn on_terminal(kind: &str, call: &str) -> Option<String> {
        let mut script = Command::new("script");
        script.args(["-qec", call, "/dev/null"]).env("TERM", kind).env("COLUMNS", "30");
        let output = script.output().ok()?;
        assert!(output.status.success(), "{call}");
        Some(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    #[test]
    fn progress_is_a_bar_on_a_terminal_alone() {
        let (root, _) = indexed("progress");
        let call = format!(
            "{} index {} --model {} -o {}",
            env!("CARGO_BIN_EXE_lookalike"),
            text(&root.join("shop")),
            text(&root.join("model.onnx")),
            text(&root.join("again"))
        );
        let Some(shown) = on_terminal("xterm", &call) else {
            eprintln!("skipped: there is no `script` to make a terminal with");
            return;
        };
        assert!(shown.contains("embedding") && shown.contains('\x1b'), "{shown:?}");
        assert!(!shown.contains("\x1b[?25l"), "the cursor is never hidden: {shown:?}");
        for (kind, call) in [("dumb", call.clone()), ("xterm", format!("{call} --quiet"))] {
            let plain = on_terminal(kind, &call).unwrap();
            assert!(!plain.contains('\x1b') && plain.contains("24 products"), "{kind}: {plain:?}");
        }
        let piped = in_shell(&format!("{call} 2>&1"), &[]);
        let piped = String::from_utf8(piped.stdout).unwrap();
        assert!(piped.contains("24 products") && !piped.contains("embedding"), "{piped:?}");
    }
}
