// SPDX-License-Identifier: GPL-2.0-only
//! One step of `cargo xtask check`: how it is shown, run, timed and summed up.

use std::{
    fmt, io,
    path::Path,
    process::{Command, ExitStatus},
};

use crate::{out, repo::Verdict};

/// What to do.
pub(crate) enum Action {
    /// Run cargo, with these variables and arguments.
    Cargo { env: &'static [(&'static str, &'static str)], args: &'static [&'static str] },
    /// Run a check of ours.
    Own(fn(&Path) -> Result<Verdict, String>),
    /// Nothing, for this reason.
    Skip(&'static str),
}

/// One step of `cargo xtask check`.
pub(crate) struct Step {
    /// The command as one would type it.
    pub(crate) shown: String,
    pub(crate) action: Action,
}

impl Step {
    pub(crate) fn cargo(env: &'static [(&'static str, &'static str)], args: &'static [&'static str]) -> Self {
        let env_shown: String = env.iter().map(|(name, value)| format!("{name}={value} ")).collect();
        Step { shown: format!("{env_shown}cargo {}", args.join(" ")), action: Action::Cargo { env, args } }
    }
    pub(crate) fn own(shown: &str, check: fn(&Path) -> Result<Verdict, String>) -> Self {
        Step { shown: shown.to_owned(), action: Action::Own(check) }
    }
    /// The same step, left out.
    pub(crate) fn skipped(self, why: &'static str) -> Self {
        Step { action: Action::Skip(why), ..self }
    }

    /// Shows it, runs it, shows how it went.
    pub(crate) fn run(self, root: &Path) -> Done {
        out::line(&format!("$ {}", self.shown));
        let clock = Clock::start();
        let outcome = match self.action {
            Action::Cargo { env, args } => {
                let mut command = Command::new("cargo");
                ended(command.args(args).envs(env.iter().copied()).current_dir(root).status())
            }
            Action::Own(check) => {
                let verdict = check(root);
                if let Ok(Verdict { complaints, summary }) = &verdict {
                    complaints.iter().for_each(|complaint| out::line(&format!("  {complaint}")));
                    out::line(&format!("  {summary}"));
                }
                judge(verdict)
            }
            Action::Skip(why) => Outcome::Skipped(why),
        };
        let done = Done { shown: self.shown, outcome, millis: clock.millis() };
        out::line(&format!("  {done}\n"));
        done
    }
}

fn ended(status: io::Result<ExitStatus>) -> Outcome {
    match status {
        Ok(status) if status.success() => Outcome::Passed,
        Ok(status) => Outcome::Failed(status.to_string()),
        Err(error) => Outcome::Failed(error.to_string()),
    }
}

fn judge(verdict: Result<Verdict, String>) -> Outcome {
    match verdict.map(|verdict| verdict.complaints.len()) {
        Ok(0) => Outcome::Passed,
        Ok(n) => Outcome::Failed(format!("complaints: {n}")),
        Err(why) => Outcome::Failed(why),
    }
}

/// How a step went.
#[derive(Debug, PartialEq)]
pub(crate) enum Outcome {
    Passed,
    Failed(String),
    Skipped(&'static str),
}

/// A step that has run.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) shown: String,
    pub(crate) outcome: Outcome,
    pub(crate) millis: u128,
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = format!("{}.{} s", self.millis / 1000, self.millis % 1000 / 100);
        match &self.outcome {
            Outcome::Passed => write!(f, "ok       {time:>8}"),
            Outcome::Failed(why) => write!(f, "FAILED   {time:>8}  {why}"),
            Outcome::Skipped(why) => write!(f, "skipped  {:>8}  {why}", ""),
        }
    }
}

/// The summary at the end, and whether nothing failed.
pub(crate) fn sum_up(done: &[Done]) -> (String, bool) {
    let width = done.iter().map(|step| step.shown.len()).max().unwrap_or(0);
    let mut text = String::new();
    for step in done {
        text += format!("{:width$}  {step}", step.shown).trim_end();
        text.push('\n');
    }
    let count = |wanted: fn(&Outcome) -> bool| done.iter().filter(|step| wanted(&step.outcome)).count();
    let failed = count(|outcome| matches!(outcome, Outcome::Failed(_)));
    let passed = count(|outcome| matches!(outcome, Outcome::Passed));
    let skipped = count(|outcome| matches!(outcome, Outcome::Skipped(_)));
    let millis: u128 = done.iter().map(|step| step.millis).sum();
    text += &format!("{passed} passed, {failed} failed, {skipped} skipped in {} s\n", millis / 1000);
    (text, failed == 0)
}

#[expect(clippy::disallowed_types, reason = "how long a check takes is a fact about this computer")]
struct Clock(std::time::Instant);

#[expect(clippy::disallowed_types, reason = "how long a check takes is a fact about this computer")]
impl Clock {
    fn start() -> Self {
        Clock(std::time::Instant::now())
    }
    fn millis(&self) -> u128 {
        self.0.elapsed().as_millis()
    }
}

/// Whether the crate is there: some checks begin with it.
pub(crate) fn has_crate(root: &Path, name: &str) -> bool {
    root.join("crates").join(name).join("Cargo.toml").is_file()
}

/// Whether the standard library for a target is installed.
pub(crate) fn has_target(root: &Path, target: &str) -> bool {
    let mut rustc = Command::new("rustc");
    // Not shown: what rustc says about a target that it does not know.
    let printed = rustc.args(["--print", "target-libdir", "--target", target]).current_dir(root).output();
    printed.is_ok_and(|output| {
        output.status.success() && Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::{self, Complaint};

    fn verdict(complaints: Vec<Complaint>) -> Result<Verdict, String> {
        Ok(Verdict { complaints, summary: "looked at nothing".into() })
    }

    #[test]
    fn a_step_is_shown_as_one_would_type_it() {
        let step = Step::cargo(&[("RUSTDOCFLAGS", "-Dwarnings")], &["doc", "--no-deps"]);
        assert_eq!(step.shown, "RUSTDOCFLAGS=-Dwarnings cargo doc --no-deps");
    }

    #[test]
    fn complaints_and_errors_fail_a_step() {
        assert_eq!(judge(verdict(vec![])), Outcome::Passed);
        assert_eq!(
            judge(verdict(vec![Complaint::new("a", 1, "b")])),
            Outcome::Failed("complaints: 1".into())
        );
        assert_eq!(judge(Err("no".into())), Outcome::Failed("no".into()));
    }

    #[test]
    fn a_failing_command_fails_its_step() {
        let git = |args: &[&str]| {
            ended(Command::new("git").args(args).current_dir(repo::root()).output().map(|o| o.status))
        };
        assert_eq!(git(&["rev-parse", "--git-dir"]), Outcome::Passed);
        assert!(matches!(git(&["no-such-command"]), Outcome::Failed(_)));
        assert!(matches!(ended(Command::new("no-such-program").status()), Outcome::Failed(_)));
    }

    #[test]
    fn the_summary_names_every_step_and_fails_on_one() {
        let step = |shown: &str, outcome, millis| Done { shown: shown.into(), outcome, millis };
        let done = [
            step("cargo fmt", Outcome::Passed, 1234),
            step("x", Outcome::Failed("signal".into()), 10),
            step("wasm", Outcome::Skipped("not installed"), 0),
        ];
        let (text, good) = sum_up(&done);
        assert_eq!(
            text,
            "cargo fmt  ok          1.2 s\n\
             x          FAILED      0.0 s  signal\n\
             wasm       skipped            not installed\n\
             1 passed, 1 failed, 1 skipped in 1 s\n"
        );
        assert!(!good);
        assert!(sum_up(&done[..1]).1);
    }

    #[test]
    fn what_is_not_there_is_not_there() {
        assert!(!has_crate(&repo::root(), "no-such-crate"));
        assert!(!has_target(&repo::root(), "no-such-target"));
        assert!(has_crate(&repo::root(), "netns"));
    }
}
