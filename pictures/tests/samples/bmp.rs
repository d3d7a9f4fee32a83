//! BMP files: every header and every way to store pixels.

use super::{Expected, HEIGHT, Samples, WIDTH, cut, icc, rgb, rgba};

/// A file of an info header, what follows it, and pixels.
fn file(info: &[u8], between: &[u8], pixels: &[u8]) -> Vec<u8> {
    let offset = 14 + info.len() + between.len();
    let mut out = b"BM".to_vec();
    out.extend(((offset + pixels.len()) as u32).to_le_bytes());
    out.extend([0; 4]);
    out.extend((offset as u32).to_le_bytes());
    out.extend([info, between, pixels].concat());
    out
}

fn info(size: usize, height: i32, bits: u16, compression: u32, colours: u32) -> Vec<u8> {
    let mut out = (size as u32).to_le_bytes().to_vec();
    out.extend(WIDTH.to_le_bytes());
    out.extend(height.to_le_bytes());
    out.extend(1_u16.to_le_bytes());
    out.extend(bits.to_le_bytes());
    out.extend(compression.to_le_bytes());
    out.extend([0; 12]);
    out.extend(colours.to_le_bytes());
    out.extend([0; 4]);
    out.resize(size, 0);
    out
}

/// Rows padded to four bytes, bottom up unless `down`.
fn rows(pixels: Vec<Vec<u8>>, down: bool) -> Vec<u8> {
    let padded = pixels.into_iter().map(|mut row| {
        row.resize(row.len().next_multiple_of(4), 0);
        row
    });
    let mut all: Vec<_> = padded.collect();
    if !down {
        all.reverse();
    }
    all.concat()
}

fn by_row(make: impl Fn(&[u8]) -> Vec<u8>) -> Vec<Vec<u8>> {
    rgba()
        .chunks_exact(4 * WIDTH as usize)
        .map(|row| row.chunks_exact(4).flat_map(&make).collect())
        .collect()
}

fn grey_indices() -> Vec<Vec<u8>> {
    let row = |row: &[u8]| row.chunks_exact(3).map(|c| c[1] / 16).collect();
    rgb().chunks_exact(3 * WIDTH as usize).map(row).collect()
}

fn sixteen_colours(step: usize) -> Vec<u8> {
    (0..16_u8)
        .flat_map(|i| {
            let mut c = vec![i * 10, i * 16, 255 - i * 12, 0];
            c.truncate(step);
            c
        })
        .collect()
}

/// Runs of one length each, as the simplest encoder writes them.
fn rle(rows: &[Vec<u8>], four: bool, end: bool) -> Vec<u8> {
    let mut out = Vec::new();
    for row in rows.iter().rev() {
        let mut rest = row.as_slice();
        while let Some(&first) = rest.first() {
            let run = rest.iter().take(200).take_while(|v| **v == first).count();
            out.extend([run as u8, if four { first * 17 } else { first }]);
            rest = &rest[run..];
        }
        out.extend([0, 0]);
    }
    if end {
        out.extend([0, 1]);
    }
    out
}

