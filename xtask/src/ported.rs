// SPDX-License-Identifier: GPL-2.0-only
//! `cargo xtask ported`: every item of v4.11's net_namespace.c is in the port, every item of the port that
//! says where it comes from comes from there, and every function is reached by a scenario.

mod items;
mod parse;
mod reach;
mod table;

use std::{collections::BTreeSet, path::Path};

use crate::repo::{Complaint, Tree, Verdict};
use items::{ITEMS, Item, Kind};
use parse::Port;
use reach::Reach;
use table::Row;

const PORT: &str = "crates/netns/src/";
const LIST: &str = "xtask/src/ported/items.rs";
const NAMES_SHOWN: usize = 2;

/// The table, and what is wrong with it.
pub(crate) fn run(root: &Path) -> Result<(String, Verdict), String> {
    let tree = Tree::read(root)?;
    let (mut ports, mut complaints) = (Vec::new(), Vec::new());
    for file in tree.files.iter().filter(|file| file.path.starts_with(PORT) && file.path.ends_with(".rs")) {
        let (of_file, unreadable) = parse::scan(file);
        ports.extend(of_file);
        complaints.extend(unreadable);
    }
    let reach = reach::collect(root)?;
    let rows = compare(ITEMS, &ports, reach.as_ref(), &mut complaints);
    let have = rows.iter().filter(|row| row.rust != MISSING).count();
    let mut summary = format!("ported: {have} of {} C items", ITEMS.len());
    if reach.is_none() {
        summary += "; reach: not available (no sim crate yet)";
    }
    Ok((table::render(&rows), Verdict { complaints, summary }))
}

const MISSING: &str = "MISSING";

/// Whether a `C:` line means this item.
fn means(port: &Port, item: &Item) -> bool {
    let line = item.line == 0 || port.c_line == Some(item.line);
    port.c_name == item.name && port.c_file == item.file && line
}

fn compare(
    items: &[Item],
    ports: &[Port],
    reach: Option<&Reach>,
    complaints: &mut Vec<Complaint>,
) -> Vec<Row> {
    for port in ports {
        complaints.extend(unlisted(items, port));
    }
    let mut unreached = BTreeSet::new();
    let mut rows = Vec::new();
    for item in items {
        let place = place(item);
        let mut found = ports.iter().filter(|port| means(port, item));
        let port = found.next();
        if port.is_none() {
            complaints.push(Complaint::new(LIST, 0, format!("the port has no {}, {place}", item.name)));
        }
        for twin in found {
            let what = format!("{}, {place} has another Rust item already", item.name);
            complaints.push(Complaint::new(&twin.path, twin.line, what));
        }
        let mut scenarios = "-".to_owned();
        if item.kind == Kind::Function
            && let Some(port) = port
        {
            if !port.is_fn {
                let what = format!("{} is a function, {} is none", item.name, port.rust);
                complaints.push(Complaint::new(&port.path, port.line, what));
            }
            if let Some(reach) = reach {
                scenarios = reached(reach, item.name);
                if !reach.contains_key(item.name) && unreached.insert(item.name) {
                    let what = format!("no scenario reaches the body of {}", item.name);
                    complaints.push(Complaint::new(&port.path, port.line, what));
                }
            }
        }
        rows.push(Row {
            file: item.file,
            c_name: item.name,
            line: if item.line == 0 { "-".into() } else { item.line.to_string() },
            rust: port.map_or(MISSING.to_owned(), |port| {
                format!("{}::{}", port.path.strip_prefix(PORT).unwrap_or(&port.path), port.rust)
            }),
            scenarios,
            deviation: port.and_then(|port| port.deviation.clone()),
        });
    }
    rows
}

/// `FILE:LINE`, or only the file.
fn place(item: &Item) -> String {
    match item.line {
        0 => item.file.to_owned(),
        line => format!("{}:{line}", item.file),
    }
}

/// What is wrong with a `C:` line that means no item of the list.
fn unlisted(items: &[Item], port: &Port) -> Option<Complaint> {
    if items.iter().any(|item| means(port, item)) {
        return None;
    }
    let places: Vec<_> = items.iter().filter(|item| item.name == port.c_name).map(place).collect();
    let what = if places.is_empty() {
        format!("{} is not in the list of C items ({LIST})", port.c_name)
    } else {
        format!("{} is at {}", port.c_name, places.join(" and "))
    };
    Some(Complaint::new(&port.path, port.line, what))
}

