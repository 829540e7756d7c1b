// SPDX-License-Identifier: GPL-2.0-only
//! Work items and ordered workqueues; include/linux/workqueue.h, kernel/workqueue.c

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    fmt,
    pin::Pin,
    rc::Rc,
};

use machine::{Addr, ContextKind, Effect, NewTask, Op, Order, Symbol, Update, function, tracepoint};

use crate::{Atomic, Completion, Field, Gfp, Kernel, Operator, Plain, Pointer, object};

/// The name by which the creation of workers fails; lib/fault-inject.c
const WORKER: &str = "worker";
/// Nanoseconds until the rescuer is called; `HZ / 100` jiffies.
const MAYDAY_INITIAL_TIMEOUT: u64 = 10_000_000;

tracepoint! {
    /// `queue_work()`: whether the work was not pending already.
    pub WORKQUEUE_QUEUE_WORK, "workqueue_queue_work", ["work", "queued"]
}
tracepoint! {
    /// The pending bit is cleared, the function begins. The second argument is the workqueue, for lockdep alone.
    pub WORKQUEUE_EXECUTE_START, "workqueue_execute_start", ["work", ""]
}
tracepoint! {
    /// The function has returned. The second argument is the same.
    pub WORKQUEUE_EXECUTE_END, "workqueue_execute_end", ["work", ""]
}

object! {
    /// `struct wq_barrier *`: stands in a workqueue for whoever flushes it.
    struct WqBarrierPtr("struct wq_barrier", "wq_barrier", "stack") {
        /// It is queued as work is.
        work: Work,
        /// Everything before it has run.
        done: Completion,
    }
}

object! {
    /// `struct workqueue_struct *`
    pub struct WorkqueuePtr("struct workqueue_struct", "workqueue", "kmalloc") {
        /// Which one it is.
        index: Plain<usize>,
        /// There is work.
        queued: Completion,
    }
}

impl WqBarrierPtr {
    fn is_one(object: &machine::Object) -> bool {
        std::ptr::eq(object.layout, WqBarrierPtr::layout())
    }
}

/// `struct work_struct`: its `WORK_STRUCT_PENDING_BIT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work(Addr);

impl Field for Work {
    const CELLS: usize = 1;
    const KIND: machine::CellKind = machine::CellKind::Marked;
    const PARTS: &'static [&'static str] = &["pending"];
    fn at(addr: Addr) -> Self {
        Work(addr)
    }
    fn addr(self) -> Addr {
        self.0
    }
}

/// What a work item runs.
pub type WorkFunc = Rc<dyn Fn() -> Pin<Box<dyn Future<Output = ()>>>>;

/// What the kernel knows of a workqueue.
pub(crate) struct Workqueue {
    /// Its own name.
    of: String,
    /// Its worker's.
    name: Symbol,
    items: RefCell<VecDeque<(Work, WorkFunc)>>,
    /// Nobody works on it before something is queued, and nobody ever where work is run by hand.
    worker: Cell<bool>,
}

impl fmt::Debug for Workqueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Workqueue({:?})", self.name)
    }
}

impl Work {
    /// `work_pending()`, without an access: for those who judge.
    pub fn is_pending(self, k: &Kernel) -> bool {
        k.bus.peek(self.0) != 0
    }
}

impl Kernel {
    /// `create_singlethread_workqueue()`: ordered, so that never two of its items run at once. NULL without memory.
    pub async fn create_singlethread_workqueue(&self, name: &str) -> Option<WorkqueuePtr> {
        let wq = self.kzalloc::<WorkqueuePtr>("workqueue", Gfp::Kernel).await?;
        let index = self.workqueues.borrow().len();
        wq.index().write(self, index).await;
        // Schedules speak of workers by their names.
        let of_this_name = self.workqueues.borrow().iter().filter(|queue| queue.of == name).count();
        let worker = match of_this_name {
            0 => format!("kworker/{name}"),
            n => format!("kworker/{name}-{}", n + 1),
        };
        let (of, name) = (name.to_owned(), self.bus.intern(&worker));
        let queue =
            Workqueue { of, name, items: RefCell::default(), worker: Cell::new(self.manual_work.get()) };
        self.workqueues.borrow_mut().push(Rc::new(queue));
        Some(wq)
    }

    /// `queue_work()`: whether the work was not pending already. Any context.
    #[track_caller]
    pub fn queue_work(&self, wq: WorkqueuePtr, work: Work, func: WorkFunc) -> impl Future<Output = bool> {
        let damage = self.damage_of("queue_work", std::panic::Location::caller());
        let update = if damage == Some(Operator::Omit) { Update::Read } else { Update::Xchg(1) };
        let set_pending = self.bus.step(Op::Marked(work.0, update, Order::Full));
        async move {
            let was_pending = set_pending.await != 0;
            let queued = damage.map_or(!was_pending, |operator| operator == Operator::Always);
            if queued {
                let index = wq.index().read(self).await; // where a missing workqueue is noticed
                let queue = self.workqueues.borrow()[index].clone();
                queue.items.borrow_mut().push_back((work, func));
                wq.queued().complete(self);
                self.start_worker(wq, queue);
            }
            self.trace(&WORKQUEUE_QUEUE_WORK, work.0.to_value(), i64::from(queued));
            queued
        }
    }

