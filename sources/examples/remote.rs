//! Fetches pictures from a server on loopback of which some fail and some stall, twice, and says what
//! came of it; fails where a byte was lost or a picture forgotten.
//!
//! `cargo run --release -p lookalike-sources --example remote -- [PICTURES]`
//!
//! Of a hundred pictures, four fail at first (by 500, by 503, by a connection that ends before the
//! answer or within it) and one always; of two hundred, three stall at first and one always. The
//! server takes 20 ms for each answer.

#[path = "../tests/common/mod.rs"]
mod common;

use std::time::{Duration, Instant};

use common::{Reply, Server, ok, status};
use lookalike_sources::{Address, Fetcher, Options};

/// What is wrong with a picture.
#[derive(Clone, Copy, PartialEq)]
enum Trouble {
    None,
    Fails(usize),
    AlwaysFails,
    Stalls,
    AlwaysStalls,
}

fn trouble(picture: usize) -> Trouble {
    match (picture % 100, picture % 200) {
        (11, _) => Trouble::AlwaysFails,
        (n @ (31 | 51 | 71 | 91), _) => Trouble::Fails(n / 20 - 1),
        (_, 140) => Trouble::AlwaysStalls,
        (_, 40 | 60 | 160) => Trouble::Stalls,
        _ => Trouble::None,
    }
}

/// Some 30 kB, of each picture its own.
fn body(picture: usize) -> Vec<u8> {
    let mut state = picture as u64 + 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..4000).flat_map(|_| next().to_le_bytes()).collect()
}

fn answer(path: &str, nth: usize, etag: Option<&String>) -> Reply {
    let picture: usize = path[1..].parse().unwrap_or(0);
    let own = format!("\"{picture}\"");
    let head = "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 32000\r\n\r\n";
    match trouble(picture) {
        Trouble::AlwaysFails => status(500),
        Trouble::Fails(0) if nth == 0 => status(500),
        Trouble::Fails(1) if nth == 0 => status(503),
        Trouble::Fails(2) if nth == 0 => Reply::Raw(Vec::new()),
        Trouble::Fails(_) if nth == 0 => Reply::Raw([head.as_bytes(), &[7; 999]].concat()),
        Trouble::AlwaysStalls => Reply::Stall(head.into()),
        Trouble::Stalls if nth == 0 => Reply::Stall(head.into()),
        _ if etag == Some(&own) => Reply::Full(304, Vec::new(), Vec::new()),
        _ => ok(body(picture)).with("ETag", &own),
    }
}

fn main() {
    let pictures = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(2000);
    // At most a few minutes and a gigabyte.
    let pictures = usize::min(pictures, 20_000);
    let server = Server::start(|request| {
        let reply = answer(&request.path, request.nth, request.headers.get("if-none-match"));
        Reply::Slow(Duration::from_millis(20), Box::new(reply))
    });
    let folder = tempfile::tempdir().expect("a folder for the cache");
    let lost: Vec<usize> = (0..pictures)
        .filter(|&p| matches!(trouble(p), Trouble::AlwaysFails | Trouble::AlwaysStalls))
        .collect();
    println!("{pictures} pictures, of which {} are not to be had", lost.len());
    for run in ["first", "second"] {
        let options = Options {
            allow_private: true,
            stall: Duration::from_secs(2),
            proxy: false,
            ..Options::new(folder.path().to_owned(), 1 << 20)
        };
        let start = Instant::now();
        let fetcher = Fetcher::new(options, |_| {}).expect("a cache");
        let address = |p: usize| Address::parse(&server.url(&format!("/{p}"))).expect("an address");
        fetcher.prefetch((0..pictures).map(address));
        for picture in 0..pictures {
            match fetcher.get(&address(picture)) {
                Ok(bytes) => assert!(bytes == body(picture), "{picture} is not what was sent"),
                Err(error) => assert!(lost.contains(&picture), "{picture} was lost: {error}"),
            }
        }
        let (counts, failures) = (fetcher.counts(), fetcher.failures());
        let named = failures.iter().zip(&lost).all(|(f, p)| f.address.ends_with(&format!("/{p}")));
        assert!(failures.len() == lost.len() && named, "each failure is named once, in order");
        assert_eq!(counts.settled(), pictures, "nothing is forgotten");
        let (time, most) = (start.elapsed().as_secs_f64(), &server.most);
        let most = most.swap(0, std::sync::atomic::Ordering::SeqCst);
        println!(
            "{run} run: {counts}; {} retries, {time:.1} s, at most {most} at a time",
            counts.retries
        );
        let stalled = failures.iter().find(|f| f.why.contains("too long"));
        for failure in failures.first().into_iter().chain(stalled) {
            println!("  {}: {}", failure.address, failure.why);
        }
    }
}
