// SPDX-License-Identifier: GPL-2.0-only
//! `cargo xtask mutants`: builds `sim` for speed, and lets it look for damage that no scenario notices.

use std::{path::Path, process::Command};

/// Runs it; whether all survivors are known.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<bool, String> {
    let status = Command::new("cargo")
        .args(["run", "--quiet", "--release", "--package", "sim", "--", "mutants"])
        .args(arguments)
        .current_dir(root)
        .status()
        .map_err(|error| format!("cargo cannot be started: {error}"))?;
    match status.code() {
        Some(0) => Ok(true),
        Some(1) => Ok(false),
        _ => Err(format!("sim mutants ended with {status}")),
    }
}
