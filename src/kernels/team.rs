//! Parts of a layer at the same time, on threads that wait between layers.
//!
//! The threads are not made here: any thread that calls [`Team::assist`] is one, be it of the operating system or a worker
//! of a browser on the same memory. Parts are claimed one by one, also by the thread that asks for them. One that
//! never came, or died while it waited, therefore costs nothing but its share of the speed.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Runs parts of a layer at the same time.
pub trait Split: Sync {
    /// How many at once.
    fn width(&self) -> usize;
    /// Runs `job(0)` to `job(parts - 1)`, in any order, and waits for all.
    fn run(&self, parts: usize, job: &(dyn Fn(usize) + Sync));
}

/// One thread.
#[derive(Debug)]
pub struct Alone;

impl Split for Alone {
    fn width(&self) -> usize {
        1
    }

    fn run(&self, parts: usize, job: &(dyn Fn(usize) + Sync)) {
        (0..parts).for_each(job);
    }
}

/// How often a thread looks for work before it sleeps: some 20 µs, which is longer than most layers' unequal ends.
const LOOKS: usize = 20_000;

/// A part that takes longer than this will never end: its thread was killed.
const PATIENCE: Duration = Duration::from_secs(20);

type Job = &'static (dyn Fn(usize) + Sync);

struct Posted {
    job: Option<Job>,
    parts: usize,
    /// The next part to claim.
    next: usize,
    /// Parts that assistants have claimed and not finished.
    claimed: usize,
    /// An assistant panicked in a part.
    failed: bool,
}

/// Threads that share the layers of a network.
#[derive(Debug)]
pub struct Team {
    posted: Mutex<Posted>,
    /// Changes with every job, so that it can be looked for without the lock.
    posts: AtomicUsize,
    /// `Posted::claimed`, likewise.
    claimed: AtomicUsize,
    assistants: AtomicUsize,
    work: Condvar,
    done: Condvar,
}

impl std::fmt::Debug for Posted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {} parts, {} claimed", self.next, self.parts, self.claimed)
    }
}

impl Default for Team {
    fn default() -> Self {
        Self::new()
    }
}

