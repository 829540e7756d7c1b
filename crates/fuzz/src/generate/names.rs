// SPDX-License-Identifier: GPL-2.0-only
//! Names, and other texts that a scenario is free to choose. A name says by its first letters what it is of.

use serde_json::Value;

use crate::dice::Dice;

/// The names that a scenario has.
#[derive(Debug)]
pub(super) struct Names {
    pub(super) tasks: Vec<String>,
    pub(super) ops: Vec<String>,
    pub(super) user_namespaces: Vec<String>,
    pub(super) modules: Vec<String>,
    pub(super) cpus: u32,
    /// The names of tasks and runs that were given.
    pub(super) given: usize,
    pub(super) in_interrupt: bool,
}

/// What a name is of, by how it begins; how the schema speaks of it.
const KINDS: &[(&str, &str)] = &[
    ("net", "amespace:"),
    ("net", "the namespace to"),
    ("id", "the id to"),
    ("id", "An id;"),
    ("id", "A id;"),
    ("fd", "file descriptor"),
    ("sock", "socket"),
    ("obj", "object"),
    ("pid", "process"),
    ("done", "completion"),
    ("meet", "barrier"),
];

impl Names {
    pub(super) fn new(dice: &mut Dice<'_>) -> Self {
        let mut some = |prefix: &str, least: usize, most: usize| -> Vec<String> {
            (0..least + dice.below(most - least + 1)).map(|n| format!("{prefix}{n}")).collect()
        };
        Names {
            tasks: some("task", 1, 4),
            ops: some("ops", 1, 4),
            user_namespaces: some("user", 0, 2),
            modules: some("mod", 0, 2),
            cpus: 1 + u32::try_from(dice.below(4)).unwrap_or(0),
            given: 0,
            in_interrupt: false,
        }
    }

