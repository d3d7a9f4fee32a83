//! The structure of a JPEG file (ITU-T T.81): segments, and whether its entropy data codes all of
//! its picture.
//!
//! Decoders show half a photo without a word, and half a photo finds the wrong products. An end
//! mark says nothing: tools put one behind what a broken line has left. So the entropy data is
//! walked, which costs a tenth of decoding it.

mod entropy;
mod huffman;

use lookalike_error::{Error, ErrorKind, Result};

use crate::{Format, Header, Limits, cut_off, damaged};
use entropy::Walker;

/// A component of the picture: its place in scans is by `id`.
#[derive(Clone, Copy, Debug)]
struct Component {
    id: u8,
    /// Blocks across and down in one unit of an interleaved scan, 1 to 4.
    across: u32,
    down: u32,
    quantisation: u8,
}

/// What the frame header says.
#[derive(Clone, Debug)]
struct Frame {
    progressive: bool,
    width: u32,
    height: u32,
    components: Vec<Component>,
}

/// What a decoder needs to know besides the pixels.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extras {
    /// The transform that Adobe's segment names, if there is one.
    pub(crate) adobe: Option<u8>,
    /// Whether there is a JFIF segment.
    pub(crate) jfif: bool,
    /// The EXIF block (a TIFF), of the first segment that has one.
    pub(crate) exif: Option<Vec<u8>>,
    /// The pieces of a colour profile: number, of how many, content.
    pub(crate) profile: Vec<(u8, u8, Vec<u8>)>,
    /// The ids of the components.
    pub(crate) components: Vec<u8>,
    /// Bytes that stand where there should be none, or fill bytes: some decoders stop at them.
    pub(crate) untidy: bool,
}

/// Checks that a file is whole and within the limits.
pub(crate) fn check(bytes: &[u8], limits: &Limits) -> Result<Header> {
    read(bytes, limits).map(|(header, _)| header)
}

/// As [`check`]; also what a decoder needs.
pub(crate) fn read(bytes: &[u8], limits: &Limits) -> Result<(Header, Extras)> {
    let mut extras = Extras::default();
    let mut frame: Option<Frame> = None;
    let mut walker = Walker::default();
    let mut tables = Tables::default();
    let mut at = 2;
    loop {
        let found = next_marker(bytes, at).ok_or_else(|| cut_off(Format::Jpeg))?;
        extras.untidy |= found.untidy;
        let marker = found.marker;
        match marker {
            // An end mark before any scan: what was saved was no picture.
            0xd9 => {
                let Some(frame) = frame else { return Err(cut_off(Format::Jpeg)) };
                walker.finish(&frame)?;
                let Frame { width, height, .. } = frame;
                return Ok((Header { format: Format::Jpeg, width, height }, extras));
            }
            0x01 | 0xd0..=0xd7 => {
                at = found.end;
                continue;
            }
            0xd8 => return Err(damaged(Format::Jpeg, "it begins twice")),
            _ => {}
        }
        let (content, end) = segment(bytes, found.end)?;
        at = end;
        match marker {
            0xc4 => walker.define(content)?,
            0xdb => tables.define(content)?,
            0xdd => {
                let interval = content.first_chunk().ok_or_else(short)?;
                walker.restart_every(u16::from_be_bytes(*interval).into());
            }
            0xda => {
                let frame = frame.as_ref().ok_or_else(short)?;
                tables.check(frame)?;
                at = walker.scan(frame, content, bytes, end)?;
            }
            0xc0..=0xcf if marker != 0xc8 && marker != 0xcc => {
                if frame.is_some() {
                    return Err(damaged(Format::Jpeg, "it has two frames"));
                }
                let read = read_frame(marker, content)?;
                limits.check_size(read.width.into(), read.height.into())?;
                // Every block takes a bit at least: a claim beyond that is not worth memory.
                let blocks = u64::from(read.width.div_ceil(8)) * u64::from(read.height.div_ceil(8));
                if blocks / 64 > bytes.len() as u64 {
                    return Err(cut_off(Format::Jpeg));
                }
                extras.components = read.components.iter().map(|c| c.id).collect();
                frame = Some(read);
            }
            0xdc | 0xde | 0xdf => return Err(unsupported("is of a kind that nobody writes")),
            _ => extras.note(marker, content),
        }
    }
}

impl Extras {
    fn note(&mut self, marker: u8, content: &[u8]) {
        match marker {
            0xe0 if content.starts_with(b"JFIF\0") => self.jfif = true,
            0xe1 if self.exif.is_none() => {
                self.exif = content.strip_prefix(b"Exif\0\0").map(<[u8]>::to_vec);
            }
            0xe2 => {
                if let Some([number, count, piece @ ..]) = content.strip_prefix(b"ICC_PROFILE\0") {
                    self.profile.push((*number, *count, piece.to_vec()));
                }
            }
            0xee if content.starts_with(b"Adobe") && self.adobe.is_none() => {
                self.adobe = content.get(11).copied();
            }
            _ => {}
        }
    }

