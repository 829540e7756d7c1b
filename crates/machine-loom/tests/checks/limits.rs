// SPDX-License-Identifier: GPL-2.0-only
//! What ends an exploration that is no bug of the kernel, or does not end it.

use machine_loom::{Bounds, explore};

use crate::setup::{Setup, run};

#[test]
fn limits_are_told() {
    let failure = run(|s| async move {
        for _ in 0..5 {
            s.spawn("one too many", |_| async {});
        }
    })
    .expect_err("too many tasks");
    assert!(failure.finding.is_none() && failure.text.starts_with("loom runs at most 5 tasks"), "{failure}");

    let bounds = Bounds { max_branches: 10, ..Bounds::default() };
    let failure = explore(bounds, |bus| async move {
        let s = Setup::new(bus).await;
        for _ in 0..20 {
            s.thing.count().inc(&s.k).await;
        }
    })
    .expect_err("too many branches");
    assert!(failure.finding.is_none() && failure.text.contains("maximum number of branches"), "{failure}");
}

#[test]
fn a_panic_of_the_model_is_a_failure_with_a_trace() {
    let failure = run(|s| async move {
        s.thing.count().inc(&s.k).await;
        panic!("the model is wrong");
    })
    .expect_err("it panics");
    assert_eq!(failure.text, "the model is wrong");
    assert!(failure.trace.iter().any(|line| line.contains("add to thing 1->count relaxed = 0")), "{failure}");
}

#[test]
fn warnings_are_counted() {
    let explored = run(|s| async move { s.k.bus.say(kernel::Effect::Warn("always")) }).expect("no failure");
    assert_eq!(explored.warnings, explored.executions);
}
