// SPDX-License-Identifier: GPL-2.0-only
//! All errors of a file at once: what is wrong in form is taken out of the text, and the rest is read again.
//!
//! What is taken out becomes blanks, so that all places stay where they are.

use std::{collections::BTreeSet, ops::Range};

use crate::{
    diagnostic::Diagnostic,
    read::{quoted, string_at},
    source::{Seg, Source},
    step::STEPS,
};

/// A text from which parts were taken out.
#[derive(Debug)]
pub(crate) struct Repair {
    pub(crate) source: Source,
    /// The strings in what was taken out: names that others may refer to.
    lost: BTreeSet<String>,
    /// Fields that were taken out, by where their object begins.
    fields: BTreeSet<(usize, String)>,
}

impl Repair {
    pub(crate) fn new(source: &Source) -> Self {
        Repair { source: source.clone(), lost: BTreeSet::new(), fields: BTreeSet::new() }
    }

    /// Whether an error only follows from what was taken out.
    pub(crate) fn explains(&self, error: &Diagnostic, path: &[Seg]) -> bool {
        match error.code {
            "S007" => {
                let object = self.source.locate(path).map(|place| place.value.start);
                let name = quoted(&error.message).first().map(|name| (*name).to_owned());
                object.zip(name).is_some_and(|field| self.fields.contains(&field))
            }
            "S020" | "S021" | "S022" | "S023" | "S024" | "S039" | "S041" | "S044" | "S047" => {
                quoted(&error.message).iter().any(|name| self.lost.contains(*name))
            }
            // These are about what is not there.
            "S031" | "S033" | "S036" => !self.lost.is_empty() || !self.fields.is_empty(),
            _ => false,
        }
    }

    /// Takes out what an error is about; whether there was something to take out.
    pub(crate) fn without(&mut self, error: &Diagnostic, path: &[Seg]) -> bool {
        if error.code == "S006" {
            self.meant(error, path);
        }
        let part = match error.code {
            "S006" | "S009" => error.labels.first().and_then(|label| self.member(label.span.start)),
            "S007" if path.is_empty() => return self.append(error),
            "S007" | "S010" => self.element_around(path),
            _ if path.is_empty() => None,
            _ if leads_to_step(path) => self.element_around(path),
            _ => self.source.locate(path).map(|place| {
                if let Some(key) = &place.key {
                    self.forget_field(path, key.clone());
                }
                place.key.map_or(place.value.start, |key| key.start)..place.value.end
            }),
        };
        part.is_some_and(|part| self.blank(part))
    }

    /// A field that is only misspelt is not missing.
    fn meant(&mut self, error: &Diagnostic, path: &[Seg]) {
        let meant = error.help.as_deref().filter(|help| help.starts_with("did you mean"));
        let name = quoted(&error.message).first().copied().unwrap_or_default();
        // The path ends at the key, or at the object around it.
        let around = path.strip_suffix(&[Seg::Name(name.to_owned())]).unwrap_or(path);
        let object = self.source.locate(around).map(|place| place.value.start);
        let field = meant.and_then(|help| quoted(help).first().map(|name| (*name).to_owned()));
        self.fields.extend(object.zip(field));
    }

    /// Remembers that the object around `path` had this field.
    fn forget_field(&mut self, path: &[Seg], key: Range<usize>) {
        let object = path.split_last().and_then(|(_, around)| self.source.locate(around));
        let name = string_at(&self.source.text, key);
        self.fields.extend(object.map(|place| place.value.start).zip(name));
    }

    /// The member whose key begins at a byte.
    fn member(&self, start: usize) -> Option<Range<usize>> {
        Some(start..self.source.end_of_member(start)?)
    }

    /// The innermost element of a list that `path` leads through, or the member that it leads to.
    fn element_around(&self, path: &[Seg]) -> Option<Range<usize>> {
        let element = path.iter().rposition(|seg| matches!(seg, Seg::Index(_)));
        let path = element.map_or(path, |at| &path[..=at]);
        let place = self.source.locate(path)?;
        Some(place.key.map_or(place.value.start, |key| key.start)..place.value.end)
    }

