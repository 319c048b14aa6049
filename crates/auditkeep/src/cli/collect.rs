//! `auditkeep collect`: what is new in the instances' audit logs, into the archive, and from there into the tables.

use std::collections::BTreeMap;
use std::time::Duration;

use auditkeep_archive::archive::Archive;
use auditkeep_archive::signer::Signer;
use auditkeep_archive::trail::{self, Stamp};
use auditkeep_aws::config::{ConfigError, LoadOptions};
use auditkeep_aws::{DiscoveredInstance, RdsAccount, RdsOptions};
use auditkeep_pipeline::collect::{Collector, FileError, FileOutcome, Inventory, Pass, Progress};
use auditkeep_pipeline::derive::unfinished;
use auditkeep_pipeline::source::{Instance, LogFiles, SourceError, SourceKind};
use clap::Args;
use serde::Serialize;
use url::Url;

use super::derive::{self, Derivation};
use super::{Context, WRITER, now};
use crate::config::{RdsConfig, is_chosen};
use crate::failure::{self, Exit, Failure};
use crate::output::table::Rows;
use crate::output::{bytes, data, escape, json, plural, talk};
use crate::progress::Bar;

/// PostgreSQL writes the lines of one record at once; after this long without a write the last record is whole.
pub const SETTLED_AFTER: Duration = Duration::from_mins(5);

#[derive(Debug, Args)]
pub struct CollectArguments {
    /// Only these instances; * stands for any text
    #[arg(long = "instance", value_name = "NAME")]
    instances: Vec<String>,
    /// The region to collect from, instead of the configuration's
    #[arg(long)]
    region: Option<String>,
    /// Archive only; `auditkeep derive` can follow at any time
    #[arg(long)]
    no_derive: bool,
}

/// The answer, in JSON as it stands here.
#[derive(Debug, Default, Serialize)]
pub struct Collection {
    pub instances: Vec<InstanceResult>,
    /// Instances that were not asked, and why.
    pub skipped: Vec<Skipped>,
    /// Sources of which it was recorded that they are not collected any more.
    pub stopped: Vec<StoppedSource>,
    /// Accounts and regions of which nothing was collected, and why.
    pub failures: Vec<RegionFailed>,
    pub new_bytes: u64,
    pub commits: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub derived: Option<Derivation>,
    /// What the accounts and regions have, by both.
    #[serde(skip)]
    inventories: BTreeMap<(String, String), Inventory>,
}

#[derive(Debug, Serialize)]
pub struct InstanceResult {
    pub instance: String,
    pub resource_id: String,
    pub engine: &'static str,
    pub logs: u64,
    /// Logs that had something new.
    pub changed: u64,
    pub new_bytes: u64,
    pub commits: u64,
    /// Archived bytes after the last whole record of each log.
    pub unfinished_bytes: u64,
    #[serde(skip)]
    trail: Option<String>,
    /// Names of the gaps that were found: bytes that may be lost.
    pub gaps_opened: Vec<String>,
    pub logs_replaced: Vec<String>,
    pub failures: Vec<Failed>,
}