    /// Drops what is queued, outside of any execution.
    pub(crate) fn forget_work(&self) {
        let queues = self.workqueues.borrow().clone();
        for queue in queues {
            drop(queue.items.take());
        }
    }

    /// `flush_workqueue()`: sleeps until everything that is queued now has run.
    pub async fn flush_workqueue(&self, wq: WorkqueuePtr) {
        let _f = self.enter(function!("flush_workqueue"), wq.addr().to_value());
        self.might_sleep_here("flush_workqueue");
        let index = wq.index().read(self).await;
        let queue = self.workqueues.borrow()[index].clone();
        let Some(barrier) = self.bus.alloc(WqBarrierPtr::layout(), 16).map(WqBarrierPtr::at) else {
            return self.out_of_memory().await;
        };
        Atomic::at(barrier.work().0).xchg(self, 1).await; // hands the barrier to the worker
        let kernel = self.this();
        let func: WorkFunc = Rc::new(move || {
            let kernel = kernel.clone();
            Box::pin(async move { barrier.done().complete(&kernel) })
        });
        queue.items.borrow_mut().push_back((barrier.work(), func));
        wq.queued().complete(self);
        self.start_worker(wq, queue);
        barrier.done().wait(self).await;
        self.kfree(barrier.addr());
    }

    /// Somebody works on what is queued: the one who does already, a new worker, or the rescuer that workqueues with
    /// `WQ_MEM_RECLAIM` have for the case that there is no memory for one.
    fn start_worker(&self, wq: WorkqueuePtr, queue: Rc<Workqueue>) {
        if queue.worker.replace(true) {
            return;
        }
        if self.faults.borrow_mut().hits_kind(WORKER) {
            self.bus.say(Effect::AllocFailed(WORKER));
            return self.send_mayday(wq, queue);
        }
        let kernel = self.this();
        let (name, idle) = (queue.name, Some(wq.queued().addr()));
        let task = Box::pin(async move {
            loop {
                wq.queued().wait(&kernel).await;
                while kernel.process_one_work(wq, &queue).await {}
            }
        });
        self.bus.spawn(NewTask { name, idle, cpu: None, context: ContextKind::Process, task });
    }

    /// `send_mayday()`, `rescuer_thread()`: what is queued is worked on, and only then a worker is asked for again. C
    /// makes the rescuer together with the workqueue, and lets it wait.
    fn send_mayday(&self, wq: WorkqueuePtr, queue: Rc<Workqueue>) {
        let kernel = self.this();
        let name = self
            .bus
            .intern(&format!("kworker/R-{}", self.bus.name(queue.name).trim_start_matches("kworker/")));
        let task = Box::pin(async move {
            let _f = kernel.enter(function!("rescuer_thread"), 0);
            kernel.bus.step(Op::Sleep(MAYDAY_INITIAL_TIMEOUT)).await;
            while kernel.process_one_work(wq, &queue).await {}
            queue.worker.set(false);
        });
        self.bus.spawn(NewTask { name, idle: None, cpu: None, context: ContextKind::Process, task });
    }

    /// `process_one_work()`: takes the oldest item, clears its pending bit, and only then runs it, so that work that
    /// is queued while it runs runs once more. Whether there was one.
    async fn process_one_work(&self, wq: WorkqueuePtr, queue: &Workqueue) -> bool {
        let Some((work, func)) = queue.items.borrow_mut().pop_front() else { return false };
        if self.bus.inspect(|memory| memory.object(work.0).is_some_and(WqBarrierPtr::is_one)) {
            Atomic::at(work.0).xchg(self, 0).await;
            func().await;
            return true;
        }
        let _f = self.enter(function!("process_one_work"), work.0.to_value());
        Atomic::at(work.0).xchg(self, 0).await;
        self.trace(&WORKQUEUE_EXECUTE_START, work.0.to_value(), wq.addr().to_value());
        func().await;
        self.trace(&WORKQUEUE_EXECUTE_END, work.0.to_value(), wq.addr().to_value());
        true
    }

    /// Lets no kworker start: work runs only by [`Kernel::run_one_work`]. Before the workqueue is created.
    pub fn run_work_by_hand(&self) {
        self.manual_work.set(true);
    }
    /// Runs the oldest item of a workqueue in the calling task; whether there was one.
    pub async fn run_one_work(&self, wq: WorkqueuePtr) -> bool {
        let index = self.bus.peek(wq.index().addr());
        let Some(queue) = usize::try_from(index).ok().and_then(|i| self.workqueues.borrow().get(i).cloned())
        else {
            return false;
        };
        self.process_one_work(wq, &queue).await
    }
}
