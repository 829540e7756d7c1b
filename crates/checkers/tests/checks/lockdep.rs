// SPDX-License-Identifier: GPL-2.0-only
//! Lockdep: orders, contexts, and what is held too long.

use checkers::Enabled;
use kernel::{
    ContextKind::{Hardirq, Process, Softirq},
    SpinLock, WorkFunc,
};
use machine::{Bug, LockProblem, LockReport};
use machine_sim::{Config, Outcome};

use crate::setup::{Run, Setup, run, run_seed, run_with};

async fn nest(s: &Setup, outer: SpinLock, inner: SpinLock) {
    outer.lock(&s.k).await;
    inner.lock(&s.k).await;
    inner.unlock(&s.k).await;
    outer.unlock(&s.k).await;
}

async fn take_a(s: Setup) {
    s.thing.a().lock(&s.k).await;
    s.thing.a().unlock(&s.k).await;
}

fn report(run: &Run) -> &LockReport {
    let Bug::Lockdep(report) = run.bug() else { panic!("{:?}", run.codes()) };
    report
}

#[test]
fn two_orders_of_two_locks_are_a_circle() {
    let run = run(|s| async move {
        let t = s.thing;
        for _ in 0..3 {
            nest(&s, t.a(), t.b()).await;
            nest(&s, t.b(), t.a()).await;
        }
    });
    assert_eq!(run.outcome, Outcome::Done);
    // Once for the pair.
    assert_eq!(run.codes(), ["lockdep-circular"]);
    let LockProblem::Circular { held, chain } = &report(&run).problem else { panic!("a circle") };
    assert_eq!((held.class.as_str(), report(&run).lock.class.as_str()), ("&thing->b", "&thing->a"));
    assert_eq!(chain.iter().map(|link| link.class.as_str()).collect::<Vec<_>>(), ["&thing->b"]);
    assert_eq!(
        run.titles(),
        ["WARNING: possible circular locking dependency detected in start: &thing->b --> &thing->a"]
    );
}

#[test]
fn one_order_is_none() {
    let run = run(|s| async move {
        let (t, other) = (s.thing, s.alloc().await);
        nest(&s, t.a(), t.b()).await;
        nest(&s, other.a(), t.b()).await;
        nest(&s, t.a(), t.c()).await;
        nest(&s, t.b(), t.c()).await;
    });
    assert_eq!(run.codes(), [""; 0]);
}

#[test]
fn a_circle_may_be_long_and_lie_in_several_objects_and_tasks() {
    let run = run(|s| async move {
        let (t, u, v) = (s.thing, s.alloc().await, s.alloc().await);
        let s_ = s.clone();
        s.k.spawn("ab", None, async move { nest(&s_, t.a(), u.b()).await });
        let s_ = s.clone();
        s.k.spawn("bc", None, async move { nest(&s_, v.b(), u.c()).await });
        let s_ = s.clone();
        s.k.spawn("ca", None, async move { nest(&s_, t.c(), v.a()).await });
    });
    assert_eq!(run.codes(), ["lockdep-circular"]);
    let LockProblem::Circular { chain, .. } = &report(&run).problem else { panic!("a circle") };
    assert_eq!(chain.iter().map(|link| link.class.as_str()).collect::<Vec<_>>(), ["&thing->b", "&thing->c"]);
}

#[test]
fn a_deadlock_is_reported_before_it_happens() {
    let mut deadlocks = 0;
    for seed in 0..50 {
        let run = run_seed(seed, |s| async move {
            for is_ab in [true, false] {
                let (t, s_) = (s.thing, s.clone());
                let (outer, inner) = if is_ab { (t.a(), t.b()) } else { (t.b(), t.a()) };
                s.k.spawn("task", None, async move { nest(&s_, outer, inner).await });
            }
        });
        // Where each has one, neither is ever taken in the wrong order.
        deadlocks += usize::from(run.outcome == Outcome::Deadlock);
        assert_eq!(run.codes()[0], "lockdep-circular", "seed {seed}: {:?}", run.codes());
    }
    assert!((1..50).contains(&deadlocks), "{deadlocks}");
}

#[test]
fn the_order_of_release_makes_dependencies_too() {
    let run = run(|s| async move {
        let t = s.thing;
        t.a().lock(&s.k).await;
        t.b().lock(&s.k).await;
        t.c().lock(&s.k).await;
        t.b().unlock(&s.k).await;
        t.c().unlock(&s.k).await;
        t.a().unlock(&s.k).await;
        nest(&s, t.c(), t.a()).await;
    });
    let LockProblem::Circular { chain, .. } = &report(&run).problem else { panic!("a circle") };
    assert_eq!(chain.len(), 1, "a was held while c was taken, and b no more");
}

