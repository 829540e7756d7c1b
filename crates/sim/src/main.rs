// SPDX-License-Identifier: GPL-2.0-only
//! The command line. The only crate that prints and that reads arguments and files.

mod args;
mod check;
mod code;
mod coverage;
mod explain;
mod files;
mod interrupt;
mod list;
mod mutants;
mod new;
mod oracle;
mod out;
mod run;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use args::{Arguments, Command};
use clap::{CommandFactory, Parser, error::ErrorKind};
use clap_complete::Shell;
use code::{Code, Stop};
use out::Out;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return not_parsed(&error).into(),
    };
    interrupt::listen();
    // A panic is a bug of ours: it has told its message, and must not look like a finding.
    std::panic::catch_unwind(|| execute(arguments)).unwrap_or(Code::Internal).into()
}

/// Help and the version are results; everything else is a mistake.
fn not_parsed(error: &clap::Error) -> Code {
    let code = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Code::Clean,
        // Only paths can have a reason to be that.
        ErrorKind::InvalidUtf8 => Code::Io,
        _ => Code::Usage,
    };
    match error.print().and_then(|()| io::stdout().flush()) {
        Err(broken) if broken.kind() != io::ErrorKind::BrokenPipe => {
            let Stop::Because(code, message) = Stop::from(broken) else { return code };
            let _ = writeln!(io::stderr(), "error: {message}"); // nobody can be told that telling failed
            code
        }
        _ => code,
    }
}

/// What a shell needs to complete our arguments.
fn completions(shell: Shell, out: &mut Out) -> Result<Code, Stop> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "sim", &mut script);
    out.text(&String::from_utf8_lossy(&script))?;
    Ok(Code::Clean)
}

fn execute(arguments: Arguments) -> Code {
    let mut out = Out::new(arguments.color, arguments.command.message_format());
    let result = match arguments.command {
        Command::Run(arguments) => run::run(&arguments, &mut out),
        Command::Check { paths, message_format } => check::check(&paths, message_format, &mut out),
        Command::New { name, template } => new::new(&name, template, &mut out),
        Command::List { what, path } => list::list(what, &path, &mut out),
        Command::Schema => out.text(&scenario::schema()).map(|()| Code::Clean),
        Command::Completions { shell } => completions(shell, &mut out),
        Command::Explain { code } => explain::explain(&code, &mut out),
        Command::Oracle { files, profile } => oracle::oracle(&files, profile, &mut out),
        Command::Mutants(arguments) => mutants::mutants(&arguments, &mut out),
        Command::Coverage { path } => coverage::coverage(&path, &mut out),
    };
    let result = result.and_then(|code| out.flush().map(|()| code));
    match result {
        Ok(code) => code,
        // Whoever reads has read enough.
        Err(Stop::Unread) => Code::Clean,
        Err(Stop::Because(code, message)) => match out.error(&message) {
            Err(Stop::Because(io, _)) => code.max(io),
            _ => code,
        },
    }
}
