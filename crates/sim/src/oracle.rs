// SPDX-License-Identifier: GPL-2.0-only
//! `sim oracle`: recordings of the original file against the port.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
};

use lab::oracle::{Verdict, run_line};

use crate::{
    code::{Code, Stop},
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

pub(crate) fn oracle(paths: &[String], out: &mut Out) -> Result<Code, Stop> {
    let mut count = Count::default();
    for path in paths {
        file(path, out, &mut count)?;
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
        let line = run_line(number, text);
        let (id, title) = (&line.id, &line.title);
        match line.verdict {
            Verdict::Agree => {
                count.agree += 1;
                out.line(&format!("agree    {id} {title}"))?;
            }
            Verdict::Differ(difference) => {
                count.differ += 1;
                out.line(&format!("differ   {id} {title}: {difference}"))?;
            }
            Verdict::Skipped(why) => {
                count.skipped += 1;
                out.line(&format!("skipped  {id} {title}: {why}"))?;
            }
            Verdict::Invalid(why) => {
                count.invalid += 1;
                out.message(&format!("error: {path}:{number}: {why}"))?;
            }
        }
    }
    Ok(())
}
