// SPDX-License-Identifier: GPL-2.0-only
//! KASAN, KCSAN and loom's memory model.

use std::sync::atomic::{AtomicU64, Ordering};

use kernel::{Field, Pointer, function};

use crate::setup::{Setup, ThingPtr, add, fails, passes, run};

async fn add_locked(s: &Setup) {
    s.thing.first().lock(&s.k).await;
    add(s, 1).await;
    s.thing.first().unlock(&s.k).await;
}

#[test]
fn unmarked_accesses_without_a_lock_race() {
    let failure = fails("kcsan-data-race", |s| async move {
        s.spawn("other", |s| async move {
            let _f = s.k.enter(function!("add_other"), 0);
            add(&s, 1).await;
        });
        let _f = s.k.enter(function!("add_main"), 0);
        add(&s, 1).await;
    });
    let text = failure.to_string();
    assert!(text.starts_with("BUG: KCSAN: data-race in add_"), "{text}");
    assert!(text.contains("thing 1->data") && text.contains("tests/checks/setup.rs:"), "{text}");
    assert!(text.contains("task other in add_other"), "{text}");
    assert!(failure.trace.iter().any(|line| line.contains("write thing 1->data 1")), "{text}");
}

#[test]
fn unmarked_accesses_under_a_lock_do_not_race() {
    passes(|s| async move {
        s.spawn("other", |s| async move { add_locked(&s).await });
        add_locked(&s).await;
    });
}

#[test]
fn memory_shared_without_a_lock_races() {
    fails("kcsan-data-race", |s| async move {
        s.spawn("other", |s| async move { s.thing.racy().write(&s.k, 1).await });
        s.thing.racy().read(&s.k).await;
    });
}

/// Publishes data by a flag or a pointer.
async fn pass_a_message<F: Future<Output = ()> + 'static>(
    s: Setup,
    with_pointer: bool,
    reader: fn(Setup) -> F,
) {
    s.spawn("reader", reader);
    s.thing.data().write(&s.k, 42).await;
    if with_pointer {
        s.thing.next().assign(&s.k, s.thing).await;
    } else {
        s.thing.flag().write(&s.k, true).await;
    }
}

#[test]
fn a_relaxed_flag_does_not_publish() {
    let failure = fails("kcsan-data-race", |s| {
        pass_a_message(s, false, |s| async move {
            if s.thing.flag().read(&s.k).await {
                s.thing.data().read(&s.k).await;
            }
        })
    });
    // It was the order of memory, not that of events: the reader had seen the flag.
    let seen = failure.trace.iter().any(|line| line.contains("read thing 1->flag relaxed = 1"));
    assert!(seen, "{failure}");
}

#[test]
fn an_rcu_pointer_publishes() {
    passes(|s| {
        pass_a_message(s, true, |s| async move {
            let next = s.thing.next().dereference(&s.k).await;
            if !next.is_null() {
                assert_eq!(next.data().read(&s.k).await, 42);
            }
        })
    });
}

/// Each of two tasks raises its flag and looks for the other's; whether both missed it, in some execution.
#[track_caller]
fn both_may_miss(full: bool, missed: &'static AtomicU64) -> bool {
    passes(move |s| async move {
        s.spawn("other", move |s| async move {
            if full {
                s.thing.count().xchg(&s.k, 1).await;
            } else {
                s.thing.count().set(&s.k, 1).await;
            }
            let seen = s.thing.flag().read(&s.k).await;
            s.thing.data().write(&s.k, i64::from(seen)).await;
            s.thing.done().complete(&s.k);
        });
        if full {
            s.thing.flag().cmpxchg(&s.k, false, true).await;
        } else {
            s.thing.flag().write(&s.k, true).await;
        }
        let seen = s.thing.count().read(&s.k).await;
        s.thing.done().wait(&s.k).await;
        if seen + s.thing.data().read(&s.k).await == 0 {
            missed.fetch_add(1, Ordering::Relaxed);
        }
    });
    missed.load(Ordering::Relaxed) > 0
}

#[test]
fn stores_are_buffered_without_full_barriers() {
    static RELAXED: AtomicU64 = AtomicU64::new(0);
    static FULL: AtomicU64 = AtomicU64::new(0);
    assert!(both_may_miss(false, &RELAXED));
    assert!(!both_may_miss(true, &FULL));
}

#[test]
fn used_after_free() {
    let failure = fails("kasan-use-after-free", |s| async move {
        s.spawn("other", |s| async move {
            let _f = s.k.enter(function!("use_thing"), 0);
            s.thing.count().inc(&s.k).await;
        });
        let _f = s.k.enter(function!("free_thing"), 0);
        s.thing.flag().read(&s.k).await;
        s.k.kfree(s.thing.addr());
    });
    let line = failure.text.lines().next().unwrap_or_default();
    assert_eq!(line, "BUG: KASAN: slab-use-after-free in use_thing: write of thing 1");
    assert!(failure.text.contains("freed by task main in free_thing at"), "{failure}");
}

