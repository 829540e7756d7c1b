// SPDX-License-Identifier: GPL-2.0-only
//! Exit codes, and who is told what.

use std::{io::Read, process::Stdio};

use crate::common::{command, sim};

const RACE: &str = "scenarios/bugs/get_net_ns_by_id-vs-last-put.json";

fn code(arguments: &[&str]) -> i32 {
    let called = sim(arguments);
    assert!(!called.stderr.contains("panicked"), "{arguments:?}: {}", called.stderr);
    called.code.expect("an exit code")
}

#[test]
fn clean() {
    assert_eq!(code(&["run", "scenarios/boot.json"]), 0);
    assert_eq!(code(&["check", "scenarios"]), 0);
    assert_eq!(code(&["list"]), 0);
    assert_eq!(code(&["list", "subsystems"]), 0);
    assert!(sim(&["list", "subsystems"]).stdout.contains("\nstuck-device "), "every one has a line");
    assert_eq!(code(&["coverage"]), 0);
    assert_eq!(code(&["explain", "kasan-use-after-free"]), 0);
    assert_eq!(code(&["explain", "S006"]), 0);
    assert_eq!(code(&["--help"]), 0);
}

#[test]
fn all_scenarios_are_clean() {
    let called = sim(&["run", "scenarios"]);
    assert_eq!(called.code, Some(0), "{}{}", called.stdout, called.stderr);
    let last = called.stdout.lines().last().expect("a summary");
    assert!(last.ends_with(": ok"), "{last}");
}

#[test]
fn findings_are_expected_only_where_the_scenario_decides() {
    let called = sim(&["run", RACE, "--run", "v4.11"]);
    assert_eq!(called.code, Some(0), "{}", called.stdout);
    let schedule = "put, lookup until put_net, kworker/netns, lookup";
    let called = sim(&["run", RACE, "--run", "v4.11", "--schedule", schedule]);
    assert_eq!(called.code, Some(1), "{}", called.stdout);
}

/// Who is not due is not said to want for a CPU.
#[test]
fn a_clock_may_not_follow_a_schedule() {
    let path = "scenarios/clock-creation-behind-a-slow-exit.json";
    let called = sim(&["run", path, "--schedule", "stop*3, start*2"]);
    assert_eq!(called.code, Some(4), "{}", called.stdout);
    assert!(called.stdout.contains("with a clock, who is due goes on"), "{}", called.stdout);
    assert!(
        called.stdout.contains("stop waits for its time, or a CPU, to go on with change of net 1->count"),
        "{}",
        called.stdout
    );
    let called = sim(&["run", RACE, "--run", "v4.11", "--schedule", "lookup*1000"]);
    assert_eq!(called.code, Some(4), "{}", called.stdout);
    assert!(!called.stdout.contains("with a clock"), "{}", called.stdout);
}

#[test]
fn a_sweep_has_a_line_and_can_be_taken_apart() {
    let path = "scenarios/unshare-every-allocation-fails.json";
    let called = sim(&["run", path]);
    assert!(
        called.stdout.contains("\n       sweep: 9 allocation failures, all undone\n"),
        "{}",
        called.stdout
    );
    let called = sim(&["run", path, "--message-format", "json"]);
    assert!(called.stdout.contains("\"sweep\":\"9 allocation failures, all undone\""), "{}", called.stdout);
    let called = sim(&["run", path, "--fail-nth", "3"]);
    assert_eq!(called.code, Some(0), "{}", called.stdout);
    assert!(called.stdout.contains("alloc_failed") || called.stdout.contains("fails"), "{}", called.stdout);
    assert!(called.stdout.contains("--run sweep --fail-nth 3"), "{}", called.stdout);
    assert_eq!(code(&["run", path, "--fail-nth", "0"]), 2);
    let too_far = sim(&["run", path, "--fail-nth", "99"]);
    assert_eq!(too_far.code, Some(1));
    assert!(too_far.stdout.contains("fewer than 99 allocations"), "{}", too_far.stdout);
}

#[test]
fn usage() {
    assert_eq!(code(&[]), 2);
    assert_eq!(code(&["run"]), 2);
    assert_eq!(code(&["run", "scenarios/boot.json", "--no-such-flag"]), 2);
    assert_eq!(code(&["run", "scenarios/boot.json", "--seed", "1", "--schedule", "main"]), 2);
    assert_eq!(code(&["run", "scenarios/boot.json", "--seed", "-1"]), 2);
    assert_eq!(code(&["run", "scenarios/boot.json", "--max-steps", "0"]), 2);
    assert_eq!(code(&["run", "scenarios/boot.json", "--run", "there is none"]), 2);
    assert_eq!(code(&["run", "scenarios/boot.json", "--schedule", "two words"]), 2);
    assert_eq!(code(&["run", "scenarios/boot.json", "--schedule", "nobody"]), 2);
    assert_eq!(code(&["explain", "S999"]), 2);
}

