// SPDX-License-Identifier: GPL-2.0-only
//! Grace periods that do not end; `check_cpu_stall()`, kernel/rcu/tree.c, and kernel/rcu/tree_exp.h

use machine::{Access, Alarm, Detected, RcuStall};

use super::{NEVER, period};
use crate::{config::Preempt, sim::Sim};

/// `RCU_STALL_RAT_DELAY`: ticks that the CPUs that are to blame have to notice themselves.
const RAT_DELAY: u64 = 2;

impl Sim {
    /// A grace period has begun.
    pub(crate) fn watch_grace_period(&mut self) {
        if self.time.is_on() {
            let due = self.time.now.saturating_add(period(self.config.watchdogs.rcu_stall_timeout));
            self.watchdog.stall = self.watchdog.stall.min(due);
            if due < self.watchdog.next {
                self.look_at(due);
            }
        }
    }

    /// Complains, once, of each grace period that is too old.
    pub(super) fn look_for_stalls(&mut self) {
        let timeout = period(self.config.watchdogs.rcu_stall_timeout);
        self.watchdog.stall = NEVER;
        for i in 0..self.rcu.graces.len() {
            let grace = &self.rcu.graces[i];
            let (age, due) = (self.time.now.saturating_sub(grace.begun), grace.begun.saturating_add(timeout));
            if grace.has_stalled || self.grace_is_over(grace.task()) {
                continue;
            }
            let next = if age < timeout { Some(due) } else { self.report_stall(i, due) };
            self.watchdog.stall = self.watchdog.stall.min(next.unwrap_or(NEVER));
        }
    }

    /// Complains of one that is too old, or says when to look again.
    fn report_stall(&mut self, grace: usize, due: u64) -> Option<u64> {
        let (waiter, expedited) = (self.rcu.graces[grace].task(), self.rcu.graces[grace].expedited);
        let readers: Vec<usize> = self.grace_waits_for(waiter).map(|reader| reader.index()).collect();
        let runs = |task: usize| self.cpus.all[self.tasks[task].cpu as usize].top().map(|top| top.index());
        let (running, tasks): (Vec<usize>, Vec<usize>) = readers
            .into_iter()
            .partition(|reader| self.tasks[*reader].on_cpu || runs(*reader) == Some(*reader));
        let mut cpus: Vec<usize> = self.grace_waits_for_cpus(waiter).collect();
        cpus.extend(running.iter().map(|reader| self.tasks[*reader].cpu as usize));
        cpus.sort_unstable();
        cpus.dedup();
        // Whoever is to blame and takes ticks notices itself.
        let takes_ticks = |cpu: &usize| {
            let top = self.cpus.all[*cpu].top().map(|task| task.index());
            top.filter(|task| self.irqs_off_since(*task).is_none())
        };
        let itself = cpus.iter().find_map(takes_ticks).filter(|_| !expedited);
        let others = due.saturating_add(RAT_DELAY * self.time.tick);
        if itself.is_none() && !expedited && self.time.now < others {
            return Some(others);
        }
        let other = (0..self.cpus.all.len()).find(|cpu| !cpus.contains(cpu)).unwrap_or_default();
        let detected = match itself {
            Some(_) => Detected::BySelf,
            None if expedited => Detected::Expedited,
            None => Detected::ByOther(other as u32),
        };
        let by = itself.or_else(|| cpus.iter().find_map(|cpu| self.top_of(*cpu))).or(tasks.first().copied());
        let sections = tasks.iter().filter_map(|reader| self.tasks[*reader].reader);
        let tasks: Vec<Access> = sections.map(|(_, mark)| self.access_of(mark)).collect();
        let busy = cpus.iter().filter_map(|cpu| Some((*cpu as u32, self.who_has(*cpu)?))).collect();
        let flavor = if self.config.preempt == Preempt::Full { "rcu_preempt" } else { "rcu_sched" };
        let jiffies = self.time.now.saturating_sub(self.rcu.graces[grace].begun) / self.time.tick;
        let nr_cpus = self.cpus.all.len() as u32;
        self.rcu.graces[grace].has_stalled = true;
        if let Some(by) = by {
            let stall = RcuStall { flavor, detected, nr_cpus, jiffies, cpus: busy, tasks };
            self.complain(by, Alarm::RcuStall(stall));
        }
        None
    }

    fn top_of(&self, cpu: usize) -> Option<usize> {
        self.cpus.all[cpu].top().map(|task| task.index())
    }
}
