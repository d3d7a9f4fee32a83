//! Serves a folder as any static host would, for trying and testing the page.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::UNIX_EPOCH;

use anyhow::{Result, anyhow, bail, ensure};
use percent_encoding::percent_decode_str;
use tiny_http::{Header, Method, Request, Response, Server, StatusCode};

/// As many requests at once as a browser makes to one host.
const THREADS: usize = 6;

/// Where to listen if nothing is said.
const PORTS: RangeInclusive<u16> = 8080..=8099;

pub struct Site {
    /// Canonical; nothing outside is served.
    root: PathBuf,
    /// Sends the headers that make the page cross-origin isolated, as threads need.
    isolate: bool,
    /// Lets pages of other origins read the files.
    cors: bool,
}

/// What a request comes to, before any file is opened.
#[derive(Debug, PartialEq)]
enum Route {
    File(PathBuf),
    /// A folder asked for without its slash.
    Redirect(String),
    NotFound,
}

/// Bytes `first..=last` of a file.
#[derive(Debug, PartialEq)]
enum Part {
    Whole,
    Range { first: u64, last: u64 },
    Unsatisfiable,
}

impl Site {
    pub fn new(root: &Path, isolate: bool, cors: bool) -> Result<Self> {
        let root = root
            .canonicalize()
            .map_err(|error| anyhow!("cannot serve {}: {error}", root.display()))?;
        ensure!(root.is_dir(), "cannot serve {}: it is no folder", root.display());
        Ok(Self { root, isolate, cors })
    }

