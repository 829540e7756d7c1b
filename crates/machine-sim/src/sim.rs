// SPDX-License-Identifier: GPL-2.0-only
//! The machine and its loop.

use std::{
    panic::Location,
    rc::Rc,
    task::{Context, Waker},
};

use machine::{
    Access, Addr, Announced, Bug, Bus, Checker, Choice, ContextKind, Current, Driver, Effect, Event, Fault,
    Finding, Frame, Loc, NewTask, Op, Said, Section, Symbol, TaskId, TraceHash, What,
};

use crate::{
    clock::{Clocks, Epoch},
    config::{Config, Limit, Outcome},
    cpu::Cpus,
    kcsan::CellState,
    locks::Sync,
    memory::{Object, Spot},
    observed::{Observed, Observer},
    rcu::Rcu,
    shadow::{Mark, Shadow, Shared},
    tasks::Task,
    time::Time,
    watchdog::Watchdog,
};

/// Findings of one execution that are kept: a loop may make any number of them.
const MAX_FINDINGS: usize = 1000;

/// A simulated machine.
#[derive(Debug)]
pub struct Sim {
    pub(crate) config: Config,
    pub(crate) bus: Rc<Bus>,
    futures: Futures,
    pub(crate) tasks: Vec<Task>,
    pub(crate) announced: Vec<Option<Announced>>,
    pub(crate) stacks: Vec<Vec<Frame>>,
    pub(crate) names: Vec<Symbol>,
    pub(crate) cpus: Cpus,
    pub(crate) objects: Vec<Object>,
    pub(crate) cells: Vec<CellState>,
    pub(crate) shadows: Vec<Shadow>,
    pub(crate) free_shadows: Vec<u32>,
    pub(crate) syncs: Vec<Sync>,
    pub(crate) free_syncs: Vec<u32>,
    pub(crate) shared: Shared,
    pub(crate) clocks: Clocks,
    pub(crate) rcu: Rcu,
    pub(crate) time: Time,
    pub(crate) watchdog: Watchdog,
    said: Vec<Said>,
    /// A second list, for the first step.
    said_before: Vec<Said>,
    findings: Vec<Finding>,
    /// What a checker has just found.
    pub(crate) bugs: Vec<Bug>,
    findings_left_out: u64,
    /// Findings that no driver was told of yet.
    told: usize,
    pub(crate) over: Option<Outcome>,
    /// `WARN_ON_ONCE()` of `__local_bh_enable_ip()`.
    pub(crate) warned_of_bh: bool,
    pub(crate) steps: u64,
    hash: TraceHash,
}

#[derive(Default)]
struct Futures(Vec<Option<machine::Task>>);

impl std::fmt::Debug for Futures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} tasks", self.0.len())
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.futures.0.clear();
        self.bus.release_kept(); // what is kept holds the bus
    }
}

impl Sim {
    /// A machine.
    pub fn new(config: Config) -> Self {
        Sim {
            config,
            bus: Bus::new(),
            futures: Futures::default(),
            tasks: Vec::new(),
            announced: Vec::new(),
            stacks: Vec::new(),
            names: Vec::new(),
            cpus: Cpus::default(),
            objects: Vec::new(),
            cells: Vec::new(),
            shadows: Vec::new(),
            free_shadows: Vec::new(),
            syncs: Vec::new(),
            free_syncs: Vec::new(),
            shared: Shared::default(),
            clocks: Clocks::default(),
            rcu: Rcu::default(),
            time: Time::default(),
            watchdog: Watchdog::default(),
            said: Vec::new(),
            said_before: Vec::new(),
            findings: Vec::new(),
            bugs: Vec::new(),
            findings_left_out: 0,
            told: 0,
            over: None,
            warned_of_bh: false,
            steps: 0,
            hash: TraceHash::default(),
        }
    }
    /// What kernel code is given to run on this machine.
    pub fn bus(&self) -> &Rc<Bus> {
        &self.bus
    }
    /// What the machine is like.
    pub fn config(&self) -> &Config {
        &self.config
    }
    /// Makes it another machine, from the next execution on.
    pub fn set_config(&mut self, config: Config) {
        self.config = config;
    }
    /// What was wrong with the last execution.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }
    /// How many more there were than are kept.
    pub fn findings_left_out(&self) -> u64 {
        self.findings_left_out
    }
    /// How many operations it performed.
    pub fn steps(&self) -> u64 {
        self.steps
    }
    /// A number made of every operation, answer and effect, in order; of no place in the source.
    pub fn trace_hash(&self) -> u64 {
        self.hash.0
    }
    /// How much virtual time the last execution took, in nanoseconds; 0 without a clock.
    pub fn time(&self) -> u64 {
        self.time.last
    }
    /// The name of a task of the last execution.
    pub fn task_name(&self, task: TaskId) -> String {
        self.names.get(task.index()).map_or_else(String::new, |name| self.bus.name(*name))
    }
    /// How many tasks the last execution had.
    pub fn tasks(&self) -> usize {
        self.tasks.len()
    }

