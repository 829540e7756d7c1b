// SPDX-License-Identifier: GPL-2.0-only
//! No text makes reading, rendering or running panic.

use crate::common::{failures, good, run, source, with};
use std::sync::Arc;

/// Reads, renders what is wrong, and runs what is not.
fn try_text(text: &str) {
    let source = source(text);
    match scenario::read(&source) {
        Ok(scenario) => {
            let mut scenario = scenario;
            scenario.machine.max_steps = 2000;
            scenario.machine.max_memory_mib = scenario.machine.max_memory_mib.min(4);
            let scenario = Arc::new(scenario);
            for one in scenario.runs.iter().take(2) {
                run(&scenario, one);
            }
        }
        Err(errors) => {
            assert!(!errors.is_empty());
            for error in errors {
                assert!(
                    error.render(&source, false).starts_with(&format!("error[{}]", error.code)),
                    "{error:?}"
                );
                assert!(scenario::explain(error.code).is_some(), "{error:?}");
            }
        }
    }
}

/// A scenario that uses much of the format.
pub(crate) fn rich() -> String {
    with(
        r#"  "machine": {"cpus": 2, "preempt": "full", "slab": "exact"},
  "user_namespaces": {"u": {"parent": "v", "uid": 1}, "v": {"max_net_namespaces": 3}},
  "pernet": {"p": {"id": true, "size": 16, "init": [{"touch_net": {"net": "self"}}], "init_returns": {"3": "-ENOMEM"},
    "exit": [{"net_generic": {"net": "self", "ops": "p", "expect": true}}], "exit_batch": [{"rcu_barrier": {}}]},
    "lo": {"library": "stuck-device"}, "hook": {"library": "netfilter-hook", "uses": "p"},
    "slow": {"library": "slow-batch", "time": "3ms"}, "rx": {"library": "tunnel"},
    "ct": {"library": "conntrack", "uses": "m"}, "of_m": {"library": "xfrm"}},
  "modules": {"m": {"subsys": ["of_m"], "init": [{"rcu_barrier": {}}], "barrier": false,
    "exit": [{"nf_conntrack_helper_unregister": {"ops": "ct"}}]}},
  "timeline": "tasks", "faults": [{"kill": "b", "enter": "copy_net_ns", "nth": 2}, {"alloc": "skb", "times": 2}],
  "setup": [{"register_pernet_subsys": {"ops": "p"}}, {"register_pernet_device": {"ops": "lo"}},
    {"load_module": {"module": "m", "expect": 0}}, {"copy_net_ns": {"as": "é"}},
    {"dev_put": {"net": "é", "ops": "lo"}}],
  "tasks": [
    {"name": "a", "cpu": 1, "user_ns": "u", "steps": [{"unshare": {}}, {"open": {"as": "fd"}}, {"setns": {"fd": "fd"}},
      {"newnsid": {"net": "init_net", "nsid": -1, "fd": "fd", "expect": 0}}, {"dump": {"net": "init_net", "ids": [0]}},
      {"exit": {}}]},
    {"name": "b", "steps": [{"copy_net_ns": {"as": "x"}}, {"call_rcu": {"steps": [{"put_net": {"net": "x"}}]}},
      {"loop": {"times": 2, "steps": [{"rcu_read": {"steps": [{"for_each_net_rcu": {"steps": []}}]}}]}},
      {"getnsid_raw": {"net": "init_net", "hex": "00000000 0800 0200 01000000", "reply": -1}}]},
    {"name": "c", "copies": 2, "steps": [{"barrier": {"name": "bar", "tasks": 2}}, {"allocate": {"as": "o"}},
      {"write": {"object": "o"}}, {"kfree_rcu": {"object": "o"}}, {"delay_work": {"until": "go"}},
      {"delay": {"time": 7}}, {"complete": {"name": "go"}}, {"unload_module": {"module": "m"}}]},
    {"name": "d", "context": "softirq", "cpu": 0, "steps": [{"netif_receive_skb": {"net": "init_net", "ops": "rx"}},
      {"net_generic": {"net": "init_net", "ops": "p", "as": "data", "access": "write"}},
      {"free": {"object": "data"}}]}],
  "runs": [{"seed": 7, "sweep": {"alloc": "any"}, "tasks": ["a", "b", "c", "d"],
      "counts": {"enter cleanup_net": {"at_most": 9}, "free net": 1}},
    {"name": "s", "schedule": ["a until copy_net_ns", "b*3"], "findings": [],
    "end": {"nsids": {"init_net": {"0": "init_net"}}}}]"#,
    )
    .replace('é', "e")
}

