// SPDX-License-Identifier: GPL-2.0-only
//! Calls of `sim` from the top of the repository, and files for it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// What a call left behind.
#[derive(Debug)]
pub(crate) struct Called {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The top of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A call that has not begun.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sim"));
    command.args(arguments).current_dir(root()).stdin(Stdio::null());
    command
}

/// Calls `sim`.
pub(crate) fn sim(arguments: &[&str]) -> Called {
    let Output { status, stdout, stderr } = command(arguments).output().expect("sim can be started");
    let text = |bytes| String::from_utf8(bytes).expect("sim writes UTF-8");
    Called { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
}

/// A file with this content; its path.
pub(crate) fn file(name: &str, content: impl AsRef<[u8]>) -> String {
    let path = temporary(name);
    fs::write(&path, content).expect("a temporary file can be written");
    path
}

/// A path for a file or a directory of our own.
pub(crate) fn temporary(name: &str) -> String {
    format!("{}/{name}", env!("CARGO_TARGET_TMPDIR"))
}

/// All scenarios, by their paths from the top of the repository.
pub(crate) fn scenarios() -> Vec<String> {
    let mut paths = Vec::new();
    walk(&root(), Path::new("scenarios"), &mut paths);
    paths.sort();
    assert!(!paths.is_empty(), "there are scenarios");
    paths
}

fn walk(root: &Path, directory: &Path, paths: &mut Vec<String>) {
    for entry in fs::read_dir(root.join(directory)).expect("a directory of scenarios") {
        let path = directory.join(entry.expect("an entry").file_name());
        if root.join(&path).is_dir() {
            walk(root, &path, paths);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            paths.push(path.to_str().expect("a name in UTF-8").to_owned());
        }
    }
}
