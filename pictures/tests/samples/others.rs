//! GIF, WebP and TIFF files; and files that are something else.

use std::io::Cursor;

use image::codecs::{gif::GifEncoder, tiff::TiffEncoder, webp::WebPEncoder};
use image::{Delay, ExtendedColorType as Type, Frame, ImageEncoder, RgbaImage};

use super::{Expected, HEIGHT, Samples, WIDTH, cut, exif, grey, icc, rgb, rgba};

fn frame(pixels: Vec<u8>) -> Frame {
    let image = RgbaImage::from_raw(WIDTH, HEIGHT, pixels).expect("the size fits");
    Frame::from_parts(image, 0, 0, Delay::from_numer_denom_ms(100, 1))
}

fn gif(frames: Vec<Frame>) -> Vec<u8> {
    let mut out = Vec::new();
    GifEncoder::new(&mut out).encode_frames(frames).expect("the scene is a picture");
    out
}

fn webp(pixels: &[u8], kind: Type) -> Vec<u8> {
    let mut out = Vec::new();
    WebPEncoder::new_lossless(&mut out)
        .write_image(pixels, WIDTH, HEIGHT, kind)
        .expect("the scene is a picture");
    out
}

/// A WebP in its extended form: flags, and chunks before and behind the picture.
fn extended(
    picture: &[u8],
    flags: u8,
    before: &[(&[u8; 4], Vec<u8>)],
    behind: &[(&[u8; 4], Vec<u8>)],
) -> Vec<u8> {
    let side = |n: u32| (n - 1).to_le_bytes()[..3].to_vec();
    let chunk = |name: &[u8; 4], content: &[u8]| {
        let mut out = name.to_vec();
        out.extend((content.len() as u32).to_le_bytes());
        out.extend(content);
        out.resize(out.len().next_multiple_of(2), 0);
        out
    };
    let mut body = b"WEBP".to_vec();
    body.extend(chunk(b"VP8X", &[vec![flags, 0, 0, 0], side(WIDTH), side(HEIGHT)].concat()));
    for (name, content) in before {
        body.extend(chunk(name, content));
    }
    body.extend(&picture[12..]);
    for (name, content) in behind {
        body.extend(chunk(name, content));
    }
    let mut out = b"RIFF".to_vec();
    out.extend((body.len() as u32).to_le_bytes());
    out.extend(body);
    out
}

fn tiff(pixels: &[u8], kind: Type) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    TiffEncoder::new(&mut out)
        .write_image(pixels, WIDTH, HEIGHT, kind)
        .expect("the scene is a picture");
    out.into_inner()
}

/// A TIFF of one strip: entries of (tag, type, values), little-endian.
fn tiff_by_hand(pixels: &[u8], entries: &[(u16, u16, Vec<u32>)]) -> Vec<u8> {
    let mut all = entries.to_vec();
    all.push((256, 4, vec![WIDTH]));
    all.push((257, 4, vec![HEIGHT]));
    all.push((278, 4, vec![HEIGHT]));
    all.push((273, 4, vec![8]));
    all.push((279, 4, vec![pixels.len() as u32]));
    all.sort_by_key(|entry| entry.0);
    let mut out = b"II*\0".to_vec();
    let directory = (8 + pixels.len()).next_multiple_of(2);
    out.extend((directory as u32).to_le_bytes());
    out.extend(pixels);
    out.resize(directory, 0);
    out.extend((all.len() as u16).to_le_bytes());
    let mut far = Vec::new();
    let far_at = directory + 2 + 12 * all.len() + 4;
    for (tag, kind, values) in all {
        out.extend(tag.to_le_bytes());
        out.extend(kind.to_le_bytes());
        out.extend((values.len() as u32).to_le_bytes());
        let mut content: Vec<u8> = values
            .iter()
            .flat_map(|v| {
                if kind == 3 {
                    (*v as u16).to_le_bytes().to_vec()
                } else {
                    v.to_le_bytes().to_vec()
                }
            })
            .collect();
        if content.len() > 4 {
            out.extend(((far_at + far.len()) as u32).to_le_bytes());
            far.extend(content);
        } else {
            content.resize(4, 0);
            out.extend(content);
        }
    }
    out.extend([0; 4]);
    out.extend(far);
    out
}

