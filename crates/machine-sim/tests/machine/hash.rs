// SPDX-License-Identifier: GPL-2.0-only
//! A seed stands for one execution, whatever the machine did before.

use std::collections::BTreeSet;

use machine_sim::{Config, First, Outcome, Seeded, Sim};

use crate::setup::{Cells, two_increase};

fn hash(sim: &mut Sim, seed: u64) -> u64 {
    assert_eq!(sim.run(&mut Seeded::new(seed), two_increase), Outcome::Done);
    assert!(sim.findings().is_empty());
    sim.trace_hash()
}

#[test]
fn equal_seeds_give_equal_hashes() {
    let mut used = Sim::new(Config::default());
    for seed in 0..50 {
        let first = hash(&mut used, seed);
        assert_eq!(hash(&mut used, seed), first, "the same machine again");
        assert_eq!(hash(&mut Sim::new(Config::default()), seed), first, "a fresh one");
    }
}

#[test]
fn a_machine_that_ran_another_program_forgets_it() {
    let mut used = Sim::new(Config::default());
    used.run(&mut First, |bus| async move {
        let cells = Cells::new(bus);
        cells.lock().await; // never released
        cells.spawn("other", |c| async move { c.lock().await });
        cells.bus.step(machine::Op::RcuReadLock).await; // never left
    });
    assert_eq!(used.findings().len(), 1, "a deadlock");
    assert_eq!(hash(&mut used, 7), hash(&mut Sim::new(Config::default()), 7));
}

#[test]
fn seeds_differ() {
    let mut sim = Sim::new(Config::default());
    let hashes: BTreeSet<u64> = (0..50).map(|seed| hash(&mut sim, seed)).collect();
    assert!(hashes.len() > 40, "{} hashes of 50 seeds", hashes.len());
}

#[test]
fn the_checks_are_not_in_the_hash() {
    let config = Config { checks: machine_sim::Checks::NONE, ..Config::default() };
    assert_eq!(hash(&mut Sim::new(config), 3), hash(&mut Sim::new(Config::default()), 3));
}

#[test]
fn what_is_written_is_in_the_hash() {
    let write = |value| {
        let mut sim = Sim::new(Config::default());
        sim.run(&mut First, |bus| async move {
            let cells = Cells::new(bus);
            for _ in 0..value {
                cells.write().await;
            }
        });
        sim.trace_hash()
    };
    assert_ne!(write(1), write(2));
}
