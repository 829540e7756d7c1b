// SPDX-License-Identifier: GPL-2.0-only
//! The port answers as a real kernel does, byte for byte, and the comparison would notice if it did not.

use lab::oracle::{
    Profile, Verdict, experiments, judge_experiment, observe_experiment, run_experiment, run_experiments,
};
use serde_json::{Value, json};

use crate::leaves::leaves;

const RECORDED: &str = include_str!("../recordings/real-kernel-nsid.json");

const PROFILES: [Profile; 2] = [Profile::V4_11, Profile::V6_18];

/// The bytes say the same as what is decoded; times are not compared.
const NOT_COMPARED: [&str; 4] = ["decoded", "waited_ms", "note", "request_hex"];

/// What needs network devices.
const SKIPPED: [&str; 4] = ["e33", "e34", "e35", "e46"];

fn recorded() -> Vec<Value> {
    experiments(RECORDED).expect("experiments")
}

#[test]
fn the_port_is_either_kernel() {
    for profile in PROFILES {
        let mut skipped = Vec::new();
        for line in run_experiments(RECORDED, profile).expect("experiments") {
            match line.verdict {
                Verdict::Agree => {}
                Verdict::Skipped(_) => skipped.push(line.id),
                Verdict::Differ(difference) => panic!("{profile:?} {} {}: {difference}", line.id, line.title),
                Verdict::Invalid(why) => panic!("{profile:?} {}: {why}", line.id),
            }
        }
        assert_eq!(skipped, SKIPPED, "{profile:?}");
    }
}

/// These experiments tell the two kernels apart: neither profile is the other by accident.
#[test]
fn the_kernels_differ() {
    let differs = |experiment: &Value, port, kernel| {
        let observed = observe_experiment(experiment, port).expect("it runs");
        judge_experiment(experiment, &observed, kernel).is_err()
    };
    let mut same = Vec::new();
    for experiment in recorded().iter().filter(|e| !SKIPPED.iter().any(|id| e["id"] == *id)) {
        let [old, new] = PROFILES;
        assert_eq!(differs(experiment, old, new), differs(experiment, new, old), "{}", experiment["id"]);
        if !differs(experiment, old, new) {
            same.push(experiment["id"].as_str().expect("an id").to_owned());
        }
    }
    assert_eq!(same, ["e09", "e20", "e36", "e41", "e42"]);
}

/// The results of every step: what is not an operation's input.
fn results(experiment: &Value) -> Vec<String> {
    const RESULTS: [&str; 17] = [
        "result",
        "replies",
        "ids",
        "datagrams",
        "messages",
        "count",
        "pages",
        "ids_reported",
        "ids_live",
        "ids_are_a_prefix",
        "results",
        "sent",
        "received",
        "sequence",
        "pairs",
        "distinct",
        "in_order",
    ];
    let mut paths = Vec::new();
    for (i, step) in experiment["steps"].as_array().expect("steps").iter().enumerate() {
        for (key, value) in step.as_object().expect("a step").iter() {
            if RESULTS.contains(&key.as_str()) || key.starts_with("ids_are_0_to_") {
                paths.extend(leaves(value, &format!("/steps/{i}/{key}"), &NOT_COMPARED));
            }
        }
    }
    paths
}

/// One digit of a byte, or the value itself.
fn corrupt(value: &mut Value, digit: usize) {
    *value = match value.take() {
        Value::Bool(value) => json!(!value),
        Value::Number(n) => json!(n.as_i64().unwrap_or_default() + 1),
        Value::String(text) if digit < text.len() && text.len() > 20 => {
            let other = if text.as_bytes()[digit] == b'7' { "8" } else { "7" };
            json!(format!("{}{other}{}", &text[..digit], &text[digit + 1..]))
        }
        Value::String(text) => json!(format!("x{text}")),
        other => panic!("{other} is no scalar"),
    };
}

