// SPDX-License-Identifier: GPL-2.0-only
//! What people read of runs.

use std::collections::BTreeSet;

use lab::run::{Change, Decider, Found, Lab, RunReport};
use report::{Paint, Scene, Timeline, finding};

use super::verdict::Verdict;
use crate::{
    code::{Code, Stop},
    files::Loaded,
    out::{Out, count},
};

/// What people read has so many columns; a timeline may need some more.
const WIDTH: usize = 100;
const TIMELINE_WIDTH: usize = 120;
/// So many lines of what is left are shown where not everything is.
const END_LINES: usize = 60;

/// What a scenario is about.
pub(crate) fn title(loaded: &Loaded, out: &mut Out) -> Result<(), Stop> {
    out.line(&out.paint.heading(&wrap(&loaded.scenario.title, WIDTH)))?;
    let note = loaded.scenario.note.trim();
    if !note.is_empty() {
        out.line("")?;
        out.line(&wrap(note, WIDTH))?;
    }
    out.line("")
}

/// What reports tell of a finding beside itself. `step` is where in the scenario it was made.
pub(crate) fn scene<'a>(
    lab: &'a Lab,
    report: &'a RunReport,
    loaded: &'a Loaded,
    found: &Found,
    step: Option<&'a (String, usize)>,
) -> Scene<'a> {
    Scene {
        bus: lab.bus(),
        cpu: found.cpu,
        time: report.time.map(|_| found.time),
        in_hardirq: found.in_hardirq,
        pids: &report.pids,
        file: &loaded.path,
        step: step.map(|(path, line)| (path.as_str(), *line)),
        callers: found.step.map_or(0, |step| step.callers),
        is_of_simulator: scenario::is_of_simulator,
    }
}

/// A run with everything that is known of it.
pub(crate) fn run(
    loaded: &Loaded,
    lab: &Lab,
    report: &RunReport,
    timeline: &Timeline,
    verdict: &Verdict,
    is_verbose: bool,
    out: &mut Out,
) -> Result<(), Stop> {
    let paint = out.paint;
    heading(&report.name, &report.changes, out)?;
    let timeline = timeline.render(lab.bus(), TIMELINE_WIDTH, paint);
    if !timeline.is_empty() {
        out.detail(&timeline)?;
        out.detail_line("")?;
    }
    findings(loaded, lab, report, out)?;
    out.line(&paint.heading("At the end:"))?;
    let end_state = report.end_state.to_string();
    let lines: Vec<&str> = end_state.lines().collect();
    let is_long = lines.len() > END_LINES && !is_verbose;
    let (first, last) = if is_long { (END_LINES / 2, lines.len() - END_LINES / 2) } else { (0, 0) };
    for (at, line) in lines.iter().enumerate() {
        if at == first && first < last {
            out.detail_line(&format!("  ... {} more are left out here ...", last - first))?;
        }
        if !(first..last).contains(&at) {
            out.detail_line(&format!("  {line}"))?;
        }
    }
    out.line("")?;
    verdict_line(report, verdict, out)
}

/// The line above a run: its name, and what is changed of v4.11.
pub(super) fn heading(name: &str, changes: &[Change], out: &mut Out) -> Result<(), Stop> {
    let patched: String = changes.iter().map(|change| format!(" {change}")).collect();
    let full = match name {
        "v4.11" if patched.is_empty() => "=== v4.11 ".to_owned(),
        name => format!("=== {name}: v4.11{patched} "),
    };
    let is_long = full.chars().count() > WIDTH;
    let head = if is_long { format!("=== {name}: v4.11, {} changes ", changes.len()) } else { full };
    let rule = "=".repeat(WIDTH.saturating_sub(head.chars().count()).max(3));
    out.line(&out.paint.heading(&format!("{head}{rule}")))?;
    if is_long {
        out.line(&wrap(patched.trim_start(), WIDTH))?;
    }
    out.line("")
}

/// The reports; one line for a use of an object that a report was already about.
fn findings(loaded: &Loaded, lab: &Lab, report: &RunReport, out: &mut Out) -> Result<(), Stop> {
    let mut before = "";
    for (index, found) in report.findings.iter().enumerate() {
        let step = found.step.map(|step| lab.scenario().place(step.step));
        let scene = scene(lab, report, loaded, found, step.as_ref());
        let mut earlier = report.findings[..index].iter().map(|earlier| &earlier.finding);
        if earlier.any(|earlier| finding::is_of_same_object(earlier, &found.finding)) {
            out.detail_line(&finding::line(&scene, &found.finding))?;
            before = "\n";
        } else {
            out.detail_line(&format!("{before}{}", finding::text(&scene, &found.finding)))?;
            before = "";
        }
    }
    out.detail(before)
}

