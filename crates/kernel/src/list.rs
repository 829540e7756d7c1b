// SPDX-License-Identifier: GPL-2.0-only
//! `struct list_head`: intrusive, circular, doubly linked lists; include/linux/list.h, rculist.h
//!
//! Nothing keeps the links whole, as without CONFIG_DEBUG_LIST: adding an entry twice corrupts what it corrupts in C.
//! What CONFIG_DEBUG_LIST would say of it is told to whoever watches, and then the entry is added.

mod debug;

use std::panic::Location;

use machine::{Addr, Bus, CellKind, Fault, Loc, Op, Order, Step, Update};

use crate::{
    Field, Kernel, Operator, Pointer, Value,
    future::{AtOnce, map},
};

/// `struct list_head`: a head or a link, and a pointer to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListHead(Addr);

impl Field for ListHead {
    const CELLS: usize = 2;
    const KIND: CellKind = CellKind::Marked; // RCU readers follow `next`
    const PARTS: &'static [&'static str] = &["next", "prev"];
    fn at(addr: Addr) -> Self {
        ListHead(addr)
    }
    fn addr(self) -> Addr {
        self.0
    }
}

impl crate::Value for ListHead {
    fn to_value(self) -> i64 {
        self.0.to_value()
    }
    fn from_value(value: i64) -> Self {
        ListHead(Addr::from_value(value))
    }
}

/// The links as one line of kernel code uses them.
#[derive(Clone, Copy)]
struct Links<'k> {
    bus: &'k Bus,
    loc: Loc,
}

impl<'k> Links<'k> {
    #[track_caller]
    fn new(k: &'k Kernel) -> Self {
        Links { bus: &k.bus, loc: Location::caller() }
    }
    fn next(self, entry: ListHead) -> Option<ListHead> {
        self.bus.read_at(entry.0, self.loc).value().map(ListHead::from_value)
    }
    fn prev(self, entry: ListHead) -> Option<ListHead> {
        self.bus.read_at(entry.0.plus(1), self.loc).value().map(ListHead::from_value)
    }
    fn set_next(self, entry: ListHead, next: ListHead) -> Option<()> {
        self.bus.write_at(entry.0, next.0.to_value(), self.loc).value().map(|_| ())
    }
    fn set_prev(self, entry: ListHead, prev: ListHead) -> Option<()> {
        self.bus.write_at(entry.0.plus(1), prev.0.to_value(), self.loc).value().map(|_| ())
    }
    /// A marked write of `next`, which readers follow.
    fn publish_next(self, entry: ListHead, next: ListHead, order: Order) -> Step<'k> {
        self.bus.step_at(Op::Marked(entry.0, Update::Write(next.0.to_value()), order), self.loc)
    }
    /// `INIT_LIST_HEAD()`
    fn init(self, head: ListHead) -> Option<()> {
        self.set_next(head, head)?;
        self.set_prev(head, head)
    }
    /// `__list_add()`
    fn insert(self, new: ListHead, prev: ListHead, next: ListHead) -> Option<()> {
        self.set_prev(next, new)?;
        self.set_next(new, next)?;
        self.set_prev(new, prev)?;
        self.set_next(prev, new)
    }
    fn insert_after(self, prev: ListHead, new: ListHead) -> Option<()> {
        let next = self.next(prev)?;
        self.check_add(new, prev, next);
        self.insert(new, prev, next)
    }
    fn insert_before(self, next: ListHead, new: ListHead) -> Option<()> {
        let prev = self.prev(next)?;
        self.check_add(new, prev, next);
        self.insert(new, prev, next)
    }
    /// `__list_del_entry()`
    fn unlink(self, entry: ListHead) -> Option<()> {
        let prev = self.prev(entry)?;
        let next = self.next(entry)?;
        self.check_del(entry, prev, next);
        self.set_prev(next, prev)?;
        self.set_next(prev, next)
    }
    fn poison(self, entry: ListHead) -> Option<()> {
        self.set_next(entry, ListHead(Addr::LIST_POISON1))?;
        self.set_prev(entry, ListHead(Addr::LIST_POISON2))
    }
    /// `list_replace_init()`
    fn replace_init(self, old: ListHead, new: ListHead) -> Option<()> {
        let next = self.next(old)?;
        self.set_next(new, next)?;
        self.set_prev(next, new)?;
        let prev = self.prev(old)?;
        self.set_prev(new, prev)?;
        self.set_next(prev, new)?;
        self.init(old)
    }
}

