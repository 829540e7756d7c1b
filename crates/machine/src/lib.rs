// SPDX-License-Identifier: GPL-2.0-only
//! The seam between kernel code and the machine that runs it.
//!
//! A task of kernel code is a future. Between two of its suspensions it may read and write simulated [`Memory`] and
//! *say* any number of [`Effect`]s, which release or touch something and return nothing. Then it *announces* one
//! [`Op`], suspends, and is resumed with the operation's answer. So there is one rule:
//!
//! > What a task learns from the machine, it awaits. What it merely does, it says.
//!
//! All of it is plain data in a [`Bus`]. A machine is a loop that picks a task whose announced operation can be
//! performed, performs it, polls the task with the answer, and applies what the task said:
//!
//! ```
//! use std::{future::Future, pin::pin, task::{Context, Poll, Waker}};
//! use machine::{Bus, CellKind, Current, Field, Layout, Op, Order, Points, Slab, TaskId, Update};
//!
//! static COUNTER: Layout = Layout {
//!     name: "struct counter", short: "counter", cache: "kmalloc",
//!     fields: &[Field { name: "count", cell: 0, cells: 1, kind: CellKind::Marked, parts: &[] }],
//! };
//! let bus = Bus::new();
//! bus.reset(Slab::Exact, 1024, Points::default());
//! let mut task = pin!(async {
//!     let count = bus.alloc(&COUNTER, 8).expect("room");
//!     bus.write(count, 41).await;
//!     bus.step(Op::Marked(count, Update::Add(1), Order::Full)).await + 1
//! });
//!
//! // The smallest machine: one task that counts.
//! let current = Current { task: TaskId(0), cpu: 0 };
//! let answer = loop {
//!     match task.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
//!         Poll::Ready(answer) => break answer,
//!         Poll::Pending => match bus.take_announced().expect("a task suspends only to announce").op {
//!             Op::Marked(addr, update, _) => {
//!                 let old = bus.change(|memory| {
//!                     let place = memory.place(addr).expect("a good pointer");
//!                     let old = memory.value(place);
//!                     memory.set_value(place, update.new_value(old).unwrap_or(old));
//!                     old
//!                 });
//!                 bus.set_answer(old, current);
//!             }
//!             op => unreachable!("{op:?}"),
//!         },
//!     }
//! };
//! assert_eq!(answer, 42);
//! ```

mod addr;
mod bus;
mod checker;
mod costs;
mod driver;
mod finding;
mod hash;
mod layout;
mod locking;
mod memory;
mod names;
mod op;
mod ready;

pub use addr::{Addr, MAX_CELLS};
pub use bus::{Announced, Bus, ContextKind, Current, NewTask, Plain, Points, Said, Step, Task, Unlock};
pub use checker::{Checker, Scene};
pub use costs::{Clock, Costs};
pub use driver::{Choice, Driver, Event, Frame, Watched, What};
pub use finding::{Access, Bug, Cell, Finding, Kind, Loc};
pub use hash::TraceHash;
pub use layout::{CellKind, Field, Layout};
pub use locking::{Dependency, Leaving, LockProblem, LockReport, TakenLock, Usage, UsedClass};
pub use memory::{BadPointer, Memory, Object, OutOfMemory, Place, Slab};
pub use names::{Function, STEP, Symbol, Symbols, Tracepoint, name_hash};
pub use op::{Effect, Fault, Locking, Op, Order, Section, TaskId, Update};
pub use ready::{Ready, TaskSet};
