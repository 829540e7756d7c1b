// SPDX-License-Identifier: GPL-2.0-only
//! KCSAN: which accesses nothing orders.

use machine::{Addr, Bug, Kind, Loc};

use crate::{
    clock::{Clock, Row},
    config::{Limit, Outcome},
    memory::Spot,
    shadow::{Mark, Shadow},
    sim::Sim,
};

/// One of so many cells may have a shadow: it is much larger than the cell. Few are accessed in ways that need one.
const CELLS_PER_SHADOW: usize = 4;

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
    /// A use of an object is a read of it as a whole, which its free must be ordered after.
    #[inline(always)]
    pub(crate) fn note_use(&mut self, spot: Spot, clock: Row, mark: Mark) {
        let object = &mut self.objects[spot.slot()];
        if !object.is_static {
            object.uses.add(mark, self.clocks.at(clock, mark.at), &mut self.shared);
        }
    }

    /// Two accesses race if one is a write, one is unmarked, and nothing orders them.
    #[inline(always)]
    pub(crate) fn check_race(
        &mut self,
        task: usize,
        addr: Addr,
        spot: Spot,
        kind: Kind,
        is_marked: bool,
        loc: Loc,
    ) {
        let (clock, mark) = (self.tasks[task].clock, self.mark(task, loc));
        self.note_use(spot, clock, mark);
        let Some(cell) = spot.cell() else { return };
        let CellState { plain, marked, .. } = self.cells[cell];
        let own = self.clocks.at(clock, mark.at);
        if self.may_race(plain, kind, own) || !is_marked && self.may_race(marked, kind, own) {
            self.look_for_race(task, addr, cell, kind, is_marked, loc);
        }
        let mine = if is_marked { marked } else { plain };
        if mine == 0 {
            return self.add_shadow(cell, is_marked, Shadow::of_first(kind, mark));
        }
        let (mine, own) = (&mut self.shadows[mine as usize], self.clocks.at(clock, mark.at));
        match (kind, is_marked) {
            (Kind::Read, _) => mine.read(mark, own, &mut self.shared),
            (_, false) => mine.write(mark, &mut self.shared),
            (_, true) => mine.write_marked(mark, own, &mut self.shared),
        }
    }

    /// The same, for marked accesses and those that are places of their own.
    #[inline(never)]
    pub(crate) fn check_rarer_race(
        &mut self,
        task: usize,
        addr: Addr,
        spot: Spot,
        kind: Kind,
        is_marked: bool,
        loc: Loc,
    ) {
        self.check_race(task, addr, spot, kind, is_marked, loc);
    }

    #[inline(always)]
    fn may_race(&self, shadow: u32, kind: Kind, own: Clock<'_>) -> bool {
        shadow != 0 && self.shadows[shadow as usize].may_conflict(kind, own)
    }

    #[cold]
    fn look_for_race(&mut self, task: usize, addr: Addr, cell: usize, kind: Kind, is_marked: bool, loc: Loc) {
        let CellState { plain, marked, .. } = self.cells[cell];
        let own = self.clocks.of(self.tasks[task].clock);
        let conflict = |shadow: u32| self.shadows[shadow as usize].conflict(kind, own, &self.shared);
        let unmarked = conflict(plain);
        let earlier = unmarked.or_else(|| if is_marked { None } else { conflict(marked) });
        let Some((earlier, earlier_kind)) = earlier else { return };
        let (cell, earlier) = (self.cell(addr), self.access_of(earlier));
        let earlier_marked = unmarked.is_none();
        let bug = Bug::DataRace { cell, kind, marked: is_marked, earlier, earlier_kind, earlier_marked };
        self.found(task, bug, loc);
    }

    #[inline(always)]
    fn add_shadow(&mut self, cell: usize, is_marked: bool, shadow: Shadow) {
        let index = match self.free_shadows.pop() {
            Some(index) => {
                self.shadows[index as usize] = shadow;
                index
            }
            None => {
                self.shadows.push(shadow);
                if self.shadows.len() > self.config.max_cells / CELLS_PER_SHADOW {
                    self.too_many_shadows();
                }
                (self.shadows.len() - 1) as u32
            }
        };
        let state = &mut self.cells[cell];
        *(if is_marked { &mut state.marked } else { &mut state.plain }) = index;
    }

    #[cold]
    fn too_many_shadows(&mut self) {
        self.over.get_or_insert(Outcome::Limit(Limit::Memory));
    }

    /// The object that this cell belonged to is gone.
    pub(crate) fn forget_cell(&mut self, cell: usize) {
        let Some(old) = self.cells.get_mut(cell).map(std::mem::take) else { return };
        for shadow in [old.plain, old.marked].into_iter().filter(|shadow| *shadow != 0) {
            self.shadows[shadow as usize].give_back(&mut self.shared);
            self.free_shadows.push(shadow);
        }
        if old.sync != 0 {
            self.give_back_sync(old.sync);
        }
    }
}
