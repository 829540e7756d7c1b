// SPDX-License-Identifier: GPL-2.0-only
//! Runs with seeds: one execution for each, and how often something was found in them.

use std::{collections::BTreeSet, iter};

use machine::TraceHash;
use machine_sim::{Clock, First, Limit, Outcome, Seeded};
use netns::Change;
use scenario::{Failure, Observed, Run, Variant};

use super::{Chooser, Execution, Lab, RunOptions, name};

/// Operations of all executions of a run: as many as one alone may have at most.
const MAX_STEPS: u64 = 1_000_000_000;

/// What became of a run with seeds.
#[derive(Clone, Debug, Default)]
pub struct SeedsReport {
    /// The run's name.
    pub name: String,
    /// What is changed of v4.11.
    pub changes: Vec<Change>,
    /// How many executions there should be, with the seeds from 0.
    pub seeds: u64,
    /// How many operations they had in all.
    pub steps: u64,
    /// How much virtual time they took in all, in nanoseconds; none without a clock.
    pub time: Option<u64>,
    /// A number made of everything that happened, in order.
    pub hash: u64,
    /// The findings of each execution. Those that somebody has cut off do not count.
    pub findings: Observed,
    /// How they ended.
    pub outcomes: Observed,
    /// The first limit that ended an execution, and its seed. Such an execution is not judged.
    pub limit: Option<(u64, Limit)>,
    /// The executions in which anything but findings was not as the run expects.
    pub bad: Option<Bad>,
    /// Whether the seeds are not those of the run.
    pub overridden: bool,
    /// What is not as the run expects of all executions together, and the seed of one that shows it.
    pub failures: Vec<(Option<u64>, String)>,
    /// Whether somebody had enough before all seeds had their turn.
    pub is_cut: bool,
    /// Whether the executions had more operations than all together may have, so that others are missing.
    pub is_too_long: bool,
    /// The kernel functions that were entered.
    pub entered: BTreeSet<&'static str>,
}

/// Executions that are not as their run expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bad {
    /// How many there are.
    pub executions: u64,
    /// The seed of the first.
    pub first: u64,
    /// What is wrong in the first.
    pub failures: Vec<Failure>,
}

impl Lab {
    /// Runs one of the scenario's runs once for each of its seeds, and judges each execution, and the findings of all.
    /// A run without seeds has no executions here; see [`Lab::run`]. Of `options`, nobody else decides, and nothing
    /// else fails. With [`RunOptions::seeds`] every run has seeds, and of one that is about a single execution only the
    /// findings are judged, by [`Run::judge_any`].
    pub fn run_seeds(&mut self, run: &Run, options: &RunOptions) -> SeedsReport {
        let mut report = SeedsReport {
            name: run.name.clone(),
            changes: run.changes.clone(),
            seeds: options.seeds.max(run.seeds).unwrap_or(0),
            overridden: options.seeds.is_some(),
            ..SeedsReport::default()
        };
        let mut hash = TraceHash::default();
        for seed in 0..report.seeds {
            report.is_too_long = report.steps > MAX_STEPS;
            report.is_cut = options.enough.is_some_and(|enough| enough());
            if report.is_too_long || report.is_cut {
                break;
            }
            let chooser = Chooser::Seeded(Box::new(Seeded::new(seed)));
            let done = self.execute(run, options, Variant::Whole, chooser, &mut First, |_, _| {});
            if done.outcome == Outcome::Abandoned {
                report.is_cut = true;
                break;
            }
            report.steps += self.sim.steps();
            if self.sim.config().clock != Clock::Untimed {
                *report.time.get_or_insert(0) += self.sim.time();
            }
            hash.add_execution(TraceHash(self.sim.trace_hash()));
            self.add(run, seed, &done, &mut report);
        }
        report.hash = hash.0;
        report.failures = match run.seeds {
            None => run.judge_any(&report.findings),
            Some(_) => run.judge_observed(report.seeds, &report.findings),
        };
        report
    }

    fn add(&self, run: &Run, seed: u64, done: &Execution, report: &mut SeedsReport) {
        let mut is_finished = true;
        if let Outcome::Limit(limit) = done.outcome {
            is_finished = false;
            report.limit.get_or_insert((seed, limit));
        }
        report.findings.add(seed, &done.codes(), is_finished);
        report.outcomes.add(seed, &iter::once(name(done.outcome)).collect(), is_finished);
        report.entered.extend(done.tally.entered());
        if !is_finished || run.seeds.is_none() {
            return;
        }
        let failures = self.scenario.judge_execution(run, &done.world, name(done.outcome), &done.tally);
        if !failures.is_empty() {
            report.bad.get_or_insert(Bad { executions: 0, first: seed, failures }).executions += 1;
        }
    }
}
