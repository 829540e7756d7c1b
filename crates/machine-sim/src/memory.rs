// SPDX-License-Identifier: GPL-2.0-only
//! KASAN and KCSAN: what an access to simulated memory means.

use machine::{Addr, BadPointer, Bug, Cell, Fault, Kind, Loc, Order, Place, Update};

use crate::{
    config::{Limit, Outcome},
    shadow::{Mark, Shadow},
    sim::Sim,
};

/// One of so many cells may have a shadow: it is much larger than the cell. Few are accessed in ways that need one.
const CELLS_PER_SHADOW: usize = 4;

/// What the machine knows of an object. Where it lies is copied from memory, which is slower to ask.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Object {
    start: usize,
    cells: usize,
    bytes: usize,
    addr: Addr,
    /// The cells that may be used without a report; 0 once it is freed.
    valid: u64,
    pub(crate) allocated: Mark,
    pub(crate) freed: Option<Mark>,
    /// Every use is a read of it; its free is a write.
    pub(crate) shadow: Shadow,
    /// Static data is always there.
    pub(crate) is_static: bool,
}

/// What the machine knows of a cell: places in its tables, 0 for none.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CellState {
    /// Unmarked accesses.
    plain: u32,
    /// Marked ones.
    marked: u32,
    pub(crate) sync: u32,
}

impl Sim {
    pub(crate) fn alloc(&mut self, task: usize, addr: Addr, loc: Loc) {
        let allocated = self.mark(task, loc);
        let (cells, bytes, is_static, slots, all) = self.bus.inspect(|memory| {
            let object = memory.object(addr).expect("what was allocated is there");
            (object.cells(), object.bytes, object.name.is_some(), memory.slots(), memory.cells())
        });
        let new = Object {
            start: cells.start,
            cells: cells.len(),
            bytes,
            addr,
            valid: bytes.div_ceil(8) as u64,
            allocated,
            freed: None,
            shadow: Shadow::NEW,
            is_static,
        };
        if self.objects.len() < slots {
            // Those in between were said and are not applied yet.
            self.objects.resize(slots, Object { cells: 0, bytes: 0, valid: 0, ..new });
        }
        std::mem::replace(&mut self.objects[addr.slot()], new).shadow.give_back(&mut self.shared);
        if cells.start < self.cells.len() {
            cells.for_each(|cell| self.forget_cell(cell)); // the object that had this place before
        }
        self.cells.resize(all, CellState::default());
    }

    fn forget_cell(&mut self, cell: usize) {
        let Some(old) = self.cells.get_mut(cell).map(std::mem::take) else { return };
        for shadow in [old.plain, old.marked].into_iter().filter(|shadow| *shadow != 0) {
            self.shadows[shadow as usize].give_back(&mut self.shared);
            self.free_shadows.push(shadow);
        }
        if old.sync != 0 {
            self.give_back_sync(old.sync);
        }
    }

    pub(crate) fn free(&mut self, task: usize, addr: Addr, loc: Loc) {
        let Ok(place) = self.place(addr) else {
            let cell = self.cell(addr);
            return self.found(task, Bug::InvalidFree { cell }, loc);
        };
        let object = self.objects[place.slot];
        if place.freed {
            let cell = self.cell(addr);
            let allocated = self.access_of(object.allocated);
            let freed = self.access_of(object.freed.unwrap_or(object.allocated));
            return self.found(task, Bug::DoubleFree { cell, allocated, freed }, loc);
        }
        if addr.cell() != 0 || object.is_static {
            let cell = self.cell(addr);
            return self.found(task, Bug::InvalidFree { cell }, loc);
        }
        let mark = self.mark(task, loc);
        let own = self.tasks[task].clock;
        self.objects[place.slot].freed = Some(mark);
        self.objects[place.slot].valid = 0;
        self.bus.change(|memory| memory.free(addr));
        if self.config.checks.kcsan {
            let used = object.shadow.unordered_read(self.clocks.of(own), &self.shared);
            if let Some(used) = used {
                let (cell, used) = (self.cell(addr), self.access_of(used));
                self.found(task, Bug::UnorderedFree { cell, used }, loc);
            }
        }
    }

