// SPDX-License-Identifier: GPL-2.0-only
//! `cargo bench -p bench`: the port on the simulated machine. Figures and how to read them: docs/PERFORMANCE.md.

use divan::{Bencher, counter::ItemsCount};
use machine_sim::Checks;

fn main() {
    divan::main();
}

const CHECKS: [(&str, Checks); 2] = [("checks", Checks::ALL), ("no checks", Checks::NONE)];

/// From reset to verdict; items are executions.
#[divan::bench(args = [0, 1])]
fn two_task_scenario(bencher: Bencher<'_, '_>, checks: usize) {
    let mut sim = bench::machine(CHECKS[checks].1);
    let mut seed = 0;
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| {
        seed += 1;
        bench::run(&mut sim, seed, bench::lookup_races_with_put)
    });
}

/// Boot and one namespace; items are executions.
#[divan::bench]
fn setup(bencher: Bencher<'_, '_>) {
    let mut sim = bench::machine(Checks::ALL);
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| bench::run(&mut sim, 0, bench::setup));
}

/// Four tasks, three operations an iteration; items are operations.
#[divan::bench(args = [0, 1])]
fn long_tasks(bencher: Bencher<'_, '_>, checks: usize) {
    let mut sim = bench::machine(CHECKS[checks].1);
    let steps = bench::run(&mut sim, 0, |bus| bench::long_tasks(bus, 10_000));
    bencher
        .counter(ItemsCount::new(steps))
        .bench_local(|| bench::run(&mut sim, 0, |bus| bench::long_tasks(bus, 10_000)));
}

/// 10,000 namespaces, one after the other; items are namespaces.
#[divan::bench(sample_count = 10)]
fn create_and_destroy_10000(bencher: Bencher<'_, '_>) {
    let mut sim = bench::machine(Checks::ALL);
    bencher
        .counter(ItemsCount::new(10_000_usize))
        .bench_local(|| bench::run(&mut sim, 0, |bus| bench::churn(bus, 10_000)));
}

/// 2,000 namespaces that live and then die at once; items are namespaces.
#[divan::bench(sample_count = 3)]
fn create_2000_then_destroy(bencher: Bencher<'_, '_>) {
    let mut sim = bench::machine(Checks::ALL);
    bencher
        .counter(ItemsCount::new(2_000_usize))
        .bench_local(|| bench::run(&mut sim, 0, |bus| bench::mass(bus, 2_000)));
}
