// SPDX-License-Identifier: GPL-2.0-only
//! `sim mutants`: which damaged statements of the port the scenarios notice.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use lab::run::{Baseline, Lab, Operator, Statement, site_name};
use report::json;

use crate::{
    args::{Format, MutantsArguments},
    code::{Code, Stop, go_on},
    files::{self, Loaded},
    interrupt,
    out::{Out, count},
};

/// A damaged statement.
#[derive(Clone, Debug)]
struct Mutant {
    site: String,
    statement: Statement,
    operator: Operator,
}

/// What became of it.
#[derive(Clone, Debug)]
enum Verdict {
    /// By this execution of this scenario.
    Killed(String),
    Survived,
    /// The simulator itself failed: its bug.
    Panicked(String),
    /// Somebody had enough.
    Cut,
}

/// Does each of `n` pieces of work, on all CPUs that there are; results in order.
fn on_all_cpus<T: Send>(n: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(n);
    if threads <= 1 {
        return (0..n).map(work).collect();
    }
    let (next, results) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let piece = next.fetch_add(1, Ordering::Relaxed);
                    if piece >= n {
                        break;
                    }
                    let result = work(piece);
                    results.lock().unwrap_or_else(PoisonError::into_inner).insert(piece, result);
                }
            });
        }
    });
    results.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().collect()
}

pub(crate) fn mutants(arguments: &MutantsArguments, out: &mut Out) -> Result<Code, Stop> {
    let explained = explained(&arguments.explained)?;
    let mut scenarios = Vec::new();
    for found in files::find(std::slice::from_ref(&arguments.path))? {
        match files::load(&found, out)? {
            Ok(loaded) => scenarios.push(loaded),
            Err(code) => return Ok(code),
        }
    }
    let baselines = on_all_cpus(scenarios.len(), |n| {
        let mut lab = Lab::new(Arc::clone(&scenarios[n].scenario));
        if interrupt::is_due() { Baseline::default() } else { lab.baseline(arguments.seeds) }
    });
    go_on(|| "before the first mutant".to_owned())?;
    let mutants = all(&baselines, arguments.site.as_deref());
    if mutants.is_empty() {
        return Err(Stop::usage("no statement that a scenario reaches has such a name"));
    }
    let verdicts = on_all_cpus(mutants.len(), |n| verdict(&mutants[n], &scenarios, &baselines));
    tell(arguments, &mutants, &verdicts, &explained, out)
}

/// All mutants of the statements that are reached, by name.
fn all(baselines: &[Baseline], wanted: Option<&str>) -> Vec<Mutant> {
    let reached: BTreeSet<Statement> = baselines.iter().flat_map(Baseline::reached).collect();
    let mut mutants = Vec::new();
    for statement in reached {
        let site = site_name(&statement);
        for operator in Operator::of(statement.primitive) {
            let name = format!("{site}:{}", operator.name());
            if wanted.is_none_or(|wanted| name.contains(wanted)) {
                mutants.push(Mutant { site: site.clone(), statement, operator: *operator });
            }
        }
    }
    mutants.sort_by(|a, b| (&a.site, a.operator).cmp(&(&b.site, b.operator)));
    mutants
}

fn verdict(mutant: &Mutant, scenarios: &[Loaded], baselines: &[Baseline]) -> Verdict {
    let damaged = (mutant.statement, mutant.operator);
    // Runs as they are first: they are few, and say best what is wrong.
    for with_seeds in [false, true] {
        for (loaded, baseline) in scenarios.iter().zip(baselines) {
            if interrupt::is_due() {
                return Verdict::Cut;
            }
            if !baseline.reaches(&mutant.statement) {
                continue;
            }
            let kills = || Lab::new(Arc::clone(&loaded.scenario)).kills(baseline, damaged, with_seeds);
            match catch_unwind(AssertUnwindSafe(kills)) {
                Ok(None) => {}
                Ok(Some(killed)) => return Verdict::Killed(format!("{} {killed}", loaded.name)),
                Err(_) => return Verdict::Panicked(loaded.name.clone()),
            }
        }
    }
    Verdict::Survived
}

/// What stands for the reason of a survivor that is known, and not explained.
const OPEN: &str = "open";

/// The survivors that are known, with the reason: the rows of tables in a page of docs.
fn explained(path: &str) -> Result<BTreeMap<(String, String), String>, Stop> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(Stop::file(path, &error)),
    };
    let row = |line: &str| {
        let mut cells = line.trim().strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim);
        let (site, operator, reason) = (cells.next()?, cells.next()?, cells.next()?);
        Operator::from_name(operator)?;
        Some(((site.trim_matches('`').to_owned(), operator.to_owned()), reason.to_owned()))
    };
    Ok(text.lines().filter_map(row).collect())
}

fn tell(
    arguments: &MutantsArguments,
    mutants: &[Mutant],
    verdicts: &[Verdict],
    explained: &BTreeMap<(String, String), String>,
    out: &mut Out,
) -> Result<Code, Stop> {
    let (mut killed, mut equivalent, mut open, mut code) = (0, 0, 0, Code::Clean);
    for (mutant, verdict) in mutants.iter().zip(verdicts) {
        let operator = mutant.operator.name();
        let reason = explained.get(&(mutant.site.clone(), operator.to_owned()));
        let (word, why) = match (verdict, reason) {
            (Verdict::Killed(why), _) => {
                killed += 1;
                ("killed", why.as_str())
            }
            (Verdict::Survived, Some(reason)) if reason == OPEN => {
                open += 1;
                ("open", "")
            }
            (Verdict::Survived, Some(reason)) => {
                equivalent += 1;
                ("explained", reason.as_str())
            }
            (Verdict::Survived, None) => {
                code = code.max(Code::Finding);
                ("SURVIVED", "")
            }
            (Verdict::Panicked(scenario), _) => {
                code = code.max(Code::Internal);
                ("PANICKED", scenario.as_str())
            }
            (Verdict::Cut, _) => ("not tried", ""),
        };
        match arguments.message_format {
            Format::Human => {
                let line = format!("{:<52} {operator:<9} {word:<9} {why}", mutant.site);
                out.line(line.trim_end())?;
            }
            Format::Json => out.line(&json::mutant(&mutant.site, operator, word, why))?,
        }
    }
    let (all, new) = (mutants.len(), mutants.len() - killed - equivalent - open);
    let summary = format!(
        "{} of {} killed, {equivalent} explained, {open} open, {new} new; score {} % of those not explained",
        killed,
        count(all as u64, "mutant"),
        killed * 100 / (all - equivalent).max(1)
    );
    match arguments.message_format {
        Format::Human => out.line(&summary)?,
        Format::Json => out.note(&summary)?,
    }
    go_on(|| "before all mutants were tried".to_owned())?;
    Ok(code)
}