#[test]
fn used_while_it_is_freed() {
    // Who waits for a lock uses it.
    let failure = fails("kasan-use-after-free", |s| async move {
        s.thing.first().lock(&s.k).await;
        let done = Setup::alloc(&s.k).await.done();
        s.spawn("other", move |s| async move {
            done.complete(&s.k);
            s.thing.first().lock(&s.k).await;
        });
        done.wait(&s.k).await;
        s.thing.first().unlock(&s.k).await;
        s.k.kfree(s.thing.addr());
    });
    assert!(failure.text.contains("write of thing 1->first by task other"), "{failure}");
    // And so does who is woken: seen by the first execution, where `main` waits before the other runs.
    let failure = fails("kasan-use-after-free", |s| async move {
        s.spawn("other", |s| async move {
            s.thing.done().complete(&s.k);
            s.k.kfree(s.thing.addr());
        });
        s.thing.done().wait(&s.k).await;
    });
    assert_eq!(failure.execution, 1, "{failure}");
}

#[test]
fn freed_after_a_use_that_nothing_orders() {
    let failure = fails("kcsan-unordered-free", |s| async move {
        let other = Setup::alloc(&s.k).await;
        s.spawn("other", move |s| async move {
            other.count().inc(&s.k).await;
            s.thing.flag().write(&s.k, true).await;
        });
        if s.thing.flag().read(&s.k).await {
            s.k.kfree(other.addr());
        }
    });
    assert!(failure.text.contains("used by task other in start"), "{failure}");
}

async fn put(s: &Setup) {
    if s.thing.count().dec_and_test(&s.k).await {
        s.k.kfree(s.thing.addr());
    }
}

#[test]
fn counted_references_are_not_used_after_free() {
    passes(|s| async move {
        s.thing.count().set(&s.k, 2).await;
        s.spawn("other", |s| async move {
            s.thing.data().read(&s.k).await;
            put(&s).await;
        });
        s.thing.data().read(&s.k).await;
        put(&s).await;
    });
}

#[test]
fn freed_twice() {
    let failure = fails("kasan-double-free", |s| async move {
        s.thing.count().set(&s.k, 1).await;
        s.k.kfree(s.thing.addr());
        s.k.kfree(s.thing.addr());
    });
    assert!(failure.text.starts_with("BUG: KASAN: double-free in start: thing 1"), "{failure}");
}

#[test]
fn used_out_of_bounds_and_null() {
    fails("kasan-out-of-bounds", |s| async move {
        s.k.bus.read(s.thing.addr().plus(99)).await;
    });
    fails("null-dereference", |s| async move {
        ThingPtr::null().count().inc(&s.k).await;
    });
}

#[test]
fn an_unmarked_write_reaches_marked_readers() {
    passes(|s| async move {
        s.k.bus.write(s.thing.count().addr(), 7).await;
        s.spawn("other", |s| async move {
            assert_eq!(s.thing.count().read(&s.k).await, 7);
            s.thing.done().complete(&s.k);
        });
        s.thing.done().wait(&s.k).await;
        s.k.bus.write(s.thing.count().addr(), 8).await;
        assert_eq!(s.thing.count().read(&s.k).await, 8);
    });
}

#[test]
fn an_unmarked_read_races_with_a_marked_write_but_marked_ones_do_not() {
    fails("kcsan-data-race", |s| async move {
        s.spawn("other", |s| async move { s.thing.next().assign(&s.k, s.thing).await });
        s.thing.next().dereference_protected(&s.k).await;
    });
    fails("kcsan-data-race", |s| async move {
        s.spawn("other", |s| async move {
            s.thing.next().assign(&s.k, s.thing).await;
            s.thing.flag().write(&s.k, true).await;
        });
        if s.thing.flag().read(&s.k).await {
            s.thing.next().dereference_protected(&s.k).await;
        }
    });
    passes(|s| async move {
        s.spawn("other", |s| async move { s.thing.next().assign(&s.k, s.thing).await });
        s.thing.next().assign(&s.k, ThingPtr::null()).await;
        s.thing.next().access(&s.k).await;
    });
}

#[test]
fn a_list_is_walked_while_it_grows() {
    passes(|s| async move {
        let (head, new) = (s.thing.list(), Setup::alloc(&s.k).await);
        head.init(&s.k).await;
        s.spawn("reader", |s| async move {
            let head = s.thing.list();
            s.k.rcu_read_lock().await;
            let mut entry = head.next_rcu(&s.k).await;
            while entry != head {
                let thing = ThingPtr::container_of(&s.k, entry, ThingPtr::list).await;
                assert_eq!(thing.data().read(&s.k).await, 3);
                entry = entry.next_rcu(&s.k).await;
            }
            s.k.rcu_read_unlock();
        });
        new.data().write(&s.k, 3).await;
        head.add_tail_rcu(&s.k, new.list()).await;
    });
}

#[test]
fn what_the_compiler_initialises_reaches_marked_readers() {
    let explored = run(|s| async move {
        let bus = &s.k.bus;
        let variable = bus.alloc_static(ThingPtr::layout(), "the_thing").map(ThingPtr::at).expect("memory");
        bus.poke(variable.count().addr(), 5);
        assert_eq!(variable.count().read(&s.k).await, 5);
        variable.count().inc(&s.k).await;
        assert_eq!(variable.count().read(&s.k).await, 6);
    });
    explored.expect("no failure");
}
