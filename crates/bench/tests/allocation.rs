// SPDX-License-Identifier: GPL-2.0-only
//! A step allocates nothing: what grows is kept between executions, and used again.

use std::{alloc::System, rc::Rc};

use checkers::{Checkers, Enabled};
use kernel::Bus;
use machine::Checker;
use machine_sim::{Checks, Sim};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static GLOBAL: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Steps and allocations of one execution on a machine that has run it before. The least of some: the thread that waits
/// for the test may allocate as well.
fn measure<F: Future<Output = ()> + 'static>(
    sim: &mut Sim,
    checker: &mut impl Checker,
    main: impl Fn(Rc<Bus>) -> F,
) -> (u64, usize) {
    let steps = bench::run_checked(sim, checker, 0, &main);
    let allocations = |_| {
        let region = Region::new(GLOBAL);
        bench::run_checked(sim, checker, 0, &main);
        let change = region.change();
        change.allocations + change.reallocations
    };
    (steps, (0..5).map(allocations).min().unwrap_or(usize::MAX))
}

/// One test, so that no other thread allocates meanwhile.
#[test]
fn a_step_allocates_nothing() {
    allocates_nothing(&mut ());
    allocates_nothing(&mut Checkers::new(Enabled::ALL));

    // The counter counts.
    let region = Region::new(GLOBAL);
    let boxed = Box::new(region.change().allocations as u64);
    assert!(region.change().allocations == 1 && *boxed == 0);
}

fn allocates_nothing(checker: &mut impl Checker) {
    let mut sim = bench::machine(Checks::ALL);
    let short = measure(&mut sim, checker, |bus| bench::long_tasks(bus, 100));
    let long = measure(&mut sim, checker, |bus| bench::long_tasks(bus, 1100));
    assert!(long.0 > short.0 + 10_000, "{short:?} {long:?}");
    assert_eq!(long.1, short.1, "locks, atomics and plain accesses: {short:?} {long:?}");

    // Creating and destroying a namespace: its cleanup is one work item, whose function is one future, and the
    // flush that waits for it is another, with its closure.
    let short = measure(&mut sim, checker, |bus| bench::churn(bus, 100));
    let long = measure(&mut sim, checker, |bus| bench::churn(bus, 1100));
    let more = long.1 - short.1;
    assert!(more <= 4 * 1000, "{} allocations in {} steps of 1000 namespaces", more, long.0 - short.0);
}
