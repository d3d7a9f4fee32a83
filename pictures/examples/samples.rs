//! Writes the sample pictures and a list of what is owed for each: `samples FOLDER`. The browser
//! tests read them.

use std::path::Path;
use std::{env, fs, io};

#[path = "../tests/samples/mod.rs"]
mod samples;

use samples::{Expected, Sample};

fn main() -> io::Result<()> {
    let folder = env::args().nth(1).ok_or_else(|| io::Error::other("usage: samples FOLDER"))?;
    let folder = Path::new(&folder);
    fs::create_dir_all(folder)?;
    let mut all = samples::all();
    // As much as phones take, and more than is read.
    for (name, width, height, expected) in [
        ("108-megapixels.jpg", 12_000, 9_000, Expected::Same),
        ("200-megapixels.jpg", 16_320, 12_240, Expected::Same),
        ("225-megapixels.jpg", 15_000, 15_000, Expected::Refused("too-large")),
    ] {
        let bytes = samples::large::jpeg(width, height);
        all.push(Sample { name: name.into(), bytes, expected });
    }
    let mut list = Vec::new();
    for Sample { name, bytes, expected } in all {
        fs::write(folder.join(&name), &bytes)?;
        let (expected, kind) = match expected {
            Expected::Same => ("same", ""),
            Expected::SameOrWhite => ("same-or-white", ""),
            Expected::Refused(kind) => ("refused", kind),
            Expected::TerminalOnly(kind) => ("terminal-only", kind),
        };
        list.push(format!("{name:?}: {{\"expected\": {expected:?}, \"kind\": {kind:?}}}"));
    }
    fs::write(folder.join("samples.json"), format!("{{\n{}\n}}\n", list.join(",\n")))
}
