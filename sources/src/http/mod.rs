//! Fetching by `http` and `https`: in parallel, politely, and never in vain.
//!
//! Addresses are entered in a queue; threads of its own ask for them, so that whoever decodes
//! pictures has its processors to itself. What comes is kept in a cache on disk. A server that fails
//! is asked again after growing pauses, during which its turn is another's.

mod exchange;
mod guard;
mod queue;

use std::fmt;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Take};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use lookalike_error::{Error, ErrorKind, Result};

use self::exchange::{Again, Client, Step};
use self::queue::{Next, Outcome, Question, Queue};
use crate::address::Address;
use crate::store::Store;

/// How to fetch.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder in which what was fetched is kept from run to run.
    pub cache: PathBuf,
    /// Whether this machine and private networks may be asked.
    pub allow_private: bool,
    /// Questions to one host at a time.
    pub per_host: usize,
    /// Questions at a time, and threads.
    pub total: usize,
    /// The largest picture, in bytes.
    pub max_bytes: u64,
    /// The largest feed, in bytes.
    pub max_feed_bytes: u64,
    /// How often an address is asked for.
    pub tries: u32,
    /// For how long, all tries and pauses together; a try that has begun is not cut off by it.
    pub patience: Duration,
    /// The first pause before another try; each is twice as long as the one before.
    pub pause: Duration,
    /// How long finding a host may take, and connecting to it.
    pub connect: Duration,
    /// How long nothing at all may come.
    pub stall: Duration,
    /// How long one try for a picture may take.
    pub whole: Duration,
    /// How long one try for a feed may take.
    pub whole_feed: Duration,
    /// How often an address may lead to another.
    pub redirects: u32,
    /// Whether to go by the proxy that the environment names (`ALL_PROXY`, `HTTPS_PROXY`,
    /// `HTTP_PROXY`, but for `NO_PROXY`).
    pub proxy: bool,
    /// The certificates to trust instead of Mozilla's: a file in PEM.
    pub roots: Option<PathBuf>,
}

impl Options {
    /// The usual ones: 4 questions a host and 16 in all, pictures of at most `max_bytes`, 4 tries
    /// within 3 minutes, 20 s without a byte.
    #[must_use]
    pub fn new(cache: PathBuf, max_bytes: u64) -> Self {
        Self {
            cache,
            allow_private: false,
            per_host: 4,
            total: 16,
            max_bytes,
            max_feed_bytes: 4 << 30,
            tries: 4,
            patience: Duration::from_secs(180),
            pause: Duration::from_secs(1),
            connect: Duration::from_secs(10),
            stall: Duration::from_secs(20),
            whole: Duration::from_secs(120),
            whole_feed: Duration::from_secs(3600),
            redirects: 5,
            proxy: true,
            roots: None,
        }
    }
}

/// Where what was fetched is kept where nothing else is said: `lookalike/fetched` among the user's
/// caches (`~/.cache` on Linux).
#[must_use]
pub fn default_cache() -> PathBuf {
    let caches = dirs::cache_dir().unwrap_or_else(std::env::temp_dir);
    caches.join("lookalike").join("fetched")
}

/// How far the fetching is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Addresses entered.
    pub asked: usize,
    /// New or changed, and fetched.
    pub fetched: usize,
    /// The same as in an earlier run, as their servers have said.
    pub unchanged: usize,
    /// Taken from an earlier run, since their servers fail.
    pub stale: usize,
    /// Not to be had.
    pub failed: usize,
    /// Tries that failed and were followed by another.
    pub retries: usize,
    /// Of bodies that were fetched.
    pub bytes: u64,
}

impl fmt::Display for Counts {
    /// Such as "1200 fetched (83.1 MB), 30 unchanged, 4 failed".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} fetched ({:.1} MB)", self.fetched, self.bytes as f64 / 1e6)?;
        for (count, what) in [
            (self.unchanged, "unchanged"),
            (self.stale, "kept from an earlier run as their servers fail"),
            (self.failed, "failed"),
        ] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        Ok(())
    }
}

impl Counts {
    /// Addresses of which it is known what became of them.
    #[must_use]
    pub fn settled(&self) -> usize {
        self.fetched + self.unchanged + self.stale + self.failed
    }
}

/// An address that could not be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// As it was entered, without user name and password.
    pub address: String,
    /// What is wrong.
    pub why: String,
    /// Whose fault it is.
    pub kind: ErrorKind,
}

