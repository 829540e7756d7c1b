// SPDX-License-Identifier: GPL-2.0-only
//! Linux's primitives on the simulated machine: short programs, each of one rule of v4.11.

mod completion;
mod context;
mod deadlock;
mod dispatch;
mod ida;
mod idr;
mod interrupts;
mod kasan;
mod kcsan;
mod list;
mod mutex;
mod oops;
mod rcu;
mod rcu_tree;
mod scheduling;
mod setup;
mod slab;
mod time;
mod watchdog;
mod workqueue;
