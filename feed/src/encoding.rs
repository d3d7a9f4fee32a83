//! Reading a feed's bytes as UTF-8 text with places.

use std::io::{self, BufRead, Read};

use encoding_rs::{CoderResult, Decoder};

use crate::charset::{CHUNK, Charset, fill};
use crate::report::Place;

/// A feed's text as UTF-8, without its mark and without NUL characters. Where bytes stand for no
/// character, it has U+FFFD and remembers the place.
pub(crate) struct Text<'a> {
    source: Box<dyn Read + 'a>,
    decoder: Decoder,
    bare_returns: bool,
    raw: Vec<u8>,
    /// The part of `raw` that is not decoded yet.
    raw_range: (usize, usize),
    source_ended: bool,
    ended: bool,
    decoded: Vec<u8>,
    /// Where the part of `decoded` that is not consumed begins.
    next: usize,
    /// Of what comes next to a reader, and to the decoder.
    place: Place,
    decoded_to: Place,
    bad: Vec<Place>,
    /// Whether a `<` that begins no tag becomes `&lt;`; and whether one is held back until it is
    /// known what follows.
    mend_tags: bool,
    held: bool,
}

impl<'a> Text<'a> {
    pub(crate) fn new(source: impl Read + 'a, charset: Charset) -> Self {
        Self {
            source: Box::new(source),
            decoder: charset.encoding().new_decoder_with_bom_removal(),
            bare_returns: charset.bare_returns(),
            raw: vec![0; CHUNK],
            raw_range: (0, 0),
            source_ended: false,
            ended: false,
            // Room for whole characters however few bytes they are made of.
            decoded: Vec::with_capacity(CHUNK * 3 + 16),
            next: 0,
            place: Place::START,
            decoded_to: Place::START,
            bad: Vec::new(),
            mend_tags: false,
            held: false,
        }
    }

    /// The same with a `<` that begins no tag, as in `5 < 6`, written `&lt;`: XML has no other, and
    /// one that is not mended swallows what stands behind it.
    pub(crate) fn with_mended_tags(self) -> Self {
        Self { mend_tags: true, ..self }
    }

    /// The place of what comes next.
    pub(crate) fn place(&self) -> Place {
        self.place
    }

    /// Where bytes stood for no character, among those decoded since the last call.
    pub(crate) fn take_bad(&mut self) -> Vec<Place> {
        std::mem::take(&mut self.bad)
    }

    /// The next line without its end, or `None` after the last. A line longer than `most` bytes is
    /// cut, and the flag says so.
    pub(crate) fn line(&mut self, most: usize, line: &mut String) -> io::Result<Option<bool>> {
        let mut bytes = std::mem::take(line).into_bytes();
        bytes.clear();
        let mut any = false;
        let mut cut = false;
        loop {
            let chunk = self.fill_buf()?;
            if chunk.is_empty() {
                break;
            }
            any = true;
            let end = chunk.iter().position(|&b| b == b'\n');
            let part = &chunk[..end.unwrap_or(chunk.len())];
            let room = most.saturating_sub(bytes.len());
            cut |= part.len() > room;
            bytes.extend_from_slice(&part[..part.len().min(room)]);
            let used = part.len() + usize::from(end.is_some());
            self.consume(used);
            if end.is_some() {
                break;
            }
        }
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
        // Only a cut within a character leaves something to mend.
        *line = String::from_utf8(bytes)
            .unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned());
        Ok(any.then_some(cut))
    }

    fn decode(&mut self) -> io::Result<()> {
        self.decoded.clear();
        self.next = 0;
        while self.decoded.is_empty() && !self.ended {
            if self.raw_range.0 == self.raw_range.1 && !self.source_ended {
                let n = fill(&mut self.source, &mut self.raw)?;
                self.source_ended = n < self.raw.len();
                self.raw_range = (0, n);
            }
            self.decoded.resize(CHUNK * 3 + 16, 0);
            let raw = &self.raw[self.raw_range.0..self.raw_range.1];
            let (result, read, written, _) =
                self.decoder.decode_to_utf8(raw, &mut self.decoded, self.source_ended);
            self.raw_range.0 += read;
            self.decoded.truncate(written);
            self.ended = self.source_ended && result == CoderResult::InputEmpty;
            // DOS's mark of the end.
            if self.ended && self.decoded.last() == Some(&0x1a) {
                self.decoded.pop();
            }
            self.tidy();
        }
        Ok(())
    }

    /// Remembers what stands for no character and takes NUL out.
    fn tidy(&mut self) {
        if self.bare_returns {
            for byte in &mut self.decoded {
                if *byte == b'\r' {
                    *byte = b'\n';
                }
            }
        }
        // U+FFFD is EF BF BD.
        if self.decoded.iter().any(|&b| b == 0 || b == 0xef) {
            let mut place = self.decoded_to;
            for c in String::from_utf8_lossy(&self.decoded).chars() {
                if c == '\0' || c == char::REPLACEMENT_CHARACTER {
                    self.bad.push(place);
                }
                place.pass(c);
            }
            self.decoded_to = place;
            self.decoded.retain(|&b| b != 0);
        } else {
            self.decoded_to.pass_bytes(&self.decoded);
        }
        if self.mend_tags {
            self.mend();
        }
    }

    fn mend(&mut self) {
        let held = std::mem::take(&mut self.held).then_some(b'<');
        if held.is_none() && !self.decoded.contains(&b'<') {
            return;
        }
        let bytes: Vec<u8> = held.into_iter().chain(self.decoded.drain(..)).collect();
        for (at, &byte) in bytes.iter().enumerate() {
            match (byte, bytes.get(at + 1)) {
                (b'<', None) if !self.ended => self.held = true,
                (b'<', Some(b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'/' | b'!' | b'?' | 0x80..)) => {
                    self.decoded.push(byte);
                }
                (b'<', _) => self.decoded.extend_from_slice(b"&lt;"),
                _ => self.decoded.push(byte),
            }
        }
    }
}

