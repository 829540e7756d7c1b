// SPDX-License-Identifier: GPL-2.0-only
//! Pernet operations and modules, with everything looked up that is referred to.

use std::collections::BTreeMap;

use netns::{SUBSYSTEMS, Subsystem, Uses};

use crate::{
    check::{Checker, Kind},
    diagnostic::{Diagnostic, similar},
    format::{PernetText, Text},
    scenario::{Module, Pernet, Used},
    source::Seg,
    values::{Check, Expected},
};

pub(super) fn modules(cx: &mut Checker<'_>, text: &mut Text) -> Vec<Module> {
    let mut all = Vec::new();
    let mut owners: BTreeMap<u32, String> = BTreeMap::new();
    for (name, module) in std::mem::take(&mut text.modules.0) {
        let mut ops = Vec::new();
        cx.within([Seg::Key("modules"), Seg::Name(name.clone())], |cx| {
            for (key, is_device, names) in
                [("subsys", false, &module.subsys), ("device", true, &module.device)]
            {
                for (index, of) in names.iter().enumerate() {
                    cx.within([Seg::Key(key), Seg::Index(index)], |cx| {
                        let slot = cx.resolve(Kind::Ops, of);
                        if cx.slot(Kind::Ops, of).is_none() {
                            return;
                        }
                        if let Some(owner) = owners.insert(slot, name.clone()) {
                            let message = format!("`{of}` is part of the module `{owner}` already");
                            cx.report(Diagnostic::new("S048", message), "once more");
                        }
                        ops.push((slot as usize, is_device));
                    });
                }
            }
        });
        let (unregister, barrier) = (module.unregister, module.barrier);
        all.push(Module { name, ops, init: module.init, exit: module.exit, unregister, barrier });
    }
    all
}

pub(super) fn pernet(cx: &mut Checker<'_>, text: &mut Text, modules: &[Module]) -> Vec<Pernet> {
    let mut all = Vec::new();
    for (index, (name, ops)) in std::mem::take(&mut text.pernet.0).into_iter().enumerate() {
        let path = [Seg::Key("pernet"), Seg::Name(name.clone())];
        let (mut library, mut uses) = (None, None);
        cx.within(path, |cx| {
            library = subsystem(cx, &ops);
            uses = library.and_then(|library| used(cx, &ops, library));
        });
        let init_returns = init_returns(cx, &name, &ops);
        let is_part = |module: &Module| module.ops.iter().any(|(of, _)| *of == index);
        all.push(Pernet {
            name,
            library,
            uses,
            time: ops.time.map_or(0, |time| time.0),
            module: modules.iter().position(is_part),
            id: library.map_or(ops.id, |library| library.size > 0),
            size: library.map_or(ops.size.map_or(0, |n| n.usize()), |library| library.size),
            init: ops.init,
            init_returns,
            exit: ops.exit,
            exit_batch: ops.exit_batch,
        });
    }
    all
}

