// SPDX-License-Identifier: GPL-2.0-only
//! Size classes, their slack, and injected failures.

use kernel::{Gfp, Slab};
use machine::{Addr, Bug, Layout};
use machine_sim::{Config, First};

use crate::setup::{Setup, ThingPtr, run, run_with};

static BLOB: Layout = Layout { name: "struct blob", short: "blob", cache: "kmalloc", fields: &[] };

/// Three words, for which the allocator takes four.
async fn blob(s: &Setup) -> Addr {
    s.k.kzalloc_layout(&BLOB, 24, "blob", Gfp::Kernel).await.expect("memory")
}

/// Writes the `cell`-th word of one of two neighbours; what can be read there, and in the other.
async fn overrun(s: Setup, cell: usize) {
    let (first, second) = (blob(&s).await, blob(&s).await);
    s.k.bus.write(first.plus(cell), 7).await;
    s.say(if s.k.bus.read(first.plus(cell)).await == 7 { "kept" } else { "lost" });
    for cell in 0..3 {
        assert_eq!(s.k.bus.read(second.plus(cell)).await, 0, "the neighbour is whole");
        assert_eq!(s.k.bus.read(first.plus(cell)).await, 0, "so is the object");
    }
}

fn in_slack(finding: &machine::Finding) -> bool {
    match &finding.bug {
        Bug::OutOfBounds { cell, in_slack, .. } => {
            assert_eq!((cell.object.as_str(), cell.size), ("blob 1", 24));
            *in_slack
        }
        bug => panic!("{bug:?}"),
    }
}

#[test]
fn what_is_asked_for_is_in_bounds() {
    let run = run(|s| async move {
        let blob = blob(&s).await;
        s.k.bus.write(blob.plus(2), 7).await;
        assert_eq!(s.k.bus.read(blob.plus(2)).await, 7);
    });
    run.assert_clean();
}

#[test]
fn slack_is_out_of_bounds_and_harmless() {
    let run = run(|s| overrun(s, 3));
    assert_eq!(run.codes(), ["kasan-out-of-bounds"; 2]);
    assert!(run.sim.findings().iter().all(in_slack));
    assert_eq!(run.log, "kept");
}

#[test]
fn behind_the_size_class_nothing_is_kept() {
    let run = run(|s| overrun(s, 4));
    assert_eq!(run.codes(), ["kasan-out-of-bounds"; 2]);
    assert!(!run.sim.findings().iter().any(in_slack));
    assert_eq!(run.log, "lost");
}

#[test]
fn exact_sizes_have_no_slack() {
    let config = Config { slab: Slab::Exact, ..Config::default() };
    let run = run_with(config, First, |s| overrun(s, 3));
    assert!(!run.sim.findings().iter().any(in_slack));
    assert_eq!((run.codes().len(), run.log.as_str()), (2, "lost"));
}

#[test]
fn memory_is_zeroed_also_when_it_is_used_again() {
    run(|s| async move {
        for _ in 0..5000 {
            let blob = blob(&s).await;
            assert_eq!(s.k.bus.read(blob).await, 0);
            s.k.bus.write(blob, 1).await;
            s.k.kfree(blob);
        }
        s.pause().await;
    })
    .assert_clean();
}

#[test]
fn failures_are_injected_by_kind_and_number() {
    run(|s| async move {
        s.k.faults.borrow_mut().arm(Some("blob"), 2, Some(2));
        let mut got = Vec::new();
        for _ in 0..4 {
            assert!(s.k.kzalloc::<ThingPtr>("thing", Gfp::Kernel).await.is_some(), "another kind");
            got.push(s.k.kzalloc_layout(&BLOB, 24, "blob", Gfp::Atomic).await.is_some());
        }
        assert_eq!(got, [true, false, false, true]);
        assert_eq!(s.k.faults.borrow().fired().collect::<Vec<_>>(), [(Some("blob"), 2)]);

        s.k.faults.borrow_mut().clear();
        s.k.faults.borrow_mut().arm(None, 3, Some(1));
        let mut got = Vec::new();
        for _ in 0..2 {
            got.push(s.k.kzalloc::<ThingPtr>("thing", Gfp::Kernel).await.is_some());
            got.push(s.k.kzalloc_layout(&BLOB, 24, "blob", Gfp::Kernel).await.is_some());
        }
        assert_eq!(got, [true, true, false, true], "any kind");

        s.k.faults.borrow_mut().arm(Some("blob"), 1, None);
        for _ in 0..3 {
            assert!(s.k.kzalloc_layout(&BLOB, 24, "blob", Gfp::Kernel).await.is_none(), "for ever");
        }
    })
    .assert_clean();
}

#[test]
fn there_is_a_largest_allocation() {
    run(|s| async move {
        assert!(s.k.kzalloc_layout(&BLOB, 4 << 20, "blob", Gfp::Kernel).await.is_some());
        assert!(s.k.kzalloc_layout(&BLOB, (4 << 20) + 1, "blob", Gfp::Kernel).await.is_none());
        assert!(s.k.kzalloc_layout(&BLOB, usize::MAX, "blob", Gfp::Kernel).await.is_none());
    })
    .assert_clean();
}
