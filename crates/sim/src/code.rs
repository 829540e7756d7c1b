// SPDX-License-Identifier: GPL-2.0-only
//! Exit codes, and why a command ends early.

use std::{fmt, io, process::ExitCode};

use crate::interrupt::{self, Why};

/// How a command ended. Of several, the last in this order counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Code {
    /// Everything is as expected.
    #[default]
    Clean,
    /// A limit ended an execution: nothing can be said.
    Inconclusive,
    /// A finding, or an expectation that does not hold.
    Finding,
    /// A schedule could not be followed, or a recording differs.
    Diverged,
    /// The arguments make no sense, or a scenario is invalid.
    Usage,
    /// A file cannot be read, or nothing can be written.
    Io,
    /// Ctrl-C.
    Interrupted,
    /// A bug in this program.
    Internal,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        ExitCode::from(match code {
            Code::Clean => 0,
            Code::Finding => 1,
            Code::Usage => 2,
            Code::Inconclusive => 3,
            Code::Diverged => 4,
            Code::Internal => 70,
            Code::Io => 74,
            Code::Interrupted => 130,
        })
    }
}

/// Why a command ends before it is done.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Nobody reads our output any more.
    Unread,
    /// With a message for stderr.
    Because(Code, String),
}

/// The next piece of work may begin, unless ctrl-C was pressed or the time is over; `done` says what was done by then.
pub(crate) fn go_on(done: impl FnOnce() -> String) -> Result<(), Stop> {
    match interrupt::why() {
        None => Ok(()),
        Some(Why::Signal) => Err(Stop::Because(Code::Interrupted, format!("interrupted {}", done()))),
        Some(Why::Time) => {
            let message = format!("the limit of time is reached {}; see --max-time", done());
            Err(Stop::Because(Code::Inconclusive, message))
        }
    }
}

impl Stop {
    /// The arguments make no sense.
    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Stop::Because(Code::Usage, message.to_string())
    }
    /// A file cannot be read.
    pub(crate) fn file(path: &str, error: &io::Error) -> Self {
        Stop::Because(Code::Io, format!("{path}: {}", words(error)))
    }
}

impl From<io::Error> for Stop {
    /// An error while writing.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Stop::Unread,
            _ => Stop::Because(Code::Io, format!("cannot write: {}", words(&error))),
        }
    }
}

/// An error without the number that Rust puts behind it.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}