/// The number of scenarios that reach a function, and the first of them.
fn reached(reach: &Reach, function: &str) -> String {
    let Some(scenarios) = reach.get(function) else { return "0".into() };
    let shown: Vec<_> = scenarios.iter().take(NAMES_SHOWN).map(String::as_str).collect();
    let more = if scenarios.len() > NAMES_SHOWN { ", ..." } else { "" };
    format!("{}: {}{more}", scenarios.len(), shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::Text;

    const F: Item = Item { name: "net_free", file: "a.c", line: 354, kind: Kind::Function };
    const D: Item = Item { name: "net_mutex", file: "a.c", line: 32, kind: Kind::Data };
    const H: Item = Item { name: "get_net", file: "a.h", line: 0, kind: Kind::Function };

    fn compared(items: &[Item], text: &str, reach: Option<&Reach>) -> (Vec<Row>, Vec<String>) {
        let (ports, mut complaints) = parse::scan(&Text { path: format!("{PORT}net.rs"), text: text.into() });
        let rows = compare(items, &ports, reach, &mut complaints);
        (rows, complaints.iter().map(Complaint::to_string).collect())
    }

    fn complaints(items: &[Item], text: &str, reach: Option<&Reach>) -> Vec<String> {
        compared(items, text, reach).1
    }

    fn reach(pairs: &[(&str, &str)]) -> Reach {
        let mut reach = Reach::new();
        for (function, scenario) in pairs {
            reach.entry((*function).into()).or_default().insert((*scenario).into());
        }
        reach
    }

    const NET_FREE: &str = "/// C: net_free, a.c:354\nasync fn net_free() {}\n";

    #[test]
    fn a_whole_port_is_a_table() {
        let text = format!(
            "{NET_FREE}/// C: net_mutex, a.c:32\n/// Deviation: a field.\npub net_mutex: Mutex,\n\
             /// C: get_net, a.h\nfn get_net() {{}}\n"
        );
        let pairs = [("net_free", "boot"), ("net_free", "life"), ("net_free", "nsid"), ("get_net", "boot")];
        let (rows, complaints) = compared(&[F, D, H], &text, Some(&reach(&pairs)));
        assert_eq!(complaints, Vec::<String>::new());
        let shown: Vec<_> = rows.iter().map(|row| (row.rust.as_str(), row.scenarios.as_str())).collect();
        let expected = [
            ("net.rs::net_free", "3: boot, life, ..."),
            ("net.rs::net_mutex", "-"),
            ("net.rs::get_net", "1: boot"),
        ];
        assert_eq!(shown, expected);
        assert_eq!(rows[1].deviation.as_deref(), Some("a field."));
    }

    #[test]
    fn a_missing_item_is_a_gap() {
        let (rows, complaints) = compared(&[D], "", None);
        assert_eq!(complaints, [format!("{LIST}: the port has no net_mutex, a.c:32")]);
        assert_eq!(rows[0].rust, MISSING);
    }

    #[test]
    fn an_unlisted_item_and_a_wrong_line_are_gaps() {
        let at = format!("{PORT}net.rs");
        let invented = "/// C: net_fly, a.c:1\nfn net_fly() {}\n";
        let expected = format!("{at}:1: net_fly is not in the list of C items ({LIST})");
        assert_eq!(complaints(&[], invented, None), [expected]);
        let text = NET_FREE.replace("354", "355");
        assert_eq!(complaints(&[F], &text, None)[0], format!("{at}:1: net_free is at a.c:354"));
        let text = NET_FREE.replace(":354", "");
        assert_eq!(complaints(&[F], &text, None)[0], format!("{at}:1: net_free is at a.c:354"));
    }

    #[test]
    fn two_configurations_are_two_items() {
        let other = Item { line: 400, ..F };
        let text = "/// C: net_free, a.c:354\n/// C: net_free, a.c:400\nfn net_free() {}\n";
        assert_eq!(complaints(&[F, other], text, None), Vec::<String>::new());
        assert_eq!(complaints(&[F, other], NET_FREE, None).len(), 1);
        // Reach is by name: one complaint for both.
        assert_eq!(complaints(&[F, other], text, Some(&Reach::new())).len(), 1);
    }

    #[test]
    fn one_c_item_has_one_rust_item_of_its_kind() {
        let twice = NET_FREE.repeat(2);
        assert_eq!(
            complaints(&[F], &twice, None),
            [format!("{PORT}net.rs:3: net_free, a.c:354 has another Rust item already")]
        );
        let text = "/// C: net_free, a.c:354\nstruct Free;\n";
        assert_eq!(
            complaints(&[F], text, None),
            [format!("{PORT}net.rs:1: net_free is a function, Free is none")]
        );
    }

    #[test]
    fn a_function_that_nothing_reaches_is_a_gap_once_there_is_a_sim() {
        assert_eq!(complaints(&[F], NET_FREE, None), Vec::<String>::new());
        let other = reach(&[("net_alloc", "boot")]);
        let expected = format!("{PORT}net.rs:1: no scenario reaches the body of net_free");
        assert_eq!(complaints(&[F], NET_FREE, Some(&other)), [expected]);
        assert_eq!(complaints(&[F], NET_FREE, Some(&reach(&[("net_free", "boot")]))), Vec::<String>::new());
    }
}