#[test]
fn two_locks_of_one_class_are_held() {
    let recursive = run(|s| async move {
        let (t, other) = (s.thing, s.alloc().await);
        nest(&s, t.a(), other.a()).await;
        nest(&s, t.a(), other.a()).await;
    });
    assert_eq!(recursive.codes(), ["lockdep-recursive"]);
    let itself = run(|s| async move {
        s.thing.a().lock(&s.k).await;
        s.thing.a().lock(&s.k).await;
    });
    assert_eq!(itself.codes(), ["lockdep-recursive", "deadlock"]);
}

/// A task on CPU 0 takes `a` as `lock_bh` says, and a softirq there takes it.
fn softirq_takes(lock_bh: bool) -> Run {
    run(move |s| async move {
        s.spawn(Softirq, take_a);
        s.spawn(Process, async move |s: Setup| {
            if lock_bh {
                s.thing.a().lock_bh(&s.k).await;
                s.thing.a().unlock_bh(&s.k).await;
            } else {
                s.thing.a().lock(&s.k).await;
                s.thing.a().unlock(&s.k).await;
            }
        });
    })
}

#[test]
fn a_lock_of_softirqs_is_held_where_they_may_arrive() {
    let run = softirq_takes(false);
    assert_eq!(run.outcome, Outcome::Done);
    assert!(report(&run).title().starts_with("WARNING: inconsistent lock state"));
    assert_eq!(softirq_takes(true).codes(), [""; 0]);
}

#[test]
fn softirqs_that_are_let_in_again_find_what_is_held() {
    let held = |nested: bool| {
        run(move |s| async move {
            s.spawn(Softirq, take_a);
            s.spawn(Process, async move |s: Setup| {
                s.k.local_bh_disable().await;
                if nested {
                    s.k.local_bh_disable().await;
                }
                s.thing.a().lock(&s.k).await;
                s.k.local_bh_enable().await; // too early, unless nested
                s.thing.a().unlock(&s.k).await;
            });
        })
    };
    assert_eq!(held(false).codes(), ["lockdep-inconsistent"]);
    assert_eq!(held(true).codes(), [""; 0]);
}

#[test]
fn a_hardirq_takes_a_lock_that_keeps_off_softirqs_only() {
    let takes = |irq: bool| {
        run(move |s| async move {
            s.spawn(Hardirq, take_a);
            s.spawn(Process, async move |s: Setup| {
                if irq {
                    s.thing.a().lock_irqsave(&s.k).await;
                    s.thing.a().unlock_irqrestore(&s.k).await;
                } else {
                    s.thing.a().lock_bh(&s.k).await;
                    s.thing.a().unlock_bh(&s.k).await;
                }
            });
        })
    };
    let LockProblem::Inconsistent { was, now, .. } = report(&takes(false)).problem.clone() else {
        panic!("an inconsistent state")
    };
    assert_eq!((was.irq(), now.irq()), ("HARDIRQ", "HARDIRQ"));
    assert_eq!(takes(true).codes(), [""; 0]);
}

/// A softirq takes `a`; a task takes `b` inside of `a`, and elsewhere `b` where softirqs may arrive.
fn safe_to_unsafe(order_last: bool, b_is_safe: bool) -> Run {
    run(move |s| async move {
        s.spawn(Softirq, take_a);
        let nested = |s: Setup| async move {
            s.thing.a().lock_bh(&s.k).await;
            s.thing.b().lock(&s.k).await;
            s.thing.b().unlock(&s.k).await;
            s.thing.a().unlock_bh(&s.k).await;
        };
        let plain = move |s: Setup| async move {
            if b_is_safe {
                s.k.local_bh_disable().await;
            }
            s.thing.b().lock(&s.k).await;
            s.thing.b().unlock(&s.k).await;
            if b_is_safe {
                s.k.local_bh_enable().await;
            }
        };
        s.spawn(Process, async move |s: Setup| {
            if order_last {
                plain(s.clone()).await;
                nested(s).await;
            } else {
                nested(s.clone()).await;
                plain(s).await;
            }
        });
    })
}

#[test]
fn a_safe_lock_leads_to_an_unsafe_one() {
    let order = safe_to_unsafe(true, false);
    assert_eq!(
        order.titles(),
        ["WARNING: SOFTIRQ-safe -> SOFTIRQ-unsafe lock order detected in start: &thing->a --> &thing->b"]
    );
    let inversion = safe_to_unsafe(false, false);
    assert_eq!(inversion.codes(), ["lockdep-irq-unsafe"]);
    assert!(inversion.titles()[0].contains("possible irq lock inversion dependency detected"));
    for order_last in [false, true] {
        assert_eq!(safe_to_unsafe(order_last, true).codes(), [""; 0]);
    }
}

