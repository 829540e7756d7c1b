// SPDX-License-Identifier: GPL-2.0-only
//! RCU usage: pointers that RCU protects are followed by readers, and readers do not wait for themselves;
//! CONFIG_PROVE_RCU, include/linux/rcupdate.h

use machine::{
    Addr, Bug, CellKind, Checker, Effect, Event, Leaving, Loc, Locking, Op, Order, Scene, TakenLock, Update,
    What, name_hash,
};

/// `RCU_LOCKDEP_WARN()`. It remembers nothing.
#[derive(Debug, Default)]
pub struct RcuUsage;

const SYNCHRONIZE_RCU: u64 = name_hash("synchronize_rcu");
const SYNCHRONIZE_RCU_EXPEDITED: u64 = name_hash("synchronize_rcu_expedited");

impl Checker for RcuUsage {
    fn reset(&mut self) {}

    #[inline]
    fn looks_at(&self, what: &What) -> bool {
        match what {
            What::Op(Op::Marked(_, Update::Read, Order::Acquire), _) => true,
            What::Effect(Effect::Enter(function, _)) => {
                matches!(function.hash, SYNCHRONIZE_RCU | SYNCHRONIZE_RCU_EXPEDITED)
            }
            What::Effect(Effect::UserMode) => true,
            _ => false,
        }
    }

    fn wants_lock(&mut self, _: Addr, _: Locking, _: Loc, _: &Scene<'_>, _: &mut Vec<Bug>) {}

    fn happened(&mut self, event: &Event, scene: &Scene<'_>, found: &mut Vec<Bug>) {
        let what = match event.what {
            What::Op(Op::Marked(addr, Update::Read, Order::Acquire), _) if scene.rcu_nesting == 0 => {
                let kind = scene.bus.inspect(|memory| {
                    let field = memory.object(addr).and_then(|object| object.layout.field(addr.cell()));
                    field.map(|field| field.kind)
                });
                // Others acquire as well: an atomic_t, a link of a list.
                if kind != Some(CellKind::RcuPointer) {
                    return;
                }
                "suspicious rcu_dereference_check() usage"
            }
            What::Effect(Effect::Enter(function, _)) if scene.rcu_nesting > 0 => match function.hash {
                SYNCHRONIZE_RCU => "Illegal synchronize_rcu() in RCU read-side critical section",
                SYNCHRONIZE_RCU_EXPEDITED => {
                    "Illegal synchronize_rcu_expedited() in RCU read-side critical section"
                }
                _ => return,
            },
            What::Effect(Effect::UserMode) => return leave(Leaving::ToUserMode, event.loc, scene, found),
            _ => return,
        };
        found.push(Bug::SuspiciousRcu { what });
    }

    fn exited(&mut self, loc: Loc, scene: &Scene<'_>, found: &mut Vec<Bug>) {
        leave(Leaving::Task, loc, scene, found);
    }
}

/// A read-side critical section that does not end. To lockdep it is a lock that is held.
#[inline]
fn leave(leaving: Leaving, loc: Loc, scene: &Scene<'_>, found: &mut Vec<Bug>) {
    if scene.rcu_nesting > 0 {
        let reader = TakenLock {
            class: "rcu_read_lock".to_owned(),
            lock: None,
            usage: "....".to_owned(),
            at: scene.access(loc),
        };
        found.push(Bug::LocksHeld { leaving, held: vec![reader] });
    }
}
