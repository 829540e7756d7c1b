// SPDX-License-Identifier: GPL-2.0-only
//! Random steps in every place where steps may be: whatever they do to the kernel, nothing panics and everything ends.

use std::{collections::BTreeSet, sync::Arc};

use crate::common::{run, source, with};

/// Steps that fit anywhere, on a few names, so that they get in each other's way.
const STEPS: &[&str] = &[
    r#"{"copy_net_ns": {"as": "a"}}"#,
    r#"{"copy_net_ns": {"as": "b"}}"#,
    r#"{"get_net": {"net": "a"}}"#,
    r#"{"put_net": {"net": "a"}}"#,
    r#"{"put_net": {"net": "b"}}"#,
    r#"{"put_net": {"net": "init_net"}}"#,
    r#"{"peernet2id_alloc": {"net": "init_net", "peer": "a", "as": "id"}}"#,
    r#"{"peernet2id_alloc": {"net": "a", "peer": "b"}}"#,
    r#"{"get_net_ns_by_id": {"net": "init_net", "id": "id", "as": "b"}}"#,
    r#"{"register_pernet_subsys": {"ops": "p"}}"#,
    r#"{"register_pernet_device": {"ops": "lo"}}"#,
    r#"{"register_pernet_subsys": {"ops": "hook"}}"#,
    r#"{"register_pernet_subsys": {"ops": "ct"}}"#,
    r#"{"unregister_pernet_subsys": {"ops": "p"}}"#,
    r#"{"unregister_pernet_device": {"ops": "lo"}}"#,
    r#"{"unregister_pernet_subsys": {"ops": "lo"}}"#,
    r#"{"unregister_pernet_subsys": {"ops": "of_m"}}"#,
    r#"{"load_module": {"module": "m"}}"#,
    r#"{"unload_module": {"module": "m"}}"#,
    r#"{"load_module": {"module": "n"}}"#,
    r#"{"unload_module": {"module": "n"}}"#,
    r#"{"net_generic": {"net": "a", "ops": "p", "as": "o"}}"#,
    r#"{"net_generic": {"net": "init_net", "ops": "of_m", "as": "o", "access": "none"}}"#,
    r#"{"dev_hold": {"net": "a", "ops": "lo"}}"#,
    r#"{"dev_put": {"net": "a", "ops": "lo"}}"#,
    r#"{"netif_receive_skb": {"net": "a", "ops": "rx"}}"#,
    r#"{"nf_conntrack_helper_unregister": {"ops": "ct"}}"#,
    r#"{"allocate": {"as": "o"}}"#,
    r#"{"free": {"object": "o"}}"#,
    r#"{"kfree_rcu": {"object": "o"}}"#,
    r#"{"write": {"object": "o"}}"#,
    r#"{"net_mutex_lock": {}}"#,
    r#"{"net_mutex_unlock": {}}"#,
    r#"{"rtnl_lock": {}}"#,
    r#"{"rtnl_unlock": {}}"#,
    r#"{"synchronize_rcu": {}}"#,
    r#"{"rcu_barrier": {}}"#,
    r#"{"flush_netns_wq": {}}"#,
    r#"{"delay_work": {"time": 1}}"#,
    r#"{"delay_work": {"until": "done"}}"#,
    r#"{"complete": {"name": "done"}}"#,
    r#"{"wait_for_completion": {"name": "done"}}"#,
    r#"{"barrier": {"name": "meet", "tasks": 2}}"#,
    r#"{"delay": {"time": "1us"}}"#,
    r#"{"listen": {"net": "init_net", "as": "l", "room": 1}}"#,
    r#"{"received": {"socket": "l", "take": true}}"#,
    r#"{"unlisten": {"socket": "l"}}"#,
    r#"{"dump": {"net": "init_net", "room": 28, "missing": []}}"#,
    r#"{"fail_alloc": {"kind": "any"}}"#,
    r#"{"net_ns_init": {}}"#,
    r#"{"loop": {"times": 3, "steps": [STEP]}}"#,
    r#"{"rcu_read": {"steps": [STEP, STEP]}}"#,
    r#"{"call_rcu": {"steps": [STEP, STEP]}}"#,
    r#"{"call_rcu": {"module": "m", "steps": [STEP]}}"#,
    r#"{"for_each_net": {"steps": [STEP]}}"#,
];

