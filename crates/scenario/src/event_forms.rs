// SPDX-License-Identifier: GPL-2.0-only
//! The events that a run can expect, and what is wrong with a text that is none.

use crate::{
    check::{Checker, Kind},
    diagnostic::similar,
    functions,
    vocabulary::{ALLOC_KINDS, words_of},
};

/// Every event as it is written, and when it happens. Words in capitals stand for others.
pub const EVENTS: &[(&str, &str)] = &[
    ("init OPS NET", "the method `init` of scripted operations is called"),
    ("exit OPS NET", "the method `exit` of scripted operations is called"),
    ("exit_batch OPS", "the method `exit_batch` of scripted operations is called"),
    ("notify NET MESSAGE", "a message is multicast: `NEWNSID 0` or `DELNSID 0`"),
    ("unicast NET MESSAGE", "an answer is sent: `NEWNSID 0`"),
    ("deliver SOCKET", "a socket gets a message"),
    ("overrun SOCKET", "a socket gets an error"),
    ("queue_work BOOL", "queue_work(): `true`, or `false` if the work was pending"),
    ("work_start", "a work item begins"),
    ("work_end", "a work item has run"),
    ("alloc OBJECT", "an object is allocated"),
    ("free OBJECT", "an object is freed"),
    ("alloc_failed KIND", "an allocation fails because a failure was armed"),
    ("kfree_rcu OBJECT", "an object is to be freed after a grace period"),
    ("rcu_callback", "an RCU callback runs"),
    ("synchronize_rcu", "somebody waits for a grace period"),
    ("rcu_barrier", "somebody waits for callbacks"),
    ("free_user_ns USER_NS", "the last reference to a user namespace is put"),
    ("enter FUNCTION", "a kernel function is entered"),
    ("warn TEXT", "a WARN_ON() whose condition is TEXT"),
];

/// What objects are called before their numbers.
const OBJECTS: &[&str] = &[
    "barrier",
    "barrier_waiter",
    "completion",
    "ctl_table",
    "data",
    "delaying_work",
    "dst_entry",
    "file",
    "module",
    "net",
    "net_device",
    "net_generic",
    "nl_table",
    "notifier",
    "nsfs inode",
    "nsproxy",
    "object",
    "pernet id",
    "pernet_operations",
    "pid",
    "posted",
    "proc_ns_operations",
    "rcu_data",
    "rcu_state",
    "rcu_synchronize",
    "skb",
    "stack list",
    "static data",
    "task",
    "ucounts",
    "user_ns",
    "uts_ns",
    "wait",
    "workqueue",
    "wq_barrier",
];

/// What the kernel's static objects are called.
const STATIC_OBJECTS: &[&str] =
    &["init_net", "init_nsproxy", "init_pid", "init_task", "init_user_ns", "init_uts_ns", "net_ns_ops"];

/// What messages are called before their ids.
const MESSAGES: &[&str] = &["NEWNSID", "DELNSID", "GETNSID"];

/// What is wrong with the text of an event, and what to do about it.
pub(crate) fn complaint(cx: &Checker<'_>, text: &str) -> Option<(String, String)> {
    complaint_of(cx, text, true)
}

/// The same where the first words may stand for all events that begin with them.
pub(crate) fn complaint_of_beginning(cx: &Checker<'_>, text: &str) -> Option<(String, String)> {
    complaint_of(cx, text, false)
}

fn complaint_of(cx: &Checker<'_>, text: &str, is_whole: bool) -> Option<(String, String)> {
    let (event, arguments) = text.split_once(' ').unwrap_or((text, ""));
    let names = || EVENTS.iter().map(|(form, _)| form.split(' ').next().unwrap_or(form));
    let Some((form, _)) = EVENTS.iter().find(|(form, _)| form.split(' ').next() == Some(event)) else {
        let help = match similar(event, names()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("events are {}", names().collect::<Vec<_>>().join(", ")),
        };
        return Some((format!("there is no event `{}`", event.escape_debug()), help));
    };
    let wrong = wrong_argument(cx, form, arguments, is_whole)?;
    Some((wrong.message, wrong.help.unwrap_or_else(|| format!("the event is written `{form}`"))))
}

/// What is wrong with the words behind an event's name.
struct Wrong {
    message: String,
    help: Option<String>,
}

