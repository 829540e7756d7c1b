// SPDX-License-Identifier: GPL-2.0-only
//! Lockdep: lock orders and contexts that can deadlock, whether they do or not; kernel/locking/lockdep.c
//!
//! It speaks of classes, not of locks: all locks in one field of one type of objects are one. Taking a lock while
//! another is held makes a dependency of their classes, and a circle of those is reported however far its parts lie
//! apart. A class that is used in interrupts must not be held where such interrupts may arrive, nor lead to one that
//! is.
//!
//! Like the kernel's, it looks when a lock is *wanted*: a deadlock that happens is reported before it does. The kernel
//! turns itself off after its first report. Here it goes on, and reports each pair of classes once.

mod graph;
mod report;

use machine::{
    Addr, Bug, Checker, ContextKind, Effect, Event, Function, Leaving, Loc, LockProblem, Locking, Op, Scene,
    Section, Usage, What, name_hash,
};

use self::graph::{ClassId, Graph};

/// A lock that a task holds, or waits for: `struct held_lock`.
#[derive(Clone, Copy, Debug)]
struct Held {
    class: ClassId,
    addr: Addr,
    loc: Loc,
    function: Option<&'static Function>,
    step: u64,
}

/// The validator.
#[derive(Debug, Default)]
pub struct Lockdep {
    graph: Graph,
    /// What each task holds, in the order in which it took it. The last may be what it waits for.
    held: Vec<Vec<Held>>,
}

/// The functions and tracepoints of workqueues, which lockdep treats as locks. kernel/workqueue.c
const FLUSH_WORKQUEUE: u64 = name_hash("flush_workqueue");
const EXECUTE_START: u64 = name_hash("workqueue_execute_start");
const EXECUTE_END: u64 = name_hash("workqueue_execute_end");

impl Checker for Lockdep {
    fn reset(&mut self) {
        self.graph.clear();
        self.held.iter_mut().for_each(Vec::clear);
    }

    #[inline]
    fn looks_at(&self, what: &What) -> bool {
        match what {
            What::Op(Op::Lock(..), answer) => *answer != 0,
            What::Effect(Effect::Unlock(..) | Effect::UserMode) => true,
            What::Effect(Effect::Enable(section)) => *section != Section::Preempt,
            What::Effect(Effect::Enter(function, _)) => function.hash == FLUSH_WORKQUEUE,
            What::Effect(Effect::Trace(point, ..)) => matches!(point.hash, EXECUTE_START | EXECUTE_END),
            _ => false,
        }
    }

    #[inline]
    fn wants_lock(&mut self, lock: Addr, how: Locking, loc: Loc, scene: &Scene<'_>, found: &mut Vec<Bug>) {
        self.lock_acquire(lock, how, loc, scene, found);
    }

    fn happened(&mut self, event: &Event, scene: &Scene<'_>, found: &mut Vec<Bug>) {
        match event.what {
            // Not had after all: it was given up.
            What::Op(Op::Lock(addr, _), answer) if answer != 0 => self.forget(addr, scene),
            What::Effect(Effect::Unlock(addr, how)) => self.lock_release(addr, how, event.loc, scene, found),
            What::Effect(Effect::Enable(section)) if section != Section::Preempt => {
                self.interrupts_on(event.loc, scene, found);
            }
            What::Effect(Effect::Enter(function, wq)) if function.hash == FLUSH_WORKQUEUE => {
                self.flush(Addr::from_value(wq), event.loc, scene, found);
            }
            What::Effect(Effect::Trace(point, work, wq)) if point.hash == EXECUTE_START => {
                for map in [wq, work] {
                    self.lock_acquire(Addr::from_value(map), Locking::Mutex, event.loc, scene, found);
                }
            }
            What::Effect(Effect::Trace(point, work, wq)) if point.hash == EXECUTE_END => {
                for map in [work, wq] {
                    self.forget(Addr::from_value(map), scene);
                }
                self.leave(Leaving::Work, scene, found);
            }
            What::Effect(Effect::UserMode) => self.leave(Leaving::ToUserMode, scene, found),
            _ => {}
        }
    }

