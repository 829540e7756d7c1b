// SPDX-License-Identifier: GPL-2.0-only
//! Lines in columns: one for each CPU that ran anything. A long line reaches over the columns to its right, where
//! nothing happens at that moment.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Paint, lines::Line, paint::Kind, words::stamp};

/// More columns than these are too narrow to read.
const MAX_COLUMNS: usize = 4;
/// Deeper calls are not indented further.
const MAX_INDENT: usize = 24;
/// What stands between two columns.
const BAR: &str = " │ ";
/// A column is no narrower than this, even if its lines are.
const MIN_WIDTH: usize = 16;
/// No column is made narrower than this.
const NARROW: usize = 26;
/// How far a line may reach beyond the width before it is broken.
const OVERHANG: usize = 20;

/// Which CPU's column begins where.
#[derive(Debug)]
pub(crate) struct Columns {
    cpus: Vec<u32>,
    offsets: BTreeMap<u32, usize>,
    /// Where the last column ends.
    end: usize,
    width: usize,
    /// Whether times stand to the left.
    has_times: bool,
    paint: Paint,
}

impl Columns {
    /// Columns as wide as their lines, and narrower if that is more than `width` in all.
    pub(crate) fn of(lines: &[Line], width: usize, paint: Paint) -> Self {
        let cpus: BTreeSet<u32> = lines.iter().filter_map(|line| line.cpu).collect();
        let cpus: Vec<u32> = cpus.into_iter().collect();
        let has_times = lines.iter().any(|line| line.time.is_some());
        let mut columns = Columns { cpus, offsets: BTreeMap::new(), end: 0, width, has_times, paint };
        if columns.is_one() || columns.cpus.is_empty() {
            return columns;
        }
        let widths = columns.widths(lines);
        let mut offset = 0;
        for (cpu, width) in columns.cpus.iter().zip(widths) {
            columns.offsets.insert(*cpu, offset);
            columns.end = offset + width;
            offset += width + 3;
        }
        columns
    }

    /// Whether there are too many CPUs for columns.
    fn is_one(&self) -> bool {
        self.cpus.len() > MAX_COLUMNS
    }

    fn widths(&self, lines: &[Line]) -> Vec<usize> {
        let longest = |cpu: &u32| {
            let own = lines.iter().filter(|line| line.cpu == Some(*cpu) && line.kind != Kind::Finding);
            own.map(|line| indent(line) + plain(line).chars().count()).max().unwrap_or(0).max(MIN_WIDTH)
        };
        let mut widths: Vec<usize> = self.cpus.iter().map(longest).collect();
        let room = self.width.saturating_sub(3 * (widths.len() - 1));
        // The widest gives way first; the last column only when the others are narrow, since it has nothing to its
        // right that its lines could reach over.
        while widths.iter().sum::<usize>() > room {
            let (last, others) = widths.split_last_mut().expect("there is a column");
            match others.iter_mut().max().filter(|width| **width > NARROW) {
                Some(widest) => *widest -= 1,
                None if *last > NARROW => *last -= 1,
                None => break,
            }
        }
        widths
    }

    pub(crate) fn render(&self, lines: &[Line]) -> String {
        let mut text = String::new();
        if lines.is_empty() {
            return text;
        }
        if !self.is_one() {
            let heads: Vec<String> = self.cpus.iter().map(|cpu| format!("CPU {cpu}")).collect();
            self.heading(&mut text, &heads);
        }
        for line in lines {
            self.line(&mut text, line);
        }
        text
    }

    fn heading(&self, text: &mut String, heads: &[String]) {
        let mut row = String::new();
        for (cpu, head) in self.cpus.iter().zip(heads) {
            self.fill(&mut row, self.offsets[cpu]);
            row.push_str(head);
        }
        self.push(text, None, &self.paint.text(Kind::Switch, &row));
        let mut rule = String::new();
        let bars: BTreeSet<usize> = self.offsets.values().filter(|at| **at > 0).map(|at| at - 2).collect();
        for at in 0..self.end {
            rule.push(if bars.contains(&at) { '┼' } else { '─' });
        }
        self.push(text, None, &self.paint.text(Kind::Frame, &rule));
    }

