//! JPEG files: of an encoder, then with what cameras, editors and bad lines do to them.

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

use super::{Expected, HEIGHT, Samples, WIDTH, cut, exif, icc, rgb};

const DAMAGED: Expected = Expected::Refused("bad-picture");
const CUT: Expected = Expected::Refused("cut-off");
const UNSUPPORTED: Expected = Expected::Refused("unsupported");

/// Encodes with options.
fn encode(
    pixels: &[u8],
    colour: ColorType,
    set: impl FnOnce(&mut Encoder<&mut Vec<u8>>),
) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = Encoder::new(&mut out, 92);
    set(&mut encoder);
    encoder.encode(pixels, WIDTH as u16, HEIGHT as u16, colour).expect("the scene is a picture");
    out
}

fn plain() -> Vec<u8> {
    encode(&rgb(), ColorType::Rgb, |e| e.set_sampling_factor(SamplingFactor::F_2_2))
}

fn progressive() -> Vec<u8> {
    encode(&rgb(), ColorType::Rgb, |e| {
        e.set_sampling_factor(SamplingFactor::F_2_2);
        e.set_progressive_scans(10);
    })
}

/// The scene in four inks, black taken out of the others by half.
fn cmyk() -> Vec<u8> {
    let mut out = Vec::new();
    for c in rgb().chunks_exact(3) {
        let inks = [255 - c[0], 255 - c[1], 255 - c[2]];
        let black = inks.iter().copied().min().unwrap_or(0) / 2;
        out.extend(inks.map(|ink| ink - black));
        out.push(black);
    }
    out
}

/// Segments after SOI up to the first scan: where each begins and ends.
fn segments(bytes: &[u8]) -> Vec<(u8, usize, usize)> {
    let mut out = Vec::new();
    let mut at = 2;
    loop {
        let (marker, length) =
            (bytes[at + 1], usize::from(bytes[at + 2]) << 8 | usize::from(bytes[at + 3]));
        out.push((marker, at, at + 2 + length));
        at += 2 + length;
        if marker == 0xda {
            return out;
        }
    }
}

/// The file with bytes before each segment.
fn stuffed(bytes: &[u8], filling: &[u8]) -> Vec<u8> {
    let mut out = bytes[..2].to_vec();
    let all = segments(bytes);
    for (i, &(_, start, end)) in all.iter().enumerate() {
        // Chromium knows a JPEG by its first three bytes: none can stand before the first segment.
        out.extend(if i > 0 { filling } else { &[] });
        out.extend(&bytes[start..end]);
    }
    out.extend(&bytes[all[all.len() - 1].2..]);
    out
}

/// The file with a segment after SOI.
fn with_segment(bytes: &[u8], marker: u8, content: &[u8]) -> Vec<u8> {
    let mut out = bytes[..2].to_vec();
    out.extend([0xff, marker]);
    out.extend((content.len() as u16 + 2).to_be_bytes());
    out.extend(content);
    out.extend(&bytes[2..]);
    out
}

fn turned(bytes: &[u8], orientation: u8) -> Vec<u8> {
    with_segment(bytes, 0xe1, &[b"Exif\0\0".to_vec(), exif(orientation)].concat())
}

fn without(bytes: &[u8], marker: u8) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for &(found, start, end) in segments(bytes).iter().rev() {
        if found == marker {
            out.drain(start..end);
        }
    }
    out
}

/// The frame header's offset.
fn frame(bytes: &[u8]) -> usize {
    segments(bytes).iter().find(|(m, ..)| (0xc0..=0xc2).contains(m)).expect("there is a frame").1
}

fn scan_data(bytes: &[u8]) -> usize {
    segments(bytes).last().expect("there is a scan").2
}

