// SPDX-License-Identifier: GPL-2.0-only
//! `struct ida` of v4.11: preloaded bitmaps.

use kernel::{EAGAIN, ENOSPC};
use machine_sim::{Config, First, Preempt};

use crate::setup::{run, run_with};

#[test]
fn ids_need_a_bitmap_beyond_what_fits_into_the_tree() {
    let run = run(|s| async move {
        let ida = s.thing.ida();
        for id in 0..62 {
            assert_eq!(ida.get_new_above(&s.k, 0).await, Ok(id));
        }
        assert_eq!(ida.get_new_above(&s.k, 0).await, Err(EAGAIN));
        assert!(s.k.ida_pre_get().await);
        assert_eq!(ida.get_new_above(&s.k, 0).await, Ok(62));
        assert_eq!(ida.get_new_above(&s.k, 0).await, Ok(63));
        ida.remove(&s.k, 5).await;
        assert_eq!(ida.get_new_above(&s.k, 0).await, Ok(5));
        assert_eq!(ida.get_new_above(&s.k, i32::MAX.cast_unsigned() + 1).await, Err(ENOSPC));
    });
    run.assert_clean();
}

#[test]
fn a_preload_can_fail() {
    let run = run(|s| async move {
        s.k.faults.borrow_mut().arm(Some("ida_bitmap"), 1, Some(1));
        assert!(!s.k.ida_pre_get().await);
        assert_eq!(s.thing.ida().get_new_above(&s.k, 62).await, Err(EAGAIN));
        assert!(s.k.ida_pre_get().await);
        assert!(s.k.ida_pre_get().await, "there is one already");
        assert_eq!(s.thing.ida().get_new_above(&s.k, 62).await, Ok(62));
    })
    .assert_clean();
    let bitmaps = |memory: &machine::Memory| {
        memory.live().filter(|(_, object)| object.layout.short == "ida_bitmap").count()
    };
    assert_eq!(run.sim.bus().inspect(bitmaps), 1, "no second one was allocated");
}

#[test]
fn a_preload_is_of_one_cpu() {
    let config = Config { preempt: Preempt::None, ..Config::default() };
    let log = run_with(config, First, |s| async move {
        let this = s.clone();
        s.k.spawn("preloads", Some(1), async move {
            assert!(this.k.ida_pre_get().await);
            this.thing.done().complete(&this.k);
        });
        s.thing.done().wait(&s.k).await;
        for (cpu, result) in [(2, Err(EAGAIN)), (1, Ok(62))] {
            let this = s.clone();
            s.k.spawn("gets", Some(cpu), async move {
                assert_eq!(this.thing.ida().get_new_above(&this.k, 62).await, result, "CPU {cpu}");
                this.say("x");
                this.thing.done().complete(&this.k);
            });
            s.thing.done().wait(&s.k).await;
        }
    });
    assert_eq!(log.assert_clean().log, "xx");
}

#[test]
fn to_remove_what_is_not_allocated_warns() {
    let run = run(|s| async move {
        s.thing.ida().remove(&s.k, 3).await;
        s.say("goes on");
    });
    assert_eq!((run.codes(), run.log.as_str()), (vec!["warning"], "goes on"));
}
