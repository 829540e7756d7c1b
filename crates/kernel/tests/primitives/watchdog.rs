// SPDX-License-Identifier: GPL-2.0-only
//! The kernel's watchdogs: what takes too long is reported when v4.11 would report it, and what does not is not.

use kernel::{ContextKind, TaskId};
use machine::{Alarm, Bug, Choice, Detected, Driver, Finding, Op};
use machine_sim::{Clock, Config, Costs, First, Limit, Outcome, Preempt, RcuModel, Watchdogs};

use crate::{
    setup::{Setup, run_with},
    time::slow,
};

const SECOND: u64 = 1_000_000_000;

/// Goes on without preempting anybody, and notes what is found, by whom, and in which millisecond.
#[derive(Default)]
struct Notes {
    time: u64,
    found: Vec<(u64, &'static str, TaskId)>,
    bugs: Vec<Bug>,
}

impl Driver for Notes {
    fn choose(&mut self, choice: &Choice<'_>) -> Option<usize> {
        First.choose(choice)
    }
    fn time_has_passed(&mut self, time: u64) {
        self.time = time;
    }
    fn found(&mut self, finding: &Finding) {
        self.found.push((self.time / 1_000_000, finding.code(), finding.by.id));
        self.bugs.push(finding.bug.clone());
    }
}

impl Notes {
    /// What was found, and in which second.
    fn seconds(&self) -> Vec<(u64, &'static str)> {
        self.found.iter().map(|(ms, code, _)| (ms / 1000, *code)).collect()
    }
    fn alarm(&self, n: usize) -> &Alarm {
        let Bug::Watchdog(alarm) = &self.bugs[n] else { panic!("{:?}", self.bugs[n]) };
        alarm
    }
}

fn notes(config: Config, main: impl AsyncFnOnce(Setup) + 'static) -> Notes {
    let mut notes = Notes::default();
    let run = run_with(config, &mut notes, |s| async move { main(s).await });
    assert_eq!(run.outcome, Outcome::Done, "{:?}", notes.found);
    notes
}

/// Atomic operations take 100 ms, and nothing else takes time.
fn config(preempt: Preempt) -> Config {
    let Clock::Timed(costs) = slow().clock else { return slow() };
    let costs = Costs { atomic: SECOND / 10, ..costs };
    Config { cpus: 2, preempt, clock: Clock::Timed(costs), ..slow() }
}

/// Keeps its CPU busy.
async fn compute(s: &Setup, seconds: u64) {
    for _ in 0..seconds * 10 {
        s.thing.count().inc(&s.k).await;
    }
}

/// A task on a CPU, that begins after so many seconds.
fn task<F: Future<Output = ()> + 'static>(
    s: &Setup,
    cpu: u32,
    after: u64,
    f: impl FnOnce(Setup) -> F,
) -> TaskId {
    let (this, f) = (s.clone(), f(s.clone()));
    s.k.spawn("task", Some(cpu), async move {
        this.k.sleep(after * SECOND).await;
        f.await;
    })
}

/// One holds the mutex for so many seconds, and another wants it a second after that has begun.
fn waits_for_mutex(config: Config, seconds: u64, is_killable: bool) -> Notes {
    notes(config, async move |s| {
        task(&s, 0, 0, |s| async move {
            s.thing.mutex().lock(&s.k).await;
            s.k.sleep(seconds * SECOND).await;
            s.thing.mutex().unlock(&s.k).await;
        });
        task(&s, 1, 1, |s| async move {
            match is_killable {
                true => s.thing.mutex().lock_killable(&s.k).await.expect("nobody is killed"),
                false => s.thing.mutex().lock(&s.k).await,
            }
            s.thing.mutex().unlock(&s.k).await;
        });
    })
}

#[test]
fn a_task_that_sleeps_from_one_look_to_the_next_is_hung() {
    // The look at 120 s sees it, too, and cannot know for how long it has slept.
    let hung = waits_for_mutex(config(Preempt::Full), 400, false);
    assert_eq!(hung.seconds(), [(240, "hung-task"), (360, "hung-task")]);
    let Alarm::HungTask { timeout: 120, what, holders, .. } = hung.alarm(0) else { panic!() };
    assert_eq!((what.as_str(), holders.len(), hung.found[0].2), ("thing 1->mutex", 1, TaskId(2)));
    assert_eq!(holders[0].id, TaskId(1));
}

