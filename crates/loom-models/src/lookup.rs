// SPDX-License-Identifier: GPL-2.0-only
//! `get_net_ns_by_id()` against the last `put_net()`: CVE-2017-15129.

use std::{cell::Cell, rc::Rc};

use kernel::Bus;
use netns::Changes;

use crate::World;

/// What a lookup of a dying namespace came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lookup {
    /// It found nothing.
    Nothing,
    /// It took a reference, and put it.
    Found,
}

/// One task puts the last reference to a namespace while another looks it up by its id, uses it, and puts it.
///
/// # Panics
///
/// If the namespace is not cleaned up exactly once.
pub async fn lookup_races_with_put(bus: Rc<Bus>, patches: Changes) -> Lookup {
    let world = World::boot(bus, patches, false).await;
    let dying = world.create().await;
    let id = world.ns.peernet2id_alloc(world.ns.init_net, dying, kernel::Gfp::Kernel).await;
    let put = world.clone();
    world.spawn("put", async move { put.ns.put_net(dying).await });
    let (lookup, found) = (world.clone(), Rc::new(Cell::new(Lookup::Nothing)));
    let outcome = found.clone();
    world.spawn("lookup", async move {
        let ns = &lookup.ns;
        if let Some(peer) = ns.get_net_ns_by_id(ns.init_net, id).await {
            found.set(Lookup::Found);
            peer.dev_base_seq().read(&ns.k).await;
            ns.put_net(peer).await;
        }
    });
    world.join().await;
    outcome.get()
}
