// SPDX-License-Identifier: GPL-2.0-only
//! `cargo xtask tidy`: rules of text that neither the compiler nor clippy checks. Each has a reason and a
//! remedy.

mod docs;
mod manifest;
mod source;
#[cfg(test)]
mod tests;

use std::path::Path;

use crate::repo::{Complaint, Text, Tree, Verdict};

/// A rule of text.
struct Rule {
    name: &'static str,
    reason: &'static str,
    remedy: &'static str,
    check: fn(&Tree) -> Vec<Complaint>,
}

/// All of them. Each has a bad and a good example in `tidy/tests.rs`.
const RULES: &[Rule] = &[
    Rule {
        name: "file-header",
        reason: "each file carries its licence, and says what it is for before it begins",
        remedy: "begin with `// SPDX-License-Identifier: GPL-2.0-only`, then a `//!` line",
        check: source::header,
    },
    Rule {
        name: "file-length",
        reason: "a file holds one concept",
        remedy: "split it at 600 lines; aim at 50 to 350",
        check: source::length,
    },
    Rule {
        name: "line-length",
        reason: "rustfmt leaves comments and strings alone",
        remedy: "break the line at 110 columns, a comment at 120",
        check: source::columns,
    },
    Rule {
        name: "unfinished",
        reason: "what is unfinished is an issue, not a comment",
        remedy: "finish it, or say in a sentence what is not modelled and why",
        check: source::unfinished,
    },
    Rule {
        name: "ignored-test",
        reason: "a test that does not run proves nothing",
        remedy: "assert what happens today, or delete the test",
        check: source::ignored_test,
    },
    Rule {
        name: "printing",
        reason: "only the command line prints; a library's results are values",
        remedy: "return the text to the caller",
        check: source::printing,
    },
    Rule {
        name: "trailing-space",
        reason: "it makes noise in every later diff",
        remedy: "remove it",
        check: source::trailing_space,
    },
    Rule {
        name: "machine-path",
        reason: "the repository works from any place, and explains itself alone",
        remedy: "use a path from the top of the repository",
        check: source::machine_path,
    },
    Rule {
        name: "doc-title",
        reason: "a page is about one thing, and says which",
        remedy: "give it one `# ` title",
        check: docs::title,
    },
    Rule {
        name: "doc-linked",
        reason: "a page that nothing leads to is not read and rots",
        remedy: "link it from README.md or docs/ARCHITECTURE.md",
        check: docs::linked,
    },
    Rule {
        name: "dependency-reason",
        reason: "each dependency is code that somebody has to trust",
        remedy: "say in a comment above it or on its line what it is for",
        check: manifest::reasons,
    },
];

/// Holds the repository against the rules.
pub(crate) fn run(root: &Path) -> Result<Verdict, String> {
    Ok(check(&Tree::read(root)?))
}

fn check(tree: &Tree) -> Verdict {
    let mut complaints = Vec::new();
    for rule in RULES {
        complaints.extend((rule.check)(tree).into_iter().map(|complaint| {
            let what = format!("{} [{}: {}; {}]", complaint.what, rule.name, rule.reason, rule.remedy);
            Complaint { what, ..complaint }
        }));
    }
    complaints.sort();
    let lines: usize = tree.files.iter().map(|file| file.text.lines().count()).sum();
    let summary = format!("tidy: {} rules on {} files, {lines} lines", RULES.len(), tree.files.len());
    Verdict { complaints, summary }
}

/// The lines, in the files that `applies` picks, in which `broken` finds something.
fn lines(tree: &Tree, applies: fn(&str) -> bool, broken: impl Fn(&str) -> Option<String>) -> Vec<Complaint> {
    let files = tree.files.iter().filter(|file| applies(&file.path));
    let broken = &broken;
    let found = files.flat_map(|file| {
        file.lines().filter_map(move |(n, line)| Some(Complaint::new(&file.path, n, broken(line)?)))
    });
    found.collect()
}

/// The files that `applies` picks in which `broken` finds something: a line, or 0, and what.
fn files(
    tree: &Tree,
    applies: fn(&str) -> bool,
    broken: impl Fn(&Text) -> Vec<(usize, String)>,
) -> Vec<Complaint> {
    let files = tree.files.iter().filter(|file| applies(&file.path));
    let broken = &broken;
    let found = files.flat_map(|file| {
        broken(file).into_iter().map(move |(line, what)| Complaint::new(&file.path, line, what))
    });
    found.collect()
}
