// SPDX-License-Identifier: GPL-2.0-only
//! Who can go on: operations that are possible, and CPUs to perform them on.
//!
//! Both are kept up to date as things change, so that a step does not cost the number of tasks or CPUs.

use machine::{Announced, ContextKind, Locking, Op, Ready, TaskId};

use crate::{config::Preempt, cpu::Cpu, sim::Sim, tasks::Task, time::Timer};

impl Sim {
    /// `task` waits to perform this, or nothing any more.
    #[inline]
    pub(crate) fn announce(&mut self, task: usize, announced: Option<Announced>) {
        self.announced[task] = announced;
        let possible = match announced {
            Some(Announced { op, .. }) if !op.may_wait() => true,
            _ => self.begin_to_wait(task),
        };
        self.set_ready(task, possible);
    }

    /// `task` has announced something that may take its time, or nothing any more; whether that is possible now.
    fn begin_to_wait(&mut self, task: usize) -> bool {
        let mut possible = true; // where a pointer leads nowhere is nothing: who follows it finds out
        match self.announced[task].map(|announced| announced.op) {
            None => {
                self.leave_cpu(task);
                possible = false;
            }
            Some(op @ (Op::Lock(addr, _) | Op::Wait(addr))) => {
                if let Some(sync) = self.sync_of(addr) {
                    self.begin_waiting(task, sync);
                    possible = self.has_come(task, op, sync);
                }
            }
            Some(Op::GraceEnd) => possible = self.grace_is_over(task),
            Some(op @ (Op::Sleep(_) | Op::Tick)) => {
                self.leave_cpu(task);
                if self.time.is_on() {
                    possible = false;
                    let now = self.time.now;
                    let until = match op {
                        Op::Sleep(time) => now.saturating_add(time),
                        _ => self.time.next_tick(now),
                    };
                    self.time.set_timer(until, Timer::Wake(task as u32));
                }
            }
            Some(_) => {}
        }
        possible
    }