    /// Forgets the last execution.
    fn reset(&mut self) {
        self.futures.0.clear(); // first: tasks may speak when dropped
        let max_cells = self.config.max_cells.min(Spot::MAX_CELLS);
        self.bus.reset(self.config.slab, max_cells, self.config.points);
        self.tasks.clear();
        self.announced.clear();
        for stack in &mut self.stacks {
            stack.clear();
        }
        self.names.clear();
        self.cpus.reset(self.config.cpus);
        self.objects.clear();
        self.cells.clear();
        self.shadows.clear();
        self.shadows.push(Shadow::NEW); // 0 means none
        self.free_shadows.clear();
        self.free_syncs.clear();
        self.syncs.clear();
        self.syncs.push(Sync::default());
        self.shared.clear();
        self.clocks.clear();
        self.rcu.clear();
        self.time.reset(self.config.clock, self.config.hz, self.cpus.all.len());
        self.said.clear();
        self.findings.clear();
        self.findings_left_out = 0;
        self.told = 0;
        self.over = None;
        self.warned_of_bh = false;
        self.steps = 0;
        self.hash = TraceHash::default();
    }

    /// Runs `main` and all that it spawns until nothing can go on. `main` is the first task.
    #[track_caller]
    pub fn run<D, F, M>(&mut self, driver: &mut D, main: M) -> Outcome
    where
        D: Driver + ?Sized,
        F: Future<Output = ()> + 'static,
        M: FnOnce(Rc<Bus>) -> F,
    {
        self.run_checked(driver, &mut (), main)
    }

    /// The same, with somebody who looks for bugs in what happens.
    #[track_caller]
    pub fn run_checked<D, C, F, M>(&mut self, driver: &mut D, checker: &mut C, main: M) -> Outcome
    where
        D: Driver + ?Sized,
        C: Checker,
        F: Future<Output = ()> + 'static,
        M: FnOnce(Rc<Bus>) -> F,
    {
        checker.reset();
        let driver = &mut Observed { driver, checker };
        self.reset();
        self.start_watchdogs(driver);
        let (name, task) = (self.bus.intern("main"), Box::pin(main(self.bus.clone())));
        // What `main` did before it became a task, it did as the first task.
        let mut before = std::mem::take(&mut self.said_before);
        self.bus.swap_said(&mut before);
        self.bus.spawn_at(
            NewTask { name, idle: None, cpu: None, context: ContextKind::Process, task },
            Location::caller(),
        );
        self.apply_said(0, driver);
        std::mem::swap(&mut self.said, &mut before);
        self.said_before = before;
        self.apply_all(0, driver);

        let mut last = None;
        loop {
            if let Some(outcome) = self.over {
                return outcome;
            }
            if self.time.is_on() {
                self.advance(driver);
                if let Some(outcome) = self.over {
                    return outcome;
                }
            }
            let ready = self.ready(last);
            let is_at_limit = self.steps + self.time.ticks >= self.config.max_steps;
            if ready.is_empty()
                && !(is_at_limit && self.time.ticks > 0)
                && self.time.now <= self.config.max_time
            {
                return self.find_stuck(driver);
            }
            if self.time.now > self.config.max_time {
                return Outcome::Limit(Limit::Time);
            }
            if is_at_limit {
                return Outcome::Limit(Limit::Steps);
            }
            let choice = Choice {
                ready,
                possible: self.possible(last),
                running: last,
                announced: &self.announced,
                stacks: &self.stacks,
                names: &self.names,
            };
            let Some(index) = driver.choose(&choice) else { return Outcome::Abandoned };
            let Some(task) = ready.get(index) else { return Outcome::Abandoned };
            self.step(task.index(), driver);
            if self.time.is_on() {
                self.spend_step(task.index());
            }
            last = Some(task);
        }
    }

