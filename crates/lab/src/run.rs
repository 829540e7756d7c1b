// SPDX-License-Identifier: GPL-2.0-only
//! Runs of a scenario on the simulated machine.

mod mutants;
mod seeds;
mod sweep;

use std::{cell::OnceCell, collections::BTreeSet, rc::Rc, sync::Arc};

use checkers::{Checkers, Enabled, References, unreferenced};
use kernel::Damage;
use machine::{Bug, Choice, ContextKind, Driver, Effect, Event, Finding, Op, Points, TaskId, What};
use machine_sim::{
    Checks, Clock, Config, Diverged, First, Preempt, RcuModel, Recorded, Schedule, ScheduleError, Seeded,
    Sim, Watchdogs, render,
};
use scenario::{
    AfterSetup, EndState, Failure, InStep, Run, Scenario, StepWatch, Sweep, Tally, Variant, World,
};

pub use self::{
    mutants::{Baseline, Killed},
    seeds::{Bad, SeedsReport},
    sweep::SweepReport,
};
/// How a mutant differs.
pub use kernel::{Operator, Statement};
/// What a machine's tasks speak to, for those who render.
pub use machine::Bus;
pub use machine_sim::{Limit, Outcome, Standing, Why};
use netns::Broken;
/// What a run changes of v4.11.
pub use netns::Change;
/// What a statement of the port is called.
pub use netns::name_of as site_name;
/// Who decides in a run.
pub use scenario::Driver as Decider;

/// Tasks in one execution.
const MAX_TASKS: u32 = 10_000;

/// What is different from what the scenario says.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// Who decides.
    pub decider: Option<Decider>,
    /// How many operations an execution may have.
    pub max_steps: Option<u64>,
    /// MiB of simulated memory that an execution may have.
    pub max_memory_mib: Option<u32>,
    /// Which allocation of the run's sweep fails, counted from 1; without a sweep, of all that tasks make.
    pub fail_nth: Option<u64>,
    /// How many seeds each run has executions with at least, from 0; see [`Lab::run_seeds`].
    pub seeds: Option<u64>,
    /// Asked now and then whether somebody has had enough: then the execution ends as [`Outcome::Abandoned`].
    pub enough: Option<fn() -> bool>,
}

/// A finding, and where its task was.
#[derive(Clone, Debug)]
pub struct Found {
    /// What was found.
    pub finding: Finding,
    /// Where.
    pub cpu: u32,
    /// When, in virtual nanoseconds; 0 without a clock.
    pub time: u64,
    /// Whether the task handled a hardware interrupt.
    pub in_hardirq: bool,
    /// The step of the scenario that the task was in, if it was in one.
    pub step: Option<InStep>,
}

/// What became of a run.
#[derive(Debug)]
pub struct RunReport {
    /// The run's name.
    pub name: String,
    /// What is changed of v4.11.
    pub changes: Vec<Change>,
    /// Who decided.
    pub decider: Decider,
    /// How the execution ended.
    pub outcome: Outcome,
    /// How many operations it had.
    pub steps: u64,
    /// How much virtual time it took, in nanoseconds; none without a clock.
    pub time: Option<u64>,
    /// A number made of everything that happened.
    pub hash: u64,
    /// What was found, in order.
    pub findings: Vec<Found>,
    /// How many more findings there were than are kept.
    pub findings_left_out: u64,
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
    /// What became of its sweep, if it has one.
    pub sweep: Option<SweepReport>,
    /// The pids of all contexts, by their numbers on the machine.
    pub pids: Vec<i32>,
}

/// A machine for the runs of one scenario.
#[derive(Debug)]
pub struct Lab {
    scenario: Arc<Scenario>,
    sim: Sim,
    checkers: Checkers,
    damage: Option<Rc<Damage>>,
}

impl Lab {
    /// A machine as the scenario describes it.
    pub fn new(scenario: Arc<Scenario>) -> Self {
        let sim = Sim::new(config(&scenario));
        let checkers = Checkers::new(enabled(&scenario));
        Lab { scenario, sim, checkers, damage: None }
    }
    /// The scenario.
    pub fn scenario(&self) -> &Arc<Scenario> {
        &self.scenario
    }
    /// Damages the kernel of all runs to come, or records its statements, or leaves it as it is.
    pub fn set_damage(&mut self, damage: Option<Rc<Damage>>) {
        self.damage = damage;
    }
    /// The machine's bus, for those who render: its memory is that of the last run.
    pub fn bus(&self) -> &Bus {
        self.sim.bus()
    }

