//! Picture files of every kind, made here: what the native decoder and a browser are compared on.
//!
//! All show one scene, so that a wrong colour, a missing turn or a lost part shows.

mod bmp;
mod icc;
mod jpeg;
pub(crate) mod large;
mod others;
mod png;

/// What both sides owe for a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Both open it, and see the same.
    Same,
    /// Both open it; Chromium sees the same or a white square, which changes with its version.
    SameOrWhite,
    /// Both refuse it with an error of this kind.
    Refused(&'static str),
    /// The command line opens it; Chromium cannot, and the page says so with this kind.
    TerminalOnly(&'static str),
}

/// A file, and what is owed for it.
pub(crate) struct Sample {
    /// With the ending that such a file would have.
    pub(crate) name: String,
    /// The content.
    pub(crate) bytes: Vec<u8>,
    /// What is owed.
    pub(crate) expected: Expected,
}

/// Collects samples.
#[derive(Default)]
struct Samples(Vec<Sample>);

impl Samples {
    fn add(&mut self, name: impl Into<String>, bytes: Vec<u8>, expected: Expected) {
        self.0.push(Sample { name: name.into(), bytes, expected });
    }

    fn same_or_white(&mut self, name: impl Into<String>, bytes: Vec<u8>) {
        self.add(name, bytes, Expected::SameOrWhite);
    }

    fn same(&mut self, name: impl Into<String>, bytes: Vec<u8>) {
        self.add(name, bytes, Expected::Same);
    }
}

/// All of them.
pub(crate) fn all() -> Vec<Sample> {
    let mut samples = Samples::default();
    jpeg::add(&mut samples);
    png::add(&mut samples);
    bmp::add(&mut samples);
    others::add(&mut samples);
    samples.0
}

/// Sides of the scene: of odd length, so that no block of any format fits.
pub(crate) const WIDTH: u32 = 157;
/// See [`WIDTH`].
pub(crate) const HEIGHT: u32 = 119;

/// The scene: a lit vase with a blue band on a table before a wall, lit from one side.
pub(crate) fn colour(x: u32, y: u32) -> [u8; 3] {
    let (x, y) = (f64::from(x), f64::from(y));
    let shade = |rgb: [f64; 3], light: f64| rgb.map(|c| (c * light).clamp(0.0, 255.0) as u8);
    let wide = 16.0 + 14.0 * ((y - 30.0) / 18.0).sin();
    let from_axis = (x - 62.0) / wide;
    if (22.0..104.0).contains(&y) && from_axis.abs() < 1.0 {
        let body =
            if (48.0..60.0).contains(&y) { [40.0, 70.0, 190.0] } else { [200.0, 60.0, 40.0] };
        return shade(body, 1.15 - 0.55 * (from_axis + 0.4).abs());
    }
    if y > 92.0 {
        let grain = 12.0 * (y * 0.7 + (x * 0.05).sin() * 3.0).sin();
        return shade([150.0 + grain, 105.0 + grain, 60.0], 1.1 - x / 500.0);
    }
    if (x - 125.0).hypot(y - 40.0) < 18.0 {
        return shade([70.0, 150.0, 80.0], 1.0 + (y - 40.0) / 60.0);
    }
    shade([205.0, 200.0, 185.0], 1.15 - x / 300.0 - y / 700.0)
}

/// The scene, `[height][width][3]`.
pub(crate) fn rgb() -> Vec<u8> {
    (0..HEIGHT).flat_map(|y| (0..WIDTH).flat_map(move |x| colour(x, y))).collect()
}

/// The scene in grey, `[height][width]`.
pub(crate) fn grey() -> Vec<u8> {
    rgb()
        .chunks_exact(3)
        .map(|c| ((u32::from(c[0]) * 2 + u32::from(c[1]) * 5 + u32::from(c[2])) / 8) as u8)
        .collect()
}

/// The scene with its wall transparent by degrees, `[height][width][4]`.
pub(crate) fn rgba() -> Vec<u8> {
    let mut out = Vec::new();
    for (i, c) in rgb().chunks_exact(3).enumerate() {
        let x = i as u32 % WIDTH;
        let alpha = if c[0] > 120 && c[2] > 120 { (x * 255 / WIDTH) as u8 } else { 255 };
        out.extend([c[0], c[1], c[2], alpha]);
    }
    out
}

/// A little-endian EXIF block (TIFF) that holds an orientation and nothing else.
fn exif(orientation: u8) -> Vec<u8> {
    let mut out = b"II*\0\x08\0\0\0\x01\0".to_vec();
    out.extend([0x12, 0x01, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0, 0, 0, 0, 0]);
    out
}

/// The first `percent` of a file.
fn cut(bytes: &[u8], percent: usize) -> Vec<u8> {
    bytes[..bytes.len() * percent / 100].to_vec()
}
