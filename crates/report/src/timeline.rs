// SPDX-License-Identifier: GPL-2.0-only
//! The watcher: remembers what a run did, as much as there is room for.

use std::collections::{BTreeMap, VecDeque};

use machine::{Addr, Bus, Choice, Driver, Effect, Event, Finding, Op, Symbol, TaskId, What};

use crate::{
    Paint,
    columns::Columns,
    entry::{Entry, Shown, is_anything, is_telling},
    lines::{Folded, Lines},
    words::Words,
};

/// How much a timeline shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// Functions, locks, changes of marked memory, allocations, tracepoints.
    #[default]
    Telling,
    /// Every access and every check as well.
    Everything,
}

/// Watches a run, and renders it.
///
/// As a [`Driver`] it never preempts. A watcher is asked for its choice too, and the answer is dropped: that is how
/// it sees that a task waits.
#[derive(Debug)]
pub struct Timeline {
    detail: Detail,
    room: usize,
    folded: Folded,
    first: Vec<Entry>,
    last: VecDeque<Entry>,
    left_out: u64,
    depths: Vec<u32>,
    cpus: Vec<u32>,
    names: Vec<Symbol>,
    holders: BTreeMap<Addr, TaskId>,
    /// Who was said to wait.
    waiting: Option<TaskId>,
    /// The time of the last event; 0 without a clock.
    time: u64,
}

impl Timeline {
    /// Remembers at most `room` things: the first and the last of them.
    pub fn new(detail: Detail, room: usize) -> Self {
        Timeline {
            detail,
            room: room.max(2),
            folded: Folded::default(),
            first: Vec::new(),
            last: VecDeque::new(),
            left_out: 0,
            depths: Vec::new(),
            cpus: Vec::new(),
            names: Vec::new(),
            holders: BTreeMap::new(),
            waiting: None,
            time: 0,
        }
    }
    /// Shows of these functions only that they are called, unless `unless` is called in them, or everything is shown.
    #[must_use]
    pub fn folding(mut self, functions: &'static [&'static str], unless: &'static str) -> Self {
        self.folded = Folded { functions, unless };
        self
    }
    /// How many things there was no room for.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }
    /// The timeline as text of about `width` columns, while `bus` is still that of the run.
    pub fn render(&self, bus: &Bus, width: usize, paint: Paint) -> String {
        let words = Words { bus };
        let names: Vec<String> = self.names.iter().map(|name| bus.name(*name)).collect();
        let mut lines = Lines::new(words, &names, self.detail, self.folded, self.time > 0);
        lines.add_all(self.first.iter());
        if self.left_out > 0 {
            lines.gap(self.left_out);
        }
        lines.add_all(self.last.iter());
        Columns::of(&lines.lines, width, paint).render(&lines.lines)
    }

    /// What the last event means, in the words of whoever knows the subsystem: for tracepoints whose arguments are
    /// numbers that only the subsystem understands.
    pub fn in_words(&mut self, text: &str) {
        let Some(entry) = self.last.back_mut().or(self.first.last_mut()) else { return };
        if let Shown::Event(What::Effect(Effect::Trace(point, ..))) = entry.what
            && OPAQUE.iter().any(|prefix| point.name.starts_with(prefix))
        {
            entry.what = Shown::InWords(text.into());
        }
    }

    fn push(&mut self, task: TaskId, what: Shown) {
        let cpu = self.cpus.get(task.index()).copied().unwrap_or(0);
        let depth = self.depths.get(task.index()).copied().unwrap_or(0);
        let entry = Entry { task, cpu, time: self.time, depth, what };
        if self.first.len() < self.room / 2 {
            self.first.push(entry);
            return;
        }
        if self.last.len() >= self.room - self.room / 2 {
            self.last.pop_front();
            self.left_out += 1;
        }
        self.last.push_back(entry);
    }
    fn grow(&mut self, task: TaskId) -> usize {
        let index = task.index();
        if self.depths.len() <= index {
            self.depths.resize(index + 1, 0);
            self.cpus.resize(index + 1, 0);
        }
        index
    }
    fn holder(&self, op: Op) -> Option<TaskId> {
        match op {
            Op::Lock(addr, _) => self.holders.get(&addr).copied(),
            _ => None,
        }
    }
}

/// How the names of tracepoints begin whose arguments say nothing.
const OPAQUE: &[&str] = &["netlink_", "pernet_", "sk_err"];

impl Driver for Timeline {
    fn choose(&mut self, choice: &Choice<'_>) -> Option<usize> {
        if self.names.len() < choice.names.len() {
            self.names.extend_from_slice(&choice.names[self.names.len()..]);
        }
        // The task that ran last has just announced its operation. If that is possible, the task does not wait.
        if let Some(task) = choice.running.filter(|task| !choice.possible.contains(*task))
            && let Some(Some(announced)) = choice.announced.get(task.index())
            && matches!(announced.op, Op::Lock(..) | Op::Wait(_) | Op::GraceEnd)
            && self.waiting != Some(task)
        {
            self.waiting = Some(task);
            self.push(task, Shown::Waits(announced.op, self.holder(announced.op)));
        }
        Some(0)
    }

    fn happened(&mut self, event: &Event) {
        let task = event.current.task;
        let index = self.grow(task);
        self.cpus[index] = event.current.cpu;
        self.time = event.time;
        self.waiting = None;
        let is_shown = match self.detail {
            Detail::Telling => is_telling(&event.what),
            Detail::Everything => is_anything(&event.what),
        };
        if is_shown {
            self.push(task, Shown::Event(event.what));
        }
        match event.what {
            What::Effect(Effect::Enter(..)) => self.depths[index] += 1,
            What::Effect(Effect::Leave(n)) => self.depths[index] = self.depths[index].saturating_sub(n),
            What::Op(Op::Lock(addr, _), 0) => {
                self.holders.insert(addr, task);
            }
            What::Effect(Effect::Unlock(addr, _)) => {
                self.holders.remove(&addr);
            }
            _ => {}
        }
    }

    fn time_has_passed(&mut self, time: u64) {
        self.time = time;
    }
    fn found(&mut self, finding: &Finding) {
        self.grow(finding.by.id);
        self.push(finding.by.id, Shown::Found(finding.to_string().into()));
    }

    fn stuck(&mut self, task: TaskId, op: Op) {
        self.grow(task);
        self.push(task, Shown::Stuck(op, self.holder(op)));
    }
}
