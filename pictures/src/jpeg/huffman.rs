//! Bits and Huffman codes of the entropy data (ITU-T T.81, annexes C and F).

use lookalike_error::Result;

use super::short;

/// Codes of up to this many bits are found in one step.
const LOOK: u32 = 9;

/// A table of codes.
pub(super) struct Table {
    /// By the next `LOOK` bits: length and value; length 0 where the code is longer.
    quick: Box<[(u8, u8)]>,
    /// By length - 1: the code after the last one of that length, aligned to 16 bits.
    ends: [u32; 16],
    /// By length - 1: index of the first value less its code.
    starts: [i32; 16],
    values: Vec<u8>,
}

impl Table {
    /// A table from counts by length and the values.
    pub(super) fn new(counts: &[u8; 16], values: &[u8]) -> Result<Self> {
        let mut quick = vec![(0, 0); 1 << LOOK].into_boxed_slice();
        let (mut ends, mut starts) = ([0; 16], [0; 16]);
        let (mut code, mut index) = (0_u32, 0_usize);
        for (i, &count) in counts.iter().enumerate() {
            let length = i as u32 + 1;
            starts[i] = index as i32 - code as i32;
            for _ in 0..count {
                let value = *values.get(index).ok_or_else(short)?;
                if code >= 1 << length {
                    return Err(super::damaged(crate::Format::Jpeg, "a table has too many codes"));
                }
                if length <= LOOK {
                    let first = (code << (LOOK - length)) as usize;
                    quick[first..first + (1 << (LOOK - length))].fill((length as u8, value));
                }
                code += 1;
                index += 1;
            }
            ends[i] = code << (16 - length);
            code <<= 1;
        }
        Ok(Self { quick, ends, starts, values: values[..index].to_vec() })
    }
}

/// Why no more bits come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The data ends, or a marker stands there.
    End,
    /// The bits are no code.
    NoCode,
}

/// Bits of one run of entropy data: from a scan's start or a restart mark to the next marker.
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    held: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at, held: 0, count: 0 }
    }

    /// Where the next byte stands; bits that are held were before it.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    fn fill(&mut self) {
        while self.count <= 56 {
            let byte = match self.bytes.get(self.at) {
                Some(0xff) => match self.bytes.get(self.at + 1) {
                    Some(0) => {
                        self.at += 2;
                        0xff
                    }
                    _ => return,
                },
                Some(&byte) => {
                    self.at += 1;
                    byte
                }
                None => return,
            };
            self.held |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
    }

    fn take(&mut self, bits: u32) {
        self.held <<= bits;
        self.count -= bits;
    }

    /// The next bits, at most 16.
    #[inline]
    pub(super) fn read(&mut self, bits: u32) -> Result<u32, Stop> {
        if bits == 0 {
            return Ok(0);
        }
        if self.count < bits {
            self.fill();
            if self.count < bits {
                return Err(Stop::End);
            }
        }
        let value = (self.held >> (64 - bits)) as u32;
        self.take(bits);
        Ok(value)
    }

    /// The value of the next code.
    #[inline]
    pub(super) fn code(&mut self, table: &Table) -> Result<u8, Stop> {
        if self.count < 16 {
            self.fill();
        }
        let (length, value) = table.quick[(self.held >> (64 - LOOK)) as usize];
        if length != 0 {
            if u32::from(length) > self.count {
                return Err(Stop::End);
            }
            self.take(length.into());
            return Ok(value);
        }
        let next = (self.held >> 48) as u32;
        for length in LOOK + 1..=16 {
            let i = length as usize - 1;
            if next < table.ends[i] {
                if length > self.count {
                    return Err(Stop::End);
                }
                let index = table.starts[i] + (next >> (16 - length)) as i32;
                self.take(length);
                return table.values.get(index as usize).copied().ok_or(Stop::NoCode);
            }
        }
        Err(if self.count < 16 { Stop::End } else { Stop::NoCode })
    }
}
