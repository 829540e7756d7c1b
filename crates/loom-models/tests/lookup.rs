// SPDX-License-Identifier: GPL-2.0-only
//! A namespace is looked up by its id while its last reference is put.

use loom_models::{Lookup, explore, lookup_races_with_put};
use machine_loom::Bounds;
use netns::{Changes, Patch};

/// Two preemptions in one execution: a few thousand executions. With three there are fifteen times as many.
const BOUNDS: Bounds = Bounds { preemptions: Some(2), max_branches: 10_000 };

#[test]
fn cve_2017_15129() {
    let failure = explore(BOUNDS, |bus| lookup_races_with_put(bus, Changes::none()))
        .expect_err("v4.11 revives a dead namespace");
    let code = failure.finding.as_ref().map(|finding| finding.code());
    let expected = ["kasan-use-after-free", "kasan-double-free", "list-poison", "kcsan-unordered-free"];
    assert!(code.is_some_and(|code| expected.contains(&code)), "{failure}");
}

#[test]
#[expect(clippy::print_stdout, reason = "the number of executions is what a reader wants to know")]
fn the_fix_closes_it() {
    let patches = Changes::from_iter([Patch::GetLiveNetById]);
    let seen = explore(BOUNDS, move |bus| lookup_races_with_put(bus, patches.clone()))
        .unwrap_or_else(|failure| panic!("{failure}"));
    println!("lookup against put: {} executions, {:?}", seen.explored.executions, seen.outcomes);
    assert_eq!(seen.outcomes.keys().copied().collect::<Vec<_>>(), [Lookup::Nothing, Lookup::Found]);
    assert_eq!(seen.explored.warnings, 0);
}
