//! How far long work is: a bar with an estimate on a terminal, now and then a plain line elsewhere,
//! such as in a log. Both go to standard error.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output;

/// Elsewhere than on a terminal: work that is done sooner is not worth a line.
const FIRST: Duration = Duration::from_secs(5);
/// The longest silence after that.
const SILENCE: Duration = Duration::from_secs(60);
/// How often it is looked whether a line is due.
const LOOK: Duration = Duration::from_millis(250);

static QUIET: AtomicBool = AtomicBool::new(false);

/// Shows no progress from here on.
pub(super) fn be_quiet() {
    QUIET.store(true, Ordering::Relaxed);
}

/// Work under way. When it is dropped the bar is gone, and the cursor at the start of its line.
pub(super) struct Progress(Shown);

enum Shown {
    Not,
    Bar(ProgressBar),
    Lines { done: Arc<AtomicU64>, stop: Option<mpsc::Sender<()>>, teller: Option<JoinHandle<()>> },
}

impl Progress {
    /// Work of `length` steps; 0 if it is not known how many.
    pub(super) fn new(length: usize, what: &'static str) -> Self {
        let length = length as u64;
        if QUIET.load(Ordering::Relaxed) {
            return Self(Shown::Not);
        }
        // Hidden where standard error is no terminal, or one that cannot move its cursor.
        let target = ProgressDrawTarget::stderr();
        Self(if target.is_hidden() { lines(length, what) } else { bar(length, what, target) })
    }

    /// So many more steps are done.
    pub(super) fn inc(&self, steps: u64) {
        match &self.0 {
            Shown::Not => {}
            Shown::Bar(bar) => bar.inc(steps),
            Shown::Lines { done, .. } => {
                done.fetch_add(steps, Ordering::Relaxed);
            }
        }
    }

    /// Says something while the work goes on.
    pub(super) fn remark(&self, text: impl std::fmt::Display) {
        match &self.0 {
            Shown::Bar(bar) => bar.suspend(|| output::remark(text)),
            _ => output::remark(text),
        }
    }

    /// The work is over.
    pub(super) fn finish(self) {
        drop(self);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        match &mut self.0 {
            Shown::Not => {}
            Shown::Bar(bar) => bar.finish_and_clear(),
            Shown::Lines { stop, teller, .. } => {
                drop(stop.take());
                if let Some(teller) = teller.take() {
                    let _ = teller.join();
                }
            }
        }
    }
}

fn bar(length: u64, what: &'static str, target: ProgressDrawTarget) -> Shown {
    // Little besides the bar, which gives way where the terminal is narrow.
    let template = match length {
        0 => "{spinner} {msg} {elapsed}",
        _ => "{msg} {wide_bar} {pos}/{len} {eta} left",
    };
    let bar = ProgressBar::with_draw_target((length > 0).then_some(length), target);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_message(what);
    bar.enable_steady_tick(Duration::from_millis(200));
    Shown::Bar(bar)
}

fn lines(length: u64, what: &'static str) -> Shown {
    let done = Arc::new(AtomicU64::new(0));
    let (stop, stopped) = mpsc::channel::<()>();
    let seen = Arc::clone(&done);
    let tell = move || {
        let start = Instant::now();
        let mut pace = Pace::default();
        while stopped.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
            let (done, took) = (seen.load(Ordering::Relaxed), start.elapsed());
            if pace.due(done, length, took) {
                output::remark(words(what, done, length, took));
            }
        }
    };
    // Without the thread there are no lines, and the work goes on.
    let teller = thread::Builder::new().name("progress".into()).spawn(tell).ok();
    Shown::Lines { done, stop: Some(stop), teller }
}

/// When a line is due: first after [`FIRST`], then with every further tenth of the work, or after
/// [`SILENCE`]; and each tenth not more often than the first.
#[derive(Default)]
struct Pace {
    last: Duration,
    tenths: u64,
}

impl Pace {
    fn due(&mut self, done: u64, length: u64, took: Duration) -> bool {
        let since = took.saturating_sub(self.last);
        let tenths = (done * 10).checked_div(length).unwrap_or(0);
        let first = self.last.is_zero();
        if since < FIRST || !(first || tenths > self.tenths || since >= SILENCE) {
            return false;
        }
        (self.last, self.tenths) = (took, tenths);
        true
    }
}

/// `embedding: 300 of 4000 (7 %), about 4 min left`.
fn words(what: &str, done: u64, length: u64, took: Duration) -> String {
    if length == 0 {
        return format!("{what}: {} so far", spoken(took));
    }
    let done = done.min(length);
    let mut text = format!("{what}: {done} of {length} ({} %)", done * 100 / length);
    if done > 0 {
        let left = took.mul_f64((length - done) as f64 / done as f64);
        text += &format!(", about {} left", spoken(left));
    }
    text
}

fn spoken(time: Duration) -> String {
    match time.as_secs() {
        s @ 0..120 => format!("{s} s"),
        s @ 120..7200 => format!("{} min", s / 60),
        s => format!("{} h {} min", s / 3600, s / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seconds at which lines are due, when a step is done each `step` seconds.
    fn told(length: u64, step: u64, until: u64) -> Vec<u64> {
        let mut pace = Pace::default();
        (0..until).filter(|&s| pace.due(s / step, length, Duration::from_secs(s))).collect()
    }

    #[test]
    fn lines_are_few_however_long_the_work_is() {
        assert!(told(4, 1, 5).is_empty(), "done before a line is worth it");
        assert_eq!(told(20, 1, 20), [5, 10, 15]);
        assert!(told(100_000, 1, 100_000).len() <= 100_000 / 60 + 10);
        assert!(told(600, 1, 600).windows(2).all(|w| w[1] - w[0] <= 60));
        assert_eq!(told(0, 1, 130), [5, 65, 125], "of unknown length");
    }

    #[test]
    fn a_line_says_how_far_and_how_long() {
        let took = Duration::from_secs(30);
        assert_eq!(words("embedding", 10, 40, took), "embedding: 10 of 40 (25 %), about 90 s left");
        assert_eq!(words("embedding", 0, 40, took), "embedding: 0 of 40 (0 %)");
        assert_eq!(words("graph", 0, 0, took), "graph: 30 s so far");
        assert_eq!(words("x", 1, 1000, took), "x: 1 of 1000 (0 %), about 8 h 19 min left");
        assert_eq!(words("x", 9, 3, took), "x: 3 of 3 (100 %), about 0 s left");
    }

    #[test]
    fn it_ends_at_once_and_counts_from_many_threads() {
        let progress = Progress::new(100, "testing");
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..25).for_each(|_| progress.inc(1)));
            }
        });
        if let Shown::Lines { done, .. } = &progress.0 {
            assert_eq!(done.load(Ordering::Relaxed), 100);
        }
        progress.finish();
    }
}
