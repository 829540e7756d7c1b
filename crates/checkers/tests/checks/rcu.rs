// SPDX-License-Identifier: GPL-2.0-only
//! RCU usage: who follows pointers, who waits, who never leaves.

use checkers::Enabled;
use machine_sim::{Config, Outcome};

use crate::setup::{Run, run, run_with};

/// Follows an RCU pointer, reads an atomic with acquire semantics and a link, as a reader or not.
fn dereferences(as_reader: bool) -> Run {
    run(move |s| async move {
        s.thing.head().init(&s.k).await;
        s.thing.count().read_acquire(&s.k).await;
        s.thing.head().next_rcu(&s.k).await;
        s.thing.next().access(&s.k).await;
        s.thing.next().dereference_protected(&s.k).await;
        if as_reader {
            s.k.rcu_read_lock().await;
        }
        s.thing.next().dereference(&s.k).await;
        if as_reader {
            s.k.rcu_read_unlock();
        }
    })
}

#[test]
fn a_pointer_is_followed_by_a_reader_or_not() {
    assert_eq!(
        dereferences(false).titles(),
        ["WARNING: suspicious RCU usage in start: suspicious rcu_dereference_check() usage"]
    );
    assert_eq!(dereferences(true).codes(), [""; 0]);
}

#[test]
fn a_reader_waits_for_itself() {
    let waits = |as_reader: bool, expedited: bool| {
        run(move |s| async move {
            if as_reader {
                s.k.rcu_read_lock().await;
            }
            if expedited {
                s.k.synchronize_rcu_expedited().await;
            } else {
                s.k.synchronize_rcu().await;
            }
            if as_reader {
                s.k.rcu_read_unlock();
            }
        })
    };
    for expedited in [false, true] {
        let run = waits(true, expedited);
        assert_eq!(run.outcome, Outcome::Deadlock);
        assert_eq!(run.codes(), ["sleep-in-atomic", "suspicious-rcu", "deadlock"]);
        assert!(run.titles()[1].contains("in RCU read-side critical section"), "{:?}", run.titles());
        assert_eq!(waits(false, expedited).codes(), [""; 0]);
    }
}

#[test]
fn a_reader_never_leaves() {
    let ends = run(|s| async move { s.k.rcu_read_lock().await });
    assert_eq!(ends.titles(), ["WARNING: task still has locks held! in start: rcu_read_lock"]);
    let user_mode = run(|s| async move {
        s.k.rcu_read_lock().await;
        s.k.return_to_user_mode();
        s.k.rcu_read_unlock();
    });
    assert_eq!(
        user_mode.titles(),
        ["WARNING: lock held when returning to user space! in start: rcu_read_lock"]
    );
}

#[test]
fn without_it_there_is_no_report() {
    let enabled = Enabled { rcu: false, ..Enabled::ALL };
    let run = run_with(Config::default(), enabled, |s| async move {
        s.thing.next().dereference(&s.k).await;
        s.k.rcu_read_lock().await;
    });
    assert_eq!(run.codes(), [""; 0]);
}
