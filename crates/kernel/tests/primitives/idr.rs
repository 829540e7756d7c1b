// SPDX-License-Identifier: GPL-2.0-only
//! `struct idr` of v4.11.

use kernel::{Addr, EINVAL, ENOSPC, Errno, Pointer};

use crate::setup::{Setup, run};

async fn alloc(s: &Setup, start: i32, end: i32) -> Result<i32, Errno> {
    s.thing.idr().alloc(&s.k, s.thing.addr(), start, end).await
}

#[test]
fn the_lowest_free_id_is_taken() {
    run(|s| async move {
        for id in 0..5 {
            assert_eq!(alloc(&s, 0, 0).await, Ok(id));
        }
        for id in [3, 1] {
            assert_eq!(s.thing.idr().remove(&s.k, id).await, Some(s.thing.addr()));
        }
        assert_eq!(s.thing.idr().remove(&s.k, 3).await, None, "it is gone");
        assert_eq!(s.thing.idr().find(&s.k, 3).await, None);
        assert_eq!(s.thing.idr().find(&s.k, 4).await, Some(s.thing.addr()));
        for id in [1, 3, 5] {
            assert_eq!(alloc(&s, 0, 0).await, Ok(id));
        }
        assert_eq!(alloc(&s, 2, -1).await, Ok(6), "an end below 1 is no limit");
    })
    .assert_clean();
}

#[test]
fn a_range_ends_before_its_end() {
    run(|s| async move {
        assert_eq!(alloc(&s, 5, 7).await, Ok(5));
        assert_eq!(alloc(&s, 5, 7).await, Ok(6));
        assert_eq!(alloc(&s, 5, 7).await, Err(ENOSPC));
        assert_eq!(alloc(&s, 5, 8).await, Ok(7));
        assert_eq!(alloc(&s, 5, 5).await, Err(ENOSPC), "an empty range");
        assert_eq!(alloc(&s, i32::MAX, 0).await, Ok(i32::MAX));
        assert_eq!(alloc(&s, i32::MAX, 0).await, Err(ENOSPC));
        assert_eq!(alloc(&s, 0, 0).await, Ok(0));
    })
    .assert_clean();
}

#[test]
fn a_negative_start_is_invalid() {
    let run = run(|s| async move {
        assert_eq!(alloc(&s, -1, 0).await, Err(EINVAL));
        assert_eq!(alloc(&s, 0, 0).await, Ok(0));
        s.say("done");
    });
    assert_eq!((run.codes(), run.log.as_str()), (vec!["warning"], "done"));
}

#[test]
fn entries_are_walked_in_order_and_null_is_one() {
    run(|s| async move {
        let idr = s.thing.idr();
        for id in [7, 3, 5] {
            assert_eq!(idr.alloc(&s.k, Addr::NULL, id, id + 1).await, Ok(id));
        }
        assert_eq!(idr.next(&s.k, 0).await, Some((3, Addr::NULL)));
        assert_eq!(idr.next(&s.k, 4).await, Some((5, Addr::NULL)));
        idr.remove(&s.k, 7).await;
        assert_eq!(idr.next(&s.k, 6).await, None);
        idr.destroy(&s.k).await;
        assert_eq!(idr.next(&s.k, 0).await, None);
        assert_eq!(alloc(&s, 0, 0).await, Ok(0), "it can be used again");
    })
    .assert_clean();
}

#[test]
fn a_negative_start_warns_once() {
    let run = run(|s| async move {
        for _ in 0..3 {
            assert_eq!(alloc(&s, -1, 0).await, Err(EINVAL));
        }
    });
    assert_eq!(run.codes(), ["warning"]);
}

#[test]
fn a_destroyed_idr_is_empty_and_its_own() {
    run(|s| async move {
        let other = s.alloc().await;
        alloc(&s, 0, 0).await.expect("an id");
        s.thing.idr().destroy(&s.k).await;
        // Whoever takes over what the first one had does not share it with it.
        other.idr().alloc(&s.k, other.addr(), 3, 0).await.expect("an id");
        alloc(&s, 5, 0).await.expect("an id");
        assert_eq!(s.thing.idr().entries(&s.k), [(5, s.thing.addr())]);
        assert_eq!(other.idr().entries(&s.k), [(3, other.addr())]);
    })
    .assert_clean();
}
