// SPDX-License-Identifier: GPL-2.0-only
//! Where a task may not sleep, and what it may not release.

use std::rc::Rc;

use kernel::{Gfp, RcuFunc};
use machine::{Bug, ContextKind, Finding};
use machine_sim::Config;

use crate::setup::{Run, Setup, ThingPtr, run, runs};

/// What was called, and the two counts that forbid it.
fn atomic(finding: &Finding) -> (&'static str, u32, u32) {
    match finding.bug {
        Bug::SleepInAtomic { what, preempt_count, rcu_nesting, .. } => (what, preempt_count, rcu_nesting),
        ref bug => panic!("{bug:?}"),
    }
}

#[test]
fn nobody_sleeps_with_a_spinlock() {
    let run = run(|s| async move {
        s.thing.first().lock(&s.k).await;
        s.k.kzalloc::<ThingPtr>("thing", Gfp::Atomic).await; // may be done anywhere
        s.k.kzalloc::<ThingPtr>("thing", Gfp::Kernel).await;
        s.thing.second().lock_bh(&s.k).await;
        s.thing.mutex().lock(&s.k).await;
        s.thing.second().unlock_bh(&s.k).await;
        s.thing.first().unlock(&s.k).await;
        s.thing.mutex().unlock(&s.k).await;
        s.k.kzalloc::<ThingPtr>("thing", Gfp::Kernel).await;
        s.say("goes on");
    });
    let found: Vec<_> = run.sim.findings().iter().map(atomic).collect();
    assert_eq!(found, [("thing", 1, 0), ("mutex_lock", 0x202, 0)]);
    assert_eq!(run.log, "goes on");
}

#[test]
fn nobody_sleeps_as_an_rcu_reader() {
    let run = run(|s| async move {
        s.k.rcu_read_lock().await;
        s.k.rcu_read_lock().await;
        s.thing.mutex().lock(&s.k).await;
        s.k.rcu_read_unlock();
        s.k.rcu_read_unlock();
        s.thing.mutex().unlock(&s.k).await;
        s.thing.mutex().lock(&s.k).await;
        s.thing.mutex().unlock(&s.k).await;
    });
    assert_eq!(atomic(run.finding()), ("mutex_lock", 0, 2));
}

#[test]
fn nobody_sleeps_in_a_callback() {
    let run = run(|s| async move {
        let this = s.clone();
        let func: RcuFunc = Rc::new(move |_| {
            let s = this.clone();
            Box::pin(async move {
                s.thing.mutex().lock(&s.k).await;
                s.thing.mutex().unlock(&s.k).await;
            })
        });
        s.k.call_rcu(s.thing.rcu(), func).await;
    });
    assert_eq!(atomic(run.finding()), ("mutex_lock", 0x100, 0));
}

/// What an interrupted sleep says: `preempt_count()` and `irqs_disabled()`.
fn counts(of: impl AsyncFn(&Setup) + 'static, context: ContextKind) -> Vec<(u32, bool)> {
    let run = run(move |s| async move {
        let this = s.clone();
        let task = async move {
            of(&this).await;
            this.k.might_sleep("test").await;
        };
        match context {
            ContextKind::Process => drop(s.k.spawn("task", None, task)),
            _ => drop(s.k.raise("interrupt", context, 0, task)),
        }
    });
    let count = |finding: &Finding| match finding.bug {
        Bug::SleepInAtomic { preempt_count, irqs_disabled, .. } => (preempt_count, irqs_disabled),
        ref bug => panic!("{bug:?}"),
    };
    run.sim.findings().iter().map(count).collect()
}