#[test]
fn a_task_that_has_run_between_two_looks_is_not_hung() {
    assert_eq!(waits_for_mutex(config(Preempt::Full), 239, false).seconds(), []);
    let run = notes(config(Preempt::Full), async |s| {
        task(&s, 0, 0, |s| async move {
            for _ in 0..4 {
                s.k.sleep(100 * SECOND).await;
                s.thing.done().complete(&s.k);
                s.pause().await;
            }
        });
        task(&s, 1, 0, |s| async move {
            for _ in 0..4 {
                s.thing.done().wait(&s.k).await;
            }
        });
    });
    assert_eq!(run.seconds(), []);
}

#[test]
fn who_can_be_killed_is_not_hung() {
    assert_eq!(waits_for_mutex(config(Preempt::Full), 400, true).seconds(), []);
}

#[test]
fn the_timeout_can_be_changed_and_switched_off() {
    let with = |hung_task_timeout| {
        let watchdogs = Watchdogs { hung_task_timeout, ..Watchdogs::default() };
        waits_for_mutex(Config { watchdogs, ..config(Preempt::Full) }, 400, false).seconds().len()
    };
    assert_eq!((with(0), with(60)), (0, 5));
}

#[test]
fn ten_warnings_are_enough() {
    assert_eq!(waits_for_mutex(config(Preempt::Full), 3000, false).found.len(), 10);
}

#[test]
fn sleep_in_a_kernel_function_counts_and_idle_workers_do_not() {
    let run = notes(config(Preempt::Full), async |s| {
        let wq = s.k.create_singlethread_workqueue("test").await.expect("memory");
        let this = s.clone();
        let func: kernel::WorkFunc = std::rc::Rc::new(move || {
            let s = this.clone();
            Box::pin(async move { s.k.sleep(300 * SECOND).await })
        });
        s.k.queue_work(wq, s.thing.work(), func).await;
        // In user mode; and the worker then waits for work.
        task(&s, 1, 1000, |_| async {});
    });
    assert_eq!(run.seconds(), [(240, "hung-task")]);
    let Alarm::HungTask { what, .. } = run.alarm(0) else { panic!() };
    assert_eq!(what, "time to pass");
}

#[test]
fn after_an_oops_nobody_is_hung() {
    let run = notes(config(Preempt::Full), async |s| {
        task(&s, 0, 0, |s| async move { s.k.bug_on(true, "on purpose").await });
        task(&s, 0, 0, |s| async move {
            s.thing.mutex().lock(&s.k).await;
            s.k.sleep(400 * SECOND).await;
            s.thing.mutex().unlock(&s.k).await;
        });
        task(&s, 1, 1, |s| async move {
            s.thing.mutex().lock(&s.k).await;
            s.thing.mutex().unlock(&s.k).await;
        });
    });
    assert_eq!(run.seconds(), [(0, "bug-on")]);
}

#[test]
fn a_cpu_that_does_not_schedule_is_locked_up() {
    let computes = |preempt, seconds| {
        notes(config(preempt), async move |s| {
            task(&s, 0, 0, |s| async move { compute(&s, seconds).await });
        })
    };
    // The sixth look: at the fifth, it is exactly 20 s. In the watchdog's seconds 24 s are 22.
    let stuck = computes(Preempt::None, 60);
    assert_eq!(stuck.seconds(), [(24, "soft-lockup")]);
    assert!(matches!(stuck.alarm(0), Alarm::SoftLockup { cpu: 0, seconds: 22 }));
    assert_eq!(computes(Preempt::None, 23).seconds(), []);
    assert_eq!(computes(Preempt::Full, 60).seconds(), []);
}

#[test]
fn a_cpu_that_schedules_now_and_then_is_not() {
    let run = |rest| {
        notes(config(Preempt::None), async move |s| {
            task(&s, 0, 0, |s| async move {
                for _ in 0..5 {
                    compute(&s, rest).await;
                    s.k.sleep(SECOND / 100).await;
                }
            });
        })
    };
    assert_eq!(run(15).seconds(), []);
    // Each time anew.
    assert_eq!(run(40).found.len(), 5);
}

#[test]
fn who_spins_locks_up_its_cpu_with_preemption_too() {
    let run = notes(config(Preempt::Full), async |s| {
        task(&s, 0, 0, |s| async move {
            s.thing.first().lock(&s.k).await;
            compute(&s, 30).await;
            s.thing.first().unlock(&s.k).await;
        });
        task(&s, 1, 0, |s| async move {
            s.thing.first().lock(&s.k).await;
            s.thing.first().unlock(&s.k).await;
        });
    });
    assert_eq!(run.found, [(24_000, "soft-lockup", TaskId(1)), (24_000, "soft-lockup", TaskId(2))]);
}

