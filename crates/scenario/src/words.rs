// SPDX-License-Identifier: GPL-2.0-only
//! Fields of steps that take words, or bytes.

use kernel::Gfp;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{check::Checker, values::Check};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
        #[serde(rename_all = "snake_case")]
        #[schemars(inline)]
        pub(crate) enum $name { $($(#[$variant_doc])* $variant,)* }
        impl Check for $name {}
    };
}

words! {
    /// What `copy_net_ns` is asked for.
    CloneFlags {
        /// A new namespace.
        #[default]
        Newnet,
        /// Another reference to the old one.
        None,
    }
}
words! {
    /// What `open` opens.
    FileKind {
        /// `/proc/PID/ns/net`
        #[default]
        Net,
        /// `/proc/PID/ns/uts`
        Uts,
        /// An ordinary file.
        Plain,
    }
}
words! {
    /// What `setns` takes.
    SetnsType {
        /// A network namespace.
        Net,
        /// A namespace of another kind.
        Uts,
        /// Any namespace.
        #[default]
        Any,
    }
}

words! {
    /// What a lookup does with what it has found.
    Access {
        /// Reads its first word.
        #[default]
        Read,
        /// Writes it.
        Write,
        /// Nothing.
        None,
    }
}
words! {
    /// Whether an allocation may sleep.
    GfpText {
        /// `GFP_KERNEL`
        #[default]
        Kernel,
        /// `GFP_ATOMIC`
        Atomic,
    }
}

impl GfpText {
    pub(crate) fn flags(self) -> Gfp {
        match self {
            GfpText::Kernel => Gfp::Kernel,
            GfpText::Atomic => Gfp::Atomic,
        }
    }
}

/// A kind of allocations.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct AllocKind(pub(crate) Box<str>);

impl AllocKind {
    /// For the kernel: none for all.
    pub(crate) fn kind(&self) -> Option<&str> {
        (&*self.0 != "any").then_some(&*self.0)
    }
}

impl Check for AllocKind {
    fn resolve(&mut self, cx: &mut Checker<'_>) {
        cx.check_alloc_kind(&self.0);
    }
}

/// The function that an allocation is made in, or in what it calls.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct InFunction(pub(crate) Box<str>);

impl Check for InFunction {
    fn resolve(&mut self, cx: &mut Checker<'_>) {
        cx.watches_calls = true;
        cx.check_function(&self.0);
    }
}

/// Bytes, in hexadecimal digits.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct Hex(Box<str>);

impl Hex {
    /// The bytes, if it is that.
    pub(crate) fn bytes(&self) -> Option<Vec<u8>> {
        let digits: Vec<u8> = self
            .0
            .chars()
            .filter(|c| !c.is_ascii_whitespace())
            .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
            .collect::<Option<_>>()?;
        digits.len().is_multiple_of(2).then(|| digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
    }
}

impl Check for Hex {
    fn resolve(&mut self, cx: &mut Checker<'_>) {
        if self.bytes().is_none() {
            cx.bad_hex();
        }
    }
}
