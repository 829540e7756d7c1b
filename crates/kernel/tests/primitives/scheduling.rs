// SPDX-License-Identifier: GPL-2.0-only
//! Who may run when on one CPU; kernel/Kconfig.preempt

use std::collections::BTreeSet;

use kernel::Gfp;
use machine_sim::{Config, Preempt};

use crate::setup::{Setup, ThingPtr, logs, logs_on_one_cpu, runs};

fn set(logs: &[&str]) -> BTreeSet<String> {
    logs.iter().map(|log| (*log).to_owned()).collect()
}

async fn say_thrice(s: Setup, what: &'static str) {
    for _ in 0..3 {
        s.say(what);
        s.pause().await;
    }
}

async fn two_say_thrice(s: Setup) {
    s.spawn_on_0("a", |s| say_thrice(s, "a"));
    s.spawn_on_0("b", |s| say_thrice(s, "b"));
}

#[test]
fn without_preemption_tasks_of_one_cpu_never_interleave() {
    let logs = logs_on_one_cpu(Preempt::None, false, two_say_thrice);
    assert_eq!(logs, set(&["aaabbb", "bbbaaa"]));
}

#[test]
fn with_full_preemption_they_interleave_in_every_way() {
    let logs = logs_on_one_cpu(Preempt::Full, false, two_say_thrice);
    assert_eq!(logs.len(), 20, "3 of 6 places: {logs:?}");
}

#[test]
fn tasks_bound_to_one_of_four_cpus_share_it() {
    let config = Config { preempt: Preempt::None, ..Config::default() };
    let logs: BTreeSet<String> = runs(config, two_say_thrice).map(|run| run.assert_clean().log).collect();
    assert_eq!(logs, set(&["aaabbb", "bbbaaa"]));
}

#[test]
fn who_sleeps_lets_others_run() {
    async fn main(s: Setup) {
        s.spawn_on_0("a", |s| async move {
            s.say("a");
            s.thing.done().wait(&s.k).await;
            s.say("a");
        });
        s.spawn_on_0("b", |s| async move {
            s.say("b");
            s.thing.done().complete(&s.k);
            s.pause().await;
            s.say("b");
        });
    }
    // To wake a task is not to give it the CPU.
    assert_eq!(logs_on_one_cpu(Preempt::None, false, main), set(&["abba", "bbaa"]));
    assert_eq!(logs_on_one_cpu(Preempt::Full, false, main), set(&["abba", "bbaa", "abab", "baba", "baab"]));
}

async fn say_and_allocate(s: Setup, what: &'static str) {
    s.say(what);
    s.pause().await;
    s.say(what);
    s.k.kzalloc::<ThingPtr>("thing", Gfp::Kernel).await;
    s.say(what);
}

#[test]
fn voluntary_preemption_is_where_a_task_might_sleep() {
    let main = |s: Setup| async move {
        s.spawn_on_0("a", |s| say_and_allocate(s, "a"));
        s.spawn_on_0("b", |s| say_and_allocate(s, "b"));
    };
    let voluntary = logs_on_one_cpu(Preempt::Voluntary, true, main);
    assert_eq!(voluntary, set(&["aaabbb", "aabbab", "aabbba", "bbaaab", "bbaaba", "bbbaaa"]));
    // Where `might_sleep()` is no place in the schedule, nothing is left.
    assert_eq!(logs_on_one_cpu(Preempt::Voluntary, false, main), set(&["aaabbb", "bbbaaa"]));
    assert_eq!(logs_on_one_cpu(Preempt::None, true, main), set(&["aaabbb", "bbbaaa"]));
}

async fn say_under_a_spinlock(s: Setup) {
    s.spawn_on_0("a", |s| async move {
        s.thing.first().lock(&s.k).await;
        s.say("a");
        s.pause().await;
        s.say("a");
        s.thing.first().unlock(&s.k).await;
        s.pause().await;
        s.say("a");
    });
    s.spawn("b", |s| async move {
        s.say("b");
        s.pause().await;
        s.say("b");
    });
}

#[test]
fn who_holds_a_spinlock_is_not_preempted() {
    let one = logs_on_one_cpu(Preempt::Full, false, say_under_a_spinlock);
    assert_eq!(one, set(&["aaabb", "aabab", "aabba", "baaab", "baaba", "bbaaa"]));
    // Other CPUs go on.
    assert!(logs(say_under_a_spinlock).contains("ababa"));
}

#[test]
fn a_softirq_holds_up_what_it_interrupts() {
    async fn main(s: Setup) {
        s.spawn_on_0("a", |s| async move {
            let this = s.clone();
            let callback: kernel::RcuFunc =
                std::rc::Rc::new(move |_| Box::pin(say_thrice(this.clone(), "c")));
            s.k.call_rcu(s.thing.rcu(), callback).await;
            say_thrice(s, "a").await;
        });
    }
    let logs = logs_on_one_cpu(Preempt::None, false, main);
    assert!(logs.contains("acccaa"), "it interrupts: {logs:?}");
    assert!(logs.iter().all(|log| log.contains("ccc")), "{logs:?}");
}
