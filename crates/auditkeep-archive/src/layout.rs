//! The names of an archive's objects. They follow from what they hold, so that a rerun finds its own work.
//!
//! ```text
//! archive.json
//! raw/<account>/<region>/<resource id>/<yyyy>/<mm>/<dd>/<log family>/<generation>/<from>-<to>-<raw hash>.zst
//! trails/<trail id>/commits/<20-digit number>.json
//! trails/<trail id>/head
//! trails/journal/…              the archive's own trail
//! ```
//! Every part is written in the letters, digits and `.`, `-`, `_` of ASCII; any other byte is `=` and two upper-case
//! hexadecimal digits. A slash in a log name separates parts.

use std::fmt::Write as _;

use auditkeep_core::integrity::hash::Sha256;
use object_store::path::Path;

pub const MANIFEST: &str = "archive.json";
pub const RAW: &str = "raw";
pub const TRAILS: &str = "trails";
/// The id of the archive's own trail. No source's trail is called so: their ids have dots.
pub const JOURNAL: &str = "journal";

/// One part of a name, safe in every store and file system.
pub fn part(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => out.push(char::from(byte)),
            // A leading dot would make `.` and `..` possible, and hidden files.
            b'.' if !out.is_empty() => out.push('.'),
            // Writing to a String cannot fail.
            _ => {
                let _ = write!(out, "={byte:02X}");
            }
        }
    }
    if out.is_empty() { "=".to_owned() } else { out }
}

/// The id of a trail: what its source is, in one part.
pub fn trail_id(account: &str, region: &str, resource_id: &str, source: &str) -> String {
    [account, region, resource_id, source].map(part).join(".")
}

/// Whether a text is spelled as one part of a name.
pub fn is_part(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('.')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_=".contains(&byte))
}

/// Whether a text is a name below `raw/`, spelled as names are.
pub fn is_segment(name: &str) -> bool {
    name.strip_prefix(RAW)
        .and_then(|below| below.strip_prefix('/'))
        .is_some_and(|below| below.split('/').all(is_part))
}

pub fn manifest() -> Path {
    Path::from(MANIFEST)
}

pub fn trails() -> Path {
    Path::from(TRAILS)
}

pub fn raw() -> Path {
    Path::from(RAW)
}

pub fn trail(trail: &str) -> Path {
    trails().join(trail)
}

pub fn commits(trail_id: &str) -> Path {
    trail(trail_id).join("commits")
}

pub fn commit(trail_id: &str, number: u64) -> Path {
    commits(trail_id).join(format!("{number:020}.json"))
}

/// The number in the last part of a commit's name.
pub fn commit_number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".json")?;
    if digits.len() == 20 { digits.parse().ok() } else { None }
}

pub fn head(trail_id: &str) -> Path {
    trail(trail_id).join("head")
}

/// Where the bytes of one generation of one log file go.
#[derive(Clone, Debug)]
pub struct GenerationPrefix<'a> {
    pub account: &'a str,
    pub region: &'a str,
    pub resource_id: &'a str,
    /// `yyyy/mm/dd` of the generation's first record, or `undated`.
    pub day: &'a str,
    pub log: &'a str,
    pub generation: &'a str,
}

impl GenerationPrefix<'_> {
    /// The name of the segment that holds bytes `from..to`.
    pub fn segment(&self, from: u64, to: u64, raw: &Sha256) -> String {
        let source = [self.account, self.region, self.resource_id].map(part).join("/");
        let day = self.day.split('/').map(part).collect::<Vec<_>>().join("/");
        let log = self.log.split('/').map(part).collect::<Vec<_>>().join("/");
        let generation = part(self.generation);
        format!("{RAW}/{source}/{day}/{log}/{generation}/{from}-{to}-{raw}.zst")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cannot_escape_or_collide() {
        assert_eq!(part("postgresql.log.2026-11-21-04"), "postgresql.log.2026-11-21-04");
        assert_eq!(part(".."), "=2E.");
        assert_eq!(part("a/b=c é"), "a=2Fb=3Dc=20=C3=A9");
        assert_eq!(part(""), "=");
        assert_ne!(part("="), part(""));
    }

    #[test]
    fn names_of_segments() {
        for name in ["raw/a", "raw/a/=2E./x=20y/0-9-f.zst"] {
            assert!(is_segment(name), "{name}");
        }
        for name in [
            "", "raw", "raw/", "raw//a", "raw/a/", "raw/../a", "raw/.a", "/raw/a", "raw/a b", "raw/ü",
            "trails/a",
        ] {
            assert!(!is_segment(name), "{name}");
        }
    }

    #[test]
    fn trail_ids_are_one_part() {
        assert_eq!(trail_id("1", "eu-west-1", "db-A", "log-files"), "1.eu-west-1.db-A.log-files");
        let odd = trail_id("local", "local", "../a b", "import");
        assert_eq!(odd, "local.local.=2E.=2Fa=20b.import");
        assert_eq!(Path::parse(&odd).unwrap().parts().count(), 1);
    }

    #[test]
    fn commit_names_sort_as_numbers() {
        assert_eq!(commit("t", 7).as_ref(), "trails/t/commits/00000000000000000007.json");
        assert_eq!(commit_number("00000000000000000007.json"), Some(7));
        assert_eq!(commit_number("7.json"), None);
        assert_eq!(commit_number("0000000000000000000x.json"), None);
    }

    #[test]
    fn segment_names_are_paths_as_they_stand() {
        let prefix = GenerationPrefix {
            account: "123456789012",
            region: "eu-west-1",
            resource_id: "db-A",
            day: "2026/11/21",
            log: "error/../x y",
            generation: "0123",
        };
        let name = prefix.segment(0, 9, &Sha256::of(b"x"));
        assert!(
            name.starts_with("raw/123456789012/eu-west-1/db-A/2026/11/21/error/=2E./x=20y/0123/0-9-"),
            "{name}"
        );
        assert_eq!(Path::parse(&name).unwrap().as_ref(), name);
    }
}