    /// Performs what `task` has announced, and lets it go on to its next announcement.
    fn step<D: Observer>(&mut self, task: usize, driver: &mut D) {
        let Some(Announced { op, loc }) = self.announced[task] else { return };
        self.take_cpu(task);
        self.steps += 1;
        let answer = self.perform(task, op, loc);
        self.note(task, What::Op(op, answer.unwrap_or(0)), loc, driver);
        let Some(answer) = answer else { return };
        if self.over.is_some() {
            return;
        }
        self.bus.set_answer(answer, self.current(task));

        let Some(future) = self.futures.0[task].as_mut() else { return };
        let done = future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
        if done {
            self.futures.0[task] = None; // before what was said is applied: it may speak when dropped
        }
        self.apply_said(task, driver);
        if self.over.is_some() {
            return; // the rest was not applied: what is announced may be about an object that is unknown here
        }
        let announced = self.bus.take_announced(); // not earlier: what was just written is slow to copy
        assert_ne!(done, announced.is_some(), "a task suspends only to announce an operation");
        self.check_announced(task, announced, loc, driver);
        self.announce(task, announced);
        self.note_step(task);
    }

    pub(crate) fn current(&self, task: usize) -> Current {
        // Without a check: it costs nothing where nobody looks.
        Current { task: TaskId(task as u32), cpu: self.tasks.get(task).map_or(0, |task| task.cpu) }
    }

    /// The answer; none if the task is dead.
    fn perform(&mut self, task: usize, op: Op, loc: Loc) -> Option<i64> {
        match op {
            Op::Start | Op::MightSleep(_) | Op::PreemptEnable | Op::Interruptible => Some(0),
            Op::Sleep(_) | Op::Stall(_) | Op::Tick => Some(0), // it has passed
            Op::Marked(addr, update, order) => self.marked(task, addr, update, order, loc),
            Op::Racy(addr, update) => self.racy(task, addr, update, loc),
            Op::Lock(addr, how) => self.lock(task, addr, how, loc),
            Op::IsLocked(addr) => self.is_locked(task, addr, loc),
            Op::Wait(addr) => self.wait(task, addr, loc),
            Op::RcuReadLock => Some(self.rcu_read_lock(task, loc)),
            Op::GraceBegin { expedited } => Some(self.grace_begin(task, expedited)),
            Op::GraceEnd => Some(self.grace_end(task)),
            Op::Fault(fault) => {
                self.oops(task, fault, loc);
                None
            }
        }
    }

    fn apply_said<D: Observer>(&mut self, task: usize, driver: &mut D) {
        self.bus.swap_said(&mut self.said);
        self.apply_all(task, driver);
    }

    fn apply_all<D: Observer>(&mut self, task: usize, driver: &mut D) {
        let mut next = 0;
        while let Some(said) = self.said.get(next) {
            next += 1;
            let loc = said.loc;
            // The frequent ones have arms of their own, so that what is known of them is known at compile time.
            match said.effect {
                Effect::Enter(function, arg) => {
                    self.stacks[task].push(Frame { function, arg, loc });
                    self.note_event(task, What::Effect(Effect::Enter(function, arg)), loc, driver);
                }
                Effect::Leave(n) => {
                    let stack = &mut self.stacks[task];
                    stack.truncate(stack.len().saturating_sub(n as usize));
                    self.note_event(task, What::Effect(Effect::Leave(n)), loc, driver);
                }
                Effect::Read(addr) => {
                    self.plain_read(task, addr, loc);
                    self.note(task, What::Effect(Effect::Read(addr)), loc, driver);
                }
                Effect::Write(addr, value) => {
                    self.plain_write(task, addr, loc);
                    self.note(task, What::Effect(Effect::Write(addr, value)), loc, driver);
                }
                Effect::Unlock(addr, how) => {
                    self.unlock(task, addr, how, loc);
                    self.note(task, What::Effect(Effect::Unlock(addr, how)), loc, driver);
                }
                Effect::Alloc(addr) => {
                    self.alloc(task, addr, loc);
                    self.note(task, What::Effect(Effect::Alloc(addr)), loc, driver);
                }
                effect => self.apply_rarer(task, effect, loc, driver),
            }
            if self.over.is_some() {
                break;
            }
        }
        self.said.clear();
    }

