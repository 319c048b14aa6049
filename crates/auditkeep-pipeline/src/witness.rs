//! The port to witnesses: whoever keeps checkpoints where those who can alter the archive cannot reach.
//!
//! A witness never gives up what it has. One that can be asked gets no seal of a journal that lacks the newest one that it has
//! ([`crate::seal`]), and refuses another archive's; a webhook cannot be asked. That is the only defence against a tail that was cut
//! off, or a second history by the holder of the key.

pub mod file;
pub mod store;
pub mod webhook;

use std::error::Error;

use async_trait::async_trait;
use auditkeep_archive::checkpoint::Checkpoint;
use auditkeep_archive::seal::Sealed;

/// Keeps checkpoints.
#[async_trait]
pub trait Witness: Send + Sync {
    /// What the configuration and the journal call it.
    fn name(&self) -> &str;

    /// Hands a seal over. Once this returns, the witness has it, for good as far as it can promise.
    async fn keep(&self, archive: &str, seal: &Sealed) -> Result<(), WitnessError>;

    /// The newest checkpoint of the archive that it has. None if it has none, or cannot be asked.
    async fn newest(&self, archive: &str) -> Result<Option<Checkpoint>, WitnessError>;
}

#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    /// Nothing is known to be wrong but the way there.
    #[error("{operation} the witness `{witness}` failed")]
    Unreachable {
        /// A gerund: `handing the seal to`.
        operation: &'static str,
        witness: String,
        #[source]
        cause: Box<dyn Error + Send + Sync>,
    },
    /// The archive is not the one that it has seen, or has lost its end.
    #[error("the witness `{witness}` knows another history: {detail}")]
    AnotherHistory { witness: String, detail: String },
    #[error("what the witness `{witness}` holds is no checkpoint")]
    Damaged {
        witness: String,
        #[source]
        cause: Box<dyn Error + Send + Sync>,
    },
}

impl WitnessError {
    pub(crate) fn unreachable(
        operation: &'static str,
        witness: &str,
        cause: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self::Unreachable { operation, witness: witness.to_owned(), cause: cause.into() }
    }
}

/// Whether a seal of the archive can follow the newest checkpoint that a witness has.
fn goes_on(
    witness: &str,
    archive: &str,
    newest: Option<&Checkpoint>,
    seal: &Sealed,
) -> Result<(), WitnessError> {
    let detail = match newest {
        Some(newest) if newest.archive != archive => {
            format!("it has a seal of archive {}, and this is archive {archive}", newest.archive)
        }
        Some(newest) if newest.number > seal.number => {
            format!(
                "it has seen the seal in journal commit {}, and this is commit {}",
                newest.number, seal.number
            )
        }
        Some(newest) if newest.number == seal.number && newest.note != seal.note => {
            format!("its seal in journal commit {} is another one", seal.number)
        }
        _ => return Ok(()),
    };
    Err(WitnessError::AnotherHistory { witness: witness.to_owned(), detail })
}
