// SPDX-License-Identifier: GPL-2.0-only
//! With a clock: what each CPU does next, and when.
//!
//! Interrupts come first; then the task that has the CPU, until it sleeps or its time slice is over; then those that
//! wait, first come, first served. A task that is bound to no CPU goes to the one that it ran on last if that is idle,
//! else to any that is.

use std::cmp::Reverse;

use machine::{ContextKind, TaskId};

use crate::{
    config::{Preempt, RcuModel},
    sim::Sim,
    time::{Earliest, Timer},
};

/// Longer than this, softirqs do not keep tasks off their CPU: ksoftirqd goes on with them. `MAX_SOFTIRQ_TIME`,
/// kernel/softirq.c
const MAX_SOFTIRQ_TIME: u64 = 2_000_000;

impl Sim {
    /// What this CPU does next may have changed.
    #[inline]
    pub(crate) fn touch(&mut self, cpu: usize) {
        if self.time.is_on() && !std::mem::replace(&mut self.cpus.all[cpu].touched, true) {
            self.time.touched.push(cpu as u32);
        }
    }

    /// Lets time pass until a context is due, or none will ever be.
    pub(crate) fn advance(&mut self) {
        let mut fruitless = 0;
        loop {
            self.settle();
            let due = self.time.earliest.least();
            if self.time.first_timer().is_none_or(|at| at > due) {
                break;
            }
            // Ticks can end a grace period or a time slice, but not more than that.
            fruitless += usize::from(due == Earliest::NEVER && self.time.sleepers == 0);
            if fruitless > 2 * self.cpus.all.len() {
                break;
            }
            match self.time.pop_timer() {
                Some((at, Timer::Wake(task))) => {
                    self.time.now = at;
                    self.set_ready(task as usize, true);
                }
                Some((at, Timer::Tick(cpu))) => {
                    self.time.now = at;
                    self.tick(cpu as usize);
                    self.time.ticks += 1;
                    let is_over = at > self.config.max_time;
                    if is_over || self.steps() + self.time.ticks >= self.config.max_steps {
                        break; // CPUs may spin for long
                    }
                }
                None => break,
            }
        }
        self.gather();
    }

    /// Collects the contexts that are due first, one of each CPU at most.
    fn gather(&mut self) {
        let time = &mut self.time;
        for task in time.due_list.drain(..) {
            time.due.set(task as usize, false);
        }
        let (next, due, list) = (&time.next, &mut time.due, &mut time.due_list);
        time.earliest.for_each_least(|cpu| {
            due.set(next[cpu] as usize, true);
            list.push(next[cpu]);
        });
        if !time.due_list.is_empty() {
            time.now = time.earliest.least();
            time.began = time.now;
        }
    }

    /// Gives CPUs to tasks that wait for one, and looks again at what each CPU does next.
    fn settle(&mut self) {
        let mut i = 0;
        while let Some(&cpu) = self.time.touched.get(i) {
            self.reschedule(cpu as usize);
            i += 1;
        }
        while let Some((task, idle)) = self.first_waiting().zip(self.cpus.idle.first()) {
            self.time.waiting.pop_front();
            let last = self.tasks[task as usize].cpu as usize;
            let cpu = if self.cpus.idle.contains(last) { last } else { idle };
            self.run_on(task as usize, cpu);
        }
        let mut i = 0;
        while let Some(&cpu) = self.time.touched.get(i) {
            let cpu = cpu as usize;
            self.cpus.all[cpu].touched = false;
            let next = self.next_of(cpu);
            self.time.next[cpu] = next.map_or(0, |(_, task)| task);
            self.time.earliest.set(cpu, next.map_or(Earliest::NEVER, |(time, _)| time));
            i += 1;
        }
        self.time.touched.clear();
    }

    /// The floating task that has waited longest.
    fn first_waiting(&mut self) -> Option<u32> {
        while let Some(&task) = self.time.waiting.front() {
            if self.cpus.floating.contains(task as usize) {
                return Some(task);
            }
            self.time.waiting.pop_front(); // it has got a CPU, or waits for something else
        }
        None
    }

    /// Gives a CPU that is idle, or whose task has to make way, to the task that has waited longest for it.
    fn reschedule(&mut self, cpu: usize) {
        let of = &self.cpus.all[cpu];
        let is_free = of.current.is_none() || of.need_resched;
        if !is_free || !self.cpus.open.contains(cpu) {
            return;
        }
        let bound = of.queue.first().copied();
        let floating = self.first_waiting();
        let since = |task: &u32| self.tasks[*task as usize].since;
        let Some(task) = [bound, floating].into_iter().flatten().min_by_key(since) else { return };
        self.run_on(task as usize, cpu);
    }

