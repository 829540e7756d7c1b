// SPDX-License-Identifier: GPL-2.0-only
//! `atomic_t`; include/linux/atomic.h

use std::panic::Location;

use machine::{Addr, CellKind, Op, Order, Step, Update};

use crate::{
    Field, Kernel, Operator,
    future::{done, map},
};

/// `atomic_t`, `atomic_long_t`
#[derive(Clone, Copy, Debug)]
pub struct Atomic(Addr);

impl Field for Atomic {
    const CELLS: usize = 1;
    const KIND: CellKind = CellKind::Marked;
    fn at(addr: Addr) -> Self {
        Atomic(addr)
    }
    fn addr(self) -> Addr {
        self.0
    }
}

/// The result of a test, or what is taken for it.
#[inline]
fn test(damage: Option<Operator>, result: bool) -> bool {
    match damage {
        Some(Operator::Always) => true,
        Some(Operator::Never) => false,
        _ => result,
    }
}

impl Atomic {
    #[track_caller]
    #[inline]
    fn unless_omitted(self, k: &Kernel, primitive: &'static str, update: Update) -> Update {
        if k.is_omitted(primitive, Location::caller()) { Update::Read } else { update }
    }
    #[track_caller]
    fn update(self, k: &Kernel, update: Update, order: Order) -> Step<'_> {
        k.bus.step(Op::Marked(self.0, update, order))
    }
    /// `atomic_read()`. Orders nothing.
    #[track_caller]
    pub fn read(self, k: &Kernel) -> impl Future<Output = i64> {
        let damage = k.damage_of("atomic_read", Location::caller());
        map(self.update(k, Update::Read, Order::Relaxed), move |value| match damage {
            None => value,
            Some(damage) => i64::from(damage == Operator::Always),
        })
    }
    /// `atomic_read_acquire()`
    #[track_caller]
    pub fn read_acquire(self, k: &Kernel) -> impl Future<Output = i64> {
        self.update(k, Update::Read, Order::Acquire)
    }
    /// `atomic_set()`. Orders nothing.
    #[track_caller]
    pub fn set(self, k: &Kernel, value: i64) -> impl Future<Output = ()> {
        done(self.update(k, self.unless_omitted(k, "atomic_set", Update::Write(value)), Order::Relaxed))
    }
    /// `atomic_inc()`. Orders nothing.
    #[track_caller]
    pub fn inc(self, k: &Kernel) -> impl Future<Output = ()> {
        done(self.update(k, self.unless_omitted(k, "atomic_inc", Update::Add(1)), Order::Relaxed))
    }
    /// `atomic_dec()`. Orders nothing.
    #[track_caller]
    pub fn dec(self, k: &Kernel) -> impl Future<Output = ()> {
        done(self.update(k, self.unless_omitted(k, "atomic_dec", Update::Add(-1)), Order::Relaxed))
    }
    /// `atomic_dec_and_test()`: whether it became 0. A full barrier.
    #[track_caller]
    pub fn dec_and_test(self, k: &Kernel) -> impl Future<Output = bool> {
        let damage = k.damage_of("atomic_dec_and_test", Location::caller());
        let order = if damage == Some(Operator::Weaken) { Order::Relaxed } else { Order::Full };
        map(self.update(k, Update::Add(-1), order), move |old| test(damage, old == 1))
    }
    /// `atomic_inc_not_zero()`: whether it was not 0 and is one more. A full barrier.
    #[track_caller]
    pub fn inc_not_zero(self, k: &Kernel) -> impl Future<Output = bool> {
        let damage = k.damage_of("atomic_inc_not_zero", Location::caller());
        let update = match damage {
            Some(Operator::Always) => Update::Add(1),
            Some(_) => Update::Read,
            None => Update::AddUnless { delta: 1, unless: 0 },
        };
        map(self.update(k, update, Order::Full), move |old| test(damage, old != 0))
    }
    /// `atomic_inc_below()` of kernel/ucount.c: whether it was below `limit` and is one more.
    #[track_caller]
    pub fn inc_below(self, k: &Kernel, limit: i64) -> impl Future<Output = bool> {
        let damage = k.damage_of("atomic_inc_below", Location::caller());
        let update = if damage.is_some() { Update::Add(1) } else { Update::IncBelow(limit) };
        map(self.update(k, update, Order::Full), move |old| test(damage, old < limit))
    }
    /// `atomic_dec_if_positive()`: the new value; negative, and not stored, if there was nothing to subtract.
    #[track_caller]
    pub fn dec_if_positive(self, k: &Kernel) -> impl Future<Output = i64> {
        let update = self.unless_omitted(k, "atomic_dec_if_positive", Update::DecIfPositive);
        map(self.update(k, update, Order::Full), |old| old.wrapping_sub(1))
    }
    /// `xchg()`: the old value. A full barrier.
    #[track_caller]
    pub fn xchg(self, k: &Kernel, value: i64) -> impl Future<Output = i64> {
        self.update(k, Update::Xchg(value), Order::Full)
    }
}