    /// Not inlined: the frequent ones are applied in fewer instructions where these are not.
    #[inline(never)]
    fn apply_rarer<D: Observer>(&mut self, task: usize, effect: Effect, loc: Loc, driver: &mut D) {
        self.apply(task, effect, loc);
        self.note(task, What::Effect(effect), loc, driver);
    }

    fn apply(&mut self, task: usize, effect: Effect, loc: Loc) {
        match effect {
            Effect::Free(addr) => self.free(task, addr, loc),
            Effect::Complete(addr) => self.complete(task, addr, loc),
            Effect::Release(addr) => self.release(task, addr, loc),
            Effect::Acquire(addr) => self.acquire(task, addr, loc),
            Effect::RcuReadUnlock => {
                if !self.rcu_read_unlock(task) {
                    self.found(task, Bug::BadUnlock { what: "rcu_read_lock".to_owned() }, loc);
                }
            }
            Effect::Spawn(id) => self.spawn(task, id, loc),
            Effect::Kill(id) => self.kill(id),
            Effect::Disable(section) => self.disable(task, section),
            Effect::Enable(section) => {
                if section == Section::Bh {
                    self.check_bh_enable(task, loc);
                }
                self.enable(task, section);
            }
            Effect::UserMode => self.user_mode(task),
            Effect::MightSleep(what) => {
                let sleeper = &self.tasks[task];
                if sleeper.is_atomic() || sleeper.rcu_nesting > 0 {
                    let bug = Bug::SleepInAtomic {
                        what,
                        preempt_count: sleeper.kernel_preempt_count(),
                        irqs_disabled: sleeper.irqs_disabled(),
                        rcu_nesting: sleeper.rcu_nesting,
                    };
                    self.found(task, bug, loc);
                }
            }
            Effect::Warn(what) => self.found(task, Bug::Warning { what }, loc),
            Effect::AllocFailed(_) | Effect::Trace(..) => {}
            // See apply_all().
            Effect::Read(_) | Effect::Write(..) | Effect::Enter(..) | Effect::Leave(_) => {}
            Effect::Alloc(_) | Effect::Unlock(..) => {}
        }
    }

    fn spawn(&mut self, parent: usize, id: TaskId, loc: Loc) {
        let new = self.bus.take_spawned();
        let task = id.index();
        if id.0 >= self.config.max_tasks {
            self.over = Some(Outcome::Limit(Limit::Tasks));
            return;
        }
        self.clocks.widen(task);
        let clock = self.clocks.new_row();
        if task > 0 {
            let parents = self.tasks[parent].clock;
            self.clocks.copy(clock, parents);
            self.clocks.tick(parents, parent);
        }
        self.clocks.tick(clock, task);
        let cpus = self.config.cpus.max(1);
        let is_interrupt = new.context != ContextKind::Process;
        let bound = new.cpu.or(is_interrupt.then_some(id.0)).map(|cpu| cpu % cpus);
        self.tasks.push(Task {
            idle: new.idle,
            bound,
            cpu: bound.unwrap_or(id.0 % cpus),
            context: new.context,
            ..Task::new(clock)
        });
        if is_interrupt {
            let cpu = self.tasks[task].cpu as usize;
            self.cpus.all[cpu].interrupts.push(task as u32);
        }
        if self.time.is_on() && new.idle.is_some() && !is_interrupt {
            // A kernel thread, which there has always been, is woken.
            self.time.now = self.time.now.saturating_add(self.time.wakeup());
        }
        self.names.push(new.name);
        if self.stacks.len() <= task {
            self.stacks.push(Vec::new());
        }
        self.announced.push(None);
        self.futures.0.push(Some(new.task));
        self.announce(task, Some(Announced { op: Op::Start, loc }));
    }

