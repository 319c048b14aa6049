//! The next step, for each error that a user can do something about.

use std::error::Error;

use auditkeep_archive::archive::ArchiveError;
use auditkeep_archive::proof::ProofError;
use auditkeep_archive::rotation::RotationError;
use auditkeep_archive::trail::TrailError;
use auditkeep_archive::verify::VerifyError;
use auditkeep_aws::config::ConfigError;
use auditkeep_aws::{KmsError, KmsErrorKind};
use auditkeep_core::integrity::note::NoteError;
use auditkeep_events::QueryError;
use auditkeep_pipeline::collect::{CollectError, FileError};
use auditkeep_pipeline::derive::DeriveError;
use auditkeep_pipeline::source::{SourceError, SourceErrorKind};
use auditkeep_pipeline::table::TableError;
use auditkeep_pipeline::witness::WitnessError;

const NEWER: &str = "a newer auditkeep wrote this; use that version or a later one";
const LOOK: &str =
    "run `auditkeep verify` to see what else is wrong, and keep the archive as it is for an investigation";
const KMS_KIND: &str =
    "make a key that can sign here: `aws kms create-key --key-spec ECC_NIST_P256 --key-usage SIGN_VERIFY`";
/// A table that knows more than its archive may be all that is left of commits that somebody took away.
pub const AHEAD: &str = "keep a copy of both the archive and the tables first: either these tables are of another archive, or this archive has lost its latest commits and the tables are their only witness; run `auditkeep verify`, and compare with a copy of the archive; once it is known why, remove the directories `events/` and `problems/` at the archive's place and run `auditkeep derive` again";
/// What is derived is no evidence.
pub const TABLES: &str = "check that the place can be reached, then run the same command again; if the tables are damaged, remove the directories `events/` and `problems/` at the archive's place and run `auditkeep derive` again, which builds them from the archive";

/// The hint of the first error in the chain that has one.
pub fn hint(error: &(dyn Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(hint) = own_hint(error) {
            return Some(hint.to_owned());
        }
        next = error.source();
    }
    None
}

fn own_hint(error: &(dyn Error + 'static)) -> Option<&'static str> {
    if let Some(error) = error.downcast_ref() {
        return of_verify(error);
    }
    if let Some(error) = error.downcast_ref() {
        return of_witness(error);
    }
    if let Some(error) = error.downcast_ref() {
        return of_archive(error);
    }
    if let Some(error) = error.downcast_ref() {
        return of_trail(error);
    }
    if let Some(error) = error.downcast_ref() {
        return of_rotation(error);
    }
    if let Some(error) = error.downcast_ref() {
        return of_proof(error);
    }
    if let Some(error) = error.downcast_ref::<SourceError>() {
        return Some(of_source(error.kind));
    }
    if let Some(error) = error.downcast_ref() {
        return Some(of_file(error));
    }
    if let Some(error) = error.downcast_ref() {
        return of_collect(error);
    }
    if let Some(error) = error.downcast_ref() {
        return of_derive(error);
    }
    if let Some(error) = error.downcast_ref() {
        return Some(of_config(error));
    }
    if let Some(error) = error.downcast_ref() {
        return Some(of_kms(error));
    }
    if error.downcast_ref::<TableError>().is_some() {
        return Some(TABLES);
    }
    error.downcast_ref().and_then(of_query)
}

fn of_verify(error: &VerifyError) -> Option<&'static str> {
    match error {
        VerifyError::Archive(error) => of_archive(error),
        VerifyError::Keys(error) => of_trail(error),
        VerifyError::Spill(_) => {
            Some("make room in the directory for temporary files, or name another one in TMPDIR")
        }
        VerifyError::NoSeal { .. } => Some("give a checkpoint that `auditkeep seal` made"),
        VerifyError::NoTrail { .. } => Some("`auditkeep status` lists the trails"),
    }
}

fn of_witness(error: &WitnessError) -> Option<&'static str> {
    match error {
        WitnessError::Unreachable { .. } => None,
        WitnessError::AnotherHistory { .. } => Some(LOOK),
        WitnessError::Damaged { .. } => Some("look at what the witness holds; it was not touched"),
    }
}

