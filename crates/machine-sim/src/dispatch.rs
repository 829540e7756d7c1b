// SPDX-License-Identifier: GPL-2.0-only
//! With a clock: what each CPU does next, and when.
//!
//! Interrupts come first; then the task that has the CPU, until it sleeps or its time slice is over; then those that
//! wait, first come, first served. A task that is bound to no CPU goes to the one that it ran on last if that is idle,
//! else to any that is.

use std::cmp::Reverse;

use machine::{ContextKind, TaskId};

use crate::{
    config::{Outcome, Preempt, RcuModel},
    observed::Observer,
    sim::Sim,
    time::{Earliest, Timer},
};

/// Longer than this, softirqs do not keep tasks off their CPU: ksoftirqd goes on with them. `MAX_SOFTIRQ_TIME`,
/// kernel/softirq.c
const MAX_SOFTIRQ_TIME: u64 = 2_000_000;

/// More ticks of a CPU on which nothing happens change nothing: a slice may end with the second one, the turn of
/// ksoftirqd with the fourth.
const FRUITLESS_TICKS: usize = 8;

/// So many ticks pass between two questions whether the execution goes on.
const PATIENCE: u64 = 256;

impl Sim {
    /// What this CPU does next may have changed.
    #[inline]
    pub(crate) fn touch(&mut self, cpu: usize) {
        if self.time.is_on() && !std::mem::replace(&mut self.cpus.all[cpu].touched, true) {
            self.time.touched.push(cpu as u32);
        }
    }