#[test]
fn a_cpu_without_interrupts_is_locked_up_hard() {
    let run = |after, seconds| {
        notes(config(Preempt::Full), async move |s| {
            task(&s, 0, after, |s| async move {
                s.thing.first().lock_irq(&s.k).await;
                compute(&s, seconds).await;
                s.thing.first().unlock_irq(&s.k).await;
                compute(&s, 50).await;
            });
        })
        .seconds()
    };
    // No timer interrupt comes between the NMIs of 10 and 20 s; the soft detector's interrupt does not come either.
    assert_eq!(run(5, 25), [(20, "hard-lockup")]);
    assert_eq!(run(5, 14), []);
}

#[test]
fn handlers_and_who_spins_for_such_a_lock_take_no_interrupts() {
    let spins = notes(config(Preempt::Full), async |s| {
        task(&s, 0, 5, |s| async move {
            s.thing.first().lock(&s.k).await;
            compute(&s, 18).await;
            s.thing.first().unlock(&s.k).await;
        });
        task(&s, 1, 6, |s| async move {
            s.thing.first().lock_irqsave(&s.k).await;
            s.thing.first().unlock_irqrestore(&s.k).await;
        });
    });
    assert_eq!(spins.found, [(20_000, "hard-lockup", TaskId(2))]);
    let handler = |after, seconds| {
        notes(config(Preempt::Full), async move |s| {
            let this = s.clone();
            s.k.raise("handler", ContextKind::Hardirq, 1, async move {
                this.k.bus.step(Op::Sleep(after * SECOND)).await;
                compute(&this, seconds).await;
            });
        })
    };
    assert_eq!(handler(5, 20).found, [(20_000, "hard-lockup", TaskId(1))]);
    assert_eq!(handler(5, 14).found, []);
}

/// A reader stays inside for so many seconds, with interrupts on or off, and another waits for a grace period.
fn reader(config: Config, seconds: u64, irqs_off: bool, expedited: bool) -> Notes {
    notes(config, async move |s| {
        if config.rcu == RcuModel::PerCpu {
            s.k.rcu_spawn_gp_kthread("rcu_preempt", 250, 2);
        }
        task(&s, 0, 0, |s| async move {
            s.k.rcu_read_lock().await;
            if irqs_off {
                s.k.local_irq_disable().await;
            }
            compute(&s, seconds).await;
            if irqs_off {
                s.k.local_irq_enable().await;
            }
            s.k.rcu_read_unlock();
            s.pause().await;
        });
        task(&s, 1, 1, |s| async move {
            match expedited {
                true => s.k.synchronize_rcu_expedited().await,
                false => s.k.synchronize_rcu().await,
            }
        });
    })
}

#[test]
fn a_grace_period_that_does_not_end_is_stalled() {
    for rcu in [RcuModel::Abstract, RcuModel::PerCpu] {
        let config = Config { rcu, ..config(Preempt::Full) };
        let late = reader(config, 60, false, false);
        assert_eq!(late.seconds(), [(22, "rcu-stall")]);
        let Alarm::RcuStall(stall) = late.alarm(0) else { panic!() };
        assert_eq!((stall.flavor, stall.detected), ("rcu_preempt", Detected::BySelf));
        assert_eq!((stall.cpus.len(), stall.cpus[0].0, stall.tasks.len()), (1, 0, 0));
        assert_eq!(reader(config, 21, false, false).seconds(), []);
        let off = Watchdogs { rcu_stall_timeout: 0, ..Watchdogs::default() };
        assert_eq!(reader(Config { watchdogs: off, ..config }, 60, false, false).seconds(), []);
    }
}

#[test]
fn a_cpu_that_does_not_schedule_stalls_rcu_sched() {
    let config = Config { rcu: RcuModel::PerCpu, ..config(Preempt::None) };
    let run = notes(config, async |s| {
        s.k.rcu_spawn_gp_kthread("rcu_sched", 250, 2);
        task(&s, 0, 0, |s| async move { compute(&s, 40).await });
        task(&s, 1, 1, |s| async move { s.k.synchronize_rcu().await });
    });
    assert_eq!(run.seconds(), [(22, "rcu-stall"), (24, "soft-lockup")]);
    let Alarm::RcuStall(stall) = run.alarm(0) else { panic!() };
    assert_eq!((stall.flavor, stall.detected, stall.cpus[0].0), ("rcu_sched", Detected::BySelf, 0));
}

