// SPDX-License-Identifier: GPL-2.0-only
//! `struct mutex`; include/linux/mutex.h, kernel/locking/mutex.c

use machine::{Addr, CellKind, Locking, Op};

use crate::{
    EINTR, Errno, Field, Kernel,
    future::{Answer, Maybe, map},
};

/// `struct mutex`
#[derive(Clone, Copy, Debug)]
pub struct Mutex(Addr);

impl Field for Mutex {
    const CELLS: usize = 1;
    const KIND: CellKind = CellKind::Lock;
    fn at(addr: Addr) -> Self {
        Mutex(addr)
    }
    fn addr(self) -> Addr {
        self.0
    }
}

impl Mutex {
    /// `mutex_lock()`. Process context; sleeps, and no signal wakes it.
    #[track_caller]
    pub fn lock(self, k: &Kernel) -> impl Future<Output = ()> {
        k.might_sleep_here("mutex_lock");
        let loc = std::panic::Location::caller();
        let locking = k.locking_of(self.0, Locking::Mutex, loc);
        Maybe(locking.map(|locking| k.bus.step_at(Op::Lock(self.0, locking), loc)))
    }
    /// `mutex_lock_killable()`. Process context. Takes a free mutex even if `SIGKILL` is pending.
    ///
    /// # Errors
    ///
    /// `EINTR` if it has to sleep and the task is, or is being, killed.
    #[track_caller]
    pub fn lock_killable(self, k: &Kernel) -> impl Future<Output = Result<(), Errno>> {
        k.might_sleep_here("mutex_lock_killable");
        let loc = std::panic::Location::caller();
        let locking = k.locking_of(self.0, Locking::MutexKillable, loc);
        let step = locking.map(|locking| k.bus.step_at(Op::Lock(self.0, locking), loc));
        map(Answer(step), |answer| if answer == 0 { Ok(()) } else { Err(EINTR) })
    }
    /// `mutex_unlock()`. By the task that locked it.
    #[track_caller]
    pub fn unlock(self, k: &Kernel) -> impl Future<Output = ()> {
        let Some(locking) = k.unlocking_of(self.0, Locking::Mutex) else { return Maybe(None) };
        Maybe(Some(k.bus.unlock(self.0, locking)))
    }
    /// `mutex_is_locked()`: by anybody.
    #[track_caller]
    pub fn is_locked(self, k: &Kernel) -> impl Future<Output = bool> {
        let step = k.bus.step(Op::IsLocked(self.0));
        map(step, |answer| answer != 0)
    }
}
