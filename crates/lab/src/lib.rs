// SPDX-License-Identifier: GPL-2.0-only
//! Joins scenario, machine and judges: runs scenarios and recordings.

pub mod oracle;
pub mod run;
