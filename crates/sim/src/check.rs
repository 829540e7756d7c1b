// SPDX-License-Identifier: GPL-2.0-only
//! `sim check`: what is wrong with scenarios, without running them.

use crate::{
    code::{Code, Stop, go_on},
    files,
    out::Out,
};

pub(crate) fn check(paths: &[String], out: &mut Out) -> Result<Code, Stop> {
    let found = files::find(paths)?;
    let mut worst = Code::Clean;
    let mut bad = 0;
    let all = found.len();
    for (done, found) in found.iter().enumerate() {
        go_on(|| format!("after {done} of {all} scenarios, {bad} of them invalid"))?;
        if let Err(code) = files::load(found, out)? {
            worst = worst.max(code);
            bad += 1;
        }
    }
    let s = if all == 1 { "" } else { "s" };
    match bad {
        0 => out.line(&format!("{all} scenario{s}: ok"))?,
        bad => out.line(&format!("{all} scenario{s}: {bad} invalid"))?,
    }
    Ok(worst)
}