fn of_archive(error: &ArchiveError) -> Option<&'static str> {
    match error {
        ArchiveError::Missing => {
            Some("check `--archive`, or make an archive there with `auditkeep init --archive <URL>`")
        }
        ArchiveError::Exists => Some("use it as it is, or choose another place"),
        ArchiveError::Damaged { .. } | ArchiveError::Incident { .. } => Some(LOOK),
        ArchiveError::ForeignKey { .. } => {
            Some("use the key that the archive was made with: `--key`, or `key` in the configuration")
        }
        ArchiveError::RetiredKey { .. } => Some(
            "sign with a key that is in force: `--key FILE`, or `key` in the configuration; `auditkeep key show` lists them",
        ),
        ArchiveError::Newer { .. } => Some(NEWER),
        ArchiveError::Journal(error) => of_trail(error),
        ArchiveError::NeedsRestore { .. } => Some(
            "restore what is to be read (`aws s3api restore-object`, or S3 Batch Operations for much), then run the same command again",
        ),
        ArchiveError::Store { .. } => Some(
            "check that the place can be reached and that you may read and write there, then run the same command again",
        ),
        ArchiveError::Encode { .. } => None,
    }
}

fn of_trail(error: &TrailError) -> Option<&'static str> {
    match error {
        TrailError::Archive(error) => of_archive(error),
        TrailError::NoTrail { .. } => Some("`auditkeep status` lists the trails"),
        // Whoever signs knows why; its own error is the cause.
        TrailError::Sign(_) => None,
        TrailError::Distrusted { cause: NoteError::UnknownKey { .. }, .. } => Some(
            "name the key that the archive was made with: `--key`, or `key` in the configuration; if it is that key, keep the archive as it is for an investigation",
        ),
        TrailError::Distrusted { .. }
        | TrailError::CheckpointMismatch { .. }
        | TrailError::Hole { .. }
        | TrailError::NoSeal { .. }
        | TrailError::NoJournal => Some(LOOK),
    }
}

fn of_rotation(error: &RotationError) -> Option<&'static str> {
    match error {
        RotationError::Trail(error) => of_trail(error),
        RotationError::Unknown { .. } => Some("`auditkeep key show` lists the keys"),
        RotationError::Retired { .. } => {
            Some("a retired key does not come back; make another one with `--new-key`")
        }
        RotationError::Last { .. } => Some("put another key in force first: `auditkeep key rotate`"),
        RotationError::Itself { .. } => Some("sign with another key that is in force: `--key FILE`"),
        RotationError::NoSeal { .. } => Some("seal the archive first: `auditkeep seal`"),
        RotationError::InUse { .. } => Some(
            "stop whatever still signs with that key, let it sign with one that stays, then run the same command again",
        ),
    }
}

fn of_proof(error: &ProofError) -> Option<&'static str> {
    match error {
        ProofError::Archive(error) => of_archive(error),
        ProofError::Trail(error) => of_trail(error),
        ProofError::NoCommit { .. } | ProofError::NoBytes { .. } => Some(
            "copy the event's id from `auditkeep events --ids`, and check that `--archive` is the archive it is from",
        ),
        ProofError::Ambiguous { .. } | ProofError::TooLong(_) => {
            Some("`auditkeep export raw` gives the log's original bytes")
        }
        ProofError::Gone { .. } => {
            Some("run `auditkeep verify` to see whether it was given up after its retention, or is missing")
        }
        ProofError::DoesNotHold(_) => Some(LOOK),
        ProofError::Encode(_) => None,
    }
}

fn of_source(kind: SourceErrorKind) -> &'static str {
    match kind {
        SourceErrorKind::NotFound => {
            "check the name; it may have been renamed, deleted or rotated away since it was listed"
        }
        SourceErrorKind::Denied => {
            "check the credentials and that they allow rds:DescribeDBInstances, rds:DescribeDBLogFiles and rds:DownloadCompleteDBLogFile"
        }
        SourceErrorKind::Throttled => "run the same command again later; what was archived so far is kept",
        SourceErrorKind::Unreachable => {
            "check the endpoint, the region and the network, then run the same command again"
        }
        SourceErrorKind::Invalid => "look at the file or endpoint: what it gave is not what was asked for",
    }
}

fn of_file(error: &FileError) -> &'static str {
    match error {
        FileError::Source(error) => of_source(error.kind),
        FileError::NotAnAuditLog(_) => {
            "give the engine that wrote the file with `--engine`, and leave out files that are not audit logs"
        }
        FileError::Changed { .. } | FileError::Shrunk { .. } => {
            "the bytes archived before are kept; find out who can write to the database's log files, since this should never happen"
        }
        FileError::Incident(_) => LOOK,
    }
}

fn of_collect(error: &CollectError) -> Option<&'static str> {
    match error {
        CollectError::Source(error) => Some(of_source(error.kind)),
        CollectError::Trail(error) => of_trail(error),
        CollectError::Compress { .. } => None,
    }
}

