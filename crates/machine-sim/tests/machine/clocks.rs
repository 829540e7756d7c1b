// SPDX-License-Identifier: GPL-2.0-only
//! What orders two tasks: a birth, a release that is acquired; and that nothing else does.

use machine::{Order, Update};
use machine_sim::{Config, Seeded, Sim};

use crate::setup::Cells;

/// Whether the program races with every seed; with none, if not.
#[track_caller]
fn races<F: Future<Output = ()> + 'static>(main: impl Fn(Cells) -> F) -> bool {
    let mut sim = Sim::new(Config::default());
    let mut racy = 0;
    for seed in 0..200 {
        sim.run(&mut Seeded::new(seed), |bus| main(Cells::new(bus)));
        assert!(
            sim.findings().iter().all(|finding| finding.code() == "kcsan-data-race"),
            "{:?}",
            sim.findings()
        );
        racy += u32::from(!sim.findings().is_empty());
    }
    assert!(racy == 0 || racy == 200, "{racy} of 200 seeds");
    racy > 0
}

#[test]
fn a_child_knows_what_its_parent_did_before() {
    assert!(!races(|c| async move {
        c.write().await;
        c.inc().await;
        c.write().await;
        c.spawn("child", |c| async move { c.write().await });
    }));
}

#[test]
fn a_child_does_not_know_what_its_parent_does_after() {
    assert!(races(|c| async move {
        c.spawn("child", |c| async move { c.write().await });
        c.inc().await;
        c.write().await;
    }));
    assert!(races(|c| async move {
        c.spawn("child", |c| async move { c.write().await });
        c.write().await; // in the same step
    }));
}

#[test]
fn who_waits_knows_what_was_done_before_the_completion() {
    assert!(!races(|c| async move {
        c.spawn("child", |c| async move {
            c.write().await;
            c.complete();
        });
        c.wait().await;
        c.write().await;
    }));
    assert!(races(|c| async move {
        c.spawn("child", |c| async move {
            c.complete();
            c.inc().await;
            c.write().await;
        });
        c.wait().await;
        c.write().await;
    }));
}

#[test]
fn what_is_released_includes_the_releasing_access() {
    assert!(!races(|c| async move {
        for name in ["a", "b"] {
            c.spawn(name, |c| async move {
                if c.marked(Update::Add(1), Order::Full).await == 1 {
                    c.reset().await; // nobody else is left
                }
            });
        }
    }));
    assert!(races(|c| async move {
        for name in ["a", "b"] {
            c.spawn(name, |c| async move {
                if c.inc().await == 1 {
                    c.reset().await;
                }
            });
        }
    }));
}

#[test]
fn completions_add_up() {
    // Who takes both events at once knows both tasks.
    assert!(!races(|c| async move {
        let other = Cells::new(c.bus.clone());
        let (first, second) = (c.clone(), other.clone());
        c.spawn("a", |c| async move {
            first.write().await;
            c.complete();
        });
        c.spawn("b", |c| async move {
            second.write().await;
            c.complete();
        });
        let mut events = 0;
        while events < 2 {
            events += c.wait().await;
        }
        c.write().await;
        other.write().await;
    }));
}

#[test]
fn to_know_the_last_who_completed_is_not_to_know_all() {
    // `b` adds its event to that of `a`, and meets the waiter before at the lock.
    assert!(!races(|c| async move {
        c.spawn("a", |c| async move {
            c.write().await;
            c.complete();
        });
        c.spawn("b", |c| async move {
            c.complete();
            c.lock().await;
            c.unlock().await;
        });
        c.lock().await;
        c.unlock().await;
        let mut events = 0;
        while events < 2 {
            events += c.wait().await;
        }
        c.write().await;
    }));
}

#[test]
fn siblings_do_not_know_each_other() {
    assert!(races(|c| async move {
        for name in ["a", "b"] {
            c.spawn(name, |c| async move { c.write().await });
        }
    }));
}

#[test]
fn a_lock_passes_on_what_was_done_under_it_and_before() {
    assert!(!races(|c| async move {
        for name in ["a", "b", "c"] {
            c.spawn(name, |c| async move {
                c.lock().await;
                c.write().await;
                c.unlock().await;
            });
        }
    }));
    // Before and behind the lock: who comes second knows only what the first did before.
    assert!(races(|c| async move {
        for name in ["a", "b"] {
            c.spawn(name, |c| async move {
                c.lock().await;
                c.unlock().await;
                c.write().await;
            });
        }
    }));
}

#[test]
fn relaxed_increments_pass_on_nothing() {
    assert!(races(|c| async move {
        for name in ["a", "b"] {
            c.spawn(name, |c| async move {
                c.inc().await;
                c.write().await;
                c.inc().await;
            });
        }
    }));
}

/// `a` writes and publishes; `b` looks until it sees that, and writes.
async fn published(c: Cells, look: (Update, Order)) {
    c.spawn("a", |c| async move {
        c.write().await;
        c.marked(Update::Write(1), Order::Release).await;
    });
    c.spawn("b", |c| async move {
        while c.marked(look.0, look.1).await != 1 {}
        c.write().await;
    });
}

#[test]
fn a_failed_read_modify_write_orders_nothing() {
    assert!(!races(|c| published(c, (Update::Read, Order::Acquire))));
    // A success does: adding 0 is one.
    assert!(!races(|c| published(c, (Update::Add(0), Order::Full))));
    for fails in
        [Update::CmpXchg { old: 7, new: 8 }, Update::IncBelow(0), Update::AddUnless { delta: 0, unless: 1 }]
    {
        assert!(races(|c| published(c, (fails, Order::Full))), "{fails:?}");
    }
}

#[test]
fn clocks_grow_with_the_number_of_tasks() {
    assert!(!races(|c| async move {
        for n in 0..20 {
            let next = format!("task {n}");
            c.spawn(&next, |c| async move {
                c.lock().await;
                c.write().await;
                c.unlock().await;
            });
        }
    }));
}
