// SPDX-License-Identifier: GPL-2.0-only
//! Letting time pass; include/linux/delay.h

use machine::{Op, function};

use crate::Kernel;

/// `NSEC_PER_MSEC`
const NSEC_PER_MSEC: u64 = 1_000_000;

impl Kernel {
    /// `msleep()`, `usleep_range()`: so many virtual nanoseconds pass. Without a clock anybody else may run until
    /// then. Process context; a softirq that calls it is reported.
    #[track_caller]
    pub fn sleep(&self, nanoseconds: u64) -> impl Future<Output = ()> {
        self.might_sleep_here("msleep");
        let loc = std::panic::Location::caller();
        async move {
            let msecs = nanoseconds.div_ceil(NSEC_PER_MSEC).cast_signed();
            let _f = self.enter(function!("msleep"), msecs);
            self.bus.step_at(Op::Sleep(nanoseconds), loc).await;
        }
    }
}
