// SPDX-License-Identifier: GPL-2.0-only
//! Runs with seeds: what is told of many executions, and the command that shows one of them.

use serde_json::Value;

use crate::common::{Called, file, sim};

const RACE: &str = "scenarios/bugs/get_net_ns_by_id-vs-last-put.json";

/// The verdict on the last run.
fn verdict(called: &Called) -> &str {
    called.stdout.rsplit_once("===\n\n").map_or("", |(_, verdict)| verdict)
}

/// A copy of the race in which the run with seeds expects something else.
fn race(name: &str, expected: &str) -> String {
    let text = r#"{"version": 1, "title": "t", "note": "n", "machine": {"cpus": 2},
        "setup": [{"copy_net_ns": {"as": "a"}}, {"peernet2id_alloc": {"net": "init_net", "peer": "a"}}],
        "tasks": [{"name": "put", "steps": [{"put_net": {"net": "a"}}]}, {"name": "lookup", "steps": [
            {"get_net_ns_by_id": {"net": "init_net", "id": 0, "as": "b"}}, {"put_net": {"net": "b"}}]}],
        "runs": [{"seeds": 200, EXPECTED}]}"#;
    file(name, text.replace("EXPECTED", expected))
}

#[test]
fn a_block_says_how_often() {
    let called = sim(&["run", RACE, "--run", "seeds"]);
    assert_eq!(called.code, Some(0), "{}", called.stdout);
    let text = verdict(&called);
    assert!(text.starts_with("ok     1000 executions in "), "{text}");
    assert!(text.contains(" steps, seeds 0 to 999, hash "), "{text}");
    assert!(text.contains("\n       outcome done: always\n"), "{text}");
    let line = text.lines().find(|line| line.contains("kasan-use-after-free")).expect("a line");
    let (sometimes, seed) = line.split_once(", first with seed ").expect("a seed");
    assert!(sometimes.starts_with("       finding kasan-use-after-free: sometimes ("), "{line}");
    let alone = sim(&["run", RACE, "--run", "seeds", "--seed", seed.trim_end_matches(')')]);
    assert_eq!(alone.code, Some(1), "{}", alone.stdout);
    assert!(alone.stdout.contains("BUG: KASAN: slab-use-after-free"), "{}", alone.stdout);
    let fixed = sim(&["run", RACE, "--run", "seeds-fixed"]);
    assert!(verdict(&fixed).contains("\n       finding kasan-use-after-free: never\n"), "{}", fixed.stdout);
}

#[test]
fn programs_are_told_the_same() {
    let called = sim(&["run", RACE, "--run", "seeds", "--message-format", "json"]);
    let result: Value = serde_json::from_str(&called.stdout).expect("one line");
    assert_eq!((result["ok"].as_bool(), result["outcome"].as_str()), (Some(true), Some("done")));
    assert_eq!((&result["seeds"]["executions"], &result["seeds"]["expected"]), (&1000.into(), &1000.into()));
    let kasan = &result["seeds"]["findings"]["kasan-use-after-free"];
    let human = sim(&["run", RACE, "--run", "seeds"]).stdout;
    let (n, first) = (&kasan["executions"], &kasan["first"]);
    let line = format!("finding kasan-use-after-free: sometimes ({n} of 1000, first with seed {first})");
    assert!(human.contains(&line), "{line} in {human}");
    assert_eq!(kasan["observation"], "sometimes");
    assert_eq!(result["seeds"]["outcomes"]["done"]["observation"], "always");
    assert!(human.contains(result["hash"].as_str().expect("a hash")), "{human}");
    let fixed = sim(&["run", RACE, "--run", "seeds-fixed", "--message-format", "json"]);
    let result: Value = serde_json::from_str(&fixed.stdout).expect("one line");
    let kasan = &result["seeds"]["findings"]["kasan-use-after-free"];
    assert_eq!((&kasan["executions"], &kasan["first"]), (&0.into(), &Value::Null));
}

/// The command at the end shows an execution that is not as expected.
#[test]
fn what_is_wrong_can_be_shown() {
    let path = race(
        "seeds-never.json",
        r#""findings": {"kasan-use-after-free": "never", "kcsan-data-race": "sometimes",
        "kcsan-unordered-free": "sometimes", "list-corruption": "sometimes", "list-poison": "sometimes",
        "refcount": "sometimes", "type-confusion": "sometimes"}"#,
    );
    let called = sim(&["run", &path]);
    assert_eq!(called.code, Some(1), "{}", called.stdout);
    let text = verdict(&called);
    assert!(text.starts_with("FAILED 200 executions in "), "{text}");
    assert!(text.contains("finding kasan-use-after-free was expected never, and was in "), "{text}");
    let command = text.lines().rfind(|line| line.contains("--seed ")).expect("a command");
    let seed = command.rsplit(' ').next().expect("a seed");
    let alone = sim(&["run", &path, "--run", "default", "--seed", seed]);
    assert!(alone.stdout.contains("BUG: KASAN: slab-use-after-free"), "{}", alone.stdout);
    // In a list of scenarios it is told as well.
    let listed = sim(&["run", &path, "scenarios/boot.json"]).stdout;
    assert!(listed.contains("\n       default: 200 executions in "), "{listed}");
    assert!(listed.contains(command.trim()), "{listed}");
}

