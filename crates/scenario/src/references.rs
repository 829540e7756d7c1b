// SPDX-License-Identifier: GPL-2.0-only
//! What a scenario holds: what a script's variables would keep alive, if it were a module.

use kernel::{Addr, Pointer};

use crate::world::{Value, World};

impl World {
    /// Whether nothing is left to do: no work and no callback is queued.
    pub fn is_quiet(&self) -> bool {
        let k = self.ns.k.clone();
        k.rcu_callbacks_pending() == 0 && !self.ns.net_cleanup_work().is_pending(&k)
    }
    /// What the scenario, the subsystem and the kernel refer to from outside of simulated memory; see
    /// [`netns::NetNs::references`]. The name of a namespace is none: a reference to it is taken and dropped by steps.
    pub fn references(&self) -> (Vec<Addr>, Vec<(Addr, Addr)>) {
        let (mut roots, owned) = self.ns.references();
        roots.extend(self.values().into_iter().filter_map(|value| match value {
            Value::Object(object) => Some(object),
            _ => None,
        }));
        roots.extend(self.user_namespaces.borrow().iter().flatten().map(|user_ns| user_ns.addr()));
        roots.extend(self.modules.borrow().iter().filter_map(|module| module.at.map(|at| at.addr())));
        (roots, owned)
    }
}
