//! Where the fixed part of a server_audit line lies: `,connection,query,OPERATION,` between texts that are not quoted.

use super::is_integer;

/// What follows the operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Query,
    Connection,
    Table,
}

/// Known operations. The plugins write capitals.
const OPERATIONS: [(&[u8], Kind); 14] = [
    (b"QUERY", Kind::Query),
    (b"READ", Kind::Table),
    (b"WRITE", Kind::Table),
    (b"CONNECT", Kind::Connection),
    (b"DISCONNECT", Kind::Connection),
    (b"FAILED_CONNECT", Kind::Connection),
    (b"CREATE", Kind::Table),
    (b"ALTER", Kind::Table),
    (b"DROP", Kind::Table),
    (b"RENAME", Kind::Table),
    (b"CHANGEUSER", Kind::Connection),
    (b"PROXY_CONNECT", Kind::Connection),
    (b"PREPARE", Kind::Query),
    (b"EXECUTE", Kind::Query),
];

/// The fields around the operation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Anchor<'a> {
    pub(super) user: &'a [u8],
    pub(super) host: &'a [u8],
    pub(super) connection: &'a [u8],
    pub(super) query: &'a [u8],
    pub(super) operation: &'a [u8],
    pub(super) kind: Kind,
    /// What follows the operation and its comma.
    pub(super) rest: &'a [u8],
    /// There is another place that reads as one.
    pub(super) ambiguous: bool,
}

/// The rightmost place where an operation (of `wanted`, if given) stands behind two numbers, in
/// `user,host,connection,query,OPERATION,rest`.
pub(super) fn find(fields: &[u8], wanted: Option<Kind>) -> Option<Anchor<'_>> {
    let mut found: Option<Anchor<'_>> = None;
    let mut search = fields.len();
    while let Some(comma) = memchr::memrchr(b',', &fields[..search]) {
        search = comma;
        let Some((operation, kind)) = operation_at(&fields[comma + 1..]) else { continue };
        let Some([user, host, connection, query]) = before(&fields[..comma]) else { continue };
        if let Some(first) = &mut found {
            first.ambiguous = true;
            break;
        }
        if wanted.is_some_and(|wanted| wanted != kind) {
            return None;
        }
        let rest = fields.get(comma + operation.len() + 2..).unwrap_or_default();
        found = Some(Anchor { user, host, connection, query, operation, kind, rest, ambiguous: false });
    }
    found
}

/// An operation that a comma follows.
fn operation_at(text: &[u8]) -> Option<(&[u8], Kind)> {
    if !text.first()?.is_ascii_uppercase() {
        return None;
    }
    let length = memchr::memchr(b',', text.get(..20).unwrap_or(text))?;
    let name = &text[..length];
    OPERATIONS.iter().find(|(known, _)| *known == name).map(|(_, kind)| (name, *kind))
}

/// `user,host,connection,query`, of which only the user may hold commas.
fn before(fields: &[u8]) -> Option<[&[u8]; 4]> {
    let (fields, query) = super::rsplit(fields)?;
    if !is_integer(query) {
        return None;
    }
    let (fields, connection) = super::rsplit(fields)?;
    if !is_integer(connection) {
        return None;
    }
    let (user, host) = super::rsplit(fields)?;
    Some([user, host, connection, query])
}
