// SPDX-License-Identifier: GPL-2.0-only
//! `sim list`: the index of scenarios, and the library of subsystems.

use std::collections::BTreeSet;

use crate::{
    code::{Code, Stop},
    files,
    out::Out,
};

pub(crate) fn list(path: &str, out: &mut Out) -> Result<Code, Stop> {
    if path == "subsystems" {
        return subsystems(out);
    }
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

/// Every subsystem that a scenario can name, what it does, and which file of v4.11 it stands for.
fn subsystems(out: &mut Out) -> Result<Code, Stop> {
    for subsystem in scenario::SUBSYSTEMS {
        out.line(&format!("{:<16}  {}  ({})", subsystem.name, subsystem.about, subsystem.stands_for))?;
    }
    Ok(Code::Clean)
}