#[test]
fn locks_are_held_where_none_may_be() {
    let ends = run(|s| async move { s.thing.a().lock(&s.k).await });
    assert_eq!(ends.titles(), ["WARNING: task still has locks held! in start: &thing->a"]);
    let user_mode = run(|s| async move {
        s.thing.mutex().lock(&s.k).await;
        s.k.return_to_user_mode();
        s.thing.mutex().unlock(&s.k).await;
    });
    assert_eq!(
        user_mode.titles(),
        ["WARNING: lock held when returning to user space! in start: &thing->mutex"]
    );
    let given_back = run(|s| async move {
        s.thing.mutex().lock(&s.k).await;
        s.thing.mutex().unlock(&s.k).await;
        s.k.return_to_user_mode();
    });
    assert_eq!(given_back.codes(), [""; 0]);
}

#[test]
fn who_is_killed_does_not_hold_what_it_waited_for() {
    let run = run(|s| async move {
        let (t, s_) = (s.thing, s.clone());
        t.mutex().lock(&s.k).await;
        let waits = s.k.spawn("waits", None, async move {
            assert!(t.mutex().lock_killable(&s_.k).await.is_err());
            t.done().complete(&s_.k);
        });
        s.k.kill(waits);
        t.done().wait(&s.k).await;
        t.mutex().unlock(&s.k).await;
    });
    assert_eq!((run.outcome, run.codes()), (Outcome::Done, vec![]));
}

/// A work item takes a mutex (and gives it back, or not); who flushes holds it, or not.
fn flushes(holds: bool, leaks: bool) -> Run {
    run(move |s| async move {
        let wq = s.k.create_singlethread_workqueue("test").await.expect("memory");
        let s_ = s.clone();
        let func: WorkFunc = std::rc::Rc::new(move || {
            let s = s_.clone();
            Box::pin(async move {
                s.thing.mutex().lock(&s.k).await;
                if !leaks {
                    s.thing.mutex().unlock(&s.k).await;
                }
            })
        });
        s.k.queue_work(wq, s.thing.work(), func).await;
        s.k.flush_workqueue(wq).await;
        if holds {
            s.thing.mutex().lock(&s.k).await;
            s.k.flush_workqueue(wq).await; // nothing is queued: it does not wait
            s.thing.mutex().unlock(&s.k).await;
        }
    })
}

#[test]
fn who_flushes_work_holds_what_the_work_wants() {
    let run = flushes(true, false);
    assert_eq!(run.outcome, Outcome::Done);
    let LockProblem::Circular { held, chain } = &report(&run).problem else { panic!("a circle") };
    assert_eq!(held.class, "&thing->mutex");
    assert_eq!(
        chain.iter().map(|link| link.class.as_str()).collect::<Vec<_>>(),
        ["&thing->work", "&thing->mutex"]
    );
    assert_eq!(flushes(false, false).codes(), [""; 0]);
}

#[test]
fn work_leaks_a_lock() {
    assert_eq!(
        flushes(false, true).titles(),
        ["BUG: workqueue leaked lock or atomic in process_one_work: &thing->mutex"]
    );
}

#[test]
fn without_lockdep_there_is_no_report() {
    let enabled = Enabled { lockdep: false, ..Enabled::ALL };
    let run = run_with(Config::default(), enabled, |s| async move {
        nest(&s, s.thing.a(), s.thing.b()).await;
        nest(&s, s.thing.b(), s.thing.a()).await;
    });
    assert_eq!(run.codes(), [""; 0]);
}

#[test]
fn nothing_is_remembered_from_one_run_to_the_next() {
    use checkers::Checkers;
    use machine_sim::{First, Sim};
    let mut checkers = Checkers::new(Enabled::ALL);
    let mut sim = Sim::new(Config::default());
    for is_ab in [true, false, true] {
        sim.run_checked(&mut First, &mut checkers, |bus| async move {
            let k = kernel::Kernel::new(&bus);
            let thing = k.kzalloc("thing", kernel::Gfp::Kernel).await.expect("memory");
            let s = Setup { k, thing };
            let (a, b) = (s.thing.a(), s.thing.b());
            if is_ab {
                nest(&s, a, b).await
            } else {
                nest(&s, b, a).await
            }
            s.thing.c().lock(&s.k).await; // held at the end, and not in the next run
        });
        let codes: Vec<_> = sim.findings().iter().map(machine::Finding::code).collect();
        assert_eq!(codes, ["lock-held"]);
    }
}
