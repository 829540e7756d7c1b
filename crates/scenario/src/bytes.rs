// SPDX-License-Identifier: GPL-2.0-only
//! Fields whose strings have a form of their own: kinds of allocations, bytes, times.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, Unexpected, Visitor},
};

use crate::{check::Checker, values::Check};

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

/// The longest time that may pass at once: an hour.
const MAX_TIME: u64 = 3_600_000_000_000;

/// Virtual nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Time(pub(crate) u64);

impl Check for Time {}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct NumberOrText;
        impl Visitor<'_> for NumberOrText {
            type Value = Time;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("nanoseconds, or a time like \"10ms\" (ns, us, ms, s), an hour at most")
            }
            fn visit_u64<E: Error>(self, n: u64) -> Result<Time, E> {
                let fits = n <= MAX_TIME;
                if fits { Ok(Time(n)) } else { Err(E::invalid_value(Unexpected::Unsigned(n), &self)) }
            }
            fn visit_i64<E: Error>(self, n: i64) -> Result<Time, E> {
                match u64::try_from(n) {
                    Ok(n) => self.visit_u64(n),
                    Err(_) => Err(E::invalid_value(Unexpected::Signed(n), &self)),
                }
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Time, E> {
                let parsed = nanoseconds(text).filter(|n| *n <= MAX_TIME).map(Time);
                parsed.ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
            }
        }
        from.deserialize_any(NumberOrText)
    }
}

/// A number and its unit.
fn nanoseconds(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(end);
    let unit = match unit {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::nanoseconds;

    #[test]
    fn times() {
        assert_eq!(nanoseconds("10ms"), Some(10_000_000));
        assert_eq!(nanoseconds("7ns"), Some(7));
        for bad in ["", "10", "ms", "1.5s", "10 ms", "-1s", "99999999999999999999s", "99999999999s9"] {
            assert_eq!(nanoseconds(bad), None, "{bad}");
        }
    }
}