    /// Lets time pass until a context is due, or none will ever be.
    pub(crate) fn advance<D: Observer>(&mut self, driver: &mut D) {
        let mut fruitless = 0;
        loop {
            self.settle();
            let due = self.time.earliest.least();
            // What is due at the time of a timer has been going on before.
            if self.time.first_timer().is_none_or(|at| at >= due) {
                break;
            }
            match self.time.pop_timer() {
                Some((at, Timer::Wake(task))) => {
                    self.time.now = at;
                    self.set_ready(task as usize, true);
                }
                Some((at, Timer::Tick(cpu))) => {
                    // Ticks can end a grace period, a time slice and the turn of ksoftirqd, but not more than that.
                    fruitless += usize::from(due == Earliest::NEVER && self.time.sleepers == 0);
                    if fruitless > FRUITLESS_TICKS * self.cpus.all.len() {
                        break;
                    }
                    self.time.now = at;
                    self.tick(cpu as usize);
                    self.time.ticks += 1;
                    // CPUs may spin for long.
                    let is_over = at > self.config.max_time;
                    if is_over || self.steps() + self.time.ticks >= self.config.max_steps {
                        break;
                    }
                    if self.time.ticks.is_multiple_of(PATIENCE) && !driver.goes_on() {
                        self.over = Some(Outcome::Abandoned);
                        break;
                    }
                }
                Some((at, Timer::Watch)) => {
                    if due == Earliest::NEVER && self.time.is_only_watched() {
                        break; // nothing can go on
                    }
                    self.watch(at, driver);
                    if self.over.is_some() {
                        break;
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
            self.cpus.all[cpu].start = next.map_or(0, |(start, _)| start);
            let due = |(start, task): (u64, u32)| start.saturating_add(self.cost_of_next(task as usize));
            self.time.earliest.set(cpu, next.map_or(Earliest::NEVER, due));
            i += 1;
        }
        self.time.touched.clear();
    }

    /// The floating task that has waited longest.
    fn first_waiting(&mut self) -> Option<u32> {
        while let Some(&(since, task)) = self.time.waiting.front() {
            if self.cpus.floating.contains(task as usize) && self.tasks[task as usize].since == since {
                return Some(task);
            }
            self.time.waiting.pop_front(); // it has got a CPU since, or waits for something else
        }
        None
    }

    /// Gives a CPU that is idle, or whose task has to make way, to the task that has waited longest for it. A floating
    /// one goes to another CPU if that is idle.
    fn reschedule(&mut self, cpu: usize) {
        let of = &self.cpus.all[cpu];
        let (is_idle, need_resched) = (of.current.is_none(), of.need_resched);
        if !(is_idle || need_resched) || !self.cpus.open.contains(cpu) {
            return;
        }
        // An operation that goes on is brought to its end.
        if self.next_of(cpu).is_some_and(|(start, _)| start < self.time.now) {
            return;
        }
        let bound = of.queue.first().copied();
        let is_last = self.cpus.idle.len() == usize::from(is_idle);
        let floating = if is_last { self.first_waiting() } else { None };
        let since = |task: &u32| self.tasks[*task as usize].since;
        if let Some(task) = [bound, floating].into_iter().flatten().min_by_key(since) {
            self.run_on(task as usize, cpu);
        } else if need_resched {
            // schedule() finds nobody else.
            self.cpus.all[cpu].need_resched = false;
            self.quiescent(cpu);
        }
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

    /// What a CPU does next, and when it begins with it: what it can begin with first; of what it can begin with at one
    /// time, what interrupts the others.
    fn next_of(&self, cpu: usize) -> Option<(u64, u32)> {
        let of = &self.cpus.all[cpu];
        let start = |task: u32| (of.time.max(self.tasks[task as usize].since), task);
        let current =
            of.current.map(|TaskId(task)| task).filter(|task| self.cpus.able.contains(*task as usize));
        let interrupts = of.interrupts.iter().copied().filter(|task| {
            let is_hardirq = self.tasks[*task as usize].context == ContextKind::Hardirq;
            self.cpus.able.contains(*task as usize)
                && (is_hardirq || of.softirq == Some(*task) || !self.is_ksoftirqds(cpu))
        });
        let rank = |task: u32| Reverse(self.tasks[task as usize].context);
        let all = current.into_iter().chain(interrupts);
        all.map(start).min_by_key(|(time, task)| (*time, rank(*task), *task))
    }

    /// Whether softirqs of a CPU wait for their turn behind its tasks.
    fn is_ksoftirqds(&self, cpu: usize) -> bool {
        let of = &self.cpus.all[cpu];
        of.softirq_time > MAX_SOFTIRQ_TIME && of.current.is_some()
    }

    /// The timer interrupt.
    fn tick(&mut self, cpu: usize) {
        let (now, slice) = (self.time.now, self.time.tick);
        // What goes on ends later by the time that the interrupt takes.
        let begun = self.next_of(cpu).map(|(start, _)| start).filter(|start| *start <= now);
        let of = &mut self.cpus.all[cpu];
        let Some(top) = of.top() else {
            of.has_tick = false; // the CPU is idle: no tick until it is not
            return;
        };
        self.time.set_timer(self.time.next_tick(now), Timer::Tick(cpu as u32));
        if self.tasks[top.index()].irqs_disabled() {
            return; // the interrupt is late; the next one makes up for it
        }
        of.time = begun.unwrap_or(of.time.max(now)).saturating_add(self.time.tick_cost());
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

    /// How long the operation takes that `task` has announced.
    fn cost_of_next(&self, task: usize) -> u64 {
        self.announced[task].map_or(0, |announced| self.time.cost_of(announced.op))
    }

    /// The CPU of `task` was busy with a step until now.
    pub(crate) fn spend_step(&mut self, task: usize) {
        let cpu = self.tasks[task].cpu as usize;
        let (context, now) = (self.tasks[task].context, self.time.now);
        let is_pending = |task: &u32| {
            let task = &self.tasks[*task as usize];
            task.context == ContextKind::Softirq && task.ready
        };
        let of = &mut self.cpus.all[cpu];
        match context {
            ContextKind::Softirq => {
                of.softirq_time += now.saturating_sub(of.start);
                if of.softirq_time > MAX_SOFTIRQ_TIME {
                    of.slice = now; // the tasks' turn
                }
            }
            ContextKind::Process if of.softirq_time > 0 && !of.interrupts.iter().any(is_pending) => {
                of.softirq_time = 0;
            }
            _ => {}
        }
        of.time = now;
        self.time.last = self.time.last.max(now);
        self.touch(cpu);
    }
}
