// SPDX-License-Identifier: GPL-2.0-only
//! The pending bit of a work item is cleared before its function runs.

use std::{cell::Cell, collections::BTreeSet, rc::Rc};

use kernel::{WorkFunc, WorkqueuePtr};
use machine_sim::Config;

use crate::setup::{Setup, logs, run, runs};

/// A function that says `begin`, then `end` in a later step.
fn says(s: &Setup, begin: &'static str, end: &'static str) -> WorkFunc {
    let s = s.clone();
    Rc::new(move || {
        let s = s.clone();
        Box::pin(async move {
            s.say(begin);
            s.pause().await;
            s.say(end);
        })
    })
}

async fn create(s: &Setup) -> WorkqueuePtr {
    s.k.create_singlethread_workqueue("test").await.expect("memory")
}

/// Queues the thing's work, and says whether it was not pending.
async fn queue(s: &Setup, wq: WorkqueuePtr, func: &WorkFunc) {
    let queued = s.k.queue_work(wq, s.thing.work(), func.clone()).await;
    s.say(if queued { "+" } else { "-" });
}

#[test]
fn work_that_is_pending_is_not_queued_again() {
    let run = run(|s| async move {
        let (wq, func) = (create(&s).await, says(&s, "(", ")"));
        for _ in 0..5 {
            queue(&s, wq, &func).await;
        }
    });
    assert_eq!(run.assert_clean().log, "+----()");
}

#[test]
fn every_queueing_that_succeeds_makes_one_run() {
    let seen: BTreeSet<usize> = runs(Config::default(), |s| async move {
        let (wq, func) = (create(&s).await, says(&s, "(", ")"));
        for _ in 0..4 {
            queue(&s, wq, &func).await;
        }
    })
    .map(|run| {
        let log = run.assert_clean().log;
        let queued = log.matches('+').count();
        assert_eq!(queued, log.matches('(').count(), "{log}");
        queued
    })
    .collect();
    assert!(seen.contains(&1) && seen.contains(&2) && seen.contains(&3), "{seen:?}");
}

#[test]
fn work_queued_during_its_own_run_runs_exactly_once_more() {
    let log = run(|s| async move {
        let wq = create(&s).await;
        let (of_work, ran) = (s.clone(), Rc::new(Cell::new(false)));
        let func: WorkFunc = Rc::new(move || {
            let (s, first) = (of_work.clone(), !ran.replace(true));
            Box::pin(async move {
                s.say("(");
                if first {
                    let again = says(&s, "[", "]");
                    for _ in 0..3 {
                        queue(&s, wq, &again).await;
                    }
                }
                s.say(")");
            })
        });
        queue(&s, wq, &func).await;
    })
    .assert_clean()
    .log;
    assert_eq!(log, "+(+--)[]");
}

#[test]
fn items_of_an_ordered_workqueue_never_overlap() {
    let logs = logs(|s| async move {
        let wq = create(&s).await;
        let other = s.alloc().await;
        s.k.queue_work(wq, s.thing.work(), says(&s, "(", ")")).await;
        s.k.queue_work(wq, other.work(), says(&s, "[", "]")).await;
    });
    assert_eq!(logs, BTreeSet::from(["()[]".to_owned()]));
}

#[test]
fn to_flush_is_to_wait_for_what_is_queued() {
    let logs = logs(|s| async move {
        let wq = create(&s).await;
        s.k.flush_workqueue(wq).await; // nothing is there
        let func = says(&s, "(", ")");
        s.k.queue_work(wq, s.thing.work(), func).await;
        s.k.flush_workqueue(wq).await;
        s.say(".");
    });
    assert_eq!(logs, BTreeSet::from(["().".to_owned()]));
}

#[test]
fn the_rescuer_works_when_no_worker_can_be_made() {
    let rescued: BTreeSet<String> = runs(Config::default(), |s| async move {
        let (wq, func) = (create(&s).await, says(&s, "(", ")"));
        s.k.faults.borrow_mut().arm(Some("worker"), 1, Some(1));
        s.k.faults.borrow_mut().arm(None, 1, None); // that of a task would fail, not this
        queue(&s, wq, &func).await;
        s.pause().await;
        queue(&s, wq, &func).await;
        s.pause().await;
        queue(&s, wq, &func).await;
    })
    .map(|run| {
        let names: BTreeSet<String> =
            (0..run.sim.tasks()).map(|task| run.sim.task_name(machine::TaskId(task as u32))).collect();
        assert!(names.contains("kworker/R-test"), "{names:?}");
        let log = run.assert_clean().log;
        assert_eq!(log.matches('+').count(), log.matches('(').count(), "{log}");
        if names.contains("kworker/test") { "then a worker" } else { "alone" }.to_owned()
    })
    .collect();
    assert_eq!(rescued.len(), 2, "{rescued:?}");
}

#[test]
fn workers_have_names_of_their_own() {
    let run = run(|s| async move {
        for _ in 0..2 {
            let (wq, func) = (create(&s).await, says(&s, "(", ")"));
            s.k.queue_work(wq, s.thing.work(), func).await;
            s.k.flush_workqueue(wq).await;
        }
    });
    let names: BTreeSet<String> =
        (0..run.sim.tasks()).map(|task| run.sim.task_name(machine::TaskId(task as u32))).collect();
    assert!(names.contains("kworker/test") && names.contains("kworker/test-2"), "{names:?}");
}

#[test]
fn what_is_queued_at_the_end_does_not_keep_the_kernel() {
    let kernel = Rc::new(std::cell::RefCell::new(std::rc::Weak::new()));
    let of_run = kernel.clone();
    let config = Config { max_steps: 20, ..Config::default() };
    let run = crate::setup::run_with(config, machine_sim::First, |s| async move {
        *of_run.borrow_mut() = Rc::downgrade(&s.k);
        let (wq, func) = (create(&s).await, says(&s, "(", ")"));
        s.k.queue_work(wq, s.thing.work(), func).await;
        let this = s.clone();
        let callback: kernel::RcuFunc = Rc::new(move |_| {
            let s = this.clone();
            Box::pin(async move { s.say("c") })
        });
        s.k.rcu_read_lock().await;
        s.k.call_rcu(s.thing.rcu(), callback).await;
        loop {
            s.pause().await;
        }
    });
    assert_eq!(run.outcome, machine_sim::Outcome::Limit(machine_sim::Limit::Steps));
    assert!(kernel.borrow().upgrade().is_some(), "it can be looked at");
    drop(run);
    assert!(kernel.borrow().upgrade().is_none());
}
