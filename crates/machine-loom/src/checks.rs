// SPDX-License-Identifier: GPL-2.0-only
//! KASAN and KCSAN: what an access to simulated memory means.

use std::rc::Rc;

use machine::{Access, Addr, Bug, Fault, Finding, Kind, Loc, Op, Place, TaskId, Update};

use crate::{cell::CellState, machine::Loom, object::Object, shadow::Touch};

/// Something in an object, found by following a pointer.
pub(crate) struct Target {
    pub(crate) object: Rc<Object>,
    pub(crate) place: Place,
    pub(crate) by: Access,
    index: usize,
}

impl Target {
    pub(crate) fn cell(&self) -> &CellState {
        self.object.cell(self.index)
    }
}

impl Loom {
    pub(crate) fn alloc(&self, task: TaskId, addr: Addr, loc: Loc) {
        let allocated = self.access(task, loc);
        let object = self.bus.inspect(|memory| {
            let object = memory.object(addr).expect("what was allocated is there");
            let is_asked = |cell| self.asked.contains(&(object.layout.name, cell));
            let value = |cell| memory.place(addr.plus(cell)).map_or(0, |place| memory.value(place));
            Object::new(object, allocated, is_asked, value)
        });
        let mut slots = self.slots.borrow_mut();
        if slots.len() <= addr.slot() {
            slots.resize_with(addr.slot() + 1, || None);
        }
        slots[addr.slot()] = Some(Rc::new(object));
    }

    pub(crate) fn free(&self, task: TaskId, addr: Addr, loc: Loc) {
        let by = self.access(task, loc);
        let place = self.bus.inspect(|memory| memory.place(addr));
        let Some(object) = self.slots.borrow().get(addr.slot()).cloned().flatten().filter(|_| place.is_ok())
        else {
            self.fail(by, Bug::InvalidFree { cell: self.describe(addr) })
        };
        if place.is_ok_and(|place| place.freed) {
            let freed = object.freed.get().unwrap_or(object.allocated);
            self.fail(by, Bug::DoubleFree { cell: self.describe(addr), allocated: object.allocated, freed });
        }
        if addr.cell() != 0 || object.is_static {
            self.fail(by, Bug::InvalidFree { cell: self.describe(addr) });
        }
        self.bus.change(|memory| memory.free(addr));
        let Err(used) = object.free(by) else { return };
        // Who is about to use it will do so after the free, in this very execution.
        if let Some((late, kind, addr)) = self.pending_use(task, addr) {
            let (cell, allocated) = (self.describe(addr), object.allocated);
            self.fail(late, Bug::UseAfterFree { cell, kind, allocated, freed: by });
        }
        let used = used.unwrap_or(object.allocated);
        self.fail(by, Bug::UnorderedFree { cell: self.describe(addr), used });
    }

    /// A task other than `task` that has announced a use of the object at `addr`.
    fn pending_use(&self, task: TaskId, addr: Addr) -> Option<(Access, Kind, Addr)> {
        let (id, announced, used) = {
            let tasks = self.tasks.borrow();
            let others = tasks.iter().enumerate().filter(|(id, _)| *id != task.index());
            let mut uses = others.filter_map(|(id, other)| {
                let used = address(other.announced?.op)?;
                (used.object() == addr.object()).then_some((id, other.announced?, used))
            });
            uses.next()?
        };
        let id = TaskId(u32::try_from(id).ok()?);
        Some((self.access(id, announced.loc), kind(announced.op), used))
    }

    /// `task` follows a pointer to something that it is about to use, or fails.
    pub(crate) fn target(&self, task: TaskId, addr: Addr, kind: Kind, loc: Loc) -> Target {
        let by = self.access(task, loc);
        let place = self.bus.inspect(|memory| memory.place(addr));
        let place = place.unwrap_or_else(|bad| self.oops(by, Fault::BadPointer(bad, addr)));
        let object = self.slots.borrow()[place.slot].clone().expect("what was allocated is known");
        self.check_place(by, addr, place, kind, &object);
        if !object.used(by) {
            let allocated = Touch { by: object.allocated, kind: Kind::Write, marked: false };
            self.race(Touch { by, kind, marked: false }, addr, allocated);
        }
        Target { object, place, by, index: addr.cell() }
    }

