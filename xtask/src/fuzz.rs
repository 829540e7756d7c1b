// SPDX-License-Identifier: GPL-2.0-only
//! `cargo xtask fuzz`: builds the fuzzer as tests are built, with overflow checks, and runs one of its targets.

use std::{path::Path, process::Command};

/// Runs it; whether it has found nothing.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<bool, String> {
    let status = Command::new("cargo")
        .args(["run", "--quiet", "--package", "fuzz", "--"])
        .args(arguments)
        .current_dir(root)
        .status()
        .map_err(|error| format!("cargo cannot be started: {error}"))?;
    match status.code() {
        Some(0) => Ok(true),
        Some(1) => Ok(false),
        _ => Err(format!("the fuzzer ended with {status}")),
    }
}
