// SPDX-License-Identifier: GPL-2.0-only
//! Softirqs and hardware interrupts: where they arrive, what keeps them off, and what they deadlock with.

use std::collections::BTreeSet;

use kernel::{ContextKind, Points};
use machine_sim::{Config, Outcome};

use crate::setup::{Setup, logs, runs};

use ContextKind::{Hardirq, Softirq};

/// With places in critical sections where interrupts arrive.
fn with_points() -> Config {
    let points = Points { softirqs: true, hardirqs: true, ..Points::default() };
    Config { points, ..Config::default() }
}

/// A section of a task on CPU 0, which an interrupt there may fall into.
#[derive(Clone, Copy, Debug)]
enum In {
    Preempt,
    Bh,
    Irq,
}

async fn section(s: &Setup, of: In) {
    match of {
        In::Preempt => s.k.preempt_disable().await,
        In::Bh => s.k.local_bh_disable().await,
        In::Irq => s.k.local_irq_disable().await,
    }
    s.say("(");
    s.pause().await;
    s.pause().await;
    s.say(")");
    match of {
        In::Preempt => s.k.preempt_enable().await,
        In::Bh => s.k.local_bh_enable().await,
        In::Irq => s.k.local_irq_enable().await,
    }
    s.pause().await;
}

/// Whether an interrupt on `cpu` ever falls into a section of a task on CPU 0.
fn falls_into(of: In, context: ContextKind, cpu: u32) -> bool {
    let logs = logs(move |s| async move {
        let handler = s.clone();
        s.k.raise("interrupt", context, cpu, async move { handler.say("!") });
        let task = s.clone();
        s.spawn_on_0("task", |_| async move { section(&task, of).await });
    });
    assert!(logs.contains("!()") && logs.contains("()!"), "{logs:?}");
    logs.contains("(!)")
}

#[test]
fn a_section_keeps_off_what_it_says_and_no_more() {
    for (of, softirq, hardirq) in [(In::Preempt, true, true), (In::Bh, false, true), (In::Irq, false, false)]
    {
        assert_eq!((falls_into(of, Softirq, 0), falls_into(of, Hardirq, 0)), (softirq, hardirq), "{of:?}");
        assert!(falls_into(of, Softirq, 1) && falls_into(of, Hardirq, 1), "of another CPU: {of:?}");
    }
}

#[test]
fn an_interrupt_runs_on_its_own_cpu() {
    for context in [Softirq, Hardirq] {
        let logs = logs(move |s| async move {
            let handler = s.clone();
            s.k.raise("interrupt", context, 2, async move {
                handler.pause().await;
                handler.say(&handler.k.smp_processor_id().to_string());
            });
        });
        assert_eq!(logs, BTreeSet::from(["2".to_owned()]));
    }
}

/// Nothing of the interrupted context happens before an interrupt has ended.
#[test]
fn what_is_interrupted_goes_on_after_the_interrupt() {
    let logs = logs(|s| async move {
        for (context, open, close) in [(Softirq, "[", "]"), (Hardirq, "<", ">")] {
            let handler = s.clone();
            s.k.raise("interrupt", context, 0, async move {
                handler.say(open);
                handler.pause().await;
                handler.pause().await;
                handler.say(close);
            });
        }
        s.spawn_on_0("task", |s| async move {
            for _ in 0..3 {
                s.say(".");
                s.pause().await;
            }
        });
    });
    let nested = |log: &String| log.contains("<>") && (log.contains("[]") || log.contains("[<>]"));
    assert!(logs.iter().all(nested), "{logs:?}");
    assert!(
        logs.iter().any(|log| log.contains("[<>]")),
        "a hardware interrupt interrupts a softirq: {logs:?}"
    );
}

/// A task and an interrupt on one CPU take one lock; how many runs of all deadlock.
fn deadlocks(context: ContextKind, task_takes: fn(&Setup) -> In, cpu: u32) -> usize {
    let config = with_points();
    let outcomes = runs(config, move |s| async move {
        let handler = s.clone();
        s.k.raise("interrupt", context, cpu, async move {
            handler.thing.first().lock(&handler.k).await;
            handler.thing.first().unlock(&handler.k).await;
        });
        s.spawn_on_0("task", move |s| async move {
            let lock = s.thing.first();
            match task_takes(&s) {
                In::Preempt => {
                    lock.lock(&s.k).await;
                    lock.unlock(&s.k).await;
                }
                In::Bh => {
                    lock.lock_bh(&s.k).await;
                    lock.unlock_bh(&s.k).await;
                }
                In::Irq => {
                    lock.lock_irq(&s.k).await;
                    lock.unlock_irq(&s.k).await;
                }
            }
        });
    });
    outcomes.filter(|run| run.outcome == Outcome::Deadlock).count()
}

#[test]
fn a_plain_spin_lock_shared_with_a_softirq_deadlocks_and_with_bh_it_does_not() {
    assert!(deadlocks(Softirq, |_| In::Preempt, 0) > 0);
    assert_eq!(deadlocks(Softirq, |_| In::Bh, 0), 0);
    assert_eq!(deadlocks(Softirq, |_| In::Preempt, 1), 0, "another CPU spins until the lock is free");
}

#[test]
fn a_lock_shared_with_a_hardware_interrupt_needs_irq() {
    assert!(deadlocks(Hardirq, |_| In::Bh, 0) > 0);
    assert_eq!(deadlocks(Hardirq, |_| In::Irq, 0), 0);
}
