// SPDX-License-Identifier: GPL-2.0-only
//! Virtual time, as a number or with a unit.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, Unexpected, Visitor},
};

use crate::values::Check;

/// The longest time that may pass at once: an hour.
pub(crate) const MAX_TIME: u64 = 3_600_000_000_000;

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
                f.write_str("a time of an hour at most, like 7 or \"10ms\" (ns, us, ms, s),")
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
