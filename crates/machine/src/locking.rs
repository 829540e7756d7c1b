// SPDX-License-Identifier: GPL-2.0-only
//! What lockdep finds, as values; kernel/locking/lockdep.c

use crate::{Access, Cell};

/// A lock that a task holds, or is about to take.
#[derive(Clone, Debug)]
pub struct TakenLock {
    /// Its class: `net_mutex`, `&net->nsid_lock`.
    pub class: String,
    /// The lock itself; none for what lockdep only treats as one: a workqueue, `rcu_read_lock`.
    pub lock: Option<Cell>,
    /// How its class has been used, as lockdep prints it: `+.-.`.
    pub usage: String,
    /// Where it was taken.
    pub at: Access,
}

/// How locks of a class have been used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// `IN-HARDIRQ-W`: in a hardware interrupt.
    InHardirq,
    /// `HARDIRQ-ON-W`: where hardware interrupts may arrive.
    HardirqOn,
    /// `IN-SOFTIRQ-W`: in a softirq.
    InSoftirq,
    /// `SOFTIRQ-ON-W`: where softirqs may run.
    SoftirqOn,
}

impl Usage {
    /// All of them.
    pub const ALL: [Usage; 4] = [Usage::InHardirq, Usage::HardirqOn, Usage::InSoftirq, Usage::SoftirqOn];

    /// As lockdep prints it.
    pub fn name(self) -> &'static str {
        match self {
            Usage::InHardirq => "IN-HARDIRQ-W",
            Usage::HardirqOn => "HARDIRQ-ON-W",
            Usage::InSoftirq => "IN-SOFTIRQ-W",
            Usage::SoftirqOn => "SOFTIRQ-ON-W",
        }
    }
    /// The interrupt that it is about: `HARDIRQ`, `SOFTIRQ`.
    pub fn irq(self) -> &'static str {
        match self {
            Usage::InHardirq | Usage::HardirqOn => "HARDIRQ",
            Usage::InSoftirq | Usage::SoftirqOn => "SOFTIRQ",
        }
    }
}

/// A lock class, and where it was used in this way first.
#[derive(Clone, Debug)]
pub struct UsedClass {
    /// Its name.
    pub class: String,
    /// How it has been used, as lockdep prints it.
    pub usage: String,
    /// Where it was first used so that it is in question here.
    pub at: Access,
}

/// A lock class that was taken while the class before it was held.
#[derive(Clone, Debug)]
pub struct Dependency {
    /// Its name.
    pub class: String,
    /// How it has been used, as lockdep prints it.
    pub usage: String,
    /// Where it was taken so first.
    pub at: Access,
}

/// What lockdep objects to.
#[derive(Clone, Debug)]
pub enum LockProblem {
    /// Somewhere the lock that is held was taken while this one was.
    Circular {
        /// What the task holds.
        held: TakenLock,
        /// How one comes from the lock that is taken to the one that is held.
        chain: Vec<Dependency>,
    },
    /// A lock of the same class is held.
    Recursive {
        /// What the task holds.
        held: TakenLock,
    },
    /// Locks of this class are used in interrupts, and where such interrupts may arrive.
    Inconsistent {
        /// How they were used before.
        was: Usage,
        /// Where.
        registered: Access,
        /// How they are used now.
        now: Usage,
    },
    /// A lock that is used in interrupts is held while one is taken that interrupts do not spare.
    IrqUnsafe {
        /// What makes the one safe, and the other not: `HARDIRQ`, `SOFTIRQ`.
        irq: &'static str,
        /// The one that is used in interrupts.
        safe: UsedClass,
        /// The one that is held where they may arrive.
        not_safe: UsedClass,
        /// The lock that the task holds, if what is new is that the one is taken while the other is held; none if
        /// that is known, and the use is new.
        held: Option<TakenLock>,
    },
}

/// A report of lockdep.
#[derive(Clone, Debug)]
pub struct LockReport {
    /// What is wrong.
    pub problem: LockProblem,
    /// The lock that is being taken, or used in a new way.
    pub lock: TakenLock,
    /// What the task holds, in the order in which it took them.
    pub held: Vec<TakenLock>,
    /// `preempt_count()` where the lock is taken.
    pub preempt_count: u32,
    /// `irqs_disabled()`
    pub irqs_disabled: bool,
}

/// What a task does that must not hold a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaving {
    /// It returns to user mode.
    ToUserMode,
    /// It ends.
    Task,
    /// It ends a work item.
    Work,
}

impl LockReport {
    /// The line that people search a log for.
    pub fn title(&self) -> String {
        match &self.problem {
            LockProblem::Circular { .. } => {
                "WARNING: possible circular locking dependency detected".to_owned()
            }
            LockProblem::Recursive { .. } => "WARNING: possible recursive locking detected".to_owned(),
            LockProblem::Inconsistent { .. } => "WARNING: inconsistent lock state".to_owned(),
            LockProblem::IrqUnsafe { irq, held: Some(_), .. } => {
                format!("WARNING: {irq}-safe -> {irq}-unsafe lock order detected")
            }
            LockProblem::IrqUnsafe { held: None, .. } => {
                "WARNING: possible irq lock inversion dependency detected".to_owned()
            }
        }
    }
    /// Which locks it is about.
    pub(crate) fn words(&self) -> String {
        let lock = &self.lock.class;
        match &self.problem {
            LockProblem::Circular { held, .. } => format!("{} --> {lock}", held.class),
            LockProblem::Recursive { .. } => lock.clone(),
            LockProblem::Inconsistent { was, now, .. } => {
                format!("{{{}}} -> {{{}}} usage of {lock}", was.name(), now.name())
            }
            LockProblem::IrqUnsafe { safe, not_safe, .. } => format!("{} --> {}", safe.class, not_safe.class),
        }
    }
}

impl Leaving {
    /// The line that people search a log for.
    pub fn title(self) -> &'static str {
        match self {
            Leaving::ToUserMode => "WARNING: lock held when returning to user space!",
            Leaving::Task => "WARNING: task still has locks held!",
            Leaving::Work => "BUG: workqueue leaked lock or atomic",
        }
    }
}
