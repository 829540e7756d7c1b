// SPDX-License-Identifier: GPL-2.0-only
//! Rules of source text.

use super::{files, lines};
use crate::repo::{Complaint, Tree};

const SPDX: &str = "// SPDX-License-Identifier: GPL-2.0-only";
const MAX_LINES: usize = 600;
const MAX_COLUMNS: usize = 120;

// What is banned is spelled in two halves, so that this file does not break its own rules.
const UNFINISHED: &[&str] =
    &[concat!("FIX", "ME"), concat!("XX", "X"), concat!("HA", "CK"), concat!("to", "do!")];
const IGNORE: &str = concat!("#[", "ignore");
const PRINTS: &[&str] =
    &[concat!("print", "!("), concat!("print", "ln!("), concat!("eprint", "!("), concat!("eprint", "ln!(")];
const MACHINE_PATHS: &[&str] = &[
    concat!("/", "work"),
    concat!("/", "tmp"),
    concat!("/", "farm"),
    concat!("/", "root"),
    concat!("/", "home"),
];

/// Crates of which the sources may print: the command line, and what only tests or measures.
const PRINTERS: &[&str] = &["sim", "bench", "loom-models"];

fn rust(path: &str) -> bool {
    path.ends_with(".rs")
}

/// What is written here; the licence and recordings are not.
fn ours(path: &str) -> bool {
    path != "LICENSE" && !path.ends_with(".jsonl") && path != "Cargo.lock"
}

fn prose(path: &str) -> bool {
    let extension = path.rsplit('.').next().unwrap_or(path);
    matches!(extension, "rs" | "md" | "toml" | "sh" | "yml") || path == ".ci/run"
}

/// Sources of libraries: not their tests, benchmarks and examples.
fn library(path: &str) -> bool {
    let mut parts = path.split('/');
    let (top, krate, src) = (parts.next(), parts.next(), parts.next());
    rust(path)
        && top == Some("crates")
        && src == Some("src")
        && !krate.is_some_and(|krate| PRINTERS.contains(&krate))
}

pub(super) fn header(tree: &Tree) -> Vec<Complaint> {
    files(tree, rust, |file| {
        let mut lines = file.text.lines();
        if lines.next() != Some(SPDX) {
            return vec![(1, "the first line is not the SPDX line".into())];
        }
        match lines.next() {
            Some(line) if line.starts_with("//! ") => vec![],
            _ => vec![(2, "the second line is no `//!` line".into())],
        }
    })
}

pub(super) fn length(tree: &Tree) -> Vec<Complaint> {
    files(tree, rust, |file| match file.text.lines().count() {
        0..=MAX_LINES => vec![],
        n => vec![(0, format!("{n} lines"))],
    })
}

pub(super) fn columns(tree: &Tree) -> Vec<Complaint> {
    lines(tree, rust, |line| match line.chars().count() {
        0..=MAX_COLUMNS => None,
        n => Some(format!("{n} columns")),
    })
}

pub(super) fn unfinished(tree: &Tree) -> Vec<Complaint> {
    lines(tree, prose, |line| {
        let word = UNFINISHED.iter().find(|word| has_word(line, word))?;
        Some(format!("`{word}`"))
    })
}

pub(super) fn ignored_test(tree: &Tree) -> Vec<Complaint> {
    lines(tree, rust, |line| line.contains(IGNORE).then(|| format!("`{IGNORE}`")))
}

pub(super) fn printing(tree: &Tree) -> Vec<Complaint> {
    lines(tree, library, |line| {
        let print = PRINTS.iter().find(|print| has_word(line, print))?;
        (!line.trim_start().starts_with("//")).then(|| format!("`{print}`"))
    })
}

pub(super) fn trailing_space(tree: &Tree) -> Vec<Complaint> {
    lines(tree, ours, |line| (line.trim_end() != line).then(|| "space at the end of the line".into()))
}

pub(super) fn machine_path(tree: &Tree) -> Vec<Complaint> {
    lines(tree, ours, |line| {
        if line.contains(concat!("../", "shared")) {
            return Some("a path out of the repository".into());
        }
        let path = MACHINE_PATHS.iter().find(|path| has_path(line, path))?;
        Some(format!("`{path}`"))
    })
}

/// Whether `word` stands in `line` and is not the end or the beginning of a longer one.
fn has_word(line: &str, word: &str) -> bool {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    let joins = word.ends_with(part_of_word);
    line.match_indices(word).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + word.len()..]);
        let longer = before.ends_with(part_of_word) || joins && after.starts_with(part_of_word);
        !longer
    })
}

/// Whether the absolute path `path` begins somewhere in `line`. `/usr` does in `/usr/x`, but not in `a/usr`
/// and not in `/usr2`.
fn has_path(line: &str, path: &str) -> bool {
    let part_of_name = |c: char| c.is_alphanumeric() || "_-.*}".contains(c);
    line.match_indices(path).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + path.len()..]);
        !before.ends_with(part_of_name)
            && !after.starts_with(|c: char| c.is_alphanumeric() || "_-".contains(c))
    })
}
