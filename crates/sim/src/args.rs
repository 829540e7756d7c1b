// SPDX-License-Identifier: GPL-2.0-only
//! The arguments.

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::{list::What, new::Template};

/// The network-namespace core of Linux v4.11 on a simulated machine: runs scenarios, in which every scheduling
/// decision is chosen, recorded and replayable.
#[derive(Debug, Parser)]
#[command(name = "sim", version, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    /// Colours: `auto` if the output is a terminal and NO_COLOR is not set.
    #[arg(long, global = true, value_enum, default_value_t = When::Auto, value_name = "WHEN")]
    pub(crate) color: When,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0   everything is as expected
  1   a finding, or an expectation that does not hold
  2   the arguments make no sense, or a scenario is invalid
  3   inconclusive: a limit ended an execution
  4   a schedule could not be followed, or a recording differs
  70  a bug in sim
  74  a file cannot be read, or the output cannot be written
  130 interrupted by ctrl-C: what was known by then is told";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs scenarios: one with its timeline, several with a line each.
    Run(RunArguments),
    /// Checks scenarios without running them.
    Check {
        /// Scenarios, or directories of them.
        #[arg(required = true, value_name = "FILE|DIR")]
        paths: Vec<String>,
        /// For people, or JSON lines: an object for each error, on stderr.
        #[arg(long, value_enum, default_value_t = Format::Human, value_name = "FORMAT")]
        message_format: Format,
    },
    /// Writes the beginning of a scenario to a new file.
    New {
        /// The file, with or without `.json`.
        #[arg(value_name = "NAME")]
        name: String,
        /// What it begins with.
        #[arg(long, value_enum, default_value_t = Template::Minimal, value_name = "TEMPLATE")]
        template: Template,
    },
    /// Lists scenarios, or the words that they may use.
    List {
        /// What to list.
        #[arg(value_enum, default_value_t = What::Scenarios, value_name = "WHAT")]
        what: What,
        /// A directory of scenarios.
        #[arg(default_value = "scenarios", value_name = "DIR")]
        path: String,
    },
    /// Prints the JSON Schema of scenarios, for editors.
    Schema,
    /// Prints completions of these commands for a shell.
    Completions {
        /// Which shell.
        #[arg(value_enum, value_name = "SHELL")]
        shell: Shell,
    },
    /// Explains the code of an error in a scenario (S006) or of a finding (kasan-use-after-free).
    Explain {
        /// The code.
        code: String,
    },
    /// Runs recordings of the original C file, or of a real kernel, against the port: agree, differ, or skipped, for
    /// each sequence or experiment.
    Oracle {
        /// Recordings: sequences as JSON lines, or experiments as one JSON object.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<String>,
        /// Which kernel the port is to be in experiments: v4.11, or the one that was recorded.
        #[arg(long, value_enum, default_value_t = Kernel::V4_11, value_name = "KERNEL")]
        profile: Kernel,
    },
    /// Damages each statement of the port that synchronises, and tells which damages the scenarios notice.
    Mutants(MutantsArguments),
    /// Lists which kernel functions the runs of which scenarios enter.
    Coverage {
        /// A directory of scenarios.
        #[arg(default_value = "scenarios", value_name = "DIR")]
        path: String,
    },
}

impl Command {
    /// What results and messages look like.
    pub(crate) fn message_format(&self) -> Format {
        match self {
            Command::Run(RunArguments { message_format, .. })
            | Command::Mutants(MutantsArguments { message_format, .. })
            | Command::Check { message_format, .. } => *message_format,
            _ => Format::Human,
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct MutantsArguments {
    /// A directory of scenarios.
    #[arg(default_value = "scenarios", value_name = "DIR")]
    pub(crate) path: String,
    /// How many seeds a run without a schedule has, from 0; fewer where its executions are long.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) seeds: u64,
    /// Only mutants whose SITE:OPERATOR contains this.
    #[arg(long, value_name = "TEXT")]
    pub(crate) site: Option<String>,
    /// A page with tables of survivors that are known: site, operator, and the reason, or `open`.
    #[arg(long, value_name = "FILE", default_value = "docs/mutants.md")]
    pub(crate) explained: String,
    /// For people, or JSON lines: an object for each mutant.
    #[arg(long, value_enum, default_value_t = Format::Human, value_name = "FORMAT")]
    pub(crate) message_format: Format,
}

#[derive(Args, Debug)]
pub(crate) struct RunArguments {
    /// Scenarios, or directories of them.
    #[arg(required = true, value_name = "FILE|DIR")]
    pub(crate) paths: Vec<String>,
    /// Only the run of this name. The first run without one is called `default`, the n-th `run-N`.
    #[arg(long, value_name = "NAME")]
    pub(crate) run: Option<String>,
    /// Schedules at random from this seed, instead of as the scenario says. Its expectations are not judged then.
    #[arg(long, value_name = "N", conflicts_with = "schedule")]
    pub(crate) seed: Option<u64>,
    /// Executes each run with the seeds 0 to N - 1, and tells how often what was found. Of the expectations of a run
    /// without `seeds` only the findings are judged: if it expects some, one of them must be found at least once,
    /// and if it expects none, none.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    #[arg(conflicts_with_all = ["seed", "schedule", "fail_nth"])]
    pub(crate) seeds: Option<u64>,
    /// Schedules by this text, instead of as the scenario says: `put until __put_net, lookup*3, put`. Its expectations
    /// are not judged then.
    #[arg(long, value_name = "TEXT")]
    pub(crate) schedule: Option<String>,
    /// Damages a statement of the port that synchronises, as `sim mutants` names it: `cleanup_net/mutex_lock#1:omit`.
    #[arg(long, value_name = "SITE:OPERATOR")]
    pub(crate) mutant: Option<String>,
    /// Lets the n-th allocation fail: of the run's sweep, or without one of all that tasks make. Expectations are not
    /// judged then.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) fail_nth: Option<u64>,
    /// Ends an execution after so many operations, instead of as the scenario says.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_steps: Option<u64>,
    /// Lets an execution have so many MiB of simulated memory, instead of as the scenario says. The program itself may
    /// take four times as much.
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) max_memory: Option<u32>,
    /// Ends after so many seconds, whatever is running then. What was known by then is told.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_time: Option<u64>,
    /// Prints at most so many MiB of timelines, reports of findings and what is left at the end. Verdicts are printed
    /// in any case.
    #[arg(long, value_name = "MIB", default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    pub(crate) max_output: u64,
    /// For people, or JSON lines: findings, then the result of each run; errors on stderr.
    #[arg(long, value_enum, default_value_t = Format::Human, value_name = "FORMAT")]
    pub(crate) message_format: Format,
    /// Shows everything: timelines of several scenarios, every memory access, the boot.
    #[arg(long, short)]
    pub(crate) verbose: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    Auto,
    Always,
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kernel {
    #[value(name = "4.11")]
    V4_11,
    #[value(name = "6.18")]
    V6_18,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Human,
    Json,
}