    /// Where a pointer leads, as far as allocations have been applied.
    #[inline]
    pub(crate) fn place(&self, addr: Addr) -> Result<Place, BadPointer> {
        match self.objects.get(addr.slot()) {
            Some(object) if addr.slot() != 0 => {
                let cell = addr.cell();
                Ok(Place {
                    slot: addr.slot(),
                    cell: (cell < object.cells).then_some(object.start + cell),
                    in_bounds: cell * 8 < object.bytes,
                    freed: object.freed.is_some() || object.addr != addr.object(),
                })
            }
            _ => self.bus.inspect(|memory| memory.place(addr)),
        }
    }

    /// `task` uses something in an object: a lock, a count. None if the pointer leads nowhere, which ends the task.
    pub(crate) fn used(&mut self, task: usize, addr: Addr, kind: Kind, loc: Loc) -> Option<Place> {
        let place = self.follow(task, addr, kind, loc)?;
        if self.config.checks.kcsan {
            let mark = self.mark(task, loc);
            self.note_use(place, mark);
        }
        Some(place)
    }

    /// KASAN: where a pointer leads. None if nowhere, which ends the task.
    #[inline]
    fn follow(&mut self, task: usize, addr: Addr, kind: Kind, loc: Loc) -> Option<Place> {
        let slot = addr.slot();
        match self.objects.get(slot) {
            Some(object) if addr.cells_after(object.addr) < object.valid => {
                let cell = Some(object.start + addr.cells_after(object.addr) as usize);
                Some(Place { slot, cell, in_bounds: true, freed: false })
            }
            _ => self.follow_badly(task, addr, kind, loc),
        }
    }

    #[cold]
    fn follow_badly(&mut self, task: usize, addr: Addr, kind: Kind, loc: Loc) -> Option<Place> {
        match self.place(addr) {
            Ok(place) => {
                if self.config.checks.kasan {
                    self.found_bad_use(task, addr, place, kind, loc);
                }
                Some(place)
            }
            Err(bad) => {
                self.oops(task, Fault::BadPointer(bad, addr), loc);
                None
            }
        }
    }

    /// A use of an object is a read of it as a whole, which its free must be ordered after.
    #[inline]
    fn note_use(&mut self, place: Place, mark: Mark) {
        let object = &mut self.objects[place.slot];
        if !object.is_static && !object.shadow.was_read_at(mark.at) {
            let own = self.clocks.of(self.tasks[mark.at.task as usize].clock);
            object.shadow.read(mark, own, &mut self.shared);
        }
    }

    #[cold]
    fn found_bad_use(&mut self, task: usize, addr: Addr, place: Place, kind: Kind, loc: Loc) {
        let cell = self.cell(addr);
        let object = self.objects[place.slot];
        let allocated = self.access_of(object.allocated);
        let bug = if place.freed {
            let freed = self.access_of(object.freed.unwrap_or(object.allocated));
            Bug::UseAfterFree { cell, kind, allocated, freed }
        } else {
            Bug::OutOfBounds { cell, kind, in_slack: place.cell.is_some(), allocated }
        };
        self.found(task, bug, loc);
    }

    #[inline]
    pub(crate) fn plain_access(&mut self, task: usize, addr: Addr, kind: Kind, loc: Loc) {
        if let Some(place) = self.follow(task, addr, kind, loc)
            && self.config.checks.kcsan
        {
            let mark = self.mark(task, loc);
            self.note_use(place, mark);
            self.check_race(addr, place, kind, false, mark);
        }
    }

    pub(crate) fn racy(&mut self, task: usize, addr: Addr, update: Update, loc: Loc) -> Option<i64> {
        let kind = if update == Update::Read { Kind::Read } else { Kind::Write };
        let place = self.follow(task, addr, kind, loc)?;
        if self.config.checks.kcsan {
            let mark = self.mark(task, loc);
            self.note_use(place, mark);
            self.check_race(addr, place, kind, false, mark);
        }
        Some(self.change(place, update))
    }

