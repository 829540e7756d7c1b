// SPDX-License-Identifier: GPL-2.0-only
//! What is reported of runs that are made by hand.

mod common;
mod finding;
mod lockdep;
mod timeline;
