// SPDX-License-Identifier: GPL-2.0-only
//! What `sim run` prints of every scenario.

use std::panic::catch_unwind;

use insta::Settings;

use crate::common::{scenarios, sim};

fn settings() -> Settings {
    let mut settings = Settings::clone_current();
    settings.set_snapshot_path("../../../../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings
}

#[test]
fn every_scenario_prints_what_it_printed() {
    let failed: Vec<String> = scenarios()
        .into_iter()
        .filter(|path| {
            let name = path.strip_prefix("scenarios/").and_then(|name| name.strip_suffix(".json"));
            let name = name.expect("the path of a scenario").replace('/', "__");
            let called = sim(&["run", path]);
            let text = format!("{}{}", without_numbers(&called.stdout), called.stderr);
            let same = catch_unwind(|| settings().bind(|| insta::assert_snapshot!(name, text)));
            same.is_err() || called.code != Some(0)
        })
        .collect();
    assert!(failed.is_empty(), "these print something else, or fail: {failed:#?}");
}

#[test]
fn every_run_has_the_hash_that_it_had() {
    let called = sim(&["run", "scenarios", "--message-format", "json"]);
    let mut hashes = String::new();
    for line in called.stdout.lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("a JSON line");
        if line["reason"] == "result" {
            assert!(line.get("time").is_some(), "a number, or null without a clock: {line}");
            let text = |key: &str| line[key].as_str().expect("a string").to_owned();
            hashes.push_str(&format!("{} {} {}\n", text("file"), text("run"), text("hash")));
        }
    }
    settings().bind(|| insta::assert_snapshot!("hashes", hashes));
}

/// Trace hashes are kept in one file, and lines of the source move.
fn without_numbers(text: &str) -> String {
    let mut lines = String::new();
    for line in text.lines() {
        let line = match line.split_once(", hash ") {
            Some((verdict, _)) => verdict,
            None => line.rsplit_once(".rs:").map_or(line, |(place, number)| {
                let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
                if is_number { &line[..place.len() + 3] } else { line }
            }),
        };
        lines.push_str(line);
        lines.push('\n');
    }
    lines
}

#[test]
fn numbers_of_lines_and_hashes_are_left_out() {
    let text = "ok done, seed 3, hash 0123\n put_net()  crates/netns/src/refs.rs:41\na.rs:b\n";
    assert_eq!(without_numbers(text), "ok done, seed 3\n put_net()  crates/netns/src/refs.rs\na.rs:b\n");
}
