// SPDX-License-Identifier: GPL-2.0-only
//! Letting time pass; include/linux/delay.h

use machine::{Op, function};

use crate::{Kernel, future::done};

/// `NSEC_PER_MSEC`
const NSEC_PER_MSEC: u64 = 1_000_000;

/// `NSEC_PER_USEC`
const NSEC_PER_USEC: u64 = 1_000;

impl Kernel {
    /// The CPU stands still for so many virtual nanoseconds, as a virtual one does that its host does not run, or one
    /// in a system management interrupt. Any context.
    #[track_caller]
    pub fn stall(&self, nanoseconds: u64) -> impl Future<Output = ()> {
        done(self.bus.step(Op::Stall(nanoseconds)))
    }

    /// `msleep()`, or `usleep_range()` for a part of a millisecond: so many virtual nanoseconds pass. Without a clock
    /// anybody else may run until then. Process context; a softirq that calls it is reported.
    #[track_caller]
    pub fn sleep(&self, nanoseconds: u64) -> impl Future<Output = ()> {
        self.might_sleep_here("msleep");
        let loc = std::panic::Location::caller();
        async move {
            let (function, time) = match nanoseconds % NSEC_PER_MSEC {
                0 => (function!("msleep"), nanoseconds / NSEC_PER_MSEC),
                _ => (function!("usleep_range"), nanoseconds.div_ceil(NSEC_PER_USEC)),
            };
            let _f = self.enter(function, time.cast_signed());
            self.bus.step_at(Op::Sleep(nanoseconds), loc).await;
        }
    }
}
