//! `auditkeep verify`: is everything that was archived there and unaltered?

mod proof;

use std::path::PathBuf;
use std::sync::Arc;

use auditkeep_archive::archive::Archive;
use auditkeep_archive::verify::{Report, Verification};
use auditkeep_core::integrity::key::VerifyingKey;
use clap::Args;
use object_store::ObjectStore;
use serde::Serialize;

use super::Context;
use crate::failure::{Exit, Failure};
use crate::keys;
use crate::output::table::Rows;
use crate::output::{bytes, data, json, plural, talk};
use crate::progress::Bar;

#[derive(Debug, Args)]
#[command(after_help = "Verdicts: OK, MODIFIED, MISSING, REORDERED, FORKED, KEY-UNKNOWN, GAP, EXTRA.\n\
    Exit code 3 means that the archive was read and does not hold.")]
pub struct VerifyArguments {
    /// A trusted public key, or its file; may be given more than once [default: the one beside the signing key]
    #[arg(long = "public-key", value_name = "KEY")]
    public_keys: Vec<String>,
    /// Objects that no commit names count against the archive too
    #[arg(long)]
    strict: bool,
    /// Check this proof of one event instead, which takes no archive; see `auditkeep proof`
    #[arg(long, value_name = "FILE", conflicts_with_all = ["strict"])]
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
    #[serde(flatten)]
    report: &'a Report,
}

pub async fn run(context: &Context, arguments: &VerifyArguments) -> Result<Exit, Failure> {
    if let Some(file) = &arguments.proof {
        return proof::run(context, file, &arguments.public_keys);
    }
    let archive = context.archive().await?;
    let (keys, keys_from) = trusted_keys(context, arguments, &archive)?;
    if keys_from == KeysFrom::Archive {
        talk(
            "warning: no public key is at hand, so the archive's own is used; whoever can replace the archive can replace it",
        );
    }
    let verification = Verification { roots: keys.clone(), ..Verification::default() };
    let report = check(Arc::clone(archive.store()), &verification).await?;
    let holds = report.holds(arguments.strict);
    if context.json {
        json(&Answer {
            verdict: if holds { "OK" } else { "FAILED" },
            archive: context.place.shown(),
            archive_id: &archive.manifest().id,
            keys: keys.iter().map(ToString::to_string).collect(),
            keys_from,
            report: &report,
        })?;
    } else {
        print(&report, holds)?;
    }
    Ok(if holds { Exit::Fine } else { Exit::Found })
}

fn trusted_keys(
    context: &Context,
    arguments: &VerifyArguments,
    archive: &Archive,
) -> Result<(Vec<VerifyingKey>, KeysFrom), Failure> {
    if !arguments.public_keys.is_empty() {
        let keys = arguments.public_keys.iter().map(|key| keys::read_public_key(key));
        return Ok((keys.collect::<Result<_, _>>()?, KeysFrom::CommandLine));
    }
    Ok(match context.public_key()? {
        Some(key) => (vec![key], KeysFrom::KeyFile),
        None => (archive.manifest().keys.clone(), KeysFrom::Archive),
    })
}

/// Verifies with a progress display.
pub async fn check(store: Arc<dyn ObjectStore>, verification: &Verification) -> Result<Report, Failure> {
    let bar = Bar::spinner("verifying");
    let progress = |report: &Report| {
        bar.say(&format!("{}  {}", plural(report.commits, "commit"), bytes(report.raw_bytes)));
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
    let against = report.against;
    data(&match (holds, report.commits) {
        (true, 0) => "OK: the archive is empty".to_owned(),
        (true, _) => {
            "OK: up to the newest commit of each trail, everything is there and unaltered".to_owned()
        }
        (false, _) if against == 0 => "FAILED: there are objects that no commit names".to_owned(),
        (false, _) => format!("FAILED: {} against this archive", plural(against, "finding")),
    })
}