    /// Fails if the target was freed since the task followed the pointer to it: others have run.
    pub(crate) fn still_there(&self, target: &Target, addr: Addr, kind: Kind) {
        let place = self.bus.inspect(|memory| memory.place(addr)).unwrap_or(target.place);
        self.check_place(target.by, addr, place, kind, &target.object);
    }

    fn check_place(&self, by: Access, addr: Addr, place: Place, kind: Kind, object: &Object) {
        if place.freed {
            let (cell, allocated) = (self.describe(addr), object.allocated);
            let freed = object.freed.get().unwrap_or(allocated);
            self.fail(by, Bug::UseAfterFree { cell, kind, allocated, freed });
        }
        if !place.in_bounds {
            let (cell, in_slack) = (self.describe(addr), place.cell.is_some());
            self.fail(by, Bug::OutOfBounds { cell, kind, in_slack, allocated: object.allocated });
        }
    }

    /// Fails: an access to `addr` races with an earlier one.
    pub(crate) fn race(&self, Touch { by, kind, marked }: Touch, addr: Addr, earlier: Touch) -> ! {
        let cell = self.describe(addr);
        let Touch { by: earlier, kind: earlier_kind, marked: earlier_marked } = earlier;
        self.fail(by, Bug::DataRace { cell, kind, marked, earlier, earlier_kind, earlier_marked })
    }

    pub(crate) fn oops(&self, by: Access, fault: Fault) -> ! {
        if fault == Fault::OutOfMemory {
            self.give_up("the simulated machine is out of memory");
        }
        let addr = match fault {
            Fault::BadPointer(_, addr) | Fault::TypeConfusion { link: addr, .. } => addr,
            _ => Addr::NULL,
        };
        self.fail(by, Bug::Oops { fault, target: self.describe(addr).to_string() })
    }

    /// Ends the exploration with a finding.
    pub(crate) fn fail(&self, by: Access, bug: Bug) -> ! {
        let stack = self.tasks.borrow()[by.id.index()].stack.clone();
        self.finding.replace(Some(Finding { bug, by, stack }));
        // No hook prints it: it is not this program that is wrong.
        std::panic::resume_unwind(Box::new("a finding"))
    }

    /// Ends the exploration because it cannot go on.
    pub(crate) fn give_up(&self, why: &'static str) -> ! {
        self.limit.set(Some(why));
        std::panic::resume_unwind(Box::new(why))
    }

    /// Ends the exploration, for one that knows that tasks ask about the lock at `addr`.
    pub(crate) fn begin_anew(&self, addr: Addr) -> ! {
        self.asked_now.set(Some((self.describe(addr).class, addr.cell())));
        std::panic::resume_unwind(Box::new("begin anew"))
    }

    /// A memory cell, in words.
    pub(crate) fn describe(&self, addr: Addr) -> machine::Cell {
        self.bus.inspect(|memory| memory.cell(addr))
    }
}

/// What an operation uses.
pub(crate) fn address(op: Op) -> Option<Addr> {
    match op {
        Op::Marked(addr, ..)
        | Op::Racy(addr, _)
        | Op::Lock(addr, _)
        | Op::IsLocked(addr)
        | Op::Wait(addr) => Some(addr),
        _ => None,
    }
}

/// How it uses that.
pub(crate) fn kind(op: Op) -> Kind {
    match op {
        Op::Marked(_, Update::Read, _) | Op::Racy(_, Update::Read) | Op::IsLocked(_) => Kind::Read,
        _ => Kind::Write,
    }
}
