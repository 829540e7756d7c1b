// SPDX-License-Identifier: GPL-2.0-only
//! What a person or a tool reads of a run.
//!
//! * [`Timeline`] watches a run, and renders it with one column for each CPU.
//! * [`finding`] writes a finding as the kernel's own tools would.
//! * [`json`] writes findings and results as JSON lines with stable names.
//!
//! Nothing here changes a run. Text is made when someone asks for it, and while the machine's memory is still that of
//! the run: objects are named by looking at it.

mod address;
mod columns;
mod entry;
pub mod finding;
pub mod json;
mod lines;
mod paint;
mod scene;
mod standing;
mod timeline;
mod words;

pub use paint::Paint;
pub use scene::Scene;
pub use standing::standing;
pub use timeline::{Detail, Timeline};
