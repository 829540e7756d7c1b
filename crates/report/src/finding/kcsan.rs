// SPDX-License-Identifier: GPL-2.0-only
//! KCSAN; kernel/kcsan/report.c

use machine::{Access, Bug, Kind};

use super::{RULE, Report};
use crate::address;

impl Report<'_> {
    pub(super) fn kcsan(&mut self) {
        let finding = self.finding;
        let (cell, earlier, ours) = match &finding.bug {
            Bug::DataRace { cell, kind, marked, earlier, earlier_kind, earlier_marked } => {
                (cell, (*earlier, access(*earlier_kind, *earlier_marked)), access(*kind, *marked))
            }
            Bug::UnorderedFree { cell, used } => (cell, (*used, "access".to_owned()), "free".to_owned()),
            _ => return,
        };
        let addr = address::of_object(self.words.bus, cell) + cell.offset as u64;
        let (by, cpu) = (finding.by, self.scene.cpu);
        let size = if ours == "free" { cell.size } else { 8 };
        self.line(RULE);
        self.title();
        self.line("");
        self.race(&earlier.1, addr, size, &earlier.0, "");
        self.access_at(&earlier.0);
        self.line("");
        self.race(&ours, addr, size, &by, &format!(" on cpu {cpu}"));
        self.frames();
        self.line("");
        self.line("Nothing orders the two.");
        self.line("");
        self.line("Reported by Kernel Concurrency Sanitizer on:");
        self.cpu_line();
        self.line(RULE);
    }

    fn race(&mut self, what: &str, addr: u64, size: usize, access: &Access, on: &str) {
        let task = self.task(access);
        self.line(&format!(
            "{what} to 0x{addr:016x} of {size} bytes by task {task}{on}, step {}:",
            access.step
        ));
    }
}

fn access(kind: Kind, marked: bool) -> String {
    let mark = if marked { " (marked)" } else { "" };
    format!("{}{mark}", kind.name())
}
