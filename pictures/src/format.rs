//! What a file is, by its first bytes; its name says nothing.

use std::fmt;

use lookalike_error::{Error, ErrorKind, Result};

use crate::bad;

/// Formats of pictures that somebody's decoder reads: ours, or that of some browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// Joint Photographic Experts Group.
    Jpeg,
    /// Portable Network Graphics, animated ones too.
    Png,
    /// Graphics Interchange Format.
    Gif,
    /// WebP.
    WebP,
    /// Windows bitmap.
    Bmp,
    /// Tagged Image File Format: the command line alone.
    Tiff,
    /// AV1 Image File Format: browsers alone.
    Avif,
    /// High Efficiency Image File Format: some browsers alone.
    Heic,
    /// JPEG XL: some browsers alone.
    JpegXl,
}

impl Format {
    /// The short name of its media type, such as `jpeg` of `image/jpeg`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Jpeg => "jpeg",
            Self::Png => "png",
            Self::Gif => "gif",
            Self::WebP => "webp",
            Self::Bmp => "bmp",
            Self::Tiff => "tiff",
            Self::Avif => "avif",
            Self::Heic => "heic",
            Self::JpegXl => "jxl",
        }
    }

    /// The format of a file that begins with `head`; 64 bytes are enough for those that are read,
    /// 512 to name what is not.
    ///
    /// # Errors
    /// `Unsupported` for what is recognised but not read (a video, a PDF), with its name;
    /// `BadPicture` for all else.
    pub fn of(head: &[u8]) -> Result<Self> {
        match head {
            [0xff, 0xd8, 0xff, ..] => Ok(Self::Jpeg),
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Ok(Self::Png),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Ok(Self::Gif),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Ok(Self::WebP),
            // With a header of a length that is known, lest a text that begins so counts.
            [b'B', b'M', rest @ ..]
                if matches!(rest.get(12), Some(12 | 16 | 40 | 52 | 56 | 64 | 108 | 124))
                    && rest.get(13..16) == Some(&[0; 3]) =>
            {
                Ok(Self::Bmp)
            }
            [b'I', b'I', b'*', 0, _, _, _, _, b'C', b'R', ..] => {
                Err(other("a camera's raw file (Canon)"))
            }
            [b'I', b'I', b'*' | b'+', 0, ..] | [b'M', b'M', 0, b'*' | b'+', ..] => Ok(Self::Tiff),
            [0xff, 0x0a, ..] => Ok(Self::JpegXl),
            [0, 0, 0, 12, b'J', b'X', b'L', b' ', ..] => Ok(Self::JpegXl),
            [_, _, _, _, b'f', b't', b'y', b'p', ..] => of_brands(head),
            _ => Err(name_of(head).map_or_else(not_a_picture, other)),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::Gif => "GIF",
            Self::WebP => "WebP",
            Self::Bmp => "BMP",
            Self::Tiff => "TIFF",
            Self::Avif => "AVIF",
            Self::Heic => "HEIC",
            Self::JpegXl => "JPEG XL",
        })
    }
}

