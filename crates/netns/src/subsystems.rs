// SPDX-License-Identifier: GPL-2.0-only
//! A library of modelled pernet subsystems: small ones that do to a namespace what the kernel's own do.
//!
//! Each file stands for one of the kernel's, which it names. Private data has as many slots of 8 bytes as its size
//! says; the subsystem looks it up by its id, as C does.
//!
//! A new one is a file with a constant of type [`Subsystem`] and functions named as in C, and a line in [`SUBSYSTEMS`]:
//! scenarios, `sim list subsystems` and the tests of the library know it then.

mod conntrack;
mod loopback;
mod netdevice;
mod netfilter_hook;
mod notifier;
mod slow_batch;
mod stuck_device;
mod sysctl;
mod tunnel;
mod xfrm;

use std::{cell::Cell, rc::Rc};

use kernel::{Addr, ListHead, Plain, Pointer};

use crate::{
    NetNs,
    net::NetPtr,
    pernet::{Exit, ExitBatch, Init, Methods, PernetDataPtr, PernetOpsPtr},
};

pub use notifier::NotifierPtr;

/// A subsystem of the library.
#[derive(Debug)]
pub struct Subsystem {
    /// Its name.
    pub name: &'static str,
    /// What it does, in one line.
    pub about: &'static str,
    /// The file of v4.11 that it stands for.
    pub stands_for: &'static str,
    /// Bytes of private data in each namespace; 0 if it wants no id.
    pub size: usize,
    /// What else it uses.
    pub uses: Uses,
    /// Whether it has a device in each namespace that references can be taken to.
    pub has_device: bool,
    /// Whether it receives packets.
    pub receives: bool,
    /// Whether it takes a time that is to be given.
    pub takes_time: bool,
    methods: fn(&Rc<Links>, &mut Methods),
}

/// What a subsystem uses beside its own data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uses {
    /// Nothing.
    Nothing,
    /// The private data of other operations.
    Operations,
    /// Functions of a module.
    Module,
}

/// All of them.
pub const SUBSYSTEMS: &[Subsystem] = &[
    loopback::LOOPBACK,
    sysctl::SYSCTL,
    tunnel::TUNNEL,
    netfilter_hook::NETFILTER_HOOK,
    conntrack::CONNTRACK,
    xfrm::XFRM,
    stuck_device::STUCK_DEVICE,
    slow_batch::SLOW_BATCH,
];

impl Subsystem {
    /// What those have in common that say nothing else: no data, no device, no methods.
    const BASE: Self = Self {
        name: "",
        about: "",
        stands_for: "",
        size: 0,
        uses: Uses::Nothing,
        has_device: false,
        receives: false,
        takes_time: false,
        methods: |_, _| {},
    };

    /// The one of this name.
    pub fn from_name(name: &str) -> Option<&'static Self> {
        SUBSYSTEMS.iter().find(|subsystem| subsystem.name == name)
    }
    /// Its methods, for operations that are called `name`.
    pub fn methods(&self, name: &str, links: &Rc<Links>) -> Methods {
        let mut methods = Methods::named(name);
        (self.methods)(links, &mut methods);
        methods
    }
}

/// What the linker would resolve in C: addresses that a subsystem's functions know.
#[derive(Debug, Default)]
pub struct Links {
    /// Its own operations.
    pub own: Cell<Addr>,
    /// What it uses: operations, or a module while that is loaded; else NULL.
    pub uses: Cell<Addr>,
    /// How long it takes, in virtual nanoseconds.
    pub time: Cell<u64>,
}

impl Links {
    /// Its own private data in a namespace. Any context.
    async fn data(&self, ns: &NetNs, net: NetPtr) -> PernetDataPtr {
        ns.data_of(PernetOpsPtr::at(self.own.get()), net).await
    }
}

impl PernetDataPtr {
    /// The `n`-th word of the data.
    fn slot(self, n: usize) -> Plain<Addr> {
        kernel::Field::at(self.addr().plus(n))
    }
}

impl NetNs {
    /// `net_generic(net, FOO_net_id)`: the private data of operations whose id is known. Any context.
    pub(crate) async fn data_of(&self, ops: PernetOpsPtr, net: NetPtr) -> PernetDataPtr {
        match self.pernet_id(ops) {
            Some(id) => self.net_generic(net, id).await,
            None => PernetDataPtr::null(),
        }
    }
}

/// A method `init` that is this function.
fn init<F: Future<Output = i32> + 'static>(
    links: &Rc<Links>,
    f: fn(Rc<NetNs>, NetPtr, Rc<Links>) -> F,
) -> Option<Init> {
    let links = links.clone();
    Some(Rc::new(move |ns, net| Box::pin(f(ns, net, links.clone()))))
}

/// A method `exit` that is this function.
fn exit<F: Future<Output = ()> + 'static>(
    links: &Rc<Links>,
    f: fn(Rc<NetNs>, NetPtr, Rc<Links>) -> F,
) -> Option<Exit> {
    let links = links.clone();
    Some(Rc::new(move |ns, net| Box::pin(f(ns, net, links.clone()))))
}

/// A method `exit_batch` that is this function.
fn exit_batch<F: Future<Output = ()> + 'static>(
    links: &Rc<Links>,
    f: fn(Rc<NetNs>, ListHead, Rc<Links>) -> F,
) -> Option<ExitBatch> {
    let links = links.clone();
    Some(Rc::new(move |ns, list| Box::pin(f(ns, list, links.clone()))))
}
