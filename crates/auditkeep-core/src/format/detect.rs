//! Which grammar a log is in, told by what it holds; its name only helps where both fit.

use super::postgres::{csvlog, stderr};
use super::{Format, server_audit};
use crate::engine::Engine;

/// How much of a file is looked at.
const HEAD: usize = 64 * 1024;

/// The bytes are not an audit log of that engine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("tell the format of log `{log_name}` of {engine}: {seen}")]
pub struct NotAnAuditLog {
    pub log_name: String,
    pub engine: Engine,
    pub seen: Seen,
}

/// What was found instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Seen {
    /// It may become a log when something is written to it.
    #[error("it is empty")]
    Empty,
    #[error("it is {0} data")]
    Binary(&'static str),
    /// The first line, with what is not printable ASCII escaped.
    #[error("no line of it is one of such a log; it begins with `{0}`")]
    Text(String),
}

/// Tells the format of a log by the start of it.
pub fn detect(engine: Engine, log_name: &str, head: &[u8]) -> Result<Format, NotAnAuditLog> {
    look(engine, log_name, &head[..head.len().min(HEAD)]).map_err(|seen| NotAnAuditLog {
        log_name: log_name.to_owned(),
        engine,
        seen,
    })
}

fn look(engine: Engine, log_name: &str, head: &[u8]) -> Result<Format, Seen> {
    if head.is_empty() {
        return Err(Seen::Empty);
    }
    if let Some(kind) = magic(head) {
        return Err(Seen::Binary(kind));
    }
    let mut lines = head.split(|byte| *byte == b'\n');
    if !engine.is_postgres() {
        return if lines.any(server_audit::is_record) { Ok(Format::ServerAudit) } else { Err(text(head)) };
    }
    // Text of a database in UTF-8 or in any encoding a server allows holds no NUL byte.
    if memchr::memchr(0, head).is_some() {
        return Err(Seen::Binary("binary"));
    }
    let mut formats = lines.filter_map(postgres_line);
    let first = formats.next().ok_or_else(|| text(head))?;
    let named = if ends_with_csv(log_name) { Format::PostgresCsv } else { first };
    Ok(if first == named || formats.any(|format| format == named) { named } else { first })
}

fn postgres_line(line: &[u8]) -> Option<Format> {
    if csvlog::split::begins_record(line) {
        return Some(Format::PostgresCsv);
    }
    let head = &line[..line.len().min(stderr::split::LINE_HEAD)];
    matches!(stderr::split::classify(head), stderr::split::Line::Head(_)).then_some(Format::PostgresStderr)
}

fn ends_with_csv(log_name: &str) -> bool {
    log_name.get(log_name.len().saturating_sub(4)..).is_some_and(|end| end.eq_ignore_ascii_case(".csv"))
}

fn magic(head: &[u8]) -> Option<&'static str> {
    const KINDS: [(&[u8], &str); 8] = [
        (b"\x1f\x8b", "gzip"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"\xfd7zXZ\0", "xz"),
        (b"BZh", "bzip2"),
        (b"PK\x03\x04", "zip"),
        (b"PAR1", "Parquet"),
        (b"\x7fELF", "ELF"),
        (b"\xfebin", "binary log"),
    ];
    KINDS.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, name)| *name)
}

fn text(head: &[u8]) -> Seen {
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Seen::Text(line[..line.len().min(80)].escape_ascii().to_string())
}
