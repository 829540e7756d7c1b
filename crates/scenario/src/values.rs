// SPDX-License-Identifier: GPL-2.0-only
//! The types of the fields of steps: how each is read, and what must be true of it.

use std::{fmt, marker::PhantomData};

use kernel::Errno;
use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Unexpected, Visitor, value::MapAccessDeserializer},
};

use crate::check::{Checker, Kind};

/// What a field takes part in when a scenario is checked.
pub(crate) trait Check {
    /// Says what it declares.
    fn declare(&self, _: &mut Checker<'_>) {}
    /// Looks up what it refers to.
    fn resolve(&mut self, _: &mut Checker<'_>) {}
}

macro_rules! plain {
    ($($ty:ty),*) => { $(impl Check for $ty {})* };
}
plain!(bool, String, Note);

impl<T: Check> Check for Option<T> {
    fn declare(&self, cx: &mut Checker<'_>) {
        if let Some(inner) = self {
            inner.declare(cx);
        }
    }
    fn resolve(&mut self, cx: &mut Checker<'_>) {
        if let Some(inner) = self {
            inner.resolve(cx);
        }
    }
}

impl<T> Check for Vec<T> {}

/// Prose, and `$schema`: read, and forgotten.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Note;

impl<'de> Deserialize<'de> for Note {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Prose;
        impl Visitor<'_> for Prose {
            type Value = Note;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_str<E: Error>(self, _: &str) -> Result<Note, E> {
                Ok(Note)
            }
        }
        from.deserialize_str(Prose)
    }
}

/// A number in a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Number<const MIN: i64, const MAX: i64>(pub(crate) i64);

impl<const MIN: i64, const MAX: i64> Check for Number<MIN, MAX> {}

impl<const MIN: i64, const MAX: i64> Number<MIN, MAX> {
    pub(crate) fn usize(self) -> usize {
        usize::try_from(self.0).unwrap_or_default()
    }
    pub(crate) fn u32(self) -> u32 {
        u32::try_from(self.0).unwrap_or_default()
    }
    pub(crate) fn i32(self) -> i32 {
        i32::try_from(self.0).unwrap_or_default()
    }
    pub(crate) fn u64(self) -> u64 {
        u64::try_from(self.0).unwrap_or_default()
    }
}

impl<'de, const MIN: i64, const MAX: i64> Deserialize<'de> for Number<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct InRange<const MIN: i64, const MAX: i64>;
        impl<const MIN: i64, const MAX: i64> Visitor<'_> for InRange<MIN, MAX> {
            type Value = i64;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a whole number from {MIN} to {MAX}")
            }
            fn visit_i64<E: Error>(self, n: i64) -> Result<i64, E> {
                let fits = (MIN..=MAX).contains(&n);
                if fits { Ok(n) } else { Err(E::invalid_value(Unexpected::Signed(n), &self)) }
            }
            fn visit_u64<E: Error>(self, n: u64) -> Result<i64, E> {
                match i64::try_from(n) {
                    Ok(n) => self.visit_i64(n),
                    Err(_) => Err(E::invalid_value(Unexpected::Unsigned(n), &self)),
                }
            }
        }
        from.deserialize_i64(InRange::<MIN, MAX>).map(Number)
    }
}

/// A seed: any number of 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seed(pub(crate) u64);

impl<'de> Deserialize<'de> for Seed {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct AnyU64;
        impl Visitor<'_> for AnyU64 {
            type Value = Seed;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a whole number from 0 to {}", u64::MAX)
            }
            fn visit_u64<E: Error>(self, n: u64) -> Result<Seed, E> {
                Ok(Seed(n))
            }
            fn visit_i64<E: Error>(self, n: i64) -> Result<Seed, E> {
                u64::try_from(n).map(Seed).map_err(|_| E::invalid_value(Unexpected::Signed(n), &self))
            }
        }
        from.deserialize_u64(AnyU64)
    }
}

/// Any number that C's `int` holds.
pub(crate) type Int = Number<{ i32::MIN as i64 }, { i32::MAX as i64 }>;
/// Any number that C's `unsigned int` holds.
pub(crate) type UInt = Number<0, { u32::MAX as i64 }>;

