// SPDX-License-Identifier: GPL-2.0-only
//! A fault ends the task, and nothing but the task.

use kernel::{Atomic, Completion, Field, ListHead, Pointer, SpinLock, Value, function};
use machine::{Addr, Bug};
use machine_sim::{Config, First, Outcome};

use crate::setup::{Setup, ThingPtr, run, run_with};

#[test]
fn only_the_task_that_follows_null_dies() {
    let run = run(|s| async move {
        s.spawn("follows", |s| async move {
            let _f = s.k.enter(function!("follow"), 0);
            ThingPtr::null().data().read(&s.k).await;
            s.say("dead men walking");
        });
        s.pause().await;
        s.spawn("other", |s| async move { s.say("o") });
        s.say("m");
    });
    assert_eq!((run.outcome, run.log.as_str()), (Outcome::Done, "mo"));
    assert_eq!(run.who(&run.finding().by), "follows/follow");
    let text = run.finding().to_string();
    assert_eq!(text, "BUG: unable to handle kernel NULL pointer dereference in follow");
}

#[test]
fn every_use_of_a_bad_pointer_is_an_oops() {
    type Use = fn(Setup, ThingPtr) -> std::pin::Pin<Box<dyn Future<Output = ()>>>;
    let uses: [Use; 7] = [
        |s, p| Box::pin(async move { p.data().write(&s.k, 1).await }),
        |s, p| Box::pin(async move { p.racy().write(&s.k, 1).await }),
        |s, p| Box::pin(async move { p.count().inc(&s.k).await }),
        |s, p| Box::pin(async move { p.first().lock(&s.k).await }),
        |s, p| Box::pin(async move { p.mutex().lock(&s.k).await }),
        |s, p| {
            Box::pin(async move {
                p.done().wait(&s.k).await;
            })
        },
        |s, p| {
            Box::pin(async move {
                p.list().next_rcu(&s.k).await;
            })
        },
    ];
    for (n, use_it) in uses.into_iter().enumerate() {
        let wild = Addr::from_value(0x0dea_dbee_f000_0000);
        let pointers =
            [(Addr::NULL, "null-dereference"), (Addr::LIST_POISON1, "list-poison"), (wild, "wild-pointer")];
        for (addr, code) in pointers {
            let run = run(|s| async move {
                use_it(s.clone(), ThingPtr::at(addr)).await;
                s.say("goes on");
            });
            assert_eq!(
                (run.codes(), run.log.as_str(), run.outcome),
                (vec![code], "", Outcome::Done),
                "use {n}"
            );
        }
    }
}

#[test]
fn behind_an_object_is_nothing() {
    let run = run(|s| async move {
        let behind = s.thing.addr().plus(99);
        SpinLock::at(behind).lock(&s.k).await;
        SpinLock::at(behind).unlock(&s.k).await;
        assert_eq!(Completion::at(behind).wait(&s.k).await, 0);
        assert_eq!(Atomic::at(behind).xchg(&s.k, 1).await, 0);
        assert_eq!(Atomic::at(behind).xchg(&s.k, 1).await, 0);
        s.say("goes on");
    });
    assert_eq!((run.outcome, run.log.as_str()), (Outcome::Done, "goes on"));
    assert_eq!(run.codes(), ["kasan-out-of-bounds"; 5]);
}

#[test]
fn the_locks_of_a_dead_task_stay_held() {
    let run = run(|s| async move {
        s.spawn("dies", |s| async move {
            let _f = s.k.enter(function!("die_in"), 0);
            s.thing.mutex().lock(&s.k).await;
            ListHead::from_value(Addr::LIST_POISON1.to_value()).next(&s.k).await;
            s.thing.mutex().unlock(&s.k).await;
        });
        s.spawn("waits", |s| async move {
            s.pause().await;
            let _f = s.k.enter(function!("wait_in"), 0);
            s.thing.mutex().lock(&s.k).await;
            s.say("never");
        });
        s.say("m");
    });
    assert_eq!((run.outcome, run.log.as_str()), (Outcome::Deadlock, "m"));
    assert_eq!(run.codes(), ["list-poison", "deadlock"]);
    let deadlock = &run.sim.findings()[1];
    let Bug::Deadlock { what, holders, .. } = &deadlock.bug else { panic!("{deadlock}") };
    assert_eq!(run.who(&deadlock.by), "waits/wait_in");
    assert_eq!(what, "thing 1->mutex");
    assert_eq!(holders.iter().map(|holder| run.who(holder)).collect::<Vec<_>>(), ["dies/die_in"]);
}

