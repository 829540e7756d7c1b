// SPDX-License-Identifier: GPL-2.0-only
//! Runs of a scenario on the simulated machine.

use std::{collections::BTreeSet, rc::Rc};

use machine::{Bus, Choice, Driver, Effect, Event, Finding, Op, Points, TaskId, What};
use machine_sim::{Checks, Config, Diverged, First, Outcome, Preempt, Recorded, Schedule, ScheduleError, Seeded, Sim};
use scenario::{EndState, Failure, MachineConfig, Run, Scenario};

/// Who decides in a run.
pub use scenario::Driver as Decider;

/// What is different from what the scenario says.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// Who decides.
    pub decider: Option<Decider>,
    /// How many operations an execution may have.
    pub max_steps: Option<u64>,
}

/// A finding, and the CPU that its task was on.
#[derive(Clone, Debug)]
pub struct Found {
    /// What was found.
    pub finding: Finding,
    /// Where.
    pub cpu: u32,
}

/// What became of a run.
#[derive(Debug)]
pub struct RunReport {
    /// The run's name.
    pub name: String,
    /// Who decided.
    pub decider: Decider,
    /// How the execution ended.
    pub outcome: Outcome,
    /// How many operations it had.
    pub steps: u64,
    /// A number made of everything that happened.
    pub hash: u64,
    /// What was found, in order.
    pub findings: Vec<Found>,
    /// What is not as the run expects; nothing if somebody else decided, or a limit ended the execution.
    pub failures: Vec<Failure>,
    /// Whether the expectations were judged.
    pub judged: bool,
    /// Where the execution left its schedule.
    pub diverged: Option<Diverged>,
    /// What is left.
    pub end_state: EndState,
    /// The schedule that repeats the execution.
    pub recorded: String,
    /// The kernel functions that were entered.
    pub entered: BTreeSet<&'static str>,
}

/// A machine for the runs of one scenario.
#[derive(Debug)]
pub struct Lab {
    scenario: Rc<Scenario>,
    sim: Sim,
}

impl Lab {
    /// A machine as the scenario describes it.
    pub fn new(scenario: Rc<Scenario>) -> Self {
        let sim = Sim::new(config(&scenario.machine));
        Lab { scenario, sim }
    }
    /// The scenario.
    pub fn scenario(&self) -> &Rc<Scenario> {
        &self.scenario
    }
    /// The machine's bus, for those who render: its memory is that of the last run.
    pub fn bus(&self) -> &Bus {
        self.sim.bus()
    }

    /// Runs one of the scenario's runs, and shows `watcher` everything. It is also shown every choice; what it chooses
    /// is dropped.
    ///
    /// # Errors
    ///
    /// What is wrong with a schedule.
    pub fn run<W: Driver>(
        &mut self,
        run: &Run,
        options: &RunOptions,
        watcher: &mut W,
    ) -> Result<RunReport, ScheduleError> {
        let mut config = config(&self.scenario.machine);
        config.max_steps = options.max_steps.unwrap_or(config.max_steps);
        self.sim.set_config(config);
        let decider = options.decider.as_ref().unwrap_or(&run.driver).clone();
        let chooser = Chooser::new(&decider, self.sim.bus())?;
        let mut driver = Watching::new(chooser, watcher);

        let scenario = self.scenario.clone();
        let mut started = None;
        let outcome = self.sim.run(&mut driver, |bus| {
            let program = scenario::start(&scenario, run, bus);
            started = Some(program.world);
            program.main
        });
        JUDGE
    }
}

/// The first choice, a seed or a schedule.
#[derive(Debug)]
enum Chooser {
    First(First),
    Seeded(Box<Seeded>),
    Schedule(Schedule),
}

impl Chooser {
    fn new(decider: &Decider, bus: &Bus) -> Result<Self, ScheduleError> {
        Ok(match decider {
            Decider::First => Chooser::First(First),
            Decider::Seed(seed) => Chooser::Seeded(Box::new(Seeded::new(*seed))),
            Decider::Schedule(text) => Chooser::Schedule(Schedule::parse(bus, text)?),
        })
    }
    /// Where the execution left the schedule, or ended before it.
    fn diverged(&self) -> Option<Diverged> {
        let Chooser::Schedule(schedule) = self else { return None };
        schedule.diverged().cloned().or_else(|| schedule.unfinished())
    }
}

impl Driver for Chooser {
    fn choose(&mut self, choice: &Choice<'_>) -> Option<usize> {
        match self {
            Chooser::First(driver) => driver.choose(choice),
            Chooser::Seeded(driver) => driver.choose(choice),
            Chooser::Schedule(driver) => driver.choose(choice),
        }
    }
}

/// A driver with those who watch: somebody else, and us.
#[derive(Debug)]
struct Watching<'w, W> {
    driver: Recorded<Chooser>,
    watcher: &'w mut W,
    events: Vec<Event>,
    entered: BTreeSet<&'static str>,
    cpus: Vec<u32>,
    findings: Vec<Found>,
}

impl<'w, W: Driver> Watching<'w, W> {
    fn new(chooser: Chooser, watcher: &'w mut W) -> Self {
        Watching {
            driver: Recorded::new(chooser),
            watcher,
            events: Vec::new(),
            entered: BTreeSet::new(),
            cpus: Vec::new(),
            findings: Vec::new(),
        }
    }
}

impl<W: Driver> Driver for Watching<'_, W> {
    fn choose(&mut self, choice: &Choice<'_>) -> Option<usize> {
        self.watcher.choose(choice);
        self.driver.choose(choice)
    }
    fn happened(&mut self, event: &Event) {
        let task = event.current.task.index();
        if self.cpus.len() <= task {
            self.cpus.resize(task + 1, 0);
        }
        self.cpus[task] = event.current.cpu;
        if let What::Effect(Effect::Enter(function, _)) = event.what {
            self.entered.insert(function.name);
        }
        self.driver.happened(event);
        self.watcher.happened(event);
    }
    fn found(&mut self, finding: &Finding) {
        let cpu = self.cpus.get(finding.by.id.index()).copied().unwrap_or(0);
        self.findings.push(Found { finding: finding.clone(), cpu });
        self.driver.found(finding);
        self.watcher.found(finding);
    }
    fn stuck(&mut self, task: TaskId, op: Op) {
        self.driver.stuck(task, op);
        self.watcher.stuck(task, op);
    }
}

/// The machine that a scenario describes.
fn config(machine: &MachineConfig) -> Config {
    let preempt = match machine.preempt {
        scenario::Preempt::None => Preempt::None,
        scenario::Preempt::Voluntary => Preempt::Voluntary,
        scenario::Preempt::Full => Preempt::Full,
    };
    Config {
        cpus: machine.cpus,
        preempt,
        slab: machine.slab,
        checks: Checks { kasan: machine.kasan, kcsan: machine.kcsan },
        points: Points { might_sleep: preempt == Preempt::Voluntary, ..Points::default() },
        stop_at_first: machine.stop_at_first,
        max_steps: machine.max_steps,
        max_cells: machine.max_cells(),
        ..Config::default()
    }
}
