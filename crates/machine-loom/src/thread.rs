// SPDX-License-Identifier: GPL-2.0-only
//! The loop of a loom thread that runs a task.

use std::{
    collections::VecDeque,
    rc::Rc,
    task::{Context, Waker},
};

use loom::thread;
use machine::{
    Addr, Announced, Bug, Effect, Frame, Kind, Loc, NewTask, Op, Order, Said, Task, TaskId, Update, What,
};

use crate::{
    cell::{CellState, Marked, Role},
    checks::{Target, kind},
    machine::Loom,
    shadow::Touch,
};

const NOT_SO: &str = "an operation does not fit the kind of the cell that its layout gives";

/// A loom thread that runs a task.
pub(crate) struct Thread {
    machine: Rc<Loom>,
    id: TaskId,
}

impl Thread {
    pub(crate) fn new(machine: &Rc<Loom>, id: TaskId) -> Self {
        Thread { machine: machine.clone(), id }
    }

    /// A step on the simulated machine is: perform what was announced, poll, apply what was said, all at once. Here
    /// other threads run where loom's objects let them: in the first part, and in some of the last. What they do is
    /// then either independent of the rest of the step or reported as a bug, except for what the kernel's primitives
    /// keep outside of simulated memory. So nobody is polled while another's effects are not all applied.
    pub(crate) fn run(&self, mut task: Task) {
        let machine = &self.machine;
        let mut answer = 0;
        loop {
            while !machine.is_quiet() {
                machine.wait_until_quiet();
            }
            machine.bus.set_answer(answer, machine.current(self.id));
            machine.in_step.set(true);
            let done = task.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
            let announced = machine.bus.take_announced();
            if done {
                task = Box::pin(async {}); // it may speak when dropped
            }
            let mut said = Vec::new();
            machine.bus.swap_said(&mut said);
            let spawned = said.iter().filter(|said| matches!(said.effect, Effect::Spawn(_)));
            let mut spawned: VecDeque<NewTask> = spawned.map(|_| machine.bus.take_spawned()).collect();
            for Said { effect, loc } in said {
                if !matches!(effect, Effect::Enter(..) | Effect::Leave(_) | Effect::MightSleep(_)) {
                    self.note(What::Effect(effect), loc); // first, since it may fail
                }
                self.apply(effect, loc, &mut spawned);
            }
            machine.end_step();
            if done {
                return self.leave();
            }
            let announced = announced.expect("a task suspends only to announce an operation");
            machine.begin(self.id, announced);
            let Some(answered) = self.perform(announced) else { return };
            self.note(What::Op(announced.op, answered), announced.loc);
            answer = answered;
        }
    }

    fn note(&self, what: What, loc: Loc) {
        self.machine.note(self.id, what, loc);
    }

    /// A task that others wait to see idle is done.
    fn leave(&self) {
        let idle = self.machine.tasks.borrow()[self.id.index()].idle;
        if let Some(count) = idle {
            self.machine.with_count(count, crate::sync::Count::desert);
        }
    }

    /// The answer; none if the execution ends.
    fn perform(&self, Announced { op, loc }: Announced) -> Option<i64> {
        let machine = &self.machine;
        match op {
            Op::Start | Op::MightSleep(_) | Op::PreemptEnable => {}
            Op::Interruptible | Op::Sleep(_) | Op::Stall(_) | Op::Tick => {} // no interrupts here, and no time
            Op::Marked(addr, update, order) => return Some(self.marked(addr, update, order, loc)),
            Op::Racy(addr, update) => return Some(self.racy(addr, update, loc)),
            Op::Lock(addr, _) => {
                self.used(addr, op, loc, |target| match &target.cell().role {
                    Role::Lock(lock) => lock.lock(target.by),
                    _ => machine.give_up(NOT_SO),
                });
            }
            Op::IsLocked(addr) => {
                return Some(self.used(addr, op, loc, |target| match &target.cell().role {
                    Role::Lock(lock) => match lock.is_locked(self.id) {
                        Some(locked) => i64::from(locked),
                        None => machine.begin_anew(addr),
                    },
                    _ => machine.give_up(NOT_SO),
                }));
            }
            Op::Wait(addr) => {
                return self.used(addr, op, loc, |target| match &target.cell().role {
                    Role::Count(count) => count.wait(machine),
                    _ => machine.give_up(NOT_SO),
                });
            }
            Op::RcuReadLock => machine.rcu.read_lock(machine.access(self.id, loc)),
            Op::GraceBegin { .. } => {
                let grace = machine.rcu.grace_begin();
                machine.tasks.borrow_mut()[self.id.index()].grace = grace;
            }
            Op::GraceEnd => {
                let grace = machine.tasks.borrow()[self.id.index()].grace;
                machine.rcu.grace_end(grace);
            }
            Op::Fault(fault) => machine.oops(machine.access(self.id, loc), fault),
        }
        Some(0)
    }