    fn line(&self, text: &mut String, line: &Line) {
        let Some(cpu) = line.cpu else {
            return self.push(text, line.time, &self.paint.text(line.kind, &line.text));
        };
        let (mut left, mut start) = (String::new(), indent(line));
        if self.is_one() {
            left = format!("[{cpu:03}] ");
        } else {
            let mut offset = self.offsets[&cpu];
            if line.kind == Kind::Finding {
                // It stands where it can be read in one piece, if need be to the left of its column.
                let length = plain(line).chars().count();
                (offset, start) = (offset.min((self.width + OVERHANG).saturating_sub(length)), 0);
            }
            self.fill(&mut left, offset);
        }
        let used = left.chars().count() + start;
        let pieces = wrap(&plain(line), (self.width + OVERHANG).saturating_sub(used).max(40));
        for (index, piece) in pieces.iter().enumerate() {
            let mut row = self.paint_bars(&left);
            row.push_str(&" ".repeat(start + if index > 0 { 4 } else { 0 }));
            let folded = line.change.as_ref().and_then(|(kind, change)| {
                piece.strip_suffix(change.as_str()).map(|function| (function, *kind, change))
            });
            match folded {
                Some((function, kind, change)) => {
                    row.push_str(&self.paint.text(line.kind, function));
                    row.push_str(&self.paint.text(kind, change));
                }
                None => row.push_str(&self.paint.text(line.kind, piece)),
            }
            let end = used + piece.chars().count() + if index > 0 { 4 } else { 0 };
            self.bars_behind(&mut row, cpu, end);
            self.push(text, line.time.filter(|_| index == 0), &row);
        }
    }

    /// Adds a line, with its time as the kernel's log has it: `[seconds.microseconds]`.
    fn push(&self, text: &mut String, time: Option<u64>, row: &str) {
        if self.has_times {
            let margin = time.map_or_else(String::new, stamp);
            text.push_str(&self.paint.text(Kind::Frame, &format!("{margin:15}")));
        }
        text.push_str(row);
        text.truncate(text.trim_end_matches(' ').len());
        text.push('\n');
    }

    /// Blanks and bars up to a column.
    fn fill(&self, row: &mut String, offset: usize) {
        let bars: BTreeSet<usize> = self.offsets.values().filter(|at| **at > 0).map(|at| at - 2).collect();
        for at in row.chars().count()..offset {
            row.push(if bars.contains(&at) { '│' } else { ' ' });
        }
    }

    /// The bars to the right of a line, where it does not reach over them.
    fn bars_behind(&self, row: &mut String, cpu: u32, end: usize) {
        let mut at = end;
        for offset in self.offsets.iter().filter(|(other, _)| **other > cpu).map(|(_, offset)| *offset) {
            let bar = offset - 2;
            if bar > at {
                row.push_str(&" ".repeat(bar - at));
                row.push_str(&self.paint.text(Kind::Frame, BAR.trim()));
                at = bar + 1;
            }
        }
    }

    fn paint_bars(&self, left: &str) -> String {
        if self.paint == Paint::Never {
            return left.to_owned();
        }
        left.replace('│', &self.paint.text(Kind::Frame, "│"))
    }
}

fn indent(line: &Line) -> usize {
    (line.depth as usize * 2).min(MAX_INDENT)
}

fn plain(line: &Line) -> String {
    match &line.change {
        Some((_, change)) => format!("{}  {change}", line.text),
        None => line.text.clone(),
    }
}

/// Pieces of at most `width` characters, broken at spaces.
fn wrap(text: &str, width: usize) -> Vec<String> {
    if text.chars().count() <= width {
        return vec![text.to_owned()];
    }
    let mut pieces = vec![String::new()];
    for word in text.split(' ') {
        let last = pieces.last_mut().expect("there is always a piece");
        if !last.is_empty() && last.chars().count() + 1 + word.chars().count() > width {
            pieces.push(word.to_owned());
            continue;
        }
        if !last.is_empty() {
            last.push(' ');
        }
        last.push_str(word);
    }
    pieces
}
