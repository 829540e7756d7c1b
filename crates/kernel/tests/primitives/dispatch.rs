// SPDX-License-Identifier: GPL-2.0-only
//! With a clock: which task a CPU runs, for how long, and what the timer interrupt brings about.

use std::rc::Rc;

use kernel::{ContextKind, Points, RcuFunc};
use machine::Op;
use machine_sim::{Clock, Config, Costs, First, Outcome, Preempt, RcuModel};

use crate::{
    setup::{Setup, run_with},
    time::{MS, slow, timed, work},
};

#[test]
fn a_task_that_is_bound_to_no_cpu_takes_an_idle_one() {
    let run = timed(Config { cpus: 3, ..slow() }, 1, async |s| {
        for _ in 0..3 {
            s.spawn("task", |s| async move { work(&s, 3).await });
        }
    });
    assert_eq!(run.sim.time(), 3 * MS);
}

/// Two tasks that want one CPU for 3 ticks each.
fn shared(preempt: Preempt) -> String {
    let main = async |s: Setup| {
        for name in ["a", "b"] {
            let this = s.clone();
            s.k.spawn(name, Some(1), async move {
                for _ in 0..12 {
                    work(&this, 1).await;
                    this.say(name);
                }
            });
        }
    };
    timed(Config { preempt, ..slow() }, 1, main).log
}

#[test]
fn a_time_slice_is_a_tick() {
    assert_eq!(shared(Preempt::None), "aaaaaaaaaaaabbbbbbbbbbbb");
    assert_eq!(shared(Preempt::Full), "aaaabbbbaaaabbbbaaaabbbb");
}

#[test]
fn who_holds_a_spinlock_keeps_its_cpu_past_its_slice() {
    let run = timed(slow(), 1, async |s| {
        for name in ["a", "b"] {
            let this = s.clone();
            s.k.spawn(name, Some(1), async move {
                this.thing.first().lock(&this.k).await;
                this.say(name);
                work(&this, 9).await;
                this.say(name);
                this.thing.first().unlock(&this.k).await;
                work(&this, 1).await;
            });
        }
    });
    assert_eq!(run.log, "aabb");
}

/// A callback that keeps its CPU for a millisecond and asks for another, so many times; beside a task.
fn flood(times: u32) -> String {
    fn again(s: &Setup, left: u32) -> RcuFunc {
        let s = s.clone();
        Rc::new(move |_| {
            let s = s.clone();
            Box::pin(async move {
                work(&s, 1).await;
                s.say("s");
                if left > 1 {
                    s.k.call_rcu(s.thing.rcu(), again(&s, left - 1)).await;
                }
            })
        })
    }
    let main = async move |s: Setup| {
        s.spawn_on_0("task", |s| async move {
            s.k.call_rcu(s.thing.rcu(), again(&s, times)).await;
            for _ in 0..8 {
                work(&s, 1).await;
                s.say("t");
            }
        });
    };
    timed(slow(), 1, main).log
}

#[test]
fn ksoftirqd_lets_tasks_go_on_beside_a_flood_of_softirqs() {
    // Two milliseconds are the softirqs' own, and what they have begun; then it is the task's turn, for a whole tick.
    assert_eq!(flood(12), "ssstttttssstttssssss");
}

#[test]
fn the_tick_ends_a_grace_period_that_waits_for_a_busy_cpu() {
    let config = |preempt| Config { preempt, rcu: RcuModel::PerCpu, cpus: 2, ..slow() };
    let busy = async |s: Setup| {
        let this = s.clone();
        s.k.spawn("busy", Some(1), async move {
            this.thing.done().complete(&this.k);
            work(&this, 20).await;
            this.say("b");
        });
        s.spawn_on_0("waiter", |s| async move {
            s.thing.done().wait(&s.k).await;
            s.k.synchronize_rcu().await;
            s.say(".");
        });
    };
    assert_eq!(timed(config(Preempt::Full), 1, busy).log, ".b", "at the first tick");
    assert_eq!(timed(config(Preempt::None), 1, busy).log, "b.", "when it gives up its CPU");
}

