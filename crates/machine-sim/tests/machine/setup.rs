// SPDX-License-Identifier: GPL-2.0-only
//! A few cells, and tasks that use them.

use std::rc::Rc;

use machine::{
    Addr, Bus, CellKind, ContextKind, Effect, Field, Function, Layout, Locking, NewTask, Op, Order, TaskId,
    Update,
};

const fn field(name: &'static str, cell: usize, kind: CellKind) -> Field {
    Field { name, cell, cells: 1, kind, parts: &[] }
}

static CELLS: Layout = Layout {
    name: "struct cells",
    short: "cells",
    cache: "kmalloc",
    fields: &[
        field("plain", 0, CellKind::Plain),
        field("marked", 1, CellKind::Marked),
        field("lock", 2, CellKind::Lock),
        field("count", 3, CellKind::Count),
    ],
};

/// A bus, and four cells.
#[derive(Clone)]
pub(crate) struct Cells {
    pub(crate) bus: Rc<Bus>,
    addr: Addr,
}

impl Cells {
    pub(crate) fn new(bus: Rc<Bus>) -> Self {
        let addr = bus.alloc(&CELLS, 32).expect("memory");
        Cells { bus, addr }
    }
    pub(crate) fn spawn<F: Future<Output = ()> + 'static>(
        &self,
        name: &str,
        f: impl FnOnce(Cells) -> F,
    ) -> TaskId {
        let name = self.bus.intern(name);
        let task = Box::pin(f(self.clone()));
        self.bus.spawn(NewTask { name, idle: None, cpu: None, context: ContextKind::Process, task })
    }
    pub(crate) async fn write(&self) {
        self.bus.write(self.addr, 1).await;
    }
    /// A relaxed increment; what there was.
    pub(crate) async fn inc(&self) -> i64 {
        self.bus.step(Op::Marked(self.addr.plus(1), Update::Add(1), Order::Relaxed)).await
    }
    /// An unmarked write of the same cell.
    pub(crate) async fn reset(&self) {
        self.bus.write(self.addr.plus(1), 0).await;
    }
    /// Any other operation on the same cell; what there was.
    pub(crate) async fn marked(&self, update: Update, order: Order) -> i64 {
        self.bus.step(Op::Marked(self.addr.plus(1), update, order)).await
    }
    pub(crate) async fn lock(&self) {
        self.bus.step(Op::Lock(self.addr.plus(2), Locking::Mutex)).await;
    }
    pub(crate) async fn unlock(&self) {
        self.bus.unlock(self.addr.plus(2), Locking::Mutex).await;
    }
    pub(crate) fn complete(&self) {
        self.bus.say(Effect::Complete(self.addr.plus(3)));
    }
    /// How many completions there were.
    pub(crate) async fn wait(&self) -> i64 {
        self.bus.step(Op::Wait(self.addr.plus(3))).await
    }
    pub(crate) fn enter(&self, function: &'static Function) {
        self.bus.say(Effect::Enter(function, 0));
    }
    pub(crate) fn leave(&self) {
        self.bus.leave(std::panic::Location::caller());
    }
}

/// Two tasks that each increase the marked cell three times, in a function.
pub(crate) async fn two_increase(bus: Rc<Bus>) {
    let cells = Cells::new(bus);
    for name in ["a", "b"] {
        cells.spawn(name, |c| async move {
            for _ in 0..3 {
                c.enter(machine::function!("increase"));
                c.inc().await;
                c.leave();
                c.lock().await;
                c.unlock().await;
            }
        });
    }
}

/// Two tasks that each increase the marked cell three times, each time in a function, and do nothing in between.
pub(crate) async fn two_call_thrice(bus: Rc<Bus>) {
    let cells = Cells::new(bus);
    for name in ["a", "b"] {
        cells.spawn(name, |c| async move {
            for _ in 0..3 {
                c.enter(machine::function!("called"));
                c.inc().await;
                c.leave();
            }
        });
    }
}
