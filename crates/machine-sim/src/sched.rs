// SPDX-License-Identifier: GPL-2.0-only
//! Who can go on: operations that are possible, and CPUs to perform them on.

use machine::{Announced, Locking, Op, TaskId};

use crate::{config::Preempt, sim::Sim};

impl Sim {
    /// `task` waits to perform this, or nothing any more.
    pub(crate) fn announce(&mut self, task: usize, announced: Option<Announced>) {
        self.announced[task] = announced;
        let Some(Announced { op, .. }) = announced else {
            self.ready.set(task, false);
            return self.leave_cpu(task);
        };
        match op {
            Op::Lock(addr, _) | Op::Wait(addr) => {
                let mut possible = true; // where a pointer leads nowhere is nothing: who follows it finds out
                if let Some(sync) = self.sync_of(addr) {
                    self.tasks[task].next_waiter = self.syncs[sync].first_waiter;
                    self.syncs[sync].first_waiter = Some(task as u32);
                    possible = self.has_come(task, op, sync);
                }
                self.set_ready(task, possible);
            }
            Op::GraceEnd => {
                let possible = self.grace_is_over(task);
                self.set_ready(task, possible);
            }
            Op::Fault(_) | Op::Start | Op::Marked(..) | Op::Racy(..) | Op::IsLocked(_) => {
                self.ready.set(task, true);
            }
            Op::RcuReadLock | Op::GraceBegin | Op::MightSleep(_) | Op::PreemptEnable => {
                self.ready.set(task, true);
            }
        }
    }

    /// Whether what `task` waits for at `sync` has come.
    #[inline]
    fn has_come(&self, task: usize, op: Op, sync: usize) -> bool {
        match op {
            Op::Lock(_, how) => {
                self.syncs[sync].holder.is_none() || how == Locking::MutexKillable && self.tasks[task].killed
            }
            Op::Wait(_) => self.syncs[sync].count > 0,
            _ => true,
        }
    }

    /// Looks again at everybody who waits for something at `sync`.
    #[inline]
    pub(crate) fn look_again(&mut self, sync: usize) {
        if let Some(waiter) = self.syncs[sync].first_waiter {
            self.look_again_from(waiter, sync);
        }
    }

    fn look_again_from(&mut self, first: u32, sync: usize) {
        let mut waiter = Some(first);
        while let Some(task) = waiter {
            let task = task as usize;
            if let Some(Announced { op, .. }) = self.announced[task] {
                let possible = self.has_come(task, op, sync);
                self.set_ready(task, possible);
            }
            waiter = self.tasks[task].next_waiter;
        }
    }

    /// `task` does not wait at `sync` any more.
    pub(crate) fn stop_waiting(&mut self, task: usize, sync: usize) {
        let next = self.tasks[task].next_waiter.take();
        let mut waiter = self.syncs[sync].first_waiter;
        if waiter == Some(task as u32) {
            self.syncs[sync].first_waiter = next;
            return;
        }
        while let Some(before) = waiter {
            let before = before as usize;
            waiter = self.tasks[before].next_waiter;
            if waiter == Some(task as u32) {
                self.tasks[before].next_waiter = next;
                return;
            }
        }
    }

    pub(crate) fn set_ready(&mut self, task: usize, ready: bool) {
        self.ready.set(task, ready);
        let sleeps = self.announced[task].is_none_or(|announced| announced.op.sleeps());
        if !ready && sleeps {
            self.leave_cpu(task);
        }
    }

    pub(crate) fn leave_cpu(&mut self, task: usize) {
        let task_ = &mut self.tasks[task];
        if std::mem::take(&mut task_.on_cpu) {
            self.running[task_.cpu as usize] = None;
        }
    }

    /// Fills `self.candidates` with the contexts that may go on, the running one first.
    pub(crate) fn find_candidates(&mut self, last: Option<TaskId>) {
        self.candidates.clear();
        let last = last.map(TaskId::index).filter(|last| self.ready.contains(*last) && self.may_run(*last));
        self.candidates.extend(last.map(|last| TaskId(last as u32)));
        for word in 0..self.ready.words() {
            let mut bits = self.ready.word(word);
            while bits != 0 {
                let task = word * 64 + bits.trailing_zeros() as usize;
                bits &= bits - 1;
                let on_quiet_cpu = self.tasks[task].on_cpu && self.active_softirqs.is_empty();
                if Some(task) != last && (on_quiet_cpu || self.may_run(task)) {
                    self.candidates.push(TaskId(task as u32));
                }
            }
        }
    }

    /// Whether there is a CPU for a task whose operation is possible.
    fn may_run(&self, task: usize) -> bool {
        let number = task;
        let task = &self.tasks[task];
        if task.on_cpu {
            return !self.softirq_is_active(task.cpu, number);
        }
        if task.softirq {
            if self.softirq_is_active(task.cpu, number) {
                return false;
            }
            let interrupted = self.running[task.cpu as usize];
            return interrupted.is_none_or(|current| self.tasks[current.index()].bh_count == 0);
        }
        match task.bound {
            Some(cpu) => self.may_take(cpu),
            None => self.may_take(task.cpu) || (0..self.config.cpus).any(|cpu| self.may_take(cpu)),
        }
    }

    /// Whether a softirq other than `task` is in the middle of its work on a CPU.
    fn softirq_is_active(&self, cpu: u32, task: usize) -> bool {
        self.active_softirqs.iter().any(|other| *other != task && self.tasks[*other].cpu == cpu)
    }

    /// A softirq has got to its next announcement: it waits for work or for a grace period, or is in the middle.
    pub(crate) fn note_softirq(&mut self, task: usize) {
        let waits = |op: Op| matches!(op, Op::Wait(_) | Op::GraceBegin | Op::GraceEnd | Op::Start);
        let active = self.announced[task].is_some_and(|announced| !waits(announced.op));
        self.active_softirqs.retain(|other| *other != task);
        if active {
            self.active_softirqs.push(task);
        }
    }

    /// Whether a CPU is idle, or its task may be preempted where it is.
    fn may_take(&self, cpu: u32) -> bool {
        if self.softirq_is_active(cpu, usize::MAX) {
            return false;
        }
        let Some(current) = self.running[cpu as usize] else { return true };
        let current = current.index();
        match self.config.preempt {
            Preempt::None => false,
            Preempt::Full => self.tasks[current].preempt_count == 0,
            Preempt::Voluntary => {
                let might_sleep = |announced: Announced| {
                    announced.op.sleeps() || matches!(announced.op, Op::MightSleep(_) | Op::GraceBegin)
                };
                self.tasks[current].preempt_count == 0 && self.announced[current].is_some_and(might_sleep)
            }
        }
    }

    /// Gives a chosen task its CPU: its own, an idle one, or that of a task that is preempted.
    pub(crate) fn take_cpu(&mut self, task: usize) {
        let chosen = &self.tasks[task];
        if chosen.on_cpu || chosen.softirq {
            return;
        }
        let idle = |cpu: &u32| self.running[*cpu as usize].is_none();
        let cpu = match chosen.bound {
            Some(cpu) => cpu,
            None => Some(chosen.cpu)
                .filter(idle)
                .or_else(|| (0..self.config.cpus).find(idle))
                .or_else(|| (0..self.config.cpus).find(|cpu| self.may_take(*cpu)))
                .unwrap_or(chosen.cpu),
        };
        if let Some(preempted) = self.running[cpu as usize].replace(TaskId(task as u32)) {
            self.tasks[preempted.index()].on_cpu = false;
        }
        self.tasks[task].cpu = cpu;
        self.tasks[task].on_cpu = true;
    }
}