    /// Runs one of the scenario's runs, and shows `watcher` everything but the executions of a sweep. It is also asked
    /// for every choice; what it chooses is dropped. `in_words` tells it what an event means that has a meaning to
    /// scenarios, right after it has seen the event. Of a run with seeds it is the execution with the first, not
    /// judged; see [`Lab::run_seeds`].
    ///
    /// # Errors
    ///
    /// What is wrong with a schedule.
    pub fn run<W: Driver>(
        &mut self,
        run: &Run,
        options: &RunOptions,
        watcher: &mut W,
        in_words: fn(&mut W, &str),
    ) -> Result<RunReport, ScheduleError> {
        let by_scenario = options.decider.is_none() && options.fail_nth.is_none() && run.seeds.is_none();
        // First, so that memory is that of the execution that everybody sees.
        let sweep = if by_scenario && run.sweep.is_some() { Some(self.sweep(run, options)?) } else { None };
        let variant = options.fail_nth.map_or(Variant::Whole, Variant::Fails);
        let decider = options.decider.as_ref().unwrap_or(&run.driver).clone();
        let chooser = Chooser::new(&decider, self.sim.bus())?;
        let done = match (&run.sweep, options.fail_nth) {
            (None, Some(_)) => {
                let mut run = run.clone();
                run.sweep = Some(Sweep::of_tasks());
                self.execute(&run, options, variant, chooser, watcher, in_words)
            }
            _ => self.execute(run, options, variant, chooser, watcher, in_words),
        };
        let judged = by_scenario && !matches!(done.outcome, Outcome::Limit(_) | Outcome::Abandoned);
        let mut failures = Vec::new();
        if judged {
            let mut codes: Vec<&str> = done.findings.iter().map(|found| found.finding.code()).collect();
            codes.extend(sweep.iter().flat_map(|sweep| sweep.found.keys().copied()));
            failures = self.scenario.judge(run, &done.world, &codes, name(done.outcome), &done.tally);
            let bad = sweep.iter().flat_map(|sweep| &sweep.bad);
            failures.extend(bad.map(|text| Failure { text: text.clone(), place: None }));
        }
        if let Some(nth) = options.fail_nth.filter(|_| !done.world.sweep_has_fired()) {
            let text = format!("there are fewer than {nth} allocations that could fail: none has failed");
            failures.push(Failure { text, place: None });
        }
        Ok(RunReport {
            name: run.name.clone(),
            changes: run.changes.clone(),
            decider,
            outcome: done.outcome,
            steps: self.sim.steps(),
            time: (self.sim.config().clock != Clock::Untimed).then(|| self.sim.time()),
            hash: self.sim.trace_hash(),
            findings: done.findings,
            findings_left_out: self.sim.findings_left_out(),
            failures,
            judged,
            diverged: done.diverged,
            end_state: EndState::of(&done.world),
            recorded: render(self.sim.bus(), &done.runs),
            entered: done.tally.entered().clone(),
            sweep,
            pids: self.pids(&done.world),
        })
    }

    /// One execution.
    fn execute<W: Driver>(
        &mut self,
        run: &Run,
        options: &RunOptions,
        variant: Variant,
        chooser: Chooser,
        watcher: &mut W,
        in_words: fn(&mut W, &str),
    ) -> Execution {
        let mut config = config(&self.scenario);
        config.max_steps = options.max_steps.unwrap_or(config.max_steps);
        config.max_cells = options.max_memory_mib.map_or(config.max_cells, scenario::cells_of);
        self.sim.set_config(config);
        let slot = OnceCell::new();
        let mut driver = Watching::new(chooser, watcher, in_words, &slot, Tally::of(run), options.enough);
        let (scenario, damage) = (self.scenario.clone(), self.damage.clone());
        let outcome = self.sim.run_checked(&mut driver, &mut self.checkers, |bus| {
            let program = scenario::start_damaged(&scenario, run, variant, &bus, damage.clone());
            // It is empty: this is called once.
            let _ = slot.set(program.world);
            program.main
        });
        let Watching { driver: Recorded { inner, runs, .. }, tally, findings, .. } = driver;
        let diverged = if outcome == Outcome::Done { inner.unfinished() } else { inner.diverged() };
        let world = slot.into_inner().expect("the machine has started the program");
        let mut findings = findings;
        // What a task that is dead held, and was about to do, is lost with its stack: its oops tells enough.
        let has_oopsed = findings.iter().any(|found| matches!(found.finding.bug, Bug::Oops { .. }));
        if outcome == Outcome::Done && !has_oopsed {
            findings.extend(self.found_at_the_end(&world));
        }
        Execution { outcome, world, tally, findings, runs, diverged }
    }
    /// What can be seen now that nothing runs.
    fn found_at_the_end(&self, world: &World) -> Vec<Found> {
        let mut bugs = Vec::new();
        if self.scenario.machine.kmemleak {
            let (roots, owned) = world.references();
            let references = References { roots, owned };
            self.bus().inspect(|memory| {
                for addr in unreferenced(memory, &references) {
                    let bytes = memory.object(addr).map_or(0, |object| object.bytes);
                    bugs.push((addr, Bug::MemoryLeak { cell: memory.cell(addr), bytes }));
                }
            });
        }
        if self.scenario.machine.invariants && world.is_quiet() {
            let broken = world.ns().broken_invariants().into_iter();
            bugs.extend(
                broken.map(|Broken { rule, text, about }| (about, Bug::Invariant { rule, what: text })),
            );
        }
        let found = |(about, bug)| Found {
            finding: Finding { bug, by: self.sim.allocated_by(about), stack: Vec::new() },
            cpu: 0,
            time: self.sim.time(),
            in_hardirq: false,
            step: None,
        };
        bugs.into_iter().map(found).collect()
    }
    /// The pids of all contexts of the last execution.
    fn pids(&self, world: &World) -> Vec<i32> {
        let tasks = (0..u32::try_from(self.sim.tasks()).unwrap_or(0)).map(TaskId);
        tasks.map(|task| world.pid_of(task, &self.sim.task_name(task))).collect()
    }
}

