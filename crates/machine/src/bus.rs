// SPDX-License-Identifier: GPL-2.0-only
//! What lies between a task and its machine: memory, one announced operation, one answer, a list of effects.

use std::{
    any::Any,
    cell::{Cell, RefCell},
    collections::VecDeque,
    fmt,
    future::Future,
    panic::Location,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use crate::{Addr, Effect, Fault, Layout, Loc, Locking, Memory, Op, Slab, Symbol, Symbols, TaskId};

/// Kernel code that runs on its own.
pub type Task = Pin<Box<dyn Future<Output = ()>>>;

/// Effects that one step may have; more is an endless loop.
const MAX_EFFECTS: usize = 1 << 20;

/// The contexts of a CPU. Each may interrupt those before it where they do not keep it off, and ends before they go
/// on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum ContextKind {
    /// A task that the scheduler runs. It may sleep where it is not atomic.
    #[default]
    Process,
    /// A softirq handler. It may not sleep in kernel functions; waiting for its next activation is not sleeping.
    Softirq,
    /// A handler of a hardware interrupt. The same, and nothing interrupts it.
    Hardirq,
}

/// A task that a machine has not seen yet.
pub struct NewTask {
    /// For people.
    pub name: Symbol,
    /// A task that serves others may be left waiting for this count at the end.
    pub idle: Option<Addr>,
    /// The CPU it is bound to; none if it may run on any.
    pub cpu: Option<u32>,
    /// The context that it runs in.
    pub context: ContextKind,
    /// What it runs.
    pub task: Task,
}

impl fmt::Debug for NewTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewTask({:?})", self.name)
    }
}

/// The operation that a task waits for.
#[derive(Clone, Copy, Debug)]
pub struct Announced {
    /// What it is.
    pub op: Op,
    /// The line of kernel code that wants it.
    pub loc: Loc,
}

/// An effect and the line of kernel code that says it.
#[derive(Clone, Copy, Debug)]
pub struct Said {
    /// What it is.
    pub effect: Effect,
    /// Where.
    pub loc: Loc,
}

/// Who runs the current step, and where. A machine delivers it with every answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Current {
    /// `current`
    pub task: TaskId,
    /// `smp_processor_id()`
    pub cpu: u32,
}

/// Which places in kernel code are operations of their own although nothing is learnt there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Points {
    /// `might_sleep()`, so before every allocation that may sleep: where the voluntary model preempts.
    pub might_sleep: bool,
    /// Right after a lock is released, where `preempt_enable()` or `local_bh_enable()` runs what is pending.
    pub release: bool,
    /// Right after a lock is taken that keeps no softirqs off: one may arrive there, and want the lock.
    pub softirqs: bool,
    /// The same for hardware interrupts.
    pub hardirqs: bool,
}

/// The bus of one machine. Cheap to keep: it is reset, not freed, between executions.
#[derive(Debug)]
pub struct Bus {
    announced: Cell<Option<Announced>>,
    answer: Cell<i64>,
    current: Cell<Current>,
    points: Cell<Points>,
    memory: RefCell<Memory>,
    said: RefCell<Vec<Said>>,
    spawned: RefCell<VecDeque<NewTask>>,
    tasks: Cell<u32>,
    symbols: RefCell<Symbols>,
    kept: RefCell<Vec<Rc<dyn Any>>>,
}

impl Bus {
    /// A bus for a new machine. Its memory is empty until [`Bus::reset`].
    pub fn new() -> Rc<Self> {
        Rc::new(Bus {
            announced: Cell::new(None),
            answer: Cell::new(0),
            current: Cell::new(Current { task: TaskId(0), cpu: 0 }),
            points: Cell::default(),
            memory: RefCell::default(),
            said: RefCell::default(),
            spawned: RefCell::default(),
            tasks: Cell::new(0),
            symbols: RefCell::default(),
            kept: RefCell::default(),
        })
    }
}