    fn exited(&mut self, _: Loc, scene: &Scene<'_>, found: &mut Vec<Bug>) {
        self.leave(Leaving::Task, scene, found);
    }
}

impl Lockdep {
    fn of_task(&mut self, scene: &Scene<'_>) -> &mut Vec<Held> {
        let task = scene.current.task.index();
        if self.held.len() <= task {
            self.held.resize_with(task + 1, Vec::new);
        }
        &mut self.held[task]
    }

    /// `lock_acquire()`
    fn lock_acquire(&mut self, addr: Addr, how: Locking, loc: Loc, scene: &Scene<'_>, found: &mut Vec<Bug>) {
        let Some(class) = self.graph.class_at(addr, scene) else { return };
        let function = scene.stack.last().map(|frame| frame.function);
        let lock = Held { class, addr, loc, function, step: scene.step };
        self.mark_irqflags(lock, how, scene, found);
        self.of_task(scene);
        let held = &self.held[scene.current.task.index()];
        // What lies further down depends on this one already.
        let previous = held.last().copied();
        let same = held.iter().find(|held| held.class == class).copied();
        match (same, previous) {
            (Some(same), _) => self.check_deadlock(same, lock, scene, found),
            (None, Some(previous)) => self.check_prev_add(previous, lock, scene, found),
            (None, None) => {}
        }
        self.of_task(scene).push(lock);
    }

    /// `lock_release()`
    fn lock_release(&mut self, addr: Addr, how: Locking, loc: Loc, scene: &Scene<'_>, found: &mut Vec<Bug>) {
        let held = self.of_task(scene);
        if let Some(at) = held.iter().rposition(|held| held.addr == addr) {
            held.remove(at);
            // Not the last one: what was taken after it now depends on what was taken before.
            if at > 0 && at < held.len() {
                let (previous, next) = (held[at - 1], held[at]);
                if previous.class != next.class {
                    self.check_prev_add(previous, next, scene, found);
                }
            }
        }
        if how == Locking::SpinBh || how.disables_irqs() {
            self.interrupts_on(loc, scene, found);
        }
    }

    /// What is held no more, or was never had.
    fn forget(&mut self, addr: Addr, scene: &Scene<'_>) {
        let held = self.of_task(scene);
        if let Some(at) = held.iter().rposition(|held| held.addr == addr) {
            held.remove(at);
        }
    }

    /// `flush_workqueue()` waits for what is queued, whose function may want what its caller holds.
    fn flush(&mut self, wq: Addr, loc: Loc, scene: &Scene<'_>, found: &mut Vec<Bug>) {
        self.lock_acquire(wq, Locking::Mutex, loc, scene, found);
        self.forget(wq, scene);
    }

    /// `mark_irqflags()`: whether a lock is taken in an interrupt, and where interrupts may arrive.
    #[inline]
    fn mark_irqflags(&mut self, lock: Held, how: Locking, scene: &Scene<'_>, found: &mut Vec<Bug>) {
        match scene.context {
            ContextKind::Process => {}
            ContextKind::Softirq => self.mark_lock(lock, Usage::InSoftirq, how, scene, found),
            ContextKind::Hardirq => self.mark_lock(lock, Usage::InHardirq, how, scene, found),
        }
        // What taking the lock keeps off is kept off before it is taken.
        if scene.irqs_disabled || how.disables_irqs() {
            return;
        }
        self.mark_lock(lock, Usage::HardirqOn, how, scene, found);
        if scene.softirq_count() == 0 && how != Locking::SpinBh {
            self.mark_lock(lock, Usage::SoftirqOn, how, scene, found);
        }
    }

    /// `trace_hardirqs_on()`, `trace_softirqs_on()`: everything that is held is now held where interrupts may arrive.
    fn interrupts_on(&mut self, loc: Loc, scene: &Scene<'_>, found: &mut Vec<Bug>) {
        if scene.irqs_disabled {
            return;
        }
        for i in 0..self.of_task(scene).len() {
            let held = Held { loc, ..self.of_task(scene)[i] };
            self.mark_lock(held, Usage::HardirqOn, Locking::Mutex, scene, found);
            if scene.softirq_count() == 0 {
                self.mark_lock(held, Usage::SoftirqOn, Locking::Mutex, scene, found);
            }
        }
    }

