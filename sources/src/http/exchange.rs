//! One question to one server, and what became of it.

use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use lookalike_error::{Error, ErrorKind, Result};
use ureq::http::{HeaderMap, Response, StatusCode, header};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Body, Proxy};

use super::guard::{Guard, Refused, check_number};
use super::{Options, Want};
use crate::address::Address;
use crate::file;
use crate::store::{Known, Store};

const USER_AGENT: &str = concat!("lookalike/", env!("CARGO_PKG_VERSION"));
/// What is read of a body before it is looked at.
const HEAD: usize = 512;
/// A list of root certificates is no larger.
const MAX_ROOTS: u64 = 16 << 20;

/// What became of a question.
pub(super) enum Step {
    /// A new body, now in the store.
    Fetched { bytes: u64 },
    /// The body in the store is what the server has.
    Unchanged,
    /// To be asked for elsewhere.
    Elsewhere(Address),
    /// May succeed another time.
    Again(Again),
    /// Will not.
    Never { kind: ErrorKind, why: String },
}

pub(super) struct Again {
    pub(super) why: String,
    /// Whether the server answered at all.
    pub(super) answered: bool,
    /// It asks for fewer questions; and to wait so long, if it says how long.
    pub(super) too_many: bool,
    pub(super) pause: Option<Duration>,
}

impl Step {
    /// Nothing can be kept.
    fn unkept(error: &Error) -> Self {
        Self::Never { kind: error.kind(), why: error.to_string() }
    }
}

pub(super) struct Client {
    agent: Agent,
    allow_private: bool,
}

impl Client {
    pub(super) fn new(options: &Options) -> Result<Self> {
        let mut config = Agent::config_builder()
            .user_agent(USER_AGENT)
            .http_status_as_error(false)
            // Each hop is looked at before it is asked.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_idle_connections(options.total)
            .max_idle_connections_per_host(options.per_host)
            .timeout_resolve(Some(options.connect))
            .timeout_connect(Some(options.connect))
            .timeout_send_request(Some(options.stall))
            .timeout_recv_response(Some(options.stall))
            .timeout_per_read(Some(options.stall))
            .timeout_per_write(Some(options.stall));
        if !options.proxy {
            config = config.proxy(None);
        }
        if let Some(path) = &options.roots {
            let mut roots = Vec::new();
            for item in parse_pem(&file::read(path, MAX_ROOTS)?) {
                match item {
                    Ok(PemItem::Certificate(root)) => roots.push(root),
                    Ok(_) => {}
                    Err(cause) => {
                        let what = format!("{} is no list of certificates", path.display());
                        return Err(Error::with_source(ErrorKind::BadFile, what, cause));
                    }
                }
            }
            let roots: Arc<Vec<Certificate<'static>>> = Arc::new(roots);
            config = config
                .tls_config(TlsConfig::builder().root_certs(RootCerts::Specific(roots)).build());
        }
        let guard =
            Guard { allow_private: options.allow_private, resolver: DefaultResolver::default() };
        let agent = Agent::with_parts(config.build(), DefaultConnector::default(), guard);
        Ok(Self { agent, allow_private: options.allow_private })
    }

    /// Asks for `at`, to which `address` has led, unless what is `known` of it still holds.
    pub(super) fn ask(
        &self,
        address: &Address,
        at: &Address,
        want: &Want,
        known: Option<&Known>,
        store: &Store,
    ) -> Step {
        // A proxy looks names up itself; a number needs no looking up.
        if !self.allow_private
            && let Err(refused) = check_number(at.host())
        {
            return never(ErrorKind::BadCatalog, refused.to_string());
        }
        let mut request = self.agent.get(at.to_string()).header(header::ACCEPT, want.accept);
        if let Some((user, password)) = at.credentials() {
            request = request.header(header::AUTHORIZATION, basic(&user, &password));
        }
        // They hold for the address that gave them.
        let known = known.filter(|known| known.from == at.to_string());
        if let Some(known) = known {
            if let Some(etag) = &known.etag {
                request = request.header(header::IF_NONE_MATCH, etag);
            }
            if let Some(date) = &known.last_modified {
                request = request.header(header::IF_MODIFIED_SINCE, date);
            }
        }
        let mut config = request.config().timeout_global(Some(want.whole));
        if is_this_machine(at.host()) {
            // A proxy's own machine is another one.
            config = config.proxy(None::<Proxy>);
        }
        match config.build().call() {
            Err(error) => failed(error, false),
            Ok(response) => match response.status() {
                StatusCode::OK => self.take(response, address, at, want, store),
                StatusCode::NOT_MODIFIED if known.is_some() => Step::Unchanged,
                status if status.is_redirection() => elsewhere(at, status, response.headers()),
                status => refused(status, response.headers()),
            },
        }
    }

