// SPDX-License-Identifier: GPL-2.0-only
//! The form of schedules, as far as a scenario is checked before anything runs.
//!
//! Items are separated by commas, semicolons or line ends: `TASK`, `TASK*STEPS`, `TASK until FUNCTION#NTH`.

use crate::{
    diagnostic::{list_of, natural, similar},
    format::{Preempt, Rcu},
    functions,
    scenario::MachineConfig,
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

/// What is wrong with an item, and what to do about it, where the scenario's tasks are these, and the kernel's those of
/// this machine.
pub(crate) fn complaint(
    text: &str,
    tasks: &[&str],
    machine: &MachineConfig,
) -> Option<(String, Option<String>)> {
    let item = match item(text) {
        Ok(item) => item,
        Err(why) => return Some((format!("`{}`: {why}", text.escape_debug()), None)),
    };
    if !is_kernel_task(item.task, machine) && !tasks.contains(&item.task) {
        let message = format!("there is no task `{}`", item.task.escape_debug());
        return Some((message, Some(help_for_task(item.task, tasks, machine))));
    }
    let function = item.function?;
    let help = functions::help_for(function)?;
    Some((format!("there is no kernel function `{}`", function.escape_debug()), Some(help)))
}

fn help_for_task(name: &str, tasks: &[&str], machine: &MachineConfig) -> String {
    if is_numbered(name, "rcuc/") {
        return format!("the machine has CPUs 0 to {}", machine.cpus - 1);
    }
    if let Some(kthread) = gp_kthread(machine) {
        if ["rcu_preempt", "rcu_sched"].contains(&name) {
            return format!("with this preemption model it is called `{kthread}`");
        }
    } else if ["rcu_preempt", "rcu_sched"].contains(&name) {
        return "grace periods have a kthread with `\"rcu\": \"per_cpu\"`".to_owned();
    }
    let kernel = kernel_tasks(machine);
    let meant = similar(name, tasks.iter().copied().chain(kernel.iter().map(String::as_str)));
    let kernel = kernel.join("`, `");
    match meant {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if tasks.is_empty() => format!("the scenario has no tasks; the kernel's own are `{kernel}`"),
        None => {
            let mut tasks = tasks.to_vec();
            tasks.sort_by_key(|name| natural(name));
            format!("the tasks are {}; the kernel's own are `{kernel}`", list_of(tasks))
        }
    }
}

/// The items of a schedule.
pub(crate) fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', '\n', ';']).map(str::trim).filter(|item| !item.is_empty())
}

/// The kthread that begins and ends grace periods, if there is one.
fn gp_kthread(machine: &MachineConfig) -> Option<&'static str> {
    let name = if machine.preempt == Preempt::Full { "rcu_preempt" } else { "rcu_sched" };
    (machine.rcu == Rcu::PerCpu).then_some(name)
}

/// The tasks that the kernel itself makes on this machine, as they are told to people.
fn kernel_tasks(machine: &MachineConfig) -> Vec<String> {
    let mut names = vec!["main".to_owned(), "kworker/netns".to_owned(), "kworker/R-netns".to_owned()];
    names.push("rcuc/0".to_owned());
    if machine.cpus > 1 {
        names.push(format!("rcuc/{}", machine.cpus - 1));
    }
    names.extend(gp_kthread(machine).map(str::to_owned));
    names
}

/// Whether the kernel itself makes tasks of this name on this machine.
fn is_kernel_task(name: &str, machine: &MachineConfig) -> bool {
    let cpu = name.strip_prefix("rcuc/").filter(|_| is_numbered(name, "rcuc/"));
    ["main", "kworker/netns", "kworker/R-netns"].contains(&name)
        || cpu.is_some_and(|cpu| cpu.parse::<u32>().is_ok_and(|cpu| cpu < machine.cpus))
        || gp_kthread(machine) == Some(name)
        || is_numbered(name, "kworker/netns-") // where a scenario initialises the subsystem more than once
        || is_numbered(name, "kworker/R-netns-")
}

/// Whether it is a prefix and a number, as the kernel writes it.
fn is_numbered(name: &str, prefix: &str) -> bool {
    let number = name.strip_prefix(prefix);
    number.is_some_and(|number| number.parse::<u32>().is_ok_and(|n| n.to_string() == number))
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

    fn machine(text: &str) -> MachineConfig {
        let text = format!(r#"{{"version": 1, "title": "t", "note": "n", "machine": {text}}}"#);
        crate::read(&crate::Source { name: String::new(), text }).expect("a scenario").machine
    }

    #[test]
    fn names_in_items() {
        let machine = machine("{}");
        let complaint = |text| complaint(text, &["put", "lookup"], &machine);
        assert_eq!(complaint("put until put_net"), None);
        assert_eq!(complaint("rcuc/3"), None);
        assert_eq!(complaint("kworker/netns-2"), None);
        let (message, help) = complaint("put until __put_nett#2").expect("no such function");
        assert_eq!(message, "there is no kernel function `__put_nett`");
        assert_eq!(help.as_deref(), Some("did you mean `__put_net`?"));
        let (message, help) = complaint("kworker/netsn").expect("no such task");
        assert_eq!(message, "there is no task `kworker/netsn`");
        assert_eq!(help.as_deref(), Some("did you mean `kworker/netns`?"));
        assert!(complaint("x").expect("no such task").1.expect("a help").contains("`lookup`, `put`"));
    }

    #[test]
    fn tasks_of_machines() {
        let (abstract_rcu, full) = (machine(r#"{"cpus": 2}"#), machine(r#"{"cpus": 2, "rcu": "per_cpu"}"#));
        let sched = machine(r#"{"rcu": "per_cpu", "preempt": "voluntary"}"#);
        for (machine, name, help) in [
            (&full, "rcuc/2", "CPUs 0 to 1"),
            (&abstract_rcu, "rcu_preempt", "`\"rcu\": \"per_cpu\"`"),
            (&full, "rcu_sched", "`rcu_preempt`"),
            (&sched, "rcu_preempt", "`rcu_sched`"),
            (&full, "rcuc/01", "did you mean `rcuc/0`?"),
            (&full, "kworker/netns-", "did you mean `kworker/netns`?"),
            (&full, "nobody", "`kworker/R-netns`, `rcuc/0`, `rcuc/1`, `rcu_preempt`"),
        ] {
            let (message, told) = complaint(name, &["a"], machine).expect(name);
            assert_eq!(message, format!("there is no task `{name}`"));
            assert!(told.as_ref().is_some_and(|told| told.contains(help)), "{name}: {told:?}");
        }
        for (machine, name) in
            [(&full, "rcuc/1"), (&full, "rcu_preempt"), (&sched, "rcu_sched"), (&sched, "main")]
        {
            assert_eq!(complaint(name, &["a"], machine), None, "{name}");
        }
    }
}