/// What to take, and what to call it.
#[derive(Clone)]
struct Want {
    what: &'static str,
    accept: &'static str,
    max_bytes: u64,
    whole: Duration,
}

/// What came from an address, as a file to read.
pub struct Fetched {
    /// Where it came from in the end.
    pub address: Address,
    /// What the server says that it is, such as `text/csv; charset=utf-8`.
    pub media_type: Option<String>,
    /// Of the body, in bytes.
    pub length: u64,
    body: Take<File>,
    /// Where in the file the body begins.
    begin: u64,
}

impl Read for Fetched {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.body.read(buffer)
    }
}

impl Seek for Fetched {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        let here = self.length - self.body.limit();
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
            SeekFrom::Current(by) => here.checked_add_signed(by),
        };
        let at = at.filter(|&at| at <= self.length).ok_or(std::io::ErrorKind::InvalidInput)?;
        self.body.get_mut().seek(SeekFrom::Start(self.begin + at))?;
        self.body.set_limit(self.length - at);
        Ok(at)
    }
}

type Progress = Box<dyn Fn(Counts) + Send + Sync>;

/// Fetches addresses. Each is asked for once in its life, however often it is wanted.
pub struct Fetcher {
    shared: Arc<Shared>,
}

struct Shared {
    options: Options,
    client: Client,
    store: Store,
    queue: Mutex<Queue>,
    /// There may be something to ask.
    work: Condvar,
    /// Something has been settled.
    settled: Condvar,
    progress: Progress,
}

impl Fetcher {
    /// Opens the cache; nothing is asked yet. `progress` is called from the fetching threads
    /// whenever an address is settled.
    ///
    /// # Errors
    ///
    /// Where the cache's folder cannot be written, or the root certificates cannot be read.
    pub fn new(
        options: Options,
        progress: impl Fn(Counts) + Send + Sync + 'static,
    ) -> Result<Self> {
        let client = Client::new(&options)?;
        let store = Store::open(&options.cache)?;
        let (queue, work, settled) = (Mutex::default(), Condvar::new(), Condvar::new());
        let progress: Progress = Box::new(progress);
        let shared = Shared { options, client, store, queue, work, settled, progress };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Enters pictures that will be wanted, in the order in which they will: from now on they are
    /// fetched into the cache, whether or not anybody waits for them.
    pub fn prefetch(&self, addresses: impl IntoIterator<Item = Address>) {
        let want = self.picture();
        for address in addresses {
            let mut queue = self.shared.queue();
            queue.enter(&address, &want);
            self.shared.employ(&mut queue);
        }
    }

    /// A picture's bytes, waiting for them where they are still to be fetched.
    ///
    /// # Errors
    ///
    /// Where it cannot be had: why, and how often it was tried.
    pub fn get(&self, address: &Address) -> Result<Vec<u8>> {
        let key = address.key();
        self.whole(address, &self.picture(), |store| store.read(&key))
    }

    /// A feed, as a file to read.
    ///
    /// # Errors
    ///
    /// Where it cannot be had.
    pub fn feed(&self, address: &Address) -> Result<Fetched> {
        let Options { max_feed_bytes: max_bytes, whole_feed: whole, .. } = self.shared.options;
        let want = Want { what: "feed", accept: "*/*", max_bytes, whole };
        let key = address.key();
        let entry =
            self.whole(address, &want, |store| store.is_whole(&key).then(|| store.entry(&key))?)?;
        let (known, length) = (entry.known, entry.length);
        let (address, media_type) = (Address::parse(&known.from)?, known.media_type);
        let mut file = entry.file;
        let begin = file.stream_position().map_err(|cause| {
            Error::with_source(ErrorKind::Io, format!("cannot read {address}"), cause)
        })?;
        Ok(Fetched { address, media_type, length, body: file.take(length), begin })
    }

    /// How far it is.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.queue().counts
    }

    /// What could not be had so far, in the order in which it was entered.
    #[must_use]
    pub fn failures(&self) -> Vec<Failure> {
        self.shared.queue().troubles().0
    }

    /// For what an earlier run's body stands in so far, and why.
    #[must_use]
    pub fn stale(&self) -> Vec<Failure> {
        self.shared.queue().troubles().1
    }

