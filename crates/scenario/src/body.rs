// SPDX-License-Identifier: GPL-2.0-only
//! Lists of steps, whether there is a namespace `self` in them, and how a step is read: an object with one key.

use std::{fmt, sync::Arc};

use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};

use crate::{
    check::Checker,
    source::Seg,
    step::{Action, STEPS},
    values::{Check, Note},
};

/// Steps, one after the other.
#[derive(Debug)]
pub(crate) struct Body(pub(crate) Arc<[Step]>);

impl Default for Body {
    fn default() -> Self {
        Body(Arc::new([]))
    }
}

impl Clone for Body {
    /// Steps of its own: names in them may come to mean something else.
    fn clone(&self) -> Self {
        Body(self.0.to_vec().into())
    }
}

impl Body {
    /// How many steps there are, those in steps counted.
    pub(crate) fn count(&self) -> usize {
        let inside = |step: &Step| step.action.steps().map_or(0, Body::count);
        self.0.iter().map(|step| 1 + inside(step)).sum()
    }
    /// The same steps, for a callback, which outlives the step that posts it.
    pub(crate) fn share(&self) -> Self {
        Body(self.0.clone())
    }
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Vec::<Step>::deserialize(from).map(|steps| Body(steps.into()))
    }
}

impl Check for Body {
    fn declare(&self, cx: &mut Checker<'_>) {
        for (index, step) in self.0.iter().enumerate() {
            cx.within([Seg::Index(index), Seg::Key(step.action.name())], |cx| step.action.declare(cx));
        }
    }
    fn resolve(&mut self, cx: &mut Checker<'_>) {
        // Nobody else has it yet.
        let Some(steps) = Arc::get_mut(&mut self.0) else { return };
        for (index, step) in steps.iter_mut().enumerate() {
            cx.within([Seg::Index(index), Seg::Key(step.action.name())], |cx| {
                cx.step(|cx, place| {
                    step.place = place;
                    step.action.resolve(cx);
                });
            });
        }
    }
}

/// A body that has a namespace of its own: `self`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub(crate) struct SelfBody(pub(crate) Body);

impl Check for SelfBody {
    fn declare(&self, cx: &mut Checker<'_>) {
        self.0.declare(cx);
    }
    fn resolve(&mut self, cx: &mut Checker<'_>) {
        cx.with_self(true, |cx| self.0.resolve(cx));
    }
}

/// A body without `self`, wherever it is.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub(crate) struct CallbackBody(pub(crate) Body);

impl Check for CallbackBody {
    fn declare(&self, cx: &mut Checker<'_>) {
        self.0.declare(cx);
    }
    fn resolve(&mut self, cx: &mut Checker<'_>) {
        cx.with_self(false, |cx| self.0.resolve(cx));
    }
}

/// One step.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// Where it is in the scenario.
    pub(crate) place: u32,
    pub(crate) action: Action,
}

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct OneKey;
        impl<'de> Visitor<'de> for OneKey {
            type Value = Step;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a step: an object with one key")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Step, A::Error> {
                let mut action = None;
                while let Some(key) = map.next_key::<String>()? {
                    if key == "note" || key == "$schema" {
                        map.next_value::<Note>()?;
                    } else if action.is_some() && STEPS.contains(&key.as_str()) {
                        return Err(A::Error::custom(format_args!("second step `{key}` in one object")));
                    } else {
                        action = Some(Action::read(&key, &mut map)?);
                    }
                }
                match action {
                    Some(action) => Ok(Step { place: 0, action }),
                    None => Err(A::Error::custom("missing step: the object has no key")),
                }
            }
        }
        from.deserialize_map(OneKey)
    }
}
