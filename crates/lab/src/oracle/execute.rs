// SPDX-License-Identifier: GPL-2.0-only
//! Operations of a recording, done by calling the port.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    pin::Pin,
    rc::Rc,
};

use kernel::{
    Completion, Effect, Errno, Field, Kernel, Op, Plain, Pointer, RcuHead, SpinLock, TaskId, object,
};
use netns::{CLONE_NEWNET, NetNs, NetPtr, NetlinkCallback, PernetDataPtr, Request, TaskPtr, UserNsPtr};
use serde_json::{Value, json};

use super::{
    contexts::{Hook, Locks, Shared},
    events::{NOTE, OP_BEGIN, OP_END, RCU_RUN, hex},
    names::{find, number},
    pernet::Definition,
    state::snapshot,
};

object! {
    /// What the operations of a sequence use for themselves.
    struct HarnessPtr("recording harness", "harness", "static") {
        /// Held where an operation is called in atomic context.
        atomic: SpinLock,
    }
}
object! {
    /// A callback of `call_rcu`.
    pub(super) struct CallbackPtr("recorded callback", "callback", "kmalloc") {
        rcu: RcuHead,
        unused: Plain<i64>,
    }
}
object! {
    /// A context that another one waits for.
    struct ChildPtr("recorded child", "child", "stack") {
        done: Completion,
    }
}

pub(super) const REFUSED: &str = "refused";

type Running = Pin<Box<dyn Future<Output = Value>>>;

/// Does operations, and remembers what later ones speak of.
#[derive(Debug)]
pub(super) struct Actor {
    pub(super) ns: Rc<NetNs>,
    pub(super) shared: Rc<Shared>,
    /// References held, by number of the namespace.
    pub(super) held: RefCell<BTreeMap<i64, i64>>,
    pub(super) definitions: RefCell<BTreeMap<String, Rc<Definition>>>,
    dumps: RefCell<BTreeMap<i64, NetlinkCallback>>,
    /// User namespaces whose creator's reference is held.
    pub(super) created: RefCell<BTreeSet<i64>>,
    harness: Cell<Option<HarnessPtr>>,
}

pub(super) fn error(result: Result<(), Errno>) -> Value {
    json!(result.map_or_else(Errno::negated, |()| 0))
}

impl Actor {
    pub(super) fn new(ns: Rc<NetNs>, shared: Rc<Shared>) -> Rc<Self> {
        let k = &ns.k;
        shared.ns.replace(Some(ns.clone()));
        shared.locks.set(Some(Locks {
            net_mutex: ns.net_mutex().addr(),
            rtnl_mutex: ns.rtnl_mutex().addr(),
            cleanup_list_lock: ns.cleanup_list_lock().addr(),
            barrier_mutex: k.rcu_barrier_mutex().addr(),
        }));
        k.pretend_processor_id(0);
        let harness = k.bus.alloc_static(HarnessPtr::layout(), "recording harness").map(HarnessPtr::at);
        Rc::new(Actor {
            ns,
            shared,
            held: RefCell::default(),
            definitions: RefCell::default(),
            dumps: RefCell::default(),
            created: RefCell::default(),
            harness: Cell::new(harness),
        })
    }

    pub(super) fn k(&self) -> &Kernel {
        &self.ns.k
    }
    /// A place where nothing happens but that what was said before is done.
    pub(super) async fn point(&self) {
        self.k().bus.step(Op::PreemptEnable).await;
    }
    /// Tells an event.
    pub(super) fn note(&self, event: Value) {
        let mut notes = self.shared.notes.borrow_mut();
        notes.push(event);
        self.k().trace(&NOTE, i64::try_from(notes.len() - 1).unwrap_or(i64::MAX), 0);
    }