/// As the recorded kernel, the port reproduces every byte: a change of any digit of any message is noticed.
#[test]
fn every_byte_counts() {
    let mut corruptions = 0;
    for experiment in recorded().iter().filter(|e| !SKIPPED.iter().any(|id| e["id"] == *id)) {
        let observed = observe_experiment(experiment, Profile::V6_18).expect("it runs");
        let is_unprivileged = experiment["id"] == "e36";
        for path in results(experiment) {
            let text = experiment.pointer(&path).expect("a leaf").as_str().unwrap_or_default();
            let digits = if text.len() > 20 { text.len() } else { 1 };
            for digit in 0..digits {
                // Whoever has no privileges had a port that is not said.
                if is_unprivileged && (24..32).contains(&digit) {
                    continue;
                }
                let mut corrupted = experiment.clone();
                corrupt(corrupted.pointer_mut(&path).expect("a leaf"), digit);
                let verdict = judge_experiment(&corrupted, &observed, Profile::V6_18);
                assert!(verdict.is_err(), "{} at {path}, digit {digit}", experiment["id"]);
                corruptions += 1;
            }
        }
    }
    assert!(corruptions > 10_000, "{corruptions}");
}

/// As v4.11, in every experiment a change of one byte is noticed where v4.11 sends the same: behind the header.
#[test]
fn bytes_count_for_v4_11() {
    for experiment in recorded().iter().filter(|e| !SKIPPED.iter().any(|id| e["id"] == *id)) {
        let observed = observe_experiment(experiment, Profile::V4_11).expect("it runs");
        let noticed = results(experiment).into_iter().filter(|path| {
            let mut corrupted = experiment.clone();
            corrupt(corrupted.pointer_mut(path).expect("a leaf"), 40);
            judge_experiment(&corrupted, &observed, Profile::V4_11).is_err()
        });
        assert!(noticed.count() > 0, "{}", experiment["id"]);
    }
}

/// Descriptors, ports and pids differ from run to run.
#[test]
fn numbers_of_another_run() {
    let experiment = &recorded()[2]; // e03: errors that carry the request, with a descriptor
    let text = experiment.to_string();
    let other = text.replace("0800030005000000", "0800030063000000");
    assert_ne!(text, other);
    for profile in PROFILES {
        let line = run_experiment(1, &serde_json::from_str(&other).expect("JSON"), profile);
        assert_eq!(line.verdict, Verdict::Agree, "{profile:?}");
    }
}

/// Whatever a file holds, the answer is a verdict, and what is not understood is refused.
#[test]
fn nonsense_is_refused() {
    let socket = json!({ "op": "sock_open", "sock": "s", "ns": "A", "port": 1 });
    let create = json!({ "op": "netns_create", "ns": "A" });
    let request = |hex: &str| json!([create, socket, { "op": "raw", "sock": "s", "request_hex": hex }]);
    let refused = [
        json!(null),
        json!([7]),
        json!([{ "op": "reboot" }]),
        json!([{ "op": "netns_close", "ns": "A" }]),
        json!([create, create]),
        json!([create, socket, socket]),
        json!([socket]),
        json!([{ "op": "proc_exit", "proc": "p" }]),
        json!([{ "op": "bulk", "note": "some peers" }]),
        json!([create, socket, { "op": "race" }]),
        json!([create, { "op": "overrun" }]),
        json!([{ "op": "unprivileged", "results": [{ "request_hex": "00" }] }]),
        json!([{ "op": "unprivileged", "results": 3 }]),
        json!([{ "op": "userns", "results": { "REBOOT": 1 } }]),
        json!([{ "op": "getnsid_dump", "earlier_recv_size": -1 }]),
        json!([create, { "op": "sock_open", "sock": "s", "ns": "A", "port": 0 }]),
        json!([create, { "op": "sock_open", "sock": "s", "ns": "A", "port": 1, "groups": "all" }]),
        request("0"),
        request("zz"),
    ];
    for steps in refused {
        for profile in PROFILES {
            let line = run_experiment(1, &json!({ "id": "x", "title": "x", "steps": steps }), profile);
            assert!(matches!(line.verdict, Verdict::Invalid(_)), "{steps}: {:?}", line.verdict);
        }
    }
    // Bytes that are no request have no answer, or an error.
    let odd = [
        "",
        "00",
        "ffffffff58000500",
        "100000005800050001000000ffffffff",
        "11000000580005000100000000000000ff",
    ];
    for hex in odd {
        for profile in PROFILES {
            let line = run_experiment(1, &json!({ "id": "x", "title": "x", "steps": request(hex) }), profile);
            assert!(
                matches!(line.verdict, Verdict::Differ(_)),
                "{hex}: nothing was recorded: {:?}",
                line.verdict
            );
        }
    }
    assert!(experiments("{}").is_none() && experiments("[]").is_none() && experiments("{").is_none());
}
