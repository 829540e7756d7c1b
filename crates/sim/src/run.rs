// SPDX-License-Identifier: GPL-2.0-only
//! `sim run`: runs scenarios, and says what became of each run.

mod human;
mod seeds;
mod verdict;

use std::sync::Arc;

use lab::run::{Decider, Lab, RunOptions, RunReport};
use report::{Detail, Timeline, json};
use scenario::Run;

use crate::{
    args::{Format, RunArguments},
    code::{Code, Stop, go_on},
    files::{self, Loaded},
    interrupt,
    out::{Out, count},
};
pub(crate) use human::wrap;
use verdict::Verdict;

/// How many things a timeline shows; and how many where everything is shown.
const ROOM: usize = 4000;
const ROOM_FOR_EVERYTHING: usize = 1 << 20;

pub(crate) fn run(arguments: &RunArguments, out: &mut Out) -> Result<Code, Stop> {
    let found = files::find(&arguments.paths)?;
    let is_one = found.len() == 1 && arguments.paths.first() == Some(&found[0].path);
    let mut session = Session::new(arguments, is_one || arguments.verbose);
    interrupt_after(arguments);
    out.limit_details(arguments.max_output << 20);
    for found in &found {
        if interrupt::is_due() {
            break;
        }
        match files::load(found, out)? {
            Ok(loaded) => session.scenario(&loaded, out)?,
            Err(code) => {
                session.code = session.code.max(code);
                session.invalid += 1;
            }
        }
    }
    session.end(is_one, found.len(), out)
}

fn interrupt_after(arguments: &RunArguments) {
    if let Some(seconds) = arguments.max_time {
        interrupt::end_after(seconds);
    }
}

/// One call of `sim run`.
#[derive(Debug)]
struct Session<'a> {
    arguments: &'a RunArguments,
    options: RunOptions,
    /// Whether timelines are shown.
    detailed: bool,
    code: Code,
    scenarios: usize,
    /// Those that nothing kept from coming to their end.
    ended: usize,
    runs: usize,
    failed: usize,
    invalid: usize,
}

impl<'a> Session<'a> {
    fn new(arguments: &'a RunArguments, detailed: bool) -> Self {
        let schedule = arguments.schedule.clone().map(Decider::Schedule);
        let decider = arguments.seed.map(Decider::Seed).or(schedule);
        let options = RunOptions {
            decider,
            max_steps: arguments.max_steps,
            max_memory_mib: arguments.max_memory,
            fail_nth: arguments.fail_nth,
            seeds: arguments.seeds,
            enough: Some(interrupt::is_due),
        };
        let code = Code::Clean;
        Session { arguments, options, detailed, code, scenarios: 0, ended: 0, runs: 0, failed: 0, invalid: 0 }
    }

    fn scenario(&mut self, loaded: &Loaded, out: &mut Out) -> Result<(), Stop> {
        let scenario = loaded.scenario.clone();
        let wanted = |run: &&Run| self.arguments.run.as_ref().is_none_or(|name| *name == run.name);
        // With seeds for all, a run that has some itself stands for others that differ in who decides.
        let is_told = |run: &&Run| self.options.seeds.is_none() || !scenario.has_run_with_seeds_for(run);
        let runs: Vec<&Run> = scenario.runs.iter().filter(wanted).filter(is_told).collect();
        if runs.is_empty() {
            return Ok(());
        }
        let schedule = self.arguments.schedule.as_ref();
        if let Some(wrong) = schedule.and_then(|text| scenario.wrong_in_schedule(text)) {
            return Err(Stop::usage(format_args!("--schedule for {}: {wrong}", loaded.path)));
        }
        let is_human = self.arguments.message_format == Format::Human;
        if is_human && self.detailed {
            human::title(loaded, out)?;
        }
        let mut lab = Lab::new(Arc::clone(&scenario));
        if let Some(mutant) = &self.arguments.mutant {
            lab.damage_by_name(mutant).map_err(Stop::usage)?;
        }
        let mut verdicts = Vec::new();
        for run in &runs {
            if interrupt::is_due() {
                break;
            }
            if self.has_seeds(run) {
                let report = lab.run_seeds(run, &self.options);
                let verdict = seeds::verdict(&report, self.arguments, loaded);
                self.code = self.code.max(verdict.code);
                match self.arguments.message_format {
                    Format::Json => seeds::json(loaded, run, &report, &verdict, out)?,
                    Format::Human if self.detailed => seeds::human(run, &report, &verdict, out)?,
                    Format::Human => {}
                }
                verdicts.push(verdict);
                continue;
            }
            let mut timeline = self.timeline(loaded);
            let report =
                lab.run(run, &self.options, &mut timeline, Timeline::in_words).map_err(Stop::usage)?;
            let verdict = Verdict::of(&lab, &report, !report.judged, self.arguments, loaded);
            self.code = self.code.max(verdict.code);
            match self.arguments.message_format {
                Format::Json => Self::json(loaded, &lab, &report, &verdict, out)?,
                Format::Human if self.detailed => {
                    human::run(loaded, &lab, &report, &timeline, &verdict, self.arguments.verbose, out)?;
                }
                Format::Human => {}
            }
            verdicts.push(verdict);
        }
        self.scenarios += 1;
        self.ended += usize::from(!interrupt::is_due());
        self.runs += verdicts.len();
        self.failed += usize::from(verdicts.iter().any(|verdict| verdict.code != Code::Clean));
        if is_human && !self.detailed {
            human::line(loaded, &verdicts, out)?;
        }
        Ok(())
    }

