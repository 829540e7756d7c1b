// SPDX-License-Identifier: GPL-2.0-only
//! `struct list_head`: what C does to links, right and wrong.

use kernel::{Field, ListHead, Pointer};
use machine::Addr;

use crate::setup::{Setup, ThingPtr, run};

/// An empty list in the thing, and two entries that are in none.
async fn list(s: &Setup) -> (ListHead, ThingPtr, ThingPtr) {
    let head = s.thing.list();
    head.init(&s.k).await;
    (head, s.alloc().await, s.alloc().await)
}

async fn links(s: &Setup, entry: ListHead) -> (ListHead, ListHead) {
    (entry.next(&s.k).await, entry.prev(&s.k).await)
}

/// The entries from `head` on.
async fn walk(s: &Setup, head: ListHead) -> Vec<ThingPtr> {
    let mut entries = Vec::new();
    let mut link = head.next(&s.k).await;
    while link != head {
        entries.push(ThingPtr::container_of(&s.k, link, ThingPtr::list).await);
        link = link.next(&s.k).await;
    }
    entries
}

#[test]
fn entries_stand_where_they_were_added() {
    run(|s| async move {
        let (head, a, b) = list(&s).await;
        assert!(head.is_empty(&s.k).await);
        head.add_tail(&s.k, a.list()).await;
        head.add_tail(&s.k, b.list()).await;
        assert_eq!(walk(&s, head).await, [a, b]);
        a.list().del_init(&s.k).await;
        assert!(a.list().is_empty(&s.k).await);
        head.add(&s.k, a.list()).await;
        assert_eq!(walk(&s, head).await, [a, b]);
        let other = s.thing.other_list();
        head.replace_init(&s.k, other).await;
        assert!(head.is_empty(&s.k).await);
        assert_eq!(links(&s, other).await, (a.list(), b.list()));
        assert_eq!(links(&s, b.list()).await, (other, a.list()));
    })
    .assert_clean();
}

#[test]
fn del_poisons_both_links() {
    run(|s| async move {
        let (head, a, b) = list(&s).await;
        head.add_tail(&s.k, a.list()).await;
        head.add_tail(&s.k, b.list()).await;
        a.list().del(&s.k).await;
        let (next, prev) = links(&s, a.list()).await;
        assert_eq!((next.addr(), prev.addr()), (Addr::LIST_POISON1, Addr::LIST_POISON2));
        assert_eq!(walk(&s, head).await, [b]);
    })
    .assert_clean();
}

#[test]
fn del_rcu_poisons_only_prev() {
    run(|s| async move {
        let (head, a, b) = list(&s).await;
        head.add_tail_rcu(&s.k, a.list()).await;
        head.add_tail_rcu(&s.k, b.list()).await;
        a.list().del_rcu(&s.k).await;
        assert_eq!(a.list().next_rcu(&s.k).await, b.list(), "a reader there finds its way on");
        assert_eq!(a.list().prev(&s.k).await.addr(), Addr::LIST_POISON2);
        assert_eq!(head.next_rcu(&s.k).await, b.list());
    })
    .assert_clean();
}

#[test]
fn a_second_removal_follows_poison() {
    let rcu = run(|s| async move {
        let (head, a, _) = list(&s).await;
        head.add_tail(&s.k, a.list()).await;
        a.list().del_rcu(&s.k).await;
        a.list().del_rcu(&s.k).await;
        s.say("goes on");
    });
    assert_eq!((rcu.codes(), rcu.log.as_str()), (vec!["list-poison"], ""));
    assert!(rcu.finding().to_string().contains("LIST_POISON2"), "{}", rcu.finding());
    let walker = run(|s| async move {
        let (head, a, _) = list(&s).await;
        head.add_tail(&s.k, a.list()).await;
        a.list().del(&s.k).await;
        a.list().next(&s.k).await.next(&s.k).await;
    });
    assert!(walker.finding().to_string().contains("LIST_POISON1"), "{}", walker.finding());
}

#[test]
fn an_entry_added_twice_leads_to_itself() {
    run(|s| async move {
        let (head, a, b) = list(&s).await;
        head.add_tail(&s.k, a.list()).await;
        head.add_tail(&s.k, b.list()).await;
        head.add_tail(&s.k, b.list()).await; // the last again
        assert_eq!(links(&s, b.list()).await, (b.list(), b.list()));
        assert_eq!(links(&s, head).await, (a.list(), b.list()));
        assert_eq!(a.list().next(&s.k).await, b.list());
    })
    .assert_clean();
    run(|s| async move {
        let (head, a, b) = list(&s).await;
        head.add(&s.k, a.list()).await;
        head.add(&s.k, b.list()).await;
        head.add(&s.k, a.list()).await; // the last again, at the front: `b` is cut off
        assert_eq!(links(&s, head).await, (a.list(), a.list()));
        assert_eq!(links(&s, a.list()).await, (b.list(), head));
        assert_eq!(links(&s, b.list()).await, (a.list(), a.list()));
    })
    .assert_clean();
}

#[test]
fn a_walk_that_never_comes_back_is_an_endless_loop() {
    let run = run(|s| async move {
        let (head, a, _) = list(&s).await;
        head.add(&s.k, a.list()).await;
        head.add(&s.k, a.list()).await;
        walk(&s, head).await;
        s.say("came back");
    });
    assert_eq!((run.codes(), run.log.as_str()), (vec!["endless-loop"], ""));
}

#[test]
fn a_link_taken_for_another_is_type_confusion() {
    let field = run(|s| async move {
        let (_, a, _) = list(&s).await;
        ThingPtr::container_of(&s.k, a.list(), ThingPtr::other_list).await;
        s.say("goes on");
    });
    assert_eq!((field.codes(), field.log.as_str()), (vec!["type-confusion"], ""));
    let head = run(|s| async move {
        // The head of another type.
        let stack = s.k.bus.alloc(HeadPtr::layout(), 16).map(HeadPtr::at).expect("memory");
        ThingPtr::container_of(&s.k, stack.head(), ThingPtr::list).await;
    });
    let text = head.finding().to_string();
    assert_eq!(text, "BUG: type confusion in start: head 1->head is taken for a struct thing");
}

kernel::object! {
    struct HeadPtr("struct head", "head", "stack") {
        head: ListHead,
    }
}

#[test]
fn a_reader_sees_the_whole_entry() {
    for run in crate::setup::runs(machine_sim::Config::default(), |s| async move {
        let (head, new, _) = list(&s).await;
        s.spawn("reader", |s| async move {
            let head = s.thing.list();
            s.k.rcu_read_lock().await;
            let link = head.next_rcu(&s.k).await;
            if link != head {
                let thing = ThingPtr::container_of(&s.k, link, ThingPtr::list).await;
                assert_eq!(thing.data().read(&s.k).await, 3);
            }
            s.k.rcu_read_unlock();
        });
        new.data().write(&s.k, 3).await;
        head.add_tail_rcu(&s.k, new.list()).await;
    }) {
        run.assert_clean();
    }
}
