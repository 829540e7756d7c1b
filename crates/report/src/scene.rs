// SPDX-License-Identifier: GPL-2.0-only
//! What a report tells beside the finding itself: who the tasks are, and where the program that runs was.

use machine::{Bus, Loc, TaskId};

/// The circumstances of a finding, while the bus is still that of the run.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// What the run ran on.
    pub bus: &'a Bus,
    /// The CPU that the task was on.
    pub cpu: u32,
    /// Whether the task handled a hardware interrupt.
    pub in_hardirq: bool,
    /// When, in virtual nanoseconds; none without a clock.
    pub time: Option<u64>,
    /// The pids of all tasks, by their numbers.
    pub pids: &'a [i32],
    /// The file of the scenario.
    pub file: &'a str,
    /// Where in it the task was, if it was in a step of it: the step's path and its line.
    pub step: Option<(&'a str, usize)>,
    /// How many of the finding's functions the task was in before it came to the step.
    pub callers: usize,
    /// Whether a place in the source is not the kernel's but of who drives it.
    pub is_of_simulator: fn(Loc) -> bool,
}

impl Scene<'_> {
    /// The pid of a task.
    pub(crate) fn pid(&self, task: TaskId) -> i32 {
        self.pids.get(task.index()).copied().unwrap_or_default()
    }
    /// `crates/netns/src/refs.rs:17`; nothing for a place that is not the kernel's.
    pub(crate) fn place(&self, loc: Loc) -> Option<String> {
        (!(self.is_of_simulator)(loc)).then(|| format!("{}:{}", loc.file(), loc.line()))
    }
    /// `tasks[0].steps[1].put_net`, and `scenarios/a.json:17`.
    pub(crate) fn step(&self) -> Option<(&str, String)> {
        self.step.map(|(path, line)| (path, format!("{}:{line}", self.file)))
    }
}