/// The subsystem of the library that operations are, and whether their fields go with that.
fn subsystem(cx: &mut Checker<'_>, ops: &PernetText) -> Option<&'static Subsystem> {
    let Some(name) = &ops.library else {
        for (key, is_given) in [("uses", ops.uses.is_some()), ("time", ops.time.is_some())] {
            if is_given {
                let diagnostic = Diagnostic::new("S047", format!("scripted operations have no `{key}`"));
                let help = "only subsystems of the library have it: `\"library\": \"loopback\"`";
                cx.within([Seg::Key(key)], |cx| cx.report_key(diagnostic.help(help), "of what?"));
            }
        }
        return None;
    };
    let Some(library) = Subsystem::from_name(name) else {
        let known = || SUBSYSTEMS.iter().map(|subsystem| subsystem.name);
        let help = match similar(name, known()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => {
                format!("known are {}; see `sim list subsystems`", known().collect::<Vec<_>>().join(", "))
            }
        };
        let message = format!("there is no subsystem `{}` in the library", name.escape_debug());
        let diagnostic = Diagnostic::new("S047", message).help(help);
        cx.within([Seg::Key("library")], |cx| cx.report(diagnostic, "unknown subsystem"));
        return None;
    };
    let scripted = [
        ("id", ops.id),
        ("size", ops.size.is_some()),
        ("init", ops.init.is_some()),
        ("exit", ops.exit.is_some()),
        ("exit_batch", ops.exit_batch.is_some()),
    ];
    for (key, is_given) in scripted {
        if is_given {
            let diagnostic =
                Diagnostic::new("S047", format!("a subsystem of the library has its own `{key}`"));
            let help = "operations are scripted, or from the library";
            cx.within([Seg::Key(key)], |cx| cx.report_key(diagnostic.help(help), "not to be given"));
        }
    }
    if ops.time.is_some() != library.takes_time {
        let message = match library.takes_time {
            true => format!("`{name}` takes a `time`"),
            false => format!("`{name}` takes no `time`"),
        };
        let key = if library.takes_time { "library" } else { "time" };
        cx.within([Seg::Key(key)], |cx| cx.report(Diagnostic::new("S047", message), "here"));
    }
    Some(library)
}

/// What a subsystem uses.
fn used(cx: &mut Checker<'_>, ops: &PernetText, library: &Subsystem) -> Option<Used> {
    let wanted = match library.uses {
        Uses::Nothing => None,
        Uses::Operations => Some(("the name of operations", Kind::Ops)),
        Uses::Module => Some(("the name of a module", Kind::Module)),
    };
    let name = library.name;
    match (&ops.uses, wanted) {
        (None, None) => None,
        (Some(_), None) => {
            let diagnostic = Diagnostic::new("S047", format!("`{name}` uses nothing"));
            cx.within([Seg::Key("uses")], |cx| cx.report_key(diagnostic, "not to be given"));
            None
        }
        (None, Some((what, _))) => {
            let diagnostic = Diagnostic::new("S047", format!("`{name}` uses something that is not given"));
            let help = format!("add `\"uses\"`: {what}");
            cx.within([Seg::Key("library")], |cx| cx.report(diagnostic.help(help), "uses what?"));
            None
        }
        (Some(of), Some((_, kind))) => {
            let mut used = None;
            cx.within([Seg::Key("uses")], |cx| {
                let slot = cx.resolve(kind, of) as usize;
                used = Some(if kind == Kind::Ops { Used::Operations(slot) } else { Used::Module(slot) });
            });
            used
        }
    }
}

/// What the calls of `init` return.
fn init_returns(cx: &mut Checker<'_>, name: &str, ops: &PernetText) -> BTreeMap<u64, i32> {
    let mut init_returns = BTreeMap::new();
    cx.within([Seg::Key("pernet"), Seg::Name(name.to_owned()), Seg::Key("init_returns")], |cx| {
        if ops.init.is_none() && ops.library.is_none() && !ops.init_returns.0.is_empty() {
            let diagnostic = Diagnostic::new("S031", format!("`{name}` has no method `init`"));
            cx.report_key(diagnostic.help("add `\"init\": []`, which does nothing"), "so it returns nothing");
        }
        for (call, mut value) in ops.init_returns.0.iter().cloned() {
            cx.within([Seg::Name(call.clone())], |cx| {
                value.resolve(cx);
                let returns = match value.value {
                    Expected::Number(n) => i32::try_from(n).ok(),
                    Expected::Error(error) => Some(error),
                    _ => None,
                };
                match (call.parse::<u64>().ok().filter(|n| *n > 0), returns) {
                    (Some(call), Some(returns)) => drop(init_returns.insert(call, returns)),
                    (None, _) => {
                        let message = format!("`{}` is no number of a call", call.escape_debug());
                        let help = "calls are counted from 1: `{\"2\": \"-ENOMEM\"}`";
                        cx.report_key(Diagnostic::new("S013", message).help(help), "not a number from 1");
                    }
                    (_, None) => {
                        let diagnostic = Diagnostic::new("S027", "`init` never returns this");
                        cx.report(diagnostic.help("it returns a number or an error"), "not an int");
                    }
                }
            });
        }
    });
    init_returns
}
