// SPDX-License-Identifier: GPL-2.0-only
//! RCU with one grace period at a time, begun and ended by a kthread for all who wait: nothing happens that cannot
//! happen in the abstract model, and what it costs in time.

use std::{collections::BTreeSet, pin::Pin, rc::Rc};

use kernel::RcuFunc;
use machine::{Choice, Driver, Effect, Event, What};
use machine_sim::{Clock, Config, Costs, First, Preempt, RcuModel, Seeded};

use crate::setup::{Run, Setup, ThingPtr, run_with, runs};

const MS: u64 = 1_000_000;

fn says(s: &Setup, what: &'static str) -> RcuFunc {
    let s = s.clone();
    Rc::new(move |_| {
        let s = s.clone();
        Box::pin(async move { s.say(what) })
    })
}

async fn read(s: Setup, open: &'static str, close: &'static str) {
    s.k.rcu_read_lock().await;
    s.say(open);
    for _ in 0..30 {
        s.pause().await; // longer than the kthread and its callbacks need
    }
    s.say(close);
    s.k.rcu_read_unlock();
}

async fn two_waiters(s: Setup) {
    s.spawn("reader", |s| read(s, "(", ")"));
    for (begin, end) in [("a", "A"), ("b", "B")] {
        s.spawn(end, |s| async move {
            s.pause().await;
            s.say(begin);
            s.k.synchronize_rcu().await;
            s.say(end);
        });
    }
}

async fn callbacks_and_a_barrier(s: Setup) {
    s.spawn("reader", |s| read(s, "(", ")"));
    s.spawn_on_0("poster", |s| async move {
        let other: ThingPtr = s.alloc().await;
        s.k.call_rcu(s.thing.rcu(), says(&s, "1")).await;
        s.k.call_rcu(other.rcu(), says(&s, "2")).await;
        s.k.rcu_barrier().await;
        s.say(".");
    });
}

async fn a_callback_that_posts_one(s: Setup) {
    s.spawn_on_0("poster", |s| async move {
        let other: ThingPtr = s.alloc().await;
        let this = s.clone();
        let func: RcuFunc = Rc::new(move |_| {
            let s = this.clone();
            Box::pin(async move {
                s.say("1");
                s.k.call_rcu(other.rcu(), says(&s, "2")).await;
            })
        });
        s.k.call_rcu(s.thing.rcu(), func).await;
        s.k.rcu_barrier().await;
        s.say(".");
    });
    s.spawn("reader", |s| read(s, "(", ")"));
}

async fn an_expedited_one(s: Setup) {
    s.spawn("reader", |s| read(s, "(", ")"));
    s.spawn("waiter", |s| async move {
        s.k.synchronize_rcu_expedited().await;
        s.say(".");
    });
    s.spawn("waiter", |s| async move {
        s.k.synchronize_rcu().await;
        s.say(":");
    });
}

type Program = fn(Setup) -> Pin<Box<dyn Future<Output = ()>>>;

const PROGRAMS: [Program; 4] = [
    |s| Box::pin(two_waiters(s)),
    |s| Box::pin(callbacks_and_a_barrier(s)),
    |s| Box::pin(a_callback_that_posts_one(s)),
    |s| Box::pin(an_expedited_one(s)),
];

fn per_cpu() -> Config {
    Config { rcu: RcuModel::PerCpu, cpus: 2, ..Config::default() }
}

fn tree(program: Program) -> impl Fn(Setup) -> Pin<Box<dyn Future<Output = ()>>> {
    move |s| {
        Box::pin(async move {
            s.k.rcu_spawn_gp_kthread("rcu_preempt", 250, 4);
            program(s).await;
        })
    }
}

/// Lets a task go on for so many operations or so: what needs many at a time is rare otherwise.
struct Bursts(Seeded, u32);

impl Driver for Bursts {
    fn choose(&mut self, choice: &Choice<'_>) -> Option<usize> {
        let goes_on = choice.ready.can_go_on().is_some() && self.0.below(self.1) > 0;
        if goes_on { Some(0) } else { self.0.choose(choice) }
    }
}

