// SPDX-License-Identifier: GPL-2.0-only
//! `struct completion`; include/linux/completion.h

use machine::{Addr, CellKind, Effect, Op};

use crate::{Field, Kernel};

/// `struct completion`, for a single waiter.
#[derive(Clone, Copy, Debug)]
pub struct Completion(Addr);

impl Field for Completion {
    const CELLS: usize = 1;
    const KIND: CellKind = CellKind::Count;
    fn at(addr: Addr) -> Self {
        Completion(addr)
    }
    fn addr(self) -> Addr {
        self.0
    }
}

impl Completion {
    /// `complete()`. Any context.
    #[track_caller]
    pub fn complete(self, k: &Kernel) {
        k.bus.say(Effect::Complete(self.0));
    }
    /// `wait_for_completion()`: sleeps until there is at least one event; how many there were. It takes them all.
    #[track_caller]
    pub fn wait(self, k: &Kernel) -> impl Future<Output = i64> {
        k.bus.step(Op::Wait(self.0))
    }
}
