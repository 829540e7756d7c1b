// SPDX-License-Identifier: GPL-2.0-only
//! Runs, and what they expect, with everything looked up that is referred to.

use std::collections::{BTreeMap, BTreeSet};

use super::changes::Named;
use crate::{
    check::{Checker, Kind},
    diagnostic::{Diagnostic, similar},
    event_forms,
    format::{EndText, OutcomeText, RunText, Text},
    observation::{ExpectedFinding, FindingsText, Observation},
    scenario::{Driver, ExpectedEnd, MachineConfig, Outcome, Run, Sweep},
    schedule,
    source::Seg,
    tally::ExpectedCount,
    values::{Check, Count, Number},
    vocabulary::{FINDINGS, words_of},
};

pub(super) fn runs(cx: &mut Checker<'_>, text: &mut Text, machine: &MachineConfig) -> Vec<Run> {
    let defaults = Named::of_scenario(cx, text);
    let Some(texts) = text.runs.take() else {
        return vec![Run {
            name: "default".to_owned(),
            driver: Driver::First,
            seeds: None,
            tasks: None,
            sweep: None,
            changes: defaults.all(),
            findings: Vec::new(),
            outcome: Some(Outcome::Done),
            functions: Vec::new(),
            events: Vec::new(),
            counts: Vec::new(),
            end: ExpectedEnd::default(),
        }];
    };
    if texts.0.is_empty() {
        let diagnostic = Diagnostic::new("S036", "there are no runs");
        let diagnostic =
            diagnostic.help("without `runs`, there is one that preempts nobody and expects no finding");
        cx.within([Seg::Key("runs")], |cx| cx.report(diagnostic, "empty"));
    }
    let mut runs: Vec<Run> = Vec::new();
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    for (index, run) in texts.0.into_iter().enumerate() {
        let name = run.name.clone().unwrap_or_else(|| match index {
            0 => "default".to_owned(),
            _ => format!("run-{}", index + 1),
        });
        cx.within([Seg::Key("runs"), Seg::Index(index)], |cx| {
            if let Some(&first) = names.get(&name) {
                let label =
                    cx.label_of(&[Seg::Key("runs"), Seg::Index(first), Seg::Key("name")], "first here");
                let message = format!("there are two runs `{}`", name.escape_debug());
                let diagnostic = Diagnostic::new("S014", message).label(label);
                cx.within([Seg::Key("name")], |cx| cx.report(diagnostic, "once more"));
            }
            names.entry(name.clone()).or_insert(index);
            runs.push(one_run(cx, name, run, &defaults, machine));
        });
    }
    runs
}

fn one_run(
    cx: &mut Checker<'_>,
    name: String,
    run: RunText,
    defaults: &Named,
    machine: &MachineConfig,
) -> Run {
    check_deciders(cx, &run);
    check_expectations(cx, &run);
    let changes = defaults.or_of_run(cx, &run).all();
    let seeds = run.seeds.map(Number::u64);
    let driver = match (run.seed.map(|seed| seed.0).or(seeds.map(|_| 0)), run.schedule) {
        (Some(seed), _) => Driver::Seed(seed),
        (None, Some(lines)) => {
            let items: usize = lines.0.iter().map(|line| schedule::items(line).count()).sum();
            if items > schedule::MAX_ITEMS {
                let message = format!("the schedule has {items} items; it may have {}", schedule::MAX_ITEMS);
                cx.within([Seg::Key("schedule")], |cx| {
                    cx.report(Diagnostic::new("S015", message), "too many")
                });
            }
            for (index, line) in lines.0.iter().enumerate() {
                check_schedule(cx, machine, line, (lines.0.len() > 1).then_some(index));
            }
            Driver::Schedule(lines.0.join(", "))
        }
        (None, None) => Driver::First,
    };
    let findings = expected_findings(cx, seeds, run.findings);
    let mut end = ExpectedEnd::default();
    if let Some(text) = run.end {
        cx.within([Seg::Key("end")], |cx| {
            check_pernet(cx, text.pernet.as_deref().unwrap_or_default());
            end = expected_end(cx, text);
        });
    }
    let outcome = match run.outcome {
        None if seeds.is_some() => None,
        None | Some(OutcomeText::Done) => Some(Outcome::Done),
        Some(OutcomeText::Deadlock) => Some(Outcome::Deadlock),
        Some(OutcomeText::Panic) => Some(Outcome::Panic),
        Some(OutcomeText::Stopped) => Some(Outcome::Stopped),
    };
    let count = |(event, count): (String, Count)| ExpectedCount {
        event,
        at_least: count.at_least,
        at_most: count.at_most,
    };
    let counts = run.counts.0.into_iter().map(count).collect();
    let (functions, events) = (run.functions, run.events);
    let sweep = run.sweep.map(|mut sweep| {
        cx.within([Seg::Key("sweep"), Seg::Key("alloc")], |cx| sweep.alloc.resolve(cx));
        if let Some(function) = &mut sweep.function {
            cx.within([Seg::Key("sweep"), Seg::Key("in")], |cx| function.resolve(cx));
        }
        let function = sweep.function.map(|function| function.0);
        Sweep { kind: sweep.alloc, function, from: sweep.from }
    });
    let tasks = run.tasks.map(|names| chosen_tasks(cx, &names));
    Run { name, driver, seeds, tasks, sweep, changes, findings, outcome, functions, events, counts, end }
}

