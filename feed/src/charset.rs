//! Which characters a feed's bytes stand for.

use std::io::{self, Read, Seek, SeekFrom};

use chardetng::EncodingDetector;
use encoding_rs::{
    Encoding, ISO_8859_2, MACINTOSH, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1250, WINDOWS_1252,
    WINDOWS_1254, WINDOWS_1257, WINDOWS_1258,
};
use lookalike_error::{Error, ErrorKind, Result};

/// Bytes read, and decoded, at once.
pub(crate) const CHUNK: usize = 64 << 10;
/// Bytes by which UTF-16 without a mark and an XML declaration are told.
const HEAD: usize = 1 << 10;
/// Bytes beyond ASCII without which a guess is worth nothing: a single one is damage.
const ENOUGH: u64 = 4;
/// The same for alphabets that share most letters with Windows-1252.
const ENOUGH_LATIN: u64 = 8;
const LATIN: [&Encoding; 5] = [ISO_8859_2, WINDOWS_1250, WINDOWS_1254, WINDOWS_1257, WINDOWS_1258];

/// How a feed's characters are written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Charset {
    encoding: &'static Encoding,
    mark: bool,
    /// Lines end in a carriage return alone, as on old Macs.
    bare_returns: bool,
}

impl Charset {
    /// Its name, such as `UTF-8` or `windows-1252`.
    pub(crate) fn name(self) -> &'static str {
        self.encoding.name()
    }

    pub(crate) fn encoding(self) -> &'static Encoding {
        self.encoding
    }

    pub(crate) fn bare_returns(self) -> bool {
        self.bare_returns
    }

    /// Whether a byte order mark says so.
    pub(crate) fn mark(self) -> bool {
        self.mark
    }

    /// Tells it from all bytes, unless it is given. A mark decides; then pairs with a zero byte
    /// (UTF-16); then an XML declaration other than UTF-8's; then whether the bytes are UTF-8, with
    /// few exceptions, or make better sense in an older encoding: which, Firefox's detector tells,
    /// and Mac OS Roman, which that does not know, is told by its letters. Leaves the source
    /// somewhere.
    pub(crate) fn detect(
        source: &mut (impl Read + Seek),
        given: Option<&'static Encoding>,
    ) -> io::Result<Self> {
        source.seek(SeekFrom::Start(0))?;
        let mut chunk = vec![0; CHUNK];
        let mut counts = Counts::default();
        let mut detector = EncodingDetector::new();
        let mut told = None;
        let mut label = None;
        let mut first = true;
        loop {
            let n = fill(source, &mut chunk)?;
            let bytes = &chunk[..n];
            if first {
                told = Encoding::for_bom(bytes).map(|(e, _)| (e, true)).or_else(|| {
                    let head = &bytes[..n.min(HEAD)];
                    without_mark(head).map(|e| (e, false))
                });
                label = declared(&bytes[..n.min(HEAD)]);
                first = false;
            }
            counts.add(bytes);
            detector.feed(bytes, n < CHUNK);
            if n < CHUNK {
                break;
            }
        }
        let bare_returns = counts.newlines == 0 && counts.returns > 0;
        // Declarations are copied; whole characters of UTF-8 are no accident.
        let label = label.filter(|_| counts.multibyte == 0 || counts.western > 0);
        let verdict = counts.verdict(&detector);
        let (encoding, mark) = match (given, told) {
            (Some(given), told) => (given, told.is_some_and(|(e, mark)| mark && e == given)),
            (None, Some(told)) => told,
            (None, None) => (label.unwrap_or(verdict), false),
        };
        Ok(Self { encoding, mark, bare_returns })
    }
}

/// The encoding of a name that the Encoding Standard knows.
///
/// # Errors
/// `BadCatalog` if it knows none.
pub(crate) fn named(name: &str) -> Result<&'static Encoding> {
    Encoding::for_label(name.trim().as_bytes()).ok_or_else(|| {
        Error::new(
            ErrorKind::BadCatalog,
            format!("there is no encoding {name:?}; usual ones are utf-8, windows-1252, shift_jis, gbk, macintosh"),
        )
    })
}

