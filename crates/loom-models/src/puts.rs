// SPDX-License-Identifier: GPL-2.0-only
//! `__put_net()` and `cleanup_net()`: namespaces meet on one list, and one work item serves them.

use std::rc::Rc;

use kernel::Bus;
use netns::{Changes, NetPtr};

use crate::World;

/// What is broken in a model of two puts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Damage {
    /// Nothing.
    #[default]
    None,
    /// One task links its namespace to `cleanup_list` without the lock.
    PutWithoutLock,
    /// The work's pending bit is set while a pass runs exit methods, not cleared before: a put meanwhile asks for
    /// no other pass.
    PendingDuringPass,
    /// One task puts its reference twice.
    PutTwice,
}

/// Two tasks put the last references to two namespaces while a kworker cleans up: no namespace is lost, none is
/// cleaned up twice. How many namespaces each pass cleaned up.
///
/// # Panics
///
/// If that is not so.
pub async fn two_puts(bus: Rc<Bus>, damage: Damage) -> Vec<usize> {
    let keeps_pending = damage == Damage::PendingDuringPass;
    let world = World::boot(bus, Changes::none(), keeps_pending).await;
    let (first, second) = (world.create().await, world.create().await);
    let put = world.clone();
    world.spawn("put/0", async move {
        match damage {
            Damage::PutWithoutLock => put_without_lock(&put, first).await,
            _ => put.ns.put_net(first).await,
        }
    });
    let put = world.clone();
    world.spawn("put/1", async move {
        put.ns.put_net(second).await;
        if damage == Damage::PutTwice {
            put.ns.get_net(second).await; // from 0 to 1
            put.ns.put_net(second).await;
        }
    });
    world.join().await.iter().map(Vec::len).collect()
}

/// The first half of `__put_net()`, without `cleanup_list_lock`.
async fn put_without_lock(world: &World, net: NetPtr) {
    let (ns, k) = (&world.ns, &world.ns.k);
    if net.count().dec_and_test(k).await {
        let [_, _, cleanup_list] = ns.list_heads();
        cleanup_list.add(k, net.cleanup_list()).await;
    }
}
