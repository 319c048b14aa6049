//! `auditkeep demo`: the whole product on recorded logs, without an account, a database or anything to install.
//!
//! The logs were written by a real PostgreSQL and a real MariaDB. An emulator on this machine serves them over the RDS API,
//! and from there on everything is as in production: the same commands, the same archive, the same tables.

mod tamper;

use std::path::{Path, PathBuf};

use auditkeep_archive::archive::Archive;
use auditkeep_archive::verify::Report;
use auditkeep_aws::{RdsAccount, RdsOptions};
use auditkeep_lab::emulator::{Emulator, EmulatorOptions, LabCredential};
use auditkeep_lab::recorded;
use clap::Args;
use serde::Serialize;
use url::Url;

use super::collect::{Collection, collect_account};
use super::{Context, Global, derive, init, query, verify};
use crate::config::{self, Config, FILE_NAME, RdsConfig};
use crate::failure::{Exit, Failure};
use crate::keys;
use crate::output::{data, json, talk};
use crate::place::Place;

#[derive(Debug, Args)]
pub struct DemoArguments {
    /// Where to put the demo's archive, key and configuration
    #[arg(long, value_name = "DIR", default_value = "auditkeep-demo")]
    directory: PathBuf,
}

/// What an auditor asks first. Each answer is one query.
const QUESTIONS: [(&str, &str); 3] = [
    (
        "Who tried to connect and failed?",
        "select instance, user_name, client_address, error_code, count(*) as attempts, max(event_time) as last \
         from events where class = 'connect' and outcome = 'failure' group by 1, 2, 3, 4 order by attempts desc, 1, 2",
    ),
    (
        "Who read the table `payments`?",
        // A statement may leave several records: one per table, and one more where the object itself is audited.
        "select instance, user_name, count(distinct concat(session_id, '/', statement_id)) as statements, \
         max(event_time) as last from events \
         where class = 'read' and (object_name = 'payments' or object_name like '%.payments') \
         group by 1, 2 order by 1, statements desc, 2",
    ),
    (
        "What changed roles or privileges? The newest twelve:",
        "select event_time, instance, user_name, outcome, statement from events where class = 'role' \
         order by event_time desc limit 12",
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
    let context = prepare(&arguments.directory, global.json).await?;
    let archive = context.archive().await?;

    say(
        "Three databases wrote audit logs: a PostgreSQL, a MariaDB and an Aurora MySQL. Their logs were recorded, and an\n\
         emulator on this machine now serves them over the RDS API.\n",
    )?;
    say("1. Collect what is new, archive it, derive events from it\n")?;
    let mut collected = collect(&context, &archive).await?;
    collected.derived = Some(derive::all(&context, &archive).await?);
    if !global.json {
        collected.table().print()?;
        data(&format!("\n{}", collected.summary()))?;
        data(&collected.derived.as_ref().map(derive::Derivation::summary).unwrap_or_default())?;
    }

    say("\n2. Verify that everything is there and unaltered\n")?;
    let key = keys::read_public_key(&keys::public_path(&context.key_path).display().to_string())?;
    let verified = verify::check(&archive, std::slice::from_ref(&key)).await?;
    if !global.json {
        verify::print(&verified, verified.holds(false))?;
    }

    say("\n3. Ask")?;
    if !global.json {
        let engine = context.queries(&archive).await?;
        for (question, sql) in QUESTIONS {
            data(&format!("\n{question}\n"))?;
            query::print(&engine, sql, false).await?;
        }
    }

    say(
        "\n4. Tamper: in a copy of the archive, one record is taken out of a log, and another segment is deleted\n",
    )?;
    let copy = arguments.directory.join("tampered");
    tamper::copy(&arguments.directory.join("archive"), &copy)?;
    let tampered =
        verify::check(&Place::parse(&copy.display().to_string(), Path::new(""))?.open().await?, &[key])
            .await?;
    if global.json {
        let directory = arguments.directory.display().to_string();
        json(&Answer { directory, collected: &collected, verified: &verified, tampered: &tampered })?;
    } else {
        verify::print(&tampered, tampered.holds(false))?;
        print_next_steps(&arguments.directory)?;
    }
    // A demo whose archive does not hold, or whose forgery is not noticed, is a failure of the product.
    let as_promised = verified.holds(false) && !tampered.holds(false);
    Ok(if as_promised { Exit::Fine } else { Exit::Failed })
}

/// The demo's own configuration, key and archive; those of an earlier run are used again.
async fn prepare(directory: &Path, json: bool) -> Result<Context, Failure> {
    std::fs::create_dir_all(directory).map_err(|error| {
        Failure::new(
            format!("making the directory `{}` failed: {error}", directory.display()),
            "choose another place with `--directory`",
        )
    })?;
    let path = directory.join(FILE_NAME);
    if !path.exists() {
        init::make(&path, &directory.join("auditkeep.key"), &directory.join("archive").display().to_string())
            .await?;
    }
    let config: Config = config::load(Some(&path))?;
    Context::of(config, json)
}

async fn collect(context: &Context, archive: &Archive) -> Result<Collection, Failure> {
    let key = context.signing_key()?;
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
    collect_account(archive, &key, &account, &RdsConfig::default(), &mut collection).await?;
    emulator.shutdown().await;
    collection.tell_failures();
    Ok(collection)
}

fn print_next_steps(directory: &Path) -> Result<(), Failure> {
    let program = std::env::args().next().unwrap_or_else(|| "auditkeep".to_owned());
    let directory = directory.display();
    let command = format!("{program} --config {directory}/{FILE_NAME}");
    data(&format!(
        "\nThe archive is in {directory}/archive, the forged copy in {directory}/tampered. A second `demo` collects nothing new.\n\n\
         Try next:\n  \
         {command} status\n  \
         {command} events --failed\n  \
         {command} events --object payments --json\n  \
         {command} query \"select class, count(*) from events group by class order by 2 desc\"\n  \
         {command} export raw --instance shop-mariadb\n  \
         {command} verify\n  \
         {command} --archive {directory}/tampered verify"
    ))?;
    talk("");
    Ok(())
}