/// A run has one execution, or several of one sort.
fn check_deciders(cx: &mut Checker<'_>, run: &RunText) {
    let mut refuse = |key: &'static str, what: &str, other: &str, help: &str| {
        let diagnostic = Diagnostic::new("S037", format!("a run has {what} or {other}, not both")).help(help);
        cx.within([Seg::Key(key)], |cx| cx.report_key(diagnostic, &format!("and {other}")));
    };
    let of_seeds =
        "`seeds` is a number of executions, one with each seed from 0; put the other into another run";
    if run.seed.is_some() && run.schedule.is_some() {
        refuse("seed", "a seed", "a schedule", "a schedule leaves nothing to chance; drop one of them");
    }
    if run.seeds.is_some() && run.seed.is_some() {
        refuse("seeds", "seeds", "one seed", of_seeds);
    }
    if run.seeds.is_some() && run.schedule.is_some() {
        refuse("seeds", "seeds", "a schedule", of_seeds);
    }
    if run.seeds.is_some() && run.sweep.is_some() {
        refuse("seeds", "seeds", "a sweep", of_seeds);
    }
}

/// Kinds that there are, with words that can be true.
fn expected_findings(cx: &mut Checker<'_>, seeds: Option<u64>, text: FindingsText) -> Vec<ExpectedFinding> {
    let findings: Vec<(Seg, ExpectedFinding)> = match text {
        FindingsText::List(codes) => {
            let listed = |(index, code)| (Seg::Index(index), ExpectedFinding { code, observation: None });
            codes.into_iter().enumerate().map(listed).collect()
        }
        FindingsText::Words(words) => {
            if seeds.is_none() && !words.0.is_empty() {
                let message =
                    "`never`, `sometimes` and `always` are about several executions, and this run has one";
                let help =
                    "list the kinds that are found, `[\"deadlock\"]`, or let the run have `\"seeds\": 1000`";
                let diagnostic = Diagnostic::new("S052", message).help(help);
                cx.within([Seg::Key("findings")], |cx| cx.report_key(diagnostic, "with words"));
            }
            let word = |(code, word): (String, _)| {
                let seg = Seg::Name(code.clone());
                (seg, ExpectedFinding { code, observation: Some(word) })
            };
            words.0.into_iter().map(word).collect()
        }
    };
    for (seg, finding) in &findings {
        cx.within([Seg::Key("findings"), seg.clone()], |cx| check_finding(cx, seeds, finding));
    }
    findings.into_iter().map(|(_, finding)| finding).collect()
}

fn check_finding(cx: &mut Checker<'_>, seeds: Option<u64>, finding: &ExpectedFinding) {
    let code = &finding.code;
    if !words_of(FINDINGS).any(|known| known == code) && !cx.is_full() {
        let message = format!("there is no kind of findings `{}`", code.escape_debug());
        let help = match similar(code, words_of(FINDINGS)) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("the kinds are {}", words_of(FINDINGS).collect::<Vec<_>>().join(", ")),
        };
        cx.report_name(Diagnostic::new("S038", message).help(help), "unknown kind");
    }
    if finding.observation == Some(Observation::Sometimes) && seeds == Some(1) {
        let diagnostic = Diagnostic::new("S052", "nothing is found sometimes in one execution");
        let help = "`sometimes` is in some executions and not in all; `seeds` must be 2 at least";
        cx.report(diagnostic.help(help), "this takes two executions");
    }
}

/// The places of tasks. The name of a task that has copies stands for all of them.
fn chosen_tasks(cx: &mut Checker<'_>, names: &[String]) -> BTreeSet<usize> {
    let known = cx.names_of(Kind::Task);
    let mut chosen = BTreeSet::new();
    for (index, name) in names.iter().enumerate() {
        let is_copy = |known: &&String| {
            let copy = known.strip_prefix(name.as_str()).and_then(|rest| rest.strip_prefix('-'));
            copy.is_some_and(|copy| copy.bytes().all(|digit| digit.is_ascii_digit()))
        };
        let copies: Vec<&String> = match known.contains(name) {
            true => Vec::new(),
            false => known.iter().filter(is_copy).collect(),
        };
        cx.within([Seg::Key("tasks"), Seg::Index(index)], |cx| {
            if copies.is_empty() {
                chosen.insert(cx.resolve(Kind::Task, name) as usize);
            }
            chosen.extend(
                copies.into_iter().filter_map(|copy| cx.slot(Kind::Task, copy)).map(|slot| slot as usize),
            );
        });
    }
    chosen
}

