// SPDX-License-Identifier: GPL-2.0-only
//! What a machine found wrong. A finding is a value; text is made when someone asks.

use std::{fmt, panic::Location};

use crate::{Alarm, Frame, Leaving, LockProblem, LockReport, Op, TakenLock};

/// A line of kernel code.
pub type Loc = &'static Location<'static>;

/// Who did something, where, and in which kernel function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// The task's name.
    pub task: crate::Symbol,
    /// The task.
    pub id: crate::TaskId,
    /// The innermost kernel function.
    pub function: &'static str,
    /// The line of kernel code.
    pub loc: Loc,
    /// When: the number of the step.
    pub step: u64,
}

/// What an access did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It looked.
    Read,
    /// It changed.
    Write,
    /// It looked and changed, in one.
    ReadWrite,
}

impl Kind {
    /// `read`, `write` or `read-write`
    pub fn name(self) -> &'static str {
        match self {
            Kind::Read => "read",
            Kind::Write => "write",
            Kind::ReadWrite => "read-write",
        }
    }
}

/// A memory cell, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// The object: `net 3`.
    pub object: String,
    /// Its type: `struct net`.
    pub class: &'static str,
    /// Where it was allocated from.
    pub cache: &'static str,
    /// The bytes that were asked for.
    pub size: usize,
    /// The bytes that it takes: of its size class, if it has one.
    pub capacity: usize,
    /// The byte in it.
    pub offset: usize,
    /// The field there, if its type has one.
    pub field: Option<&'static str>,
}

/// A bug: what it is, and who did what.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What it is.
    pub bug: Bug,
    /// Who met it.
    pub by: Access,
    /// The kernel functions that `by` was in, outermost first.
    pub stack: Vec<Frame>,
}

/// The kinds of bugs that a machine sees itself, and those that its checkers see.
#[derive(Clone, Debug)]
pub enum Bug {
    /// KASAN: freed memory is used.
    UseAfterFree {
        /// Which.
        cell: Cell,
        /// How.
        kind: Kind,
        /// Who allocated it.
        allocated: Access,
        /// Who freed it.
        freed: Access,
    },
    /// KASAN: an object is freed again.
    DoubleFree {
        /// Which.
        cell: Cell,
        /// Who allocated it.
        allocated: Access,
        /// Who freed it first.
        freed: Access,
    },
    /// KASAN: something is freed that no allocation returned.
    InvalidFree {
        /// What.
        cell: Cell,
    },
    /// KASAN: memory behind an object is used.
    OutOfBounds {
        /// Which.
        cell: Cell,
        /// How.
        kind: Kind,
        /// Whether it lies within the slack of the size class, where nothing is destroyed.
        in_slack: bool,
        /// Who allocated it.
        allocated: Access,
    },
    /// KCSAN: two accesses, at least one a write and one unmarked, that nothing orders.
    DataRace {
        /// Which.
        cell: Cell,
        /// What `by` did.
        kind: Kind,
        /// Whether `by` was marked.
        marked: bool,
        /// The earlier access.
        earlier: Access,
        /// What it did.
        earlier_kind: Kind,
        /// Whether it was marked.
        earlier_marked: bool,
    },
    /// KCSAN: an object is freed and nothing orders another task's access before that.
    UnorderedFree {
        /// Which.
        cell: Cell,
        /// The access that could as well have come later.
        used: Access,
    },
    /// kmemleak: at the end nothing refers to an object that was not freed. `by` allocated it.
    MemoryLeak {
        /// Which.
        cell: Cell,
        /// How many bytes were asked for.
        bytes: usize,
    },
    /// At the end something does not hold that is true of the subsystem whenever nothing runs. `by` allocated the
    /// object that it is about.
    Invariant {
        /// Which rule, in a word or two.
        rule: &'static str,
        /// What is wrong.
        what: String,
    },
    /// The task followed a pointer that leads nowhere, or met a `BUG()`: it is dead.
    Oops {
        /// Why.
        fault: crate::Fault,
        /// What the pointer leads to, if it leads anywhere.
        target: String,
    },
    /// A task waits for something that nobody can give it any more.
    Deadlock {
        /// What it waits for.
        what: String,
        /// The operation.
        op: Op,
        /// Who has it.
        holders: Vec<Access>,
    },
    /// A lock is released that the task does not hold.
    BadUnlock {
        /// Which lock.
        what: String,
    },
    /// A sleeping function is called where the task may not sleep.
    SleepInAtomic {
        /// What it is about.
        what: &'static str,
        /// `preempt_count()`: spinlocks held, times 0x200 sections without softirqs, 0x100 in a softirq, 0x10000 in a
        /// hardware interrupt.
        preempt_count: u32,
        /// `irqs_disabled()`
        irqs_disabled: bool,
        /// How many read-side critical sections the task is in.
        rcu_nesting: u32,
    },
    /// `WARN_ON()`
    Warning {
        /// The condition.
        what: &'static str,
    },
    /// Lockdep: locks are taken in orders or contexts that can deadlock.
    Lockdep(Box<LockReport>),
    /// Lockdep: locks are held where none may be.
    LocksHeld {
        /// What the task does.
        leaving: Leaving,
        /// What it holds.
        held: Vec<TakenLock>,
    },
    /// DEBUG_LIST: the links around an entry do not fit together.
    ListCorruption {
        /// Which, in the kernel's words.
        what: String,
    },
    /// A count of references is used where it says that there are none. Our own addition: in v4.11 these are
    /// `atomic_t`, which nobody watches.
    Refcount {
        /// What `refcount_t` of later kernels says.
        what: &'static str,
        /// The count.
        cell: Cell,
    },
    /// RCU is not used as it must be.
    SuspiciousRcu {
        /// How.
        what: &'static str,
    },
    /// With a clock: something takes too long.
    Watchdog(Box<Alarm>),
}

