// SPDX-License-Identifier: GPL-2.0-only
//! Scenarios run, and are judged.

use crate::common::{failures, good, run, with};

fn clean(parts: &str) {
    assert_eq!(failures(&with(parts)), Vec::<String>::new());
}

/// The reference names every step, and its example runs.
#[test]
fn the_reference_is_complete() {
    let page = include_str!("../../../../docs/scenario-format.md");
    for step in scenario::STEPS {
        assert!(page.contains(&format!("`{step}`")), "{step}");
    }
    for subsystem in scenario::SUBSYSTEMS {
        assert!(page.contains(&format!("`{}`", subsystem.name)), "{}", subsystem.name);
    }
    let example = page.split("```json\n").nth(1).and_then(|rest| rest.split("```").next());
    assert_eq!(failures(example.expect("an example")), Vec::<String>::new());
}

#[test]
fn boot_alone() {
    clean(
        r#""runs": [{"end": {"namespaces": 1, "pernet": ["net_ns_ops"], "callbacks": 0,
        "cleanup_pending": false, "user_namespaces": 1, "ucounts": {"init_user_ns/0": 0}},
          "functions": ["net_ns_init"]}]"#,
    );
    clean(r#""machine": {"net_ns": false}, "boot": false, "setup": [{"net_ns_init": {}}]"#);
    let booted = good(&with(r#""boot": false"#));
    assert_eq!(run(&booted, &booted.runs[0]).end.pernet, Vec::<String>::new());
}

#[test]
fn create_and_destroy() {
    clean(
        r#""tasks": [{"name": "t", "steps": [
            {"copy_net_ns": {"as": "a", "expect": true}}, {"count": {"net": "a", "expect": 1, "passive": 1}},
            {"get_net": {"net": "a"}}, {"put_net": {"net": "a"}}, {"put_net": {"net": "a"}},
              {"flush_netns_wq": {}},
            {"synchronize_rcu": {}}]}],
        "runs": [{"end": {"namespaces": 1}, "functions": ["cleanup_net", "net_drop_ns"],
            "events": ["alloc net 1", "queue_work true", "work_start", "synchronize_rcu", "free net 1",
              "work_end"]}]"#,
    );
}

#[test]
fn scripted_operations_pair_up() {
    clean(
        r#""pernet": {"a": {"id": true, "size": 8, "init": [{"net_generic": {"net": "self", "ops": "a",
          "expect": true}}],
                "exit": [{"touch_net": {"net": "self"}}], "exit_batch": []},
            "b": {"init": [], "init_returns": {"2": "-ENOMEM"}}},
        "setup": [{"register_pernet_subsys": {"ops": "a", "expect": 0}},
          {"register_pernet_device": {"ops": "b"}},
            {"copy_net_ns": {"as": "bad", "expect": "-ENOMEM"}}, {"put_net": {"net": "bad"}},
            {"copy_net_ns": {"as": "n"}}, {"put_net": {"net": "n"}}, {"flush_netns_wq": {}},
            {"unregister_pernet_device": {"ops": "b"}}, {"unregister_pernet_subsys": {"ops": "a"}}],
        "runs": [{"end": {"namespaces": 1, "pernet": ["net_ns_ops"], "results": {"bad": "-ENOMEM",
          "n": true}},
            "events": ["init a init_net", "init b init_net", "init a net 1", "init b net 1",
              "exit a net 1", "exit_batch a",
                "free net 1", "init a net 2", "exit a net 2", "exit_batch a", "exit a init_net"]}]"#,
    );
}

