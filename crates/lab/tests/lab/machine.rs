// SPDX-License-Identifier: GPL-2.0-only
//! The machine is the one that the scenario asks for.

use std::sync::Arc;

use lab::run::{Decider, Lab, RunOptions, RunReport};
use machine_sim::{First, Outcome};
use scenario::Source;

fn lab(text: &str) -> Lab {
    let source = Source { name: "test.json".to_owned(), text: text.to_owned() };
    Lab::new(Arc::new(scenario::read(&source).expect("a good scenario")))
}

fn run(lab: &mut Lab, options: &RunOptions) -> RunReport {
    let scenario = lab.scenario().clone();
    lab.run(&scenario.runs[0], options, &mut First, |_, _| {}).expect("a good schedule")
}

/// How many of many seeds deadlock where an interrupt asks for an id on the CPU of a task that does.
fn deadlocks(context: &str) -> usize {
    let ask = r#"[{"peernet2id": {"net": "init_net", "peer": "init_net"}}]"#;
    let mut lab = lab(&format!(
        r#"{{"version": 1, "title": "t", "note": "n", "tasks": [{{"name": "t", "cpu": 0, "steps": {ask}}},
            {{"name": "irq", "context": "{context}", "cpu": 0, "steps": {ask}}}]}}"#
    ));
    let seeds =
        (0..50).map(|seed| RunOptions { decider: Some(Decider::Seed(seed)), ..RunOptions::default() });
    seeds.filter(|options| run(&mut lab, options).outcome == Outcome::Deadlock).count()
}

#[test]
fn a_hardware_interrupt_arrives_where_only_softirqs_are_off() {
    assert_eq!(deadlocks("softirq"), 0);
    assert!(deadlocks("hardirq") > 0);
}

#[test]
fn a_cpu_without_a_reader_holds_up_a_grace_period_in_the_per_cpu_model_only() {
    let text = include_str!("../../../../scenarios/grace-period-waits-for-a-busy-cpu.json");
    let failures = |text: &str| {
        let report = run(&mut lab(text), &RunOptions::default());
        report.failures.iter().map(ToString::to_string).collect::<Vec<String>>()
    };
    assert_eq!(failures(text), Vec::<String>::new());
    let model = r#", "rcu": "per_cpu""#;
    assert!(text.contains(model));
    // Without the kthread and its callbacks.
    let text: String =
        text.lines().filter(|line| !line.contains("rcuc/0") && !line.contains("\"rcu_sched\"")).collect();
    let text = text.replace("\"enter rcu_gp_init\", ", "").replace("\"enter rcu_gp_cleanup\", ", "");
    for other in ["", r#", "rcu": "abstract""#] {
        let failures = failures(&text.replace(model, other));
        assert!(failures.iter().any(|text| text.contains("enter peernet2id")), "{failures:?}");
    }
}

#[test]
fn kmemleak_can_be_switched_off() {
    let leaks = |machine: &str| {
        let report = crate::setup::run(&format!(
            r#""machine": {{{machine}}}, "setup": [{{"copy_net_ns": {{"as": "a"}}}}, {{"passive_get": {{"net": "a"}}}}],
            "tasks": [{{"name": "t", "steps": [{{"put_net": {{"net": "a"}}}}]}}]"#
        ));
        report.findings.iter().map(|found| found.finding.to_string()).collect::<Vec<_>>()
    };
    let found = [
        "unreferenced object net_generic 2 (size 104), allocated in net_alloc_generic",
        "unreferenced object net 1 (size 152), allocated in net_alloc",
    ];
    assert_eq!(leaks(r#""kmemleak": true"#), found);
    assert_eq!(leaks(r#""kmemleak": false"#), Vec::<String>::new());
}

#[test]
fn invariants_can_be_switched_off() {
    let broken = |machine: &str| {
        let report = crate::setup::run(&format!(
            r#""machine": {{{machine}}}, "mutations": ["no_peer_count"], "setup": [{{"copy_net_ns": {{"as": "a"}}}}],
            "tasks": [{{"name": "t", "steps": [{{"passive_get": {{"net": "a"}}}}, {{"put_net": {{"net": "a"}}}},
                {{"flush_netns_wq": {{}}}}, {{"peernet2id_alloc": {{"net": "init_net", "peer": "a"}}}}]}}]"#
        ));
        report.findings.iter().map(|found| found.finding.to_string()).collect::<Vec<_>>()
    };
    let found = ["invariant broken (nsid): id 0 in init_net is that of net 1, which is cleaned up"];
    assert_eq!(broken(r#""invariants": true"#), found);
    assert_eq!(broken(r#""invariants": false"#), Vec::<String>::new());
}
