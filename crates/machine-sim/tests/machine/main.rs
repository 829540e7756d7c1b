// SPDX-License-Identifier: GPL-2.0-only
//! The simulated machine, with programs that are made of bare operations.

mod checkers;
mod clocks;
mod hash;
mod limits;
mod schedule;
mod setup;
