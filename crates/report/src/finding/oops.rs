// SPDX-License-Identifier: GPL-2.0-only
//! Oopses, `BUG()`, `panic()`, `WARN_ON()`; arch/x86/mm/fault.c, lib/bug.c, kernel/panic.c

use machine::{BadPointer, Fault};

use super::{Report, function_of_finding};

impl Report<'_> {
    pub(super) fn oops(&mut self, fault: Fault, target: &str) {
        self.title();
        match fault {
            Fault::BadPointer(bad, addr) => {
                let address = match bad {
                    BadPointer::Null => addr.cell() as u64 * 8,
                    BadPointer::ListPoison1 => 0xdead_0000_0000_0100 + (addr.cell() as u64 & 0x7f) * 8,
                    BadPointer::ListPoison2 => 0xdead_0000_0000_0200 + (addr.cell() as u64 & 0x7f) * 8,
                    BadPointer::Wild => addr.to_value().cast_unsigned(),
                };
                self.line(&format!("The pointer is {address:016x}"));
            }
            Fault::TypeConfusion { expected, .. } => {
                self.line(&format!("container_of() was given {target}, which lies in no {expected}"));
            }
            _ => {}
        }
        self.cpu_line();
        let by = self.finding.by;
        let function = function_of_finding(self.scene, self.finding);
        self.line(&format!("RIP:{}", self.at(&function, by.loc)));
        self.call_trace();
        if matches!(fault, Fault::Panic(_)) {
            self.line("---[ end Kernel panic ]---");
        } else {
            self.line("The task is dead; the locks that it holds stay held.");
        }
    }

    pub(super) fn warning(&mut self) {
        self.line("------------[ cut here ]------------");
        self.title();
        self.cpu_line();
        self.call_trace();
        self.line("---[ end trace ]---");
    }
}
