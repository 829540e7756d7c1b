// SPDX-License-Identifier: GPL-2.0-only
//! Runs scenarios on the simulated machine.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use machine::{Choice, Driver as MachineDriver, Event, What};
use machine_sim::{Checks, Config, First, Outcome, Preempt, Schedule, Seeded, Sim};
use scenario::{AfterSetup, Driver, EndState, Failure, Run, Scenario, Source, Tally, World};

/// What happened in a run.
#[derive(Debug)]
pub(crate) struct Happened {
    pub(crate) outcome: String,
    pub(crate) findings: Vec<String>,
    pub(crate) failures: Vec<Failure>,
    pub(crate) end: EndState,
    pub(crate) steps: u64,
    pub(crate) hash: u64,
}

pub(crate) fn source(text: &str) -> Source {
    Source { name: "test.json".to_owned(), text: text.to_owned() }
}

/// Reads a scenario that must be good.
pub(crate) fn good(text: &str) -> Arc<Scenario> {
    let source = source(text);
    match scenario::read(&source) {
        Ok(scenario) => Arc::new(scenario),
        Err(errors) => {
            let texts: Vec<String> = errors.iter().map(|error| error.render(&source, false)).collect();
            panic!("{}", texts.join("\n"));
        }
    }
}

struct Watch<'a> {
    inner: Box<dyn MachineDriver + 'a>,
    world: Rc<RefCell<Option<Rc<World>>>>,
    tally: Tally,
}

impl MachineDriver for Watch<'_> {
    fn choose(&mut self, choice: &Choice<'_>) -> Option<usize> {
        self.inner.choose(choice)
    }
    fn happened(&mut self, event: &Event) {
        self.inner.happened(event);
        let What::Effect(effect) = event.what else { return };
        if let Some(world) = self.world.borrow().as_ref() {
            self.tally.happens(world, &effect);
        }
    }
}

pub(crate) fn config(scenario: &Scenario) -> Config {
    let machine = scenario.machine;
    Config {
        cpus: machine.cpus,
        preempt: match machine.preempt {
            scenario::Preempt::None => Preempt::None,
            scenario::Preempt::Voluntary => Preempt::Voluntary,
            scenario::Preempt::Full => Preempt::Full,
        },
        slab: machine.slab,
        checks: Checks { kasan: machine.kasan, kcsan: machine.kcsan },
        stop_at_first: machine.stop_at_first,
        max_steps: machine.max_steps,
        max_tasks: 10_000,
        max_cells: machine.max_cells(),
        ..Config::default()
    }
}

pub(crate) fn run(scenario: &Arc<Scenario>, run: &Run) -> Happened {
    let mut sim = Sim::new(config(scenario));
    let slot = Rc::new(RefCell::new(None));
    let inner: Box<dyn MachineDriver> = match &run.driver {
        Driver::First => Box::new(First),
        Driver::Seed(seed) => Box::new(Seeded::new(*seed)),
        Driver::Schedule(text) => {
            let schedule = Schedule::parse(sim.bus(), text).expect("checked");
            match run.driver.is_after_setup() {
                true => Box::new(AfterSetup::new(schedule)),
                false => Box::new(schedule),
            }
        }
    };
    let mut watch = Watch { inner, world: slot.clone(), tally: Tally::of(run) };
    let outcome = sim.run(&mut watch, |bus| {
        let started = scenario::start(scenario, run, scenario::Variant::Whole, &bus);
        *slot.borrow_mut() = Some(started.world);
        started.main
    });
    let outcome = match outcome {
        Outcome::Done => "done".to_owned(),
        Outcome::Deadlock => "deadlock".to_owned(),
        Outcome::Panic => "panic".to_owned(),
        Outcome::Stopped => "stopped".to_owned(),
        other => format!("{other:?}"),
    };
    let world = slot.borrow().clone().expect("started");
    let codes: Vec<&str> = sim.findings().iter().map(machine::Finding::code).collect();
    let failures = scenario.judge(run, &world, &codes, &outcome, &watch.tally);
    Happened {
        outcome,
        findings: sim.findings().iter().map(ToString::to_string).collect(),
        failures,
        end: EndState::of(&world),
        steps: sim.steps(),
        hash: sim.trace_hash(),
    }
}

/// Runs all runs of a scenario: all failures, in words.
pub(crate) fn failures(text: &str) -> Vec<String> {
    let scenario = good(text);
    let mut all = Vec::new();
    for one in &scenario.runs {
        let happened = run(&scenario, one);
        all.extend(happened.failures.iter().map(|failure| format!("{}: {failure}", one.name)));
    }
    all
}

/// A scenario of these parts beside version, title and note.
pub(crate) fn with(parts: &str) -> String {
    format!("{{\n  \"version\": 1,\n  \"title\": \"t\",\n  \"note\": \"n\",\n{parts}\n}}\n")
}
