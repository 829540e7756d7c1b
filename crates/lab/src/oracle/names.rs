// SPDX-License-Identifier: GPL-2.0-only
//! The names of objects in a recording.

use kernel::{Addr, Bus, Layout, Pointer};
use netns::{GenericPtr, NetPtr, PernetDataPtr, UcountsPtr};
use serde_json::{Value, json};

use super::execute::CallbackPtr;

fn is<P: Pointer>(layout: &'static Layout) -> bool {
    std::ptr::eq(layout, P::layout())
}

/// The kind and name of an object that recordings speak of: `gen` and `g3`, `net` and 3.
pub(super) fn kind_and_name(bus: &Bus, addr: Addr) -> Option<(&'static str, Value)> {
    bus.inspect(|memory| {
        let object = memory.object(addr)?;
        let (layout, number) = (object.layout, object.number);
        if is::<NetPtr>(layout) {
            Some(("net", json!(number)))
        } else if is::<GenericPtr>(layout) {
            Some(("gen", json!(format!("g{number}"))))
        } else if is::<PernetDataPtr>(layout) {
            Some(("data", json!(format!("d{number}"))))
        } else if is::<UcountsPtr>(layout) {
            Some(("ucounts", json!(format!("u{number}"))))
        } else {
            None
        }
    })
}

/// Whether recordings speak of an RCU callback: that of a task, a file or a pid the original did not have.
pub(super) fn is_recorded(bus: &Bus, head: Addr) -> bool {
    let layout = bus.inspect(|memory| memory.object(head).map(|object| object.layout));
    layout.is_none_or(|layout| is::<GenericPtr>(layout) || is::<CallbackPtr>(layout))
}

/// The number of an object of its type; 0 for the static one.
pub(super) fn number(bus: &Bus, addr: Addr) -> i64 {
    bus.inspect(|memory| memory.object(addr).map_or(-1, |object| i64::from(object.number)))
}

/// What a finding calls an object: `net 1`, `g3`, `d4`.
pub(super) fn of_finding(object: &str) -> String {
    if object == "init_net" {
        return "net 0".to_owned();
    }
    for (ours, theirs) in [("net_generic ", "g"), ("data ", "d"), ("ucounts ", "u")] {
        if let Some(number) = object.strip_prefix(ours) {
            return format!("{theirs}{number}");
        }
    }
    object.to_owned()
}

/// The object of a type with a number, freed or not.
pub(super) fn find<P: Pointer>(bus: &Bus, number: i64) -> Option<P> {
    bus.inspect(|memory| {
        (1..memory.slots()).find_map(|slot| {
            let object = memory.in_slot(slot)?;
            let found = is::<P>(object.layout) && i64::from(object.number) == number;
            found.then(|| memory.addr_in_slot(slot)).flatten().map(P::at)
        })
    })
}
