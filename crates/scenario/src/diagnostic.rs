// SPDX-License-Identifier: GPL-2.0-only
//! What is wrong with a scenario, in the form of rustc's errors.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};

use crate::source::Source;

/// A line that is longer is not shown.
const MAX_LINE: usize = 400;

/// Names in messages come from the file, and may be long.
const MAX_MESSAGE: usize = 200;
const MAX_HELP: usize = 1500;
/// Names that are compared with one that does not exist.
const MAX_SIMILAR: usize = 10_000;

/// A part of the text, and a word on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The bytes.
    pub span: Range<usize>,
    /// The word.
    pub text: String,
}

/// An error in a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// A stable name for errors of this kind: `S006`; see [`explain`](crate::explain).
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// The culprit first, then what it is about.
    pub labels: Vec<Label>,
    /// What to do about it.
    pub help: Option<String>,
    /// File, line and column, for a text that cannot be shown.
    pub origin: Option<Box<(String, usize, usize)>>,
}

impl Diagnostic {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        let message = clipped(message.into(), MAX_MESSAGE);
        Diagnostic { code, message, labels: Vec::new(), help: None, origin: None }
    }
    pub(crate) fn label(mut self, label: Option<Label>) -> Self {
        self.labels.extend(label);
        self
    }
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(clipped(help.into(), MAX_HELP));
        self
    }
    pub(crate) fn maybe_help(self, help: Option<String>) -> Self {
        match help {
            Some(help) if self.help.is_none() => self.help(help),
            _ => self,
        }
    }
    pub(crate) fn at(mut self, name: &str, line: usize, column: usize) -> Self {
        self.origin = Some(Box::new((name.to_owned(), line, column)));
        self
    }
    /// The line and the column of the culprit, from 1.
    pub fn line_and_column(&self, source: &Source) -> (usize, usize) {
        match (self.origin.as_deref(), self.labels.first()) {
            (Some((_, line, column)), _) => (*line, *column),
            (None, Some(label)) => source.line_and_column(label.span.start),
            (None, None) => (1, 1),
        }
    }

    /// The error as text, without a line end at its end. `source` is the text that it is about; an empty one will do
    /// for an error that keeps a text from being read at all.
    pub fn render(&self, source: &Source, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let title = Level::ERROR.primary_title(self.message.as_str()).id(self.code);
        let mut group = if self.labels.is_empty() || !self.can_be_shown(source) {
            let (line, column) = self.line_and_column(source);
            let name = self.origin.as_deref().map_or(source.name.as_str(), |(name, ..)| name.as_str());
            title.element(Origin::path(name).line(line).char_column(column))
        } else {
            let mut snippet = Snippet::source(source.text.as_str()).path(source.name.as_str());
            for (index, label) in self.labels.iter().enumerate() {
                let kind = if index == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
                snippet = snippet.annotation(kind.span(label.span.clone()).label(label.text.as_str()));
            }
            title.element(snippet)
        };
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        renderer.render(&[group])
    }

    /// Whether all labels lie in the text, on lines of a length that people read.
    fn can_be_shown(&self, source: &Source) -> bool {
        let text = &source.text;
        self.labels.iter().all(|Label { span, .. }| {
            let Some(before) = text.get(..span.start) else { return false };
            let Some(after) = text.get(span.end..) else { return false };
            let start = before.rfind('\n').map_or(0, |at| at + 1);
            let end = after.find('\n').map_or(text.len(), |at| span.end + at);
            end - start <= MAX_LINE
        })
    }
}

fn clipped(mut text: String, max: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(max) {
        text.truncate(end);
        text.push_str("...");
    }
    text
}

/// The name that is meant, perhaps, by one that does not exist.
pub(crate) fn similar<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let limit = (name.chars().count().max(3) / 3).min(4);
    let near = names.into_iter().take(MAX_SIMILAR).filter_map(|other| {
        let distance = distance(name, other, limit)?;
        Some((distance, other))
    });
    near.min().map(|(_, other)| other)
}

/// The edit distance of two names, swaps of neighbours included, if it is at most `limit`.
fn distance(a: &str, b: &str, limit: usize) -> Option<usize> {
    let (a, b): (Vec<char>, Vec<char>) =
        (a.to_lowercase().chars().take(64).collect(), b.to_lowercase().chars().take(64).collect());
    if a.len().abs_diff(b.len()) > limit {
        return None;
    }
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    Some(rows[a.len()][b.len()]).filter(|distance| *distance <= limit)
}

/// The order of names that end in a number: `net[2]` comes before `net[10]`.
pub(crate) fn natural(name: &str) -> (&str, u64) {
    let name = name.trim_end_matches(']');
    let (base, number) = name.split_at(name.trim_end_matches(|c: char| c.is_ascii_digit()).len());
    (base, number.parse().unwrap_or(0))
}

/// `a, b or c`, of at most ten names.
pub(crate) fn list_of<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    let shown: Vec<String> = names.iter().take(10).map(|name| format!("`{name}`")).collect();
    match shown.len() < names.len() {
        true => format!("{} and {} more", shown.join(", "), names.len() - shown.len()),
        false => shown.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_similar() {
        let names = ["net", "put_net", "get_net", "maybe_get_net"];
        assert_eq!(similar("nett", names), Some("net"));
        assert_eq!(similar("ptu_net", names), Some("put_net"));
        assert_eq!(similar("Get_net", names), Some("get_net"));
        assert_eq!(similar("x", names), None);
        assert_eq!(similar("unrelated", names), None);
    }

    #[test]
    fn names_in_order() {
        let mut names = ["net[10]", "net[2]", "a-11", "a-9", "net", "7", "99999999999999999999"];
        names.sort_by_key(|name| natural(name));
        assert_eq!(names, ["99999999999999999999", "7", "a-9", "a-11", "net", "net[2]", "net[10]"]);
    }

    #[test]
    fn long_lines_are_not_shown() {
        let source = Source { name: "f".to_owned(), text: "x".repeat(10_000) };
        let label = Label { span: 5000..5001, text: "here".to_owned() };
        let text = Diagnostic::new("S004", "bad").label(Some(label)).render(&source, false);
        assert_eq!(text, "error[S004]: bad\n--> f:1:5001");
        let long = Diagnostic::new("S004", "é".repeat(10_000)).help("x".repeat(10_000));
        assert!(long.message.chars().count() < 210 && long.help.is_some_and(|help| help.len() < 1510));
    }
}
