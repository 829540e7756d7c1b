// SPDX-License-Identifier: GPL-2.0-only
//! Locks, grace periods, completions and work.

use std::{
    pin::Pin,
    rc::Rc,
    sync::atomic::{AtomicU64, Ordering},
};

use kernel::{Pointer, SpinLock, WorkFunc, WorkqueuePtr};
use machine_loom::{Bounds, explore};

use crate::setup::{Setup, ThingPtr, add, fails, passes, run};

/// A reader of what `next` points to, and a writer who replaces that and frees it.
async fn replace(s: Setup, wait: bool) {
    let old = Setup::alloc(&s.k).await;
    s.thing.next().assign(&s.k, old).await;
    s.spawn("reader", |s| async move {
        s.k.rcu_read_lock().await;
        let next = s.thing.next().dereference(&s.k).await;
        if !next.is_null() {
            next.count().read(&s.k).await;
        }
        s.k.rcu_read_unlock();
    });
    s.thing.next().assign(&s.k, ThingPtr::null()).await;
    if wait {
        s.k.synchronize_rcu().await;
    }
    s.k.kfree(old.addr());
}

#[test]
fn readers_are_not_waited_for() {
    let failure = run(|s| replace(s, false)).expect_err("it is broken");
    let code = failure.finding.as_ref().map(|finding| finding.code());
    assert!(matches!(code, Some("kasan-use-after-free" | "kcsan-unordered-free")), "{failure}");
}

#[test]
fn readers_are_waited_for() {
    passes(|s| replace(s, true));
}

#[test]
fn callbacks_wait_for_readers() {
    passes(|s| async move {
        let old = Setup::alloc(&s.k).await;
        s.thing.next().assign(&s.k, old).await;
        s.spawn("reader", |s| async move {
            s.k.rcu_read_lock().await;
            let next = s.thing.next().dereference(&s.k).await;
            if !next.is_null() {
                next.count().read(&s.k).await;
            }
            s.k.rcu_read_unlock();
        });
        s.thing.next().assign(&s.k, ThingPtr::null()).await;
        s.k.kfree_rcu(old.addr(), old.rcu()).await;
        s.k.rcu_barrier().await;
        assert!(s.k.bus.inspect(|memory| memory.object(old.addr()).is_some_and(|object| object.freed)));
    });
}

#[test]
fn a_callback_is_queued_at_the_end_of_a_step() {
    passes(|s| async move {
        let old = Setup::alloc(&s.k).await;
        s.spawn("other", move |s| async move {
            s.k.rcu_read_lock().await;
            s.k.rcu_read_unlock();
            s.k.kfree_rcu(old.addr(), old.rcu()).await;
        });
        s.k.kfree_rcu(s.thing.addr(), s.thing.rcu()).await;
    });
}

async fn nest(s: &Setup, outer: SpinLock, inner: SpinLock) {
    outer.lock(&s.k).await;
    inner.lock(&s.k).await;
    inner.unlock(&s.k).await;
    outer.unlock(&s.k).await;
}

#[test]
fn locks_taken_in_both_orders_deadlock() {
    let failure = fails("deadlock", |s| async move {
        s.spawn("other", |s| async move { nest(&s, s.thing.second(), s.thing.first()).await });
        nest(&s, s.thing.first(), s.thing.second()).await;
    });
    assert!(failure.text.starts_with("INFO: task blocked for ever in start: thing 1->second"), "{failure}");
    assert!(failure.text.contains("held by task other in start at"), "{failure}");
    assert!(failure.text.contains("INFO: task blocked for ever in start: thing 1->first"), "{failure}");
}

#[test]
fn locks_taken_in_one_order_do_not_deadlock() {
    passes(|s| async move {
        s.spawn("other", |s| async move { nest(&s, s.thing.first(), s.thing.second()).await });
        nest(&s, s.thing.first(), s.thing.second()).await;
    });
}

#[test]
fn a_task_waits_for_what_never_comes() {
    let failure = fails("deadlock", |s| async move {
        s.thing.done().wait(&s.k).await;
    });
    assert!(failure.text.contains("thing 1->done"), "{failure}");
}

#[test]
fn a_lock_is_released_by_who_does_not_hold_it() {
    fails("bad-unlock", |s| async move { s.thing.first().unlock(&s.k).await });
    fails("bad-unlock", |s| async move { s.k.rcu_read_unlock() });
}

