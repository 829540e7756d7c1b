// SPDX-License-Identifier: GPL-2.0-only
//! Names of kernel functions, tracepoints and tasks.

use std::collections::BTreeMap;

/// A kernel function. Made by [`function!`](crate::function).
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name in C.
    pub name: &'static str,
    /// What stands for it in a trace hash.
    pub hash: u64,
}

/// Something that kernel code tells whoever watches; include/trace/events. Made by
/// [`tracepoint!`](crate::tracepoint).
#[derive(Debug, PartialEq, Eq)]
pub struct Tracepoint {
    /// Its name.
    pub name: &'static str,
    /// The names of its two arguments; empty if there are fewer.
    pub args: [&'static str; 2],
    /// What stands for it in a trace hash.
    pub hash: u64,
}

impl Tracepoint {
    /// Whether it says that a list is corrupted: a checker makes a finding of it.
    pub fn is_list_corruption(&self) -> bool {
        self.name.starts_with("list_")
    }
}

/// FNV-1a, for names in trace hashes.
pub const fn name_hash(name: &str) -> u64 {
    let bytes = name.as_bytes();
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut i = 0;
    while i < bytes.len() {
        hash = (hash ^ bytes[i] as u64).wrapping_mul(0x100_0000_01b3);
        i += 1;
    }
    hash
}

/// The [`Function`] of this name.
#[macro_export]
macro_rules! function {
    ($name:literal) => {{
        static FUNCTION: $crate::Function = $crate::Function { name: $name, hash: $crate::name_hash($name) };
        &FUNCTION
    }};
}

/// Declares a [`Tracepoint`]: its name and the names of its arguments.
#[macro_export]
macro_rules! tracepoint {
    ($(#[$doc:meta])* $vis:vis $ident:ident, $name:literal, [$first:literal, $second:literal]) => {
        $(#[$doc])*
        $vis static $ident: $crate::Tracepoint = $crate::Tracepoint {
            name: $name,
            args: [$first, $second],
            hash: $crate::name_hash($name),
        };
    };
}

tracepoint! {
    /// Whoever drives the kernel begins with something of its own, by its number from 1, or ends it: 0. Said so that
    /// reports can tell where the task was when something was found.
    pub STEP, "step", ["number", ""]
}

/// A name made at run time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol(pub u32);

/// All of them.
#[derive(Debug, Default)]
pub struct Symbols {
    names: Vec<String>,
    by_name: BTreeMap<String, Symbol>,
}

impl Symbols {
    /// The symbol of a name.
    pub fn intern(&mut self, name: &str) -> Symbol {
        if let Some(&symbol) = self.by_name.get(name) {
            return symbol;
        }
        let symbol = Symbol(u32::try_from(self.names.len()).expect("fewer names than memory holds"));
        self.names.push(name.to_owned());
        self.by_name.insert(name.to_owned(), symbol);
        symbol
    }
    /// The name of a symbol.
    pub fn name(&self, symbol: Symbol) -> &str {
        &self.names[symbol.0 as usize]
    }
}
