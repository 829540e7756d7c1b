// SPDX-License-Identifier: GPL-2.0-only
//! `sim list`: what scenarios there are, and the words that they may use.

use std::collections::BTreeSet;

use clap::ValueEnum;

use scenario::{Bug, Run};

use crate::{
    code::{Code, Stop},
    files::{self, Loaded},
    out::Out,
};

/// What is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum What {
    /// Scenarios of a directory: name, number of runs, the findings that they expect, title.
    Scenarios,
    /// Scenarios of a directory that show a real bug: name, CVE, fix, what is found without the fix and with it, title.
    Bugs,
    /// The steps that tasks may do, with their fields; those in brackets may be left out.
    Ops,
    /// The events that a run may expect.
    Events,
    /// The kernel functions that a run may expect or a schedule may speak of.
    Functions,
    /// The codes of errors in scenarios and of findings.
    Codes,
    /// Fixes of later kernels.
    Patches,
    /// Fixes that v4.11 has, and that can be taken back.
    Reverts,
    /// Deliberate damage.
    Mutations,
    /// Pernet operations that are there without being scripted: the kernel's own, and the library.
    Subsystems,
}

pub(crate) fn list(what: What, path: &str, out: &mut Out) -> Result<Code, Stop> {
    let rows: Vec<(String, String)> = match what {
        What::Scenarios => return scenarios(path, out),
        What::Bugs => return bugs(path, out),
        What::Ops => scenario::operations().into_iter().map(operation).collect(),
        What::Events => owned(scenario::EVENTS.iter().copied()),
        What::Functions => owned(scenario::FUNCTIONS.iter().map(|name| (*name, ""))),
        What::Codes => {
            let all = scenario::CODES.iter().chain(report::finding::EXPLANATIONS);
            owned(all.map(|(code, text)| (*code, first_sentence(text))))
        }
        What::Patches => owned(scenario::patches()),
        What::Reverts => owned(scenario::reverts()),
        What::Mutations => owned(scenario::mutations()),
        What::Subsystems => scenario::subsystems().map(|(name, words)| (name.to_owned(), words)).collect(),
    };
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for (name, words) in rows {
        out.line(format!("{name:<width$}  {words}").trim_end())?;
    }
    Ok(Code::Clean)
}

fn owned<'a>(rows: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<(String, String)> {
    rows.map(|(name, words)| (name.to_owned(), words.to_owned())).collect()
}

/// `put_net net`, and what it does.
fn operation(operation: scenario::Operation) -> (String, String) {
    let mut text = operation.name.to_owned();
    for (field, is_required) in &operation.fields {
        text.push_str(&if *is_required { format!(" {field}") } else { format!(" [{field}]") });
    }
    (text, operation.what)
}

fn first_sentence(text: &str) -> &str {
    let text = text.lines().next().unwrap_or(text);
    match text.find(". ") {
        Some(end) => &text[..=end],
        None => text,
    }
}

fn scenarios(path: &str, out: &mut Out) -> Result<Code, Stop> {
    let (loaded, worst) = load_all(path, out)?;
    let rows = loaded.iter().map(|Loaded { name, scenario, .. }| {
        let runs = scenario.runs.len();
        let s = if runs == 1 { "" } else { "s" };
        let found = in_words(&found_by(&mut scenario.runs.iter()), "clean");
        [name.clone(), format!("{runs:>3} run{s}"), found, scenario.title.clone()]
    });
    table(rows.collect(), out)?;
    Ok(worst)
}

/// A fix is either a patch that some runs have, or v4.11 has it and some runs take it back.
fn bugs(path: &str, out: &mut Out) -> Result<Code, Stop> {
    let (loaded, worst) = load_all(path, out)?;
    let titles = ["scenario", "CVE", "fix", "without", "with", "title"].map(str::to_owned);
    let rows = loaded.iter().filter_map(|Loaded { name, scenario, .. }| {
        let Bug { cve, fix, year } = scenario.bug.as_ref()?;
        let takes_back = scenario.runs.iter().any(Run::is_damaged);
        let has_fix = |run: &&Run| takes_back == run.changes.is_empty();
        let without = found_by(&mut scenario.runs.iter().filter(|run| !has_fix(run)));
        let with = match scenario.runs.iter().any(|run| has_fix(&run)) {
            true => in_words(&found_by(&mut scenario.runs.iter().filter(has_fix)), "clean"),
            false => "-".to_owned(),
        };
        let fix = match (fix, year) {
            (Some(fix), Some(year)) => format!("{fix} ({year})"),
            (Some(fix), None) => fix.clone(),
            (None, _) => "-".to_owned(),
        };
        let cve = cve.clone().unwrap_or_else(|| "-".to_owned());
        Some([name.clone(), cve, fix, in_words(&without, "wrong result"), with, scenario.title.clone()])
    });
    table(std::iter::once(titles).chain(rows).collect(), out)?;
    Ok(worst)
}

/// The scenarios below a path; what is wrong with others goes to stderr.
fn load_all(path: &str, out: &mut Out) -> Result<(Vec<Loaded>, Code), Stop> {
    let mut worst = Code::Clean;
    let mut loaded = Vec::new();
    for found in files::find(&[path.to_owned()])? {
        match files::load(&found, out)? {
            Ok(scenario) => loaded.push(scenario),
            Err(code) => worst = worst.max(code),
        }
    }
    Ok((loaded, worst))
}

/// The kinds of findings that runs expect.
fn found_by<'a>(runs: &mut dyn Iterator<Item = &'a Run>) -> BTreeSet<&'a str> {
    runs.flat_map(Run::expected).collect()
}

fn in_words(codes: &BTreeSet<&str>, none: &str) -> String {
    let codes: Vec<&str> = codes.iter().copied().collect();
    if codes.is_empty() { none.to_owned() } else { codes.join(", ") }
}

/// Rows in columns as wide as they have to be.
fn table<const N: usize>(rows: Vec<[String; N]>, out: &mut Out) -> Result<(), Stop> {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..N).map(width).collect();
    for row in &rows {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}"));
        out.line(cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}
