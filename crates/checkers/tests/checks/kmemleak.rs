// SPDX-License-Identifier: GPL-2.0-only
//! Memory that nothing refers to.

use std::{cell::OnceCell, rc::Rc};

use checkers::{References, unreferenced};
use kernel::{Field, Gfp, Idr, Kernel, Pointer};
use machine_sim::{Config, First, Outcome, Sim};

use crate::setup::Setup;

/// What is unreferenced at the end, where the first thing is a root.
fn leaks<F: Future<Output = ()> + 'static>(main: impl FnOnce(Setup) -> F + 'static) -> Vec<String> {
    let (mut sim, kept) = (Sim::new(Config::default()), Rc::new(OnceCell::new()));
    let keep = kept.clone();
    let outcome = sim.run(&mut First, |bus| async move {
        let k = Kernel::new(&bus);
        let thing = k.kzalloc("thing", Gfp::Kernel).await.expect("memory");
        let s = Setup { k, thing };
        assert!(keep.set(s.clone()).is_ok());
        main(s).await;
    });
    assert_eq!(outcome, Outcome::Done);
    let s: &Setup = kept.get().expect("it has begun");
    let references = References { roots: vec![s.thing.addr()], owned: s.k.idr_references() };
    sim.bus().inspect(|memory| {
        let names = unreferenced(memory, &references).into_iter().map(|addr| memory.cell(addr).object);
        names.collect()
    })
}

#[test]
fn what_nothing_refers_to_is_found_with_what_only_that_refers_to() {
    let found = leaks(|s| async move {
        let (a, b) = (s.alloc().await, s.alloc().await);
        a.next().assign(&s.k, b).await;
        b.next().assign(&s.k, a).await; // a circle
        s.k.kfree(s.alloc().await.addr());
    });
    assert_eq!(found, ["thing 2", "thing 3"]);
}

#[test]
fn pointers_are_followed_also_into_the_middle_of_an_object() {
    let found = leaks(|s| async move {
        let (a, b, c) = (s.alloc().await, s.alloc().await, s.alloc().await);
        s.thing.next().assign(&s.k, a).await;
        a.head().init(&s.k).await;
        a.head().add_tail(&s.k, b.list()).await;
        b.plain().write(&s.k, c.plain().addr().to_value()).await;
    });
    assert_eq!(found, Vec::<String>::new());
}

/// What a list has let go is found, though it has pointers itself.
#[test]
fn an_entry_that_is_deleted_and_not_freed() {
    let found = leaks(|s| async move {
        let a = s.alloc().await;
        s.thing.head().init(&s.k).await;
        s.thing.head().add_tail(&s.k, a.list()).await;
        a.list().del_rcu(&s.k).await;
    });
    assert_eq!(found, ["thing 2"]);
}

/// An idr refers to what it holds as long as somebody refers to it.
#[test]
fn tables_outside_of_memory() {
    let of = |is_kept: bool| {
        leaks(move |s| async move {
            let (owner, held) = (s.alloc().await, s.alloc().await);
            if is_kept {
                s.thing.next().assign(&s.k, owner).await;
            }
            let idr = Idr::at(owner.plain().addr());
            idr.init(&s.k).await;
            idr.alloc(&s.k, held.addr(), 0, 0).await.expect("an id");
        })
    };
    assert_eq!(of(true), Vec::<String>::new());
    assert_eq!(of(false), ["thing 2", "thing 3"]);
}
