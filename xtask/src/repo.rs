// SPDX-License-Identifier: GPL-2.0-only
//! The repository as the checks see it: texts with paths, and what is wrong with them.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The top of the repository that this program was built from.
pub(crate) fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_owned()
}

/// A file of text.
#[derive(Debug)]
pub(crate) struct Text {
    /// From the top of the repository, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Text {
    /// Its lines with their numbers.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines())
    }
}

/// All files of text of a repository, in the order of their paths.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) files: Vec<Text>,
}

impl Tree {
    /// What git tracks or would track. Files that are no text are left out.
    pub(crate) fn read(root: &Path) -> Result<Self, String> {
        let listed = output(root, "git", &["ls-files", "-z", "-co", "--exclude-standard"])?;
        let mut paths: Vec<&str> = listed.split('\0').filter(|path| !path.is_empty()).collect();
        paths.sort_unstable();
        paths.dedup();
        let mut files = Vec::new();
        for path in paths {
            // Git also lists a file that was deleted and is not yet committed as such.
            let Ok(bytes) = fs::read(root.join(path)) else { continue };
            if let Ok(text) = String::from_utf8(bytes) {
                files.push(Text { path: path.to_owned(), text });
            }
        }
        Ok(Tree { files })
    }

    /// The text of one file.
    pub(crate) fn get(&self, path: &str) -> Option<&Text> {
        self.files.iter().find(|file| file.path == path)
    }

    /// A made-up tree.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let files = files.iter().map(|&(path, text)| Text { path: path.to_owned(), text: text.to_owned() });
        Tree { files: files.collect() }
    }
}

/// Runs a program and returns what it prints.
pub(crate) fn output(root: &Path, program: &str, args: &[&str]) -> Result<String, String> {
    let shown = format!("{program} {}", args.join(" "));
    let mut command = Command::new(program);
    let output = command.args(args).current_dir(root).stderr(std::process::Stdio::inherit()).output();
    let output = output.map_err(|error| format!("`{shown}` did not start: {error}"))?;
    if !output.status.success() {
        return Err(format!("`{shown}` failed: {}", output.status));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("`{shown}` did not print UTF-8"))
}

/// Something wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Complaint {
    pub(crate) path: String,
    /// 0: the file as a whole.
    pub(crate) line: usize,
    pub(crate) what: String,
}

impl Complaint {
    pub(crate) fn new(path: &str, line: usize, what: impl Into<String>) -> Self {
        Complaint { path: path.to_owned(), line, what: what.into() }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.what),
            line => write!(f, "{}:{line}: {}", self.path, self.what),
        }
    }
}

/// What a check found.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) complaints: Vec<Complaint>,
    /// One line: what was looked at.
    pub(crate) summary: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_is_a_place_and_a_sentence() {
        assert_eq!(Complaint::new("a.rs", 3, "too long").to_string(), "a.rs:3: too long");
        assert_eq!(Complaint::new("a.rs", 0, "too long").to_string(), "a.rs: too long");
    }

    #[test]
    fn the_root_holds_this_file() {
        assert!(root().join("xtask/src/repo.rs").is_file());
    }

    #[test]
    fn a_program_that_fails_is_an_error() {
        assert!(output(&root(), "git", &["rev-parse", "--quiet", "--verify", "no-such-branch"]).is_err());
        assert!(output(&root(), "no-such-program", &[]).is_err());
    }
}
