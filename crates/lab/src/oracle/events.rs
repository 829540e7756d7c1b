// SPDX-License-Identifier: GPL-2.0-only
//! Events in the form of a recording.

use std::rc::Rc;

use kernel::{
    Addr, Fault, Op,
    rcu::{KFREE_RCU, RCU_BARRIER, RCU_INVOKE_CALLBACK, SYNCHRONIZE_RCU},
    tracepoint,
    workqueue::{WORKQUEUE_EXECUTE_END, WORKQUEUE_EXECUTE_START, WORKQUEUE_QUEUE_WORK},
};
use machine::{BadPointer, Bug, Bus, Effect, Event, Finding, Kind, Tracepoint, What};
use netns::{
    INUM_ALLOC, INUM_FREE, NETLINK_BROADCAST, NETLINK_DELIVER, NETLINK_SET_ERR, NETLINK_UNICAST,
    RTNL_REGISTER, SK_ERR, USER_NS_FREE,
};
use serde_json::{Value, json};

use super::{
    contexts::Shared,
    names::{is_recorded, kind_and_name, number, of_finding},
};

tracepoint! {
    /// An operation of the sequence begins.
    pub(super) OP_BEGIN, "oracle_op_begin", ["operation", ""]
}
tracepoint! {
    /// An operation of the sequence has ended.
    pub(super) OP_END, "oracle_op_end", ["operation", ""]
}
tracepoint! {
    /// A context tells an event by itself.
    pub(super) NOTE, "oracle_note", ["note", ""]
}

tracepoint! {
    /// The grace period that follows passes by itself: no kernel code waits for it, so no hook fires in it.
    pub(super) RCU_RUN, "oracle_rcu_run", ["", ""]
}

/// Of injected failures, so many are recorded for each operation.
const MAX_ALLOC_FAIL_EVENTS: u64 = 20;
/// So many without anything else mean that an allocation is retried for ever.
const ENDLESS_ALLOC_FAILS: u64 = 1000;

/// `RTNLGRP_NSID`
const RTNLGRP_NSID: i64 = 28;

/// Writes down what can be seen.
#[derive(Debug)]
pub(super) struct Events {
    bus: Rc<Bus>,
    shared: Rc<Shared>,
    /// Those of the present operation.
    current: Option<Vec<Value>>,
    /// How many of them the last thing that happened made.
    newest: usize,
    alloc_fails: u64,
    ended: bool,
}

impl Events {
    pub(super) fn new(bus: Rc<Bus>, shared: Rc<Shared>) -> Self {
        Events { bus, shared, current: None, newest: 0, alloc_fails: 0, ended: false }
    }
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    fn push(&mut self, event: Value) {
        if let Some(events) = &mut self.current {
            events.push(event);
            self.newest += 1;
        }
    }

