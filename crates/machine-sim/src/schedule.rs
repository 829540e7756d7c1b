// SPDX-License-Identifier: GPL-2.0-only
//! Schedules written by people: who runs, and how far, by the names of tasks and kernel functions.
//!
//! ```text
//! put until __put_net, lookup until put_net#2, put*3, lookup
//! ```
//!
//! Each item lets one task run: `until` it has come to an operation in a kernel function (for the second time: `#2`),
//! for a number of operations (`*3`), or as long as it can. After the last item nobody is preempted.

use std::fmt;

use machine::{Announced, Bus, Choice, Driver, Effect, Event, Symbol, TaskId, What};

#[derive(Clone, Debug, PartialEq, Eq)]
enum Until {
    CannotGoOn,
    Steps(u64),
    Function { name: String, nth: u64 },
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Item {
    task: String,
    until: Until,
}

/// A schedule, and how far it has come. It counts calls: who wraps it must tell it what happens.
#[derive(Clone, Debug)]
pub struct Schedule {
    items: Vec<Item>,
    symbols: Vec<Symbol>,
    at: usize,
    /// Operations of the present item.
    steps: u64,
    /// How often its task has entered its function since the item began, or was in it then.
    entered: u64,
    /// The task of the present item, once it was seen.
    task: Option<TaskId>,
    diverged: Option<Diverged>,
}

/// What is wrong with the text of a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleError {
    /// The number of the item, from 0.
    pub item: usize,
    /// The item.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl fmt::Display for ScheduleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "item {} of the schedule, `{}`: {}", self.item + 1, self.text, self.why)
    }
}

/// Why a task could not do what an item asks of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It does not exist, or not yet.
    NoTask,
    /// It has ended, or is dead.
    Ended,
    /// What it wants to do is not possible.
    Waits,
    /// The execution ended first.
    TooShort,
}

/// What a task wanted to do when an execution left its schedule.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// The name of the task.
    pub name: Symbol,
    /// What it wanted.
    pub announced: Announced,
    /// The innermost kernel function that it was in.
    pub function: Option<&'static str>,
    /// Whether that was possible: with a clock, sooner or later.
    pub is_possible: bool,
    /// Whether it could be chosen.
    pub is_ready: bool,
}

/// Where an execution could not follow its schedule.
#[derive(Clone, Debug)]
pub struct Diverged {
    /// The number of the item, from 0.
    pub item: usize,
    /// What was asked for.
    pub wanted: String,
    /// The task that was asked.
    pub task: String,
    /// Why it could not.
    pub why: Why,
    /// How many operations of the item it had performed.
    pub performed: u64,
    /// What all tasks that had not ended wanted then; nothing at the end of the execution.
    pub standing: Vec<Standing>,
}

impl fmt::Display for Diverged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Diverged { item, wanted, task, .. } = self;
        write!(f, "item {} of the schedule, `{wanted}`, cannot be followed: ", item + 1)?;
        match self.why {
            Why::NoTask => write!(f, "there is no task {task} at that moment")?,
            Why::Ended => write!(f, "{task} has ended, or is dead")?,
            Why::Waits => write!(f, "{task} has to wait")?,
            Why::TooShort => write!(f, "the execution ended first")?,
        }
        match self.performed {
            0 => Ok(()),
            1 => write!(f, ", after one operation of this item"),
            n => write!(f, ", after {n} operations of this item"),
        }
    }
}

impl Schedule {
    /// Reads a schedule. Its names are looked up on `bus`; items are separated by commas, semicolons or line ends.
    ///
    /// # Errors
    ///
    /// The first item that is none.
    pub fn parse(bus: &Bus, text: &str) -> Result<Self, ScheduleError> {
        let texts = text.split([',', '\n', ';']).map(str::trim).filter(|item| !item.is_empty());
        let items = texts.enumerate().map(|(item, text)| {
            parse_item(text).map_err(|why| ScheduleError { item, text: text.to_owned(), why })
        });
        let items: Vec<Item> = items.collect::<Result<_, _>>()?;
        let symbols = items.iter().map(|item| bus.intern(&item.task)).collect();
        Ok(Schedule { items, symbols, at: 0, steps: 0, entered: 0, task: None, diverged: None })
    }
    /// The names of the tasks that it speaks of.
    pub fn tasks(&self) -> impl Iterator<Item = &str> {
        self.items.iter().map(|item| item.task.as_str())
    }
    /// Where the execution left it, if it did.
    pub fn diverged(&self) -> Option<&Diverged> {
        self.diverged.as_ref()
    }
    /// An item that an execution never came to, or not to the end of, if it ended before.
    pub fn unfinished(&self) -> Option<Diverged> {
        self.items.iter().enumerate().skip(self.at).find_map(|(at, item)| {
            let done = match item.until {
                Until::CannotGoOn => true,
                Until::Steps(n) => at == self.at && self.steps >= n,
                Until::Function { .. } => false,
            };
            (!done).then(|| Diverged {
                item: at,
                wanted: item.to_string(),
                task: item.task.clone(),
                why: Why::TooShort,
                performed: if at == self.at { self.steps } else { 0 },
                standing: Vec::new(),
            })
        })
    }

