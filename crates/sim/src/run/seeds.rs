// SPDX-License-Identifier: GPL-2.0-only
//! Runs with seeds: what was found how often, in place of a timeline.

use std::collections::{BTreeMap, BTreeSet};

use lab::run::{Decider, SeedsReport};
use report::json;
use scenario::{Observation, Observed, Run};

use super::{
    human::{failures_and_replay, heading, indented, milliseconds, word},
    verdict::{Verdict, cut_off, limit_reached, replay},
};
use crate::{
    args::RunArguments,
    code::{Code, Stop},
    files::Loaded,
    out::{Out, count},
};

/// The verdict on all executions together. The command is that of one which shows what is wrong, or else what was
/// found.
pub(super) fn verdict(report: &SeedsReport, arguments: &RunArguments, loaded: &Loaded) -> Verdict {
    let mut failures: Vec<String> = report.failures.iter().map(|(_, text)| text.clone()).collect();
    if let Some(bad) = &report.bad {
        let executions = count(report.findings.executions(), "execution");
        failures.push(format!(
            "in {} of {executions} something is not as expected, first with seed {}:",
            bad.executions, bad.first
        ));
        failures.extend(bad.failures.iter().map(ToString::to_string));
    }
    let mut code = if failures.is_empty() { Code::Clean } else { Code::Finding };
    if let Some((why, text)) = unfinished(report) {
        code = code.max(why);
        failures.push(text);
    }
    let shown = shown_by(report).map(Decider::Seed);
    Verdict {
        run: report.name.clone(),
        findings: report.findings.shares().map(|(code, _)| code).collect(),
        code,
        ended: ended(report),
        outcome_name: outcome(report, code),
        failures,
        replay: replay(&report.name, shown.as_ref(), arguments, loaded),
    }
}

/// What keeps the verdict from being one on all executions.
fn unfinished(report: &SeedsReport) -> Option<(Code, String)> {
    if report.is_cut {
        let (code, text) = cut_off();
        return Some((code, text.to_owned()));
    }
    if report.is_too_long {
        let text = "inconclusive: the limit of operations of all executions together is reached";
        return Some((Code::Inconclusive, text.to_owned()));
    }
    let (seed, limit) = report.limit?;
    let limited = report.outcomes.share("limit").map_or(0, |share| share.executions);
    let executions = count(limited, "execution");
    let text =
        format!("{}; in {executions}, first with seed {seed}", limit_reached(limit, report.time.is_some()));
    Some((Code::Inconclusive, text))
}

/// The seed of the execution to look at.
fn shown_by(report: &SeedsReport) -> Option<u64> {
    let wrong = report.failures.iter().filter_map(|(seed, _)| *seed);
    let wrong = wrong.chain(report.bad.as_ref().map(|bad| bad.first)).min();
    let found = || report.findings.shares().map(|(_, share)| share.first).min();
    wrong.or(report.limit.map(|(seed, _)| seed)).or_else(found)
}

/// How far it came, for people.
fn ended(report: &SeedsReport) -> String {
    let executions = count(report.findings.executions(), "execution");
    let of = match report.findings.executions() == report.seeds {
        true => executions,
        false => format!("{} of {}", report.findings.executions(), count(report.seeds, "execution")),
    };
    let time = report.time.map(|time| format!(" and {}", milliseconds(time))).unwrap_or_default();
    format!("{of} in {}{time}", count(report.steps, "step"))
}

/// How all executions ended, for programs.
fn outcome(report: &SeedsReport, code: Code) -> Option<&'static str> {
    let mut outcomes = report.outcomes.shares().map(|(outcome, _)| outcome);
    match code {
        Code::Interrupted => Some("interrupted"),
        Code::Inconclusive => Some("limit"),
        _ => outcomes.next().filter(|_| outcomes.next().is_none()),
    }
}

/// The kinds of findings that there were, or that the run speaks of.
fn kinds<'a>(run: &'a Run, report: &SeedsReport) -> BTreeSet<&'a str> {
    let spoken_of = run.findings.iter().map(|finding| finding.code.as_str());
    spoken_of.chain(report.findings.shares().map(|(code, _)| code)).collect()
}

/// `sometimes (37 of 1000, first with seed 12)`
fn in_words(observed: &Observed, what: &str) -> String {
    let observation = observed.observation(what);
    match observed.share(what) {
        Some(share) if observation == Observation::Sometimes => format!(
            "{} ({} of {}, first with seed {})",
            observation.name(),
            share.executions,
            observed.executions(),
            share.first
        ),
        _ => observation.name().to_owned(),
    }
}

/// The run, for people.
pub(super) fn human(run: &Run, report: &SeedsReport, verdict: &Verdict, out: &mut Out) -> Result<(), Stop> {
    heading(&report.name, &report.changes, out)?;
    let last = report.findings.executions().checked_sub(1);
    let seeds = last.map(|last| format!(", seeds 0 to {last}")).unwrap_or_default();
    let word = word(verdict.code, out.paint);
    out.line(&format!("{word} {}{seeds}, hash {:016x}", verdict.ended, report.hash))?;
    for (outcome, _) in report.outcomes.shares() {
        out.line(&indented(&format!("outcome {outcome}: {}", in_words(&report.outcomes, outcome)), 7))?;
    }
    for kind in kinds(run, report) {
        out.line(&indented(&format!("finding {kind}: {}", in_words(&report.findings, kind)), 7))?;
    }
    failures_and_replay(verdict, out)
}

/// The run, for programs.
pub(super) fn json(
    loaded: &Loaded,
    run: &Run,
    report: &SeedsReport,
    verdict: &Verdict,
    out: &mut Out,
) -> Result<(), Stop> {
    let observation = |observed: &Observed, what: &str| {
        let (observation, share) = (observed.observation(what).name(), observed.share(what));
        let executions = share.map_or(0, |share| share.executions);
        (
            what.to_owned(),
            json::Observation { observation, executions, first: share.map(|share| share.first) },
        )
    };
    let outcomes: BTreeMap<_, _> =
        report.outcomes.shares().map(|(outcome, _)| observation(&report.outcomes, outcome)).collect();
    let findings = kinds(run, report).into_iter().map(|kind| observation(&report.findings, kind)).collect();
    out.line(&json::result(&json::Outcome {
        file: &loaded.path,
        run: &report.name,
        ok: verdict.code == Code::Clean,
        outcome: verdict.outcome_name,
        steps: report.steps,
        time: report.time,
        hash: format!("{:016x}", report.hash),
        seed: None,
        schedule: None,
        recorded: None,
        findings: verdict.findings.iter().copied().collect(),
        failures: verdict.failures.clone(),
        sweep: None,
        seeds: Some(json::Seeds {
            executions: report.findings.executions(),
            expected: report.seeds,
            outcomes,
            findings,
        }),
        replay: &verdict.replay,
        end_state: Vec::new(),
    }))
}
