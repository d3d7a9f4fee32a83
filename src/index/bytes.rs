//! Numbers in bytes, little-endian; small ones packed.

use crate::error::{Error, ErrorKind, Result};

pub(super) fn bad(context: impl Into<String>) -> Error {
    Error::new(ErrorKind::BadIndex, context)
}

pub(super) fn put(out: &mut Vec<u8>, values: &[u32]) {
    out.extend(values.iter().flat_map(|v| v.to_le_bytes()));
}

pub(super) fn put_floats(out: &mut Vec<u8>, values: &[f32]) {
    out.extend(values.iter().flat_map(|v| v.to_le_bytes()));
}

/// Seven bits a byte, the lowest first; the highest bit says that more follow (LEB128).
pub(super) fn put_packed(out: &mut Vec<u8>, mut value: u32) {
    while value > 0x7f {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Reads numbers off a slice; allocates only for bytes that are there.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// What has not been read yet.
    pub(super) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or_else(|| bad("a section is shorter than it says"))?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    pub(super) fn u32(&mut self) -> Result<u32> {
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    pub(super) fn u64(&mut self) -> Result<u64> {
        let (low, high) = (self.u32()?, self.u32()?);
        Ok(u64::from(high) << 32 | u64::from(low))
    }

    pub(super) fn floats(&mut self, count: usize) -> Result<Vec<f32>> {
        let bytes = self.take(count.checked_mul(4).ok_or_else(|| bad("a section is too long"))?)?;
        Ok(bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect())
    }

    /// What [`put_packed`] has put.
    pub(super) fn packed(&mut self) -> Result<u32> {
        let mut value = 0u32;
        for shift in (0..35).step_by(7) {
            let byte = self.take(1)?[0];
            let bits = u32::from(byte & 0x7f);
            if shift == 28 && bits > 0x0f {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(bad("a number is too large"))
    }

    /// As many packed numbers as are said to be there; each takes a byte at least.
    pub(super) fn packed_list(&mut self, count: usize) -> Result<Vec<u32>> {
        if count > self.rest().len() {
            return Err(bad("a section is shorter than it says"));
        }
        (0..count).map(|_| self.packed()).collect()
    }

    pub(super) fn end(&self) -> Result<()> {
        if self.rest().is_empty() {
            return Ok(());
        }
        Err(bad("a section is longer than its content"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_numbers_come_back_and_endless_ones_are_refused() {
        let numbers = [0, 1, 127, 128, 16_383, 16_384, u32::MAX - 1, u32::MAX];
        let mut bytes = Vec::new();
        numbers.iter().for_each(|&n| put_packed(&mut bytes, n));
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.packed_list(numbers.len()).unwrap(), numbers);
        reader.end().unwrap();
        for wrong in [&[0x80; 9][..], &[0xff, 0xff, 0xff, 0xff, 0x10], &[0x80], &[]] {
            assert!(Reader::new(wrong).packed().is_err(), "{wrong:?}");
        }
        assert!(Reader::new(&[0; 4]).packed_list(usize::MAX).is_err());
    }
}