impl Read for Text<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let chunk = self.fill_buf()?;
        let n = chunk.len().min(out.len());
        out[..n].copy_from_slice(&chunk[..n]);
        self.consume(n);
        Ok(n)
    }
}

impl BufRead for Text<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.next == self.decoded.len() {
            self.decode()?;
        }
        Ok(&self.decoded[self.next..])
    }

    fn consume(&mut self, amount: usize) {
        let end = (self.next + amount).min(self.decoded.len());
        self.place.pass_bytes(&self.decoded[self.next..end]);
        self.next = end;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use encoding_rs::WINDOWS_1252;

    use super::*;

    fn read(bytes: &[u8]) -> (Charset, String, Vec<Place>) {
        let mut source = Cursor::new(bytes);
        let charset = Charset::detect(&mut source, None).unwrap();
        let mut text = Text::new(bytes, charset);
        let mut all = String::new();
        text.read_to_string(&mut all).unwrap();
        (charset, all, text.take_bad())
    }

    fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(unit).collect()
    }

    #[test]
    fn every_usual_encoding_is_told_and_read() {
        let words = "id,titre\n1,Café “chic” à 5 €\n";
        let (western, _, _) = WINDOWS_1252.encode(words);
        for (bytes, name, mark) in [
            (words.as_bytes().to_vec(), "UTF-8", false),
            (["\u{feff}", words].concat().into_bytes(), "UTF-8", true),
            (utf16(&["\u{feff}", words].concat(), u16::to_le_bytes), "UTF-16LE", true),
            (utf16(&["\u{feff}", words].concat(), u16::to_be_bytes), "UTF-16BE", true),
            (utf16(words, u16::to_le_bytes), "UTF-16LE", false),
            (utf16(words, u16::to_be_bytes), "UTF-16BE", false),
            (western.into_owned(), "windows-1252", false),
        ] {
            let (charset, text, bad) = read(&bytes);
            assert_eq!((charset.name(), charset.mark()), (name, mark));
            assert_eq!(text, words, "{name}");
            assert!(bad.is_empty(), "{name}");
        }
        let (latin2, text, _) = read(b"<?xml version='1.0' encoding='ISO-8859-2'?><a>\xb3</a>");
        assert_eq!(latin2.name(), "ISO-8859-2");
        assert!(text.ends_with("<a>\u{142}</a>"));
        let wrong = "<?xml version='1.0' encoding='ISO-8859-1'?><a>é</a>";
        assert_eq!(read(wrong.as_bytes()).0.name(), "UTF-8");
    }

    #[test]
    fn bytes_that_are_no_character_are_named() {
        let (charset, text, bad) = read("ä\nb\u{e9}".as_bytes());
        assert_eq!((charset.name(), text.as_str(), bad.len()), ("UTF-8", "ä\nbé", 0));
        let (charset, text, bad) = read(b"\xc3\xa4\nab\xff\x00c");
        assert_eq!((charset.name(), text.as_str()), ("UTF-8", "ä\nab\u{fffd}c"));
        assert_eq!(bad, [Place { line: 2, column: 3 }, Place { line: 2, column: 4 }]);
        // One odd byte in plain text is damage; one accented letter is Windows-1252.
        assert_eq!(read(b"a\xffb").0.name(), "UTF-8");
        assert_eq!(read(b"Caf\xe9").0.name(), "windows-1252");
    }

    #[test]
    fn a_mark_of_the_end_is_no_text() {
        assert_eq!(read(b"id\n1\n\x1a").1, "id\n1\n");
        assert_eq!(read(b"a\x1ab").1, "a\u{1a}b");
    }

    #[test]
    fn lines_end_in_every_way_and_long_ones_are_cut() {
        for text in ["a\nb\n", "a\r\nb", "a\rb\r"] {
            let mut source = Cursor::new(text);
            let charset = Charset::detect(&mut source, None).unwrap();
            let mut reader = Text::new(text.as_bytes(), charset);
            let mut line = String::new();
            let mut lines = Vec::new();
            while reader.line(100, &mut line).unwrap().is_some() {
                lines.push(line.clone());
            }
            assert_eq!(lines, ["a", "b"], "{text:?}");
        }
        let charset = Charset::detect(&mut Cursor::new("x"), None).unwrap();
        let mut reader = Text::new("abcdef\ng".as_bytes(), charset);
        let mut line = String::new();
        assert_eq!(reader.line(3, &mut line).unwrap(), Some(true));
        assert_eq!(line, "abc");
        assert_eq!(reader.line(3, &mut line).unwrap(), Some(false));
        assert_eq!(line, "g");
    }
}
