// SPDX-License-Identifier: GPL-2.0-only
//! Each checker fires where it must, and is silent where it must be.

mod kmemleak;
mod list;
mod lockdep;
mod rcu;
mod refcount;
mod setup;
mod workqueue;