#[test]
fn mutex_is_locked_sees_both() {
    static SEEN: [AtomicU64; 2] = [AtomicU64::new(0), AtomicU64::new(0)];
    passes(|s| async move {
        s.spawn("other", |s| async move {
            s.thing.mutex().lock(&s.k).await;
            s.thing.count().read(&s.k).await;
            s.thing.mutex().unlock(&s.k).await;
        });
        let locked = s.thing.mutex().is_locked(&s.k).await;
        SEEN[usize::from(locked)].fetch_add(1, Ordering::Relaxed);
    });
    assert!(SEEN.iter().all(|seen| seen.load(Ordering::Relaxed) > 0), "{SEEN:?}");
}

/// Queues the thing's work, whose runs and queueings are counted.
async fn queue(s: Setup, wq: WorkqueuePtr, [queued, ran]: &'static [AtomicU64; 2]) {
    let this = s.clone();
    let func: WorkFunc = Rc::new(move || {
        let s = this.clone();
        Box::pin(async move {
            add(&s, 1).await; // without a lock: the queue is ordered
            ran.fetch_add(1, Ordering::Relaxed);
        })
    });
    if s.k.queue_work(wq, s.thing.work(), func).await {
        queued.fetch_add(1, Ordering::Relaxed);
    }
}

/// Kthreads end after `main`, so that this looks at the executions before.
fn assert_that_all_ran([queued, ran]: &[AtomicU64; 2]) {
    assert_eq!(queued.load(Ordering::Relaxed), ran.load(Ordering::Relaxed));
}

#[test]
fn work_runs_once_for_each_queueing() {
    static COUNTS: [AtomicU64; 2] = [AtomicU64::new(0), AtomicU64::new(0)];
    let executions = passes(|s| async move {
        assert_that_all_ran(&COUNTS);
        let wq = s.k.create_singlethread_workqueue("test").await.expect("memory");
        s.spawn("other", move |s| queue(s, wq, &COUNTS));
        queue(s, wq, &COUNTS).await;
    });
    assert_that_all_ran(&COUNTS);
    let queued = COUNTS[0].load(Ordering::Relaxed);
    assert!(
        executions < queued && queued < 2 * executions,
        "{queued} in {executions}: pending or not, both occur"
    );
}

#[test]
fn work_that_a_callback_queues_at_the_end_runs() {
    static COUNTS: [AtomicU64; 2] = [AtomicU64::new(0), AtomicU64::new(0)];
    let bounds = Bounds { preemptions: Some(1), ..Bounds::default() };
    let explored = explore(bounds, |bus| async move {
        assert_that_all_ran(&COUNTS);
        let s = Setup::new(bus).await;
        let wq = s.k.create_singlethread_workqueue("test").await.expect("memory");
        let late = s.clone();
        let callback = Rc::new(move |_| -> Pin<Box<dyn Future<Output = ()>>> {
            Box::pin(queue(late.clone(), wq, &COUNTS))
        });
        s.k.call_rcu(s.thing.rcu(), callback).await;
        queue(s, wq, &COUNTS).await;
    });
    let executions = explored.unwrap_or_else(|failure| panic!("{failure}")).executions;
    assert_that_all_ran(&COUNTS);
    assert!(COUNTS[0].load(Ordering::Relaxed) > executions);
}

#[test]
fn a_flush_is_ordered_with_the_worker_that_serves_it() {
    passes(|s| async move {
        let wq = s.k.create_singlethread_workqueue("test").await.expect("memory");
        s.spawn("other", move |s| async move {
            let work = s.clone();
            let func: WorkFunc = Rc::new(move || {
                let s = work.clone();
                Box::pin(async move {
                    s.thing.mutex().lock(&s.k).await;
                    add(&s, 1).await;
                    s.thing.mutex().unlock(&s.k).await;
                })
            });
            s.k.queue_work(wq, s.thing.work(), func).await;
            s.thing.mutex().lock(&s.k).await;
            s.thing.mutex().unlock(&s.k).await;
            s.thing.done().complete(&s.k);
        });
        s.thing.done().wait(&s.k).await;
        s.k.flush_workqueue(wq).await; // perhaps while the worker looks for more
        assert_eq!(s.thing.data().read(&s.k).await, 1);
    });
}
