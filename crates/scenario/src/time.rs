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
                parsed.ok_or_else(|| match in_seconds(text) {
                    Some(seconds) => E::invalid_value(Unexpected::Str(text), &seconds.as_str()),
                    None => E::invalid_value(Unexpected::Str(text), &self),
                })
            }
        }
        from.deserialize_any(NumberOrText)
    }
}

/// `31.024 ms`
pub(crate) fn in_ms(time: u64) -> String {
    format!("{}.{:03} ms", time / 1_000_000, time / 1000 % 1000)
}

/// What to write instead of hours and minutes, which a time has no unit for.
fn in_seconds(text: &str) -> Option<String> {
    let minutes = text.strip_suffix("min").or_else(|| text.strip_suffix('m'));
    let (number, unit) = match minutes {
        Some(number) => (number, 60),
        None => (text.strip_suffix('h')?, 3600),
    };
    let seconds = number.trim_end().parse::<u64>().ok()?.checked_mul(unit)?;
    (seconds <= MAX_TIME / 1_000_000_000).then(|| format!("a time in ns, us, ms or s, like \"{seconds}s\","))
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
    use super::{in_seconds, nanoseconds};

    #[test]
    fn times() {
        assert_eq!(nanoseconds("10ms"), Some(10_000_000));
        assert_eq!(nanoseconds("7ns"), Some(7));
        for bad in ["", "10", "ms", "1.5s", "10 ms", "-1s", "99999999999999999999s", "99999999999s9"] {
            assert_eq!(nanoseconds(bad), None, "{bad}");
        }
    }

    #[test]
    fn hours_and_minutes() {
        for (text, seconds) in [("1h", "\"3600s\""), ("5m", "\"300s\""), ("2 min", "\"120s\"")] {
            assert!(in_seconds(text).is_some_and(|text| text.contains(seconds)), "{text}");
        }
        for bad in ["2h", "10 ms", "h", "1.5h", "61m"] {
            assert_eq!(in_seconds(bad), None, "{bad}");
        }
    }
}
