// SPDX-License-Identifier: GPL-2.0-only
//! `spinlock_t`; include/linux/spinlock.h. It owns no data, and nobody releases it but the code that took it.

use machine::{Addr, CellKind, Locking, Op, Section};

use crate::{
    Field, Kernel,
    future::{AtOnce, Maybe},
};

/// `spinlock_t`
#[derive(Clone, Copy, Debug)]
pub struct SpinLock(Addr);

impl Field for SpinLock {
    const CELLS: usize = 1;
    const KIND: CellKind = CellKind::Lock;
    fn at(addr: Addr) -> Self {
        SpinLock(addr)
    }
    fn addr(self) -> Addr {
        self.0
    }
}

/// What the holder keeps off its CPU.
fn section_of(locking: Locking) -> Section {
    match locking {
        Locking::SpinBh => Section::Bh,
        Locking::SpinIrq | Locking::SpinIrqSave => Section::Irq,
        _ => Section::Preempt,
    }
}

impl SpinLock {
    /// `spin_lock_init()`
    #[track_caller]
    pub fn init(self, k: &Kernel) -> impl Future<Output = ()> {
        AtOnce(k.bus.write(self.0, 0).value().map(|_| ()))
    }
    #[track_caller]
    fn acquire(self, k: &Kernel, locking: Locking) -> impl Future<Output = ()> {
        let loc = std::panic::Location::caller();
        let locking = k.locking_of(self.0, locking, loc);
        let step = locking.map(|locking| k.bus.step_at(Op::Lock(self.0, locking), loc));
        let may_arrive = locking.is_some_and(|locking| k.interrupts_may_arrive(section_of(locking)));
        async move {
            if let Some(step) = step {
                step.await;
            }
            if may_arrive {
                k.bus.step_at(Op::Interruptible, loc).await;
            }
        }
    }
    #[track_caller]
    fn release(self, k: &Kernel, locking: Locking) -> impl Future<Output = ()> {
        let Some(locking) = k.unlocking_of(self.0, locking) else { return Maybe(None) };
        Maybe(Some(k.bus.unlock(self.0, locking)))
    }
    /// `spin_lock()`. Any context that no interrupt taking the same lock can interrupt.
    #[track_caller]
    pub fn lock(self, k: &Kernel) -> impl Future<Output = ()> {
        self.acquire(k, Locking::Spin)
    }
    /// `spin_lock_bh()`. Process or softirq context.
    #[track_caller]
    pub fn lock_bh(self, k: &Kernel) -> impl Future<Output = ()> {
        self.acquire(k, Locking::SpinBh)
    }
    /// `spin_lock_irq()`. Contexts where interrupts are known to be on.
    #[track_caller]
    pub fn lock_irq(self, k: &Kernel) -> impl Future<Output = ()> {
        self.acquire(k, Locking::SpinIrq)
    }
    /// `spin_lock_irqsave()`. Any context.
    #[track_caller]
    pub fn lock_irqsave(self, k: &Kernel) -> impl Future<Output = ()> {
        self.acquire(k, Locking::SpinIrqSave)
    }
    /// `spin_unlock()`
    #[track_caller]
    pub fn unlock(self, k: &Kernel) -> impl Future<Output = ()> {
        self.release(k, Locking::Spin)
    }
    /// `spin_unlock_bh()`: pending softirqs run before it returns.
    #[track_caller]
    pub fn unlock_bh(self, k: &Kernel) -> impl Future<Output = ()> {
        self.release(k, Locking::SpinBh)
    }
    /// `spin_unlock_irq()`: turns interrupts on, whatever they were.
    #[track_caller]
    pub fn unlock_irq(self, k: &Kernel) -> impl Future<Output = ()> {
        self.release(k, Locking::SpinIrq)
    }
    /// `spin_unlock_irqrestore()`
    #[track_caller]
    pub fn unlock_irqrestore(self, k: &Kernel) -> impl Future<Output = ()> {
        self.release(k, Locking::SpinIrqSave)
    }
}
