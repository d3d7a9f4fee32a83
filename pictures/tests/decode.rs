//! Every sample does what is owed for it, and no bytes at all make a decoder panic.

use std::collections::BTreeMap;

use lookalike_pictures::{Limits, Picture, decode, sniff};

mod samples;
use samples::{Expected, HEIGHT, Sample, WIDTH};

fn open(bytes: &[u8], name: &str) -> Picture {
    decode(bytes, &Limits::default()).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn by_name() -> BTreeMap<String, Sample> {
    samples::all().into_iter().map(|sample| (sample.name.clone(), sample)).collect()
}

/// Mean distance of two pictures' channels.
fn distance(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    let sum: u64 = a.iter().zip(b).map(|(&a, &b)| u64::from(a.abs_diff(b))).sum();
    sum as f64 / a.len() as f64
}

#[test]
fn every_file_opens_or_is_refused_as_it_should_be() {
    for Sample { name, bytes, expected } in samples::all() {
        let result = decode(&bytes, &Limits::default());
        match expected {
            Expected::Same | Expected::SameOrWhite | Expected::TerminalOnly(_) => {
                let picture = result.unwrap_or_else(|e| panic!("{name}: {e}"));
                let sides = [picture.width(), picture.height()];
                let others =
                    ["lossy.webp", "screen-larger.gif", "animated-first-frame-smaller.webp"];
                let is_scene = sides == [WIDTH, HEIGHT] || sides == [HEIGHT, WIDTH];
                assert!(is_scene || others.contains(&name.as_str()), "{name}: {sides:?}");
            }
            Expected::Refused(kind) => {
                let error = result.err().unwrap_or_else(|| panic!("{name} should be refused"));
                // Some browsers open HEIC, so that the page has a kind of its own for it.
                let kind = if kind == "heic" { "unsupported" } else { kind };
                assert_eq!(error.kind().as_str(), kind, "{name}: {error}");
                assert!(error.to_string().len() > 20, "{name}: {error}");
            }
        }
    }
}

#[test]
fn what_a_file_is_stands_in_the_words() {
    let samples = by_name();
    for (name, word) in [
        ("mp4-named.jpg", "a video"),
        ("mov-named.jpg", "a video"),
        ("phone.heic", "HEIC"),
        ("arithmetic.jpg", "arithmetic"),
        ("twelve-bit.jpg", "12 bits"),
        ("lossless.jpg", "lossless"),
        ("paper.pdf", "PDF"),
        ("drawing.svg", "SVG"),
        ("icon.ico", "icon"),
        ("page.jpg", "a web page"),
        ("empty.jpg", "empty"),
        ("cicp-pq.png", "HDR"),
        ("palette.tif", "TIFF"),
        ("baseline-cut-at-50.jpg", "JPEG file ends before"),
    ] {
        let error = decode(&samples[name].bytes, &Limits::default()).unwrap_err();
        assert!(error.to_string().contains(word), "{name}: {error}");
    }
}

#[test]
fn what_stores_the_scene_shows_it() {
    let samples = by_name();
    let scene = samples::rgb();
    for (name, within) in [
        ("rgb.png", 0.0),
        ("interlaced.png", 0.0),
        ("trailing.png", 0.0),
        ("rgb-16.png", 1.0),
        ("animated.png", 0.0),
        ("srgb-over-gama.png", 0.0),
        ("gama-0.45455.png", 0.0),
        ("cicp-srgb.png", 1.0),
        ("rgb.bmp", 0.0),
        ("top-down.bmp", 0.0),
        ("32.bmp", 0.0),
        ("32-top-down.bmp", 0.0),
        ("32-fields-odd.bmp", 0.0),
        ("32-alpha-all-zero.bmp", 0.0),
        ("os2.bmp", 0.0),
        ("os2-64.bmp", 0.0),
        ("16-565.bmp", 5.0),
        ("16.bmp", 6.0),
        ("lossless.webp", 0.0),
        ("exif-6.webp", 0.0),
        ("baseline.jpg", 3.0),
        ("progressive.jpg", 3.0),
        ("sampling-444.jpg", 2.0),
        ("sampling-441.jpg", 4.0),
        ("sampling-24.jpg", 4.0),
        ("restarts.jpg", 2.0),
        ("adobe-ycc.jpg", 2.0),
        ("icc-srgb-on-colour.jpg", 3.0),
        ("rgb.tif", 0.0),
        ("plain.gif", 8.0),
    ] {
        let picture = open(&samples[name].bytes, name);
        let found = distance(picture.rgb(), &scene);
        assert!(found <= within, "{name}: {found}");
    }
}

#[test]
fn the_same_pixels_in_other_bytes_are_the_same_picture() {
    let samples = by_name();
    let rgb = |name: &str| open(&samples[name].bytes, name).rgb().to_vec();
    for name in ["trailing-zeros", "fill-bytes", "zeros-between", "junk-between"] {
        for kind in ["baseline", "progressive"] {
            assert!(
                rgb(&format!("{kind}.jpg")) == rgb(&format!("{kind}-{name}.jpg")),
                "{kind}-{name}"
            );
        }
    }
    for name in [
        "motion-photo.jpg",
        "two-pictures.jpg",
        "thumbnail.jpg",
        "comment.jpg",
        "orientation-1.jpg",
    ] {
        assert!(rgb("baseline.jpg") == rgb(name), "{name}");
    }
    assert!(rgb("cmyk.jpg") == rgb("cmyk-without-adobe-mark.jpg"));
    for name in ["animated.gif", "screen-smaller.gif"] {
        assert!(rgb("plain.gif") == rgb(name), "{name}");
    }
    assert!(rgb("iccp-p3.png") == rgb("iccp-over-gama.png"));
    assert!(rgb("cicp-p3.png") == rgb("cicp-over-iccp.png"));
    assert!(rgb("palette.png") == rgb("palette-interlaced.png"));
}

#[test]
fn exif_turns_as_it_says() {
    let samples = by_name();
    let plain = open(&samples["baseline.jpg"].bytes, "baseline.jpg");
    let (w, h) = (WIDTH as usize, HEIGHT as usize);
    let at = |picture: &Picture, x: usize, y: usize| {
        let at = (y * picture.width() as usize + x) * 3;
        [0, 1, 2].map(|i| picture.rgb()[at + i])
    };
    // Where the pixel at x, y of the turned picture stands in the file.
    type Place = fn(usize, usize, usize, usize) -> (usize, usize);
    let places: [Place; 8] = [
        |x, y, _, _| (x, y),
        |x, y, w, _| (w - 1 - x, y),
        |x, y, w, h| (w - 1 - x, h - 1 - y),
        |x, y, _, h| (x, h - 1 - y),
        |x, y, _, _| (y, x),
        |x, y, _, h| (y, h - 1 - x),
        |x, y, w, h| (w - 1 - y, h - 1 - x),
        |x, y, w, _| (w - 1 - y, x),
    ];
    for (i, place) in places.into_iter().enumerate() {
        let name = format!("orientation-{}.jpg", i + 1);
        let turned = open(&samples[&name].bytes, &name);
        for (x, y) in [(0, 0), (10, 3), (90, 110), (50, 60)] {
            let (from_x, from_y) = place(x, y, w, h);
            assert_eq!(at(&turned, x, y), at(&plain, from_x, from_y), "{name} at {x}, {y}");
        }
    }
}

#[test]
fn profiles_and_curves_change_what_is_seen() {
    let samples = by_name();
    let mean = |name: &str| {
        let picture = open(&samples[name].bytes, name);
        picture.rgb().iter().map(|&v| f64::from(v)).sum::<f64>() / picture.rgb().len() as f64
    };
    assert!(mean("gama-1.png") > mean("gama-0.55.png") + 20.0);
    assert!(mean("gama-0.55.png") > mean("rgb.png") + 5.0);
    assert!(mean("gama-0.2.png") < mean("rgb.png") - 20.0);
    assert!(mean("icc-grey10.jpg") > mean("icc-grey18.jpg") + 10.0);
    assert!(mean("icc-grey18.jpg") > mean("icc-grey22.jpg") + 2.0);
    let rgb = |name: &str| open(&samples[name].bytes, name).rgb().to_vec();
    for name in
        ["iccp-p3.png", "iccp-adobe.png", "iccp-prophoto.png", "cicp-p3.png", "chrm-p3-gama.png"]
    {
        assert!(distance(&rgb("rgb.png"), &rgb(name)) > 2.0, "{name}");
    }
    assert!(distance(&rgb("cicp-p3.png"), &rgb("iccp-p3.png")) < 1.0);
    assert!(distance(&rgb("cmyk.jpg"), &rgb("cmyk-icc.jpg")) > 5.0);
}

#[test]
fn limits_hold_before_anything_is_decoded() {
    let kind = |bytes: &[u8], limits: &Limits| sniff(bytes, limits).unwrap_err().kind().as_str();
    let samples = by_name();
    let small = Limits { max_bytes: 1000, ..Limits::default() };
    let few = Limits { max_pixels: 1000, ..Limits::default() };
    for name in ["rgb.png", "baseline.jpg", "plain.gif", "lossless.webp", "rgb.bmp", "rgb.tif"] {
        assert_eq!(kind(&samples[name].bytes, &small), "too-large", "{name}");
        assert_eq!(kind(&samples[name].bytes, &few), "too-large", "{name}");
    }
    // A header that claims the world, with nothing behind it.
    let mut claims = samples["baseline.jpg"].bytes.clone();
    let at = claims.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
    claims[at + 5..at + 9].copy_from_slice(&[0x2f, 0xd0, 0x3f, 0xc0]);
    assert_eq!(kind(&claims, &Limits::default()), "cut-off");
}

#[test]
fn large_pictures_are_halved_until_they_fit() {
    let samples = by_name();
    let limits = Limits { kept_pixels: 6_000, ..Limits::default() };
    let scene = samples::rgb();
    for name in [
        "baseline.jpg",
        "progressive.jpg",
        "rgb.png",
        "interlaced.png",
        "rgb.bmp",
        "lossless.webp",
        "rgb.tif",
    ] {
        let picture = decode(&samples[name].bytes, &limits).unwrap();
        assert_eq!(
            [picture.width(), picture.height()],
            [WIDTH.div_ceil(2), HEIGHT.div_ceil(2)],
            "{name}"
        );
        let mut sum = 0.0;
        for y in 0..(HEIGHT / 2) as usize {
            for x in 0..(WIDTH / 2) as usize {
                for c in 0..3 {
                    let of = |dx: usize, dy: usize| {
                        f64::from(scene[((2 * y + dy) * WIDTH as usize + 2 * x + dx) * 3 + c])
                    };
                    let mean = (of(0, 0) + of(1, 0) + of(0, 1) + of(1, 1)) / 4.0;
                    sum += (mean
                        - f64::from(picture.rgb()[(y * picture.width() as usize + x) * 3 + c]))
                    .abs();
                }
            }
        }
        let distance = sum / f64::from(WIDTH / 2 * (HEIGHT / 2) * 3);
        assert!(distance < 4.0, "{name}: {distance}");
    }
    // Turned, and so small that a step of the decoder's own is not enough.
    let tiny = Limits { kept_pixels: 20, ..Limits::default() };
    let picture = decode(&samples["orientation-6.jpg"].bytes, &tiny).unwrap();
    assert!(picture.width() * picture.height() <= 20 && picture.height() > picture.width());
}

#[test]
fn as_many_pixels_as_phones_take() {
    let largest = samples::large::jpeg(16_320, 12_240);
    let picture = open(&largest, "200 megapixels");
    assert_eq!([picture.width(), picture.height()], [4080, 3060]);
    let error = sniff(&samples::large::jpeg(15_000, 15_000), &Limits::default()).unwrap_err();
    assert!(error.to_string().contains("200 megapixels"), "{error}");
}

/// Numbers that repeat (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end.max(1) as u64) as usize
    }
}