fn wrong_argument(cx: &Checker<'_>, form: &str, arguments: &str, is_whole: bool) -> Option<Wrong> {
    let mut rest = arguments;
    for placeholder in form.split(' ').skip(1) {
        if rest.is_empty() && !is_whole {
            break;
        }
        let is_last = form.ends_with(placeholder);
        let (argument, behind) = match placeholder {
            // It has several words; the message behind it has two.
            "NET" | "OBJECT" if !is_last => before_message(rest),
            "NET" | "OBJECT" | "MESSAGE" | "TEXT" => (rest, ""),
            _ => rest.split_once(' ').unwrap_or((rest, "")),
        };
        let is_beginning = !is_whole
            && match placeholder {
                "NET" => argument == "net",
                "OBJECT" => is_beginning_of_object(argument),
                "MESSAGE" => MESSAGES.contains(&argument),
                _ => false,
            };
        let wrong = if is_beginning { None } else { wrong_word(cx, placeholder, argument) };
        if wrong.is_some() {
            return wrong;
        }
        rest = behind;
    }
    (!rest.is_empty())
        .then(|| Wrong { message: format!("`{}` is too much", rest.escape_debug()), help: None })
}

fn before_message(text: &str) -> (&str, &str) {
    if let Some(split) = text.rsplit_once(' ').filter(|(_, last)| MESSAGES.contains(last)) {
        return split; // without its number
    }
    let number = text.rfind(' ').unwrap_or(text.len());
    let kind = text[..number].rfind(' ').unwrap_or(text.len());
    (&text[..kind], text.get(kind + 1..).unwrap_or_default())
}

fn wrong_word(cx: &Checker<'_>, placeholder: &str, word: &str) -> Option<Wrong> {
    let none = |what: &str, known: &[&str]| {
        let meant = similar(word, known.iter().copied()).filter(|_| !word.is_empty());
        let help = meant.map(|meant| format!("did you mean `{meant}`?"));
        let message = match word {
            "" => format!("a word is missing that stands for {placeholder}"),
            _ if what.ends_with('s') => format!("there are no {what} `{}`", word.escape_debug()),
            _ => format!("there is no {what} `{}`", word.escape_debug()),
        };
        Some(Wrong { message, help })
    };
    let declared = |kind: Kind, what: &str, known: &str| {
        let names = cx.names_of(kind);
        let known = names.iter().map(String::as_str).chain([known]).filter(|name| !name.is_empty());
        let known: Vec<&str> = known.collect();
        if known.contains(&word) { None } else { none(what, &known) }
    };
    match placeholder {
        "OPS" => declared(Kind::Ops, "scripted operations", ""),
        "SOCKET" => declared(Kind::Socket, "socket", ""),
        "USER_NS" => declared(Kind::UserNs, "user namespace", "init_user_ns"),
        "BOOL" if !matches!(word, "true" | "false") => none("truth value", &["true", "false"]),
        "KIND" => {
            let kinds: Vec<&str> = words_of(ALLOC_KINDS).collect();
            if kinds.contains(&word) { None } else { none("allocation kind", &kinds) }
        }
        "TEXT" if word.is_empty() => none("text", &[]),
        "FUNCTION" => {
            let help = functions::help_for(word)?;
            let message = format!("there is no kernel function `{}`", word.escape_debug());
            Some(Wrong { message, help: Some(help) })
        }
        "MESSAGE" => {
            let (kind, id) = word.split_once(' ').unwrap_or((word, ""));
            let is_good = MESSAGES.contains(&kind) && id.parse::<i32>().is_ok();
            if is_good { None } else { none("message", &["NEWNSID 0", "DELNSID 0"]) }
        }
        "NET" | "OBJECT" if word.is_empty() => none("object", &[]),
        "NET" => wrong_object(word, "namespace", &["net"], &["init_net".to_owned()]),
        "OBJECT" => {
            let declared =
                [Kind::Ops, Kind::Module, Kind::Completion, Kind::Barrier].map(|kind| cx.names_of(kind));
            let known: Vec<String> = declared
                .into_iter()
                .flatten()
                .chain(STATIC_OBJECTS.iter().copied().map(str::to_owned))
                .collect();
            wrong_object(word, "object", OBJECTS, &known)
        }
        _ => None,
    }
}

/// An object is called by a type and a number, or by a name of its own.
fn wrong_object(word: &str, what: &str, types: &[&str], names: &[String]) -> Option<Wrong> {
    let (kind, number) = word.rsplit_once(' ').unwrap_or((word, ""));
    let is_number = number.parse::<u32>().is_ok();
    if is_number && types.contains(&kind) || names.iter().any(|name| name == word) {
        return None;
    }
    let known = types.iter().copied().filter(|_| is_number).chain(names.iter().map(String::as_str));
    let help = match similar(if is_number { kind } else { word }, known) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "objects are called by type and number, in order of allocation: `net 1`".to_owned(),
    };
    Some(Wrong { message: format!("`{}` is no {what}", word.escape_debug()), help: Some(help) })
}

