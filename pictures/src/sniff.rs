//! A look at a file before any decoder: what it is, whether it is whole, how large it is.

use lookalike_error::{Error, ErrorKind, Result};

use crate::{Format, Limits, bad, cut_off, damaged, jpeg};

/// What a look at a file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the file is.
    pub format: Format,
    /// Width in pixels as stored, before the EXIF orientation; 0 where it is not known (HEIC and
    /// JPEG XL, which the decoder of a browser may read).
    pub width: u32,
    /// Height in pixels as stored, before the EXIF orientation; 0 as the width.
    pub height: u32,
}

/// What a file is, by its first bytes and its size alone: what cannot be a picture is refused
/// before the rest is read. `head` should have 512 bytes, or all if there are fewer.
///
/// # Errors
/// As [`Format::of`]; `TooLarge` for a file of more than `limits.max_bytes`.
pub fn preview(head: &[u8], bytes: u64, limits: &Limits) -> Result<Format> {
    if bytes == 0 {
        limits.check_bytes(bytes)?;
    }
    // A video is called that, however large it is.
    let format = Format::of(head)?;
    limits.check_bytes(bytes)?;
    Ok(format)
}

/// Looks at a picture file and checks it against `limits`; decodes nothing. A file that is cut off
/// is refused: JPEG by a walk through its entropy data, PNG, GIF, WebP and BMP by their structure.
///
/// # Errors
/// `BadPicture` for bytes that are no picture, are damaged or have no area, `CutOff` for those
/// that end too early, `Unsupported` for what is recognised but not read, `TooLarge` beyond the
/// limits.
pub fn sniff(bytes: &[u8], limits: &Limits) -> Result<Header> {
    let format = preview(bytes, bytes.len() as u64, limits)?;
    let (width, height) = match format {
        Format::Jpeg => return jpeg::check(bytes, limits),
        Format::Heic | Format::JpegXl => return Ok(Header { format, width: 0, height: 0 }),
        Format::Bmp => bmp(bytes)?,
        Format::Png => {
            check_png(bytes)?;
            size(bytes, format)?
        }
        Format::Gif => {
            // A first frame that is larger than the screen it claims makes that larger.
            let (width, height) = size(bytes, format)?;
            let (right, bottom) = check_gif(bytes)?;
            (width.max(right), height.max(bottom))
        }
        Format::WebP => {
            // The container's own length, which counts from behind itself.
            let length = le32(bytes, 4).ok_or_else(|| cut_off(format))?;
            if (bytes.len() as u64) < u64::from(length) + 8 {
                return Err(cut_off(format));
            }
            size(bytes, format)?
        }
        Format::Tiff => {
            check_tiff(bytes)?;
            size(bytes, format)?
        }
        Format::Avif => size(bytes, format)?,
    };
    limits.check_size(width, height)?;
    Ok(Header { format, width: width as u32, height: height as u32 })
}

fn size(bytes: &[u8], format: Format) -> Result<(u64, u64)> {
    // The library reports nothing but that it failed.
    let size =
        imagesize::blob_size(bytes).map_err(|_| damaged(format, "its size cannot be read"))?;
    Ok((size.width as u64, size.height as u64))
}

fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn le16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The directory often stands at the end.
fn check_tiff(bytes: &[u8]) -> Result<()> {
    let is_big = matches!(bytes.get(2..4), Some([b'+', 0] | [0, b'+']));
    let at = if is_big { None } else { bytes.get(4..).and_then(<[u8]>::first_chunk) };
    let Some(at) = at.copied() else { return Ok(()) };
    let swapped = bytes[0] == b'M';
    let at = if swapped { u32::from_be_bytes(at) } else { u32::from_le_bytes(at) };
    if at as usize >= bytes.len() { Err(cut_off(Format::Tiff)) } else { Ok(()) }
}

/// Walks the chunks up to the end mark.
fn check_png(bytes: &[u8]) -> Result<()> {
    let mut rest = &bytes[8..];
    loop {
        let header = rest.first_chunk::<8>().ok_or_else(|| cut_off(Format::Png))?;
        let length = u32::from_be_bytes([header[0], header[1], header[2], header[3]]) as usize;
        let end = length.saturating_add(12);
        if rest.len() < end {
            return Err(cut_off(Format::Png));
        }
        match &header[4..] {
            b"IEND" => return Ok(()),
            // Code points of a brightness beyond that of a screen's white, PQ and HLG: browsers
            // differ in how they dim them.
            b"cICP" if matches!(rest[8..end - 4], [_, 16 | 18, 0, 1]) => {
                let what = "the PNG picture is an HDR one (PQ or HLG); save it in SDR";
                return Err(Error::new(ErrorKind::Unsupported, what));
            }
            _ => {}
        }
        rest = &rest[end..];
    }
}

