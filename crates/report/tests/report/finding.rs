// SPDX-License-Identifier: GPL-2.0-only
//! Reports of findings made by hand.

use crate::common::Told;
use machine::{BadPointer, Bug, Fault, Kind, Leaving, Locking, Op};
use report::{Detail, Scene, finding, json};

pub(crate) fn told() -> Told {
    Told::new(Detail::Telling, 2, &[("put", 0), ("lookup", 1)])
}

/// The second task is in its first step.
fn scene(told: &Told) -> Scene<'_> {
    let step = Some(("tasks[1].steps[0].put_net", 17));
    let is_of_simulator = |loc: machine::Loc| loc.line() == 0;
    Scene {
        bus: &told.bus,
        cpu: 1,
        in_hardirq: false,
        time: None,
        pids: &[100, 101],
        file: "a.json",
        step,
        callers: 0,
        is_of_simulator,
    }
}

/// The report, with the lines of this crate's tests made equal.
pub(crate) fn text(told: &Told, bug: Bug) -> String {
    let text = finding::text(&scene(told), &told.finding(bug));
    let lines = text.lines().map(|line| match line.split_once("  crates/") {
        Some((function, _)) => format!("{function}  FILE:LINE\n"),
        None => format!("{line}\n"),
    });
    lines.collect()
}

#[test]
fn kasan() {
    let told = told();
    let bug = told.use_after_free().bug;
    assert_eq!(
        text(&told, bug),
        "\
==================================================================
BUG: KASAN: slab-use-after-free in get_net: write of net 1
Write of size 8 at addr ffff888004000008 by task lookup/101

CPU: 1 PID: 101 Comm: lookup Step: 7
Call Trace:
 get_net(net 1)  FILE:LINE
 get_net_ns_by_id()  FILE:LINE
 tasks[1].steps[0].put_net  a.json:17

Allocated by task put/100, step 7:
 net_alloc  FILE:LINE

Freed by task put/100, step 7:
 net_free  FILE:LINE

The buggy address belongs to the object at ffff888004000008, net 1,
 which belongs to the cache net_namespace of size 24
The buggy address is located 0 bytes inside of
 24-byte region [ffff888004000008, ffff888004000020) (struct net, count)
==================================================================
"
    );
}

#[test]
fn kcsan() {
    let told = told();
    let bug = Bug::DataRace {
        cell: told.cell(),
        kind: Kind::Read,
        marked: true,
        earlier: told.access(0, "put_net"),
        earlier_kind: Kind::Write,
        earlier_marked: false,
    };
    let text = text(&told, bug);
    assert!(text.contains("\nBUG: KCSAN: data-race in put_net / get_net: net 1->count\n"), "{text}");
    assert!(
        text.contains("\nwrite to 0xffff888004000008 of 8 bytes by task put/100, step 7:\n put_net "),
        "{text}"
    );
    assert!(
        text.contains("\nread (marked) to 0xffff888004000008 of 8 bytes by task lookup/101 on cpu 1,"),
        "{text}"
    );
}

#[test]
fn a_hung_task_names_the_holder() {
    let told = told();
    let bug = Bug::Deadlock {
        what: "net_mutex".to_owned(),
        op: Op::Lock(told.net_mutex, Locking::Mutex),
        holders: vec![told.access(0, "cleanup_net")],
    };
    let text = text(&told, bug);
    assert!(text.starts_with("INFO: task blocked for ever in get_net: net_mutex\n"), "{text}");
    assert!(
        text.contains("It waits for net_mutex (mutex_lock).\nHeld by put/100 since step 7:\n cleanup_net ")
    );
}

#[test]
fn who_spins_for_ever_locks_its_cpu_up() {
    let told = told();
    let title = |how, in_hardirq| {
        let (what, op) = ("net_mutex".to_owned(), Op::Lock(told.net_mutex, how));
        let finding = told.finding(Bug::Deadlock { what, op, holders: Vec::new() });
        finding::title(&Scene { in_hardirq, ..scene(&told) }, &finding)
    };
    let soft = "NMI watchdog: BUG: soft lockup - CPU#1 stuck for ever! [lookup:101] in get_net: net_mutex";
    let hard = "NMI watchdog: Watchdog detected hard LOCKUP on cpu 1 [lookup:101] in get_net: net_mutex";
    assert_eq!(title(Locking::SpinBh, false), soft);
    assert_eq!(title(Locking::Spin, false), soft);
    assert_eq!(title(Locking::Spin, true), hard);
    assert_eq!(title(Locking::SpinIrq, false), hard);
    assert_eq!(title(Locking::Mutex, true), "INFO: task blocked for ever in get_net: net_mutex");
}