    /// Does a whole sequence.
    pub(super) async fn run(self: Rc<Self>, ops: &[Value]) {
        let holder = self.clone();
        let id = self.k().spawn("holder", None, async move { holder.hold_net_mutex().await });
        self.shared.holder.set(Some(id));
        for (i, op) in ops.iter().enumerate() {
            self.point().await;
            self.k().trace(&OP_BEGIN, i64::try_from(i).unwrap_or(i64::MAX), 0);
            let result = self.clone().execute(op.clone(), None).await;
            self.point().await;
            let state = snapshot(&self.ns, &self.held.borrow());
            let mut observed = self.shared.observed.borrow_mut();
            observed.results.push(result);
            observed.states.push(state);
            drop(observed);
            self.k().trace(&OP_END, i64::try_from(i).unwrap_or(i64::MAX), 0);
        }
    }

    /// The silent holder of `net_mutex`, which the driver lets go on step by step.
    async fn hold_net_mutex(&self) {
        loop {
            self.point().await;
            self.ns.net_mutex().lock(self.k()).await;
            self.point().await;
            self.ns.net_mutex().unlock(self.k()).await;
        }
    }

    /// Operations inside another one.
    pub(super) async fn execute_nested(self: Rc<Self>, ops: Vec<Value>, of: Option<NetPtr>) {
        for op in ops {
            self.point().await;
            let name = op["op"].clone();
            let result = self.clone().execute(op, of).await;
            self.note(json!(["sub", name, result]));
        }
    }

    /// One operation. Boxed, since operations contain operations.
    fn execute(self: Rc<Self>, op: Value, of: Option<NetPtr>) -> Running {
        Box::pin(async move {
            let call = Call { actor: &self, op: &op, of };
            call.run().await.unwrap_or_else(|| json!(REFUSED))
        })
    }

    pub(super) fn hold(&self, net: NetPtr) -> i64 {
        let number = number(&self.k().bus, net.addr());
        *self.held.borrow_mut().entry(number).or_insert(0) += 1;
        number
    }
}

/// One operation and what it names.
pub(super) struct Call<'a> {
    pub(super) actor: &'a Rc<Actor>,
    pub(super) op: &'a Value,
    /// The namespace that a method was called for: `self`.
    of: Option<NetPtr>,
}

