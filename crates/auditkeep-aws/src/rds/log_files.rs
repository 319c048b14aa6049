//! The log files of one RDS instance, as the collector's port asks for them.
//!
//! Guarantees: a listing has all pages or fails. Its content is passed on as RDS gave it, even when it is empty although
//! it was not a moment ago, which happens: what an empty listing means is for the caller to judge.
//! Does not use `DownloadDBLogFilePortion`: it cuts long lines and replaces letters.

use async_trait::async_trait;
use auditkeep_pipeline::source::{LogBytes, LogFile, LogFiles, SourceError, SourceErrorKind};
use aws_sdk_rds::Client;
use aws_sdk_rds::types::DescribeDbLogFilesDetails;

use super::complete_file::CompleteFiles;
use super::pages::Pages;
use crate::fault::sdk::source_error;

const LISTING: &str = "listing log files of";

/// Reads the log files of one instance through the RDS API.
#[derive(Clone, Debug)]
pub struct RdsLogFiles {
    client: Client,
    complete_files: CompleteFiles,
    instance: String,
}

/// Nothing can be done with such an entry, and leaving it out would look like a file that is gone.
#[derive(Debug, thiserror::Error)]
#[error("an entry of the listing has no file name")]
struct NamelessEntry;

impl RdsLogFiles {
    pub(super) fn new(client: Client, complete_files: CompleteFiles, instance: String) -> Self {
        Self { client, complete_files, instance }
    }
}

#[async_trait]
impl LogFiles for RdsLogFiles {
    async fn list(&self) -> Result<Vec<LogFile>, SourceError> {
        let invalid = |cause| SourceError {
            kind: SourceErrorKind::Invalid,
            operation: LISTING,
            object: self.instance.clone(),
            cause,
        };
        let mut files = Vec::new();
        let mut pages = Pages::default();
        loop {
            let page = self
                .client
                .describe_db_log_files()
                .db_instance_identifier(&self.instance)
                .set_marker(pages.marker())
                .send()
                .await
                .map_err(|failure| source_error(LISTING, &self.instance, &failure))?;
            for entry in page.describe_db_log_files() {
                files.push(log_file(entry).map_err(|cause| invalid(cause.into()))?);
            }
            if !pages.turn(page.marker()).map_err(|cause| invalid(cause.into()))? {
                return Ok(files);
            }
        }
    }

    async fn open(&self, name: &str) -> Result<LogBytes, SourceError> {
        self.complete_files.open(&self.instance, name).await
    }
}

/// A size or time that is missing or negative counts as zero: both are hints only.
fn log_file(entry: &DescribeDbLogFilesDetails) -> Result<LogFile, NamelessEntry> {
    let name = entry.log_file_name().filter(|name| !name.is_empty()).ok_or(NamelessEntry)?;
    Ok(LogFile {
        name: name.to_owned(),
        size: entry.size().and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
        last_written_ms: entry.last_written().unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_hints_are_zero_and_a_nameless_entry_is_an_error() {
        let entry = DescribeDbLogFilesDetails::builder().log_file_name("audit/a.log").size(-1).build();
        let expected = LogFile { name: "audit/a.log".to_owned(), size: 0, last_written_ms: 0 };
        assert_eq!(log_file(&entry).unwrap(), expected);
        assert!(log_file(&DescribeDbLogFilesDetails::builder().size(1).build()).is_err());
    }
}
