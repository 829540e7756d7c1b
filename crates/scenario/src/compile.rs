// SPDX-License-Identifier: GPL-2.0-only
//! From the types of the format to a scenario, with everything looked up that is referred to.

mod changes;
mod pernet;
mod runs;
mod tasks;

use std::sync::Arc;

use machine::{Clock, Costs, Slab};
use netns::Subsystem;

use self::tasks::TaskCopy;
use crate::{
    check::{Checker, Kind, Scope},
    diagnostic::Diagnostic,
    format::{ClockText, CostsText, FaultText, MachineText, Preempt, Rcu, SlabText, Text},
    scenario::{Bug, Fault, MachineConfig, Scenario, UserNs},
    source::{Seg, Source},
    time::{MAX_TIME, Time},
    values::Check,
};

/// How deep user namespaces may be nested.
const MAX_LEVEL: usize = 33;

pub(crate) fn compile(source: &Source, mut text: Text) -> Result<Scenario, Vec<Diagnostic>> {
    let is_timed = text.machine.as_ref().is_some_and(|machine| machine.clock != ClockText::Untimed);
    let mut cx = Checker::new(source, text.boot, is_timed);
    let mut tasks = tasks::copies(&mut cx, std::mem::take(&mut text.tasks.0));
    let machine = machine_config(&mut cx, text.machine.take());
    declare(&mut cx, &text, &tasks);
    resolve(&mut cx, &mut text, &mut tasks);
    let user_namespaces = user_namespaces(&mut cx, &text);
    let modules = pernet::modules(&mut cx, &mut text);
    let pernet = pernet::pernet(&mut cx, &mut text, &modules);
    let tasks = tasks::tasks(&mut cx, tasks, &machine);
    let faults = faults(&mut cx, &mut text);
    let runs = runs::runs(&mut cx, &mut text, &machine);
    let watches_calls = cx.watches_calls;
    let (places, mut names) = cx.finish()?;
    Ok(Scenario {
        title: text.title,
        note: text.note,
        machine,
        bug: text.bug.map(|bug| Bug { cve: bug.cve, fix: bug.fix, year: bug.year.map(|year| year.u32()) }),
        timeline: text.timeline,
        runs,
        boot: text.boot,
        watches_calls,
        user_namespaces,
        pernet,
        modules,
        setup: text.setup,
        tasks,
        faults,
        bindings: names.remove(&Scope::Bindings).unwrap_or_default(),
        processes: names.remove(&Scope::Processes).unwrap_or_default(),
        completions: names.remove(&Scope::Completions).unwrap_or_default(),
        barriers: names.remove(&Scope::Barriers).unwrap_or_default(),
        places,
        source: Arc::new(source.clone()),
    })
}

/// What is set without a clock, and needs one.
fn check_clock(cx: &mut Checker<'_>, text: &MachineText) {
    let is_timed = text.clock == ClockText::Timed;
    let needs = [
        ("costs", text.costs.is_some(), is_timed, "a clock"),
        ("max_time", text.max_time.is_some(), is_timed, "a clock"),
        ("hung_task_timeout_secs", text.hung_task_timeout_secs.is_some(), is_timed, "a clock"),
        ("watchdog_thresh", text.watchdog_thresh.is_some(), is_timed, "a clock"),
        ("rcu_cpu_stall_timeout", text.rcu_cpu_stall_timeout.is_some(), is_timed, "a clock"),
        ("workqueue_watchdog_thresh", text.workqueue_watchdog_thresh.is_some(), is_timed, "a clock"),
        ("hz", text.hz.is_some(), is_timed || text.rcu == Rcu::PerCpu, "a clock, or RCU per CPU"),
    ];
    cx.within([Seg::Key("machine")], |cx| {
        for (key, is_given, has_effect, what) in needs {
            if is_given && !has_effect {
                let diagnostic = Diagnostic::new("S050", format!("`{key}` has no effect without {what}"));
                let help = "add `\"clock\": \"timed\"`";
                cx.within([Seg::Key(key)], |cx| cx.report_key(diagnostic.help(help), "no effect"));
            }
        }
        if text.max_time.is_some_and(|time| time.0 == 0) {
            let diagnostic = Diagnostic::new("S050", "a run of no time does nothing");
            cx.within([Seg::Key("max_time")], |cx| cx.report(diagnostic, "too short"));
        }
        let tick = text.costs.as_ref().and_then(|costs| costs.tick);
        let period = 1_000_000_000 / text.hz.as_ref().map_or(HZ, |hz| hz.u64());
        if tick.is_some_and(|tick| tick.0 >= period) {
            let message = format!("a timer interrupt every {period} ns takes all the time that there is");
            let path = [Seg::Key("costs"), Seg::Key("tick")];
            cx.within(path, |cx| cx.report(Diagnostic::new("S050", message), "too long"));
        }
    });
}

