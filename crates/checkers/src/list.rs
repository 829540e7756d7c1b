// SPDX-License-Identifier: GPL-2.0-only
//! DEBUG_LIST: entries that are added twice, deleted twice, or whose neighbours do not know them; lib/list_debug.c
//!
//! The links are compared where the list is changed, since they are newer than the event that tells of it. A kernel
//! with CONFIG_DEBUG_LIST leaves such an entry alone; here the list is corrupted as without.

use machine::{Addr, Bug, Checker, Effect, Event, Loc, Locking, Scene, What};

/// `CHECK_DATA_CORRUPTION()`. It remembers nothing.
#[derive(Debug, Default)]
pub struct DebugList;

impl Checker for DebugList {
    fn reset(&mut self) {}

    #[inline]
    fn looks_at(&self, what: &What) -> bool {
        matches!(what, What::Effect(Effect::Trace(point, ..)) if point.is_list_corruption())
    }

    fn happened(&mut self, event: &Event, scene: &Scene<'_>, found: &mut Vec<Bug>) {
        let What::Effect(Effect::Trace(point, link, was)) = event.what else { return };
        if !point.is_list_corruption() {
            return;
        }
        let link = link_name(Addr::from_value(link), scene);
        let was = || link_name(Addr::from_value(was), scene);
        let what = match (point.name.split_once("->"), point.args) {
            // What it is comes first: `net 1->list->next is LIST_POISON1`.
            (Some((before, after)), [_, ""]) => format!("{before}{link}->{after}"),
            (_, [_, ""]) => format!("{}: new={link}", point.name),
            (_, ["entry", _]) => format!("{} {link}, but was {}", point.name, was()),
            _ => format!("{} ({link}), but was {}", point.name, was()),
        };
        found.push(Bug::ListCorruption { what });
    }

    fn wants_lock(&mut self, _: Addr, _: Locking, _: Loc, _: &Scene<'_>, _: &mut Vec<Bug>) {}
    fn exited(&mut self, _: Loc, _: &Scene<'_>, _: &mut Vec<Bug>) {}
}

fn link_name(link: Addr, scene: &Scene<'_>) -> String {
    match link.slot() {
        0 => format!("{link:?}"), // NULL or poison
        _ => scene.bus.inspect(|memory| memory.cell(link).to_string()),
    }
}
