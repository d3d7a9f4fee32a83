//! A walk through the entropy data of all scans: whether they code every block. Nothing is kept
//! of the coefficients but, for progressive files, which are not 0.

use lookalike_error::{Error, Result};

use super::huffman::{Bits, Stop, Table};
use super::{Component, Frame, next_marker, short};
use crate::{Format, cut_off, damaged};

/// What has been read so far.
#[derive(Default)]
pub(super) struct Walker {
    dc: [Option<Table>; 4],
    ac: [Option<Table>; 4],
    restart_interval: u32,
    /// By component, once a scan has come.
    seen: Vec<Seen>,
}

/// What the scans have said of one component.
struct Seen {
    /// Blocks across and down, padded to whole units of an interleaved scan.
    across: u32,
    /// A bit for each coefficient that is not 0, by block; progressive alone.
    filled: Vec<u64>,
    /// Bits that are still to come of each coefficient; [`NOTHING`] before its first scan.
    missing: [u8; 64],
}

const NOTHING: u8 = 0xff;

/// One component in one scan.
struct Part<'a> {
    index: usize,
    component: Component,
    dc: Option<&'a Table>,
    ac: Option<&'a Table>,
}

/// Which coefficients a scan codes, and which of their bits.
#[derive(Clone, Copy)]
struct Band {
    first: usize,
    last: usize,
    /// The lowest bit of the scan before; 0 in the first of these coefficients.
    high: u32,
    low: u32,
}

impl Walker {
    /// A segment of Huffman tables.
    pub(super) fn define(&mut self, mut content: &[u8]) -> Result<()> {
        while let [head, rest @ ..] = content {
            let counts: &[u8; 16] = rest.first_chunk().ok_or_else(short)?;
            let total = counts.iter().map(|&n| usize::from(n)).sum::<usize>();
            let values = rest.get(16..16 + total).ok_or_else(short)?;
            let tables = if head >> 4 == 0 { &mut self.dc } else { &mut self.ac };
            let slot = tables.get_mut(usize::from(head & 15)).ok_or_else(short)?;
            *slot = Some(Table::new(counts, values)?);
            content = &rest[16 + total..];
        }
        Ok(())
    }

    pub(super) fn restart_every(&mut self, units: u32) {
        self.restart_interval = units;
    }

    /// Walks one scan, whose header is `content` and whose data begins at `at`; gives where it
    /// ends.
    pub(super) fn scan(
        &mut self,
        frame: &Frame,
        content: &[u8],
        bytes: &[u8],
        at: usize,
    ) -> Result<usize> {
        let [count, specs @ ..] = content else { return Err(short()) };
        let count = usize::from(*count);
        let [first, last, bits] =
            *specs.get(2 * count..).and_then(<[u8]>::first_chunk).ok_or_else(short)?;
        if self.seen.is_empty() {
            self.seen = frame.components.iter().map(|c| Seen::new(frame, c)).collect();
        }
        let mut parts = Vec::new();
        for spec in specs.chunks_exact(2).take(count) {
            let index = frame.components.iter().position(|c| c.id == spec[0]).ok_or_else(short)?;
            let table = |all: &'_ [Option<Table>; 4], i: u8| {
                usize::from(i).min(4) < 4 && all[usize::from(i)].is_some()
            };
            let (dc, ac) = (spec[1] >> 4, spec[1] & 15);
            parts.push(Part {
                index,
                component: frame.components[index],
                dc: table(&self.dc, dc).then(|| self.dc[usize::from(dc)].as_ref()).flatten(),
                ac: table(&self.ac, ac).then(|| self.ac[usize::from(ac)].as_ref()).flatten(),
            });
        }
        let band = if frame.progressive {
            Band {
                first: first.into(),
                last: last.into(),
                high: (bits >> 4).into(),
                low: (bits & 15).into(),
            }
        } else {
            Band { first: 0, last: 63, high: 0, low: 0 }
        };
        let blocks: u32 = parts.iter().map(|p| p.component.across * p.component.down).sum();
        let fine = !parts.is_empty()
            && (parts.len() == 1 || blocks <= 10)
            && band.first <= band.last
            && band.last < 64
            && band.low < 14
            && (!frame.progressive || (band.first == 0) == (band.last == 0))
            && (band.first == 0 || parts.len() == 1);
        if !fine {
            return Err(damaged(Format::Jpeg, "a scan contradicts itself"));
        }
        for part in &parts {
            let refines = frame.progressive && band.high != 0;
            let needs_dc = band.first == 0 && !refines;
            if needs_dc && part.dc.is_none() || band.last > 0 && part.ac.is_none() {
                return Err(damaged(Format::Jpeg, "a Huffman table is missing"));
            }
            self.seen[part.index].missing[band.first..=band.last].fill(band.low as u8);
        }
        Scan {
            frame,
            parts: &parts,
            band,
            bytes,
            bits: Bits::new(bytes, at),
            zeros: 0,
            seen: &mut self.seen,
        }
        .walk(self.restart_interval)
    }

    /// Whether all scans that the picture needs have been there.
    pub(super) fn finish(&self, frame: &Frame) -> Result<()> {
        let whole = |seen: &Seen| seen.missing.iter().all(|&bits| bits == 0);
        if self.seen.len() == frame.components.len() && self.seen.iter().all(whole) {
            return Ok(());
        }
        Err(cut_off(Format::Jpeg))
    }
}

