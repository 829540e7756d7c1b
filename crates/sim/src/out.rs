// SPDX-License-Identifier: GPL-2.0-only
//! Where text goes: results to stdout, everything else to stderr.

use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

use report::Paint;

use crate::{args::When, code::Stop};

/// The two streams, and whether each is coloured.
#[derive(Debug)]
pub(crate) struct Out {
    stdout: BufWriter<StdoutLock<'static>>,
    pub(crate) paint: Paint,
    color_errors: bool,
}

impl Out {
    pub(crate) fn new(when: When) -> Self {
        let coloured = |is_terminal: bool| match when {
            When::Always => true,
            When::Never => false,
            When::Auto => {
                is_terminal && std::env::var_os("NO_COLOR").is_none_or(|no_color| no_color.is_empty())
            }
        };
        let paint = if coloured(io::stdout().is_terminal()) { Paint::Always } else { Paint::Never };
        let color_errors = coloured(io::stderr().is_terminal());
        Out { stdout: BufWriter::new(io::stdout().lock()), paint, color_errors }
    }
    /// A result, with a line end.
    pub(crate) fn line(&mut self, text: &str) -> Result<(), Stop> {
        self.stdout.write_all(text.as_bytes())?;
        Ok(self.stdout.write_all(b"\n")?)
    }
    /// A result, as it is.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), Stop> {
        Ok(self.stdout.write_all(text.as_bytes())?)
    }
    /// What is wrong with a scenario.
    pub(crate) fn diagnostic(
        &mut self,
        error: &scenario::Diagnostic,
        source: &scenario::Source,
    ) -> Result<(), Stop> {
        self.message(&format!("{}\n", error.render(source, self.color_errors)))
    }
    /// A message of our own.
    pub(crate) fn message(&mut self, text: &str) -> Result<(), Stop> {
        self.flush()?; // in order, where both streams are the same
        let _ = writeln!(io::stderr(), "{text}"); // nobody can be told that telling failed
        Ok(())
    }
    pub(crate) fn flush(&mut self) -> Result<(), Stop> {
        Ok(self.stdout.flush()?)
    }
}