pub(super) fn add(to: &mut Samples) {
    let height = HEIGHT as i32;
    let bgr = |c: &[u8]| vec![c[2], c[1], c[0]];
    let plain = file(&info(40, height, 24, 0, 0), &[], &rows(by_row(bgr), false));
    to.same("rgb.bmp", plain.clone());
    for percent in [5, 25, 50, 90, 99] {
        to.add(format!("cut-at-{percent}.bmp"), cut(&plain, percent), Expected::Refused("cut-off"));
    }
    to.same("top-down.bmp", file(&info(40, -height, 24, 0, 0), &[], &rows(by_row(bgr), true)));
    to.add(
        "height-i32-min.bmp",
        file(&info(40, i32::MIN, 24, 0, 0), &[], &[0; 100]),
        Expected::Refused("too-large"),
    );
    let bgrx = |c: &[u8]| vec![c[2], c[1], c[0], 0];
    let bgra = |c: &[u8]| vec![c[2], c[1], c[0], c[3]];
    to.same("32.bmp", file(&info(40, height, 32, 0, 0), &[], &rows(by_row(bgrx), false)));
    to.same(
        "32-alpha-without-mask.bmp",
        file(&info(40, height, 32, 0, 0), &[], &rows(by_row(bgra), false)),
    );
    to.same("32-top-down.bmp", file(&info(40, -height, 32, 0, 0), &[], &rows(by_row(bgrx), true)));
    let masks = |masks: &[u32]| masks.iter().flat_map(|m| m.to_le_bytes()).collect::<Vec<_>>();
    let rgb_masks = masks(&[0xff_0000, 0xff00, 0xff]);
    to.same(
        "32-fields.bmp",
        file(&info(40, height, 32, 3, 0), &rgb_masks, &rows(by_row(bgrx), false)),
    );
    let rgbx = |c: &[u8]| vec![0, c[0], c[1], c[2]];
    let odd = masks(&[0xff00, 0xff_0000, 0xff00_0000]);
    to.same(
        "32-fields-odd.bmp",
        file(&info(40, height, 32, 3, 0), &odd, &rows(by_row(rgbx), false)),
    );
    let with_masks = |size: usize, bits: u16, all: &[u32]| {
        let mut header = info(size, height, bits, 3, 0);
        header[40..40 + 4 * all.len()].copy_from_slice(&masks(all));
        header
    };
    let four = [0xff_0000, 0xff00, 0xff, 0xff00_0000];
    for size in [56, 108, 124] {
        let header = with_masks(size, 32, &four);
        to.same(
            format!("32-alpha-header-{size}.bmp"),
            file(&header, &[], &rows(by_row(bgra), false)),
        );
    }
    let mut profiled = info(124, height, 24, 0, 0);
    let profile = icc::profile("p3");
    let pixels = rows(by_row(bgr), false);
    profiled[56..60].copy_from_slice(b"DEBM");
    profiled[112..116].copy_from_slice(&(124 + pixels.len() as u32).to_le_bytes());
    profiled[116..120].copy_from_slice(&(profile.len() as u32).to_le_bytes());
    to.same("icc-p3.bmp", file(&profiled, &[], &[pixels, profile].concat()));
    to.same(
        "32-header-52.bmp",
        file(&with_masks(52, 32, &four[..3]), &[], &rows(by_row(bgrx), false)),
    );
    let clear = |c: &[u8]| vec![c[2], c[1], c[0], 0];
    to.same_or_white(
        "32-alpha-all-zero.bmp",
        file(&with_masks(124, 32, &four), &[], &rows(by_row(clear), false)),
    );
    let short = |c: &[u8], r: u16, g: u16| {
        let value = match (r, g) {
            (5, 5) => u16::from(c[0] >> 3) << 10 | u16::from(c[1] >> 3) << 5 | u16::from(c[2] >> 3),
            _ => u16::from(c[0] >> 3) << 11 | u16::from(c[1] >> 2) << 5 | u16::from(c[2] >> 3),
        };
        value.to_le_bytes().to_vec()
    };
    to.same(
        "16.bmp",
        file(&info(40, height, 16, 0, 0), &[], &rows(by_row(|c| short(c, 5, 5)), false)),
    );
    let five_six = masks(&[0xf800, 0x7e0, 0x1f]);
    to.same(
        "16-565.bmp",
        file(&info(40, height, 16, 3, 0), &five_six, &rows(by_row(|c| short(c, 5, 6)), false)),
    );
    let argb = |c: &[u8]| {
        let value = u16::from(c[3] >> 4) << 12
            | u16::from(c[0] >> 4) << 8
            | u16::from(c[1] >> 4) << 4
            | u16::from(c[2] >> 4);
        value.to_le_bytes().to_vec()
    };
    let nibbles = with_masks(124, 16, &[0xf00, 0xf0, 0xf, 0xf000]);
    to.same("16-4444.bmp", file(&nibbles, &[], &rows(by_row(argb), false)));
    let indices = grey_indices();
    let pairs = |row: &Vec<u8>| {
        row.chunks(2).map(|p| p[0] << 4 | p.get(1).unwrap_or(&0)).collect::<Vec<_>>()
    };
    let nibble_rows: Vec<_> = indices.iter().map(pairs).collect();
    let bits = |row: &Vec<u8>| {
        row.chunks(8)
            .map(|p| p.iter().enumerate().fold(0, |s, (i, v)| s | (v >> 3) << (7 - i)))
            .collect::<Vec<u8>>()
    };
    let bit_rows: Vec<_> = indices.iter().map(bits).collect();
    to.same(
        "palette-8.bmp",
        file(&info(40, height, 8, 0, 16), &sixteen_colours(4), &rows(indices.clone(), false)),
    );
    to.same(
        "palette-8-top-down.bmp",
        file(&info(40, -height, 8, 0, 16), &sixteen_colours(4), &rows(indices.clone(), true)),
    );
    to.same(
        "palette-4.bmp",
        file(&info(40, height, 4, 0, 16), &sixteen_colours(4), &rows(nibble_rows.clone(), false)),
    );
    to.same(
        "palette-1.bmp",
        file(&info(40, height, 1, 0, 2), &sixteen_colours(4)[4..12], &rows(bit_rows, false)),
    );
    to.same(
        "rle-8.bmp",
        file(&info(40, height, 8, 1, 16), &sixteen_colours(4), &rle(&indices, false, true)),
    );
    to.same(
        "rle-4.bmp",
        file(&info(40, height, 4, 2, 16), &sixteen_colours(4), &rle(&indices, true, true)),
    );
    let runs = rle(&indices, false, true);
    let half = &runs[..runs.len() / 2];
    to.add(
        "rle-cut.bmp",
        file(&info(40, height, 8, 1, 16), &sixteen_colours(4), half),
        Expected::Refused("cut-off"),
    );
    let mut core = 12_u32.to_le_bytes().to_vec();
    for value in [WIDTH as u16, HEIGHT as u16, 1, 24] {
        core.extend(value.to_le_bytes());
    }
    to.same("os2.bmp", file(&core, &[], &rows(by_row(bgr), false)));
    let mut core8 = core.clone();
    core8[10] = 8;
    let mut colours = sixteen_colours(3);
    colours.resize(768, 0);
    to.same("os2-palette.bmp", file(&core8, &colours, &rows(indices, false)));
    to.same("os2-64.bmp", file(&info(64, height, 24, 0, 0), &[], &rows(by_row(bgr), false)));
    let embedded = file(&info(40, height, 24, 4, 0), &[], &[0xff, 0xd8, 0xff, 0xd9]);
    to.add("jpeg-inside.bmp", embedded, Expected::Refused("unsupported"));
}
