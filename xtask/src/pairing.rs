// SPDX-License-Identifier: GPL-2.0-only
//! `cargo xtask pairing`: every scenario has a snapshot, every snapshot a scenario, every patch a
//! scenario that uses it.

use std::{collections::BTreeSet, path::Path};

use serde_json::Value;

use crate::repo::{Complaint, Text, Tree, Verdict};

const CHANGES: &str = "crates/netns/src/changes.rs";
/// The kinds of changes, and what the list of them is called in a scenario.
const KINDS: &[(&str, &str)] = &[("Patch", "patches"), ("Revert", "reverts"), ("Mutation", "mutations")];

/// Pairs up what is in the repository.
pub(crate) fn run(root: &Path) -> Result<Verdict, String> {
    Ok(check(&Tree::read(root)?))
}

fn check(tree: &Tree) -> Verdict {
    let scenarios: Vec<&Text> = tree.files.iter().filter(|file| is_scenario(&file.path)).collect();
    let snapshots: Vec<&str> =
        tree.files.iter().map(|file| file.path.as_str()).filter(|p| is_snapshot(p)).collect();
    let mut complaints = Vec::new();

    let wanted: Vec<String> = scenarios.iter().map(|scenario| snapshot_of(&scenario.path)).collect();
    for (scenario, snapshot) in scenarios.iter().zip(&wanted) {
        if !snapshots.contains(&snapshot.as_str()) {
            complaints.push(Complaint::new(&scenario.path, 0, format!("has no snapshot {snapshot}")));
        }
    }
    for snapshot in &snapshots {
        if !wanted.iter().any(|wanted| wanted == snapshot) {
            complaints.push(Complaint::new(snapshot, 0, "belongs to no scenario"));
        }
    }

    let mut used = BTreeSet::new();
    for scenario in &scenarios {
        match serde_json::from_str(&scenario.text) {
            Ok(value) => changes_named(&value, &mut used),
            Err(error) => {
                let what = format!("is no JSON: {error}");
                complaints.push(Complaint::new(&scenario.path, error.line(), what));
            }
        }
    }
    let mut changes = 0;
    if let Some(file) = tree.get(CHANGES) {
        for (kind, key) in KINDS {
            let variants = variants(file, kind);
            if variants.is_empty() {
                complaints.push(Complaint::new(CHANGES, 0, format!("has no `{kind}` with variants")));
            }
            changes += variants.len();
            for (line, name) in variants {
                if !used.contains(&(*key, name.clone())) {
                    let what = format!("no scenario names `{name}` in its \"{key}\"");
                    complaints.push(Complaint::new(CHANGES, line, what));
                }
            }
        }
    }

    let (scenarios, snapshots) = (scenarios.len(), snapshots.len());
    let summary = format!("pairing: {scenarios} scenarios, {snapshots} snapshots, {changes} changes");
    Verdict { complaints, summary }
}

fn is_scenario(path: &str) -> bool {
    path.starts_with("scenarios/") && path.ends_with(".json")
}

/// One of a scenario; the trace hashes of all scenarios have a snapshot of their own.
fn is_snapshot(path: &str) -> bool {
    path.starts_with("snapshots/") && path.ends_with(".snap") && path != "snapshots/hashes.snap"
}

/// `scenarios/a/b.json` is remembered in `snapshots/a__b.snap`.
fn snapshot_of(scenario: &str) -> String {
    let name = scenario.strip_prefix("scenarios/").unwrap_or(scenario);
    let name = name.strip_suffix(".json").unwrap_or(name);
    format!("snapshots/{}.snap", name.replace('/', "__"))
}

/// Collects the strings of every list called as a kind of changes is, at any depth: runs name them, too.
fn changes_named(value: &Value, names: &mut BTreeSet<(&'static str, String)>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| changes_named(value, names)),
        Value::Object(fields) => {
            for (key, value) in fields {
                match (value, KINDS.iter().find(|(_, kind)| kind == key)) {
                    (Value::Array(values), Some((_, kind))) => {
                        let strings = values.iter().filter_map(Value::as_str);
                        names.extend(strings.map(|name| (*kind, name.to_owned())));
                    }
                    _ => changes_named(value, names),
                }
            }
        }
        _ => {}
    }
}

