// SPDX-License-Identifier: GPL-2.0-only
//! Grace periods, callbacks, and those who wait for them.

use std::rc::Rc;

use kernel::{RcuFunc, RcuHead};

use crate::setup::{Setup, ThingPtr, logs};

/// A callback that says something.
fn says(s: &Setup, what: &'static str) -> RcuFunc {
    let s = s.clone();
    Rc::new(move |_| {
        let s = s.clone();
        Box::pin(async move { s.say(what) })
    })
}

/// A reader that is inside for a few steps, and completes `done` when it is.
async fn read(s: Setup) {
    s.k.rcu_read_lock().await;
    s.say("(");
    s.thing.done().complete(&s.k);
    s.pause().await;
    s.pause().await;
    s.say(")");
    s.k.rcu_read_unlock();
}

#[test]
fn synchronize_rcu_waits_for_readers_that_are_inside() {
    let logs = logs(|s| async move {
        s.spawn("reader", read);
        s.thing.done().wait(&s.k).await;
        s.k.synchronize_rcu().await;
        s.say(".");
    });
    assert_eq!(logs.into_iter().collect::<Vec<_>>(), ["()."]);
}

#[test]
fn synchronize_rcu_waits_for_the_outermost_section() {
    let logs = logs(|s| async move {
        s.spawn("reader", |s| async move {
            s.k.rcu_read_lock().await;
            read(s.clone()).await;
            s.pause().await;
            s.say("!");
            s.k.rcu_read_unlock();
        });
        s.thing.done().wait(&s.k).await;
        s.k.synchronize_rcu().await;
        s.say(".");
    });
    assert_eq!(logs.into_iter().collect::<Vec<_>>(), ["()!."]);
}

#[test]
fn synchronize_rcu_does_not_wait_for_readers_that_enter_later() {
    let logs = logs(|s| async move {
        s.spawn("early", read);
        s.thing.done().wait(&s.k).await;
        s.spawn("late", |s| async move {
            s.k.rcu_read_lock().await;
            s.say("[");
            s.pause().await;
            s.say("]");
            s.k.rcu_read_unlock();
        });
        s.k.synchronize_rcu().await;
        s.say(".");
    });
    assert!(logs.iter().all(|log| log.find(')') < log.find('.')), "{logs:?}");
    assert!(logs.contains("([).]") && logs.contains("().[]"), "{logs:?}");
}

#[test]
fn a_callback_runs_after_the_readers_that_were_inside() {
    let logs = logs(|s| async move {
        s.spawn("reader", read);
        s.thing.done().wait(&s.k).await;
        s.k.call_rcu(s.thing.rcu(), says(&s, "c")).await;
        s.say("+"); // call_rcu() does not wait
    });
    assert!(logs.iter().all(|log| log.find(')') < log.find('c')), "{logs:?}");
    assert!(logs.contains("(+)c"), "{logs:?}");
}

#[test]
fn rcu_barrier_returns_at_once_when_nothing_is_pending() {
    // While a reader keeps every grace period from ending.
    let logs = logs(|s| async move {
        s.k.rcu_read_lock().await;
        s.spawn("barrier", |s| async move {
            s.k.rcu_barrier().await;
            s.say(".");
            s.thing.flag().write(&s.k, true).await;
        });
        while !s.thing.flag().read(&s.k).await {}
        s.say(")");
        s.k.rcu_read_unlock();
    });
    assert_eq!(logs.into_iter().collect::<Vec<_>>(), [".)"]);
}

#[test]
fn rcu_barrier_waits_for_the_callbacks_of_all_cpus() {
    let logs = logs(|s| async move {
        for (cpu, what) in [(1, "1"), (2, "2")] {
            let this = s.clone();
            s.k.spawn("poster", Some(cpu), async move {
                let thing: ThingPtr = this.alloc().await;
                this.k.call_rcu(thing.rcu(), says(&this, what)).await;
                this.thing.done().complete(&this.k);
            });
        }
        let mut posted = 0;
        while posted < 2 {
            posted += s.thing.done().wait(&s.k).await;
        }
        s.k.rcu_barrier().await;
        s.say(".");
    });
    assert_eq!(logs.into_iter().collect::<Vec<_>>(), ["12.", "21."]);
}

/// A callback that posts another.
fn posts(s: &Setup, head: RcuHead) -> RcuFunc {
    let s = s.clone();
    Rc::new(move |_| {
        let s = s.clone();
        Box::pin(async move {
            s.say("1");
            s.k.call_rcu(head, says(&s, "2")).await;
        })
    })
}

#[test]
fn rcu_barrier_does_not_wait_for_what_callbacks_post() {
    let logs = logs(|s| async move {
        let other = s.alloc().await;
        s.k.call_rcu(s.thing.rcu(), posts(&s, other.rcu())).await;
        s.k.rcu_barrier().await;
        s.say(".");
    });
    assert!(logs.iter().all(|log| log.find('1') < log.find('.')), "{logs:?}");
    assert!(logs.contains("1.2"), "{logs:?}");
    // Two barriers do.
    let logs = crate::setup::logs(|s| async move {
        let other = s.alloc().await;
        s.k.call_rcu(s.thing.rcu(), posts(&s, other.rcu())).await;
        s.k.rcu_barrier().await;
        s.k.rcu_barrier().await;
        s.say(".");
    });
    assert_eq!(logs.into_iter().collect::<Vec<_>>(), ["12."]);
}

#[test]
fn kfree_rcu_frees_after_the_readers_have_left() {
    let mut sees = [0, 0];
    for run in crate::setup::runs(machine_sim::Config::default(), |s| async move {
        let old = s.alloc().await;
        s.thing.next().assign(&s.k, old).await;
        s.spawn("reader", |s| async move {
            s.k.rcu_read_lock().await;
            let next = s.thing.next().dereference(&s.k).await;
            if !kernel::Pointer::is_null(next) {
                s.say("n");
                next.data().read(&s.k).await;
            }
            s.k.rcu_read_unlock();
        });
        s.thing.next().assign(&s.k, kernel::Pointer::null()).await;
        s.k.kfree_rcu(kernel::Pointer::addr(old), old.rcu()).await;
    }) {
        let run = run.assert_clean();
        sees[usize::from(run.log == "n")] += 1;
        let things = run
            .sim
            .bus()
            .inspect(|memory| memory.live().filter(|(_, object)| object.layout.short == "thing").count());
        assert_eq!(things, 1, "the old one is freed");
    }
    assert!(sees.iter().all(|seen| *seen > 0), "the reader finds it or not: {sees:?}");
}
