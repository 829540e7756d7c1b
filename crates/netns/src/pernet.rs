// SPDX-License-Identifier: GPL-2.0-only
//! `struct pernet_operations` and its methods; include/net/net_namespace.h

use std::{fmt, pin::Pin, rc::Rc};

use kernel::{Addr, ListHead, Plain, Pointer, object};

use crate::{NetNs, net::NetPtr};

object! {
    /// `struct pernet_operations *`
    ///
    /// C: struct pernet_operations, include/net/net_namespace.h
    ///
    /// Deviation: the three methods are one number, by which [`NetNs`] finds them.
    pub struct PernetOpsPtr("struct pernet_operations", "pernet_operations", "module") {
        /// Links of `pernet_list`.
        pub list: ListHead,
        /// Which methods it has.
        pub methods: Plain<usize>,
        /// Where the id is kept; NULL if none is wanted.
        pub id: Plain<PernetIdPtr>,
        /// Bytes of private data in every namespace.
        pub size: Plain<usize>,
    }
}

object! {
    /// `unsigned int *`: where an id is kept.
    pub struct PernetIdPtr("unsigned int", "pernet id", "module") {
        /// The id.
        pub value: Plain<u32>,
    }
}

object! {
    /// Private data of an operation in a namespace.
    pub struct PernetDataPtr("pernet data", "data", "kmalloc") {
        /// Its first bytes.
        pub first: Plain<i64>,
    }
}

/// What a method returns when it is called.
pub type Running<T> = Pin<Box<dyn Future<Output = T>>>;

/// `int (*init)(struct net *net)`
pub type Init = Rc<dyn Fn(Rc<NetNs>, NetPtr) -> Running<i32>>;
/// `void (*exit)(struct net *net)`
pub type Exit = Rc<dyn Fn(Rc<NetNs>, NetPtr) -> Running<()>>;
/// `void (*exit_batch)(struct list_head *net_exit_list)`
pub type ExitBatch = Rc<dyn Fn(Rc<NetNs>, ListHead) -> Running<()>>;

/// The methods of one `struct pernet_operations`. All are called with `net_mutex` held, and may sleep.
#[derive(Clone, Default)]
pub struct Methods {
    /// For people.
    pub name: Rc<str>,
    /// The file's own operations, `net_ns_ops`: its methods are called directly.
    pub(crate) is_net_ns_ops: bool,
    /// A namespace is set up.
    pub init: Option<Init>,
    /// A namespace is dismantled.
    pub exit: Option<Exit>,
    /// Namespaces are dismantled, after `exit` was called for each.
    pub exit_batch: Option<ExitBatch>,
}

impl fmt::Debug for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Methods({})", self.name)
    }
}

impl Methods {
    /// No methods, yet.
    pub fn named(name: &str) -> Self {
        Methods { name: name.into(), ..Methods::default() }
    }
    pub(crate) fn has_init(&self) -> bool {
        self.is_net_ns_ops || self.init.is_some()
    }
    pub(crate) fn has_exit(&self) -> bool {
        self.is_net_ns_ops || self.exit.is_some()
    }
}

impl NetNs {
    /// A `struct pernet_operations` to register; none where simulated memory ends.
    pub async fn new_pernet_operations(
        &self,
        methods: Methods,
        has_id: bool,
        size: usize,
    ) -> Option<PernetOpsPtr> {
        let k = &self.k;
        let index = self.methods.borrow().len();
        let name = methods.name.clone();
        self.methods.borrow_mut().push(methods);
        let ops = PernetOpsPtr::at(k.bus.alloc(PernetOpsPtr::layout(), PernetOpsPtr::layout().cells() * 8)?);
        k.bus.name_object(ops.addr(), &name);
        let id = if has_id { k.bus.alloc(PernetIdPtr::layout(), 8)? } else { Addr::NULL };
        ops.methods().write(k, index).await;
        ops.id().write(k, PernetIdPtr::at(id)).await;
        ops.size().write(k, size).await;
        Some(ops)
    }
    /// The methods of an operation.
    pub(crate) async fn methods_of(&self, ops: PernetOpsPtr) -> Methods {
        let index = ops.methods().read(&self.k).await;
        self.methods.borrow()[index].clone()
    }
    /// The name of an operation, without an access: for those who judge. `NULL` for none.
    pub fn pernet_name(&self, ops: PernetOpsPtr) -> Rc<str> {
        if ops.is_null() {
            return "NULL".into();
        }
        let index =
            usize::try_from(self.k.bus.peek(kernel::Field::addr(ops.methods()))).unwrap_or(usize::MAX);
        self.methods.borrow().get(index).map_or_else(|| "?".into(), |methods| methods.name.clone())
    }
}
