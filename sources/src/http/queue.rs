//! What is to be fetched, in which order, and when: the state that the fetching threads share.

use std::cmp::Reverse;
use std::collections::hash_map::DefaultHasher;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::hash::{Hash, Hasher};
use std::time::{Duration, Instant};

use lookalike_error::ErrorKind;

use super::exchange::{Again, Step};
use super::{Counts, Failure, Options, Want};
use crate::address::Address;

/// How many of a list are taken first along with one of them that is waited for: who asks for it
/// will ask for those next.
const ALONG: usize = 16;
/// A host that has not answered in any way to so many questions in a row is not asked again.
const SILENT: usize = 20;
/// No pause grows longer, unless a server asks for it.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What has come of an address.
#[derive(Clone)]
pub(super) enum Outcome {
    /// It is in the store; if from an earlier run though the server has failed now, why.
    Here {
        stale: Option<String>,
    },
    Failed(Failure),
}

enum Status {
    Queued,
    Asking,
    /// Waits for its next try.
    Later,
    Settled(Outcome),
}

struct Job {
    address: Address,
    /// Where redirects have led.
    at: Address,
    want: Want,
    hops: u32,
    tries: u32,
    /// How often it has been told to wait.
    pauses: u32,
    since: Option<Instant>,
    urgent: bool,
    status: Status,
}

#[derive(Default)]
struct Host {
    queue: VecDeque<usize>,
    active: usize,
    /// Questions at a time; fewer than the options allow once it has said that they are too many.
    at_once: Option<usize>,
    until: Option<Instant>,
    silent: usize,
    /// Why it is not asked again.
    given_up: Option<String>,
}

/// A question to put.
pub(super) struct Question {
    pub(super) id: usize,
    pub(super) address: Address,
    pub(super) at: Address,
    pub(super) want: Want,
    /// The host is not to be asked, because.
    pub(super) given_up: Option<String>,
}

pub(super) enum Next {
    Ask(Box<Question>),
    /// Nothing until then, or until something changes.
    Wait(Option<Duration>),
}

/// The shared state.
#[derive(Default)]
pub(super) struct Queue {
    jobs: Vec<Job>,
    ids: HashMap<String, usize>,
    hosts: HashMap<String, Host>,
    later: BinaryHeap<Reverse<(Instant, usize)>>,
    pub(super) counts: Counts,
    pub(super) workers: usize,
    pub(super) closed: bool,
}

impl Queue {
    /// Enters an address, once; its number.
    pub(super) fn enter(&mut self, address: &Address, want: &Want) -> usize {
        let key = address.key();
        if let Some(&id) = self.ids.get(&key) {
            return id;
        }
        let id = self.jobs.len();
        self.ids.insert(key, id);
        self.jobs.push(Job {
            address: address.clone(),
            at: address.clone(),
            want: want.clone(),
            hops: 0,
            tries: 0,
            pauses: 0,
            since: None,
            urgent: false,
            status: Status::Queued,
        });
        self.host(address.host()).queue.push_back(id);
        self.counts.asked += 1;
        id
    }

    /// Puts one that is waited for in front, and those that were entered after it behind it.
    pub(super) fn hurry(&mut self, id: usize) {
        if self.jobs[id].urgent {
            return;
        }
        self.jobs[id].urgent = true;
        for id in (id..self.jobs.len().min(id + ALONG)).rev() {
            if matches!(self.jobs[id].status, Status::Queued) {
                let host = self.jobs[id].at.host().to_owned();
                self.host(&host).queue.push_front(id);
            }
        }
    }

    /// Asks for one again whose body turned out to be damaged.
    pub(super) fn anew(&mut self, id: usize) {
        let job = &mut self.jobs[id];
        if let Status::Settled(_) = job.status {
            job.at = job.address.clone();
            (job.hops, job.tries, job.pauses, job.since) = (0, 0, 0, None);
            job.status = Status::Queued;
            let host = job.at.host().to_owned();
            self.host(&host).queue.push_front(id);
            self.counts.asked += 1;
        }
    }

