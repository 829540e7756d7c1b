// SPDX-License-Identifier: GPL-2.0-only
//! What the machine knows of a task.

use machine::Addr;

use crate::{clock::Row, shadow::Mark};

#[derive(Debug)]
pub(crate) struct Task {
    /// What it may idle on.
    pub(crate) idle: Option<Addr>,
    pub(crate) clock: Row,
    /// The CPU it is bound to.
    pub(crate) bound: Option<u32>,
    /// The CPU it ran on last.
    pub(crate) cpu: u32,
    /// Whether it has that CPU. A softirq never has one: it borrows it.
    pub(crate) on_cpu: bool,
    pub(crate) softirq: bool,
    /// `SIGKILL` is pending.
    pub(crate) killed: bool,
    /// An oops has ended it.
    pub(crate) dead: bool,
    /// Spinlocks that it holds.
    pub(crate) preempt_count: u32,
    /// Of these, those that keep softirqs off.
    pub(crate) bh_count: u32,
    /// How many `rcu_read_lock()` are not unlocked.
    pub(crate) rcu_nesting: u32,
    /// The number and place of its outermost read-side critical section.
    pub(crate) reader: Option<(u64, Mark)>,
    /// The next task that waits for the same thing.
    pub(crate) next_waiter: Option<u32>,
}

impl Task {
    pub(crate) fn new(clock: Row) -> Self {
        Task {
            idle: None,
            clock,
            bound: None,
            cpu: 0,
            on_cpu: false,
            softirq: false,
            killed: false,
            dead: false,
            preempt_count: 0,
            bh_count: 0,
            rcu_nesting: 0,
            reader: None,
            next_waiter: None,
        }
    }
    /// `in_atomic()`
    pub(crate) fn in_atomic(&self) -> bool {
        self.softirq || self.preempt_count > 0
    }
}
