// SPDX-License-Identifier: GPL-2.0-only
//! The machine and its loop.

use std::{
    panic::Location,
    rc::Rc,
    task::{Context, Waker},
};

use machine::{
    Access, Addr, Announced, Bug, Bus, Choice, ContextKind, Current, Driver, Effect, Event, Fault, Finding,
    Frame, Kind, Loc, NewTask, Op, Place, Said, Symbol, TaskId, TraceHash, What,
};

use crate::{
    clock::{Clocks, Epoch},
    config::{Config, Limit, Outcome},
    cpu::Cpus,
    locks::Sync,
    memory::{CellState, Object},
    rcu::Rcu,
    shadow::{Mark, Shadow, Shared},
    tasks::Task,
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
    stacks: Vec<Vec<Frame>>,
    names: Vec<Symbol>,
    pub(crate) cpus: Cpus,
    pub(crate) objects: Vec<Object>,
    pub(crate) cells: Vec<CellState>,
    pub(crate) shadows: Vec<Shadow>,
    pub(crate) free_shadows: Vec<u32>,
    pub(crate) syncs: Vec<Sync>,
    free_syncs: Vec<u32>,
    pub(crate) shared: Shared,
    pub(crate) clocks: Clocks,
    pub(crate) rcu: Rcu,
    said: Vec<Said>,
    findings: Vec<Finding>,
    findings_left_out: u64,
    /// Findings that no driver was told of yet.
    told: usize,
    pub(crate) over: Option<Outcome>,
    steps: u64,
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
            said: Vec::new(),
            findings: Vec::new(),
            findings_left_out: 0,
            told: 0,
            over: None,
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
        self.bus.reset(self.config.slab, self.config.max_cells, self.config.points);
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
        self.said.clear();
        self.findings.clear();
        self.findings_left_out = 0;
        self.told = 0;
        self.over = None;
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
        self.reset();
        let (name, task) = (self.bus.intern("main"), Box::pin(main(self.bus.clone())));
        // What `main` did before it became a task, it did as the first task.
        let mut before = Vec::new();
        self.bus.swap_said(&mut before);
        self.bus.spawn_at(
            NewTask { name, idle: None, cpu: None, context: ContextKind::Process, task },
            Location::caller(),
        );
        self.apply_said(0, driver);
        std::mem::swap(&mut self.said, &mut before);
        self.apply_all(0, driver);

        let mut last = None;
        loop {
            if let Some(outcome) = self.over {
                return outcome;
            }
            let ready = self.ready(last);
            if ready.is_empty() {
                return self.find_stuck(driver);
            }
            if self.steps >= self.config.max_steps {
                return Outcome::Limit(Limit::Steps);
            }
            let choice = Choice {
                ready,
                running: last,
                announced: &self.announced,
                stacks: &self.stacks,
                names: &self.names,
            };
            let Some(index) = driver.choose(&choice) else { return Outcome::Abandoned };
            let Some(task) = self.ready(last).get(index) else { return Outcome::Abandoned };
            self.step(task.index(), driver);
            last = Some(task);
        }
    }

    /// Performs what `task` has announced, and lets it go on to its next announcement.
    fn step<D: Driver + ?Sized>(&mut self, task: usize, driver: &mut D) {
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
        let announced = self.bus.take_announced(); // not earlier: what was just written is slow to copy
        assert_ne!(done, announced.is_some(), "a task suspends only to announce an operation");
        self.announce(task, announced);
        self.note_step(task);
    }

    fn current(&self, task: usize) -> Current {
        Current { task: TaskId(task as u32), cpu: self.tasks[task].cpu }
    }

    /// The answer; none if the task is dead.
    fn perform(&mut self, task: usize, op: Op, loc: Loc) -> Option<i64> {
        match op {
            Op::Start | Op::MightSleep(_) | Op::PreemptEnable | Op::Interruptible | Op::Sleep(_) => Some(0),
            Op::Marked(addr, update, order) => self.marked(task, addr, update, order, loc),
            Op::Racy(addr, update) => self.racy(task, addr, update, loc),
            Op::Lock(addr, how) => self.lock(task, addr, how, loc),
            Op::IsLocked(addr) => self.is_locked(task, addr, loc),
            Op::Wait(addr) => self.wait(task, addr, loc),
            Op::RcuReadLock => Some(self.rcu_read_lock(task, loc)),
            Op::GraceBegin => Some(self.grace_begin(task)),
            Op::GraceEnd => Some(self.grace_end(task)),
            Op::Fault(fault) => {
                self.oops(task, fault, loc);
                None
            }
        }
    }

    fn apply_said<D: Driver + ?Sized>(&mut self, task: usize, driver: &mut D) {
        self.bus.swap_said(&mut self.said);
        self.apply_all(task, driver);
    }

    fn apply_all<D: Driver + ?Sized>(&mut self, task: usize, driver: &mut D) {
        let mut said = std::mem::take(&mut self.said);
        for &Said { effect, loc } in &said {
            // The frequent ones have arms of their own, so that what is known of them is known at compile time.
            match effect {
                Effect::Read(addr) => {
                    self.plain_access(task, addr, Kind::Read, loc);
                    self.note(task, What::Effect(Effect::Read(addr)), loc, driver);
                }
                Effect::Write(addr, value) => {
                    self.plain_access(task, addr, Kind::Write, loc);
                    self.note(task, What::Effect(Effect::Write(addr, value)), loc, driver);
                }
                Effect::Enter(function, arg) => {
                    self.stacks[task].push(Frame { function, arg, loc });
                    self.note(task, What::Effect(Effect::Enter(function, arg)), loc, driver);
                }
                Effect::Leave(n) => {
                    let stack = &mut self.stacks[task];
                    stack.truncate(stack.len().saturating_sub(n as usize));
                    self.note(task, What::Effect(Effect::Leave(n)), loc, driver);
                }
                _ => {
                    self.apply(task, effect, loc);
                    self.note(task, What::Effect(effect), loc, driver);
                }
            }
            if self.over.is_some() {
                break;
            }
        }
        said.clear();
        self.said = said;
    }

    fn apply(&mut self, task: usize, effect: Effect, loc: Loc) {
        match effect {
            Effect::Alloc(addr) => self.alloc(task, addr, loc),
            Effect::Free(addr) => self.free(task, addr, loc),
            Effect::Unlock(addr, how) => self.unlock(task, addr, how, loc),
            Effect::Complete(addr) => self.complete(task, addr, loc),
            Effect::RcuReadUnlock => {
                if !self.rcu_read_unlock(task) {
                    self.found(task, Bug::BadUnlock { what: "rcu_read_lock".to_owned() }, loc);
                }
            }
            Effect::Spawn(id) => self.spawn(task, id, loc),
            Effect::Kill(id) => self.kill(id),
            Effect::Disable(section) => self.disable(task, section),
            Effect::Enable(section) => self.enable(task, section),
            Effect::UserMode => self.user_mode(task),
            Effect::MightSleep(what) => {
                let sleeper = &self.tasks[task];
                let (preempt_count, rcu_nesting) = (sleeper.kernel_preempt_count(), sleeper.rcu_nesting);
                if sleeper.in_atomic() || rcu_nesting > 0 {
                    self.found(task, Bug::SleepInAtomic { what, preempt_count, rcu_nesting }, loc);
                }
            }
            Effect::Warn(what) => self.found(task, Bug::Warning { what }, loc),
            Effect::AllocFailed(_) | Effect::Trace(..) => {}
            Effect::Read(_) | Effect::Write(..) | Effect::Enter(..) | Effect::Leave(_) => {} // see apply_all()
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
        if new.context != ContextKind::Process {
            let cpu = self.tasks[task].cpu as usize;
            self.cpus.all[cpu].interrupts.push(task as u32);
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
        if self.findings.len() < MAX_FINDINGS {
            let by = self.access_of(self.mark(task, loc));
            self.findings.push(Finding { bug, by, stack: self.stacks[task].clone() });
        } else {
            self.findings_left_out += 1;
        }
        if self.config.stop_at_first {
            self.over = Some(Outcome::Stopped);
        }
    }

    /// Nothing can go on: is anybody left waiting who should not be?
    #[cold]
    fn find_stuck<D: Driver + ?Sized>(&mut self, driver: &mut D) -> Outcome {
        let mut outcome = Outcome::Done;
        for task in 0..self.tasks.len() {
            let Some(Announced { op, loc }) = self.announced[task] else { continue };
            let possible = self.tasks[task].ready; // it lacks only a CPU
            if !possible && matches!(op, Op::Wait(addr) if self.tasks[task].idle == Some(addr)) {
                continue;
            }
            driver.stuck(TaskId(task as u32), op);
            let (what, holders) = match op {
                Op::Lock(addr, _) if !possible => {
                    let holder = self.sync_of_known(addr).and_then(|sync| self.syncs[sync].holder);
                    (
                        self.cell(addr).to_string(),
                        holder.map(|mark| self.access_of(mark)).into_iter().collect(),
                    )
                }
                Op::Wait(addr) if !possible => (self.cell(addr).to_string(), Vec::new()),
                Op::GraceEnd if !possible => {
                    let readers = self.grace_waits_for(task);
                    let inside = readers.filter_map(|reader| self.tasks[reader.index()].reader);
                    ("a grace period".to_owned(), inside.map(|(_, mark)| self.access_of(mark)).collect())
                }
                _ => {
                    let cpu = self.tasks[task].bound.unwrap_or(self.tasks[task].cpu);
                    let spinner = self.cpus.all[cpu as usize].top();
                    let holders = spinner.map(|spinner| self.access_of(self.mark(spinner.index(), loc)));
                    (format!("CPU {cpu}"), holders.into_iter().collect())
                }
            };
            self.found(task, Bug::Deadlock { what, op, holders }, loc);
            outcome = Outcome::Deadlock;
        }
        self.tell(driver);
        outcome
    }

    /// Now, in the life of `task`, and where in the kernel's code.
    #[inline]
    pub(crate) fn mark(&self, task: usize, loc: Loc) -> Mark {
        Mark {
            at: self.tasks.get(task).map_or(Epoch::default(), |of| self.clocks.now(of.clock, task)),
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

    /// The table entry of a lock, count or word, made if there is none. None for what lies behind an object.
    #[inline]
    pub(crate) fn sync_of(&mut self, addr: Addr) -> Option<usize> {
        let place = self.place(addr).ok()?;
        self.sync_at(place)
    }
    #[inline]
    pub(crate) fn sync_at(&mut self, place: Place) -> Option<usize> {
        let cell = place.cell?;
        if self.cells[cell].sync == 0 {
            self.cells[cell].sync = self.free_syncs.pop().unwrap_or_else(|| {
                self.syncs.push(Sync::default());
                (self.syncs.len() - 1) as u32
            });
        }
        Some(self.cells[cell].sync as usize)
    }
    /// The object that this entry was about is gone. Whoever still waits there goes on to wait.
    pub(crate) fn give_back_sync(&mut self, sync: u32) {
        let entry = &mut self.syncs[sync as usize];
        if entry.first_waiter.is_none() {
            std::mem::take(entry).released.give_back(&mut self.clocks);
            self.free_syncs.push(sync);
        }
    }
    /// The same, if there is one.
    #[inline]
    pub(crate) fn sync_of_known(&self, addr: Addr) -> Option<usize> {
        let place = self.place(addr).ok()?;
        self.known_sync(place)
    }
    #[inline]
    pub(crate) fn known_sync(&self, place: Place) -> Option<usize> {
        let sync = self.cells[place.cell?].sync as usize;
        (sync != 0).then_some(sync)
    }

    #[inline(always)]
    fn note<D: Driver + ?Sized>(&mut self, task: usize, what: What, loc: Loc, driver: &mut D) {
        self.hash.add(task, &what);
        driver.happened(&Event { current: self.current(task), what, loc });
        if self.told < self.findings.len() {
            self.tell(driver);
        }
    }

    #[cold]
    fn tell<D: Driver + ?Sized>(&mut self, driver: &mut D) {
        for finding in &self.findings[self.told..] {
            driver.found(finding);
        }
        self.told = self.findings.len();
    }
}