    /// The task is dead: what it waits for will not come. Its locks stay held.
    #[cold]
    pub(crate) fn oops(&mut self, task: usize, fault: Fault, loc: Loc) {
        if fault == Fault::OutOfMemory {
            self.over = Some(Outcome::Limit(Limit::Memory));
            return;
        }
        let addr = match fault {
            Fault::BadPointer(_, addr) | Fault::TypeConfusion { link: addr, .. } => addr,
            _ => Addr::NULL,
        };
        let target = self.cell(addr).to_string();
        self.tasks[task].dead = true;
        self.announced[task] = None;
        self.set_ready(task, false);
        self.note_step(task);
        self.found(task, Bug::Oops { fault, target }, loc);
        if let Fault::Panic(_) = fault {
            self.over = Some(Outcome::Panic);
        }
    }

    #[cold]
    pub(crate) fn found(&mut self, task: usize, bug: Bug, loc: Loc) {
        self.keep_finding(self.access_of(self.mark(task, loc)), bug, Some(task));
    }
    /// A bug that somebody made at some time. The stack is that of a task now, if that is the one.
    #[cold]
    pub(crate) fn keep_finding(&mut self, by: Access, bug: Bug, stack_of: Option<usize>) {
        if self.findings.len() < MAX_FINDINGS {
            let stack = stack_of.map(|task| self.stacks[task].clone()).unwrap_or_default();
            self.findings.push(Finding { bug, by, stack });
        } else {
            self.findings_left_out += 1;
        }
        if self.config.stop_at_first {
            self.over = Some(Outcome::Stopped);
        }
    }

    /// Now, in the life of `task`, and where in the kernel's code.
    #[inline]
    pub(crate) fn mark(&self, task: usize, loc: Loc) -> Mark {
        Mark {
            at: self.tasks.get(task).map_or(Epoch::default(), |of| self.clocks.now(of.clock)),
            step: self.steps as u32,
            loc,
            function: self.stacks.get(task).and_then(|stack| stack.last()).map(|frame| frame.function),
        }
    }
    #[cold]
    pub(crate) fn access_of(&self, mark: Mark) -> Access {
        Access {
            task: self.names.get(mark.at.task as usize).copied().unwrap_or_default(),
            id: TaskId(mark.at.task),
            function: mark.function.map_or("start", |function| function.name),
            loc: mark.loc,
            step: u64::from(mark.step),
        }
    }

    /// An event, and what was found by it.
    #[inline(always)]
    fn note<D: Observer>(&mut self, task: usize, what: What, loc: Loc, driver: &mut D) {
        self.note_event(task, what, loc, driver);
        if self.told < self.findings.len() {
            self.tell(driver);
        }
    }
    /// With a clock: the time of an event counts, and passes.
    #[inline(never)]
    fn pass_time(&mut self, what: &What) {
        self.hash.add_time(self.time.now);
        self.time.spend(what);
    }
    /// An event by which the machine finds nothing itself.
    #[inline(always)]
    fn note_event<D: Observer>(&mut self, task: usize, what: What, loc: Loc, driver: &mut D) {
        self.hash.add(task, &what);
        if self.time.is_on() {
            self.pass_time(&what);
        }
        driver.happened(&Event { current: self.current(task), what, loc, time: self.time.now });
        if driver.checker().looks_at(&what) {
            self.check_event(task, what, loc, driver);
        }
    }

    /// Whether something was found that no driver was told of yet.
    pub(crate) fn has_untold(&self) -> bool {
        self.told < self.findings.len()
    }
    #[cold]
    pub(crate) fn tell<D: Driver + ?Sized>(&mut self, driver: &mut D) {
        for finding in &self.findings[self.told..] {
            driver.found(finding);
        }
        self.told = self.findings.len();
    }
}