/// CONFIG_HZ
const HZ: u64 = 250;

fn machine_config(cx: &mut Checker<'_>, text: Option<MachineText>) -> MachineConfig {
    let mut config = MachineConfig {
        cpus: 4,
        preempt: Preempt::Full,
        rcu: Rcu::Abstract,
        clock: Clock::Untimed,
        hz: HZ as u32,
        max_time: MAX_TIME,
        net_ns: true,
        slab: Slab::SizeClasses,
        max_net_namespaces: netns::Config::default().max_net_namespaces,
        max_steps: 1_000_000,
        max_memory_mib: 256,
        stop_at_first: false,
        kasan: true,
        kcsan: true,
        lockdep: true,
        prove_rcu: true,
        debug_list: true,
        kmemleak: true,
        invariants: true,
        refcount: true,
        hung_task_timeout_secs: 120,
        watchdog_thresh: 10,
        rcu_cpu_stall_timeout: 21,
        workqueue_watchdog_thresh: 30,
    };
    let Some(text) = text else { return config };
    check_clock(cx, &text);
    config.cpus = text.cpus.map_or(config.cpus, |n| n.u32());
    config.preempt = text.preempt;
    config.rcu = text.rcu;
    config.clock = match text.clock {
        ClockText::Untimed => Clock::Untimed,
        ClockText::Timed => Clock::Timed(text.costs.map_or_else(Costs::default, costs)),
    };
    config.hz = text.hz.map_or(config.hz, |n| n.u32());
    config.max_time = text.max_time.map_or(config.max_time, |time| time.0);
    config.net_ns = text.net_ns;
    config.slab = match text.slab {
        SlabText::SizeClasses => Slab::SizeClasses,
        SlabText::Exact => Slab::Exact,
    };
    config.max_net_namespaces = text.max_net_namespaces.map_or(config.max_net_namespaces, |n| n.0);
    config.max_steps = text.max_steps.map_or(config.max_steps, |n| n.u64());
    config.max_memory_mib = text.max_memory_mib.map_or(config.max_memory_mib, |n| n.u32());
    config.stop_at_first = text.stop_at_first;
    config.kasan = text.kasan;
    config.kcsan = text.kcsan;
    config.lockdep = text.lockdep;
    config.prove_rcu = text.prove_rcu;
    config.debug_list = text.debug_list;
    config.kmemleak = text.kmemleak;
    config.invariants = text.invariants;
    config.refcount = text.refcount;
    config.hung_task_timeout_secs =
        text.hung_task_timeout_secs.map_or(config.hung_task_timeout_secs, |n| n.u64());
    config.watchdog_thresh = text.watchdog_thresh.map_or(config.watchdog_thresh, |n| n.u64());
    config.rcu_cpu_stall_timeout =
        text.rcu_cpu_stall_timeout.map_or(config.rcu_cpu_stall_timeout, |n| n.u64());
    config.workqueue_watchdog_thresh =
        text.workqueue_watchdog_thresh.map_or(config.workqueue_watchdog_thresh, |n| n.u64());
    config
}

