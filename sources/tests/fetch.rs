//! Fetching: from a server on loopback that does what servers do on bad days.

mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::{Reply, Server, ok, redirect, status};
use lookalike_error::{ErrorKind, Result};
use lookalike_sources::{Address, Counts, Fetcher, Finder, Options, Sources};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;

/// Impatient, so that tests are quick.
fn options(cache: &Path) -> Options {
    Options {
        allow_private: true,
        pause: Duration::from_millis(5),
        stall: Duration::from_millis(800),
        whole: Duration::from_secs(10),
        proxy: false,
        ..Options::new(cache.join("cache"), 100_000)
    }
}

fn fetcher(options: Options) -> Fetcher {
    Fetcher::new(options, |_| {}).unwrap()
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn get(fetcher: &Fetcher, url: &str) -> Result<Vec<u8>> {
    fetcher.get(&address(url))
}

/// One fetch with the usual options; what came, or what is said.
fn once(url: &str) -> (Result<Vec<u8>, String>, Counts) {
    let folder = TempDir::new().unwrap();
    let fetcher = fetcher(options(folder.path()));
    (get(&fetcher, url).map_err(|e| e.to_string()), fetcher.counts())
}

#[test]
fn a_picture_comes_and_is_asked_for_once() {
    let server = Server::start(|_| ok("picture"));
    let folder = TempDir::new().unwrap();
    let fetcher = fetcher(options(folder.path()));
    let url = server.url("/a b/ü.png?v=1#part");
    for _ in 0..3 {
        assert_eq!(get(&fetcher, &url).unwrap(), b"picture");
    }
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].path, "/a%20b/%C3%BC.png?v=1");
    let agent = &requests[0].headers["user-agent"];
    assert_eq!(agent, &format!("lookalike/{}", env!("CARGO_PKG_VERSION")));
    let counts = Counts { asked: 1, fetched: 1, bytes: 7, ..Counts::default() };
    assert_eq!(fetcher.counts(), counts);
}

#[test]
fn errors_that_pass_are_tried_again_and_others_not() {
    let server = Server::start(|request| match (request.path.as_str(), request.nth) {
        ("/500" | "/502" | "/503" | "/504" | "/429" | "/408", 0 | 1) => {
            status(request.path[1..].parse().unwrap())
        }
        ("/closed", 0 | 1) => Reply::Raw(Vec::new()),
        ("/garbage", 0) => Reply::Raw(b"what?\r\n\r\n".to_vec()),
        ("/stalls", 0) => Reply::Stall(Vec::new()),
        ("/stalls-within", 0) => {
            Reply::Stall(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\npic".to_vec())
        }
        ("/empty", 0) => ok(""),
        ("/404" | "/410" | "/403" | "/401" | "/400" | "/501", _) => {
            status(request.path[1..].parse().unwrap())
        }
        ("/always", _) => status(500),
        _ => ok("picture"),
    });
    for path in [
        "/500",
        "/502",
        "/503",
        "/504",
        "/429",
        "/408",
        "/closed",
        "/garbage",
        "/stalls",
        "/stalls-within",
        "/empty",
    ] {
        let (came, counts) = once(&server.url(path));
        assert_eq!(came.as_deref(), Ok(b"picture".as_slice()), "{path}");
        assert_eq!(server.count(path), counts.retries + 1, "{path}");
        assert!(counts.retries > 0, "{path}");
    }
    for path in ["/404", "/410", "/403", "/401", "/400", "/501"] {
        let said = once(&server.url(path)).0.unwrap_err();
        assert!(said.contains(path) && said.contains(&path[1..]), "{said}");
        assert_eq!(server.count(path), 1, "{path}");
    }
    let said = once(&server.url("/always")).0.unwrap_err();
    assert!(said.contains("500") && said.contains("tried 4 times"), "{said}");
    assert_eq!(server.count("/always"), 4);
}

#[test]
fn a_body_that_is_not_whole_is_never_taken() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n";
    let cut = format!("{head}Content-Length: 100\r\n\r\nonly so much");
    let chunks = format!("{head}Transfer-Encoding: chunked\r\n\r\n4\r\nonly\r\n");
    let in_chunk = format!("{head}Transfer-Encoding: chunked\r\n\r\n400\r\nonly");
    let gzip = format!("{head}Content-Encoding: gzip\r\nContent-Length: 12\r\n\r\n");
    let gzip = [gzip.as_bytes(), &[31, 139, 8, 0, 0, 0, 0, 0, 0, 3, 43, 200]].concat();
    let replies = [cut.into_bytes(), chunks.into_bytes(), in_chunk.into_bytes(), gzip];
    let server = Server::start(move |request| {
        Reply::Raw(replies[request.path[1..].parse::<usize>().unwrap()].clone())
    });
    for path in ["/0", "/1", "/2", "/3"] {
        let (came, counts) = once(&server.url(path));
        let said = came.expect_err(path);
        assert!(said.contains("the answer ended after"), "{path}: {said}");
        assert_eq!(counts.failed, 1);
    }
    assert_eq!(server.count("/0"), 4);
}