    /// The sequence ends here.
    pub(super) fn end(&mut self, ub: &str) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let mut events = self.current.take().unwrap_or_default();
        events.push(json!({ "ub": ub }));
        let mut observed = self.shared.observed.borrow_mut();
        observed.events.push(events);
        observed.results.push(Value::Null);
        observed.ub = Some(ub.to_owned());
    }

    pub(super) fn happened(&mut self, event: &Event) {
        if self.ended {
            return;
        }
        self.newest = 0;
        match event.what {
            What::Op(op, answer) => self.operation(op, answer),
            What::Effect(effect) => self.effect(effect),
        }
    }

    fn operation(&mut self, op: Op, answer: i64) {
        let Some(locks) = self.shared.locks.get() else { return };
        match op {
            Op::Lock(lock, _) if lock == locks.net_mutex && answer == 0 => self.push(json!("+M")),
            Op::Lock(lock, _) if lock == locks.net_mutex => self.push(json!(["eintr"])),
            Op::Lock(lock, _) if lock == locks.rtnl_mutex => self.push(json!("+R")),
            _ => {}
        }
    }

    fn effect(&mut self, effect: Effect) {
        match effect {
            Effect::Alloc(addr) => self.alloc(addr),
            Effect::Free(addr) => {
                if let Some((kind, name)) = kind_and_name(&self.bus, addr) {
                    self.push(json!(["free", kind, name]));
                }
            }
            Effect::AllocFailed(kind) => {
                self.alloc_fails += 1;
                if self.alloc_fails <= MAX_ALLOC_FAIL_EVENTS {
                    self.push(json!(["alloc_fail", kind]));
                }
                if self.alloc_fails > ENDLESS_ALLOC_FAILS {
                    self.end("endless loop (failing allocation retried for ever)");
                }
            }
            Effect::Unlock(lock, _) => {
                let Some(locks) = self.shared.locks.get() else { return };
                if lock == locks.net_mutex {
                    self.push(json!("-M"));
                } else if lock == locks.rtnl_mutex {
                    self.push(json!("-R"));
                }
            }
            Effect::Trace(point, first, second) => self.trace(point, first, second),
            _ => {}
        }
    }

    fn alloc(&mut self, addr: Addr) {
        let is_static = self.bus.inspect(|memory| memory.object(addr).is_some_and(|o| o.name.is_some()));
        let Some((kind, name)) = kind_and_name(&self.bus, addr).filter(|_| !is_static) else { return };
        if kind == "gen" || kind == "data" {
            let bytes = self.bus.inspect(|memory| memory.object(addr).map_or(0, |object| object.bytes));
            self.push(json!(["alloc", kind, name, bytes]));
        } else {
            self.push(json!(["alloc", kind, name]));
        }
    }

    fn trace(&mut self, point: &'static Tracepoint, first: i64, second: i64) {
        let number = |value: i64| number(&self.bus, Addr::from_value(value));
        let event = match point.name {
            name if name == OP_BEGIN.name => {
                self.current = Some(Vec::new());
                self.alloc_fails = 0;
                return;
            }
            name if name == OP_END.name => {
                let events = self.current.take().unwrap_or_default();
                self.shared.observed.borrow_mut().events.push(events);
                return;
            }
            name if name == NOTE.name => {
                let notes = self.shared.notes.borrow();
                usize::try_from(first).ok().and_then(|note| notes.get(note).cloned()).unwrap_or(Value::Null)
            }
            name if name == KFREE_RCU.name => {
                let Some((_, name)) = kind_and_name(&self.bus, Addr::from_value(first)) else { return };
                json!(["kfree_rcu", name])
            }
            name if name == SYNCHRONIZE_RCU.name => json!(["sync"]),
            name if name == RCU_BARRIER.name => json!(["barrier"]),
            name if name == RCU_INVOKE_CALLBACK.name => {
                if !is_recorded(&self.bus, Addr::from_value(first)) {
                    return;
                }
                json!(["rcu_cb"])
            }
            name if name == WORKQUEUE_QUEUE_WORK.name => json!(["queue_work", second != 0]),
            name if name == WORKQUEUE_EXECUTE_START.name => json!(["work_start"]),
            name if name == WORKQUEUE_EXECUTE_END.name => json!(["work_end"]),
            name if name == INUM_ALLOC.name => json!(["inum_alloc", first]),
            name if name == INUM_FREE.name => json!(["inum_free", first]),
            name if name == USER_NS_FREE.name => json!(["userns_free", number(first)]),
            name if name == RTNL_REGISTER.name => json!(["rtnl_register", first, true, second != 0]),
            name if name == NETLINK_SET_ERR.name => json!(["set_err", number(first), RTNLGRP_NSID, second]),
            name if name == SK_ERR.name => json!(["sk_err", first, second]),
            name if name == NETLINK_DELIVER.name => json!(["deliver", first, second]),
            name if name == NETLINK_BROADCAST.name => {
                let message = self.message(second);
                let r#type = if message.get(4) == Some(&89) { "DELNSID" } else { "NEWNSID" };
                let id = message.last_chunk().map_or(0, |bytes| i32::from_le_bytes(*bytes));
                json!(["notify", number(first), r#type, id, hex(&message)])
            }
            name if name == NETLINK_UNICAST.name => {
                let message = self.message(second);
                let portid = message.get(12..16).and_then(|bytes| bytes.first_chunk().copied());
                json!(["unicast", number(first), portid.map(u32::from_le_bytes), hex(&message)])
            }
            _ => return,
        };
        self.push(event);
    }

    /// A message that was sent.
    fn message(&self, number: i64) -> Vec<u8> {
        let ns = self.shared.ns.borrow();
        ns.as_ref().map(|ns| ns.netlink.log.borrow().message(number).to_vec()).unwrap_or_default()
    }

    pub(super) fn found(&mut self, finding: &Finding) {
        if self.ended {
            return;
        }
        let ub = match &finding.bug {
            Bug::UseAfterFree { cell, kind, .. } => {
                format!("heap-use-after-free: {} of {}", first_access(*kind), of_finding(&cell.object))
            }
            Bug::OutOfBounds { cell, kind, .. } => {
                format!("heap-buffer-overflow: {} of {}", first_access(*kind), of_finding(&cell.object))
            }
            Bug::DoubleFree { cell, .. } => format!("double free of {}", of_finding(&cell.object)),
            Bug::InvalidFree { cell } => format!("invalid free of {}", of_finding(&cell.object)),
            Bug::Oops { fault, .. } => oops(*fault, finding.by.function),
            Bug::SleepInAtomic { what, .. } => {
                return self.push(json!(["warn", format!("sleeping allocation in atomic context: {what}")]));
            }
            Bug::Warning { what } => return self.push(json!(["warn", what])),
            Bug::Deadlock { .. } | Bug::BadUnlock { .. } => finding.to_string(),
            Bug::DataRace { .. } | Bug::UnorderedFree { .. } => return,
            // Nothing of the kind was compiled in.
            Bug::Lockdep(_) | Bug::LocksHeld { .. } | Bug::SuspiciousRcu { .. } => return,
            Bug::ListCorruption { .. } | Bug::Refcount { .. } | Bug::Watchdog(_) => return,
            Bug::MemoryLeak { .. } | Bug::Invariant { .. } => return,
        };
        // What the event was about did not happen.
        if let Some(events) = &mut self.current {
            events.truncate(events.len().saturating_sub(self.newest));
        }
        self.end(&ub);
    }
}

/// What was noticed first: of a read-modify-write operation, the read.
fn first_access(kind: Kind) -> &'static str {
    match kind {
        Kind::Read | Kind::ReadWrite => "read",
        Kind::Write => "write",
    }
}

