// SPDX-License-Identifier: GPL-2.0-only
//! Allocation, with injected failures; include/linux/slab.h, lib/fault-inject.c

use machine::{Addr, Effect, Fault, Layout, Op};

use crate::{
    Kernel, Pointer,
    future::{Maybe, done, map},
};

/// Whether an allocation may sleep; include/linux/gfp.h
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gfp {
    /// `GFP_KERNEL`: process context.
    Kernel,
    /// `GFP_ATOMIC`: any context.
    Atomic,
}

/// Failures to inject into allocations.
#[derive(Debug, Default)]
pub struct FaultInjection {
    armed: Vec<Armed>,
}

#[derive(Debug)]
struct Armed {
    /// Which kind; none for all.
    kind: Option<String>,
    /// In which function, or what it calls; none for anywhere.
    function: Option<String>,
    /// Which one from now fails first.
    nth: u64,
    /// How often it fails from then on; none for ever.
    times: Option<u64>,
    fired: u64,
}

impl FaultInjection {
    /// Lets allocations of `kind` (or of any) fail: the `nth` from now, counted from 1, and `times` in all.
    pub fn arm(&mut self, kind: Option<&str>, nth: u64, times: Option<u64>) {
        self.arm_in(kind, None, nth, times);
    }
    /// The same of allocations in a function and what it calls: see [`Kernel::watch_calls`].
    pub fn arm_in(&mut self, kind: Option<&str>, function: Option<&str>, nth: u64, times: Option<u64>) {
        let (kind, function) = (kind.map(str::to_owned), function.map(str::to_owned));
        self.armed.push(Armed { kind, function, nth: nth.max(1), times, fired: 0 });
    }
    /// Forgets all armed failures.
    pub fn clear(&mut self) {
        self.armed.clear();
    }
    /// How often each armed failure has fired, in order of arming.
    pub fn fired(&self) -> impl Iterator<Item = (Option<&str>, u64)> {
        self.armed.iter().map(|armed| (armed.kind.as_deref(), armed.fired))
    }
    /// Whether this allocation of `kind` fails, in the functions of which `is_in` knows. Failures armed after the one
    /// that hits do not count it.
    fn hits(&mut self, kind: &str, is_in: impl Fn(&str) -> bool) -> bool {
        self.hits_if(|armed| {
            armed.kind.as_deref().is_none_or(|armed| armed == kind)
                && armed.function.as_deref().is_none_or(&is_in)
        })
    }
    /// The same for what another task allocates: a failure of any kind does not mean it.
    pub(crate) fn hits_kind(&mut self, kind: &str) -> bool {
        self.hits_if(|armed| armed.kind.as_deref() == Some(kind) && armed.function.is_none())
    }
    fn hits_if(&mut self, is_meant: impl Fn(&Armed) -> bool) -> bool {
        for armed in &mut self.armed {
            if !is_meant(armed) || armed.times == Some(0) {
                continue;
            }
            if armed.nth > 1 {
                armed.nth -= 1;
                continue;
            }
            armed.fired += 1;
            if let Some(times) = &mut armed.times {
                *times -= 1;
            }
            return true;
        }
        false
    }
}

impl Kernel {
    /// Whether an allocation of `kind` fails because someone asked for it. `GFP_KERNEL` may sleep.
    #[track_caller]
    pub fn should_fail(&self, kind: &'static str, gfp: Gfp) -> impl Future<Output = bool> {
        let loc = std::panic::Location::caller();
        let might_sleep = if gfp == Gfp::Kernel { Some(self.might_sleep(kind)) } else { None };
        map(Maybe(might_sleep), move |()| {
            let fails = self.faults.borrow_mut().hits(kind, |function| self.is_in(function));
            if fails {
                self.bus.say_at(Effect::AllocFailed(kind), loc);
            }
            fails
        })
    }

    /// An object of `bytes` zeroed bytes, or NULL. `kind` is the name that failures are injected by.
    #[track_caller]
    pub fn kzalloc_layout(
        &self,
        layout: &'static Layout,
        bytes: usize,
        kind: &'static str,
        gfp: Gfp,
    ) -> impl Future<Output = Option<Addr>> {
        self.allocate(layout, bytes, kind, gfp, Addr::object)
    }

    /// `kzalloc(sizeof(*p))`, `kmem_cache_zalloc()`: a zeroed object, or NULL.
    #[track_caller]
    pub fn kzalloc<P: Pointer>(&self, kind: &'static str, gfp: Gfp) -> impl Future<Output = Option<P>> {
        self.allocate(P::layout(), P::layout().cells() * 8, kind, gfp, P::at)
    }

    #[track_caller]
    fn allocate<P>(
        &self,
        layout: &'static Layout,
        bytes: usize,
        kind: &'static str,
        gfp: Gfp,
        pointer: fn(Addr) -> P,
    ) -> impl Future<Output = Option<P>> {
        let loc = std::panic::Location::caller();
        let fails = self.should_fail(kind, gfp);
        async move {
            if fails.await || bytes > KMALLOC_MAX_SIZE {
                return None;
            }
            let addr = self.bus.alloc_at(layout, bytes, loc);
            if addr.is_none() {
                self.bus.step_at(Op::Fault(Fault::OutOfMemory), loc).await;
            }
            addr.map(pointer)
        }
    }

    /// The machine has no more memory: not a case that the kernel knows. Ends the task.
    #[track_caller]
    pub fn out_of_memory(&self) -> impl Future<Output = ()> {
        done(self.bus.step(Op::Fault(Fault::OutOfMemory)))
    }

    /// `kfree()`, `kmem_cache_free()`. Any context; NULL is no object.
    #[track_caller]
    pub fn kfree(&self, object: Addr) {
        if !object.is_null() && !self.is_omitted("kfree", std::panic::Location::caller()) {
            self.bus.say(Effect::Free(object));
        }
    }
}

/// Larger ones fail. `KMALLOC_MAX_SIZE` of x86-64 with SLUB.
const KMALLOC_MAX_SIZE: usize = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_count_in_order_of_arming() {
        let mut faults = FaultInjection::default();
        faults.arm(Some("net"), 2, Some(1));
        faults.arm(None, 2, Some(1));
        // The first of each counts for both; the second net hits the first, and only that.
        assert!(!faults.hits("net", |_| false));
        assert!(faults.hits("net", |_| false));
        assert!(faults.hits("gen", |_| false));
        assert!(!faults.hits("net", |_| false));
        assert_eq!(faults.fired().map(|(_, fired)| fired).collect::<Vec<_>>(), [1, 1]);
    }

    #[test]
    fn failures_in_a_function_do_not_count_others() {
        let mut faults = FaultInjection::default();
        faults.arm_in(None, Some("setup_net"), 2, Some(1));
        let mut hits = |function: &str| faults.hits("net", |wanted| wanted == function);
        let fails = ["net_alloc", "setup_net", "net_alloc", "setup_net", "setup_net"].map(&mut hits);
        assert_eq!(fails, [false, false, false, true, false]);
    }
}