    /// Adds a field that is missing at the end of the text, where no place is moved.
    fn append(&mut self, error: &Diagnostic) -> bool {
        let field = quoted(&error.message).first().map(|name| (*name).to_owned());
        let (Some(field), Some(end)) = (field, self.source.text.rfind('}')) else { return false };
        let before = self.source.text[..end].trim_end();
        let comma = if before.ends_with(['{', ',']) { "" } else { "," };
        let value = if field == "version" { "1" } else { "\"\"" };
        let is_new = self.fields.insert((usize::MAX, field.clone()));
        self.source.text.insert_str(end, &format!("{comma}\"{field}\":{value}"));
        is_new
    }

    /// Makes a part blank, and the comma that goes with it.
    fn blank(&mut self, part: Range<usize>) -> bool {
        let text = &self.source.text;
        let Some(taken) = text.get(part.clone()).filter(|taken| !taken.trim().is_empty()) else {
            return false;
        };
        let strings = taken.split('"').skip(1).step_by(2);
        self.lost.extend(strings.map(str::to_owned));
        let after = text[part.end..].find(|c: char| !c.is_whitespace()).map(|at| part.end + at);
        let before = text[..part.start].rfind(|c: char| !c.is_whitespace());
        let is_comma = |at: &usize| text.as_bytes()[*at] == b',';
        let comma = after.filter(is_comma).or_else(|| before.filter(is_comma));
        // Line ends stay: they separate what is shown.
        let blank = |c: char| if c == '\n' { "\n".to_owned() } else { " ".repeat(c.len_utf8()) };
        let blanks: String = taken.chars().map(blank).collect();
        self.source.text.replace_range(part, &blanks);
        if let Some(comma) = comma {
            self.source.text.replace_range(comma..=comma, " ");
        }
        true
    }
}

/// Whether the value at a path is all that a step holds.
fn leads_to_step(path: &[Seg]) -> bool {
    matches!(path, [.., Seg::Index(_), Seg::Name(name)] if STEPS.contains(&name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repair(text: &str) -> Repair {
        Repair::new(&Source { name: String::new(), text: text.to_owned() })
    }

    #[test]
    fn what_is_taken_out_leaves_its_room() {
        let mut repair = repair(r#"{"a": [1, "xé", 3], "b": {"c": 2}}"#);
        let error = Diagnostic::new("S008", "invalid type");
        assert!(repair.without(&error, &[Seg::Key("a"), Seg::Index(1)]));
        assert_eq!(repair.source.text, r#"{"a": [1,        3], "b": {"c": 2}}"#);
        assert!(repair.without(&error, &[Seg::Key("a"), Seg::Index(1)]));
        assert_eq!(repair.source.text, r#"{"a": [1          ], "b": {"c": 2}}"#);
        assert!(repair.without(&error, &[Seg::Key("b"), Seg::Key("c")]));
        assert_eq!(repair.source.text, r#"{"a": [1          ], "b": {      }}"#);
        assert!(repair.lost.contains("xé") && repair.lost.contains("c"));
        assert!(repair.explains(&Diagnostic::new("S007", "missing field `c`"), &[Seg::Key("b")]));
        assert!(!repair.explains(&Diagnostic::new("S007", "missing field `d`"), &[Seg::Key("b")]));
        assert!(!repair.without(&error, &[Seg::Key("z")]));
    }

    #[test]
    fn what_is_missing_at_the_top_is_added_at_the_end() {
        let mut repair = repair("{\"a\": 1\n}\n");
        let error = Diagnostic::new("S007", "missing field `title`");
        assert!(repair.without(&error, &[]));
        assert_eq!(repair.source.text, "{\"a\": 1\n,\"title\":\"\"}\n");
        assert!(!repair.without(&error, &[]), "once is enough");
    }
}
