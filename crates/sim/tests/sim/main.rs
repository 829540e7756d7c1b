// SPDX-License-Identifier: GPL-2.0-only
//! The command line from outside: its output, its exit codes, and what it does with bad input.

mod bad_input;
mod common;
mod exit_codes;
mod files;
mod interrupt;
mod limits;
mod seeds;
mod snapshots;
mod words;