    /// Reads a body into the store.
    fn take(
        &self,
        response: Response<Body>,
        address: &Address,
        at: &Address,
        want: &Want,
        store: &Store,
    ) -> Step {
        let (parts, mut body) = response.into_parts();
        let text = |name| text(&parts.headers, name);
        if let Some(encoding) = text(header::CONTENT_ENCODING).filter(|e| e != "identity") {
            let why = format!("it came encoded as {encoding}, which was not asked for");
            return never(ErrorKind::Unsupported, why);
        }
        // None where the body is compressed.
        let length = body.content_length();
        if let Some(length) = length.filter(|length| *length > want.max_bytes) {
            return too_large(format!("has {length} bytes"), want);
        }
        let media_type = text(header::CONTENT_TYPE);
        let mut making = match store.begin() {
            Ok(making) => making,
            Err(error) => return Step::unkept(&error),
        };
        let mut reader = body.as_reader();
        let (mut buffer, mut filled, mut bytes) = (vec![0; 64 << 10], 0, 0);
        loop {
            // The head is gathered, since what it is shows in more than a byte.
            let end = match reader.read(&mut buffer[filled..]) {
                Ok(n) => {
                    filled += n;
                    n == 0
                }
                Err(error) => {
                    let got = bytes + filled as u64;
                    return cut_short(error.into(), got, length);
                }
            };
            if bytes == 0 && filled < HEAD && !end {
                continue;
            }
            if bytes == 0
                && let Some(step) = unwanted(&buffer[..filled], media_type.as_deref(), want)
            {
                return step;
            }
            bytes += filled as u64;
            if bytes > want.max_bytes {
                return too_large("goes on".to_owned(), want);
            }
            if let Err(error) = making.write(&buffer[..filled]) {
                return Step::unkept(&error);
            }
            filled = 0;
            if end {
                break;
            }
        }
        if length.is_some_and(|length| length != bytes) {
            let eof = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
            return cut_short(eof.into(), bytes, length);
        }
        let mut known = Known::new(address.to_string(), at.to_string());
        known.media_type = media_type.clone();
        // Where the end of a body is but the connection's, nothing says that it was whole: it is
        // used, and fetched again the next time.
        let chunked = parts.headers.contains_key(header::TRANSFER_ENCODING);
        if chunked || length.is_some() {
            known.etag = text(header::ETAG);
            known.last_modified = text(header::LAST_MODIFIED);
        }
        match store.finish(&address.key(), making, known) {
            Ok(()) => Step::Fetched { bytes },
            Err(error) => Step::unkept(&error),
        }
    }
}

fn never(kind: ErrorKind, why: impl Into<String>) -> Step {
    Step::Never { kind, why: why.into() }
}

fn again(why: impl Into<String>, answered: bool) -> Step {
    Step::Again(Again { why: why.into(), answered, too_many: false, pause: None })
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.trim().to_owned()).filter(|text| !text.is_empty())
}

fn too_large(what: String, want: &Want) -> Step {
    let why = format!("it {what}; at most {} bytes are fetched", want.max_bytes);
    never(ErrorKind::TooLarge, why)
}

fn cut_short(error: ureq::Error, got: u64, length: Option<u64>) -> Step {
    let of = length.map(|length| format!(" of {length}")).unwrap_or_default();
    match failed(error, true) {
        Step::Again(mut again) => {
            again.why = format!("the answer ended after {got}{of} bytes ({})", again.why);
            Step::Again(again)
        }
        step => step,
    }
}

