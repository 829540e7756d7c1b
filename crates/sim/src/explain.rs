// SPDX-License-Identifier: GPL-2.0-only
//! `sim explain`: a paragraph for every code.

use crate::{
    code::{Code, Stop},
    out::Out,
    run::wrap,
};

pub(crate) fn explain(code: &str, out: &mut Out) -> Result<Code, Stop> {
    let (given, code) = (code, &as_known(code));
    let text = report::finding::explain(code).or_else(|| scenario::explain(code));
    let Some(text) = text else {
        let known: Vec<&str> = report::finding::EXPLANATIONS.iter().map(|(code, _)| *code).collect();
        let known = wrap(&format!("findings: {}", known.join(", ")), 100);
        let last = scenario::CODES.last().map_or("", |(code, _)| code);
        return Err(Stop::usage(format_args!(
            "there is no code `{given}`\n{known}\nerrors in scenarios: S001 to {last}; see `sim list codes`"
        )));
    };
    out.line(&format!("{}\n", out.paint.heading(code)))?;
    let paragraphs: Vec<&str> = text.lines().collect();
    out.line(&wrap(&paragraphs.join("\n\n"), 100))?;
    Ok(Code::Clean)
}

/// Codes of errors in capitals, codes of findings in small letters.
fn as_known(code: &str) -> String {
    match scenario::explain(code) {
        Some(_) => code.to_ascii_uppercase(),
        None => code.to_ascii_lowercase(),
    }
}