#[test]
fn what_the_kthread_does_the_abstract_model_can_do() {
    for (number, program) in PROGRAMS.into_iter().enumerate() {
        // So many that none is missed that has a chance.
        let config = Config { cpus: 2, ..Config::default() };
        let seeded = |seed: u64| run_with(config, Bursts(Seeded::new(seed), 2 << (seed % 6)), program);
        let abstract_ones: BTreeSet<String> =
            (0..30_000).map(|seed| seeded(seed).assert_clean().log).collect();
        let ones: BTreeSet<String> =
            runs(per_cpu(), tree(program)).map(|run| run.assert_clean().log).collect();
        assert!(ones.len() > 1, "program {number}: {ones:?}");
        let others: Vec<&String> = ones.difference(&abstract_ones).collect();
        assert!(others.is_empty(), "program {number}: {others:?}");
        let timed = Config { clock: Clock::Timed(Costs::default()), ..per_cpu() };
        let ones: BTreeSet<String> = runs(timed, tree(program)).map(|run| run.assert_clean().log).collect();
        assert!(ones.is_subset(&abstract_ones), "program {number}, with a clock: {ones:?}");
    }
}

/// Counts how often a function is entered.
struct Counter(&'static str, usize);

impl Driver for Counter {
    fn choose(&mut self, choice: &Choice<'_>) -> Option<usize> {
        First.choose(choice)
    }
    fn happened(&mut self, event: &Event) {
        if let What::Effect(Effect::Enter(function, _)) = event.what {
            self.1 += usize::from(function.name == self.0);
        }
    }
}

/// How often a function is entered, and how long it takes, with a clock.
fn timed(function: &'static str, hz: u32, main: impl AsyncFnOnce(Setup) + 'static) -> (usize, u64) {
    let config = Config { clock: Clock::Timed(Costs::default()), hz, ..per_cpu() };
    let mut counter = Counter(function, 0);
    let run: Run = run_with(config, &mut counter, |s| async move {
        s.k.rcu_spawn_gp_kthread("rcu_preempt", hz, 4);
        main(s).await;
    })
    .assert_clean();
    (counter.1, run.sim.time())
}

#[test]
fn all_who_wait_share_a_grace_period() {
    let wait = |tasks: usize| {
        timed("rcu_gp_init", 250, async move |s| {
            for _ in 0..tasks {
                s.spawn("waiter", |s| async move { s.k.synchronize_rcu().await });
            }
        })
    };
    let ((one, alone), (many, together)) = (wait(1), wait(8));
    assert_eq!((one, many), (1, 1));
    assert!(together < alone + MS, "{alone} ns, {together} ns");
}

#[test]
fn a_grace_period_of_an_idle_machine_takes_three_ticks_of_250_hz() {
    let wait = |hz| timed("", hz, async |s| s.k.synchronize_rcu().await).1 / MS;
    // The tick that raises the softirq; a jiffy until idle CPUs are looked for; the tick that runs the callback.
    assert_eq!(wait(250), 12);
    // Three jiffies until idle CPUs are looked for.
    assert_eq!(wait(1000), 5);
    let expedited = timed("", 250, async |s| s.k.synchronize_rcu_expedited().await).1;
    assert!(expedited < MS, "{expedited} ns");
}

#[test]
fn ten_callbacks_are_a_batch() {
    let batches = |callbacks: usize| {
        let post = async move |s: Setup| {
            for _ in 0..callbacks {
                let thing = s.alloc().await;
                s.k.call_rcu(thing.rcu(), says(&s, ".")).await;
            }
        };
        timed("rcu_process_callbacks", 250, post).0
    };
    // One more, which asks for the grace period.
    assert_eq!([batches(10), batches(11), batches(25)], [2, 3, 4]);
}

#[test]
fn an_expedited_grace_period_does_not_wait_for_a_busy_cpu_that_reads_nothing() {
    let log = |preempt, expedited: bool| {
        let config = Config { preempt, clock: Clock::Timed(Costs::default()), ..per_cpu() };
        let main = move |s: Setup| async move {
            let this = s.clone();
            s.k.spawn("busy", Some(1), async move {
                for _ in 0..100_000 {
                    this.pause().await;
                }
                this.say("b");
            });
            s.spawn_on_0("waiter", move |s| async move {
                s.k.sleep(1000).await;
                match expedited {
                    true => s.k.synchronize_rcu_expedited().await,
                    false => s.k.synchronize_rcu().await,
                }
                s.say(".");
            });
        };
        run_with(config, Seeded::new(1), main).assert_clean().log
    };
    assert_eq!(log(Preempt::Full, true), ".b");
    assert_eq!(log(Preempt::Full, false), "b.", "no tick in 200 microseconds");
    assert_eq!(log(Preempt::None, true), "b.", "a reschedule is not possible");
}
