// SPDX-License-Identifier: GPL-2.0-only
//! Two last references are put while the kworker cleans up.

use loom_models::{Damage, Seen, explore, two_puts};
use machine_loom::{Bounds, Failure};

/// Two preemptions in one execution: a few thousand executions. With three there are fifteen times as many.
const BOUNDS: Bounds = Bounds { preemptions: Some(2), max_branches: 10_000 };

fn run(damage: Damage) -> Result<Seen<Vec<usize>>, Failure> {
    explore(BOUNDS, move |bus| two_puts(bus, damage))
}

#[test]
#[expect(clippy::print_stdout, reason = "the number of executions is what a reader wants to know")]
fn no_namespace_is_lost() {
    let seen = run(Damage::None).unwrap_or_else(|failure| panic!("{failure}"));
    println!("two puts: {} executions, {:?}", seen.explored.executions, seen.outcomes);
    // Both in one pass; one in each; both in the first, and the second finds nothing.
    for passes in [vec![2], vec![1, 1], vec![2, 0]] {
        assert!(seen.outcomes.contains_key(&passes), "{passes:?} never occurs: {:?}", seen.outcomes);
    }
    assert_eq!(seen.outcomes.len(), 3, "{:?}", seen.outcomes);
    assert_eq!(seen.explored.warnings, 0);
}

#[test]
fn a_put_without_the_lock_is_noticed() {
    let failure = run(Damage::PutWithoutLock).expect_err("it is broken");
    assert_eq!(failure.finding.as_ref().map(|finding| finding.code()), Some("kcsan-data-race"), "{failure}");
    assert!(failure.text.contains("cleanup_list"), "{failure}");
}

#[test]
fn a_bit_that_is_cleared_too_late_is_noticed() {
    let failure = run(Damage::PendingDuringPass).expect_err("it is broken");
    assert!(failure.text.contains("a namespace is lost"), "{failure}");
}

#[test]
fn a_second_last_put_is_noticed() {
    let failure = run(Damage::PutTwice).expect_err("it is broken");
    // The second pass unlinks it again.
    let code = failure.finding.as_ref().map(|finding| finding.code());
    assert_eq!(code, Some("list-poison"), "{failure}");
}
