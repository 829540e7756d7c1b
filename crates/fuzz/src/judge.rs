// SPDX-License-Identifier: GPL-2.0-only
//! Takes a file the whole way, and holds every stage to its word.
//!
//! A finding of the simulated kernel is a result like any other. What is wrong is a panic, a scenario that is checked
//! and cannot be run, one that the schema refuses, two executions of the same that differ, and a recorded schedule
//! that does not repeat its execution.

use std::{collections::BTreeSet, sync::Arc};

use jsonschema::Validator;
use lab::run::{Decider, Lab, Outcome, RunOptions, RunReport, SeedsReport};
use report::{Detail, Paint, Scene, Timeline, finding, json};
use scenario::{Diagnostic, Run, Scenario, Source};

/// Executions of a run with seeds; a scenario may ask for more.
const MAX_SEEDS: u64 = 8;

/// What a case has shown. What was not seen before makes its input worth keeping.
pub type Seen = BTreeSet<String>;

/// Holds what goes in and what comes out against each other.
#[derive(Debug)]
pub struct Judge {
    schema: Validator,
    /// Operations of one execution.
    max_steps: u64,
    /// Runs of one scenario.
    max_runs: usize,
}

impl Judge {
    /// One that runs no execution for longer than this.
    ///
    /// # Errors
    ///
    /// The schema is none.
    pub fn new(max_steps: u64, max_runs: usize) -> Result<Self, String> {
        let schema = serde_json::from_str(&scenario::schema()).map_err(|error| error.to_string())?;
        let schema = jsonschema::validator_for(&schema).map_err(|error| error.to_string())?;
        Ok(Judge { schema, max_steps, max_runs })
    }

    /// The scenario in a file, or nothing if it was refused as it should be.
    ///
    /// # Errors
    ///
    /// A diagnostic that says nothing, or a scenario that the schema does not know.
    pub fn read(&self, bytes: &[u8], seen: &mut Seen) -> Result<Option<Arc<Scenario>>, String> {
        let source = match Source::from_bytes("fuzzed.json", bytes.to_vec()) {
            Ok(source) => source,
            Err(error) => {
                let none = Source { name: "fuzzed.json".to_owned(), text: String::new() };
                return diagnostic(&error, &none, seen).map(|()| None);
            }
        };
        match scenario::read(&source) {
            Ok(scenario) => {
                let value = serde_json::from_str(&source.text).map_err(|error| error.to_string())?;
                if let Err(error) = self.schema.validate(&value) {
                    let at = error.instance_path().to_string();
                    return Err(format!("what is read is not in the schema, at {at}: {error}"));
                }
                seen.insert("valid".to_owned());
                Ok(Some(Arc::new(scenario)))
            }
            Err(errors) if errors.is_empty() => Err("refused without a word".to_owned()),
            Err(errors) => {
                errors.iter().try_for_each(|error| diagnostic(error, &source, seen)).map(|()| None)
            }
        }
    }

    /// A file, the whole way.
    ///
    /// # Errors
    ///
    /// What is wrong.
    pub fn file(&self, bytes: &[u8], seen: &mut Seen) -> Result<(), String> {
        let Some(scenario) = self.read(bytes, seen)? else { return Ok(()) };
        self.scenario(&scenario, &[None], seen)
    }

    /// A scenario, under each of these deciders.
    ///
    /// # Errors
    ///
    /// What is wrong.
    pub fn scenario(
        &self,
        scenario: &Arc<Scenario>,
        deciders: &[Option<Decider>],
        seen: &mut Seen,
    ) -> Result<(), String> {
        let mut lab = Lab::new(Arc::clone(scenario));
        for run in scenario.runs.iter().take(self.max_runs) {
            self.seeds(scenario, &mut lab, run, seen).map_err(|why| format!("run {}: {why}", run.name))?;
            for decider in deciders {
                let fail_nth = match decider {
                    Some(Decider::Seed(seed)) if seed % 4 == 0 => Some(seed / 4 % 32 + 1),
                    _ => None,
                };
                let options = RunOptions { decider: decider.clone(), fail_nth, ..self.options() };
                self.run(scenario, &mut lab, run, &options, seen)
                    .map_err(|why| format!("run {}, {decider:?}: {why}", run.name))?;
            }
        }
        Ok(())
    }

    /// Runs some of the executions of a run with seeds, on a machine that has run others and on a new one.
    fn seeds(
        &self,
        scenario: &Arc<Scenario>,
        lab: &mut Lab,
        run: &Run,
        seen: &mut Seen,
    ) -> Result<(), String> {
        let Some(seeds) = run.seeds else { return Ok(()) };
        let mut run = run.clone();
        run.seeds = Some(seeds.min(MAX_SEEDS));
        let first = lab.run_seeds(&run, &self.options());
        let again = Lab::new(Arc::clone(scenario)).run_seeds(&run, &self.options());
        if text_of_seeds(&first) != text_of_seeds(&again) {
            return Err(format!("a new machine does something else: {first:?}, then {again:?}"));
        }
        if Some(first.findings.executions()) != run.seeds {
            return Err(format!("{} executions instead of {:?}", first.findings.executions(), run.seeds));
        }
        seen.extend(
            first
                .findings
                .shares()
                .map(|(code, _)| format!("finding {code} {}", first.findings.observation(code).name())),
        );
        Ok(())
    }

    /// What this judge lets an execution do.
    pub fn options(&self) -> RunOptions {
        // Little memory: the simulated is real, and there are two machines.
        RunOptions { max_steps: Some(self.max_steps), max_memory_mib: Some(64), ..RunOptions::default() }
    }

