// SPDX-License-Identifier: GPL-2.0-only
//! Mutants: one statement of the port is damaged, and runs are to notice.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fmt,
    rc::Rc,
};

use kernel::{Damage, Operator, Statement};
use machine_sim::{First, Outcome, Seeded};
use scenario::{Driver as Decider, Run, Variant};

use super::{Chooser, Execution, Lab, RunOptions, name};

/// Operations of all executions of a run in which one mutant is looked for.
const MAX_STEPS: u64 = 20_000_000;

/// What runs are like whose kernel is not damaged.
#[derive(Clone, Debug, Default)]
pub struct Baseline {
    runs: BTreeMap<String, OfRun>,
}

/// What one run is like.
#[derive(Clone, Debug, Default)]
struct OfRun {
    reached: BTreeSet<Statement>,
    /// How it ends as the scenario says.
    outcome: &'static str,
    /// How executions with seeds end, and what is found in them.
    outcomes: BTreeSet<&'static str>,
    codes: BTreeSet<&'static str>,
    /// Operations of the longest execution.
    steps: u64,
    seeds: u64,
}

impl Baseline {
    /// The statements that any run reaches.
    pub fn reached(&self) -> BTreeSet<Statement> {
        self.runs.values().flat_map(|run| &run.reached).copied().collect()
    }
    /// Whether any run reaches a statement.
    pub fn reaches(&self, statement: &Statement) -> bool {
        self.runs.values().any(|run| run.reached.contains(statement))
    }
}

/// The execution by which a mutant is noticed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Killed {
    /// The run.
    pub run: String,
    /// The seed; none if the run decides as it says itself.
    pub seed: Option<u64>,
    /// What is not as without the damage.
    pub why: String,
}

impl fmt::Display for Killed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.seed {
            Some(seed) => write!(f, "{} --seed {seed}: {}", self.run, self.why),
            None => write!(f, "{}: {}", self.run, self.why),
        }
    }
}

fn damage(target: Option<(Statement, Operator)>) -> Rc<Damage> {
    let reached = RefCell::default();
    Rc::new(Damage { is_meant: netns::is_mutated, wrappers: netns::WRAPPERS, target, reached })
}

/// Whether a run can have executions with other seeds that mean the same.
fn takes_seeds(run: &Run) -> bool {
    run.seeds.is_some() || !matches!(run.driver, Decider::Schedule(_))
}

impl Lab {
    /// What the runs are like without damage, and which statements they reach: as the scenario says, and with the seeds
    /// from 0.
    pub fn baseline(&mut self, seeds: u64) -> Baseline {
        let mut baseline = Baseline::default();
        let recorder = damage(None);
        let scenario = self.scenario.clone();
        for run in &scenario.runs {
            self.set_damage(Some(recorder.clone()));
            let mut of_run = OfRun::default();
            if let Ok(report) = self.run(run, &RunOptions::default(), &mut First, |_, _| {}) {
                of_run.outcome = name(report.outcome);
                of_run.steps = report.steps;
            }
            of_run.seeds = match takes_seeds(run) {
                true => seeds.min(MAX_STEPS / of_run.steps.max(1)).max(1),
                false => 0,
            };
            for seed in 0..of_run.seeds {
                let done = self.with_seed(run, &RunOptions::default(), seed);
                of_run.outcomes.insert(name(done.outcome));
                of_run.codes.extend(done.codes());
                of_run.steps = of_run.steps.max(self.sim.steps());
            }
            of_run.reached = recorder.reached.take();
            baseline.runs.insert(run.name.clone(), of_run);
        }
        self.set_damage(None);
        baseline
    }

