// SPDX-License-Identifier: GPL-2.0-only
//! `struct mutex` and `SIGKILL`.

use kernel::{EINTR, Errno};
use machine_sim::{Config, Outcome};

use crate::setup::{Setup, logs, run, runs};

async fn lock(s: &Setup) -> Result<(), Errno> {
    s.thing.mutex().lock_killable(&s.k).await
}

/// A task that holds the mutex until `done` is completed.
async fn hold(s: &Setup) {
    s.spawn("holder", |s| async move {
        s.thing.mutex().lock(&s.k).await;
        s.thing.flag().write(&s.k, true).await;
        s.thing.done().wait(&s.k).await;
        s.thing.mutex().unlock(&s.k).await;
    });
    s.pause().await;
}

async fn kill_myself(s: &Setup) {
    s.k.kill(s.k.bus.current().task);
    s.pause().await; // effects are applied at the end of a step
}

#[test]
fn a_free_mutex_is_taken_even_with_sigkill_pending() {
    let log = run(|s| async move {
        kill_myself(&s).await;
        assert_eq!(lock(&s).await, Ok(()));
        assert!(s.thing.mutex().is_locked(&s.k).await);
        s.thing.mutex().unlock(&s.k).await;
        assert!(!s.thing.mutex().is_locked(&s.k).await);
        s.say("done");
    });
    assert_eq!(log.assert_clean().log, "done");
}

#[test]
fn a_killed_task_does_not_wait() {
    let both = logs(|s| async move {
        hold(&s).await;
        kill_myself(&s).await;
        match lock(&s).await {
            Ok(()) => {
                s.say("locked");
                s.thing.mutex().unlock(&s.k).await;
            }
            Err(err) => {
                assert_eq!(err, EINTR);
                s.say("interrupted");
            }
        }
        s.thing.done().complete(&s.k);
    });
    // It has the mutex only if it comes first.
    assert_eq!(both.into_iter().collect::<Vec<_>>(), ["interrupted", "locked"]);
}

#[test]
fn to_be_killed_ends_the_wait() {
    let both = logs(|s| async move {
        s.thing.mutex().lock(&s.k).await;
        let waiter = s.spawn("waiter", |s| async move {
            let interrupted = lock(&s).await == Err(EINTR);
            assert!(interrupted, "the mutex is never released before");
            s.say("interrupted");
            s.thing.done().complete(&s.k);
        });
        s.pause().await;
        s.k.kill(waiter);
        s.thing.done().wait(&s.k).await;
        s.thing.mutex().unlock(&s.k).await;
        assert_eq!(lock(&s).await, Ok(()), "who was interrupted does not hold it");
        s.thing.mutex().unlock(&s.k).await;
    });
    assert_eq!(both.into_iter().collect::<Vec<_>>(), ["interrupted"]);
}

#[test]
fn a_task_that_is_not_killed_waits() {
    let logs = logs(|s| async move {
        s.thing.mutex().lock(&s.k).await;
        s.spawn("waiter", |s| async move {
            assert_eq!(lock(&s).await, Ok(()));
            s.say("w");
            s.thing.mutex().unlock(&s.k).await;
        });
        s.pause().await;
        s.say("m");
        s.thing.mutex().unlock(&s.k).await;
    });
    assert_eq!(logs.into_iter().collect::<Vec<_>>(), ["mw"]);
}

#[test]
fn no_signal_wakes_who_waits_in_mutex_lock() {
    let run = run(|s| async move {
        s.thing.mutex().lock(&s.k).await;
        let waiter = s.spawn("waiter", |s| async move { s.thing.mutex().lock(&s.k).await });
        s.pause().await;
        s.k.kill(waiter);
    });
    assert_eq!((run.outcome, run.codes()), (Outcome::Deadlock, vec!["deadlock"]));
    assert_eq!(run.who(&run.finding().by), "waiter/start");
}

#[test]
fn any_waiter_may_be_next() {
    let mut first = std::collections::BTreeSet::new();
    for run in runs(Config::default(), |s| async move {
        for name in ["a", "b", "c"] {
            s.spawn(name, move |s| async move {
                s.thing.mutex().lock(&s.k).await;
                s.say(name);
                s.thing.mutex().unlock(&s.k).await;
            });
        }
    }) {
        first.insert(run.assert_clean().log);
    }
    assert_eq!(first.len(), 6, "{first:?}");
}
