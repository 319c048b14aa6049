//! The command line: what may be typed, and which command answers it. One file a command.

mod choice;
mod collect;
mod demo;
mod derive;
mod events;
mod expire;
mod export;
mod hold;
mod import;
mod init;
mod journal;
mod key;
mod proof;
mod query;
mod retain;
mod review;
mod said;
mod seal;
mod status;
mod verify;

use std::path::{Path, PathBuf};

use auditkeep_archive::archive::Archive;
use auditkeep_archive::signer::Signer;
use auditkeep_archive::trail::Stamp;
use auditkeep_core::integrity::key::VerifyingKey;
use auditkeep_events::{DeltaTables, QueryEngine};
use clap::{Args, Parser, Subcommand};

use crate::config::{self, Config};
use crate::failure::{Exit, Failure};
use crate::keys::KeyPlace;
use crate::place::Place;
use crate::{public_keys, witnesses};

/// Name and version of this program, as commits state it.
pub const WRITER: &str = concat!("auditkeep ", env!("CARGO_PKG_VERSION"));

const DEFAULT_ARCHIVE: &str = "./archive";
const DEFAULT_KEY: &str = "auditkeep.key";

/// Keeps the audit logs of RDS and Aurora databases, proves that nothing was lost or altered, and answers questions.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, max_term_width = 110)]
#[command(after_help = "Exit codes: 0 fine, 1 failed, 2 wrong usage, 3 ran well and found a problem.")]
pub struct Arguments {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Everywhere")]
pub struct Global {
    /// The archive: ./dir, file:///dir or s3://bucket/prefix [default: the configuration's, else ./archive]
    #[arg(long, global = true, value_name = "URL", env = "AUDITKEEP_ARCHIVE", hide_env_values = true)]
    pub archive: Option<String>,
    /// The configuration file [default: auditkeep.toml, if there is one]
    #[arg(long, global = true, value_name = "FILE", env = "AUDITKEEP_CONFIG", hide_env_values = true)]
    pub config: Option<PathBuf>,
    /// The signing key: its file, or awskms:KEY for one in AWS KMS [default: the configuration's, else auditkeep.key]
    #[arg(long, global = true, value_name = "KEY", env = "AUDITKEEP_KEY", hide_env_values = true)]
    pub key: Option<String>,
    /// Print JSON, as documented in docs/cli.md
    #[arg(long, global = true)]
    pub json: bool,
    /// Say more on standard error
    #[arg(long, short, global = true)]
    pub verbose: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show everything on recorded logs: no AWS account, no database, nothing to install
    Demo(demo::DemoArguments),
    /// Write a configuration and a signing key, and make the archive
    Init(init::InitArguments),
    /// Collect what is new in the audit logs of RDS and Aurora instances
    Collect(collect::CollectArguments),
    /// Archive log files that lie on a disk
    Import(import::ImportArguments),
    /// Derive events from what is new in the archive (collect and import do it too)
    Derive,
    /// Run SQL over the tables `events` and `problems`
    Query(query::QueryArguments),
    /// Show events that match
    Events(events::EventsArguments),
    /// Put all trails under one signed checkpoint, and hand it to the witnesses
    Seal(seal::SealArguments),
    /// Check that everything in the archive is there and unaltered
    Verify(verify::VerifyArguments),
    /// Sign off a review of the evidence
    Review(review::ReviewArguments),
    /// Show what the archive's journal and trails have on record
    Journal(journal::JournalArguments),
    /// Say how long the segments of a trail are kept
    Retain(retain::RetainArguments),
    /// Place or release a hold, while which nothing is given up
    #[command(subcommand)]
    Hold(hold::HoldCommand),
    /// Show what is too old, and with --delete give it up
    Expire(expire::ExpireArguments),
    /// Show, rotate and retire signing keys
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Write a small file that proves one event to whoever has the public key
    Proof(proof::ProofArguments),
    /// Take things out of the archive
    #[command(subcommand)]
    Export(export::ExportCommand),
    /// Show what is archived of each instance
    Status,
}

/// Runs the command that was typed.
pub async fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let Arguments { global, command } = arguments;
    match command {
        // The demo and init decide for themselves where things are.
        Command::Demo(arguments) => demo::run(&global, &arguments).await,
        Command::Init(arguments) => init::run(&global, &arguments).await,
        Command::Collect(arguments) => collect::run(&Context::new(global)?, &arguments).await,
        Command::Import(arguments) => import::run(&Context::new(global)?, &arguments).await,
        Command::Derive => derive::run(&Context::new(global)?).await,
        Command::Query(arguments) => query::run(&Context::new(global)?, &arguments).await,
        Command::Events(arguments) => events::run(&Context::new(global)?, &arguments).await,
        Command::Seal(arguments) => seal::run(&Context::new(global)?, &arguments).await,
        Command::Verify(arguments) => verify::run(&Context::new(global)?, &arguments).await,
        Command::Review(arguments) => review::run(&Context::new(global)?, &arguments).await,
        Command::Journal(arguments) => journal::run(&Context::new(global)?, &arguments).await,
        Command::Retain(arguments) => retain::run(&Context::new(global)?, &arguments).await,
        Command::Hold(command) => hold::run(&Context::new(global)?, &command).await,
        Command::Expire(arguments) => expire::run(&Context::new(global)?, &arguments).await,
        Command::Key(command) => key::run(&Context::new(global)?, &command).await,
        Command::Proof(arguments) => proof::run(&Context::new(global)?, &arguments).await,
        Command::Export(command) => export::run(&Context::new(global)?, &command).await,
        Command::Status => status::run(&Context::new(global)?).await,
    }
}

