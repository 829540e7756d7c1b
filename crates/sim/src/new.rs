// SPDX-License-Identifier: GPL-2.0-only
//! `sim new`: the beginning of a scenario.

use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, Write},
    path::Path,
};

use clap::ValueEnum;

use crate::{
    code::{Code, Stop},
    out::Out,
};

/// What a new scenario begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Template {
    /// One task, one namespace.
    Minimal,
    /// Two tasks on two CPUs, and a schedule.
    Race,
    /// Scripted pernet operations.
    Pernet,
    /// Requests, and a socket that listens.
    Netlink,
    /// An allocation that fails.
    Fault,
}

impl Template {
    fn text(self) -> &'static str {
        match self {
            Template::Minimal => include_str!("templates/minimal.json"),
            Template::Race => include_str!("templates/race.json"),
            Template::Pernet => include_str!("templates/pernet.json"),
            Template::Netlink => include_str!("templates/netlink.json"),
            Template::Fault => include_str!("templates/fault.json"),
        }
    }
}

/// Writes a new file; one that is there stays as it is.
pub(crate) fn new(name: &str, template: Template, out: &mut Out) -> Result<Code, Stop> {
    let path = if name.ends_with(".json") { name.to_owned() } else { format!("{name}.json") };
    let stem = Path::new(&path).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    if stem.is_empty() || stem.starts_with('.') || name.ends_with('/') {
        return Err(Stop::usage(format_args!("`{name}` is no name of a scenario")));
    }
    // A title is a JSON string: what is special in one is left out.
    let title: String = stem.chars().map(|c| if matches!(c, '-' | '_') { ' ' } else { c }).collect();
    let title: String = title.chars().filter(|c| !c.is_control() && !matches!(c, '"' | '\\')).collect();
    let text = template.text().replace("TITLE", &title);
    let written = OpenOptions::new().write(true).create_new(true).open(&path);
    let mut file = written.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Stop::usage(format_args!("{path} exists")),
        _ => Stop::file(&path, &error),
    })?;
    file.write_all(text.as_bytes()).map_err(|error| {
        let _ = fs::remove_file(&path); // half a scenario is none; that it stays is no other error
        Stop::file(&path, &error)
    })?;
    out.line(&format!("{path} is written. Next: sim run {path}"))?;
    Ok(Code::Clean)
}
