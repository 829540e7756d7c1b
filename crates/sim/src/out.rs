// SPDX-License-Identifier: GPL-2.0-only
//! Where text goes: results to stdout, everything else to stderr.

use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

use report::{
    Paint,
    json::{self, Message},
};

use crate::{
    args::{Format, When},
    code::Stop,
};

/// `1 run`, `2 runs`
pub(crate) fn count(n: u64, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// The two streams, and whether each is coloured.
#[derive(Debug)]
pub(crate) struct Out {
    stdout: BufWriter<StdoutLock<'static>>,
    pub(crate) paint: Paint,
    color_errors: bool,
    /// What messages look like.
    format: Format,
    /// How many bytes of details may still be printed.
    left: u64,
    /// How many lines of them were not.
    left_out: u64,
}

impl Out {
    pub(crate) fn new(when: When, format: Format) -> Self {
        let coloured = |is_terminal: bool| match when {
            When::Always => true,
            When::Never => false,
            When::Auto => {
                is_terminal && std::env::var_os("NO_COLOR").is_none_or(|no_color| no_color.is_empty())
            }
        };
        let paint = if coloured(io::stdout().is_terminal()) { Paint::Always } else { Paint::Never };
        let color_errors = coloured(io::stderr().is_terminal());
        let stdout = BufWriter::new(io::stdout().lock());
        Out { stdout, paint, color_errors, format, left: u64::MAX, left_out: 0 }
    }
    /// A result, with a line end.
    pub(crate) fn line(&mut self, text: &str) -> Result<(), Stop> {
        self.stdout.write_all(text.as_bytes())?;
        Ok(self.stdout.write_all(b"\n")?)
    }
    /// At most so many bytes of details are printed.
    pub(crate) fn limit_details(&mut self, bytes: u64) {
        self.left = bytes;
    }
    /// How many lines of details were left out.
    pub(crate) fn left_out(&self) -> u64 {
        self.left_out
    }
    /// What could be done without, as it is: as many whole lines of it as there is room for.
    pub(crate) fn detail(&mut self, text: &str) -> Result<(), Stop> {
        let room = usize::try_from(self.left).unwrap_or(usize::MAX);
        if self.left_out == 0 && text.len() <= room {
            self.left -= text.len() as u64;
            return self.text(text);
        }
        let fitting = text.get(..room).unwrap_or_default();
        let fitting = fitting.rfind('\n').map_or(0, |end| end + 1);
        let (first, rest) = text.split_at(if self.left_out == 0 { fitting } else { 0 });
        self.text(first)?;
        if self.left_out == 0 {
            self.line("  ... more is left out: the limit of output is reached; see --max-output ...")?;
        }
        self.left = 0;
        self.left_out += rest.lines().count() as u64;
        Ok(())
    }
    /// A line that could be done without.
    pub(crate) fn detail_line(&mut self, text: &str) -> Result<(), Stop> {
        self.detail(&format!("{text}\n"))
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
        if self.format == Format::Human {
            return self.message(&format!("{}\n", error.render(source, self.color_errors)));
        }
        let (line, column) = error.line_and_column(source);
        self.message(&json::error(&Message {
            code: Some(error.code),
            message: &error.message,
            file: Some(&source.name),
            line: Some(line),
            column: Some(column),
            help: error.help.as_deref(),
            rendered: &error.render(source, false),
        }))
    }
    /// Why we cannot do what we are asked for.
    pub(crate) fn error(&mut self, message: &str) -> Result<(), Stop> {
        self.own("error", message, json::error)
    }
    /// What is worth knowing.
    pub(crate) fn note(&mut self, message: &str) -> Result<(), Stop> {
        self.own("note", message, json::note)
    }
    fn own(&mut self, kind: &str, message: &str, as_json: fn(&Message<'_>) -> String) -> Result<(), Stop> {
        let rendered = format!("{kind}: {message}");
        match self.format {
            Format::Human => self.message(&rendered),
            Format::Json => {
                self.message(&as_json(&Message { message, rendered: &rendered, ..Message::default() }))
            }
        }
    }
    fn message(&mut self, text: &str) -> Result<(), Stop> {
        let flushed = self.flush(); // first, where both streams are the same
        let _ = writeln!(io::stderr(), "{text}"); // nobody can be told that telling failed
        flushed
    }
    pub(crate) fn flush(&mut self) -> Result<(), Stop> {
        Ok(self.stdout.flush()?)
    }
}
