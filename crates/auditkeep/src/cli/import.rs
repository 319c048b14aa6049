//! `auditkeep import`: log files that lie on a disk, into the archive, and from there into the tables.

use std::io;
use std::path::PathBuf;

use auditkeep_core::engine::Engine;
use auditkeep_pipeline::collect::{Collector, FileError, FileOutcome, Pass};
use auditkeep_pipeline::source::disk::DiskLogs;
use auditkeep_pipeline::source::{Instance, SourceKind};
use clap::Args;

use super::collect::{Collection, InstanceResult, SETTLED_AFTER, finish};
use super::{Context, WRITER, now};
use crate::failure::{Exit, Failure};
use crate::output::talk;

#[derive(Debug, Args)]
#[command(after_help = "Importing the same files again, or grown ones, adds only what is new.\n\n\
    Example:\n  auditkeep import /var/log/postgresql --engine postgres --instance shop")]
pub struct ImportArguments {
    /// Files (plain, gzip or zstd), directories, or - for standard input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The engine that wrote them: postgres, aurora-postgresql, mysql, mariadb or aurora-mysql
    #[arg(long)]
    engine: String,
    /// The instance that they belong to
    #[arg(long, value_name = "NAME")]
    instance: String,
    /// What a log from standard input is called
    #[arg(long, value_name = "NAME", default_value = "stdin")]
    log_name: String,
    /// Archive only; `auditkeep derive` can follow at any time
    #[arg(long)]
    no_derive: bool,
}

pub async fn run(context: &Context, arguments: &ImportArguments) -> Result<Exit, Failure> {
    let engine = arguments.engine.parse::<Engine>().map_err(|error| {
        Failure::usage(
            error.to_string(),
            "name the engine as RDS does; a PostgreSQL of your own is `postgres`",
        )
    })?;
    if arguments.instance.is_empty() {
        return Err(Failure::usage(
            "the name of the instance is empty",
            "name the database that wrote the logs",
        ));
    }
    let archive = context.archive().await?;
    let key = context.signing_key().await?;
    // Kept until the end: when it goes, the copy of standard input goes.
    let spool = tempfile::NamedTempFile::new()?;
    let logs = find(arguments, &spool)?;
    let instance = Instance {
        account: "local".to_owned(),
        region: "local".to_owned(),
        resource_id: arguments.instance.clone(),
        name: arguments.instance.clone(),
        engine,
        cluster: None,
    };
    let collector = Collector {
        archive: &archive,
        key: &*key,
        writer: WRITER,
        now,
        kind: SourceKind::Import,
        settled_after: SETTLED_AFTER,
        silent_after: None,
        progress: &|_| {},
    };
    let mut pass = collector.collect(&instance, &logs).await?;
    leave_out_other_files(&mut pass, &logs)?;
    let mut collection = Collection::default();
    collection.add(InstanceResult::of(&pass));
    finish(context, &archive, collection, !arguments.no_derive).await
}

fn find(arguments: &ImportArguments, spool: &tempfile::NamedTempFile) -> Result<DiskLogs, Failure> {
    if arguments.paths.iter().any(|path| path.as_os_str() == "-") {
        if arguments.paths.len() > 1 {
            return Err(Failure::usage(
                "`-` was given together with other paths",
                "import them one after the other",
            ));
        }
        io::copy(&mut io::stdin().lock(), &mut spool.as_file())?;
        return Ok(DiskLogs::spooled(&arguments.log_name, spool.path())?);
    }
    let logs = DiskLogs::find(&arguments.paths)?;
    if logs.is_empty() {
        return Err(Failure::new(
            "there is no file in what was named",
            "name the log files, or the directory that they lie in",
        ));
    }
    Ok(logs)
}

/// A directory may hold other files beside the logs; one that holds no log at all was named by mistake.
fn leave_out_other_files(pass: &mut Pass, logs: &DiskLogs) -> Result<(), Failure> {
    let mut others = Vec::new();
    pass.files.retain(|file| {
        let other = matches!(&file.outcome, FileOutcome::Failed(FileError::NotAnAuditLog(_)))
            && !logs.is_chosen(&file.log);
        if other {
            others.push(file.log.clone());
        }
        !other
    });
    if pass.files.is_empty() {
        return Err(Failure::new(
            format!("none of the {} files there is an audit log of {}", others.len(), pass.instance.engine),
            "check the directory and `--engine`",
        ));
    }
    for file in pass.files.iter().filter(|file| matches!(file.outcome, FileOutcome::NoRecordYet)) {
        let name = crate::output::escape::line(&file.log).into_owned();
        talk(&format!(
            "left out {name} for now: its first record is not complete yet; import it again later"
        ));
    }
    for other in others {
        talk(&format!("left out {}: it is no audit log", crate::output::escape::line(&other)));
    }
    Ok(())
}
