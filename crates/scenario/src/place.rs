// SPDX-License-Identifier: GPL-2.0-only
//! Where tasks are in the scenario, and what their numbers are: for reports, which should not speak of the simulator.

use kernel::TaskId;
use machine::{ContextKind, Effect, Event, Loc, STEP, What};

use crate::{program::FIRST_PID, world::World};

/// The pid of the worker of a workqueue.
const KWORKER_PID: i32 = 2;
/// The pid of the first CPU's context of RCU callbacks; those of other CPUs follow.
const RCUC_PID: i32 = 3;
/// The pid of the kthread of grace periods.
const RCU_GP_PID: i32 = 98;
/// The pid of the rescuer of a workqueue.
const RESCUER_PID: i32 = 99;
/// No process has a pid from here on: `PID_MAX_LIMIT`.
const BEYOND_PIDS: i32 = 4 << 20;

/// Follows which step every task is in.
#[derive(Clone, Debug, Default)]
pub struct StepWatch {
    tasks: Vec<Inside>,
}

/// What a task is in.
#[derive(Clone, Debug, Default)]
struct Inside {
    /// How many functions.
    functions: usize,
    /// The steps, the innermost last.
    steps: Vec<InStep>,
}

/// A step that a task is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InStep {
    /// Its number; see [`Scenario::place`](crate::Scenario::place).
    pub step: u32,
    /// How many of the functions that the task is in it was in before the step.
    pub callers: usize,
}

impl StepWatch {
    /// To be told of every event, in order.
    #[inline]
    pub fn happened(&mut self, event: &Event) {
        let What::Effect(effect) = event.what else { return };
        match effect {
            Effect::Enter(..) => self.of(event.current.task).functions += 1,
            Effect::Leave(n) => {
                let inside = self.of(event.current.task);
                inside.functions = inside.functions.saturating_sub(n as usize);
            }
            Effect::Trace(point, number, _) if std::ptr::eq(point, &STEP) => {
                self.step(event.current.task, number);
            }
            _ => {}
        }
    }
    #[inline]
    fn of(&mut self, task: TaskId) -> &mut Inside {
        let index = task.index();
        if self.tasks.len() <= index {
            self.tasks.resize_with(index + 1, Inside::default);
        }
        &mut self.tasks[index]
    }
    fn step(&mut self, task: TaskId, number: i64) {
        let inside = self.of(task);
        match u32::try_from(number).ok().and_then(|number| number.checked_sub(1)) {
            Some(step) => inside.steps.push(InStep { step, callers: inside.functions }),
            None => drop(inside.steps.pop()),
        }
    }
    /// The innermost step that a task is in.
    pub fn step_of(&self, task: TaskId) -> Option<InStep> {
        self.tasks.get(task.index())?.steps.last().copied()
    }
}

/// Whether a place in the source is the simulator's own, which means nothing to readers of reports.
pub fn is_of_simulator(loc: Loc) -> bool {
    let here = file!();
    let directory = here.strip_suffix("place.rs").unwrap_or(here);
    loc.file().starts_with(directory)
}

impl World {
    /// Which of the scenario's tasks it is.
    fn index_of(&self, task: TaskId) -> Option<usize> {
        self.tasks.borrow().iter().position(|known| *known == Some(task))
    }
    /// Whether it is the handler of a hardware interrupt.
    pub fn is_hardirq(&self, task: TaskId) -> bool {
        let task = self.index_of(task).and_then(|index| self.scenario.tasks.get(index));
        task.is_some_and(|task| task.context == ContextKind::Hardirq)
    }
    /// The pid of a running context that is called `name`: 1 for the first, that of its process for a task of the
    /// scenario, and a number of its own for a thread of the kernel.
    pub fn pid_of(&self, task: TaskId, name: &str) -> i32 {
        if task.index() == 0 {
            return 1;
        }
        if let Some(index) = self.index_of(task) {
            return FIRST_PID + i32::try_from(index).unwrap_or_default();
        }
        let cpu = name.strip_prefix("rcuc/").and_then(|cpu| cpu.parse::<i32>().ok());
        match cpu {
            Some(cpu) if cpu < RCU_GP_PID - RCUC_PID => RCUC_PID + cpu,
            Some(cpu) => BEYOND_PIDS.saturating_add(cpu),
            None if name.starts_with("rcu_") => RCU_GP_PID,
            None if name.starts_with("kworker/R-") => RESCUER_PID,
            None => KWORKER_PID,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_lie_in_steps() {
        let mut watch = StepWatch::default();
        let (a, b) = (TaskId(1), TaskId(3));
        watch.step(a, 1);
        watch.of(a).functions = 2;
        watch.step(a, 5);
        watch.step(b, 9);
        let first = Some(InStep { step: 0, callers: 0 });
        assert_eq!(watch.step_of(a), Some(InStep { step: 4, callers: 2 }));
        assert_eq!(watch.step_of(b), Some(InStep { step: 8, callers: 0 }));
        assert_eq!(watch.step_of(TaskId(2)), None);
        watch.step(a, 0);
        assert_eq!(watch.step_of(a), first);
        watch.step(a, 0);
        watch.step(a, 0);
        assert_eq!(watch.step_of(a), None);
    }

    #[test]
    fn this_is_the_simulator() {
        assert!(is_of_simulator(std::panic::Location::caller()));
    }
}
