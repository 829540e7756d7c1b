// SPDX-License-Identifier: GPL-2.0-only
//! Mutants: one statement of the code above that synchronises is damaged, and the primitive it calls does something
//! else; DeMillo, Lipton, Sayward: Hints on test data selection, 1978.
//!
//! A primitive asks what becomes of its caller's statement. Where nothing is damaged that is one comparison.

use std::{
    cell::{Cell, OnceCell, RefCell},
    collections::BTreeSet,
    fmt,
    rc::Rc,
};

use machine::{Addr, Loc, Locking, TaskId};

use crate::Kernel;

/// What is done to a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operator {
    /// It is not there; a lock with its unlock.
    Omit,
    /// It does less: keeps off fewer contexts, orders less, waits for less.
    Weaken,
    /// A test of a count that always succeeds.
    Always,
    /// A test of a count that never succeeds.
    Never,
    /// The other end of the list.
    OtherEnd,
}

impl Operator {
    /// All of them.
    pub const ALL: &[Operator] =
        &[Operator::Omit, Operator::Weaken, Operator::Always, Operator::Never, Operator::OtherEnd];
    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Operator::Omit => "omit",
            Operator::Weaken => "weaken",
            Operator::Always => "always",
            Operator::Never => "never",
            Operator::OtherEnd => "other_end",
        }
    }
    /// The one of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|operator| operator.name() == name)
    }
    /// Those that a primitive knows.
    pub fn of(primitive: &str) -> &'static [Operator] {
        use Operator::{Always, Never, Omit, OtherEnd, Weaken};
        match primitive {
            "spin_lock_bh" | "spin_lock_irq" | "spin_lock_irqsave" | "mutex_lock_killable" => &[Omit, Weaken],
            "atomic_dec_and_test" => &[Weaken, Always, Never],
            "atomic_inc_not_zero" | "atomic_read" => &[Always, Never],
            "atomic_inc_below" => &[Always],
            "list_add" | "list_add_tail" => &[Omit, OtherEnd],
            "list_add_tail_rcu" | "list_del_rcu" | "rcu_assign_pointer" | "kfree_rcu" => &[Omit, Weaken],
            "rcu_dereference" => &[Weaken],
            "queue_work" => &[Omit, Always],
            _ => &[Omit],
        }
    }
}

/// A statement that synchronises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Statement {
    /// Its line.
    pub loc: Loc,
    /// Who called the function that it stands in, where that only wraps it; none for all who call it.
    pub caller: Option<&'static str>,
    /// The primitive's name in the kernel.
    pub primitive: &'static str,
}

/// Which statement is damaged, and how; or which there are.
#[derive(Debug)]
pub struct Damage {
    /// Whether a source file is part of what is damaged.
    pub is_meant: fn(&str) -> bool,
    /// Functions that wrap a statement: each of their callers has one of its own.
    pub wrappers: &'static [&'static str],
    /// What is done; nothing where statements are only recorded.
    pub target: Option<(Statement, Operator)>,
    /// The statements that were reached.
    pub reached: RefCell<BTreeSet<Statement>>,
}

/// How a task holds a lock that is not held as the code says: not at all, or in another way.
type Held = (TaskId, Addr, Option<Locking>);

/// What a kernel remembers of its damage.
#[derive(Default)]
pub(crate) struct Damaged {
    is: Cell<bool>,
    damage: OnceCell<Rc<Damage>>,
    held: RefCell<Vec<Held>>,
    /// Read sections of each task, innermost last: whether they have begun.
    readers: RefCell<Vec<Vec<bool>>>,
}

impl fmt::Debug for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Damaged({})", self.is.get())
    }
}

fn primitive_of(locking: Locking) -> &'static str {
    match locking {
        Locking::Spin => "spin_lock",
        Locking::SpinBh => "spin_lock_bh",
        Locking::SpinIrq => "spin_lock_irq",
        Locking::SpinIrqSave => "spin_lock_irqsave",
        Locking::Mutex => "mutex_lock",
        Locking::MutexKillable => "mutex_lock_killable",
    }
}

