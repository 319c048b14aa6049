//! Where csvlog records end, in a stream of chunks and in constant memory.
//!
//! A record ends at a line feed outside quotes. Where quotes stand in places in which csvlog never writes them, a record was
//! torn; the record is then taken to end where its last line begins, if that line begins like a record, and else where
//! the next such line does. Nothing that a user sends leads there: within a text all quotes are doubled.

use super::blocks;
use crate::format::time;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    FieldStart,
    Bare,
    Quoted,
    /// Behind a quote that closes the text or is the first of two.
    Closing,
    /// The quoting is wrong; only the start of a record helps.
    Lost,
}

/// Longer than any time with its zone.
const HEAD: usize = 64;

/// Finds record ends. Any division of the stream into chunks gives the same ends.
#[derive(Clone, Debug)]
pub(in crate::format) struct Splitter {
    position: u64,
    record: u64,
    line: u64,
    /// The line begins as a record does.
    line_begins: bool,
    /// An odd number of quotes stood in the line so far.
    odd: bool,
    state: State,
    /// The line's bytes before its first comma; empty once they are judged.
    head: [u8; HEAD],
    head_length: usize,
    in_head: bool,
}

impl Default for Splitter {
    fn default() -> Self {
        Self {
            position: 0,
            record: 0,
            line: 0,
            line_begins: false,
            odd: false,
            state: State::default(),
            head: [0; HEAD],
            head_length: 0,
            in_head: true,
        }
    }
}

impl Splitter {
    /// Takes the stream's next bytes and reports the ends that are known now, in order.
    pub(in crate::format) fn push(&mut self, chunk: &[u8], ended: &mut impl FnMut(u64)) {
        let start = self.position;
        let mut at = 0;
        while let Some(rest) = chunk.get(at..).filter(|rest| !rest.is_empty()) {
            self.position = start + at as u64;
            if self.is_between_records() {
                let skipped = self.skip_whole_records(rest, ended);
                if skipped > 0 {
                    at += skipped;
                    continue;
                }
            }
            at += if self.in_head { self.read_head(rest, ended) } else { self.step(rest, ended) };
        }
        self.position = start + chunk.len() as u64;
    }

    fn is_between_records(&self) -> bool {
        self.position == self.record && self.in_head
    }

    /// Nearly all records are quoted as they should be, and those need no looking at each field.
    fn skip_whole_records(&mut self, rest: &[u8], ended: &mut impl FnMut(u64)) -> usize {
        let length = blocks::whole_records(rest, &mut |end| ended(self.position + end as u64));
        self.record = self.position + length as u64;
        self.line = self.record;
        length
    }

    /// Collects the line's first field; returns how many bytes it took.
    fn read_head(&mut self, rest: &[u8], ended: &mut impl FnMut(u64)) -> usize {
        let room = &rest[..rest.len().min(HEAD - self.head_length)];
        let stop = room.iter().position(|byte| matches!(byte, b',' | b'"' | b'\n'));
        let taken = stop.unwrap_or(room.len());
        self.head[self.head_length..self.head_length + taken].copy_from_slice(&room[..taken]);
        self.head_length += taken;
        if taken > 0 && self.state == State::FieldStart {
            self.state = State::Bare;
        }
        if stop.is_some() || self.head_length == HEAD {
            let is_record = stop.is_some_and(|at| room[at] == b',');
            self.judge_head(is_record, ended);
        }
        taken
    }

    fn judge_head(&mut self, comma_follows: bool, ended: &mut impl FnMut(u64)) {
        let head = &self.head[..self.head_length];
        let time = time::postgres(head).filter(|(_, length)| comma_follows && *length == head.len());
        self.line_begins = time.is_some();
        self.in_head = false;
        self.head_length = 0;
        if self.line > self.record && self.state == State::Lost && self.line_begins {
            self.cut(State::Bare, ended);
        }
    }

    /// Takes at least one byte unless the state changes.
    fn step(&mut self, rest: &[u8], ended: &mut impl FnMut(u64)) -> usize {
        match self.state {
            State::FieldStart => match rest[0] {
                b'"' => self.quote(State::Quoted),
                b',' => 1,
                b'\n' => self.line_feed(0, ended),
                _ => {
                    self.state = State::Bare;
                    0
                }
            },
            State::Bare => match memchr::memchr3(b',', b'"', b'\n', rest) {
                None => rest.len(),
                Some(at) if rest[at] == b',' => {
                    self.state = State::FieldStart;
                    at + 1
                }
                Some(at) if rest[at] == b'\n' => self.line_feed(at, ended),
                Some(at) => {
                    self.misplaced(ended);
                    at
                }
            },
            State::Quoted => match memchr::memchr2(b'"', b'\n', rest) {
                None => rest.len(),
                Some(at) if rest[at] == b'"' => at + self.quote(State::Closing),
                Some(at) => self.line_feed(at, ended),
            },
            State::Closing => match rest[0] {
                b'"' => self.quote(State::Quoted),
                b',' => {
                    self.state = State::FieldStart;
                    1
                }
                b'\n' => self.line_feed(0, ended),
                _ => {
                    self.misplaced(ended);
                    0
                }
            },
            State::Lost => match memchr::memchr(b'\n', rest) {
                None => rest.len(),
                Some(at) => self.line_feed(at, ended),
            },
        }
    }

    fn quote(&mut self, state: State) -> usize {
        self.odd = !self.odd;
        self.state = state;
        1
    }

    /// The line feed stands `at` bytes behind the position.
    fn line_feed(&mut self, at: usize, ended: &mut impl FnMut(u64)) -> usize {
        self.line = self.position + at as u64 + 1;
        self.line_begins = false;
        self.odd = false;
        self.in_head = true;
        self.head_length = 0;
        if !matches!(self.state, State::Quoted | State::Lost) {
            self.cut(State::FieldStart, ended);
        }
        at + 1
    }

    /// The quoting is wrong here.
    fn misplaced(&mut self, ended: &mut impl FnMut(u64)) {
        if self.line > self.record && self.line_begins {
            self.cut(if self.odd { State::Quoted } else { State::Bare }, ended);
        } else {
            self.state = State::Lost;
        }
    }

    /// The record ends where the present line begins.
    fn cut(&mut self, state: State, ended: &mut impl FnMut(u64)) {
        ended(self.line);
        self.record = self.line;
        self.state = state;
    }
}

/// Whether a line begins as a record does: a time, a zone and a comma.
pub(in crate::format) fn begins_record(line: &[u8]) -> bool {
    time::postgres(line).is_some_and(|(_, length)| line.get(length) == Some(&b','))
}
