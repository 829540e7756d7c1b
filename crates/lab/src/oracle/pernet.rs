// SPDX-License-Identifier: GPL-2.0-only
//! Pernet operations of a recording, whose methods are written in operations.

use std::{cell::Cell, collections::BTreeMap, fmt, rc::Rc};

use kernel::Pointer;
use netns::{Methods, NetPtr, PernetOpsPtr};
use serde_json::{Value, json};

use super::{
    execute::Actor,
    names::{kind_and_name, number},
};

/// What a name stands for since it was first registered.
pub(super) struct Definition {
    pub(super) ops: PernetOpsPtr,
    has_id: bool,
    registered: Cell<bool>,
}

impl fmt::Debug for Definition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Definition({:?})", self.ops)
    }
}

impl Actor {
    /// Registers an operation, which the first registration defines. None if it is registered.
    pub(super) async fn register(self: &Rc<Self>, op: &Value, device: bool) -> Option<Value> {
        let name = op["name"].as_str()?.to_owned();
        let known = self.definitions.borrow().get(&name).cloned();
        let definition = match known {
            Some(definition) => definition,
            None => {
                let definition = Rc::new(self.define(&name, op).await?);
                self.definitions.borrow_mut().insert(name, definition.clone());
                definition
            }
        };
        if definition.registered.get() {
            return None;
        }
        let error = if device {
            self.ns.register_pernet_device(definition.ops).await
        } else {
            self.ns.register_pernet_subsys(definition.ops).await
        };
        definition.registered.set(error == 0);
        let id = self.ns.pernet_id(definition.ops).filter(|_| error == 0 && definition.has_id);
        Some(id.map_or_else(|| json!({ "err": error }), |id| json!({ "err": error, "id": id })))
    }

    /// Removes an operation. None if it is not registered.
    pub(super) async fn unregister(&self, op: &Value, device: bool) -> Option<Value> {
        let definition = self.definitions.borrow().get(op["name"].as_str()?).cloned()?;
        if !definition.registered.replace(false) {
            return None;
        }
        if device {
            self.ns.unregister_pernet_device(definition.ops).await;
        } else {
            self.ns.unregister_pernet_subsys(definition.ops).await;
        }
        Some(Value::Null)
    }

    async fn define(self: &Rc<Self>, name: &str, op: &Value) -> Option<Definition> {
        let is_set = |key: &str| op[key].as_bool().unwrap_or(false);
        let ops = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let mut methods = Methods::named(name);
        if !op["init"].is_null() {
            methods.init = Some(self.init(name, &op["init"]));
        }
        if is_set("exit") || !op["exit_do"].is_null() {
            let (actor, name, nested) = (Rc::downgrade(self), Rc::<str>::from(name), ops(&op["exit_do"]));
            methods.exit = Some(Rc::new(move |_, net| {
                let (actor, name, nested) = (actor.upgrade(), name.clone(), nested.clone());
                Box::pin(async move {
                    let Some(actor) = actor else { return };
                    actor.note(json!(["exit", &*name, actor.number_of(net)]));
                    actor.execute_nested(nested, Some(net)).await;
                })
            }));
        }
        if is_set("exit_batch") || !op["batch_do"].is_null() {
            let (actor, name, nested) = (Rc::downgrade(self), Rc::<str>::from(name), ops(&op["batch_do"]));
            methods.exit_batch = Some(Rc::new(move |_, net_exit_list| {
                let (actor, name, nested) = (actor.upgrade(), name.clone(), nested.clone());
                Box::pin(async move {
                    let Some(actor) = actor else { return };
                    let k = actor.k();
                    let mut nets = Vec::new();
                    let mut pos = net_exit_list.next(k).await;
                    while pos != net_exit_list {
                        let net = NetPtr::container_of(k, pos, NetPtr::exit_list).await;
                        nets.push(actor.number_of(net));
                        pos = pos.next(k).await;
                    }
                    actor.note(json!(["exit_batch", &*name, nets]));
                    actor.clone().execute_nested(nested, None).await;
                })
            }));
        }
        let size = op["size"].as_u64().and_then(|size| usize::try_from(size).ok()).unwrap_or(0);
        let ops = self.ns.new_pernet_operations(methods, is_set("has_id"), size).await?;
        Some(Definition { ops, has_id: is_set("has_id"), registered: Cell::new(false) })
    }

    fn init(self: &Rc<Self>, name: &str, init: &Value) -> netns::Init {
        let returns: BTreeMap<u64, i32> = init["rets"]
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(|(call, value)| Some((call.parse().ok()?, value.as_i64()? as i32)))
            .collect();
        let nested = init["do"].as_array().cloned().unwrap_or_default();
        let (actor, name, calls) = (Rc::downgrade(self), Rc::<str>::from(name), Rc::new(Cell::new(0)));
        Rc::new(move |_, net| {
            let (actor, name, nested) = (actor.upgrade(), name.clone(), nested.clone());
            calls.set(calls.get() + 1);
            let value = returns.get(&calls.get()).copied().unwrap_or(0);
            Box::pin(async move {
                let Some(actor) = actor else { return value };
                actor.note(json!(["init", &*name, actor.number_of(net), value]));
                actor.execute_nested(nested, Some(net)).await;
                value
            })
        })
    }

    fn number_of(&self, net: NetPtr) -> Value {
        let bus = &self.k().bus;
        kind_and_name(bus, net.addr()).map_or_else(|| json!(number(bus, net.addr())), |(_, name)| name)
    }
}