#[test]
fn whoever_is_in_no_function_is_called_by_step_or_task() {
    let told = told();
    let mut finding = told.use_after_free();
    finding.by.function = "start";
    finding.stack.clear();
    if let Bug::UseAfterFree { freed, .. } = &mut finding.bug {
        freed.function = "start";
    }
    let title = "BUG: KASAN: slab-use-after-free in put_net: write of net 1";
    assert_eq!(finding::title(&scene(&told), &finding), title);
    let without_step = Scene { step: None, ..scene(&told) };
    assert_eq!(finding::title(&without_step, &finding), title.replace("put_net", "lookup"));
    let text = finding::text(&scene(&told), &finding);
    assert!(text.contains("Freed by task put/100, step 7:\n put  crates/"), "{text}");
    let line = json::finding(&without_step, "blind", &finding);
    assert!(line.contains(r#""function":"lookup""#) && !text.contains("start") && !line.contains("start"));
    let race = |earlier, ours| {
        let mut finding =
            told.finding(Bug::UnorderedFree { cell: told.cell(), used: told.access(0, earlier) });
        finding.by.function = ours;
        finding::title(&without_step, &finding)
    };
    assert_eq!(race("start", "put_net"), "BUG: KCSAN: data-race in put / put_net: free of net 1");
    assert_eq!(race("put_net", "start"), "BUG: KCSAN: data-race in put_net / lookup: free of net 1");
    assert_eq!(race("start", "start"), "BUG: KCSAN: data-race in put / lookup: free of net 1");
}

#[test]
fn a_finding_has_its_time_with_a_clock() {
    let told = told();
    let (finding, timed) = (told.use_after_free(), Scene { time: Some(1_002_003_999), ..scene(&told) });
    let text = finding::text(&timed, &finding);
    assert!(text.contains("=\n[    1.002003] BUG: KASAN: slab-use-after-free in get_net"), "{text}");
    assert!(finding::line(&timed, &finding).starts_with("[    1.002003] BUG: KASAN: "));
    assert!(json::finding(&timed, "blind", &finding).contains(r#""time":1002003999"#));
    assert!(json::finding(&scene(&told), "blind", &finding).contains(r#""time":null"#));
}

#[test]
fn the_first_line_of_an_oops_is_its_title() {
    let told = told();
    let faults = [
        Fault::BadPointer(BadPointer::Null, machine::Addr::NULL.plus(2)),
        Fault::BadPointer(BadPointer::ListPoison1, machine::Addr::LIST_POISON1),
        Fault::TypeConfusion { link: told.net, expected: "struct list" },
        Fault::Bug("a < b"),
        Fault::Panic("no memory"),
    ];
    for fault in faults {
        let bug = Bug::Oops { fault, target: "net 1".to_owned() };
        let text = text(&told, bug.clone());
        assert_eq!(text.lines().next(), Some(told.finding(bug).to_string().as_str()));
        assert!(text.contains("\nRIP: get_net  FILE:LINE\n"), "{text}");
    }
}

#[test]
fn every_code_is_explained() {
    let told = told();
    let bugs = [
        told.use_after_free().bug,
        Bug::BadUnlock { what: String::new() },
        Bug::SleepInAtomic { what: "x", preempt_count: 1, irqs_disabled: false, rcu_nesting: 0 },
        Bug::Warning { what: "x" },
        Bug::LocksHeld { leaving: Leaving::Task, held: Vec::new() },
        Bug::SuspiciousRcu { what: "x" },
        Bug::ListCorruption { what: String::new() },
        Bug::Refcount { what: "x", cell: told.cell() },
        Bug::InvalidFree { cell: told.cell() },
        Bug::Oops { fault: Fault::EndlessLoop, target: String::new() },
    ];
    for bug in bugs {
        let code = told.finding(bug).code();
        assert!(finding::explain(code).is_some(), "{code}");
    }
    assert_eq!(finding::explain("no such code"), None);
    for (code, text) in finding::EXPLANATIONS {
        // What it means, how it is found, what to look at, what finds it in a kernel.
        let paragraphs: Vec<&str> = text.lines().collect();
        assert_eq!(paragraphs.len(), 4, "{code}");
        assert!(paragraphs[2].starts_with("Look ") && paragraphs[3].starts_with("In a kernel: "), "{code}");
    }
}

#[test]
fn json_lines_have_stable_names() {
    let told = told();
    let line = json::finding(&scene(&told), "blind", &told.use_after_free());
    let value: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    let keys: Vec<&str> = value.as_object().expect("an object").keys().map(String::as_str).collect();
    assert!(
        line.starts_with(r#"{"reason":"finding","format":1,"file":"a.json","run":"blind","code":"#),
        "{line}"
    );
    assert_eq!(value["by"]["task"], "lookup");
    assert_eq!(value["by"]["pid"], 101);
    assert_eq!(value["scenario"]["path"], "tasks[1].steps[0].put_net");
    assert_eq!(value["object"]["name"], "net 1");
    assert_eq!(value["freed"]["function"], "net_free");
    assert_eq!(value["stack"][0]["function"], "get_net");
    assert!(keys.contains(&"text") && !line.contains('\n'));
}

#[test]
fn lines_of_the_simulator_are_not_shown() {
    let told = told();
    let scene = Scene { is_of_simulator: |_| true, ..scene(&told) };
    let text = finding::text(&scene, &told.use_after_free());
    assert!(!text.contains(".rs:"), "{text}");
    assert!(text.contains("\n get_net(net 1)\n get_net_ns_by_id()  a.json:17, tasks[1].steps[0].put_net\n"));
    let line = json::finding(&scene, "blind", &told.use_after_free());
    let value: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    assert!(value["by"].get("line").is_none() && value["by"]["function"] == "get_net", "{line}");
}

/// It stands below what it has called, and above what has called it.
#[test]
fn a_step_has_its_place_among_the_calls() {
    let told = told();
    let trace = |callers| {
        let text = finding::text(&Scene { callers, ..scene(&told) }, &told.use_after_free());
        let (_, trace) = text.split_once("Call Trace:\n").expect("a trace");
        let (trace, _) = trace.split_once("\n\n").expect("its end");
        let frames = trace.lines().map(|line| line.split(['(', ' ']).nth(1).expect("a frame").to_owned());
        frames.collect::<Vec<String>>()
    };
    let step = "tasks[1].steps[0].put_net";
    assert_eq!(trace(0), ["get_net", "get_net_ns_by_id", step]);
    assert_eq!(trace(1), ["get_net", step, "get_net_ns_by_id"]);
    assert_eq!(trace(2), [step, "get_net", "get_net_ns_by_id"]);
}

#[test]
fn another_use_of_a_freed_object_needs_one_line() {
    let told = told();
    let first = told.use_after_free();
    assert!(finding::is_of_same_object(&first, &told.use_after_free()));
    let mut other = told.use_after_free();
    if let Bug::UseAfterFree { cell, .. } = &mut other.bug {
        cell.object = "net 2".to_owned();
    }
    assert!(!finding::is_of_same_object(&first, &other));
    assert_eq!(
        finding::line(&scene(&told), &first),
        "BUG: KASAN: slab-use-after-free in get_net: write of net 1, by task lookup/101, step 7"
    );
}

/// Two runs that hit the same bug have the same key, whoever came first and whatever it is called there.
#[test]
fn a_key_tells_bugs_apart() {
    let told = told();
    let key = |finding: &machine::Finding| finding::key(&scene(&told), finding);
    let mut finding = told.use_after_free();
    assert_eq!(key(&finding), "kasan-use-after-free in get_net: struct net.count");
    finding.by.step += 7;
    if let Bug::UseAfterFree { cell, .. } = &mut finding.bug {
        cell.object = "net 2".to_owned();
    }
    assert_eq!(key(&finding), key(&told.use_after_free()));
    let race = |ours, theirs| {
        let mut finding =
            told.finding(Bug::UnorderedFree { cell: told.cell(), used: told.access(0, theirs) });
        finding.by.function = ours;
        key(&finding)
    };
    assert_eq!(race("get_net", "put_net"), "kcsan-unordered-free in get_net / put_net: struct net");
    assert_eq!(race("put_net", "get_net"), race("get_net", "put_net"));
    let op = Op::Lock(told.net_mutex, Locking::Mutex);
    let deadlock = told.finding(Bug::Deadlock { what: "net_mutex".to_owned(), op, holders: Vec::new() });
    assert_eq!(key(&deadlock), "deadlock in get_net: net_mutex");
}
