//! How much memory this process has taken.

use std::fs;

/// The most memory in use (resident) since the process began or since [`reset`], in bytes. `None`
/// where the system does not say; Linux does.
pub(super) fn peak() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Forgets the peak so far.
pub(super) fn reset() {
    // See clear_refs in proc(5). Where it fails, the peak is that since the process began.
    let _ = fs::write("/proc/self/clear_refs", "5");
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn memory_that_was_touched_counts() {
        let held = std::hint::black_box(vec![1u8; 64 << 20]);
        let with = peak().unwrap();
        assert!(with > held.len() as u64, "{with}");
    }
}
