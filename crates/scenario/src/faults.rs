// SPDX-License-Identifier: GPL-2.0-only
//! Faults of a run: what is armed, by whom, and how often it has fired.

use kernel::TaskId;

use crate::{
    format::SweepFrom,
    scenario::{Fault, Variant},
    world::World,
};

/// Failures that a run may arm.
const MAX_ARMED: usize = 10_000;

/// An allocation failure that was armed.
#[derive(Clone, Debug)]
pub(crate) struct Armed {
    /// The step that did it; none for those of the start.
    pub(crate) step: Option<u32>,
    /// Its place among those of the start.
    pub(crate) index: usize,
    /// What it is, in words.
    pub(crate) what: String,
    pub(crate) fired: u64,
    /// Whether a sweep did it.
    pub(crate) of_sweep: bool,
    /// Whether the kernel still has it.
    live: bool,
}

impl World {
    /// `what`: the kind of allocations, none for all, and the function in which they fail, none for everywhere.
    pub(crate) fn arm(
        &self,
        step: Option<u32>,
        index: usize,
        what: (Option<&str>, Option<&str>),
        nth: u64,
        times: Option<u64>,
    ) {
        self.arm_as(false, step, index, what, nth, times);
    }
    fn arm_as(
        &self,
        of_sweep: bool,
        step: Option<u32>,
        index: usize,
        what: (Option<&str>, Option<&str>),
        nth: u64,
        times: Option<u64>,
    ) {
        if self.armed.borrow().len() >= MAX_ARMED {
            return self.fail(step, format!("more than {MAX_ARMED} failures are armed"));
        }
        let (kind, function) = what;
        self.k().faults.borrow_mut().arm_in(kind, function, nth, times);
        let place = function.map_or_else(String::new, |function| format!(" in {function}()"));
        let what = format!("the failure of `{}` allocations{place}", kind.unwrap_or("any"));
        self.armed.borrow_mut().push(Armed { step, index, what, fired: 0, of_sweep, live: true });
    }
    /// Lets the n-th allocation of a sweep fail, if this is where it begins to count.
    pub(crate) fn sweep(&self, from: SweepFrom) {
        if let (Some(sweep), Variant::Fails(nth)) = (&self.sweep, self.variant)
            && sweep.from == from
        {
            let what = (sweep.kind.kind(), sweep.function.as_deref());
            self.arm_as(true, None, 0, what, nth, Some(1));
        }
    }
    /// Whether the failure of a sweep has fired.
    pub fn sweep_has_fired(&self) -> bool {
        self.armed().iter().any(|armed| armed.of_sweep && armed.fired > 0)
    }
    /// Whether what a sweep begins with is left out.
    pub(crate) fn leaves_out(&self, from: SweepFrom) -> bool {
        self.variant == Variant::Before && self.sweep.as_ref().is_some_and(|sweep| sweep.from == from)
    }
    /// Kills a task when it enters a function, if a fault says so.
    pub(crate) fn arm_kills(&self, index: usize, task: TaskId) {
        for (at, fault) in self.scenario.faults.iter().enumerate() {
            if let Fault::Kill { task: of, function, nth } = fault
                && *of == index
            {
                self.k().kill_at(task, function, *nth);
                self.kills.borrow_mut().push(at);
            }
        }
    }
    /// Everything that was armed, in words, and how often it has fired.
    pub(crate) fn faults(&self) -> Vec<Armed> {
        let mut all = self.armed();
        let passed = self.k().kill_points_passed();
        for (&index, passed) in self.kills.borrow().iter().zip(passed) {
            if let Some(Fault::Kill { task, function, nth }) = self.scenario.faults.get(index) {
                let name = self.scenario.tasks.get(*task).map_or("?", |task| task.name.as_str());
                let what = format!("SIGKILL for {name} at {function}()#{nth}");
                let fired = u64::from(passed);
                all.push(Armed { step: None, index, what, fired, of_sweep: false, live: false });
            }
        }
        all
    }
    /// Disarms all failures; how often they have fired is kept.
    pub(crate) fn disarm(&self) {
        let fired = self.armed();
        *self.armed.borrow_mut() = fired.into_iter().map(|armed| Armed { live: false, ..armed }).collect();
        self.k().faults.borrow_mut().clear();
    }
    /// All failures that were armed, in order.
    pub(crate) fn armed(&self) -> Vec<Armed> {
        let mut all = self.armed.borrow().clone();
        let faults = self.k().faults.borrow();
        for (armed, (_, fired)) in all.iter_mut().filter(|armed| armed.live).zip(faults.fired()) {
            armed.fired = fired;
        }
        all
    }
}
