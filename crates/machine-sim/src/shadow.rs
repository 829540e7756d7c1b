// SPDX-License-Identifier: GPL-2.0-only
//! Shadow memory: the last accesses to one piece of memory, as FastTrack keeps them (Flanagan and Freund, PLDI 2009).

use machine::{Function, Loc};

use crate::clock::{Clocks, Epoch, Row};

/// An access: when, and where in the kernel's code.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    pub(crate) at: Epoch,
    pub(crate) step: u32,
    pub(crate) loc: Loc,
    pub(crate) function: Option<&'static Function>,
}

/// The reads that no later read or write has seen.
#[derive(Clone, Copy, Debug)]
enum Reads {
    None,
    One(Mark),
    /// Unordered reads by several tasks: a row of `Shared`.
    Many(u32),
}

/// Rows of reads by several tasks.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    rows: Vec<Vec<Mark>>,
    used: usize,
}

impl Shared {
    pub(crate) fn clear(&mut self) {
        self.used = 0;
    }
    fn new_row(&mut self) -> u32 {
        if self.used == self.rows.len() {
            self.rows.push(Vec::new());
        }
        self.rows[self.used].clear();
        self.used += 1;
        (self.used - 1) as u32
    }
}

/// The shadow of one piece of memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shadow {
    write: Option<Mark>,
    reads: Reads,
}

impl Shadow {
    pub(crate) const NEW: Shadow = Shadow { write: None, reads: Reads::None };

    /// Records a read.
    pub(crate) fn read(&mut self, mark: Mark, clocks: &Clocks, own: Row, shared: &mut Shared) {
        match self.reads {
            Reads::One(old) if old.at == mark.at => {} // of one moment, the first is as good as any
            Reads::Many(row) => {
                let row = &mut shared.rows[row as usize];
                match row.iter_mut().find(|old| old.at.task == mark.at.task) {
                    Some(old) => *old = mark,
                    None => row.push(mark),
                }
            }
            Reads::One(old) if old.at.task != mark.at.task && !clocks.knows(own, old.at) => {
                let row = shared.new_row();
                shared.rows[row as usize].extend([old, mark]);
                self.reads = Reads::Many(row);
            }
            _ => self.reads = Reads::One(mark),
        }
    }
    /// Records a write.
    pub(crate) fn write(&mut self, mark: Mark) {
        self.reads = Reads::None;
        self.write = Some(mark);
    }
    /// A write that nothing orders before the present of `own`.
    pub(crate) fn unordered_write(&self, clocks: &Clocks, own: Row) -> Option<Mark> {
        self.write.filter(|write| !clocks.knows(own, write.at))
    }
    /// A read that nothing orders before the present of `own`.
    pub(crate) fn unordered_read(&self, clocks: &Clocks, own: Row, shared: &Shared) -> Option<Mark> {
        let unordered = |old: &Mark| !clocks.knows(own, old.at);
        match self.reads {
            Reads::None => None,
            Reads::One(old) => Some(old).filter(unordered),
            Reads::Many(row) => shared.rows[row as usize].iter().copied().find(unordered),
        }
    }
}
