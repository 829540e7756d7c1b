// SPDX-License-Identifier: GPL-2.0-only
//! What a task wants to do next, in words.

use machine::{Announced, Bus, Op, Update};

use crate::words::{Words, duration, lock_names};

/// What a task has announced: `waits for net_mutex (mutex_lock)`, or `can go on with write of net 1->count`. `bus` is
/// still that of the run. What is possible may have to wait until it is ready, for its time or for a CPU.
pub fn standing(bus: &Bus, announced: Announced, is_possible: bool, is_ready: bool) -> String {
    let words = Words { bus };
    let what = match announced.op {
        Op::Start => "its first operation".to_owned(),
        Op::Lock(addr, how) => format!("{} ({})", words.cell(addr), lock_names(how).0),
        Op::Wait(addr) => format!("{} (wait_for_completion)", words.cell(addr)),
        Op::GraceEnd => "a grace period (synchronize_rcu)".to_owned(),
        Op::Marked(addr, update, _) | Op::Racy(addr, update) => {
            let verb = if update == Update::Read { "read" } else { "change" };
            format!("{verb} of {}", words.cell(addr))
        }
        Op::IsLocked(addr) => format!("a look at {}", words.cell(addr)),
        Op::RcuReadLock => "rcu_read_lock".to_owned(),
        Op::GraceBegin { .. } => "the begin of a grace period".to_owned(),
        Op::MightSleep(what) => format!("might_sleep of {what}"),
        Op::PreemptEnable => "the end of a section without preemption".to_owned(),
        Op::Interruptible => "a critical section".to_owned(),
        Op::Sleep(ns) => format!("{} to pass", duration(ns)),
        Op::Stall(ns) => format!("a stall of {}", duration(ns)),
        Op::Tick => "the timer interrupt".to_owned(),
        Op::Fault(_) => "nothing any more: it is dead".to_owned(),
    };
    match announced.op {
        _ if is_ready => format!("can go on with {what}"),
        _ if is_possible => format!("waits for its time, or a CPU, to go on with {what}"),
        op if op.sleeps() || matches!(op, Op::Lock(..)) => format!("waits for {what}"),
        _ => format!("waits for its CPU, to go on with {what}"),
    }
}
