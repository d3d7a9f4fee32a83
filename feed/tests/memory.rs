//! A feed of any length is read in bounded memory: one that is made as it is read, much larger than
//! what may be held of it. A test binary of its own, since the process' peak is measured.

use std::io::{self, Read, Seek, SeekFrom};

use lookalike_feed::{Feed, Found, Options};

const ROWS: u64 = 150_000;
const HEADER: &str = "id,title,description,image_link,price,availability,product_type\n";
/// Bytes of a row; all are as long.
const ROW: u64 = 800;
/// What the process may grow by: buffers, and the ids.
const MOST_KB: u64 = 40 << 10;

/// The table, made where it is read.
struct Endless {
    at: u64,
}

impl Endless {
    const LENGTH: u64 = HEADER.len() as u64 + ROWS * ROW;

    fn row(number: u64) -> String {
        let begin = format!("{number:08},Chair {number:08},");
        let end = format!(
            ",https://cdn.example/{number:08}.jpg,\"{:06},50 EUR\",in stock,Chairs\n",
            number % 1_000_000
        );
        let room = ROW as usize - begin.len() - end.len();
        begin + &"x".repeat(room) + &end
    }
}

impl Read for Endless {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let header = HEADER.len() as u64;
        let piece = if self.at < header {
            HEADER.as_bytes()[self.at as usize..].to_vec()
        } else if self.at < Self::LENGTH {
            let (row, within) = ((self.at - header) / ROW, (self.at - header) % ROW);
            Self::row(row).into_bytes()[within as usize..].to_vec()
        } else {
            return Ok(0);
        };
        let n = piece.len().min(out.len());
        out[..n].copy_from_slice(&piece[..n]);
        self.at += n as u64;
        Ok(n)
    }
}

impl Seek for Endless {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = match to {
            SeekFrom::Start(at) => at,
            SeekFrom::End(by) => Self::LENGTH.saturating_add_signed(by),
            SeekFrom::Current(by) => self.at.saturating_add_signed(by),
        };
        Ok(self.at)
    }
}

/// The most memory that this process had, in kB; where the system says so.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[test]
fn a_long_feed_is_not_held() {
    let Some(before) = peak() else {
        println!("skipped: this system does not say how much memory was used");
        return;
    };
    let mut feed = Feed::open(Endless { at: 0 }, Options::default()).unwrap();
    let mut products = 0;
    for found in &mut feed {
        if let Found::Product(entry) = found.unwrap() {
            assert!(entry.product.price.is_some());
            products += 1;
        }
    }
    assert_eq!((products, feed.summary().rows), (ROWS, ROWS));
    let grown = peak().unwrap_or(u64::MAX).saturating_sub(before);
    assert!(grown < MOST_KB, "{grown} kB for a feed of {} kB", Endless::LENGTH >> 10);
}