#[test]
fn compressed_and_chunked_bodies_are_read() {
    let head = "HTTP/1.1 200 OK\r\nETag: \"e\"\r\n";
    // "picture" by gzip, stored.
    let gzip: &[u8] = &[
        31, 139, 8, 0, 0, 0, 0, 0, 0, 3, 1, 7, 0, 248, 255, b'p', b'i', b'c', b't', b'u', b'r',
        b'e', 0xdb, 0x4d, 0x15, 0x40, 7, 0, 0, 0,
    ];
    let crc = {
        let mut crc = !0u32;
        for byte in b"picture" {
            crc ^= u32::from(*byte);
            for _ in 0..8 {
                crc = (crc >> 1) ^ (0xedb8_8320 & (0u32.wrapping_sub(crc & 1)));
            }
        }
        (!crc).to_le_bytes()
    };
    let mut gzip = gzip.to_vec();
    gzip[22..26].copy_from_slice(&crc);
    let length = gzip.len();
    let gzip = [
        format!("{head}Content-Encoding: gzip\r\nContent-Length: {length}\r\n\r\n").into_bytes(),
        gzip,
    ]
    .concat();
    let chunked =
        format!("{head}Transfer-Encoding: chunked\r\n\r\n4\r\npict\r\n3\r\nure\r\n0\r\n\r\n");
    let brotli = format!("{head}Content-Encoding: br\r\nContent-Length: 3\r\n\r\nabc");
    let server = Server::start(move |request| match request.path.as_str() {
        "/gzip" => Reply::Raw(gzip.clone()),
        "/chunked" => Reply::Raw(chunked.clone().into_bytes()),
        _ => Reply::Raw(brotli.clone().into_bytes()),
    });
    assert_eq!(once(&server.url("/gzip")).0.as_deref(), Ok(b"picture".as_slice()));
    assert_eq!(once(&server.url("/chunked")).0.as_deref(), Ok(b"picture".as_slice()));
    let said = once(&server.url("/brotli")).0.unwrap_err();
    assert!(said.contains("encoded as br"), "{said}");
}

#[test]
fn what_is_too_large_is_refused_before_and_while_it_is_read() {
    let head = "HTTP/1.1 200 OK\r\n";
    let server = Server::start(move |request| match request.path.as_str() {
        "/says" => Reply::Stall(format!("{head}Content-Length: 100001\r\n\r\n").into_bytes()),
        "/lies" => Reply::Endless(format!("{head}\r\n").into_bytes()),
        _ => ok(vec![1; 100_000]),
    });
    for path in ["/says", "/lies"] {
        let folder = TempDir::new().unwrap();
        let fetcher = fetcher(options(folder.path()));
        let error = get(&fetcher, &server.url(path)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
        assert!(error.to_string().contains("100000"), "{error}");
        assert_eq!(server.count(path), 1);
        assert_eq!(files(folder.path()), Vec::<PathBuf>::new(), "{path}");
    }
    assert_eq!(once(&server.url("/fits")).0.unwrap().len(), 100_000);
}

#[test]
fn a_server_that_is_slow_without_end_does_not_hold_the_run_up() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
    // A byte at a time, each soon enough: only the time for the whole ends it.
    let server = Server::start(move |_| Reply::Drip(head.into(), 1000, Duration::from_millis(100)));
    let folder = TempDir::new().unwrap();
    let mut options = options(folder.path());
    (options.tries, options.whole) = (2, Duration::from_millis(500));
    let said = get(&fetcher(options), &server.url("/x")).unwrap_err().to_string();
    assert!(said.contains("took too long") && said.contains("tried 2 times"), "{said}");
}

