// SPDX-License-Identifier: GPL-2.0-only
//! Sweeps: every allocation of a run fails in turn, each in an execution of its own, until none is left.
//!
//! Whatever fails must leave no finding that the run does not expect, and everything as it was before, or as it is
//! after the run without a failure.

use std::{collections::BTreeMap, fmt};

use machine::{Choice, Driver, Effect, Event, What};
use machine_sim::{Outcome, ScheduleError};
use scenario::{Essence, Run, Variant};

use super::{Chooser, Execution, Lab, RunOptions};

/// More would not be a textbook case.
const MAX_FAILURES: u64 = 10_000;

/// Operations of all executions of a sweep.
const MAX_STEPS: u64 = 100_000_000;

/// What became of a sweep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SweepReport {
    /// How many allocations there were to fail.
    pub failures: u64,
    /// After how many everything was as before.
    pub undone: u64,
    /// After how many everything was as without a failure.
    pub tolerated: u64,
    /// What was found, and in how many executions.
    pub found: BTreeMap<&'static str, u64>,
    /// What was wrong, in words.
    pub bad: Vec<String>,
    /// Whether somebody had enough before all allocations had failed.
    pub is_cut: bool,
}

impl fmt::Display for SweepReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = if self.failures == 1 { "" } else { "s" };
        write!(
            f,
            "{}{} allocation failure{s}",
            if self.is_cut { "cut off after " } else { "" },
            self.failures
        )?;
        if self.undone == self.failures {
            return f.write_str(", all undone");
        }
        if self.tolerated == self.failures {
            return f.write_str(", all tolerated");
        }
        let mut parts = Vec::new();
        for (n, what) in [(self.undone, "undone"), (self.tolerated, "tolerated")] {
            if n > 0 {
                parts.push(format!("{n} {what}"));
            }
        }
        parts.extend(self.found.iter().map(|(code, n)| format!("{n} with {code}")));
        if !self.bad.is_empty() {
            parts.push(format!("{} wrong", self.bad.len()));
        }
        write!(f, ": {}", parts.join(", "))
    }
}

/// Remembers which allocation failed: its kind, and the function that wanted it, if it was one.
#[derive(Debug, Default)]
struct Failed {
    stacks: BTreeMap<u32, Vec<&'static str>>,
    what: Option<(&'static str, Option<&'static str>)>,
}

impl Driver for Failed {
    fn choose(&mut self, _: &Choice<'_>) -> Option<usize> {
        Some(0)
    }
    fn happened(&mut self, event: &Event) {
        let stack = self.stacks.entry(event.current.task.0).or_default();
        match event.what {
            What::Effect(Effect::Enter(function, _)) => stack.push(function.name),
            What::Effect(Effect::Leave(n)) => stack.truncate(stack.len().saturating_sub(n as usize)),
            What::Effect(Effect::AllocFailed(kind)) if self.what.is_none() => {
                self.what = Some((kind, stack.last().copied()));
            }
            _ => {}
        }
    }
}

impl Lab {
    pub(super) fn sweep(&mut self, run: &Run, options: &RunOptions) -> Result<SweepReport, ScheduleError> {
        let (before, _) = self.try_variant(run, options, Variant::Before)?;
        let before = Essence::of(&before.world);
        let (whole, _) = self.try_variant(run, options, Variant::Whole)?;
        let whole = Essence::of(&whole.world);
        let mut report = SweepReport::default();
        let mut steps = self.sim.steps();
        let is_over = |done: &Execution| done.outcome == Outcome::Abandoned && done.diverged.is_none();
        for nth in 1..=MAX_FAILURES {
            if steps > MAX_STEPS {
                report.bad.push(format!("the executions have more than {MAX_STEPS} operations in all"));
                return Ok(report);
            }
            let (done, failed) = self.try_variant(run, options, Variant::Fails(nth))?;
            steps += self.sim.steps();
            if is_over(&done) {
                report.is_cut = true;
                return Ok(report);
            }
            if !done.world.sweep_has_fired() {
                return Ok(report);
            }
            report.failures = nth;
            let (kind, function) = failed.what.unwrap_or(("?", None));
            let function = function.map_or_else(String::new, |function| format!(" in {function}()"));
            let place = format!("allocation {nth} (`{kind}`{function}) fails");
            report.add(run, &done, [&before, &whole], &place);
        }
        report.bad.push(format!("more than {MAX_FAILURES} allocations can fail"));
        Ok(report)
    }

    fn try_variant(
        &mut self,
        run: &Run,
        options: &RunOptions,
        variant: Variant,
    ) -> Result<(Execution, Failed), ScheduleError> {
        let mut failed = Failed::default();
        let chooser = Chooser::new(&run.driver, self.sim.bus())?;
        let done = self.execute(run, options, variant, chooser, &mut failed, |_, _| {});
        Ok((done, failed))
    }
}

impl SweepReport {
    fn add(&mut self, run: &Run, done: &Execution, [before, whole]: [&Essence; 2], place: &str) {
        let codes = done.codes();
        for code in &codes {
            *self.found.entry(code).or_insert(0) += 1;
        }
        if let Outcome::Limit(_) | Outcome::Abandoned = done.outcome {
            return self.bad.push(format!("{place}: a limit ended the execution"));
        }
        if let Some(surprise) = codes.iter().find(|code| !run.expects(code)) {
            return self.bad.push(format!("{place}: finding {surprise} was not expected"));
        }
        if !codes.is_empty() {
            return; // what it leaves behind means little
        }
        let after = Essence::of(&done.world);
        match (after.difference(before), after.difference(whole)) {
            (None, _) => self.undone += 1,
            (_, None) => self.tolerated += 1,
            (Some(difference), _) => self.bad.push(format!("{place}, and is not undone: {difference}")),
        }
    }
}