/// Reads until the buffer is full or the source ends.
pub(crate) fn fill(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match source.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}

fn without_mark(head: &[u8]) -> Option<&'static Encoding> {
    let pairs = head.len() / 2;
    let zeros = |at: usize| head.iter().skip(at).step_by(2).filter(|&&b| b == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    if pairs >= 2 && odd * 10 >= pairs * 6 && even * 10 < pairs {
        Some(UTF_16LE)
    } else if pairs >= 2 && even * 10 >= pairs * 6 && odd * 10 < pairs {
        Some(UTF_16BE)
    } else {
        None
    }
}

/// What an XML declaration says, unless that is UTF-8, which the bytes must bear out.
fn declared(head: &[u8]) -> Option<&'static Encoding> {
    let text = String::from_utf8_lossy(head);
    let declaration = text.trim_start().strip_prefix("<?xml")?.split("?>").next()?;
    let label = declaration.split("encoding").nth(1)?.trim_start().strip_prefix('=')?.trim_start();
    let quote = label.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let label = label[1..].split(quote).next()?;
    // Text that is read here byte by byte is no UTF-16, whatever it says.
    Encoding::for_label(label.as_bytes()).filter(|&e| e != UTF_8 && e != UTF_16LE && e != UTF_16BE)
}

/// What the bytes look like as UTF-8 and as Windows-1252.
#[derive(Default)]
struct Counts {
    /// Characters of more than one byte that are valid UTF-8.
    multibyte: u64,
    /// Bytes that no UTF-8 has there and that mean something likely in Windows-1252.
    western: u64,
    /// Bytes that no UTF-8 has there and that are unlikely there as well.
    odd: u64,
    newlines: u64,
    returns: u64,
    /// Bytes behind a small letter that are letters of Mac OS Roman there, and in Windows' none, or
    /// capitals; and those that are letters of Windows' alone.
    mac: u64,
    windows: u64,
    /// The byte before.
    last: u8,
    /// The begin of a character that a chunk cut in two.
    carry: Vec<u8>,
}

impl Counts {
    fn add(&mut self, chunk: &[u8]) {
        self.newlines += chunk.iter().filter(|&&b| b == b'\n').count() as u64;
        self.returns += chunk.iter().filter(|&&b| b == b'\r').count() as u64;
        for &byte in chunk {
            if self.last.is_ascii_lowercase() {
                match byte {
                    0x87..=0x90 | 0x98 | 0x9d | 0x9f => self.mac += 1,
                    0xc0..=0xff => self.windows += 1,
                    _ => {}
                }
            }
            self.last = byte;
        }
        if self.carry.is_empty() && chunk.is_ascii() {
            return;
        }
        let mut joined = std::mem::take(&mut self.carry);
        joined.extend_from_slice(chunk);
        let mut rest = joined.as_slice();
        loop {
            match std::str::from_utf8(rest) {
                Ok(text) => {
                    self.valid(text);
                    return;
                }
                Err(error) => {
                    let (good, bad) = rest.split_at(error.valid_up_to());
                    // Valid by the line above.
                    self.valid(std::str::from_utf8(good).unwrap_or_default());
                    let Some(length) = error.error_len() else {
                        self.carry = bad.to_vec();
                        return;
                    };
                    self.invalid(&bad[..length]);
                    rest = &bad[length..];
                }
            }
        }
    }

    fn valid(&mut self, text: &str) {
        if !text.is_ascii() {
            self.multibyte += text.chars().filter(|c| !c.is_ascii()).count() as u64;
        }
    }