#[test]
fn ids_and_netlink() {
    clean(
        r#""setup": [
            {"copy_net_ns": {"as": "a"}}, {"copy_net_ns": {"as": "b"}},
            {"listen": {"net": "init_net", "as": "l"}},
            {"peernet2id": {"net": "init_net", "peer": "a", "expect": -1}},
            {"peernet2id_alloc": {"net": "init_net", "peer": "a", "as": "id", "expect": 0}},
            {"peernet_has_id": {"net": "init_net", "peer": "a", "expect": true}},
            {"get_net_ns_by_id": {"net": "init_net", "id": "id", "as": "found", "expect": "a"}},
              {"put_net": {"net": "found"}},
            {"get_net_ns_by_id": {"net": "init_net", "id": 7, "expect": null}},
            {"clone": {"name": "p", "newnet": true}},
            {"open": {"pid": "p", "as": "fd", "expect": 3}},
            {"newnsid": {"net": "init_net", "nsid": 5, "fd": "fd", "expect": 0}},
            {"newnsid": {"net": "init_net", "nsid": 5, "fd": "fd", "expect": "-EEXIST"}},
            {"newnsid": {"net": "init_net", "nsid": -1, "pid": 1, "expect": 0}},
            {"newnsid_raw": {"net": "init_net", "hex": "", "expect": "-EINVAL"}},
            {"getnsid": {"net": "init_net", "pid": "p", "expect": 0, "reply": 5}},
            {"getnsid": {"net": "a", "pid": "p", "reply": -1}},
            {"dump": {"net": "init_net", "ids": [0, 1, 5], "pages": 1}},
            {"dump": {"net": "init_net", "room": 28, "ids": [0, 1, 5], "pages": 3}},
            {"received": {"socket": "l", "expect": ["NEWNSID 0", "NEWNSID 5", "NEWNSID 1"],
              "error": 0}},
            {"setns": {"fd": "fd", "type": "uts", "expect": "-EINVAL"}},
            {"close": {"fd": "fd"}}, {"close": {"fd": 99, "expect": "-EBADF"}},
            {"exit": {"pid": "p"}}, {"get_net_ns_by_pid": {"pid": "p", "expect": "-ESRCH"}},
              {"reap": {"pid": "p"}},
            {"put_net": {"net": "a"}}, {"flush_netns_wq": {}},
            {"received": {"socket": "l", "expect": ["NEWNSID 0", "NEWNSID 5", "NEWNSID 1",
              "DELNSID 0", "DELNSID 5"]}},
            {"unlisten": {"socket": "l"}}],
        "runs": [{"end": {"namespaces": 2, "nsids": {"init_net": {"1": "init_net"}, "b": {}}},
            "events": ["notify init_net NEWNSID 0", "deliver l", "unicast init_net NEWNSID 5"]}]"#,
    );
}

#[test]
fn user_namespaces_and_limits() {
    clean(
        r#""user_namespaces": {"child": {"parent": "mid", "uid": 1000, "max_net_namespaces": 1},
          "mid": {"uid": 7}},
        "tasks": [{"name": "t", "user_ns": "child", "uid": 5, "steps": [{"unshare": {"expect": 0}},
            {"unshare": {"expect": "-ENOSPC"}}, {"get_net_ns_by_pid": {"pid": "t", "as": "n"}},
            {"netns_owner": {"net": "n", "expect": "child"}}, {"ns_get_owner": {"net": "n", "expect": 0}},
            {"ns_get_owner": {"net": "init_net", "expect": "-EPERM"}}, {"put_net": {"net": "n"}}]},
            {"name": "weak", "user_ns": "child", "cap_sys_admin": false, "uid": 6,
              "steps": [{"unshare": {"expect": "-EPERM"}}]}],
        "runs": [{"end": {"namespaces": 2, "user_namespaces": 3,
            "ucounts": {"child/5": 1, "mid/1000": 1, "init_user_ns/7": 1, "init_user_ns/0": 0}}}]"#,
    );
}

