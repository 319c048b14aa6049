//! `auditkeep-lab record`: runs the workloads in real servers and writes their logs down. Only with the feature `servers`.

use std::path::PathBuf;

use auditkeep_lab::record::{RecordError, record};
use clap::Args;

/// Record the logs of real servers; takes some minutes.
#[derive(Args)]
pub(crate) struct RecordArguments {
    /// Directory that gets `recorded/` and `truth/`; instances recorded there before are replaced
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(crate) async fn run(arguments: RecordArguments) -> Result<(), RecordError> {
    record(&arguments.out).await
}