#[test]
fn redirects_are_followed_to_an_end() {
    let other = Server::start(|_| ok("elsewhere"));
    let there = other.url("/there");
    let server = Server::start(move |request| match request.path.as_str() {
        "/loop" => redirect("/loop"),
        "/nowhere" => status(302),
        "/file" => redirect("file:///etc/passwd"),
        "/away" => redirect(&there),
        path => match path[1..].parse::<u32>() {
            Ok(0) => ok("picture"),
            Ok(n) => redirect(&format!("{}", n - 1)),
            Err(_) => status(404),
        },
    });
    assert_eq!(once(&server.url("/5")).0.as_deref(), Ok(b"picture".as_slice()));
    assert_eq!(once(&server.url("/away")).0.as_deref(), Ok(b"elsewhere".as_slice()));
    for (path, says) in
        [("/6", "more than 5"), ("/loop", "more than 5"), ("/file", "file"), ("/nowhere", "302")]
    {
        let said = once(&server.url(path)).0.unwrap_err();
        assert!(said.contains(says), "{said}");
    }
    assert_eq!(server.count("/loop"), 6);
}

#[test]
fn private_addresses_are_asked_only_if_allowed() {
    let server = Server::start(|_| ok("secret"));
    let port = server.address.port();
    let folder = TempDir::new().unwrap();
    let mut options = options(folder.path());
    options.allow_private = false;
    let fetcher = fetcher(options);
    for url in [
        server.url("/x"),
        format!("http://localhost:{port}/x"),
        format!("http://[::ffff:127.0.0.1]:{port}/x"),
        format!("http://0.0.0.0:{port}/x"),
        "http://169.254.169.254/latest/meta-data/".into(),
        "http://[fd00:ec2::254]/latest/meta-data/".into(),
        "http://10.0.0.1/".into(),
    ] {
        let said = get(&fetcher, &url).unwrap_err().to_string();
        assert!(said.contains("--allow-private"), "{url}: {said}");
    }
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn secrets_go_to_their_host_alone_and_are_not_said() {
    let other = Server::start(|_| ok("elsewhere"));
    let there = other.url("/there");
    let server = Server::start(move |request| match request.path.as_str() {
        "/away" => redirect(&there),
        _ => status(404),
    });
    let url = |path: &str| server.url(path).replace("http://", "http://user:s3cret@");
    let said = once(&url("/x")).0.unwrap_err();
    assert!(!said.contains("s3cret") && said.contains("/x"), "{said}");
    assert_eq!(server.requests()[0].headers["authorization"], "Basic dXNlcjpzM2NyZXQ=");
    assert!(once(&url("/away")).0.is_ok());
    assert_eq!(other.requests()[0].headers.get("authorization"), None);
}

#[test]
fn pages_in_html_are_said_to_be_such() {
    let html = "<!DOCTYPE html><title>Sign in</title>";
    let server = Server::start(move |request| match request.path.as_str() {
        "/by-type" => ok("<div>gone</div>").with("Content-Type", "text/html; charset=utf-8"),
        _ => ok(html),
    });
    for path in ["/by-type", "/by-look"] {
        let said = once(&server.url(path)).0.unwrap_err();
        assert!(said.contains("a page in HTML came instead of a picture"), "{said}");
    }
}

#[test]
fn a_later_run_asks_whether_anything_has_changed() {
    let server = Server::start(|request| {
        let same = |name: &str, value: &str| {
            request.headers.get(name).is_some_and(|theirs| theirs == value)
        };
        let (etag, date) = ("\"one\"", "Wed, 21 Oct 2015 07:28:00 GMT");
        match request.path.as_str() {
            "/etag" if same("if-none-match", etag) => Reply::Full(304, Vec::new(), Vec::new()),
            "/etag" => ok("picture").with("ETag", etag),
            "/date" if same("if-modified-since", date) => Reply::Full(304, Vec::new(), Vec::new()),
            "/date" => ok("picture").with("Last-Modified", date),
            "/changes" => {
                ok(format!("picture {}", request.nth)).with("ETag", &format!("\"{}\"", request.nth))
            }
            "/moved" => redirect("/etag"),
            _ => ok("picture"),
        }
    });
    let folder = TempDir::new().unwrap();
    for (path, unchanged, second) in [
        ("/etag", 1, "picture"),
        ("/date", 1, "picture"),
        ("/moved", 1, "picture"),
        ("/neither", 0, "picture"),
        ("/changes", 0, "picture 1"),
    ] {
        assert!(get(&fetcher(options(folder.path())), &server.url(path)).is_ok());
        let later = fetcher(options(folder.path()));
        assert_eq!(get(&later, &server.url(path)).unwrap(), second.as_bytes(), "{path}");
        let counts = later.counts();
        assert_eq!((counts.unchanged, counts.fetched), (unchanged, 1 - unchanged), "{path}");
    }
}

#[test]
fn what_is_damaged_in_the_cache_is_fetched_again() {
    let server = Server::start(|request| match request.headers.get("if-none-match") {
        Some(_) => Reply::Full(304, Vec::new(), Vec::new()),
        None => ok("a picture of some length").with("ETag", "\"e\""),
    });
    let damages: [fn(&mut Vec<u8>); 5] = [
        |bytes| bytes.truncate(10),
        Vec::clear,
        |bytes| bytes[3] ^= 1,
        |bytes| {
            let at = bytes.len() - 12;
            bytes[at..at + 4].fill(0xff);
        },
        |bytes| bytes.push(0),
    ];
    for damage in damages {
        let folder = TempDir::new().unwrap();
        let url = server.url("/x");
        assert!(get(&fetcher(options(folder.path())), &url).is_ok());
        let entry = files(folder.path()).pop().unwrap();
        let mut bytes = fs::read(&entry).unwrap();
        damage(&mut bytes);
        fs::write(&entry, bytes).unwrap();
        let later = fetcher(options(folder.path()));
        assert_eq!(get(&later, &url).unwrap(), b"a picture of some length");
        assert_eq!(later.counts().fetched, 1);
    }
}

#[test]
fn a_body_without_a_length_is_not_believed_the_next_time() {
    let server = Server::start(|_| {
        Reply::Raw(b"HTTP/1.1 200 OK\r\nETag: \"e\"\r\nConnection: close\r\n\r\npicture".to_vec())
    });
    let folder = TempDir::new().unwrap();
    for _ in 0..2 {
        let fetcher = fetcher(options(folder.path()));
        assert_eq!(get(&fetcher, &server.url("/x")).unwrap(), b"picture");
    }
    assert!(server.requests().iter().all(|r| !r.headers.contains_key("if-none-match")));
}

#[test]
fn an_earlier_runs_picture_stands_in_while_its_server_fails() {
    let server = Server::start(|request| match (request.path.as_str(), request.nth) {
        (_, 0) => ok("picture").with("ETag", "\"e\""),
        ("/gone", _) => status(404),
        _ => status(500),
    });
    let folder = TempDir::new().unwrap();
    let first = fetcher(options(folder.path()));
    for path in ["/fails", "/gone"] {
        assert!(get(&first, &server.url(path)).is_ok());
    }
    let later = fetcher(options(folder.path()));
    assert_eq!(get(&later, &server.url("/fails")).unwrap(), b"picture");
    assert_eq!(later.counts().stale, 1);
    assert!(later.stale()[0].why.contains("500"));
    // One that its server has taken away is gone.
    assert!(get(&later, &server.url("/gone")).is_err());
}

#[test]
fn a_host_is_asked_a_few_questions_at_a_time() {
    let server = Server::start(|_| Reply::Slow(Duration::from_millis(20), Box::new(ok("picture"))));
    let folder = TempDir::new().unwrap();
    let mut options = options(folder.path());
    options.per_host = 3;
    let fetcher = fetcher(options);
    let all: Vec<Address> = (0..60).map(|i| address(&server.url(&format!("/{i}")))).collect();
    fetcher.prefetch(all.iter().cloned());
    for address in &all {
        assert!(fetcher.get(address).is_ok());
    }
    // Fewer would be no use, more impolite.
    assert_eq!(server.most.load(Ordering::SeqCst), 3);
    assert_eq!(server.requests().len(), 60);
}

#[test]
fn a_server_that_asks_for_a_pause_gets_it() {
    let began = std::time::Instant::now();
    let times = Arc::new(std::sync::Mutex::new(Vec::new()));
    let noted = Arc::clone(&times);
    let server = Server::start(move |request| {
        noted.lock().unwrap().push(began.elapsed());
        match request.nth {
            0 => status(429).with("Retry-After", "1"),
            _ => ok("picture"),
        }
    });
    assert!(once(&server.url("/x")).0.is_ok());
    let times = times.lock().unwrap();
    assert!(times[1] - times[0] >= Duration::from_secs(1));

    // Whatever it asks for, in whatever form.
    let asked =
        ["18446744073709551615", "99999999999999999999999", "-1", "Fri, 31 Dec 9999 23:59:59 GMT"];
    for text in asked {
        let server = Server::start(move |_| status(500).with("Retry-After", text));
        assert!(once(&server.url("/x")).0.is_err(), "{text}");
    }

    // One that asks for more than there is gets no further questions, for no picture.
    let server = Server::start(|_| status(503).with("Retry-After", "86400"));
    let folder = TempDir::new().unwrap();
    let mut options = options(folder.path());
    options.per_host = 1;
    let fetcher = fetcher(options);
    for i in 0..10 {
        let said = get(&fetcher, &server.url(&format!("/{i}"))).unwrap_err().to_string();
        assert!(said.contains("86400 s"), "{said}");
    }
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_picture_that_always_fails_does_not_hold_up_its_host() {
    let server = Server::start(|request| match request.path.as_str() {
        "/0" => status(503),
        "/1" => status(429),
        _ => ok("picture"),
    });
    let folder = TempDir::new().unwrap();
    let fetcher = fetcher(options(folder.path()));
    let all: Vec<Address> = (0..40).map(|i| address(&server.url(&format!("/{i}")))).collect();
    fetcher.prefetch(all.iter().cloned());
    let failed = all.iter().filter(|address| fetcher.get(address).is_err()).count();
    assert_eq!((failed, fetcher.counts().fetched), (2, 38));
    assert_eq!((server.count("/0"), server.count("/1")), (4, 9));
}

#[test]
fn a_host_that_never_answers_is_given_up() {
    let server = Server::start(|_| Reply::Raw(Vec::new()));
    let folder = TempDir::new().unwrap();
    let fetcher = fetcher(options(folder.path()));
    let all: Vec<Address> = (0..200).map(|i| address(&server.url(&format!("/{i}")))).collect();
    fetcher.prefetch(all.iter().cloned());
    for address in &all {
        assert!(fetcher.get(address).is_err());
    }
    // None is lost: each is named.
    let failures = fetcher.failures();
    assert_eq!(failures.len(), 200);
    assert!(failures.iter().zip(&all).all(|(f, a)| f.address == a.to_string()));
    assert!(failures[199].why.contains("has not answered"), "{}", failures[199].why);
    assert!(server.requests().len() < 60, "{}", server.requests().len());
}

#[test]
fn one_host_that_stalls_does_not_hold_up_another() {
    let slow = Server::start(|_| Reply::Stall(Vec::new()));
    let quick = Server::start(|_| ok("picture"));
    let folder = TempDir::new().unwrap();
    let mut options = options(folder.path());
    // They share an address and differ in port, so their names must differ.
    (options.total, options.per_host, options.stall) = (3, 2, Duration::from_secs(20));
    let fetcher = fetcher(options);
    let port = slow.address.port();
    fetcher.prefetch((0..50).map(|i| address(&format!("http://localhost:{port}/{i}"))));
    for i in 0..50 {
        assert!(get(&fetcher, &quick.url(&format!("/{i}"))).is_ok());
    }
    assert_eq!(fetcher.counts().fetched, 50);
}

#[test]
fn progress_is_told_until_all_is_settled() {
    let server = Server::start(|request| match request.path.as_str() {
        "/3" => status(404),
        _ => ok("picture"),
    });
    let folder = TempDir::new().unwrap();
    let told = Arc::new(std::sync::Mutex::new(Vec::new()));
    let noted = Arc::clone(&told);
    let progress = move |counts: Counts| noted.lock().unwrap().push(counts);
    let fetcher = Fetcher::new(options(folder.path()), progress).unwrap();
    let all: Vec<Address> = (0..8).map(|i| address(&server.url(&format!("/{i}")))).collect();
    fetcher.prefetch(all.iter().cloned());
    for address in &all {
        let _ = fetcher.get(address);
    }
    while told.lock().unwrap().len() < 8 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let told = told.lock().unwrap();
    let last = told.iter().max_by_key(|counts| counts.settled()).unwrap();
    let all = Counts { asked: 8, fetched: 7, failed: 1, bytes: 49, ..Counts::default() };
    assert_eq!((told.len(), *last), (8, all));
}

#[test]
fn feeds_come_as_files_with_limits_of_their_own() {
    let body = "id,title\n".repeat(50_000);
    let length = body.len() as u64;
    let server = Server::start(move |request| match request.path.as_str() {
        "/moved" => redirect("/feed.csv"),
        _ => ok(body.clone()).with("Content-Type", "text/csv"),
    });
    let folder = TempDir::new().unwrap();
    let fetcher = fetcher(options(folder.path()));
    let mut feed = fetcher.feed(&address(&server.url("/moved"))).unwrap();
    assert_eq!(feed.address.to_string(), server.url("/feed.csv"));
    assert_eq!(feed.media_type.as_deref(), Some("text/csv"));
    let mut text = String::new();
    feed.read_to_string(&mut text).unwrap();
    assert_eq!((text.len() as u64, feed.length), (length, length));
    assert!(text.ends_with("id,title\n"));
}

#[test]
fn a_feeds_names_are_relative_to_where_it_came_from() {
    let server = Server::start(|request| match request.path.as_str() {
        "/feed" => redirect("/feeds/all.csv"),
        "/feeds/all.csv" => ok("id,image\n1,x.png\n"),
        "/feeds/x.png" => ok("picture"),
        _ => status(404),
    });
    let folder = TempDir::new().unwrap();
    let options = options(folder.path());
    let feed = address(&server.url("/feed"));
    let (sources, mut feed) = Sources::of_feed(&feed, options.clone(), |_| {}).unwrap();
    let mut text = String::new();
    feed.read_to_string(&mut text).unwrap();
    assert_eq!(text, "id,image\n1,x.png\n");
    sources.prefetch(["x.png"]).unwrap();
    assert_eq!(sources.read("x.png").unwrap(), b"picture");
    assert_eq!(sources.describe("x.png"), server.url("/feeds/x.png"));
    assert!(sources.read("file:///etc/passwd").is_err());
    assert_eq!(sources.fetcher().unwrap().counts().to_string(), "2 fetched (0.0 MB)");

    // A catalogue of files needs no cache.
    let own = folder.path().join("shop");
    fs::create_dir(&own).unwrap();
    fs::write(own.join("x.png"), "file").unwrap();
    let cache = folder.path().join("unused");
    let options = Options { cache: cache.clone(), ..options };
    let sources = Sources::new(Finder::in_folder(&own), options, |_| {});
    sources.prefetch(["x.png", "none.png", "ftp://a/x.png"]).unwrap();
    assert_eq!(sources.read("x.png").unwrap(), b"file");
    assert!(sources.fetcher().is_none() && !cache.exists());
}

/// Speaks https as `localhost`.
fn tls() -> impl Fn(TcpStream) -> rustls::StreamOwned<rustls::ServerConnection, TcpStream> {
    let file = |name: &str| format!("{}/tests/tls/{name}", env!("CARGO_MANIFEST_DIR"));
    let chain = CertificateDer::from_pem_file(file("host.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(file("host.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![chain], key)
        .unwrap();
    let config = Arc::new(config);
    move |stream| {
        let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
        rustls::StreamOwned::new(connection, stream)
    }
}

#[test]
fn https_is_spoken_and_certificates_are_checked() {
    let server = Server::over(|_| ok("picture"), tls());
    let url = format!("https://localhost:{}/x", server.address.port());
    let folder = TempDir::new().unwrap();
    let said = get(&fetcher(options(folder.path())), &url).unwrap_err().to_string();
    assert!(said.contains("no secure connection"), "{said}");
    let roots = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls/ca.pem").into();
    let trusting = fetcher(Options { roots: Some(roots), ..options(folder.path()) });
    assert_eq!(get(&trusting, &url).unwrap(), b"picture");
}

#[test]
fn files_of_others_in_the_caches_folder_stay() {
    let folder = TempDir::new().unwrap();
    let cache = folder.path().join("cache");
    fs::create_dir_all(cache.join("ab")).unwrap();
    let long_ago = std::time::SystemTime::now() - Duration::from_secs(400 * 24 * 3600);
    let old = |path: &str| {
        let mut file = fs::File::create(cache.join(path)).unwrap();
        file.write_all(b"x").unwrap();
        file.set_modified(long_ago).unwrap();
    };
    for path in ["own.png", "ab/own.png", "ab/old.fetched"] {
        old(path);
    }
    fetcher(options(folder.path()));
    assert!(cache.join("own.png").exists() && cache.join("ab/own.png").exists());
    assert!(!cache.join("ab/old.fetched").exists());
}

#[test]
fn a_cache_that_cannot_be_written_is_said() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("cache"), "a file").unwrap();
    let error = Fetcher::new(options(folder.path()), |_| {}).err().unwrap().to_string();
    assert!(error.contains("--pictures"), "{error}");
}

/// What lies in the cache, ready or in the making.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            match entry.path() {
                path if path.is_dir() => open.push(path),
                path if path.extension().is_some_and(|e| e == "fetched") => found.push(path),
                _ => {}
            }
        }
    }
    found
}
