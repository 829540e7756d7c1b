// SPDX-License-Identifier: GPL-2.0-only
//! Races: two accesses, one a write and one unmarked, that nothing orders.

use std::{collections::BTreeSet, pin::Pin, rc::Rc};

use kernel::Pointer;
use machine::Bug;
use machine_sim::{Checks, Config, Seeded};

use crate::setup::{Setup, ThingPtr, run_with, runs};

/// The codes that are found with any seed, and whether there is a seed without a finding.
fn codes<F: Future<Output = ()> + 'static>(main: impl Fn(Setup) -> F) -> (BTreeSet<&'static str>, bool) {
    let mut all = BTreeSet::new();
    let mut clean = false;
    for run in runs(Config::default(), main) {
        clean |= run.codes().is_empty();
        all.extend(run.codes());
    }
    (all, clean)
}

#[track_caller]
fn races<F: Future<Output = ()> + 'static>(main: impl Fn(Setup) -> F) -> bool {
    let (codes, clean) = codes(main);
    assert!(codes.is_empty() || codes == BTreeSet::from(["kcsan-data-race"]), "{codes:?}");
    assert!(clean != codes.contains("kcsan-data-race"), "in every run, or in none");
    !clean
}

/// Two tasks, the second with what the first does.
async fn twice<F: Future<Output = ()> + 'static>(s: Setup, f: impl Fn(Setup) -> F) {
    s.spawn("a", &f);
    s.spawn("b", &f);
}

#[test]
fn unmarked_accesses_race_in_whatever_order_they_come() {
    assert!(races(|s| twice(s, |s| async move { s.thing.data().write(&s.k, 1).await })));
    assert!(races(|s| twice(s, |s| async move { s.thing.racy().write(&s.k, 1).await })));
    assert!(!races(|s| twice(s, |s| async move {
        s.thing.data().read(&s.k).await;
    })));
}

#[test]
fn a_lock_orders() {
    assert!(!races(|s| twice(s, |s| async move {
        s.thing.first().lock(&s.k).await;
        s.thing.data().write(&s.k, 1).await;
        s.thing.first().unlock(&s.k).await;
    })));
    assert!(!races(|s| twice(s, |s| async move {
        s.thing.mutex().lock(&s.k).await;
        s.thing.data().write(&s.k, 1).await;
        s.thing.mutex().unlock(&s.k).await;
    })));
}

#[test]
fn another_lock_does_not() {
    // The schedule never decides: the two locks have nothing in common.
    assert!(races(|s| async move {
        s.spawn("a", |s| async move {
            s.thing.first().lock(&s.k).await;
            s.thing.data().write(&s.k, 1).await;
            s.thing.first().unlock(&s.k).await;
        });
        s.spawn("b", |s| async move {
            s.thing.second().lock(&s.k).await;
            s.thing.data().write(&s.k, 2).await;
            s.thing.second().unlock(&s.k).await;
        });
    }));
}

#[test]
fn marked_accesses_do_not_race_with_each_other() {
    assert!(!races(|s| twice(s, |s| async move { s.thing.flag().write(&s.k, true).await })));
    assert!(!races(|s| twice(s, |s| async move { s.thing.count().inc(&s.k).await })));
}

#[test]
fn a_marked_access_races_with_an_unmarked_one() {
    let run = run_with(Config::default(), Seeded::new(1), |s| async move {
        s.spawn("a", |s| async move { s.thing.next().assign(&s.k, s.thing).await });
        s.spawn("b", |s| async move {
            s.thing.next().dereference_protected(&s.k).await;
        });
    });
    let Bug::DataRace { cell, marked, earlier_marked, .. } = &run.finding().bug else { panic!() };
    assert_eq!(cell.to_string(), "thing 1->next");
    assert_ne!(marked, earlier_marked);
    assert!(races(|s| async move {
        s.spawn("a", |s| async move { s.thing.next().assign(&s.k, s.thing).await });
        s.spawn("b", |s| async move {
            s.thing.next().dereference_protected(&s.k).await;
        });
    }));
}

/// One task writes and says so; the other reads if it was told.
async fn publish(s: Setup, relaxed: bool) {
    s.spawn("reader", move |s| async move {
        let told = if relaxed {
            s.thing.flag().read(&s.k).await
        } else {
            !ThingPtr::is_null(s.thing.next().dereference(&s.k).await)
        };
        if told {
            s.say("told");
            s.thing.data().read(&s.k).await;
        }
    });
    s.thing.data().write(&s.k, 1).await;
    s.pause().await;
    if relaxed {
        s.thing.flag().write(&s.k, true).await;
    } else {
        s.thing.next().assign(&s.k, s.thing).await;
    }
}