impl Finding {
    /// Whether the task can go on, as in the kernel.
    pub fn is_fatal(&self) -> bool {
        matches!(self.bug, Bug::Oops { .. } | Bug::Deadlock { .. })
    }
    /// A stable name for bugs of this kind: `kasan-use-after-free`.
    pub fn code(&self) -> &'static str {
        use crate::{BadPointer, Fault};
        match &self.bug {
            Bug::UseAfterFree { .. } => "kasan-use-after-free",
            Bug::DoubleFree { .. } => "kasan-double-free",
            Bug::InvalidFree { .. } => "kasan-invalid-free",
            Bug::OutOfBounds { .. } => "kasan-out-of-bounds",
            Bug::DataRace { .. } => "kcsan-data-race",
            Bug::UnorderedFree { .. } => "kcsan-unordered-free",
            Bug::Deadlock { .. } => "deadlock",
            Bug::BadUnlock { .. } => "bad-unlock",
            Bug::SleepInAtomic { .. } => "sleep-in-atomic",
            Bug::Warning { .. } => "warning",
            Bug::Lockdep(report) => match report.problem {
                LockProblem::Circular { .. } => "lockdep-circular",
                LockProblem::Recursive { .. } => "lockdep-recursive",
                LockProblem::Inconsistent { .. } => "lockdep-inconsistent",
                LockProblem::IrqUnsafe { .. } => "lockdep-irq-unsafe",
            },
            Bug::LocksHeld { .. } => "lock-held",
            Bug::SuspiciousRcu { .. } => "suspicious-rcu",
            Bug::ListCorruption { .. } => "list-corruption",
            Bug::Refcount { .. } => "refcount",
            Bug::Watchdog(alarm) => alarm.code(),
            Bug::MemoryLeak { .. } => "memory-leak",
            Bug::Invariant { .. } => "invariant",
            Bug::Oops { fault, .. } => match fault {
                Fault::BadPointer(BadPointer::Null, _) => "null-dereference",
                Fault::BadPointer(BadPointer::ListPoison1 | BadPointer::ListPoison2, _) => "list-poison",
                Fault::BadPointer(BadPointer::Wild, _) => "wild-pointer",
                Fault::TypeConfusion { .. } => "type-confusion",
                Fault::Bug(_) => "bug-on",
                Fault::Panic(_) => "panic",
                Fault::EndlessLoop => "endless-loop",
                Fault::OutOfMemory => "out-of-memory",
            },
        }
    }
}

