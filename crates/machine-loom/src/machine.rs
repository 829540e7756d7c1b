// SPDX-License-Identifier: GPL-2.0-only
//! One execution: its objects, its tasks, what happened in it.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeSet, VecDeque},
    rc::Rc,
};

use loom::thread::{self, JoinHandle};
use machine::{
    Access, Addr, Announced, Bus, ContextKind, Current, Event, Finding, Frame, Loc, NewTask, Points, Slab,
    Symbol, TaskId, What,
};

use crate::{
    cell::Role,
    object::Object,
    sync::{Count, Rcu},
    thread::Thread,
};

/// The cells that an execution may allocate.
const MAX_CELLS: usize = 1 << 22;

/// What a report shows of the past.
const TRACED: usize = 40;

/// What the machine knows of a task.
pub(crate) struct Task {
    pub(crate) name: Symbol,
    pub(crate) cpu: u32,
    pub(crate) idle: Option<Addr>,
    pub(crate) stack: Vec<Frame>,
    /// What it is about to do, or waits for.
    pub(crate) announced: Option<Announced>,
    /// Where its grace period began.
    pub(crate) grace: u64,
}

/// A thing that happened, and in which function.
#[derive(Clone, Copy)]
pub(crate) struct Traced {
    pub(crate) event: Event,
    pub(crate) function: &'static str,
}

