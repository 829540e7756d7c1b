// SPDX-License-Identifier: GPL-2.0-only
//! Models of the unmodified port that loom explores: what a scenario shows on one machine, these show under the C11
//! memory model.
//!
//! A model is an async function on a bus. It boots the port, which is one task and so costs no execution, spawns
//! the few tasks whose interleavings are of interest, waits for them and for the kworker, and looks at what is left.
//! Loom runs at most five tasks, `main` and kernel threads included: two tasks, the kworker, and one to spare.
//!
//! Each model can be damaged, to show that it would notice.

mod explore;
mod lookup;
mod puts;
mod world;

pub use explore::{Seen, explore};
pub use lookup::{Lookup, lookup_races_with_put};
pub use puts::{Damage, two_puts};
pub use world::{Pass, World};