#[test]
fn each_grace_period_is_reported_once() {
    let run = notes(config(Preempt::Full), async |s| {
        task(&s, 0, 0, |s| async move {
            s.k.rcu_read_lock().await;
            compute(&s, 100).await;
            s.k.rcu_read_unlock();
            s.pause().await;
        });
        task(&s, 1, 1, |s| async move { s.k.synchronize_rcu().await });
        task(&s, 1, 5, |s| async move { s.k.synchronize_rcu().await });
    });
    assert_eq!(run.seconds(), [(22, "rcu-stall"), (26, "rcu-stall")]);
}

#[test]
fn another_cpu_reports_one_that_takes_no_ticks() {
    let watchdogs = Watchdogs { lockup_thresh: 0, ..Watchdogs::default() };
    let run = reader(Config { watchdogs, ..config(Preempt::Full) }, 60, true, false);
    assert_eq!(run.found, [(22_008, "rcu-stall", TaskId(1))]);
    let Alarm::RcuStall(stall) = run.alarm(0) else { panic!() };
    assert_eq!((stall.detected, stall.jiffies), (Detected::ByOther(1), 5252));
}

#[test]
fn who_waits_for_an_expedited_one_reports_it() {
    let run = reader(config(Preempt::Full), 60, false, true);
    assert_eq!(run.seconds(), [(22, "rcu-stall")]);
    assert!(matches!(run.alarm(0), Alarm::RcuStall(stall) if stall.detected == Detected::Expedited));
}

#[test]
fn a_reader_that_does_not_run_is_named() {
    let run = notes(config(Preempt::Full), async |s| {
        task(&s, 0, 0, |s| async move {
            s.k.rcu_read_lock().await;
            s.thing.done().wait(&s.k).await;
            s.k.rcu_read_unlock();
            s.pause().await;
        });
        task(&s, 1, 1, |s| async move { s.k.synchronize_rcu().await });
        task(&s, 1, 40, |s| async move { s.thing.done().complete(&s.k) });
    });
    assert_eq!(run.found, [(22_008, "rcu-stall", TaskId(1))]);
    let Alarm::RcuStall(stall) = run.alarm(0) else { panic!() };
    assert_eq!((stall.cpus.len(), stall.tasks.len(), stall.tasks[0].id), (0, 1, TaskId(1)));
}

#[test]
fn the_first_finding_and_the_limit_of_time_end_an_execution() {
    let waits = |config| {
        let run = run_with(config, First, |s| async move {
            s.thing.mutex().lock(&s.k).await;
            task(&s, 1, 1, |s| async move { s.thing.mutex().lock(&s.k).await });
            s.k.sleep(1000 * SECOND).await;
            s.thing.mutex().unlock(&s.k).await;
        });
        (run.outcome, run.codes().len())
    };
    let config = config(Preempt::Full);
    assert_eq!(waits(Config { stop_at_first: true, ..config }), (Outcome::Stopped, 1));
    assert_eq!(waits(Config { max_time: 300 * SECOND, ..config }), (Outcome::Limit(Limit::Time), 1));
}

#[test]
fn watchdogs_do_not_keep_an_execution_going() {
    let run = run_with(config(Preempt::Full), First, |s| async move {
        task(&s, 0, 1, |s| async move {
            s.thing.mutex().lock(&s.k).await;
            s.thing.mutex().lock(&s.k).await;
        });
    });
    assert_eq!((run.outcome, run.codes()), (Outcome::Deadlock, vec!["deadlock"]));
    assert!(run.sim.time() < 2 * SECOND);
}

#[test]
fn watchdogs_change_nothing() {
    let hash = |watchdogs| {
        let config = Config { watchdogs, ..config(Preempt::None) };
        let run = run_with(config, First, |s| async move {
            task(&s, 0, 0, |s| async move { compute(&s, 60).await });
            task(&s, 1, 7, |s| async move { s.k.synchronize_rcu().await });
        });
        (run.sim.findings().len(), run.sim.trace_hash(), run.sim.time())
    };
    let (found, with, time) = hash(Watchdogs::default());
    let none = Watchdogs { hung_task_timeout: 0, lockup_thresh: 0, rcu_stall_timeout: 0 };
    assert_eq!((found, hash(none)), (1, (0, with, time)));
}
