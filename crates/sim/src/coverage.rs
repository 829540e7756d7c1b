// SPDX-License-Identifier: GPL-2.0-only
//! `sim coverage`: which kernel functions are entered by which scenarios.

use std::{collections::BTreeSet, sync::Arc};

use lab::run::{Lab, RunOptions};
use report::{Detail, Timeline};

use crate::{
    code::{Code, Stop, go_on},
    files, interrupt,
    out::Out,
};

pub(crate) fn coverage(path: &str, out: &mut Out) -> Result<Code, Stop> {
    let mut worst = Code::Clean;
    let options = RunOptions { enough: Some(interrupt::is_due), ..RunOptions::default() };
    let mut entered: BTreeSet<(&'static str, String)> = BTreeSet::new();
    for found in files::find(&[path.to_owned()])? {
        let loaded = match files::load(&found, out)? {
            Ok(loaded) => loaded,
            Err(code) => {
                worst = worst.max(code);
                continue;
            }
        };
        let mut lab = Lab::new(Arc::clone(&loaded.scenario));
        for run in &loaded.scenario.runs {
            go_on(|| "before all scenarios were run".to_owned())?;
            let functions = if run.seeds.is_some() {
                lab.run_seeds(run, &options).entered
            } else {
                // Nobody looks at what it remembers.
                let mut watcher = Timeline::new(Detail::Telling, 0);
                lab.run(run, &options, &mut watcher, Timeline::in_words).map_err(Stop::usage)?.entered
            };
            entered.extend(functions.into_iter().map(|function| (function, loaded.name.clone())));
        }
    }
    for (function, scenario) in entered {
        out.line(&format!("{function}\t{scenario}"))?;
    }
    Ok(worst)
}
