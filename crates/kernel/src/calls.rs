// SPDX-License-Identifier: GPL-2.0-only
//! Which functions each task is in, for failures of allocations that ask; the filter by stack trace of
//! lib/fault-inject.c

use machine::{Function, TaskId};

use crate::Kernel;

/// The functions that tasks are in, by task.
#[derive(Debug, Default)]
pub(crate) struct Calls(Vec<Vec<&'static str>>);

impl Calls {
    fn of(&mut self, task: TaskId) -> &mut Vec<&'static str> {
        let index = task.index();
        if self.0.len() <= index {
            self.0.resize_with(index + 1, Vec::new);
        }
        &mut self.0[index]
    }
}

impl Kernel {
    /// From now on it is known which functions tasks are in: [`FaultInjection::arm_in`](crate::FaultInjection::arm_in)
    /// asks. Before the first function is entered.
    pub fn watch_calls(&self) {
        self.calls_are_watched.set(true);
    }
    #[inline]
    pub(crate) fn watch_enter(&self, function: &'static Function) {
        if self.calls_are_watched.get() {
            self.push_call(function);
        }
    }
    #[inline]
    pub(crate) fn watch_leave(&self) {
        if self.calls_are_watched.get() {
            self.pop_call();
        }
    }
    #[cold]
    #[inline(never)]
    fn push_call(&self, function: &'static Function) {
        self.calls.borrow_mut().of(self.bus.current().task).push(function.name);
    }
    #[cold]
    #[inline(never)]
    fn pop_call(&self) {
        self.calls.borrow_mut().of(self.bus.current().task).pop();
    }
    /// Who called the innermost function, if that is one of these.
    pub(crate) fn caller_of(&self, wrappers: &[&str]) -> Option<&'static str> {
        match self.calls.borrow_mut().of(self.bus.current().task).as_slice() {
            [.., caller, inner] if wrappers.contains(inner) => Some(caller),
            _ => None,
        }
    }
    /// Whether the running task is in this function.
    pub(crate) fn is_in(&self, function: &str) -> bool {
        self.calls.borrow_mut().of(self.bus.current().task).contains(&function)
    }
}
