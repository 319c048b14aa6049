//! How an event is called: by the place of its bytes, in one word that can be typed.
//!
//! `<trail>/<commit>/<generation>/<offset>+<length>`. All of it is in each row of the tables. The commit is the one with which
//! the event became complete; its bytes may lie in segments of earlier ones.

use std::fmt;
use std::str::FromStr;

/// An event by its bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventRef {
    pub trail: String,
    /// Number of the commit that made the event's bytes whole.
    pub commit: u64,
    pub generation: String,
    /// Of the first byte in the generation.
    pub offset: u64,
    /// Bytes, at least one.
    pub length: u64,
}

/// The text names no event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not of the form `<trail>/<commit>/<generation>/<offset>+<length>`")]
pub struct BadEventRef(String);

impl EventRef {
    /// From the columns of a row. `segment` is the name of the object that holds the event's first byte; its part before the
    /// last is the generation. None if these are not the columns of an event.
    pub fn of_row(trail: &str, commit: i64, segment: &str, offset: i64, length: i64) -> Option<Self> {
        let unsigned = |number: i64| u64::try_from(number).ok();
        let event = Self {
            trail: trail.to_owned(),
            commit: unsigned(commit)?,
            generation: segment.rsplit('/').nth(1)?.to_owned(),
            offset: unsigned(offset)?,
            length: unsigned(length)?,
        };
        event.is_possible().then_some(event)
    }

    /// The offset after the last byte.
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.length)
    }

    fn is_possible(&self) -> bool {
        let word = |text: &str| !text.is_empty() && !text.contains('/');
        word(&self.trail)
            && word(&self.generation)
            && self.commit > 0
            && self.length > 0
            && self.offset.checked_add(self.length).is_some()
    }
}

impl fmt::Display for EventRef {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { trail, commit, generation, offset, length } = self;
        write!(out, "{trail}/{commit}/{generation}/{offset}+{length}")
    }
}

impl FromStr for EventRef {
    type Err = BadEventRef;

    fn from_str(text: &str) -> Result<Self, BadEventRef> {
        let parse = || {
            let mut words = text.split('/');
            let (trail, commit) = (words.next()?, words.next()?.parse().ok()?);
            let (generation, (offset, length)) = (words.next()?, words.next()?.split_once('+')?);
            let (offset, length) = (offset.parse().ok()?, length.parse().ok()?);
            let (trail, generation) = (trail.to_owned(), generation.to_owned());
            let event = Self { trail, commit, generation, offset, length };
            // One name for one event: no other spelling of a number, and nothing after it.
            (event.is_possible() && event.to_string() == text).then_some(event)
        };
        parse().ok_or_else(|| BadEventRef(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_back() {
        let segment =
            "raw/local/local/shop/2026/11/21/audit/server_audit.log/913e5ff299b75d36/0-5000-24eb.zst";
        let event = EventRef::of_row("local.local.shop.import", 7, segment, 120, 94).unwrap();
        assert_eq!(event.to_string(), "local.local.shop.import/7/913e5ff299b75d36/120+94");
        assert_eq!(event.to_string().parse(), Ok(event.clone()));
        assert_eq!(event.end(), 214);
    }

    #[test]
    fn other_texts_name_nothing() {
        for text in [
            "",
            "t/1/g",
            "t/1/g/5",
            "t/1/g/5+0",
            "t/0/g/5+1",
            "t/1/g/5+1/",
            "t/1/g/5+1/6+1",
            "/1/g/5+1",
            "t/1//5+1",
            "t/01/g/5+1",
            "t/1/g/+5+1",
            "t/1/g/5++1",
            "t/1/g/5+-1",
            "t/1/g/18446744073709551615+1",
            "t/1/g/5+1 ",
        ] {
            assert_eq!(text.parse::<EventRef>(), Err(BadEventRef(text.to_owned())));
        }
        assert_eq!(EventRef::of_row("t", 1, "no directory", 0, 1), None);
        assert_eq!(EventRef::of_row("t", -1, "g/x", 0, 1), None);
        assert_eq!(EventRef::of_row("t", 1, "g/x", 0, 0), None);
    }
}
