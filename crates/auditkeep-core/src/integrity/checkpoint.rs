//! Checkpoints: what a trail's tree is, in a form that can be signed (C2SP `tlog-checkpoint`).
//!
//! ```text
//! auditkeep/<archive id>/<trail id>
//! <tree size, decimal>
//! <tree root, base64>
//! commit <number, decimal> <SHA-256 of the commit's canonical body, hexadecimal>
//! ```
//! The fourth line is an extension line of ours. It puts everything that a commit says, its cursors included, under the
//! signature, and not only the leaves.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::hash::Sha256;

/// The unsigned content of a commit's checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    pub archive: String,
    pub trail: String,
    /// Number of leaves in the trail so far.
    pub size: u64,
    pub root: Sha256,
    pub commit: u64,
    /// Of the commit's body in canonical JSON.
    pub body: Sha256,
}

impl Checkpoint {
    pub fn text(&self) -> String {
        let mut text = format!("auditkeep/{}/{}\n", self.archive, self.trail);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", self.size);
        let _ = writeln!(text, "{}", STANDARD.encode(self.root.0));
        let _ = writeln!(text, "commit {} {}", self.commit, self.body);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_what_the_specification_says() {
        let checkpoint = Checkpoint {
            archive: "a1".to_owned(),
            trail: "t".to_owned(),
            size: 3,
            root: Sha256([0; 32]),
            commit: 2,
            body: Sha256([255; 32]),
        };
        let zeroes = "A".repeat(43);
        assert_eq!(checkpoint.text(), format!("auditkeep/a1/t\n3\n{zeroes}=\ncommit 2 {}\n", "f".repeat(64)));
    }
}
