// SPDX-License-Identifier: GPL-2.0-only
//! What watchdogs print, line by line.

use machine::{Alarm, Bug, Detected, Locking, Op, RcuStall};
use report::{Detail, Scene, finding, json};
use serde_json::Value;

use crate::common::Told;

fn told() -> Told {
    Told::new(Detail::Telling, 100, &[("put", 0), ("modprobe", 1)])
}

fn scene(told: &Told) -> Scene<'_> {
    Scene {
        bus: &told.bus,
        cpu: 1,
        in_hardirq: false,
        time: Some(240_000_000_000),
        pids: &[100, 101],
        file: "a.json",
        step: None,
        callers: 0,
        is_of_simulator: |_| true,
    }
}

/// A report of the second task, without its call trace, which others have as well.
fn text(told: &Told, alarm: Alarm) -> String {
    let finding = told.finding(Bug::Watchdog(Box::new(alarm)));
    let text = finding::text(&scene(told), &finding);
    let trace = "Call Trace:\n get_net(net 1)\n get_net_ns_by_id()\n";
    assert_eq!(text.matches(trace).count(), usize::from(text.contains("Call Trace")), "{text}");
    text.replace(trace, "...\n")
}

fn hung(told: &Told) -> Alarm {
    Alarm::HungTask {
        timeout: 120,
        what: "net_mutex".to_owned(),
        op: Op::Lock(told.net_mutex, Locking::Mutex),
        holders: vec![told.access(0, "cleanup_net")],
    }
}

#[test]
fn hung_tasks() {
    let told = told();
    let expected = "\
[  240.000000] INFO: task modprobe:101 blocked for more than 120 seconds.
\"echo 0 > /proc/sys/kernel/hung_task_timeout_secs\" disables this message.
modprobe        D    0   101
...

It waits for net_mutex (mutex_lock).
Held by put/100 since step 7:
 cleanup_net
";
    assert_eq!(text(&told, hung(&told)), expected);
}

#[test]
fn lockups() {
    let told = told();
    let by = "CPU: 1 PID: 101 Comm: modprobe Step: 7\n...\n";
    let soft = text(&told, Alarm::SoftLockup { cpu: 1, seconds: 22 });
    let line = "[  240.000000] NMI watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [modprobe:101]\n";
    assert_eq!(soft, format!("{line}{by}"));
    let hard = text(&told, Alarm::HardLockup { cpu: 1 });
    let line = "[  240.000000] NMI watchdog: Watchdog detected hard LOCKUP on cpu 1\n";
    assert_eq!(hard, format!("{line}{by}"));
}

fn stall(told: &Told, detected: Detected) -> Alarm {
    Alarm::RcuStall(RcuStall {
        flavor: "rcu_preempt",
        detected,
        nr_cpus: 4,
        jiffies: 5250,
        cpus: vec![(1, told.access(1, "get_net"))],
        tasks: if detected == Detected::BySelf { vec![] } else { vec![told.access(0, "for_each_net_rcu")] },
    })
}

#[test]
fn stalls() {
    let told = told();
    let expected = "\
[  240.000000] INFO: rcu_preempt self-detected stall on CPU
\t1-...: (5250 ticks this GP)
\t (t=5250 jiffies)
CPU: 1 PID: 101 Comm: modprobe Step: 7
...
";
    assert_eq!(text(&told, stall(&told, Detected::BySelf)), expected);
    let expected = "\
[  240.000000] INFO: rcu_preempt detected stalls on CPUs/tasks:
\tTasks blocked on level-0 rcu_node (CPUs 0-3): P100
\t1-...: (5250 ticks this GP)
\t(detected by 2, t=5250 jiffies)
CPU: 1 PID: 101 Comm: modprobe Step: 7
...
It waits for put/100, a reader since step 7:
 for_each_net_rcu
";
    assert_eq!(text(&told, stall(&told, Detected::ByOther(2))), expected);
    let expedited = text(&told, stall(&told, Detected::Expedited));
    assert!(
        expedited.contains("INFO: rcu_preempt detected expedited stalls on CPUs/tasks:\n"),
        "{expedited}"
    );
}

#[test]
fn stuck_work() {
    let told = told();
    let pending = vec![("net_cleanup_work".to_owned(), told.access(0, "__put_net"))];
    let expected = "\
[  240.000000] BUG: workqueue lockup - pool cpus=0-3 flags=0x4 nice=0 stuck for 59s!
Showing busy workqueues and worker pools:
    pending: net_cleanup_work
      queued by task put/100 in __put_net, step 7
";
    assert_eq!(text(&told, Alarm::WorkqueueLockup { cpus: 4, seconds: 59, pending }), expected);
}

#[test]
fn json_names_holders() {
    let told = told();
    let line = |alarm| {
        let finding = told.finding(Bug::Watchdog(Box::new(alarm)));
        serde_json::from_str::<Value>(&json::finding(&scene(&told), "run", &finding)).expect("JSON")
    };
    let hung = line(hung(&told));
    assert_eq!((&hung["code"], &hung["waits_for"]), (&"hung-task".into(), &"net_mutex".into()));
    assert_eq!(hung["key"], "hung-task in get_net: net_mutex");
    assert_eq!((&hung["holders"][0]["pid"], &hung["time"]), (&100.into(), &240_000_000_000_u64.into()));
    let stall = line(stall(&told, Detected::ByOther(2)));
    let pids: Vec<&Value> = [0, 1].iter().map(|n: &usize| &stall["holders"][*n]["pid"]).collect();
    assert_eq!((&stall["code"], pids), (&"rcu-stall".into(), vec![&101.into(), &100.into()]));
}
