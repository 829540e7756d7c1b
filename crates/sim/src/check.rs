// SPDX-License-Identifier: GPL-2.0-only
//! `sim check`: what is wrong with scenarios, without running them.

use crate::{
    args::Format,
    code::{Code, Stop, go_on},
    files,
    out::{Out, count},
};

pub(crate) fn check(paths: &[String], format: Format, out: &mut Out) -> Result<Code, Stop> {
    let found = files::find(paths)?;
    let mut worst = Code::Clean;
    let mut bad = 0;
    let all = count(found.len() as u64, "scenario");
    for (done, found) in found.iter().enumerate() {
        go_on(|| format!("after {done} of {all}, {bad} of them invalid"))?;
        if let Err(code) = files::load(found, out)? {
            worst = worst.max(code);
            bad += 1;
        }
    }
    match bad {
        _ if format == Format::Json => {}
        0 => out.line(&format!("{all}: ok"))?,
        bad => out.line(&format!("{all}: {bad} invalid"))?,
    }
    Ok(worst)
}