impl fmt::Display for Finding {
    /// The line that kernel people search a log for.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use crate::{BadPointer, Fault};
        let function = self.by.function;
        match &self.bug {
            Bug::UseAfterFree { cell, kind, .. } => {
                write!(f, "BUG: KASAN: slab-use-after-free in {function}: {} of {}", kind.name(), cell.object)
            }
            Bug::DoubleFree { cell, .. } => {
                write!(f, "BUG: KASAN: double-free in {function}: {}", cell.object)
            }
            Bug::InvalidFree { cell } => {
                write!(f, "BUG: KASAN: invalid-free in {function}: {}", cell.object)
            }
            Bug::OutOfBounds { cell, kind, .. } => {
                write!(f, "BUG: KASAN: slab-out-of-bounds in {function}: {} of {}", kind.name(), cell.object)
            }
            Bug::DataRace { cell, earlier, .. } => {
                write!(f, "BUG: KCSAN: data-race in {} / {function}: {}", earlier.function, cell)
            }
            Bug::UnorderedFree { cell, used } => {
                write!(f, "BUG: KCSAN: data-race in {} / {function}: free of {}", used.function, cell.object)
            }
            Bug::Deadlock { what, .. } => write!(f, "INFO: task blocked for ever in {function}: {what}"),
            Bug::BadUnlock { what } => {
                write!(f, "WARNING: bad unlock balance detected in {function}: {what}")
            }
            Bug::SleepInAtomic { what, .. } => {
                write!(f, "BUG: sleeping function called from invalid context in {function}: {what}")
            }
            Bug::Warning { what } => write!(f, "WARNING: in {function}: {what}"),
            Bug::Lockdep(report) => write!(f, "{} in {function}: {}", report.title(), report.words()),
            Bug::LocksHeld { leaving, held } => {
                let held: Vec<&str> = held.iter().map(|lock| lock.class.as_str()).collect();
                write!(f, "{} in {function}: {}", leaving.title(), held.join(", "))
            }
            Bug::ListCorruption { what } => write!(f, "{what}, in {function}"),
            Bug::Refcount { what, cell } => write!(f, "refcount_t: {what}. in {function}: {cell}"),
            Bug::SuspiciousRcu { what } => write!(f, "WARNING: suspicious RCU usage in {function}: {what}"),
            Bug::Watchdog(alarm) => write!(f, "{alarm}"),
            Bug::Invariant { rule, what } => write!(f, "invariant broken ({rule}): {what}"),
            Bug::MemoryLeak { cell, bytes } => {
                write!(f, "unreferenced object {} (size {bytes}), allocated in {function}", cell.object)
            }
            Bug::Oops { fault, target } => match fault {
                Fault::BadPointer(BadPointer::Null, _) => {
                    write!(f, "BUG: unable to handle kernel NULL pointer dereference in {function}")
                }
                Fault::BadPointer(BadPointer::ListPoison1, _) => {
                    write!(f, "general protection fault in {function}: LIST_POISON1 is dereferenced")
                }
                Fault::BadPointer(BadPointer::ListPoison2, _) => {
                    write!(f, "general protection fault in {function}: LIST_POISON2 is dereferenced")
                }
                Fault::BadPointer(BadPointer::Wild, _) => {
                    write!(f, "BUG: unable to handle kernel paging request in {function}")
                }
                Fault::TypeConfusion { expected, .. } => {
                    write!(f, "BUG: type confusion in {function}: {target} is taken for a {expected}")
                }
                Fault::Bug(what) => write!(f, "kernel BUG in {function}: {what}"),
                Fault::Panic(what) => write!(f, "Kernel panic - not syncing: {what}"),
                Fault::EndlessLoop => write!(f, "watchdog: BUG: soft lockup in {function}: endless loop"),
                Fault::OutOfMemory => write!(f, "the simulated machine is out of memory in {function}"),
            },
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field.map(|field| field.strip_prefix("r#").unwrap_or(field)) {
            // The static variables of a file are fields of one object; people call them by their own names.
            Some(field) if self.class == "static data" => f.write_str(field),
            Some(field) => write!(f, "{}->{field}", self.object),
            None => write!(f, "{}+{}", self.object, self.offset),
        }
    }
}