/// A lock, by its object's type and its cell.
pub(crate) type LockClass = (&'static str, usize);

/// Locks of which tasks ask whether they are held. To keep an answer for them doubles the choices at each of their
/// uses, so it is not done for others.
pub(crate) type Asked = BTreeSet<LockClass>;

/// One execution. Nothing in it is borrowed while loom may switch threads.
pub(crate) struct Loom {
    pub(crate) bus: Rc<Bus>,
    pub(crate) slots: RefCell<Vec<Option<Rc<Object>>>>,
    pub(crate) tasks: RefCell<Vec<Task>>,
    pub(crate) rcu: Rcu,
    pub(crate) threads: RefCell<Vec<JoinHandle<()>>>,
    pub(crate) idlers: RefCell<Vec<(Addr, JoinHandle<()>)>>,
    /// Whether a task was polled and has effects that are not applied.
    pub(crate) in_step: Cell<bool>,
    /// Who came upon that.
    parked: RefCell<Vec<thread::Thread>>,
    steps: Cell<u64>,
    pub(crate) warnings: Cell<u64>,
    pub(crate) trace: RefCell<VecDeque<Traced>>,
    pub(crate) finding: RefCell<Option<Finding>>,
    /// Locks that tasks ask about, as far as is known from executions before.
    pub(crate) asked: Asked,
    /// A lock that a task asks about and that is not among these: the exploration must begin anew.
    pub(crate) asked_now: Cell<Option<LockClass>>,
    /// Why the execution cannot go on, if that is no bug of the kernel.
    pub(crate) limit: Cell<Option<&'static str>>,
}

impl Loom {
    pub(crate) fn new(asked: Asked) -> Rc<Self> {
        let bus = Bus::new();
        bus.reset(Slab::Exact, MAX_CELLS, Points::default());
        Rc::new(Loom {
            bus,
            slots: RefCell::default(),
            tasks: RefCell::default(),
            rcu: Rcu::new(),
            threads: RefCell::default(),
            idlers: RefCell::default(),
            in_step: Cell::new(false),
            parked: RefCell::default(),
            steps: Cell::new(0),
            warnings: Cell::new(0),
            trace: RefCell::default(),
            finding: RefCell::default(),
            asked,
            asked_now: Cell::new(None),
            limit: Cell::new(None),
        })
    }

    /// Runs `main`, the first task, on loom's own thread, and then waits for all others.
    pub(crate) fn run<F: Future<Output = ()> + 'static>(self: &Rc<Self>, main: impl FnOnce(Rc<Bus>) -> F) {
        let name = self.bus.intern("main");
        // The first task has number 0 on every machine, and is on the bus only for that.
        self.bus.spawn(NewTask {
            name,
            idle: None,
            cpu: None,
            context: ContextKind::Process,
            task: Box::pin(async {}),
        });
        self.bus.swap_said(&mut Vec::new());
        self.add_task(&self.bus.take_spawned());
        let main = Box::pin(main(self.bus.clone()));
        Thread::new(self, TaskId(0)).run(main);
        self.join();
    }

    pub(crate) fn add_task(&self, new: &NewTask) {
        let &NewTask { name, idle, cpu, .. } = new;
        let cpu = cpu.unwrap_or(0);
        self.tasks.borrow_mut().push(Task { name, cpu, idle, stack: Vec::new(), announced: None, grace: 0 });
    }

    /// Waits for every task. Those that idle are told that nothing more will come, when nothing does.
    fn join(&self) {
        loop {
            let thread = self.threads.borrow_mut().pop();
            if let Some(thread) = thread {
                thread.join().expect("a failing thread fails the model");
                continue;
            }
            let idle = self.counts_of_idlers();
            // A single one has seen to all its events when it ends. Several may still give each other some.
            if idle.len() > 1
                && (self.settle(&idle) != self.settle(&idle) || !self.threads.borrow().is_empty())
            {
                continue;
            }
            let idler = self.idlers.borrow_mut().pop();
            let Some((count, thread)) = idler else { return };
            self.with_count(count, Count::end);
            thread.join().expect("a failing thread fails the model");
        }
    }

    /// Whether no task is in the middle of a step.
    pub(crate) fn is_quiet(&self) -> bool {
        !self.in_step.get()
    }
    /// A yield would do, but loom would try it for ever.
    pub(crate) fn wait_until_quiet(&self) {
        self.parked.borrow_mut().push(thread::current());
        thread::park();
    }
    pub(crate) fn end_step(&self) {
        self.in_step.set(false);
        self.parked.take().iter().for_each(thread::Thread::unpark);
    }

    fn counts_of_idlers(&self) -> Vec<Addr> {
        self.idlers.borrow().iter().map(|(count, _)| *count).collect()
    }

    /// Waits until each has idled; how often each was given something by then. Equal answers of two calls mean that
    /// between them all of them idled.
    fn settle(&self, counts: &[Addr]) -> Vec<u64> {
        counts.iter().map(|count| self.with_count(*count, Count::settle).unwrap_or(0)).collect()
    }

    /// Does something with the count at `addr`, without an access.
    pub(crate) fn with_count<R>(&self, addr: Addr, f: impl FnOnce(&Count) -> R) -> Option<R> {
        let (object, cell) = self.cell(addr)?;
        match &object.cell(cell).role {
            Role::Count(count) => Some(f(count)),
            _ => None,
        }
    }

    /// The cell at `addr`, without an access.
    pub(crate) fn cell(&self, addr: Addr) -> Option<(Rc<Object>, usize)> {
        let object = self.slots.borrow().get(addr.slot()).cloned().flatten()?;
        let in_bounds = self.bus.inspect(|memory| memory.place(addr).is_ok_and(|place| place.in_bounds));
        in_bounds.then(|| (object, addr.cell()))
    }

    pub(crate) fn current(&self, task: TaskId) -> Current {
        Current { task, cpu: self.tasks.borrow()[task.index()].cpu }
    }

    /// An access by `task` now.
    pub(crate) fn access(&self, task: TaskId, loc: Loc) -> Access {
        let tasks = self.tasks.borrow();
        let this = &tasks[task.index()];
        let function = this.stack.last().map_or("start", |frame| frame.function.name);
        Access { task: this.name, id: task, function, loc, step: self.steps.get() }
    }

    /// A step of `task` begins: it performs `announced`.
    pub(crate) fn begin(&self, task: TaskId, announced: Announced) {
        self.steps.set(self.steps.get() + 1);
        self.tasks.borrow_mut()[task.index()].announced = Some(announced);
    }

    /// `what` has happened.
    pub(crate) fn note(&self, task: TaskId, what: What, loc: Loc) {
        let function = self.access(task, loc).function;
        if let What::Op(..) = what {
            self.tasks.borrow_mut()[task.index()].announced = None;
        }
        let mut trace = self.trace.borrow_mut();
        if trace.len() == TRACED {
            trace.pop_front();
        }
        trace
            .push_back(Traced { event: Event { current: self.current(task), what, loc, time: 0 }, function });
    }
}
