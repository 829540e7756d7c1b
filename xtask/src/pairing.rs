// SPDX-License-Identifier: GPL-2.0-only
//! `cargo xtask pairing`: every scenario has a snapshot, every snapshot a scenario, every patch a
//! scenario that uses it.

use std::{collections::BTreeSet, path::Path};

use serde_json::Value;

use crate::repo::{Complaint, Text, Tree, Verdict};

const PATCHES: &str = "crates/netns/src/patches.rs";

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
            Ok(value) => patches_named(&value, &mut used),
            Err(error) => {
                let what = format!("is no JSON: {error}");
                complaints.push(Complaint::new(&scenario.path, error.line(), what));
            }
        }
    }
    let mut patches = 0;
    if let Some(file) = tree.get(PATCHES) {
        let variants = variants(file);
        if variants.is_empty() {
            complaints.push(Complaint::new(PATCHES, 0, "has no `Patch` with variants"));
        }
        patches = variants.len();
        for (line, name) in variants {
            if !used.contains(&name) {
                let what = format!("no scenario names the patch `{name}` in its \"patches\"");
                complaints.push(Complaint::new(PATCHES, line, what));
            }
        }
    }

    let (scenarios, snapshots) = (scenarios.len(), snapshots.len());
    let summary = format!("pairing: {scenarios} scenarios, {snapshots} snapshots, {patches} patches");
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

/// Collects the strings of every list called "patches", at any depth: runs and expectations name patches too.
fn patches_named(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| patches_named(value, names)),
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::Array(values) if key == "patches" => {
                        names.extend(values.iter().filter_map(Value::as_str).map(str::to_owned));
                    }
                    value => patches_named(value, names),
                }
            }
        }
        _ => {}
    }
}

/// The lines and names of the variants of `Patch`: an enum, or a macro's block of the same name. A variant
/// may carry the name that scenarios use: `Variant = "name"`.
fn variants(file: &Text) -> Vec<(usize, String)> {
    let opens = |line: &str| matches!(line, "pub enum Patch {" | "enum Patch {" | "Patch {");
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

    const PATCH: &str = "/// The patches.\npub enum Patch {\n    /// Commit, year.\n    MaybeGetNet,\n}\n";

    #[test]
    fn pairs_are_silent() {
        let files = [
            ("scenarios/boot.json", "{}"),
            ("scenarios/nsid/reuse.json", r#"{"runs": [{"seed": 1, "patches": ["maybe_get_net"]}]}"#),
            ("snapshots/boot.snap", ""),
            ("snapshots/nsid__reuse.snap", ""),
            (PATCHES, PATCH),
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
    fn a_patch_needs_a_scenario() {
        let scenario = ("scenarios/a.json", r#"{"note": "maybe_get_net", "patches": ["other"]}"#);
        let files = [scenario, ("snapshots/a.snap", ""), (PATCHES, PATCH)];
        let expected = format!("{PATCHES}:4: no scenario names the patch `maybe_get_net` in its \"patches\"");
        assert_eq!(complaints(&files), [expected]);
        assert_eq!(complaints(&[(PATCHES, "//! Nothing.\n")]).len(), 1);
    }

    #[test]
    fn patches_are_called_by_their_variant_or_by_a_given_name() {
        let names = |text: &str| {
            let found = variants(&Text { path: PATCHES.into(), text: text.into() });
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
