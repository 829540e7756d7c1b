// SPDX-License-Identifier: GPL-2.0-only
//! `cargo xtask layers`: the crates may depend on each other only as this table says. Arrows never point up.

use std::path::Path;

use serde_json::Value;

use crate::repo::{self, Complaint, Verdict};

/// Each crate with those of ours that it may depend on. The table of docs/ARCHITECTURE.md, for machines.
const CRATES: &[(&str, &[&str])] = &[
    ("machine", &[]),
    ("machine-sim", &["machine"]),
    ("machine-loom", &["machine"]),
    ("kernel", &["machine"]),
    ("checkers", &["machine"]),
    ("netns", &["kernel"]),
    ("scenario", &["machine", "kernel", "netns"]),
    ("explore", &["machine", "machine-sim"]),
    ("lab", &["scenario", "explore", "checkers", "netns", "kernel", "machine", "machine-sim"]),
    ("report", &["machine"]),
    ("sim", &["lab", "report", "scenario"]),
    ("loom-models", &["scenario", "netns", "kernel", "checkers", "machine-loom"]),
    (
        "bench",
        &[
            "lab",
            "scenario",
            "explore",
            "checkers",
            "netns",
            "kernel",
            "machine",
            "machine-sim",
            "machine-loom",
        ],
    ),
    ("fuzz", &["lab", "report", "scenario"]),
    ("xtask", &[]),
];

/// Crates that are only tests or benchmarks: their dev-dependencies are free.
const TESTS_ONLY: &[&str] = &["loom-models", "bench"];

/// The only crates that may name loom: everything else must build and run without it.
const NAME_LOOM: &[&str] = &["machine-loom", "loom-models"];

/// Dev-dependencies beyond the table: a crate, what its tests use, why.
const TESTS_MAY_USE: &[(&str, &str, &str)] = &[
    ("checkers", "kernel", "checkers are tested by kernel code"),
    ("checkers", "machine-sim", "checkers are tested by running on a machine"),
    ("kernel", "machine-sim", "primitives are tested by running on a machine"),
    ("netns", "machine-sim", "the port is tested by running on a machine"),
    ("scenario", "machine-sim", "scenarios are tested by running on a machine"),
    ("machine-loom", "kernel", "a machine is tested by what runs on it"),
];

/// A crate of the workspace.
#[derive(Debug)]
struct Package {
    name: String,
    /// The name of each dependency, and whether it is one of tests only.
    dependencies: Vec<(String, bool)>,
}

/// Compares the workspace with the table.
pub(crate) fn run(root: &Path) -> Result<Verdict, String> {
    let metadata = repo::output(root, "cargo", &["metadata", "--format-version", "1", "--no-deps"])?;
    let packages = parse(&metadata)?;
    let edges: usize = packages.iter().map(|package| package.dependencies.len()).sum();
    let summary = format!("layers: {} crates, {edges} dependencies", packages.len());
    Ok(Verdict { complaints: complaints(&packages), summary })
}

fn parse(metadata: &str) -> Result<Vec<Package>, String> {
    let unexpected = || "`cargo metadata` printed something unexpected".to_owned();
    let metadata: Value = serde_json::from_str(metadata).map_err(|error| error.to_string())?;
    let mut packages = Vec::new();
    for package in metadata["packages"].as_array().ok_or_else(unexpected)? {
        let mut dependencies = Vec::new();
        for dependency in package["dependencies"].as_array().ok_or_else(unexpected)? {
            let name = dependency["name"].as_str().ok_or_else(unexpected)?;
            dependencies.push((name.to_owned(), dependency["kind"] == "dev"));
        }
        let name = package["name"].as_str().ok_or_else(unexpected)?.to_owned();
        packages.push(Package { name, dependencies });
    }
    Ok(packages)
}

fn allowed(name: &str) -> Option<&'static [&'static str]> {
    CRATES.iter().find(|(row, _)| *row == name).map(|(_, allowed)| *allowed)
}