/// A small generator of numbers, the same everywhere.
pub(crate) struct Lcg(pub(crate) u64);

impl Lcg {
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % n.max(1)
    }
}

#[test]
fn the_rich_one_is_good() {
    let source = source(&rich());
    assert!(scenario::read(&source).is_ok(), "{:?}", scenario::read(&source).err());
}

#[test]
fn prefixes() {
    let text = rich();
    for end in 0..text.len() {
        try_text(&text[..end]);
    }
}

#[test]
fn mutations() {
    let text = rich().into_bytes();
    let mut lcg = Lcg(1);
    for _ in 0..4000 {
        let mut bytes = text.clone();
        for _ in 0..=lcg.below(3) {
            let at = lcg.below(bytes.len());
            match lcg.below(4) {
                0 => bytes[at] = u8::try_from(lcg.below(256)).unwrap_or(0),
                1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, b"{}[],:\"0-9\\ntrue"[lcg.below(16)]),
                _ => {
                    let (from, len) = (lcg.below(bytes.len()), lcg.below(40));
                    let part = bytes[from..(from + len).min(bytes.len())].to_vec();
                    bytes.splice(at..at, part);
                }
            }
        }
        match scenario::Source::from_bytes("f", bytes) {
            Ok(source) => try_text(&source.text),
            Err(error) => assert_eq!(error.code, "S001"),
        }
    }
}

/// Numbers and words in the places of others: texts that are JSON and mean something else.
#[test]
fn exchanged_tokens() {
    let text = rich();
    let tokens: Vec<&str> = text.split_inclusive(|c: char| !c.is_alphanumeric()).collect();
    let odd = [
        "-1",
        "0",
        "4294967296",
        "9223372036854775807",
        "1e400",
        "null",
        "\"\"",
        "[]",
        "{}",
        "\"\\ud800\"",
        "é",
    ];
    let mut lcg = Lcg(2);
    for _ in 0..3000 {
        let mut new: Vec<&str> = tokens.clone();
        let at = lcg.below(new.len());
        new[at] = if lcg.below(2) == 0 { odd[lcg.below(odd.len())] } else { tokens[lcg.below(tokens.len())] };
        try_text(&new.concat());
    }
}

#[test]
fn junk() {
    let mut lcg = Lcg(3);
    for len in 0..600 {
        let bytes: Vec<u8> = (0..len).map(|_| u8::try_from(lcg.below(256)).unwrap_or(0)).collect();
        if let Ok(source) = scenario::Source::from_bytes("f", bytes.clone()) {
            try_text(&source.text);
        }
        try_text(&String::from_utf8_lossy(&bytes));
    }
    for text in [
        "\u{feff}{}",
        "\r\n\r\n",
        "\u{2028}",
        "{\"\u{0}\": 1}",
        "\"",
        "\\",
        "{\"a\\",
        "nul",
        "-",
        "1e",
        "[1,",
    ] {
        try_text(text);
    }
}

