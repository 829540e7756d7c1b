// SPDX-License-Identifier: GPL-2.0-only
//! Rules of the pages in `docs/`.

use std::collections::BTreeSet;

use super::files;
use crate::repo::{Complaint, Text, Tree};

const FROM: &[&str] = &["README.md", "docs/ARCHITECTURE.md"];

fn page(path: &str) -> bool {
    path.strip_prefix("docs/").is_some_and(|name| name.ends_with(".md") && !name.contains('/'))
}

pub(super) fn title(tree: &Tree) -> Vec<Complaint> {
    files(tree, page, |file| match titles(file).as_slice() {
        [_] => vec![],
        [] => vec![(0, "has no `# ` title".into())],
        [_, more @ ..] => more.iter().map(|line| (*line, "another `# ` title".into())).collect(),
    })
}

/// The lines of the `# ` titles. In a block of code, `# ` is a comment.
fn titles(file: &Text) -> Vec<usize> {
    let mut code = false;
    let titles = file.lines().filter(|(_, line)| {
        if line.trim_start().starts_with("```") {
            code = !code;
        }
        !code && line.starts_with("# ")
    });
    titles.map(|(number, _)| number).collect()
}

pub(super) fn linked(tree: &Tree) -> Vec<Complaint> {
    let linked: BTreeSet<String> = FROM.iter().filter_map(|path| tree.get(path)).flat_map(links).collect();
    files(tree, page, |file| {
        if linked.contains(&file.path) { vec![] } else { vec![(0, "no link leads here".into())] }
    })
}

/// The files that a page links to, from the top of the repository.
fn links(file: &Text) -> Vec<String> {
    let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let targets = file.text.split("](").skip(1).filter_map(|rest| rest.split([')', '#', ' ']).next());
    targets.map(|target| join(folder, target)).collect()
}

fn join(folder: &str, target: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}
