// SPDX-License-Identifier: GPL-2.0-only
//! Read-side critical sections and grace periods, in the abstract: a grace period ends when the readers have left
//! that were inside when it began.

use machine::{Loc, TaskId};

use crate::{clock::Released, sim::Sim};

/// A grace period that a task waits for.
#[derive(Debug)]
pub(crate) struct Grace {
    task: usize,
    /// It waits for the read-side critical sections with lower numbers.
    before: u64,
    /// What those leave behind.
    left: Released,
}

/// The machine's one RCU domain.
#[derive(Debug, Default)]
pub(crate) struct Rcu {
    /// The number of the next read-side critical section.
    next: u64,
    /// Those that go on: number and task, by ascending number.
    readers: Vec<(u64, u32)>,
    graces: Vec<Grace>,
    /// What readers leave for grace periods that begin later.
    left: Released,
}

impl Rcu {
    pub(crate) fn clear(&mut self) {
        self.next = 0;
        self.readers.clear();
        self.graces.clear();
        self.left = Released::default();
    }
}

impl Sim {
    pub(crate) fn rcu_read_lock(&mut self, task: usize, loc: Loc) -> i64 {
        let mark = self.mark(task, loc);
        let reader = &mut self.tasks[task];
        reader.rcu_nesting += 1;
        if reader.rcu_nesting == 1 {
            reader.reader = Some((self.rcu.next, mark));
            self.rcu.readers.push((self.rcu.next, task as u32));
            self.rcu.next += 1;
        }
        0
    }

    /// Whether the task was inside at all.
    pub(crate) fn rcu_read_unlock(&mut self, task: usize) -> bool {
        let reader = &mut self.tasks[task];
        if reader.rcu_nesting == 0 {
            return false;
        }
        reader.rcu_nesting -= 1;
        if reader.rcu_nesting > 0 {
            return true;
        }
        let clock = reader.clock;
        let Some((number, _)) = reader.reader.take() else { return true };
        self.rcu.readers.retain(|(other, _)| *other != number);
        self.rcu.left.add(&mut self.clocks, clock, task);
        let oldest = self.rcu.readers.first().map(|(number, _)| *number);
        for i in 0..self.rcu.graces.len() {
            let grace = &mut self.rcu.graces[i];
            if number < grace.before {
                grace.left.add(&mut self.clocks, clock, task);
            }
            let (waiter, over) = (grace.task, oldest.is_none_or(|oldest| oldest >= grace.before));
            let waits = self.announced[waiter].is_some_and(|announced| announced.op == machine::Op::GraceEnd);
            if over && waits {
                self.set_ready(waiter, true);
            }
        }
        true
    }

    pub(crate) fn grace_begin(&mut self, task: usize) -> i64 {
        let mut left = Released::default();
        // What has left before also happened before the end.
        self.rcu.left.acquire(&mut self.clocks, self.tasks[task].clock);
        left.add(&mut self.clocks, self.tasks[task].clock, task);
        self.rcu.graces.push(Grace { task, before: self.rcu.next, left });
        0
    }

    pub(crate) fn grace_is_over(&self, task: usize) -> bool {
        let Some(grace) = self.rcu.graces.iter().find(|grace| grace.task == task) else { return true };
        self.rcu.readers.first().is_none_or(|(oldest, _)| *oldest >= grace.before)
    }

    pub(crate) fn grace_end(&mut self, task: usize) -> i64 {
        if let Some(at) = self.rcu.graces.iter().position(|grace| grace.task == task) {
            let grace = self.rcu.graces.remove(at);
            grace.left.acquire(&mut self.clocks, self.tasks[task].clock);
            grace.left.give_back(&mut self.clocks);
        }
        0
    }

    /// The readers that the grace period of `task` waits for.
    pub(crate) fn grace_waits_for(&self, task: usize) -> impl Iterator<Item = TaskId> {
        let before = self.rcu.graces.iter().find(|grace| grace.task == task).map_or(0, |grace| grace.before);
        self.rcu.readers.iter().filter(move |(number, _)| *number < before).map(|(_, task)| TaskId(*task))
    }
}
