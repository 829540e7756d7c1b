// SPDX-License-Identifier: GPL-2.0-only
//! The line of a finding that people search a log for; kernel/watchdog.c and kernel/watchdog_hld.c for those who spin.

use machine::{Access, Bug, Finding, Op};

use crate::{Scene, address, words::stamp};

/// What a machine calls the function of whoever is in none.
const NO_FUNCTION: &str = "start";

/// The first line of a report, without its time.
pub fn title(scene: &Scene<'_>, finding: &Finding) -> String {
    let by = finding.by;
    if let Bug::Deadlock { op: Op::Lock(_, how), what, .. } = &finding.bug
        && !how.sleeps()
    {
        let (cpu, comm, pid) = (scene.cpu, scene.bus.name(by.task), scene.pid(by.id));
        let lockup = if how.disables_irqs() || scene.in_hardirq {
            format!("Watchdog detected hard LOCKUP on cpu {cpu} [{comm}:{pid}]")
        } else {
            format!("BUG: soft lockup - CPU#{cpu} stuck for ever! [{comm}:{pid}]")
        };
        return format!("NMI watchdog: {lockup} in {}: {what}", function_of_finding(scene, finding));
    }
    if let Bug::Watchdog(alarm) = &finding.bug {
        return alarm.title(&format!("{}:{}", scene.bus.name(by.task), scene.pid(by.id)));
    }
    if let Bug::MemoryLeak { cell, bytes } = &finding.bug {
        let addr = address::of_object(scene.bus, cell);
        return format!("unreferenced object 0x{addr:016x} (size {bytes}): {}", cell.object);
    }
    let title = finding.to_string();
    match &finding.bug {
        Bug::DataRace { earlier: other, .. } | Bug::UnorderedFree { used: other, .. } => {
            let title = named(title, " in ", other.function, &function(scene, other));
            named(title, " / ", by.function, &function_of_finding(scene, finding))
        }
        _ => named(title, " in ", by.function, &function_of_finding(scene, finding)),
    }
}

/// The same behind its time, as in the kernel's log.
pub(super) fn timed_title(scene: &Scene<'_>, finding: &Finding) -> String {
    let time = scene.time.map_or_else(String::new, |time| stamp(time) + " ");
    time + &title(scene, finding)
}

/// The title with a better name for no function.
fn named(title: String, before: &str, function: &str, name: &str) -> String {
    match function {
        NO_FUNCTION => title.replacen(&format!("{before}{NO_FUNCTION}"), &format!("{before}{name}"), 1),
        _ => title,
    }
}

/// The kernel function of an access; outside of any, the task.
pub(crate) fn function(scene: &Scene<'_>, access: &Access) -> String {
    match access.function {
        NO_FUNCTION => scene.bus.name(access.task),
        function => function.to_owned(),
    }
}

/// The kernel function of who made a finding; outside of any, the step, or the task.
pub(crate) fn function_of_finding(scene: &Scene<'_>, finding: &Finding) -> String {
    match (finding.by.function, scene.step) {
        (NO_FUNCTION, Some((path, _))) => path.rsplit('.').next().unwrap_or(path).to_owned(),
        _ => function(scene, &finding.by),
    }
}
