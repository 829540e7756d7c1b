// SPDX-License-Identifier: GPL-2.0-only
//! Runs with seeds: how often something is found, what must be true of each execution, and what ends them early.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use lab::run::{Decider, Lab, Limit, RunOptions, SeedsReport};
use machine::TraceHash;
use machine_sim::First;
use scenario::{Observation, Source};

/// Whether the object is freed before it is read is chance; that it is written without order is not.
const CHANCE: &str = r#""machine": {"cpus": 2},
    "setup": [{"allocate": {"as": "o"}}, {"allocate": {"as": "p"}}],
    "tasks": [{"name": "one", "steps": [{"write": {"object": "p"}}, {"free": {"object": "o"}}]},
        {"name": "two", "steps": [{"write": {"object": "p"}}, {"count": {"net": "init_net"}},
            {"read": {"object": "o"}}]}]"#;

fn lab(parts: &str, run: &str) -> Lab {
    let text = format!(r#"{{"version": 1, "title": "t", "note": "n", {parts}, "runs": [{{{run}}}]}}"#);
    let source = Source { name: "test.json".to_owned(), text };
    let scenario = scenario::read(&source).unwrap_or_else(|errors| {
        panic!("{}", errors.iter().map(|error| error.render(&source, false)).collect::<String>())
    });
    Lab::new(Arc::new(scenario))
}

fn run_with(parts: &str, run: &str, options: &RunOptions) -> SeedsReport {
    let mut lab = lab(parts, run);
    let scenario = lab.scenario().clone();
    lab.run_seeds(&scenario.runs[0], options)
}

fn run(parts: &str, run: &str) -> SeedsReport {
    run_with(parts, run, &RunOptions::default())
}

/// What is wrong with these findings in 50 executions, without the others.
fn wrong(findings: &str, about: &str) -> Vec<(Option<u64>, String)> {
    let report = run(CHANCE, &format!("\"seeds\": 50, \"findings\": {findings}"));
    report.failures.into_iter().filter(|(_, text)| text.contains(about)).collect()
}

const SOME: &str = "kasan-use-after-free";
const ALL: &str = "kcsan-data-race";
const NONE: &str = "deadlock";

#[test]
fn chance_is_what_it_is_taken_for() {
    let report = run(CHANCE, "\"seeds\": 50");
    assert_eq!(report.findings.executions(), 50);
    assert_eq!(report.findings.observation(SOME), Observation::Sometimes);
    assert_eq!(report.findings.observation(ALL), Observation::Always);
    assert_eq!(report.findings.observation(NONE), Observation::Never);
    assert_eq!(report.outcomes.observation("done"), Observation::Always);
}

#[test]
fn true_words_are_true() {
    let findings = r#"{"kasan-use-after-free": "sometimes", "kcsan-data-race": "always",
        "kcsan-unordered-free": "sometimes", "deadlock": "never"}"#;
    assert_eq!(wrong(findings, ""), []);
}

/// Each of the words, of what is never, sometimes and always so.
#[test]
fn wrong_words_are_noticed() {
    let some = run(CHANCE, "\"seeds\": 50").findings.share(SOME).expect("some");
    let (n, first, without) = (some.executions, some.first, some.first_without);
    let one = |code: &str, word: &str| {
        let mut wrong = wrong(&format!("{{\"{code}\": \"{word}\"}}"), code);
        assert!(wrong.len() < 2, "{wrong:?}");
        wrong.pop()
    };
    let expected = |code: &str, word: &str, seed: Option<u64>, text: &str| {
        Some((seed, format!("finding {code} was expected {word}, and was in {text}")))
    };
    let never = format!("{n} of 50 executions, first with seed {first}");
    assert_eq!(one(SOME, "never"), expected(SOME, "never", Some(first), &never));
    assert_eq!(one(SOME, "sometimes"), None);
    let always = format!("{n} of 50 executions, not in that with seed {}", without.expect("not all"));
    assert_eq!(one(SOME, "always"), expected(SOME, "always", without, &always));
    assert_eq!(one(ALL, "never"), expected(ALL, "never", Some(0), "50 of 50 executions, first with seed 0"));
    assert_eq!(one(ALL, "sometimes"), expected(ALL, "sometimes", Some(0), "all of 50 executions"));
    assert_eq!(one(ALL, "always"), None);
    assert_eq!(one(NONE, "never"), None);
    assert_eq!(one(NONE, "sometimes"), expected(NONE, "sometimes", None, "none of 50 executions"));
    assert_eq!(
        one(NONE, "always"),
        expected(NONE, "always", Some(0), "0 of 50 executions, not in that with seed 0")
    );
}