/// The kernel's side.
impl Bus {
    /// Announces `op`, to be awaited at once; the future is ready when the machine has performed it.
    #[track_caller]
    pub fn step(&self, op: Op) -> Step<'_> {
        self.step_at(op, Location::caller())
    }
    /// The same, at another place.
    pub fn step_at(&self, op: Op, loc: Loc) -> Step<'_> {
        self.announce(op, loc);
        Step { bus: self, suspended: false }
    }
    /// Says an effect of the running step.
    #[track_caller]
    pub fn say(&self, effect: Effect) {
        self.say_at(effect, Location::caller());
    }
    /// The same, at another place: what is said by a `drop` has no caller.
    #[inline]
    pub fn say_at(&self, effect: Effect, loc: Loc) {
        self.said.borrow_mut().push(Said { effect, loc });
    }
    /// Leaves the kernel function entered last.
    #[inline]
    pub fn leave(&self, loc: Loc) {
        let mut said = self.said.borrow_mut();
        match said.last_mut() {
            Some(Said { effect: Effect::Leave(n), .. }) => *n += 1,
            _ => said.push(Said { effect: Effect::Leave(1), loc }),
        }
    }
    /// Reads a cell without a mark, to be awaited at once. Suspends only if the pointer leads nowhere.
    #[track_caller]
    pub fn read(&self, addr: Addr) -> Plain {
        self.read_at(addr, Location::caller())
    }
    /// The same, at another place.
    #[inline]
    pub fn read_at(&self, addr: Addr, loc: Loc) -> Plain {
        self.plain(addr, None, loc)
    }
    /// Writes a cell without a mark, to be awaited at once. Suspends only if the pointer leads nowhere.
    #[track_caller]
    pub fn write(&self, addr: Addr, value: i64) -> Plain {
        self.write_at(addr, value, Location::caller())
    }
    /// The same, at another place.
    #[inline]
    pub fn write_at(&self, addr: Addr, value: i64, loc: Loc) -> Plain {
        self.plain(addr, Some(value), loc)
    }
    /// Releases a lock, to be awaited at once. Suspends only where [`Points::release`] asks for it.
    #[track_caller]
    pub fn unlock(&self, lock: Addr, locking: Locking) -> Unlock<'_> {
        self.say(Effect::Unlock(lock, locking));
        Unlock(self.points.get().release.then(|| self.step(Op::PreemptEnable)))
    }
    /// A new object; none where the machine's memory ends, which ends the task.
    #[track_caller]
    pub fn alloc(&self, layout: &'static Layout, bytes: usize) -> Option<Addr> {
        self.alloc_at(layout, bytes, Location::caller())
    }
    /// The same, at another place.
    pub fn alloc_at(&self, layout: &'static Layout, bytes: usize, loc: Loc) -> Option<Addr> {
        let addr = self.memory.borrow_mut().alloc(layout, bytes).ok()?;
        self.say_at(Effect::Alloc(addr), loc);
        Some(addr)
    }
    /// Gives an object a name of its own, for people.
    pub fn name_object(&self, object: Addr, name: &str) {
        self.memory.borrow_mut().set_name(object, name);
    }
    /// A static variable, for as long as the machine runs.
    #[track_caller]
    pub fn alloc_static(&self, layout: &'static Layout, name: &'static str) -> Option<Addr> {
        let addr = self.memory.borrow_mut().alloc_static(layout, name).ok()?;
        self.say(Effect::Alloc(addr));
        Some(addr)
    }
    /// A new task.
    #[track_caller]
    pub fn spawn(&self, new: NewTask) -> TaskId {
        self.spawn_at(new, Location::caller())
    }
    /// The same, at another place.
    pub fn spawn_at(&self, new: NewTask, loc: Loc) -> TaskId {
        let id = TaskId(self.tasks.replace(self.tasks.get() + 1));
        self.spawned.borrow_mut().push_back(new);
        self.say_at(Effect::Spawn(id), loc);
        id
    }
    /// Keeps something for as long as the execution lasts: what stands for a kernel's static data.
    pub fn keep(&self, thing: Rc<dyn Any>) {
        self.kept.borrow_mut().push(thing);
    }
    /// Who runs, and where.
    pub fn current(&self) -> Current {
        self.current.get()
    }
    /// Which places are operations.
    pub fn points(&self) -> Points {
        self.points.get()
    }
    fn announce(&self, op: Op, loc: Loc) {
        let before = self.announced.replace(Some(Announced { op, loc }));
        debug_assert!(before.is_none(), "{before:?} was announced and not awaited");
    }
    #[inline]
    fn plain(&self, addr: Addr, write: Option<i64>, loc: Loc) -> Plain {
        let mut memory = self.memory.borrow_mut();
        let mut said = self.said.borrow_mut();
        let place = match memory.place(addr) {
            Ok(place) if said.len() < MAX_EFFECTS => place,
            place => {
                return self
                    .fault(place.err().map_or(Fault::EndlessLoop, |bad| Fault::BadPointer(bad, addr)), loc);
            }
        };
        let old = memory.value(place);
        let effect = match write {
            None => Effect::Read(addr),
            Some(value) => {
                memory.set_value(place, value);
                Effect::Write(addr, value)
            }
        };
        said.push(Said { effect, loc });
        Plain(Some(old))
    }
    #[cold]
    fn fault(&self, fault: Fault, loc: Loc) -> Plain {
        self.announce(Op::Fault(fault), loc);
        Plain(None)
    }
    /// The symbol of a name.
    pub fn intern(&self, name: &str) -> Symbol {
        self.symbols.borrow_mut().intern(name)
    }
    /// The name of a symbol.
    pub fn name(&self, symbol: Symbol) -> String {
        self.symbols.borrow().name(symbol).to_owned()
    }
    /// Looks at memory without an access: for those who judge or print, and for types of objects.
    pub fn inspect<R>(&self, f: impl FnOnce(&Memory) -> R) -> R {
        f(&self.memory.borrow())
    }
    /// Sets a cell without an access: what the compiler initialises.
    pub fn poke(&self, addr: Addr, value: i64) {
        let mut memory = self.memory.borrow_mut();
        if let Ok(place) = memory.place(addr) {
            memory.set_value(place, value);
        }
    }
    /// The value of a cell, without an access; 0 where there is none.
    pub fn peek(&self, addr: Addr) -> i64 {
        let memory = self.memory.borrow();
        memory.place(addr).map_or(0, |place| memory.value(place))
    }
}

