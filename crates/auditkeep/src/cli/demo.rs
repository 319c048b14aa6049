//! `auditkeep demo`: the whole product on recorded logs, without an account, a database or anything to install.
//!
//! The logs were written by a real PostgreSQL and a real MariaDB. An emulator on this machine serves them over the RDS API,
//! and from there on everything is as in production: the same commands, the same archive, the same tables.

mod directory;
mod tamper;

use std::path::{Path, PathBuf};

use auditkeep_archive::archive::Archive;
use auditkeep_archive::verify::{Report, Verification};
use auditkeep_aws::{RdsAccount, RdsOptions};
use auditkeep_lab::emulator::{Emulator, EmulatorOptions, LabCredential};
use auditkeep_lab::recorded;
use clap::Args;
use serde::Serialize;
use url::Url;

use self::directory::DemoDirectory;
use super::collect::{Collection, collect_account};
use super::{Context, Global, derive, init, query, verify};
use crate::config::{Config, RdsConfig, S3Config};
use crate::failure::{Exit, Failure};
use crate::keys::KeyPlace;
use crate::output::{data, json};
use crate::place::Place;

#[derive(Debug, Args)]
pub struct DemoArguments {
    /// A directory of the demo's own for its archive, key and configuration: new, empty, or of an earlier demo
    #[arg(long, value_name = "DIR", default_value = "auditkeep-demo")]
    directory: PathBuf,
}

/// What an auditor asks first. Each answer is one query.
const QUESTIONS: [(&str, &str); 3] = [
    (
        "Who tried to connect and failed?",
        "select instance, user_name, client_address as client, error_code as error, count(*) as attempts, \
         to_char(max(event_time), '%Y-%m-%d %H:%M:%S') as last \
         from events where class = 'connect' and outcome = 'failure' group by 1, 2, 3, 4 order by attempts desc, 1, 2",
    ),
    (
        "Who read the table `payments`?",
        // A statement may leave several records: one per table, and one more where the object itself is audited.
        "select instance, user_name, count(distinct concat(session_id, '/', statement_id)) as statements, \
         to_char(max(event_time), '%Y-%m-%d %H:%M:%S') as last from events \
         where class = 'read' and (object_name = 'payments' or object_name like '%.payments') \
         group by 1, 2 order by 1, statements desc, 2",
    ),
    (
        "Who changed roles or privileges? The newest twelve:",
        "select to_char(event_time, '%Y-%m-%d %H:%M:%S') as time, instance, user_name, outcome, statement \
         from events where class = 'role' order by event_time desc, instance, byte_offset desc limit 12",
    ),
];

/// The answer in JSON.
#[derive(Serialize)]
struct Answer<'a> {
    directory: String,
    collected: &'a Collection,
    verified: &'a Report,
    /// What is found wrong with a copy in which a record was taken out and a segment deleted.
    tampered: &'a Report,
}

pub async fn run(global: &Global, arguments: &DemoArguments) -> Result<Exit, Failure> {
    let say = |text: &str| if global.json { Ok(()) } else { data(text) };
    let directory = DemoDirectory::claim(&arguments.directory)?;
    let context = prepare(&directory, global.json).await?;
    let archive = context.archive().await?;

    say("Three databases wrote audit logs: a PostgreSQL, a MariaDB and an Aurora MySQL. Their logs were\n\
         recorded, and an emulator on this machine now serves them over the RDS API.\n")?;
    say("1. Collect what is new, archive it, derive events from it\n")?;
    let mut collected = collect(&context, &archive).await?;
    collected.derived = Some(derive::all(&context, &archive).await?);
    if !global.json {
        collected.table().print()?;
        data(&format!("\n{}", collected.summary()))?;
        data(&collected.derived.as_ref().map(derive::Derivation::summary).unwrap_or_default())?;
    }

    say("\n2. Verify that everything is there and unaltered\n")?;
    let roots = context.public_keys()?;
    let verification = Verification { roots, ..Verification::default() };
    let verified = verify::check(context.place.store().await?, &verification).await?;
    if !global.json {
        verify::print(&verification, &verified, verified.holds(false))?;
    }

    say("\n3. Ask")?;
    if !global.json {
        let engine = context.queries().await?;
        for (question, sql) in QUESTIONS {
            data(&format!("\n{question}\n"))?;
            query::print(&engine, sql, false).await?;
        }
    }

    say(
        "\n4. Tamper: in a copy of the archive, take a record out of one log and delete a piece of another.\n   \
         Then verify the copy\n",
    )?;
    tamper::copy(&directory)?;
    let copy = Place::parse(&directory.tampered().display().to_string(), Path::new(""))?;
    let tampered = verify::check(copy.store().await?, &verification).await?;
    if global.json {
        let directory = directory.path().display().to_string();
        json(&Answer { directory, collected: &collected, verified: &verified, tampered: &tampered })?;
    } else {
        verify::print(&verification, &tampered, tampered.holds(false))?;
        print_next_steps(&directory)?;
    }
    // A demo whose archive does not hold, or whose forgery is not noticed, is a failure of the product.
    let as_promised = verified.holds(false) && !tampered.holds(false);
    Ok(if as_promised { Exit::Fine } else { Exit::Failed })
}

/// The demo's own configuration, key and archive; those of an earlier run are used again.
async fn prepare(directory: &DemoDirectory, json: bool) -> Result<Context, Failure> {
    if !directory.config().exists() {
        let key = KeyPlace::File(directory.key());
        let archive = directory.archive().display().to_string();
        init::make(&directory.config(), &key, &archive, &S3Config::default()).await?;
    }
    // Not what the configuration says by now: recorded logs must get into no other archive.
    let config = Config {
        archive: Some(std::path::absolute(directory.archive())?.display().to_string()),
        key: Some(std::path::absolute(directory.key())?.display().to_string()),
        ..Config::default()
    };
    Context::of(config, json)
}

async fn collect(context: &Context, archive: &Archive) -> Result<Collection, Failure> {
    let key = context.signing_key().await?;
    let emulator = Emulator::start(EmulatorOptions::loopback(recorded::fleet())).await?;
    let credential = LabCredential::well_known();
    let sdk_config = auditkeep_aws::config::of_credentials(
        auditkeep_lab::emulator::DEFAULT_REGION,
        &credential.access_key_id,
        &credential.secret_access_key,
    )
    .await;
    let endpoint = Some(Url::parse(&emulator.endpoint())?);
    let account = RdsAccount::new(&sdk_config, RdsOptions { endpoint, ..RdsOptions::default() }).await?;
    let mut collection = Collection::default();
    collect_account(archive, &*key, &account, &RdsConfig::default(), &mut collection).await?;
    emulator.shutdown().await;
    collection.tell_failures();
    collection.take_unfinished(archive).await?;
    Ok(collection)
}

fn print_next_steps(directory: &DemoDirectory) -> Result<(), Failure> {
    let program = std::env::args().next().unwrap_or_else(|| "auditkeep".to_owned());
    let command = format!("{program} --config {}", directory.config().display());
    let (archive, tampered) = (directory.archive(), directory.tampered());
    let (archive, tampered) = (archive.display(), tampered.display());
    data(&format!(
        "\nThe archive is in {archive},\nthe forged copy in {tampered}.\n\
         A second `demo` collects nothing new. The directory can be deleted at any time.\n\n\
         Try next:\n  \
         {command} status\n  \
         {command} events --failed\n  \
         {command} events --object payments --json\n  \
         {command} query \"select class, count(*) from events group by 1\"\n  \
         {command} export raw --instance shop-mariadb\n  \
         {command} verify\n  \
         {command} --archive {tampered} verify"
    ))
}