    /// Whether the scenario's runs notice the damage: first as they say themselves, or with the seeds from 0.
    pub fn kills(
        &mut self,
        baseline: &Baseline,
        mutant: (Statement, Operator),
        with_seeds: bool,
    ) -> Option<Killed> {
        let scenario = self.scenario.clone();
        let reaching = |run: &&Run| {
            baseline.runs.get(&run.name).is_some_and(|of_run| of_run.reached.contains(&mutant.0))
        };
        self.set_damage(Some(damage(Some(mutant))));
        let mut runs = scenario.runs.iter().filter(reaching);
        let killed = runs.find_map(|run| {
            let of_run = baseline.runs.get(&run.name)?;
            // Ten times as long is no longer the same.
            let limit = of_run.steps.saturating_mul(10).saturating_add(10_000);
            let options = RunOptions { max_steps: Some(limit), ..RunOptions::default() };
            match with_seeds {
                false => self.kills_as_shipped(run, of_run, &options),
                true => self.kills_with_seeds(run, of_run, &options),
            }
        });
        self.set_damage(None);
        killed
    }

    fn kills_as_shipped(&mut self, run: &Run, of_run: &OfRun, options: &RunOptions) -> Option<Killed> {
        let report = self.run(run, options, &mut First, |_, _| {}).ok()?;
        let killed = |why: String| Some(Killed { run: run.name.clone(), seed: None, why });
        let is_seeded = run.seeds.is_some();
        let is_new = |code: &&str| !(run.expects(code) || is_seeded && of_run.codes.contains(code));
        let codes = report.findings.iter().map(|found| found.finding.code());
        if let Some(code) = codes.into_iter().find(is_new) {
            return killed(format!("finding {code}"));
        }
        // Where a schedule cannot be followed, only what was found by then says anything.
        if report.diverged.is_some() {
            return None;
        }
        if let Some(failure) = report.failures.first() {
            return killed(failure.text.clone());
        }
        let (is, was) = (name(report.outcome), of_run.outcome);
        if is != was && !(is_seeded && of_run.outcomes.contains(is)) {
            return killed(format!("outcome {is} instead of {was}"));
        }
        None
    }

    fn kills_with_seeds(&mut self, run: &Run, of_run: &OfRun, options: &RunOptions) -> Option<Killed> {
        (0..of_run.seeds).find_map(|seed| {
            let done = self.with_seed(run, options, seed);
            let killed = |why: String| Some(Killed { run: run.name.clone(), seed: Some(seed), why });
            let is_new = |code: &&str| !run.expects(code) && !of_run.codes.contains(code);
            if let Some(code) = done.codes().into_iter().find(is_new) {
                return killed(format!("finding {code}"));
            }
            let is = name(done.outcome);
            if !of_run.outcomes.contains(is) {
                return killed(format!("outcome {is}"));
            }
            if run.seeds.is_none() || matches!(done.outcome, Outcome::Limit(_)) {
                return None;
            }
            let failures = self.scenario.judge_execution(run, &done.world, is, &done.tally);
            failures.first().and_then(|failure| killed(failure.text.clone()))
        })
    }

    fn with_seed(&mut self, run: &Run, options: &RunOptions, seed: u64) -> Execution {
        let chooser = Chooser::Seeded(Box::new(Seeded::new(seed)));
        self.execute(run, options, Variant::Whole, chooser, &mut First, |_, _| {})
    }

    /// Damages all runs to come as `SITE:OPERATOR` says.
    ///
    /// # Errors
    ///
    /// If no run reaches such a statement, or it cannot be damaged in this way; the names of those that there are.
    pub fn damage_by_name(&mut self, text: &str) -> Result<(), String> {
        let (site, operator) = text.rsplit_once(':').ok_or("a mutant is SITE:OPERATOR")?;
        let operator = Operator::from_name(operator).ok_or_else(|| {
            let names: Vec<_> = Operator::ALL.iter().map(|operator| operator.name()).collect();
            format!("there is no operator `{operator}`; there are {}", names.join(", "))
        })?;
        let reached = self.baseline(10).reached();
        let Some(statement) = reached.iter().find(|statement| netns::name_of(statement) == site) else {
            let names: BTreeSet<String> = reached.iter().map(netns::name_of).collect();
            let names: Vec<String> = names.into_iter().collect();
            return Err(format!("no run reaches `{site}`; there are {}", names.join(", ")));
        };
        if !Operator::of(statement.primitive).contains(&operator) {
            return Err(format!("{} does not know the operator {}", statement.primitive, operator.name()));
        }
        self.set_damage(Some(damage(Some((*statement, operator)))));
        Ok(())
    }
}
