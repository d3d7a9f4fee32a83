//! Colour profiles: those that moxcms writes, and one for CMYK, which it cannot.

use moxcms::ColorProfile;

/// A profile by name.
pub(super) fn profile(name: &str) -> Vec<u8> {
    let profile = match name {
        "p3" => ColorProfile::new_display_p3(),
        "adobe" => ColorProfile::new_adobe_rgb(),
        "prophoto" => ColorProfile::new_pro_photo_rgb(),
        "rec2020" => ColorProfile::new_bt2020(),
        "grey10" => ColorProfile::new_gray_with_gamma(1.0),
        "grey18" => ColorProfile::new_gray_with_gamma(1.8),
        "grey22" => ColorProfile::new_gray_with_gamma(2.2),
        _ => ColorProfile::new_srgb(),
    };
    profile.encode().expect("a profile of moxcms's own")
}

/// A printer's profile: a table of 8 bits (`mft1`) from CMYK to CIE Lab, two points an axis, for inks that are duller
/// than pure ones, so that it shows whether the table was used.
pub(super) fn cmyk() -> Vec<u8> {
    let mut table = b"mft1\0\0\0\0".to_vec();
    table.extend([4, 3, 2, 0]); // channels in, out, points an axis
    for i in 0..9 {
        table.extend((if i % 4 == 0 { 0x1_0000_i32 } else { 0 }).to_be_bytes());
    }
    for _ in 0..4 {
        table.extend(0..=255_u8);
    }
    for corner in 0..16 {
        let ink = |bit: u8| if corner & bit != 0 { 1.0_f64 } else { 0.0 };
        let (c, m, y, k) = (ink(8), ink(4), ink(2), ink(1));
        // Lightness falls with ink; a and b go the way of the ink.
        let light = (1.0 - 0.38 * c) * (1.0 - 0.45 * m) * (1.0 - 0.08 * y) * (1.0 - 0.9 * k);
        let fade = 1.0 - k;
        let a = fade * (60.0 * m - 32.0 * c - 4.0 * y);
        let b = fade * (78.0 * y - 42.0 * c - 2.0 * m);
        table.extend([(light * 242.0) as u8, (128.0 + a) as u8, (128.0 + b) as u8]);
    }
    for _ in 0..3 {
        table.extend(0..=255_u8);
    }
    let tags: [(&[u8; 4], Vec<u8>); 3] = [
        (b"A2B0", table),
        (b"wtpt", {
            let mut xyz = b"XYZ \0\0\0\0".to_vec();
            for value in [0xf6d6_u32, 0x1_0000, 0xd32d] {
                xyz.extend(value.to_be_bytes());
            }
            xyz
        }),
        (b"cprt", b"text\0\0\0\0none\0".to_vec()),
    ];
    let mut directory = (tags.len() as u32).to_be_bytes().to_vec();
    let mut data = Vec::new();
    for (name, content) in tags {
        let at = 128 + 4 + 12 * 3 + data.len();
        directory.extend(name);
        directory.extend((at as u32).to_be_bytes());
        directory.extend((content.len() as u32).to_be_bytes());
        data.extend(content);
        data.resize(data.len().next_multiple_of(4), 0);
    }
    let mut header = vec![0; 128];
    let size = (128 + directory.len() + data.len()) as u32;
    header[..4].copy_from_slice(&size.to_be_bytes());
    header[8..12].copy_from_slice(&[2, 0x10, 0, 0]);
    header[12..24].copy_from_slice(b"prtrCMYKLab ");
    header[36..40].copy_from_slice(b"acsp");
    for (at, value) in [(68, 0xf6d6_u32), (72, 0x1_0000), (76, 0xd32d)] {
        header[at..at + 4].copy_from_slice(&value.to_be_bytes());
    }
    [header, directory, data].concat()
}
