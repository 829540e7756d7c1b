// SPDX-License-Identifier: GPL-2.0-only
//! Work that no worker begins with; `wq_watchdog_timer_fn()`, kernel/workqueue.c
//!
//! A pool makes progress when a worker takes an item from its list. An ordered workqueue has one item there at a time,
//! and the others are delayed behind it: so an item that takes long is no lockup, also where others wait for it. All
//! workqueues of the model are ordered, and there is one.

use machine::{Access, Addr, Alarm, Bug, Checker, Effect, Event, Loc, Locking, Look, Scene, What, name_hash};

const QUEUE_WORK: u64 = name_hash("workqueue_queue_work");
const EXECUTE_START: u64 = name_hash("workqueue_execute_start");
const EXECUTE_END: u64 = name_hash("workqueue_execute_end");

const SECOND: u64 = 1_000_000_000;

/// The watchdog of the pool of unbound workers.
#[derive(Debug, Default)]
pub struct WorkqueueWatchdog {
    /// `workqueue.watchdog_thresh`, in seconds; 0 switches it off.
    thresh: u64,
    /// When it looks next.
    next: u64,
    /// What is queued, oldest first, and who queued it.
    pending: Vec<(Addr, Access)>,
    /// A worker runs an item.
    runs: bool,
    /// When a worker last took an item, or the list became one with an item. `watchdog_ts`
    progress: u64,
    /// It has complained since then.
    has_complained: bool,
}

impl WorkqueueWatchdog {
    /// One that complains after so many seconds.
    pub fn new(thresh: u64) -> Self {
        let mut new = WorkqueueWatchdog { thresh, ..Self::default() };
        new.reset();
        new
    }
    fn period(&self) -> u64 {
        if self.thresh == 0 { u64::MAX } else { self.thresh.saturating_mul(SECOND) }
    }
    fn moves(&mut self, time: u64) {
        (self.progress, self.has_complained) = (time, false);
    }
}

impl Checker for WorkqueueWatchdog {
    fn reset(&mut self) {
        self.pending.clear();
        (self.runs, self.progress, self.has_complained) = (false, 0, false);
        self.next = self.period();
    }

    #[inline]
    fn looks_at(&self, what: &What) -> bool {
        match what {
            What::Effect(Effect::Trace(point, ..)) => {
                matches!(point.hash, QUEUE_WORK | EXECUTE_START | EXECUTE_END)
            }
            _ => false,
        }
    }

    fn happened(&mut self, event: &Event, scene: &Scene<'_>, _: &mut Vec<Bug>) {
        let What::Effect(Effect::Trace(point, work, queued)) = event.what else { return };
        let work = Addr::from_value(work);
        match point.hash {
            QUEUE_WORK if queued != 0 => {
                if self.pending.is_empty() && !self.runs {
                    self.moves(event.time);
                }
                self.pending.push((work, scene.access(event.loc)));
            }
            EXECUTE_START => {
                self.pending.retain(|(other, _)| *other != work);
                self.runs = true;
                self.moves(event.time);
            }
            EXECUTE_END => {
                self.runs = false;
                self.moves(event.time); // the next one is delayed no more
            }
            _ => {}
        }
    }

    fn wants_lock(&mut self, _: Addr, _: Locking, _: Loc, _: &Scene<'_>, _: &mut Vec<Bug>) {}
    fn exited(&mut self, _: Loc, _: &Scene<'_>, _: &mut Vec<Bug>) {}

    fn next_timer(&self) -> u64 {
        self.next
    }

    fn timer(&mut self, look: &Look<'_>, found: &mut Vec<(Access, Bug)>) {
        let period = self.period();
        self.next = look.time.saturating_add(period);
        let age = look.time.saturating_sub(self.progress);
        let Some((_, by)) = self.pending.first() else { return };
        if !self.runs && age >= period && !self.has_complained {
            let name = |work| look.bus.inspect(|memory| memory.cell(work).to_string());
            let pending = self.pending.iter().map(|(work, by)| (name(*work), *by)).collect();
            let alarm = Alarm::WorkqueueLockup { cpus: look.cpus, seconds: age / SECOND, pending };
            found.push((*by, Bug::Watchdog(Box::new(alarm))));
            self.has_complained = true;
        }
    }
}
