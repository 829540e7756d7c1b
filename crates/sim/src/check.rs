// SPDX-License-Identifier: GPL-2.0-only
//! `sim check`: what is wrong with scenarios, without running them.

use crate::{
    code::{Code, Stop},
    files,
    out::Out,
};

pub(crate) fn check(paths: &[String], out: &mut Out) -> Result<Code, Stop> {
    let found = files::find(paths)?;
    let mut worst = Code::Clean;
    let mut bad = 0;
    for found in &found {
        if let Err(code) = files::load(found, out)? {
            worst = worst.max(code);
            bad += 1;
        }
    }
    let all = found.len();
    let s = if all == 1 { "" } else { "s" };
    match bad {
        0 => out.line(&format!("{all} scenario{s}: ok"))?,
        bad => out.line(&format!("{all} scenario{s}: {bad} invalid"))?,
    }
    Ok(worst)
}
