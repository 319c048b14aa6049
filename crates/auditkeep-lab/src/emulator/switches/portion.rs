//! Portions that are refused or come twice.
//!
//! What is always so, and therefore no switch: cut texts and replaced bytes, see [`crate::emulator`]'s portion API.

use serde::Deserialize;

/// What is wrong with a portion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum PortionFlaw {
    /// `InvalidParameterValue`: the file is said to hold binary data (honeycombio/rdslogs, `cli.go`), although it does not.
    Binary,
    /// The marker points back into what was given, so that the next portion repeats it. Seen with csv logs of Aurora
    /// PostgreSQL (aws/aws-cli issue 10319).
    Overlap {
        /// How far back, but never more than half of the portion: reading comes to an end.
        bytes: u64,
    },
}

impl PortionFlaw {
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Overlap { .. } => "overlap",
        }
    }

    /// Where the marker points after a portion of the bytes from `start` to `end`.
    pub(crate) fn end(self, start: u64, end: u64) -> u64 {
        match self {
            Self::Binary => end,
            Self::Overlap { bytes } => end - bytes.min(end.saturating_sub(start) / 2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overlap_leaves_progress() {
        let overlap = PortionFlaw::Overlap { bytes: 100 };
        assert_eq!(overlap.end(1000, 2000), 1900);
        assert_eq!(overlap.end(1000, 1050), 1025);
        assert_eq!(overlap.end(1000, 1001), 1001);
        assert_eq!(overlap.end(7, 7), 7);
    }
}
