//! Files that change between two calls, or while somebody reads them. Only simulated databases can do that.

use serde::Deserialize;

use crate::emulator::switches::Operation;

/// What the database does to its files, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ReadingFlaw {
    /// It rotates right after a listing: what was listed under a name is now under another (aws/aws-sdk-go issue 3266).
    RotateAfterList,
    /// It rotates right after a portion: the next one, by the marker that was given, is of another file.
    RotateAfterPortion,
    /// It rotates while a file is downloaded.
    RotateWhileRead {
        /// After so many bytes were read.
        after_bytes: u64,
        /// Whether the rest comes from the file that has the name by then, at the same offset. Otherwise the opened file
        /// is read to its end. Which of them RDS does is not known.
        #[serde(default)]
        by_name: bool,
    },
    /// The file grows while it is downloaded, and what is new is sent too.
    GrowWhileRead {
        /// So many records, beside those that the clock brings.
        #[serde(default)]
        records: u64,
    },
}

impl ReadingFlaw {
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::RotateAfterList => "rotate-after-list",
            Self::RotateAfterPortion => "rotate-after-portion",
            Self::RotateWhileRead { .. } => "rotate-while-read",
            Self::GrowWhileRead { .. } => "grow-while-read",
        }
    }

    pub(super) fn happens_to(self) -> Operation {
        match self {
            Self::RotateAfterList => Operation::DescribeDBLogFiles,
            Self::RotateAfterPortion => Operation::DownloadDBLogFilePortion,
            Self::RotateWhileRead { .. } | Self::GrowWhileRead { .. } => Operation::DownloadCompleteLogFile,
        }
    }

    /// Whether it is time for it when so much of a file was read.
    pub(crate) fn is_due(self, position: u64, size: u64) -> bool {
        match self {
            Self::RotateAfterList | Self::RotateAfterPortion => false,
            Self::RotateWhileRead { after_bytes, .. } => position >= after_bytes,
            Self::GrowWhileRead { .. } => position >= size,
        }
    }
}
