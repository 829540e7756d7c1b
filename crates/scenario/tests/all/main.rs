// SPDX-License-Identifier: GPL-2.0-only
//! The format from outside: what is refused and how, and what runs.

mod common;
mod diagnostics;
mod documentation;
mod faults;
mod places;
mod random;
mod robust;
mod runs;
mod schema;
mod subsystems;
mod tasks;
