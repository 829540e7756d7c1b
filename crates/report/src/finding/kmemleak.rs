// SPDX-License-Identifier: GPL-2.0-only
//! What is found when nothing runs any more: kmemleak, in the shape of mm/kmemleak.c, and what does not hold.

use super::{Report, function};

impl Report<'_> {
    pub(super) fn unreferenced(&mut self) {
        let by = self.finding.by;
        let (comm, pid) = (self.scene.bus.name(by.task), self.scene.pid(by.id));
        self.title();
        self.line(&format!("  comm \"{comm}\", pid {pid}, step {}", by.step));
        self.line("  backtrace:");
        let place = self.at(&function(self.scene, &by), by.loc);
        self.line(&format!("   {place}"));
    }
    pub(super) fn invariant(&mut self) {
        let by = self.finding.by;
        self.title();
        if by.step == 0 {
            return; // it is about static data
        }
        let place = self.at(&function(self.scene, &by), by.loc);
        let line = format!("  allocated by {}, step {}:\n   {place}", self.task(&by), by.step);
        self.line(&line);
    }
}