    /// Whether what `task` waits for at `sync` has come. Any waiter may win, but with a clock they are served in the
    /// order in which they came.
    #[inline]
    fn has_come(&self, task: usize, op: Op, sync: usize) -> bool {
        let is_served = !self.time.is_on() || self.syncs[sync].first_waiter == Some(task as u32);
        match op {
            Op::Lock(_, how) => {
                self.syncs[sync].holder.is_none() && is_served
                    || how == Locking::MutexKillable && self.tasks[task].killed
            }
            Op::Wait(_) => self.syncs[sync].count > 0 && is_served,
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
                match possible {
                    _ if possible == self.tasks[task].ready => {}
                    true => self.wake(task),
                    false => self.set_ready(task, false),
                }
            }
            if self.time.is_on() {
                return; // the others wait for this one
            }
            waiter = self.tasks[task].next_waiter;
        }
    }

    fn begin_waiting(&mut self, task: usize, sync: usize) {
        let last = self.syncs[sync].last_waiter.replace(task as u32);
        match last {
            None => self.syncs[sync].first_waiter = Some(task as u32),
            Some(last) => self.tasks[last as usize].next_waiter = Some(task as u32),
        }
    }

    /// `task` does not wait at `sync` any more.
    pub(crate) fn stop_waiting(&mut self, task: usize, sync: usize) {
        let next = self.tasks[task].next_waiter.take();
        let mut before = None;
        let mut waiter = self.syncs[sync].first_waiter;
        while let Some(other) = waiter.filter(|other| *other != task as u32) {
            (before, waiter) = (Some(other), self.tasks[other as usize].next_waiter);
        }
        if waiter.is_none() {
            return; // the list went with an object that is used again
        }
        match before {
            None => self.syncs[sync].first_waiter = next,
            Some(before) => self.tasks[before as usize].next_waiter = next,
        }
        if next.is_none() {
            self.syncs[sync].last_waiter = before;
        }
    }

    /// What `task` waits for has come, by what the running task does: it wakes it, if it sleeps.
    pub(crate) fn wake(&mut self, task: usize) {
        let waiter = &self.tasks[task];
        if self.time.is_on() && waiter.context == ContextKind::Process && !waiter.ready && !waiter.on_cpu {
            self.time.now = self.time.now.saturating_add(self.time.wakeup());
        }
        self.set_ready(task, true);
    }

    #[inline]
    pub(crate) fn set_ready(&mut self, task: usize, ready: bool) {
        let Task { ready: was_ready, on_cpu, .. } = self.tasks[task];
        if ready != was_ready || !on_cpu {
            self.change_ready(task, ready);
        }
    }

    #[inline(never)]
    fn change_ready(&mut self, task: usize, ready: bool) {
        let was_ready = std::mem::replace(&mut self.tasks[task].ready, ready);
        if (ready || was_ready) && self.time.is_on() {
            self.tasks[task].since = self.time.now;
        }
        if !ready && self.announced[task].is_none_or(|announced| announced.op.sleeps()) {
            self.leave_cpu(task);
        }
        self.file(task);
    }

    pub(crate) fn leave_cpu(&mut self, task: usize) {
        let Task { cpu, on_cpu, .. } = &mut self.tasks[task];
        if std::mem::take(on_cpu) {
            let cpu = *cpu as usize;
            self.cpus.all[cpu].current = None;
            self.cpus.able.set(task, false);
            self.refresh(cpu);
            self.touch(cpu);
        }
    }

    /// Puts a task where it is found by those who choose.
    fn file(&mut self, task: usize) {
        let Task { context, ready, on_cpu, bound, cpu, .. } = self.tasks[task];
        self.touch(cpu as usize);
        let is_interrupted = self.cpus.all[cpu as usize].is_interrupted();
        match (context, bound) {
            (ContextKind::Process, _) if on_cpu => self.cpus.able.set(task, ready && !is_interrupted),
            (ContextKind::Process, None) => {
                self.cpus.able.set(task, false);
                if self.time.is_on() && ready && !self.cpus.floating.contains(task) {
                    self.time.waiting.push_back((self.tasks[task].since, task as u32));
                }
                self.cpus.floating.set(task, ready);
            }
            (ContextKind::Process, Some(cpu)) => {
                self.set_queued(task, cpu as usize, ready);
                self.cpus.able.set(task, ready && self.cpus.open.contains(cpu as usize));
            }
            _ => {
                let able = ready && self.may_interrupt(task);
                self.cpus.able.set(task, able);
            }
        }
    }

    fn set_queued(&mut self, task: usize, cpu: usize, queued: bool) {
        if std::mem::replace(&mut self.tasks[task].queued, queued) == queued {
            return;
        }
        let queue = &mut self.cpus.all[cpu].queue;
        if queued {
            queue.push(task as u32);
        } else if let Some(at) = queue.iter().position(|other| *other == task as u32) {
            queue.remove(at);
        }
    }

    /// Whether an interrupt may begin or go on.
    fn may_interrupt(&self, task: usize) -> bool {
        let Task { context, cpu, .. } = self.tasks[task];
        let cpu = &self.cpus.all[cpu as usize];
        if cpu.hardirq.is_some() {
            return cpu.hardirq == Some(task as u32);
        }
        if cpu.softirq == Some(task as u32) {
            return true;
        }
        let keeps_off = |other: usize| match context {
            ContextKind::Softirq => self.tasks[other].bh_count > 0 || self.tasks[other].irq_count > 0,
            _ => self.tasks[other].irq_count > 0,
        };
        if let Some(softirq) = cpu.softirq {
            return context == ContextKind::Hardirq && !keeps_off(softirq as usize);
        }
        cpu.current.is_none_or(|current| !keeps_off(current.index()))
    }

    /// An interrupt has got to its next announcement: it waits to be raised again, or is in the middle of its work.
    fn note_interrupt(&mut self, task: usize) {
        let announced = self.announced[task];
        let is_between = |op: Op| op.sleeps() || matches!(op, Op::Start | Op::GraceBegin { .. });
        let is_active = announced.is_some_and(|announced| !is_between(announced.op));
        let cpu = &mut self.cpus.all[self.tasks[task].cpu as usize];
        let slot = match self.tasks[task].context {
            ContextKind::Hardirq => &mut cpu.hardirq,
            _ => &mut cpu.softirq,
        };
        if is_active {
            if slot.replace(task as u32) != Some(task as u32) {
                self.tasks[task].irqs_off = self.time.now;
            }
        } else if *slot == Some(task as u32) {
            *slot = None;
        }
        if announced.is_none() {
            cpu.interrupts.retain(|other| *other != task as u32); // it has ended, or is dead
        }
        self.cpus.changed = true;
    }

    /// After a step of `task`, or its death.
    #[inline]
    pub(crate) fn note_step(&mut self, task: usize) {
        if self.tasks[task].context != ContextKind::Process {
            self.note_interrupt(task);
        }
        // The voluntary model looks at what a task wants to do.
        if std::mem::take(&mut self.cpus.changed) || self.config.preempt == Preempt::Voluntary {
            self.refresh(self.tasks[task].cpu as usize);
        }
    }

    /// Looks again at who may use a CPU.
    pub(crate) fn refresh(&mut self, cpu: usize) {
        let Cpu { current, ref interrupts, .. } = self.cpus.all[cpu];
        let (is_interrupted, interrupts) = (self.cpus.all[cpu].is_interrupted(), interrupts.len());
        let is_open = !is_interrupted && current.is_none_or(|current| self.is_preemptible(current.index()));
        if is_open != self.cpus.open.contains(cpu) {
            self.cpus.open.set(cpu, is_open);
            self.run_watchdog(cpu);
            for i in 0..self.cpus.all[cpu].queue.len() {
                self.cpus.able.set(self.cpus.all[cpu].queue[i] as usize, is_open);
            }
        }
        self.touch(cpu);
        let is_idle = !is_interrupted && current.is_none();
        self.cpus.idle.set(cpu, is_idle);
        if is_idle {
            self.quiescent(cpu);
        }
        if let Some(current) = current {
            self.cpus.able.set(current.index(), self.tasks[current.index()].ready && !is_interrupted);
        }
        for i in 0..interrupts {
            self.file(self.cpus.all[cpu].interrupts[i] as usize);
        }
    }

    /// Whether the task that has a CPU may lose it where it is.
    fn is_preemptible(&self, current: usize) -> bool {
        match self.config.preempt {
            Preempt::None => false,
            Preempt::Full => !self.tasks[current].is_atomic(),
            Preempt::Voluntary => {
                let might_sleep = |announced: Announced| {
                    announced.op.sleeps() || matches!(announced.op, Op::MightSleep(_) | Op::GraceBegin { .. })
                };
                // A reader has preemption off, but for PREEMPT.
                !self.tasks[current].is_atomic()
                    && self.tasks[current].rcu_nesting == 0
                    && self.announced[current].is_some_and(might_sleep)
            }
        }
    }

    /// The contexts that may go on; `last` ran last.
    #[inline]
    pub(crate) fn ready(&self, last: Option<TaskId>) -> Ready<'_> {
        if self.time.is_on() {
            return Ready::new(last, &self.time.due, &self.cpus.nobody);
        }
        let floating = if self.cpus.open.is_empty() { &self.cpus.nobody } else { &self.cpus.floating };
        Ready::new(last, &self.cpus.able, floating)
    }

    /// The same, and those that are not due yet, or that wait behind others for a CPU that somebody may lose.
    #[inline]
    pub(crate) fn possible(&self, last: Option<TaskId>) -> Ready<'_> {
        Ready::new(last, &self.cpus.able, &self.cpus.floating)
    }

    /// Gives a chosen task its CPU: its own, an idle one, or that of a task that is preempted.
    #[inline]
    pub(crate) fn take_cpu(&mut self, task: usize) {
        let chosen = &self.tasks[task];
        if !chosen.on_cpu && chosen.context == ContextKind::Process {
            self.switch_to(task);
        }
    }

    fn switch_to(&mut self, task: usize) {
        let Task { bound, cpu: last, .. } = self.tasks[task];
        let cpu = match bound {
            Some(cpu) => cpu as usize,
            None if self.cpus.idle.contains(last as usize) => last as usize,
            None => self.cpus.idle.first().or_else(|| self.cpus.open.first()).unwrap_or(last as usize),
        };
        self.switch_on(task, cpu);
    }

    pub(crate) fn switch_on(&mut self, task: usize, cpu: usize) {
        let preempted = self.cpus.all[cpu].current.replace(TaskId(task as u32));
        self.quiescent(cpu); // a context switch
        self.run_watchdog(cpu);
        if let Some(preempted) = preempted {
            self.tasks[preempted.index()].on_cpu = false;
            self.file(preempted.index());
        }
        self.cpus.floating.set(task, false);
        self.set_queued(task, cpu, false);
        self.tasks[task].cpu = cpu as u32;
        self.tasks[task].on_cpu = true;
        self.cpus.changed = true;
    }
}
