// SPDX-License-Identifier: GPL-2.0-only
//! The rule of `Cargo.toml`: every dependency that is not ours has a reason beside it.

use super::files;
use crate::repo::{Complaint, Text, Tree};

fn manifest(path: &str) -> bool {
    path == "Cargo.toml" || path.ends_with("/Cargo.toml")
}

pub(super) fn reasons(tree: &Tree) -> Vec<Complaint> {
    files(tree, manifest, |file| {
        let mut bare = Vec::new();
        let mut inside = false;
        let mut above = "";
        for (number, line) in file.lines() {
            let explained = line.contains('#') || above.trim_start().starts_with('#');
            if line.starts_with('[') {
                let section = Section::of(line);
                inside = matches!(section, Section::Dependencies);
                if let Section::Dependency(name) = section
                    && !explained
                    && !is_ours(&body(file, number))
                {
                    bare.push((number, format!("no reason for `{name}`")));
                }
            } else if inside
                && let Some(name) = key(line)
                && !explained
                && !is_ours(line)
            {
                bare.push((number, format!("no reason for `{name}`")));
            }
            above = line;
        }
        bare
    })
}

enum Section<'t> {
    /// `[dependencies]` and its kin: a line for each.
    Dependencies,
    /// `[dependencies.NAME]`: a table for one.
    Dependency(&'t str),
    Other,
}

impl Section<'_> {
    fn of(line: &str) -> Section<'_> {
        let name = line.split(']').next().unwrap_or(line).trim_start_matches('[').trim();
        let (before, last) = name.rsplit_once('.').unwrap_or(("", name));
        let table = |name: &str| matches!(name, "dependencies" | "dev-dependencies" | "build-dependencies");
        if table(last) {
            Section::Dependencies
        } else if table(before.rsplit('.').next().unwrap_or(before)) {
            Section::Dependency(last)
        } else {
            Section::Other
        }
    }
}

/// The name before the `=` of a line that begins an entry.
fn key(line: &str) -> Option<&str> {
    let key = line.split_once('=')?.0.trim();
    let name = key.split('.').next()?;
    let named = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    (named && line.starts_with(name)).then_some(name)
}

/// The lines of the section that begins at a line.
fn body(file: &Text, header: usize) -> String {
    let lines = file.text.lines().skip(header).take_while(|line| !line.starts_with('['));
    lines.collect::<Vec<_>>().join("\n")
}

/// Whether an entry is a crate of this repository, or one whose reason stands in the workspace's table.
fn is_ours(entry: &str) -> bool {
    let squeezed: String = entry.chars().filter(|c| !c.is_whitespace()).collect();
    squeezed.contains("workspace=true") || squeezed.contains("path=\"")
}
