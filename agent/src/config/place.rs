//! Where in the file something stands: from a path of keys to a line, and from a place in the text
//! to a path of keys. No finding quotes the line.

use std::fmt;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::load::Problem;

/// What a check found, by path of keys; the line is looked up at the end.
#[derive(Default)]
pub(super) struct Findings(Vec<(Vec<Step>, String)>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

impl Step {
    pub(super) fn key(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl Findings {
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn push(&mut self, path: Vec<Step>, message: impl Into<String>) {
        self.0.push((path, message.into()));
    }

    pub(super) fn at(&mut self, keys: &[&str], message: impl Into<String>) {
        self.push(keys.iter().map(|key| Step::key(key)).collect(), message);
    }

    pub(super) fn camera_path(index: usize, key: &str) -> Vec<Step> {
        vec![Step::key("camera"), Step::Index(index), Step::key(key)]
    }

    pub(super) fn camera(&mut self, index: usize, key: &str, message: impl Into<String>) {
        self.push(Self::camera_path(index, key), message);
    }

    pub(super) fn located(self, text: &str) -> Vec<Problem> {
        let document = DeTable::parse(text).ok();
        let mut problems: Vec<_> = self
            .0
            .into_iter()
            .map(|(path, message)| Problem {
                line: document
                    .as_ref()
                    .map_or(1, |document| line_of(text, locate(document, &path))),
                key: Keys(&path).to_string(),
                message,
            })
            .collect();
        problems.sort_by_key(|problem| problem.line);
        problems
    }
}

/// A path of keys as people write it, counting from 1.
struct Keys<'a>(&'a [Step]);

impl fmt::Display for Keys<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if position == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{}]", index + 1)?,
            }
        }
        Ok(())
    }
}

/// Byte at which the value of `path`, or the nearest thing around it, begins.
fn locate(document: &Spanned<DeTable<'_>>, path: &[Step]) -> usize {
    let mut offset = document.span().start;
    let mut steps = path.iter();
    let Some(Step::Key(first)) = steps.next() else {
        return offset;
    };
    let Some((key, mut value)) = document.get_ref().get_key_value(first.as_str()) else {
        return offset;
    };
    offset = key.span().start;
    for step in steps {
        let next = match (step, value.get_ref()) {
            (Step::Key(key), DeValue::Table(table)) => table
                .get_key_value(key.as_str())
                .map(|(key, value)| (key.span().start, value)),
            (Step::Index(index), DeValue::Array(array)) => {
                array.get(*index).map(|value| (value.span().start, value))
            }
            _ => None,
        };
        let Some((start, inner)) = next else { break };
        (offset, value) = (start, inner);
    }
    offset
}

/// The innermost path of keys around a place in the text.
fn path_at(document: &Spanned<DeTable<'_>>, place: &Range<usize>) -> Vec<Step> {
    let mut path = Vec::new();
    walk_table(document.get_ref(), place, &mut path);
    path
}

fn walk_table(table: &DeTable<'_>, place: &Range<usize>, path: &mut Vec<Step>) {
    for (key, value) in table {
        let on_key = key.span().contains(&place.start);
        if on_key || holds(value, place) {
            path.push(Step::key(key.get_ref()));
            if !on_key {
                walk_value(value.get_ref(), place, path);
            }
            return;
        }
    }
}

fn walk_value(value: &DeValue<'_>, place: &Range<usize>, path: &mut Vec<Step>) {
    match value {
        DeValue::Table(table) => walk_table(table, place, path),
        DeValue::Array(array) => {
            if let Some(index) = array.iter().position(|item| holds(item, place)) {
                path.push(Step::Index(index));
                if let Some(item) = array.get(index) {
                    walk_value(item.get_ref(), place, path);
                }
            }
        }
        _ => {}
    }
}

/// Whether the place lies in the value. The span of a `[table]` is its header only, so its entries
/// are asked too.
fn holds(value: &Spanned<DeValue<'_>>, place: &Range<usize>) -> bool {
    if value.span().contains(&place.start) {
        return true;
    }
    match value.get_ref() {
        DeValue::Table(table) => table
            .iter()
            .any(|(key, value)| key.span().contains(&place.start) || holds(value, place)),
        DeValue::Array(array) => array.iter().any(|item| holds(item, place)),
        _ => false,
    }
}

/// The problem that the TOML parser found.
pub(super) fn explain(text: &str, error: &toml::de::Error) -> Problem {
    let place = error.span().unwrap_or(0..0);
    let path = DeTable::parse(text)
        .map(|document| path_at(&document, &place))
        .unwrap_or_default();
    Problem {
        line: line_of(text, place.start),
        key: Keys(&path).to_string(),
        message: error.message().trim().replace('\n', "; "),
    }
}

/// Counted from 1.
fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().iter().take(offset);
    before.filter(|byte| **byte == b'\n').count() + 1
}