#[test]
fn who_wakes_goes_back_to_its_cpu_if_that_is_idle() {
    let run = timed(Config { cpus: 3, ..slow() }, 1, async |s| {
        for cpu in [0, 1] {
            let this = s.clone();
            s.k.spawn("busy", Some(cpu), async move { work(&this, 2).await });
        }
        s.spawn("floats", |s| async move {
            work(&s, 1).await;
            assert_eq!(s.k.smp_processor_id(), 2);
            s.k.sleep(10 * MS).await;
            work(&s, 1).await;
            assert_eq!(s.k.smp_processor_id(), 2, "all are idle");
        });
    });
    assert_eq!(run.sim.time(), 12 * MS);
}

#[test]
fn a_slice_that_nobody_waits_for_any_more_goes_on() {
    // At a tick CPU 0 is asked for, in a critical section; who asks gets CPU 1.
    let run = timed(slow_with(2), 1, async |s| {
        let this = s.clone();
        s.k.spawn("locks", Some(0), async move {
            this.k.sleep(MS).await;
            this.thing.first().lock(&this.k).await;
            work(&this, 9).await;
            this.thing.first().unlock(&this.k).await;
            work(&this, 4).await;
            this.say("l");
            work(&this, 2).await;
        });
        let this = s.clone();
        s.k.spawn("works", Some(1), async move {
            this.k.sleep(MS).await;
            work(&this, 8).await;
        });
        for at in [2, 13] {
            s.spawn("floats", async move |s| {
                s.k.sleep(at * MS).await;
                work(&s, 3).await;
                assert_eq!(s.k.smp_processor_id(), 1);
            });
        }
        s.spawn_on_0("bound", async |s| {
            s.k.sleep(13 * MS).await;
            s.say("b"); // at the next tick
        });
    });
    assert_eq!((run.log.as_str(), run.sim.time()), ("lb", 16 * MS));
}

fn slow_with(cpus: u32) -> Config {
    Config { cpus, ..slow() }
}

#[test]
fn a_floating_task_leaves_a_cpu_to_one_that_is_bound_to_it() {
    let Clock::Timed(costs) = slow().clock else { return };
    let clock = Clock::Timed(Costs { wakeup: 1, ..costs });
    let run = timed(Config { clock, ..slow_with(3) }, 1, async |s| {
        for cpu in [None, Some(1)] {
            let this = s.clone();
            s.k.spawn("waits", cpu, async move {
                this.k.sleep(if cpu.is_some() { 2 * MS } else { 0 }).await;
                work(&this, 1).await;
                assert_eq!(this.k.smp_processor_id(), 1);
                [this.thing.done(), this.thing.other_done()][usize::from(cpu.is_some())].wait(&this.k).await;
                work(&this, 9).await;
            });
        }
        let this = s.clone();
        s.k.spawn("busy", Some(0), async move { work(&this, 2).await });
        let this = s.clone();
        s.k.spawn("wakes", Some(2), async move {
            work(&this, 5).await;
            this.thing.done().complete(&this.k);
            this.thing.other_done().complete(&this.k);
            work(&this, 9).await;
        });
    });
    assert_eq!(run.sim.time() / MS, 14, "both at once");
}

#[test]
fn an_operation_is_brought_to_its_end() {
    let run = |names: &'static [&str], tick| {
        let Clock::Timed(costs) = slow().clock else { return (String::new(), 0) };
        let clock = Clock::Timed(Costs { atomic: 3 * MS, tick, ..costs });
        let main = async move |s: Setup| {
            for name in names {
                s.spawn_on_0(name, async move |s| {
                    for _ in 0..3 {
                        work(&s, 1).await;
                        s.say(name);
                    }
                });
            }
        };
        let run = timed(Config { clock, ..slow() }, 1, main);
        (run.log.clone(), run.sim.time())
    };
    assert_eq!(run(&["a", "b"], 0), ("aabbab".to_owned(), 18 * MS), "a slice that ends in the midst of it");
    assert_eq!(run(&["a"], MS), ("aaa".to_owned(), 11 * MS), "the timer interrupts it");
}