pub(super) fn add(to: &mut Samples) {
    let black = || vec![0; rgba().len()];
    let opaque = || rgb().chunks_exact(3).flat_map(|c| [c[0], c[1], c[2], 255]).collect::<Vec<_>>();
    let still = gif(vec![frame(opaque())]);
    to.same("plain.gif", still.clone());
    to.same("animated.gif", gif(vec![frame(opaque()), frame(black())]));
    to.same("transparent.gif", gif(vec![frame(rgba())]));
    for (name, more) in [("larger", 20_i16), ("smaller", -20)] {
        let mut screen = still.clone();
        for (at, side) in [(6, WIDTH), (8, HEIGHT)] {
            screen[at..at + 2].copy_from_slice(&(side as i16 + more).to_le_bytes());
        }
        to.same(format!("screen-{name}.gif"), screen);
    }
    for percent in [5, 25, 50, 90, 99] {
        to.add(format!("cut-at-{percent}.gif"), cut(&still, percent), Expected::Refused("cut-off"));
    }
    to.same("without-end-mark.gif", still[..still.len() - 1].to_vec());

    let lossless = webp(&rgb(), Type::Rgb8);
    to.same("lossless.webp", lossless.clone());
    to.same("transparent.webp", webp(&rgba(), Type::Rgba8));
    for percent in [5, 25, 50, 90, 99] {
        to.add(
            format!("cut-at-{percent}.webp"),
            cut(&lossless, percent),
            Expected::Refused("cut-off"),
        );
    }
    to.same("trailing.webp", [lossless.as_slice(), &[1; 999]].concat());
    for orientation in [3, 6] {
        let name = format!("exif-{orientation}.webp");
        to.same(name, extended(&lossless, 0x08, &[], &[(b"EXIF", exif(orientation))]));
    }
    for name in ["p3", "prophoto"] {
        to.same(
            format!("icc-{name}.webp"),
            extended(&lossless, 0x20, &[(b"ICCP", icc::profile(name))], &[]),
        );
    }
    let animation = |left: u8| {
        let background = (b"ANIM", vec![255, 0, 0, 255, 0, 0]);
        let frame = |at: u8, picture: &[u8]| {
            let mut content = vec![at, 0, 0, at, 0, 0];
            content.extend([WIDTH as u8 - 1, 0, 0, HEIGHT as u8 - 1, 0, 0, 100, 0, 0, 0]);
            content.extend(&picture[12..]);
            (b"ANMF", content)
        };
        let black = webp(&black(), Type::Rgba8);
        let chunks = [background, frame(left, &lossless), frame(0, &black)];
        let mut file = extended(&lossless[..12], 0x12, &chunks, &[]);
        // Frames that stand beside the corner need a larger picture.
        file[24] += 2 * left;
        file[27] += 2 * left;
        file
    };
    to.same("animated.webp", animation(0));
    to.same("animated-first-frame-smaller.webp", animation(10));
    // The lossy file of the folder of unusual pictures.
    let lossy = include_bytes!("../../../tests/pictures/plain.webp");
    to.same("lossy.webp", lossy.to_vec());

    let refused = Expected::TerminalOnly("unsupported");
    to.add("rgb.tif", tiff(&rgb(), Type::Rgb8), refused);
    to.add("rgba.tif", tiff(&rgba(), Type::Rgba8), refused);
    to.add("grey.tif", tiff(&grey(), Type::L8), refused);
    let turned = [
        (258, 3, vec![8, 8, 8]),
        (259, 3, vec![1]),
        (262, 3, vec![2]),
        (277, 3, vec![3]),
        (274, 3, vec![6]),
    ];
    to.add("orientation-6.tif", tiff_by_hand(&rgb(), &turned), refused);
    let indices: Vec<u8> = grey().iter().map(|v| v / 16).collect();
    let mut colours = vec![0_u32; 768];
    for i in 0..16 {
        for (channel, value) in [255 - i * 12, i * 16, i * 10].into_iter().enumerate() {
            colours[channel * 256 + i] = (value * 257) as u32;
        }
    }
    let palette = [
        (258, 3, vec![8]),
        (259, 3, vec![1]),
        (262, 3, vec![3]),
        (277, 3, vec![1]),
        (320, 3, colours),
    ];
    to.add("palette.tif", tiff_by_hand(&indices, &palette), Expected::Refused("unsupported"));
    let white_is_zero =
        [(258, 3, vec![8]), (259, 3, vec![1]), (262, 3, vec![0]), (277, 3, vec![1])];
    to.add("white-is-zero.tif", tiff_by_hand(&grey(), &white_is_zero), refused);
    let inks: Vec<u8> =
        rgb().chunks_exact(3).flat_map(|c| [255 - c[0], 255 - c[1], 255 - c[2], 0]).collect();
    let cmyk = [(258, 3, vec![8; 4]), (259, 3, vec![1]), (262, 3, vec![5]), (277, 3, vec![4])];
    to.add("cmyk.tif", tiff_by_hand(&inks, &cmyk), refused);
    for percent in [5, 50, 99] {
        to.add(
            format!("cut-at-{percent}.tif"),
            cut(&tiff(&rgb(), Type::Rgb8), percent),
            Expected::Refused("cut-off"),
        );
    }

    let brand = |major: &str, others: &str| {
        let mut out = ((16 + others.len()) as u32).to_be_bytes().to_vec();
        out.extend(format!("ftyp{major}\0\0\0\0{others}").bytes());
        out.resize(2000, 0);
        out
    };
    for (name, bytes) in [
        ("mp4-named.jpg", brand("mp42", "mp41isom")),
        ("isom-named.jpg", brand("isom", "isomiso2avc1mp41")),
        ("mov-named.jpg", brand("qt  ", "qt  ")),
        (
            "old.mov",
            [&[0, 0, 0, 8], b"wide".as_slice(), &[0, 0, 7, 0], b"mdat", &[0; 900]].concat(),
        ),
        ("film.mkv", [&[0x1a, 0x45, 0xdf, 0xa3], [0; 900].as_slice()].concat()),
        ("film.avi", [b"RIFF\x10\x10\0\0AVI LIST".as_slice(), &[0; 900]].concat()),
        ("raw.cr3", brand("crx ", "crx isom")),
        ("raw.cr2", [b"II*\0\x10\0\0\0CR\x02\0".as_slice(), &[0; 900]].concat()),
        ("paper.pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n".to_vec()),
        (
            "drawing.svg",
            b"<?xml version=\"1.0\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\"/>".to_vec(),
        ),
        ("icon.ico", [&[0, 0, 1, 0, 1, 0, 16, 16], [0; 900].as_slice()].concat()),
        ("layers.psd", [b"8BPS\0\x01".as_slice(), &[0; 900]].concat()),
        ("old.jp2", [b"\0\0\0\x0cjP  \r\n\x87\n".as_slice(), &[0; 900]].concat()),
        ("archive.zip", [b"PK\x03\x04".as_slice(), &[0; 900]].concat()),
        ("page.jpg", b"<!DOCTYPE html>\n<html><body>404 Not Found</body></html>".to_vec()),
    ] {
        to.add(name, bytes, Expected::Refused("unsupported"));
    }
    for (name, bytes) in
        [("phone.heic", brand("heic", "mif1heic")), ("phone.heif", brand("mif1", "mif1heic"))]
    {
        to.add(name, bytes, Expected::Refused("heic"));
    }
    let not_pictures: [(&str, &[u8]); 3] = [
        ("answer.jpg", b"{\"error\": \"not found\"}"),
        ("empty.jpg", b""),
        ("words.jpg", b"This is a shopping list: 2 chairs, 1 table."),
    ];
    for (name, bytes) in not_pictures {
        to.add(name, bytes.to_vec(), Expected::Refused("bad-picture"));
    }
}
