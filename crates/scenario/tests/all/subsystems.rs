// SPDX-License-Identifier: GPL-2.0-only
//! The library of subsystems, modules, and objects of a scenario's own.

use crate::common::{failures, good, run, with};

fn clean(parts: &str) {
    assert_eq!(failures(&with(parts)), Vec::<String>::new());
}

/// Every subsystem comes and goes in every namespace, and leaves nothing behind.
#[test]
fn every_subsystem_comes_and_goes() {
    for subsystem in netns::SUBSYSTEMS {
        let uses = match subsystem.uses {
            netns::Uses::Nothing => "",
            netns::Uses::Operations => r#", "uses": "table""#,
            netns::Uses::Module => r#", "uses": "helper""#,
        };
        let time = if subsystem.takes_time { r#", "time": "5ms""# } else { "" };
        let tables = if subsystem.name == "sysctl" { 6 } else { 3 };
        let devices = if subsystem.has_device { 3 } else { 0 };
        let put = if subsystem.name == "stuck-device" {
            r#"{"dev_put": {"net": "a", "ops": "sub"}}, {"dev_put": {"net": "b", "ops": "sub"}},"#
        } else {
            ""
        };
        let text = format!(
            r#""pernet": {{"table": {{"library": "sysctl"}}, "sub": {{"library": "{}"{uses}{time}}}}},
            "modules": {{"helper": {{}}}},
            "setup": [{{"load_module": {{"module": "helper", "expect": 0}}}},
                {{"register_pernet_subsys": {{"ops": "table", "expect": 0}}}},
                {{"copy_net_ns": {{"as": "a"}}}},
                {{"register_pernet_device": {{"ops": "sub", "expect": 0}}}}, {{"copy_net_ns": {{"as": "b"}}}},
                {put} {{"put_net": {{"net": "b"}}}}, {{"flush_netns_wq": {{}}}},
                {{"unregister_pernet_device": {{"ops": "sub"}}}}, {{"rcu_barrier": {{}}}},
                {{"put_net": {{"net": "a"}}}}, {{"flush_netns_wq": {{}}}},
                {{"unregister_pernet_subsys": {{"ops": "table"}}}}],
            "runs": [{{"end": {{"namespaces": 1, "callbacks": 0, "pernet": ["net_ns_ops"]}}, "counts": {{
                "alloc ctl_table": {tables}, "free ctl_table": {tables}, "alloc net_device": {devices},
                "free net_device": {devices}}}}}]"#,
            subsystem.name
        );
        // Nothing orders its second callback before the end of the pass.
        let late = ["default: finding kcsan-unordered-free was not expected"];
        let expected: &[&str] = if subsystem.name == "xfrm" { &late } else { &[] };
        assert_eq!(failures(&with(&text)), expected, "{}", subsystem.name);
        assert!(!subsystem.about.is_empty() && subsystem.stands_for.ends_with(".c"));
    }
}

#[test]
fn a_device_is_waited_for() {
    let text = with(
        r#""pernet": {"lo": {"library": "loopback"}},
        "setup": [{"register_pernet_device": {"ops": "lo"}}, {"copy_net_ns": {"as": "a"}},
            {"dev_hold": {"net": "a", "ops": "lo"}}],
        "tasks": [{"name": "t", "steps": [{"put_net": {"net": "a"}}]},
            {"name": "later", "steps": [{"copy_net_ns": {"as": "b"}}]}],
        "runs": [{"name": "for ever", "schedule": "t, kworker/netns, later", "findings": ["deadlock"],
            "outcome": "deadlock", "functions": ["netdev_wait_allrefs"], "counts": {"free net_device": 0}}]"#,
    );
    assert_eq!(failures(&text), Vec::<String>::new());
    clean(
        r#""pernet": {"lo": {"library": "stuck-device"}},
        "setup": [{"register_pernet_device": {"ops": "lo"}}, {"copy_net_ns": {"as": "a"}}],
        "tasks": [{"name": "t", "steps": [{"put_net": {"net": "a"}}]},
            {"name": "put", "steps": [{"dev_put": {"net": "a", "ops": "lo"}}]}],
        "runs": [{"schedule": "t, kworker/netns, put", "end": {"namespaces": 1}}]"#,
    );
}

#[test]
fn init_of_a_subsystem_fails_where_it_is_told_to() {
    clean(
        r#""pernet": {"table": {"library": "sysctl", "init_returns": {"2": "-EIO"}}},
        "setup": [{"register_pernet_subsys": {"ops": "table", "expect": 0}},
            {"copy_net_ns": {"as": "a", "expect": "-EIO"}}, {"copy_net_ns": {"as": "b", "expect": true}}],
        "runs": [{"counts": {"alloc ctl_table": 2}}]"#,
    );
}

#[test]
fn modules_come_and_go() {
    clean(
        r#""pernet": {"a": {"id": true, "size": 8, "init": [], "exit": []}, "b": {"init": [], "exit": []}},
        "modules": {"m": {"subsys": ["a"], "device": ["b"], "init": [{"cond_resched": {}}]}},
        "setup": [{"copy_net_ns": {"as": "n"}},
            {"unload_module": {"module": "m", "expect": "-ENOENT"}}, {"register_pernet_subsys": {"ops": "a"}},
            {"load_module": {"module": "m", "expect": 0}}, {"load_module": {"module": "m", "expect": "-EEXIST"}},
            {"net_generic": {"net": "n", "ops": "a", "expect": true}},
            {"unload_module": {"module": "m", "expect": 0}}, {"load_module": {"module": "m", "expect": 0}}],
        "runs": [{"end": {"pernet": ["net_ns_ops", "a", "b"]}, "counts": {"init a": 4, "exit a": 2, "exit b": 2},
            "events": ["init a init_net", "init b init_net", "exit b init_net", "exit a init_net",
                "init a init_net"]}]"#,
    );
}

#[test]
fn a_module_whose_init_fails_is_not_loaded() {
    clean(
        r#""pernet": {"a": {"init": [], "exit": []}, "b": {"init": [], "init_returns": {"1": "-EINVAL"}}},
        "modules": {"m": {"subsys": ["a", "b"]}},
        "setup": [{"load_module": {"module": "m", "expect": "-EINVAL"}},
            {"fail_alloc": {"kind": "module"}}, {"load_module": {"module": "m", "expect": "-ENOMEM"}},
            {"load_module": {"module": "m", "expect": 0}}],
        "runs": [{"events": ["init a init_net", "init b init_net", "exit a init_net", "init a init_net"],
            "end": {"pernet": ["net_ns_ops", "a", "b"]}}]"#,
    );
}

/// A helper's module makes connections forget it, or they call what is not there any more.
#[test]
fn helpers_of_connections() {
    let text = |exit: &str, findings: &str| {
        with(&format!(
            r#""pernet": {{"ct": {{"library": "conntrack", "uses": "helper"}}}},
            "modules": {{"helper": {{"exit": [{exit}]}}}},
            "setup": [{{"register_pernet_subsys": {{"ops": "ct"}}}}, {{"load_module": {{"module": "helper"}}}},
                {{"copy_net_ns": {{"as": "a"}}}}, {{"unload_module": {{"module": "helper"}}}},
                {{"put_net": {{"net": "a"}}}}, {{"flush_netns_wq": {{}}}}],
            "runs": [{{"findings": [{findings}]}}]"#
        ))
    };
    let forget = r#"{"nf_conntrack_helper_unregister": {"ops": "ct"}}"#;
    assert_eq!(failures(&text(forget, "")), Vec::<String>::new());
    assert_eq!(failures(&text("", "\"kasan-use-after-free\"")), Vec::<String>::new());
}

/// What uses the operations of a module does without them while it is not loaded.
#[test]
fn operations_of_a_module_are_used_while_it_is_loaded() {
    clean(
        r#""pernet": {"hook": {"library": "netfilter-hook", "uses": "queue"}, "queue": {"id": true, "size": 8}},
        "modules": {"nfqueue": {"subsys": ["queue"]}},
        "setup": [{"register_pernet_subsys": {"ops": "hook"}},
            {"copy_net_ns": {"as": "a"}}, {"put_net": {"net": "a"}}, {"flush_netns_wq": {}},
            {"load_module": {"module": "nfqueue"}},
            {"copy_net_ns": {"as": "b"}}, {"put_net": {"net": "b"}}, {"flush_netns_wq": {}},
            {"copy_net_ns": {"as": "c"}}, {"unload_module": {"module": "nfqueue"}},
            {"put_net": {"net": "c"}}, {"flush_netns_wq": {}}],
        "runs": [{"counts": {"enter nf_unregister_net_hook": 3, "enter nfqnl_nf_hook_drop": 1}}]"#,
    );
}

/// Modules that load each other come to an end.
#[test]
fn modules_that_load_modules() {
    clean(
        r#""modules": {"own": {"init": [{"load_module": {"module": "own", "expect": "-EBUSY"}}],
            "exit": [{"unload_module": {"module": "own", "expect": "-EBUSY"}}]}},
        "setup": [{"load_module": {"module": "own", "expect": 0}}, {"unload_module": {"module": "own", "expect": 0}}]"#,
    );
    let chain: Vec<String> = (0..9)
        .map(|n| format!(r#""m{n}": {{"init": [{{"load_module": {{"module": "m{}"}}}}]}}"#, n + 1))
        .collect();
    clean(&format!(
        r#""modules": {{{}, "m9": {{}}}}, "setup": [{{"load_module": {{"module": "m0"}}}}],
        "runs": [{{"findings": ["endless-loop"], "counts": {{"enter load_module": 5}}}}]"#,
        chain.join(", ")
    ));
}

/// A callback of a module that is gone: found without the barrier, and only then.
#[test]
fn callbacks_of_a_module() {
    let text = |barrier: bool| {
        with(&format!(
            r#""modules": {{"m": {{"barrier": {barrier}}}}},
            "tasks": [{{"name": "t", "cpu": 0, "steps": [{{"load_module": {{"module": "m"}}}},
                {{"call_rcu": {{"module": "m", "steps": []}}}}, {{"unload_module": {{"module": "m"}}}}]}}],
            "runs": [{{"schedule": "t"}}]"#
        ))
    };
    assert_eq!(failures(&text(true)), Vec::<String>::new());
    assert_eq!(failures(&text(false)), ["default: finding kasan-use-after-free was not expected"]);
}

/// A module that forgets its operations: the next namespace calls their init.
#[test]
fn methods_of_a_module_that_is_gone() {
    let text = with(
        r#""pernet": {"a": {"init": [], "exit": []}},
        "modules": {"m": {"subsys": ["a"], "unregister": false}},
        "setup": [{"load_module": {"module": "m"}}, {"unload_module": {"module": "m"}},
            {"copy_net_ns": {"as": "n"}}],
        "runs": [{"findings": ["kasan-use-after-free"]}]"#,
    );
    let scenario = good(&text);
    let happened = run(&scenario, &scenario.runs[0]);
    assert_eq!(happened.failures, []);
    assert!(
        happened.findings.iter().any(|finding| finding.contains("in pernet_init: read of m")),
        "{:?}",
        happened.findings
    );
}

#[test]
fn objects() {
    clean(
        r#""setup": [{"allocate": {"as": "o", "expect": true}}, {"check": {"name": "o", "expect": true}},
            {"write": {"object": "o"}}, {"read": {"object": "o"}}, {"free": {"object": "o"}},
            {"fail_alloc": {"kind": "object"}}, {"allocate": {"as": "p", "bytes": 24, "expect": null}},
            {"read": {"object": "p"}}, {"allocate": {"as": "p"}}, {"kfree_rcu": {"object": "p"}},
            {"rcu_barrier": {}}],
        "runs": [{"counts": {"free object": 2, "kfree_rcu object 2": 1}}]"#,
    );
    let misuse = |steps: &str, finding: &str| {
        let text = format!(
            r#""pernet": {{"a": {{"id": true, "size": 8}}}},
            "setup": [{{"register_pernet_subsys": {{"ops": "a"}}}}, {{"allocate": {{"as": "o", "bytes": 24}}}},
                {steps}],
            "runs": [{{"findings": ["{finding}"]}}]"#
        );
        assert_eq!(failures(&with(&text)), Vec::<String>::new(), "{steps}");
    };
    let free = r#"{"free": {"object": "o"}}"#;
    misuse(&format!(r#"{free}, {{"read": {{"object": "o"}}}}"#), "kasan-use-after-free");
    misuse(&format!("{free}, {free}"), "kasan-double-free");
    let lookup = r#"{"net_generic": {"net": "init_net", "ops": "a", "as": "d", "access": "none"}}"#;
    misuse(&format!(r#"{lookup}, {{"kfree_rcu": {{"object": "d"}}}}"#), "kasan-out-of-bounds");
    misuse(
        &format!(
            r#"{lookup}, {{"free": {{"object": "d"}}}}, {{"unregister_pernet_subsys": {{"ops": "a"}}}}"#
        ),
        "kasan-double-free",
    );
}

/// A callback posts a callback, which still knows the namespace that exit was called for.
#[test]
fn callbacks_post_callbacks() {
    clean(
        r#""machine": {"cpus": 1}, "pernet": {"a": {"exit": [{"call_rcu": {"steps": [
            {"check": {"name": "self", "expect": "n"}}, {"call_rcu": {"steps": [
                {"check": {"name": "self", "expect": "n"}}, {"touch_net": {"net": "self"}}]}}]}}]}},
        "setup": [{"register_pernet_subsys": {"ops": "a"}}, {"copy_net_ns": {"as": "n"}},
            {"put_net": {"net": "n"}}],
        "runs": [{"schedule": "main, kworker/netns, rcuc/0*4, kworker/netns, rcuc/0",
            "findings": ["kasan-use-after-free"], "counts": {"rcu_callback": 2}}]"#,
    );
}
