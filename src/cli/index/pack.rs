//! Files as gzip, small for shoppers whatever the host does.

use std::io::Read;

use flate2::bufread::GzDecoder;
use libdeflater::{CompressionLvl, Compressor};

/// A packed file has to be smaller than this share of the plain one to be worth a second file.
const WORTH: f64 = 0.95;

/// The content as gzip, the same for the same content; `None` where that is hardly smaller. `last` reads what it was
/// packed to before: taken where it is this content, since packing takes seconds and unpacking milliseconds.
pub(super) fn pack(content: &[u8], last: impl FnOnce() -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    let most = (content.len() as f64 * WORTH) as usize;
    if let Some(packed) = last().filter(|packed| packed.len() <= most && holds(packed, content)) {
        return Some(packed);
    }
    // The best level chooses between a match and its literals by what each costs, which is what quantised weights need.
    let mut compressor = Compressor::new(CompressionLvl::best());
    // It has no use for more room than what is worth it, and says so.
    let mut packed = vec![0; most];
    let size = compressor.gzip_compress(content, &mut packed).ok()?;
    packed.truncate(size);
    Some(packed)
}

/// Whether these bytes are this content, packed: no more, no less, and nothing behind its end.
fn holds(packed: &[u8], content: &[u8]) -> bool {
    let mut plain = Vec::with_capacity(content.len());
    let mut decoder = GzDecoder::new(packed);
    let read = decoder.by_ref().take(content.len() as u64 + 1).read_to_end(&mut plain);
    read.is_ok() && plain == content && decoder.into_inner().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(lines: usize) -> Vec<u8> {
        (0..lines).flat_map(|i| format!("product {} of many\n", i * i).into_bytes()).collect()
    }

    fn unpacked(packed: &[u8]) -> Vec<u8> {
        let mut plain = Vec::new();
        let mut decoder = GzDecoder::new(packed);
        decoder.read_to_end(&mut plain).unwrap();
        assert!(decoder.into_inner().is_empty(), "nothing lies behind its end");
        plain
    }

    #[test]
    fn what_is_packed_is_the_content_and_always_the_same_bytes() {
        let content = text(5000);
        let packed = pack(&content, || None).unwrap();
        assert!(packed.len() < content.len() / 2);
        assert_eq!(unpacked(&packed), content);
        assert_eq!(packed[4..8], [0; 4], "it has no date");
        assert_eq!(pack(&content, || None).unwrap(), packed);
    }

    #[test]
    fn what_gains_little_is_not_packed() {
        // xorshift: nothing repeats.
        let mut state = 1u64;
        let mut noise = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        };
        let noise: Vec<u8> = (0..10_000).map(|_| noise()).collect();
        assert_eq!(pack(&noise, || None), None);
        assert_eq!(pack(b"", || None), None);
        assert_eq!(pack(b"a", || None), None);
        // A little more than 5 % are saved here, and a little less.
        for (zeros, worth) in [(700, true), (450, false)] {
            let content = [vec![0; zeros], noise.clone()].concat();
            let packed = pack(&content, || None);
            assert_eq!(packed.is_some(), worth, "{zeros}");
            assert!(
                packed.is_none_or(|packed| packed.len() as f64 <= content.len() as f64 * WORTH)
            );
        }
    }

    #[test]
    fn what_was_packed_before_is_taken_where_it_is_the_content() {
        let content = text(500);
        // Packed by another program: not the bytes that we would write.
        let mut other = Vec::new();
        flate2::read::GzEncoder::new(&content[..], flate2::Compression::fast())
            .read_to_end(&mut other)
            .unwrap();
        let own = pack(&content, || None).unwrap();
        assert_ne!(own, other);
        assert_eq!(pack(&content, || Some(other.clone())).unwrap(), other);

        let longer = pack(&text(501), || None).unwrap();
        let shorter = pack(&text(499), || None).unwrap();
        let behind = [&own[..], b"more"].concat();
        let cut = own[..own.len() - 1].to_vec();
        for wrong in [longer, shorter, cut, behind, content.clone(), Vec::new()] {
            assert_eq!(pack(&content, || Some(wrong)).unwrap(), own);
        }
    }
}
