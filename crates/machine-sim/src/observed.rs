// SPDX-License-Identifier: GPL-2.0-only
//! A driver and a checker as one thing that the machine carries through a run.

use machine::{
    Addr, Announced, Bug, Checker, Choice, Driver, Event, Finding, Loc, Locking, Op, Scene, TaskId, What,
};

use crate::sim::Sim;

/// Who decides, and who looks for bugs.
pub(crate) struct Observed<'a, D: ?Sized, C> {
    pub(crate) driver: &'a mut D,
    pub(crate) checker: &'a mut C,
}

/// A driver with a checker.
pub(crate) trait Observer: Driver {
    type Checker: Checker;
    fn checker(&mut self) -> &mut Self::Checker;
}

impl<D: Driver + ?Sized, C: Checker> Observer for Observed<'_, D, C> {
    type Checker = C;
    #[inline(always)]
    fn checker(&mut self) -> &mut C {
        self.checker
    }
}

impl<D: Driver + ?Sized, C: Checker> Driver for Observed<'_, D, C> {
    #[inline]
    fn choose(&mut self, choice: &Choice<'_>) -> Option<usize> {
        self.driver.choose(choice)
    }
    fn goes_on(&mut self) -> bool {
        self.driver.goes_on()
    }
    #[inline]
    fn happened(&mut self, event: &Event) {
        self.driver.happened(event);
    }
    fn found(&mut self, finding: &Finding) {
        self.driver.found(finding);
    }
    fn stuck(&mut self, task: TaskId, op: Op) {
        self.driver.stuck(task, op);
    }
}

impl Sim {
    /// Shows a checker an event.
    #[inline(never)]
    pub(crate) fn check_event<D: Observer>(&mut self, task: usize, what: What, loc: Loc, driver: &mut D) {
        let event = Event { current: self.current(task), what, loc, time: self.time.now };
        self.check(task, loc, driver, |checker, scene, found| checker.happened(&event, scene, found));
    }

    /// Shows it what a task wants next; nothing if it has returned. `loc` is where it did something last.
    #[inline(always)]
    pub(crate) fn check_announced<D: Observer>(
        &mut self,
        task: usize,
        announced: Option<Announced>,
        loc: Loc,
        driver: &mut D,
    ) {
        if !D::Checker::LOOKS {
            return;
        }
        match announced {
            None => self.check_exit(task, loc, driver),
            Some(Announced { op: Op::Lock(addr, how), loc }) => self.check_lock(task, addr, how, loc, driver),
            Some(_) => {}
        }
    }
    #[inline(never)]
    fn check_lock<D: Observer>(&mut self, task: usize, lock: Addr, how: Locking, loc: Loc, driver: &mut D) {
        self.check(task, loc, driver, |checker, scene, found| {
            checker.wants_lock(lock, how, loc, scene, found);
        });
    }
    #[inline(never)]
    fn check_exit<D: Observer>(&mut self, task: usize, loc: Loc, driver: &mut D) {
        self.check(task, loc, driver, |checker, scene, found| checker.exited(loc, scene, found));
    }

    /// Shows a checker something about `task`, and keeps what it finds there.
    #[inline(always)]
    fn check<D: Observer>(
        &mut self,
        task: usize,
        loc: Loc,
        driver: &mut D,
        show: impl FnOnce(&mut D::Checker, &Scene<'_>, &mut Vec<Bug>),
    ) {
        let Some(of) = self.tasks.get(task) else { return };
        let scene = Scene {
            bus: &self.bus,
            current: self.current(task),
            name: self.names[task],
            step: self.steps,
            context: of.context,
            preempt_count: of.kernel_preempt_count(),
            irqs_disabled: of.irqs_disabled(),
            rcu_nesting: of.rcu_nesting,
            stack: &self.stacks[task],
        };
        show(driver.checker(), &scene, &mut self.bugs);
        if !self.bugs.is_empty() {
            self.found_by_checker(task, loc, driver);
        }
    }

    #[cold]
    fn found_by_checker<D: Driver>(&mut self, task: usize, loc: Loc, driver: &mut D) {
        let mut bugs = std::mem::take(&mut self.bugs);
        for bug in bugs.drain(..) {
            self.found(task, bug, loc);
        }
        self.bugs = bugs;
        self.tell(driver);
    }
}