fn check_schedule(cx: &mut Checker<'_>, machine: &MachineConfig, line: &str, index: Option<usize>) {
    let tasks = cx.names_of(Kind::Task);
    let tasks: Vec<&str> = tasks.iter().map(String::as_str).collect();
    cx.within([Seg::Key("schedule")], |cx| {
        for item in schedule::items(line) {
            if cx.is_full() {
                break;
            }
            let Some((message, help)) = schedule::complaint(item, &tasks, machine) else { continue };
            let diagnostic = Diagnostic::new("S039", message).maybe_help(help);
            let at = index.map(Seg::Index);
            let report = |cx: &mut Checker<'_>| cx.report_part(diagnostic.clone(), item, "in this item");
            match at {
                Some(at) => cx.within([at], report),
                None => report(cx),
            }
        }
    });
}

/// Functions and events are called as the kernel and the format call them.
fn check_expectations(cx: &mut Checker<'_>, run: &RunText) {
    for (index, name) in run.functions.iter().enumerate() {
        cx.within([Seg::Key("functions"), Seg::Index(index)], |cx| cx.check_function(name));
    }
    for (index, event) in run.events.iter().enumerate() {
        if cx.is_full() {
            break;
        }
        if let Some((message, help)) = event_forms::complaint(cx, event) {
            cx.within([Seg::Key("events"), Seg::Index(index)], |cx| {
                cx.report(Diagnostic::new("S041", message).help(help), "can never happen");
            });
        }
    }
    for (event, count) in &run.counts.0 {
        if cx.is_full() {
            break;
        }
        let wrong = event_forms::complaint_of_beginning(cx, event);
        cx.within([Seg::Key("counts"), Seg::Name(event.clone())], |cx| {
            if let Some((message, help)) = wrong {
                cx.report_key(Diagnostic::new("S041", message).help(help), "can never happen");
            }
            if count.at_most.is_some_and(|most| most < count.at_least) {
                let diagnostic = Diagnostic::new("S043", "the count is never both at most and at least this");
                cx.report(diagnostic, "nothing lies between");
            }
        });
    }
}

/// All names are those of operations.
fn check_pernet(cx: &mut Checker<'_>, names: &[String]) {
    for (index, name) in names.iter().enumerate().filter(|(_, name)| *name != "net_ns_ops") {
        cx.within([Seg::Key("pernet"), Seg::Index(index)], |cx| {
            cx.resolve(Kind::Ops, name);
        });
    }
}

fn expected_end(cx: &mut Checker<'_>, text: EndText) -> ExpectedEnd {
    let mut end = ExpectedEnd {
        namespaces: text.namespaces.map(|n| n.usize()),
        callbacks: text.callbacks.map(|n| n.usize()),
        cleanup_pending: text.cleanup_pending,
        user_namespaces: text.user_namespaces.map(|n| n.usize()),
        pernet: text.pernet,
        ..ExpectedEnd::default()
    };
    for (name, table) in text.nsids.0 {
        cx.within([Seg::Key("nsids"), Seg::Name(name.clone())], |cx| {
            let net = cx.resolve(Kind::Net, &name);
            let mut ids = BTreeMap::new();
            for (id, peer) in table.0 {
                cx.within([Seg::Name(id.clone())], |cx| {
                    let slot = cx.resolve(Kind::Net, &peer);
                    match id.parse::<i32>().ok().filter(|id| *id >= 0) {
                        Some(id) => drop(ids.insert(id, (slot, peer))),
                        None => {
                            let message = format!("`{}` is no id", id.escape_debug());
                            let help = "an id table is written `{\"0\": \"PEER\"}`";
                            cx.report_key(Diagnostic::new("S013", message).help(help), "not a number from 0");
                        }
                    }
                });
            }
            end.nsids.push((net, name, ids));
        });
    }
    for (name, count) in text.ucounts.0 {
        cx.within([Seg::Key("ucounts"), Seg::Name(name.clone())], |cx| {
            let Some((ns, uid)) = name.split_once('/').and_then(|(ns, uid)| Some((ns, uid.parse().ok()?)))
            else {
                let message = format!("`{}` is no user of a user namespace", name.escape_debug());
                let help = "write `USER_NAMESPACE/UID`: `init_user_ns/0`";
                return cx.report_key(Diagnostic::new("S013", message).help(help), "not a user");
            };
            let index = match ns {
                "init_user_ns" => None,
                _ => Some(cx.resolve(Kind::UserNs, ns) as usize),
            };
            end.ucounts.push((index, ns.to_owned(), uid, count));
        });
    }
    for (name, mut value) in text.results.0 {
        cx.within([Seg::Key("results"), Seg::Name(name.clone())], |cx| {
            let slot = cx.resolve_any(&name);
            value.resolve(cx);
            end.results.push((name, slot, value.value));
        });
    }
    end
}
