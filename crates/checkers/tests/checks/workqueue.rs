// SPDX-License-Identifier: GPL-2.0-only
//! Work that no worker begins with, and work that only takes long.

use std::rc::Rc;

use checkers::Enabled;
use kernel::{Atomic, WorkFunc, WorkqueuePtr};
use machine::{Alarm, Bug};
use machine_sim::{Clock, Config, Costs, Preempt, Watchdogs};

use crate::setup::{Run, Setup, run_with};

const SECOND: u64 = 1_000_000_000;

/// One CPU without preemption, on which an atomic operation takes a second.
fn config() -> Config {
    let off = Watchdogs { hung_task_timeout: 0, lockup_thresh: 0, rcu_stall_timeout: 0 };
    let costs = Costs { atomic: SECOND, ..Costs::default() };
    Config {
        cpus: 1,
        preempt: Preempt::None,
        clock: Clock::Timed(costs),
        watchdogs: off,
        ..Config::default()
    }
}

async fn compute(count: Atomic, s: &Setup, seconds: u64) {
    for _ in 0..seconds {
        count.inc(&s.k).await;
    }
}

/// Queues work of its own that sleeps for so many seconds.
async fn queue(s: &Setup, wq: WorkqueuePtr, seconds: u64) {
    let (k, work) = (s.k.clone(), s.alloc().await.work());
    let func: WorkFunc = Rc::new(move || {
        let k = k.clone();
        Box::pin(async move { k.sleep(seconds * SECOND).await })
    });
    s.k.queue_work(wq, work, func).await;
}

/// Work is queued, and then its only CPU computes for so many seconds.
fn computes(enabled: Enabled, seconds: u64) -> Run {
    run_with(config(), enabled, move |s| async move {
        let wq = s.k.create_singlethread_workqueue("test").await.expect("memory");
        queue(&s, wq, 0).await;
        compute(s.thing.count(), &s, seconds).await;
        queue(&s, wq, 0).await;
    })
}

#[test]
fn work_that_nobody_begins_with_is_a_lockup() {
    // It looks at 30, 60, 90 s; at 30 s the work has waited for 29. It is said once.
    let run = computes(Enabled::ALL, 100);
    let Bug::Watchdog(alarm) = run.bug() else { panic!("{:?}", run.codes()) };
    let Alarm::WorkqueueLockup { cpus: 1, seconds: 58, pending } = &**alarm else { panic!("{alarm:?}") };
    assert_eq!((pending.len(), pending[0].0.as_str()), (1, "thing 2->work"));
    assert_eq!(run.titles(), ["BUG: workqueue lockup - pool cpus=0 flags=0x4 nice=0 stuck for 58s!"]);
    assert_eq!(computes(Enabled::ALL, 28).codes(), [""; 0]);
}

#[test]
fn its_threshold_can_be_changed_and_switched_off() {
    let with = |workqueue_thresh| computes(Enabled { workqueue_thresh, ..Enabled::ALL }, 100).codes().len();
    assert_eq!((with(0), with(10), with(60), with(120)), (0, 1, 0, 0));
}

#[test]
fn work_that_takes_long_and_what_waits_behind_it_are_none() {
    let run = run_with(config(), Enabled::ALL, |s| async move {
        let wq = s.k.create_singlethread_workqueue("test").await.expect("memory");
        for _ in 0..3 {
            queue(&s, wq, 200).await;
        }
        s.k.flush_workqueue(wq).await;
    });
    assert_eq!(run.codes(), [""; 0]);
}

#[test]
fn work_that_is_done_is_forgotten() {
    let run = run_with(config(), Enabled::ALL, |s| async move {
        let wq = s.k.create_singlethread_workqueue("test").await.expect("memory");
        queue(&s, wq, 0).await;
        s.k.sleep(100 * SECOND).await;
    });
    assert_eq!(run.codes(), [""; 0]);
}

#[test]
fn each_lockup_is_told() {
    let run = run_with(config(), Enabled::ALL, |s| async move {
        let wq = s.k.create_singlethread_workqueue("test").await.expect("memory");
        for _ in 0..2 {
            queue(&s, wq, 1).await;
            compute(s.thing.count(), &s, 100).await;
            s.k.flush_workqueue(wq).await;
        }
    });
    assert_eq!(run.codes(), ["workqueue-lockup", "workqueue-lockup"]);
}