/// Steps may speak of the first user namespace, which nobody declares.
#[test]
fn the_first_user_namespace_has_a_name() {
    clean(
        r#""user_namespaces": {"child": {}},
        "tasks": [{"name": "t", "user_ns": "child", "steps": [
            {"copy_net_ns": {"as": "a", "user_ns": "init_user_ns"}},
            {"netns_owner": {"net": "a", "expect": "init_user_ns"}}, {"userns_get": {"user_ns": "init_user_ns"}},
            {"userns_put": {"user_ns": "init_user_ns"}}, {"clone": {"name": "p", "user_ns": "init_user_ns"}},
            {"put_net": {"net": "a"}}]}]"#,
    );
    let wrong = failures(&with(
        r#""user_namespaces": {"child": {}}, "setup": [
            {"copy_net_ns": {"as": "a", "user_ns": "child"}},
            {"netns_owner": {"net": "a", "expect": "init_user_ns"}}]"#,
    ));
    assert_eq!(wrong.len(), 1, "{wrong:?}");
}

/// CVE-2017-15129: a finding without the patch, none with it.
#[test]
fn lookup_against_the_last_put() {
    let text = with(
        r#""setup": [{"copy_net_ns": {"as": "a"}}, {"peernet2id_alloc": {"net": "init_net", "peer": "a",
          "as": "id"}}],
        "tasks": [{"name": "put", "steps": [{"put_net": {"net": "a"}}]},
            {"name": "lookup", "steps": [{"get_net_ns_by_id": {"net": "init_net", "id": "id", "as": "b"}},
                {"cond_resched": {}}, {"touch_net": {"net": "b"}}, {"put_net": {"net": "b"}}]}],
        "runs": [
            {"name": "bug", "schedule": ["put until __put_net", "lookup*4", "put", "kworker/netns", "lookup"],
                "findings": ["kasan-use-after-free", "kcsan-data-race", "list-poison"]},
            {"name": "fixed", "schedule": "put until __put_net, lookup*4, put",
              "patches": ["get_live_net_by_id"],
                "end": {"results": {"b": null}, "namespaces": 1}}]"#,
    );
    let scenario = good(&text);
    let bug = run(&scenario, &scenario.runs[0]);
    assert_eq!((bug.outcome.as_str(), bug.failures.len()), ("done", 0), "{:?}", bug.failures);
    assert!(
        bug.findings.iter().any(|finding| finding.contains("KASAN: slab-use-after-free")),
        "{:?}",
        bug.findings
    );
    let fixed = run(&scenario, &scenario.runs[1]);
    assert_eq!((fixed.findings, fixed.failures.len()), (Vec::new(), 0), "{:?}", fixed.failures);
}

#[test]
fn failures_of_allocations() {
    clean(
        r#""setup": [{"fail_alloc": {"kind": "net"}}, {"copy_net_ns": {"as": "a", "expect": "-ENOMEM"}},
            {"fail_alloc": {"kind": "gen", "nth": 2}}, {"copy_net_ns": {"expect": true}},
            {"copy_net_ns": {"expect": "-ENOMEM"}}, {"fail_clear": {}}, {"copy_net_ns": {"expect": true}}]"#,
    );
    let never = failures(&with(
        r#""faults": [{"alloc": "skb", "nth": 9}],
        "setup": [{"fail_alloc": {"kind": "nsfs"}}, {"fail_clear": {}}]"#,
    ));
    assert_eq!(
        never,
        [
            "default: faults[0]: the failure of `skb` allocations never fired",
            "default: line 6, setup[0].fail_alloc: the failure of `nsfs` allocations never fired",
        ]
    );
    let panic =
        with(r#""faults": [{"alloc": "workqueue"}], "runs": [{"outcome": "panic", "findings": ["panic"]}]"#);
    assert_eq!(failures(&panic), Vec::<String>::new());
}