#[derive(Debug, Serialize)]
pub struct Failed {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    pub error: String,
    #[serde(skip)]
    hint: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct RegionFailed {
    /// As configured; absent where the environment names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    #[serde(flatten)]
    failed: Failed,
}

/// Why the instances of an account and region cannot be listed.
#[derive(Debug, thiserror::Error)]
pub enum RegionError {
    #[error("`endpoint` in the configuration is no URL: {0}")]
    Endpoint(#[source] url::ParseError),
    // The causes speak for themselves.
    #[error("{0}")]
    Config(#[from] ConfigError),
    #[error("{0}")]
    Source(#[from] SourceError),
}

#[derive(Debug, Serialize)]
pub struct StoppedSource {
    pub instance: String,
    pub trail: String,
    pub cause: &'static str,
}

#[derive(Debug, Serialize)]
pub struct Skipped {
    pub instance: String,
    pub engine: String,
    pub reason: String,
}

pub async fn run(context: &Context, arguments: &CollectArguments) -> Result<Exit, Failure> {
    let archive = context.archive().await?;
    let key = context.signing_key().await?;
    let mut collection = Collection::default();
    let sources = sources(context, arguments);
    for rds in &sources {
        match collect_region(&archive, &*key, rds, &mut collection).await {
            Ok(()) => {}
            // With nothing else to collect from, it is the command that failed.
            Err(error) if sources.len() == 1 => return Err(error.into_failure()),
            Err(error) => collection.failures.push(RegionFailed::of(rds, &error)),
        }
    }
    // An instance that was not asked for on the command line is collected all the same, some other time.
    if arguments.instances.is_empty() {
        collection.record_stopped(&archive, &*key).await?;
    }
    finish(context, &archive, collection, !arguments.no_derive).await
}

/// What the configuration and the command line together ask for.
fn sources(context: &Context, arguments: &CollectArguments) -> Vec<RdsConfig> {
    let mut sources = context.config.rds.clone();
    if sources.is_empty() || arguments.region.is_some() {
        sources = vec![RdsConfig { region: arguments.region.clone(), ..RdsConfig::default() }];
    }
    for source in &mut sources {
        if !arguments.instances.is_empty() {
            source.include.clone_from(&arguments.instances);
        }
        source.silent_after = source.silent_after.or(context.config.silent_after);
    }
    sources
}

async fn collect_region(
    archive: &Archive,
    key: &dyn Signer,
    rds: &RdsConfig,
    collection: &mut Collection,
) -> Result<(), RegionError> {
    let account = connect(rds).await?;
    Ok(collect_account(archive, key, &account, rds, collection).await?)
}

async fn connect(rds: &RdsConfig) -> Result<RdsAccount, RegionError> {
    let config =
        auditkeep_aws::config::load(&LoadOptions { region: rds.region.clone(), ..LoadOptions::default() })
            .await?;
    let endpoint = rds.endpoint.as_deref().map(Url::parse).transpose().map_err(RegionError::Endpoint)?;
    Ok(RdsAccount::new(&config, RdsOptions { endpoint, ..RdsOptions::default() }).await?)
}

/// Collects from every chosen instance of an account. A failing instance does not stop the others; the error is that of
/// listing them, before anything is collected.
pub async fn collect_account(
    archive: &Archive,
    key: &dyn Signer,
    account: &RdsAccount,
    rds: &RdsConfig,
    collection: &mut Collection,
) -> Result<(), SourceError> {
    let discovered = account.instances().await?;
    collection.take_inventory(account.region(), rds, &discovered);
    for discovered in discovered {
        match discovered {
            DiscoveredInstance::Readable(instance) if is_chosen(rds, &instance.name) => {
                let files = account.log_files(&instance);
                let result = collect_instance(archive, key, rds.silent_after, &instance, &files).await;
                collection.add(result);
            }
            DiscoveredInstance::Skipped { name, engine, reason } if is_chosen(rds, &name) => {
                collection.skipped.push(Skipped { instance: name, engine, reason });
            }
            _ => {}
        }
    }
    Ok(())
}

/// One pass over one instance, with a progress bar.
pub async fn collect_instance(
    archive: &Archive,
    key: &dyn Signer,
    silent_after: Option<Duration>,
    instance: &Instance,
    files: &dyn LogFiles,
) -> InstanceResult {
    let bar = Bar::bytes(&instance.name);
    let progress = |step: Progress<'_>| match step {
        Progress::Files { bytes, .. } => bar.expect(bytes),
        Progress::File { log } => bar.say(log),
        Progress::Bytes(bytes) => bar.advance(bytes),
    };
    let collector = Collector {
        archive,
        key,
        writer: WRITER,
        now,
        kind: SourceKind::LogFiles,
        settled_after: SETTLED_AFTER,
        silent_after,
        progress: &progress,
    };
    let outcome = collector.collect(instance, files).await;
    drop(bar);
    match outcome {
        Ok(pass) => InstanceResult::of(&pass),
        Err(error) => {
            let failed =
                Failed { log: None, error: failure::with_causes(&error), hint: failure::hint(&error) };
            InstanceResult { failures: vec![failed], ..InstanceResult::empty(instance) }
        }
    }
}

impl InstanceResult {
    fn empty(instance: &Instance) -> Self {
        Self {
            instance: instance.name.clone(),
            resource_id: instance.resource_id.clone(),
            engine: instance.engine.name(),
            logs: 0,
            changed: 0,
            new_bytes: 0,
            commits: 0,
            unfinished_bytes: 0,
            trail: None,
            gaps_opened: Vec::new(),
            logs_replaced: Vec::new(),
            failures: Vec::new(),
        }
    }

    pub fn of(pass: &Pass) -> Self {
        let changed =
            |outcome: &FileOutcome| matches!(outcome, FileOutcome::Archived { bytes } if *bytes > 0);
        Self {
            logs: pass.files.len() as u64,
            changed: pass.files.iter().filter(|file| changed(&file.outcome)).count() as u64,
            new_bytes: pass.new_bytes,
            commits: pass.commits,
            trail: Some(pass.trail.clone()),
            gaps_opened: pass.gaps_opened.clone(),
            logs_replaced: pass.logs_replaced.clone(),
            failures: pass.failures().map(|(log, error)| Failed::of(log, error)).collect(),
            ..Self::empty(&pass.instance)
        }
    }
}

impl RegionError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Endpoint(_) => Some("write it as `https://host`".to_owned()),
            Self::Config(_) | Self::Source(_) => failure::hint(self),
        }
    }