#[test]
fn only_a_release_publishes() {
    for relaxed in [false, true] {
        let mut told = 0;
        for run in runs(Config::default(), |s| publish(s, relaxed)) {
            let expected = relaxed && run.log == "told";
            told += u32::from(run.log == "told");
            assert_eq!(run.codes().contains(&"kcsan-data-race"), expected, "relaxed: {relaxed}");
        }
        assert!(told > 0, "no run shows anything");
    }
}

#[test]
fn atomics_that_return_a_value_order_and_others_do_not() {
    async fn main(s: Setup, orders: bool) {
        s.thing.count().set(&s.k, 2).await;
        twice(s, move |s| async move {
            s.thing.data().read(&s.k).await;
            if orders {
                if s.thing.count().dec_and_test(&s.k).await {
                    s.thing.data().write(&s.k, 1).await;
                }
            } else {
                s.thing.count().dec(&s.k).await;
                if s.thing.count().read(&s.k).await == 0 {
                    s.thing.data().write(&s.k, 1).await;
                }
            }
        })
        .await;
    }
    assert!(!races(|s| main(s, true)));
    assert!(races(|s| main(s, false)));
}

/// The last reference is put after a write; who asks for one and gets none reads.
async fn ask(s: Setup, leaves: i64) {
    s.thing.count().set(&s.k, leaves + 1).await;
    s.spawn("puts", |s| async move {
        s.thing.data().write(&s.k, 1).await;
        s.thing.count().dec_and_test(&s.k).await;
        s.thing.flag().write(&s.k, true).await;
    });
    s.spawn("asks", |s| async move {
        while !s.thing.flag().read(&s.k).await {}
        s.thing.count().inc_not_zero(&s.k).await;
        s.thing.data().read(&s.k).await;
    });
}

#[test]
fn a_read_modify_write_operation_that_changes_nothing_orders_nothing() {
    assert!(races(|s| ask(s, 0)));
    assert!(!races(|s| ask(s, 1)));
}

#[test]
fn a_free_is_ordered_after_every_use() {
    let (codes, _) = codes(|s| async move {
        let other = s.alloc().await;
        s.spawn("user", move |s| async move { other.count().inc(&s.k).await });
        s.pause().await;
        s.k.kfree(other.addr());
    });
    assert_eq!(codes, BTreeSet::from(["kasan-use-after-free", "kcsan-unordered-free"]));
}

#[test]
fn the_end_of_a_grace_period_is_ordered_after_the_readers() {
    assert!(!races(|s| async move {
        s.spawn("reader", |s| async move {
            s.k.rcu_read_lock().await;
            if s.thing.flag().read(&s.k).await {
                s.k.rcu_read_unlock();
                return;
            }
            s.thing.data().read(&s.k).await;
            s.k.rcu_read_unlock();
        });
        s.thing.flag().write(&s.k, true).await;
        s.k.synchronize_rcu().await;
        s.thing.data().write(&s.k, 1).await;
    }));
}

#[test]
fn nothing_is_found_where_nothing_is_checked() {
    let config = Config { checks: Checks::NONE, ..Config::default() };
    let run = run_with(config, Seeded::new(1), |s| async move {
        twice(s.clone(), |s| async move { s.thing.data().write(&s.k, 1).await }).await;
        let other = s.alloc().await;
        s.k.kfree(other.addr());
        s.pause().await;
        other.data().read(&s.k).await;
    });
    run.assert_clean();
}

/// `rcu_do_batch()` has a barrier behind each batch, and `rcu_barrier()` one before it looks at what is queued.
#[test]
fn a_barrier_that_finds_no_callback_comes_after_those_that_have_run() {
    assert!(!races(|s| async move {
        let callback = s.clone();
        let func = move |_| {
            let s = callback.clone();
            let write = async move {
                s.thing.data().write(&s.k, 1).await;
                s.thing.flag().write(&s.k, true).await; // orders nothing
            };
            Box::pin(write) as Pin<Box<dyn Future<Output = ()>>>
        };
        s.spawn("posts", |s| async move { s.k.call_rcu(s.thing.rcu(), Rc::new(func)).await });
        while !s.thing.flag().read(&s.k).await {}
        s.k.rcu_barrier().await;
        s.thing.data().write(&s.k, 2).await;
    }));
}
