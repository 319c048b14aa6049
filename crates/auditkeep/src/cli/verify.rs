//! `auditkeep verify`: is everything that was archived there and unaltered?

mod proof;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use auditkeep_archive::checkpoint::Checkpoint;
use auditkeep_archive::verify::{Depth, Report, Verification};
use auditkeep_core::integrity::key::VerifyingKey;
use clap::Args;
use object_store::ObjectStore;
use serde::Serialize;

use super::Context;
use crate::failure::{self, Exit, Failure};
use crate::output::table::Rows;
use crate::output::{bytes, count, data, json, plural, talk};
use crate::progress::Bar;
use crate::{public_keys, witnesses};

#[derive(Debug, Args)]
#[command(
    after_help = "Verdicts: OK, MODIFIED, MISSING, REORDERED, FORKED, ROLLED-BACK, TRUNCATED, KEY-UNKNOWN, GAP, EXPIRED, EXTRA.\n\
    Exit code 3 means that the archive was read and does not hold.\n\n\
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
    if !arguments.no_witnesses {
        ask_witnesses(context, &store, &mut verification).await;
    }
    let report = check(store, &verification).await.map_err(|failure| failure.at(context.place.shown()))?;
    let holds = report.holds(arguments.strict);
    if context.json {
        json(&Answer::of(context, &verification, keys_from, &report, holds))?;
    } else {
        print(&report, holds)?;
        print_reach(&verification, &report, holds)?;
    }
    Ok(if holds { Exit::Fine } else { Exit::Found })
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

fn read_checkpoint(path: &Path) -> Result<Checkpoint, Failure> {
    let hint = "give a file that `auditkeep seal --output` wrote, or that a witness keeps";
    let bytes = std::fs::read(path).map_err(|error| {
        Failure::usage(format!("reading the checkpoint `{}` failed: {error}", path.display()), hint)
    })?;
    Checkpoint::parse(&path.display().to_string(), &bytes)
        .map_err(|error| Failure::usage(failure::with_causes(&error), hint))
}

/// Adds what the witnesses keep. One that cannot be asked is told, and is no verdict.
async fn ask_witnesses(context: &Context, store: &Arc<dyn ObjectStore>, verification: &mut Verification) {
    if context.config.witness.is_empty() {
        return;
    }
    // Only the id is needed; whether the archive can be believed is what is to be found out.
    let Ok(id) = auditkeep_archive::verify::archive_id(Arc::clone(store)).await else { return };
    let (checkpoints, failures) = witnesses::newest(&context.config, &id).await;
    verification.checkpoints.extend(checkpoints);
    for failure in failures {
        talk(&format!("warning: {}", crate::output::escape::line(failure.message())));
    }
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

/// One line per verdict, and the sum.
pub fn print(report: &Report, holds: bool) -> Result<(), Failure> {
    data(&format!(
        "checked {}, {}, {} with {} of audit log",
        plural(report.trails, "trail"),
        plural(report.commits, "commit"),
        plural(report.segments, "segment"),
        bytes(report.raw_bytes)
    ))?;
    if !report.findings.is_empty() {
        let mut table = Rows::new(&["VERDICT", "OBJECT", "WHY"]);
        for finding in &report.findings {
            table.add([finding.verdict.name(), &finding.object, &finding.detail]);
        }
        table.print()?;
    }
    if report.more_findings > 0 {
        data(&format!("and {} more findings", count(report.more_findings)))?;
    }
    data(&match (holds, report.commits) {
        (true, 0) => "OK: the archive is empty".to_owned(),
        (true, _) => {
            "OK: up to the newest commit of each trail, everything is there and unaltered".to_owned()
        }
        (false, _) if report.against == 0 => {
            "FAILED: there are objects that no commit names, or gaps".to_owned()
        }
        (false, _) => format!("FAILED: {} against this archive", plural(report.against, "finding")),
    })
}

/// How far the answer reaches.
fn print_reach(verification: &Verification, report: &Report, holds: bool) -> Result<(), Failure> {
    for checkpoint in verification.checkpoints.iter().chain(&verification.since).filter(|_| holds) {
        data(&format!(
            "it has all that the checkpoint {} covers",
            crate::output::escape::line(&checkpoint.name)
        ))?;
    }
    if verification.checkpoints.is_empty() && verification.since.is_none() && report.commits > 0 {
        talk(
            "note: no checkpoint from elsewhere was compared, so a tail that was cut off everywhere could not be seen; see `auditkeep seal`",
        );
    }
    if verification.depth == Depth::Shallow {
        talk("note: no segment was read; without `--shallow` their bytes are checked, too");
    }
    Ok(())
}

impl<'a> Answer<'a> {
    fn of(
        context: &'a Context,
        verification: &'a Verification,
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
            report,
        }
    }
}
