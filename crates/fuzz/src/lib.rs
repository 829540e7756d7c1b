// SPDX-License-Identifier: GPL-2.0-only
//! Fuzzing: files, scenarios and schedules that nobody would write, and what must be true of them all the same.
//!
//! A case is a list of bytes, whoever made them. Three [`Target`]s make something of them and hold the simulator to
//! its word. `cargo test` runs some cases of each that are always the same; `cargo xtask fuzz` runs new ones for as
//! long as it is told to.

mod corpus;
mod dice;
mod generate;
mod judge;
mod mutate;
mod schedules;
mod target;

pub use corpus::Corpus;
pub use dice::bytes;
pub use generate::Generator;
pub use judge::{Judge, Seen};
pub use target::{Target, Targets};