/// What most commands need: where the archive is, and which key signs.
pub struct Context {
    pub config: Config,
    pub json: bool,
    pub place: Place,
    pub key: KeyPlace,
}

impl Context {
    fn new(global: Global) -> Result<Self, Failure> {
        let config = config::load(global.config.as_deref())?;
        // What was typed starts at the working directory, what was configured at the configuration.
        let here = Path::new("");
        let place = global.archive.map(|typed| Place::parse(&typed, here)).transpose()?;
        let key = global.key.map(|typed| KeyPlace::parse(&typed, here, &config.directory)).transpose()?;
        let s3 = config.s3.options()?;
        let configured = Self::of(config, global.json)?;
        let context = Self {
            place: place.map_or(configured.place, |place| place.with_s3(s3)),
            key: key.unwrap_or(configured.key),
            ..configured
        };
        witnesses::check(&context.config, &context.place)?;
        Ok(context)
    }

    /// What the configuration alone says.
    fn of(config: Config, json: bool) -> Result<Self, Failure> {
        let archive = config.archive.as_deref().unwrap_or(DEFAULT_ARCHIVE);
        let place = Place::parse(archive, &config.directory)?.with_s3(config.s3.options()?);
        let key = config.key.as_deref().unwrap_or(DEFAULT_KEY);
        let key = KeyPlace::parse(key, &config.directory, &config.directory)?;
        Ok(Self { config, json, place, key })
    }

    /// The archive, believed by the keys that are at hand, and only without one by the keys that it names itself.
    pub async fn archive(&self) -> Result<Archive, Failure> {
        self.place.open(self.public_keys()?).await
    }

    /// The public keys that lie beside the signing key: its own, and those that were rotated with it. Empty if there are none.
    pub fn public_keys(&self) -> Result<Vec<VerifyingKey>, Failure> {
        let path = self.key.public_path();
        if path.exists() { public_keys::read(&path.display().to_string()) } else { Ok(Vec::new()) }
    }

    pub async fn signing_key(&self) -> Result<Box<dyn Signer>, Failure> {
        self.key.signer().await
    }

    /// Refuses a file that would lie in the archive: there it would be planted evidence, or a key within reach of whoever alters it.
    pub fn check_outside(&self, file: &Path) -> Result<(), Failure> {
        if !self.place.holds(file) {
            return Ok(());
        }
        Err(Failure::usage(
            format!("`{}` would lie in the archive", file.display()),
            "name a file that is somewhere else",
        ))
    }

    /// The derived tables, which live beside the evidence.
    pub async fn tables(&self) -> Result<DeltaTables, Failure> {
        Ok(DeltaTables::new(self.place.store().await?, self.place.url().clone()))
    }

    pub async fn queries(&self) -> Result<QueryEngine, Failure> {
        Ok(QueryEngine::open(self.place.store().await?, self.place.url().clone()).await?)
    }
}

/// What a record that is made now says of itself.
fn stamp() -> Stamp {
    Stamp { time: now(), writer: WRITER.to_owned() }
}

/// The clock; the only place that looks at it for what is archived.
pub fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn arguments_are_consistent() {
        Arguments::command().debug_assert();
    }
}
