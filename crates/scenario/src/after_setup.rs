// SPDX-License-Identifier: GPL-2.0-only
//! A driver for schedules that speak of tasks only.

use machine::{Choice, Driver, Event, Finding, Op, TaskId};

/// Preempts nobody until the first task has returned, which boots, sets up and starts the others. From there on
/// `inner` decides.
#[derive(Clone, Debug)]
pub struct AfterSetup<D> {
    /// Who decides then.
    pub inner: D,
    set_up: bool,
}

impl<D> AfterSetup<D> {
    /// Nothing is set up yet.
    pub fn new(inner: D) -> Self {
        AfterSetup { inner, set_up: false }
    }
}

impl<D: Driver> Driver for AfterSetup<D> {
    fn choose(&mut self, choice: &Choice<'_>) -> Option<usize> {
        self.set_up |= choice.announced.first().is_none_or(Option::is_none);
        if self.set_up { self.inner.choose(choice) } else { Some(0) }
    }
    fn happened(&mut self, event: &Event) {
        self.inner.happened(event);
    }
    fn found(&mut self, finding: &Finding) {
        self.inner.found(finding);
    }
    fn stuck(&mut self, task: TaskId, op: Op) {
        self.inner.stuck(task, op);
    }
    fn goes_on(&mut self) -> bool {
        self.inner.goes_on()
    }
}
