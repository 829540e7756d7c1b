// SPDX-License-Identifier: GPL-2.0-only
//! Which statements of the port are damaged to see that it is noticed, and what they are called: the function, the
//! primitive, and which one of its name in the function.

use kernel::Statement;

macro_rules! sources {
    ($($file:literal),* $(,)?) => {
        &[$(($file, include_str!($file)),)*]
    };
}

/// The port itself: without the modelled subsystems, netlink's tables and what the compiler initialises.
const SOURCES: &[(&str, &str)] = sources![
    "net_namespace/cleanup.rs",
    "net_namespace/generic.rs",
    "net_namespace/later.rs",
    "net_namespace/lookup.rs",
    "net_namespace/netns_ops.rs",
    "net_namespace/nsid.rs",
    "net_namespace/pernet.rs",
    "net_namespace/rtnl.rs",
    "net_namespace/setup.rs",
    "nsfs.rs",
    "nsproxy.rs",
    "refs.rs",
    "rtnetlink.rs",
    "ucount.rs",
    "user_namespace.rs",
];

/// Functions that wrap one statement: each of their callers is a statement of its own.
pub const WRAPPERS: &[&str] = &[
    "dec_net_namespaces",
    "get_net",
    "get_user_ns",
    "maybe_get_net",
    "net_drop_ns",
    "net_free",
    "put_net",
    "put_user_ns",
    "rtnl_lock",
    "rtnl_unlock",
];

fn source_of(file: &str) -> Option<&'static str> {
    // Compilers of other systems write the separator of their own.
    let file = file.replace('\\', "/");
    let (_, below) = file.split_once("netns/src/")?;
    SOURCES.iter().find(|(name, _)| *name == below).map(|(_, text)| *text)
}

/// Whether the statements of a source file are damaged.
pub fn is_mutated(file: &str) -> bool {
    source_of(file).is_some()
}

/// The function whose body line `line` is in, as it is written, and its first line; lines from 0.
fn function_around<'a>(lines: &[&'a str], line: usize) -> Option<(&'a str, usize)> {
    let name_in = |text: &'a str| {
        let text = text.trim_start();
        let rest =
            text.split_once("fn ").filter(|(before, _)| before.is_empty() || before.starts_with("pub"));
        let rest = rest.or_else(|| text.strip_prefix("async ").and_then(|text| text.split_once("fn ")));
        rest.map(|(_, rest)| rest.split(['(', '<']).next().unwrap_or(rest))
    };
    (0..=line).rev().find_map(|at| Some((name_in(lines.get(at)?)?, at)))
}

/// What a statement is called, for example `cleanup_net/mutex_lock#1`; in a wrapper its caller comes first:
/// `cleanup_net/rtnl_lock/mutex_lock#1`. It does not change with what happens to other functions.
pub fn name_of(statement: &Statement) -> String {
    let (line, column) = (statement.loc.line() as usize, statement.loc.column() as usize);
    let lines: Vec<&str> = source_of(statement.loc.file()).unwrap_or_default().lines().collect();
    let Some((function, first)) = function_around(&lines, line.saturating_sub(1)) else {
        return format!("{}/{}", statement.loc, statement.primitive);
    };
    // A statement begins where its method is named.
    let here = lines[line - 1];
    let method: &str = here.get(column - 1..).and_then(|rest| rest.split('(').next()).unwrap_or_default();
    let needle = format!(".{method}(");
    let before: usize = lines[first..line - 1].iter().map(|text| text.matches(&needle).count()).sum();
    let same_line = here.get(..column - 1).map_or(0, |text| text.matches(&needle).count());
    let number = before + same_line + 1;
    let primitive = statement.primitive;
    match statement.caller {
        Some(caller) => format!("{caller}/{function}/{primitive}#{number}"),
        None => format!("{function}/{primitive}#{number}"),
    }
}