    fn apply(&self, effect: Effect, loc: Loc, spawned: &mut VecDeque<NewTask>) {
        let machine = &self.machine;
        match effect {
            Effect::Alloc(addr) => machine.alloc(self.id, addr, loc),
            Effect::Free(addr) => machine.free(self.id, addr, loc),
            Effect::Read(addr) => self.unmarked(addr, Kind::Read, loc, |cell| cell.read(self.id)),
            Effect::Write(addr, value) => self.unmarked(addr, Kind::Write, loc, |cell| cell.write(value)),
            Effect::Unlock(addr, _) => {
                let target = machine.target(self.id, addr, Kind::Write, loc);
                let Role::Lock(lock) = &target.cell().role else { machine.give_up(NOT_SO) };
                if !lock.unlock(self.id) {
                    machine.fail(target.by, Bug::BadUnlock { what: machine.describe(addr).to_string() });
                }
                machine.still_there(&target, addr, Kind::Write);
            }
            Effect::Complete(addr) => {
                let target = machine.target(self.id, addr, Kind::Write, loc);
                let Role::Count(count) = &target.cell().role else { machine.give_up(NOT_SO) };
                count.complete();
                machine.still_there(&target, addr, Kind::Write);
            }
            Effect::Release(addr) | Effect::Acquire(addr) => {
                let target = machine.target(self.id, addr, Kind::Read, loc);
                let Role::Count(count) = &target.cell().role else { machine.give_up(NOT_SO) };
                count.order();
                machine.still_there(&target, addr, Kind::Read);
            }
            Effect::RcuReadUnlock => {
                if !machine.rcu.read_unlock(self.id) {
                    let by = machine.access(self.id, loc);
                    machine.fail(by, Bug::BadUnlock { what: "rcu_read_lock".to_owned() });
                }
            }
            Effect::Spawn(id) => self.spawn(id, spawned.pop_front().expect("one for each spawn")),
            Effect::Enter(function, arg) => {
                machine.tasks.borrow_mut()[self.id.index()].stack.push(Frame { function, arg, loc });
            }
            Effect::Leave(n) => {
                let stack = &mut machine.tasks.borrow_mut()[self.id.index()].stack;
                stack.truncate(stack.len().saturating_sub(n as usize));
            }
            Effect::Warn(_) => machine.warnings.set(machine.warnings.get() + 1),
            Effect::AllocFailed(_) | Effect::Kill(_) | Effect::MightSleep(_) | Effect::Trace(..) => {}
            Effect::Disable(_) | Effect::Enable(_) | Effect::UserMode => {} // there are no CPUs here
        }
    }

    fn spawn(&self, id: TaskId, new: NewTask) {
        let machine = &self.machine;
        if id.index() >= loom::MAX_THREADS {
            machine.give_up("loom runs at most 5 tasks in one execution, `main` and kernel threads included");
        }
        machine.add_task(&new);
        let thread = Thread::new(machine, id);
        let handle = thread::spawn(move || thread.run(new.task));
        match new.idle {
            None => machine.threads.borrow_mut().push(handle),
            Some(count) => machine.idlers.borrow_mut().push((count, handle)),
        }
    }

    /// Uses a lock or a count; `f` may let other threads run, who may free it.
    fn used<R>(&self, addr: Addr, op: Op, loc: Loc, f: impl FnOnce(&Target) -> R) -> R {
        let target = self.machine.target(self.id, addr, kind(op), loc);
        self.check(&target, addr, Kind::Read, true, |cell| cell.marked_access(self.id, false));
        let answer = f(&target);
        self.machine.still_there(&target, addr, kind(op));
        answer
    }

    fn unmarked(&self, addr: Addr, kind: Kind, loc: Loc, access: impl FnOnce(&CellState) -> bool) {
        let target = self.machine.target(self.id, addr, kind, loc);
        self.check(&target, addr, kind, false, access);
    }

    /// Fails if an access is not ordered with those that it conflicts with.
    fn check(
        &self,
        target: &Target,
        addr: Addr,
        kind: Kind,
        marked: bool,
        access: impl FnOnce(&CellState) -> bool,
    ) {
        let touch = Touch { by: target.by, kind, marked };
        let cell = target.cell();
        if !access(cell) {
            let object = Touch { by: target.object.allocated, kind: Kind::Write, marked: false };
            let earlier = cell.log.conflict(&touch).unwrap_or(object);
            self.machine.race(touch, addr, earlier);
        }
        cell.log.add(touch);
    }

    fn racy(&self, addr: Addr, update: Update, loc: Loc) -> i64 {
        let old = self.machine.bus.peek(addr);
        let new = update.new_value(old);
        let kind = kind(Op::Racy(addr, update));
        self.unmarked(addr, kind, loc, |cell| match kind {
            Kind::Read => cell.read(self.id),
            Kind::Write | Kind::ReadWrite => cell.write(new.unwrap_or(old)),
        });
        self.set(addr, new);
        old
    }

    fn marked(&self, addr: Addr, update: Update, order: Order, loc: Loc) -> i64 {
        Marked::fence(order);
        let kind = kind(Op::Marked(addr, update, order));
        let target = self.machine.target(self.id, addr, kind, loc);
        self.check(&target, addr, kind, true, |cell| cell.marked_access(self.id, kind == Kind::Write));
        let Role::Marked(marked) = &target.cell().role else { self.machine.give_up(NOT_SO) };
        let old = marked.update(update, order);
        Marked::fence(order);
        self.set(addr, update.new_value(old));
        old
    }

    fn set(&self, addr: Addr, value: Option<i64>) {
        let Some(value) = value else { return };
        self.machine.bus.change(|memory| {
            if let Ok(place) = memory.place(addr) {
                memory.set_value(place, value);
            }
        });
    }
}