#[test]
fn no_bytes_make_a_decoder_panic() {
    let rounds = std::env::var("ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(6);
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    // Claims of a size count for less, so that a round is quick.
    let limits = Limits { max_pixels: 1_000_000, ..Limits::default() };
    for Sample { name, bytes, .. } in samples::all() {
        for round in 0..rounds {
            let mut bytes = bytes.clone();
            for _ in 0..1 + random.below(6) {
                let length = bytes.len();
                // Headers are where most is decided.
                let reach = if random.below(3) > 0 { length.min(700) } else { length };
                let at = random.below(reach);
                match random.below(5) {
                    0 if length > 0 => bytes[at] = random.below(256) as u8,
                    1 if length > 0 => bytes[at] ^= 1 << random.below(8),
                    2 => bytes.truncate(at),
                    3 => bytes
                        .splice(at..at, std::iter::repeat_n(0xff, random.below(5)))
                        .for_each(drop),
                    _ => bytes.drain(at..(at + random.below(9)).min(length)).for_each(drop),
                }
            }
            let result = std::panic::catch_unwind(|| decode(&bytes, &limits));
            if result.is_err() {
                let _ = std::fs::write(std::env::temp_dir().join("lookalike-panic"), &bytes);
                panic!(
                    "{name}, round {round}: a decoder panicked; the bytes are in {}",
                    std::env::temp_dir().display()
                );
            }
        }
    }
}
