// SPDX-License-Identifier: GPL-2.0-only
//! Sections in which a CPU is not taken away, and the way back to user mode; include/linux/preempt.h, bottom_half.h,
//! irqflags.h
//!
//! The outermost end of a section is where what is pending runs, so it is awaited; it suspends only where
//! [`Points::release`](machine::Points) asks for it.

use std::panic::Location;

use machine::{Effect, Op, Section};

use crate::Kernel;

macro_rules! section {
    ($disable:ident, $enable:ident, $section:expr, $what:literal) => {
        #[doc = concat!("`", stringify!($disable), "()`: keeps off ", $what, ". Any context; nests.")]
        #[track_caller]
        pub fn $disable(&self) -> impl Future<Output = ()> {
            self.disable($section)
        }
        #[doc = concat!("`", stringify!($enable), "()`")]
        #[track_caller]
        pub fn $enable(&self) -> impl Future<Output = ()> {
            self.enable($section)
        }
    };
}

impl Kernel {
    section!(preempt_disable, preempt_enable, Section::Preempt, "other tasks");
    section!(local_bh_disable, local_bh_enable, Section::Bh, "softirqs and other tasks");
    section!(local_irq_disable, local_irq_enable, Section::Irq, "interrupts, softirqs and other tasks");

    #[track_caller]
    fn disable(&self, section: Section) -> impl Future<Output = ()> {
        self.bus.say(Effect::Disable(section));
        self.interruptible_at(section, Location::caller())
    }
    #[track_caller]
    fn enable(&self, section: Section) -> impl Future<Output = ()> {
        self.bus.say(Effect::Enable(section));
        let point = self.bus.points().release.then(|| self.bus.step(Op::PreemptEnable));
        async move {
            if let Some(point) = point {
                point.await;
            }
        }
    }
    /// Where a section has begun that does not keep off every interrupt that there is.
    pub(crate) async fn interruptible_at(&self, section: Section, loc: machine::Loc) {
        let points = self.bus.points();
        let may_arrive = match section {
            Section::Preempt => points.softirqs || points.hardirqs,
            Section::Bh => points.hardirqs,
            Section::Irq => false,
        };
        if may_arrive {
            self.bus.step_at(Op::Interruptible, loc).await;
        }
    }
    /// Says that the task has returned to user mode, where its CPU is in a quiescent state. Process context.
    #[track_caller]
    pub fn return_to_user_mode(&self) {
        self.bus.say(Effect::UserMode);
    }
}
