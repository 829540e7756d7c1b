// SPDX-License-Identifier: GPL-2.0-only
//! The form of schedules, as far as a scenario is checked before anything runs.
//!
//! Items are separated by commas, semicolons or line ends: `TASK`, `TASK*STEPS`, `TASK until FUNCTION#NTH`.

use crate::{
    diagnostic::{list_of, similar},
    functions,
};

/// The items that a schedule may have.
pub(crate) const MAX_ITEMS: usize = 1_000_000;

/// An item of a schedule, as far as names are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Item<'t> {
    /// Whom it lets run.
    pub(crate) task: &'t str,
    /// The function that it names.
    pub(crate) function: Option<&'t str>,
}

/// Reads an item, if it is one.
pub(crate) fn item(item: &str) -> Result<Item<'_>, &'static str> {
    let mut function = None;
    let (task, number) = if let Some((task, until)) = item.split_once(" until ") {
        let (name, nth) = until.trim().split_once('#').unwrap_or((until.trim(), "1"));
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(is_name) {
            return Err("a kernel function is expected after `until`");
        }
        function = Some(name);
        (task.trim(), nth)
    } else {
        let (task, steps) = item.split_once('*').unwrap_or((item, "1"));
        (task.trim(), steps)
    };
    if number.trim().parse::<u64>().ok().is_none_or(|n| n == 0) {
        return Err("a number from 1 is expected");
    }
    if task.is_empty() || task.contains(char::is_whitespace) {
        return Err("expected is `TASK`, `TASK*STEPS` or `TASK until FUNCTION#NTH`");
    }
    Ok(Item { task, function })
}

/// What is wrong with an item, and what to do about it, where the scenario's tasks are these.
pub(crate) fn complaint(text: &str, tasks: &[&str]) -> Option<(String, Option<String>)> {
    let item = match item(text) {
        Ok(item) => item,
        Err(why) => return Some((format!("`{}`: {why}", text.escape_debug()), None)),
    };
    if !is_kernel_task(item.task) && !tasks.contains(&item.task) {
        let known = tasks.iter().copied().chain([
            "main",
            "kworker/netns",
            "kworker/R-netns",
            "rcuc/0",
            "rcu_preempt",
            "rcu_sched",
        ]);
        let help = match similar(item.task, known) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if tasks.is_empty() => "the scenario has no tasks; the kernel's own are `main`, \
                                         `kworker/netns` and `rcuc/CPU`"
                .to_owned(),
            None => format!(
                "the tasks are {}; the kernel's own are `main`, `kworker/netns` and `rcuc/CPU`",
                list_of(tasks.iter().copied())
            ),
        };
        return Some((format!("there is no task `{}`", item.task.escape_debug()), Some(help)));
    }
    let function = item.function?;
    let help = functions::help_for(function)?;
    Some((format!("there is no kernel function `{}`", function.escape_debug()), Some(help)))
}

/// The items of a schedule.
pub(crate) fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', '\n', ';']).map(str::trim).filter(|item| !item.is_empty())
}

/// Whether the kernel itself makes tasks of this name.
pub(crate) fn is_kernel_task(name: &str) -> bool {
    let is_numbered = |prefix: &str| name.strip_prefix(prefix).is_some_and(|n| n.parse::<u32>().is_ok());
    ["main", "kworker/netns", "kworker/R-netns", "rcu_preempt", "rcu_sched"].contains(&name)
        || is_numbered("rcuc/")
        || is_numbered("kworker/netns-") // where a scenario initialises the subsystem more than once
        || is_numbered("kworker/R-netns-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_of_items() {
        let text = "put until __put_net#2, kworker/netns*3;\n lookup";
        let tasks: Vec<_> = items(text).map(|text| item(text).map(|item| item.task)).collect();
        assert_eq!(tasks, [Ok("put"), Ok("kworker/netns"), Ok("lookup")]);
        for bad in ["a*0", "a until ", "two words", "a until f#x", "*3"] {
            assert!(item(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_in_items() {
        let complaint = |text| complaint(text, &["put", "lookup"]);
        assert_eq!(complaint("put until put_net"), None);
        assert_eq!(complaint("rcuc/3"), None);
        assert_eq!(complaint("kworker/netns-2"), None);
        let (message, help) = complaint("put until __put_nett#2").expect("no such function");
        assert_eq!(message, "there is no kernel function `__put_nett`");
        assert_eq!(help.as_deref(), Some("did you mean `__put_net`?"));
        let (message, help) = complaint("kworker/netsn").expect("no such task");
        assert_eq!(message, "there is no task `kworker/netsn`");
        assert_eq!(help.as_deref(), Some("did you mean `kworker/netns`?"));
        assert!(complaint("x").expect("no such task").1.expect("a help").contains("`put`, `lookup`"));
    }
}