struct Lcg(u64);

impl Lcg {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % n
    }
    /// A step, with steps in it for a while.
    fn step(&mut self, depth: usize) -> String {
        let mut text = STEPS[self.below(STEPS.len())].to_owned();
        while let Some(at) = text.find("STEP") {
            let inner = if depth == 0 { r#"{"cond_resched": {}}"#.to_owned() } else { self.step(depth - 1) };
            text.replace_range(at..at + 4, &inner);
        }
        text
    }
    fn steps(&mut self, most: usize) -> String {
        let count = self.below(most + 1);
        let steps: Vec<String> = (0..count).map(|_| self.step(3)).collect();
        format!("[{}]", steps.join(",\n"))
    }
}

#[test]
fn whatever_steps_do() {
    let mut lcg = Lcg(3);
    // Names are bound somewhere in any case.
    let all = r#"[{"copy_net_ns": {"as": "a"}}, {"copy_net_ns": {"as": "b"}}, {"allocate": {"as": "o"}}, {"complete":
        {"name": "done"}}, {"listen": {"net": "a", "as": "l"}}, {"peernet2id_alloc": {"net": "a", "peer": "a", "as":
        "id"}}]"#;
    let mut outcomes = BTreeSet::new();
    for round in 0..1500 {
        let text = with(&format!(
            r#""machine": {{"cpus": {}, "max_steps": 3000, "max_memory_mib": 2}}, "boot": {},
            "pernet": {{"p": {{"id": true, "size": 16, "init": {}, "exit": {}, "exit_batch": {}}},
                "lo": {{"library": "stuck-device"}}, "rx": {{"library": "tunnel"}},
                "hook": {{"library": "netfilter-hook", "uses": "of_m"}}, "ct": {{"library": "conntrack", "uses": "m"}},
                "of_m": {{"id": true, "size": 8, "exit": {}}}, "x": {{"library": "xfrm"}}}},
            "modules": {{"m": {{"subsys": ["of_m", "x"], "init": {}, "exit": {}, "barrier": {}, "unregister": {}}},
                "n": {{"init": {}, "exit": {}}}}},
            "setup": {},
            "tasks": [{{"name": "t", "copies": 2, "steps": {}}}, {{"name": "u", "steps": {}}},
                {{"name": "irq", "context": {}, "cpu": 0, "steps": {}}}, {{"name": "all", "steps": {all}}}],
            "runs": [{{"seed": {round}, "sweep": {{"alloc": "any"}}}}]"#,
            1 + lcg.below(3),
            if lcg.below(8) == 0 { "false" } else { "true" },
            lcg.steps(2),
            lcg.steps(2),
            lcg.steps(1),
            lcg.steps(2),
            lcg.steps(2),
            lcg.steps(2),
            lcg.below(2) == 0,
            lcg.below(2) == 0,
            lcg.steps(2),
            lcg.steps(2),
            lcg.steps(4),
            lcg.steps(6),
            lcg.steps(6),
            if lcg.below(2) == 0 { "\"softirq\"" } else { "\"hardirq\"" },
            lcg.steps(3),
        ));
        let text =
            if text.contains(r#""boot": true"#) { text.replace("net_ns_init", "cond_resched") } else { text };
        let source = source(&text);
        match scenario::read(&source) {
            Ok(scenario) => {
                let scenario = Arc::new(scenario);
                let happened = run(&scenario, &scenario.runs[0]);
                outcomes.insert(happened.outcome);
            }
            Err(errors) => panic!("{}", errors[0].render(&source, false)),
        }
    }
    // Not all of them die at once.
    assert!(["done", "deadlock"].iter().all(|outcome| outcomes.contains(*outcome)), "{outcomes:?}");
}
