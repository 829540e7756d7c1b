// SPDX-License-Identifier: GPL-2.0-only
//! Virtual time: who is due first, time slices, the tick, and that a clock makes nothing possible that is not possible
//! without one.

use std::{cell::RefCell, rc::Rc};

use kernel::{ContextKind, RcuFunc};
use machine::{Choice, Driver, Event, TaskId, What};
use machine_sim::{Clock, Config, Costs, First, Limit, Outcome, RcuModel, Seeded};

use crate::setup::{Run, Setup, run_with};

pub(crate) const MS: u64 = 1_000_000;

/// Atomic operations take a millisecond, and nothing else takes time.
pub(crate) fn slow() -> Config {
    let nothing = Costs {
        access: 0,
        atomic: 0,
        lock: 0,
        unlock: 0,
        call: 0,
        alloc: 0,
        free: 0,
        wakeup: 0,
        context_switch: 0,
        tick: 0,
    };
    Config { clock: Clock::Timed(Costs { atomic: MS, ..nothing }), ..Config::default() }
}

pub(crate) fn timed(config: Config, seed: u64, main: impl AsyncFnOnce(Setup) + 'static) -> Run {
    run_with(config, Seeded::new(seed), |s| async move { main(s).await }).assert_clean()
}

/// Keeps its CPU busy for so many milliseconds.
pub(crate) async fn work(s: &Setup, ms: u32) {
    for _ in 0..ms {
        s.thing.count().inc(&s.k).await;
    }
}

#[test]
fn sleepers_wake_in_the_order_of_their_times() {
    for seed in 0..20 {
        let run = timed(slow(), seed, async |s| {
            for (name, ms) in [("c", 30), ("a", 10), ("b", 20)] {
                s.spawn(name, |s| async move {
                    s.k.sleep(ms * MS).await;
                    s.say(name);
                });
            }
        });
        assert_eq!((run.log.as_str(), run.sim.time()), ("abc", 30 * MS));
    }
}

#[test]
fn cpus_work_at_the_same_time_and_tasks_of_one_cpu_do_not() {
    let time = |cpus: [u32; 2]| {
        let main = async move |s: Setup| {
            for cpu in cpus {
                let this = s.clone();
                s.k.spawn("task", Some(cpu), async move { work(&this, 3).await });
            }
        };
        timed(slow(), 1, main).sim.time()
    };
    assert_eq!((time([0, 1]), time([1, 1])), (3 * MS, 6 * MS));
}

/// Who holds a lock for long sees the others queue up.
async fn queue_up(s: Setup) {
    for (cpu, name) in [(3, "c"), (1, "a"), (2, "b")] {
        let this = s.clone();
        s.k.spawn(name, Some(cpu), async move {
            work(&this, cpu).await;
            this.thing.first().lock(&this.k).await;
            this.say(name);
            work(&this, 10).await;
            this.thing.first().unlock(&this.k).await;
        });
    }
}

#[test]
fn a_lock_is_handed_on_in_the_order_of_arrival() {
    for seed in 0..20 {
        let run = timed(slow(), seed, queue_up);
        assert_eq!((run.log.as_str(), run.sim.time()), ("abc", 31 * MS));
    }
    let without_clock = crate::setup::logs(queue_up);
    assert!(without_clock.contains("cba"), "any waiter may win: {without_clock:?}");
}

#[test]
fn nobody_takes_a_mutex_from_the_one_that_is_woken_for_it() {
    let Clock::Timed(costs) = slow().clock else { return };
    // Who is woken needs a millisecond to get going; in the middle of that, another one asks.
    let config = Config { clock: Clock::Timed(Costs { context_switch: 2 * MS, ..costs }), ..slow() };
    let run = timed(config, 1, async |s| {
        for (name, cpu, before) in [("holder", 0, 0), ("waiter", 1, 1), ("newcomer", 2, 11)] {
            let this = s.clone();
            s.k.spawn(name, Some(cpu), async move {
                work(&this, before).await;
                this.thing.mutex().lock(&this.k).await;
                this.say(&name[..1]);
                work(&this, 10).await;
                this.thing.mutex().unlock(&this.k).await;
            });
        }
    });
    assert_eq!(run.log, "hwn");
}