    fn run_on(&mut self, task: usize, cpu: usize) {
        let since = self.tasks[task].since;
        let of = &mut self.cpus.all[cpu];
        let start = of.time.max(since);
        of.time = start.saturating_add(self.time.context_switch());
        of.slice = of.time;
        of.need_resched = false;
        if let Some(preempted) = of.current {
            self.tasks[preempted.index()].since = start;
        }
        if !std::mem::replace(&mut of.has_tick, true) {
            self.time.set_timer(self.time.next_tick(start), Timer::Tick(cpu as u32));
        }
        self.switch_on(task, cpu);
        self.refresh(cpu);
    }

    /// What a CPU does next, and when: what is due first; of what is due at one time, what interrupts the others.
    fn next_of(&self, cpu: usize) -> Option<(u64, u32)> {
        let of = &self.cpus.all[cpu];
        let due = |task: u32| (of.time.max(self.tasks[task as usize].since), task);
        let current =
            of.current.map(|TaskId(task)| task).filter(|task| self.cpus.able.contains(*task as usize));
        let interrupts = of.interrupts.iter().copied().filter(|task| {
            let is_hardirq = self.tasks[*task as usize].context == ContextKind::Hardirq;
            self.cpus.able.contains(*task as usize)
                && (is_hardirq || of.softirq == Some(*task) || !self.is_ksoftirqds(cpu))
        });
        let rank = |task: u32| Reverse(self.tasks[task as usize].context);
        let all = current.into_iter().chain(interrupts);
        all.map(due).min_by_key(|(time, task)| (*time, rank(*task), *task))
    }

    /// Whether softirqs of a CPU wait for their turn behind its tasks.
    fn is_ksoftirqds(&self, cpu: usize) -> bool {
        let of = &self.cpus.all[cpu];
        of.softirq_time > MAX_SOFTIRQ_TIME && of.current.is_some()
    }

    /// The timer interrupt.
    fn tick(&mut self, cpu: usize) {
        let (now, slice) = (self.time.now, self.time.tick);
        let of = &mut self.cpus.all[cpu];
        let Some(top) = of.top() else {
            of.has_tick = false; // the CPU is idle: no tick until it is not
            return;
        };
        self.time.set_timer(self.time.next_tick(now), Timer::Tick(cpu as u32));
        if self.tasks[top.index()].irqs_disabled() {
            return; // the interrupt is late; the next one makes up for it
        }
        of.time = of.time.max(now).saturating_add(self.time.tick_cost());
        if now >= of.slice.saturating_add(slice) {
            if of.softirq_time > MAX_SOFTIRQ_TIME {
                (of.softirq_time, of.slice) = (0, now); // ksoftirqd's turn
            } else if !of.queue.is_empty() || !self.cpus.floating.is_empty() {
                of.need_resched = true;
            }
        }
        let is_reading = |task: TaskId| self.tasks[task.index()].rcu_nesting > 0;
        let is_quiescent = !of.is_interrupted() && !of.current.is_some_and(is_reading);
        // Without CONFIG_PREEMPT a task that is not in a reader has not said so. kernel/rcu/tree_plugin.h,
        // rcu_preempt_check_callbacks()
        if is_quiescent && self.config.rcu == RcuModel::PerCpu && self.config.preempt == Preempt::Full {
            self.quiescent(cpu);
        }
        self.touch(cpu);
    }

    /// When a context will have performed its operation that has just become possible.
    pub(crate) fn ready_since(&self, task: usize) -> u64 {
        self.time.now.saturating_add(self.cost_of_next(task))
    }

    /// How long the operation takes that `task` has announced.
    fn cost_of_next(&self, task: usize) -> u64 {
        self.announced[task].map_or(0, |announced| self.time.cost_of(announced.op))
    }

    /// The CPU of `task` was busy with a step until now, and goes on with the next operation if that is possible.
    pub(crate) fn spend_step(&mut self, task: usize) {
        let cpu = self.tasks[task].cpu as usize;
        let (context, now) = (self.tasks[task].context, self.time.now);
        let next = if self.tasks[task].ready { self.cost_of_next(task) } else { 0 };
        let is_pending = |task: &u32| {
            let task = &self.tasks[*task as usize];
            task.context == ContextKind::Softirq && task.ready
        };
        let of = &mut self.cpus.all[cpu];
        match context {
            ContextKind::Softirq => {
                of.softirq_time += now - self.time.began + next;
                if of.softirq_time > MAX_SOFTIRQ_TIME {
                    of.slice = now; // the tasks' turn
                }
            }
            ContextKind::Process if of.softirq_time > 0 && !of.interrupts.iter().any(is_pending) => {
                of.softirq_time = 0;
            }
            _ => {}
        }
        of.time = now.saturating_add(next);
        self.time.last = self.time.last.max(now);
        self.touch(cpu);
    }
}
