// SPDX-License-Identifier: GPL-2.0-only
//! How much virtual time operations and effects take.

use crate::{Effect, Op, Update};

/// What takes how long, in virtual nanoseconds. The defaults are round numbers of a server CPU of 2017; what they are
/// made of is in docs/MODEL.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Costs {
    /// A plain read or write, `READ_ONCE()`, a relaxed atomic read.
    pub access: u64,
    /// An atomic read-modify-write operation.
    pub atomic: u64,
    /// Taking a lock that is free.
    pub lock: u64,
    /// Releasing one.
    pub unlock: u64,
    /// Calling a function.
    pub call: u64,
    /// `kmalloc()` and the like, from a warm cache.
    pub alloc: u64,
    /// `kfree()`
    pub free: u64,
    /// Waking a task that sleeps: for the one who wakes it.
    pub wakeup: u64,
    /// From the choice of another task to its first instruction.
    pub context_switch: u64,
    /// Handling the timer interrupt.
    pub tick: u64,
}

impl Default for Costs {
    fn default() -> Self {
        Costs {
            access: 2,
            atomic: 20,
            lock: 25,
            unlock: 10,
            call: 5,
            alloc: 100,
            free: 60,
            wakeup: 1_000,
            context_switch: 2_000,
            tick: 2_000,
        }
    }
}

impl Costs {
    /// How long an operation takes until it has its effect, once it is possible.
    pub fn of_op(&self, op: Op) -> u64 {
        match op {
            Op::Marked(_, Update::Read | Update::Write(_), _) | Op::Racy(..) | Op::IsLocked(_) => self.access,
            Op::Marked(..) => self.atomic,
            Op::Lock(..) | Op::Wait(_) => self.lock,
            Op::Stall(time) => time,
            Op::RcuReadLock | Op::GraceBegin { .. } => self.access,
            Op::GraceEnd
            | Op::Start
            | Op::MightSleep(_)
            | Op::PreemptEnable
            | Op::Interruptible
            | Op::Sleep(_)
            | Op::Tick
            | Op::Fault(_) => 0,
        }
    }
    /// How long an effect keeps the one who says it from its next operation.
    pub fn of_effect(&self, effect: Effect) -> u64 {
        match effect {
            Effect::Read(_) | Effect::Write(..) => self.access,
            Effect::Release(_) | Effect::Acquire(_) => self.access,
            Effect::Enter(..) => self.call,
            Effect::Alloc(_) | Effect::AllocFailed(_) => self.alloc,
            Effect::Free(_) => self.free,
            Effect::Unlock(..) => self.unlock,
            Effect::Complete(_) => self.lock + self.unlock, // that of its wait queue
            Effect::Kill(_) => self.atomic,
            Effect::Disable(_) | Effect::Enable(_) | Effect::RcuReadUnlock => self.access,
            Effect::Spawn(_)
            | Effect::UserMode
            | Effect::Leave(_)
            | Effect::MightSleep(_)
            | Effect::Trace(..)
            | Effect::Warn(_) => 0,
        }
    }
}

/// Which clock a machine has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clock {
    /// None: whoever can go on may be next. For exploration.
    #[default]
    Untimed,
    /// Operations take virtual time; who is due first is next.
    Timed(Costs),
}
