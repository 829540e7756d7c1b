// SPDX-License-Identifier: GPL-2.0-only
//! Modules: their operations, and the memory that their functions lie in; kernel/module.c
//!
//! Whoever calls a function of a module reads its core memory. After `free_module()` that is a use of freed memory.

use std::rc::Rc;

use kernel::{EBUSY, EEXIST, ENOENT, ENOMEM, Fault, Gfp, Op, Plain, Pointer, function, object};
use netns::{Links, Methods, PernetIdPtr, PernetOpsPtr};

use crate::{
    execute::Me,
    scenario::{Module, Pernet, Used},
    world::World,
};

/// Functions of modules that load and unload each other.
const MAX_DEPTH: u32 = 4;

/// The first word of a module's core memory: its functions.
type Text = Plain<kernel::Addr>;

object! {
    /// The core memory of a module.
    pub(crate) struct ModulePtr("struct module", "module", "vmalloc") {
        /// Its functions.
        pub(crate) text: Plain<kernel::Addr>,
    }
}

/// A module of a run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Loaded {
    /// Where it was loaded last; none if never.
    pub(crate) at: Option<ModulePtr>,
    /// Whether it is there now.
    pub(crate) live: bool,
    /// Whether it is being loaded or unloaded.
    pub(crate) busy: bool,
}

impl World {
    /// The functions of a module, where it was loaded last.
    pub(crate) fn module_text(&self, module: usize) -> Option<Text> {
        self.modules.borrow().get(module).and_then(|loaded| loaded.at).map(ModulePtr::text)
    }
    /// A function of a module is called.
    pub(crate) async fn call_module(&self, module: Option<usize>) {
        if let Some(text) = module.and_then(|module| self.module_text(module)) {
            text.read(self.k()).await;
        }
    }

    /// `load_module()`: allocates its memory, and runs its init function, which registers its operations. 0, or an
    /// error. Process context; sleeps.
    pub(crate) async fn load_module(&self, index: usize, me: Me) -> i32 {
        let k = self.k();
        let scenario = self.scenario.clone();
        let Some(module) = scenario.modules.get(index) else { return ENOENT.negated() };
        let _f = k.enter(function!("load_module"), 0);
        let state = self.modules.borrow()[index];
        if state.busy || state.live {
            return if state.busy { EBUSY.negated() } else { EEXIST.negated() };
        }
        self.modules.borrow_mut()[index].busy = true;
        let Some(me) = self.function_of(index, me).await else { return 0 };
        let Some(at) = k.kzalloc::<ModulePtr>("module", Gfp::Kernel).await else {
            self.modules.borrow_mut()[index].busy = false;
            return ENOMEM.negated();
        };
        k.bus.name_object(at.addr(), &module.name);
        self.modules.borrow_mut()[index] = Loaded { at: Some(at), live: true, busy: true };
        self.link(index, at.addr());
        for (ops, _) in &module.ops {
            if self.make_operations(*ops, &scenario.pernet[*ops]).await.is_none() {
                self.no_memory().await;
            }
        }
        let error = self.do_init_module(module).await;
        if error != 0 {
            self.link(index, kernel::Addr::NULL);
            k.rcu_barrier().await;
            self.free_module(index, module).await;
            return error;
        }
        self.run_body(&module.init.0.0, me).await;
        self.modules.borrow_mut()[index].busy = false;
        0
    }

    /// `do_init_module()`: registers its operations; if that fails, those before it are unregistered.
    async fn do_init_module(&self, module: &Module) -> i32 {
        let _f = self.k().enter(function!("do_init_module"), 0);
        for (done, (ops, is_device)) in module.ops.iter().enumerate() {
            let Some(registered) = self.operations(*ops) else { continue };
            let error = match is_device {
                true => self.ns.register_pernet_device(registered).await,
                false => self.ns.register_pernet_subsys(registered).await,
            };
            if error != 0 {
                self.unregister(&module.ops[..done]).await;
                return error;
            }
        }
        0
    }

