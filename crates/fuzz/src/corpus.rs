// SPDX-License-Identifier: GPL-2.0-only
//! Scenarios to begin with: those that are shipped, and those that have shown something new.

use std::{collections::BTreeSet, fs, io, path::Path, sync::Arc};

use scenario::{Scenario, Source};

use crate::judge::Seen;

/// More of them would only dilute each other.
const MAX_FOUND: usize = 2000;

/// Files that are worth changing.
#[derive(Debug, Default)]
pub struct Corpus {
    /// Those to begin with.
    pub(crate) shipped: Vec<Vec<u8>>,
    /// Those that have shown something new.
    pub(crate) learnt: Vec<Vec<u8>>,
    /// The scenarios of the directory.
    pub(crate) scenarios: Vec<(String, Arc<Scenario>)>,
    seen: BTreeSet<String>,
}

impl Corpus {
    /// The scenarios of a directory.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or is no scenario.
    pub fn of(directory: &Path) -> io::Result<Self> {
        let mut paths = Vec::new();
        for entry in fs::read_dir(directory)? {
            paths.push(entry?.path());
        }
        paths.sort();
        let mut corpus = Corpus::default();
        for path in paths.iter().filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        {
            let text = fs::read(path)?;
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let invalid = |_| io::Error::other(format!("{name} is no scenario"));
            let source = Source::from_bytes(&name, text.clone()).map_err(|error| invalid(vec![error]))?;
            let scenario = scenario::read(&source).map_err(invalid)?;
            corpus.scenarios.push((name, Arc::new(scenario)));
            corpus.shipped.push(text);
        }
        Ok(corpus)
    }
    /// One more file to begin with.
    pub(crate) fn add(&mut self, text: Vec<u8>) {
        self.shipped.push(text);
    }
    /// Keeps a file that has shown something new; whether it did.
    pub fn learn(&mut self, text: &[u8], seen: Seen) -> bool {
        let before = self.seen.len();
        self.seen.extend(seen);
        let is_new = self.seen.len() > before;
        if is_new {
            if self.learnt.len() >= MAX_FOUND {
                self.learnt.remove(0);
            }
            self.learnt.push(text.to_vec());
        }
        is_new
    }
    /// The kernel functions that nothing has entered yet.
    pub fn unseen_functions(&self) -> impl Iterator<Item = &'static str> {
        let is_unseen = |function: &&&str| !self.seen.contains(&format!("function {function}"));
        scenario::FUNCTIONS.iter().filter(is_unseen).copied()
    }
    /// The codes of diagnostics that nothing has shown yet.
    pub fn unseen_codes(&self) -> impl Iterator<Item = &'static str> {
        let is_unseen = |code: &&str| !self.seen.iter().any(|seen| seen.starts_with(*code));
        scenario::CODES.iter().map(|(code, _)| *code).filter(is_unseen)
    }
    /// How much was seen.
    pub fn seen(&self) -> usize {
        self.seen.len()
    }
}
