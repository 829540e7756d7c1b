// SPDX-License-Identifier: GPL-2.0-only
//! Every check fires on a small program and is silent on its fixed twin.

mod limits;
mod memory;
mod setup;
mod waiting;