/// Data is allocated in setup_net(), and in __register_pernet_operations() too.
#[test]
fn failures_in_a_function() {
    let parts = |function: &str, creation: &str, registration: &str| {
        with(&format!(
            r#""pernet": {{"a": {{"id": true, "size": 8}}}},
            "faults": [{{"alloc": "data", "in": "{function}"}}],
            "setup": [{{"register_pernet_subsys": {{"ops": "a", "expect": {registration}}}}},
              {{"copy_net_ns": {{"as": "n", "expect": {creation}}}}}]"#
        ))
    };
    assert_eq!(failures(&parts("setup_net", "\"-ENOMEM\"", "0")), [""; 0]);
    assert_eq!(failures(&parts("register_pernet_subsys", "true", "\"-ENOMEM\"")), [""; 0]);
    let never = failures(&parts("cleanup_net", "true", "0"));
    assert_eq!(never.len(), 1, "{never:?}");
    assert!(never[0].contains("the failure of `data` allocations in cleanup_net() never fired"), "{never:?}");
    // Armed by a method that setup_net() has called.
    let armed_within = |function: &str, expected: &str| {
        failures(&with(&format!(
            r#""pernet": {{"b": {{"init": [{{"fail_alloc": {{"kind": "object", "in": "{function}"}}}},
              {{"allocate": {{"as": "o", "expect": {expected}}}}}]}}}}, "setup": [
              {{"register_pernet_subsys": {{"ops": "b"}}}}]"#
        )))
    };
    assert_eq!(armed_within("register_pernet_operations", "null"), [""; 0]);
    assert_eq!(armed_within("setup_net", "true").len(), 1);
}

#[test]
fn rcu_locks_walks_loops() {
    clean(
        r#""tasks": [{"name": "t", "cpu": 1, "steps": [
            {"loop": {"times": 3, "steps": [{"copy_net_ns": {"as": "a"}}]}},
            {"rtnl_lock": {}}, {"for_each_net": {"steps": [{"get_net": {"net": "self"}},
              {"put_net": {"net": "self"}}]}}, {"rtnl_unlock": {}},
            {"rcu_read": {"steps": [{"for_each_net_rcu": {"steps": [{"touch_net": {"net": "self"}}]}}]}},
            {"call_rcu": {"steps": [{"put_net": {"net": "a"}}]}}, {"rcu_barrier": {}}, {"flush_netns_wq": {}},
            {"net_mutex_lock": {}}, {"net_mutex_unlock": {}},
            {"passive_get": {"net": "init_net"}}, {"net_drop_ns": {"net": "init_net"}},
            {"complete": {"name": "done"}}]},
            {"name": "u", "steps": [{"wait_for_completion": {"name": "done"}}, {"check": {"name": "a",
              "expect": true}}]}],
        "runs": [{"seed": 3, "end": {"namespaces": 3}}]"#,
    );
}

#[test]
fn kill_while_waiting() {
    clean(
        r#""tasks": [{"name": "holder", "steps": [{"net_mutex_lock": {}}, {"complete": {"name": "held"}},
                {"wait_for_completion": {"name": "go"}}, {"net_mutex_unlock": {}}]},
            {"name": "victim", "steps": [{"wait_for_completion": {"name": "held"}},
              {"complete": {"name": "here"}},
                {"copy_net_ns": {"as": "a", "expect": "-EINTR"}}, {"complete": {"name": "go"}}]},
            {"name": "killer", "steps": [{"wait_for_completion": {"name": "here"}},
              {"kill": {"task": "victim"}}]}]"#,
    );
}