    /// Serves until the process ends. Port 0 takes any free one, no port the first free one of
    /// [`PORTS`]. `ready` gets the address.
    pub fn serve(
        self,
        host: &str,
        port: Option<u16>,
        ready: impl FnOnce(SocketAddr),
    ) -> Result<()> {
        let server = listen(host, port.map_or(PORTS, |port| port..=port))?;
        ready(server.server_addr().to_ip().ok_or_else(|| anyhow!("no address"))?);
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    while let Ok(request) = server.recv() {
                        self.answer(request);
                    }
                });
            }
        });
        Ok(())
    }

    fn answer(&self, request: Request) {
        if !matches!(request.method(), Method::Get | Method::Head) {
            return self.refuse(request, 405);
        }
        match self.route(request.url()) {
            Route::File(path) => self.file(request, &path),
            Route::Redirect(to) => {
                let response = Response::empty(301).with_header(header("Location", &to));
                let _ = request.respond(response);
            }
            Route::NotFound => self.refuse(request, 404),
        }
    }

    fn route(&self, url: &str) -> Route {
        let address = url.split(['?', '#']).next().unwrap_or_default();
        let Ok(decoded) = percent_decode_str(address).decode_utf8() else {
            return Route::NotFound;
        };
        let mut path = self.root.clone();
        for name in decoded.split('/').filter(|name| !name.is_empty()) {
            // Covers `.` and `..` and what is hidden, such as the repository's own data.
            if name.starts_with('.') || name.contains(['\\', '\0', ':']) {
                return Route::NotFound;
            }
            path.push(name);
        }
        // Links are followed only as far as they stay inside.
        let Ok(path) = path.canonicalize() else {
            return Route::NotFound;
        };
        if !path.starts_with(&self.root) {
            return Route::NotFound;
        }
        if !path.is_dir() {
            return if address.ends_with('/') { Route::NotFound } else { Route::File(path) };
        }
        let index = path.join("index.html");
        if !index.is_file() {
            Route::NotFound
        } else if address.ends_with('/') {
            Route::File(index)
        } else {
            // One slash in front: two would name another host.
            Route::Redirect(format!("/{}/", address.trim_start_matches('/')))
        }
    }

    fn file(&self, request: Request, path: &Path) {
        let Ok(mut file) = File::open(path) else {
            return self.refuse(request, 404);
        };
        let Ok(meta) = file.metadata() else {
            return self.refuse(request, 404);
        };
        let len = meta.len();
        let changed = meta.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let tag = format!("\"{len:x}-{:x}\"", changed.map_or(0, |time| time.as_nanos()));

        let mut headers = self.headers();
        headers.push(header("Content-Type", mime(path)));
        headers.push(header("ETag", &tag));
        headers.push(header("Accept-Ranges", "bytes"));
        // Kept, but asked about each time: whoever edits a file sees it at once.
        headers.push(header("Cache-Control", "no-cache"));

        if field(&request, "If-None-Match") == Some(tag.as_str()) {
            let _ = request.respond(Response::new(
                StatusCode(304),
                headers,
                std::io::empty(),
                Some(0),
                None,
            ));
            return;
        }
        let range = match field(&request, "If-Range") {
            Some(of) if of != tag => None,
            _ => field(&request, "Range"),
        };
        let (status, first, count) = match part(range, len) {
            Part::Whole => (200, 0, len),
            Part::Range { first, last } => {
                headers.push(header("Content-Range", &format!("bytes {first}-{last}/{len}")));
                (206, first, last - first + 1)
            }
            Part::Unsatisfiable => {
                headers.push(header("Content-Range", &format!("bytes */{len}")));
                (416, 0, 0)
            }
        };
        if file.seek(SeekFrom::Start(first)).is_err() {
            return self.refuse(request, 500);
        }
        // A browser that goes away in the middle is no error of ours.
        let _ = request.respond(
            Response::new(
                StatusCode(status),
                headers,
                file.take(count),
                usize::try_from(count).ok(),
                None,
            )
            // Sizes are known, and the page's progress reads them.
            .with_chunked_threshold(usize::MAX),
        );
    }

    fn refuse(&self, request: Request, status: u16) {
        let text = match status {
            404 => "404: there is no such file\n",
            405 => "405: this server only answers GET and HEAD\n",
            _ => "500: the file cannot be read\n",
        };
        let mut response = Response::from_string(text).with_status_code(status);
        for header in self.headers() {
            response.add_header(header);
        }
        let _ = request.respond(response);
    }

    /// What every answer carries.
    fn headers(&self) -> Vec<Header> {
        let mut headers = vec![header("X-Content-Type-Options", "nosniff")];
        if self.isolate {
            headers.push(header("Cross-Origin-Opener-Policy", "same-origin"));
            headers.push(header("Cross-Origin-Embedder-Policy", "require-corp"));
            headers.push(header("Cross-Origin-Resource-Policy", "same-origin"));
        }
        if self.cors {
            headers.push(header("Access-Control-Allow-Origin", "*"));
        }
        headers
    }
}

/// On the first of these ports that no other program has.
fn listen(host: &str, ports: RangeInclusive<u16>) -> Result<Server> {
    let (first, last) = (*ports.start(), *ports.end());
    for port in ports {
        match Server::http((host, port)) {
            Ok(server) => return Ok(server),
            Err(error) if port < last && in_use(error.as_ref()) => {}
            Err(error) if in_use(error.as_ref()) => {
                let tried =
                    if first < last { format!("{first} to {last}") } else { first.to_string() };
                bail!(
                    "cannot listen on {host}: port {tried} is in use; choose another with --port"
                );
            }
            Err(error) => bail!(
                "cannot listen on {host}:{port}: {error}; choose another address with --host or \
                 --port"
            ),
        }
    }
    bail!("no port to listen on")
}