/// Units across and down of an interleaved scan.
fn units(frame: &Frame) -> (u32, u32) {
    let most = |f: fn(&Component) -> u32| frame.components.iter().map(f).max().unwrap_or(1);
    (frame.width.div_ceil(8 * most(|c| c.across)), frame.height.div_ceil(8 * most(|c| c.down)))
}

/// Blocks across and down of a component in a scan of its own.
fn blocks(frame: &Frame, component: &Component) -> (u32, u32) {
    let most = |f: fn(&Component) -> u32| frame.components.iter().map(f).max().unwrap_or(1);
    let side = |pixels: u32, own: u32, most: u32| (pixels * own).div_ceil(8 * most);
    (
        side(frame.width, component.across, most(|c| c.across)),
        side(frame.height, component.down, most(|c| c.down)),
    )
}

impl Seen {
    fn new(frame: &Frame, component: &Component) -> Self {
        let (x, y) = units(frame);
        let (across, down) = (x * component.across, y * component.down);
        let filled = if frame.progressive { across as usize * down as usize } else { 0 };
        Self { across, filled: vec![0; filled], missing: [NOTHING; 64] }
    }
}

struct Scan<'a> {
    frame: &'a Frame,
    parts: &'a [Part<'a>],
    band: Band,
    bytes: &'a [u8],
    bits: Bits<'a>,
    /// Blocks that are known to have no further coefficients in this band.
    zeros: u32,
    seen: &'a mut [Seen],
}

