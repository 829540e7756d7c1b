// SPDX-License-Identifier: GPL-2.0-only
//! What is different from v4.11: patches, reverts and mutations, by their names.

use netns::{Change, Mutation, Patch, Revert};

use crate::{
    check::Checker,
    diagnostic::{Diagnostic, list_of, similar},
    format::{RunText, Text},
    source::Seg,
};

/// The changes of each kind.
#[derive(Clone, Debug)]
pub(super) struct Named {
    patches: Vec<Change>,
    reverts: Vec<Change>,
    mutations: Vec<Change>,
}

impl Named {
    /// Those of all runs that do not say otherwise.
    pub(super) fn of_scenario(cx: &mut Checker<'_>, text: &Text) -> Self {
        Named {
            patches: patches(cx, &text.patches),
            reverts: reverts(cx, &text.reverts),
            mutations: mutations(cx, &text.mutations),
        }
    }
    /// Those of a run, and of the scenario where the run says nothing.
    pub(super) fn or_of_run(&self, cx: &mut Checker<'_>, run: &RunText) -> Self {
        let mut or = |own: &Option<Vec<String>>, find: Find, others: &[Change]| match own {
            Some(names) => find(cx, names),
            None => others.to_vec(),
        };
        Named {
            patches: or(&run.patches, patches, &self.patches),
            reverts: or(&run.reverts, reverts, &self.reverts),
            mutations: or(&run.mutations, mutations, &self.mutations),
        }
    }
    /// All of them.
    pub(super) fn all(&self) -> Vec<Change> {
        [&self.patches, &self.reverts, &self.mutations].into_iter().flatten().copied().collect()
    }
}

type Find = fn(&mut Checker<'_>, &[String]) -> Vec<Change>;

fn patches(cx: &mut Checker<'_>, names: &[String]) -> Vec<Change> {
    find(cx, ("patches", "patch"), names, Patch::ALL, Patch::name)
}
fn reverts(cx: &mut Checker<'_>, names: &[String]) -> Vec<Change> {
    find(cx, ("reverts", "revert"), names, Revert::ALL, Revert::name)
}
fn mutations(cx: &mut Checker<'_>, names: &[String]) -> Vec<Change> {
    find(cx, ("mutations", "mutation"), names, Mutation::ALL, Mutation::name)
}

fn find<C: Copy + Into<Change>>(
    cx: &mut Checker<'_>,
    (key, kind): (&'static str, &'static str),
    names: &[String],
    all: &[C],
    name_of: fn(C) -> &'static str,
) -> Vec<Change> {
    let mut found = Vec::new();
    cx.within([Seg::Key(key)], |cx| {
        for (index, name) in names.iter().enumerate() {
            if cx.is_full() {
                break;
            }
            match all.iter().find(|change| name_of(**change) == name) {
                Some(change) => found.push((*change).into()),
                None => cx.within([Seg::Index(index)], |cx| {
                    let known = || all.iter().map(|change| name_of(*change));
                    let message = format!("there is no {kind} `{}`", name.escape_debug());
                    let help = match similar(name, known()) {
                        Some(meant) => format!("did you mean `{meant}`?"),
                        None => format!("known are {}", list_of(known())),
                    };
                    cx.report(Diagnostic::new("S035", message).help(help), &format!("unknown {kind}"));
                }),
            }
        }
    });
    found
}