/// The lines and names of the variants of an enum, or of a macro's block of the same name. A variant may carry the
/// name that scenarios use: `Variant = "name"`.
fn variants(file: &Text, kind: &str) -> Vec<(usize, String)> {
    let opens =
        |line: &str| line.trim_start_matches("pub ").trim_start_matches("enum ") == format!("{kind} {{");
    let lines = file.lines().map(|(number, line)| (number, line.trim()));
    let body =
        lines.skip_while(|(_, line)| !opens(line)).skip(1).take_while(|(_, line)| !line.starts_with('}'));
    let named = body.filter(|(_, line)| line.starts_with(|c: char| c.is_ascii_uppercase()));
    let names = named.map(|(number, line)| {
        let end = line.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(line.len());
        let given = line.split_once("= \"").and_then(|(_, rest)| rest.split('"').next());
        (number, given.map_or_else(|| snake_case(&line[..end]), str::to_owned))
    });
    names.collect()
}

/// `GetNetNsById` is called `get_net_ns_by_id` in a scenario.
fn snake_case(camel: &str) -> String {
    let mut snake = String::new();
    for (i, c) in camel.char_indices() {
        if c.is_ascii_uppercase() && i > 0 {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(files: &[(&str, &str)]) -> Vec<String> {
        check(&Tree::of(files)).complaints.iter().map(Complaint::to_string).collect()
    }

    const PATCH: &str = "/// The patches.\npub enum Patch {\n    /// Commit, year.\n    MaybeGetNet,\n}\n\
                         Revert {\n    A = \"lock\",\n}\nMutation {\n    B = \"late\",\n}\n";

    #[test]
    fn pairs_are_silent() {
        let files = [
            ("scenarios/boot.json", "{}"),
            (
                "scenarios/nsid/reuse.json",
                r#"{"reverts": ["lock"], "runs": [{"patches": ["maybe_get_net"], "mutations": ["late"]}]}"#,
            ),
            ("snapshots/boot.snap", ""),
            ("snapshots/nsid__reuse.snap", ""),
            (CHANGES, PATCH),
        ];
        assert_eq!(complaints(&files), Vec::<String>::new());
    }

    #[test]
    fn a_scenario_needs_a_snapshot_and_the_reverse() {
        let scenario = complaints(&[("scenarios/nsid/reuse.json", "{}")]);
        assert_eq!(scenario, ["scenarios/nsid/reuse.json: has no snapshot snapshots/nsid__reuse.snap"]);
        assert_eq!(complaints(&[("snapshots/old.snap", "")]), ["snapshots/old.snap: belongs to no scenario"]);
    }

    #[test]
    fn a_change_needs_a_scenario() {
        let text = r#"{"note": "maybe_get_net", "patches": ["lock"], "reverts": ["lock"]}"#;
        let scenario = ("scenarios/a.json", text);
        let files = [scenario, ("snapshots/a.snap", ""), (CHANGES, PATCH)];
        let patch = format!("{CHANGES}:4: no scenario names `maybe_get_net` in its \"patches\"");
        let mutation = format!("{CHANGES}:10: no scenario names `late` in its \"mutations\"");
        assert_eq!(complaints(&files), [patch, mutation]);
        assert_eq!(complaints(&[(CHANGES, "//! Nothing.\n")]).len(), 3);
    }

    #[test]
    fn patches_are_called_by_their_variant_or_by_a_given_name() {
        let names = |text: &str| {
            let found = variants(&Text { path: CHANGES.into(), text: text.into() }, "Patch");
            found.into_iter().map(|(_, name)| name).collect::<Vec<_>>()
        };
        assert_eq!(
            names("enum Patch {\n    GetLiveNet,\n    B = 3,\n}\nenum C { D }\n"),
            ["get_live_net", "b"]
        );
        let given = "changes! {\n    Patch {\n        /// Commit.\n        A = \"alive\",\n    }\n}\n";
        assert_eq!(names(given), ["alive"]);
    }

    #[test]
    fn a_scenario_is_json() {
        let complaints = complaints(&[("scenarios/a.json", "{\n,"), ("snapshots/a.snap", "")]);
        assert!(complaints[0].starts_with("scenarios/a.json:2: is no JSON"), "{complaints:?}");
    }
}
