// SPDX-License-Identifier: GPL-2.0-only
//! Every kind of step, with its fields.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess},
};

use crate::{
    body::{Body, SelfBody},
    check::Checker,
    members::ObjectsOnly,
    source::Seg,
    time::{Time, in_ms},
    values::{
        BarrierName, Check, CompletionName, CompletionRef, Expect, FdArg, FdName, GivesAnything, GivesBool,
        GivesData, GivesNet, GivesNumber, IdArg, Int, ModuleRef, NetName, NetRef, Note, Number, NumberName,
        ObjectName, ObjectRef, OpsRef, PidArg, PidName, SocketName, SocketRef, TaskRef, Times, UInt,
        UserNsRef,
    },
    words::{Access, AllocKind, CloneFlags, FileKind, GfpText, Hex, InFunction, SetnsType},
};

/// The bytes that a message or a page may have room for.
pub(crate) type Room = Number<0, { 1 << 20 }>;

macro_rules! steps {
    ($($(#[$doc:meta])* $key:literal => $variant:ident {
        $($(#[$attribute:meta])* $field:ident = $name:literal: $ty:ty,)*
    })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, Deserialize, JsonSchema)]
            #[serde(remote = "Self", deny_unknown_fields, expecting = "an object")]
            #[schemars(rename = $key)]
            pub(crate) struct $variant {
                $($(#[$attribute])* #[serde(rename = $name)] pub(crate) $field: $ty,)*
                #[serde(default, rename = "note")]
                _note: Note,
                #[serde(default, rename = "$schema")]
                _schema: Note,
            }
            impl<'de> Deserialize<'de> for $variant {
                fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                    $variant::deserialize(ObjectsOnly(from)) // the one that serde derives
                }
            }
            impl Check for $variant {
                fn declare(&self, _cx: &mut Checker<'_>) {
                    $(_cx.within([Seg::Key($name)], |cx| self.$field.declare(cx));)*
                }
                fn resolve(&mut self, _cx: &mut Checker<'_>) {
                    $(_cx.within([Seg::Key($name)], |cx| self.$field.resolve(cx));)*
                }
            }
        )*

        /// What a step does.
        #[derive(Clone, Debug)]
        pub(crate) enum Action { $($(#[$doc])* $variant($variant),)* }

        /// What steps are called.
        pub const STEPS: &[&str] = &[$($key,)*];

        /// What is said of every step, and how its fields are written.
        pub(crate) fn step_schemas(generator: &mut SchemaGenerator) -> Vec<(&'static str, Schema)> {
            vec![$(($key, generator.subschema_for::<$variant>()),)*]
        }

        impl Takes {
    /// `at most 10.000 ms`
    pub(crate) fn words(&self) -> String {
        let limits = [("at least", self.at_least), ("at most", self.at_most)];
        let words = limits.iter().filter_map(|(word, time)| Some(format!("{word} {}", in_ms((*time)?.0))));
        words.collect::<Vec<_>>().join(" and ")
    }
}

impl Action {
            pub(crate) fn name(&self) -> &'static str {
                match self { $(Action::$variant(_) => $key,)* }
            }
            pub(crate) fn read<'de, A: MapAccess<'de>>(key: &str, map: &mut A) -> Result<Self, A::Error> {
                match key {
                    $($key => map.next_value().map(Action::$variant),)*
                    _ => Err(A::Error::custom(format_args!("unknown step `{key}`"))),
                }
            }
            pub(crate) fn declare(&self, cx: &mut Checker<'_>) {
                match self { $(Action::$variant(step) => step.declare(cx),)* }
            }
            pub(crate) fn resolve(&mut self, cx: &mut Checker<'_>) {
                cx.check_step(self);
                match self { $(Action::$variant(step) => step.resolve(cx),)* }
            }
        }
    };
}

steps! {
    /// Creates a namespace, as the present task.
    "copy_net_ns" => CopyNetNs {
        r#as = "as": Option<NetName>,
        /// The namespace to copy; `init_net` if absent.
        old = "old": Option<NetRef>,
        /// The owner; the task's user namespace if absent.
        user_ns = "user_ns": Option<UserNsRef>,
        /// A new namespace, or another reference to `old`; `newnet` if absent.
        #[serde(default)]
        flags = "flags": CloneFlags,
        #[serde(default)]
        expect = "expect": Expect<GivesNet>,
    }
    /// Takes a reference.
    "get_net" => GetNet { net = "net": NetRef, }
    /// Drops a reference.
    "put_net" => PutNet { net = "net": NetRef, }
    /// Takes a reference to a namespace that is alive.
    "maybe_get_net" => MaybeGetNet {
        net = "net": NetRef,
        r#as = "as": Option<NetName>,
        #[serde(default)]
        expect = "expect": Expect<GivesNet>,
    }
    /// The id of a peer, a new one if need be.
    "peernet2id_alloc" => Peernet2idAlloc {
        net = "net": NetRef,
        peer = "peer": NetRef,
        r#as = "as": Option<NumberName>,
        /// Whether announcing a new id may sleep, with the patch `notifyid_gfp`; `kernel` if absent.
        #[serde(default)]
        gfp = "gfp": GfpText,
        #[serde(default)]
        expect = "expect": Expect<GivesNumber>,
    }
    /// The id of a peer.
    "peernet2id" => Peernet2id {
        net = "net": NetRef,
        peer = "peer": NetRef,
        r#as = "as": Option<NumberName>,
        #[serde(default)]
        expect = "expect": Expect<GivesNumber>,
    }
    /// Whether a peer has an id.
    "peernet_has_id" => PeernetHasId {
        net = "net": NetRef,
        peer = "peer": NetRef,
        #[serde(default)]
        expect = "expect": Expect<GivesBool>,
    }
    /// The namespace of an id, with a reference.
    "get_net_ns_by_id" => GetNetNsById {
        net = "net": NetRef,
        id = "id": IdArg,
        r#as = "as": Option<NetName>,
        #[serde(default)]
        expect = "expect": Expect<GivesNet>,
    }
    /// The namespace of a process, with a reference.
    "get_net_ns_by_pid" => GetNetNsByPid {
        pid = "pid": PidArg,
        r#as = "as": Option<NetName>,
        #[serde(default)]
        expect = "expect": Expect<GivesNet>,
    }
    /// The namespace of an open file, with a reference.
    "get_net_ns_by_fd" => GetNetNsByFd {
        fd = "fd": FdArg,
        r#as = "as": Option<NetName>,
        #[serde(default)]
        expect = "expect": Expect<GivesNet>,
    }
    /// Registers pernet operations as a subsystem.
    "register_pernet_subsys" => RegisterPernetSubsys {
        ops = "ops": OpsRef,
        #[serde(default)]
        expect = "expect": Expect<GivesNumber>,
    }
    /// Registers pernet operations as a device.
    "register_pernet_device" => RegisterPernetDevice {
        ops = "ops": OpsRef,
        #[serde(default)]
        expect = "expect": Expect<GivesNumber>,
    }
    /// Unregisters a subsystem.
    "unregister_pernet_subsys" => UnregisterPernetSubsys { ops = "ops": OpsRef, }
    /// Unregisters a device.
    "unregister_pernet_device" => UnregisterPernetDevice { ops = "ops": OpsRef, }
    /// Looks up private data, and reads its first word.
    "net_generic" => NetGeneric {
        net = "net": NetRef,
        ops = "ops": OpsRef,
        r#as = "as": Option<ObjectName>,
        /// What is done with the data: its first word is read, or written, or nothing; `read` if absent.
        #[serde(default)]
        access = "access": Access,
        #[serde(default)]
        expect = "expect": Expect<GivesData>,
    }
    /// unshare(2)
    "unshare" => Unshare {
        #[serde(default)]
        expect = "expect": Expect<GivesNumber>,
    }
    /// setns(2)
    "setns" => Setns {
        fd = "fd": FdArg,
        /// The kind of namespace that is expected; `any` if absent.
        #[serde(default)]
        r#type = "type": SetnsType,
        #[serde(default)]
        expect = "expect": Expect<GivesNumber>,
    }
    /// clone(2): a process that does nothing.
    "clone" => CloneProcess {
        name = "name": PidName,
        /// Whether it gets a network namespace of its own; false if absent.
        newnet = "newnet": Option<bool>,
        /// The owner; the task's user namespace if absent.
        user_ns = "user_ns": Option<UserNsRef>,
        /// Its effective user; the task's if absent.
        uid = "uid": Option<UInt>,
        /// Whether it has CAP_SYS_ADMIN in its user namespace; as the task if absent.
        cap_sys_admin = "cap_sys_admin": Option<bool>,
        #[serde(default)]
        expect = "expect": Expect<GivesNumber>,
    }
    /// exit(2): a process gives up its namespaces.
    "exit" => ExitProcess {
        /// The process; the task itself if absent.
        pid = "pid": Option<PidArg>,
        #[serde(default)]
        expect = "expect": Expect<GivesNumber>,
    }
    /// wait(2): a process is forgotten.
    "reap" => Reap { pid = "pid": PidArg, }
    /// open(2)
    "open" => OpenFile {
        /// The process; the task itself if absent.
        pid = "pid": Option<PidArg>,
        /// What is opened; `net` if absent.
        #[serde(default)]
        kind = "kind": FileKind,
        r#as = "as": Option<FdName>,
        #[serde(default)]
        expect = "expect": Expect<GivesNumber>,
    }
    /// close(2)
    "close" => Close {
        fd = "fd": FdArg,
        #[serde(default)]
        expect = "expect": Expect<GivesNumber>,
    }
    /// An `RTM_NEWNSID` request.
    "newnsid" => Newnsid {
        net = "net": NetRef,
        /// The id that is asked for; -1 lets the kernel choose.
        nsid = "nsid": Option<Int>,
        pid = "pid": Option<PidArg>,
        fd = "fd": Option<FdArg>,
        #[serde(default)]
        expect = "expect": Expect<GivesNumber>,
    }
    /// An `RTM_GETNSID` request.
    "getnsid" => Getnsid {
        net = "net": NetRef,
        pid = "pid": Option<PidArg>,
        fd = "fd": Option<FdArg>,
        /// The id in the answer.
        reply = "reply": Option<Int>,
        #[serde(default)]
        expect = "expect": Expect<GivesNumber>,
    }
    /// An `RTM_NEWNSID` request of these bytes.
    "newnsid_raw" => NewnsidRaw {
        net = "net": NetRef,
        hex = "hex": Hex,
        #[serde(default)]
        expect = "expect": Expect<GivesNumber>,
    }
    /// An `RTM_GETNSID` request of these bytes.
    "getnsid_raw" => GetnsidRaw {
        net = "net": NetRef,
        hex = "hex": Hex,
        /// The id in the answer.
        reply = "reply": Option<Int>,
        #[serde(default)]
        expect = "expect": Expect<GivesNumber>,
    }
    /// A dump of ids.
    "dump" => Dump {
        net = "net": NetRef,
        /// The bytes that a page has room for; 3776 if absent.
        room = "room": Option<Room>,
        /// The ids of all pages, in order.
        ids = "ids": Option<Vec<Int>>,
        /// How many ids there are in all pages.
        count = "count": Option<UInt>,
        /// The ids that exist at its end and were not reported.
        missing = "missing": Option<Vec<Int>>,
        /// The ids that were reported more than once.
        twice = "twice": Option<Vec<Int>>,
        /// How many pages hold something.
        pages = "pages": Option<UInt>,
    }
    /// A netlink socket that hears of ids.
    "listen" => Listen {
        net = "net": NetRef,
        r#as = "as": SocketName,
        /// Whether it hears of namespaces that its own has an id for; false if absent.
        #[serde(default)]
        all_nsid = "all_nsid": bool,
        /// Whether it has the capability for that; true if absent.
        cap = "cap": Option<bool>,
        /// The messages that it has room for; 1000 if absent.
        room = "room": Option<Room>,
    }
    /// Closes a netlink socket.
    "unlisten" => Unlisten { socket = "socket": SocketRef, }
    /// Looks at what a netlink socket has received.
    "received" => Received {
        socket = "socket": SocketRef,
        /// Whether messages and error are taken away, so that there is room again; false if absent.
        #[serde(default)]
        take = "take": bool,
        /// What it has received: `["NEWNSID 0", "DELNSID 0 from 3"]`, the latter from the namespace that it calls 3.
        expect = "expect": Option<Vec<String>>,
        /// An error; 0 for none.
        #[serde(default)]
        error = "error": Expect<GivesNumber>,
    }
    /// What sending answers returns from now on.
    "unicast_error" => UnicastError {
        /// What sending answers returns from now on; it works again if absent.
        #[serde(default)]
        error = "error": Expect<GivesNumber>,
    }
    /// An RCU read section.
    "rcu_read" => RcuRead {
        #[serde(default)]
        steps = "steps": Body,
    }
    /// Walks all namespaces, under a lock that the scenario takes.
    "for_each_net" => ForEachNet {
        #[serde(default)]
        steps = "steps": SelfBody,
    }
    /// Walks all namespaces, in an RCU read section that the scenario opens.
    "for_each_net_rcu" => ForEachNetRcu {
        #[serde(default)]
        steps = "steps": SelfBody,
    }
    /// Posts an RCU callback.
    "call_rcu" => CallRcu {
        module = "module": Option<ModuleRef>,
        #[serde(default)]
        steps = "steps": Body,
    }
    /// Waits for a grace period.
    "synchronize_rcu" => SynchronizeRcu {}
    /// Waits for callbacks.
    "rcu_barrier" => RcuBarrier {}
    /// Waits for cleanup passes.
    "flush_netns_wq" => FlushNetnsWq {}
    /// Reads a field of a namespace.
    "touch_net" => TouchNet { net = "net": NetRef, }
    /// Takes a reference to the memory of a namespace.
    "passive_get" => PassiveGet { net = "net": NetRef, }
    /// Drops a reference to the memory of a namespace.
    "net_drop_ns" => NetDropNs { net = "net": NetRef, }
    /// The owner of a namespace.
    "netns_owner" => NetnsOwner {
        net = "net": NetRef,
        expect = "expect": Option<UserNsRef>,
    }
    /// Opens and closes the user namespace that owns a namespace: `ioctl(NS_GET_USERNS)`.
    "ns_get_owner" => NsGetOwner {
        net = "net": NetRef,
        #[serde(default)]
        expect = "expect": Expect<GivesNumber>,
    }
    /// Looks at the counts of a namespace, without an access.
    "count" => Count {
        net = "net": NetRef,
        #[serde(default)]
        expect = "expect": Expect<GivesNumber>,
        /// The count of references to the memory.
        #[serde(default)]
        passive = "passive": Expect<GivesNumber>,
    }
    /// Compares a binding.
    "check" => CheckBinding {
        name = "name": crate::check::AnyRef,
        #[serde(default)]
        expect = "expect": Expect<GivesAnything>,
    }
    /// Takes a reference to a user namespace.
    "userns_get" => UsernsGet { user_ns = "user_ns": UserNsRef, }
    /// Drops a reference to a user namespace.
    "userns_put" => UsernsPut { user_ns = "user_ns": UserNsRef, }
    /// Takes `net_mutex`.
    "net_mutex_lock" => NetMutexLock {}
    /// Takes `net_mutex` unless killed.
    "net_mutex_lock_killable" => NetMutexLockKillable {
        #[serde(default)]
        expect = "expect": Expect<GivesNumber>,
    }
    /// Releases `net_mutex`.
    "net_mutex_unlock" => NetMutexUnlock {}
    /// Takes `rtnl_mutex`.
    "rtnl_lock" => RtnlLock {}
    /// Releases `rtnl_mutex`.
    "rtnl_unlock" => RtnlUnlock {}
    /// Sends SIGKILL.
    "kill" => Kill { task = "task": TaskRef, }
    /// Lets allocations fail.
    "fail_alloc" => FailAlloc {
        /// What is allocated.
        kind = "kind": AllocKind,
        /// The kernel function in which it is allocated, or in what it calls; anywhere if absent.
        function = "in": Option<InFunction>,
        /// Which allocation from now on fails first; 1 if absent.
        nth = "nth": Option<Number<1, { i64::MAX }>>,
        /// How many fail in a row; 1 if absent.
        #[serde(default)]
        times = "times": Times,
    }
    /// Lets no allocation fail any more.
    "fail_clear" => FailClear {}
    /// Repeats steps.
    "loop" => Loop {
        /// How often.
        times = "times": Number<1, 1_000_000>,
        steps = "steps": Body,
    }
    /// Runs steps, and fails the run if they take less or more virtual time.
    "takes" => Takes {
        /// The shortest time that is expected; any if absent.
        at_least = "at_least": Option<Time>,
        /// The longest time that is expected; any if absent.
        at_most = "at_most": Option<Time>,
        steps = "steps": Body,
    }
    /// A place where another task may run.
    "cond_resched" => CondResched {}
    /// Wakes who waits for a completion.
    "complete" => Complete { name = "name": CompletionName, }
    /// Sleeps until a completion is completed.
    "wait_for_completion" => WaitForCompletion { name = "name": CompletionRef, }
    /// Boots the subsystem.
    "net_ns_init" => NetNsInit {}
    /// An object of the scenario's own.
    "allocate" => Allocate {
        r#as = "as": ObjectName,
        /// How large it is; 64 if absent.
        bytes = "bytes": Option<Number<24, { 4 << 20 }>>,
        /// Whether it may sleep; `kernel` if absent.
        #[serde(default)]
        gfp = "gfp": GfpText,
        #[serde(default)]
        expect = "expect": Expect<GivesData>,
    }
    /// Frees an object.
    "free" => Free { object = "object": ObjectRef, }
    /// Frees an object after a grace period.
    "kfree_rcu" => KfreeRcu { object = "object": ObjectRef, }
    /// Reads the first word of an object.
    "read" => Read { object = "object": ObjectRef, }
    /// Writes the first word of an object.
    "write" => Write { object = "object": ObjectRef, }
    /// Takes a reference to the device of a subsystem.
    "dev_hold" => DevHold {
        net = "net": NetRef,
        ops = "ops": OpsRef,
    }
    /// Drops a reference to the device of a subsystem.
    "dev_put" => DevPut {
        net = "net": NetRef,
        ops = "ops": OpsRef,
    }
    /// A subsystem receives a packet.
    "netif_receive_skb" => NetifReceiveSkb {
        net = "net": NetRef,
        ops = "ops": OpsRef,
    }
    /// Somebody wants to hear of the devices that a subsystem has in all namespaces.
    "register_netdevice_notifier" => RegisterNotifier {
        ops = "ops": OpsRef,
        r#as = "as": ObjectName,
    }
    /// Nobody does any more; how many devices did not go that came.
    "unregister_netdevice_notifier" => UnregisterNotifier {
        object = "object": ObjectRef,
        #[serde(default)]
        expect = "expect": Expect<GivesNumber>,
    }
    /// Connections do not use a helper any more.
    "nf_conntrack_helper_unregister" => HelperUnregister { ops = "ops": OpsRef, }
    /// Loads a module.
    "load_module" => LoadModule {
        module = "module": ModuleRef,
        #[serde(default)]
        expect = "expect": Expect<GivesNumber>,
    }
    /// Unloads a module.
    "unload_module" => UnloadModule {
        module = "module": ModuleRef,
        #[serde(default)]
        expect = "expect": Expect<GivesNumber>,
    }
    /// Lets time pass.
    "delay" => Delay { time = "time": Time, }
    /// The CPU stands still, and nothing arrives there: its host does not run it.
    "stall" => Stall { time = "time": Time, }
    /// Waits until so many tasks have come.
    "barrier" => Barrier {
        name = "name": BarrierName,
        /// How many tasks meet there.
        tasks = "tasks": Number<1, 4096>,
    }
    /// Keeps the worker of cleanup passes busy.
    "delay_work" => DelayWork {
        until = "until": Option<CompletionRef>,
        time = "time": Option<Time>,
    }
}

impl Action {
    /// The steps that it has.
    pub(crate) fn steps(&self) -> Option<&Body> {
        match self {
            Action::RcuRead(step) => Some(&step.steps),
            Action::CallRcu(step) => Some(&step.steps),
            Action::Loop(step) => Some(&step.steps),
            Action::Takes(step) => Some(&step.steps),
            Action::ForEachNet(step) => Some(&step.steps.0),
            Action::ForEachNetRcu(step) => Some(&step.steps.0),
            _ => None,
        }
    }
    /// Whether it is about the running process.
    pub(crate) fn needs_process(&self) -> bool {
        match self {
            Action::Unshare(_) | Action::Setns(_) | Action::CloneProcess(_) => true,
            Action::ExitProcess(step) => step.pid.is_none(),
            Action::OpenFile(step) => step.pid.is_none(),
            _ => false,
        }
    }
}
