// SPDX-License-Identifier: GPL-2.0-only
//! With a clock: the kernel's watchdogs, which complain of what takes too long.
//!
//! They look at multiples of their periods, by a timer, so that no step costs more; a look costs the number of tasks or
//! CPUs. They take no time and change nothing, and do not keep an execution going: where nothing can go on any more, it
//! ends at once.

mod hung_task;
mod lockup;
mod stall;

use machine::{Alarm, Bug, Checker, Look};

pub(crate) use self::lockup::Lockup;
use crate::{observed::Observer, sim::Sim, time::Timer};

const SECOND: u64 = 1_000_000_000;

/// Never.
const NEVER: u64 = u64::MAX;

/// When each of them looks next.
#[derive(Debug, Default)]
pub(crate) struct Watchdog {
    /// The first of them.
    pub(crate) next: u64,
    /// `khungtaskd`
    hung_task: u64,
    /// `watchdog_timer_fn()`
    sample: u64,
    /// The performance counter that raises an NMI.
    nmi: u64,
    /// When the first grace period is too old.
    stall: u64,
    /// `sysctl_hung_task_warnings`
    warnings: u32,
}

/// A look of each kind comes so long after the last.
fn period(seconds: u64) -> u64 {
    if seconds == 0 { NEVER } else { seconds.saturating_mul(SECOND) }
}

impl Sim {
    /// Before an execution.
    pub(crate) fn start_watchdogs<D: Observer>(&mut self, driver: &mut D) {
        let config = self.config.watchdogs;
        self.watchdog = Watchdog {
            next: NEVER,
            hung_task: period(config.hung_task_timeout),
            sample: self.sample_period(),
            nmi: period(config.lockup_thresh),
            stall: NEVER,
            warnings: hung_task::WARNINGS,
        };
        self.find_next_look(driver);
    }

    fn find_next_look<D: Observer>(&mut self, driver: &mut D) {
        let Watchdog { hung_task, sample, nmi, stall, .. } = self.watchdog;
        self.look_at(hung_task.min(sample).min(nmi).min(stall).min(driver.checker().next_timer()));
    }

    /// They look next at this time, if an execution may go on for so long.
    fn look_at(&mut self, time: u64) {
        self.watchdog.next = time;
        if self.time.is_on() && time <= self.config.max_time {
            self.time.set_timer(time, Timer::Watch);
        }
    }

    /// Lets all watchdogs look whose time has come.
    pub(crate) fn watch<D: Observer>(&mut self, now: u64, driver: &mut D) {
        if now != self.watchdog.next {
            return; // a grace period began after this timer was set, and wanted one that was due before
        }
        // A step may have ended a little later.
        self.time.now = now.max(self.time.last);
        if now == self.watchdog.hung_task {
            self.watchdog.hung_task = now.saturating_add(period(self.config.watchdogs.hung_task_timeout));
            self.look_for_hung_tasks(now);
        }
        if now == self.watchdog.sample {
            self.watchdog.sample = now.saturating_add(self.sample_period());
            self.look_for_soft_lockups();
        }
        if now == self.watchdog.nmi {
            self.watchdog.nmi = now.saturating_add(period(self.config.watchdogs.lockup_thresh));
            self.look_for_hard_lockups(now);
        }
        if now >= self.watchdog.stall {
            self.look_for_stalls();
        }
        if now == driver.checker().next_timer() {
            let mut found = Vec::new();
            let look = Look { bus: &self.bus, time: now, cpus: self.config.cpus.max(1) };
            driver.checker().timer(&look, &mut found);
            for (by, bug) in found {
                self.keep_finding(by, bug, None);
            }
        }
        if self.has_untold() {
            driver.time_has_passed(self.time.now);
            self.tell(driver);
        }
        self.find_next_look(driver);
    }

    /// A complaint of what a task does, or waits to do.
    fn complain(&mut self, task: usize, alarm: Alarm) {
        let Some(loc) = self.announced[task].map(|announced| announced.loc) else { return };
        self.found(task, Bug::Watchdog(Box::new(alarm)), loc);
    }
}
