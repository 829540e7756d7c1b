// SPDX-License-Identifier: GPL-2.0-only
//! The form of schedules, as far as a scenario is checked before anything runs.
//!
//! Items are separated by commas, semicolons or line ends: `TASK`, `TASK*STEPS`, `TASK until FUNCTION#NTH`.

/// The task of an item, if it is one.
pub(crate) fn task_of(item: &str) -> Result<&str, &'static str> {
    let (task, rest) = if let Some((task, function)) = item.split_once(" until ") {
        let (name, nth) = function.trim().split_once('#').unwrap_or((function.trim(), "1"));
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(is_name) {
            return Err("a kernel function is expected after `until`");
        }
        (task.trim(), nth)
    } else {
        let (task, steps) = item.split_once('*').unwrap_or((item, "1"));
        (task.trim(), steps)
    };
    if rest.trim().parse::<u64>().ok().is_none_or(|n| n == 0) {
        return Err("a number from 1 is expected");
    }
    if task.is_empty() || task.contains(char::is_whitespace) {
        return Err("expected is `TASK`, `TASK*STEPS` or `TASK until FUNCTION#NTH`");
    }
    Ok(task)
}

/// The items of a schedule.
pub(crate) fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', '\n', ';']).map(str::trim).filter(|item| !item.is_empty())
}

/// Whether the kernel itself makes tasks of this name.
pub(crate) fn is_kernel_task(name: &str) -> bool {
    name == "main" || name.starts_with("kworker/") || name.starts_with("rcuc/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_of_items() {
        let text = "put until __put_net#2, kworker/netns*3;\n lookup";
        let tasks: Vec<_> = items(text).map(task_of).collect();
        assert_eq!(tasks, [Ok("put"), Ok("kworker/netns"), Ok("lookup")]);
        for bad in ["a*0", "a until ", "two words", "a until f#x", "*3"] {
            assert!(task_of(bad).is_err(), "{bad}");
        }
    }
}
