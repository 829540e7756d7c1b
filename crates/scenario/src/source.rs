// SPDX-License-Identifier: GPL-2.0-only
//! The text of a scenario, and places in it.

use std::ops::Range;

use crate::diagnostic::{Diagnostic, Label};

/// The largest scenario, in bytes.
pub const MAX_BYTES: usize = 16 << 20;

/// The text of a scenario, with a name for people: the path of its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// The text.
    pub text: String,
}

/// A step into a JSON value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Seg {
    /// A member whose name the format gives.
    Key(&'static str),
    /// A member whose name the scenario gives.
    Name(String),
    /// An element.
    Index(usize),
}

/// Where a value is, and the key before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) key: Option<Range<usize>>,
    pub(crate) value: Range<usize>,
}

impl Source {
    /// The content of a file.
    ///
    /// # Errors
    ///
    /// A diagnostic if it is larger than [`MAX_BYTES`] or no UTF-8.
    pub fn from_bytes(name: &str, bytes: Vec<u8>) -> Result<Self, Diagnostic> {
        if bytes.len() > MAX_BYTES {
            return Err(too_large(name, bytes.len() as u64));
        }
        String::from_utf8(bytes).map(|text| Source { name: name.to_owned(), text }).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            let bytes = error.into_bytes();
            let good = String::from_utf8_lossy(&bytes[..at]);
            let (line, column) = line_and_column(&good, good.len());
            let byte = bytes.get(at).copied().unwrap_or_default();
            Diagnostic::new("S001", format!("the file is not UTF-8: byte 0x{byte:02x} at offset {at}"))
                .at(name, line, column)
                .help("a scenario is JSON text, encoded as UTF-8")
        })
    }
    /// The line and the column, in characters, of a byte; both from 1.
    pub fn line_and_column(&self, byte: usize) -> (usize, usize) {
        line_and_column(&self.text, byte)
    }
    pub(crate) fn byte_at(&self, line: usize, column: usize) -> usize {
        let mut start = 0;
        for _ in 1..line {
            match self.text[start..].find('\n') {
                Some(end) => start += end + 1,
                None => break,
            }
        }
        // serde_json counts columns in bytes, from 1, and 0 for the line end before.
        let mut byte = (start + column.saturating_sub(1)).min(self.text.len());
        while !self.text.is_char_boundary(byte) {
            byte -= 1;
        }
        byte
    }
    /// Where the value at `path` is.
    pub(crate) fn locate<'p>(&self, path: impl IntoIterator<Item = &'p Seg>) -> Option<Place> {
        let mut at = Cursor { text: self.text.as_bytes(), byte: 0 };
        at.space();
        let mut key = None;
        for seg in path {
            match seg {
                Seg::Key(name) => key = Some(at.member(name)?),
                Seg::Name(name) => key = Some(at.member(name)?),
                Seg::Index(index) => {
                    at.element(*index)?;
                    key = None;
                }
            }
        }
        let start = at.byte;
        at.skip()?;
        Some(Place { key, value: start..at.byte })
    }
    /// Where the value ends of the member whose key begins at a byte.
    pub(crate) fn end_of_member(&self, key: usize) -> Option<usize> {
        let mut at = Cursor { text: self.text.as_bytes(), byte: key };
        at.string()?;
        at.space();
        at.take(b':')?;
        at.space();
        at.skip()?;
        Some(at.byte)
    }
    /// A label on the key at `path` or, for an element of a list, on the value.
    pub(crate) fn label_key(&self, path: &[Seg], text: impl Into<String>) -> Option<Label> {
        let place = self.locate(path)?;
        let span = place.key.unwrap_or(place.value);
        Some(Label { span: self.first_line(span), text: text.into() })
    }
    /// A label on the value at `path`.
    pub(crate) fn label(&self, path: &[Seg], text: impl Into<String>) -> Option<Label> {
        let place = self.locate(path)?;
        Some(Label { span: self.first_line(place.value), text: text.into() })
    }
    /// As much of a span as is on its first line.
    pub(crate) fn first_line(&self, span: Range<usize>) -> Range<usize> {
        let len = self.text[span.clone()].find('\n').unwrap_or(span.len());
        span.start..span.start + self.text[span.start..span.start + len].trim_end().len().max(len.min(1))
    }
}

