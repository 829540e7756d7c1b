// SPDX-License-Identifier: GPL-2.0-only
//! Where the checks speak. A reader that has gone away (`cargo xtask ported | head`) is no error.

use std::io::{self, Write};

/// Prints a text as it is.
pub(crate) fn text(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// Prints one line.
pub(crate) fn line(line: &str) {
    text(&format!("{line}\n"));
}

/// Prints to stderr a text as it is.
pub(crate) fn error(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