impl Team {
    /// A team of the caller alone.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            posted: Mutex::new(Posted { job: None, parts: 0, next: 0, claimed: 0, failed: false }),
            posts: AtomicUsize::new(0),
            claimed: AtomicUsize::new(0),
            assistants: AtomicUsize::new(0),
            work: Condvar::new(),
            done: Condvar::new(),
        }
    }

    /// Threads that have come to assist.
    #[must_use]
    pub fn assistants(&self) -> usize {
        self.assistants.load(Ordering::Relaxed)
    }

    /// Takes parts of this team's jobs for ever.
    pub fn assist(&self) -> ! {
        self.assistants.fetch_add(1, Ordering::Relaxed);
        loop {
            let seen = self.posts.load(Ordering::Acquire);
            while let Some((job, part)) = self.claim(true) {
                let finish = Finish(self);
                job(part);
                drop(finish);
            }
            look(|| self.posts.load(Ordering::Acquire) != seen);
            let mut posted = self.lock();
            while self.posts.load(Ordering::Acquire) == seen {
                posted = self.work.wait(posted).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// Says that an assistant has ended within a part, where that does not unwind (wasm). The job that waits for it panics.
    pub fn lose(&self) {
        let mut posted = self.lock();
        if posted.claimed > 0 {
            self.end_part(&mut posted, true);
        }
    }

    fn end_part(&self, posted: &mut Posted, failed: bool) {
        posted.claimed -= 1;
        posted.failed |= failed;
        self.claimed.store(posted.claimed, Ordering::Release);
        if posted.claimed == 0 {
            self.done.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Posted> {
        // No code that panics runs under the lock.
        self.posted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next part, if any is left.
    fn claim(&self, assistant: bool) -> Option<(Job, usize)> {
        let mut posted = self.lock();
        let job = posted.job.filter(|_| posted.next < posted.parts)?;
        let part = posted.next;
        posted.next += 1;
        if assistant {
            posted.claimed += 1;
            self.claimed.store(posted.claimed, Ordering::Release);
        }
        Some((job, part))
    }
}

/// Looks for something for a while.
fn look(found: impl Fn() -> bool) {
    for _ in 0..LOOKS {
        if found() {
            return;
        }
        std::hint::spin_loop();
    }
}

/// Says that a claimed part has ended, also by a panic.
struct Finish<'a>(&'a Team);

impl Drop for Finish<'_> {
    fn drop(&mut self) {
        let mut posted = self.0.lock();
        self.0.end_part(&mut posted, std::thread::panicking());
    }
}

/// Takes a job back when all its claimed parts have ended, also when the caller's own part panics.
struct Withdraw<'a>(&'a Team);

impl Drop for Withdraw<'_> {
    fn drop(&mut self) {
        // Nothing more can be claimed from here on.
        self.0.lock().job = None;
        look(|| self.0.claimed.load(Ordering::Acquire) == 0);
        let mut posted = self.0.lock();
        while posted.claimed > 0 {
            let (again, waited) =
                self.0.done.wait_timeout(posted, PATIENCE).unwrap_or_else(PoisonError::into_inner);
            posted = again;
            if waited.timed_out() && posted.claimed > 0 {
                // The part may still write to what the job borrows: there is no way on from here.
                drop(posted);
                std::process::abort();
            }
        }
    }
}

impl Split for Team {
    fn width(&self) -> usize {
        1 + self.assistants()
    }

    fn run(&self, parts: usize, job: &(dyn Fn(usize) + Sync)) {
        // SAFETY: the reference is used by claimed parts only. `withdraw` is dropped before `job`'s borrow ends, on every way
        // out of this function; it takes the reference out of reach under the lock and then waits until no part is
        // claimed, or ends the process.
        let endless = unsafe { std::mem::transmute::<&(dyn Fn(usize) + Sync), Job>(job) };
        {
            let mut posted = self.lock();
            assert!(posted.job.is_none(), "a team runs one job at a time");
            (posted.job, posted.parts, posted.next, posted.failed) =
                (Some(endless), parts, 0, false);
            self.posts.fetch_add(1, Ordering::Release);
        }
        let withdraw = Withdraw(self);
        if parts > 1 {
            self.work.notify_all();
        }
        while let Some((job, part)) = self.claim(false) {
            job(part);
        }
        drop(withdraw);
        assert!(!self.lock().failed, "a thread of the team panicked");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_assistants(n: usize) -> &'static Team {
        let team: &'static Team = Box::leak(Box::default());
        for _ in 0..n {
            std::thread::spawn(|| team.assist());
        }
        while team.assistants() < n {
            std::thread::yield_now();
        }
        team
    }

    #[test]
    fn every_part_runs_once_and_before_run_returns() {
        for assistants in [0, 1, 3] {
            let team = with_assistants(assistants);
            assert_eq!(team.width(), assistants + 1);
            for round in 0..2000 {
                let parts = round % 9;
                // On the stack: a part that ran later would be seen by a sanitiser, and here by its count.
                let counts: Vec<AtomicUsize> = (0..parts).map(|_| AtomicUsize::new(0)).collect();
                team.run(parts, &|part| {
                    counts[part].fetch_add(1, Ordering::Relaxed);
                });
                assert!(
                    counts.iter().all(|c| c.load(Ordering::Relaxed) == 1),
                    "{round}: {counts:?}"
                );
            }
        }
    }

    #[test]
    fn one_that_never_comes_leaves_the_work_to_the_caller() {
        let team = Team::new();
        // As if it had died while it waited.
        team.assistants.fetch_add(1, Ordering::Relaxed);
        let ran = AtomicUsize::new(0);
        team.run(team.width(), &|_| {
            ran.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(ran.into_inner(), 2);
    }

    #[test]
    fn a_panic_of_any_part_is_the_callers_and_the_team_goes_on() {
        let team = with_assistants(2);
        for bad in 0..3 {
            let run = || {
                team.run(3, &|part| {
                    // Long enough for others to claim the rest.
                    std::thread::sleep(Duration::from_millis(5));
                    assert!(part != bad, "this part fails");
                });
            };
            assert!(std::panic::catch_unwind(run).is_err());
        }
        let ran = AtomicUsize::new(0);
        team.run(5, &|_| {
            ran.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(ran.into_inner(), 5);
    }
}
