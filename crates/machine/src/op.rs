// SPDX-License-Identifier: GPL-2.0-only
//! What kernel code asks of a machine, and what it says to it, as data.

use crate::{Addr, BadPointer, Function, Tracepoint};

/// A task, in order of creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(pub u32);

impl TaskId {
    /// Its place in a machine's tables.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a marked access orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Nothing: `atomic_read()`, `READ_ONCE()`, `atomic_inc()`.
    Relaxed,
    /// What follows stays after it: `smp_load_acquire()`, `rcu_dereference()`.
    Acquire,
    /// What precedes stays before it: `smp_store_release()`, `rcu_assign_pointer()`.
    Release,
    /// Both: read-modify-write operations that return a value.
    Full,
}

impl Order {
    /// Whether the task learns what happened before the value was released.
    pub fn acquires(self) -> bool {
        matches!(self, Order::Acquire | Order::Full)
    }
    /// Whether the task passes on what happened before.
    pub fn releases(self) -> bool {
        matches!(self, Order::Release | Order::Full)
    }
}

/// What to do to a cell. The answer is always the old value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// Leave it.
    Read,
    /// Replace it without looking.
    Write(i64),
    /// Add to it.
    Add(i64),
    /// Add to it unless it is `unless`.
    AddUnless {
        /// What to add.
        delta: i64,
        /// The value to leave alone.
        unless: i64,
    },
    /// Add 1 to it if it is below this.
    IncBelow(i64),
    /// Subtract 1 from it if it is positive.
    DecIfPositive,
    /// Replace it.
    Xchg(i64),
    /// Replace it if it is `old`.
    CmpXchg {
        /// What it must be.
        old: i64,
        /// What it becomes.
        new: i64,
    },
}

impl Update {
    /// The new value, if `old` is replaced at all.
    pub fn new_value(self, old: i64) -> Option<i64> {
        match self {
            Update::Read => None,
            Update::Write(new) | Update::Xchg(new) => Some(new),
            Update::Add(delta) => Some(old.wrapping_add(delta)),
            Update::AddUnless { delta, unless } => (old != unless).then(|| old.wrapping_add(delta)),
            Update::IncBelow(limit) => (old < limit).then(|| old + 1),
            Update::DecIfPositive => (old > 0).then(|| old - 1),
            Update::CmpXchg { old: expected, new } => (old == expected).then_some(new),
        }
    }
}

/// How a lock is taken and released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locking {
    /// `spin_lock()`: the CPU spins, preemption is off.
    Spin,
    /// `spin_lock_bh()`: softirqs are off as well.
    SpinBh,
    /// `spin_lock_irq()`: interrupts are off as well.
    SpinIrq,
    /// `spin_lock_irqsave()`: the same, and `spin_unlock_irqrestore()` leaves them as they were before.
    SpinIrqSave,
    /// `mutex_lock()`: the task sleeps.
    Mutex,
    /// `mutex_lock_killable()`: the task sleeps until it is killed. The answer is 0, or -EINTR.
    MutexKillable,
}

impl Locking {
    /// Whether a task that waits for the lock gives up its CPU.
    pub fn sleeps(self) -> bool {
        matches!(self, Locking::Mutex | Locking::MutexKillable)
    }
    /// Whether interrupts are off while the lock is wanted and held.
    pub fn disables_irqs(self) -> bool {
        matches!(self, Locking::SpinIrq | Locking::SpinIrqSave)
    }
}

/// Why a task cannot go on, ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It followed a pointer that leads nowhere.
    BadPointer(BadPointer, Addr),
    /// It took one thing for another: `container_of()` on a list entry of another type.
    TypeConfusion {
        /// Where the link lies.
        link: Addr,
        /// The type it was taken for.
        expected: &'static str,
    },
    /// `BUG_ON()`, with the condition.
    Bug(&'static str),
    /// `panic()`, with the message.
    Panic(&'static str),
    /// It goes round without end and without anything that another CPU could change.
    EndlessLoop,
    /// The limit of simulated memory is reached. Not a bug of the kernel.
    OutOfMemory,
}

/// What a task keeps from taking its CPU away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// `preempt_disable()`: other tasks.
    Preempt,
    /// `local_bh_disable()`: softirqs, and other tasks.
    Bh,
    /// `local_irq_disable()`: interrupts, and so all others.
    Irq,
}

