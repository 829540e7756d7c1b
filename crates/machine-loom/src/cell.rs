// SPDX-License-Identifier: GPL-2.0-only
//! What loom knows of one cell of memory.

use std::{cell::RefCell, sync::atomic::Ordering};

use loom::sync::atomic::{AtomicI64, fence};
use machine::{CellKind, Order, TaskId, Update};

use crate::{
    shadow::{Log, Shadow, Stamps, ordered},
    sync::{Count, Lock},
};

/// A cell, in the role that the object's layout gives it.
pub(crate) struct CellState {
    /// Unmarked writes are writes of it; everything else reads it.
    shadow: Shadow,
    pub(crate) role: Role,
    pub(crate) log: Log,
}

pub(crate) enum Role {
    Plain,
    Marked(Box<Marked>),
    Lock(Lock),
    Count(Count),
}

impl CellState {
    /// `is_asked` says of a lock that tasks will ask whether it is held.
    pub(crate) fn new(kind: CellKind, is_asked: bool, value: i64) -> Self {
        let role = match kind {
            CellKind::Plain => Role::Plain,
            CellKind::Marked | CellKind::RcuPointer => Role::Marked(Box::new(Marked::new(value))),
            CellKind::Lock => Role::Lock(Lock::new(is_asked)),
            CellKind::Count => Role::Count(Count::new()),
        };
        CellState { shadow: Shadow::new(), role, log: Log::default() }
    }
    /// An unmarked read; whether it is ordered after all writes.
    #[must_use]
    pub(crate) fn read(&self, task: TaskId) -> bool {
        self.shadow.read()
            && match &self.role {
                Role::Marked(marked) => marked.writers.come_before() && marked.readers.leave(task),
                _ => true,
            }
    }
    /// An unmarked write; whether it is ordered after all accesses.
    #[must_use]
    pub(crate) fn write(&self, value: i64) -> bool {
        self.shadow.write()
            && match &self.role {
                Role::Marked(marked) => marked.overwrite(value),
                _ => true,
            }
    }
    /// A marked access, or the use of a lock or count, is about to be made; whether unmarked ones are ordered before.
    #[must_use]
    pub(crate) fn marked_access(&self, task: TaskId, writes: bool) -> bool {
        self.shadow.read()
            && match &self.role {
                Role::Marked(marked) if writes => marked.readers.come_before() && marked.writers.leave(task),
                _ => true,
            }
    }
}

/// A cell that is accessed with marks. Its value is loom's; the one in the bus's memory is the latest, for unmarked
/// reads.
pub(crate) struct Marked {
    value: RefCell<AtomicI64>,
    /// Unmarked reads.
    readers: Stamps,
    /// Marked writes, which conflict with unmarked reads but not with each other.
    writers: Stamps,
}

impl Marked {
    fn new(value: i64) -> Self {
        let value = RefCell::new(AtomicI64::new(value));
        Marked { value, readers: Stamps::default(), writers: Stamps::default() }
    }

    /// An unmarked write is no choice of loom's, and no atomic store: it must be ordered with all others. Whoever is
    /// suspended in the middle of a marked access is not.
    fn overwrite(&self, value: i64) -> bool {
        let Ok(mut cell) = self.value.try_borrow_mut() else { return false };
        ordered(|| cell.with_mut(|cell| *cell = value))
    }

    /// The first half of a full barrier, before the access is looked at: it must not pass the access on.
    pub(crate) fn fence(order: Order) {
        if order == Order::Full {
            fence(Ordering::SeqCst);
        }
    }

    /// The old value, which may be stale where nothing is written. Other threads may run before.
    pub(crate) fn update(&self, update: Update, order: Order) -> i64 {
        let (load, both) = match order {
            Order::Relaxed => (Ordering::Relaxed, Ordering::Relaxed),
            Order::Acquire => (Ordering::Acquire, Ordering::Acquire),
            Order::Release => (Ordering::Relaxed, Ordering::Release),
            Order::Full => (Ordering::Acquire, Ordering::AcqRel),
        };
        let value = self.value.borrow();
        match update {
            Update::Read => value.load(load),
            Update::Write(new) => {
                value.store(new, if order.releases() { Ordering::Release } else { Ordering::Relaxed });
                0
            }
            Update::Add(delta) => value.fetch_add(delta, both),
            Update::Xchg(new) => value.swap(new, both),
            Update::CmpXchg { old, new } => {
                value.compare_exchange(old, new, both, load).unwrap_or_else(|old| old)
            }
            Update::AddUnless { .. } | Update::IncBelow(_) | Update::DecIfPositive => {
                value.fetch_update(both, load, |old| update.new_value(old)).unwrap_or_else(|old| old)
            }
        }
    }
}