/// A name that the scenario gives, and the number that stands for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) text: Box<str>,
    pub(crate) slot: u32,
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Name { text: text.into(), slot: 0 }
    }
}

impl Name {
    pub(crate) fn index(&self) -> usize {
        self.slot as usize
    }
}

/// Which names a field takes, and whether it declares them.
pub(crate) trait Role: fmt::Debug {
    /// Whether it declares the name.
    const DECLARES: bool;
    /// What the name is of.
    const KIND: Kind;
}

macro_rules! roles {
    ($($(#[$doc:meta])* $alias:ident = $wrap:ident<$role:ident>($declares:literal, $kind:ident);)*) => {$(
        #[derive(Clone, Copy, Debug)]
        pub(crate) struct $role;
        impl Role for $role {
            const DECLARES: bool = $declares;
            const KIND: Kind = Kind::$kind;
        }
        $(#[$doc])*
        pub(crate) type $alias = $wrap<$role>;
    )*};
}

roles! {
    /// A namespace.
    NetRef = Of<NetUse>(false, Net);
    /// The name of a new binding of a namespace.
    NetName = Of<NetBinding>(true, Net);
    /// An id, or a binding of one.
    IdArg = Or<NumberUse>(false, Number);
    /// The name of a new binding of a number.
    NumberName = Of<NumberBinding>(true, Number);
    /// A file descriptor, or a binding of one.
    FdArg = Or<FdUse>(false, Fd);
    /// The name of a new binding of a file descriptor.
    FdName = Of<FdBinding>(true, Fd);
    /// A binding of a netlink socket.
    SocketRef = Of<SocketUse>(false, Socket);
    /// The name of a new binding of a netlink socket.
    SocketName = Of<SocketBinding>(true, Socket);
    /// A process: its number, a task, or what `clone` made.
    PidArg = Or<PidUse>(false, Pid);
    /// The name of a new process.
    PidName = Of<PidBinding>(true, Pid);
    /// A task of the scenario.
    TaskRef = Of<TaskUse>(false, Task);
    /// Pernet operations.
    OpsRef = Of<OpsUse>(false, Ops);
    /// A user namespace.
    UserNsRef = Of<UserNsUse>(false, UserNs);
    /// An object that someone allocates or looks up.
    ObjectRef = Of<ObjectUse>(false, Object);
    /// The name of a new binding of an object.
    ObjectName = Of<ObjectBinding>(true, Object);
    /// A module.
    ModuleRef = Of<ModuleUse>(false, Module);
    /// A barrier.
    BarrierName = Of<BarrierBinding>(true, Barrier);
    /// A completion that someone completes.
    CompletionRef = Of<CompletionUse>(false, Completion);
    /// A completion.
    CompletionName = Of<CompletionBinding>(true, Completion);
}

/// A name in a role.
#[derive(Clone, Debug)]
pub(crate) struct Of<R> {
    pub(crate) name: Name,
    role: PhantomData<R>,
}

impl<R> Of<R> {
    pub(crate) fn new(text: &str) -> Self {
        Of { name: text.into(), role: PhantomData }
    }
}

impl<'de, R> Deserialize<'de> for Of<R> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct AName;
        impl Visitor<'_> for AName {
            type Value = Name;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Name, E> {
                Ok(text.into())
            }
        }
        from.deserialize_str(AName).map(|name| Of { name, role: PhantomData })
    }
}

impl<R: Role> Check for Of<R> {
    fn declare(&self, cx: &mut Checker<'_>) {
        if R::DECLARES {
            cx.declare(R::KIND, &self.name.text);
        }
    }
    fn resolve(&mut self, cx: &mut Checker<'_>) {
        self.name.slot = match R::DECLARES {
            true => cx.slot(R::KIND, &self.name.text).unwrap_or(0),
            false => cx.resolve(R::KIND, &self.name.text),
        };
    }
}

/// A number, or a name bound to one.
#[derive(Clone, Debug)]
pub(crate) enum Or<R> {
    Number(i32),
    Name(Of<R>),
}

