// SPDX-License-Identifier: GPL-2.0-only
//! Colours: what a piece of text is, and how that looks.

use anstyle::{AnsiColor, Style};

/// Whether text is coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Paint {
    /// Plain text.
    #[default]
    Never,
    /// With ANSI escape sequences.
    Always,
}

/// What a piece of text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A kernel function is entered.
    Function,
    /// A lock, a read-side critical section, a grace period.
    Lock,
    /// A task cannot go on.
    Wait,
    /// A value changes.
    Update,
    /// An object comes or goes.
    Memory,
    /// A tracepoint.
    Trace,
    /// Another task has the CPU.
    Switch,
    /// A finding.
    Finding,
    /// Headings, and lines between columns.
    Frame,
}

impl Kind {
    fn style(self) -> Style {
        match self {
            Kind::Function => Style::new(),
            Kind::Lock => AnsiColor::Yellow.on_default(),
            Kind::Wait => AnsiColor::Yellow.on_default().bold(),
            Kind::Update => AnsiColor::Cyan.on_default(),
            Kind::Memory => AnsiColor::Magenta.on_default(),
            Kind::Trace => AnsiColor::Green.on_default(),
            Kind::Switch => Style::new().bold(),
            Kind::Finding => AnsiColor::Red.on_default().bold(),
            Kind::Frame => Style::new().dimmed(),
        }
    }
}

impl Paint {
    /// The text as it looks.
    pub(crate) fn text(self, kind: Kind, text: &str) -> String {
        match self {
            Paint::Never => text.to_owned(),
            Paint::Always => {
                let style = kind.style();
                format!("{style}{text}{style:#}")
            }
        }
    }
    /// Good news.
    pub fn good(self, text: &str) -> String {
        self.text(Kind::Trace, text)
    }
    /// Bad news.
    pub fn bad(self, text: &str) -> String {
        self.text(Kind::Finding, text)
    }
    /// A heading.
    pub fn heading(self, text: &str) -> String {
        self.text(Kind::Switch, text)
    }
    /// What need not be read.
    pub fn faint(self, text: &str) -> String {
        self.text(Kind::Frame, text)
    }
}
