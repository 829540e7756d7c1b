// SPDX-License-Identifier: GPL-2.0-only
//! What two findings have in common that are the same bug: kind, kernel functions, and class of objects.

use machine::{Alarm, BadPointer, Bug, Cell, Fault, Finding, Op};

use super::title::{function, function_of_finding};
use crate::{
    Scene,
    words::{Words, class},
};

/// A finding's key: `kasan-use-after-free in put_net: struct net.count`. It says nothing of numbers, addresses, lines
/// or times, so that two runs which hit the same bug have the same.
pub fn key(scene: &Scene<'_>, finding: &Finding) -> String {
    let by = function_of_finding(scene, finding);
    let of = |cell: &Cell| class(cell.class, cell.field);
    let (functions, class) = match &finding.bug {
        Bug::UseAfterFree { cell, .. } | Bug::OutOfBounds { cell, .. } | Bug::Refcount { cell, .. } => {
            (by, of(cell))
        }
        Bug::DoubleFree { cell, .. } | Bug::InvalidFree { cell } => (by, cell.class.to_owned()),
        Bug::DataRace { cell, earlier, .. } => (pair(by, function(scene, earlier)), of(cell)),
        Bug::UnorderedFree { cell, used } => (pair(by, function(scene, used)), cell.class.to_owned()),
        Bug::Deadlock { op, .. } => (by, waits_for(scene, op)),
        Bug::Lockdep(report) => (by, report.lock.class.clone()),
        Bug::LocksHeld { held, .. } => (by, held.first().map(|lock| lock.class.clone()).unwrap_or_default()),
        Bug::Warning { what } | Bug::SuspiciousRcu { what } | Bug::SleepInAtomic { what, .. } => {
            (by, (*what).to_owned())
        }
        Bug::Oops { fault, .. } => (by, followed(*fault)),
        Bug::Watchdog(alarm) => match &**alarm {
            Alarm::HungTask { op, .. } => (by, waits_for(scene, op)),
            Alarm::SoftLockup { .. } | Alarm::HardLockup { .. } => (by, String::new()),
            Alarm::RcuStall(_) | Alarm::WorkqueueLockup { .. } => (by, String::new()),
        },
        Bug::MemoryLeak { cell, .. } => (by, cell.class.to_owned()),
        Bug::Invariant { rule, .. } => (by, (*rule).to_owned()),
        Bug::BadUnlock { .. } | Bug::ListCorruption { .. } => (by, String::new()),
    };
    let class = if class.is_empty() { class } else { format!(": {class}") };
    format!("{} in {functions}{class}", finding.code())
}

/// Two tasks that race may be found in either order.
fn pair(one: String, other: String) -> String {
    let (first, second) = if one <= other { (one, other) } else { (other, one) };
    format!("{first} / {second}")
}

/// What an operation waits for, by type.
fn waits_for(scene: &Scene<'_>, op: &Op) -> String {
    match *op {
        Op::Lock(addr, _) | Op::Wait(addr) => Words { bus: scene.bus }.class(addr),
        _ => String::new(),
    }
}

fn followed(fault: Fault) -> String {
    match fault {
        Fault::BadPointer(BadPointer::ListPoison1, _) => "LIST_POISON1".to_owned(),
        Fault::BadPointer(BadPointer::ListPoison2, _) => "LIST_POISON2".to_owned(),
        Fault::Bug(what) | Fault::Panic(what) => what.to_owned(),
        _ => String::new(),
    }
}