    fn into_failure(self) -> Failure {
        match &self {
            Self::Endpoint(_) => Failure::usage(self.to_string(), self.hint().unwrap_or_default()),
            Self::Config(_) | Self::Source(_) => self.into(),
        }
    }
}

impl RegionFailed {
    fn of(rds: &RdsConfig, error: &RegionError) -> Self {
        let failed = Failed { log: None, error: failure::with_causes(error), hint: error.hint() };
        Self { region: rds.region.clone(), failed }
    }

    fn tell(&self) {
        self.failed.tell(self.region.as_deref().unwrap_or("the region of the environment"));
    }
}

impl Failed {
    fn of(log: &str, error: &FileError) -> Self {
        Self { log: Some(log.to_owned()), error: failure::with_causes(error), hint: failure::hint(error) }
    }

    /// `at` is the instance or region that it happened to.
    fn tell(&self, at: &str) {
        let failure = Failure::new(format!("{at}: {}", self.error), "");
        let hint = self
            .hint
            .clone()
            .unwrap_or_else(|| "run the same command again; what was archived is kept".to_owned());
        talk(&failure.with_hint(hint).to_string());
    }
}

impl Collection {
    pub fn add(&mut self, result: InstanceResult) {
        self.new_bytes += result.new_bytes;
        self.commits += result.commits;
        self.instances.push(result);
    }

    /// Notes what an account and region has. Several sources may name the same one and choose differently.
    fn take_inventory(&mut self, region: &str, rds: &RdsConfig, discovered: &[DiscoveredInstance]) {
        let accounts = discovered.iter().find_map(|discovered| match discovered {
            DiscoveredInstance::Readable(instance) => Some(instance.account.clone()),
            DiscoveredInstance::Skipped { .. } => None,
        });
        // With no instance that can be read it is not known whose inventory this is.
        let Some(account) = accounts else { return };
        let inventory = self.inventories.entry((account.clone(), region.to_owned())).or_default();
        (inventory.account, inventory.region) = (account, region.to_owned());
        for discovered in discovered {
            match discovered {
                DiscoveredInstance::Readable(instance) if is_chosen(rds, &instance.name) => {
                    inventory.collected.insert(instance.resource_id.clone());
                }
                DiscoveredInstance::Readable(instance) => {
                    inventory.excluded.insert(instance.resource_id.clone());
                }
                DiscoveredInstance::Skipped { name, .. } => {
                    inventory.unreadable.insert(name.clone());
                }
            }
        }
    }