    /// The colour profile, joined; none if a piece is missing.
    #[cfg(feature = "decode")]
    pub(crate) fn profile(&self) -> Option<Vec<u8>> {
        let count = self.profile.first()?.1;
        let mut joined = Vec::new();
        for number in 1..=count {
            let mut pieces = self.profile.iter().filter(|piece| piece.0 == number);
            let (_, all, content) = pieces.next()?;
            if *all != count || pieces.next().is_some() {
                return None;
            }
            joined.extend(content);
        }
        Some(joined).filter(|joined| !joined.is_empty())
    }
}

struct Marker {
    marker: u8,
    /// Offset behind it.
    end: usize,
    untidy: bool,
}

/// The next marker from `at` on. Bytes before it are passed over, as are fill bytes (0xFF), which
/// the standard allows.
fn next_marker(bytes: &[u8], at: usize) -> Option<Marker> {
    let mut i = at;
    loop {
        i += bytes.get(i..)?.iter().position(|&byte| byte == 0xff)? + 1;
        let fill = bytes.get(i..)?.iter().position(|&byte| byte != 0xff)?;
        i += fill + 1;
        let marker = bytes[i - 1];
        if marker != 0 {
            return Some(Marker { marker, end: i, untidy: i > at + 2 });
        }
    }
}

/// The content of a segment whose length stands at `at`, and where it ends.
fn segment(bytes: &[u8], at: usize) -> Result<(&[u8], usize)> {
    let cut = || cut_off(Format::Jpeg);
    let length = bytes.get(at..).and_then(<[u8]>::first_chunk).ok_or_else(cut)?;
    let length = usize::from(u16::from_be_bytes(*length));
    if length < 2 {
        return Err(short());
    }
    let end = at + length;
    Ok((bytes.get(at + 2..end).ok_or_else(cut)?, end))
}

fn short() -> Error {
    damaged(Format::Jpeg, "a segment is shorter than it must be")
}

fn unsupported(what: &str) -> Error {
    let what = format!("the JPEG picture {what}; save it as a usual JPEG, or as PNG");
    Error::new(ErrorKind::Unsupported, what)
}

fn read_frame(marker: u8, content: &[u8]) -> Result<Frame> {
    match marker {
        0xc0..=0xc2 => {}
        0xc3 => return Err(unsupported("is a lossless one")),
        0xc9..=0xcb | 0xcd..=0xcf => return Err(unsupported("is packed by arithmetic coding")),
        _ => return Err(unsupported("is a hierarchical one")),
    }
    let [bits, h1, h0, w1, w0, count, specs @ ..] = content else { return Err(short()) };
    if *bits != 8 {
        return Err(unsupported(&format!("has {bits} bits a channel, not 8")));
    }
    let height = u32::from(u16::from_be_bytes([*h1, *h0]));
    let width = u32::from(u16::from_be_bytes([*w1, *w0]));
    let mut components = Vec::new();
    for spec in specs.chunks_exact(3).take((*count).into()) {
        let component = Component {
            id: spec[0],
            across: (spec[1] >> 4).into(),
            down: (spec[1] & 15).into(),
            quantisation: spec[2],
        };
        let fine = (1..=4).contains(&component.across) && (1..=4).contains(&component.down);
        if !fine || components.iter().any(|c: &Component| c.id == component.id) {
            return Err(damaged(Format::Jpeg, "its frame contradicts itself"));
        }
        components.push(component);
    }
    if components.len() != usize::from(*count) {
        return Err(short());
    }
    if !matches!(components.len(), 1 | 3 | 4) {
        return Err(unsupported(&format!("has {} channels, not 1, 3 or 4", components.len())));
    }
    Ok(Frame { progressive: marker == 0xc2, width, height, components })
}

/// Which of the four quantisation tables are there.
#[derive(Default)]
struct Tables([bool; 4]);

impl Tables {
    fn define(&mut self, mut content: &[u8]) -> Result<()> {
        while let [head, rest @ ..] = content {
            let length = if head >> 4 == 0 { 64 } else { 128 };
            *self.0.get_mut(usize::from(head & 15)).ok_or_else(short)? = true;
            content = rest.get(length..).ok_or_else(short)?;
        }
        Ok(())
    }

    fn check(&self, frame: &Frame) -> Result<()> {
        let there = |c: &Component| self.0.get(usize::from(c.quantisation)) == Some(&true);
        if frame.components.iter().all(there) {
            return Ok(());
        }
        Err(damaged(Format::Jpeg, "a quantisation table is missing"))
    }
}
