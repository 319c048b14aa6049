//! Which process serves which client, as far as the input tells: what speaks for and against a line's prefix.
//!
//! The remote address and port stand in a prefix before anything that a client chooses. So a line with the process of
//! one session and the port of another was written by somebody who chose a name to look like a prefix.

use std::collections::HashMap;

use super::prefix::Prefix;
use crate::event::Flags;

/// Processes and ports that are remembered at most; then all are forgotten.
const MOST: usize = 100_000;

/// Disputed records in a row that make a new owner.
const ENOUGH: u8 = 8;

#[derive(Debug, Default)]
pub(super) struct Peers<'a> {
    /// Of a process, from its connection or its first audited statement on.
    by_process: HashMap<&'a [u8], Peer<'a>>,
    /// The process that serves a remote address and port.
    by_remote: HashMap<(&'a [u8], u16), &'a [u8]>,
    /// Whose records were disputed last, and how many of them in a row.
    challenger: Option<(&'a [u8], u8)>,
}

#[derive(Clone, Copy, Debug)]
struct Peer<'a> {
    identity: &'a [u8],
    /// How many bytes of the names are the user, told by the line that authorised the connection.
    user_length: Option<usize>,
}

/// User and database, with a flag where they could be divided in another way.
type Names<'a> = (Option<&'a [u8]>, Option<&'a [u8]>, Flags);

impl<'a> Peers<'a> {
    /// Divides `user@database`. A name may hold `@`; then the line that authorised the connection tells, and without
    /// it the last `@` is taken, because databases rarely have one.
    pub(super) fn names(&self, prefix: &Prefix<'a>, message: &[u8]) -> Names<'a> {
        let names = prefix.names;
        let Some(last) = memchr::memrchr(b'@', names) else {
            return ((!names.is_empty()).then_some(names), None, Flags::default());
        };
        let several = memchr::memchr(b'@', names) != Some(last);
        let told = several.then(|| self.told(prefix, message)).flatten();
        let at = told.unwrap_or(last);
        let flags = if several && told.is_none() { Flags::PARSE_PARTIAL } else { Flags::default() };
        (Some(&names[..at]), Some(&names[at + 1..]), flags)
    }

    fn told(&self, prefix: &Prefix<'a>, message: &[u8]) -> Option<usize> {
        let peer = self.by_process.get(prefix.process).filter(|peer| peer.identity == prefix.identity);
        authorised(prefix.names, message).or_else(|| peer?.user_length)
    }

    /// Whether what is known speaks against the process in this prefix.
    pub(super) fn contradict(&self, prefix: &Prefix<'a>) -> bool {
        let other_peer =
            self.by_process.get(prefix.process).is_some_and(|peer| peer.identity != prefix.identity);
        let other_process = remote(prefix)
            .and_then(|remote| self.by_remote.get(&remote))
            .is_some_and(|known| *known != prefix.process);
        other_peer || other_process
    }

    /// Learns from a message that is no record of pgAudit.
    pub(super) fn note(&mut self, prefix: &Prefix<'a>, message: &[u8]) {
        if prefix.names.is_empty() {
            return;
        }
        let starts = |with: &str| message.starts_with(with.as_bytes());
        if starts("connection received: ") {
            self.by_process.remove(prefix.process);
            self.note_remote(prefix);
        } else if starts("connection authorized: ") {
            self.note_process(prefix, authorised(prefix.names, message));
        } else if starts("disconnection: ") {
            self.by_process.remove(prefix.process);
            remote(prefix).map(|remote| self.by_remote.remove(&remote));
        }
    }

    /// Learns from a record of pgAudit. `undisputed` says that nothing speaks against it. Where connections are not logged,
    /// a process number or a port that is used again speaks against its new owner until it has been seen often enough;
    /// a name is too short to forge as many lines.
    pub(super) fn audited(&mut self, prefix: &Prefix<'a>, undisputed: bool) {
        if undisputed {
            if !self.by_process.contains_key(prefix.process) {
                self.note_process(prefix, None);
            }
            return;
        }
        let (challenger, times) = self.challenger.unwrap_or((prefix.identity, 0));
        if challenger != prefix.identity {
            self.challenger = Some((prefix.identity, 1));
        } else if times + 1 < ENOUGH {
            self.challenger = Some((challenger, times + 1));
        } else {
            self.challenger = None;
            self.note_process(prefix, None);
        }
    }

    fn note_process(&mut self, prefix: &Prefix<'a>, user_length: Option<usize>) {
        if self.by_process.len() >= MOST {
            self.by_process.clear();
        }
        self.by_process.insert(prefix.process, Peer { identity: prefix.identity, user_length });
        self.note_remote(prefix);
    }

    fn note_remote(&mut self, prefix: &Prefix<'a>) {
        if self.by_remote.len() >= MOST {
            self.by_remote.clear();
        }
        if let Some(remote) = remote(prefix) {
            self.by_remote.insert(remote, prefix.process);
        }
    }
}

fn remote<'a>(prefix: &Prefix<'a>) -> Option<(&'a [u8], u16)> {
    prefix.remote.address.zip(prefix.remote.port)
}

/// The length of the user in `names`, told by `connection authorized: user=U database=D …`.
fn authorised(names: &[u8], message: &[u8]) -> Option<usize> {
    let stated = message.strip_prefix(b"connection authorized: user=")?;
    memchr::memchr_iter(b'@', names).find(|at| {
        let (user, database) = (&names[..*at], &names[at + 1..]);
        stated
            .strip_prefix(user)
            .and_then(|rest| rest.strip_prefix(b" database="))
            .and_then(|rest| rest.strip_prefix(database))
            .is_some_and(|rest| rest.is_empty() || rest[0] == b' ')
    })
}