    #[inline]
    fn mark_lock(&mut self, lock: Held, now: Usage, how: Locking, scene: &Scene<'_>, found: &mut Vec<Bug>) {
        if !self.graph.has(lock.class, now) {
            self.mark_lock_first(lock, now, how, scene, found);
        }
    }

    /// `mark_lock()`: a class is used so for the first time.
    #[cold]
    fn mark_lock_first(
        &mut self,
        lock: Held,
        now: Usage,
        how: Locking,
        scene: &Scene<'_>,
        found: &mut Vec<Bug>,
    ) {
        self.graph.set(lock.class, now, scene.access(lock.loc));
        let was = contrary(now);
        if let Some(registered) = self.graph.used(lock.class, was) {
            let problem = LockProblem::Inconsistent { was, registered, now };
            return found.push(self.report(problem, lock, how, scene));
        }
        // What is used in interrupts must not lead to what they do not spare.
        let other = match now {
            Usage::InHardirq | Usage::InSoftirq => self.graph.forwards(lock.class, was),
            Usage::HardirqOn | Usage::SoftirqOn => self.graph.backwards(lock.class, was),
        };
        let Some(other) = other else { return };
        let (safe, not_safe) = match now {
            Usage::InHardirq | Usage::InSoftirq => (lock.class, other),
            Usage::HardirqOn | Usage::SoftirqOn => (other, lock.class),
        };
        if let Some(problem) = self.irq_unsafe(now, safe, not_safe, None) {
            found.push(self.report(problem, lock, how, scene));
        }
    }

    /// `check_deadlock()`: a lock of this class is held already.
    #[cold]
    fn check_deadlock(&mut self, held: Held, lock: Held, scene: &Scene<'_>, found: &mut Vec<Bug>) {
        if self.graph.note_recursion(lock.class) {
            let problem = LockProblem::Recursive { held: self.taken(held, scene) };
            found.push(self.report(problem, lock, Locking::Spin, scene));
        }
    }

    #[inline]
    fn check_prev_add(&mut self, previous: Held, next: Held, scene: &Scene<'_>, found: &mut Vec<Bug>) {
        if !self.graph.is_known(previous.class, next.class) {
            self.check_new_edge(previous, next, scene, found);
        }
    }

    /// `check_prev_add()`: `next` is taken while `previous` is held, for the first time.
    #[cold]
    fn check_new_edge(&mut self, previous: Held, next: Held, scene: &Scene<'_>, found: &mut Vec<Bug>) {
        if self.graph.leads_to(next.class, previous.class)
            && let Some(path) = self.graph.path(next.class, previous.class)
        {
            self.graph.refuse_edge(previous.class, next.class);
            let problem = self.circular(&path, previous, scene);
            return found.push(self.report(problem, next, Locking::Spin, scene));
        }
        for (inside, on) in [(Usage::InHardirq, Usage::HardirqOn), (Usage::InSoftirq, Usage::SoftirqOn)] {
            let safe = self.graph.backwards(previous.class, inside);
            let not_safe = self.graph.forwards(next.class, on);
            if let Some((safe, not_safe)) = safe.zip(not_safe)
                && let Some(problem) =
                    self.irq_unsafe(inside, safe, not_safe, Some(self.taken(previous, scene)))
            {
                found.push(self.report(problem, next, Locking::Spin, scene));
            }
        }
        self.graph.add_edge(previous.class, next.class, scene.access(next.loc));
    }

    /// Locks that are held where none may be.
    #[inline]
    fn leave(&mut self, leaving: Leaving, scene: &Scene<'_>, found: &mut Vec<Bug>) {
        if !self.of_task(scene).is_empty() {
            found.push(Bug::LocksHeld { leaving, held: self.all_taken(scene) });
        }
    }
}

/// What a class must not be used for as well.
fn contrary(usage: Usage) -> Usage {
    match usage {
        Usage::InHardirq => Usage::HardirqOn,
        Usage::HardirqOn => Usage::InHardirq,
        Usage::InSoftirq => Usage::SoftirqOn,
        Usage::SoftirqOn => Usage::InSoftirq,
    }
}
