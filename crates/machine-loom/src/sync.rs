// SPDX-License-Identifier: GPL-2.0-only
//! What tasks wait for: locks, counts, readers.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    pin::Pin,
    rc::Rc,
    sync::atomic::Ordering,
    task::{Context, Poll, Waker},
};

use loom::sync::{Condvar, Mutex, MutexGuard, atomic::AtomicBool};
use machine::{Access, TaskId};

use crate::machine::Loom;

type Guard = Pin<Box<dyn Future<Output = ()>>>;

/// A spinlock or mutex.
pub(crate) struct Lock {
    mutex: Rc<Mutex<()>>,
    /// A future that owns the mutex and keeps its guard until it is polled again: who locks does not return before
    /// who unlocks, so no stack can keep it.
    held: RefCell<Option<(Access, Guard)>>,
    /// Whether it is held, for those who ask: loom does not see that its mutex is released, only that it is taken.
    flag: Option<AtomicBool>,
}

fn poll(future: &mut Guard) -> Poll<()> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

/// Pending once.
async fn suspend() {
    let mut polled = false;
    poll_fn(|_| if std::mem::replace(&mut polled, true) { Poll::Ready(()) } else { Poll::Pending }).await;
}

impl Lock {
    pub(crate) fn new(is_asked: bool) -> Self {
        let flag = is_asked.then(|| AtomicBool::new(false));
        Lock { mutex: Rc::new(Mutex::new(())), held: RefCell::new(None), flag }
    }
    pub(crate) fn lock(&self, by: Access) {
        let mutex = self.mutex.clone();
        let mut guard: Guard = Box::pin(async move {
            let _guard = locked(&mutex);
            suspend().await;
        });
        let _ = poll(&mut guard);
        self.held.replace(Some((by, guard)));
        self.set_flag(true);
    }
    fn set_flag(&self, locked: bool) {
        if let Some(flag) = &self.flag {
            flag.store(locked, Ordering::Relaxed);
        }
    }
    /// Whether `task` held it.
    #[must_use]
    pub(crate) fn unlock(&self, task: TaskId) -> bool {
        if self.holder().is_none_or(|holder| holder.id != task) {
            return false;
        }
        self.set_flag(false);
        let held = self.held.take();
        held.is_some_and(|(_, mut guard)| poll(&mut guard).is_ready())
    }
    /// Whether it is held, as `task` sees it. None if nobody was expected to ask.
    pub(crate) fn is_locked(&self, task: TaskId) -> Option<bool> {
        if self.holder().is_some_and(|holder| holder.id == task) {
            return Some(true);
        }
        self.flag.as_ref().map(|flag| flag.load(Ordering::Relaxed))
    }
    pub(crate) fn holder(&self) -> Option<Access> {
        self.held.borrow().as_ref().map(|(by, _)| *by)
    }
}

impl Drop for Lock {
    /// At the end of an execution, and after a failure, loom is not there to release anything.
    fn drop(&mut self) {
        std::mem::forget(self.held.take());
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("loom mutexes are not poisoned")
}

fn sleep<'a, T>(condvar: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    condvar.wait(guard).expect("loom mutexes are not poisoned")
}

/// The state of a [`Count`].
#[derive(Default)]
struct Events {
    events: i64,
    /// How often somebody took them.
    served: u64,
    /// How many tasks sleep until there are some.
    waiting: u32,
    /// Nobody will wait any more.
    deserted: bool,
    /// There will be no more.
    ended: bool,
    /// Whether the end of the execution waits until a task waits.
    watched: bool,
}

/// A count that tasks wait on.
pub(crate) struct Count {
    events: Mutex<Events>,
    changed: Condvar,
    idle: Condvar,
}

