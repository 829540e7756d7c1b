// SPDX-License-Identifier: GPL-2.0-only
//! Counts of references, and counts of something else.

use checkers::Enabled;
use kernel::{Atomic, Gfp, object};
use machine_sim::Config;

use crate::setup::{Run, Setup, run, run_with};

object! {
    /// Its `count` is one of references.
    struct NetPtr("struct net", "net", "net_namespace") {
        count: Atomic,
        other: Atomic,
    }
}

async fn net(s: &Setup) -> NetPtr {
    let net: NetPtr = s.k.kzalloc("net", Gfp::Kernel).await.expect("memory");
    net.count().set(&s.k, 1).await;
    net
}

#[test]
fn references_that_there_are_may_be_taken_and_dropped() {
    let run = run(|s| async move {
        let (k, net) = (&s.k, net(&s).await);
        net.count().inc(k).await;
        assert!(!net.count().dec_and_test(k).await);
        assert!(net.count().dec_and_test(k).await);
        assert!(!net.count().inc_not_zero(k).await, "which is asked, and not taken");
        net.other().inc(k).await;
        net.other().dec(k).await;
        net.other().dec(k).await;
    });
    assert_eq!(run.codes(), [""; 0]);
}

fn misused(enabled: Enabled) -> Run {
    run_with(Config::default(), enabled, |s| async move {
        let (k, net) = (&s.k, net(&s).await);
        net.count().dec_and_test(k).await;
        net.count().inc(k).await;
        net.count().dec_and_test(k).await;
        net.count().dec_and_test(k).await;
        net.count().inc(k).await;
    })
}

#[test]
fn a_reference_is_taken_or_dropped_where_there_is_none() {
    assert_eq!(
        misused(Enabled::ALL).titles(),
        [
            "refcount_t: addition on 0; use-after-free. in start: net 1->count",
            "refcount_t: underflow; use-after-free. in start: net 1->count",
            "refcount_t: saturated; leaking memory. in start: net 1->count",
        ]
    );
    assert_eq!(misused(Enabled { refcount: false, ..Enabled::ALL }).codes(), [""; 0]);
}
