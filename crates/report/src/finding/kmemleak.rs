// SPDX-License-Identifier: GPL-2.0-only
//! kmemleak; mm/kmemleak.c

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
}