/// Whether an object's name may begin so: with its type, or the first words of that.
fn is_beginning_of_object(text: &str) -> bool {
    OBJECTS
        .iter()
        .any(|known| known.strip_prefix(text).is_some_and(|rest| rest.is_empty() || rest.starts_with(' ')))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;
    use crate::source::Source;

    fn complaint_about(text: &str, is_whole: bool) -> Option<(String, String)> {
        let source = Source { name: String::new(), text: "{}".to_owned() };
        let mut cx = Checker::new(&source, true, false);
        cx.declare(Kind::Ops, "p");
        cx.declare(Kind::Socket, "s");
        if is_whole { complaint(&cx, text) } else { complaint_of_beginning(&cx, text) }
    }

    #[test]
    fn good_ones() {
        for text in [
            "init p net 1",
            "exit p init_net",
            "exit_batch p",
            "notify init_net NEWNSID 0",
            "notify net 12 DELNSID -1",
            "unicast net 1 NEWNSID 3",
            "deliver s",
            "queue_work false",
            "work_start",
            "alloc nsfs inode 1",
            "free net_generic 2",
            "free p",
            "free task 100",
            "free init_net",
            "alloc_failed any",
            "free_user_ns init_user_ns",
            "enter put_net",
            "warn a text of several words",
        ] {
            assert_eq!(complaint_about(text, true), None, "{text}");
        }
    }

    #[test]
    fn bad_ones() {
        for (text, wrong, help) in [
            ("", "there is no event ``", "events are"),
            ("notfy net 1 NEWNSID 0", "there is no event `notfy`", "did you mean `notify`?"),
            ("init q net 1", "there are no scripted operations `q`", "did you mean `p`?"),
            ("init p", "a word is missing that stands for NET", "`init OPS NET`"),
            ("init p nett 1", "`nett 1` is no namespace", "did you mean `net`?"),
            ("init p foo", "`foo` is no namespace", "in order of allocation"),
            ("notify a NEWNSID 0", "`a` is no namespace", "in order of allocation"),
            ("free foo", "`foo` is no object", "in order of allocation"),
            ("free inet_net", "`inet_net` is no object", "did you mean `init_net`?"),
            ("notify net 1 NEWNSD 0", "there is no message `NEWNSD 0`", "did you mean `NEWNSID 0`?"),
            ("notify net 1", "a word is missing that stands for MESSAGE", "NET MESSAGE"),
            ("work_start now", "`now` is too much", "`work_start`"),
            ("alloc net", "`net` is no object", "`net 1`"),
            ("alloc_failed nett", "there is no allocation kind `nett`", "did you mean `net`?"),
            ("enter put_nett", "there is no kernel function `put_nett`", "did you mean `put_net`?"),
            ("deliver", "a word is missing that stands for SOCKET", "`deliver SOCKET`"),
            ("queue_work maybe", "there is no truth value `maybe`", "`queue_work BOOL`"),
        ] {
            let (message, suggestion) =
                complaint_about(text, true).unwrap_or_else(|| panic!("`{text}` is good"));
            assert_eq!(message, wrong, "{text}");
            assert!(suggestion.contains(help), "{text}: {suggestion}");
        }
    }

    #[test]
    fn beginnings() {
        for text in [
            "init",
            "exit p",
            "exit p net",
            "notify init_net",
            "notify net 1",
            "notify net 1 NEWNSID",
            "notify init_net DELNSID 3",
            "alloc net",
            "alloc nsfs inode",
            "alloc nsfs",
            "free p",
            "queue_work",
        ] {
            assert_eq!(complaint_about(text, false), None, "{text}");
        }
        for text in [
            "initt",
            "exit q",
            "notify nett 1",
            "init p foo",
            "notify foo",
            "free foo",
            "alloc ne",
            "notify net 1 NEWNSD 0",
            "queue_work maybe",
            "enter put_nett",
        ] {
            assert!(complaint_about(text, false).is_some(), "{text}");
        }
    }

    fn collect(directory: &Path, names: &mut BTreeSet<String>) {
        for entry in fs::read_dir(directory).expect("a directory of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                collect(&path, names);
                continue;
            }
            let text = fs::read_to_string(&path).expect("a source");
            // Up to the tests of a file, and without its comments.
            let text = text.split("#[cfg(test)]").next().unwrap_or_default().lines();
            let text: String = text.filter(|line| !line.trim_start().starts_with("//")).collect();
            for declaration in text.split("object! {").skip(1) {
                let brackets = declaration.split_once("(\"").and_then(|(_, rest)| rest.split_once(')'));
                let short = brackets.and_then(|(strings, _)| strings.split('"').nth(2));
                names.extend(short.map(str::to_owned));
            }
        }
    }

    #[test]
    fn objects_are_those_of_the_sources() {
        let mut names = BTreeSet::new();
        for part in ["kernel", "netns", "scenario"] {
            collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(part).join("src"), &mut names);
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(OBJECTS, names);
    }
}