/// The machine's side.
impl Bus {
    /// Lets go of what was kept for the execution.
    pub fn release_kept(&self) {
        let kept = self.kept.take();
        drop(kept);
    }
    /// Forgets everything but the names of symbols, before an execution. Tasks must have been dropped: they may
    /// speak when dropped.
    pub fn reset(&self, slab: Slab, max_cells: usize, points: Points) {
        self.release_kept();
        self.announced.set(None);
        self.said.borrow_mut().clear();
        self.spawned.borrow_mut().clear();
        self.memory.borrow_mut().reset(slab, max_cells);
        self.points.set(points);
        self.tasks.set(0);
    }
    /// What the task just polled wants next, if it is not done.
    pub fn take_announced(&self) -> Option<Announced> {
        self.announced.take()
    }
    /// The answer for the task about to be polled, and who that is.
    pub fn set_answer(&self, answer: i64, current: Current) {
        self.answer.set(answer);
        self.current.set(current);
    }
    /// Exchanges the list of what was said for an empty one, whose memory is reused.
    pub fn swap_said(&self, empty: &mut Vec<Said>) {
        std::mem::swap(&mut *self.said.borrow_mut(), empty);
    }
    /// The oldest task that was spawned and not taken; one for each [`Effect::Spawn`].
    pub fn take_spawned(&self) -> NewTask {
        self.spawned.borrow_mut().pop_front().expect("a task was spawned")
    }
    /// Changes memory on behalf of an operation that is performed.
    pub fn change<R>(&self, f: impl FnOnce(&mut Memory) -> R) -> R {
        f(&mut self.memory.borrow_mut())
    }
}

/// An announced operation: performed when polled again.
#[derive(Debug)]
#[must_use = "an operation does nothing unless awaited"]
pub struct Step<'a> {
    bus: &'a Bus,
    suspended: bool,
}

impl Future for Step<'_> {
    type Output = i64;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<i64> {
        if self.suspended {
            return Poll::Ready(self.bus.answer.get());
        }
        self.suspended = true;
        Poll::Pending
    }
}

/// An unmarked access, with the value that was there; none if it faults: an oops is never answered.
#[derive(Debug)]
#[must_use = "a faulting access goes unnoticed unless awaited"]
pub struct Plain(Option<i64>);

impl Plain {
    /// The value, for who makes several accesses at once. Without one, something must be awaited that is never ready.
    #[inline]
    pub fn value(self) -> Option<i64> {
        self.0
    }
}

impl Future for Plain {
    type Output = i64;

    #[inline]
    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<i64> {
        self.0.map_or(Poll::Pending, Poll::Ready)
    }
}

/// A release, and the place after it where what is pending may run.
#[derive(Debug)]
#[must_use = "what is pending does not run unless this is awaited"]
pub struct Unlock<'a>(Option<Step<'a>>);

impl Future for Unlock<'_> {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().map_or(Poll::Ready(()), |step| Pin::new(step).poll(cx).map(|_| ()))
    }
}
