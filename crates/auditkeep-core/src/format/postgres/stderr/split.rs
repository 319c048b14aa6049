//! Where records of PostgreSQL's stderr log end, in a stream of chunks and in constant memory.
//!
//! A record goes on as long as lines begin with a tab, or are details, context or statement with the prefix of the record's
//! own first line. So its end is known when the next line is.

use std::ops::ControlFlow;

use super::prefix::{self, Attendant, Label, Prefix};

/// How much of a line is looked at to tell what it is; no prefix is longer.
pub(in crate::format) const LINE_HEAD: usize = 1024;

/// What a line is, by its first bytes.
#[derive(Debug)]
pub(in crate::format) enum Line<'a> {
    /// It begins with a tab.
    Continuation,
    Head(Prefix<'a>),
    Attendant(Prefix<'a>, Attendant),
    /// It begins as a prefix does, and the prefix does not end: a name in it holds a line break.
    Broken,
    Bare,
}

/// Judges a line by its first [`LINE_HEAD`] bytes, without the line feed.
pub(in crate::format) fn classify(head: &[u8]) -> Line<'_> {
    match head.first() {
        Some(b'\t') => Line::Continuation,
        Some(byte) if byte.is_ascii_digit() => match prefix::parse(head) {
            Some(prefix) => match prefix.label {
                Label::Main(_) => Line::Head(prefix),
                Label::Attendant(attendant) => Line::Attendant(prefix, attendant),
            },
            None if prefix::begins(head) => Line::Broken,
            None => Line::Bare,
        },
        _ => Line::Bare,
    }
}

/// Tells of each line whether it begins a record.
#[derive(Clone, Debug, Default)]
pub(in crate::format) struct Grouping {
    open: Open,
    /// Of the record that is open.
    identity: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Open {
    #[default]
    Nothing,
    Message,
    Broken,
    /// Takes continuation lines only.
    Other,
}

impl Grouping {
    /// Lines are handed in from first to last.
    pub(in crate::format) fn begins_record(&mut self, line: &Line<'_>, head: &[u8]) -> bool {
        match line {
            Line::Continuation if self.open != Open::Nothing => return false,
            Line::Attendant(prefix, _) if self.open == Open::Message && prefix.identity == self.identity => {
                return false;
            }
            Line::Bare if self.open == Open::Broken && prefix::holds_label(head) => {
                self.open = Open::Other;
                return false;
            }
            Line::Head(prefix) => {
                self.open = Open::Message;
                self.identity.clear();
                self.identity.extend_from_slice(prefix.identity);
            }
            Line::Broken => self.open = Open::Broken,
            Line::Continuation | Line::Attendant(..) | Line::Bare => self.open = Open::Other,
        }
        true
    }
}

/// Finds record ends. Any division of the stream into chunks gives the same ends.
#[derive(Clone, Debug, Default)]
pub(in crate::format) struct Splitter {
    position: u64,
    record: u64,
    line: u64,
    /// The line's first bytes, as long as they do not tell what it is.
    head: Vec<u8>,
    /// What the line is has been told.
    judged: bool,
    grouping: Grouping,
}

impl Splitter {
    /// Takes the stream's next bytes and reports the ends that are known now, in order.
    pub(in crate::format) fn push(&mut self, chunk: &[u8], ended: &mut impl FnMut(u64)) {
        let mut rest = chunk;
        while !rest.is_empty() {
            if !self.judged
                && let ControlFlow::Break(()) = self.read_head(rest, ended)
            {
                self.position += rest.len() as u64;
                return;
            }
            let Some(at) = memchr::memchr(b'\n', rest) else {
                self.position += rest.len() as u64;
                return;
            };
            self.position += at as u64 + 1;
            self.line = self.position;
            self.judged = false;
            self.head.clear();
            rest = &rest[at + 1..];
        }
    }

    /// Judges the line if its first bytes are there; breaks when all of `rest` was needed and did not suffice.
    fn read_head(&mut self, rest: &[u8], ended: &mut impl FnMut(u64)) -> ControlFlow<()> {
        let wanted = LINE_HEAD - self.head.len();
        let room = &rest[..rest.len().min(wanted)];
        let end = memchr::memchr(b'\n', room);
        let room = &room[..end.unwrap_or(room.len())];
        let complete = end.is_some() || room.len() == wanted;
        if self.head.is_empty() && (complete || room.first() == Some(&b'\t')) {
            self.judge(room, ended);
            return ControlFlow::Continue(());
        }
        self.head.extend_from_slice(room);
        if !complete {
            return ControlFlow::Break(());
        }
        let head = std::mem::take(&mut self.head);
        self.judge(&head, ended);
        self.head = head;
        ControlFlow::Continue(())
    }

    fn judge(&mut self, head: &[u8], ended: &mut impl FnMut(u64)) {
        self.judged = true;
        if !self.grouping.begins_record(&classify(head), head) {
            return;
        }
        if self.line > self.record {
            ended(self.line);
        }
        self.record = self.line;
    }
}
