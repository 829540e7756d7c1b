// SPDX-License-Identifier: GPL-2.0-only
//! Memory that is not there any more, and who allocated and freed it.

use kernel::{Pointer, function};
use machine::{Bug, Kind};

use crate::setup::{Setup, ThingPtr, run};

async fn make_thing(s: &Setup) -> ThingPtr {
    let _f = s.k.enter(function!("make_thing"), 0);
    s.alloc().await
}

fn drop_thing(s: &Setup, thing: ThingPtr) {
    let _f = s.k.enter(function!("drop_thing"), 0);
    s.k.kfree(thing.addr());
}

#[test]
fn a_use_after_free_names_all_three() {
    let run = run(|s| async move {
        let thing = make_thing(&s).await;
        s.spawn("user", move |s| async move {
            s.thing.done().wait(&s.k).await;
            let _f = s.k.enter(function!("use_thing"), 0);
            thing.data().write(&s.k, 1).await;
            s.say("goes on");
        });
        drop_thing(&s, thing);
        s.thing.done().complete(&s.k);
    });
    let finding = run.finding();
    let Bug::UseAfterFree { cell, kind, allocated, freed } = &finding.bug else { panic!("{finding}") };
    assert_eq!((cell.object.as_str(), cell.field, *kind), ("thing 2", Some("data"), Kind::Write));
    assert_eq!(run.who(allocated), "main/make_thing");
    assert_eq!(run.who(freed), "main/drop_thing");
    assert_eq!(run.who(&finding.by), "user/use_thing");
    assert_eq!(finding.to_string(), "BUG: KASAN: slab-use-after-free in use_thing: write of thing 2");
    assert_eq!(run.log, "goes on", "KASAN reports, and the task goes on");
}

#[test]
fn locks_and_marked_accesses_are_uses() {
    let run = run(|s| async move {
        let thing = make_thing(&s).await;
        drop_thing(&s, thing);
        thing.first().lock(&s.k).await;
        thing.first().unlock(&s.k).await;
        thing.count().inc(&s.k).await;
        thing.racy().read(&s.k).await;
    });
    assert_eq!(run.codes(), ["kasan-use-after-free"; 4]);
}

#[test]
fn a_stale_pointer_does_not_mean_the_next_object() {
    let run = run(|s| async move {
        let old = make_thing(&s).await;
        drop_thing(&s, old);
        for _ in 0..5000 {
            let new = s.alloc().await; // at last in the same place
            s.k.kfree(new.addr());
        }
        s.pause().await;
        old.data().read(&s.k).await;
    });
    assert_eq!(run.finding().code(), "kasan-use-after-free");
}

#[test]
fn an_object_is_freed_once() {
    let run = run(|s| async move {
        let thing = make_thing(&s).await;
        drop_thing(&s, thing);
        let _f = s.k.enter(function!("drop_again"), 0);
        s.k.kfree(thing.addr());
    });
    let finding = run.finding();
    let Bug::DoubleFree { cell, allocated, freed } = &finding.bug else { panic!("{finding}") };
    assert_eq!(cell.object, "thing 2");
    assert_eq!(run.who(allocated), "main/make_thing");
    assert_eq!(run.who(freed), "main/drop_thing");
    assert_eq!(finding.by.function, "drop_again");
}

#[test]
fn only_what_was_allocated_is_freed() {
    let inside = run(|s| async move { s.k.kfree(s.thing.addr().plus(1)) });
    assert_eq!(inside.finding().code(), "kasan-invalid-free");
    let variable = run(|s| async move {
        let variable = s.k.bus.alloc_static(ThingPtr::layout(), "the_thing").expect("memory");
        s.k.kfree(variable);
    });
    let text = variable.finding().to_string();
    assert_eq!(text, "BUG: KASAN: invalid-free in start: the_thing");
    let poison = run(|s| async move { s.k.kfree(machine::Addr::LIST_POISON1) });
    assert_eq!(poison.finding().code(), "kasan-invalid-free");
    run(|s| async move { s.k.kfree(machine::Addr::NULL) }).assert_clean();
}