#[test]
fn time_comes_from_the_costs() {
    let time = |costs| {
        let config = Config { clock: Clock::Timed(costs), ..Config::default() };
        let main = async |s: Setup| {
            s.thing.first().lock(&s.k).await;
            s.thing.data().write(&s.k, 1).await;
            s.thing.first().unlock(&s.k).await;
        };
        timed(config, 1, main).sim.time()
    };
    let costs = Costs::default();
    // A switch to the task, and the tick that is on when it has run.
    let base = time(costs);
    assert_eq!(time(Costs { lock: costs.lock + 1000, ..costs }), base + 1000);
    assert_eq!(time(Costs { access: costs.access + 100, ..costs }), base + 100);
    assert_eq!(time(Costs { unlock: costs.unlock + 10, ..costs }), base + 10);
    assert_eq!(time(Costs { context_switch: costs.context_switch + 1, ..costs }), base + 1);
}

#[test]
fn a_deadlock_ends_in_spite_of_the_tick() {
    for rcu in [RcuModel::Abstract, RcuModel::PerCpu] {
        let run = run_with(Config { rcu, ..slow() }, First, |s| async move {
            for cpu in [0, 1] {
                let this = s.clone();
                s.k.spawn("task", Some(cpu), async move {
                    let locks = [this.thing.first(), this.thing.second()];
                    locks[cpu as usize].lock(&this.k).await;
                    work(&this, 2).await;
                    locks[1 - cpu as usize].lock(&this.k).await;
                });
            }
        });
        assert_eq!((run.outcome, run.codes()), (Outcome::Deadlock, vec!["deadlock", "deadlock"]));
    }
}

#[test]
fn who_sleeps_is_woken_at_the_cost_of_the_one_who_wakes_it() {
    let time = |spins: bool, waits: bool, wakeup| {
        let Clock::Timed(costs) = slow().clock else { return 0 };
        let config = Config { clock: Clock::Timed(Costs { wakeup, ..costs }), ..slow() };
        let main = async move |s: Setup| {
            for (name, before) in [("first", 0), ("second", if waits { 1 } else { 9 })] {
                s.spawn(name, async move |s| {
                    work(&s, before).await;
                    if spins {
                        s.thing.first().lock(&s.k).await;
                        work(&s, 4).await;
                        return s.thing.first().unlock(&s.k).await;
                    }
                    s.thing.mutex().lock(&s.k).await;
                    work(&s, 4).await;
                    s.thing.mutex().unlock(&s.k).await;
                });
            }
            s.spawn_on_0("posts", |s| async move {
                s.k.call_rcu(s.thing.rcu(), Rc::new(|_| Box::pin(async {}))).await;
            });
        };
        timed(config, 1, main).sim.time()
    };
    assert_eq!((time(false, true, 0), time(false, true, MS)), (8 * MS, 9 * MS));
    assert_eq!(time(false, false, 0), time(false, false, MS), "nobody waits");
    assert_eq!(time(true, true, 0), time(true, true, MS), "nobody sleeps");
}

#[test]
fn an_execution_that_only_ticks_can_be_ended() {
    #[derive(Debug)]
    struct Impatient(u32);
    impl Driver for Impatient {
        fn choose(&mut self, choice: &Choice<'_>) -> Option<usize> {
            First.choose(choice)
        }
        fn goes_on(&mut self) -> bool {
            self.0 += 1;
            self.0 < 3
        }
    }
    let mut driver = Impatient(0);
    let run = run_with(slow(), &mut driver, |s| async move {
        for cpu in [0, 1] {
            let this = s.clone();
            s.k.spawn("task", Some(cpu), async move {
                this.thing.first().lock(&this.k).await;
                this.k.sleep(3_000_000 * MS).await; // a bug; the other spins for 750,000 ticks
                this.thing.first().unlock(&this.k).await;
            });
        }
    });
    assert_eq!((run.outcome, run.sim.steps() < 10, driver.0), (Outcome::Abandoned, true, 3));
}