pub(crate) fn too_large(name: &str, bytes: u64) -> Diagnostic {
    Diagnostic::new("S002", format!("the file has {bytes} bytes; a scenario has at most {MAX_BYTES}"))
        .at(name, 1, 1)
        .help("let `loop` repeat what repeats")
}

fn line_and_column(text: &str, byte: usize) -> (usize, usize) {
    let before = &text.as_bytes()[..byte.min(text.len())];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    // Of every character, only the first byte is no continuation.
    let column = before[start..].iter().filter(|byte| **byte & 0xC0 != 0x80).count() + 1;
    (line, column)
}

/// Goes through JSON text. It may be no JSON: then there is no place.
#[derive(Debug)]
struct Cursor<'t> {
    text: &'t [u8],
    byte: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.byte).copied()
    }
    fn space(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.byte += 1;
        }
    }
    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.byte += 1)
    }
    /// To the value of the member `name` of the object here; where its key is.
    fn member(&mut self, name: &str) -> Option<Range<usize>> {
        self.take(b'{')?;
        loop {
            self.space();
            let start = self.byte;
            self.string()?;
            let key = start..self.byte;
            self.space();
            self.take(b':')?;
            self.space();
            let text: Option<String> = serde_json::from_slice(self.text.get(key.clone())?).ok();
            if text.as_deref() == Some(name) {
                return Some(key);
            }
            self.skip()?;
            self.space();
            self.take(b',')?;
        }
    }
    /// To an element of the list here.
    fn element(&mut self, index: usize) -> Option<()> {
        self.take(b'[')?;
        self.space();
        for _ in 0..index {
            self.skip()?;
            self.space();
            self.take(b',')?;
            self.space();
        }
        Some(())
    }
    fn string(&mut self) -> Option<()> {
        self.take(b'"')?;
        loop {
            match self.peek()? {
                b'"' => {
                    self.byte += 1;
                    return Some(());
                }
                b'\\' => self.byte += 2,
                _ => self.byte += 1,
            }
        }
    }
    /// Behind the value here.
    fn skip(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.peek()? {
                b'"' => self.string()?,
                b'{' | b'[' => {
                    depth += 1;
                    self.byte += 1;
                }
                b'}' | b']' => {
                    depth = depth.checked_sub(1)?;
                    self.byte += 1;
                }
                byte if byte.is_ascii_whitespace() || byte == b',' || byte == b':' => self.byte += 1,
                _ => {
                    let rest = &self.text[self.byte..];
                    let ends = |byte: &u8| b",:]}\"".contains(byte) || byte.is_ascii_whitespace();
                    self.byte += rest.iter().position(ends).unwrap_or(rest.len()).max(1);
                }
            }
            if depth == 0 {
                return Some(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at<'t>(text: &'t str, path: &[Seg]) -> Option<&'t str> {
        let source = Source { name: String::new(), text: text.to_owned() };
        source.locate(path).map(|place| &text[place.value])
    }

    #[test]
    fn values_by_path() {
        let text = r#" { "a\"": [1, {"b": "]", "c" : [ ] }, -2.5e3 ], "d":null}"#;
        let a = || Seg::Name("a\"".to_owned());
        assert_eq!(at(text, &[a(), Seg::Index(0)]), Some("1"));
        assert_eq!(at(text, &[a(), Seg::Index(1), Seg::Key("c")]), Some("[ ]"));
        assert_eq!(at(text, &[a(), Seg::Index(2)]), Some("-2.5e3"));
        assert_eq!(at(text, &[Seg::Key("d")]), Some("null"));
        for none in [&[Seg::Key("e")][..], &[a(), Seg::Index(3)], &[Seg::Index(0)]] {
            assert_eq!(at(text, none), None);
        }
    }

    #[test]
    fn lines_and_columns_count_characters() {
        let source = Source { name: String::new(), text: "é\nüx\n".to_owned() };
        assert_eq!(source.line_and_column(5), (2, 2));
        assert_eq!(source.line_and_column(99), (3, 1));
        assert_eq!(source.byte_at(2, 3), 5);
    }
}