fn in_use(error: &(dyn std::error::Error + 'static)) -> bool {
    let kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
    kind == Some(std::io::ErrorKind::AddrInUse)
}

/// One range of a file of `len` bytes; several, or one that cannot be read, give the whole, as the standard allows.
fn part(range: Option<&str>, len: u64) -> Part {
    let Some((first, last)) = range.and_then(|range| range.strip_prefix("bytes=")?.split_once('-'))
    else {
        return Part::Whole;
    };
    let (first, last) = (first.trim(), last.trim());
    let number = |text: &str| text.parse::<u64>().ok();
    match (number(first), number(last)) {
        (Some(first), _) if first >= len => Part::Unsatisfiable,
        (Some(first), None) if last.is_empty() => Part::Range { first, last: len - 1 },
        (Some(first), Some(last)) if first <= last => {
            Part::Range { first, last: last.min(len - 1) }
        }
        // The last so many bytes.
        (None, Some(count)) if first.is_empty() => {
            if count == 0 || len == 0 {
                Part::Unsatisfiable
            } else {
                Part::Range { first: len.saturating_sub(count), last: len - 1 }
            }
        }
        _ => Part::Whole,
    }
}

fn mime(path: &Path) -> &'static str {
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    match ending.as_str() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "wasm" => "application/wasm",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "gif" => "image/gif",
        "svg" => "image/svg+xml",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "md" | "txt" | "ts" | "csv" | "rs" | "toml" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

fn field<'a>(request: &'a Request, name: &'static str) -> Option<&'a str> {
    request
        .headers()
        .iter()
        .find(|header| header.field.equiv(name))
        .map(|header| header.value.as_str())
}

/// The values are ours or a path that came as a header line itself, so none can break out of the line.
fn header(name: &str, value: &str) -> Header {
    Header::from_bytes(name, value)
        .unwrap_or_else(|()| Header::from_bytes("X-Dropped-Header", name).expect("plain ASCII"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Write;
    use std::net::TcpStream;
    use std::sync::mpsc;

    fn site(name: &str) -> (PathBuf, Site) {
        let root = std::env::temp_dir().join(format!("xtask-serve-{name}-{}", std::process::id()));
        crate::cache::fresh_folder(&root).expect("scratch folder");
        fs::create_dir_all(root.join("www/sub")).expect("folders");
        fs::create_dir_all(root.join(".git")).expect("folders");
        fs::write(root.join(".git/config"), "secret").expect("file");
        fs::write(root.join("www/index.html"), "<p>").expect("file");
        fs::write(root.join("www/a b.wasm"), "0123456789").expect("file");
        let site = Site::new(&root, true, false).expect("site");
        (root, site)
    }

    #[test]
    fn nothing_outside_the_folder_is_served() {
        let (root, site) = site("outside");
        for url in [
            "/../etc/passwd",
            "/%2e%2e/etc/passwd",
            "/www/..%2f..%2f..%2fetc/passwd",
            "/.git/config",
            "/www/%2E./%2E./.git/config",
            "/..\\x",
            "/www/a%00b",
            "/%ff",
            "/missing",
            "/www/sub/",
            "/www/a%20b.wasm/",
            "//etc/passwd",
        ] {
            assert_eq!(site.route(url), Route::NotFound, "{url}");
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("/etc", root.join("link")).expect("link");
            assert_eq!(site.route("/link/passwd"), Route::NotFound);
        }
        fs::remove_dir_all(root).expect("clean up");
    }

    #[test]
    fn files_folders_and_escapes() {
        let (root, site) = site("files");
        assert_eq!(site.route("/www/a%20b.wasm?v=1"), Route::File(site.root.join("www/a b.wasm")));
        assert_eq!(site.route("/www/"), Route::File(site.root.join("www/index.html")));
        assert_eq!(site.route("/www"), Route::Redirect("/www/".into()));
        assert_eq!(site.route("//www"), Route::Redirect("/www/".into()));
        fs::remove_dir_all(root).expect("clean up");
    }

    #[test]
    fn ranges() {
        let range = |first, last| Part::Range { first, last };
        for (text, len, wanted) in [
            ("bytes=0-3", 10, range(0, 3)),
            ("bytes=4-", 10, range(4, 9)),
            ("bytes=-3", 10, range(7, 9)),
            ("bytes=-30", 10, range(0, 9)),
            ("bytes=8-30", 10, range(8, 9)),
            ("bytes=10-", 10, Part::Unsatisfiable),
            ("bytes=0-", 0, Part::Unsatisfiable),
            ("bytes=-0", 10, Part::Unsatisfiable),
            ("bytes=-5", 0, Part::Unsatisfiable),
            ("bytes=5-2", 10, Part::Whole),
            ("bytes=0-1,3-4", 10, Part::Whole),
            ("bytes=-", 10, Part::Whole),
            ("bytes=x-y", 10, Part::Whole),
            ("lines=0-1", 10, Part::Whole),
        ] {
            assert_eq!(part(Some(text), len), wanted, "{text} of {len}");
        }
        assert_eq!(part(None, 10), Part::Whole);
    }

    #[test]
    fn a_port_that_is_taken_is_said_or_passed_over() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = taken.local_addr().expect("address").port();
        let refused = listen("127.0.0.1", port..=port).err().expect("taken").to_string();
        assert!(refused.contains(&port.to_string()) && refused.contains("--port"), "{refused}");
        let passed = listen("127.0.0.1", port..=port.saturating_add(20)).expect("the next");
        assert_ne!(passed.server_addr().to_ip().expect("address").port(), port);
        let elsewhere = listen("192.0.2.1", 0..=0).err().expect("not ours").to_string();
        assert!(elsewhere.contains("--host"), "{elsewhere}");
    }

    #[test]
    fn only_folders_are_served() {
        let (root, site) = site("folders");
        let file = Site::new(&root.join("www/index.html"), false, false).err().expect("a file");
        assert!(file.to_string().contains("no folder"), "{file}");
        assert!(Site::new(&site.root.join("nowhere"), false, false).is_err());
        fs::remove_dir_all(root).expect("clean up");
    }

    fn ask(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).expect("connect");
        write!(stream, "{request}\r\nHost: x\r\nConnection: close\r\n\r\n").expect("send");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("read");
        answer
    }

    #[test]
    fn answers_over_http() {
        let (root, site) = site("http");
        let (send, receive) = mpsc::channel();
        // Serves until the test process ends.
        thread::spawn(move || {
            site.serve("127.0.0.1", Some(0), |address| send.send(address).expect("send"))
        });
        let address = receive.recv().expect("address");

        let whole = ask(address, "GET /www/a%20b.wasm HTTP/1.1");
        assert!(whole.starts_with("HTTP/1.1 200"), "{whole}");
        for wanted in [
            "Content-Type: application/wasm",
            "Content-Length: 10",
            "require-corp",
            "\r\n\r\n0123456789",
        ] {
            assert!(whole.contains(wanted), "{wanted} is missing from {whole}");
        }
        let tag =
            whole.split("ETag: ").nth(1).and_then(|rest| rest.split("\r\n").next()).expect("a tag");
        let again = ask(address, &format!("GET /www/a%20b.wasm HTTP/1.1\r\nIf-None-Match: {tag}"));
        assert!(again.starts_with("HTTP/1.1 304") && again.ends_with("\r\n\r\n"), "{again}");
        let part = ask(address, "GET /www/a%20b.wasm HTTP/1.1\r\nRange: bytes=2-4");
        assert!(part.starts_with("HTTP/1.1 206") && part.ends_with("\r\n\r\n234"), "{part}");
        assert!(part.contains("Content-Range: bytes 2-4/10"), "{part}");
        let head = ask(address, "HEAD /www/a%20b.wasm HTTP/1.1");
        assert!(head.contains("Content-Length: 10") && head.ends_with("\r\n\r\n"), "{head}");
        assert!(ask(address, "GET /nowhere HTTP/1.1").starts_with("HTTP/1.1 404"));
        assert!(
            ask(address, "POST /www/ HTTP/1.1\r\nContent-Length: 0").starts_with("HTTP/1.1 405")
        );
        fs::remove_dir_all(root).expect("clean up");
    }
}