    /// Runs it on a machine that has run others, on a new one, and by the schedule that was written down.
    fn run(
        &self,
        scenario: &Arc<Scenario>,
        lab: &mut Lab,
        run: &Run,
        options: &RunOptions,
        seen: &mut Seen,
    ) -> Result<(), String> {
        let first = execute(lab, run, options)?;
        see(&first, seen);
        let again = execute(&mut Lab::new(Arc::clone(scenario)), run, options)?;
        if text_of(&first) != text_of(&again) {
            return Err(differ("a new machine does something else", &first, &again));
        }
        if let Some(wrong) = scenario.wrong_in_schedule(&first.recorded) {
            return Err(format!("the recorded schedule is refused: {wrong}"));
        }
        let decider = Some(Decider::Schedule(first.recorded.clone()));
        let fail_nth = options.fail_nth.or_else(|| run.sweep.is_some().then_some(u64::MAX));
        let options = RunOptions { decider, fail_nth, ..options.clone() };
        // What a schedule says ends where the execution ended; it need not say how a limit or its driver ended it.
        if first.diverged.is_none() && first.steps > 0 {
            let again = execute(lab, run, &options)?;
            if (first.hash, first.steps, first.outcome) != (again.hash, again.steps, again.outcome) {
                return Err(differ("the recorded schedule does something else", &first, &again));
            }
        }
        Ok(())
    }
}

/// What was executed, told in every way there is.
fn execute(lab: &mut Lab, run: &Run, options: &RunOptions) -> Result<RunReport, String> {
    let mut timeline = Timeline::new(Detail::Everything, 2000);
    let report = lab
        .run(run, options, &mut timeline, Timeline::in_words)
        .map_err(|error| format!("what was checked cannot be run: {error}"))?;
    let is_expected = match report.outcome {
        Outcome::Abandoned => report.diverged.is_some(),
        _ => true,
    };
    if !is_expected {
        return Err("the execution was ended without a reason".to_owned());
    }
    let mut told = timeline.render(lab.bus(), 120, Paint::Never).len();
    for found in &report.findings {
        let step = found.step.map(|step| lab.scenario().place(step.step));
        let scene = Scene {
            bus: lab.bus(),
            cpu: found.cpu,
            in_hardirq: found.in_hardirq,
            time: report.time.map(|_| found.time),
            pids: &report.pids,
            file: "fuzzed.json",
            step: step.as_ref().map(|(path, line)| (path.as_str(), *line)),
            callers: found.step.map_or(0, |step| step.callers),
            is_of_simulator: scenario::is_of_simulator,
        };
        told += finding::text(&scene, &found.finding).len() + finding::line(&scene, &found.finding).len();
        told += json::finding(&scene, &report.name, &found.finding).len();
    }
    told += report.end_state.to_string().len();
    if told == 0 {
        return Err("nothing is told of it".to_owned());
    }
    Ok(report)
}

/// What must be the same in two executions of the same.
fn text_of(report: &RunReport) -> String {
    let RunReport { outcome, steps, hash, failures, end_state, recorded, sweep, .. } = report;
    let findings: Vec<String> = report.findings.iter().map(|found| found.finding.to_string()).collect();
    format!("{outcome:?} {steps} {hash:016x} {findings:?} {failures:?} {end_state} {recorded} {sweep:?}")
}

/// The same of executions with several seeds.
fn text_of_seeds(report: &SeedsReport) -> String {
    let SeedsReport { steps, hash, findings, outcomes, limit, bad, failures, .. } = report;
    format!("{steps} {hash:016x} {findings:?} {outcomes:?} {limit:?} {bad:?} {failures:?}")
}

fn differ(what: &str, first: &RunReport, again: &RunReport) -> String {
    let (first, again) = (text_of(first), text_of(again));
    let at = first.char_indices().zip(again.chars()).find(|((_, a), b)| a != b).map_or(0, |((at, _), _)| at);
    let from = |text: &str| text.chars().skip(at.saturating_sub(40)).take(160).collect::<String>();
    format!("{what}: `{}`, then `{}`", from(&first), from(&again))
}

fn see(report: &RunReport, seen: &mut Seen) {
    seen.insert(format!("outcome {:?}", report.outcome));
    seen.extend(report.findings.iter().map(|found| format!("finding {}", found.finding.code())));
    seen.extend(report.entered.iter().map(|function| format!("function {function}")));
    seen.insert(format!("2^{} steps", report.steps.max(1).ilog2()));
    if !report.failures.is_empty() {
        seen.insert("failures".to_owned());
    }
}

/// A diagnostic has a code that is explained, words, and a place that is drawn.
fn diagnostic(error: &Diagnostic, source: &Source, seen: &mut Seen) -> Result<(), String> {
    let text = error.render(source, false);
    if scenario::explain(error.code).is_none() {
        return Err(format!("a diagnostic with the unknown code {}", error.code));
    }
    if !text.contains(&source.name) {
        return Err(format!("a diagnostic without a place: {text}"));
    }
    if text.len() > 20_000 {
        return Err(format!("a diagnostic of {} bytes: {}", text.len(), error.code));
    }
    error.render(source, true);
    // Numbers and names in it would make every file new.
    let words = error.message.chars().take_while(|c| !matches!(c, '`' | '"' | '0'..='9')).take(40);
    seen.insert(format!("{} {}", error.code, words.collect::<String>()));
    Ok(())
}
