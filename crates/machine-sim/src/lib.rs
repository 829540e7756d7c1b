// SPDX-License-Identifier: GPL-2.0-only
//! The simulated machine: every scheduling decision is a [`Driver`](machine::Driver)'s, every bug is a value.
//!
//! A [`Sim`] is plain data behind `&mut self`. Tasks cannot reach it: they speak through the bus, so nothing here is
//! shared, counted or borrowed at run time. Its tables are cleared, not freed, between executions.

mod clock;
mod config;
mod cpu;
mod dispatch;
mod driver;
mod kcsan;
mod locks;
mod memory;
mod observed;
mod rcu;
mod sched;
mod schedule;
mod shadow;
mod sim;
mod stuck;
mod tasks;
mod time;

pub use config::{Checks, Config, Limit, Outcome, Preempt, RcuModel};
pub use driver::{First, MAX_RUNS, Recorded, Seeded};
pub use machine::{Clock, Costs};
pub use schedule::{Diverged, Schedule, ScheduleError, Standing, Why, render};
pub use sim::Sim;