/// What an execution leaves behind.
#[derive(Debug)]
struct Execution {
    outcome: Outcome,
    world: Rc<World>,
    tally: Tally,
    findings: Vec<Found>,
    runs: Vec<(machine::Symbol, u64)>,
    diverged: Option<Diverged>,
}

impl Execution {
    /// The kinds of findings that there were.
    fn codes(&self) -> BTreeSet<&'static str> {
        self.findings.iter().map(|found| found.finding.code()).collect()
    }
}

/// What a scenario calls the way an execution ended.
fn name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "done",
        Outcome::Deadlock => "deadlock",
        Outcome::Panic => "panic",
        Outcome::Stopped => "stopped",
        Outcome::Limit(_) => "limit",
        Outcome::Abandoned => "abandoned",
    }
}

/// The first choice, a seed or a schedule.
#[derive(Debug)]
enum Chooser {
    First(First),
    Seeded(Box<Seeded>),
    Schedule(Box<Schedule>),
    ScheduleAfterSetup(Box<AfterSetup<Schedule>>),
}

impl Chooser {
    fn new(decider: &Decider, bus: &Bus) -> Result<Self, ScheduleError> {
        Ok(match decider {
            Decider::First => Chooser::First(First),
            Decider::Seed(seed) => Chooser::Seeded(Box::new(Seeded::new(*seed))),
            Decider::Schedule(text) => {
                let schedule = Schedule::parse(bus, text)?;
                if decider.is_after_setup() {
                    Chooser::ScheduleAfterSetup(Box::new(AfterSetup::new(schedule)))
                } else {
                    Chooser::Schedule(Box::new(schedule))
                }
            }
        })
    }
    fn schedule(&self) -> Option<&Schedule> {
        match self {
            Chooser::Schedule(schedule) => Some(schedule),
            Chooser::ScheduleAfterSetup(driver) => Some(&driver.inner),
            Chooser::First(_) | Chooser::Seeded(_) => None,
        }
    }
    /// Where the execution left the schedule.
    fn diverged(&self) -> Option<Diverged> {
        self.schedule()?.diverged().cloned()
    }
    /// The same, or where it ended before the schedule.
    fn unfinished(&self) -> Option<Diverged> {
        self.diverged().or_else(|| self.schedule()?.unfinished())
    }
}

impl Driver for Chooser {
    fn choose(&mut self, choice: &Choice<'_>) -> Option<usize> {
        match self {
            Chooser::First(driver) => driver.choose(choice),
            Chooser::Seeded(driver) => driver.choose(choice),
            Chooser::Schedule(driver) => driver.choose(choice),
            Chooser::ScheduleAfterSetup(driver) => driver.choose(choice),
        }
    }
    fn happened(&mut self, event: &Event) {
        match self {
            Chooser::First(_) | Chooser::Seeded(_) => {}
            Chooser::Schedule(driver) => driver.happened(event),
            Chooser::ScheduleAfterSetup(driver) => driver.happened(event),
        }
    }
}

/// A driver with those who watch: somebody else, and us.
#[derive(Debug)]
struct Watching<'w, W> {
    driver: Recorded<Chooser>,
    watcher: &'w mut W,
    in_words: fn(&mut W, &str),
    world: &'w OnceCell<Rc<World>>,
    tally: Tally,
    cpus: Vec<u32>,
    /// The time of the last event; 0 without a clock.
    time: u64,
    steps: StepWatch,
    findings: Vec<Found>,
    /// Whether what happens is part of the story.
    is_shown: bool,
    enough: Option<fn() -> bool>,
    choices: u64,
}

/// So many choices are made between two questions whether somebody has had enough.
const PATIENCE: u64 = 256;