impl Count {
    pub(crate) fn new() -> Self {
        Count { events: Mutex::default(), changed: Condvar::new(), idle: Condvar::new() }
    }
    /// Is ordered after all who have done this before.
    pub(crate) fn order(&self) {
        drop(locked(&self.events));
    }
    /// Takes all events, at a moment when no task is in the middle of a step; none at the end of the execution.
    pub(crate) fn wait(&self, machine: &Loom) -> Option<i64> {
        let mut state = locked(&self.events);
        loop {
            if !machine.is_quiet() {
                drop(state);
                machine.wait_until_quiet();
                state = locked(&self.events);
            } else if state.events > 0 {
                state.served += 1;
                return Some(std::mem::take(&mut state.events));
            } else if state.ended {
                return None;
            } else {
                state.waiting += 1;
                if state.watched {
                    self.idle.notify_all();
                }
                state = sleep(&self.changed, state);
                state.waiting -= 1;
            }
        }
    }
    pub(crate) fn complete(&self) {
        let mut state = locked(&self.events);
        state.events += 1;
        self.wake(&state);
    }
    /// Who waits now, or later and without an event, is told that the execution ends.
    pub(crate) fn end(&self) {
        let mut state = locked(&self.events);
        state.ended = true;
        self.wake(&state);
    }
    /// The task that waits on it is gone.
    pub(crate) fn desert(&self) {
        let mut state = locked(&self.events);
        state.deserted = true;
        if state.watched {
            self.idle.notify_all();
        }
    }
    /// Waits until somebody waits, for nothing that is there already; how often events were taken by then.
    pub(crate) fn settle(&self) -> u64 {
        let mut state = locked(&self.events);
        state.watched = true;
        while !(state.deserted || state.waiting > 0 && state.events == 0) {
            state = sleep(&self.idle, state);
        }
        state.watched = false;
        state.served
    }
    fn wake(&self, state: &Events) {
        if state.waiting > 0 {
            self.changed.notify_all();
        }
    }
}

/// A task inside read-side critical sections.
struct Reader {
    number: u64,
    entered: Access,
    nesting: u32,
}

/// RCU through a mutex, which orders more than the kernel's does. The mutex owns no data: whoever reports a failure
/// reads it without loom.
pub(crate) struct Rcu {
    mutex: Mutex<()>,
    left: Condvar,
    readers: RefCell<Vec<Reader>>,
    next: Cell<u64>,
    waiting: Cell<u32>,
}

impl Rcu {
    pub(crate) fn new() -> Self {
        Rcu {
            mutex: Mutex::new(()),
            left: Condvar::new(),
            readers: RefCell::default(),
            next: Cell::new(0),
            waiting: Cell::new(0),
        }
    }
    pub(crate) fn read_lock(&self, by: Access) {
        if let Some(reader) = self.readers.borrow_mut().iter_mut().find(|reader| reader.entered.id == by.id) {
            reader.nesting += 1;
            return;
        }
        let _guard = locked(&self.mutex);
        let number = self.next.replace(self.next.get() + 1);
        self.readers.borrow_mut().push(Reader { number, entered: by, nesting: 1 });
    }
    /// Whether the task was inside at all.
    #[must_use]
    pub(crate) fn read_unlock(&self, task: TaskId) -> bool {
        match self.readers.borrow_mut().iter_mut().find(|reader| reader.entered.id == task) {
            None => return false,
            Some(reader) if reader.nesting > 1 => {
                reader.nesting -= 1;
                return true;
            }
            Some(_) => {}
        }
        let _guard = locked(&self.mutex);
        self.readers.borrow_mut().retain(|reader| reader.entered.id != task);
        if self.waiting.get() > 0 {
            self.left.notify_all();
        }
        true
    }
    /// The number of the first reader that the grace period does not wait for.
    pub(crate) fn grace_begin(&self) -> u64 {
        let _guard = locked(&self.mutex);
        self.next.get()
    }
    pub(crate) fn grace_end(&self, before: u64) {
        let mut guard = locked(&self.mutex);
        while !self.readers_before(before).is_empty() {
            self.waiting.set(self.waiting.get() + 1);
            guard = sleep(&self.left, guard);
            self.waiting.set(self.waiting.get() - 1);
        }
    }
    /// The readers that a grace period waits for.
    pub(crate) fn readers_before(&self, before: u64) -> Vec<Access> {
        let readers = self.readers.borrow();
        readers.iter().filter(|reader| reader.number < before).map(|reader| reader.entered).collect()
    }
}
