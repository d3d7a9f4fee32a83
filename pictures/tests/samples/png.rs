//! PNG files, chunk by chunk.

use std::io::Write;

use flate2::{Compression, Crc, write::ZlibEncoder};

use super::{Expected, HEIGHT, Samples, WIDTH, cut, exif, grey, icc, rgb, rgba};

fn chunk(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let body = [name.as_slice(), content].concat();
    let mut crc = Crc::new();
    crc.update(&body);
    let mut out = (content.len() as u32).to_be_bytes().to_vec();
    out.extend(body);
    out.extend(crc.sum().to_be_bytes());
    out
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("memory takes all");
    encoder.finish().expect("memory takes all")
}

/// How pixels are stored: bits a channel, colour type.
#[derive(Clone, Copy)]
struct Kind(u8, u8);

const GREY: Kind = Kind(8, 0);
const RGB: Kind = Kind(8, 2);
const RGBA: Kind = Kind(8, 6);

fn header(kind: Kind, interlaced: bool) -> Vec<u8> {
    let mut ihdr = WIDTH.to_be_bytes().to_vec();
    ihdr.extend(HEIGHT.to_be_bytes());
    ihdr.extend([kind.0, kind.1, 0, 0, u8::from(interlaced)]);
    chunk(b"IHDR", &ihdr)
}

/// Rows of whole bytes a pixel, each with filter 0.
fn rows(pixels: &[u8], step: usize, width: usize) -> Vec<u8> {
    pixels.chunks_exact(step * width).flat_map(|row| [&[0], row].concat()).collect()
}

/// The seven passes of Adam7.
fn interlaced(pixels: &[u8], step: usize) -> Vec<u8> {
    let (width, height) = (WIDTH as usize, HEIGHT as usize);
    let mut out = Vec::new();
    for (x0, y0, dx, dy) in [
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    ] {
        for y in (y0..height).step_by(dy) {
            out.push(0);
            for x in (x0..width).step_by(dx) {
                out.extend(&pixels[(y * width + x) * step..][..step]);
            }
        }
    }
    out
}

fn file(kind: Kind, chunks: &[Vec<u8>], data: &[u8], interlaced: bool) -> Vec<u8> {
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    out.extend(header(kind, interlaced));
    out.extend(chunks.concat());
    let data = packed(data);
    // In pieces, as encoders write it.
    for part in data.chunks(8192) {
        out.extend(chunk(b"IDAT", part));
    }
    out.extend(chunk(b"IEND", &[]));
    out
}

/// The scene in RGB with chunks before its data.
fn with(chunks: &[Vec<u8>]) -> Vec<u8> {
    file(RGB, chunks, &rows(&rgb(), 3, WIDTH as usize), false)
}

fn gama(gamma: f64) -> Vec<u8> {
    chunk(b"gAMA", &((gamma * 100_000.0) as u32).to_be_bytes())
}

fn chrm(values: [u32; 8]) -> Vec<u8> {
    chunk(b"cHRM", &values.iter().flat_map(|v| v.to_be_bytes()).collect::<Vec<_>>())
}

fn iccp(name: &str) -> Vec<u8> {
    let profile = if name == "cmyk" { icc::cmyk() } else { icc::profile(name) };
    chunk(b"iCCP", &[b"profile\0\0".as_slice(), &packed(&profile)].concat())
}

fn cicp(primaries: u8, transfer: u8) -> Vec<u8> {
    chunk(b"cICP", &[primaries, transfer, 0, 1])
}

const SRGB: [u32; 8] = [31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000];
const P3: [u32; 8] = [31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000];
const WARM: [u32; 8] = [34570, 35850, 64000, 33000, 30000, 60000, 15000, 6000];

/// Six levels an axis and the scene in them.
fn palette() -> (Vec<u8>, Vec<u8>) {
    let colours = (0..216_u16)
        .flat_map(|i| [i / 36, i / 6 % 6, i % 6].map(|level| (level * 51) as u8))
        .collect();
    let near = |c: u8| (u16::from(c) + 25) / 51;
    let indices = rgb()
        .chunks_exact(3)
        .map(|c| (near(c[0]) * 36 + near(c[1]) * 6 + near(c[2])) as u8)
        .collect();
    (colours, indices)
}

/// Values of fewer than 8 bits, packed into rows.
fn few_bits(values: &[u8], bits: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for row in values.chunks_exact(WIDTH as usize) {
        out.push(0);
        for group in row.chunks(8 / bits) {
            let byte =
                group.iter().enumerate().fold(0_u8, |sum, (i, v)| sum | v << (8 - bits * (i + 1)));
            out.push(byte);
        }
    }
    out
}

fn wide(pixels: &[u8]) -> Vec<u8> {
    pixels.iter().flat_map(|&v| [v, v.wrapping_mul(31)]).collect()
}

