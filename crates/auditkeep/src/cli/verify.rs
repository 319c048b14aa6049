//! `auditkeep verify`: is everything that was archived there and unaltered?

mod elsewhere;
mod proof;
mod words;

use std::path::PathBuf;
use std::sync::Arc;

use auditkeep_archive::checkpoint::Checkpoint;
use auditkeep_archive::verify::{Depth, Report, Verification};
use auditkeep_core::integrity::key::VerifyingKey;
use clap::Args;
use object_store::ObjectStore;
use serde::Serialize;

use self::elsewhere::{read_checkpoint, refuse_without_seal};
use super::Context;
use crate::failure::{Exit, Failure};
use crate::output::{bytes, json, plural, talk};
use crate::progress::Bar;
use crate::public_keys;
use crate::witnesses::Asked;

pub use words::print;

#[derive(Debug, Args)]
#[command(
    after_help = "Verdicts: OK, MODIFIED, MISSING, REORDERED, FORKED, ROLLED-BACK, TRUNCATED, KEY-UNKNOWN, GAP, EXPIRED, EXTRA.\n\
    Exit code 3 means that the archive was read and does not hold, 1 also that a witness has less than it got.\n\n\
    That the newest commits were cut off, or that the holder of the key wrote a second history, only a checkpoint shows that was\n\
    kept elsewhere: those of the configured witnesses are asked for, others are given with --checkpoint."
)]
pub struct VerifyArguments {
    /// A trusted public key, or its file; may be given more than once [default: the one beside the signing key]
    #[arg(long = "public-key", value_name = "KEY")]
    public_keys: Vec<String>,
    /// Objects that no commit names, and gaps that a record explains, count against the archive too
    #[arg(long)]
    strict: bool,
    /// Structure, signatures and sizes only: no segment is read
    #[arg(long)]
    shallow: bool,
    /// Only this trail and the journal; may be given more than once
    #[arg(long = "trail", value_name = "ID")]
    trails: Vec<String>,
    /// Only what came after this checkpoint, of an archive that was verified then; a file that `seal --output` or a witness has
    #[arg(long, value_name = "FILE")]
    since: Option<PathBuf>,
    /// A checkpoint that was kept elsewhere: the archive must still have all that it covers; may be given more than once
    #[arg(long = "checkpoint", value_name = "FILE")]
    checkpoints: Vec<PathBuf>,
    /// Do not ask the configured witnesses
    #[arg(long)]
    no_witnesses: bool,
    /// Check this proof of one event instead, which takes no archive; see `auditkeep proof`
    #[arg(long, value_name = "FILE", conflicts_with_all = [
        "strict", "shallow", "trails", "since", "checkpoints", "no_witnesses",
    ])]
    proof: Option<PathBuf>,
}

/// Where the trusted keys come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum KeysFrom {
    CommandLine,
    KeyFile,
    /// The archive vouches for itself: whoever can replace it can replace them.
    Archive,
}

#[derive(Serialize)]
struct Answer<'a> {
    verdict: &'static str,
    archive: &'a str,
    archive_id: &'a str,
    keys: Vec<String>,
    keys_from: KeysFrom,
    /// Checkpoints from elsewhere that the archive was compared with.
    checkpoints: Vec<CheckpointAnswer<'a>>,
    /// What came of asking each witness.
    witnesses: &'a [Asked],
    #[serde(flatten)]
    report: &'a Report,
}

#[derive(Serialize)]
struct CheckpointAnswer<'a> {
    name: &'a str,
    commit: u64,
}

pub async fn run(context: &Context, arguments: &VerifyArguments) -> Result<Exit, Failure> {
    if let Some(file) = &arguments.proof {
        return proof::run(context, file, &arguments.public_keys);
    }
    let store = context.place.store().await.map_err(|failure| failure.at(context.place.shown()))?;
    let (roots, keys_from) = trusted_keys(context, arguments)?;
    let mut verification = Verification {
        roots,
        depth: if arguments.shallow { Depth::Shallow } else { Depth::Deep },
        trails: arguments.trails.clone(),
        checkpoints: arguments
            .checkpoints
            .iter()
            .map(|file| read_checkpoint(file))
            .collect::<Result<_, _>>()?,
        since: arguments.since.as_deref().map(read_checkpoint).transpose()?,
    };
    if keys_from == KeysFrom::Archive {
        talk(
            "warning: no public key is at hand, so the archive's own is used; whoever can replace the archive can replace it",
        );
    }
    // Whether the archive can be believed is what is to be found out; this is only what it says.
    let archive = context.place.open(verification.roots.clone()).await.ok();
    refuse_without_seal(archive.as_ref(), &verification).await?;
    let asked = if arguments.no_witnesses {
        Vec::new()
    } else {
        elsewhere::ask(context, &store, archive.as_ref(), &mut verification).await
    };
    let failures: Vec<Failure> = asked.iter().filter_map(Asked::failure).collect();
    for failure in &failures {
        talk(&failure.to_string());
    }
    let report = check(store, &verification).await.map_err(|failure| failure.at(context.place.shown()))?;
    let holds = report.holds(arguments.strict);
    if context.json {
        json(&Answer::of(context, (&verification, &asked), keys_from, &report, holds))?;
    } else {
        print(&verification, &report, holds)?;
        words::print_reach(&verification, (&asked, failures.len()), &report, holds)?;
    }
    Ok(match (holds, failures.is_empty()) {
        (false, _) => Exit::Found,
        (true, false) => Exit::Failed,
        (true, true) => Exit::Fine,
    })
}

fn trusted_keys(
    context: &Context,
    arguments: &VerifyArguments,
) -> Result<(Vec<VerifyingKey>, KeysFrom), Failure> {
    if !arguments.public_keys.is_empty() {
        let keys = arguments.public_keys.iter().map(|key| public_keys::read(key));
        return Ok((keys.collect::<Result<Vec<_>, _>>()?.concat(), KeysFrom::CommandLine));
    }
    let keys = context.public_keys()?;
    let from = if keys.is_empty() { KeysFrom::Archive } else { KeysFrom::KeyFile };
    Ok((keys, from))
}

/// Verifies with a progress display.
pub async fn check(store: Arc<dyn ObjectStore>, verification: &Verification) -> Result<Report, Failure> {
    let bar = Bar::spinner("verifying");
    let progress = |report: &Report| {
        bar.say(&format!(
            "{}  {}  {}",
            plural(report.trails, "trail"),
            plural(report.commits, "commit"),
            bytes(report.raw_bytes)
        ));
    };
    Ok(verification.run(store, &progress).await?)
}

impl<'a> Answer<'a> {
    fn of(
        context: &'a Context,
        (verification, witnesses): (&'a Verification, &'a [Asked]),
        keys_from: KeysFrom,
        report: &'a Report,
        holds: bool,
    ) -> Self {
        let name = |checkpoint: &'a Checkpoint| CheckpointAnswer {
            name: &checkpoint.name,
            commit: checkpoint.number,
        };
        Self {
            verdict: if holds { "OK" } else { "FAILED" },
            archive: context.place.shown(),
            archive_id: &report.archive,
            keys: report.keys.iter().map(ToString::to_string).collect(),
            keys_from,
            checkpoints: verification.checkpoints.iter().chain(&verification.since).map(name).collect(),
            witnesses,
            report,
        }
    }
}
