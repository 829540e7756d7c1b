// SPDX-License-Identifier: GPL-2.0-only
//! What CONFIG_DEBUG_LIST has to say; lib/list_debug.c
//!
//! Here, and not where events are watched: what was written in a step is in memory before anybody hears of it. The
//! checks look, and make no access; what leads nowhere or was freed, the list operation itself finds.

use machine::{Addr, Effect, Tracepoint, tracepoint};

use super::{Links, ListHead};

tracepoint! {
    /// `__list_add_valid()`: the neighbours do not point to each other.
    LIST_ADD_NEXT, "list_add corruption. next->prev should be prev", ["prev", "was"]
}
tracepoint! {
    /// The same.
    LIST_ADD_PREV, "list_add corruption. prev->next should be next", ["next", "was"]
}
tracepoint! {
    /// `__list_add_valid()`: the entry is its own neighbour.
    LIST_ADD_DOUBLE, "list_add double add", ["new", ""]
}
tracepoint! {
    /// `__list_del_entry_valid()`: the entry was deleted.
    LIST_DEL_POISON1, "list_del corruption, ->next is LIST_POISON1", ["entry", ""]
}
tracepoint! {
    /// The same, or it was deleted for readers.
    LIST_DEL_POISON2, "list_del corruption, ->prev is LIST_POISON2", ["entry", ""]
}
tracepoint! {
    /// `__list_del_entry_valid()`: the neighbours do not point to the entry.
    LIST_DEL_PREV, "list_del corruption. prev->next should be", ["entry", "was"]
}
tracepoint! {
    /// The same.
    LIST_DEL_NEXT, "list_del corruption. next->prev should be", ["entry", "was"]
}

impl Links<'_> {
    /// `__list_add_valid()`
    pub(super) fn check_add(self, new: ListHead, prev: ListHead, next: ListHead) {
        let (next_prev, prev_next) = (self.peek(next.0.plus(1)), self.peek(prev.0));
        if next_prev.is_some_and(|was| was != prev.0) {
            self.corrupt(&LIST_ADD_NEXT, prev.0, next_prev);
        } else if prev_next.is_some_and(|was| was != next.0) {
            self.corrupt(&LIST_ADD_PREV, next.0, prev_next);
        } else if new == prev || new == next {
            self.corrupt(&LIST_ADD_DOUBLE, new.0, None);
        }
    }
    /// `__list_del_entry_valid()`
    pub(super) fn check_del(self, entry: ListHead, prev: ListHead, next: ListHead) {
        let (prev_next, next_prev) = (self.peek(prev.0), self.peek(next.0.plus(1)));
        if next.0 == Addr::LIST_POISON1 {
            self.corrupt(&LIST_DEL_POISON1, entry.0, None);
        } else if prev.0 == Addr::LIST_POISON2 {
            self.corrupt(&LIST_DEL_POISON2, entry.0, None);
        } else if prev_next.is_some_and(|was| was != entry.0) {
            self.corrupt(&LIST_DEL_PREV, entry.0, prev_next);
        } else if next_prev.is_some_and(|was| was != entry.0) {
            self.corrupt(&LIST_DEL_NEXT, entry.0, next_prev);
        }
    }
    /// The link at `addr`, if there is one.
    fn peek(self, addr: Addr) -> Option<Addr> {
        self.bus.inspect(|memory| memory.read(addr)).map(Addr::from_value)
    }
    #[cold]
    fn corrupt(self, what: &'static Tracepoint, link: Addr, was: Option<Addr>) {
        let was = was.map_or(0, Addr::to_value);
        self.bus.say_at(Effect::Trace(what, link.to_value(), was), self.loc);
    }
}