    /// The present item cannot be followed, if it is not done.
    #[cold]
    fn leave(&self, choice: &Choice<'_>) -> Option<Diverged> {
        let diverged = self.unfinished().filter(|diverged| diverged.item == self.at)?;
        let mut tasks = choice.names.iter().enumerate().filter(|(_, name)| **name == self.symbols[self.at]);
        let why = match tasks.next_back() {
            None => Why::NoTask,
            Some((index, _)) if choice.announced.get(index).is_none_or(Option::is_none) => Why::Ended,
            Some(_) => Why::Waits,
        };
        let standing = choice.announced.iter().enumerate().filter_map(|(index, announced)| {
            Some(Standing {
                name: choice.names[index],
                announced: (*announced)?,
                function: choice.stacks[index].last().map(|frame| frame.function.name),
                is_possible: choice.possible.contains(TaskId(index as u32)),
                is_ready: choice.ready.contains(TaskId(index as u32)),
            })
        });
        Some(Diverged { why, standing: standing.collect(), ..diverged })
    }

    fn next_item(&mut self) {
        self.at += 1;
        (self.steps, self.entered, self.task) = (0, 0, None);
    }

    /// Whether the present item ends before the next operation of its task.
    fn has_come_to(&mut self, choice: &Choice<'_>, task: TaskId) -> bool {
        let is_new = self.task.replace(task).is_none();
        match &self.items[self.at].until {
            Until::CannotGoOn => false,
            Until::Steps(n) => self.steps >= *n,
            Until::Function { name, nth } => {
                let inside = choice.stacks[task.index()].iter().any(|frame| frame.function.name == name);
                if is_new && inside {
                    self.entered += 1; // where the item before left it
                }
                inside && self.entered >= *nth
            }
        }
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.task)?;
        match &self.until {
            Until::CannotGoOn => Ok(()),
            Until::Steps(n) => write!(f, "*{n}"),
            Until::Function { name, nth: 1 } => write!(f, " until {name}"),
            Until::Function { name, nth } => write!(f, " until {name}#{nth}"),
        }
    }
}

fn parse_item(text: &str) -> Result<Item, &'static str> {
    let (task, until) = if let Some((task, function)) = text.split_once(" until ") {
        let (name, nth) = match function.trim().split_once('#') {
            None => (function.trim(), 1),
            Some((name, nth)) => (name, number(nth)?),
        };
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(is_name) {
            return Err("a kernel function is expected after `until`");
        }
        (task.trim(), Until::Function { name: name.to_owned(), nth })
    } else if let Some((task, steps)) = text.split_once('*') {
        (task.trim(), Until::Steps(number(steps)?))
    } else {
        (text, Until::CannotGoOn)
    };
    if task.is_empty() || task.contains(char::is_whitespace) {
        return Err("expected `TASK`, `TASK*STEPS` or `TASK until FUNCTION#NTH`");
    }
    Ok(Item { task: task.to_owned(), until })
}

fn number(text: &str) -> Result<u64, &'static str> {
    text.trim().parse().ok().filter(|n| *n > 0).ok_or("a number from 1 is expected")
}

impl Driver for Schedule {
    fn choose(&mut self, choice: &Choice<'_>) -> Option<usize> {
        while self.at < self.items.len() {
            let symbol = self.symbols[self.at];
            let chosen =
                choice.ready.iter().enumerate().find(|(_, task)| choice.names[task.index()] == symbol);
            match chosen {
                Some((index, task)) if !self.has_come_to(choice, task) => {
                    self.steps += 1;
                    return Some(index);
                }
                None => {
                    // The task cannot go on: it has ended, waits, or does not exist yet.
                    self.diverged = self.leave(choice);
                    if self.diverged.is_some() {
                        return None;
                    }
                }
                Some(_) => {}
            }
            self.next_item();
        }
        Some(0)
    }
    fn happened(&mut self, event: &Event) {
        if let What::Effect(Effect::Enter(function, _)) = event.what
            && self.task == Some(event.current.task)
            && let Some(Item { until: Until::Function { name, .. }, .. }) = self.items.get(self.at)
            && function.name == name
        {
            self.entered += 1;
        }
    }
}

/// The schedule that lets everybody do again what [`Recorded`](crate::Recorded) wrote down.
pub fn render(bus: &Bus, runs: &[(Symbol, u64)]) -> String {
    let items: Vec<String> =
        runs.iter().map(|(task, steps)| format!("{}*{steps}", bus.name(*task))).collect();
    items.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items() {
        let bus = Bus::new();
        let schedule =
            Schedule::parse(&bus, "put until __put_net#2, kworker/netns*3\n lookup").expect("valid");
        let items: Vec<String> = schedule.items.iter().map(ToString::to_string).collect();
        assert_eq!(items, ["put until __put_net#2", "kworker/netns*3", "lookup"]);
    }

    #[test]
    fn what_is_no_item() {
        let bus = Bus::new();
        for (text, item) in [("a, b*x", 1), ("b until ", 0), ("two words", 0), ("a until f#0", 0), ("*3", 0)]
        {
            assert_eq!(Schedule::parse(&bus, text).expect_err(text).item, item, "{text}");
        }
    }
}
