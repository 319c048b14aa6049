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

/// The text is not that of a commit's checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its {0} is not what a checkpoint has there")]
pub struct BadCheckpointText(&'static str);

impl Checkpoint {
    /// Reads the text, or a note that begins with it. Whether anybody signed it is not looked at.
    pub fn parse(note: &str) -> Result<Self, BadCheckpointText> {
        let mut lines = note.lines();
        let mut line = |what| lines.next().ok_or(BadCheckpointText(what));
        let origin = line("origin")?.strip_prefix("auditkeep/").and_then(|origin| origin.split_once('/'));
        let (archive, trail) = origin.ok_or(BadCheckpointText("origin"))?;
        let size = number(line("tree size")?).ok_or(BadCheckpointText("tree size"))?;
        let root = STANDARD.decode(line("root")?).ok().and_then(|root| root.try_into().ok());
        let extension = line("commit")?.strip_prefix("commit ").and_then(|commit| commit.split_once(' '));
        let (commit, body) = extension.ok_or(BadCheckpointText("commit"))?;
        Ok(Self {
            archive: archive.to_owned(),
            trail: trail.to_owned(),
            size,
            root: Sha256(root.ok_or(BadCheckpointText("root"))?),
            commit: number(commit).ok_or(BadCheckpointText("commit"))?,
            body: body.parse().map_err(|_| BadCheckpointText("commit"))?,
        })
    }

    pub fn text(&self) -> String {
        let mut text = format!("auditkeep/{}/{}\n", self.archive, self.trail);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", self.size);
        let _ = writeln!(text, "{}", STANDARD.encode(self.root.0));
        let _ = writeln!(text, "commit {} {}", self.commit, self.body);
        text
    }
}

/// Decimal, in the one spelling that a number has.
fn number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number: &u64| number.to_string() == text)
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
        assert_eq!(Checkpoint::parse(&checkpoint.text()), Ok(checkpoint.clone()));
        for wrong in ["auditkeep/a1", "other/a1/t"] {
            let text = checkpoint.text().replace("auditkeep/a1/t", wrong);
            assert_eq!(Checkpoint::parse(&text), Err(BadCheckpointText("origin")), "{text}");
        }
        let text = checkpoint.text().replace("\n3\n", "\n03\n");
        assert_eq!(Checkpoint::parse(&text), Err(BadCheckpointText("tree size")));
    }
}
