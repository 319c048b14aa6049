//! Records the audit logs of real servers for the demo and for tests that must not need a server.
//!
//! Three private servers run the shop's workload at the same time. What they wrote goes to `recorded/<instance>` in the
//! layout that the emulator serves, what the client knows goes to `truth/<instance>.json`. Apart from the host name, the
//! path of the temporary directory and Aurora's shape, which no server outside AWS writes, not a byte is changed; the
//! generated `recorded/ORIGIN.md` says so.

mod aurora;
mod instance;
mod origin;
mod rewrite;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::servers::{MariadbOptions, MariadbServer, PostgresOptions, PostgresServer, ServerError};
use crate::workload::{RunOptions, Truth, WorkloadError, mariadb, postgres};
use instance::{Instance, LogFile};

/// Pause between the scenes of a recorded workload: the log spans some minutes and several files.
const PAUSE: Duration = Duration::from_secs(15);
const ORDERS: u32 = 60;
/// Small, so that a short recording has renamed files.
const ROTATE_SIZE: u64 = 40_000;
/// Enough that nothing is overwritten.
const ROTATIONS: u32 = 9;
/// What stands for this machine in MariaDB's records; RDS host names look like it.
const HOST: &str = "ip-10-0-1-2";

/// Why nothing could be recorded.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error(transparent)]
    Server(#[from] ServerError),
    #[error(transparent)]
    Workload(#[from] WorkloadError),
    #[error("could not {action} {}", path.display())]
    File { action: &'static str, path: PathBuf, source: io::Error },
    #[error("could not write {} as json", path.display())]
    Json { path: PathBuf, source: serde_json::Error },
    #[error("a server_audit record has an unexpected shape: {}", line.escape_debug())]
    Shape { line: String },
}

impl RecordError {
    fn file(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::File { action, path: path.to_owned(), source }
    }
}

/// Records all instances below `out`: `recorded/` and `truth/`. Instances recorded before are replaced. Takes some minutes.
pub async fn record(out: &Path) -> Result<(), RecordError> {
    let (shop_postgres, shop_mariadb, shop_aurora) =
        tokio::try_join!(record_postgres(), record_mariadb(), record_aurora())?;
    let instances = [shop_postgres, shop_mariadb, shop_aurora];
    for instance in &instances {
        instance.write(out)?;
    }
    let path = out.join("recorded/ORIGIN.md");
    fs::write(&path, origin::text(&instances)).map_err(|source| RecordError::file("write", &path, source))
}

fn run_options(run: &str) -> RunOptions {
    RunOptions { pause: PAUSE, ..RunOptions::new(run, ORDERS) }
}

async fn record_postgres() -> Result<Instance, RecordError> {
    let settings = vec![("log_rotation_age".to_owned(), "1min".to_owned())];
    let server = PostgresServer::start(PostgresOptions { settings, ..PostgresOptions::default() }).await?;
    let truth = postgres::run(&server, &run_options("pg")).await?;
    let stopped = server.stop()?;
    let mut files = instance::read_logs(&stopped.log_directory(), "error")?;
    for file in &mut files {
        file.bytes = rewrite::directory(&file.bytes, stopped.directory(), "/rdsdbdata");
    }
    Ok(Instance {
        name: "shop-postgres",
        resource_id: "db-SHOPPOSTGRES7QW3E5RT9YU1I2",
        engine: "postgres",
        engine_version: stopped.version().to_owned(),
        server_version: format!("PostgreSQL {}", stopped.version()),
        cluster: None,
        files,
        truth,
    })
}

async fn record_mariadb() -> Result<Instance, RecordError> {
    let (version, mut files, truth) = run_mariadb("ma").await?;
    for file in &mut files {
        file.bytes = rewrite::host(&file.bytes, HOST)?;
    }
    Ok(Instance {
        name: "shop-mariadb",
        resource_id: "db-SHOPMARIADB4ZX6C8VB0NM5K7L",
        engine: "mariadb",
        server_version: format!("MariaDB {version}"),
        engine_version: version,
        cluster: None,
        files,
        truth,
    })
}

async fn record_aurora() -> Result<Instance, RecordError> {
    const NAME: &str = "shop-aurora";
    let (version, files, truth) = run_mariadb("au").await?;
    Ok(Instance {
        name: NAME,
        resource_id: "db-SHOPAURORA2AS4D6FG8HJ1P3O5",
        engine: "aurora-mysql",
        engine_version: "8.0.mysql_aurora.3.08.2".to_owned(),
        server_version: format!("MariaDB {version}"),
        cluster: Some("shop-aurora-cluster"),
        files: aurora::reshape(&files, NAME)?,
        truth,
    })
}

async fn run_mariadb(run: &str) -> Result<(String, Vec<LogFile>, Truth), RecordError> {
    let options = MariadbOptions {
        rotate_size: ROTATE_SIZE,
        rotations: ROTATIONS,
        query_log_limit: mariadb::QUERY_LOG_LIMIT,
        ..MariadbOptions::default()
    };
    let server = MariadbServer::start(options).await?;
    let truth = mariadb::run(&server, &run_options(run)).await?;
    let stopped = server.stop()?;
    let files = instance::read_logs(&stopped.log_directory(), "audit")?;
    Ok((stopped.version().to_owned(), files, truth))
}