    async fn unregister(&self, all: &[(usize, bool)]) {
        for (ops, is_device) in all.iter().rev() {
            let Some(registered) = self.operations(*ops) else { continue };
            match is_device {
                true => self.ns.unregister_pernet_device(registered).await,
                false => self.ns.unregister_pernet_subsys(registered).await,
            }
        }
    }

    /// `delete_module()`: runs its exit function, which unregisters its operations and may wait for callbacks, and
    /// frees it. 0, or an error. Process context; sleeps.
    pub(crate) async fn unload_module(&self, index: usize, me: Me) -> i32 {
        let k = self.k();
        let scenario = self.scenario.clone();
        let Some(module) = scenario.modules.get(index) else { return ENOENT.negated() };
        let _f = k.enter(function!("delete_module"), 0);
        let state = self.modules.borrow()[index];
        if state.busy || !state.live {
            return if state.busy { EBUSY.negated() } else { ENOENT.negated() };
        }
        self.modules.borrow_mut()[index].busy = true;
        let Some(me) = self.function_of(index, me).await else { return 0 };
        self.link(index, kernel::Addr::NULL);
        self.call_module(Some(index)).await;
        self.run_body(&module.exit.0.0, me).await;
        if module.unregister {
            self.unregister(&module.ops).await;
        }
        if module.barrier {
            k.rcu_barrier().await;
        }
        self.free_module(index, module).await;
        0
    }

    /// `free_module()`: its functions and its static data.
    async fn free_module(&self, index: usize, module: &Module) {
        let k = self.k();
        let _f = k.enter(function!("free_module"), 0);
        let at = self.modules.borrow()[index].at;
        self.modules.borrow_mut()[index] = Loaded { at, live: false, busy: false };
        if let Some(at) = at {
            for (ops, _) in &module.ops {
                if let Some(registered) = self.operations(*ops) {
                    let id: PernetIdPtr =
                        kernel::Value::from_value(k.bus.peek(kernel::Field::addr(registered.id())));
                    k.kfree(id.addr());
                    k.kfree(registered.addr());
                }
                self.ops.borrow_mut()[*ops] = PernetOpsPtr::null();
            }
            k.kfree(at.addr());
        }
    }

    /// Who runs in a function of a module. Modules that load modules that load modules do not go on for ever: what
    /// overflows the stack in the kernel ends the task here.
    async fn function_of(&self, module: usize, me: Me) -> Option<Me> {
        if me.depth >= MAX_DEPTH {
            self.k().bus.step(Op::Fault(Fault::EndlessLoop)).await;
            return None;
        }
        Some(Me { net: None, module: Some(module), depth: me.depth + 1 })
    }

    /// Whoever uses a module finds it there from now on, or finds neither it nor its operations.
    fn link(&self, module: usize, at: kernel::Addr) {
        for (pernet, links) in self.scenario.pernet.iter().zip(self.links.borrow().iter()) {
            let is_user = match pernet.uses {
                Some(Used::Module(used)) => used == module,
                Some(Used::Operations(used)) => {
                    self.scenario.pernet[used].module == Some(module) && at.is_null()
                }
                None => false,
            };
            if is_user {
                links.uses.set(at);
            }
        }
    }

    /// The static data of operations.
    pub(crate) async fn make_operations(&self, index: usize, pernet: &Pernet) -> Option<()> {
        let methods = self.methods(index, pernet);
        let ops = self.ns.new_pernet_operations(methods, pernet.id, pernet.size).await?;
        self.ops.borrow_mut()[index] = ops;
        self.links.borrow()[index].own.set(ops.addr());
        for (user, links) in self.scenario.pernet.iter().zip(self.links.borrow().iter()) {
            if user.uses == Some(Used::Operations(index)) {
                links.uses.set(ops.addr());
            }
        }
        Some(())
    }
    /// The methods of the library's subsystem that operations are.
    pub(crate) fn library_methods(&self, index: usize, pernet: &Pernet) -> Option<Methods> {
        let links: Rc<Links> = self.links.borrow()[index].clone();
        links.time.set(pernet.time);
        pernet.library.map(|library| library.methods(&pernet.name, &links))
    }
}
