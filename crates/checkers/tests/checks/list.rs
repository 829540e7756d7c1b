// SPDX-License-Identifier: GPL-2.0-only
//! DEBUG_LIST: what is wrong is said, and done.

use checkers::Enabled;
use kernel::ListHead;
use machine_sim::Config;

use crate::setup::{Run, Setup, ThingPtr, run, run_with};

/// A list with two entries, which something is done to.
fn with_list<F>(f: impl FnOnce(Setup, ListHead, ThingPtr, ThingPtr) -> F + 'static) -> Run
where
    F: Future<Output = ()> + 'static,
{
    run(|s| async move {
        let (head, a, b) = (s.thing.head(), s.alloc().await, s.alloc().await);
        head.init(&s.k).await;
        head.add_tail(&s.k, a.list()).await;
        head.add_tail_rcu(&s.k, b.list()).await;
        f(s, head, a, b).await;
    })
}

#[test]
fn what_is_right_is_not_reported() {
    let run = with_list(|s, head, a, b| async move {
        let k = &s.k;
        a.list().del(k).await;
        head.add(k, a.list()).await;
        b.list().del_init(k).await;
        head.add(k, b.list()).await;
        a.list().del_rcu(k).await;
        head.add_tail(k, a.list()).await;
        b.list().init(k).await;
        b.head().init(k).await;
        s.thing.list().init(k).await;
        s.thing.list().del_init(k).await; // an empty list is an entry without a list
    });
    assert_eq!(run.codes(), [""; 0]);
}

#[test]
fn an_entry_is_added_twice() {
    let run = with_list(|s, head, _, b| async move { head.add_tail(&s.k, b.list()).await });
    assert_eq!(run.titles(), ["list_add double add: new=thing 3->list, in start"]);
    let other = with_list(|s, head, a, _| async move {
        // `a` stands in another list now; its old neighbours still point to it.
        s.thing.list().init(&s.k).await;
        s.thing.list().add(&s.k, a.list()).await;
        head.add(&s.k, s.alloc().await.list()).await;
    });
    assert_eq!(
        other.titles(),
        ["list_add corruption. next->prev should be prev (thing 1->head), but was thing 1->list, in start"]
    );
}

#[test]
fn an_entry_is_added_behind_one_that_leads_elsewhere() {
    let run = with_list(|s, head, _, b| async move {
        s.k.bus.poke(kernel::Field::addr(b.list()), 0); // as if somebody had written there
        head.add_tail(&s.k, s.alloc().await.list()).await;
    });
    assert_eq!(
        run.titles(),
        ["list_add corruption. prev->next should be next (thing 1->head), but was NULL, in start"]
    );
}

#[test]
fn an_entry_is_deleted_twice() {
    let run = with_list(|s, _, a, _| async move {
        a.list().del(&s.k).await;
        a.list().del(&s.k).await;
    });
    assert_eq!(run.codes(), ["list-corruption", "list-poison"]);
    assert_eq!(run.titles()[0], "list_del corruption, thing 2->list->next is LIST_POISON1, in start");
    let by_readers = with_list(|s, _, a, _| async move {
        a.list().del_rcu(&s.k).await;
        a.list().del_rcu(&s.k).await;
    });
    assert_eq!(by_readers.titles()[0], "list_del corruption, thing 2->list->prev is LIST_POISON2, in start");
}

#[test]
fn the_neighbours_of_an_entry_do_not_know_it() {
    let run = with_list(|s, head, a, _| async move {
        head.init(&s.k).await; // the entries are lost
        a.list().del(&s.k).await;
    });
    assert_eq!(
        run.titles(),
        ["list_del corruption. prev->next should be thing 2->list, but was thing 1->head, in start"]
    );
    let next = with_list(|s, head, _, b| async move {
        s.k.bus.poke(kernel::Field::addr(head).plus(1), 0); // as if somebody had written there
        b.list().del(&s.k).await;
    });
    assert_eq!(
        next.titles(),
        ["list_del corruption. next->prev should be thing 3->list, but was NULL, in start"]
    );
}

#[test]
fn without_it_there_is_no_report() {
    let enabled = Enabled { list: false, ..Enabled::ALL };
    let run = run_with(Config::default(), enabled, |s| async move {
        let head = s.thing.head();
        head.init(&s.k).await;
        head.add(&s.k, s.thing.list()).await;
        head.add(&s.k, s.thing.list()).await;
    });
    assert_eq!(run.codes(), [""; 0]);
}