impl Scan<'_> {
    fn walk(mut self, restart_interval: u32) -> Result<usize> {
        let alone = self.parts.len() == 1;
        let (across, down) = match self.parts {
            [only] => blocks(self.frame, &only.component),
            _ => units(self.frame),
        };
        let (mut left, mut next) = (restart_interval, 0);
        for y in 0..down {
            for x in 0..across {
                if restart_interval > 0 {
                    if left == 0 {
                        self.restart(next)?;
                        next = (next + 1) % 8;
                        left = restart_interval;
                    }
                    left -= 1;
                }
                for part in self.parts {
                    let (wide, high) =
                        if alone { (1, 1) } else { (part.component.across, part.component.down) };
                    for v in 0..high {
                        for h in 0..wide {
                            self.block(part, x * wide + h, y * high + v).map_err(why)?;
                        }
                    }
                }
            }
        }
        Ok(self.bits.position())
    }

    /// Passes over what is left before the restart mark.
    fn restart(&mut self, number: u8) -> Result<()> {
        let found = next_marker(self.bytes, self.bits.position()).ok_or_else(|| why(Stop::End))?;
        match found.marker {
            marker if marker == 0xd0 + number => {}
            0xd9 => return Err(why(Stop::End)),
            _ => return Err(damaged(Format::Jpeg, "a restart mark is missing")),
        }
        self.bits = Bits::new(self.bytes, found.end);
        self.zeros = 0;
        Ok(())
    }

    #[inline]
    fn block(&mut self, part: &Part, x: u32, y: u32) -> Result<(), Stop> {
        if !self.frame.progressive {
            return self.whole(part);
        }
        if self.band.first == 0 {
            if self.band.high == 0 {
                let size = self.bits.code(part.dc.ok_or(Stop::NoCode)?)?;
                self.skip(size)?;
            } else {
                self.bits.read(1)?;
            }
            return Ok(());
        }
        let ac = part.ac.ok_or(Stop::NoCode)?;
        let seen = &mut self.seen[part.index];
        let at = y as usize * seen.across as usize + x as usize;
        let mut filled = seen.filled.get(at).copied().unwrap_or(0);
        let result = if self.band.high == 0 {
            self.first(ac, &mut filled)
        } else {
            self.refine(ac, &mut filled)
        };
        if let Some(own) = self.seen[part.index].filled.get_mut(at) {
            *own = filled;
        }
        result
    }

    fn skip(&mut self, bits: u8) -> Result<(), Stop> {
        if bits > 16 {
            return Err(Stop::NoCode);
        }
        self.bits.read(bits.into()).map(|_| ())
    }

    /// A block of a sequential scan.
    fn whole(&mut self, part: &Part) -> Result<(), Stop> {
        let size = self.bits.code(part.dc.ok_or(Stop::NoCode)?)?;
        self.skip(size)?;
        let ac = part.ac.ok_or(Stop::NoCode)?;
        let mut k = 1;
        while k < 64 {
            let code = self.bits.code(ac)?;
            let (run, size) = (code >> 4, code & 15);
            if size == 0 {
                if run != 15 {
                    break;
                }
                k += 16;
            } else {
                k += u32::from(run) + 1;
                if k > 64 {
                    return Err(Stop::NoCode);
                }
                self.skip(size)?;
            }
        }
        Ok(())
    }

    /// A run of blocks that end here: how many more follow this one.
    fn end_of_band(&mut self, run: u8) -> Result<(), Stop> {
        self.zeros = (1 << run) - 1 + self.bits.read(run.into())?;
        Ok(())
    }

    /// A block's coefficients for the first time.
    fn first(&mut self, ac: &Table, filled: &mut u64) -> Result<(), Stop> {
        if self.zeros > 0 {
            self.zeros -= 1;
            return Ok(());
        }
        let mut k = self.band.first;
        while k <= self.band.last {
            let code = self.bits.code(ac)?;
            let (run, size) = (code >> 4, code & 15);
            if size == 0 {
                if run != 15 {
                    return self.end_of_band(run);
                }
                k += 16;
            } else {
                k += usize::from(run);
                if k > self.band.last {
                    return Err(Stop::NoCode);
                }
                self.skip(size)?;
                *filled |= 1 << k;
                k += 1;
            }
        }
        Ok(())
    }

    /// One more bit of a block's coefficients, and those that were 0 until now.
    fn refine(&mut self, ac: &Table, filled: &mut u64) -> Result<(), Stop> {
        let mut k = self.band.first;
        if self.zeros == 0 {
            while k <= self.band.last {
                let code = self.bits.code(ac)?;
                let (mut run, size) = (code >> 4, code & 15);
                let is_new = match size {
                    0 if run != 15 => {
                        self.end_of_band(run)?;
                        // This block is one of them.
                        self.zeros += 1;
                        break;
                    }
                    0 => false,
                    1 => {
                        self.bits.read(1)?;
                        true
                    }
                    _ => return Err(Stop::NoCode),
                };
                while k <= self.band.last {
                    if *filled >> k & 1 != 0 {
                        self.bits.read(1)?;
                    } else if run == 0 {
                        break;
                    } else {
                        run -= 1;
                    }
                    k += 1;
                }
                if is_new {
                    if k > self.band.last {
                        return Err(Stop::NoCode);
                    }
                    *filled |= 1 << k;
                }
                k += 1;
            }
        }
        if self.zeros > 0 {
            while k <= self.band.last {
                if *filled >> k & 1 != 0 {
                    self.bits.read(1)?;
                }
                k += 1;
            }
            self.zeros -= 1;
        }
        Ok(())
    }
}

fn why(stop: Stop) -> Error {
    match stop {
        Stop::End => cut_off(Format::Jpeg),
        Stop::NoCode => damaged(Format::Jpeg, "its data makes no sense"),
    }
}
