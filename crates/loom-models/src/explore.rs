// SPDX-License-Identifier: GPL-2.0-only
//! Exploration of a model that says what it saw.

use std::{
    collections::BTreeMap,
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
};

use kernel::Bus;
use machine_loom::{Bounds, Explored, Failure};

/// What the executions of a model came to.
#[derive(Clone, Debug)]
pub struct Seen<T> {
    /// How many there were.
    pub explored: Explored,
    /// What they came to, and how many of them.
    pub outcomes: BTreeMap<T, u64>,
}

/// Runs a model in every way that loom can tell apart within `bounds`.
///
/// # Errors
///
/// The first execution that fails.
pub fn explore<T, F>(
    bounds: Bounds,
    model: impl Fn(Rc<Bus>) -> F + Send + Sync + 'static,
) -> Result<Seen<T>, Failure>
where
    T: Ord + Send + 'static,
    F: Future<Output = T> + 'static,
{
    let outcomes = Arc::new(Mutex::new(BTreeMap::new()));
    let counted = outcomes.clone();
    let explored = machine_loom::explore(bounds, move |bus| {
        let run = model(bus);
        let counted = counted.clone();
        async move {
            let outcome = run.await;
            *counted.lock().unwrap_or_else(PoisonError::into_inner).entry(outcome).or_insert(0) += 1;
        }
    })?;
    let outcomes = std::mem::take(&mut *outcomes.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Seen { explored, outcomes })
}