pub(super) fn add(to: &mut Samples) {
    let (plain, progressive) = (plain(), progressive());
    to.same("baseline.jpg", plain.clone());
    to.same("progressive.jpg", progressive.clone());
    for (name, bytes) in [("baseline", &plain), ("progressive", &progressive)] {
        for percent in [1, 5, 25, 50, 75, 90, 99] {
            to.add(format!("{name}-cut-at-{percent}.jpg"), cut(bytes, percent), CUT);
        }
        to.add(format!("{name}-without-end-mark.jpg"), bytes[..bytes.len() - 2].to_vec(), CUT);
        for percent in [60, 90, 98] {
            let ended = [cut(bytes, percent), vec![0xff, 0xd9]].concat();
            to.add(format!("{name}-cut-at-{percent}-with-end-mark.jpg"), ended, CUT);
        }
        to.same(format!("{name}-trailing-zeros.jpg"), [bytes.as_slice(), &[0; 4000]].concat());
        to.same(format!("{name}-fill-bytes.jpg"), stuffed(bytes, &[0xff; 3]));
        to.same(format!("{name}-zeros-between.jpg"), stuffed(bytes, &[0; 5]));
        to.same(format!("{name}-junk-between.jpg"), stuffed(bytes, &[0, 7, 0xff, 0, 9]));
    }
    let movie = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom\0\0\x20\0mdat".to_vec();
    to.same("motion-photo.jpg", [plain.as_slice(), &movie, &vec![0xd9; 70_000]].concat());
    to.same("two-pictures.jpg", [plain.as_slice(), &progressive].concat());
    let thumbnail =
        [b"Exif\0\0".to_vec(), exif(1), plain[..2000].to_vec(), vec![0xff, 0xd9]].concat();
    let thumbed = with_segment(&plain, 0xe1, &thumbnail);
    to.add("thumbnail-then-cut.jpg", thumbed[..thumbed.len() * 3 / 4].to_vec(), CUT);
    to.same("thumbnail.jpg", thumbed);

    for orientation in 0..=9 {
        to.same(format!("orientation-{orientation}.jpg"), turned(&plain, orientation));
    }
    let mut long = exif(6);
    long[12] = 4;
    to.same(
        "orientation-6-of-another-type.jpg",
        with_segment(&plain, 0xe1, &[b"Exif\0\0".to_vec(), long].concat()),
    );
    let profile = icc::profile("p3");
    let mut pieces = plain.clone();
    for (i, piece) in profile.chunks(profile.len().div_ceil(3)).enumerate() {
        let content = [b"ICC_PROFILE\0", &[i as u8 + 1, 3][..], piece].concat();
        pieces = with_segment(&pieces, 0xe2, &content);
    }
    to.same("icc-in-pieces-backwards.jpg", pieces);
    let far = 0x1_0000 | 6;
    let mut big_endian = b"Exif\0\0MM\0*\0\0\0\x08\0\x01".to_vec();
    big_endian.extend([0x01, 0x12, 0, 3, 0, 0, 0, 1]);
    big_endian.extend(((far as u32) << 16).to_be_bytes());
    big_endian.extend([0; 4]);
    to.same("orientation-6-big-endian.jpg", with_segment(&plain, 0xe1, &big_endian));
    to.same("orientation-6-progressive.jpg", turned(&progressive, 6));
    let twice = turned(&turned(&plain, 3), 6);
    to.same("orientation-twice.jpg", twice);

    use SamplingFactor as S;
    for (name, factor) in [
        ("444", S::F_1_1),
        ("422", S::F_2_1),
        ("440", S::F_1_2),
        ("411", S::F_4_1),
        ("410", S::F_4_2),
        ("441", S::F_1_4),
        ("24", S::F_2_4),
    ] {
        to.same(
            format!("sampling-{name}.jpg"),
            encode(&rgb(), ColorType::Rgb, |e| e.set_sampling_factor(factor)),
        );
        let bytes = encode(&rgb(), ColorType::Rgb, |e| {
            e.set_sampling_factor(factor);
            e.set_progressive_scans(6);
        });
        to.same(format!("sampling-{name}-progressive.jpg"), bytes);
    }
    // A factor means nothing where there is one component.
    for (name, factor) in [("22", 0x22), ("21", 0x21), ("41", 0x41)] {
        let mut bytes = encode(&super::grey(), ColorType::Luma, |_| ());
        let at = frame(&bytes);
        bytes[at + 11] = factor;
        to.same(format!("grey-sampled-{name}.jpg"), bytes);
    }

    let restarts = encode(&rgb(), ColorType::Rgb, |e| e.set_restart_interval(3));
    to.same("restarts.jpg", restarts.clone());
    to.same(
        "restarts-progressive.jpg",
        encode(&rgb(), ColorType::Rgb, |e| {
            e.set_progressive(true);
            e.set_restart_interval(5);
        }),
    );
    to.same(
        "optimised.jpg",
        encode(&rgb(), ColorType::Rgb, |e| e.set_optimized_huffman_tables(true)),
    );
    to.same("grey.jpg", encode(&super::grey(), ColorType::Luma, |_| ()));
    to.same(
        "grey-progressive.jpg",
        encode(&super::grey(), ColorType::Luma, |e| e.set_progressive(true)),
    );
    for name in ["grey10", "grey18", "grey22", "p3"] {
        let bytes = encode(&super::grey(), ColorType::Luma, |e| {
            e.add_icc_profile(&icc::profile(name)).expect("it is short");
        });
        to.same(format!("icc-{name}.jpg"), bytes);
    }
    for name in ["srgb", "p3", "adobe", "prophoto", "rec2020", "grey22"] {
        let bytes = encode(&rgb(), ColorType::Rgb, |e| {
            e.add_icc_profile(&icc::profile(name)).expect("it is short");
        });
        to.same(format!("icc-{name}-on-colour.jpg"), bytes);
    }
    to.same(
        "icc-cmyk-on-colour.jpg",
        encode(&rgb(), ColorType::Rgb, |e| {
            e.add_icc_profile(&icc::cmyk()).expect("it is short");
        }),
    );
    let mut broken = icc::profile("p3");
    broken[36..40].fill(0);
    to.same(
        "icc-damaged.jpg",
        encode(&rgb(), ColorType::Rgb, |e| {
            e.add_icc_profile(&broken).expect("it is short");
        }),
    );

    for (name, colour) in [("cmyk", ColorType::Cmyk), ("ycck", ColorType::CmykAsYcck)] {
        let bytes = encode(&cmyk(), colour, |_| ());
        to.same(format!("{name}.jpg"), bytes.clone());
        to.same(format!("{name}-without-adobe-mark.jpg"), without(&bytes, 0xee));
        to.same(
            format!("{name}-progressive.jpg"),
            encode(&cmyk(), colour, |e| e.set_progressive(true)),
        );
        let profiled =
            encode(&cmyk(), colour, |e| e.add_icc_profile(&icc::cmyk()).expect("it is short"));
        to.same(format!("{name}-icc.jpg"), profiled.clone());
        to.same(format!("{name}-icc-without-adobe-mark.jpg"), without(&profiled, 0xee));
        let turned_inks: Vec<u8> = cmyk().iter().map(|ink| 255 - ink).collect();
        to.same(format!("{name}-not-inverted.jpg"), encode(&turned_inks, colour, |_| ()));
        to.same(
            format!("{name}-icc-p3.jpg"),
            encode(&cmyk(), colour, |e| {
                e.add_icc_profile(&icc::profile("p3")).expect("it is short");
            }),
        );
    }
    let (adobe_rgb, adobe_ycc) = (b"Adobe\0\x64\0\0\0\0\0", b"Adobe\0\x64\0\0\0\0\x01");
    let bare = without(&encode(&rgb(), ColorType::Rgb, |_| ()), 0xe0);
    to.same("no-jfif.jpg", bare.clone());
    to.same("adobe-ycc.jpg", with_segment(&bare, 0xee, adobe_ycc));
    to.same("adobe-rgb.jpg", with_segment(&bare, 0xee, adobe_rgb));
    let mut lettered = bare.clone();
    let (at, scan) = (frame(&lettered), segments(&lettered).last().expect("a scan").1);
    for (i, id) in [b'R', b'G', b'B'].into_iter().enumerate() {
        lettered[at + 10 + 3 * i] = id;
        lettered[scan + 5 + 2 * i] = id;
    }
    to.same("components-rgb.jpg", lettered);

    let patched = |offset: usize, value: u8| {
        let mut bytes = plain.clone();
        let at = frame(&bytes) + offset;
        bytes[at] = value;
        bytes
    };
    to.add(
        "twelve-bit.jpg",
        {
            let mut bytes = patched(4, 12);
            let at = frame(&bytes);
            bytes[at + 1] = 0xc1;
            bytes
        },
        UNSUPPORTED,
    );
    to.same("extended-sequential.jpg", patched(1, 0xc1));
    for (name, marker) in [
        ("arithmetic", 0xc9),
        ("arithmetic-progressive", 0xca),
        ("lossless", 0xc3),
        ("hierarchical", 0xc5),
    ] {
        to.add(format!("{name}.jpg"), patched(1, marker), UNSUPPORTED);
    }
    to.add(
        "height-unknown.jpg",
        {
            let mut bytes = patched(5, 0);
            let at = frame(&bytes);
            bytes[at + 6] = 0;
            bytes
        },
        DAMAGED,
    );
    let start = scan_data(&plain);
    to.add(
        "data-wiped.jpg",
        {
            let mut bytes = plain.clone();
            let end = bytes.len() - 2;
            bytes[start + 300..end].fill(0xff);
            bytes
        },
        CUT,
    );
    to.add(
        "end-mark-in-the-data.jpg",
        {
            let mut bytes = plain.clone();
            bytes[start + 900..start + 902].copy_from_slice(&[0xff, 0xd9]);
            bytes
        },
        CUT,
    );
    let restart_start = scan_data(&restarts);
    to.add(
        "restart-lost.jpg",
        {
            let mut bytes = restarts.clone();
            let at = (restart_start..bytes.len())
                .find(|&i| bytes[i] == 0xff && bytes[i + 1] == 0xd3)
                .expect("one");
            bytes.drain(at..at + 2);
            bytes
        },
        DAMAGED,
    );
    to.add("tables-missing.jpg", without(&plain, 0xc4), DAMAGED);
    to.add("quantisation-missing.jpg", without(&plain, 0xdb), DAMAGED);
    to.same("comment.jpg", with_segment(&plain, 0xfe, b"made by hand"));
}
