// SPDX-License-Identifier: GPL-2.0-only
//! Read-side critical sections and grace periods: a grace period ends when the readers have left that were inside when
//! it began and, in the per-CPU model, every CPU has been in a quiescent state.

use machine::{Loc, TaskId, TaskSet};

use crate::{
    clock::Released,
    config::{Preempt, RcuModel},
    sim::Sim,
};

/// A grace period that a task waits for.
#[derive(Debug)]
pub(crate) struct Grace {
    task: usize,
    /// It waits for the read-side critical sections with lower numbers.
    before: u64,
    /// What those leave behind.
    left: Released,
    /// CPUs that have not been in a quiescent state since it began.
    cpus: TaskSet,
    /// With a clock: when it began.
    pub(crate) begun: u64,
    /// CPUs are interrupted for it.
    pub(crate) expedited: bool,
    /// A watchdog has complained of it.
    pub(crate) has_stalled: bool,
}

impl Grace {
    /// Who waits for it.
    pub(crate) fn task(&self) -> usize {
        self.task
    }
}

/// The machine's one RCU domain.
#[derive(Debug, Default)]
pub(crate) struct Rcu {
    /// The number of the next read-side critical section.
    next: u64,
    /// Those that go on: number and task, by ascending number.
    readers: Vec<(u64, u32)>,
    pub(crate) graces: Vec<Grace>,
    /// Sets that are not needed at present.
    spare: Vec<TaskSet>,
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
            if oldest.is_none_or(|oldest| oldest >= grace.before) {
                self.look_at_grace(i);
            }
        }
        true
    }

    /// Lets who waits for a grace period go on if it is over.
    fn look_at_grace(&mut self, grace: usize) {
        let waiter = self.rcu.graces[grace].task;
        let waits = self.announced[waiter].is_some_and(|announced| announced.op == machine::Op::GraceEnd);
        if waits && self.grace_is_over(waiter) {
            self.set_ready(waiter, true);
        }
    }

    /// A CPU is, for a moment, in no read-side critical section that it could not have left to a preempted task.
    pub(crate) fn quiescent(&mut self, cpu: usize) {
        for i in 0..self.rcu.graces.len() {
            let cpus = &mut self.rcu.graces[i].cpus;
            if cpus.contains(cpu) {
                cpus.set(cpu, false);
                if cpus.is_empty() {
                    self.look_at_grace(i);
                }
            }
        }
    }

    /// A task has returned to user mode.
    pub(crate) fn user_mode(&mut self, task: usize) {
        if self.tasks[task].rcu_nesting == 0 {
            self.quiescent(self.tasks[task].cpu as usize);
        }
    }

    pub(crate) fn grace_begin(&mut self, task: usize, expedited: bool) -> i64 {
        let mut left = Released::default();
        // What has left before also happened before the end.
        self.rcu.left.acquire(&mut self.clocks, self.tasks[task].clock);
        left.add(&mut self.clocks, self.tasks[task].clock, task);
        let mut cpus = self.rcu.spare.pop().unwrap_or_default();
        cpus.clear();
        // With CONFIG_PREEMPT the interrupt finds out whether a CPU is in a reader; without, it asks for a reschedule.
        let is_told = expedited && self.config.preempt == Preempt::Full;
        if self.config.rcu == RcuModel::PerCpu && !is_told {
            for (cpu, of) in self.cpus.all.iter_mut().enumerate() {
                // An idle CPU is in a quiescent state already.
                if !self.cpus.idle.contains(cpu) {
                    cpus.set(cpu, true);
                    of.need_resched |= expedited;
                }
            }
        }
        let (before, begun) = (self.rcu.next, self.time.now);
        self.rcu.graces.push(Grace { task, before, left, cpus, begun, expedited, has_stalled: false });
        self.watch_grace_period();
        0
    }

    pub(crate) fn grace_is_over(&self, task: usize) -> bool {
        let Some(grace) = self.rcu.graces.iter().find(|grace| grace.task == task) else { return true };
        grace.cpus.is_empty() && self.rcu.readers.first().is_none_or(|(oldest, _)| *oldest >= grace.before)
    }

    pub(crate) fn grace_end(&mut self, task: usize) -> i64 {
        if let Some(at) = self.rcu.graces.iter().position(|grace| grace.task == task) {
            let grace = self.rcu.graces.remove(at);
            grace.left.acquire(&mut self.clocks, self.tasks[task].clock);
            grace.left.give_back(&mut self.clocks);
            self.rcu.spare.push(grace.cpus);
        }
        0
    }

    /// The CPUs that the grace period of `task` waits for.
    pub(crate) fn grace_waits_for_cpus(&self, task: usize) -> impl Iterator<Item = usize> {
        let grace = self.rcu.graces.iter().find(|grace| grace.task == task);
        (0..self.cpus.all.len()).filter(move |cpu| grace.is_some_and(|grace| grace.cpus.contains(*cpu)))
    }

    /// The readers that the grace period of `task` waits for.
    pub(crate) fn grace_waits_for(&self, task: usize) -> impl Iterator<Item = TaskId> {
        let before = self.rcu.graces.iter().find(|grace| grace.task == task).map_or(0, |grace| grace.before);
        self.rcu.readers.iter().filter(move |(number, _)| *number < before).map(|(_, task)| TaskId(*task))
    }
}