#[test]
fn what_is_judged_can_fail() {
    let text = with(
        r#""setup": [
      {"copy_net_ns": {"as": "a", "expect": null}},
      {"loop": {"times": 2, "steps": [{"peernet_has_id": {"net": "a", "peer": "a", "expect": true}}]}},
      {"get_net_ns_by_pid": {"pid": 9, "as": "none"}}, {"touch_net": {"net": "none"}}],
    "runs": [{"outcome": "panic", "findings": ["panic"], "functions": ["sys_setns"], "events": ["work_start"],
      "end": {"namespaces": 1, "nsids": {"a": {"0": "init_net"}, "none": {}}, "callbacks": 1,
        "cleanup_pending": true,
        "ucounts": {"init_user_ns/0": 9}, "user_namespaces": 2, "pernet": [], "results": {"a": null,
          "none": 3}}}]"#,
    );
    let expected = [
        "finding panic was expected and did not happen",
        "outcome: expected panic, got done",
        "sys_setns() was expected to be called and was not",
        "event `work_start` was expected and did not happen",
        "end: namespaces: expected 1, got 2",
        "end: callbacks: expected 1, got 0",
        "end: user_namespaces: expected 2, got 1",
        "end: cleanup_pending: expected true, got false",
        "end: pernet: expected [], got [net_ns_ops]",
        "end: ucounts: init_user_ns/0: expected 9, got 1",
        "end: nsids: a: expected {0: init_net}, got {}",
        "end: nsids: none is no namespace: -ESRCH",
        "end: results: a: expected NULL, got net 1 (a)",
        "end: results: none: expected 3, got -ESRCH",
        "line 6, setup[0].copy_net_ns: expected NULL, got net 1 (a)",
        "line 7, setup[1].loop.steps[0].peernet_has_id: expected true, got false",
        "line 7, setup[1].loop.steps[0].peernet_has_id: expected true, got false",
    ];
    let got = failures(&text);
    assert_eq!(got, expected.map(|line| format!("default: {line}")));
    let surprise = failures(&with(r#""setup": [{"net_mutex_lock": {}}, {"net_mutex_lock": {}}]"#));
    assert_eq!(
        surprise,
        ["default: finding deadlock was not expected", "default: outcome: expected done, got deadlock"]
    );
}

#[test]
fn the_end_state_as_text() {
    let scenario = good(&with(
        r#""user_namespaces": {"u": {}}, "pernet": {"dev": {"id": true, "size": 8}},
        "setup": [{"register_pernet_device": {"ops": "dev"}}, {"copy_net_ns": {"as": "a"}},
            {"listen": {"net": "a", "as": "l"}}, {"peernet2id_alloc": {"net": "a", "peer": "init_net"}},
            {"clone": {"name": "p"}}, {"open": {"pid": "p", "as": "fd"}}, {"exit": {"pid": "p"}}]"#,
    ));
    let end = run(&scenario, &scenario.runs[0]).end;
    assert_eq!(
        end.to_string(),
        "\
init_net: count 2, passive 1, owner init_user_ns, inum 0
net 1 (a): count 2, passive 1, owner init_user_ns, inum 1
    nsid 0: init_net
pernet: net_ns_ops, dev; devices from dev; max_gen_ptrs 13
cleanup not pending; 0 RCU callbacks
ucounts init_user_ns/0: 1
user namespaces: init_user_ns, u
task 1 (init): init_net
task 1001 (p): exited
fd 3: init_net
socket l in net 1 (a): NEWNSID 0
a = net 1
fd = 3
l = socket 1000
"
    );
}

/// Nothing that a scenario can say runs for ever or overflows the stack.
#[test]
fn runs_end() {
    let silent = r#""setup": [{"loop": {"times": 1000000, "steps": [{"loop": {"times": 1000000,
      "steps": [{"fail_clear": {}}, {"loop": {"times": 1000000, "steps": []}}]}}]}}]"#;
    let scenario = good(&with(&format!(r#""machine": {{"max_steps": 10000}}, {silent}"#)));
    assert_eq!(run(&scenario, &scenario.runs[0]).outcome, "Limit(Steps)");
    let nested = r#""pernet": {"a": {"init": [{"net_mutex_unlock": {}}, {"copy_net_ns": {}},
      {"net_mutex_lock": {}}]}},
        "setup": [{"register_pernet_subsys": {"ops": "a"}}],
        "runs": [{"findings": ["endless-loop"]}]"#;
    let scenario = good(&with(nested));
    let happened = run(&scenario, &scenario.runs[0]);
    assert!(
        happened.findings.iter().any(|finding| finding.contains("endless loop")),
        "{:?}",
        happened.findings
    );
    let memory = with(
        r#""machine": {"max_memory_mib": 1}, "setup": [{"loop": {"times": 1000000,
          "steps": [{"copy_net_ns": {}}]}}]"#,
    );
    let scenario = good(
        &memory.replace("\"max_memory_mib\": 1}", "\"max_memory_mib\": 1, \"max_net_namespaces\": 1000000}"),
    );
    assert_eq!(run(&scenario, &scenario.runs[0]).outcome, "Limit(Memory)");
}

