// SPDX-License-Identifier: GPL-2.0-only
//! Reads the port's doc comments, line by line.
//!
//! An item of the port says in its doc comment which C item it is, and how it differs:
//!
//! ```text
//! /// C: net_alloc_generic, net/core/net_namespace.c:51
//! /// Deviation: one sentence or more, which end at
//! /// an empty doc line or at the end of the comment.
//! ```

use crate::repo::{Complaint, Text};

/// A `C:` line with the Rust item that it stands on.
#[derive(Debug, PartialEq)]
pub(crate) struct Port {
    pub(crate) c_name: String,
    pub(crate) c_file: String,
    pub(crate) c_line: Option<u32>,
    /// The name of the Rust item.
    pub(crate) rust: String,
    pub(crate) is_fn: bool,
    pub(crate) deviation: Option<String>,
    /// Where the `C:` line is.
    pub(crate) path: String,
    pub(crate) line: usize,
}

/// The doc comment that is being read.
#[derive(Default)]
struct Doc {
    /// The `C:` lines: line, name, file, line in that file.
    c: Vec<(usize, String, String, Option<u32>)>,
    /// The first line of a deviation, and all of them together.
    deviation: Option<(usize, String)>,
    /// Whether the next doc line goes on with a deviation.
    open: bool,
}

impl Doc {
    fn line(&mut self, number: usize, text: &str) -> Result<(), String> {
        if let Some(c) = text.strip_prefix("C:") {
            self.open = false;
            let (name, file, line) = c_item(c).ok_or("this is not `C: NAME, FILE:LINE`")?;
            self.c.push((number, name, file, line));
        } else if let Some(deviation) = text.strip_prefix("Deviation:") {
            self.open = true;
            let (_, all) = self.deviation.get_or_insert((number, String::new()));
            append(all, deviation.trim());
        } else if text.is_empty() {
            self.open = false;
        } else if self.open
            && let Some((_, all)) = &mut self.deviation
        {
            append(all, text);
        }
        Ok(())
    }
}

fn append(all: &mut String, text: &str) {
    if !all.is_empty() {
        all.push(' ');
    }
    *all += text;
}

/// What stands after `C:`.
fn c_item(text: &str) -> Option<(String, String, Option<u32>)> {
    let (name, place) = text.split_once(',')?;
    let (name, place) = (name.trim(), place.trim());
    let (file, line) = match place.split_once(':') {
        Some((file, line)) => (file, Some(line.parse().ok()?)),
        None => (place, None),
    };
    let good = |text: &str| !text.is_empty() && !text.contains(',');
    (good(name) && good(file) && !file.contains(' ')).then(|| (name.to_owned(), file.to_owned(), line))
}

/// All items of a file that say which C item they are.
pub(crate) fn scan(file: &Text) -> (Vec<Port>, Vec<Complaint>) {
    let (mut ports, mut complaints) = (Vec::new(), Vec::new());
    let mut doc = Doc::default();
    let mut brackets = 0; // of an attribute over several lines
    for (number, line) in file.lines() {
        let line = line.trim();
        if let Some(text) = line.strip_prefix("///") {
            if let Err(why) = doc.line(number, text.trim()) {
                complaints.push(Complaint::new(&file.path, number, why));
            }
            continue;
        }
        if brackets > 0 || line.starts_with("#[") {
            brackets += line.matches('[').count();
            brackets = brackets.saturating_sub(line.matches(']').count());
            continue;
        }
        if line.is_empty() || line.starts_with("//") {
            continue;
        }
        finish(file, std::mem::take(&mut doc), name(line), &mut ports, &mut complaints);
    }
    finish(file, doc, None, &mut ports, &mut complaints);
    (ports, complaints)
}

/// The doc comment has ended: hands it to the item that follows.
fn finish(
    file: &Text,
    doc: Doc,
    item: Option<(&str, bool)>,
    ports: &mut Vec<Port>,
    complaints: &mut Vec<Complaint>,
) {
    if doc.c.is_empty() {
        if let Some((line, _)) = doc.deviation {
            complaints.push(Complaint::new(&file.path, line, "a deviation from no C item"));
        }
        return;
    }
    let deviation = doc.deviation.map(|(_, text)| text);
    for (line, c_name, c_file, c_line) in doc.c {
        let Some((rust, is_fn)) = item else {
            complaints.push(Complaint::new(&file.path, line, "this stands on nothing that has a name"));
            continue;
        };
        let (rust, deviation, path) = (rust.to_owned(), deviation.clone(), file.path.clone());
        ports.push(Port { c_name, c_file, c_line, rust, is_fn, deviation, path, line });
    }
}

const MODIFIERS: &[&str] = &["pub", "async", "unsafe", "default", "mut"];
const KEYWORDS: &[&str] =
    &["fn", "struct", "static", "const", "enum", "type", "trait", "mod", "union", "macro_rules!"];
const NAMELESS: &[&str] = &["impl", "use", "let", "for", "extern", "if", "return", "match"];

