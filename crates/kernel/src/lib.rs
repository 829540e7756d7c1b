// SPDX-License-Identifier: GPL-2.0-only
//! Linux's primitives, written once on any machine. One file each, with the kernel's names.
//!
//! | C | here |
//! |---|---|
//! | `atomic_t` | [`Atomic`] |
//! | `READ_ONCE()`, `WRITE_ONCE()`, `cmpxchg()` | [`Once`] |
//! | unmarked memory | [`Plain`], and [`Racy`] where C shares it without a lock |
//! | `rcu_dereference()`, `rcu_assign_pointer()` | [`RcuPointer`] |
//! | `rcu_read_lock()`, `synchronize_rcu()`, `call_rcu()`, `rcu_barrier()` | [`Kernel`] |
//! | `spinlock_t`, `struct mutex`, `struct completion` | [`SpinLock`], [`Mutex`], [`Completion`] |
//! | `struct list_head`, rculist | [`ListHead`] |
//! | `struct idr`, `struct ida` | [`Idr`], [`Ida`] |
//! | `struct work_struct`, ordered workqueues | [`Work`], [`WorkqueuePtr`] |
//! | `kzalloc()`, `kmem_cache_zalloc()`, `kfree()` | [`Kernel`] |
//!
//! Objects are declared by [`object!`]; pointers to them are Copy, may be NULL, poison or stale, and nothing here
//! keeps anybody from following one.

mod atomic;
mod calls;
mod completion;
mod damage;
mod delay;
mod errno;
mod future;
mod ida;
mod idr;
mod kill_points;
mod list;
mod llist;
mod memory;
mod mutex;
mod object;
mod preempt;
pub mod rcu;
mod slab;
mod spinlock;
pub mod workqueue;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    fmt,
    rc::{Rc, Weak},
};

pub use atomic::Atomic;
pub use completion::Completion;
pub use damage::{Damage, Operator, Statement};
pub use errno::*;
use future::{Maybe, done};
pub use ida::Ida;
pub use idr::Idr;
pub use list::ListHead;
pub use llist::{LlistHead, LlistNode};
pub use machine::{
    Addr, Bus, CellKind, ContextKind, Effect, Fault, Field as LayoutField, Function, Layout, NewTask, Op,
    Points, Slab, Symbol, TaskId, Tracepoint, function, name_hash, tracepoint,
};
pub use memory::{Once, Plain, Racy, RcuPointer};
pub use mutex::Mutex;
pub use object::{Field, Pointer, Value, offset};
pub use rcu::{RcuFunc, RcuHead};
pub use slab::{FaultInjection, Gfp};
pub use spinlock::SpinLock;
pub use workqueue::{Work, WorkFunc, WorkqueuePtr};

/// One booted kernel: what its primitives need beside simulated memory.
pub struct Kernel {
    /// The machine it runs on.
    pub bus: Rc<Bus>,
    /// Failures to inject into allocations.
    pub faults: RefCell<FaultInjection>,
    kill_points: RefCell<kill_points::KillPoints>,
    calls: RefCell<calls::Calls>,
    calls_are_watched: Cell<bool>,
    damaged: damage::Damaged,
    this: Weak<Kernel>,
    rcu: rcu::Rcu,
    workqueues: RefCell<Vec<Rc<workqueue::Workqueue>>>,
    manual_work: Cell<bool>,
    idr_tables: RefCell<idr::Tables>,
    idas: RefCell<Vec<ida::Contents>>,
    ida_bitmaps: RefCell<Vec<Addr>>,
    /// The `WARN_ON_ONCE()`s that have warned.
    warned: RefCell<BTreeSet<&'static str>>,
    processor_id: Cell<Option<u32>>,
    callback_cpu: Cell<Option<u32>>,
}

/// What is queued at the end of an execution holds the kernel, which holds the queues: it goes with the execution.
struct Queues(Weak<Kernel>);

impl Drop for Queues {
    fn drop(&mut self) {
        if let Some(kernel) = self.0.upgrade() {
            kernel.forget_callbacks();
            kernel.forget_work();
        }
    }
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kernel")
    }
}

/// What a kernel function says when it is left.
#[derive(Debug)]
#[must_use = "a function that is not held is left at once"]
pub struct Entered<'k> {
    kernel: &'k Kernel,
    loc: machine::Loc,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.kernel.watch_leave();
        self.kernel.bus.leave(self.loc);
    }
}

