// SPDX-License-Identifier: GPL-2.0-only
//! `sim oracle`: recordings of the original file, and of a real kernel, against the port.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
};

use lab::oracle::{Line, Profile, Verdict, experiments, run_experiments, run_line};

use crate::{
    args::Kernel,
    code::{Code, Stop, go_on},
    out::Out,
};

/// A line that is longer is no sequence.
const MAX_LINE: u64 = 64 << 20;

/// How many sequences ended in which way.
#[derive(Debug, Default)]
struct Count {
    agree: usize,
    differ: usize,
    skipped: usize,
    invalid: usize,
}

pub(crate) fn oracle(paths: &[String], kernel: Kernel, out: &mut Out) -> Result<Code, Stop> {
    let profile = match kernel {
        Kernel::V4_11 => Profile::V4_11,
        Kernel::V6_18 => Profile::V6_18,
    };
    let mut count = Count::default();
    for path in paths {
        match experiments_of(path)? {
            Some(text) => {
                for line in run_experiments(&text, profile).into_iter().flatten() {
                    report(path, line, out, &mut count)?;
                }
            }
            None => file(path, out, &mut count)?,
        }
    }
    let Count { agree, differ, skipped, invalid } = count;
    let invalid_text = if invalid > 0 { format!(", {invalid} invalid") } else { String::new() };
    out.line(&format!("{agree} agree, {differ} differ, {skipped} skipped{invalid_text}"))?;
    Ok(match count {
        Count { invalid: 1.., .. } => Code::Usage,
        Count { differ: 1.., .. } => Code::Diverged,
        Count { agree: 0, .. } => return Err(Stop::usage("there is no sequence that could be judged")),
        _ => Code::Clean,
    })
}

/// The text of a file, if it is one of experiments: a single JSON value.
fn experiments_of(path: &str) -> Result<Option<String>, Stop> {
    let error = |error| Stop::file(path, &error);
    let mut bytes = Vec::new();
    File::open(path).map_err(error)?.take(MAX_LINE).read_to_end(&mut bytes).map_err(error)?;
    Ok(String::from_utf8(bytes).ok().filter(|text| experiments(text).is_some()))
}

fn file(path: &str, out: &mut Out, count: &mut Count) -> Result<(), Stop> {
    let error = |error| Stop::file(path, &error);
    let mut reader = BufReader::new(File::open(path).map_err(error)?);
    let mut bytes = Vec::new();
    for number in 1.. {
        bytes.clear();
        let length = reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut bytes).map_err(error)?;
        if length == 0 {
            break;
        }
        let text = match std::str::from_utf8(&bytes) {
            Ok(text) if length as u64 == MAX_LINE && !text.ends_with('\n') => {
                return Err(Stop::usage(format_args!(
                    "{path}:{number}:1: the line is longer than {MAX_LINE} bytes"
                )));
            }
            Ok(text) => text.trim(),
            Err(error) => {
                let column = error.valid_up_to() + 1;
                return Err(Stop::usage(format_args!("{path}:{number}:{column}: this is not UTF-8")));
            }
        };
        if text.is_empty() {
            continue;
        }
        report(path, run_line(number, text), out, count)?;
    }
    Ok(())
}

fn report(path: &str, line: Line, out: &mut Out, count: &mut Count) -> Result<(), Stop> {
    let Count { agree, differ, .. } = *count;
    go_on(|| format!("after {agree} that agree and {differ} that differ"))?;
    let Line { number, id, title, verdict } = line;
    match verdict {
        Verdict::Agree => {
            count.agree += 1;
            out.line(&format!("agree    {id} {title}"))
        }
        Verdict::Differ(difference) => {
            count.differ += 1;
            out.line(&format!("differ   {id} {title}: {difference}"))
        }
        Verdict::Skipped(why) => {
            count.skipped += 1;
            out.line(&format!("skipped  {id} {title}: {why}"))
        }
        Verdict::Invalid(why) => {
            count.invalid += 1;
            let of = if id.is_empty() { String::new() } else { format!("{id}: ") };
            out.error(&format!("{path}:{number}: {of}{why}"))
        }
    }
}
