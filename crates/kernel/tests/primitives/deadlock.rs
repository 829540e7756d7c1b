// SPDX-License-Identifier: GPL-2.0-only
//! Those who wait for ever, what for, and who has it.

use kernel::function;
use machine::{Bug, Finding};
use machine_sim::{Config, First, Outcome, Preempt, RcuModel};

use crate::setup::{Run, Setup, run, run_with, runs};

/// `waiter/function waits for WHAT of holder/function`, for each deadlock.
fn waits(run: &Run) -> Vec<String> {
    run.sim.findings().iter().map(|finding| wait(run, finding)).collect()
}
fn wait(run: &Run, finding: &Finding) -> String {
    match &finding.bug {
        Bug::Deadlock { what, holders, .. } => {
            let holders: Vec<String> = holders.iter().map(|holder| run.who(holder)).collect();
            format!("{} waits for {what} of {}", run.who(&finding.by), holders.join(", "))
        }
        bug => panic!("{bug:?}"),
    }
}

/// A task spins on a CPU for a lock whose holder is dead; another one waits for a grace period.
async fn spin_for_ever(s: Setup) {
    s.thing.first().lock(&s.k).await;
    let spinner = s.clone();
    s.k.spawn("spinner", Some(1), async move {
        let _f = spinner.k.enter(function!("spins"), 0);
        spinner.thing.first().lock(&spinner.k).await;
    });
    let waiter = s.clone();
    s.k.spawn("waiter", Some(2), async move { waiter.k.synchronize_rcu().await });
    let _f = s.k.enter(function!("dies"), 0);
    s.k.bug_on(true, "dead").await;
}

/// In the per-CPU model a CPU that stays busy holds a grace period up, whether it reads or not.
#[test]
fn a_grace_period_names_who_is_on_a_busy_cpu() {
    for (rcu, last) in [
        (RcuModel::Abstract, "spinner/spins waits for thing 1->first of main/start"),
        (RcuModel::PerCpu, "waiter/synchronize_rcu waits for a grace period of spinner/spins"),
    ] {
        let run = run_with(Config { rcu, ..Config::default() }, First, spin_for_ever);
        assert_eq!(run.codes()[0], "bug-on");
        let waits: Vec<String> = run.sim.findings()[1..].iter().map(|finding| wait(&run, finding)).collect();
        assert_eq!(waits.last().map(String::as_str), Some(last), "{rcu:?}: {waits:?}");
    }
}

async fn nest(s: Setup, reverse: bool) {
    let (first, second) = (s.thing.first(), s.thing.second());
    let (outer, inner) = if reverse { (second, first) } else { (first, second) };
    let _f = s.k.enter(if reverse { function!("backwards") } else { function!("forwards") }, 0);
    outer.lock(&s.k).await;
    inner.lock(&s.k).await;
    inner.unlock(&s.k).await;
    outer.unlock(&s.k).await;
}

#[test]
fn locks_in_both_orders_name_everybody() {
    let mut outcomes = [0, 0];
    for run in runs(Config::default(), |s| async move {
        s.spawn("a", |s| nest(s, false));
        s.spawn("b", |s| nest(s, true));
    }) {
        if run.outcome == Outcome::Done {
            outcomes[0] += 1;
            run.assert_clean();
            continue;
        }
        outcomes[1] += 1;
        assert_eq!(run.outcome, Outcome::Deadlock);
        let expected = [
            "a/forwards waits for thing 1->second of b/backwards",
            "b/backwards waits for thing 1->first of a/forwards",
        ];
        assert_eq!(waits(&run), expected);
    }
    assert!(outcomes.iter().all(|n| *n > 0), "{outcomes:?}");
}

#[test]
fn locks_in_one_order_do_not_deadlock() {
    for run in runs(Config::default(), |s| async move {
        s.spawn("a", |s| nest(s, false));
        s.spawn("b", |s| nest(s, false));
    }) {
        run.assert_clean();
    }
}

#[test]
fn a_lock_taken_twice_waits_for_itself() {
    let run = run(|s| async move {
        let _f = s.k.enter(function!("recurse"), 0);
        s.thing.mutex().lock(&s.k).await;
        s.thing.mutex().lock(&s.k).await;
    });
    assert_eq!(waits(&run), ["main/recurse waits for thing 1->mutex of main/recurse"]);
}

#[test]
fn a_completion_that_nobody_gives_has_no_holder() {
    let run = run(|s| async move {
        s.thing.done().wait(&s.k).await;
    });
    assert_eq!(waits(&run), ["main/start waits for thing 1->done of "]);
}

#[test]
fn a_grace_period_waits_for_its_reader() {
    let run = run(|s| async move {
        s.spawn("reader", |s| async move {
            let _f = s.k.enter(function!("read"), 0);
            s.k.rcu_read_lock().await;
            s.thing.flag().write(&s.k, true).await;
            s.thing.done().complete(&s.k);
            s.k.bug_on(true, "inside").await;
        });
        s.thing.done().wait(&s.k).await;
        s.k.synchronize_rcu().await;
    });
    assert_eq!(run.codes(), ["bug-on", "deadlock"]);
    let Bug::Deadlock { what, holders, .. } = &run.sim.findings()[1].bug else { panic!() };
    assert_eq!(what, "a grace period");
    assert_eq!(holders.iter().map(|holder| run.who(holder)).collect::<Vec<_>>(), ["reader/read"]);
}

#[test]
fn who_spins_keeps_the_cpu() {
    // The holder sleeps with the spinlock; on one CPU it never runs again.
    let config = Config { cpus: 1, preempt: Preempt::None, ..Config::default() };
    let mut stuck = 0;
    for run in runs(config, |s| async move {
        s.spawn("sleeps", |s| async move {
            s.thing.first().lock(&s.k).await;
            s.thing.done().wait(&s.k).await;
            s.thing.first().unlock(&s.k).await;
        });
        s.spawn("spins", |s| async move {
            s.thing.first().lock(&s.k).await;
            s.thing.first().unlock(&s.k).await;
        });
        s.spawn("wakes", |s| async move { s.thing.done().complete(&s.k) });
    }) {
        if run.outcome == Outcome::Done {
            continue;
        }
        stuck += 1;
        assert_eq!(run.outcome, Outcome::Deadlock);
        let waits = waits(&run);
        let spins = "spins/start waits for thing 1->first of sleeps/start";
        assert!(waits.iter().any(|wait| wait == spins), "{waits:?}");
        // Who could wake it, or who was woken: both lack only the CPU.
        assert!(waits.iter().any(|wait| wait.ends_with("waits for CPU 0 of spins/start")), "{waits:?}");
    }
    assert!(stuck > 0);
}
