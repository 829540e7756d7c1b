// SPDX-License-Identifier: GPL-2.0-only
//! Changes schedules: each is replayed, or refused with a message.

use crate::dice::Dice;

/// Items that mean something, or almost.
const ITEMS: &[&str] = &[
    "main",
    "main*1",
    "kworker/netns",
    "kworker/netns*3",
    "rcuc/0",
    "rcuc/1023",
    "nobody",
    "two words",
    "*3",
    "main*0",
    "main*-1",
    "main*18446744073709551615",
    "main*18446744073709551616",
    "main until",
    "main until ",
    "main until put_net",
    "main until put_net#0",
    "main until put_net#99999",
    "main until \u{e9}",
    "\u{1f427}*2",
    "main#2",
    "main * 2",
    "",
    " ",
    "kworker/netns until cleanup_net",
    "main until rcu_read#2",
];

/// Another schedule.
pub(crate) fn mutate(recorded: &str, dice: &mut Dice<'_>) -> String {
    let mut items: Vec<String> = recorded.split(',').map(|item| item.trim().to_owned()).collect();
    for _ in 0..=dice.below(5) {
        let at = dice.below(items.len());
        let Some(item) = items.get_mut(at) else { break };
        match dice.below(9) {
            0 => drop(items.remove(at)),
            1 => {
                let copy = item.clone();
                items.insert(at, copy);
            }
            2 => {
                let to = dice.below(items.len());
                items.swap(at, to);
            }
            3 => items.truncate(at),
            4 | 5 => {
                // Fewer operations, or more.
                if let Some((task, n)) = item.split_once('*') {
                    let n: u64 = n.parse().unwrap_or(1);
                    let n = match dice.below(4) {
                        0 => n.saturating_sub(1),
                        1 => n.saturating_add(1),
                        2 => n / 2,
                        _ => dice.seed(),
                    };
                    *item = format!("{task}*{n}");
                }
            }
            6 => {
                let functions = scenario::FUNCTIONS;
                let function = dice.pick(functions).unwrap_or("put_net");
                let task = item.split('*').next().unwrap_or_default().to_owned();
                *item = format!("{task} until {function}#{}", 1 + dice.below(3));
            }
            7 => *item = item.split('*').next().unwrap_or_default().to_owned(),
            _ => *item = dice.pick(ITEMS).unwrap_or_default().to_owned(),
        }
    }
    let separator = dice.pick(&[", ", ",", "\n", ";", " , "]).unwrap_or(", ");
    let mut text = items.join(separator);
    if dice.one_in(10) {
        let mut bytes = text.into_bytes();
        if !bytes.is_empty() {
            let at = dice.below(bytes.len());
            bytes[at] ^= 1 << dice.below(8);
        }
        text = String::from_utf8_lossy(&bytes).into_owned();
    }
    text
}
