// SPDX-License-Identifier: GPL-2.0-only
//! What the machine knows of its CPUs.

use machine::{TaskId, TaskSet};

use crate::watchdog::Lockup;

/// One CPU: the task that has it, and the interrupts that borrow it.
#[derive(Debug, Default)]
pub(crate) struct Cpu {
    /// The task that the scheduler has given it to.
    pub(crate) current: Option<TaskId>,
    /// The softirq and the hardware interrupt that are in the middle of their work.
    pub(crate) softirq: Option<u32>,
    pub(crate) hardirq: Option<u32>,
    /// All interrupts that arrive here.
    pub(crate) interrupts: Vec<u32>,
    /// Tasks bound to it that could go on and do not have it.
    pub(crate) queue: Vec<u32>,
    /// With a clock: up to when it is busy.
    pub(crate) time: u64,
    /// When it begins with what it does next.
    pub(crate) start: u64,
    /// When its task's time slice began.
    pub(crate) slice: u64,
    /// That time slice is over: `TIF_NEED_RESCHED`.
    pub(crate) need_resched: bool,
    /// How long softirqs have kept it without letting a task go on.
    pub(crate) softirq_time: u64,
    /// Its timer interrupt is on.
    pub(crate) has_tick: bool,
    /// What the lockup detectors know of it.
    pub(crate) lockup: Lockup,
    /// What it does next has to be looked at again.
    pub(crate) touched: bool,
}

impl Cpu {
    pub(crate) fn is_interrupted(&self) -> bool {
        self.softirq.is_some() || self.hardirq.is_some()
    }
    /// Who runs.
    pub(crate) fn top(&self) -> Option<TaskId> {
        self.hardirq.or(self.softirq).map(TaskId).or(self.current)
    }
    fn clear(&mut self) {
        self.interrupts.clear();
        self.queue.clear();
        let (interrupts, queue) = (std::mem::take(&mut self.interrupts), std::mem::take(&mut self.queue));
        *self = Cpu { interrupts, queue, ..Cpu::default() };
    }
}

/// All of them, and the tasks that may run on one.
#[derive(Debug, Default)]
pub(crate) struct Cpus {
    pub(crate) all: Vec<Cpu>,
    /// CPUs without a task or an interrupt.
    pub(crate) idle: TaskSet,
    /// CPUs that a task may have: idle ones, and those whose task may be preempted where it is.
    pub(crate) open: TaskSet,
    /// Contexts that can go on where they are, and tasks bound to an open CPU.
    pub(crate) able: TaskSet,
    /// Tasks that could go on wherever a CPU is open.
    pub(crate) floating: TaskSet,
    /// Whether the running task has changed what may take its CPU.
    pub(crate) changed: bool,
    /// Nobody: what is floating, while no CPU is open.
    pub(crate) nobody: TaskSet,
}

impl Cpus {
    pub(crate) fn reset(&mut self, cpus: u32) {
        self.all.iter_mut().for_each(Cpu::clear);
        self.all.resize_with(cpus.max(1) as usize, Cpu::default);
        for set in [&mut self.idle, &mut self.open, &mut self.able, &mut self.floating] {
            set.clear();
        }
        self.changed = false;
        for cpu in 0..self.all.len() {
            self.idle.set(cpu, true);
            self.open.set(cpu, true);
        }
    }
}