impl<'de, R> Deserialize<'de> for Or<R> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either<R>(PhantomData<R>);
        impl<R> Visitor<'_> for Either<R> {
            type Value = Or<R>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number that C's int holds, or a name")
            }
            fn visit_i64<E: Error>(self, n: i64) -> Result<Or<R>, E> {
                i32::try_from(n).map(Or::Number).map_err(|_| E::invalid_value(Unexpected::Signed(n), &self))
            }
            fn visit_u64<E: Error>(self, n: u64) -> Result<Or<R>, E> {
                i32::try_from(n).map(Or::Number).map_err(|_| E::invalid_value(Unexpected::Unsigned(n), &self))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Or<R>, E> {
                Ok(Or::Name(Of::new(text)))
            }
        }
        from.deserialize_any(Either(PhantomData))
    }
}

impl<R: Role> Check for Or<R> {
    fn resolve(&mut self, cx: &mut Checker<'_>) {
        if let Or::Name(name) = self {
            name.resolve(cx);
        }
    }
}

/// What a step is expected to give.
#[derive(Clone, Debug, Default)]
pub(crate) enum Expected {
    /// Anything.
    #[default]
    Any,
    Null,
    Bool(bool),
    Number(i64),
    /// The name of a namespace, or of an error.
    Text(Name),
    /// An error, negated as in C.
    Error(i32),
    /// A namespace by its binding.
    Net(Name),
}

/// What a step gives.
pub(crate) trait Gives: fmt::Debug {
    /// In words, for who expects something else.
    const WORDS: &'static str;
    /// Whether it can be this.
    fn can_be(expected: &Expected) -> bool;
}

macro_rules! gives {
    ($($name:ident = $pattern:pat => $words:literal;)*) => {$(
        #[derive(Clone, Copy, Debug)]
        pub(crate) struct $name;
        impl Gives for $name {
            const WORDS: &'static str = $words;
            fn can_be(expected: &Expected) -> bool {
                matches!(expected, $pattern)
            }
        }
    )*};
}

gives! {
    GivesNet = Expected::Any | Expected::Null | Expected::Bool(_) | Expected::Error(_) | Expected::Number(..0)
        | Expected::Net(_) => "true (a namespace), the name of a namespace, null, or an error: `\"-ENOMEM\"`";
    GivesNumber = Expected::Any | Expected::Number(_) | Expected::Error(_)
        => "a number, or an error: `\"-ENOMEM\"`";
    GivesBool = Expected::Any | Expected::Bool(_) => "true or false";
    GivesData = Expected::Any | Expected::Bool(_) | Expected::Null => "true (there is data) or null";
    GivesAnything = _ => "a number, an error, true, null, or the name of a namespace";
}

/// What a step that gives `G` is expected to give.
#[derive(Clone, Debug)]
pub(crate) struct Expect<G> {
    pub(crate) value: Expected,
    gives: PhantomData<G>,
}

impl<G> Default for Expect<G> {
    fn default() -> Self {
        Expect { value: Expected::Any, gives: PhantomData }
    }
}

impl<'de, G> Deserialize<'de> for Expect<G> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Value;
        impl Visitor<'_> for Value {
            type Value = Expected;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, true, false, null, or a string")
            }
            fn visit_unit<E: Error>(self) -> Result<Expected, E> {
                Ok(Expected::Null)
            }
            fn visit_bool<E: Error>(self, value: bool) -> Result<Expected, E> {
                Ok(Expected::Bool(value))
            }
            fn visit_i64<E: Error>(self, n: i64) -> Result<Expected, E> {
                Ok(Expected::Number(n))
            }
            fn visit_u64<E: Error>(self, n: u64) -> Result<Expected, E> {
                let n = i64::try_from(n).map_err(|_| E::invalid_value(Unexpected::Unsigned(n), &self))?;
                Ok(Expected::Number(n))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Expected, E> {
                Ok(Expected::Text(text.into()))
            }
        }
        from.deserialize_any(Value).map(|value| Expect { value, gives: PhantomData })
    }
}