fn of_derive(error: &DeriveError) -> Option<&'static str> {
    match error {
        DeriveError::Archive(error) => of_archive(error),
        DeriveError::Trail(error) => of_trail(error),
        DeriveError::Table(_) => Some(TABLES),
        DeriveError::UnknownFormat { .. } | DeriveError::UnknownEngine { .. } => Some(NEWER),
        DeriveError::NoBytes { .. } => Some(LOOK),
        DeriveError::Ahead { .. } => Some(AHEAD),
    }
}

fn of_config(error: &ConfigError) -> &'static str {
    match error {
        ConfigError::NoRegion | ConfigError::BadRegion(_) => {
            "name the region with `--region`, in the configuration or in AWS_REGION"
        }
        ConfigError::NoCredentials(_) => {
            "log in (`aws sso login`), or set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        }
        ConfigError::BadEndpoint { .. } | ConfigError::InsecureEndpoint { .. } => {
            "write the endpoint as `https://host`"
        }
        ConfigError::HttpClient(_) => "check the machine's root certificates",
    }
}

fn of_kms(error: &KmsError) -> &'static str {
    match error {
        KmsError::Config(error) => of_config(error),
        KmsError::Call { kind, .. } => of_kms_call(*kind),
        KmsError::Spec { .. } | KmsError::Usage { .. } => KMS_KIND,
        KmsError::TooLong { .. } => "give the instance a shorter name",
        KmsError::Answer { .. } => {
            "nothing was written; check what it is that answers at the endpoint for KMS, then run the same command again"
        }
    }
}

fn of_kms_call(kind: KmsErrorKind) -> &'static str {
    match kind {
        KmsErrorKind::NotFound => {
            "check the key's id, ARN or alias (`awskms:alias/name`), the account and the region; without an ARN it is looked for in the region of the environment"
        }
        KmsErrorKind::Denied => {
            "check the credentials, and that they and the key's policy allow kms:GetPublicKey and kms:Sign on this key"
        }
        KmsErrorKind::Disabled => {
            "have the key enabled again, or its deletion cancelled; until then nothing can be signed, and what is archived can be verified all the same"
        }
        KmsErrorKind::Unsuitable => KMS_KIND,
        KmsErrorKind::Throttled => "run the same command again later; what was archived so far is kept",
        KmsErrorKind::Unreachable => {
            "check the endpoint, the region and the network, then run the same command again"
        }
        KmsErrorKind::Invalid => {
            "check how the key is named, and what it is that answers at the endpoint for KMS"
        }
    }
}

fn of_query(error: &QueryError) -> Option<&'static str> {
    match error {
        QueryError::Syntax { .. } | QueryError::Invalid { .. } => {
            Some("quote the whole statement for the shell: auditkeep query \"select … from events\"")
        }
        QueryError::UnknownColumn { .. } => Some("`auditkeep query 'describe events'` lists the columns"),
        QueryError::UnknownTable { .. } => Some("`auditkeep query 'show tables'` lists the tables"),
        QueryError::NotAllowed { .. } => {
            Some("the tables are derived from the archive, and only `auditkeep derive` writes them")
        }
        QueryError::Exhausted { .. } => Some("narrow the statement down, for one by `event_date`"),
        QueryError::Execution { .. } => None,
        QueryError::Open { .. } => Some(
            "check that the place can be reached and that you may read there, then run the same command again; what is missing from the tables, `auditkeep derive` builds again",
        ),
    }
}

#[cfg(test)]
mod tests {
    use auditkeep_archive::signer::SignError;

    use super::*;

    #[test]
    fn the_hint_for_a_key_that_does_not_sign_is_found_below_all_that_it_stops() {
        let refused = KmsError::Call {
            kind: KmsErrorKind::Denied,
            operation: "signing with",
            key: "alias/audit".to_owned(),
            source: "AWS answered AccessDeniedException".into(),
        };
        let cause = SignError { key: "awskms-00000000".to_owned(), cause: refused.into() };
        let stopped = CollectError::from(TrailError::from(cause));
        assert_eq!(hint(&stopped).as_deref(), Some(of_kms_call(KmsErrorKind::Denied)));
        let told = super::super::with_causes(&stopped);
        assert_eq!(
            told,
            "signing with the key `awskms-00000000` failed: signing with the key `alias/audit` in AWS KMS failed: \
             AWS answered AccessDeniedException"
        );
    }
}