/// The name of the item, field or variant that begins in a line, and whether it is a function.
fn name(line: &str) -> Option<(&str, bool)> {
    let mut rest = line;
    let mut is_fn = false;
    loop {
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '!')).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if MODIFIERS.contains(&word) {
            rest = after.trim_start();
            // pub(crate), pub(in path)
            if word == "pub" && rest.starts_with('(') {
                rest = rest.split_once(')')?.1.trim_start();
            }
        } else if KEYWORDS.contains(&word) {
            is_fn = word == "fn";
            rest = after.trim_start();
        } else if let Some(invoked) = word.strip_suffix('!') {
            // The first name that a macro is given, else the macro's own.
            let inner = after.trim_start_matches(|c: char| !(c.is_alphanumeric() || c == '_'));
            return if inner.is_empty() { Some((invoked, false)) } else { name(inner) };
        } else {
            let named = !word.is_empty() && !word.starts_with(|c: char| c.is_ascii_digit());
            return (named && !NAMELESS.contains(&word)).then_some((word, is_fn));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scanned(text: &str) -> (Vec<Port>, Vec<String>) {
        let (ports, complaints) = scan(&Text { path: "a.rs".into(), text: text.into() });
        (ports, complaints.iter().map(Complaint::to_string).collect())
    }

    #[test]
    fn an_item_with_a_deviation() {
        let text = "\
/// What it does.
///
/// C: ops_init, net/core/net_namespace.c:101
/// Deviation: sizes are
/// in cells.
///
/// More about it.
#[expect(
    dead_code,
    reason = \"fn nothing() { [x] }\",
)]
pub(crate) async fn ops_init(k: &K) {}
";
        let (ports, complaints) = scanned(text);
        assert_eq!(complaints, Vec::<String>::new());
        let expected = Port {
            c_name: "ops_init".into(),
            c_file: "net/core/net_namespace.c".into(),
            c_line: Some(101),
            rust: "ops_init".into(),
            is_fn: true,
            deviation: Some("sizes are in cells.".into()),
            path: "a.rs".into(),
            line: 3,
        };
        assert_eq!(ports, [expected]);
    }

    #[test]
    fn several_lines_on_one_item_and_no_line_number() {
        let (ports, complaints) = scanned("/// C: a, x.c:1\n/// C: struct b, x.h\n\n// A word.\nfn f() {}\n");
        let found: Vec<_> = ports.iter().map(|port| (port.c_name.as_str(), port.c_line)).collect();
        assert_eq!(found, [("a", Some(1)), ("struct b", None)]);
        assert_eq!(complaints, Vec::<String>::new());
    }

    #[test]
    fn deviations_add_up() {
        let (ports, _) = scanned(
            "/// C: a, x.c:1\n/// Deviation: one.\n///\n/// Deviation: two.\n/// C: b, x.c:2\nfn f();\n",
        );
        assert_eq!(ports[0].deviation.as_deref(), Some("one. two."));
        assert_eq!(ports[1].deviation, ports[0].deviation);
    }

    #[test]
    fn what_cannot_be_read_is_reported() {
        let bad = |text: &str| scanned(text).1;
        assert_eq!(bad("/// C: net_free\nfn f() {}\n"), ["a.rs:1: this is not `C: NAME, FILE:LINE`"]);
        assert_eq!(bad("/// C: net_free, x.c:many\nfn f() {}\n").len(), 1);
        assert_eq!(
            bad("/// C: net_free, x.c:3\nimpl X {}\n"),
            ["a.rs:1: this stands on nothing that has a name"]
        );
        assert_eq!(bad("/// C: net_free, x.c:3\n").len(), 1);
        assert_eq!(bad("/// Deviation: none\nfn f() {}\n"), ["a.rs:1: a deviation from no C item"]);
        assert_eq!(bad("/// About C.\nfn f() {}\n"), [""; 0]);
    }

    #[test]
    fn names() {
        for (line, expected) in [
            ("fn f() {", ("f", true)),
            ("pub const fn f() {", ("f", true)),
            ("pub(in crate::a) unsafe fn f<T>() {", ("f", true)),
            ("pub const MIN_PERNET_OPS_ID: u32 = 3;", ("MIN_PERNET_OPS_ID", false)),
            ("static mut X: u32 = 1;", ("X", false)),
            ("pub struct NetPtr(\"struct net\", \"net\", \"net_namespace\") {", ("NetPtr", false)),
            ("pub net_mutex: Mutex,", ("net_mutex", false)),
            ("NetMutex,", ("NetMutex", false)),
            ("macro_rules! for_each_net {", ("for_each_net", false)),
            ("kernel::object! {", ("kernel", false)),
            ("policy! { rtnl_net_policy, 4 }", ("rtnl_net_policy", false)),
        ] {
            assert_eq!(name(line), Some(expected), "{line}");
        }
        assert_eq!(name("}"), None);
        assert_eq!(name("1 + 1"), None);
    }
}
