// SPDX-License-Identifier: GPL-2.0-only
//! Memory without atomicity, and marked accesses to it; include/linux/compiler.h

use std::{marker::PhantomData, panic::Location};

use machine::{Addr, CellKind, Op, Order, Update};

use crate::{
    Field, Kernel, Operator, Value,
    future::{AtOnce, done, map},
};

macro_rules! cell {
    ($(#[$doc:meta])* $name:ident, $kind:expr) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name<T> {
            addr: Addr,
            value: PhantomData<fn(T) -> T>,
        }
        impl<T> Clone for $name<T> {
            fn clone(&self) -> Self {
                *self
            }
        }
        impl<T> Copy for $name<T> {}
        impl<T: Value> Field for $name<T> {
            const CELLS: usize = 1;
            const KIND: CellKind = $kind;
            fn at(addr: Addr) -> Self {
                $name { addr, value: PhantomData }
            }
            fn addr(self) -> Addr {
                self.addr
            }
        }
    };
}

cell! {
    /// Memory that something else protects: every two accesses, one of them a write, must be ordered.
    Plain, CellKind::Plain
}

impl<T: Value> Plain<T> {
    /// Reads it. Suspends only for an oops.
    #[track_caller]
    pub fn read(self, k: &Kernel) -> impl Future<Output = T> {
        AtOnce(k.bus.read(self.addr).value().map(T::from_value))
    }
    /// Writes it. Suspends only for an oops.
    #[track_caller]
    pub fn write(self, k: &Kernel, value: T) -> impl Future<Output = ()> {
        AtOnce(k.bus.write(self.addr, value.to_value()).value().map(|_| ()))
    }
}

cell! {
    /// Memory that C shares between CPUs without a lock and without a mark: a data race, and every access a place
    /// where another CPU may come between.
    Racy, CellKind::Plain
}

impl<T: Value> Racy<T> {
    /// Reads it.
    #[track_caller]
    pub fn read(self, k: &Kernel) -> impl Future<Output = T> {
        map(k.bus.step(Op::Racy(self.addr, Update::Read)), T::from_value)
    }
    /// Writes it.
    #[track_caller]
    pub fn write(self, k: &Kernel, value: T) -> impl Future<Output = ()> {
        done(k.bus.step(Op::Racy(self.addr, Update::Write(value.to_value()))))
    }
}

cell! {
    /// Memory accessed by `READ_ONCE()` and `WRITE_ONCE()`.
    Once, CellKind::Marked
}

impl<T: Value> Once<T> {
    /// `READ_ONCE()`
    #[track_caller]
    pub fn read(self, k: &Kernel) -> impl Future<Output = T> {
        map(k.bus.step(Op::Marked(self.addr, Update::Read, Order::Relaxed)), T::from_value)
    }
    /// `WRITE_ONCE()`
    #[track_caller]
    pub fn write(self, k: &Kernel, value: T) -> impl Future<Output = ()> {
        done(k.bus.step(Op::Marked(self.addr, Update::Write(value.to_value()), Order::Relaxed)))
    }
    /// `cmpxchg()`: the old value.
    #[track_caller]
    pub fn cmpxchg(self, k: &Kernel, old: T, new: T) -> impl Future<Output = T> {
        let update = Update::CmpXchg { old: old.to_value(), new: new.to_value() };
        map(k.bus.step(Op::Marked(self.addr, update, Order::Full)), T::from_value)
    }
}

cell! {
    /// A pointer that RCU publishes; include/linux/rcupdate.h
    RcuPointer, CellKind::RcuPointer
}

impl<T: Value> RcuPointer<T> {
    /// `rcu_dereference()`
    #[track_caller]
    pub fn dereference(self, k: &Kernel) -> impl Future<Output = T> {
        let damage = k.damage_of("rcu_dereference", Location::caller());
        let order = if damage.is_some() { Order::Relaxed } else { Order::Acquire };
        map(k.bus.step(Op::Marked(self.addr, Update::Read, order)), T::from_value)
    }
    /// `rcu_dereference_protected()`: by the writer, who holds the lock that writers take.
    #[track_caller]
    pub fn dereference_protected(self, k: &Kernel) -> impl Future<Output = T> {
        AtOnce(k.bus.read(self.addr).value().map(T::from_value))
    }
    /// `rcu_access_pointer()`: the value, not to be followed by a reader.
    #[track_caller]
    pub fn access(self, k: &Kernel) -> impl Future<Output = T> {
        map(k.bus.step(Op::Marked(self.addr, Update::Read, Order::Relaxed)), T::from_value)
    }
    /// `rcu_assign_pointer()`
    #[track_caller]
    pub fn assign(self, k: &Kernel, value: T) -> impl Future<Output = ()> {
        let (update, order) = match k.damage_of("rcu_assign_pointer", Location::caller()) {
            None => (Update::Write(value.to_value()), Order::Release),
            Some(Operator::Weaken) => (Update::Write(value.to_value()), Order::Relaxed),
            Some(_) => (Update::Read, Order::Relaxed),
        };
        done(k.bus.step(Op::Marked(self.addr, update, order)))
    }
}
