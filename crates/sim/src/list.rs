// SPDX-License-Identifier: GPL-2.0-only
//! `sim list`: what scenarios there are, and the words that they may use.

use std::collections::BTreeSet;

use clap::ValueEnum;

use crate::{
    code::{Code, Stop},
    files,
    out::Out,
};

/// What is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum What {
    /// Scenarios of a directory: name, number of runs, the findings that they expect, title.
    Scenarios,
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
    let mut worst = Code::Clean;
    let mut rows = Vec::new();
    for found in files::find(&[path.to_owned()])? {
        let loaded = match files::load(&found, out)? {
            Ok(loaded) => loaded,
            Err(code) => {
                worst = worst.max(code);
                continue;
            }
        };
        let runs = &loaded.scenario.runs;
        let codes: BTreeSet<&str> =
            runs.iter().flat_map(|run| run.findings.iter().map(String::as_str)).collect();
        let codes: Vec<&str> = codes.into_iter().collect();
        let codes = if codes.is_empty() { "clean".to_owned() } else { codes.join(", ") };
        rows.push((loaded.name, runs.len(), codes, loaded.scenario.title.clone()));
    }
    let longest = |lengths: &mut dyn Iterator<Item = usize>| lengths.max().unwrap_or(0);
    let names = longest(&mut rows.iter().map(|(name, ..)| name.chars().count()));
    let codes = longest(&mut rows.iter().map(|(_, _, codes, _)| codes.chars().count()));
    for (name, runs, found, title) in &rows {
        let s = if *runs == 1 { " " } else { "s" };
        out.line(&format!("{name:<names$}  {runs:>3} run{s}  {found:<codes$}  {title}"))?;
    }
    Ok(worst)
}