#[test]
fn an_execution_that_breaks_an_expectation_is_named() {
    let path = race(
        "seeds-end.json",
        r#""findings": {"kasan-use-after-free": "sometimes", "type-confusion": "sometimes",
        "kcsan-data-race": "sometimes", "kcsan-unordered-free": "sometimes", "list-corruption": "sometimes",
        "list-poison": "sometimes", "refcount": "sometimes"},
        "end": {"namespaces": 1}"#,
    );
    let called = sim(&["run", &path]);
    assert_eq!(called.code, Some(1), "{}", called.stdout);
    let text = verdict(&called);
    let line = text.lines().find(|line| line.contains("not as expected")).expect("a line");
    assert!(line.contains(" of 200 executions something is not as expected, first with seed "), "{text}");
    assert!(text.contains("\n       end: namespaces: expected 1, got "), "{text}");
    let seed = line.rsplit(' ').next().expect("a seed").trim_end_matches(':');
    assert!(text.contains(&format!("--run default --seed {seed}\n")), "{text}");
}

/// A limit is one of an execution; what was found is told.
#[test]
fn limits_are_inconclusive() {
    let flags = ["run", RACE, "--run", "seeds", "--max-steps", "62"];
    let called = sim(&flags);
    assert_eq!(called.code, Some(3), "{}", called.stdout);
    let text = verdict(&called);
    assert!(text.starts_with("?????? 1000 executions in "), "{text}");
    assert!(text.contains("outcome limit: sometimes ("), "{text}");
    assert!(
        text.contains("inconclusive: the limit of operations is reached; see --max-steps; in "),
        "{text}"
    );
    assert!(text.trim_end().ends_with(" --max-steps 62"), "{text}");
    let json = sim(&[&flags[..], &["--message-format", "json"]].concat());
    assert!(json.stdout.contains("\"outcome\":\"limit\""), "{}", json.stdout);
}

#[test]
fn time_may_end_before_all_seeds_had_their_turn() {
    let text = r#"{"version": 1, "title": "t", "note": "n", "machine": {"max_steps": 1000000000},
        "tasks": [{"name": "a", "steps": [{"loop": {"times": 20000, "steps": [{"cond_resched": {}}]}}]}],
        "runs": [{"seeds": 10000}]}"#;
    let path = file("seeds-long.json", text);
    let called = sim(&["run", &path, "--max-time", "1"]);
    assert_eq!(called.code, Some(3), "{}", called.stdout);
    let text = verdict(&called);
    assert!(text.starts_with("?????? ") && text.contains(" of 10000 executions in "), "{text}");
    assert!(text.contains("the limit of time is reached; see --max-time"), "{text}");
    assert!(!text.contains("seeds 0 to 9999,"), "{text}");
}

#[test]
fn one_execution_can_be_run_instead() {
    for flags in [["--seed", "3"], ["--schedule", "put"], ["--fail-nth", "1"]] {
        let called = sim(&[&["run", RACE, "--run", "seeds"], &flags[..]].concat());
        assert!(called.stdout.contains(" after "), "{}", called.stdout);
        assert!(!called.stdout.contains(" executions in "), "{}", called.stdout);
    }
}

/// What is never found is not said to be found.
#[test]
fn lists_know_the_words() {
    let listed = sim(&["list", "bugs"]).stdout;
    let line = listed.lines().find(|line| line.starts_with("bugs/peernet2id-in-a-softirq ")).expect("a line");
    let columns: Vec<&str> = line.split("  ").map(str::trim).filter(|column| !column.is_empty()).collect();
    assert_eq!(columns[3..5], ["deadlock, lockdep-inconsistent", "clean"], "{line}");
}

/// A run with a schedule has seeds as well, if somebody asks, and then only its findings are judged.
#[test]
fn every_run_can_have_seeds() {
    const SOFTIRQ: &str = "scenarios/bugs/peernet2id_alloc-in-a-softirq.json";
    let called = sim(&["run", SOFTIRQ, "--seeds", "120"]);
    assert_eq!(called.code, Some(0), "{}", called.stdout);
    assert!(called.stdout.contains("ok     120 executions in "), "{}", called.stdout);
    assert!(!called.stdout.contains("=== v4.11: v4.11"), "a run with seeds stands for it: {}", called.stdout);
    let clean = sim(&["run", "scenarios/boot.json", "--seeds", "3"]);
    assert!(clean.stdout.contains(" --seeds 3\n"), "the command repeats it: {}", clean.stdout);
    // What a schedule does not find, seeds do, and the other way round.
    let with = |name: &str, run: &str| {
        let text = r#"{"version": 1, "title": "t", "note": "n", "machine": {"cpus": 2},
            "setup": [{"copy_net_ns": {"as": "a"}}, {"peernet2id_alloc": {"net": "init_net", "peer": "a"}}],
            "tasks": [{"name": "put", "steps": [{"put_net": {"net": "a"}}]}, {"name": "lookup", "steps": [
                {"get_net_ns_by_id": {"net": "init_net", "id": 0, "as": "b"}}, {"put_net": {"net": "b"}}]}],
            "runs": [{RUN}]}"#;
        file(name, text.replace("RUN", run))
    };
    let lucky = with("seeds-lucky.json", r#""schedule": "lookup, put""#);
    let called = sim(&["run", &lucky]);
    assert_eq!(called.code, Some(0), "{}", called.stdout);
    let called = sim(&["run", &lucky, "--seeds", "50"]);
    assert_eq!(called.code, Some(1), "{}", called.stdout);
    assert!(called.stdout.contains("finding refcount was not expected: it was in "), "{}", called.stdout);
    let absent = with("seeds-absent.json", r#""patches": ["get_live_net_by_id"], "findings": ["refcount"]"#);
    let called = sim(&["run", &absent, "--seeds", "50"]);
    assert_eq!(called.code, Some(1), "{}", called.stdout);
    let text = "none of the findings expected (refcount) was in 50 executions";
    assert!(called.stdout.contains(text), "{}", called.stdout);
    let both = sim(&["run", &lucky, "--seeds", "5", "--seed", "3"]);
    assert_eq!(both.code, Some(2), "{}", both.stderr);
}