impl<'w, W: Driver> Watching<'w, W> {
    fn new(
        chooser: Chooser,
        watcher: &'w mut W,
        in_words: fn(&mut W, &str),
        world: &'w OnceCell<Rc<World>>,
        tally: Tally,
        enough: Option<fn() -> bool>,
    ) -> Self {
        Watching {
            driver: Recorded::new(chooser),
            watcher,
            in_words,
            world,
            tally,
            cpus: Vec::new(),
            time: 0,
            steps: StepWatch::default(),
            findings: Vec::new(),
            is_shown: false,
            enough,
            choices: 0,
        }
    }
    /// Tells those who watch what an event means, if it has a meaning to scenarios.
    fn tell(&mut self, effect: &Effect) {
        let text = self.world.get().and_then(|world| self.tally.happens(world, effect));
        if let Some(text) = text.filter(|_| self.is_shown) {
            (self.in_words)(self.watcher, &text);
        }
    }
}

impl<W: Driver> Driver for Watching<'_, W> {
    fn choose(&mut self, choice: &Choice<'_>) -> Option<usize> {
        if self.choices.is_multiple_of(PATIENCE) && !self.goes_on() {
            return None;
        }
        self.choices += 1;
        if self.is_shown {
            self.watcher.choose(choice);
        }
        self.driver.choose(choice)
    }
    fn happened(&mut self, event: &Event) {
        let task = event.current.task.index();
        if self.cpus.len() <= task {
            self.cpus.resize(task + 1, 0);
        }
        self.cpus[task] = event.current.cpu;
        if event.time != self.time {
            self.time = event.time;
            if let Some(world) = self.world.get() {
                world.tell_time(event.time);
            }
        }
        self.steps.happened(event);
        self.driver.happened(event);
        if !self.is_shown {
            self.is_shown = self.world.get().is_some_and(|world| world.shows_from(&event.what));
        }
        if self.is_shown {
            self.watcher.happened(event);
        }
        if let What::Effect(effect) = &event.what {
            self.tell(effect);
        }
    }
    fn time_has_passed(&mut self, time: u64) {
        self.time = time;
        self.driver.time_has_passed(time);
        self.watcher.time_has_passed(time);
    }
    fn found(&mut self, finding: &Finding) {
        let cpu = self.cpus.get(finding.by.id.index()).copied().unwrap_or(0);
        let step = self.steps.step_of(finding.by.id);
        self.findings.push(Found {
            finding: finding.clone(),
            cpu,
            time: self.time,
            in_hardirq: self.world.get().is_some_and(|world| world.is_hardirq(finding.by.id)),
            step,
        });
        self.driver.found(finding);
        if self.is_shown {
            self.watcher.found(finding);
        }
    }
    fn stuck(&mut self, task: TaskId, op: Op) {
        self.driver.stuck(task, op);
        self.watcher.stuck(task, op);
    }
    fn goes_on(&mut self) -> bool {
        self.enough.is_none_or(|enough| !enough())
    }
}

/// What is looked for.
fn enabled(scenario: &Scenario) -> Enabled {
    let machine = &scenario.machine;
    Enabled {
        lockdep: machine.lockdep,
        rcu: machine.prove_rcu,
        list: machine.debug_list,
        refcount: machine.refcount,
        workqueue_thresh: machine.workqueue_watchdog_thresh,
    }
}

/// The machine that a scenario describes.
fn config(scenario: &Scenario) -> Config {
    let machine = &scenario.machine;
    let preempt = match machine.preempt {
        scenario::Preempt::None => Preempt::None,
        scenario::Preempt::Voluntary => Preempt::Voluntary,
        scenario::Preempt::Full => Preempt::Full,
    };
    let rcu = match machine.rcu {
        scenario::Rcu::Abstract => RcuModel::Abstract,
        scenario::Rcu::PerCpu => RcuModel::PerCpu,
    };
    Config {
        rcu,
        clock: machine.clock,
        hz: machine.hz,
        watchdogs: Watchdogs {
            hung_task_timeout: machine.hung_task_timeout_secs,
            lockup_thresh: machine.watchdog_thresh,
            rcu_stall_timeout: machine.rcu_stall_timeout(),
        },
        max_time: machine.max_time,
        cpus: machine.cpus,
        preempt,
        slab: machine.slab,
        checks: Checks { kasan: machine.kasan, kcsan: machine.kcsan },
        points: Points {
            might_sleep: preempt == Preempt::Voluntary,
            softirqs: scenario.has(ContextKind::Softirq),
            hardirqs: scenario.has(ContextKind::Hardirq),
            ..Points::default()
        },
        stop_at_first: machine.stop_at_first,
        max_steps: machine.max_steps,
        max_tasks: MAX_TASKS,
        max_cells: machine.max_cells(),
    }
}
