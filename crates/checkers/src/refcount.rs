// SPDX-License-Identifier: GPL-2.0-only
//! Counts of references: a reference that is taken where there was none, and one that is dropped; lib/refcount.c
//!
//! Our own addition. In v4.11 these counts are `atomic_t`, and nobody watches them; later kernels have `refcount_t`
//! there, and so would have said something. Like a plain `atomic_t`, and unlike those, the count changes all the same.

use machine::{Addr, Bug, Checker, Event, Loc, Locking, Op, Scene, Update, What};

/// What later became a `refcount_t`, by type and field.
const REFCOUNTS: [(&str, &str); 5] = [
    ("struct net", "count"),
    ("struct net", "passive"),
    ("struct nsproxy", "count"),
    ("struct task_struct", "usage"),
    ("struct user_namespace", "count"),
];

/// `refcount_warn_saturate()`. It remembers nothing.
#[derive(Debug, Default)]
pub struct Refcounts;

impl Checker for Refcounts {
    fn reset(&mut self) {}

    #[inline]
    fn looks_at(&self, what: &What) -> bool {
        matches!(what, What::Op(Op::Marked(_, Update::Add(_), _), old) if *old <= 0)
    }

    fn happened(&mut self, event: &Event, scene: &Scene<'_>, found: &mut Vec<Bug>) {
        let What::Op(Op::Marked(addr, Update::Add(delta), _), old) = event.what else { return };
        let what = match (delta > 0, old) {
            (false, ..=0) => "underflow; use-after-free",
            (true, 0) => "addition on 0; use-after-free",
            (true, ..0) => "saturated; leaking memory",
            _ => return,
        };
        let cell = scene.bus.inspect(|memory| memory.cell(addr));
        if cell.field.is_some_and(|field| REFCOUNTS.contains(&(cell.class, field))) {
            found.push(Bug::Refcount { what, cell });
        }
    }

    fn wants_lock(&mut self, _: Addr, _: Locking, _: Loc, _: &Scene<'_>, _: &mut Vec<Bug>) {}
    fn exited(&mut self, _: Loc, _: &Scene<'_>, _: &mut Vec<Bug>) {}
}