#[test]
fn nesting() {
    for open in ["[", "{\"a\":", "{\"setup\":[", "{\"loop\":{\"steps\":["] {
        for depth in [1, 16, 17, 126, 127, 128, 129, 200_000] {
            try_text(&open.repeat(depth));
            let steps = with(&format!("\"setup\": [{}", open.repeat(depth)));
            try_text(&steps);
        }
    }
    for depth in [10, 16, 17, 30, 40] {
        let open = r#"{"loop": {"times": 1, "steps": ["#.repeat(depth);
        try_text(&with(&format!("\"setup\": [{open}{}]", "]}}".repeat(depth))));
    }
}

#[test]
fn one_long_line() {
    let steps = vec![r#"{"put_net": {"net": "init_net"}}"#; 200_000].join(",");
    try_text(&with(&format!("\"setup\": [{steps}, {{\"put_net\": {{\"net\": \"x\"}}}}]")));
    let unknown = vec![r#"{"put_net": {"net": "x"}}"#; 200_000].join(",");
    try_text(&with(&format!("\"setup\": [{unknown}]")));
}

/// However much is counted, an event costs no more: this took minutes once.
#[test]
fn many_counts() {
    let counts: Vec<String> =
        (0..65_000).map(|n| format!("\"alloc net {n}\": {{\"at_least\": 0}}")).collect();
    let parts = format!(
        r#""setup": [{{"loop": {{"times": 2000, "steps": [
            {{"copy_net_ns": {{"as": "a"}}}}, {{"put_net": {{"net": "a"}}}}]}}}}],
        "runs": [{{"counts": {{"alloc net": 7, {}}}}}]"#,
        counts.join(", ")
    );
    let wrong = failures(&with(&parts));
    assert_eq!(wrong.len(), 1, "{wrong:?}");
}

/// Schedules of all kinds, as a scenario has them and as somebody gives them instead.
#[test]
fn schedules() {
    let tasks = ["a", "b", "main", "kworker/netns", "rcuc/0", "x", "", "é", "\\", "a b"];
    let functions = ["copy_net_ns", "put_net", "until", "", "\"", "vfs_read"];
    let numbers = ["1", "2", "0", "18446744073709551616", "", "-1", "x"];
    let separators = [", ", ";", "\n", ",,", " "];
    let scenario = good(&rich());
    let mut lcg = Lcg(4);
    let mut good_ones = 0;
    for _ in 0..4000 {
        let mut text = String::new();
        for _ in 0..lcg.below(4) {
            // Mostly what comes first, so that some are good.
            let mut one_of =
                |words: &[&'static str]| words[lcg.below(words.len()).min(lcg.below(words.len()))];
            let (task, function, number) = (one_of(&tasks), one_of(&functions), one_of(&numbers));
            text += &match one_of(&["0", "1", "2", "3"]) {
                "0" => task.to_owned(),
                "1" => format!("{task}*{number}"),
                "2" => format!("{task} until {function}"),
                _ => format!("{task} until {function}#{number}"),
            };
            text += one_of(&separators);
        }
        let is_good = scenario.wrong_in_schedule(&text).is_none();
        good_ones += usize::from(is_good);
        if is_good {
            let mut run = scenario.runs[0].clone();
            run.driver = scenario::Driver::Schedule(text.clone());
            crate::common::run(&scenario, &run);
        }
        let quoted = format!("{text:?}").replace("\\u{e9}", "é");
        let with_schedule = rich().replace("[\"a until copy_net_ns\", \"b*3\"]", &quoted);
        assert_eq!(scenario::read(&source(&with_schedule)).is_ok(), is_good, "{text:?}");
    }
    assert!(good_ones > 100, "{good_ones}");
}

/// The whole file is one schedule.
#[test]
fn one_long_schedule() {
    let text = rich().replace("\"b*3\"", &format!("\"{}\"", "b,".repeat(2_000_000)));
    let errors = scenario::read(&source(&text)).expect_err("too long");
    assert_eq!(errors[0].code, "S015", "{:?}", errors[0]);
    let bad = rich().replace("\"b*3\"", &format!("\"{}\"", "x,".repeat(500_000)));
    assert_eq!(scenario::read(&source(&bad)).expect_err("no such task").len(), 32);
}
