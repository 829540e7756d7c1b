// SPDX-License-Identifier: GPL-2.0-only
//! Runs of scenarios that are written in a test.

use std::sync::Arc;

use lab::run::{Lab, RunOptions, RunReport};
use machine_sim::First;
use scenario::{Scenario, Source};

/// The first run of a scenario with these parts.
pub(crate) fn run_with(parts: &str, options: &RunOptions) -> RunReport {
    let text = format!("{{\"version\": 1, \"title\": \"t\", \"note\": \"n\", {parts}}}");
    let scenario: Scenario =
        scenario::read(&Source { name: "test.json".to_owned(), text }).expect("a good scenario");
    let mut lab = Lab::new(Arc::new(scenario));
    let scenario = lab.scenario().clone();
    lab.run(&scenario.runs[0], options, &mut First, |_, _| {}).expect("a good schedule")
}

pub(crate) fn run(parts: &str) -> RunReport {
    run_with(parts, &RunOptions::default())
}
