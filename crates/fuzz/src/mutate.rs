// SPDX-License-Identifier: GPL-2.0-only
//! Changes files: bytes, and what the bytes mean.

use serde_json::{Number, Value, json};

use crate::dice::Dice;

/// Texts that have a meaning somewhere, and numbers at the ends of their types.
const WORDS: &[&str] = &[
    "null",
    "true",
    "0",
    "-1",
    "1e400",
    "-0",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "18446744073709551615",
    "4294967295",
    "2147483648",
    "65536",
    "1.5",
    "\"\"",
    "\"self\"",
    "\"init_net\"",
    "[]",
    "{}",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\"\u{1f427}\"",
    ",",
    ":",
    "[[",
    "{\"",
    "\"note\":7,",
    "\u{feff}",
    "\r\n",
];

/// A file that is made of others: of the first ones as often as of what was learnt since.
pub(crate) fn mutate(shipped: &[Vec<u8>], learnt: &[Vec<u8>], dice: &mut Dice<'_>) -> Vec<u8> {
    let mut pick = || {
        let from = if dice.one_in(2) && !learnt.is_empty() { learnt } else { shipped };
        from.get(dice.below(from.len()))
    };
    let (Some(text), Some(other)) = (pick(), pick()) else { return Vec::new() };
    let mut text = text.clone();
    if !dice.one_in(3)
        && let (Ok(mut tree), Ok(other)) = (serde_json::from_slice(&text), serde_json::from_slice(other))
    {
        for _ in 0..=dice.below(4) {
            change_tree(&mut tree, &other, dice);
        }
        text = serde_json::to_vec_pretty(&tree).unwrap_or_default();
        if !dice.one_in(4) {
            return text;
        }
    }
    for _ in 0..=dice.below(6) {
        change_bytes(&mut text, other, dice);
    }
    text
}

fn change_bytes(text: &mut Vec<u8>, other: &[u8], dice: &mut Dice<'_>) {
    let at = dice.below(text.len() + 1);
    let most = [2, 8, 64, 4096][dice.below(4)];
    let end = (at + dice.below(most)).min(text.len());
    match dice.below(7) {
        0 if at < text.len() => text[at] ^= 1 << dice.below(8),
        1 if at < text.len() => text[at] = u8::try_from(dice.below(256)).unwrap_or(0),
        2 => drop(text.drain(at..end)),
        3 => {
            let copy = text[at..end].to_vec();
            text.splice(at..at, copy);
        }
        4 => {
            let from = dice.below(other.len() + 1);
            let to = (from + dice.below(200)).min(other.len());
            text.splice(at..end, other[from..to].iter().copied());
        }
        5 => text.truncate(at),
        _ => {
            let word = dice.pick(WORDS).unwrap_or_default();
            // In the place of a number or a word, if there is one.
            let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
            let start = text[at..].iter().position(is_word).map_or(at, |skip| at + skip);
            let end = text[start..].iter().position(|byte| !is_word(byte)).map_or(text.len(), |n| start + n);
            text.splice(start..end, word.bytes());
        }
    }
}

/// Changes one value somewhere in a tree.
fn change_tree(tree: &mut Value, other: &Value, dice: &mut Dice<'_>) {
    let same = if dice.one_in(3) { some_scalar(other, dice) } else { None };
    let Some(place) = pick_value(tree, dice) else { return };
    if let Some(same) = same {
        // What has a meaning elsewhere, and the right type here: nothing but its meaning can be wrong.
        let scalar = pick_scalar(place, dice);
        if let Some(scalar) = scalar
            && std::mem::discriminant(&*scalar) == std::mem::discriminant(&same)
        {
            *scalar = same;
        }
        return;
    }
    match dice.below(7) {
        0 => *place = number(dice),
        1 | 2 => {
            // Only what is of the same type has a chance to be valid there.
            for _ in 0..20 {
                let mut donor = other.clone();
                if let Some(value) = pick_value(&mut donor, dice)
                    && std::mem::discriminant(&*value) == std::mem::discriminant(&*place)
                {
                    *place = value.take();
                    return;
                }
            }
        }
        3 => match place {
            Value::Array(list) if !list.is_empty() => {
                let (from, to) = (dice.below(list.len()), dice.below(list.len() + 1));
                let copy = list[from].clone();
                list.insert(to, copy);
            }
            Value::Number(_) => *place = number(dice),
            Value::Bool(value) => *value = !*value,
            _ => {}
        },
        4 => match place {
            Value::Array(list) if !list.is_empty() => drop(list.remove(dice.below(list.len()))),
            Value::Object(object) => {
                let keys: Vec<String> = object.keys().cloned().collect();
                object.remove(&keys.get(dice.below(keys.len())).cloned().unwrap_or_default());
            }
            _ => *place = json!(null),
        },
        5 => match place {
            Value::Array(list) if list.len() > 1 => {
                let (a, b) = (dice.below(list.len()), dice.below(list.len()));
                list.swap(a, b);
            }
            Value::String(text) if !text.is_empty() => {
                text.truncate(text.floor_char_boundary(dice.below(text.len())));
            }
            Value::Number(_) => *place = number(dice),
            _ => {}
        },
        _ => {
            let word = dice.pick(WORDS).unwrap_or_default();
            *place = serde_json::from_str(word).unwrap_or_else(|_| json!(word));
        }
    }
}

fn number(dice: &mut Dice<'_>) -> Value {
    match dice.below(6) {
        0 => json!(dice.seed()),
        1 => Number::from_f64(1e300).map_or(Value::Null, Value::Number),
        2 => json!(dice.number(i64::MIN, i64::MAX)),
        3 => json!(dice.number(i64::from(i32::MIN), i64::from(i32::MAX))),
        _ => json!(dice.number(0, 2000)),
    }
}

/// A string, a number or a truth value somewhere in a tree.
fn pick_scalar<'t>(tree: &'t mut Value, dice: &mut Dice<'_>) -> Option<&'t mut Value> {
    match tree {
        Value::Array(list) => {
            let at = dice.below(list.len());
            list.get_mut(at).and_then(|value| pick_scalar(value, dice))
        }
        Value::Object(object) => {
            let at = dice.below(object.len());
            object.values_mut().nth(at).and_then(|value| pick_scalar(value, dice))
        }
        scalar => Some(scalar),
    }
}

fn some_scalar(tree: &Value, dice: &mut Dice<'_>) -> Option<Value> {
    pick_scalar(&mut tree.clone(), dice).map(|scalar| scalar.take())
}

/// Any value in a tree, all with about the same probability on their level.
fn pick_value<'t>(tree: &'t mut Value, dice: &mut Dice<'_>) -> Option<&'t mut Value> {
    let n = match tree {
        Value::Array(list) => list.len(),
        Value::Object(object) => object.len(),
        _ => 0,
    };
    if n == 0 || dice.one_in(6) {
        return Some(tree);
    }
    let at = dice.below(n);
    match tree {
        Value::Array(list) => list.get_mut(at).and_then(|value| pick_value(value, dice)),
        Value::Object(object) => object.values_mut().nth(at).and_then(|value| pick_value(value, dice)),
        _ => None,
    }
}