    fn invalid(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                0x80
                | 0x82
                | 0x84
                | 0x85
                | 0x8a
                | 0x8c
                | 0x8e
                | 0x91..=0x97
                | 0x99
                | 0x9a
                | 0x9c
                | 0x9e..=0xfe => self.western += 1,
                0x81
                | 0x83
                | 0x86..=0x89
                | 0x8b
                | 0x8d
                | 0x8f
                | 0x90
                | 0x98
                | 0x9b
                | 0x9d
                | 0xff => {
                    self.odd += 1;
                }
                _ => {}
            }
        }
    }

    fn verdict(mut self, detector: &EncodingDetector) -> &'static Encoding {
        // A character that the end cut off.
        let carry = std::mem::take(&mut self.carry);
        self.invalid(&carry);
        let strange = self.western + self.odd;
        if strange <= self.multibyte {
            return UTF_8;
        }
        let guess = detector.guess(None, false);
        let western = guess == WINDOWS_1252 || guess == UTF_8;
        let enough = if LATIN.contains(&guess) { ENOUGH_LATIN } else { ENOUGH };
        if !western && strange >= enough {
            return guess;
        }
        if self.mac > 2 * self.windows && guess != UTF_8 {
            return MACINTOSH;
        }
        if self.western >= 9 * self.odd.max(1) - 8 { WINDOWS_1252 } else { UTF_8 }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use encoding_rs::{BIG5, EUC_JP, EUC_KR, GBK, KOI8_U, SHIFT_JIS, WINDOWS_1251};

    use super::*;

    #[test]
    fn older_encodings_are_told_by_what_they_say() {
        let detect = |bytes: &[u8]| Charset::detect(&mut Cursor::new(bytes), None).unwrap().name();
        for (encoding, text) in [
            (
                SHIFT_JIS,
                "id,商品名,画像\n1,木製の椅子（ブラウン）,isu.jpg\n2,折りたたみテーブル,tsukue.jpg\n",
            ),
            (
                EUC_JP,
                "id,商品名,画像\n1,木製の椅子（ブラウン）,isu.jpg\n2,折りたたみテーブル,tsukue.jpg\n",
            ),
            (
                GBK,
                "id,商品名称,图片\n1,实木餐椅（棕色）,yizi.jpg\n2,折叠桌子家用小户型,zhuozi.jpg\n",
            ),
            (
                BIG5,
                "id,商品名稱,圖片\n1,實木餐椅（棕色）,yizi.jpg\n2,摺疊桌子家用小戶型,zhuozi.jpg\n",
            ),
            (EUC_KR, "id,상품명,이미지\n1,원목 의자 갈색,uija.jpg\n2,접이식 테이블,table.jpg\n"),
            (
                WINDOWS_1251,
                "id,название,фото\n1,Стул деревянный коричневый,stul.jpg\n2,Стол складной,stol.jpg\n",
            ),
            (
                KOI8_U,
                "id,название,фото\n1,Стул деревянный коричневый,stul.jpg\n2,Стол складной,stol.jpg\n",
            ),
            (
                WINDOWS_1250,
                "id,název,obrázek\n1,Dřevěná židle hnědá,zidle.jpg\n2,Skládací stůl,stul.jpg\n",
            ),
            (
                WINDOWS_1252,
                "id,titre\n1,Fauteuil à bascule en chêne doré,a.jpg\n2,Canapé convertible très épais,b.jpg\n",
            ),
            (
                WINDOWS_1252,
                "id,titel\n1,Großer Stuhl für Gäste,a.jpg\n2,Hölzerner Küchentisch,b.jpg\n",
            ),
        ] {
            let (bytes, _, lost) = encoding.encode(text);
            assert!(!lost);
            assert_eq!(detect(&bytes), encoding.name(), "{text}");
        }
        // "Fauteuil à bascule en chêne doré" and "für Gäste" by Mac OS Roman.
        assert_eq!(
            detect(b"id,titre\r1,Fauteuil \x88 bascule en ch\x90ne dor\x8e,a.jpg\r"),
            "macintosh"
        );
        assert_eq!(detect(b"id,titel\n1,Stuhl f\x9fr G\x8aste,a.jpg\n"), "macintosh");
        // Quotes, dashes and a letter of Windows-1252.
        assert_eq!(detect(b"id,title\n1,don\x92t \x96 \x93caf\xe9\x94,a.jpg\n"), "windows-1252");
    }

    #[test]
    fn a_given_encoding_comes_before_all_that_is_told() {
        let given = Charset::detect(&mut Cursor::new("Stuhl für Gäste"), Some(WINDOWS_1251));
        assert_eq!(given.unwrap().name(), "windows-1251");
    }
}
