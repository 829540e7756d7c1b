// SPDX-License-Identifier: GPL-2.0-only
//! Tasks: copies, interrupts, barriers, delays, work that is held up.

use crate::common::{failures, good, run, with};

fn clean(parts: &str) {
    assert_eq!(failures(&with(parts)), Vec::<String>::new());
}

/// What a copy binds is its own, and everybody else sees what is bound elsewhere.
#[test]
fn copies_of_a_task() {
    let parts = r#""setup": [{"copy_net_ns": {"as": "shared"}}],
        "tasks": [{"name": "t", "copies": 5, "steps": [
            {"loop": {"times": 3, "steps": [{"copy_net_ns": {"as": "n"}}, {"clone": {"name": "p"}},
                {"count": {"net": "n", "expect": 1}}, {"get_net": {"net": "shared"}},
                {"put_net": {"net": "shared"}}, {"exit": {"pid": "p"}}, {"reap": {"pid": "p"}},
                {"put_net": {"net": "n"}}]}}]}],
        "runs": [{"end": {"namespaces": 2, "results": {"n[5]": true}}, "counts": {"alloc net": 16, "free net": 15}},
            {"name": "seed", "seed": 4, "end": {"namespaces": 2}, "counts": {"alloc net": 16}}]"#;
    clean(parts);
    let scenario = good(&with(parts));
    assert_eq!(scenario.task_names().collect::<Vec<_>>(), ["t-1", "t-2", "t-3", "t-4", "t-5"]);
    let end = run(&scenario, &scenario.runs[0]).end;
    assert_eq!(end.tasks.len(), 6, "{:?}", end.tasks);
}

#[test]
fn interrupts() {
    for context in ["softirq", "hardirq"] {
        let text = |steps: &str, findings: &str| {
            with(&format!(
                r#""setup": [{{"copy_net_ns": {{"as": "a"}}}}],
                "tasks": [{{"name": "irq", "context": "{context}", "cpu": 1, "steps": [{steps}]}},
                    {{"name": "other", "cpu": 1, "steps": [{{"get_net_ns_by_pid": {{"pid": "other", "as": "net"}}}}]}}],
                "runs": [{{"findings": [{findings}]}}, {{"name": "s", "seed": 1, "findings": [{findings}]}}]"#
            ))
        };
        let put = text(r#"{"put_net": {"net": "a"}}"#, "");
        assert_eq!(failures(&put), Vec::<String>::new(), "{context}");
        let scenario = good(&put);
        let end = run(&scenario, &scenario.runs[0]).end;
        assert_eq!(end.namespaces.len(), 1);
        assert_eq!(end.tasks.len(), 2, "a {context} is no process: {:?}", end.tasks);
        for good in [
            r#"{"get_net": {"net": "a"}}, {"maybe_get_net": {"net": "a", "as": "b", "expect": "a"}}"#,
            r#"{"rcu_read": {"steps": [{"touch_net": {"net": "a"}}]}}"#,
            r#"{"allocate": {"as": "o", "gfp": "atomic"}}, {"kfree_rcu": {"object": "o"}}"#,
            r#"{"call_rcu": {"steps": [{"touch_net": {"net": "a"}}]}}"#,
        ] {
            assert_eq!(failures(&text(good, "")), Vec::<String>::new(), "{context}: {good}");
        }
        for sleeps in [
            r#"{"net_mutex_lock": {}}, {"net_mutex_unlock": {}}"#,
            r#"{"delay": {"time": "1ms"}}"#,
            r#"{"allocate": {"as": "o"}}"#,
            r#"{"synchronize_rcu": {}}"#,
            r#"{"cond_resched": {}}"#,
            r#"{"barrier": {"name": "b", "tasks": 1}}"#,
            r#"{"complete": {"name": "c"}}, {"wait_for_completion": {"name": "c"}}"#,
        ] {
            let text = text(sleeps, "\"sleep-in-atomic\"");
            assert_eq!(failures(&text), Vec::<String>::new(), "{context}: {sleeps}");
        }
        let warning = if context == "hardirq" { "\"warning\"" } else { "" };
        let bh = text(r#"{"peernet2id": {"net": "init_net", "peer": "a"}}"#, warning);
        assert_eq!(failures(&bh), Vec::<String>::new(), "{context}");
    }
}

/// Nobody goes on before all have come, whoever comes first; and then all know what the others did.
#[test]
fn barriers() {
    clean(
        r#""setup": [{"allocate": {"as": "o"}}, {"allocate": {"as": "p"}}],
        "tasks": [
            {"name": "a", "steps": [{"write": {"object": "o"}}, {"barrier": {"name": "b", "tasks": 3}},
                {"read": {"object": "p"}}, {"barrier": {"name": "b", "tasks": 3}}, {"free": {"object": "o"}}]},
            {"name": "b", "steps": [{"write": {"object": "p"}}, {"barrier": {"name": "b", "tasks": 3}},
                {"read": {"object": "o"}}, {"barrier": {"name": "b", "tasks": 3}}]},
            {"name": "c", "steps": [{"barrier": {"name": "b", "tasks": 3}}, {"read": {"object": "o"}},
                {"barrier": {"name": "b", "tasks": 3}}]}],
        "runs": [{"name": "0", "seed": 0}, {"name": "1", "seed": 1}, {"name": "2", "seed": 2},
            {"name": "3", "seed": 3}, {"name": "order", "schedule": "c, b, a, c, b"}]"#,
    );
    clean(
        r#""tasks": [{"name": "alone", "steps": [{"barrier": {"name": "b", "tasks": 1}}]},
            {"name": "t", "steps": [{"barrier": {"name": "c", "tasks": 2}}]}],
        "runs": [{"findings": ["deadlock"], "outcome": "deadlock"}]"#,
    );
}

#[test]
fn some_tasks_only() {
    clean(
        r#""tasks": [{"name": "a", "copies": 3, "steps": [{"copy_net_ns": {"as": "n"}}]},
            {"name": "b", "steps": [{"copy_net_ns": {"as": "m"}}, {"get_net_ns_by_pid": {"pid": "a-1", "as": "of_a"}}]},
            {"name": "c", "context": "softirq", "cpu": 0, "steps": [{"get_net": {"net": "init_net"}}]}],
        "runs": [{"name": "all", "counts": {"alloc net": 4, "enter get_net": {"at_least": 1}},
                "end": {"results": {"of_a": true}}},
            {"name": "a", "tasks": ["a"], "counts": {"alloc net": 3}},
            {"name": "one", "tasks": ["a-2", "b"], "counts": {"alloc net": 2}, "end": {"results": {"n[2]": true}}},
            {"name": "none", "tasks": [], "counts": {"alloc net": 0, "enter get_net": 0}}]"#,
    );
}

