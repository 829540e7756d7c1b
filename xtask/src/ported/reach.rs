// SPDX-License-Identifier: GPL-2.0-only
//! Which scenarios enter which functions, as `sim coverage` tells it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use crate::{repo, step};

/// For each function the scenarios that reach its body.
pub(crate) type Reach = BTreeMap<String, BTreeSet<String>>;

/// Runs the scenarios; `None` while there is no `sim`.
pub(crate) fn collect(root: &Path) -> Result<Option<Reach>, String> {
    if !step::has_crate(root, "sim") {
        return Ok(None);
    }
    // The profile of the tests, which have usually just built it.
    let printed =
        repo::output(root, "cargo", &["run", "--quiet", "-p", "sim", "--", "coverage", "scenarios"])?;
    parse(&printed).map(Some)
}

fn parse(printed: &str) -> Result<Reach, String> {
    let mut reach = Reach::new();
    for line in printed.lines() {
        let pair =
            line.split_once('\t').filter(|(function, scenario)| !function.is_empty() && !scenario.is_empty());
        let (function, scenario) = pair.ok_or_else(|| format!("`sim coverage` printed `{line}`"))?;
        reach.entry(function.to_owned()).or_default().insert(scenario.to_owned());
    }
    Ok(reach)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_collected() {
        let reach = parse("net_free\tboot\nnet_free\tlife\nnet_free\tboot\nops_init\tboot\n").expect("pairs");
        assert_eq!(reach["net_free"].iter().collect::<Vec<_>>(), ["boot", "life"]);
        assert_eq!(reach["ops_init"].len(), 1);
    }

    #[test]
    fn anything_else_is_an_error() {
        assert_eq!(parse("net_free boot\n"), Err("`sim coverage` printed `net_free boot`".into()));
        assert!(parse("\tboot\n").is_err());
        assert!(parse("net_free\t\n").is_err());
    }
}
