// SPDX-License-Identifier: GPL-2.0-only
//! Who looks for bugs in what happens: lockdep and the like, and what such an observer may ask the machine.

use crate::{Access, Addr, Bug, Bus, ContextKind, Current, Event, Frame, Loc, Locking, Symbol, What};

/// What a machine knows about the task that an event is about, right after it.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// For a look at memory: what lies behind an address, and what people call it. What it holds by now may be newer
    /// than the event.
    pub bus: &'a Bus,
    /// The task and its CPU.
    pub current: Current,
    /// The task's name.
    pub name: Symbol,
    /// The number of the step.
    pub step: u64,
    /// The context that it runs in.
    pub context: ContextKind,
    /// `preempt_count()`, in the kernel's encoding. include/linux/preempt.h
    pub preempt_count: u32,
    /// `irqs_disabled()`
    pub irqs_disabled: bool,
    /// How many read-side critical sections it is in.
    pub rcu_nesting: u32,
    /// The kernel functions that it is in, outermost first.
    pub stack: &'a [Frame],
}

impl Scene<'_> {
    /// `softirq_count()`: not 0 in a softirq, and where softirqs are kept off.
    pub fn softirq_count(&self) -> u32 {
        self.preempt_count & 0xff00
    }
    /// This task, now, at this place.
    pub fn access(&self, loc: Loc) -> Access {
        Access {
            task: self.name,
            id: self.current.task,
            function: self.stack.last().map_or("start", |frame| frame.function.name),
            loc,
            step: self.step,
        }
    }
}

/// Sees everything that happens, and finds bugs in it. It decides nothing, and changes nothing.
///
/// What it finds goes the way of the machine's own findings, right after the event that it is about.
pub trait Checker {
    /// Whether it looks at anything at all. Where not, no step costs more for it.
    const LOOKS: bool = true;

    /// Forgets everything, before an execution.
    fn reset(&mut self);
    /// Whether it wants to see this. Asked of every operation and effect, so it has to be simple.
    fn looks_at(&self, what: &What) -> bool;
    /// Told of those operations and effects, in order.
    fn happened(&mut self, event: &Event, scene: &Scene<'_>, found: &mut Vec<Bug>);
    /// Told when a task wants a lock, before it can have it: `lock_acquire()` comes first, also where the lock will
    /// never be had.
    fn wants_lock(&mut self, lock: Addr, how: Locking, loc: Loc, scene: &Scene<'_>, found: &mut Vec<Bug>);
    /// Told when a task has returned: `do_exit()`. `loc` is where it did something last.
    fn exited(&mut self, loc: Loc, scene: &Scene<'_>, found: &mut Vec<Bug>);
}

/// Checks nothing.
impl Checker for () {
    const LOOKS: bool = false;

    fn reset(&mut self) {}
    #[inline]
    fn looks_at(&self, _: &What) -> bool {
        false
    }
    fn happened(&mut self, _: &Event, _: &Scene<'_>, _: &mut Vec<Bug>) {}
    fn wants_lock(&mut self, _: Addr, _: Locking, _: Loc, _: &Scene<'_>, _: &mut Vec<Bug>) {}
    fn exited(&mut self, _: Loc, _: &Scene<'_>, _: &mut Vec<Bug>) {}
}