/// The encoding is that of include/linux/preempt.h.
#[test]
fn every_section_and_context_has_its_place_in_preempt_count() {
    use ContextKind::{Hardirq, Process, Softirq};
    let nothing = async |_: &Setup| {};
    assert_eq!(counts(nothing, Process), []);
    assert_eq!(counts(nothing, Softirq), [(0x100, false)]);
    assert_eq!(counts(nothing, Hardirq), [(0x1_0000, true)]);
    assert_eq!(counts(async |s| s.k.preempt_disable().await, Process), [(1, false)]);
    assert_eq!(counts(async |s| s.k.local_bh_disable().await, Process), [(0x200, false)]);
    assert_eq!(counts(async |s| s.k.local_irq_disable().await, Process), [(0, true)]);
    assert_eq!(counts(async |s| s.thing.first().lock_bh(&s.k).await, Process), [(0x201, false)]);
    assert_eq!(counts(async |s| s.thing.first().lock_irqsave(&s.k).await, Process), [(1, true)]);
    assert_eq!(counts(async |s| s.k.local_bh_disable().await, Softirq), [(0x300, false)]);
    let ended = async |s: &Setup| {
        s.thing.first().lock_bh(&s.k).await;
        s.thing.first().unlock_bh(&s.k).await;
        s.thing.first().lock_irq(&s.k).await;
        s.thing.first().unlock_irq(&s.k).await;
    };
    assert_eq!(counts(ended, Process), []);
}

/// `__local_bh_enable_ip()` would run softirqs, which is not to be where interrupts are off. It says so once.
#[test]
fn softirqs_are_not_to_be_enabled_where_interrupts_are_off() {
    let codes = |context, irqs_off: bool| {
        let run = run(move |s| async move {
            let this = s.clone();
            let task = async move {
                if irqs_off {
                    this.k.local_irq_disable().await;
                }
                for _ in 0..2 {
                    this.thing.first().lock_bh(&this.k).await;
                    this.thing.first().unlock_bh(&this.k).await;
                    this.k.local_bh_disable().await;
                    this.k.local_bh_enable().await;
                }
            };
            match context {
                ContextKind::Process => drop(s.k.spawn("task", None, task)),
                _ => drop(s.k.raise("interrupt", context, 0, task)),
            }
        });
        run.codes().join(" ")
    };
    assert_eq!(codes(ContextKind::Process, false), "");
    assert_eq!(codes(ContextKind::Softirq, false), "");
    assert_eq!(codes(ContextKind::Hardirq, false), "warning");
    assert_eq!(codes(ContextKind::Process, true), "warning");
}

fn unlocks(run: &Run) -> String {
    run.finding().to_string()
}

#[test]
fn what_is_not_held_is_not_released() {
    let free = run(|s| async move { s.thing.first().unlock(&s.k).await });
    assert_eq!(unlocks(&free), "WARNING: bad unlock balance detected in start: thing 1->first");
    let reader = run(|s| async move { s.k.rcu_read_unlock() });
    assert_eq!(unlocks(&reader), "WARNING: bad unlock balance detected in start: rcu_read_lock");
    let of_another = run(|s| async move {
        s.thing.mutex().lock(&s.k).await;
        s.spawn("other", |s| async move {
            s.thing.mutex().unlock(&s.k).await;
            s.thing.done().complete(&s.k);
        });
        s.thing.done().wait(&s.k).await;
        assert!(s.thing.mutex().is_locked(&s.k).await, "it is held as before");
        s.thing.mutex().unlock(&s.k).await;
    });
    assert_eq!(of_another.who(&of_another.finding().by), "other/start");
}

/// A task on CPU 0 that holds a lock for a few steps, and a callback there that says when it runs.
async fn interrupted(s: Setup, bh: bool) {
    let this = s.clone();
    s.k.spawn("task", Some(0), async move {
        let s = this;
        let of_callback = s.clone();
        let func: RcuFunc = Rc::new(move |_| {
            let s = of_callback.clone();
            Box::pin(async move { s.say("!") })
        });
        s.k.call_rcu(s.thing.rcu(), func).await;
        if bh {
            s.thing.first().lock_bh(&s.k).await;
        } else {
            s.thing.first().lock(&s.k).await;
        }
        s.say("(");
        s.pause().await;
        s.pause().await;
        s.pause().await;
        s.pause().await;
        s.say(")");
        if bh {
            s.thing.first().unlock_bh(&s.k).await;
        } else {
            s.thing.first().unlock(&s.k).await;
        }
    });
}

#[test]
fn spin_lock_bh_keeps_callbacks_off_its_cpu() {
    let logs = |bh| -> std::collections::BTreeSet<String> {
        let config = Config::default();
        runs(config, move |s| interrupted(s, bh)).map(|run| run.assert_clean().log).collect()
    };
    assert!(logs(false).contains("(!)"), "a softirq interrupts who holds a plain spinlock");
    assert_eq!(logs(true).into_iter().collect::<Vec<_>>(), ["!()", "()!"]);
}
