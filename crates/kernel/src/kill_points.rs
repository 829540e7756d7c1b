// SPDX-License-Identifier: GPL-2.0-only
//! `SIGKILL` at a point: when a task enters a function for the n-th time.

use machine::{Effect, Function, TaskId};

use crate::Kernel;

/// Points where tasks are killed.
#[derive(Debug, Default)]
pub(crate) struct KillPoints(Vec<KillPoint>);

#[derive(Debug)]
struct KillPoint {
    task: TaskId,
    function: String,
    /// How often it has yet to be entered.
    nth: u64,
}

impl Kernel {
    /// Sends `SIGKILL` to a task at the moment when it enters `function` for the `nth` time from now, counted from 1.
    pub fn kill_at(&self, task: TaskId, function: &str, nth: u64) {
        let nth = nth.max(1);
        self.kill_points.borrow_mut().0.push(KillPoint { task, function: function.to_owned(), nth });
    }
    /// Whether the task has come to each point, in order of arming.
    pub fn kill_points_passed(&self) -> Vec<bool> {
        self.kill_points.borrow().0.iter().map(|point| point.nth == 0).collect()
    }
    /// The running task enters a function.
    #[track_caller]
    #[inline]
    pub(crate) fn pass_kill_points(&self, function: &Function) {
        if !self.kill_points.borrow().0.is_empty() {
            self.come_to(function);
        }
    }
    #[track_caller]
    #[cold]
    fn come_to(&self, function: &Function) {
        let mut points = self.kill_points.borrow_mut();
        let task = self.bus.current().task;
        for point in &mut points.0 {
            if point.nth > 0 && point.task == task && point.function == function.name {
                point.nth -= 1;
                if point.nth == 0 {
                    self.bus.say(Effect::Kill(task));
                }
            }
        }
    }
}