pub(super) fn add(to: &mut Samples) {
    let width = WIDTH as usize;
    let plain = with(&[]);
    to.same("rgb.png", plain.clone());
    for percent in [5, 25, 50, 90, 99] {
        to.add(format!("cut-at-{percent}.png"), cut(&plain, percent), Expected::Refused("cut-off"));
    }
    let mut short = b"\x89PNG\r\n\x1a\n".to_vec();
    short.extend(header(RGB, false));
    let data = packed(&rows(&rgb(), 3, width));
    short.extend(chunk(b"IDAT", &data[..data.len() / 2]));
    short.extend(chunk(b"IEND", &[]));
    to.add("data-cut-with-end-mark.png", short, Expected::Refused("bad-picture"));
    let mut wrong_sum = plain.clone();
    let at = wrong_sum.len() - 14;
    wrong_sum[at] ^= 0x55;
    to.add("check-sum-wrong.png", wrong_sum, Expected::Refused("bad-picture"));
    to.same("trailing.png", [plain.as_slice(), &[7; 5000]].concat());
    to.same("rgba.png", file(RGBA, &[], &rows(&rgba(), 4, width), false));
    to.same("grey.png", file(GREY, &[], &rows(&grey(), 1, width), false));
    let grey_alpha: Vec<u8> =
        grey().iter().zip(rgba().chunks_exact(4)).flat_map(|(&g, c)| [g, c[3]]).collect();
    to.same("grey-alpha.png", file(Kind(8, 4), &[], &rows(&grey_alpha, 2, width), false));
    to.same("rgb-16.png", file(Kind(16, 2), &[], &rows(&wide(&rgb()), 6, width), false));
    to.same("rgba-16.png", file(Kind(16, 6), &[], &rows(&wide(&rgba()), 8, width), false));
    to.same("grey-16.png", file(Kind(16, 0), &[], &rows(&wide(&grey()), 2, width), false));
    to.same(
        "grey-alpha-16.png",
        file(Kind(16, 4), &[], &rows(&wide(&grey_alpha), 4, width), false),
    );
    for bits in [1, 2, 4] {
        let values: Vec<u8> = grey().iter().map(|v| v >> (8 - bits)).collect();
        to.same(
            format!("grey-{bits}.png"),
            file(Kind(bits as u8, 0), &[], &few_bits(&values, bits), false),
        );
    }
    to.same("interlaced.png", file(RGB, &[], &interlaced(&rgb(), 3), true));
    to.same("interlaced-rgba.png", file(RGBA, &[], &interlaced(&rgba(), 4), true));

    let (colours, indices) = palette();
    let plte = chunk(b"PLTE", &colours);
    let fading: Vec<u8> =
        (0..216_u16).map(|i| if i > 170 { (i % 5 * 60) as u8 } else { 255 }).collect();
    let palette = Kind(8, 3);
    to.same(
        "palette.png",
        file(palette, std::slice::from_ref(&plte), &rows(&indices, 1, width), false),
    );
    let trns = chunk(b"tRNS", &fading);
    to.same(
        "palette-transparent.png",
        file(palette, &[plte.clone(), trns.clone()], &rows(&indices, 1, width), false),
    );
    to.same(
        "palette-p3.png",
        file(palette, &[iccp("p3"), plte.clone(), trns], &rows(&indices, 1, width), false),
    );
    to.same("palette-interlaced.png", file(palette, &[plte], &interlaced(&indices, 1), true));
    let four = chunk(b"PLTE", &[200, 40, 30, 240, 230, 210, 20, 60, 160, 90, 90, 90]);
    let two_bits: Vec<u8> = grey().iter().map(|v| v >> 6).collect();
    to.same("palette-2.png", file(Kind(2, 3), &[four], &few_bits(&two_bits, 2), false));
    let wall = super::colour(0, 0);
    let key = chunk(b"tRNS", &wall.map(|c| [0, c]).concat());
    to.same("colour-key.png", file(RGB, &[key], &rows(&rgb(), 3, width), false));
    let shade = chunk(b"tRNS", &[0, grey()[0]]);
    to.same("grey-key.png", file(GREY, &[shade], &rows(&grey(), 1, width), false));

    for gamma in [0.2, 0.42, 0.44, 0.45455, 0.47, 0.5, 0.55, 0.8, 1.0, 1.8, 0.0] {
        to.same(format!("gama-{gamma}.png"), with(&[gama(gamma)]));
    }
    to.same("gama-1-grey.png", file(GREY, &[gama(1.0)], &rows(&grey(), 1, width), false));
    to.same(
        "gama-1-grey-alpha.png",
        file(Kind(8, 4), &[gama(1.0)], &rows(&grey_alpha, 2, width), false),
    );
    to.same("gama-1-rgba.png", file(RGBA, &[gama(1.0)], &rows(&rgba(), 4, width), false));
    to.same(
        "gama-1-16.png",
        file(Kind(16, 2), &[gama(1.0)], &rows(&wide(&rgb()), 6, width), false),
    );
    to.same("gama-1-interlaced.png", file(RGB, &[gama(1.0)], &interlaced(&rgb(), 3), true));
    for (name, values) in [("srgb", SRGB), ("p3", P3), ("warm", WARM), ("zero", [0; 8])] {
        to.same(format!("chrm-{name}-alone.png"), with(&[chrm(values)]));
        to.same(format!("chrm-{name}-gama.png"), with(&[gama(0.45455), chrm(values)]));
    }
    to.same("chrm-p3-gama-1.png", with(&[gama(1.0), chrm(P3)]));
    let srgb = chunk(b"sRGB", &[0]);
    to.same("srgb.png", with(std::slice::from_ref(&srgb)));
    to.same("srgb-over-gama.png", with(&[gama(1.0), chrm(P3), srgb.clone()]));
    for name in ["srgb", "p3", "adobe", "prophoto", "rec2020"] {
        to.same(format!("iccp-{name}.png"), with(&[iccp(name)]));
    }
    to.same(
        "iccp-p3-16.png",
        file(Kind(16, 2), &[iccp("p3")], &rows(&wide(&rgb()), 6, width), false),
    );
    to.same("iccp-p3-rgba.png", file(RGBA, &[iccp("p3")], &rows(&rgba(), 4, width), false));
    to.same("iccp-over-gama.png", with(&[gama(1.0), iccp("p3")]));
    to.same("iccp-over-srgb.png", with(&[srgb.clone(), iccp("p3")]));
    to.same("iccp-grey-on-colour.png", with(&[iccp("grey10")]));
    to.same("iccp-cmyk-on-colour.png", with(&[iccp("cmyk")]));
    to.same("iccp-damaged.png", with(&[chunk(b"iCCP", b"profile\0\0no zlib at all"), gama(1.0)]));
    for name in ["grey10", "grey18", "grey22", "p3"] {
        to.same(
            format!("iccp-{name}-on-grey.png"),
            file(GREY, &[iccp(name)], &rows(&grey(), 1, width), false),
        );
    }
    to.same(
        "iccp-grey10-on-grey-alpha.png",
        file(Kind(8, 4), &[iccp("grey10")], &rows(&grey_alpha, 2, width), false),
    );
    for (name, primaries, transfer) in [
        ("p3", 12, 13),
        ("srgb", 1, 13),
        ("rec709", 1, 1),
        ("rec2020", 9, 14),
        ("linear", 1, 8),
        ("studio", 6, 6),
        ("log", 1, 9),
        ("cinema", 11, 13),
        ("unspecified", 2, 2),
        ("reserved", 77, 99),
        ("gamma22", 1, 4),
        ("gamma28", 5, 5),
    ] {
        to.same(format!("cicp-{name}.png"), with(&[cicp(primaries, transfer)]));
    }
    for (name, primaries, transfer) in [("pq", 9, 16), ("hlg", 9, 18), ("p3-pq", 12, 16)] {
        to.add(
            format!("cicp-{name}.png"),
            with(&[cicp(primaries, transfer)]),
            Expected::Refused("unsupported"),
        );
    }
    to.same("cicp-over-iccp.png", with(&[cicp(12, 13), iccp("adobe")]));
    to.same("cicp-p3-grey.png", file(GREY, &[cicp(12, 13)], &rows(&grey(), 1, width), false));
    to.same("cicp-not-full-range.png", with(&[chunk(b"cICP", &[12, 13, 0, 0])]));
    for orientation in [3, 6] {
        to.same(format!("exif-{orientation}.png"), with(&[chunk(b"eXIf", &exif(orientation))]));
    }
    let mut late = with(&[]);
    let end = late.len() - 12;
    late.splice(end..end, chunk(b"eXIf", &exif(6)));
    to.same("exif-6-behind-the-data.png", late);
    // An animation shows its first picture, which may be the one that stands outside it.
    let frame = |number: u32| {
        let mut content = number.to_be_bytes().to_vec();
        content.extend(WIDTH.to_be_bytes());
        content.extend(HEIGHT.to_be_bytes());
        content.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 10, 0, 100, 0, 0]);
        chunk(b"fcTL", &content)
    };
    let black = packed(&rows(&vec![0; rgb().len()], 3, width));
    for outside in [false, true] {
        let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
        out.extend(header(RGB, false));
        let frames = if outside { 1_u32 } else { 2 };
        out.extend(chunk(b"acTL", &[frames.to_be_bytes(), [0; 4]].concat()));
        if !outside {
            out.extend(frame(0));
        }
        out.extend(chunk(b"IDAT", &packed(&rows(&rgb(), 3, width))));
        let next = u32::from(!outside);
        out.extend(frame(next));
        out.extend(chunk(b"fdAT", &[&(next + 1).to_be_bytes()[..], &black].concat()));
        out.extend(chunk(b"IEND", &[]));
        to.same(if outside { "animated-still-outside.png" } else { "animated.png" }, out);
    }
}