    pub(crate) fn marked(
        &mut self,
        task: usize,
        addr: Addr,
        update: Update,
        order: Order,
        loc: Loc,
    ) -> Option<i64> {
        let kind = match update {
            Update::Read => Kind::Read,
            Update::Write(_) => Kind::Write,
            _ => Kind::ReadWrite,
        };
        let place = self.follow(task, addr, kind, loc)?;
        let old = self.change(place, update);
        if !self.config.checks.kcsan {
            return Some(old);
        }
        let changed = update.new_value(old).is_some();
        let own = self.tasks[task].clock;
        // A read-modify-write operation that leaves the value alone orders nothing.
        if order.acquires()
            && (changed || update == Update::Read)
            && let Some(sync) = self.known_sync(place)
        {
            self.syncs[sync].released.acquire(&mut self.clocks, own);
        }
        // After what was acquired, and before what is released: the access itself is passed on.
        let mark = self.mark(task, loc);
        self.note_use(place, mark);
        self.check_race(addr, place, kind, true, mark);
        // Nothing was ever passed on, and nothing is: no need for a table entry.
        if changed
            && (order.releases() || self.known_sync(place).is_some())
            && let Some(sync) = self.sync_at(place)
        {
            let released = &mut self.syncs[sync].released;
            match update {
                // A store begins a new release sequence, or ends it.
                Update::Write(_) if !order.releases() => released.forget(&mut self.clocks),
                Update::Write(_) => released.replace(&mut self.clocks, own, task),
                // What was acquired just now is not lost.
                _ if order == Order::Full => released.replace(&mut self.clocks, own, task),
                _ if order.releases() => released.add(&mut self.clocks, own, task),
                _ => {}
            }
        }
        Some(old)
    }

    fn change(&mut self, place: Place, update: Update) -> i64 {
        self.bus.change(|memory| {
            let old = memory.value(place);
            if let Some(new) = update.new_value(old) {
                memory.set_value(place, new);
            }
            old
        })
    }

    /// KCSAN: two accesses race if one is a write, one is unmarked, and nothing orders them.
    #[inline]
    fn check_race(&mut self, addr: Addr, place: Place, kind: Kind, is_marked: bool, mark: Mark) {
        let Some(cell) = place.cell else { return };
        let state = self.cells[cell];
        let own = self.clocks.of(self.tasks[mark.at.task as usize].clock);
        let races = |shadow: u32| {
            shadow != 0 && self.shadows[shadow as usize].conflict(kind, own, &self.shared).is_some()
        };
        if races(state.plain) || !is_marked && races(state.marked) {
            self.found_race(addr, state, kind, is_marked, mark);
        }
        let mine = if is_marked { state.marked } else { state.plain };
        let mine = if mine != 0 { mine as usize } else { self.new_shadow(cell, is_marked) };
        let own = self.clocks.of(self.tasks[mark.at.task as usize].clock);
        match (kind, is_marked) {
            (Kind::Read, _) => self.shadows[mine].read(mark, own, &mut self.shared),
            (_, false) => self.shadows[mine].write(mark, &mut self.shared),
            (_, true) => self.shadows[mine].write_marked(mark, own, &mut self.shared),
        }
    }

    #[cold]
    fn found_race(&mut self, addr: Addr, state: CellState, kind: Kind, is_marked: bool, mark: Mark) {
        let own = self.clocks.of(self.tasks[mark.at.task as usize].clock);
        let conflict = |shadow: u32| self.shadows[shadow as usize].conflict(kind, own, &self.shared);
        let plain = conflict(state.plain);
        let Some((earlier, earlier_kind)) = plain.or_else(|| conflict(state.marked)) else { return };
        let (cell, earlier) = (self.cell(addr), self.access_of(earlier));
        let earlier_marked = plain.is_none();
        let bug = Bug::DataRace { cell, kind, marked: is_marked, earlier, earlier_kind, earlier_marked };
        self.found(mark.at.task as usize, bug, mark.loc);
    }

    fn new_shadow(&mut self, cell: usize, is_marked: bool) -> usize {
        let index = match self.free_shadows.pop() {
            Some(index) => {
                self.shadows[index as usize] = Shadow::NEW;
                index
            }
            None => {
                self.shadows.push(Shadow::NEW);
                if self.shadows.len() > self.config.max_cells / CELLS_PER_SHADOW {
                    self.over.get_or_insert(Outcome::Limit(Limit::Memory));
                }
                (self.shadows.len() - 1) as u32
            }
        };
        let state = &mut self.cells[cell];
        *(if is_marked { &mut state.marked } else { &mut state.plain }) = index;
        index as usize
    }

    /// A memory cell, in words.
    #[cold]
    pub(crate) fn cell(&self, addr: Addr) -> Cell {
        self.bus.inspect(|memory| memory.cell(addr))
    }
}