    /// Records of each source that is not collected any more that it has stopped.
    async fn record_stopped(&mut self, archive: &Archive, key: &dyn Signer) -> Result<(), Failure> {
        let stamp = Stamp { time: now(), writer: WRITER.to_owned() };
        // The source that could not be reached may be the one that chooses what the others exclude.
        let all_reached = self.failures.is_empty();
        for inventory in self.inventories.values_mut() {
            let excluded = std::mem::take(&mut inventory.excluded);
            if all_reached {
                inventory.excluded = excluded.difference(&inventory.collected).cloned().collect();
            } else {
                inventory.collected.extend(excluded);
            }
            let stopped = inventory.record_stopped(archive, key, &stamp).await?;
            self.stopped.extend(stopped.into_iter().map(|stopped| StoppedSource {
                instance: stopped.instance,
                trail: stopped.trail,
                cause: stopped.cause,
            }));
        }
        Ok(())
    }

    /// Notes what waits for the rest of its record, in the trails as they are now.
    pub async fn take_unfinished(&mut self, archive: &Archive) -> Result<(), Failure> {
        for instance in &mut self.instances {
            let Some(trail) = &instance.trail else { continue };
            if let Some(head) = trail::head(archive, trail).await? {
                instance.unfinished_bytes = unfinished(&head.body.cursors);
            }
        }
        Ok(())
    }

    fn has_failures(&self) -> bool {
        !self.failures.is_empty() || self.instances.iter().any(|instance| !instance.failures.is_empty())
    }

    pub fn tell_failures(&self) {
        for instance in &self.instances {
            instance.failures.iter().for_each(|failure| failure.tell(&instance.instance));
        }
        self.failures.iter().for_each(RegionFailed::tell);
    }

    pub fn table(&self) -> Rows {
        let mut table =
            Rows::new(&["INSTANCE", "ENGINE", "LOGS", "CHANGED", "ARCHIVED", "COMMITS", "UNFINISHED"]);
        for column in 2..7 {
            table.align_right(column);
        }
        for instance in &self.instances {
            table.add([
                instance.instance.clone(),
                instance.engine.to_owned(),
                instance.logs.to_string(),
                instance.changed.to_string(),
                bytes(instance.new_bytes),
                instance.commits.to_string(),
                bytes(instance.unfinished_bytes),
            ]);
        }
        table
    }

    /// One line on what was archived.
    pub fn summary(&self) -> String {
        match self.new_bytes {
            0 => "nothing new to archive".to_owned(),
            new => format!("archived {} in {}", bytes(new), plural(self.commits, "commit")),
        }
    }
}

/// Derives what was archived, and prints the answer.
pub async fn finish(
    context: &Context,
    archive: &Archive,
    mut collection: Collection,
    derive: bool,
) -> Result<Exit, Failure> {
    collection.tell_failures();
    for skipped in &collection.skipped {
        talk(&format!("skipped {} ({}): {}", skipped.instance, skipped.engine, skipped.reason));
    }
    for stopped in &collection.stopped {
        talk(&format!("{} has stopped: {}", stopped.instance, stopped.cause));
    }
    for instance in &collection.instances {
        for gap in &instance.gaps_opened {
            talk(&format!("{}: bytes may be lost: {}", instance.instance, escape::line(gap)));
        }
        for log in &instance.logs_replaced {
            talk(&format!(
                "{}: `{}` begins like a log that is archived and goes on otherwise; both are kept. Find out who can write to it",
                instance.instance,
                escape::line(log)
            ));
        }
    }
    collection.take_unfinished(archive).await?;
    if derive {
        collection.derived = Some(derive::all(context, archive).await?);
    }
    if context.json {
        json(&collection)?;
    } else {
        if !collection.instances.is_empty() {
            collection.table().print()?;
            data(&format!("\n{}", collection.summary()))?;
        } else if collection.failures.is_empty() {
            talk("no instance was found; check the region, the account and the names");
        }
        if let Some(derived) = &collection.derived {
            data(&derived.summary())?;
        }
    }
    let derived = collection.derived.as_ref().map_or(Exit::Fine, Derivation::exit);
    Ok(if collection.has_failures() { Exit::Failed } else { derived })
}
