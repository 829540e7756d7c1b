// SPDX-License-Identifier: GPL-2.0-only
//! What lockdep tells of what it has found.

use machine::{
    Access, Bug, Dependency, LockProblem, LockReport, Locking, Scene, TakenLock, Usage, UsedClass,
};

use super::{Held, Lockdep, contrary, graph::ClassId};

impl Lockdep {
    /// A report about a lock that is taken as `how` says.
    pub(super) fn report(&self, problem: LockProblem, lock: Held, how: Locking, scene: &Scene<'_>) -> Bug {
        let bh = if how == Locking::SpinBh { 0x200 } else { 0 };
        Bug::Lockdep(Box::new(LockReport {
            problem,
            lock: self.taken(lock, scene),
            held: self.all_taken(scene),
            preempt_count: scene.preempt_count + bh,
            irqs_disabled: scene.irqs_disabled || how.disables_irqs(),
        }))
    }

    /// What the task holds.
    pub(super) fn all_taken(&self, scene: &Scene<'_>) -> Vec<TakenLock> {
        let held = self.held.get(scene.current.task.index());
        held.into_iter().flatten().map(|held| self.taken(*held, scene)).collect()
    }

    pub(super) fn taken(&self, held: Held, scene: &Scene<'_>) -> TakenLock {
        let Held { class, addr, loc, function, step } = held;
        let function = function.map_or("start", |function| function.name);
        TakenLock {
            class: self.graph.name(class),
            lock: Some(scene.bus.inspect(|memory| memory.cell(addr))),
            usage: self.graph.usage(class),
            at: Access { task: scene.name, id: scene.current.task, function, loc, step },
        }
    }

    /// A circle: `path` leads from the lock that is taken to the one that is held.
    pub(super) fn circular(&self, path: &[ClassId], held: Held, scene: &Scene<'_>) -> LockProblem {
        let chain = path.windows(2).filter_map(|pair| {
            let at = self.graph.edge(pair[0], pair[1])?;
            Some(Dependency { class: self.graph.name(pair[1]), usage: self.graph.usage(pair[1]), at })
        });
        LockProblem::Circular { held: self.taken(held, scene), chain: chain.collect() }
    }

    /// A lock that is used in interrupts leads to one that they do not spare; `about` says which interrupts.
    pub(super) fn irq_unsafe(
        &self,
        about: Usage,
        safe: ClassId,
        not_safe: ClassId,
        held: Option<TakenLock>,
    ) -> Option<LockProblem> {
        let inside = match about {
            Usage::InHardirq | Usage::HardirqOn => Usage::InHardirq,
            Usage::InSoftirq | Usage::SoftirqOn => Usage::InSoftirq,
        };
        let used = |class, usage| {
            let at = self.graph.used(class, usage)?;
            Some(UsedClass { class: self.graph.name(class), usage: self.graph.usage(class), at })
        };
        Some(LockProblem::IrqUnsafe {
            irq: inside.irq(),
            safe: used(safe, inside)?,
            not_safe: used(not_safe, contrary(inside))?,
            held,
        })
    }
}
