// SPDX-License-Identifier: GPL-2.0-only
//! Runs one workload so that an instruction counter can be put around it:
//!
//! ```text
//! valgrind --tool=callgrind target/release/examples/steps WORKLOAD all|none|debug RUNS
//! ```
//!
//! `all` are the machine's own checks, `debug` those and all checkers.

use checkers::{Checkers, Enabled};
use machine::Checker;
use machine_sim::{Checks, Sim};

#[expect(
    clippy::print_stdout,
    clippy::float_arithmetic,
    clippy::disallowed_types,
    reason = "it is a command that measures"
)]
fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let word = |n: usize, default: &str| args.get(n).cloned().unwrap_or_else(|| default.to_owned());
    let checks = if word(1, "all") == "none" { Checks::NONE } else { Checks::ALL };
    let runs: u64 = word(2, "10000").parse().expect("a number of runs");
    let mut sim = match word(0, "race").as_str() {
        "few" | "short-few" => bench::machine_of(4),
        "many" | "short-many" => bench::machine_of(1024),
        _ => bench::machine(checks),
    };
    let mut checkers = Checkers::new(Enabled::ALL);
    let (start, mut steps) = (std::time::Instant::now(), 0);
    for seed in 0..runs {
        steps += match word(1, "all").as_str() {
            "debug" => execute(&word(0, "race"), &mut sim, &mut checkers, seed),
            _ => execute(&word(0, "race"), &mut sim, &mut (), seed),
        };
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{} runs, {steps} steps, {:.1} ns/step, {:.0} runs/s, {:.1} ms/run",
        runs,
        seconds * 1e9 / steps as f64,
        runs as f64 / seconds,
        seconds * 1e3 / runs as f64
    );
}

/// Runs one seed of a workload; how many operations it took.
fn execute(workload: &str, sim: &mut Sim, checker: &mut impl Checker, seed: u64) -> u64 {
    match workload {
        "setup" => bench::run_checked(sim, checker, seed, bench::setup),
        "long" => bench::run_checked(sim, checker, seed, |bus| bench::long_tasks(bus, 10_000)),
        "few" => bench::run_checked(sim, checker, seed, |bus| bench::short_tasks(bus, 8, 2500)),
        "many" => bench::run_checked(sim, checker, seed, |bus| bench::short_tasks(bus, 10_000, 2)),
        "short-few" => bench::run_checked(sim, checker, seed, |bus| bench::tasks_that_come_and_go(bus, 8, 8)),
        "short-many" => {
            bench::run_checked(sim, checker, seed, |bus| bench::tasks_that_come_and_go(bus, 10_000, 1000))
        }
        "churn" => bench::run_checked(sim, checker, seed, |bus| bench::churn(bus, 10_000)),
        "mass" => bench::run_checked(sim, checker, seed, |bus| bench::mass(bus, 2_000)),
        _ => bench::run_checked(sim, checker, seed, bench::lookup_races_with_put),
    }
}