impl<G: Gives> Check for Expect<G> {
    fn resolve(&mut self, cx: &mut Checker<'_>) {
        if let Expected::Text(name) = &mut self.value {
            if let Some(error) = name.text.strip_prefix('-') {
                let Some(number) = errno(error) else { return cx.unknown_errno(error) };
                self.value = Expected::Error(-number);
            } else if G::can_be(&Expected::Net(name.clone())) {
                name.slot = cx.resolve(Kind::Net, &name.text);
                self.value = Expected::Net(name.clone());
            }
        }
        if !G::can_be(&self.value) {
            cx.impossible_expectation(G::WORDS);
        }
    }
}

/// All error numbers that the kernel of the model knows.
pub(crate) fn errnos() -> impl Iterator<Item = &'static str> {
    (1..=133).filter_map(|number| Errno(number).name())
}
pub(crate) fn errno(name: &str) -> Option<i32> {
    (1..=133).find(|number| Errno(*number).name() == Some(name))
}

/// How often an armed failure fires; none for ever.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times(pub(crate) Option<u64>);

impl Check for Times {}

impl Default for Times {
    fn default() -> Self {
        Times(Some(1))
    }
}

impl<'de> Deserialize<'de> for Times {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct NumberOrForEver;
        impl Visitor<'_> for NumberOrForEver {
            type Value = Times;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number from 1, or \"forever\"")
            }
            fn visit_u64<E: Error>(self, n: u64) -> Result<Times, E> {
                if n > 0 {
                    return Ok(Times(Some(n)));
                }
                Err(E::invalid_value(Unexpected::Unsigned(n), &self))
            }
            fn visit_i64<E: Error>(self, n: i64) -> Result<Times, E> {
                match u64::try_from(n) {
                    Ok(n) => self.visit_u64(n),
                    Err(_) => Err(E::invalid_value(Unexpected::Signed(n), &self)),
                }
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Times, E> {
                match text {
                    "forever" => Ok(Times(None)),
                    _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
                }
            }
        }
        from.deserialize_any(NumberOrForEver)
    }
}

/// One string or several.
#[derive(Clone, Debug)]
pub(crate) struct Lines(pub(crate) Vec<String>);

impl<'de> Deserialize<'de> for Lines {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct OneOrMore;
        impl<'de> Visitor<'de> for OneOrMore {
            type Value = Lines;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, or a list of strings")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Lines, E> {
                Ok(Lines(vec![text.to_owned()]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Lines, A::Error> {
                let mut lines = Vec::new();
                while let Some(line) = seq.next_element()? {
                    lines.push(line);
                }
                Ok(Lines(lines))
            }
        }
        from.deserialize_any(OneOrMore)
    }
}

/// How often something must happen: exactly so often, or from one number to another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Count {
    pub(crate) at_least: u64,
    pub(crate) at_most: Option<u64>,
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct NumberOrRange;
        impl<'de> Visitor<'de> for NumberOrRange {
            type Value = Count;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number from 0, or an object with `at_least` or `at_most`")
            }
            fn visit_u64<E: Error>(self, n: u64) -> Result<Count, E> {
                Ok(Count { at_least: n, at_most: Some(n) })
            }
            fn visit_i64<E: Error>(self, n: i64) -> Result<Count, E> {
                match u64::try_from(n) {
                    Ok(n) => self.visit_u64(n),
                    Err(_) => Err(E::invalid_value(Unexpected::Signed(n), &self)),
                }
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Count, A::Error> {
                let range = Range::deserialize(MapAccessDeserializer::new(map))?;
                let bound = |bound: Option<UInt>| bound.and_then(|n| u64::try_from(n.0).ok());
                Ok(Count { at_least: bound(range.at_least).unwrap_or(0), at_most: bound(range.at_most) })
            }
        }
        from.deserialize_any(NumberOrRange)
    }
}

/// How often something must happen, from one number to another.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "range")]
pub(crate) struct Range {
    /// At least so often; 0 if absent.
    at_least: Option<UInt>,
    /// At most so often; any number if absent.
    at_most: Option<UInt>,
    #[serde(default, rename = "note")]
    _note: Note,
}