#[test]
fn time_has_a_limit() {
    let config = Config { max_time: 50 * MS, ..slow() };
    let run = run_with(config, First, |s| async move {
        loop {
            s.k.sleep(10 * MS).await;
            s.say(".");
        }
    });
    assert_eq!((run.outcome, run.log.as_str()), (Outcome::Limit(Limit::Time), "....."));
}

#[test]
fn ticks_of_cpus_that_spin_count_as_steps() {
    let run = |max_steps| {
        run_with(Config { max_steps, ..slow() }, First, |s| async move {
            for _ in 0..2 {
                s.spawn("task", |s| async move {
                    s.thing.first().lock(&s.k).await;
                    s.k.sleep(1000 * MS).await; // a bug; the other spins for 250 ticks
                    s.thing.first().unlock(&s.k).await;
                });
            }
        })
        .outcome
    };
    assert_eq!((run(200), run(400)), (Outcome::Limit(Limit::Steps), Outcome::Done));
}

/// Writes down who was chosen and what happened, or chooses those again.
#[derive(Debug, Default)]
struct Observed {
    seed: Option<Seeded>,
    chosen: Vec<TaskId>,
    at: usize,
    events: Vec<(TaskId, What)>,
}

impl Driver for Observed {
    fn choose(&mut self, choice: &Choice<'_>) -> Option<usize> {
        let index = match &mut self.seed {
            Some(seed) => seed.choose(choice)?,
            None => choice.ready.position(*self.chosen.get(self.at)?)?,
        };
        self.at += 1;
        if self.seed.is_some() {
            self.chosen.extend(choice.ready.get(index));
        }
        Some(index)
    }
    fn happened(&mut self, event: &Event) {
        self.events.push((event.current.task, event.what));
    }
}

/// Locks, sleeps, callbacks, grace periods, work and an interrupt, on two CPUs.
async fn a_bit_of_everything(s: Setup) {
    s.spawn("sleeper", |s| async move {
        s.k.sleep(3 * MS).await;
        s.thing.mutex().lock(&s.k).await;
        s.k.synchronize_rcu().await;
        s.thing.mutex().unlock(&s.k).await;
    });
    s.spawn_on_0("poster", |s| async move {
        let done = s.clone();
        let func: RcuFunc = Rc::new(move |_| {
            let s = done.clone();
            Box::pin(async move { s.thing.done().complete(&s.k) })
        });
        s.thing.mutex().lock(&s.k).await;
        s.k.call_rcu(s.thing.rcu(), func).await;
        s.thing.done().wait(&s.k).await;
        s.thing.mutex().unlock(&s.k).await;
    });
    let handler = s.clone();
    s.k.raise("interrupt", ContextKind::Hardirq, 1, async move { work(&handler, 1).await });
    let this = s.clone();
    s.k.spawn("reader", Some(1), async move {
        for _ in 0..4 {
            this.k.rcu_read_lock().await;
            work(&this, 1).await;
            this.k.rcu_read_unlock();
            this.thing.first().lock_bh(&this.k).await;
            work(&this, 1).await;
            this.thing.first().unlock_bh(&this.k).await;
        }
    });
}

#[test]
fn what_happens_with_a_clock_can_happen_without() {
    let seen = Rc::new(RefCell::new(std::collections::BTreeSet::new()));
    for seed in 0..200 {
        for rcu in [RcuModel::Abstract, RcuModel::PerCpu] {
            let mut timed = Observed { seed: Some(Seeded::new(seed)), ..Observed::default() };
            let config = Config { rcu, cpus: 2, ..slow() };
            let run = run_with(config, &mut timed, a_bit_of_everything).assert_clean();
            seen.borrow_mut().insert(run.sim.trace_hash());
            let mut again = Observed { chosen: timed.chosen, ..Observed::default() };
            let untimed = Config { rcu: RcuModel::Abstract, clock: Clock::Untimed, ..config };
            run_with(untimed, &mut again, a_bit_of_everything).assert_clean();
            assert!(timed.events == again.events, "seed {seed}, {rcu:?}");
        }
    }
    assert!(seen.borrow().len() > 2, "who is due at the same time, a seed decides");
}
