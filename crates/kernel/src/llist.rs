// SPDX-License-Identifier: GPL-2.0-only
//! `struct llist_head`: lists that are added to and emptied without a lock; include/linux/llist.h, lib/llist.c

use std::panic::Location;

use machine::{Addr, CellKind, Op, Order, Update};

use crate::{Field, Kernel, Plain, Value};

/// `struct llist_head`: the entry that was added last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LlistHead(Addr);

/// `struct llist_node`, and a pointer to one; the last entry of a list is followed by NULL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LlistNode(Addr);

impl Field for LlistHead {
    const CELLS: usize = 1;
    const KIND: CellKind = CellKind::Marked;
    fn at(addr: Addr) -> Self {
        LlistHead(addr)
    }
    fn addr(self) -> Addr {
        self.0
    }
}

impl Field for LlistNode {
    const CELLS: usize = 1;
    const KIND: CellKind = CellKind::Plain;
    const PARTS: &'static [&'static str] = &["next"];
    fn at(addr: Addr) -> Self {
        LlistNode(addr)
    }
    fn addr(self) -> Addr {
        self.0
    }
}

impl Value for LlistNode {
    fn to_value(self) -> i64 {
        self.0.to_value()
    }
    fn from_value(value: i64) -> Self {
        LlistNode(Addr::from_value(value))
    }
}

impl LlistNode {
    /// Whether the list ends here.
    pub fn is_null(self) -> bool {
        self.0.is_null()
    }
    /// `->next`, of a list that is nobody else's.
    pub fn next(self) -> Plain<LlistNode> {
        Plain::at(self.0)
    }
}

impl LlistHead {
    /// `llist_add()`: whether the list was empty. Any context.
    #[track_caller]
    pub fn add(self, k: &Kernel, new: LlistNode) -> impl Future<Output = bool> {
        let loc = Location::caller();
        async move {
            loop {
                let first = k.bus.step_at(Op::Marked(self.0, Update::Read, Order::Relaxed), loc).await;
                new.next().write(k, LlistNode::from_value(first)).await;
                let exchange = Update::CmpXchg { old: first, new: new.to_value() };
                if k.bus.step_at(Op::Marked(self.0, exchange, Order::Full), loc).await == first {
                    return LlistNode::from_value(first).is_null();
                }
            }
        }
    }
    /// `llist_del_all()`: all entries, the one that was added last first. Any context.
    #[track_caller]
    pub fn del_all(self, k: &Kernel) -> impl Future<Output = LlistNode> {
        let loc = Location::caller();
        let null = Addr::NULL.to_value();
        async move {
            let first = k.bus.step_at(Op::Marked(self.0, Update::Xchg(null), Order::Full), loc).await;
            LlistNode::from_value(first)
        }
    }
}