/// The deepest nesting that is allowed fits on a small stack, in every method at once.
#[test]
fn deep_nesting_fits_on_the_stack() {
    let deep = |inner: &str| {
        let open = r#"{"loop": {"times": 1, "steps": ["#.repeat(15);
        format!("{open}{inner}{}", "]}}".repeat(15))
    };
    let unlock = r#"{"net_mutex_unlock": {}}, {"copy_net_ns": {}}, {"net_mutex_lock": {}}"#;
    let text = with(&format!(
        r#""pernet": {{"a": {{"init": [{}]}}}}, "setup": [{{"register_pernet_subsys": {{"ops": "a"}}}}]"#,
        deep(unlock)
    ));
    let scenario = good(&text);
    assert!(!run(&scenario, &scenario.runs[0]).findings.is_empty());
}

/// Registering twice makes the list a loop: whoever looks at it still comes to an end.
#[test]
fn a_damaged_list_is_seen() {
    let scenario = good(&with(
        r#""pernet": {"a": {}}, "setup": [{"register_pernet_subsys": {"ops": "a"}},
          {"register_pernet_subsys": {"ops": "a"}}]"#,
    ));
    let end = run(&scenario, &scenario.runs[0]).end;
    assert!(!end.lists_intact);
    assert_eq!(end.pernet, ["net_ns_ops", "a"]);
    assert!(end.to_string().contains("a list is damaged\n"));
}

#[test]
fn a_seed_is_a_schedule() {
    let scenario = good(&with(
        r#""tasks": [{"name": "a", "steps": [{"copy_net_ns": {"as": "x"}}, {"put_net": {"net": "x"}}]},
            {"name": "b", "steps": [{"copy_net_ns": {"as": "y"}}, {"put_net": {"net": "y"}}]}],
        "runs": [{"seed": 1}, {"name": "again", "seed": 1}, {"seed": 18446744073709551615}]"#,
    ));
    let [first, again, other] = [0, 1, 2].map(|index| run(&scenario, &scenario.runs[index]));
    assert_eq!((first.hash, first.steps), (again.hash, again.steps));
    assert_ne!(first.hash, other.hash);
    assert_eq!(scenario.runs[2].name, "run-3");
}

/// Nothing of a run outlives it, even if work and callbacks never ran.
#[test]
fn a_run_leaves_nothing_behind() {
    let scenario = good(&with(
        r#""pernet": {"p": {"init": [], "exit": []}}, "machine": {"max_steps": 300},
        "setup": [{"register_pernet_subsys": {"ops": "p"}}, {"copy_net_ns": {"as": "a"}},
            {"call_rcu": {"steps": [{"put_net": {"net": "a"}}]}},
            {"loop": {"times": 1000, "steps": [{"cond_resched": {}}]}}]"#,
    ));
    let mut sim = machine_sim::Sim::new(crate::common::config(&scenario));
    let mut world = None;
    sim.run(&mut machine_sim::First, |bus| {
        let started = scenario::start(&scenario, &scenario.runs[0], scenario::Variant::Whole, &bus);
        world = Some(started.world);
        started.main
    });
    let world = world.expect("started");
    let left = std::rc::Rc::downgrade(&world);
    drop(world);
    sim.run(&mut machine_sim::First, |_| async {});
    assert!(left.upgrade().is_none());
}

