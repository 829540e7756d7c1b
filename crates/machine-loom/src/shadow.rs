// SPDX-License-Identifier: GPL-2.0-only
//! Loom's judgement whether two accesses are ordered, as a value instead of a panic.

use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
};

use loom::cell::UnsafeCell;
use machine::{Access, Kind, TaskId};

/// Whether `access`, which may touch loom's cells but must not switch threads, is ordered with all before it.
pub(crate) fn ordered(access: impl FnOnce()) -> bool {
    let Err(panic) = catch_unwind(AssertUnwindSafe(access)) else { return true };
    if panic.downcast_ref::<String>().is_some_and(|text| text.starts_with("Causality violation")) {
        return false;
    }
    resume_unwind(panic)
}

/// A loom cell with nothing in it: only its check of causality is wanted. To make one is a write.
pub(crate) struct Shadow(UnsafeCell<()>);

impl Shadow {
    pub(crate) fn new() -> Self {
        Shadow(UnsafeCell::new(()))
    }
    /// Whether all writes come before.
    #[must_use]
    pub(crate) fn read(&self) -> bool {
        ordered(|| self.0.with(|_| ()))
    }
    /// Whether all reads and writes come before.
    #[must_use]
    pub(crate) fn write(&self) -> bool {
        ordered(|| self.0.with_mut(|_| ()))
    }
}

/// Accesses of a class whose members never conflict with each other, only with those of another class: a shadow for
/// each task, which the task writes and the other class reads.
#[derive(Default)]
pub(crate) struct Stamps(RefCell<Vec<(TaskId, Shadow)>>);

impl Stamps {
    /// `task` makes an access of this class; whether those of the other class come before.
    #[must_use]
    pub(crate) fn leave(&self, task: TaskId) -> bool {
        let mut stamps = self.0.borrow_mut();
        let known = stamps.iter().position(|(by, _)| *by == task);
        let index = known.unwrap_or_else(|| {
            stamps.push((task, Shadow::new()));
            stamps.len() - 1
        });
        stamps[index].1.write()
    }
    /// An access of the other class is made; whether those of this one come before.
    #[must_use]
    pub(crate) fn come_before(&self) -> bool {
        self.0.borrow().iter().all(|(_, shadow)| shadow.read())
    }
}

/// An access, as a report needs it.
#[derive(Clone, Copy)]
pub(crate) struct Touch {
    pub(crate) by: Access,
    pub(crate) kind: Kind,
    pub(crate) marked: bool,
}

impl Touch {
    pub(crate) fn conflicts_with(&self, other: &Touch) -> bool {
        let a_write = self.kind != Kind::Read || other.kind != Kind::Read;
        self.by.id != other.by.id && a_write && !(self.marked && other.marked)
    }
}

/// The last accesses of each kind by each task, the latest last. Loom says that an access races, but not with which:
/// a report names the latest that conflicts.
#[derive(Default)]
pub(crate) struct Log(RefCell<Vec<Touch>>);

impl Log {
    pub(crate) fn add(&self, touch: Touch) {
        let mut log = self.0.borrow_mut();
        log.retain(|old| (old.by.id, old.kind, old.marked) != (touch.by.id, touch.kind, touch.marked));
        log.push(touch);
    }
    /// The latest access that `touch` conflicts with.
    pub(crate) fn conflict(&self, touch: &Touch) -> Option<Touch> {
        self.0.borrow().iter().rev().find(|old| old.conflicts_with(touch)).copied()
    }
}
