//! A terminal's habits: exit codes, pipes, missing files.

use crate::harness::lookalike;

#[test]
fn wrong_calls_exit_with_2() {
    for args in [&["serach"][..], &["search"], &["index", "x"], &["eval"], &[]] {
        assert_eq!(lookalike(args).status.code(), Some(2), "{args:?}");
    }
}