#[test]
fn an_expedited_grace_period_asks_tasks_to_make_way() {
    let config = |preempt| Config {
        preempt,
        rcu: RcuModel::PerCpu,
        points: Points { might_sleep: true, ..Points::default() },
        ..slow_with(2)
    };
    let log = |preempt| {
        let main = async |s: Setup| {
            let this = s.clone();
            s.k.spawn("busy", Some(1), async move {
                for ms in 0..10 {
                    work(&this, 1).await;
                    this.k.might_sleep("nothing").await;
                    this.say(if ms == 2 { "b" } else { "" });
                }
                this.say("b");
            });
            s.spawn_on_0("waiter", |s| async move {
                work(&s, 1).await;
                s.k.synchronize_rcu_expedited().await;
                s.say(".");
            });
        };
        timed(config(preempt), 1, main).log
    };
    assert_eq!(log(Preempt::Voluntary), ".bb", "where it might sleep");
    assert_eq!(log(Preempt::None), "bb.", "when it gives up its CPU");
}

#[test]
fn softirqs_with_an_idle_cpu_between_them_are_not_ksoftirqds() {
    let run = timed(slow(), 1, async |s| {
        for at in [4, 8, 12, 16] {
            let this = s.clone();
            s.k.raise("softirq", ContextKind::Softirq, 1, async move {
                this.k.bus.step(Op::Sleep(at * MS)).await;
                work(&this, 1).await;
                this.say("s");
            });
        }
        let this = s.clone();
        s.k.spawn("task", Some(1), async move {
            this.k.sleep(16 * MS - 1).await;
            for _ in 0..4 {
                work(&this, 1).await;
                this.say("t");
            }
        });
    });
    assert_eq!(run.log, "ssststtt");
}

#[test]
fn who_is_served_only_after_some_ticks_is_waited_for() {
    // The one that spins has the CPU when its lock's holder wakes; then a softirq keeps it, then ksoftirqd has a turn.
    let run = run_with(slow_with(1), First, |s| async move {
        s.spawn_on_0("sleeps", |s| async move {
            s.thing.first().lock(&s.k).await;
            s.k.sleep(10 * MS).await; // a bug
            s.thing.first().unlock(&s.k).await;
        });
        s.spawn_on_0("spins", |s| async move {
            s.thing.first().lock(&s.k).await;
            s.thing.first().unlock(&s.k).await;
        });
        let this = s.clone();
        s.k.raise("softirq", ContextKind::Softirq, 0, async move {
            this.k.bus.step(Op::Sleep(9 * MS + MS / 2)).await;
            work(&this, 3).await;
        });
    });
    assert_eq!(run.outcome, Outcome::Done);
}

/// Neither another task nor an interrupt comes to a CPU that stands still; others go on.
#[test]
fn a_stalled_cpu_keeps_everybody_waiting() {
    let config = Config { preempt: Preempt::Full, ..slow() };
    let run = timed(config, 1, async |s| {
        let this = s.clone();
        s.k.raise("interrupt", ContextKind::Hardirq, 1, async move {
            this.k.bus.step(Op::Sleep(2 * MS)).await;
            this.say("i");
        });
        for (name, cpu) in [("o", 0), ("t", 1)] {
            let this = s.clone();
            s.k.spawn(name, Some(cpu), async move {
                this.k.sleep(3 * MS).await;
                this.say(name);
            });
        }
        let this = s.clone();
        s.k.spawn("stalls", Some(1), async move {
            this.k.stall(50 * MS).await;
            this.say("s");
        });
    });
    assert_eq!((run.log.as_str(), run.sim.time()), ("osit", 50 * MS));
}
