// SPDX-License-Identifier: GPL-2.0-only
//! From the types of the format to a scenario, with everything looked up that is referred to.

use std::{collections::BTreeMap, sync::Arc};

use machine::Slab;
use netns::Patch;

use crate::{
    check::{Checker, Kind, Scope},
    diagnostic::{Diagnostic, list_of, similar},
    event_forms,
    format::{ContextText, EndText, MachineText, OutcomeText, Preempt, RunText, SlabText, Text},
    functions,
    scenario::{Driver, ExpectedEnd, Fault, MachineConfig, Outcome, Pernet, Run, Scenario, Task, UserNs},
    schedule,
    source::{Seg, Source},
    values::{Check, Expected},
};

/// How deep user namespaces may be nested.
const MAX_LEVEL: usize = 33;

/// What machines call findings; `machine::Finding::code`.
pub(crate) const FINDINGS: &[&str] = &[
    "kasan-use-after-free",
    "kasan-double-free",
    "kasan-invalid-free",
    "kasan-out-of-bounds",
    "kcsan-data-race",
    "kcsan-unordered-free",
    "deadlock",
    "bad-unlock",
    "sleep-in-atomic",
    "warning",
    "null-dereference",
    "list-poison",
    "wild-pointer",
    "type-confusion",
    "bug-on",
    "panic",
    "endless-loop",
    "out-of-memory",
];

pub(crate) fn compile(source: &Source, mut text: Text) -> Result<Scenario, Vec<Diagnostic>> {
    let mut cx = Checker::new(source, text.boot);
    let machine = machine_config(text.machine.take());
    declare(&mut cx, &text);
    resolve(&mut cx, &mut text);
    let user_namespaces = user_namespaces(&mut cx, &text);
    let pernet = pernet(&mut cx, &mut text);
    let tasks = tasks(&mut cx, &mut text, machine.cpus);
    let faults = faults(&mut cx, &mut text);
    let runs = runs(&mut cx, &mut text);
    let (places, mut names) = cx.finish()?;
    Ok(Scenario {
        title: text.title,
        note: text.note,
        machine,
        runs,
        boot: text.boot,
        user_namespaces,
        pernet,
        setup: text.setup,
        tasks,
        faults,
        bindings: names.remove(&Scope::Bindings).unwrap_or_default(),
        processes: names.remove(&Scope::Processes).unwrap_or_default(),
        completions: names.remove(&Scope::Completions).unwrap_or_default(),
        places,
        source: Arc::new(source.clone()),
    })
}

fn machine_config(text: Option<MachineText>) -> MachineConfig {
    let mut config = MachineConfig {
        cpus: 4,
        preempt: Preempt::Full,
        net_ns: true,
        slab: Slab::SizeClasses,
        max_net_namespaces: netns::Config::default().max_net_namespaces,
        max_steps: 1_000_000,
        max_memory_mib: 256,
        stop_at_first: false,
        kasan: true,
        kcsan: true,
    };
    let Some(text) = text else { return config };
    config.cpus = text.cpus.map_or(config.cpus, |n| n.u32());
    config.preempt = text.preempt;
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
    config
}