impl Kernel {
    /// A kernel on a machine, before anything is initialised.
    ///
    /// # Panics
    ///
    /// If the machine has no memory at all.
    pub fn new(bus: &Rc<Bus>) -> Rc<Self> {
        let kernel = Rc::new_cyclic(|this| Kernel {
            bus: bus.clone(),
            faults: RefCell::default(),
            kill_points: RefCell::default(),
            calls: RefCell::default(),
            calls_are_watched: Cell::new(false),
            damaged: damage::Damaged::default(),
            this: this.clone(),
            rcu: rcu::Rcu::new(bus).expect("a machine has memory for its first object"),
            workqueues: RefCell::default(),
            manual_work: Cell::new(false),
            idr_tables: RefCell::default(),
            idas: RefCell::default(),
            ida_bitmaps: RefCell::default(),
            warned: RefCell::default(),
            processor_id: Cell::new(None),
            callback_cpu: Cell::new(None),
        });
        bus.keep(Rc::new(Queues(Rc::downgrade(&kernel))));
        kernel
    }
    fn this(&self) -> Rc<Kernel> {
        self.this.upgrade().expect("whoever calls holds the kernel")
    }
    /// A new task, on `cpu` or on any.
    #[track_caller]
    pub fn spawn(&self, name: &str, cpu: Option<u32>, task: impl Future<Output = ()> + 'static) -> TaskId {
        let name = self.bus.intern(name);
        self.bus.spawn(NewTask { name, idle: None, cpu, context: ContextKind::Process, task: Box::pin(task) })
    }
    /// An interrupt that arrives once on `cpu`, at any time when nothing there keeps it off.
    #[track_caller]
    pub fn raise(
        &self,
        name: &str,
        context: ContextKind,
        cpu: u32,
        handler: impl Future<Output = ()> + 'static,
    ) -> TaskId {
        let name = self.bus.intern(name);
        self.bus.spawn(NewTask { name, idle: None, cpu: Some(cpu), context, task: Box::pin(handler) })
    }
    /// `smp_processor_id()`
    pub fn smp_processor_id(&self) -> u32 {
        self.processor_id.get().unwrap_or(self.bus.current().cpu)
    }
    /// Lets every context believe that it runs on this CPU: for recordings of a machine with one.
    pub fn pretend_processor_id(&self, cpu: u32) {
        self.processor_id.set(Some(cpu));
    }
    /// Offloads all RCU callbacks to one CPU, as `rcu_nocbs=` does: first in, first out, whoever queues them.
    pub fn offload_callbacks(&self, cpu: u32) {
        self.callback_cpu.set(Some(cpu));
    }
    /// Enters a kernel function until the result is dropped. `arg` is its most telling argument.
    #[track_caller]
    #[inline(always)]
    pub fn enter(&self, function: &'static Function, arg: i64) -> Entered<'_> {
        let loc = std::panic::Location::caller();
        self.bus.say_at(Effect::Enter(function, arg), loc);
        self.pass_kill_points(function);
        self.watch_enter(function);
        Entered { kernel: self, loc }
    }
    /// Hits a tracepoint.
    #[track_caller]
    pub fn trace(&self, point: &'static Tracepoint, first: i64, second: i64) {
        self.bus.say(Effect::Trace(point, first, second));
    }
    /// `might_sleep()` at the head of a function that sleeps.
    #[track_caller]
    fn might_sleep_here(&self, what: &'static str) {
        self.bus.say(Effect::MightSleep(what));
    }
    /// `might_sleep()`: a place where the voluntary model preempts. `what` is the function that it stands in.
    #[track_caller]
    pub fn might_sleep(&self, what: &'static str) -> impl Future<Output = ()> {
        self.might_sleep_here(what);
        // Not by a closure: it would be the place that is reported.
        let is_point = self.bus.points().might_sleep;
        Maybe(if is_point { Some(self.bus.step(Op::MightSleep(what))) } else { None })
    }
    /// `WARN_ON_ONCE()`: warns the first time that this condition holds.
    #[track_caller]
    pub fn warn_on_once(&self, condition: bool, what: &'static str) {
        if condition && self.warned.borrow_mut().insert(what) {
            self.bus.say(Effect::Warn(what));
        }
    }
    /// `BUG_ON()`: ends the task if `condition` holds.
    #[track_caller]
    pub fn bug_on(&self, condition: bool, what: &'static str) -> impl Future<Output = ()> {
        Maybe(if condition { Some(self.bus.step(Op::Fault(Fault::Bug(what)))) } else { None })
    }
    /// `panic()`: ends the task, for good.
    #[track_caller]
    pub fn panic(&self, what: &'static str) -> impl Future<Output = ()> {
        done(self.bus.step(machine::Op::Fault(Fault::Panic(what))))
    }
    /// `send_sig(SIGKILL)`
    #[track_caller]
    pub fn kill(&self, task: TaskId) {
        self.bus.say(Effect::Kill(task));
    }
}
