// SPDX-License-Identifier: GPL-2.0-only
//! Some cases of every target, always the same.

use std::path::Path;

use fuzz::{Corpus, Seen, Target, Targets, bytes};

fn targets() -> Targets {
    let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
    Targets::new(Corpus::of(&scenarios).expect("scenarios")).expect("a schema")
}

/// Runs cases of a target; everything that they have shown.
fn run(target: Target, cases: u64) -> (Seen, u64) {
    let targets = targets();
    let mut all = Seen::new();
    let mut valid = 0;
    for number in 0..cases {
        let bytes = bytes(1, number, target.length());
        let input = targets.input(target, &bytes).expect("an input");
        let mut seen = Seen::new();
        let result = targets.judge(target, &input, number, &mut seen);
        assert_eq!(
            result,
            Ok(()),
            "case {number} of {}:\n{}",
            target.name(),
            String::from_utf8_lossy(&input)
        );
        valid += u64::from(seen.contains("valid"));
        all.extend(seen);
    }
    (all, valid)
}

#[test]
fn files_are_read_or_refused() {
    let (seen, valid) = run(Target::Bytes, 400);
    assert!(valid > 20, "{valid} of 400 files are scenarios");
    let codes = seen.iter().filter(|seen| seen.starts_with("S0")).count();
    assert!(codes > 15, "{seen:?}");
}

#[test]
fn scenarios_run_the_same_twice() {
    let (seen, valid) = run(Target::Scenarios, 150);
    let why: Vec<&String> = seen.iter().filter(|seen| seen.starts_with("S0")).collect();
    assert!(valid > 75, "{valid} of 150 are valid; {why:?}");
    let functions = seen.iter().filter(|seen| seen.starts_with("function ")).count();
    assert!(functions > 60, "{functions} functions");
    let words = seen.iter().filter(|seen| seen.ends_with(" sometimes") || seen.ends_with(" always")).count();
    assert!(words > 0, "no run with seeds has found anything");
}

#[test]
fn schedules_are_followed_or_refused() {
    let (seen, _) = run(Target::Schedules, 300);
    assert!(seen.iter().any(|seen| seen.starts_with("refused ")), "{seen:?}");
    assert!(seen.iter().any(|seen| seen.contains("Done None")), "{seen:?}");
    assert!(seen.iter().any(|seen| seen.contains("Some(Waits)")), "{seen:?}");
}