fn complaints(packages: &[Package]) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for Package { name, dependencies } in packages {
        let mut complain = |what: String| complaints.push(Complaint::new(name, 0, what));
        let Some(row) = allowed(name) else {
            complain(
                "a crate that has no row in the table of xtask/src/layers.rs and of the architecture".into(),
            );
            continue;
        };
        for (dependency, dev) in dependencies {
            if dependency == "loom" && !NAME_LOOM.contains(&name.as_str()) {
                complain(format!("depends on loom, which only {} may name", NAME_LOOM.join(" and ")));
            }
            let ours =
                packages.iter().any(|package| package.name == *dependency) || allowed(dependency).is_some();
            let exempt = *dev
                && (TESTS_ONLY.contains(&name.as_str())
                    || TESTS_MAY_USE.iter().any(|(user, used, _)| user == name && used == dependency));
            if ours && !exempt && !row.contains(&dependency.as_str()) {
                let of_tests = if *dev { "in its tests " } else { "" };
                let may = if row.is_empty() { "none of ours".to_owned() } else { row.join(", ") };
                complain(format!("depends {of_tests}on {dependency}; it may depend on {may}"));
            }
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complain(name: &str, dependencies: &[(&str, bool)]) -> Vec<String> {
        let dependencies = dependencies.iter().map(|&(name, dev)| (name.to_owned(), dev)).collect();
        let package = Package { name: name.into(), dependencies };
        complaints(&[package]).iter().map(Complaint::to_string).collect()
    }

    #[test]
    fn the_table_has_no_cycle_and_no_unknown_name() {
        // Taking away, again and again, the crates whose dependencies are all gone must take away all.
        let mut left: Vec<_> = CRATES.iter().collect();
        while !left.is_empty() {
            let names: Vec<_> = left.iter().map(|(name, _)| *name).collect();
            let before = left.len();
            left.retain(|(_, allowed)| allowed.iter().any(|dependency| names.contains(dependency)));
            assert_ne!(left.len(), before, "a cycle in {names:?}");
        }
        for (name, row) in CRATES {
            assert!(row.iter().all(|dependency| allowed(dependency).is_some()), "{name}");
        }
        let exceptions = TESTS_MAY_USE.iter().flat_map(|(user, used, _)| [user, used]);
        for name in exceptions.chain(TESTS_ONLY).chain(NAME_LOOM) {
            assert!(allowed(name).is_some(), "{name}");
        }
    }

    #[test]
    fn edges_of_the_table_are_silent() {
        assert!(complain("netns", &[("kernel", false), ("serde", false)]).is_empty());
        assert!(complain("sim", &[("lab", false), ("report", false), ("scenario", true)]).is_empty());
    }

    #[test]
    fn other_edges_are_not() {
        assert_eq!(
            complain("netns", &[("machine-sim", false)]),
            ["netns: depends on machine-sim; it may depend on kernel"]
        );
        assert_eq!(
            complain("machine", &[("kernel", true)]),
            ["machine: depends in its tests on kernel; it may depend on none of ours"]
        );
        assert_eq!(complain("lab", &[("report", false)]).len(), 1);
    }

    #[test]
    fn a_crate_without_a_row_is_reported_as_user_and_as_used() {
        assert!(complain("utils", &[])[0].starts_with("utils: a crate that has no row"));
        let package = |name: &str, used: &[&str]| Package {
            name: name.into(),
            dependencies: used.iter().map(|&name| (name.to_owned(), false)).collect(),
        };
        assert_eq!(complaints(&[package("utils", &[]), package("kernel", &["utils"])]).len(), 2);
    }

    #[test]
    fn tests_may_use_what_the_exceptions_say() {
        assert!(complain("kernel", &[("machine-sim", true)]).is_empty());
        assert!(complain("bench", &[("report", true)]).is_empty());
        assert_eq!(complain("bench", &[("report", false)]).len(), 1);
        assert!(complain("checkers", &[("machine-sim", true)]).is_empty());
        assert_eq!(complain("checkers", &[("machine-sim", false)]).len(), 1);
        assert_eq!(complain("report", &[("machine-sim", true)]).len(), 1);
    }

    #[test]
    fn loom_has_two_users() {
        assert!(complain("machine-loom", &[("loom", false)]).is_empty());
        assert_eq!(
            complain("bench", &[("loom", true)]),
            ["bench: depends on loom, which only machine-loom and loom-models may name"]
        );
    }

    #[test]
    fn metadata_is_read() {
        let text = r#"{"packages": [{"name": "kernel", "dependencies": [
            {"name": "machine", "kind": null}, {"name": "cc", "kind": "build"},
            {"name": "loom", "kind": "dev"}
        ]}]}"#;
        let packages = parse(text).expect("metadata");
        let expected = [("machine".to_owned(), false), ("cc".to_owned(), false), ("loom".to_owned(), true)];
        assert_eq!(packages[0].dependencies, expected);
        assert!(parse("{}").is_err());
        assert!(parse("no json").is_err());
    }
}
