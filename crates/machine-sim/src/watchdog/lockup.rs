// SPDX-License-Identifier: GPL-2.0-only
//! CPUs that do not schedule, or take no interrupts; kernel/watchdog.c, kernel/watchdog_hld.c
//!
//! Each CPU has a timer and a watchdog thread of the highest priority. The timer's interrupt looks when the thread ran
//! last, and wakes it. An NMI looks whether the timer's interrupt still comes.

use machine::{Alarm, Announced, Op};

use super::{NEVER, SECOND};
use crate::sim::Sim;

/// What the detectors know of a CPU.
#[derive(Debug, Default)]
pub(crate) struct Lockup {
    /// The watchdog thread waits for the CPU.
    is_woken: bool,
    /// When it ran last. `watchdog_touch_ts`
    touched: u64,
    /// `soft_watchdog_warn`
    soft: bool,
    /// How many interrupts of the timer the NMI has seen. `hrtimer_interrupts_saved`
    interrupts: u64,
    /// `hard_watchdog_warn`
    hard: bool,
}

/// `get_timestamp()`: 2^30 ns are near enough to a second.
fn timestamp(time: u64) -> u64 {
    time >> 30
}

impl Sim {
    /// `get_softlockup_thresh()`, in seconds.
    fn soft_lockup_thresh(&self) -> u64 {
        self.config.watchdogs.lockup_thresh.saturating_mul(2)
    }
    /// `set_sample_period()`: five looks before a CPU counts as locked up.
    pub(super) fn sample_period(&self) -> u64 {
        let period = self.soft_lockup_thresh().saturating_mul(SECOND / 5);
        if period == 0 { NEVER } else { period }
    }

    /// The scheduler may take this CPU from its task, or has: `watchdog()`, if it is woken.
    #[inline]
    pub(crate) fn run_watchdog(&mut self, cpu: usize) {
        let lockup = &mut self.cpus.all[cpu].lockup;
        if lockup.is_woken {
            (lockup.is_woken, lockup.touched) = (false, self.time.now);
        }
    }

    /// `watchdog_timer_fn()` on every CPU.
    pub(super) fn look_for_soft_lockups(&mut self) {
        let (now, thresh) = (self.time.now, self.soft_lockup_thresh());
        for cpu in 0..self.cpus.all.len() {
            let top = self.cpus.all[cpu].top().map(|task| task.index());
            let seconds = timestamp(now).saturating_sub(timestamp(self.cpus.all[cpu].lockup.touched));
            let is_late = top.is_some_and(|task| self.irqs_off_since(task).is_some());
            let lockup = &mut self.cpus.all[cpu].lockup;
            if is_late {
                lockup.is_woken = true; // the interrupt comes as soon as it may
                continue;
            }
            let is_stuck = seconds > thresh;
            let is_new = !std::mem::replace(&mut lockup.soft, is_stuck) && is_stuck;
            if let Some(task) = top.filter(|_| is_new) {
                self.complain(task, Alarm::SoftLockup { cpu: cpu as u32, seconds });
            }
            let schedules = self.cpus.open.contains(cpu) && !top.is_some_and(|task| self.is_spinning(task));
            self.cpus.all[cpu].lockup.is_woken = true;
            if schedules {
                self.run_watchdog(cpu);
            }
        }
    }

    /// `watchdog_overflow_callback()` on every CPU.
    pub(super) fn look_for_hard_lockups(&mut self, now: u64) {
        for cpu in 0..self.cpus.all.len() {
            let top = self.cpus.all[cpu].top().map(|task| task.index());
            let since = top.and_then(|task| self.irqs_off_since(task));
            let interrupts = since.unwrap_or(now) / self.sample_period();
            let lockup = &mut self.cpus.all[cpu].lockup;
            let is_hard = std::mem::replace(&mut lockup.interrupts, interrupts) == interrupts;
            let is_new = !std::mem::replace(&mut lockup.hard, is_hard) && is_hard;
            if let Some(task) = top.filter(|_| is_new) {
                self.complain(task, Alarm::HardLockup { cpu: cpu as u32 });
            }
        }
    }

    /// Whether a task spins for a lock. Then the kernel has preemption off.
    fn is_spinning(&self, task: usize) -> bool {
        let waits = self.announced[task].filter(|_| !self.tasks[task].ready);
        waits.is_some_and(|Announced { op, .. }| matches!(op, Op::Lock(_, how) if !how.sleeps()))
    }

    /// Since when its CPU has taken no interrupts. Who spins for a lock that is taken with interrupts off has them off.
    pub(super) fn irqs_off_since(&self, task: usize) -> Option<u64> {
        let of = &self.tasks[task];
        let spins = match self.announced[task] {
            Some(Announced { op: Op::Lock(_, how), .. }) if !of.ready && how.disables_irqs() => {
                Some(of.since)
            }
            _ => None,
        };
        of.irqs_disabled().then_some(of.irqs_off).or(spins)
    }
}