/// Everything that has a name says so.
fn declare(cx: &mut Checker<'_>, text: &Text) {
    for (name, _) in &text.user_namespaces.0 {
        cx.within([Seg::Key("user_namespaces"), Seg::Name(name.clone())], |cx| {
            cx.declare(Kind::UserNs, name)
        });
    }
    for (name, ops) in &text.pernet.0 {
        cx.operations_have_data(ops.id);
        cx.within([Seg::Key("pernet"), Seg::Name(name.clone())], |cx| cx.declare(Kind::Ops, name));
    }
    for (index, task) in text.tasks.0.iter().enumerate() {
        cx.within([Seg::Key("tasks"), Seg::Index(index), Seg::Key("name")], |cx| {
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
    cx.within([Seg::Key("setup")], |cx| text.setup.declare(cx));
    for (index, task) in text.tasks.0.iter().enumerate() {
        cx.within([Seg::Key("tasks"), Seg::Index(index), Seg::Key("steps")], |cx| task.steps.declare(cx));
    }
}

/// The steps look up what they refer to.
fn resolve(cx: &mut Checker<'_>, text: &mut Text) {
    for (name, ops) in &mut text.pernet.0 {
        cx.within([Seg::Key("pernet"), Seg::Name(name.clone())], |cx| {
            cx.within([Seg::Key("init")], |cx| ops.init.resolve(cx));
            cx.within([Seg::Key("exit")], |cx| ops.exit.resolve(cx));
            cx.within([Seg::Key("exit_batch")], |cx| ops.exit_batch.resolve(cx));
        });
    }
    cx.within([Seg::Key("setup")], |cx| text.setup.resolve(cx));
    for (index, task) in text.tasks.0.iter_mut().enumerate() {
        cx.within([Seg::Key("tasks"), Seg::Index(index), Seg::Key("steps")], |cx| task.steps.resolve(cx));
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

fn pernet(cx: &mut Checker<'_>, text: &mut Text) -> Vec<Pernet> {
    let mut all = Vec::new();
    for (name, ops) in std::mem::take(&mut text.pernet.0) {
        let mut init_returns = BTreeMap::new();
        cx.within([Seg::Key("pernet"), Seg::Name(name.clone()), Seg::Key("init_returns")], |cx| {
            if ops.init.is_none() && !ops.init_returns.0.is_empty() {
                let diagnostic = Diagnostic::new("S031", format!("`{name}` has no method `init`"));
                cx.report_key(
                    diagnostic.help("add `\"init\": []`, which does nothing"),
                    "so it returns nothing",
                );
            }
            for (call, mut value) in ops.init_returns.0 {
                cx.within([Seg::Name(call.clone())], |cx| {
                    value.resolve(cx);
                    let returns = match value.value {
                        Expected::Number(n) => i32::try_from(n).ok(),
                        Expected::Error(error) => Some(error),
                        _ => None,
                    };
                    match (call.parse::<u64>().ok().filter(|n| *n > 0), returns) {
                        (Some(call), Some(returns)) => drop(init_returns.insert(call, returns)),
                        (None, _) => {
                            let message = format!("`{}` is no number of a call", call.escape_debug());
                            let help = "calls are counted from 1: `{\"2\": \"-ENOMEM\"}`";
                            cx.report_key(Diagnostic::new("S013", message).help(help), "not a number from 1");
                        }
                        (_, None) => {
                            let diagnostic = Diagnostic::new("S027", "`init` never returns this");
                            cx.report(diagnostic.help("it returns a number or an error"), "not an int");
                        }
                    }
                });
            }
        });
        all.push(Pernet {
            name,
            id: ops.id,
            size: ops.size.map_or(0, |n| n.usize()),
            init: ops.init,
            init_returns,
            exit: ops.exit,
            exit_batch: ops.exit_batch,
        });
    }
    all
}

fn tasks(cx: &mut Checker<'_>, text: &mut Text, cpus: u32) -> Vec<Task> {
    let mut all = Vec::new();
    for (index, task) in std::mem::take(&mut text.tasks.0).into_iter().enumerate() {
        let mut of_task = None;
        cx.within([Seg::Key("tasks"), Seg::Index(index)], |cx| {
            if let Some(cpu) = task.cpu.filter(|cpu| cpu.u32() >= cpus) {
                let message = format!("there is no CPU {}: the machine has {cpus}", cpu.0);
                let path = [Seg::Key("machine"), Seg::Key("cpus")];
                let declared = cx.label_of(&path, format!("CPUs 0 to {}", cpus - 1));
                let diagnostic = Diagnostic::new("S033", message).label(declared);
                cx.within([Seg::Key("cpu")], |cx| cx.report(diagnostic, "no such CPU"));
            }
            if task.context != ContextText::Process {
                let diagnostic = Diagnostic::new("S034", "a task runs in process context only");
                let diagnostic = diagnostic.help("`call_rcu` runs steps in a softirq");
                cx.within([Seg::Key("context")], |cx| cx.report(diagnostic, "not possible"));
            }
            of_task = user_ns(cx, "user_ns", task.user_ns.as_deref());
        });
        all.push(Task {
            name: task.name,
            cpu: task.cpu.map(|cpu| cpu.u32()),
            uid: task.uid.map_or(0, |uid| uid.u32()),
            user_ns: of_task,
            cap_sys_admin: task.cap_sys_admin,
            steps: task.steps,
        });
    }
    all
}

fn faults(cx: &mut Checker<'_>, text: &mut Text) -> Vec<Fault> {
    let mut all = Vec::new();
    for (index, fault) in text.faults.0.iter_mut().enumerate() {
        let path = [Seg::Key("faults"), Seg::Index(index), Seg::Key("alloc")];
        cx.within(path, |cx| fault.alloc.resolve(cx));
        let nth = fault.nth.map_or(1, |n| n.u64());
        all.push(Fault { kind: fault.alloc.0.to_string(), nth, times: fault.times.0 });
    }
    all
}

fn patches(cx: &mut Checker<'_>, names: &[String]) -> Vec<Patch> {
    let mut all = Vec::new();
    cx.within([Seg::Key("patches")], |cx| {
        for (index, name) in names.iter().enumerate() {
            if cx.is_full() {
                break;
            }
            match Patch::from_name(name) {
                Some(patch) => all.push(patch),
                None => cx.within([Seg::Index(index)], |cx| {
                    let known = || Patch::ALL.iter().map(|patch| patch.name());
                    let message = format!("there is no patch `{}`", name.escape_debug());
                    let help = match similar(name, known()) {
                        Some(meant) => format!("did you mean `{meant}`?"),
                        None => format!("known are {}", list_of(known())),
                    };
                    cx.report(Diagnostic::new("S035", message).help(help), "unknown patch");
                }),
            }
        }
    });
    all
}

fn runs(cx: &mut Checker<'_>, text: &mut Text) -> Vec<Run> {
    let default_patches = patches(cx, &text.patches);
    let Some(texts) = text.runs.take() else {
        return vec![Run {
            name: "default".to_owned(),
            driver: Driver::First,
            patches: default_patches,
            findings: Vec::new(),
            outcome: Outcome::Done,
            functions: Vec::new(),
            events: Vec::new(),
            end: ExpectedEnd::default(),
        }];
    };
    if texts.0.is_empty() {
        let diagnostic = Diagnostic::new("S036", "there are no runs");
        let diagnostic =
            diagnostic.help("without `runs`, there is one that preempts nobody and expects no finding");
        cx.within([Seg::Key("runs")], |cx| cx.report(diagnostic, "empty"));
    }
    let mut runs: Vec<Run> = Vec::new();
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    for (index, run) in texts.0.into_iter().enumerate() {
        let name = run.name.clone().unwrap_or_else(|| match index {
            0 => "default".to_owned(),
            _ => format!("run-{}", index + 1),
        });
        cx.within([Seg::Key("runs"), Seg::Index(index)], |cx| {
            if let Some(&first) = names.get(&name) {
                let label =
                    cx.label_of(&[Seg::Key("runs"), Seg::Index(first), Seg::Key("name")], "first here");
                let message = format!("there are two runs `{}`", name.escape_debug());
                let diagnostic = Diagnostic::new("S014", message).label(label);
                cx.within([Seg::Key("name")], |cx| cx.report(diagnostic, "once more"));
            }
            names.entry(name.clone()).or_insert(index);
            runs.push(one_run(cx, name, run, &default_patches));
        });
    }
    runs
}

fn one_run(cx: &mut Checker<'_>, name: String, run: RunText, default_patches: &[Patch]) -> Run {
    if run.seed.is_some() && run.schedule.is_some() {
        let diagnostic = Diagnostic::new("S037", "a run has a seed or a schedule, not both");
        cx.within([Seg::Key("seed")], |cx| cx.report_key(diagnostic, "and a schedule"));
    }
    check_expectations(cx, &run);
    let driver = match (run.seed, run.schedule) {
        (Some(seed), _) => Driver::Seed(seed.0),
        (None, Some(lines)) => {
            let items: usize = lines.0.iter().map(|line| schedule::items(line).count()).sum();
            if items > schedule::MAX_ITEMS {
                let message = format!("the schedule has {items} items; it may have {}", schedule::MAX_ITEMS);
                cx.within([Seg::Key("schedule")], |cx| {
                    cx.report(Diagnostic::new("S015", message), "too many")
                });
            }
            for (index, line) in lines.0.iter().enumerate() {
                check_schedule(cx, line, (lines.0.len() > 1).then_some(index));
            }
            Driver::Schedule(lines.0.join(", "))
        }
        (None, None) => Driver::First,
    };
    for (index, code) in run.findings.iter().enumerate() {
        if !FINDINGS.contains(&code.as_str()) && !cx.is_full() {
            cx.within([Seg::Key("findings"), Seg::Index(index)], |cx| {
                let message = format!("there is no kind of findings `{}`", code.escape_debug());
                let help = match similar(code, FINDINGS.iter().copied()) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("the kinds are {}", FINDINGS.join(", ")),
                };
                cx.report(Diagnostic::new("S038", message).help(help), "unknown kind");
            });
        }
    }
    let patches = match &run.patches {
        Some(names) => patches(cx, names),
        None => default_patches.to_vec(),
    };
    let mut end = ExpectedEnd::default();
    if let Some(text) = run.end {
        cx.within([Seg::Key("end")], |cx| end = expected_end(cx, text));
    }
    let outcome = match run.outcome {
        OutcomeText::Done => Outcome::Done,
        OutcomeText::Deadlock => Outcome::Deadlock,
        OutcomeText::Panic => Outcome::Panic,
        OutcomeText::Stopped => Outcome::Stopped,
    };
    let (findings, functions, events) = (run.findings, run.functions, run.events);
    Run { name, driver, patches, findings, outcome, functions, events, end }
}

fn check_schedule(cx: &mut Checker<'_>, line: &str, index: Option<usize>) {
    let tasks = cx.names_of(Kind::Task);
    let tasks: Vec<&str> = tasks.iter().map(String::as_str).collect();
    cx.within([Seg::Key("schedule")], |cx| {
        for item in schedule::items(line) {
            if cx.is_full() {
                break;
            }
            let Some((message, help)) = schedule::complaint(item, &tasks) else { continue };
            let diagnostic = Diagnostic::new("S039", message).maybe_help(help);
            let at = index.map(Seg::Index);
            let report = |cx: &mut Checker<'_>| cx.report_part(diagnostic.clone(), item, "in this item");
            match at {
                Some(at) => cx.within([at], report),
                None => report(cx),
            }
        }
    });
}

/// Functions and events are called as the kernel and the format call them.
fn check_expectations(cx: &mut Checker<'_>, run: &RunText) {
    for (index, name) in run.functions.iter().enumerate() {
        if let Some(help) = functions::help_for(name).filter(|_| !cx.is_full()) {
            cx.within([Seg::Key("functions"), Seg::Index(index)], |cx| {
                let message = format!("there is no kernel function `{}`", name.escape_debug());
                cx.report(Diagnostic::new("S040", message).help(help), "unknown function");
            });
        }
    }
    for (index, event) in run.events.iter().enumerate() {
        if cx.is_full() {
            break;
        }
        if let Some((message, help)) = event_forms::complaint(cx, event) {
            cx.within([Seg::Key("events"), Seg::Index(index)], |cx| {
                cx.report(Diagnostic::new("S041", message).help(help), "can never happen");
            });
        }
    }
}

fn expected_end(cx: &mut Checker<'_>, text: EndText) -> ExpectedEnd {
    let mut end = ExpectedEnd {
        namespaces: text.namespaces.map(|n| n.usize()),
        callbacks: text.callbacks.map(|n| n.usize()),
        cleanup_pending: text.cleanup_pending,
        user_namespaces: text.user_namespaces.map(|n| n.usize()),
        pernet: text.pernet,
        ..ExpectedEnd::default()
    };
    for (name, table) in text.nsids.0 {
        cx.within([Seg::Key("nsids"), Seg::Name(name.clone())], |cx| {
            let net = cx.resolve(Kind::Net, &name);
            let mut ids = BTreeMap::new();
            for (id, peer) in table.0 {
                cx.within([Seg::Name(id.clone())], |cx| {
                    let slot = cx.resolve(Kind::Net, &peer);
                    match id.parse::<i32>().ok().filter(|id| *id >= 0) {
                        Some(id) => drop(ids.insert(id, (slot, peer))),
                        None => {
                            let message = format!("`{}` is no id", id.escape_debug());
                            let help = "an id table is written `{\"0\": \"PEER\"}`";
                            cx.report_key(Diagnostic::new("S013", message).help(help), "not a number from 0");
                        }
                    }
                });
            }
            end.nsids.push((net, name, ids));
        });
    }
    for (name, count) in text.ucounts.0 {
        cx.within([Seg::Key("ucounts"), Seg::Name(name.clone())], |cx| {
            let Some((ns, uid)) = name.split_once('/').and_then(|(ns, uid)| Some((ns, uid.parse().ok()?)))
            else {
                let message = format!("`{}` is no user of a user namespace", name.escape_debug());
                let help = "write `USER_NAMESPACE/UID`: `init_user_ns/0`";
                return cx.report_key(Diagnostic::new("S013", message).help(help), "not a user");
            };
            let index = match ns {
                "init_user_ns" => None,
                _ => Some(cx.resolve(Kind::UserNs, ns) as usize),
            };
            end.ucounts.push((index, ns.to_owned(), uid, count));
        });
    }
    for (name, mut value) in text.results.0 {
        cx.within([Seg::Key("results"), Seg::Name(name.clone())], |cx| {
            let slot = cx.resolve_any(&name);
            value.resolve(cx);
            end.results.push((name, slot, value.value));
        });
    }
    end
}