impl Kernel {
    /// Damages the kernel, or records its statements. Once, before it boots.
    pub fn damage(&self, damage: Rc<Damage>) {
        self.watch_calls();
        if self.damaged.damage.set(damage).is_ok() {
            self.damaged.is.set(true);
        }
    }
    /// What is done to the statement at `loc`.
    #[inline(always)]
    pub(crate) fn damage_of(&self, primitive: &'static str, loc: Loc) -> Option<Operator> {
        if self.damaged.is.get() { self.ask(primitive, loc) } else { None }
    }
    #[inline(always)]
    pub(crate) fn is_omitted(&self, primitive: &'static str, loc: Loc) -> bool {
        self.damage_of(primitive, loc) == Some(Operator::Omit)
    }
    /// How a lock is taken; none if it is not.
    #[inline(always)]
    pub(crate) fn locking_of(&self, lock: Addr, locking: Locking, loc: Loc) -> Option<Locking> {
        if self.damaged.is.get() { self.lock_damaged(lock, locking, loc) } else { Some(locking) }
    }
    /// How it is released; none if it was not taken.
    #[inline(always)]
    pub(crate) fn unlocking_of(&self, lock: Addr, locking: Locking) -> Option<Locking> {
        if self.damaged.is.get() { self.unlock_damaged(lock, locking) } else { Some(locking) }
    }
    /// Whether a read section begins.
    #[inline(always)]
    pub(crate) fn reader_begins(&self, loc: Loc) -> bool {
        !self.damaged.is.get() || self.begin_damaged(loc)
    }
    /// Whether the innermost one has begun.
    #[inline(always)]
    pub(crate) fn reader_ends(&self) -> bool {
        !self.damaged.is.get() || self.end_damaged()
    }

    #[cold]
    #[inline(never)]
    fn ask(&self, primitive: &'static str, loc: Loc) -> Option<Operator> {
        let damage = self.damaged.damage.get()?;
        if !(damage.is_meant)(loc.file()) {
            return None;
        }
        let caller = self.caller_of(damage.wrappers);
        let statement = Statement { loc, caller, primitive };
        if let Some((target, operator)) = damage.target {
            return (target == statement).then_some(operator);
        }
        damage.reached.borrow_mut().insert(statement);
        None
    }
    #[cold]
    #[inline(never)]
    fn lock_damaged(&self, lock: Addr, locking: Locking, loc: Loc) -> Option<Locking> {
        let instead = match self.ask(primitive_of(locking), loc) {
            None => return Some(locking),
            Some(Operator::Weaken) if locking == Locking::MutexKillable => return Some(Locking::Mutex),
            Some(Operator::Weaken) => Some(Locking::Spin),
            Some(_) => None,
        };
        self.damaged.held.borrow_mut().push((self.bus.current().task, lock, instead));
        instead
    }
    #[cold]
    #[inline(never)]
    fn unlock_damaged(&self, lock: Addr, locking: Locking) -> Option<Locking> {
        let task = self.bus.current().task;
        let mut held = self.damaged.held.borrow_mut();
        let at = held.iter().rposition(|(by, what, _)| *by == task && *what == lock);
        at.map_or(Some(locking), |at| held.remove(at).2)
    }
    #[cold]
    #[inline(never)]
    fn begin_damaged(&self, loc: Loc) -> bool {
        let begins = self.ask("rcu_read_lock", loc).is_none();
        let task = self.bus.current().task.index();
        let mut readers = self.damaged.readers.borrow_mut();
        if readers.len() <= task {
            readers.resize_with(task + 1, Vec::new);
        }
        readers[task].push(begins);
        begins
    }
    #[cold]
    #[inline(never)]
    fn end_damaged(&self) -> bool {
        let task = self.bus.current().task.index();
        self.damaged.readers.borrow_mut().get_mut(task).and_then(Vec::pop).unwrap_or(true)
    }
}