/// What takes how long: what the scenario says, else what is usual.
fn costs(text: CostsText) -> Costs {
    let usual = Costs::default();
    let or = |time: Option<Time>, usual: u64| time.map_or(usual, |time| time.0);
    Costs {
        access: or(text.access, usual.access),
        atomic: or(text.atomic, usual.atomic),
        lock: or(text.lock, usual.lock),
        unlock: or(text.unlock, usual.unlock),
        call: or(text.call, usual.call),
        alloc: or(text.alloc, usual.alloc),
        free: or(text.free, usual.free),
        wakeup: or(text.wakeup, usual.wakeup),
        context_switch: or(text.context_switch, usual.context_switch),
        tick: or(text.tick, usual.tick),
    }
}

/// Everything that has a name says so.
fn declare(cx: &mut Checker<'_>, text: &Text, tasks: &[TaskCopy]) {
    for (name, _) in &text.user_namespaces.0 {
        cx.within([Seg::Key("user_namespaces"), Seg::Name(name.clone())], |cx| {
            cx.declare(Kind::UserNs, name)
        });
    }
    for (name, _) in &text.modules.0 {
        cx.within([Seg::Key("modules"), Seg::Name(name.clone())], |cx| cx.declare(Kind::Module, name));
    }
    for (name, ops) in &text.pernet.0 {
        let library = ops.library.as_deref().and_then(Subsystem::from_name);
        cx.operations_are(library.map_or(ops.id, |library| library.size > 0), library);
        cx.within([Seg::Key("pernet"), Seg::Name(name.clone())], |cx| cx.declare(Kind::Ops, name));
    }
    for task in tasks {
        cx.within([Seg::Key("tasks"), Seg::Index(task.index), Seg::Key("name")], |cx| {
            cx.declare_once(Kind::Task, &task.name);
        });
    }
    for (name, ops) in &text.pernet.0 {
        cx.within([Seg::Key("pernet"), Seg::Name(name.clone())], |cx| {
            cx.within([Seg::Key("init")], |cx| ops.init.declare(cx));
            cx.within([Seg::Key("exit")], |cx| ops.exit.declare(cx));
            cx.within([Seg::Key("exit_batch")], |cx| ops.exit_batch.declare(cx));
        });
    }
    for (name, module) in &text.modules.0 {
        cx.within([Seg::Key("modules"), Seg::Name(name.clone())], |cx| {
            cx.within([Seg::Key("init")], |cx| module.init.declare(cx));
            cx.within([Seg::Key("exit")], |cx| module.exit.declare(cx));
        });
    }
    cx.within([Seg::Key("setup")], |cx| text.setup.declare(cx));
    for task in tasks {
        cx.within([Seg::Key("tasks"), Seg::Index(task.index), Seg::Key("steps")], |cx| {
            cx.within_copy(task.copy, |cx| task.text.steps.declare(cx));
        });
    }
}

/// The steps look up what they refer to.
fn resolve(cx: &mut Checker<'_>, text: &mut Text, tasks: &mut [TaskCopy]) {
    for (name, ops) in &mut text.pernet.0 {
        cx.within([Seg::Key("pernet"), Seg::Name(name.clone())], |cx| {
            cx.within([Seg::Key("init")], |cx| ops.init.resolve(cx));
            cx.within([Seg::Key("exit")], |cx| ops.exit.resolve(cx));
            cx.within([Seg::Key("exit_batch")], |cx| ops.exit_batch.resolve(cx));
        });
    }
    for (name, module) in &mut text.modules.0 {
        cx.within([Seg::Key("modules"), Seg::Name(name.clone())], |cx| {
            cx.within([Seg::Key("init")], |cx| module.init.resolve(cx));
            cx.within([Seg::Key("exit")], |cx| module.exit.resolve(cx));
        });
    }
    cx.within([Seg::Key("setup")], |cx| text.setup.resolve(cx));
    for task in tasks {
        let (copy, context) = (task.copy, task.text.context.kind());
        cx.within([Seg::Key("tasks"), Seg::Index(task.index), Seg::Key("steps")], |cx| {
            cx.within_copy(copy, |cx| cx.within_context(context, |cx| task.text.steps.resolve(cx)));
        });
    }
}

/// The index of a user namespace; none for the first.
fn user_ns(cx: &mut Checker<'_>, key: &'static str, name: Option<&str>) -> Option<usize> {
    let name = name.filter(|name| *name != "init_user_ns")?;
    let mut index = None;
    cx.within([Seg::Key(key)], |cx| index = Some(cx.resolve(Kind::UserNs, name) as usize));
    index
}