/// None means that the operation makes no sense.
impl Call<'_> {
    pub(super) fn int(&self, key: &str) -> Option<i64> {
        self.op[key].as_i64()
    }
    pub(super) fn int_or(&self, key: &str, default: i64) -> i64 {
        self.int(key).unwrap_or(default)
    }
    pub(super) fn i32_or(&self, key: &str, default: i32) -> i32 {
        self.int(key).map_or(default, |value| value as i32)
    }
    pub(super) fn flag(&self, key: &str, default: bool) -> bool {
        self.op[key].as_bool().or_else(|| self.int(key).map(|value| value != 0)).unwrap_or(default)
    }
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.op[key].as_str()
    }
    fn ops(&self, key: &str) -> Vec<Value> {
        self.op[key].as_array().cloned().unwrap_or_default()
    }
    pub(super) fn ns(&self) -> &NetNs {
        &self.actor.ns
    }
    pub(super) fn k(&self) -> &Kernel {
        &self.actor.ns.k
    }
    /// A namespace, freed or not.
    fn any_net(&self, key: &str) -> Option<NetPtr> {
        if self.text(key) == Some("self") {
            return self.of;
        }
        match self.int(key)? {
            0 => Some(self.ns().init_net),
            number => find(&self.k().bus, number),
        }
    }
    /// A namespace that is not freed, unless the operation insists.
    pub(super) fn net(&self, key: &str) -> Option<NetPtr> {
        let net = self.any_net(key)?;
        (!self.ns().is_freed(net.addr()) || self.flag("force", false)).then_some(net)
    }
    pub(super) fn user_ns(&self, key: &str) -> Option<UserNsPtr> {
        match self.int_or(key, 0) {
            0 => Some(self.ns().init_user_ns),
            number => find(&self.k().bus, number).filter(|ns: &UserNsPtr| !self.ns().is_freed(ns.addr())),
        }
    }
    pub(super) fn task(&self, key: &str) -> Option<(i32, TaskPtr)> {
        let pid = self.i32_or(key, 1);
        Some((pid, self.ns().task(pid)?))
    }
    pub(super) fn living_task(&self, key: &str) -> Option<(i32, TaskPtr)> {
        let (pid, task) = self.task(key)?;
        (self.k().bus.peek(task.nsproxy().addr()) != 0).then_some((pid, task))
    }
    fn got(&self, net: Result<NetPtr, Errno>) -> Value {
        match net {
            Ok(net) => json!({ "net": self.actor.hold(net) }),
            Err(err) => json!({ "err": err.negated() }),
        }
    }

    async fn run(&self) -> Option<Value> {
        let ns = self.ns();
        Some(match self.text("op")? {
            "net_ns_init" if ns.init_net_initialized() => return None,
            "net_ns_init" => json!(ns.net_ns_init().await),
            "copy_net_ns" => self.copy_net_ns().await?,
            "get_net" => {
                let net = ns.get_net(self.net("net")?).await;
                self.actor.hold(net);
                Value::Null
            }
            "put_net" => self.put_net().await?,
            "maybe_get_net" => {
                let net = ns.maybe_get_net(self.net("net")?).await;
                json!(net.map(|net| self.actor.hold(net)).is_some())
            }
            "passive_get" => {
                self.net("net")?.passive().inc(self.k()).await;
                Value::Null
            }
            "net_drop_ns" => {
                let net = if self.op["net"].is_null() { NetPtr::null() } else { self.net("net")? };
                ns.net_drop_ns(net).await;
                Value::Null
            }
            "touch_net" => json!(self.any_net("net")?.count().read(self.k()).await),
            "run_work" => json!({ "ran": self.k().run_one_work(ns.netns_wq()).await }),
            "peernet2id_alloc" => {
                let (net, peer) = (self.net("net")?, self.net("peer")?);
                json!(self.atomically(ns.peernet2id_alloc(net, peer, kernel::Gfp::Kernel)).await)
            }
            "peernet2id" => {
                let (net, peer) = (self.net("net")?, self.net("peer")?);
                json!(self.atomically(ns.peernet2id(net, peer)).await)
            }
            "peernet_has_id" => {
                let (net, peer) = (self.net("net")?, self.net("peer")?);
                json!(self.atomically(ns.peernet_has_id(net, peer)).await)
            }
            "get_net_ns_by_id" => {
                let net = ns.get_net_ns_by_id(self.net("net")?, self.i32_or("id", 0)).await;
                net.map_or(Value::Null, |net| self.got(Ok(net)))
            }
            "get_net_ns_by_fd" => self.got(ns.get_net_ns_by_fd(self.i32_or("fd", -1)).await),
            "get_net_ns_by_pid" => self.got(ns.get_net_ns_by_pid(self.i32_or("pid", 0)).await),
            "register_pernet_subsys" => self.actor.register(self.op, false).await?,
            "register_pernet_device" => self.actor.register(self.op, true).await?,
            "unregister_pernet_subsys" => self.actor.unregister(self.op, false).await?,
            "unregister_pernet_device" => self.actor.unregister(self.op, true).await?,
            "read_generic" => self.read_generic().await?,
            "newnsid" | "getnsid" | "dump_start" | "dump_next" | "listen" | "unlisten" => {
                self.netlink().await?
            }
            "userns_create" | "userns_set_max" | "userns_put" | "netns_owner" => {
                self.user_namespaces().await?
            }
            "task_create" | "task_exit" | "task_reap" | "unshare" | "setns" | "open_fd" | "close_fd" => {
                self.tasks().await?
            }
            _ => self.harness().await?,
        })
    }

    async fn copy_net_ns(&self) -> Option<Value> {
        let (old, user_ns) = (self.net("old")?, self.user_ns("user_ns")?);
        let flags = if self.flag("new", true) { CLONE_NEWNET } else { 0 };
        let uid = self.int_or("uid", 0);
        let actor = self.actor.clone();
        let net = self
            .in_context(async move {
                let euid = actor.ns.init_task.euid().addr();
                let before = actor.k().bus.peek(euid);
                actor.k().bus.poke(euid, uid);
                let net = actor.ns.copy_net_ns(flags, user_ns, old).await;
                actor.k().bus.poke(euid, before);
                net
            })
            .await?;
        Some(self.got(net))
    }

    async fn put_net(&self) -> Option<Value> {
        let net = self.net("net")?;
        let number = number(&self.k().bus, net.addr());
        let held = self.actor.held.borrow().get(&number).copied().unwrap_or(0);
        if held == 0 && !self.flag("force", false) {
            return None;
        }
        self.actor.held.borrow_mut().insert(number, (held - 1).max(0));
        self.ns().put_net(net).await;
        Some(Value::Null)
    }

    /// In atomic context, if the operation says so.
    async fn atomically<T>(&self, future: impl Future<Output = T>) -> T {
        let lock = self.actor.harness.get().filter(|_| self.flag("atomic", false)).map(HarnessPtr::atomic);
        if let Some(lock) = lock {
            lock.lock(self.k()).await;
        }
        let result = future.await;
        if let Some(lock) = lock {
            lock.unlock(self.k()).await;
        }
        result
    }

    /// In a context of its own that is killed first, if the operation says so.
    pub(super) async fn in_context<T: 'static>(
        &self,
        future: impl Future<Output = T> + 'static,
    ) -> Option<T> {
        let Some(how) = self.text("sigkill") else { return Some(future.await) };
        let waits = how == "waiting";
        let k = self.k();
        let child = ChildPtr::at(k.bus.alloc(ChildPtr::layout(), 8)?);
        let result = Rc::new(RefCell::new(None));
        let (actor, into) = (self.actor.clone(), result.clone());
        let of = actor.ns.current();
        let id = k.spawn("killed", None, async move {
            let me = actor.k().bus.current().task;
            actor.ns.set_current(of);
            actor.k().bus.say(Effect::Kill(me));
            let value = future.await;
            into.replace(Some(value));
            child.done().complete(actor.k());
        });
        self.actor.shared.children.borrow_mut().push(id);
        if waits {
            self.actor.shared.killed.borrow_mut().insert(id);
        }
        child.done().wait(k).await;
        result.take()
    }

    async fn read_generic(&self) -> Option<Value> {
        let net = self.net("net")?;
        let definition = self.actor.definitions.borrow().get(self.text("name")?).cloned()?;
        let id = self.ns().pernet_id(definition.ops)?;
        let data: PernetDataPtr = self.ns().net_generic(net, id).await;
        if data.is_null() {
            return Some(Value::Null);
        }
        data.first().read(self.k()).await;
        Some(json!(format!("d{}", number(&self.k().bus, data.addr()))))
    }

    fn request(&self) -> Option<Request> {
        let net = self.net("net")?;
        let mut request = Request::with_attributes(net, &[]);
        if let Some(raw) = self.text("raw") {
            request.payload = unhex(raw)?;
        } else if let Some(attributes) = self.op["attrs"].as_array() {
            let attributes: Vec<(u16, u32)> = attributes
                .iter()
                .map(|pair| Some((pair[0].as_i64()? as u16, pair[1].as_i64()? as u32)))
                .collect::<Option<_>>()?;
            request.payload = Request::with_attributes(net, &attributes).payload;
        }
        request.seq = self.int_or("seq", 1) as u32;
        request.portid = self.int_or("portid", 100) as u32;
        Some(request)
    }

    async fn netlink(&self) -> Option<Value> {
        let ns = self.ns();
        Some(match self.text("op")? {
            "newnsid" => error(ns.newnsid(&self.request()?).await),
            "getnsid" => {
                let unicast_error = self.int("unicast_err").map(|error| error as i32);
                let request = self.request()?;
                ns.netlink.unicast_error.replace(unicast_error);
                let result = error(ns.getnsid(&request).await);
                ns.netlink.unicast_error.replace(None);
                result
            }
            "dump_start" => {
                let dump = NetlinkCallback { request: self.request()?, s_idx: 0 };
                self.actor.dumps.borrow_mut().insert(self.int_or("cursor", 0), dump);
                Value::Null
            }
            "dump_next" => {
                let cursor = self.int_or("cursor", 0);
                let mut dump = self.actor.dumps.borrow().get(&cursor).cloned()?;
                if ns.is_freed(dump.request.net.addr()) {
                    return None;
                }
                let room = usize::try_from(self.int_or("page", 3776)).ok()?;
                let page = ns.dump_nsids(&mut dump, room).await;
                let s_idx = dump.s_idx;
                self.actor.dumps.borrow_mut().insert(cursor, dump);
                if let Some(first) = page.data.get(..28) {
                    self.actor.note(json!(["dump_msg", hex(first)]));
                }
                json!({ "len": page.len, "cursor": s_idx, "ids": NetNs::ids_of_page(&page.data) })
            }
            "listen" => {
                let (all_nsid, cap) = (self.flag("all_nsid", false), self.flag("cap", true));
                ns.listen(self.int("id")?, self.net("net")?, all_nsid, cap, usize::MAX).await;
                Value::Null
            }
            _ => {
                if !ns.unlisten(self.int("id")?).await {
                    return None;
                }
                Value::Null
            }
        })
    }

    /// Operations on the harness itself.
    async fn harness(&self) -> Option<Value> {
        match self.text("op")? {
            "fail_alloc" => {
                let kind = self.text("kind").filter(|kind| *kind != "any");
                let nth = u64::try_from(self.int_or("nth", 1)).ok()?;
                let times = u64::try_from(self.int_or("times", 1)).ok();
                self.k().faults.borrow_mut().arm(kind, nth, times);
            }
            "fail_clear" => self.k().faults.borrow_mut().clear(),
            "set_cpu" => self.k().pretend_processor_id(u32::try_from(self.int_or("cpu", 0)).ok()?),
            "at" => {
                let (actor, point, ops, of) =
                    (self.actor.clone(), self.text("point")?, self.ops("do"), self.of);
                let name = point.to_owned();
                let task = self.spawn(async move {
                    actor.note(json!(["at", name]));
                    actor.clone().execute_nested(ops, of).await;
                    actor.note(json!(["at_end", name]));
                });
                let nth = u64::try_from(self.int_or("nth", 1)).ok()?;
                let hook = Hook { point: point.to_owned(), nth, fired: false, task };
                self.actor.shared.hooks.borrow_mut().push(hook);
            }
            "call_rcu" => {
                let callback = CallbackPtr::at(self.k().bus.alloc(CallbackPtr::layout(), 24)?);
                let (actor, ops, of) = (self.actor.clone(), self.ops("do"), self.of);
                let func: kernel::RcuFunc = Rc::new(move |_| {
                    let (actor, ops) = (actor.clone(), ops.clone());
                    Box::pin(async move {
                        actor.clone().execute_nested(ops, of).await;
                        actor.k().kfree(callback.addr());
                    })
                });
                self.k().call_rcu(callback.rcu(), func).await;
            }
            "rcu_run" => {
                self.k().trace(&RCU_RUN, 0, 0);
                self.k().synchronize_rcu().await;
            }
            _ => return None,
        }
        Some(Value::Null)
    }

    fn spawn(&self, future: impl Future<Output = ()> + 'static) -> TaskId {
        self.k().spawn("hook", None, future)
    }
}

/// Bytes from hexadecimal digits.
pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes().chunks_exact(2);
    if !digits.remainder().is_empty() {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    digits.map(|pair| u8::try_from(digit(pair[0])? << 4 | digit(pair[1])?).ok()).collect()
}
