// SPDX-License-Identifier: GPL-2.0-only
//! A step on a large machine with many tasks costs about what it costs on a small one with few.

use std::time::Duration;

use machine_sim::Sim;

#[expect(clippy::disallowed_types, reason = "it is a test of speed")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}

/// The least time of a step in some runs, each of `n` short tasks of which `live` are there at a time.
fn step(sim: &mut Sim, n: usize, live: usize, runs: u64) -> Duration {
    let time = |seed| {
        let start = now();
        let steps = bench::run(sim, seed, |bus| bench::tasks_that_come_and_go(bus, n, live));
        start.elapsed() / u32::try_from(steps).expect("a small number")
    };
    (0..runs).map(time).min().expect("there are runs")
}

/// By instructions it is 1.7 times as much (docs/PERFORMANCE.md). A clock is a noisy witness, so there is room; what
/// cost the number of tasks or CPUs would cost a hundred times as much.
#[test]
fn ten_thousand_tasks_on_1024_cpus_cost_a_step_what_eight_on_four_do() {
    let (mut small, mut large) = (bench::machine_of(4), bench::machine_of(1024));
    let few = step(&mut small, 8, 8, 500);
    let many = step(&mut large, 10_000, 1000, 5);
    assert!(many < 6 * few, "{many:?} a step with many tasks, {few:?} with few");
}
