// SPDX-License-Identifier: GPL-2.0-only
//! What is made of a case: a file, a scenario, or a schedule for a scenario.

use std::sync::Arc;

use lab::run::{Decider, Lab, Outcome, RunOptions};
use report::{Detail, Paint, Timeline};

use crate::{
    corpus::Corpus,
    dice::Dice,
    generate::Generator,
    judge::{Judge, Seen},
    mutate, schedules,
};

/// Scenarios that are generated for the corpus of files: they speak of more than those that are shipped.
const GENERATED: u64 = 50;

/// What bytes are turned into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A file, made of other files.
    Bytes,
    /// A scenario, made of the language.
    Scenarios,
    /// A schedule for a shipped scenario, made of a recorded one.
    Schedules,
}

impl Target {
    /// All of them.
    pub const ALL: [Self; 3] = [Target::Bytes, Target::Scenarios, Target::Schedules];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Target::Bytes => "bytes",
            Target::Scenarios => "scenarios",
            Target::Schedules => "schedules",
        }
    }
    /// How many bytes a case has.
    pub fn length(self) -> usize {
        match self {
            Target::Bytes | Target::Schedules => 512,
            Target::Scenarios => 4096,
        }
    }
}

/// Everything that the targets need.
#[derive(Debug)]
pub struct Targets {
    /// What there is to begin with, and what was learnt.
    pub corpus: Corpus,
    generator: Generator,
    judge: Judge,
}

impl Targets {
    /// Targets that begin with these files.
    ///
    /// # Errors
    ///
    /// The schema is not what it was.
    pub fn new(mut corpus: Corpus) -> Result<Self, String> {
        let generator = Generator::new()?;
        for number in 0..GENERATED {
            let scenario = generator.scenario(&crate::bytes(0, number, Target::Scenarios.length()));
            corpus.add(scenario.to_string().into_bytes());
        }
        Ok(Targets { corpus, generator, judge: Judge::new(2000, 3)? })
    }

    /// What a case is, for people: a scenario, or the name of one and a schedule.
    ///
    /// # Errors
    ///
    /// A shipped scenario does not run.
    pub fn input(&self, target: Target, bytes: &[u8]) -> Result<Vec<u8>, String> {
        let mut dice = Dice::new(bytes);
        match target {
            Target::Bytes => Ok(mutate::mutate(&self.corpus.shipped, &self.corpus.learnt, &mut dice)),
            Target::Scenarios => {
                serde_json::to_vec_pretty(&self.generator.scenario(bytes)).map_err(|error| error.to_string())
            }
            Target::Schedules => {
                let at = dice.below(self.corpus.scenarios.len());
                let Some((name, scenario)) = self.corpus.scenarios.get(at) else { return Ok(Vec::new()) };
                let run = &scenario.runs[dice.below(scenario.runs.len())];
                let decider = Some(Decider::Seed(dice.seed()));
                let fail_nth = run.sweep.is_some().then_some(u64::MAX);
                let options = RunOptions { decider, fail_nth, ..self.judge.options() };
                let mut nobody = Timeline::new(Detail::Telling, 0);
                let report =
                    Lab::new(Arc::clone(scenario)).run(run, &options, &mut nobody, Timeline::in_words);
                let recorded = report.map_err(|error| error.to_string())?.recorded;
                Ok(format!("{name}\n{}\n{}", run.name, schedules::mutate(&recorded, &mut dice)).into_bytes())
            }
        }
    }

    /// Holds the simulator to its word.
    ///
    /// # Errors
    ///
    /// What is wrong.
    pub fn judge(&self, target: Target, input: &[u8], seed: u64, seen: &mut Seen) -> Result<(), String> {
        match target {
            Target::Bytes => self.judge.file(input, seen),
            Target::Scenarios => {
                let Some(scenario) = self.judge.read(input, seen)? else { return Ok(()) };
                let deciders = [None, Some(Decider::Seed(seed)), Some(Decider::Seed(seed ^ 1))];
                self.judge.scenario(&scenario, &deciders, seen)
            }
            Target::Schedules => self.schedule(input, seen),
        }
    }

    /// A schedule is followed, left, or refused, and always in words; by the program's check and by the machine alike.
    fn schedule(&self, input: &[u8], seen: &mut Seen) -> Result<(), String> {
        let text = String::from_utf8_lossy(input);
        let mut parts = text.splitn(3, '\n');
        let (name, run, schedule) = (parts.next(), parts.next(), parts.next().unwrap_or_default());
        let found = self.corpus.scenarios.iter().find(|(known, _)| Some(known.as_str()) == name);
        let Some((_, scenario)) = found else { return Ok(()) };
        let Some(run) = run.and_then(|run| scenario.run(run)) else { return Ok(()) };
        let fail_nth = run.sweep.is_some().then_some(u64::MAX);
        let decider = Some(Decider::Schedule(schedule.to_owned()));
        let options = RunOptions { decider, fail_nth, ..self.judge.options() };
        if let Some(wrong) = scenario.wrong_in_schedule(schedule) {
            seen.insert(format!("refused {}", wrong.split('`').next_back().unwrap_or_default()));
            return if wrong.is_empty() { Err("refused without a word".to_owned()) } else { Ok(()) };
        }
        let mut lab = Lab::new(Arc::clone(scenario));
        let mut hashes = Vec::new();
        for _ in 0..2 {
            let mut timeline = Timeline::new(Detail::Everything, 500);
            let report = lab
                .run(run, &options, &mut timeline, Timeline::in_words)
                .map_err(|error| format!("what was checked cannot be run: {error}"))?;
            timeline.render(lab.bus(), 120, Paint::Always);
            let left = report.diverged.as_ref().map(ToString::to_string);
            if report.outcome == Outcome::Abandoned && left.is_none() {
                return Err("ended without a reason".to_owned());
            }
            if left.as_ref().is_some_and(|left| !left.contains("cannot be followed: ")) {
                return Err(format!("not in words: {left:?}"));
            }
            seen.insert(format!("{:?} {:?}", report.outcome, report.diverged.as_ref().map(|left| left.why)));
            hashes.push((report.hash, report.steps, left));
        }
        if hashes[0] != hashes[1] {
            return Err(format!("two executions of one schedule differ: {hashes:?}"));
        }
        Ok(())
    }
}
