// SPDX-License-Identifier: GPL-2.0-only
//! Grace periods, callbacks, and those who wait for them.

use std::rc::Rc;

use kernel::{RcuFunc, RcuHead};

use machine::{Choice, Driver, TaskId};
use machine_sim::{Config, RcuModel, Seeded};

use crate::setup::{Setup, ThingPtr, logs, run_with, runs};

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

/// The logs of clean runs in one model of RCU.
fn logs_in<F: Future<Output = ()> + 'static>(
    rcu: RcuModel,
    main: impl Fn(Setup) -> F,
) -> std::collections::BTreeSet<String> {
    let config = Config { rcu, cpus: 2, ..Config::default() };
    runs(config, main).map(|run| run.assert_clean().log).collect()
}

/// A reader, a task that never gives up its CPU, and a grace period.
async fn a_grace_period(s: Setup) {
    s.spawn("reader", |s| async move {
        for _ in 0..2 {
            s.k.rcu_read_lock().await;
            s.say("(");
            s.pause().await;
            s.say(")");
            s.k.rcu_read_unlock();
        }
    });
    s.k.spawn("busy", Some(1), {
        let s = s.clone();
        async move {
            for _ in 0..3 {
                s.say("b");
                s.pause().await;
            }
            s.k.return_to_user_mode();
            s.say("u");
            s.pause().await;
        }
    });
    s.spawn_on_0("waiter", |s| async move {
        s.k.synchronize_rcu().await;
        s.say(".");
    });
}

/// Writes down who was chosen, or chooses those again.
#[derive(Default)]
struct Chosen {
    seed: Option<Seeded>,
    tasks: Vec<TaskId>,
    at: usize,
}

impl Driver for Chosen {
    fn choose(&mut self, choice: &Choice<'_>) -> Option<usize> {
        let index = match &mut self.seed {
            Some(seed) => seed.choose(choice)?,
            None => choice.ready.position(*self.tasks.get(self.at)?)?,
        };
        self.at += 1;
        if self.seed.is_some() {
            self.tasks.extend(choice.ready.get(index));
        }
        Some(index)
    }
}

#[test]
fn what_the_per_cpu_model_does_the_abstract_one_can_do() {
    let config = |rcu| Config { rcu, cpus: 2, ..Config::default() };
    for seed in 0..500 {
        let mut chosen = Chosen { seed: Some(Seeded::new(seed)), ..Chosen::default() };
        let per_cpu = run_with(config(RcuModel::PerCpu), &mut chosen, a_grace_period).assert_clean();
        let again = Chosen { tasks: chosen.tasks, ..Chosen::default() };
        let in_abstract = run_with(config(RcuModel::Abstract), again, a_grace_period).assert_clean();
        assert_eq!((per_cpu.log, per_cpu.sim.trace_hash()), (in_abstract.log, in_abstract.sim.trace_hash()));
    }
}

#[test]
fn a_busy_cpu_holds_up_a_grace_period_until_its_task_returns_to_user_mode() {
    let busy = |s: Setup| async move {
        s.k.spawn("busy", Some(1), {
            let s = s.clone();
            async move {
                s.thing.done().complete(&s.k);
                for _ in 0..3 {
                    s.say("b");
                    s.pause().await;
                }
                s.k.return_to_user_mode();
                for _ in 0..3 {
                    s.say("u");
                    s.pause().await;
                }
            }
        });
        s.thing.done().wait(&s.k).await;
        s.k.synchronize_rcu().await;
        s.say(".");
    };
    let per_cpu = logs_in(RcuModel::PerCpu, busy);
    assert!(per_cpu.iter().all(|log| log.find('.') > log.find('u')), "{per_cpu:?}");
    assert!(per_cpu.iter().any(|log| log.find('.') < log.rfind('u')), "user mode is enough: {per_cpu:?}");
    assert!(logs_in(RcuModel::Abstract, busy).iter().any(|log| log.find('.') < log.find('u')));
}
