//! C2SP `tlog-proof` (v1): a text that shows with a log's public key alone that something is in the log.
//!
//! ```text
//! c2sp.org/tlog-proof@v1
//! index <index of the leaf, decimal>
//! <a hash of the inclusion path, base64>         once for each, from the leaf's sibling on
//!
//! <a signed note: the checkpoint of the tree>
//! ```
//! The line `extra`, which the specification allows, is not written and is refused: nothing vouches for what it says. The note
//! is not looked at here.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::hash::Sha256;

const HEADER: &str = "c2sp.org/tlog-proof@v1";
/// Hashes in the path of a tree of 2^64 leaves.
const MAX_PATH: usize = 64;

/// That a leaf is in the tree of which the note speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogProof {
    pub index: u64,
    /// As [`super::inclusion`] has it.
    pub path: Vec<Sha256>,
    /// A signed note, from its first byte to its last line feed.
    pub note: String,
}

/// The text is not a proof.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its {0} is not what a tlog-proof has there")]
pub struct BadTlogProof(&'static str);

impl TlogProof {
    pub fn text(&self) -> String {
        // Writing to a String cannot fail.
        let mut text = format!("{HEADER}\nindex {}\n", self.index);
        for hash in &self.path {
            let _ = writeln!(text, "{}", STANDARD.encode(hash.0));
        }
        let _ = write!(text, "\n{}", self.note);
        text
    }

    /// Accepts only what [`TlogProof::text`] writes.
    pub fn parse(text: &str) -> Result<Self, BadTlogProof> {
        let (head, note) = text.split_once("\n\n").ok_or(BadTlogProof("empty line"))?;
        let mut lines = head.split('\n');
        if lines.next() != Some(HEADER) {
            return Err(BadTlogProof("first line"));
        }
        let index = lines.next().and_then(|line| line.strip_prefix("index ")).ok_or(BadTlogProof("index"))?;
        let mut path = Vec::new();
        for line in lines {
            let hash = STANDARD.decode(line).ok().and_then(|hash| hash.try_into().ok());
            path.push(Sha256(hash.filter(|_| path.len() < MAX_PATH).ok_or(BadTlogProof("path"))?));
        }
        let index = index.parse().map_err(|_| BadTlogProof("index"))?;
        let proof = Self { index, path, note: note.to_owned() };
        // One text for one proof: no plus sign, no leading zero.
        if proof.text() == text { Ok(proof) } else { Err(BadTlogProof("spelling")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proof() -> TlogProof {
        TlogProof {
            index: 5,
            path: vec![Sha256::of(b"hash1"), Sha256::of(b"hash2")],
            note: "example.com/log\n9\nroot\n\n\u{2014} example.com/log c2ln\n".to_owned(),
        }
    }

    #[test]
    fn the_text_is_what_the_specification_says() {
        let [first, second] = [b"hash1", b"hash2"].map(|data| STANDARD.encode(Sha256::of(data).0));
        let note = proof().note;
        let text = format!("c2sp.org/tlog-proof@v1\nindex 5\n{first}\n{second}\n\n{note}");
        assert_eq!(proof().text(), text);
        assert_eq!(TlogProof::parse(&text), Ok(proof()));
        // The only leaf of a tree has no path.
        let lone = TlogProof { index: 0, path: Vec::new(), ..proof() };
        assert_eq!(lone.text(), format!("c2sp.org/tlog-proof@v1\nindex 0\n\n{note}"));
        assert_eq!(TlogProof::parse(&lone.text()), Ok(lone));
    }

    #[test]
    fn other_texts_are_refused() {
        let text = proof().text();
        let first = STANDARD.encode(Sha256::of(b"hash1").0);
        for (from, to, wrong) in [
            ("@v1", "@v2", "first line"),
            ("@v1\n", "@v1\r\n", "first line"),
            ("@v1\nindex", "@v1\nextra ZXh0cmE=\nindex", "index"),
            ("index 5", "index +5", "spelling"),
            ("index 5", "index 05", "spelling"),
            ("index 5", "index -5", "index"),
            ("index 5", "index 18446744073709551616", "index"),
            ("index 5", "index", "index"),
            (&first, "AAAA", "path"),
            (&first, &first[..43], "path"),
            (&format!("{first}\n"), &format!("{first} \n"), "path"),
            ("\n\n", "\n", "path"),
        ] {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text, "{from}");
            assert_eq!(TlogProof::parse(&changed), Err(BadTlogProof(wrong)), "{from} -> {to}");
        }
        for text in ["", "\n\n", "c2sp.org/tlog-proof@v1", "c2sp.org/tlog-proof@v1\n\n"] {
            assert!(TlogProof::parse(text).is_err(), "{text:?}");
        }
        let long = TlogProof { path: vec![Sha256([0; 32]); 65], ..proof() };
        assert_eq!(TlogProof::parse(&long.text()), Err(BadTlogProof("path")));
    }
}