#[test]
fn a_limit_is_inconclusive() {
    assert_eq!(code(&["run", "scenarios/boot.json", "--max-steps", "1"]), 3);
    assert_eq!(code(&["run", "scenarios", "--max-steps", "1"]), 3);
}

#[test]
fn a_schedule_that_cannot_be_followed() {
    assert_eq!(code(&["run", "scenarios/boot.json", "--schedule", "main*1000"]), 4);
    assert_eq!(code(&["run", "scenarios/boot.json", "--schedule", "main until sys_setns"]), 4);
}

#[test]
fn a_schedule_that_cannot_be_followed_says_why() {
    let told = |schedule: &str| {
        let scenario = "scenarios/killed-while-waiting.json";
        let called = sim(&["run", scenario, "--run", "killed", "--schedule", schedule]);
        assert_eq!(called.code, Some(4), "{called:?}");
        let verdict = called.stdout.split_once("\nFAILED").expect("a verdict").1;
        verdict.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let text = told("holder until net_mutex_lock, holder*1, waiter*1000");
    assert!(text.contains("`waiter*1000`, cannot be followed: waiter has to wait, after"), "{text}");
    assert!(text.contains(" waiter waits for net_mutex (mutex_lock_killable), in copy_net_ns() "), "{text}");
    assert!(text.contains(" holder can go on with "), "{text}");
    let text = told("kworker/netns*1");
    assert!(text.contains("there is no task kworker/netns at that moment "), "{text}");
    let text = told("holder, waiter, holder*999");
    assert!(text.contains("the execution ended first"), "{text}");
    let text = told("holder*999, waiter");
    assert!(text.contains("holder has ended, or is dead, after "), "{text}");
}

#[test]
fn a_bad_schedule_is_refused_before_anything_is_shown() {
    for (schedule, why) in [
        ("nobody", "there is no task `nobody`"),
        ("put until put_nett", "there is no kernel function `put_nett`; did you mean `put_net`?"),
        ("put*0", "`put*0`: a number from 1 is expected"),
    ] {
        let called = sim(&["run", RACE, "--run", "v4.11", "--schedule", schedule]);
        assert_eq!((called.code, called.stdout.as_str()), (Some(2), ""), "{called:?}");
        assert!(called.stderr.contains(why), "{}", called.stderr);
    }
}

#[test]
fn codes_are_explained_in_any_case() {
    assert_eq!(sim(&["explain", "s006"]).stdout, sim(&["explain", "S006"]).stdout);
    assert_eq!(sim(&["explain", "KASAN-double-free"]).stdout, sim(&["explain", "kasan-double-free"]).stdout);
}

#[test]
fn the_recorded_schedule_repeats_a_seed() {
    let json = |arguments: &[&str]| {
        let called = sim(arguments);
        let last = called.stdout.lines().last().expect("a result").to_owned();
        let result: serde_json::Value = serde_json::from_str(&last).expect("a JSON line");
        result
    };
    let common = ["run", RACE, "--run", "v4.11", "--message-format", "json"];
    for seed in ["1", "2", "3"] {
        let seeded = json(&[&common[..], &["--seed", seed]].concat());
        let recorded = seeded["recorded"].as_str().expect("a schedule");
        let scheduled = json(&[&common[..], &["--schedule", recorded]].concat());
        assert_eq!(seeded["hash"], scheduled["hash"], "{recorded}");
    }
}

#[test]
fn whoever_reads_may_stop() {
    let mut child = command(&["run", "-v", "scenarios"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("sim can be started");
    let mut first = [0_u8; 16];
    let mut stdout = child.stdout.take().expect("a pipe");
    stdout.read_exact(&mut first).expect("some output");
    drop(stdout);
    let output = child.wait_with_output().expect("sim ends");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn colours_only_where_they_are_asked_for() {
    assert!(!sim(&["run", "scenarios/boot.json"]).stdout.contains('\x1b'));
    assert!(sim(&["run", "scenarios/boot.json", "--color", "always"]).stdout.contains('\x1b'));
}
