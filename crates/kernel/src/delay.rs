// SPDX-License-Identifier: GPL-2.0-only
//! Letting time pass; include/linux/delay.h

use machine::{Op, function};

use crate::Kernel;

impl Kernel {
    /// `msleep()`, `usleep_range()`: so many virtual nanoseconds pass. Without a clock anybody else may run until
    /// then. Process context; a softirq that calls it is reported.
    #[track_caller]
    pub fn sleep(&self, nanoseconds: u64) -> impl Future<Output = ()> {
        self.might_sleep_here("msleep");
        let loc = std::panic::Location::caller();
        async move {
            let _f = self.enter(function!("msleep"), i64::try_from(nanoseconds).unwrap_or(i64::MAX));
            self.bus.step_at(Op::Sleep(nanoseconds), loc).await;
        }
    }
}
