//! Feeds that are packed with gzip, as exports that are fetched every night often are.

use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};

use flate2::bufread::MultiGzDecoder;
use tempfile::SpooledTempFile;

use crate::error::{Error, ErrorKind, Result};

/// Unpacked bytes that are held in memory; more go to a file that has no name and dies with us.
const IN_MEMORY: usize = 16 << 20;
/// Most bytes that a feed may unpack to. A gigabyte of rows packs to a few megabytes, so no ratio
/// could tell a feed from a bomb.
const MOST: u64 = 4 << 30;

/// A feed's bytes, unpacked where they were packed.
pub(super) enum Plain<R> {
    /// They were not.
    Same(R),
    /// They were.
    Unpacked(SpooledTempFile),
}

impl<R: Read> Read for Plain<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Same(source) => source.read(out),
            Self::Unpacked(file) => file.read(out),
        }
    }
}

impl<R: Seek> Seek for Plain<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            Self::Same(source) => source.seek(to),
            Self::Unpacked(file) => file.seek(to),
        }
    }
}

/// Unpacks a feed if its first bytes are gzip's, whatever its name.
///
/// # Errors
/// `BadCatalog` if it is damaged, cut off, or unpacks to more than 4 GiB; `Io` if it cannot be read,
/// or there is no room for what it unpacks to.
pub(super) fn unpacked<R: Read + Seek>(source: R) -> Result<Plain<R>> {
    up_to(source, MOST)
}

fn up_to<R: Read + Seek>(mut source: R, most: u64) -> Result<Plain<R>> {
    let unread = |cause| Error::with_source(ErrorKind::Io, "the feed cannot be read", cause);
    let mut head = Vec::new();
    source.seek(SeekFrom::Start(0)).map_err(unread)?;
    source.by_ref().take(2).read_to_end(&mut head).map_err(unread)?;
    source.seek(SeekFrom::Start(0)).map_err(unread)?;
    if head != [0x1f, 0x8b] {
        return Ok(Plain::Same(source));
    }
    let mut decoder = MultiGzDecoder::new(BufReader::new(source)).take(most + 1);
    let mut file = SpooledTempFile::new(IN_MEMORY);
    let mut chunk = vec![0; 64 << 10];
    loop {
        let n = match decoder.read(&mut chunk) {
            Ok(0) => break,
            Ok(n) => n,
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => continue,
            Err(cause) => {
                let what =
                    "this is packed with gzip, and damaged or cut off: export or fetch it again";
                return Err(Error::with_source(ErrorKind::BadCatalog, what, cause));
            }
        };
        file.write_all(&chunk[..n]).map_err(|cause| {
            let what =
                "there is no room to unpack the feed: free some, or set TMPDIR to another disk";
            Error::with_source(ErrorKind::Io, what, cause)
        })?;
    }
    if decoder.limit() == 0 {
        let what =
            format!("this is packed with gzip and unpacks to more than {most} bytes: split it");
        return Err(Error::new(ErrorKind::BadCatalog, what));
    }
    file.seek(SeekFrom::Start(0)).map_err(unread)?;
    Ok(Plain::Unpacked(file))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn all(bytes: &[u8], most: u64) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        let mut plain = up_to(Cursor::new(bytes), most)?;
        plain.seek(SeekFrom::End(0)).unwrap();
        plain.seek(SeekFrom::Start(0)).unwrap();
        plain.read_to_end(&mut out).unwrap();
        Ok(out)
    }

    #[test]
    fn what_is_packed_is_unpacked_and_the_rest_left_alone() {
        assert_eq!(all(b"id,image\n", 100).unwrap(), b"id,image\n");
        assert_eq!(all(b"\x1f", 100).unwrap(), b"\x1f");
        assert_eq!(all(b"", 100).unwrap(), b"");
        assert_eq!(all(&packed(b"id,image\n"), 100).unwrap(), b"id,image\n");
        // As `cat a.gz b.gz` makes it.
        let two = [packed(b"id,image\n"), packed(b"1,a.png\n")].concat();
        assert_eq!(all(&two, 100).unwrap(), b"id,image\n1,a.png\n");
    }

    #[test]
    fn damage_and_bombs_are_refused() {
        let whole = packed(&[b'x'; 1000]);
        assert!(all(&whole, 1000).is_ok());
        assert!(all(&whole, 999).unwrap_err().to_string().contains("more than 999 bytes"));
        for end in 2..whole.len() {
            assert_eq!(
                all(&whole[..end], 1000).unwrap_err().kind(),
                ErrorKind::BadCatalog,
                "{end}"
            );
        }
    }
}
