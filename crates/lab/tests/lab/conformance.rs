// SPDX-License-Identifier: GPL-2.0-only
//! The port does what the original C file did, and the comparison would notice if it did not.

use lab::oracle::{Verdict, judge, observe, run_file};
use serde_json::Value;

use crate::leaves::leaves;

const HANDWRITTEN: &str = include_str!("../recordings/v4.11-handwritten.jsonl");
const RANDOM: &str = include_str!("../recordings/v4.11-random.jsonl");

/// Tree nodes are not modelled.
const NOT_COMPARED: [&str; 1] = ["node"];

/// The numbers of sequences that agree and that are skipped.
fn verdicts(text: &str) -> (usize, usize) {
    let (mut agree, mut skipped) = (0, 0);
    for line in run_file(text) {
        match line.verdict {
            Verdict::Agree => agree += 1,
            Verdict::Skipped(_) => skipped += 1,
            Verdict::Differ(difference) => panic!("{} ({}): {difference}", line.id, line.title),
            Verdict::Invalid(why) => panic!("line {}: {why}", line.number),
        }
    }
    (agree, skipped)
}

#[test]
fn handwritten_sequences() {
    assert_eq!(verdicts(HANDWRITTEN), (82, 1));
}

#[test]
fn random_sequences() {
    assert_eq!(verdicts(RANDOM), (265, 45));
}

fn corrupt(value: &mut Value) {
    *value = match value.take() {
        Value::Null => Value::from(0),
        Value::Bool(value) => Value::from(!value),
        Value::Number(n) => Value::from(n.as_i64().unwrap_or_default() + 1),
        Value::String(text) => Value::from(format!("x{text}")),
        other => panic!("{other} is no scalar"),
    };
}

/// In every recording, a value of the results, one of the events and one of the states is changed, each by itself.
#[test]
fn every_corruption_is_noticed() {
    let mut corruptions = 0;
    for (n, line) in HANDWRITTEN.lines().chain(RANDOM.lines()).enumerate() {
        let recording: Value = serde_json::from_str(line).expect("JSON");
        let ops = recording["ops"].as_array().expect("operations");
        let observed = observe(ops, recording["config"] != "n");
        if judge(&recording, &observed).is_err() {
            continue; // one that is skipped
        }
        for part in ["results", "events", "states"] {
            let mut paths = leaves(&recording[part], &format!("/{part}"), &NOT_COMPARED);
            // Where a state was taken is no value of it; of an endless loop, only the first events are compared.
            paths.retain(|path| !path.ends_with("/after"));
            if paths.is_empty() {
                continue;
            }
            let path = &paths[n * 7919 % paths.len()];
            let mut corrupted = recording.clone();
            corrupt(corrupted.pointer_mut(path).expect("a leaf"));
            assert!(judge(&corrupted, &observed).is_err(), "{} at {path}", recording["id"]);
            corruptions += 1;
        }
        let mut corrupted = recording.clone();
        corrupted["ub"] = match &recording["ub"] {
            Value::Null => "heap-use-after-free: read of net 1".into(),
            _ => Value::Null,
        };
        assert!(judge(&corrupted, &observed).is_err(), "{}: how it ended", recording["id"]);
    }
    assert!(corruptions > 1000, "{corruptions}");
}

/// Whatever a recording holds, the answer is a verdict.
#[test]
fn nonsense_is_no_panic() {
    let nonsense = [
        "junk",
        "{}",
        r#"{"id":"a","ops":[],"results":[]}"#,
        r#"{"ops":[{"op":"net_ns_init"},{"op":"no such thing"},{"op":7}],"results":[0,0,0]}"#,
        r#"{"ops":[{"op":"put_net","net":99},{"op":"dump_next","cursor":3}],"results":[0]}"#,
        r#"{"ops":[{"op":"net_ns_init"},{"op":"net_ns_init"}],"results":[0,0]}"#,
        r#"{"ops":[{"op":"register_pernet_subsys","name":"a","has_id":true,"size":99999999999}],"results":[0]}"#,
        r#"{"ops":[{"op":"at","point":"nowhere","nth":0,"do":[{}]}],"results":[0]}"#,
        r#"{"ops":[{"op":"newnsid","net":0,"raw":"zz"}],"results":[0]}"#,
    ];
    for line in nonsense {
        let verdicts: Vec<Verdict> = run_file(line).map(|line| line.verdict).collect();
        assert_eq!(verdicts.len(), 1, "{line}");
        assert!(!matches!(verdicts[0], Verdict::Skipped(_)), "{line}");
    }
}

/// A hook may run the work while the work runs, and callbacks inside callbacks' grace periods.
#[test]
fn contexts_nest() {
    for point in ["work_started", "net_mutex_released", "barrier", "barrier_done"] {
        let ops = serde_json::json!([
            { "op": "net_ns_init" },
            { "op": "copy_net_ns", "old": 0, "user_ns": 0 },
            { "op": "copy_net_ns", "old": 0, "user_ns": 0 },
            { "op": "put_net", "net": 1 },
            { "op": "at", "point": point, "nth": 1, "do": [
                { "op": "put_net", "net": 2 },
                { "op": "run_work" },
                { "op": "call_rcu", "do": [{ "op": "touch_net", "net": 0 }] },
                { "op": "rcu_run" }
            ] },
            { "op": "run_work" },
            { "op": "run_work" }
        ]);
        let observed = observe(ops.as_array().expect("operations"), true);
        assert_eq!(observed.ub, None, "{point}");
        let events = serde_json::to_string(&observed.events[5]).expect("JSON");
        assert_eq!(events.matches(r#"["work_start"]"#).count(), 2, "{point}: {events}");
        assert!(events.contains(r#"["sub","run_work",{"ran":true}]"#), "{point}: {events}");
        assert!(events.contains(r#"["rcu_cb"],["sub","touch_net",1]"#), "{point}: {events}");
        assert_eq!(observed.states[6]["nets"], serde_json::json!([[0, 1, 1]]), "{point}");
    }
}
