// SPDX-License-Identifier: GPL-2.0-only
//! What people read of an execution that failed.

use std::any::Any;

use machine::{Access, Addr, Announced, Bug, Effect, Finding, Op, Order, Update, What};

use crate::{
    cell::Role,
    explore::Failure,
    machine::{Loom, Traced},
};

/// What a stack that overflows says.
const NO_MESSAGE: &str =
    "a panic without a message: perhaps 32 KiB of stack, all that a loom thread has, are not enough";

/// The report of a machine whose execution ended in this panic.
pub(crate) fn failure(machine: &Loom, panic: &(dyn Any + Send), execution: u64) -> Failure {
    let message = panic.downcast_ref::<String>().map(String::as_str);
    let message = message.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or(NO_MESSAGE);
    let mut finding = machine.finding.take();
    if finding.is_none() && message.starts_with("deadlock; threads") {
        finding = stuck(machine).into_iter().next();
    }
    let mut text = match (&finding, machine.limit.get()) {
        (Some(finding), _) => finding.to_string(),
        (None, Some(limit)) => limit.to_owned(),
        (None, None) => message.trim().to_owned(),
    };
    if let Some(finding) = &finding {
        for line in details(machine, finding) {
            text.push_str("\n  ");
            text.push_str(&line);
        }
        if matches!(finding.bug, Bug::Deadlock { .. }) {
            for other in stuck(machine).iter().skip(1) {
                text.push_str(&format!("\n{other}"));
                details(machine, other).iter().for_each(|line| text.push_str(&format!("\n  {line}")));
            }
        }
    }
    let mut trace: Vec<String> = machine.trace.borrow().iter().map(|traced| line(machine, traced)).collect();
    trace.extend(pending(machine));
    Failure { text, trace, finding: finding.map(Box::new), execution }
}

/// A finding for each task that waits for something that will not come, in order of creation.
fn stuck(machine: &Loom) -> Vec<Finding> {
    let tasks = machine.tasks.borrow();
    let waiting = tasks.iter().zip(0..).filter_map(|(task, id)| {
        let Announced { op, loc } = task.announced?;
        let (what, holders) = match op {
            Op::Wait(addr) if task.idle == Some(addr) => return None,
            Op::Wait(addr) => (machine.describe(addr).to_string(), Vec::new()),
            Op::Lock(addr, _) => {
                (machine.describe(addr).to_string(), holder(machine, addr).into_iter().collect())
            }
            Op::GraceEnd => ("a grace period".to_owned(), machine.rcu.readers_before(task.grace)),
            _ => return None,
        };
        let by = machine.access(machine::TaskId(id), loc);
        Some(Finding { bug: Bug::Deadlock { what, op, holders }, by, stack: task.stack.clone() })
    });
    waiting.collect()
}

fn holder(machine: &Loom, lock: Addr) -> Option<Access> {
    let (object, cell) = machine.cell(lock)?;
    match &object.cell(cell).role {
        Role::Lock(lock) => lock.holder(),
        _ => None,
    }
}

/// `task b in get_net at crates/netns/src/net_namespace.rs:7`
fn who(machine: &Loom, access: &Access) -> String {
    let (file, line) = (access.loc.file(), access.loc.line());
    format!("task {} in {} at {file}:{line}", machine.bus.name(access.task), access.function)
}

fn details(machine: &Loom, finding: &Finding) -> Vec<String> {
    let who = |access: &Access| who(machine, access);
    let by = who(&finding.by);
    let mark = |marked: bool| if marked { "marked" } else { "unmarked" };
    match &finding.bug {
        Bug::UseAfterFree { cell, kind, allocated, freed } => vec![
            format!("{} of {cell} by {by}", kind.name()),
            format!("allocated by {}", who(allocated)),
            format!("freed by {}", who(freed)),
        ],
        Bug::DoubleFree { allocated, freed, .. } => vec![
            format!("freed by {by}"),
            format!("allocated by {}", who(allocated)),
            format!("freed before by {}", who(freed)),
        ],
        Bug::OutOfBounds { cell, kind, allocated, .. } => vec![
            format!("{} of {cell}, {} bytes, by {by}", kind.name(), cell.size),
            format!("allocated by {}", who(allocated)),
        ],
        Bug::DataRace { kind, marked, earlier, earlier_kind, earlier_marked, .. } => vec![
            format!("{} {} by {by}", mark(*marked), kind.name()),
            format!("{} {} by {}", mark(*earlier_marked), earlier_kind.name(), who(earlier)),
        ],
        Bug::UnorderedFree { used, .. } => vec![format!("freed by {by}"), format!("used by {}", who(used))],
        Bug::Deadlock { holders, .. } => {
            let held = holders.iter().map(|holder| format!("held by {}", who(holder)));
            [format!("wanted by {by}")].into_iter().chain(held).collect()
        }
        Bug::Oops { target, .. } => vec![format!("by {by}, about {target}")],
        _ => vec![format!("by {by}")],
    }
}