    fn picture(&self) -> Want {
        // Formats that are read come first: some servers choose by this.
        let accept = "image/jpeg,image/png,image/webp,image/gif,image/*;q=0.5,*/*;q=0.3";
        let Options { max_bytes, whole, .. } = self.shared.options;
        Want { what: "picture", accept, max_bytes, whole }
    }

    /// Waits for an address and takes its body from the store; what is damaged there is fetched
    /// once more.
    fn whole<T>(
        &self,
        address: &Address,
        want: &Want,
        take: impl Fn(&Store) -> Option<T>,
    ) -> Result<T> {
        let mut queue = self.shared.queue();
        let id = queue.enter(address, want);
        for _ in 0..2 {
            queue.hurry(id);
            self.shared.employ(&mut queue);
            let outcome = loop {
                if let Some(outcome) = queue.outcome(id) {
                    break outcome.clone();
                }
                if queue.workers == 0 {
                    let what = format!("{address}: no thread could be started to fetch it");
                    return Err(Error::new(ErrorKind::Io, what));
                }
                queue = self.shared.settled.wait(queue).unwrap_or_else(PoisonError::into_inner);
            };
            drop(queue);
            if let Outcome::Failed(failure) = outcome {
                return Err(failure.error());
            }
            if let Some(body) = take(&self.shared.store) {
                return Ok(body);
            }
            self.shared.store.remove(&address.key());
            queue = self.shared.queue();
            queue.anew(id);
        }
        let folder = self.shared.options.cache.display();
        let what = format!("{address}: it cannot be read back from {folder}");
        Err(Error::new(ErrorKind::Io, what))
    }
}

impl Drop for Fetcher {
    fn drop(&mut self) {
        // Threads end after what they are asking for; nobody waits for them.
        self.shared.queue().closed = true;
        self.shared.work.notify_all();
    }
}

impl Failure {
    // No `From`: it would make the `?` of whoever uses this crate ambiguous.
    fn error(&self) -> Error {
        Error::new(self.kind, format!("{}: {}", self.address, self.why))
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the work done: by a new thread, as long as there are fewer than wanted.
    fn employ(self: &Arc<Self>, queue: &mut Queue) {
        let wanted = self.options.total.max(1).min(queue.counts.asked - queue.counts.settled());
        if queue.workers < wanted {
            let shared = Arc::clone(self);
            let thread = thread::Builder::new().name("fetch".to_owned());
            if thread.spawn(move || shared.run()).is_ok() {
                queue.workers += 1;
            }
        }
        self.work.notify_one();
    }

    fn run(&self) {
        let mut queue = self.queue();
        while !queue.closed {
            match queue.next(&self.options, Instant::now()) {
                Next::Ask(question) => {
                    drop(queue);
                    self.ask(&question);
                    queue = self.queue();
                }
                Next::Wait(None) => {
                    queue = self.work.wait(queue).unwrap_or_else(PoisonError::into_inner);
                }
                Next::Wait(Some(time)) => {
                    let waited = self.work.wait_timeout(queue, time);
                    queue = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
            }
        }
    }

    fn ask(&self, question: &Question) {
        // A bug in what is asked with must not leave those waiting who want the answer.
        let step = catch_unwind(AssertUnwindSafe(|| self.put(question)))
            .unwrap_or_else(|_| Step::Never { kind: ErrorKind::Internal, why: "a bug".to_owned() });
        let mut queue = self.queue();
        let before = queue.counts;
        let key = question.address.key();
        // Whether it is whole is looked at when it is read.
        let stale = || self.store.entry(&key).is_some();
        queue.answer(question, step, &self.options, Instant::now(), stale);
        let counts = queue.counts;
        drop(queue);
        // A host has a turn to give now, and what was redirected may be asked for.
        self.work.notify_all();
        if counts.settled() != before.settled() {
            self.store.touch(&key);
            self.settled.notify_all();
            (self.progress)(counts);
        }
    }

    fn put(&self, question: &Question) -> Step {
        if let Some(why) = &question.given_up {
            let why = why.clone();
            let pause = Some(self.options.patience);
            return Step::Again(Again { why, answered: true, too_many: false, pause });
        }
        let Question { address, at, want, .. } = question;
        let entry = self.store.entry(&address.key());
        let known = entry.map(|entry| entry.known);
        self.client.ask(address, at, want, known.as_ref(), &self.store)
    }
}