/// An operation that a task announces, and is suspended until the machine has performed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// The first step of every task; the machine announces it on the task's behalf.
    Start,
    /// A marked access. Always possible; the answer is the old value.
    Marked(Addr, Update, Order),
    /// An unmarked access to memory that is shared without a lock: a data race, and a place of its own in the
    /// schedule. The answer is the old value.
    Racy(Addr, Update),
    /// Possible while nobody holds the lock, or when it is killable and the task is killed.
    Lock(Addr, Locking),
    /// `mutex_is_locked()`. The answer is 0 or 1.
    IsLocked(Addr),
    /// Possible while the count is positive. The answer is the count, which becomes 0.
    Wait(Addr),
    /// Always possible.
    RcuReadLock,
    /// Begins a grace period; always possible.
    GraceBegin {
        /// `synchronize_rcu_expedited()`: other CPUs are told by an interrupt, and do not wait for their next tick.
        expedited: bool,
    },
    /// Possible once all readers have left that were inside when the grace period began.
    GraceEnd,
    /// `might_sleep()`, and what for, where tasks may be preempted there; see [`crate::Points`].
    MightSleep(&'static str),
    /// The end of a section without preemption; see [`crate::Points`].
    PreemptEnable,
    /// A place in a critical section where an interrupt may arrive; see [`crate::Points`].
    Interruptible,
    /// `msleep()`: the CPU is given up for so many nanoseconds, and longer if none is free. Always possible
    /// where time does not count.
    Sleep(u64),
    /// The CPU stands still for so many nanoseconds: nobody runs there, and no interrupt arrives. Takes no time where
    /// that does not count.
    Stall(u64),
    /// The next timer interrupt of this CPU. Always possible where time does not count.
    Tick,
    /// Never possible: an oops is an operation that is never answered.
    Fault(Fault),
}

impl Op {
    /// Whether it may have to wait until it is possible.
    #[inline]
    pub fn may_wait(self) -> bool {
        matches!(self, Op::Lock(..) | Op::Wait(_) | Op::GraceEnd | Op::Sleep(_) | Op::Tick)
    }
    /// Whether the task gives up its CPU while the operation is not possible.
    pub fn sleeps(self) -> bool {
        match self {
            Op::Lock(_, locking) => locking.sleeps(),
            _ => self.may_wait(),
        }
    }
}

/// What a task does without learning anything; applied in order, at the end of the step that says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A section begins in which the CPU is not taken away by this.
    Disable(Section),
    /// It ends.
    Enable(Section),
    /// The task has returned to user mode: its CPU is in a quiescent state.
    UserMode,
    /// An object came into being.
    Alloc(Addr),
    /// An allocation failed because a failure was injected.
    AllocFailed(&'static str),
    /// An object is freed.
    Free(Addr),
    /// An unmarked read.
    Read(Addr),
    /// An unmarked write of this value.
    Write(Addr, i64),
    /// A lock is free for others.
    Unlock(Addr, Locking),
    /// The count of something that tasks wait for rises by one.
    Complete(Addr),
    /// What came before is seen by who acquires this count from now on: `smp_mb()` before a store.
    Release(Addr),
    /// What others did before they released this count is seen from now on: `smp_mb()` after a load.
    Acquire(Addr),
    /// A read-side critical section ends.
    RcuReadUnlock,
    /// A task comes into being.
    Spawn(TaskId),
    /// `SIGKILL` is sent to a task.
    Kill(TaskId),
    /// A sleeping function is called: legal only where the task may sleep.
    MightSleep(&'static str),
    /// A kernel function is entered, with its most telling argument.
    Enter(&'static Function, i64),
    /// So many functions are left, innermost first, with nothing in between.
    Leave(u32),
    /// A tracepoint is hit.
    Trace(&'static Tracepoint, i64, i64),
    /// `WARN_ON()`, with the condition.
    Warn(&'static str),
}
