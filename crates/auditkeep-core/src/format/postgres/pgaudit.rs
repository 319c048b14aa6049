//! The payload of a pgAudit record: `AUDIT: TYPE,STATEMENT_ID,SUBSTATEMENT_ID,CLASS,COMMAND,OBJECT_TYPE,OBJECT_NAME,STATEMENT,
//! PARAMETER[,ROWS]` (pgAudit README, "Format"). A field is quoted only where it holds a comma, a quote or a line break.
//!
//! It is read as it stands in the log, under the quoting of csvlog or the tabs of stderr, because nearly every field can
//! then be borrowed. pgAudit writes NULL and the empty text alike; both are taken for absent, but for the statement.

use std::borrow::Cow;

use super::{Layer, halve};
use crate::event::{Class, Event, Flags, Text};

/// What every message of pgAudit begins with.
pub(super) const MARK: &[u8] = b"AUDIT: ";

/// What the log portion API appends where it has cut a message.
const CUT: &[u8] = b"[Your log message was truncated]";

/// Fills `event` from the payload that follows [`MARK`]; `None` if this is not the payload of a pgAudit record.
pub(super) fn fill<'a>(event: &mut Event<'a>, payload: &'a [u8], layer: Layer) -> Option<()> {
    let (payload, cut) = match payload.strip_suffix(CUT) {
        Some(rest) => (rest, true),
        None => (payload, false),
    };
    let mut fields = Fields { rest: Some(payload), layer, unclosed: false };
    if !matches!(fields.next()?.literal()?, b"SESSION" | b"OBJECT") {
        return None;
    }
    event.statement_id = Some(Cow::Borrowed(number(fields.next()?)?));
    event.substatement_id = Some(Cow::Borrowed(number(fields.next()?)?));
    event.class = class(fields.next()?.literal()?)?;
    event.command = fields.next()?.present();
    event.object_type = fields.next()?.present();
    event.object_name = fields.next()?.present();
    if event.command.as_deref() == Some(b"ALTER SYSTEM") {
        event.class = Class::Admin;
    }
    statement(event, fields.next()?);
    if cut || fields.unclosed {
        event.flags.insert(Flags::TRUNCATED);
        return Some(());
    }
    parameters(event, fields.next()?);
    if let Some(rows) = fields.next() {
        event.row_count = Some(crate::format::time::digits(rows.literal()?)?);
    }
    (fields.rest.is_none() && !fields.unclosed).then_some(())
}

fn class(name: &[u8]) -> Option<Class> {
    match name {
        b"READ" => Some(Class::Read),
        b"WRITE" => Some(Class::Write),
        b"FUNCTION" => Some(Class::Function),
        b"ROLE" => Some(Class::Role),
        b"DDL" => Some(Class::Ddl),
        b"MISC" => Some(Class::Misc),
        _ => None,
    }
}

fn number(field: Field<'_>) -> Option<&[u8]> {
    let digits = field.literal()?;
    (!digits.is_empty() && digits.len() <= 20 && digits.iter().all(u8::is_ascii_digit)).then_some(digits)
}

fn statement<'a>(event: &mut Event<'a>, field: Field<'a>) {
    if matches!(field, Field::Bare(b"<not logged>" | b"<previously logged>")) {
        event.flags.insert(Flags::STATEMENT_NOT_LOGGED);
    } else {
        event.statement = Some(field.text());
    }
}

/// The list after its own quoting was undone; its values are quoted once more where they need to be.
fn parameters<'a>(event: &mut Event<'a>, field: Field<'a>) {
    if !matches!(field, Field::Bare(b"" | b"<none>" | b"<not logged>" | b"<previously logged>")) {
        event.parameters = Some(field.text());
    }
}

#[derive(Clone, Copy, Debug)]
enum Field<'a> {
    Bare(&'a [u8]),
    /// What stands between the quotes, as it stands in the log.
    Quoted(&'a [u8], Layer),
}

impl<'a> Field<'a> {
    fn literal(self) -> Option<&'a [u8]> {
        match self {
            Self::Bare(text) => Some(text),
            Self::Quoted(..) => None,
        }
    }

    fn text(self) -> Text<'a> {
        match self {
            Self::Bare(text) => Cow::Borrowed(text),
            Self::Quoted(raw, Layer::Csv) => halve(raw, b"\"\"\"\"", b"\""),
            Self::Quoted(raw, Layer::Stderr) => match Layer::Stderr.undo(raw) {
                Cow::Borrowed(raw) => halve(raw, b"\"\"", b"\""),
                Cow::Owned(text) => halve(&text, b"\"\"", b"\"").into_owned().into(),
            },
        }
    }

    fn present(self) -> Option<Text<'a>> {
        super::known(self.text())
    }
}

/// The fields from left to right. A quoted field that does not end takes all that is left.
struct Fields<'a> {
    rest: Option<&'a [u8]>,
    layer: Layer,
    unclosed: bool,
}

impl<'a> Fields<'a> {
    fn quote(&self) -> &'static [u8] {
        match self.layer {
            Layer::Csv => b"\"\"",
            Layer::Stderr => b"\"",
        }
    }

    fn next(&mut self) -> Option<Field<'a>> {
        let rest = self.rest?;
        let Some(quoted) = rest.strip_prefix(self.quote()) else {
            let comma = memchr::memchr(b',', rest);
            self.rest = comma.map(|at| &rest[at + 1..]);
            return Some(Field::Bare(&rest[..comma.unwrap_or(rest.len())]));
        };
        let Some(end) = self.closing(quoted) else {
            self.unclosed = true;
            self.rest = None;
            return Some(Field::Quoted(quoted, self.layer));
        };
        self.rest = match &quoted[end + self.quote().len()..] {
            [] => None,
            [b',', rest @ ..] => Some(rest),
            // Text behind a closing quote: let the next field be one that no field can be.
            _ => return None,
        };
        Some(Field::Quoted(&quoted[..end], self.layer))
    }

    fn closing(&self, quoted: &[u8]) -> Option<usize> {
        let width = self.quote().len();
        let mut from = 0;
        loop {
            let at = from + memchr::memchr(b'"', &quoted[from..])?;
            if !quoted[at..].starts_with(self.quote()) {
                return None;
            }
            if !quoted[at + width..].starts_with(self.quote()) {
                return Some(at);
            }
            from = at + 2 * width;
        }
    }
}