#[test]
fn counts_of_events() {
    let dies = r#""setup": [{"copy_net_ns": {"as": "a"}}, {"copy_net_ns": {"as": "b"}}, {"put_net": {"net": "a"}},
        {"put_net": {"net": "b"}}, {"flush_netns_wq": {}}],
        "runs": [{"counts": COUNTS}]"#;
    clean(&dies.replace(
        "COUNTS",
        r#"{"enter cleanup_net": 1, "free net": 2, "free net 1": {"at_least": 1}, "overrun": 0,
            "alloc net": {"at_least": 1, "at_most": 2}, "free net 12": 0, "queue_work": 2, "queue_work true": 1}"#,
    ));
    let wrong = r#"{"enter cleanup_net": 2, "free net": {"at_most": 1}, "alloc net": {"at_least": 3},
        "queue_work": {"at_least": 3, "at_most": 4}}"#;
    assert_eq!(
        failures(&with(&dies.replace("COUNTS", wrong))),
        [
            "default: `enter cleanup_net` was expected 2 times, and happened once",
            "default: `free net` was expected at most once, and happened 2 times",
            "default: `alloc net` was expected at least 3 times, and happened 2 times",
            "default: `queue_work` was expected from 3 to 4 times, and happened 2 times",
        ]
    );
}

#[test]
fn places_of_others_are_not_the_simulators() {
    assert!(!scenario::is_of_simulator(std::panic::Location::caller()));
}

#[test]
fn only_the_dead_are_reaped() {
    let failures = failures(&with(
        r#"  "setup": [{"clone": {"name": "p"}}, {"reap": {"pid": "p"}}, {"exit": {"pid": "p"}}, {"reap": {"pid": "p"}},
    {"reap": {"pid": "p"}}, {"reap": {"pid": "t"}}],
  "tasks": [{"name": "t", "steps": [{"reap": {"pid": "t"}}]}]"#,
    ));
    assert_eq!(
        failures,
        [
            "default: line 5, setup[1].reap: process 1000 has not exited, and is not reaped",
            "default: line 6, setup[4].reap: there is no process 1000 to reap",
            "default: line 7, tasks[0].steps[0].reap: process 100 has not exited, and is not reaped",
        ]
    );
}

#[test]
fn what_is_freed_says_so_and_completions_have_names() {
    let scenario = good(&with(
        r#"  "setup": [{"copy_net_ns": {"as": "a"}}, {"put_net": {"net": "a"}}, {"flush_netns_wq": {}},
    {"complete": {"name": "go"}}, {"wait_for_completion": {"name": "go"}}, {"wait_for_completion": {"name": "go"}}]"#,
    ));
    let happened = run(&scenario, &scenario.runs[0]);
    assert_eq!(happened.end.bindings.get("a").map(String::as_str), Some("net 1, freed"));
    assert_eq!(happened.findings, ["INFO: task blocked for ever in wait_for_completion: go->done"]);
}

/// A machine may go on after a finding, or stop.
#[test]
fn the_first_finding_may_end_a_run() {
    let text = with(
        r#"  "machine": {"stop_at_first": true},
  "setup": [{"net_mutex_unlock": {}}, {"rtnl_unlock": {}}],
  "runs": [{"findings": ["bad-unlock"], "outcome": "stopped"}]"#,
    );
    assert_eq!(failures(&text), [""; 0]);
    let goes_on = text.replace("\"stop_at_first\": true", "").replace("stopped", "done");
    assert_eq!(failures(&goes_on), [""; 0]);
    assert_eq!(run(&good(&goes_on), &good(&goes_on).runs[0]).findings.len(), 2);
}

/// Otherwise a loop would make a run slower with every round.
#[test]
fn files_and_sockets_are_limited() {
    let failures = failures(&with(
        r#"  "setup": [{"loop": {"times": 1021, "steps": [{"open": {}}]}}, {"open": {"as": "fd", "expect": "-EMFILE"}},
    {"close": {"fd": 1023}}, {"open": {"expect": 1023}},
    {"loop": {"times": 1024, "steps": [{"listen": {"net": "init_net", "as": "l"}}]}},
    {"listen": {"net": "init_net", "as": "l"}}]"#,
    ));
    assert_eq!(failures, ["default: line 8, setup[5].listen: there are 1024 sockets already"]);
}
