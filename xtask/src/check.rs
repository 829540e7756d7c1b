// SPDX-License-Identifier: GPL-2.0-only
//! `cargo xtask check`: every check there is, in an order that fails early and builds nothing twice.

use std::path::Path;

use crate::{
    layers, out, pairing, ported,
    repo::{self, Complaint, Verdict},
    schema,
    step::{self, Step},
    tidy,
};

/// What `cargo xtask check` is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Options {
    /// The tests have just run.
    pub(crate) no_test: bool,
    /// There is time.
    pub(crate) deep: bool,
}

/// What is there to be checked.
#[derive(Debug, Clone, Copy)]
struct Present {
    sim: bool,
    wasm: bool,
}

const WASM: &str = "wasm32-wasip1";
const SCHEMA: &str = "docs/scenario.schema.json is what sim schema prints";
const NO_SIM: &str = "there is no sim crate yet";

/// Runs every check; whether all passed.
pub(crate) fn check(root: &Path, options: Options) -> Result<bool, String> {
    let present = Present { sim: step::has_crate(root, "sim"), wasm: step::has_target(root, WASM) };
    let done: Vec<_> = plan(options, present).into_iter().map(|step| step.run(root)).collect();
    let (summary, good) = step::sum_up(&done);
    out::text(&summary);
    Ok(good)
}

/// The steps: first what needs no build, then what stands on the build of the tests, then other builds.
fn plan(options: Options, present: Present) -> Vec<Step> {
    let test = Step::cargo(&[], &["test", "--workspace"]);
    let wasm = Step::cargo(&[], &["build", "--package", "sim", "--target", WASM]);
    let mut steps = vec![
        Step::cargo(&[], &["fmt", "--all", "--check"]),
        Step::own("cargo xtask tidy", tidy::run),
        Step::own("cargo xtask layers", layers::run),
        Step::own("cargo xtask pairing", pairing::run),
        Step::cargo(&[], &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
        if options.no_test { test.skipped("--no-test") } else { test },
        // The table itself is for `cargo xtask ported`.
        Step::own("cargo xtask ported", |root| ported::run(root).map(|(_, verdict)| verdict)),
        match present.sim {
            true => Step::own(SCHEMA, schema::run),
            false => Step::own(SCHEMA, schema::run).skipped(NO_SIM),
        },
        Step::cargo(&[("RUSTDOCFLAGS", "-Dwarnings")], &["doc", "--workspace", "--no-deps"]),
        match present {
            Present { sim: false, .. } => wasm.skipped(NO_SIM),
            Present { wasm: false, .. } => wasm.skipped("the target is not installed"),
            _ => wasm,
        },
    ];
    if options.deep {
        let same = Step::own("debug and release print the same", same_in_debug_and_release);
        let seeds =
            Step::cargo(&[], &["run", "--release", "-p", "sim", "--", "run", "--seeds", "1000", "scenarios"]);
        let mutants = Step::cargo(
            &[],
            &["run", "--release", "-p", "sim", "--", "mutants", "scenarios", "--seeds", "20"],
        );
        steps
            .extend([same, seeds, mutants].map(|step| if present.sim { step } else { step.skipped(NO_SIM) }));
    }
    steps
}

/// The same scenarios and seeds must print the same bytes, hashes included, however `sim` was compiled.
fn same_in_debug_and_release(root: &Path) -> Result<Verdict, String> {
    let debug =
        repo::output(root, "cargo", &["run", "--quiet", "-p", "sim", "--", "run", "-v", "scenarios"])?;
    let release = repo::output(
        root,
        "cargo",
        &["run", "--quiet", "--release", "-p", "sim", "--", "run", "-v", "scenarios"],
    )?;
    Ok(compare(&debug, &release))
}

fn compare(debug: &str, release: &str) -> Verdict {
    let mut complaints = Vec::new();
    if debug != release {
        let (debug, release): (Vec<_>, Vec<_>) = (debug.lines().collect(), release.lines().collect());
        let same = debug.iter().zip(&release).take_while(|(a, b)| a == b).count();
        let at = |lines: &[&str]| lines.get(same).map_or("(the end)".to_owned(), |line| format!("`{line}`"));
        let what = format!("debug prints {}, release prints {}", at(&debug), at(&release));
        complaints.push(Complaint::new("sim run -v scenarios", same + 1, what));
    }
    Verdict { complaints, summary: format!("compared {} lines of output", debug.lines().count()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step::Action;

    const ALL: Present = Present { sim: true, wasm: true };

    fn shown(options: Options, present: Present) -> Vec<String> {
        let runs = plan(options, present).into_iter().filter(|step| !matches!(step.action, Action::Skip(_)));
        runs.map(|step| step.shown).collect()
    }

    #[test]
    fn everything_is_in_the_plan() {
        assert_eq!(
            shown(Options::default(), ALL),
            [
                "cargo fmt --all --check",
                "cargo xtask tidy",
                "cargo xtask layers",
                "cargo xtask pairing",
                "cargo clippy --workspace --all-targets -- -D warnings",
                "cargo test --workspace",
                "cargo xtask ported",
                SCHEMA,
                "RUSTDOCFLAGS=-Dwarnings cargo doc --workspace --no-deps",
                "cargo build --package sim --target wasm32-wasip1",
            ]
        );
    }

    #[test]
    fn options_and_absences_change_it() {
        let all = shown(Options::default(), ALL);
        let left_out = |options, present| -> Vec<String> {
            let now = shown(options, present);
            all.iter().filter(|step| !now.contains(step)).cloned().collect()
        };
        let no_test = Options { no_test: true, ..Options::default() };
        let wasm = "cargo build --package sim --target wasm32-wasip1";
        assert_eq!(left_out(no_test, ALL), ["cargo test --workspace"]);
        assert_eq!(left_out(Options::default(), Present { wasm: false, ..ALL }), [wasm]);
        assert_eq!(left_out(Options::default(), Present { sim: false, ..ALL }), [SCHEMA, wasm]);
        let deep = Options { deep: true, ..Options::default() };
        assert_eq!(shown(deep, ALL).len(), all.len() + 3);
    }

    #[test]
    fn the_first_difference_is_shown() {
        assert!(compare("a\nb\n", "a\nb\n").complaints.is_empty());
        let verdict = compare("a\nb\n", "a\nc\n");
        assert_eq!(
            verdict.complaints[0].to_string(),
            "sim run -v scenarios:2: debug prints `b`, release prints `c`"
        );
        assert!(compare("a\n", "a\nb\n").complaints[0].what.contains("debug prints (the end)"));
    }
}