/// Every method but those of RCU suspends only for an oops. The list is protected by its user's lock.
impl ListHead {
    /// `->next`
    #[track_caller]
    pub fn next(self, k: &Kernel) -> impl Future<Output = ListHead> {
        AtOnce(Links::new(k).next(self))
    }
    /// `->prev`
    #[track_caller]
    pub fn prev(self, k: &Kernel) -> impl Future<Output = ListHead> {
        AtOnce(Links::new(k).prev(self))
    }
    /// `INIT_LIST_HEAD()`
    #[track_caller]
    pub fn init(self, k: &Kernel) -> impl Future<Output = ()> {
        AtOnce(Links::new(k).init(self))
    }
    /// `list_empty()`
    #[track_caller]
    pub fn is_empty(self, k: &Kernel) -> impl Future<Output = bool> {
        AtOnce(Links::new(k).next(self).map(|next| next == self))
    }
    /// `list_add()`: `new` becomes the first entry of this head.
    #[track_caller]
    pub fn add(self, k: &Kernel, new: ListHead) -> impl Future<Output = ()> {
        let links = Links::new(k);
        AtOnce(match k.damage_of("list_add", links.loc) {
            None => links.insert_after(self, new),
            Some(Operator::OtherEnd) => links.insert_before(self, new),
            Some(_) => Some(()),
        })
    }
    /// `list_add_tail()`: `new` becomes the last entry of this head.
    #[track_caller]
    pub fn add_tail(self, k: &Kernel, new: ListHead) -> impl Future<Output = ()> {
        let links = Links::new(k);
        AtOnce(match k.damage_of("list_add_tail", links.loc) {
            None => links.insert_before(self, new),
            Some(Operator::OtherEnd) => links.insert_after(self, new),
            Some(_) => Some(()),
        })
    }
    /// `list_del()`: leaves poison in the entry.
    #[track_caller]
    pub fn del(self, k: &Kernel) -> impl Future<Output = ()> {
        let links = Links::new(k);
        if k.is_omitted("list_del", links.loc) {
            return AtOnce(Some(()));
        }
        AtOnce(links.unlink(self).and_then(|()| links.poison(self)))
    }
    /// `list_del_init()`: leaves an empty list in the entry.
    #[track_caller]
    pub fn del_init(self, k: &Kernel) -> impl Future<Output = ()> {
        let links = Links::new(k);
        if k.is_omitted("list_del_init", links.loc) {
            return AtOnce(Some(()));
        }
        AtOnce(links.unlink(self).and_then(|()| links.init(self)))
    }
    /// `list_replace_init()`: `new` takes the place of this head, which becomes empty.
    #[track_caller]
    pub fn replace_init(self, k: &Kernel, new: ListHead) -> impl Future<Output = ()> {
        let links = Links::new(k);
        if k.is_omitted("list_replace_init", links.loc) {
            return AtOnce(links.init(new));
        }
        AtOnce(links.replace_init(self, new))
    }

    /// `list_add_tail_rcu()`: readers may walk the list meanwhile.
    #[track_caller]
    pub fn add_tail_rcu(self, k: &Kernel, new: ListHead) -> impl Future<Output = ()> {
        let links = Links::new(k);
        let damage = k.damage_of("list_add_tail_rcu", links.loc);
        async move {
            if damage == Some(Operator::Omit) {
                return;
            }
            let order = if damage.is_some() { Order::Relaxed } else { Order::Release };
            let prev = AtOnce(links.prev(self)).await;
            links.check_add(new, prev, self);
            AtOnce(links.set_next(new, self)).await;
            AtOnce(links.set_prev(new, prev)).await;
            links.publish_next(prev, new, order).await;
            AtOnce(links.set_prev(self, new)).await;
        }
    }
    /// `list_del_rcu()`: poisons only `prev`; readers on the entry find their way on.
    #[track_caller]
    pub fn del_rcu(self, k: &Kernel) -> impl Future<Output = ()> {
        let links = Links::new(k);
        let damage = k.damage_of("list_del_rcu", links.loc);
        async move {
            if damage == Some(Operator::Omit) {
                return;
            }
            let prev = AtOnce(links.prev(self)).await;
            let next = AtOnce(links.next(self)).await;
            links.check_del(self, prev, next);
            AtOnce(links.set_prev(next, prev)).await;
            links.publish_next(prev, next, Order::Relaxed).await;
            AtOnce(links.set_prev(self, ListHead(Addr::LIST_POISON2))).await;
            if damage.is_some() {
                // list_del(): readers on the entry are lost.
                links.publish_next(self, ListHead(Addr::LIST_POISON1), Order::Relaxed).await;
            }
        }
    }
    /// `list_next_rcu()`, by which `list_for_each_entry_rcu()` goes on.
    #[track_caller]
    pub fn next_rcu(self, k: &Kernel) -> impl Future<Output = ListHead> {
        map(k.bus.step(Op::Marked(self.0, Update::Read, Order::Acquire)), ListHead::from_value)
    }
}

#[track_caller]
pub(crate) fn container_of<P: Pointer, F: Field>(
    k: &Kernel,
    link: F,
    member: fn(P) -> F,
) -> impl Future<Output = P> {
    let (link, offset) = (link.addr(), member(P::null()).addr().cell());
    let expected = P::layout();
    let confused = k.bus.inspect(|memory| {
        let right = |object: &machine::Object| std::ptr::eq(object.layout, expected);
        memory.object(link).is_some_and(|object| !right(object) || link.cell() != offset)
    });
    if confused {
        let _never = k.bus.step(Op::Fault(Fault::TypeConfusion { link, expected: expected.name }));
        return AtOnce(None);
    }
    // A pointer that leads nowhere stays one: whoever follows it finds out.
    let addr = if link.slot() == 0 { link } else { link.object() };
    AtOnce(Some(P::at(addr)))
}
