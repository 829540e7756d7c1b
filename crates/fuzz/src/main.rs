// SPDX-License-Identifier: GPL-2.0-only
//! Runs a target for as long as it is told to, in a process of its own: what ends that process, or keeps it busy for a
//! minute, is found as well as what panics.
#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "how long to go on is measured on this computer's clock"
)]

use std::{
    collections::BTreeMap,
    env, fs,
    io::{self, Write},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use fuzz::{Corpus, Seen, Target, Targets, bytes};

const USAGE: &str = "\
Runs cases of a fuzz target until the time is over.

Usage: fuzz TARGET [--minutes N] [--seed N] [--first N] [--cases N]

TARGET is `bytes`, `scenarios` or `schedules`. Everything that was wrong lies in target/fuzz afterwards: the input, and
what was wrong with it. Without --minutes, one. Cases of one --seed are numbered from --first; at most --cases are run.

Exit code: 0 nothing is wrong, 1 something is, 2 usage.
";

/// A case that takes longer has no end.
const PATIENCE: Duration = Duration::from_secs(120);
/// A case that takes more of a processor's time is worth a look.
const SLOW: Duration = Duration::from_secs(5);
/// A case that needs more has no limit.
const MAX_MEMORY_KB: u64 = 2 << 20;
/// Whoever has found so much has enough to do.
const MAX_FOUND: usize = 50;

#[derive(Clone, Debug)]
struct Options {
    target: Target,
    seconds: u64,
    seed: u64,
    first: u64,
    cases: u64,
    is_worker: bool,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let Some(options) = parse(&arguments) else {
        say(USAGE);
        return ExitCode::from(2);
    };
    let result = if options.is_worker { work(&options) } else { supervise(&options) };
    match result {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(why) => {
            say(&format!("error: {why}\n"));
            ExitCode::from(74)
        }
    }
}

fn say(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

fn parse(arguments: &[String]) -> Option<Options> {
    let (name, rest) = arguments.split_first()?;
    let target = Target::ALL.into_iter().find(|target| target.name() == name)?;
    let mut options = Options { target, seconds: 60, seed: 1, first: 0, cases: u64::MAX, is_worker: false };
    let mut rest = rest.iter();
    while let Some(flag) = rest.next() {
        if flag == "--worker" {
            options.is_worker = true;
            continue;
        }
        let n: u64 = rest.next()?.parse().ok()?;
        match flag.as_str() {
            "--minutes" => options.seconds = n.checked_mul(60)?,
            "--seconds" => options.seconds = n,
            "--seed" => options.seed = n,
            "--first" => options.first = n,
            "--cases" => options.cases = n,
            _ => return None,
        }
    }
    Some(options)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Where a target leaves what it found.
fn directory(target: Target) -> PathBuf {
    root().join("target/fuzz").join(target.name())
}

/// The case that is being run, for whoever finds its process dead.
fn current(target: Target) -> PathBuf {
    directory(target).join("current")
}

/// Runs workers until the time is over; how many findings there were.
fn supervise(options: &Options) -> io::Result<usize> {
    let begin = Instant::now();
    let mut found = 0;
    let mut first = options.first;
    fs::create_dir_all(directory(options.target))?;
    loop {
        let left = options.seconds.saturating_sub(begin.elapsed().as_secs());
        let cases = options.cases.saturating_sub(first - options.first);
        if left == 0 || cases == 0 || found >= MAX_FOUND {
            return Ok(found);
        }
        let mut worker = Command::new(env::current_exe()?);
        worker.args([options.target.name(), "--worker"]);
        for (flag, n) in
            [("--seconds", left), ("--seed", options.seed), ("--first", first), ("--cases", cases)]
        {
            worker.args([flag, &n.to_string()]);
        }
        let mut worker = worker.spawn()?;
        let (mut number, mut since) = (None, Instant::now());
        let how = loop {
            if let Some(status) = worker.try_wait()? {
                break status.to_string();
            }
            std::thread::sleep(Duration::from_millis(200));
            let now = running(options.target);
            if now != number {
                (number, since) = (now, Instant::now());
            } else if since.elapsed() > PATIENCE {
                worker.kill()?;
                worker.wait()?;
                break "no end".to_owned();
            }
        };
        match how.as_str() {
            "exit status: 0" => return Ok(found),
            "exit status: 1" => return Ok(found + 1),
            _ => {
                found += 1;
                let number = running(options.target).unwrap_or(first);
                let input = fs::read(current(options.target))?;
                keep(options.target, number, &input, &format!("the process ended: {how}"))?;
                first = number + 1;
            }
        }
    }
}

/// The number of the case that is being run.
fn running(target: Target) -> Option<u64> {
    let text = fs::read(current(target)).ok()?;
    let line = text.split(|byte| *byte == b'\n').next()?;
    str::from_utf8(line).ok()?.parse().ok()
}

/// Writes down what was wrong, and with what.
fn keep(target: Target, number: u64, input: &[u8], why: &str) -> io::Result<()> {
    say(&format!("{} {number}: {why}\n", target.name()));
    fs::write(directory(target).join(format!("{number}.input")), input)?;
    fs::write(directory(target).join(format!("{number}.why")), why)
}

/// Runs cases; how many findings there were.
fn work(options: &Options) -> io::Result<usize> {
    let Options { target, seed, .. } = *options;
    let begin = Instant::now();
    let corpus = Corpus::of(&root().join("scenarios"))?;
    let mut targets = Targets::new(corpus).map_err(io::Error::other)?;
    let mut found: BTreeMap<String, u64> = BTreeMap::new();
    let (mut done, mut valid, mut told) = (0_u64, 0_u64, begin);
    let mut slowest = (Duration::ZERO, 0);
    for number in options.first..options.first.saturating_add(options.cases) {
        if begin.elapsed().as_secs() >= options.seconds || found.len() >= MAX_FOUND {
            break;
        }
        let bytes = bytes(seed, number, target.length());
        fs::write(current(target), format!("{number}\n(being made)"))?;
        let mut seen = Seen::new();
        let since = busy(begin);
        let mut input = Vec::new();
        let result = catch_unwind(AssertUnwindSafe(|| {
            input = targets.input(target, &bytes)?;
            let noted = [format!("{number}\n").as_bytes(), &input].concat();
            fs::write(current(target), noted).map_err(|error| error.to_string())?;
            targets.judge(target, &input, number, &mut seen)
        }));
        let result = match result {
            Ok(result) => result,
            Err(_) => Err("panic; its message is above".to_owned()),
        };
        let result = result.and_then(|()| match memory() {
            kb @ MAX_MEMORY_KB.. => Err(format!("{kb} KB of memory")),
            _ => Ok(()),
        });
        let took = busy(begin).saturating_sub(since);
        slowest = slowest.max((took, number));
        if took > SLOW {
            keep(target, number, &input, &format!("slow: {} ms", took.as_millis()))?;
        }
        if let Err(why) = result {
            let kind = why.chars().filter(|c| !c.is_ascii_digit()).take(60).collect();
            let times = found.entry(kind).or_insert(0);
            *times += 1;
            if *times <= 3 {
                keep(target, number, &input, &why)?;
            }
        }
        done += 1;
        valid += u64::from(seen.contains("valid"));
        targets.corpus.learn(&input, seen);
        if told.elapsed() > Duration::from_secs(60) {
            told = Instant::now();
            tell(target, done, valid, &targets, begin, &found, slowest);
        }
    }
    tell(target, done, valid, &targets, begin, &found, slowest);
    if target != Target::Schedules {
        let unseen: Vec<&str> = targets.corpus.unseen_functions().collect();
        say(&format!("functions that nothing has entered: {}\n", unseen.join(" ")));
        let unseen: Vec<&str> = targets.corpus.unseen_codes().collect();
        say(&format!("errors that nothing has made: {}\n", unseen.join(" ")));
    }
    Ok(found.len())
}

fn tell(
    target: Target,
    done: u64,
    valid: u64,
    targets: &Targets,
    begin: Instant,
    found: &BTreeMap<String, u64>,
    slowest: (Duration, u64),
) {
    let (seconds, seen, memory) = (begin.elapsed().as_secs(), targets.corpus.seen(), memory() >> 10);
    say(&format!(
        "{}: {done} cases in {seconds} s, {valid} valid, {seen} things seen, {} kinds of findings, slowest {} ms \
         (case {}), {memory} MiB\n",
        target.name(),
        found.len(),
        slowest.0.as_millis(),
        slowest.1,
    ));
}

/// How long a processor has worked for us, where the system tells it; otherwise, how long it is since the beginning.
fn busy(begin: Instant) -> Duration {
    let told = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = told.split_whitespace().next().and_then(|n| n.parse().ok());
    nanoseconds.map_or_else(|| begin.elapsed(), Duration::from_nanos)
}

/// The most memory that this process has had at once, where the system tells it.
fn memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}
