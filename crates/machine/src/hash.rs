// SPDX-License-Identifier: GPL-2.0-only
//! A number for everything that happened, in order, and for no place in the source.

use crate::{Addr, Effect, Fault, Locking, Op, Update, What};

/// A running hash over all events, of who did what; CPUs and memory orders are left out. Runs with different hashes
/// differ.
///
/// The encoding is stable: recorded hashes depend on it. Whoever changes it raises [`TraceHash::VERSION`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TraceHash(pub u64);

impl TraceHash {
    /// Of the encoding.
    pub const VERSION: u32 = 2;

    /// Adds when the next event begins, in virtual nanoseconds.
    #[inline]
    pub fn add_time(&mut self, time: u64) {
        self.mix(time);
    }
    /// Adds the hash of a whole execution, where several executions have one hash.
    pub fn add_execution(&mut self, execution: TraceHash) {
        self.mix(execution.0);
    }
    /// Adds an event of `task`.
    #[inline(always)]
    pub fn add(&mut self, task: usize, what: &What) {
        let (kind, id, value) = parts(what);
        let word = (kind << 56 | (task as u64) << 40) ^ id;
        self.mix(word ^ value.cast_unsigned().wrapping_mul(0xFF51_AFD7_ED55_8CCD));
    }
    #[inline(always)]
    fn mix(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

fn addr(addr: Addr) -> u64 {
    addr.to_value().cast_unsigned()
}

fn locking(locking: Locking) -> i64 {
    match locking {
        Locking::Spin => 0,
        Locking::SpinBh => 1,
        Locking::SpinIrq => 2,
        Locking::Mutex => 3,
        Locking::MutexKillable => 4,
        Locking::SpinIrqSave => 5,
    }
}

/// What kind of event it is, what it is about, and with what value.
#[inline(always)]
fn parts(what: &What) -> (u64, u64, i64) {
    match what {
        What::Op(op, answer) => match *op {
            Op::Start => (0, 0, 0),
            // Other new values follow from the old ones.
            Op::Marked(cell, Update::Write(new), _) => (1, addr(cell), new),
            Op::Marked(cell, _, _) => (2, addr(cell), *answer),
            Op::Racy(cell, Update::Write(new)) => (3, addr(cell), new),
            Op::Racy(cell, _) => (4, addr(cell), *answer),
            Op::Lock(lock, how) => (5, addr(lock), *answer * 8 + locking(how)),
            Op::IsLocked(lock) => (6, addr(lock), *answer),
            Op::Wait(count) => (7, addr(count), 0),
            Op::RcuReadLock => (8, 0, 0),
            Op::GraceBegin { expedited } => (9, u64::from(expedited), 0),
            Op::GraceEnd => (10, 0, 0),
            Op::MightSleep(what) => (11, crate::name_hash(what), 0),
            Op::PreemptEnable => (12, 0, 0),
            Op::Interruptible => (14, 0, 0),
            Op::Sleep(ns) => (15, ns, 0),
            Op::Tick => (16, 0, 0),
            Op::Stall(ns) => (17, ns, 0),
            Op::Fault(fault) => (13, fault_hash(fault), 0),
        },
        What::Effect(effect) => match *effect {
            Effect::Disable(section) => (48, section as u64, 0),
            Effect::Enable(section) => (49, section as u64, 0),
            Effect::UserMode => (50, 0, 0),
            Effect::Alloc(object) => (32, addr(object), 0),
            Effect::AllocFailed(kind) => (33, crate::name_hash(kind), 0),
            Effect::Free(object) => (34, addr(object), 0),
            Effect::Read(cell) => (35, addr(cell), 0),
            Effect::Write(cell, value) => (36, addr(cell), value),
            Effect::Unlock(lock, how) => (37, addr(lock), locking(how)),
            Effect::Complete(count) => (38, addr(count), 0),
            Effect::Release(count) => (51, addr(count), 0),
            Effect::Acquire(count) => (52, addr(count), 0),
            Effect::RcuReadUnlock => (39, 0, 0),
            Effect::Spawn(task) => (40, u64::from(task.0), 0),
            Effect::Kill(task) => (41, u64::from(task.0), 0),
            Effect::MightSleep(what) => (42, crate::name_hash(what), 0),
            Effect::Enter(function, arg) => (44, function.hash, arg),
            Effect::Leave(n) => (45, u64::from(n), 0),
            Effect::Trace(point, first, second) => (46, point.hash, first.rotate_left(32) ^ second),
            Effect::Warn(what) => (47, crate::name_hash(what), 0),
        },
    }
}

fn fault_hash(fault: Fault) -> u64 {
    match fault {
        Fault::BadPointer(_, cell) => addr(cell),
        Fault::TypeConfusion { link, .. } => addr(link) ^ 1,
        Fault::Bug(what) => crate::name_hash(what),
        Fault::Panic(what) => crate::name_hash(what) ^ 1,
        Fault::EndlessLoop => 2,
        Fault::OutOfMemory => 3,
    }
}