/// What is not mentioned is never, in either form.
#[test]
fn what_is_not_mentioned_is_not_expected() {
    for findings in ["[]", "{}", r#"["deadlock"]"#] {
        let wrong = wrong(findings, ALL);
        let text =
            "finding kcsan-data-race was not expected: it was in 50 of 50 executions, first with seed 0";
        assert_eq!(wrong, [(Some(0), text.to_owned())], "{findings}");
    }
}

/// A list is what all executions together find.
#[test]
fn a_list_is_of_what_is_found_at_least_once() {
    let all = r#"["kasan-use-after-free", "kcsan-data-race", "kcsan-unordered-free"]"#;
    assert_eq!(wrong(all, ""), []);
    let more = all.replace(']', r#", "deadlock"]"#);
    let text = "finding deadlock was expected and did not happen in 50 executions";
    assert_eq!(wrong(&more, ""), [(None, text.to_owned())]);
}

/// Two tasks that race to be the first to create a namespace.
const FIRST: &str = r#""machine": {"cpus": 2},
    "tasks": [{"name": "one", "steps": [{"copy_net_ns": {"as": "a"}},
            {"peernet2id_alloc": {"net": "init_net", "peer": "a", "as": "id", "expect": 0}}]},
        {"name": "two", "steps": [{"copy_net_ns": {"as": "b"}},
            {"peernet2id_alloc": {"net": "init_net", "peer": "b"}}]}]"#;

#[test]
fn every_execution_is_judged_like_one_alone() {
    let report = run(FIRST, r#""seeds": 40, "end": {"namespaces": 3}, "counts": {"notify": 2}"#);
    let bad = report.bad.expect("the other one is first sometimes");
    assert!((1..40).contains(&bad.executions), "{bad:?}");
    let texts: Vec<String> = bad.failures.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert!(texts[0].ends_with(": expected 0, got 1"), "{texts:?}");
    // That execution alone does the same, and those before it do not.
    let mut lab = lab(FIRST, r#""seeds": 40"#);
    let scenario = lab.scenario().clone();
    for seed in 0..=bad.first {
        let options = RunOptions { decider: Some(Decider::Seed(seed)), ..RunOptions::default() };
        let alone = lab.run(&scenario.runs[0], &options, &mut First, |_, _| {}).expect("no schedule");
        let id = if seed == bad.first { "1" } else { "0" };
        assert_eq!((alone.end_state.bindings["id"].as_str(), alone.judged), (id, false), "seed {seed}");
    }
}

#[test]
fn ends_and_counts_hold_in_every_execution() {
    let text = |run_text: &str| {
        let bad = run(FIRST, run_text).bad.expect("something is wrong");
        let texts: Vec<String> = bad.failures.iter().map(ToString::to_string).collect();
        (bad.executions, bad.first, texts[0].clone())
    };
    let namespaces = "end: namespaces: expected 2, got 3".to_owned();
    assert_eq!(text(r#""seeds": 3, "end": {"namespaces": 2}"#), (3, 0, namespaces));
    let outcome = "outcome: expected deadlock, got done".to_owned();
    assert_eq!(text(r#""seeds": 3, "outcome": "deadlock""#), (3, 0, outcome));
    let (executions, _, counts) = text(r#""seeds": 3, "counts": {"notify": 1}"#);
    assert_eq!((executions, counts.as_str()), (3, "`notify` was expected once, and happened 2 times"));
}

/// A softirq that interrupts the holder of a lock which does not keep it off.
const SOFTIRQ: &str = r#""machine": {"cpus": 1}, "reverts": ["nsid_lock_bh"],
    "tasks": [{"name": "task", "cpu": 0, "steps": [{"peernet2id": {"net": "init_net", "peer": "init_net"}}]},
        {"name": "softirq", "context": "softirq", "cpu": 0,
            "steps": [{"peernet2id": {"net": "init_net", "peer": "init_net"}}]}]"#;

/// Findings say how executions end, unless the run does.
#[test]
fn executions_may_end_differently_unless_an_outcome_is_expected() {
    let report = run(
        SOFTIRQ,
        r#""seeds": 50, "findings": {"deadlock": "sometimes", "lockdep-inconsistent": "always"}"#,
    );
    assert_eq!((report.failures, report.bad), (Vec::new(), None));
    assert_eq!(report.outcomes.observation("deadlock"), Observation::Sometimes);
    assert_eq!(report.outcomes.observation("done"), Observation::Sometimes);
    let of_one = run(
        SOFTIRQ,
        r#""seeds": 50, "findings": {"deadlock": "sometimes", "lockdep-inconsistent": "always"}, "outcome": "done""#,
    );
    let bad = of_one.bad.expect("some deadlock");
    assert_eq!(Some(bad.executions), report.outcomes.share("deadlock").map(|share| share.executions));
}

#[test]
fn the_hash_is_that_of_all_executions_in_order() {
    let mut lab = lab(CHANCE, "\"seeds\": 4");
    let scenario = lab.scenario().clone();
    let mut hash = TraceHash::default();
    for seed in 0..4 {
        let options = RunOptions { decider: Some(Decider::Seed(seed)), ..RunOptions::default() };
        let alone = lab.run(&scenario.runs[0], &options, &mut First, |_, _| {}).expect("no schedule");
        hash.add_execution(TraceHash(alone.hash));
    }
    let used = lab.run_seeds(&scenario.runs[0], &RunOptions::default());
    assert_eq!(used.hash, hash.0);
    assert_eq!(used.hash, run(CHANCE, "\"seeds\": 4").hash);
    assert_ne!(used.hash, run(CHANCE, "\"seeds\": 3").hash);
}

/// What a limit ends might have shown more.
#[test]
fn a_limit_is_one_of_an_execution() {
    let third =
        r#", {"name": "three", "steps": [{"loop": {"times": 50, "steps": [{"cond_resched": {}}]}}]}]"#;
    let parts = format!("{}{third}", CHANCE.strip_suffix(']').expect("a list of tasks"));
    let average = run(&parts, "\"seeds\": 50").steps / 50;
    let most = RunOptions { max_steps: Some(average - 1), ..RunOptions::default() };
    let with = |expected: &str| run_with(&parts, &format!("\"seeds\": 50, {expected}"), &most);
    let report = with(r#""outcome": "deadlock", "findings": {"deadlock": "sometimes", "bug-on": "always"}"#);
    assert!(matches!(report.limit, Some((_, Limit::Steps))), "{report:?}");
    assert_eq!(report.outcomes.observation("limit"), Observation::Always);
    assert_eq!((report.findings.executions(), report.bad), (50, None));
    assert!(report.steps < 50 * average, "{} steps", report.steps);
    // What is missing might have come; what was found was found.
    let unexpected = |text: &String| text.contains("was not expected");
    assert!(!report.failures.is_empty());
    assert!(report.failures.iter().all(|(_, text)| unexpected(text)), "{:?}", report.failures);
    let report = with(r#""findings": ["deadlock", "bug-on"]"#);
    assert!(report.failures.iter().all(|(_, text)| unexpected(text)), "{:?}", report.failures);
}

/// Asked before each execution, and in it.
#[test]
fn executions_end_when_somebody_has_enough() {
    static LEFT: AtomicU64 = AtomicU64::new(0);
    let enough = || LEFT.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_err();
    let options = RunOptions { enough: Some(enough), ..RunOptions::default() };
    let mut most = 0;
    for patience in 0..10 {
        LEFT.store(patience, Ordering::Relaxed);
        let report = run_with(
            CHANCE,
            r#""seeds": 50, "findings": {"deadlock": "sometimes", "lockdep-inconsistent": "always"}"#,
            &options,
        );
        assert!(report.is_cut);
        let executions = report.findings.executions();
        assert!((most..=patience).contains(&executions), "{executions} after {patience}");
        most = executions;
        // One that was not brought to its end does not count.
        assert_eq!(report.outcomes.share("done").map_or(0, |share| share.executions), executions);
        // What is missing might have come.
        assert!(report.failures.iter().all(|(_, text)| !text.contains("deadlock")), "{:?}", report.failures);
    }
    assert!(most > 1, "{most}");
}
