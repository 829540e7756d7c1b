// SPDX-License-Identifier: GPL-2.0-only
//! Checks of the repository itself: `cargo xtask check` is what continuous integration runs.
//!
//! Each check reads the repository as text or runs cargo, and depends on none of our crates: it must be able
//! to say what is wrong with a tree that does not build.

mod check;
mod fuzz;
mod layers;
mod mutants;
mod out;
mod pairing;
mod ported;
mod repo;
mod schema;
mod step;
mod tidy;

use std::process::ExitCode;

use check::Options;
use repo::Verdict;

const USAGE: &str = "\
Checks of the repository itself.

Usage: cargo xtask COMMAND

Commands:
  check [--no-test] [--deep]  everything below, with fmt, clippy, tests, documentation and a wasm build
                              --no-test: without the tests, for use after `cargo test`
                              --deep: also compare what debug and release builds of `sim` print, and run
                              every scenario under 1000 seeds, and the mutants
  mutants [ARGUMENTS]         damages each statement of the port that synchronises, and tells which damages the
                              scenarios notice (docs/mutants.md); arguments are those of `sim mutants`
  layers                      the crates depend on each other as docs/ARCHITECTURE.md says
  tidy                        rules of text: headers, lengths, banned words, links, reasons of dependencies
  ported                      the table of C items with their Rust items and the scenarios that reach them
  fuzz TARGET [--minutes N]   runs new cases of a fuzz target: bytes, scenarios or schedules (docs/FUZZING.md)
  pairing                     scenarios have snapshots, snapshots have scenarios, patches have scenarios

Exit code: 0 all is well, 1 something is wrong, 2 usage, 70 a check could not run.
";

#[derive(Debug, PartialEq)]
enum Command {
    Help,
    Check(Options),
    Fuzz(Vec<String>),
    Mutants(Vec<String>),
    Layers,
    Tidy,
    Ported,
    Pairing,
}

fn parse(args: &[String]) -> Result<Command, String> {
    let (name, rest) = args.split_first().ok_or("a command is missing")?;
    let command = match name.as_str() {
        "help" | "--help" | "-h" => Command::Help,
        "check" => {
            let mut options = Options::default();
            for arg in rest {
                match arg.as_str() {
                    "--no-test" => options.no_test = true,
                    "--deep" => options.deep = true,
                    _ => return Err(format!("check has no argument `{arg}`")),
                }
            }
            return Ok(Command::Check(options));
        }
        "fuzz" => return Ok(Command::Fuzz(rest.to_vec())),
        "mutants" => return Ok(Command::Mutants(rest.to_vec())),
        "layers" => Command::Layers,
        "tidy" => Command::Tidy,
        "ported" => Command::Ported,
        "pairing" => Command::Pairing,
        _ => return Err(format!("there is no command `{name}`")),
    };
    match rest {
        [] => Ok(command),
        [arg, ..] => Err(format!("{name} has no argument `{arg}`")),
    }
}

fn run(command: &Command) -> Result<bool, String> {
    let root = repo::root();
    let verdict = match command {
        Command::Help => {
            out::text(USAGE);
            return Ok(true);
        }
        Command::Check(options) => return check::check(&root, *options),
        Command::Fuzz(arguments) => return fuzz::run(&root, arguments),
        Command::Mutants(arguments) => return mutants::run(&root, arguments),
        Command::Layers => layers::run(&root)?,
        Command::Tidy => tidy::run(&root)?,
        Command::Ported => {
            let (table, verdict) = ported::run(&root)?;
            out::text(&table);
            verdict
        }
        Command::Pairing => pairing::run(&root)?,
    };
    Ok(print(&verdict))
}

/// Prints a verdict; whether it is a good one.
fn print(verdict: &Verdict) -> bool {
    for complaint in &verdict.complaints {
        out::line(&complaint.to_string());
    }
    out::line(&verdict.summary);
    verdict.complaints.is_empty()
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let command = match parse(&args) {
        Ok(command) => command,
        Err(why) => {
            out::error(&format!("error: {why}\n\n{USAGE}"));
            return ExitCode::from(2);
        }
    };
    match run(&command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            out::error(&format!("error: {why}\n"));
            ExitCode::from(70)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, String> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn commands_and_their_options() {
        assert_eq!(parsed("tidy"), Ok(Command::Tidy));
        let arguments = ["bytes", "--minutes", "1"].map(str::to_owned).to_vec();
        assert_eq!(parsed("fuzz bytes --minutes 1"), Ok(Command::Fuzz(arguments)));
        let arguments = ["--seeds", "9"].map(str::to_owned).to_vec();
        assert_eq!(parsed("mutants --seeds 9"), Ok(Command::Mutants(arguments)));
        assert_eq!(parsed("check"), Ok(Command::Check(Options::default())));
        let both = Options { no_test: true, deep: true };
        assert_eq!(parsed("check --deep --no-test"), Ok(Command::Check(both)));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        assert_eq!(parsed(""), Err("a command is missing".into()));
        assert_eq!(parsed("tidyy"), Err("there is no command `tidyy`".into()));
        assert_eq!(parsed("tidy --deep"), Err("tidy has no argument `--deep`".into()));
        assert_eq!(parsed("check --fast"), Err("check has no argument `--fast`".into()));
    }
}