    pub(super) fn outcome(&self, id: usize) -> Option<&Outcome> {
        match &self.jobs[id].status {
            Status::Settled(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// Those that have failed, and those that an earlier run's body stands in for, as entered.
    pub(super) fn troubles(&self) -> (Vec<Failure>, Vec<Failure>) {
        let (mut failed, mut stale) = (Vec::new(), Vec::new());
        for job in &self.jobs {
            match &job.status {
                Status::Settled(Outcome::Failed(failure)) => failed.push(failure.clone()),
                Status::Settled(Outcome::Here { stale: Some(why) }) => stale.push(Failure {
                    address: job.address.to_string(),
                    why: why.clone(),
                    kind: ErrorKind::Io,
                }),
                _ => {}
            }
        }
        (failed, stale)
    }

    /// What to ask next: of the hosts that may be asked, what is waited for, then what was entered
    /// first.
    pub(super) fn next(&mut self, options: &Options, now: Instant) -> Next {
        while let Some(&Reverse((time, id))) = self.later.peek() {
            if time > now {
                break;
            }
            self.later.pop();
            self.jobs[id].status = Status::Queued;
            let host = self.jobs[id].at.host().to_owned();
            self.host(&host).queue.push_front(id);
        }
        let mut wake = self.later.peek().map(|Reverse((time, _))| *time);
        let mut best: Option<(bool, usize, &str)> = None;
        for (name, host) in &mut self.hosts {
            // What was put in front is in the queue twice, and what was redirected in two.
            while host.queue.front().is_some_and(|&id| {
                let job = &self.jobs[id];
                !matches!(job.status, Status::Queued) || job.at.host() != name
            }) {
                host.queue.pop_front();
            }
            let Some(&id) = host.queue.front() else { continue };
            let at_once = host.at_once.unwrap_or(options.per_host).max(1);
            if host.given_up.is_none() {
                if host.active >= at_once {
                    continue;
                }
                if let Some(until) = host.until.filter(|until| *until > now) {
                    wake = Some(wake.map_or(until, |wake| wake.min(until)));
                    continue;
                }
            }
            let key = (!self.jobs[id].urgent, id, name.as_str());
            if best.is_none_or(|best| key < best) {
                best = Some(key);
            }
        }
        let Some((_, id, name)) = best else {
            return Next::Wait(wake.map(|wake| wake.saturating_duration_since(now)));
        };
        let name = name.to_owned();
        let host = self.host(&name);
        host.queue.pop_front();
        host.active += 1;
        let given_up = host.given_up.clone();
        let job = &mut self.jobs[id];
        job.status = Status::Asking;
        job.since.get_or_insert(now);
        Next::Ask(Box::new(Question {
            id,
            address: job.address.clone(),
            at: job.at.clone(),
            want: job.want.clone(),
            given_up,
        }))
    }

    /// Takes in what became of a question. `stale` says whether a body of an earlier run is there.
    pub(super) fn answer(
        &mut self,
        question: &Question,
        step: Step,
        options: &Options,
        now: Instant,
        stale: impl FnOnce() -> bool,
    ) {
        let id = question.id;
        let host = self.host(question.at.host());
        host.active -= 1;
        match step {
            Step::Again(Again { answered: false, .. }) => host.silent += 1,
            Step::Never { .. } => {}
            _ => host.silent = 0,
        }
        match step {
            Step::Fetched { bytes } => {
                self.counts.fetched += 1;
                self.counts.bytes += bytes;
                self.settle(id, Outcome::Here { stale: None });
            }
            Step::Unchanged => {
                self.counts.unchanged += 1;
                self.settle(id, Outcome::Here { stale: None });
            }
            Step::Elsewhere(at) => self.redirect(id, at, options),
            Step::Never { kind, why } => self.fail(id, kind, why),
            Step::Again(again) => {
                if let Err(why) = self.again(id, again, options, now) {
                    // Better what the server had the last time than nothing.
                    if stale() {
                        self.counts.stale += 1;
                        self.settle(id, Outcome::Here { stale: Some(why) });
                    } else {
                        self.fail(id, ErrorKind::Io, why);
                    }
                }
            }
        }
    }

    fn redirect(&mut self, id: usize, at: Address, options: &Options) {
        let job = &mut self.jobs[id];
        job.hops += 1;
        if job.hops > options.redirects {
            let why = format!("redirected more than {} times, at last to {at}", options.redirects);
            return self.fail(id, ErrorKind::BadCatalog, why);
        }
        let host = at.host().to_owned();
        job.at = at;
        job.status = Status::Queued;
        self.host(&host).queue.push_front(id);
    }

    /// Has it asked again later; or says why not.
    fn again(
        &mut self,
        id: usize,
        again: Again,
        options: &Options,
        now: Instant,
    ) -> Result<(), String> {
        let job = &mut self.jobs[id];
        // To be told to wait is no failure yet.
        job.tries += u32::from(!again.too_many);
        job.pauses += 1;
        let pause = again.pause.unwrap_or_else(|| growing(&job.address, job.pauses, options));
        let since = job.since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        let (tries, pauses) = (job.tries, job.pauses);
        // A server may ask for any number of seconds.
        let waited = since.saturating_add(pause) > options.patience;
        let at = job.at.host().to_owned();
        let Again { why, too_many, .. } = again;
        let host = self.host(&at);
        if host.given_up.is_some() {
            return Err(why);
        }
        if host.silent >= SILENT {
            host.given_up = Some(format!("{at} has not answered {SILENT} times in a row: {why}"));
        }
        if too_many {
            let at_once = host.at_once.unwrap_or(options.per_host);
            host.at_once = Some((at_once / 2).max(1));
            host.until = host.until.max(Some(now + pause.min(options.patience)));
            if pause > options.patience {
                let why = format!("{why} and asks to wait for {} s", pause.as_secs());
                host.given_up = Some(format!("{at} is not asked any more: {why}"));
                return Err(why);
            }
        }
        if tries >= options.tries || pauses > 2 * options.tries {
            return Err(format!("{why}; tried {pauses} times"));
        }
        if waited {
            return Err(format!("{why}; tried for {} s", since.as_secs()));
        }
        self.jobs[id].status = Status::Later;
        self.later.push(Reverse((now + pause, id)));
        self.counts.retries += 1;
        Ok(())
    }

    fn fail(&mut self, id: usize, kind: ErrorKind, why: String) {
        let job = &self.jobs[id];
        let redirected = if job.hops > 0 { format!(" (at {})", job.at) } else { String::new() };
        let address = job.address.to_string();
        self.counts.failed += 1;
        self.settle(id, Outcome::Failed(Failure { address, why: why + &redirected, kind }));
    }

    fn settle(&mut self, id: usize, outcome: Outcome) {
        self.jobs[id].status = Status::Settled(outcome);
    }

    fn host(&mut self, name: &str) -> &mut Host {
        if !self.hosts.contains_key(name) {
            self.hosts.insert(name.to_owned(), Host::default());
        }
        self.hosts.entry(name.to_owned()).or_default()
    }
}

/// Twice as long each time; not the same for all, so that they do not come back at once.
fn growing(address: &Address, pauses: u32, options: &Options) -> Duration {
    let mut hash = DefaultHasher::new();
    (address, pauses).hash(&mut hash);
    let spread = 0.75 + (hash.finish() % 1000) as f64 / 2000.0;
    let doubled = options.pause.saturating_mul(1 << pauses.saturating_sub(1).min(16));
    doubled.min(LONGEST_PAUSE).mul_f64(spread)
}
