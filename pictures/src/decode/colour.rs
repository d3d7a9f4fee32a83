//! Colours of a file to sRGB, by what the file says of them.

use std::sync::Arc;

use lookalike_error::Result;
use moxcms::{
    Chromaticity, CicpColorPrimaries, CicpProfile, ColorPrimaries, ColorProfile, DataColorSpace,
    Layout as Channels, MatrixCoefficients, ToneReprCurve, TransferCharacteristics,
    Transform8BitExecutor, TransformOptions,
};

use super::canvas::Layout;
use crate::bad;

/// What a file says of its colours.
#[derive(Clone, Debug)]
pub(super) enum Colours {
    /// Nothing, or that they are sRGB.
    Srgb,
    /// An ICC profile.
    Profile(Vec<u8>),
    /// A PNG's gAMA, and cHRM if it has one.
    Gamma(f32, Option<Primaries>),
    /// A PNG's cICP: code points of primaries and transfer (ITU-T H.273).
    CodePoints(u8, u8),
}

/// Chromaticities x, y of white, red, green and blue.
pub(super) type Primaries = [(f32, f32); 4];

/// Converts rows.
pub(super) struct Converter {
    layout: Layout,
    /// To RGBA, and from what; none where the colours are sRGB's.
    transform: Option<(Arc<Transform8BitExecutor>, Channels)>,
    /// Rows before the transform.
    prepared: Vec<u8>,
}

impl Converter {
    /// Colours that cannot be used, or that belong to another kind of pixels, count as sRGB, as
    /// they do in browsers.
    pub(super) fn new(colours: &Colours, layout: Layout) -> Self {
        let transform = source(colours, layout).and_then(|(profile, channels)| {
            let options = TransformOptions {
                rendering_intent: profile.rendering_intent,
                allow_use_cicp_transfer: false,
                // Fixed point loses a level or two in the tables of printers' profiles.
                prefer_fixed_point: layout != Layout::Cmyk,
                ..TransformOptions::default()
            };
            profile
                .create_transform_8bit(channels, &ColorProfile::new_srgb(), Channels::Rgba, options)
                .ok()
                .map(|transform| (transform, channels))
        });
        Self { layout, transform, prepared: Vec::new() }
    }

    /// A row to sRGB with straight alpha.
    pub(super) fn convert(&mut self, row: &[u8], out: &mut Vec<u8>) -> Result<()> {
        out.clear();
        let Some((transform, channels)) = &self.transform else {
            expand(self.layout, row, out);
            return Ok(());
        };
        let prepared = if *channels == Channels::Rgba {
            self.prepared.clear();
            expand(self.layout, row, &mut self.prepared);
            if self.layout == Layout::Cmyk {
                // Chromium folds black into the three inks before it applies the profile.
                for pixel in self.prepared.chunks_exact_mut(4) {
                    pixel.iter_mut().for_each(|value| *value = 255 - *value);
                }
            }
            &self.prepared
        } else {
            row
        };
        out.resize(row.len() / self.layout.channels() * 4, 255);
        transform.transform(prepared, out).map_err(|_| bad("its colours could not be converted"))
    }
}

/// The profile to convert from, and what its pixels are.
fn source(colours: &Colours, layout: Layout) -> Option<(ColorProfile, Channels)> {
    let profile = match colours {
        Colours::Srgb => return None,
        Colours::Profile(bytes) => ColorProfile::new_from_slice(bytes).ok()?,
        Colours::Gamma(gamma, primaries) => from_gamma(*gamma, *primaries)?,
        Colours::CodePoints(primaries, transfer) => from_code_points(*primaries, *transfer)?,
    };
    let channels = match (profile.color_space, layout) {
        (DataColorSpace::Rgb, Layout::Cmyk) => return None,
        (DataColorSpace::Rgb, _) => Channels::Rgba,
        (DataColorSpace::Gray, Layout::Grey) => Channels::Gray,
        (DataColorSpace::Gray, Layout::GreyAlpha) => Channels::GrayAlpha,
        (DataColorSpace::Cmyk, Layout::Cmyk) => Channels::Rgba,
        _ => return None,
    };
    Some((profile, channels))
}

fn from_gamma(gamma: f32, primaries: Option<Primaries>) -> Option<ColorProfile> {
    if !(gamma > 0.0) {
        return None;
    }
    // Alone, a curve within 5 % of that of a usual screen counts as sRGB.
    if primaries.is_none() && (gamma * 2.2 - 1.0).abs() < 0.05 {
        return None;
    }
    let mut profile = ColorProfile::new_srgb();
    profile.cicp = None;
    if let Some([white, red, green, blue]) = primaries {
        let point = |(x, y): (f32, f32)| Chromaticity { x, y };
        if [white, red, green, blue].iter().any(|(_, y)| !(*y > 0.0)) {
            return None;
        }
        let primaries = ColorPrimaries { red: point(red), green: point(green), blue: point(blue) };
        profile.update_rgb_colorimetry(point(white).to_xyyb(), primaries);
    }
    set_gamma(&mut profile, 1.0 / gamma);
    Some(profile)
}

fn set_gamma(profile: &mut ColorProfile, gamma: f32) {
    let curve = ToneReprCurve::Parametric(vec![gamma]);
    profile.red_trc = Some(curve.clone());
    profile.green_trc = Some(curve.clone());
    profile.blue_trc = Some(curve);
}

fn from_code_points(primaries: u8, transfer: u8) -> Option<ColorProfile> {
    let points = CicpProfile {
        color_primaries: CicpColorPrimaries::try_from(primaries).ok()?,
        transfer_characteristics: TransferCharacteristics::try_from(transfer).ok()?,
        matrix_coefficients: MatrixCoefficients::Identity,
        full_range: true,
    };
    let mut profile = ColorProfile::new_from_cicp(points);
    match transfer {
        // What cameras encode is shown by the curve of a studio's screen (ITU-R BT.1886).
        1 | 6 | 11 | 14 | 15 => set_gamma(&mut profile, 2.4),
        // Curves that Chromium does not know.
        9 | 10 | 12 => return None,
        _ => {}
    }
    profile.red_trc.is_some().then_some(profile)
}

/// Pixels to RGBA as they are; inks by what they leave of the light, as browsers do.
fn expand(layout: Layout, row: &[u8], out: &mut Vec<u8>) {
    match layout {
        Layout::Grey => out.extend(row.iter().flat_map(|&v| [v, v, v, 255])),
        Layout::GreyAlpha => {
            out.extend(row.chunks_exact(2).flat_map(|p| [p[0], p[0], p[0], p[1]]));
        }
        Layout::Rgb => out.extend(row.chunks_exact(3).flat_map(|p| [p[0], p[1], p[2], 255])),
        Layout::Rgba => out.extend(row),
        Layout::Cmyk => out.extend(row.chunks_exact(4).flat_map(|p| {
            let light = 255 - u32::from(p[3]);
            // Rounded down, as Chromium does: half of all values would differ by one.
            let left = |ink: u8| ((255 - u32::from(ink)) * light / 255) as u8;
            [left(p[0]), left(p[1]), left(p[2]), 255]
        })),
    }
}
