// SPDX-License-Identifier: GPL-2.0-only
//! The verdict on a run, and the command that repeats it.

use std::collections::BTreeSet;

use lab::run::{Bus, Decider, Lab, Limit, Outcome, RunReport, Standing, Why as Diverges};
use report::finding;

use super::human::scene;
use crate::{
    args::RunArguments,
    code::Code,
    files::Loaded,
    interrupt::{self, Why},
    out::count,
};

/// More tasks than these are not listed.
const MAX_STANDING: usize = 16;

/// What there is to say about a run at its end: as little as may be kept of thousands of runs.
#[derive(Debug)]
pub(crate) struct Verdict {
    /// The name of the run.
    pub(crate) run: String,
    /// The kinds of its findings.
    pub(crate) findings: BTreeSet<&'static str>,
    pub(crate) code: Code,
    /// How it ended and after how many operations, for people.
    pub(crate) ended: String,
    /// How the execution ended, for programs; none if it had several that ended differently.
    pub(crate) outcome_name: Option<&'static str>,
    /// What is not as it should be.
    pub(crate) failures: Vec<String>,
    /// The command that repeats it.
    pub(crate) replay: String,
}

impl Verdict {
    /// `overridden`: whether somebody else decided than the scenario says.
    pub(crate) fn of(
        lab: &Lab,
        report: &RunReport,
        overridden: bool,
        arguments: &RunArguments,
        loaded: &Loaded,
    ) -> Self {
        let mut failures: Vec<String> = report.failures.iter().map(ToString::to_string).collect();
        let code = match report.outcome {
            Outcome::Limit(limit) => {
                failures.push(limit_reached(limit, report.time.is_some()).to_owned());
                Code::Inconclusive
            }
            _ if report.diverged.is_some() => Code::Diverged,
            Outcome::Abandoned => {
                let (code, text) = cut_off();
                failures.push(text.to_owned());
                code
            }
            _ if overridden && !report.findings.is_empty() => {
                failures.extend(report.findings.iter().map(|found| {
                    let step = found.step.map(|step| lab.scenario().place(step.step));
                    finding::title(&scene(lab, report, loaded, found, step.as_ref()), &found.finding)
                }));
                Code::Finding
            }
            _ if !failures.is_empty() => Code::Finding,
            _ => Code::Clean,
        };
        if let Some(diverged) = &report.diverged {
            failures.push(diverged.to_string());
            let is_timed = report.time.is_some();
            if is_timed && diverged.why == Diverges::Waits {
                failures.push(
                    "with a clock, who is due goes on: a schedule decides only between those".to_owned(),
                );
            }
            let standing = diverged.standing.iter().take(MAX_STANDING);
            failures.extend(standing.map(|standing| in_words(lab.bus(), standing)));
        }
        let (outcome, outcome_name) = match code {
            Code::Interrupted => ("interrupted", "interrupted"),
            Code::Inconclusive => ("ended by a limit", "limit"),
            _ => outcome(report.outcome),
        };
        let ended = format!("{outcome} after {}", count(report.steps, "step"));
        let by_somebody_else = arguments.seed.is_some() || arguments.schedule.is_some();
        let decider = by_somebody_else.then_some(&report.decider);
        Verdict {
            run: report.name.clone(),
            findings: report.findings.iter().map(|found| found.finding.code()).collect(),
            code,
            ended,
            outcome_name: Some(outcome_name),
            failures,
            replay: replay(&report.name, decider, arguments, loaded),
        }
    }
}

/// What a task wanted when the execution left its schedule.
fn in_words(bus: &Bus, standing: &Standing) -> String {
    let Standing { name, announced, function, is_possible, is_ready } = *standing;
    let function = function.map_or_else(String::new, |function| format!(", in {function}()"));
    format!("{} {}{function}", bus.name(name), report::standing(bus, announced, is_possible, is_ready))
}

/// How an execution ended: for people, and for programs.
fn outcome(outcome: Outcome) -> (&'static str, &'static str) {
    match outcome {
        Outcome::Done => ("done", "done"),
        Outcome::Deadlock => ("deadlock", "deadlock"),
        Outcome::Panic => ("panic", "panic"),
        Outcome::Stopped => ("stopped at the first finding", "stopped"),
        Outcome::Limit(_) => ("ended by a limit", "limit"),
        Outcome::Abandoned => ("abandoned", "abandoned"),
    }
}

/// Why an execution was abandoned.
pub(super) fn cut_off() -> (Code, &'static str) {
    match interrupt::why() {
        Some(Why::Signal) => (Code::Interrupted, "interrupted: this is what was known by then"),
        Some(Why::Time) => (Code::Inconclusive, "inconclusive: the limit of time is reached; see --max-time"),
        None => (Code::Internal, "the execution was ended without a reason: this is a bug in sim"),
    }
}

pub(super) fn limit_reached(limit: Limit, is_timed: bool) -> &'static str {
    match limit {
        Limit::Steps if is_timed => {
            "inconclusive: the limit of operations and timer interrupts is reached; see --max-steps"
        }
        Limit::Steps => "inconclusive: the limit of operations is reached; see --max-steps",
        Limit::Time => "inconclusive: the limit of virtual time is reached; see `max_time` of the machine",
        Limit::Tasks => "inconclusive: the limit of tasks is reached; there is no more than that",
        Limit::Memory => "inconclusive: the limit of simulated memory is reached; see --max-memory",
    }
}

/// The command that repeats a run, under `decider` if the scenario does not decide.
pub(super) fn replay(
    run: &str,
    decider: Option<&Decider>,
    arguments: &RunArguments,
    loaded: &Loaded,
) -> String {
    let mut command = format!("sim run {} --run {}", quoted(&loaded.path), quoted(run));
    match decider {
        None => {
            if let Some(seeds) = arguments.seeds {
                command.push_str(&format!(" --seeds {seeds}"));
            }
        }
        Some(Decider::First) => {}
        Some(Decider::Seed(seed)) => command.push_str(&format!(" --seed {seed}")),
        Some(Decider::Schedule(schedule)) => command.push_str(&format!(" --schedule {}", quoted(schedule))),
    }
    if let Some(nth) = arguments.fail_nth {
        command.push_str(&format!(" --fail-nth {nth}"));
    }
    if let Some(mutant) = &arguments.mutant {
        command.push_str(&format!(" --mutant {}", quoted(mutant)));
    }
    if let Some(max_steps) = arguments.max_steps {
        command.push_str(&format!(" --max-steps {max_steps}"));
    }
    if let Some(max_memory) = arguments.max_memory {
        command.push_str(&format!(" --max-memory {max_memory}"));
    }
    command
}

/// As a shell reads it as one word.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./=+,:@%".contains(c);
    if !word.is_empty() && !word.starts_with('-') && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_for_a_shell() {
        assert_eq!(quoted("scenarios/a-b.json"), "scenarios/a-b.json");
        assert_eq!(quoted("put until f#2, lookup*3"), "'put until f#2, lookup*3'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
