// SPDX-License-Identifier: GPL-2.0-only
//! What a debug kernel finds: observers of events, one file each.
//!
//! A checker sees what tasks say and do, and what the machine tells of the one that does it ([`Scene`]). It has its own
//! tables and no others: what only a machine can know (what memory was used by whom, and when) is found there.

mod kmemleak;
mod list;
mod lockdep;
mod rcu;
mod refcount;
mod workqueue;

use machine::{Access, Addr, Bug, Checker, Event, Loc, Locking, Look, Scene, What};

pub use kmemleak::{References, unreferenced};
pub use list::DebugList;
pub use lockdep::Lockdep;
pub use rcu::RcuUsage;
pub use refcount::Refcounts;
pub use workqueue::WorkqueueWatchdog;

/// Which checks are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enabled {
    /// [`Lockdep`], CONFIG_PROVE_LOCKING.
    pub lockdep: bool,
    /// [`RcuUsage`], CONFIG_PROVE_RCU.
    pub rcu: bool,
    /// [`DebugList`], CONFIG_DEBUG_LIST.
    pub list: bool,
    /// [`Refcounts`].
    pub refcount: bool,
    /// [`WorkqueueWatchdog`], `workqueue.watchdog_thresh`: seconds, 0 for none.
    pub workqueue_thresh: u64,
}

impl Enabled {
    /// Every check.
    pub const ALL: Self =
        Enabled { lockdep: true, rcu: true, list: true, refcount: true, workqueue_thresh: 30 };
    /// None.
    pub const NONE: Self =
        Enabled { lockdep: false, rcu: false, list: false, refcount: false, workqueue_thresh: 0 };
}

/// All checkers of this crate, as one.
#[derive(Debug)]
pub struct Checkers {
    enabled: Enabled,
    lockdep: Lockdep,
    rcu: RcuUsage,
    list: DebugList,
    refcount: Refcounts,
    workqueue: WorkqueueWatchdog,
}

impl Checkers {
    /// Those that are enabled.
    pub fn new(enabled: Enabled) -> Self {
        Checkers {
            enabled,
            lockdep: Lockdep::default(),
            rcu: RcuUsage,
            list: DebugList,
            refcount: Refcounts,
            workqueue: WorkqueueWatchdog::new(enabled.workqueue_thresh),
        }
    }
    /// Enables others, from the next execution on.
    pub fn enable(&mut self, enabled: Enabled) {
        self.enabled = enabled;
        self.workqueue = WorkqueueWatchdog::new(enabled.workqueue_thresh);
    }
}

impl Checker for Checkers {
    fn reset(&mut self) {
        self.lockdep.reset();
        self.rcu.reset();
        self.workqueue.reset();
    }
    #[inline]
    fn looks_at(&self, what: &What) -> bool {
        // Of what is not enabled too: to ask costs more than to look.
        self.lockdep.looks_at(what)
            || self.rcu.looks_at(what)
            || self.list.looks_at(what)
            || self.refcount.looks_at(what)
            || self.workqueue.looks_at(what)
    }
    #[inline]
    fn wants_lock(&mut self, lock: Addr, how: Locking, loc: Loc, scene: &Scene<'_>, found: &mut Vec<Bug>) {
        if self.enabled.lockdep {
            self.lockdep.wants_lock(lock, how, loc, scene, found);
        }
    }
    #[inline]
    fn happened(&mut self, event: &Event, scene: &Scene<'_>, found: &mut Vec<Bug>) {
        if self.enabled.lockdep {
            self.lockdep.happened(event, scene, found);
        }
        if self.enabled.rcu {
            self.rcu.happened(event, scene, found);
        }
        if self.enabled.list {
            self.list.happened(event, scene, found);
        }
        if self.enabled.refcount {
            self.refcount.happened(event, scene, found);
        }
        if self.enabled.workqueue_thresh > 0 && self.workqueue.looks_at(&event.what) {
            self.workqueue.happened(event, scene, found);
        }
    }
    fn exited(&mut self, loc: Loc, scene: &Scene<'_>, found: &mut Vec<Bug>) {
        if self.enabled.lockdep {
            self.lockdep.exited(loc, scene, found);
        }
        if self.enabled.rcu {
            self.rcu.exited(loc, scene, found);
        }
    }
    fn next_timer(&self) -> u64 {
        self.workqueue.next_timer()
    }
    fn timer(&mut self, look: &Look<'_>, found: &mut Vec<(Access, Bug)>) {
        self.workqueue.timer(look, found);
    }
}
