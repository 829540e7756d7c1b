// SPDX-License-Identifier: GPL-2.0-only
//! The format from outside: what is refused and how, and what runs.

mod common;
mod diagnostics;
mod faults;
mod random;
mod robust;
mod runs;
mod subsystems;
mod tasks;