    /// Whether a run has an execution for each of its seeds, and not one that the arguments speak of.
    fn has_seeds(&self, run: &Run) -> bool {
        let has = run.seeds.is_some() || self.options.seeds.is_some();
        has && self.options.decider.is_none() && self.options.fail_nth.is_none()
    }

    fn timeline(&self, loaded: &Loaded) -> Timeline {
        if self.arguments.verbose {
            return Timeline::new(Detail::Everything, ROOM_FOR_EVERYTHING);
        }
        let timeline = Timeline::new(Detail::Telling, if self.detailed { ROOM } else { 0 });
        // Every scenario boots and has tasks; what that means, the one that does nothing else shows.
        match loaded.scenario.steps() {
            0 => timeline,
            _ => timeline.folding(&["net_ns_init", "copy_process"], "copy_net_ns"),
        }
    }

    fn json(
        loaded: &Loaded,
        lab: &Lab,
        report: &RunReport,
        verdict: &Verdict,
        out: &mut Out,
    ) -> Result<(), Stop> {
        for found in &report.findings {
            let step = found.step.map(|step| lab.scenario().place(step.step));
            let scene = human::scene(lab, report, loaded, found, step.as_ref());
            out.detail_line(&json::finding(&scene, &report.name, &found.finding))?;
        }
        let end_state = report.end_state.to_string();
        let (seed, schedule) = match &report.decider {
            Decider::First => (None, None),
            Decider::Seed(seed) => (Some(*seed), None),
            Decider::Schedule(schedule) => (None, Some(schedule.as_str())),
        };
        out.line(&json::result(&json::Outcome {
            file: &loaded.path,
            run: &report.name,
            ok: verdict.code == Code::Clean,
            outcome: verdict.outcome_name,
            steps: report.steps,
            time: report.time,
            hash: format!("{:016x}", report.hash),
            seed,
            schedule,
            recorded: Some(&report.recorded),
            findings: report.findings.iter().map(|found| found.finding.code()).collect(),
            failures: verdict.failures.clone(),
            sweep: report.sweep.as_ref().map(ToString::to_string),
            seeds: None,
            replay: &verdict.replay,
            end_state: end_state.lines().collect(),
        }))
    }

    fn end(&self, is_one: bool, found: usize, out: &mut Out) -> Result<Code, Stop> {
        if self.runs == 0 && self.invalid == 0 && !interrupt::is_due() {
            let name = self.arguments.run.as_deref().unwrap_or_default();
            return Err(Stop::usage(format_args!("no run is called `{name}`")));
        }
        if !is_one && self.arguments.message_format == Format::Human {
            human::summary(self.scenarios, self.runs, self.failed, self.invalid, out)?;
        }
        if out.left_out() > 0 {
            let lines = count(out.left_out(), "line");
            out.note(&format!("the limit of output is reached: {lines} left out; see --max-output"))?;
        }
        let done = || {
            let (found, runs) = (count(found as u64, "scenario"), count(self.runs as u64, "run"));
            format!("after {} of {found} ({runs})", self.ended)
        };
        match go_on(done) {
            Err(Stop::Because(code, message)) => {
                out.error(&message)?;
                Ok(self.code.max(code)) // what was found by then was found
            }
            _ => Ok(self.code),
        }
    }
}
