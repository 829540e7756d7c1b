// SPDX-License-Identifier: GPL-2.0-only
//! `struct completion`

use machine_sim::Outcome;

use crate::setup::{logs, run};

#[test]
fn a_completion_before_the_wait_is_not_lost() {
    let log = run(|s| async move {
        s.thing.done().complete(&s.k);
        s.pause().await;
        s.thing.done().wait(&s.k).await;
        s.say("done");
    });
    assert_eq!(log.assert_clean().log, "done");
}

#[test]
fn who_waits_goes_on_after_the_completion() {
    let logs = logs(|s| async move {
        s.spawn("other", |s| async move {
            s.pause().await;
            s.say("c");
            s.thing.done().complete(&s.k);
        });
        s.thing.done().wait(&s.k).await;
        s.say("w");
    });
    assert_eq!(logs.into_iter().collect::<Vec<_>>(), ["cw"]);
}

#[test]
fn events_are_counted_and_taken_together() {
    let run = run(|s| async move {
        for _ in 0..3 {
            s.thing.done().complete(&s.k);
        }
        assert_eq!(s.thing.done().wait(&s.k).await, 3);
        s.say("3");
        s.thing.done().wait(&s.k).await;
        s.say("more");
    });
    assert_eq!((run.outcome, run.log.as_str()), (Outcome::Deadlock, "3"));
}
