// SPDX-License-Identifier: GPL-2.0-only
//! Signals at a point, and what is said of faults.

use crate::common::{failures, good, run, with};

fn killed(enter: &str, nth: u64, steps: &str) -> String {
    with(&format!(
        r#""faults": [{{"kill": "t", "enter": "{enter}", "nth": {nth}}}],
        "tasks": [{{"name": "holder", "cpu": 1, "steps": [{{"net_mutex_lock": {{}}}}, {{"cond_resched": {{}}}},
            {{"net_mutex_unlock": {{}}}}]}},
            {{"name": "t", "cpu": 0, "steps": [{steps}]}}],
        "runs": [{{"schedule": "holder*2, t, holder, t"}}]"#
    ))
}

/// The signal comes when the function is entered: in time for the lock that it takes, and not before.
#[test]
fn sigkill_at_a_point() {
    let first = r#"{"copy_net_ns": {"as": "a", "expect": "-EINTR"}}"#;
    assert_eq!(failures(&killed("net_alloc", 1, first)), Vec::<String>::new());
    assert_eq!(failures(&killed("copy_net_ns", 1, first)), Vec::<String>::new());
    // Too late for the lock, and after it for what follows.
    let through = r#"{"copy_net_ns": {"as": "a", "expect": true}}"#;
    assert_eq!(failures(&killed("setup_net", 1, through)), Vec::<String>::new());
    let second = r#"{"get_net": {"net": "init_net"}}, {"copy_net_ns": {"as": "a", "expect": true}},
        {"put_net": {"net": "init_net"}}, {"copy_net_ns": {"as": "b", "expect": true}}"#;
    assert_eq!(failures(&killed("copy_net_ns", 2, second)), Vec::<String>::new());
}

#[test]
fn faults_are_reported() {
    let text = killed("setup_net", 3, r#"{"copy_net_ns": {"as": "a"}}"#);
    let text = text.replace("\"faults\": [", "\"faults\": [{\"alloc\": \"skb\"}, ");
    assert_eq!(
        failures(&text),
        [
            "default: faults[0]: the failure of `skb` allocations never fired",
            "default: faults[1]: SIGKILL for t at setup_net()#3 never fired",
        ]
    );
    let twice = killed("net_alloc", 1, r#"{"copy_net_ns": {"as": "a"}}"#)
        .replace("\"faults\": [", "\"faults\": [{\"kill\": \"t\", \"enter\": \"net_alloc\", \"nth\": 2}, ");
    assert_eq!(failures(&twice), ["default: faults[0]: SIGKILL for t at net_alloc()#2 never fired"]);
    let scenario = good(&killed("net_alloc", 1, r#"{"copy_net_ns": {"as": "a"}}"#));
    let end = run(&scenario, &scenario.runs[0]).end;
    assert_eq!(end.faults, [("SIGKILL for t at net_alloc()#1".to_owned(), 1)]);
    assert!(end.to_string().contains("SIGKILL for t at net_alloc()#1: fired once"), "{end}");
}
