// SPDX-License-Identifier: GPL-2.0-only
//! The printed table of the port.

/// A row: one C item.
#[derive(Debug, PartialEq)]
pub(crate) struct Row {
    /// The C file: rows of one file stand together.
    pub(crate) file: &'static str,
    /// Name, line, Rust item, scenarios.
    pub(crate) c_name: &'static str,
    pub(crate) line: String,
    pub(crate) rust: String,
    pub(crate) scenarios: String,
    pub(crate) deviation: Option<String>,
}

const HEAD: [&str; 5] = ["C item", "line", "Rust item", "deviation", "scenarios"];
const NOTE_COLUMNS: usize = 110;

/// Aligned columns, a heading for each C file, and the deviations as numbered notes below.
pub(crate) fn render(rows: &[Row]) -> String {
    let mut notes: Vec<&str> = Vec::new();
    let mut cells: Vec<[String; 5]> = vec![HEAD.map(str::to_owned)];
    for row in rows {
        let note = row.deviation.as_deref().map(|text| {
            let known = notes.iter().position(|note| *note == text);
            let index = known.unwrap_or_else(|| {
                notes.push(text);
                notes.len() - 1
            });
            format!("[{}]", index + 1)
        });
        let note = note.unwrap_or_else(|| "-".into());
        cells.push([row.c_name.into(), row.line.clone(), row.rust.clone(), note, row.scenarios.clone()]);
    }
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let [name, line, rust, note] = [0, 1, 2, 3].map(width);

    let mut text = String::new();
    let mut file = "";
    for (i, [a, b, c, d, e]) in cells.iter().enumerate() {
        if let Some(row) = i.checked_sub(1).and_then(|i| rows.get(i))
            && row.file != file
        {
            file = row.file;
            text += &format!("\n{file}\n");
        }
        text += format!("  {a:name$}  {b:>line$}  {c:rust$}  {d:note$}  {e}").trim_end();
        text.push('\n');
    }
    if !notes.is_empty() {
        text += "\nDeviations\n";
    }
    for (number, note) in (1..).zip(notes) {
        text += &wrapped(&format!("  {:5}", format!("[{number}]")), note);
    }
    text
}

/// A text in lines, the later ones as far in as the first.
fn wrapped(first: &str, text: &str) -> String {
    let mut lines = vec![first.to_owned()];
    for word in text.split_whitespace() {
        let last = lines.last().map_or(0, |line| line.chars().count());
        if last > first.len() && last + 1 + word.chars().count() > NOTE_COLUMNS {
            lines.push(" ".repeat(first.len()));
        }
        if let Some(line) = lines.last_mut() {
            if line.len() > first.len() {
                line.push(' ');
            }
            *line += word;
        }
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(file: &'static str, c_name: &'static str, deviation: Option<&str>) -> Row {
        let (line, rust) = ("51".into(), format!("a.rs::{c_name}"));
        Row { file, c_name, line, rust, scenarios: "1: boot".into(), deviation: deviation.map(str::to_owned) }
    }

    #[test]
    fn columns_headings_and_notes() {
        let rows = [
            row("a.c", "net_alloc", None),
            row("a.c", "f", Some("no slab")),
            row("a.h", "g", Some("no slab")),
        ];
        let expected = "  \
  C item     line  Rust item        deviation  scenarios

a.c
  net_alloc    51  a.rs::net_alloc  -          1: boot
  f            51  a.rs::f          [1]        1: boot

a.h
  g            51  a.rs::g          [1]        1: boot

Deviations
  [1]  no slab
";
        assert_eq!(render(&rows), expected);
    }

    #[test]
    fn long_notes_are_wrapped() {
        let note = "word ".repeat(40);
        let text = wrapped("  [1]  ", note.trim());
        assert_eq!(text.lines().count(), 2);
        assert!(text.lines().all(|line| line.len() <= NOTE_COLUMNS), "{text}");
        assert!(text.lines().nth(1).is_some_and(|line| line.starts_with("       word")), "{text}");
    }
}
