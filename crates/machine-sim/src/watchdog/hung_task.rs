// SPDX-License-Identifier: GPL-2.0-only
//! Tasks that sleep for long where no signal wakes them; kernel/hung_task.c

use machine::{Alarm, Announced, ContextKind, Locking, Op};

use super::period;
use crate::sim::Sim;

/// `sysctl_hung_task_warnings`
pub(super) const WARNINGS: u32 = 10;

/// Functions that do not sleep in `TASK_UNINTERRUPTIBLE` where they wait here: a kthread in
/// `swait_event_interruptible()`, one that looks every 250 ms, and a step that is no kernel code.
const OTHERS: [&str; 3] = ["rcu_gp_kthread", "netdev_wait_allrefs", "barrier"];

impl Sim {
    /// `check_hung_uninterruptible_tasks()`: complains of those that slept at the last look as well, and have not run
    /// since.
    pub(super) fn look_for_hung_tasks(&mut self, now: u64) {
        // After an oops "all bets are off": what waits for a task that is dead is no news.
        if self.tasks.iter().any(|task| task.dead) {
            return;
        }
        let timeout = self.config.watchdogs.hung_task_timeout;
        for task in 0..self.tasks.len() {
            let slept_before = self.tasks[task].since < now - period(timeout);
            if slept_before && self.watchdog.warnings > 0 && self.is_uninterruptible(task) {
                self.watchdog.warnings -= 1;
                let Some(Announced { op, .. }) = self.announced[task] else { continue };
                let (what, holders) = self.waits_for(task, op);
                self.complain(task, Alarm::HungTask { timeout, what, op, holders });
            }
        }
    }

    /// Whether a task sleeps in `TASK_UNINTERRUPTIBLE`. In `mutex_lock_killable()` it does not: `TASK_KILLABLE` is
    /// another state to khungtaskd.
    fn is_uninterruptible(&self, task: usize) -> bool {
        let of = &self.tasks[task];
        let Some(Announced { op, .. }) = self.announced[task].filter(|_| !of.ready) else { return false };
        let stack = &self.stacks[task];
        let is_other = || stack.last().is_some_and(|frame| OTHERS.contains(&frame.function.name));
        of.context == ContextKind::Process
            && match op {
                Op::Lock(_, how) => how == Locking::Mutex,
                Op::Wait(addr) => of.idle != Some(addr) && !is_other(),
                Op::GraceEnd => !is_other(),
                // A task that sleeps outside of all other kernel functions does so in user mode.
                Op::Sleep(_) => stack.len() > 1,
                _ => false,
            }
    }
}