/// The many formats whose files begin with a list of brands: still pictures, else a video. The
/// first brand is the file's own; those after it are what else it is compatible with.
fn of_brands(head: &[u8]) -> Result<Format> {
    let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
    let end = length.clamp(12, 256).min(head.len());
    let major = head.get(8..12).unwrap_or_default();
    let others = head.get(16..end).unwrap_or_default();
    let named = |all: &[&[u8; 4]]| {
        let is = |brand: &[u8]| all.iter().any(|b| b.as_slice() == brand);
        (is(major), others.chunks_exact(4).any(is))
    };
    let avif = named(&[b"avif", b"avis"]);
    let heic = named(&[b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"]);
    let still = named(&[b"mif1", b"mif2", b"msf1", b"miaf"]).0;
    if named(&[b"jxl "]).0 {
        return Ok(Format::JpegXl);
    }
    if named(&[b"crx "]).0 {
        return Err(other("a camera's raw file (Canon)"));
    }
    if avif.0 || still && avif.1 {
        return Ok(Format::Avif);
    }
    if heic.0 || still {
        return Ok(Format::Heic);
    }
    let brands: [(&[&[u8; 4]], &str); 3] = [
        (&[b"jp2 ", b"jpx ", b"jpm ", b"jph ", b"j2ki", b"j2is"], "a JPEG 2000 picture"),
        (&[b"M4A ", b"M4B ", b"M4P ", b"F4A ", b"F4B "], "a sound"),
        (&[b"heif", b"hif1", b"jpeg", b"jpgs", b"evbi", b"vvic"], "a HEIF picture of a rare kind"),
    ];
    let name = brands.iter().find(|(all, _)| named(all).0).map_or("a video", |(_, name)| name);
    Err(other(name))
}

/// What a file that is no picture for us calls itself.
fn name_of(head: &[u8]) -> Option<&'static str> {
    let magics: [(usize, &[u8], &str); 41] = [
        (4, b"moov", "a video"),
        (4, b"mdat", "a video"),
        (4, b"wide", "a video"),
        (4, b"pnot", "a video"),
        (8, b"AVI ", "a video"),
        (8, b"WAVE", "a sound"),
        (0, b"\x1a\x45\xdf\xa3", "a video"),
        (0, b"FLV\x01", "a video"),
        (0, b"\0\0\x01\xba", "a video"),
        (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "a video"),
        (0, b"OggS", "a sound or video"),
        (0, b"ID3", "a sound"),
        (0, b"%PDF-", "a PDF"),
        (0, b"%!PS", "a PostScript file"),
        (0, b"8BPS", "a Photoshop file"),
        (0, b"\0\0\x01\0", "an icon file"),
        (0, b"\0\0\x02\0", "a cursor file"),
        (0, b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
        (0, b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
        (0, b"PK\x03\x04", "an archive (ZIP)"),
        (0, b"FUJIFILMCCD-RAW", "a camera's raw file (Fujifilm)"),
        (0, b"IIU\0", "a camera's raw file (Panasonic)"),
        (0, b"IIRO", "a camera's raw file (Olympus)"),
        (0, b"IIRS", "a camera's raw file (Olympus)"),
        (0, b"MMOR", "a camera's raw file (Olympus)"),
        (0, b"FOVb", "a camera's raw file (Sigma)"),
        (0, b"\0MRM", "a camera's raw file (Minolta)"),
        (0, b"gimp xcf", "a GIMP file"),
        (0, b"icns", "an icon file (Apple)"),
        (0, b"qoif", "a QOI picture"),
        (0, b"DDS ", "a texture (DDS)"),
        (0, b"\x76\x2f\x31\x01", "an OpenEXR picture"),
        (0, b"#?RADIANCE", "a Radiance picture"),
        (0, b"AT&TFORM", "a DjVu file"),
        (0, b"\x1f\x8b", "an archive (gzip)"),
        (0, b"7z\xbc\xaf\x27\x1c", "an archive (7-Zip)"),
        (0, b"Rar!", "an archive (RAR)"),
        (0, b"\x7fELF", "a program"),
        (0, b"MZ", "a program"),
        (0, b"SQLite format 3", "a database"),
        (0, b"\xd0\xcf\x11\xe0", "an old Office file"),
    ];
    let magic = magics
        .iter()
        .find(|(at, magic, _)| head.get(*at..).is_some_and(|rest| rest.starts_with(magic)));
    if let Some((.., name)) = magic {
        return Some(name);
    }
    // Drawings are text: a tag named svg among the first, whatever stands before it.
    let text = String::from_utf8_lossy(&head[..head.len().min(512)]);
    let text = text.trim_start_matches(['\u{feff}', ' ', '\n', '\r', '\t']);
    if text.starts_with('<') && text.contains("<svg") {
        return Some("a drawing (SVG)");
    }
    // What a shop's host answers where a picture is gone.
    let head = text.get(..text.len().min(256)).unwrap_or(text).to_ascii_lowercase();
    let is_page =
        head.starts_with("<!doctype html") || head.starts_with('<') && head.contains("<html");
    is_page.then_some("a web page")
}

fn other(name: &str) -> Error {
    let what = format!(
        "the file is {name}, not a picture that can be read; choose a JPEG, PNG or WebP picture"
    );
    Error::new(ErrorKind::Unsupported, what)
}

fn not_a_picture() -> Error {
    bad("the file is not a picture, whatever its name says; choose a JPEG, PNG or WebP picture")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brands(major: &[u8; 4], others: &[u8]) -> Vec<u8> {
        let length = 16 + others.len() as u32;
        [&length.to_be_bytes()[..], b"ftyp", major, &[0; 4], others, b"avif"].concat()
    }

    #[test]
    fn a_list_of_brands_is_a_still_or_a_video() {
        let of = |major, others: &[u8]| Format::of(&brands(major, others));
        assert_eq!(of(b"avif", b"mif1miaf").unwrap(), Format::Avif);
        assert_eq!(of(b"mif1", b"avifmiaf").unwrap(), Format::Avif);
        assert_eq!(of(b"heic", b"mif1heic").unwrap(), Format::Heic);
        assert_eq!(of(b"mif1", b"heic").unwrap(), Format::Heic);
        assert_eq!(of(b"jxl ", b"jxl ").unwrap(), Format::JpegXl);
        for (major, name) in [
            (b"jp2 ", "JPEG 2000"),
            (b"jpx ", "JPEG 2000"),
            (b"M4A ", "a sound"),
            (b"heif", "a HEIF picture of a rare kind"),
        ] {
            let error = of(major, major).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("choose a JPEG"), "{error}");
        }
        // What stands behind the list is not of it; a film may be compatible with stills.
        for video in [of(b"mp42", b"isom"), of(b"isom", b"heicmif1"), of(b"qt  ", b"")] {
            assert!(video.unwrap_err().to_string().contains("a video"));
        }
    }

    #[test]
    fn what_is_no_picture_is_named() {
        for (head, name) in [
            (b"%PDF-1.7".as_slice(), "a PDF"),
            (b"  <?xml version='1.0'?><!-- x --><svg>", "SVG"),
            (b"\0\0\x01\0\x01\0", "an icon"),
            (b"\0\0\0\x14wide", "a video"),
            (b"<html><body>", "a web page"),
            (b"\n<!DOCTYPE HTML>", "a web page"),
            (b"\x1f\x8b\x08", "gzip"),
            (b"IIU\0\x18\0\0\0", "raw file (Panasonic)"),
            (b"<a>not a page</a>", "not a picture"),
            (b"BM, said the cat, is no bitmap", "not a picture"),
            (b"\xff\xd8", "not a picture"),
            (b"", "not a picture"),
        ] {
            let error = Format::of(head).unwrap_err();
            assert!(error.to_string().contains(name), "{name}: {error}");
        }
    }
}
