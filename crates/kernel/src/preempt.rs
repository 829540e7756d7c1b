// SPDX-License-Identifier: GPL-2.0-only
//! Sections in which a CPU is not taken away, and the way back to user mode; include/linux/preempt.h, bottom_half.h,
//! irqflags.h
//!
//! The outermost end of a section is where what is pending runs, so it is awaited; it suspends only where
//! [`Points::release`](machine::Points) asks for it.

use std::panic::Location;

use machine::{Effect, Op, Section};

use crate::{Kernel, future::Maybe};

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
        let loc = Location::caller();
        Maybe(self.interrupts_may_arrive(section).then(|| self.bus.step_at(Op::Interruptible, loc)))
    }
    #[track_caller]
    fn enable(&self, section: Section) -> impl Future<Output = ()> {
        self.bus.say(Effect::Enable(section));
        Maybe(self.bus.points().release.then(|| self.bus.step(Op::PreemptEnable)))
    }
    /// Whether where a section has begun is a place where interrupts arrive that it does not keep off.
    pub(crate) fn interrupts_may_arrive(&self, section: Section) -> bool {
        let points = self.bus.points();
        match section {
            Section::Preempt => points.softirqs || points.hardirqs,
            Section::Bh => points.hardirqs,
            Section::Irq => false,
        }
    }
    /// Says that the task has returned to user mode, where its CPU is in a quiescent state. Process context.
    #[track_caller]
    pub fn return_to_user_mode(&self) {
        self.bus.say(Effect::UserMode);
    }
}