#[test]
fn bug_ends_the_task_and_panic_the_run() {
    let bug = run(|s| async move {
        s.spawn("other", |s| async move { s.say("o") });
        s.k.bug_on(false, "not so").await;
        s.k.bug_on(true, "so").await;
        s.say("m");
    });
    assert_eq!((bug.outcome, bug.log.as_str()), (Outcome::Done, "o"));
    assert_eq!(bug.finding().to_string(), "kernel BUG in start: so");

    let panic = run(|s| async move {
        s.spawn("other", |s| async move { s.say("o") });
        s.k.panic("no way on").await;
        s.say("m");
    });
    assert_eq!((panic.outcome, panic.log.as_str()), (Outcome::Panic, ""));
    assert_eq!(panic.finding().to_string(), "Kernel panic - not syncing: no way on");
}

#[test]
fn the_first_finding_may_end_the_run() {
    let config = Config { stop_at_first: true, ..Config::default() };
    let run = run_with(config, First, |s| async move {
        s.k.bus.say(kernel::Effect::Warn("here"));
        s.pause().await;
        s.say("goes on");
    });
    assert_eq!((run.outcome, run.codes(), run.log.as_str()), (Outcome::Stopped, vec!["warning"], ""));
}

#[test]
fn a_loop_without_a_step_is_found() {
    let run = run(|s| async move {
        s.spawn("other", |s| async move { s.say("o") });
        while s.thing.data().read(&s.k).await == 0 {}
        s.say("m");
    });
    assert_eq!((run.outcome, run.log.as_str()), (Outcome::Done, "o"));
    assert_eq!(run.finding().code(), "endless-loop");
}

/// The end of memory ends the run; nothing that was to happen is lost without a word.
#[test]
fn the_end_of_memory_loses_no_callback_and_no_flush() {
    // Everything but the thing and the kernel's own data is taken.
    async fn fill(s: &Setup) {
        while s.k.bus.alloc(ThingPtr::layout(), 8).is_some() {}
    }
    let config = machine_sim::Config { max_cells: 2048, slab: kernel::Slab::Exact, ..Default::default() };
    let memory = machine_sim::Outcome::Limit(machine_sim::Limit::Memory);
    let call = run_with(config, First, |s| async move {
        fill(&s).await;
        s.k.call_rcu(s.thing.rcu(), std::rc::Rc::new(|_| Box::pin(async {}))).await;
    });
    assert_eq!(call.outcome, memory, "call_rcu");
    let free = run_with(config, First, |s| async move {
        fill(&s).await;
        s.k.kfree_rcu(s.thing.addr(), s.thing.rcu()).await;
    });
    assert_eq!(free.outcome, memory, "kfree_rcu");
    let flush = run_with(config, First, |s| async move {
        let wq = s.k.create_singlethread_workqueue("test").await.expect("memory");
        fill(&s).await;
        s.k.flush_workqueue(wq).await;
    });
    assert_eq!(flush.outcome, memory, "flush_workqueue");
}

/// The first finding ends an execution in the middle of a step.
#[test]
fn what_follows_the_last_finding_in_its_step_is_not_looked_at() {
    let config = Config { stop_at_first: true, ..Config::default() };
    let run = run_with(config, First, |s| async move {
        s.pause().await;
        s.k.warn_on_once(true, "test");
        let thing = s.alloc().await;
        thing.first().lock(&s.k).await;
        s.say("goes on");
    });
    assert_eq!((run.outcome, run.codes(), run.log.as_str()), (Outcome::Stopped, vec!["warning"], ""));
}