/// What is no picture though the server says that all is well.
fn unwanted(head: &[u8], media_type: Option<&str>, want: &Want) -> Option<Step> {
    if head.is_empty() {
        return Some(again("the answer is empty", true));
    }
    let start = String::from_utf8_lossy(head).trim_start_matches('\u{feff}').to_lowercase();
    let start = start.trim_start();
    let by_name = media_type.is_some_and(|t| t.to_lowercase().starts_with("text/html"))
        && start.starts_with('<')
        && !start.starts_with("<?xml")
        && !start.starts_with("<svg")
        && !start.starts_with("<rss");
    let by_look = ["<!doctype html", "<html", "<head", "<body"];
    if by_name || by_look.iter().any(|tag| start.starts_with(tag)) {
        let why = format!("a page in HTML came instead of a {}", want.what);
        return Some(never(ErrorKind::BadPicture, why));
    }
    None
}

fn elsewhere(at: &Address, status: StatusCode, headers: &HeaderMap) -> Step {
    let place = headers.get(header::LOCATION).map(|place| place.as_bytes());
    match (status.as_u16(), place) {
        (301 | 302 | 303 | 307 | 308, Some(place)) => {
            match at.join(&String::from_utf8_lossy(place)) {
                Ok(address) => Step::Elsewhere(address),
                Err(error) => never(ErrorKind::BadCatalog, format!("redirected: {error}")),
            }
        }
        _ => never(ErrorKind::BadCatalog, format!("the server answers {status} and nowhere to go")),
    }
}

fn refused(status: StatusCode, headers: &HeaderMap) -> Step {
    match status.as_u16() {
        401 | 403 => never(ErrorKind::BadCatalog, format!("the server refuses it ({status})")),
        404 | 410 => never(ErrorKind::BadCatalog, format!("there is none ({status})")),
        code @ (408 | 425 | 429 | 500 | 502..=504 | 506..=599) => {
            let pause = text(headers, header::RETRY_AFTER).as_deref().and_then(pause);
            Step::Again(Again {
                why: format!("the server answers {status}"),
                answered: true,
                // A 503 may be of this picture alone, unless it says for how long.
                too_many: code == 429 || (code == 503 && pause.is_some()),
                pause,
            })
        }
        _ => never(ErrorKind::BadCatalog, format!("the server answers {status}")),
    }
}

/// A `Retry-After`: seconds, or a date.
fn pause(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

/// What an error of the connection means.
fn failed(error: ureq::Error, answered: bool) -> Step {
    match &error {
        ureq::Error::Other(cause) if cause.is::<Refused>() => {
            never(ErrorKind::BadCatalog, cause.to_string())
        }
        // A certificate that does not hold now does not hold in a minute. Where it comes while
        // data is read, it is within an error of reading.
        ureq::Error::Rustls(_) | ureq::Error::Tls(_) | ureq::Error::TlsRequired => {
            never(ErrorKind::Io, format!("no secure connection: {error}"))
        }
        ureq::Error::Io(cause) if cause.get_ref().is_some_and(|c| c.is::<rustls::Error>()) => {
            never(ErrorKind::Io, format!("no secure connection: {cause}"))
        }
        ureq::Error::Http(_) | ureq::Error::BadUri(_) => {
            never(ErrorKind::BadCatalog, error.to_string())
        }
        ureq::Error::InvalidProxyUrl => never(ErrorKind::Io, error.to_string()),
        ureq::Error::LargeResponseHeader(..) => never(ErrorKind::TooLarge, error.to_string()),
        ureq::Error::Timeout(which) => again(format!("it took too long: {which}"), answered),
        ureq::Error::HostNotFound => again("there is no such host", answered),
        // A protocol error is one of an answer that was not HTTP.
        ureq::Error::Protocol(_) | ureq::Error::Decompress(..) => again(error.to_string(), true),
        ureq::Error::Io(cause) => again(cause.to_string(), answered),
        _ => again(error.to_string(), answered),
    }
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost") || host == "[::1]" || {
        host.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
    }
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))
}
