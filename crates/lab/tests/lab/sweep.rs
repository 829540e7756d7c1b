// SPDX-License-Identifier: GPL-2.0-only
//! Sweeps of allocation failures: what is undone, what is tolerated, what is not.

use lab::run::{RunOptions, RunReport};

use crate::setup::{run, run_with};

fn summary(report: &RunReport) -> String {
    report.sweep.as_ref().expect("a sweep").to_string()
}

const CREATE: &str = r#""tasks": [{"name": "t", "steps": [{"copy_net_ns": {"as": "a", "expect": true}}]}],
    "runs": [{"sweep": {"alloc": "any"}, "end": {"namespaces": 2}}]"#;

#[test]
fn a_creation_is_undone() {
    let report = run(CREATE);
    assert_eq!(report.failures, []);
    // ucounts, gen, net, ida_bitmap: the last one is tried again.
    assert_eq!(summary(&report), "4 allocation failures, all undone");
}

#[test]
fn one_kind_only() {
    let report = run(&CREATE.replace("any", "net"));
    assert_eq!(summary(&report), "1 allocation failure, all undone");
    let report = run(&CREATE.replace("any", "skb"));
    assert_eq!(summary(&report), "0 allocation failures, all undone");
}

#[test]
fn in_one_function_only() {
    let report = run(&CREATE.replace(r#""any""#, r#""any", "in": "net_alloc""#));
    assert_eq!(summary(&report), "2 allocation failures, all undone");
    let report = run(&CREATE.replace(r#""any""#, r#""any", "in": "cleanup_net""#));
    assert_eq!(summary(&report), "0 allocation failures, all undone");
}

#[test]
fn what_goes_on_without_memory_is_tolerated() {
    // The message is not sent, and nobody listens.
    let report = run(r#""setup": [{"copy_net_ns": {"as": "a"}}],
        "tasks": [{"name": "t", "steps": [{"peernet2id_alloc": {"net": "init_net", "peer": "a"}}]}],
        "runs": [{"sweep": {"alloc": "skb"}}]"#);
    assert_eq!(
        (report.failures.len(), summary(&report)),
        (0, "1 allocation failure, all tolerated".to_owned())
    );
}

#[test]
fn setup_can_be_swept() {
    let report =
        run(r#""setup": [{"copy_net_ns": {"as": "a"}}, {"put_net": {"net": "a"}}, {"flush_netns_wq": {}}],
        "runs": [{"sweep": {"alloc": "net", "from": "setup"}}]"#);
    assert_eq!((report.failures.len(), summary(&report)), (0, "1 allocation failure, all undone".to_owned()));
}

/// An init method that keeps what it allocated when it fails.
const LEAK: &str = r#""pernet": {"leaky": {"init": [{"allocate": {"as": "o"}}], "exit": [{"free": {"object": "o"}}]},
        "table": {"library": "sysctl"}},
    "setup": [{"register_pernet_subsys": {"ops": "leaky"}}, {"register_pernet_subsys": {"ops": "table"}},
        {"free": {"object": "o"}}],
    "tasks": [{"name": "t", "steps": [{"copy_net_ns": {"as": "a"}}, {"allocate": {"as": "p"}},
        {"get_net": {"net": "a"}}, {"read": {"object": "p"}}]}],
    "runs": [{"sweep": {"alloc": "object"}}]"#;

#[test]
fn what_is_not_undone_is_told() {
    let report = run(LEAK);
    let texts: Vec<String> = report.failures.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(
        texts[0].starts_with("allocation 1 (`object` in allocate_object()) fails, and is not undone: "),
        "{texts:?}"
    );
    assert!(texts[1].contains("1 object instead of 0"), "{texts:?}");
    assert_eq!(summary(&report), "2 allocation failures: 2 wrong");
}

/// CVE-2022-50780: init fails, its data is freed, and the exits of the operations before still find it.
#[test]
fn findings_are_those_of_all_executions() {
    let table = r#""pernet": {"hook": {"library": "netfilter-hook", "uses": "queue"}, "queue": {"library": "loopback"}},
        "setup": [{"register_pernet_subsys": {"ops": "hook"}}, {"register_pernet_subsys": {"ops": "queue"}}],
        "tasks": [{"name": "t", "steps": [{"copy_net_ns": {"as": "a"}}]}],
        "runs": [{"sweep": {"alloc": "any"}, "findings": FINDINGS}]"#;
    let report = run(&table.replace("FINDINGS", r#"["kasan-use-after-free"]"#));
    assert_eq!(report.failures, []);
    assert_eq!(summary(&report), "6 allocation failures: 5 undone, 1 with kasan-use-after-free");
    let report = run(&table.replace("FINDINGS", "[]"));
    let texts: Vec<String> = report.failures.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "finding kasan-use-after-free was not expected",
            "allocation 6 (`net_device` in register_netdev()) fails: finding kasan-use-after-free was not expected",
        ]
    );
}

/// One of them alone, as the report says.
#[test]
fn one_failure_alone() {
    let options = RunOptions { fail_nth: Some(3), ..RunOptions::default() };
    let report = run_with(CREATE, &options);
    assert!(report.sweep.is_none() && !report.judged);
    assert_eq!(report.end_state.bindings["a"], "-ENOMEM");
    let without_sweep = CREATE.replace("\"sweep\": {\"alloc\": \"any\"}, ", "");
    assert_eq!(run_with(&without_sweep, &options).hash, report.hash);
}