fn verdict_line(report: &RunReport, verdict: &Verdict, out: &mut Out) -> Result<(), Stop> {
    let findings = match report.findings.len() as u64 + report.findings_left_out {
        0 => String::new(),
        n => format!(", {}", count(n, "finding")),
    };
    let is_expected = report.judged && verdict.code == Code::Clean && !findings.is_empty();
    out.line(&format!(
        "{} {}{}{findings}{}, {}, hash {:016x}",
        word(verdict.code, out.paint),
        verdict.ended,
        report.time.map(|time| format!(" and {}", milliseconds(time))).unwrap_or_default(),
        if is_expected { " as expected" } else { "" },
        decider(&report.decider),
        report.hash,
    ))?;
    if let Some(sweep) = &report.sweep {
        out.line(&indented(&format!("sweep: {sweep}"), 7))?;
    }
    if let Decider::Schedule(schedule) = &report.decider {
        let items = schedule.split([',', '\n', ';']).map(str::trim).filter(|item| !item.is_empty());
        let items: Vec<&str> = items.collect();
        out.line(&indented(&format!("schedule: {}", items.join(", ")), 7))?;
    }
    failures_and_replay(verdict, out)
}

/// How the verdict on a run ends.
pub(super) fn failures_and_replay(verdict: &Verdict, out: &mut Out) -> Result<(), Stop> {
    for failure in &verdict.failures {
        out.line(&indented(failure, 7))?;
    }
    out.line(&format!("       {}", out.paint.faint(&verdict.replay)))?;
    out.line("")
}

/// Virtual time.
pub(super) fn milliseconds(time: u64) -> String {
    format!("{}.{:03} ms", time / 1_000_000, time / 1000 % 1000)
}

/// Wrapped, and moved to the right.
pub(super) fn indented(text: &str, columns: usize) -> String {
    let margin = " ".repeat(columns);
    format!("{margin}{}", wrap(text, WIDTH - columns).replace('\n', &format!("\n{margin}")))
}

/// A scenario in one line, and what failed in it.
pub(crate) fn line(loaded: &Loaded, verdicts: &[Verdict], out: &mut Out) -> Result<(), Stop> {
    let worst = verdicts.iter().map(|verdict| verdict.code).max().unwrap_or_default();
    let (word, runs) = (word(worst, out.paint), count(verdicts.len() as u64, "run"));
    let codes: BTreeSet<&str> =
        verdicts.iter().flat_map(|verdict| verdict.findings.iter().copied()).collect();
    let codes: Vec<&str> = codes.into_iter().collect();
    let found = if codes.is_empty() { String::new() } else { format!("  [{}]", codes.join(", ")) };
    out.line(&format!("{word} {:<40} {runs:>7}  {}{found}", loaded.name, loaded.scenario.title))?;
    for verdict in verdicts.iter().filter(|verdict| verdict.code != Code::Clean) {
        out.line(&format!("       {}: {}", verdict.run, verdict.ended))?;
        for failure in &verdict.failures {
            out.line(&indented(failure, 9))?;
        }
        out.line(&format!("         {}", out.paint.faint(&verdict.replay)))?;
    }
    Ok(())
}

/// The last line.
pub(crate) fn summary(
    scenarios: usize,
    runs: usize,
    failed: usize,
    invalid: usize,
    out: &mut Out,
) -> Result<(), Stop> {
    let mut text = format!("{}, {}", count(scenarios as u64, "scenario"), count(runs as u64, "run"));
    if failed + invalid == 0 {
        text.push_str(": ok");
    }
    if failed > 0 {
        text.push_str(&format!(": {failed} failed"));
    }
    if invalid > 0 {
        text.push_str(&format!("; {invalid} invalid"));
    }
    let text = if failed + invalid == 0 { out.paint.good(&text) } else { out.paint.bad(&text) };
    out.line(&format!("\n{text}"))
}

pub(super) fn word(code: Code, paint: Paint) -> String {
    match code {
        Code::Clean => paint.good("ok    "),
        Code::Inconclusive | Code::Interrupted => paint.bad("??????"),
        _ => paint.bad("FAILED"),
    }
}

/// Who decided, in words.
fn decider(decider: &Decider) -> String {
    match decider {
        Decider::First => "nobody preempted".to_owned(),
        Decider::Seed(seed) => format!("seed {seed}"),
        Decider::Schedule(_) => "by schedule".to_owned(),
    }
}

/// Paragraphs of lines of at most `width` characters.
pub(crate) fn wrap(text: &str, width: usize) -> String {
    let paragraphs = text.split('\n').map(|paragraph| {
        let mut lines = vec![String::new()];
        for word in paragraph.split_whitespace() {
            let last = lines.last_mut().expect("there is always a line");
            if last.is_empty() {
                last.push_str(word);
            } else if last.chars().count() + 1 + word.chars().count() <= width {
                last.push(' ');
                last.push_str(word);
            } else {
                lines.push(word.to_owned());
            }
        }
        lines.join("\n")
    });
    paragraphs.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn paragraphs_are_wrapped_one_by_one() {
        assert_eq!(wrap("a bb ccc\n\ndddddd e", 4), "a bb\nccc\n\ndddddd\ne");
        assert_eq!(wrap("", 4), "");
    }
}
