// SPDX-License-Identifier: GPL-2.0-only
//! The loom machine: runs the same kernel code under loom, for loom's memory model.
//!
//! Each task is a loom thread that polls its future, applies what the task said, performs what it announced on
//! loom's objects, and polls again. Values lie in the memory of the bus; loom's objects stand beside them and say
//! which accesses are ordered, and which stale value a marked read may see. Loom takes its decisions inside its
//! objects; nothing else switches threads.
//!
//! ```
//! use kernel::{Kernel, Pointer};
//! use machine_loom::{Bounds, explore};
//!
//! kernel::object! {
//!     struct CounterPtr("struct counter", "counter", "kmalloc") {
//!         value: kernel::Plain<i64>,
//!     }
//! }
//!
//! let failure = explore(Bounds::default(), |bus| async move {
//!     let k = Kernel::new(&bus);
//!     let counter = k.kzalloc::<CounterPtr>("counter", kernel::Gfp::Kernel).await.expect("memory");
//!     let other = k.clone();
//!     k.spawn("other", None, async move { counter.value().write(&other, 1).await });
//!     counter.value().read(&k).await;
//! })
//! .expect_err("nothing orders the two");
//! assert!(failure.text.starts_with("BUG: KCSAN: data-race in start / start: counter 1->value"), "{failure}");
//! ```
//!
//! What this machine orders more than the kernel does, so that it may miss a race:
//!
//! * read-side critical sections and grace periods go through one mutex;
//! * a full barrier is a sequentially consistent fence, and loom orders all of those with each other;
//! * a task that could go on while another is in the middle of a step goes on after the step, and is ordered after it.
//!
//! And what it does not have: CPUs, softirqs that interrupt, signals (`mutex_lock_killable()` always succeeds), time,
//! more than [`loom::MAX_THREADS`] tasks, and a schedule after a bug: the first finding ends the exploration.

mod cell;
mod checks;
mod explore;
mod machine;
mod object;
mod report;
mod shadow;
mod sync;
mod thread;

pub use crate::explore::{Bounds, Explored, Failure, explore};