/// A delay is where others may run.
#[test]
fn delays() {
    clean(
        r#""machine": {"cpus": 1, "preempt": "voluntary"},
        "setup": [{"allocate": {"as": "o"}}],
        "tasks": [{"name": "a", "steps": [{"delay": {"time": "5ms"}}, {"delay": {"time": "2us"}},
                {"free": {"object": "o"}}]},
            {"name": "b", "steps": [{"call_rcu": {}}]}],
        "runs": [{"schedule": "a until msleep, b, rcuc/0, a", "counts": {"enter msleep": 1, "enter usleep_range": 1},
            "events": ["enter msleep", "rcu_callback", "enter usleep_range", "free object 1"]}]"#,
    );
}

#[test]
fn work_that_is_held_up() {
    clean(
        r#""setup": [{"copy_net_ns": {"as": "a"}}, {"delay_work": {"until": "go"}}, {"put_net": {"net": "a"}}],
        "tasks": [{"name": "t", "steps": [{"count": {"net": "a", "expect": 0}}, {"synchronize_rcu": {}},
            {"call_rcu": {}}, {"complete": {"name": "go"}}]}],
        "runs": [{"schedule": "kworker/netns, t", "end": {"namespaces": 1},
            "events": ["enter __put_net", "enter delay_work", "synchronize_rcu", "enter cleanup_net"]}]"#,
    );
    clean(
        r#""setup": [{"copy_net_ns": {"as": "a"}}, {"delay_work": {"time": "1s"}}, {"put_net": {"net": "a"}}],
        "runs": [{"end": {"namespaces": 1}, "events": ["enter delay_work", "enter msleep", "enter cleanup_net"]}]"#,
    );
}

#[test]
fn a_socket_has_room_again() {
    clean(
        r#""setup": [{"copy_net_ns": {"as": "a"}}, {"copy_net_ns": {"as": "b"}}, {"copy_net_ns": {"as": "c"}},
            {"listen": {"net": "init_net", "as": "l", "room": 1}},
            {"peernet2id_alloc": {"net": "init_net", "peer": "a"}},
            {"peernet2id_alloc": {"net": "init_net", "peer": "b"}},
            {"received": {"socket": "l", "expect": ["NEWNSID 0"], "error": "-ENOBUFS", "take": true}},
            {"received": {"socket": "l", "expect": [], "error": 0}},
            {"peernet2id_alloc": {"net": "init_net", "peer": "c"}},
            {"received": {"socket": "l", "expect": ["NEWNSID 2"], "error": 0}}]"#,
    );
}
