// SPDX-License-Identifier: GPL-2.0-only
//! Limits: every one says that it is reached, and which flag raises it; and what was known by then is told.

use crate::common::{file, sim};

/// Goes on for hours.
const ENDLESS: &str = r#"{"version": 1, "title": "without end", "note": "n",
    "machine": {"max_steps": 1000000000},
    "tasks": [{"name": "a", "steps": [{"loop": {"times": 1000000, "steps": [
        {"loop": {"times": 1000000, "steps": [{"touch_net": {"net": "init_net"}}, {"cond_resched": {}}]}}]}}]}]}"#;

pub(crate) fn endless(name: &str) -> String {
    file(name, ENDLESS)
}

/// Takes as much memory as it gets.
const GREEDY: &str = r#"{"version": 1, "title": "greedy", "note": "n",
    "tasks": [{"name": "a", "steps": [{"loop": {"times": 1000000, "steps": [
        {"allocate": {"as": "o", "bytes": 4000000}}]}}]}]}"#;

#[test]
fn each_limit_names_its_flag() {
    let (endless, greedy) = (endless("limits-endless.json"), file("limits-greedy.json", GREEDY));
    for (path, flags, what) in [
        (&endless, ["--max-steps", "1000"], "the limit of operations is reached; see --max-steps"),
        (&endless, ["--max-time", "1"], "the limit of time is reached; see --max-time"),
        (&greedy, ["--max-memory", "32"], "the limit of simulated memory is reached; see --max-memory"),
    ] {
        let called = sim(&[&["run", path.as_str()], &flags[..]].concat());
        assert_eq!(called.code, Some(3), "{flags:?}: {called:?}");
        assert!(called.stdout.contains(what), "{flags:?}: {}", called.stdout);
        assert!(called.stdout.contains("?????? ended by a limit after "), "{flags:?}: {}", called.stdout);
        let json = sim(&[&["run", path.as_str(), "--message-format", "json"], &flags[..]].concat());
        assert_eq!(json.code, Some(3), "{flags:?}: {json:?}");
        assert!(json.stdout.contains("\"outcome\":\"limit\""), "{flags:?}: {}", json.stdout);
    }
}

/// What was found before the time was over was found, and what was not run is said.
#[test]
fn the_limit_of_time_is_one_for_all_scenarios() {
    let endless = endless("limits-endless-first.json");
    let called = sim(&["run", &endless, "scenarios/boot.json", "--max-time", "1"]);
    assert_eq!(called.code, Some(3), "{called:?}");
    assert!(!called.stdout.contains("boot"), "{}", called.stdout);
    let message = "the limit of time is reached after 0 of 2 scenarios (1 run); see --max-time";
    assert!(called.stderr.contains(message), "{}", called.stderr);
}

#[test]
fn the_verdict_is_printed_whatever_the_limit_of_output() {
    let endless = endless("limits-talkative.json");
    let called = sim(&["run", "-v", &endless, "--max-steps", "50000", "--max-output", "1"]);
    assert_eq!(called.code, Some(3), "{}", called.stderr);
    let length = called.stdout.len();
    assert!((1 << 19..(1 << 20) + 10_000).contains(&length), "{length} bytes");
    assert!(
        called.stdout.contains("\n  ... more is left out: the limit of output is reached; see --max-output")
    );
    assert!(called.stdout.contains("\n?????? ended by a limit after 50000 steps"));
    assert!(called.stderr.contains(" lines left out; see --max-output"), "{}", called.stderr);
    let called = sim(&["run", "scenarios/boot.json", "--max-output", "1"]);
    assert_eq!((called.code, called.stderr.as_str()), (Some(0), ""), "what fits is not touched");
}

#[test]
fn limits_out_of_range_are_refused() {
    for flags in [["--max-steps", "0"], ["--max-time", "0"], ["--max-memory", "0"], ["--max-output", "0"]] {
        let called = sim(&[&["run", "scenarios/boot.json"], &flags[..]].concat());
        assert_eq!(called.code, Some(2), "{called:?}");
    }
    let large = u64::MAX.to_string();
    assert_eq!(sim(&["run", "scenarios/boot.json", "--max-memory", "4097"]).code, Some(2));
    assert_eq!(sim(&["run", "scenarios/boot.json", "--max-time", &large]).code, Some(0));
    assert_eq!(sim(&["run", "scenarios/boot.json", "--max-steps", &large]).code, Some(0));
    assert_eq!(sim(&["run", "scenarios/boot.json", "--max-output", &large]).code, Some(2));
}
