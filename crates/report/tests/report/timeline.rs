// SPDX-License-Identifier: GPL-2.0-only
//! Timelines of runs made by hand.

use crate::common::Told;
use machine::{Driver, Effect, Locking, Op, Order, TaskId, Update, function};
use report::Detail;

fn two() -> Told {
    Told::new(Detail::Telling, 100, &[("put", 0), ("lookup", 1), ("other", 0)])
}

#[test]
fn a_change_stands_behind_the_function_that_it_is_about() {
    let mut told = two();
    let net = told.net;
    told.enter(0, function!("put_net"), net);
    told.op(0, Op::Marked(net, Update::Add(-1), Order::Full), 1);
    told.enter(1, function!("get_net"), net);
    told.enter(0, function!("__put_net"), net);
    told.op(1, Op::Marked(net, Update::AddUnless { delta: 1, unless: 0 }, Order::Full), 0);
    told.leave(0);
    told.leave(0);
    assert_eq!(
        told.text(),
        "\
CPU 0                        │ CPU 1
─────────────────────────────┼───────────────────────
-- put --                    │
put_net(net 1)  count 1 -> 0 │
                             │ -- lookup --
                             │ get_net(net 1)
  __put_net(net 1)           │
                             │   net 1->count stays 0
"
    );
}

#[test]
fn who_is_not_due_does_not_wait() {
    for (possible, waits) in [(&[1][..], false), (&[], true)] {
        let mut told = two();
        let lock = Op::Lock(told.net_mutex, Locking::Mutex);
        told.choice_of(Some(1), &[None, Some(lock)], possible);
        assert_eq!(told.text().contains("waits for net_mutex"), waits, "{}", told.text());
    }
}

#[test]
fn locks_are_taken_waited_for_and_released() {
    let mut told = two();
    let (mutex, spinlock) = (told.net_mutex, told.net.plus(1));
    let lock = Op::Lock(mutex, Locking::Mutex);
    told.op(0, lock, 0);
    told.choice(Some(1), &[None, Some(lock)]);
    told.choice(Some(1), &[None, Some(lock)]);
    told.effect(0, Effect::Unlock(mutex, Locking::Mutex));
    told.op(1, lock, 0);
    told.op(1, Op::Lock(spinlock, Locking::SpinBh), 0);
    told.effect(1, Effect::Unlock(spinlock, Locking::SpinBh));
    told.timeline.stuck(TaskId(2), lock);
    assert_eq!(
        told.text(),
        "\
CPU 0                      │ CPU 1
───────────────────────────┼────────────────────────────────
-- put --                  │
mutex_lock(net_mutex)      │
                           │ -- lookup --
                           │ ... waits for net_mutex, held by put
mutex_unlock(net_mutex)    │
                           │ mutex_lock(net_mutex)
                           │ spin_lock_bh(net 1->lock)  .. unlock
-- other --                │
... waits for ever for net_mutex, held by lookup
"
    );
}

#[test]
fn what_says_nothing_is_left_out() {
    let mut told = two();
    let net = told.net;
    told.enter(0, function!("for_each_net"), machine::Addr::NULL);
    told.effect(0, Effect::Read(net));
    told.leave(0);
    told.enter(0, function!("net_eq"), net);
    told.leave(0);
    told.enter(0, function!("rtnl_net_fill"), net);
    told.leave(0);
    assert_eq!(told.text().lines().skip(2).collect::<Vec<_>>(), ["-- put --", "rtnl_net_fill(net 1)"]);
}

#[test]
fn everything_is_shown_where_that_is_asked_for() {
    let mut told = Told::new(Detail::Everything, 100, &[("put", 0)]);
    let net = told.net;
    told.enter(0, function!("for_each_net"), machine::Addr::NULL);
    told.effect(0, Effect::Read(net));
    told.effect(0, Effect::Write(net.plus(2), net.to_value()));
    told.leave(0);
    let text = told.text();
    let lines: Vec<&str> = text.lines().skip(2).collect();
    assert_eq!(lines, ["-- put --", "for_each_net()", "  read net 1->count", "  net 1->gen = net 1"]);
}

#[test]
fn room_is_bounded_and_says_so() {
    let mut told = Told::new(Detail::Telling, 4, &[("put", 0)]);
    let net = told.net;
    for n in 0..10 {
        told.op(0, Op::Marked(net, Update::Add(1), Order::Relaxed), n);
    }
    assert_eq!(told.timeline.left_out(), 6);
    let text = told.text();
    assert!(text.contains("count 1 -> 2\n... 6 more are left out here ...\n-- put --\n"), "{text}");
    assert!(text.ends_with("net 1->count 9 -> 10\n"), "{text}");
}

#[test]
fn more_than_four_cpus_share_a_column() {
    let tasks = [("a", 0), ("b", 1), ("c", 2), ("d", 3), ("e", 4)];
    let mut told = Told::new(Detail::Telling, 100, &tasks);
    for task in 0..5 {
        told.op(task, Op::RcuReadLock, 0);
    }
    let text = told.text();
    assert!(text.starts_with("[000] -- a --\n[000] rcu_read_lock()\n[001] -- b --\n"), "{text}");
}

#[test]
fn findings_stand_where_they_are_met() {
    let mut told = two();
    told.op(1, Op::RcuReadLock, 0);
    let finding = told.use_after_free();
    told.timeline.found(&finding);
    let text = told.text();
    let last = text.lines().last().expect("a line");
    assert!(last.ends_with("!! BUG: KASAN: slab-use-after-free in get_net: write of net 1"), "{text}");
    assert!(last.chars().count() <= 80, "{text}");
}

#[test]
fn an_empty_run_has_an_empty_timeline() {
    assert_eq!(two().text(), "");
}

#[test]
fn of_some_functions_only_the_call_is_shown() {
    let mut told = two();
    let timeline = std::mem::replace(&mut told.timeline, report::Timeline::new(Detail::Telling, 2));
    told.timeline = timeline.folding(&["copy_process"], "copy_net_ns");
    let (net, null) = (told.net, machine::Addr::NULL);
    told.enter(0, function!("copy_process"), null);
    told.enter(0, function!("setup_net"), net);
    told.leave(0);
    told.leave(0);
    told.enter(0, function!("copy_process"), null);
    told.enter(0, function!("copy_net_ns"), net);
    let text = told.text();
    let lines: Vec<&str> = text.lines().skip(3).collect();
    assert_eq!(lines, ["copy_process()  ...", "copy_process()", "  copy_net_ns(net 1)"]);
}
