// SPDX-License-Identifier: GPL-2.0-only
//! Who decides: the one source of choice, and what it may look at.

use crate::{Announced, Current, Effect, Finding, Function, Loc, Op, Ready, Symbol, TaskId};

/// The contexts whose announced operation can be performed now.
#[derive(Clone, Copy, Debug)]
pub struct Choice<'a> {
    /// Who they are.
    pub ready: Ready<'a>,
    /// They, and with a clock those who could go on as well and are not due yet.
    pub possible: Ready<'a>,
    /// Who ran last.
    pub running: Option<TaskId>,
    /// What every task wants to do, by its number.
    pub announced: &'a [Option<Announced>],
    /// The kernel functions that every task is in, outermost first, by its number.
    pub stacks: &'a [Vec<Frame>],
    /// The names of all tasks, by their numbers.
    pub names: &'a [Symbol],
}

impl Choice<'_> {
    /// What a task wants to do, and where.
    pub fn announced(&self, task: TaskId) -> Announced {
        self.announced[task.index()].expect("a ready task has announced an operation")
    }
    /// Whether any choice but 0 takes the processor from a task that could go on.
    pub fn may_preempt(&self) -> bool {
        self.ready.can_go_on().is_some()
    }
}

/// A kernel function that is being run.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    /// Which.
    pub function: &'static Function,
    /// Its most telling argument.
    pub arg: i64,
    /// Where it was entered.
    pub loc: Loc,
}

/// A thing that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// An announced operation was performed, with this answer.
    Op(Op, i64),
    /// An effect was applied.
    Effect(Effect),
}

/// A thing that a task did.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// Who, and on which CPU.
    pub current: Current,
    /// What.
    pub what: What,
    /// The line of kernel code.
    pub loc: Loc,
    /// When, in virtual nanoseconds; 0 without a clock.
    pub time: u64,
}

/// Decides everything that is not determined, and sees everything that happens.
pub trait Driver {
    /// An index into `choice.ready`, 0 being "do not preempt"; nothing ends the execution here.
    fn choose(&mut self, choice: &Choice<'_>) -> Option<usize>;
    /// Told of every operation and effect, in order.
    #[inline]
    fn happened(&mut self, _event: &Event) {}
    /// Told that time has passed since the last event, before what a watchdog finds.
    fn time_has_passed(&mut self, _time: u64) {}
    /// Told of every finding, right after the event that it is about.
    fn found(&mut self, _finding: &Finding) {}
    /// Told at the end of a task that waits for ever for `op`.
    fn stuck(&mut self, _task: TaskId, _op: Op) {}
    /// Asked now and then while virtual time passes and there is nothing to choose: whether the execution goes on.
    fn goes_on(&mut self) -> bool {
        true
    }
}

impl<D: Driver + ?Sized> Driver for &mut D {
    fn choose(&mut self, choice: &Choice<'_>) -> Option<usize> {
        (**self).choose(choice)
    }
    #[inline]
    fn happened(&mut self, event: &Event) {
        (**self).happened(event);
    }
    fn time_has_passed(&mut self, time: u64) {
        (**self).time_has_passed(time);
    }
    fn found(&mut self, finding: &Finding) {
        (**self).found(finding);
    }
    fn stuck(&mut self, task: TaskId, op: Op) {
        (**self).stuck(task, op);
    }
    fn goes_on(&mut self) -> bool {
        (**self).goes_on()
    }
}

/// Two drivers in one: the first decides, both see everything.
#[derive(Debug)]
pub struct Watched<D, W> {
    /// Who decides.
    pub driver: D,
    /// Who watches.
    pub watcher: W,
}

impl<D: Driver, W: Driver> Driver for Watched<D, W> {
    fn choose(&mut self, choice: &Choice<'_>) -> Option<usize> {
        self.driver.choose(choice)
    }
    fn happened(&mut self, event: &Event) {
        self.driver.happened(event);
        self.watcher.happened(event);
    }
    fn time_has_passed(&mut self, time: u64) {
        self.driver.time_has_passed(time);
        self.watcher.time_has_passed(time);
    }
    fn found(&mut self, finding: &Finding) {
        self.driver.found(finding);
        self.watcher.found(finding);
    }
    fn stuck(&mut self, task: TaskId, op: Op) {
        self.driver.stuck(task, op);
        self.watcher.stuck(task, op);
    }
    fn goes_on(&mut self) -> bool {
        self.driver.goes_on() && self.watcher.goes_on()
    }
}