/// What each task was about to do.
fn pending(machine: &Loom) -> Vec<String> {
    let tasks = machine.tasks.borrow();
    let announced = tasks.iter().zip(0..).filter_map(|(task, id)| {
        let Announced { op, loc } = task.announced?;
        let what = format!("... {}", describe(machine, op));
        Some(columns(machine, &machine.access(machine::TaskId(id), loc), &what))
    });
    announced.collect()
}

fn line(machine: &Loom, traced: &Traced) -> String {
    let Traced { event, function } = traced;
    let access = Access { function, ..machine.access(event.current.task, event.loc) };
    let what = match event.what {
        What::Op(op @ (Op::Marked(..) | Op::Racy(..) | Op::IsLocked(_) | Op::Wait(_)), answer) => {
            format!("{} = {answer}", describe(machine, op))
        }
        What::Op(op, _) => describe(machine, op),
        What::Effect(effect) => described(machine, effect),
    };
    columns(machine, &access, &what)
}

fn columns(machine: &Loom, access: &Access, what: &str) -> String {
    let name = machine.bus.name(access.task);
    let loc = format!("{}:{}", access.loc.file(), access.loc.line());
    format!("{name:<12} {:<20} {loc:<48} {what}", access.function)
}

fn describe(machine: &Loom, op: Op) -> String {
    let cell = |addr| machine.describe(addr);
    match op {
        Op::Marked(addr, update, order) => {
            format!("{} {} {}", updated(update), cell(addr), ordering(order))
        }
        Op::Racy(addr, update) => format!("{} {} unmarked", updated(update), cell(addr)),
        Op::Lock(addr, locking) => format!("lock {} ({locking:?})", cell(addr)),
        Op::IsLocked(addr) => format!("is locked {}", cell(addr)),
        Op::Wait(addr) => format!("wait {}", cell(addr)),
        Op::RcuReadLock => "rcu_read_lock".to_owned(),
        Op::GraceBegin { .. } => "grace period begins".to_owned(),
        Op::GraceEnd => "grace period ends".to_owned(),
        Op::Start
        | Op::MightSleep(_)
        | Op::PreemptEnable
        | Op::Interruptible
        | Op::Sleep(_)
        | Op::Stall(_)
        | Op::Tick
        | Op::Fault(_) => format!("{op:?}"),
    }
}

fn described(machine: &Loom, effect: Effect) -> String {
    let cell = |addr| machine.describe(addr);
    match effect {
        Effect::Alloc(addr) => format!("allocate {}", cell(addr).object),
        Effect::Free(addr) => format!("free {}", cell(addr).object),
        Effect::Read(addr) => format!("read {}", cell(addr)),
        Effect::Write(addr, value) => format!("write {} {value}", cell(addr)),
        Effect::Unlock(addr, _) => format!("unlock {}", cell(addr)),
        Effect::Complete(addr) => format!("complete {}", cell(addr)),
        Effect::Release(addr) => format!("release {}", cell(addr)),
        Effect::Acquire(addr) => format!("acquire {}", cell(addr)),
        Effect::RcuReadUnlock => "rcu_read_unlock".to_owned(),
        Effect::Enter(function, arg) => format!("enter {}({arg:#x})", function.name),
        Effect::Leave(n) => format!("leave {n}"),
        Effect::Trace(point, first, second) => format!("trace {} {first:#x} {second:#x}", point.name),
        Effect::Spawn(id) => {
            let name = machine.tasks.borrow().get(id.index()).map(|task| task.name);
            format!("spawn {}", name.map_or_else(|| format!("{id:?}"), |name| machine.bus.name(name)))
        }
        Effect::Disable(_) | Effect::Enable(_) | Effect::UserMode => format!("{effect:?}"),
        Effect::Kill(_) | Effect::AllocFailed(_) | Effect::MightSleep(_) | Effect::Warn(_) => {
            format!("{effect:?}")
        }
    }
}

fn updated(update: Update) -> &'static str {
    match update {
        Update::Read => "read",
        Update::Write(_) => "write",
        Update::Add(delta) if delta < 0 => "subtract from",
        Update::Add(_) => "add to",
        Update::AddUnless { .. } | Update::IncBelow(_) | Update::DecIfPositive => "change if it may be",
        Update::Xchg(_) => "exchange",
        Update::CmpXchg { .. } => "compare and exchange",
    }
}

fn ordering(order: Order) -> &'static str {
    match order {
        Order::Relaxed => "relaxed",
        Order::Acquire => "acquire",
        Order::Release => "release",
        Order::Full => "full",
    }
}