fn user_namespaces(cx: &mut Checker<'_>, text: &Text) -> Vec<UserNs> {
    let mut all: Vec<UserNs> = Vec::new();
    for (name, ns) in &text.user_namespaces.0 {
        let mut parent = None;
        cx.within([Seg::Key("user_namespaces"), Seg::Name(name.clone())], |cx| {
            parent = user_ns(cx, "parent", ns.parent.as_deref());
        });
        let max = ns.max_net_namespaces.map_or(i64::from(i32::MAX), |n| n.0);
        all.push(UserNs { name: name.clone(), parent, uid: ns.uid.map_or(0, |n| n.u32()), max });
    }
    let is_deep = |ns: &&UserNs| level(&all, ns, MAX_LEVEL).is_none();
    for ns in all.iter().filter(is_deep) {
        if cx.is_full() {
            break;
        }
        let path = [Seg::Key("user_namespaces"), Seg::Name(ns.name.clone()), Seg::Key("parent")];
        match level(&all, ns, all.len()) {
            None => cx.within(path, |cx| {
                let message = format!("user namespace `{}` is its own ancestor", ns.name);
                let help = "every chain of parents ends at `init_user_ns`";
                cx.report(Diagnostic::new("S032", message).help(help), "leads back here");
            }),
            Some(level) => cx.within(path, |cx| {
                let message = format!("user namespace `{}` is nested {level} deep", ns.name);
                let help = format!("the kernel allows {MAX_LEVEL}");
                cx.report(Diagnostic::new("S032", message).help(help), "too deep");
            }),
        }
    }
    all
}

/// How deep a user namespace is nested; none if deeper than `max`: its parents may go round.
pub(crate) fn level(all: &[UserNs], ns: &UserNs, max: usize) -> Option<usize> {
    let mut level = 1;
    let mut parent = ns.parent;
    while let Some(ns) = parent.and_then(|index| all.get(index)) {
        level += 1;
        if level > max {
            return None;
        }
        parent = ns.parent;
    }
    Some(level)
}

fn faults(cx: &mut Checker<'_>, text: &mut Text) -> Vec<Fault> {
    let mut all = Vec::new();
    for (index, fault) in std::mem::take(&mut text.faults.0).into_iter().enumerate() {
        cx.within([Seg::Key("faults"), Seg::Index(index)], |cx| all.extend(one_fault(cx, fault)));
    }
    all
}

fn one_fault(cx: &mut Checker<'_>, fault: FaultText) -> Option<Fault> {
    let nth = fault.nth.map_or(1, |n| n.u64());
    let wrong = |cx: &mut Checker<'_>, message: &str, label: &str| {
        let help = "a fault is `{\"alloc\": KIND}`, or `{\"kill\": TASK, \"enter\": FUNCTION}`";
        cx.report(Diagnostic::new("S049", message).help(help), label);
    };
    match (fault.alloc, fault.kill, fault.enter) {
        (Some(mut kind), None, None) => {
            cx.within([Seg::Key("alloc")], |cx| kind.resolve(cx));
            let function = fault.function.map(|mut function| {
                cx.within([Seg::Key("in")], |cx| function.resolve(cx));
                function.0
            });
            Some(Fault::Alloc { kind, function, nth, times: fault.times.unwrap_or_default().0 })
        }
        (None, Some(mut task), Some(function)) if fault.times.is_none() && fault.function.is_none() => {
            cx.within([Seg::Key("kill")], |cx| task.resolve(cx));
            cx.within([Seg::Key("enter")], |cx| cx.check_function(&function));
            Some(Fault::Kill { task: task.name.index(), function, nth })
        }
        (None, Some(_), Some(_)) => {
            let key = if fault.times.is_some() { "times" } else { "in" };
            cx.within([Seg::Key(key)], |cx| {
                wrong(cx, "a task is killed once, where it enters a function", "not to be given");
            });
            None
        }
        _ => {
            wrong(cx, "the fault is none, or more than one", "of which kind?");
            None
        }
    }
}
