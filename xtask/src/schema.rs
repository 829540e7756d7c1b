// SPDX-License-Identifier: GPL-2.0-only
//! The JSON Schema of scenarios in docs/ must be the one that `sim schema` prints.

use std::{fs, path::Path};

use crate::repo::{self, Complaint, Verdict};

/// Where editors find it.
const PATH: &str = "docs/scenario.schema.json";

/// Compares the two.
pub(crate) fn run(root: &Path) -> Result<Verdict, String> {
    let printed = repo::output(root, "cargo", &["run", "--quiet", "--package", "sim", "--", "schema"])?;
    let committed = fs::read_to_string(root.join(PATH)).map_err(|error| format!("{PATH}: {error}"))?;
    Ok(compare(&committed, &printed))
}

fn compare(committed: &str, printed: &str) -> Verdict {
    let mut complaints = Vec::new();
    if committed != printed {
        let same = committed.lines().zip(printed.lines()).take_while(|(a, b)| a == b).count();
        let what = format!("it is not what `sim schema` prints: sim schema > {PATH}");
        complaints.push(Complaint::new(PATH, same + 1, what));
    }
    Verdict { complaints, summary: format!("schema: {} lines", printed.lines().count()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_differs_is_named() {
        assert!(compare("{\n}\n", "{\n}\n").complaints.is_empty());
        let verdict = compare("{\n  \"a\": 1\n}\n", "{\n  \"a\": 2\n}\n");
        assert!(verdict.complaints[0].to_string().starts_with("docs/scenario.schema.json:2: it is not"));
        assert_eq!(compare("{\n}\n", "{\n}").complaints.len(), 1, "a line end is missing");
    }
}