    /// A text where the schema describes it like this.
    pub(super) fn text(
        &self,
        description: &str,
        schema: &Value,
        has_self: bool,
        dice: &mut Dice<'_>,
    ) -> String {
        let pattern = schema["pattern"].as_str().unwrap_or_default();
        if pattern.contains("ns|us") {
            return format!("{}{}", dice.below(50), dice.pick(&["ns", "us", "ms", "s"]).unwrap_or("ns"));
        }
        if pattern.contains("A-F") {
            return hex(dice);
        }
        if description.starts_with("What it gives") || description.contains("rror") {
            let is_net = description.contains("name of a namespace") && dice.one_in(3);
            return if is_net { self.net(has_self, dice) } else { errno(dice) };
        }
        let one_of = |names: &[String], or: &str, dice: &mut Dice<'_>| {
            let names: Vec<&String> = names.iter().collect();
            dice.pick(&names).cloned().unwrap_or(or.to_owned())
        };
        if description.starts_with("A task;") {
            return one_of(&self.tasks, "task0", dice);
        }
        if description.starts_with("A process;") && dice.one_in(2) {
            return one_of(&self.tasks, "task0", dice);
        }
        if description.starts_with("Pernet operations") {
            return one_of(&self.ops, "ops0", dice);
        }
        if description.starts_with("A module") {
            return one_of(&self.modules, "mod0", dice);
        }
        if description.contains("user namespace") || description.starts_with("The owner") {
            return self.user_ns(dice);
        }
        if description.starts_with("A name that a step binds") {
            return self.any_binding(dice);
        }
        let kind = KINDS.iter().find(|(_, words)| description.contains(words));
        match kind {
            Some(("net", _)) if !description.starts_with("Binds") => self.net(has_self, dice),
            Some((prefix, _)) => format!("{prefix}{}", dice.below(3)),
            None if description.starts_with("The namespace to") => self.net(has_self, dice),
            None => self.message(dice),
        }
    }

    pub(super) fn net(&self, has_self: bool, dice: &mut Dice<'_>) -> String {
        match dice.below(8) {
            0 => "init_net".to_owned(),
            1..=3 if has_self => "self".to_owned(),
            n => format!("net{}", n % 4),
        }
    }
    pub(super) fn user_ns(&self, dice: &mut Dice<'_>) -> String {
        let n = dice.below(self.user_namespaces.len() + 1);
        self.user_namespaces.get(n).cloned().unwrap_or("init_user_ns".to_owned())
    }
    pub(super) fn any_binding(&self, dice: &mut Dice<'_>) -> String {
        let prefix = dice.pick(&["net", "id", "fd", "sock", "obj"]).unwrap_or("net");
        format!("{prefix}{}", dice.below(3))
    }
    fn message(&self, dice: &mut Dice<'_>) -> String {
        let what = dice.pick(&["NEWNSID", "DELNSID", "GETNSID"]).unwrap_or_default();
        match dice.below(4) {
            0 => format!("{what} {} from {}", dice.below(3), dice.below(3)),
            1 => "\u{1f427} not a message".to_owned(),
            _ => format!("{what} {}", dice.below(3)),
        }
    }
    /// An event, of the forms that the schema lists.
    pub(super) fn event(&self, schema: &Value, dice: &mut Dice<'_>) -> String {
        let alternatives = schema["anyOf"].as_array().into_iter().flatten();
        let forms: Vec<&str> =
            alternatives.filter_map(|form| form["defaultSnippets"][0]["label"].as_str()).collect();
        let form = dice.pick(&forms).unwrap_or("work_start").to_owned();
        let words = form.split(' ').map(|word| match word {
            "OPS" => self.ops.first().cloned().unwrap_or_default(),
            "NET" => "init_net".to_owned(),
            "OBJECT" => format!("net {}", 1 + dice.below(3)),
            "MESSAGE" => self.message(dice),
            "SOCKET" => format!("sock{}", dice.below(3)),
            "BOOL" => dice.one_in(2).to_string(),
            "KIND" => dice.pick(&["net", "gen", "skb"]).unwrap_or("net").to_owned(),
            "USER_NS" => self.user_ns(dice),
            "FUNCTION" => dice.pick(&["cleanup_net", "put_net", "setup_net"]).unwrap_or_default().to_owned(),
            other => other.to_owned(),
        });
        words.collect::<Vec<_>>().join(" ")
    }
    /// A schedule of whoever there is.
    pub(super) fn schedule(&self, dice: &mut Dice<'_>) -> String {
        let n = 1 + dice.below(6);
        let items = (0..n).map(|_| {
            let tasks: Vec<&String> = self.tasks.iter().collect();
            let task = match dice.below(6) {
                0 => "kworker/netns".to_owned(),
                _ => dice.pick(&tasks).cloned().unwrap_or_default(),
            };
            match dice.below(4) {
                0 => task,
                1 => {
                    let functions = ["put_net", "copy_net_ns", "cleanup_net", "net_mutex_lock", "rcu_read"];
                    let function = dice.pick(&functions).unwrap_or("put_net");
                    format!("{task} until {function}#{}", 1 + dice.below(2))
                }
                _ => format!("{task}*{}", 1 + dice.below(12)),
            }
        });
        items.collect::<Vec<_>>().join(", ")
    }
}

fn errno(dice: &mut Dice<'_>) -> String {
    let names = ["-ENOMEM", "-EINVAL", "-ENOSPC", "-EPERM", "-EEXIST", "-EINTR", "-EPEERNSIDNOTEXIST"];
    dice.pick(&names[..6]).unwrap_or("-ENOMEM").to_owned()
}

fn hex(dice: &mut Dice<'_>) -> String {
    // The family, then attributes: a length, a type, a value.
    let mut bytes = vec![0_u8; 4];
    for _ in 0..dice.below(4) {
        let length = [4_u8, 8, 7, 0, 255][dice.below(5)];
        let kind = u8::try_from(dice.below(7)).unwrap_or(0);
        let value = [0_u8, 1, 100, 255][dice.below(4)];
        bytes.extend([length, 0, kind, 0, value, 0, 0, if value == 255 { 255 } else { 0 }]);
    }
    bytes.truncate(bytes.len() - dice.below(3));
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