/// Walks the blocks up to the end of the first picture, which is the one that is shown. The end
/// mark of the file is left out by some encoders, and browsers do not ask for it. Gives how far the
/// picture reaches to the right and down.
fn check_gif(bytes: &[u8]) -> Result<(u64, u64)> {
    let cut = || cut_off(Format::Gif);
    let table = |flags: u8| if flags & 0x80 != 0 { 3 << ((flags & 7) + 1) } else { 0_usize };
    let mut at = 13 + table(*bytes.get(10).ok_or_else(cut)?);
    loop {
        let mut reach = None;
        match bytes.get(at).ok_or_else(cut)? {
            b'!' => {
                at += 2;
            }
            b',' => {
                let side = |from: usize, length: usize| {
                    let both = (le16(bytes, at + from), le16(bytes, at + length));
                    let (Some(from), Some(length)) = both else { return Err(cut()) };
                    Ok(u64::from(from) + u64::from(length))
                };
                reach = Some((side(1, 5)?, side(3, 7)?));
                at += 10 + table(*bytes.get(at + 9).ok_or_else(cut)?) + 1;
            }
            _ => return Err(bad("the GIF picture is damaged: it has no picture")),
        }
        loop {
            let length = usize::from(*bytes.get(at).ok_or_else(cut)?);
            at += length + 1;
            if length == 0 {
                break;
            }
        }
        if let Some(reach) = reach {
            return Ok(reach);
        }
    }
}

/// The size, with a negative height turned: rows from the top. Pixels that are not packed must all
/// be there; packed ones must reach their end mark.
fn bmp(bytes: &[u8]) -> Result<(u64, u64)> {
    let cut = || cut_off(Format::Bmp);
    let header = le32(bytes, 14).ok_or_else(cut)?;
    let (width, height, bits_at) = if header == 12 {
        let side = |at| le16(bytes, at).map(i32::from).ok_or_else(cut);
        (side(18)?, side(20)?, 24)
    } else {
        let side = |at| le32(bytes, at).map(u32::cast_signed).ok_or_else(cut);
        (side(18)?, side(22)?, 28)
    };
    let bits = le16(bytes, bits_at).ok_or_else(cut)?;
    let packing = if header < 40 { 0 } else { le32(bytes, 30).ok_or_else(cut)? };
    if width < 0 {
        return Err(damaged(Format::Bmp, "its width is negative"));
    }
    let (width, height) = (u64::from(width.unsigned_abs()), u64::from(height.unsigned_abs()));
    let offset = le32(bytes, 10).ok_or_else(cut)? as usize;
    match packing {
        1 | 2 if header != 64 || packing == 1 => {
            let data = bytes.get(offset..).ok_or_else(cut)?;
            check_runs(data, packing == 2)?;
        }
        0 | 3 | 6 => {
            let row = (width * u64::from(bits)).div_ceil(32) * 4;
            // The last row's padding is left out by some.
            let last = (width * u64::from(bits)).div_ceil(8);
            let needed = (row * height.saturating_sub(1)).saturating_add(last);
            // Too large comes before cut off: nobody has that much.
            Limits::default().check_size(width, height)?;
            if (bytes.len() as u64) < needed.saturating_add(offset as u64) {
                return Err(cut());
            }
        }
        _ => {
            let what = "the BMP picture is packed in a way that is not read; save it as PNG";
            return Err(Error::new(ErrorKind::Unsupported, what));
        }
    }
    Ok((width, height))
}

/// Run lengths end with a mark of their own: 0, 1.
fn check_runs(mut data: &[u8], four_bits: bool) -> Result<()> {
    loop {
        match *data.first_chunk::<2>().ok_or_else(|| cut_off(Format::Bmp))? {
            [0, 1] => return Ok(()),
            [0, 2] => data = data.get(4..).unwrap_or_default(),
            [0, length] if length > 2 => {
                let bytes = if four_bits { usize::from(length).div_ceil(2) } else { length.into() };
                data = data.get(2 + bytes.next_multiple_of(2)..).unwrap_or_default();
            }
            _ => data = &data[2..],
        }
    }
}
