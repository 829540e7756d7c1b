// SPDX-License-Identifier: GPL-2.0-only
//! What the machine knows of a task.

use machine::{Addr, ContextKind, Section};

use crate::{clock::Row, shadow::Mark};

#[derive(Debug)]
pub(crate) struct Task {
    /// What it may idle on.
    pub(crate) idle: Option<Addr>,
    pub(crate) clock: Row,
    pub(crate) context: ContextKind,
    /// The CPU it is bound to, as every interrupt is.
    pub(crate) bound: Option<u32>,
    /// The CPU it ran on last.
    pub(crate) cpu: u32,
    /// Whether it has that CPU. An interrupt never has one: it borrows it.
    pub(crate) on_cpu: bool,
    /// What it has announced is possible.
    pub(crate) ready: bool,
    /// With a clock: since when it is, or is not.
    pub(crate) since: u64,
    /// Whether it stands in its CPU's queue.
    pub(crate) queued: bool,
    /// `SIGKILL` is pending.
    pub(crate) killed: bool,
    /// An oops has ended it.
    pub(crate) dead: bool,
    /// Spinlocks that it holds, and other sections without preemption.
    pub(crate) preempt_count: u32,
    /// Sections without softirqs.
    pub(crate) bh_count: u32,
    /// Sections without interrupts.
    pub(crate) irq_count: u32,
    /// With a clock: when it has switched interrupts off, or begun to handle one.
    pub(crate) irqs_off: u64,
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
            context: ContextKind::Process,
            bound: None,
            cpu: 0,
            on_cpu: false,
            ready: false,
            since: 0,
            queued: false,
            killed: false,
            dead: false,
            preempt_count: 0,
            bh_count: 0,
            irq_count: 0,
            irqs_off: 0,
            rcu_nesting: 0,
            reader: None,
            next_waiter: None,
        }
    }
    pub(crate) fn count_of(&mut self, section: Section) -> &mut u32 {
        match section {
            Section::Preempt => &mut self.preempt_count,
            Section::Bh => &mut self.bh_count,
            Section::Irq => &mut self.irq_count,
        }
    }
    /// It switches interrupts off, or on again.
    pub(crate) fn irqs_go_off(&mut self, now: u64) {
        if !self.irqs_disabled() {
            self.irqs_off = now;
        }
    }
    /// `irqs_disabled()`: a handler of a hardware interrupt begins with interrupts off.
    pub(crate) fn irqs_disabled(&self) -> bool {
        self.context == ContextKind::Hardirq || self.irq_count > 0
    }
    /// Whether a section or an interrupt keeps the scheduler from its CPU: `!preemptible()`.
    pub(crate) fn is_atomic(&self) -> bool {
        self.kernel_preempt_count() > 0 || self.irqs_disabled()
    }
    /// `preempt_count()`, in the kernel's encoding. include/linux/preempt.h
    pub(crate) fn kernel_preempt_count(&self) -> u32 {
        let interrupt = match self.context {
            ContextKind::Process => 0,
            ContextKind::Softirq => 1 << 8,
            ContextKind::Hardirq => 1 << 16,
        };
        interrupt + (self.bh_count << 9) + self.preempt_count
    }
}