fn oops(fault: Fault, function: &str) -> String {
    match fault {
        Fault::BadPointer(BadPointer::Null, _) if function == "__put_net" => {
            "NULL pointer dereference: queue_work on a workqueue that does not exist yet".to_owned()
        }
        Fault::BadPointer(BadPointer::Null, _) => "oops: NULL pointer dereference".to_owned(),
        Fault::BadPointer(BadPointer::ListPoison1, _) => "oops: list poison 1 dereferenced".to_owned(),
        Fault::BadPointer(BadPointer::ListPoison2, _) => "oops: list poison 2 dereferenced".to_owned(),
        Fault::BadPointer(BadPointer::Wild, _) => "oops: wild pointer dereferenced".to_owned(),
        Fault::TypeConfusion { .. } => {
            format!("type confusion: {function} takes a list head for a struct net")
        }
        Fault::Bug(what) => format!("BUG: {what}"),
        Fault::Panic(what) => format!("panic: {}", panic_text(what)),
        Fault::EndlessLoop | Fault::OutOfMemory => "endless loop".to_owned(),
    }
}

/// The recording's words for the kernel's.
fn panic_text(what: &str) -> &str {
    match what {
        "Could not allocate generic netns" => "no generic array",
        "Could not setup the initial network namespace" => "setup of the initial namespace failed",
        "Could not create netns workq" => "no workqueue",
        other => other,
    }
}

/// Bytes as a recording writes them.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
