//! A private PostgreSQL with pgAudit, set up as on RDS for PostgreSQL: stderr and csvlog side by side, everything audited.
//!
//! The superuser is `rdsadmin` and may only come through the socket, without a password; TCP asks for a password with
//! SCRAM. pgAudit's extension is in `template1`, so every database made later has it. Durability is switched off.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use rustix::process::Signal;
use tempfile::TempDir;
use tokio_postgres::{Client, Config, NoTls};

use super::process::{self, Running, ServiceUser};
use super::{PATIENCE, POLL, PORT_ATTEMPTS, ServerError, directory_contains, free_port};

const SERVER: &str = "PostgreSQL with pgAudit";
/// Where Debian and Ubuntu put one directory per version.
const INSTALLATIONS: &str = "/usr/lib/postgresql";
/// The version that the recorded logs come from; it is taken before a newer one.
const PREFERRED: &str = "15";
pub(crate) const SUPERUSER: &str = "rdsadmin";
/// The role whose grants switch on pgAudit's object auditing, as RDS names it.
const AUDIT_ROLE: &str = "rds_pgaudit";
/// As on RDS (parameter group reference and the log file's look), save for the sizes and the switched-off durability.
pub(crate) const SETTINGS: &[(&str, &str)] = &[
    ("listen_addresses", "127.0.0.1"),
    ("max_connections", "40"),
    ("shared_buffers", "16MB"),
    ("fsync", "off"),
    ("synchronous_commit", "off"),
    ("full_page_writes", "off"),
    ("autovacuum", "off"),
    ("timezone", "UTC"),
    ("log_timezone", "UTC"),
    ("logging_collector", "on"),
    ("log_destination", "stderr,csvlog"),
    ("log_filename", "postgresql.log.%Y-%m-%d-%H%M"),
    ("log_line_prefix", "%t:%r:%u@%d:[%p]:"),
    ("log_rotation_age", "60min"),
    ("log_rotation_size", "0"),
    ("log_truncate_on_rotation", "off"),
    ("log_connections", "on"),
    ("log_disconnections", "on"),
    ("log_lock_waits", "on"),
    ("log_checkpoints", "off"),
    ("password_encryption", "scram-sha-256"),
    ("shared_preload_libraries", "pgaudit"),
    ("pgaudit.log", "all"),
    ("pgaudit.log_relation", "on"),
    ("pgaudit.log_parameter", "on"),
    ("pgaudit.log_catalog", "off"),
    ("pgaudit.role", AUDIT_ROLE),
];
const ACCESS: &str = "local all rdsadmin trust\nhost all all 127.0.0.1/32 scram-sha-256\n";

/// How to start a server; the default suits most tests.
#[derive(Clone, Debug, Default)]
pub struct PostgresOptions {
    /// The directory with `bin/` and `lib/` of one version; found under `/usr/lib/postgresql` when not given.
    pub installation: Option<PathBuf>,
    /// Further settings, after the ones that make the server look like RDS. Values need no quotes.
    pub settings: Vec<(String, String)>,
}

/// A running PostgreSQL. It ends, without care for its data, when this is dropped.
#[derive(Debug)]
pub struct PostgresServer {
    // Before the directory: fields are dropped in this order.
    running: Running,
    directory: TempDir,
    version: String,
    port: u16,
    flushes: AtomicU64,
}

impl PostgresServer {
    /// Makes a data directory, starts the server and waits until it answers.
    pub async fn start(options: PostgresOptions) -> Result<Self, ServerError> {
        let installation = match options.installation {
            Some(directory) => complete(&directory).map(|()| directory)?,
            None => find_installation(Path::new(INSTALLATIONS))?,
        };
        let user = ServiceUser::find("postgres")?;
        let directory = process::private_directory("auditkeep-postgres-", user)?;
        process::subdirectory(&log_directory(directory.path()), user)?;
        let data = directory.path().join("data");
        let mut initdb = process::command(&installation.join("bin/initdb"), directory.path(), user);
        initdb.arg("--pgdata").arg(&data).args(["--username", SUPERUSER, "--auth=trust", "--no-sync"]);
        initdb.args(["--encoding=UTF8", "--locale=C.UTF-8"]);
        process::prepare(&mut initdb, "initdb")?;
        write(&data.join("pg_hba.conf"), ACCESS)?;
        append(&data.join("postgresql.conf"), &configuration(directory.path(), &options.settings))?;

        for _ in 1..PORT_ATTEMPTS {
            match Self::launch(&installation, directory.path(), user).await {
                Err(ServerError::Died { log, .. }) if log.contains("Address already in use") => {}
                launched => return launched.map(|started| started.into_server(directory)),
            }
        }
        let started = Self::launch(&installation, directory.path(), user).await?;
        Ok(started.into_server(directory))
    }

    async fn launch(
        installation: &Path,
        directory: &Path,
        user: Option<ServiceUser>,
    ) -> Result<Started, ServerError> {
        let port = free_port()?;
        let program = installation.join("bin/postgres");
        let boot_log = directory.join("boot.log");
        let output =
            fs::File::create(&boot_log).map_err(|source| ServerError::file("create", &boot_log, source))?;
        let errors = output.try_clone().map_err(|source| ServerError::file("open", &boot_log, source))?;
        let mut command = process::command(&program, directory, user);
        command
            .arg("-D")
            .arg(directory.join("data"))
            .args(["-p", &port.to_string()])
            .stdout(output)
            .stderr(errors);
        let mut running = Running::spawn(&mut command, Signal::INT, Signal::QUIT, Some(directory))
            .map_err(|source| ServerError::file("start", &program, source))?;

        let asked = Instant::now();
        let mut config = socket(directory, port);
        let client = loop {
            match connect(config.dbname("template1"), "connect to the new server").await {
                Ok(client) => break client,
                Err(error) if asked.elapsed() > PATIENCE => return Err(error),
                Err(_) if running.has_ended() => {
                    let log =
                        format!("{} {}", process::log_tail(&boot_log), newest_log(&log_directory(directory)));
                    return Err(ServerError::Died { server: SERVER, log });
                }
                Err(_) => tokio::time::sleep(POLL).await,
            }
        };
        let version = prepare_databases(&client).await?;
        Ok(Started { running, version, port })
    }

    /// Where the log files lie, under the names that RDS shows after `error/`.
    pub fn log_directory(&self) -> PathBuf {
        log_directory(self.directory.path())
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The server's own version, for example `15.18`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The id of the server's main process.
    pub fn process_id(&self) -> u32 {
        self.running.id()
    }

    /// The superuser's way in: the socket, no password. Set a database name.
    pub fn superuser(&self) -> Config {
        socket(self.directory.path(), self.port)
    }

    /// Another user's way in: TCP. Set user, password and database name.
    pub fn tcp(&self) -> Config {
        let mut config = Config::new();
        config.host("127.0.0.1").port(self.port);
        config
    }

    /// Returns when every line of the statements that finished before is in the log files, in both formats.
    ///
    /// A line is written before its statement ends, and all lines go through one pipe; so once a later statement is in
    /// the files, the earlier ones are. The disconnection line of a session that has just closed may still be missing;
    /// only [`Self::stop`] waits for that.
    pub async fn flush(&self) -> Result<(), ServerError> {
        let marker = format!("/* auditkeep-flush-{} */", self.flushes.fetch_add(1, Ordering::Relaxed));
        let mut config = self.superuser();
        config.dbname("postgres");
        let client = connect(&config, "connect to flush the log").await?;
        let failed = |source| ServerError::client("mark the log for a flush", source);
        client.simple_query(&format!("{marker} SELECT 1")).await.map_err(failed)?;
        let asked = Instant::now();
        let directory = self.log_directory();
        while asked.elapsed() < PATIENCE {
            let csvlog = |name: &str| Path::new(name).extension().is_some_and(|extension| extension == "csv");
            if directory_contains(&directory, csvlog, marker.as_bytes())?
                && directory_contains(&directory, |name| !csvlog(name), marker.as_bytes())?
            {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
        Err(ServerError::TooSlow { server: SERVER, awaited: "write its log" })
    }

    /// Ends the server in good order; the logs are complete then. Returns the directory that holds them, which is removed
    /// when it is dropped.
    pub fn stop(self) -> Result<StoppedPostgres, ServerError> {
        let Self { running, directory, version, .. } = self;
        let failed = |source| ServerError::file("stop the server in", directory.path(), source);
        running.stop().map_err(failed)?;
        Ok(StoppedPostgres { directory, version })
    }
}

/// What a stopped server leaves behind.
#[derive(Debug)]
pub struct StoppedPostgres {
    directory: TempDir,
    version: String,
}

impl StoppedPostgres {
    /// As [`PostgresServer::log_directory`].
    pub fn log_directory(&self) -> PathBuf {
        log_directory(self.directory.path())
    }

    /// The directory of the whole server, which appears in its log.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// As [`PostgresServer::version`].
    pub fn version(&self) -> &str {
        &self.version
    }
}

/// A server that answers, not yet joined with its directory.
struct Started {
    running: Running,
    version: String,
    port: u16,
}

impl Started {
    fn into_server(self, directory: TempDir) -> PostgresServer {
        let Self { running, version, port } = self;
        PostgresServer { running, directory, version, port, flushes: AtomicU64::new(0) }
    }
}

fn log_directory(directory: &Path) -> PathBuf {
    directory.join("log")
}

fn socket(directory: &Path, port: u16) -> Config {
    let mut config = Config::new();
    config.host_path(directory).port(port).user(SUPERUSER);
    config
}

/// Connects and drives the connection in the background until the client is dropped.
pub(crate) async fn connect(config: &Config, action: &'static str) -> Result<Client, ServerError> {
    let (client, connection) =
        config.connect(NoTls).await.map_err(|source| ServerError::client(action, source))?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a PostgreSQL connection ended");
        }
    });
    Ok(client)
}

/// What RDS does before it hands an instance over, as far as the audit log needs it. Returns the server's version.
async fn prepare_databases(client: &Client) -> Result<String, ServerError> {
    let failed = |source| ServerError::client("prepare the new server", source);
    client.batch_execute("CREATE EXTENSION IF NOT EXISTS pgaudit").await.map_err(failed)?;
    client.batch_execute(&format!("CREATE ROLE {AUDIT_ROLE}")).await.map_err(failed)?;
    let row = client.query_one("SELECT current_setting('server_version')", &[]).await.map_err(failed)?;
    let version: &str = row.try_get(0).map_err(failed)?;
    // Debian appends its package's version in parentheses.
    Ok(version.split(' ').next().unwrap_or_default().to_owned())
}

fn configuration(directory: &Path, further: &[(String, String)]) -> String {
    let path = |path: &Path| path.to_string_lossy().into_owned();
    let places =
        [("unix_socket_directories", path(directory)), ("log_directory", path(&log_directory(directory)))];
    let lines = SETTINGS
        .iter()
        .map(|(name, value)| (*name, *value))
        .chain(places.iter().map(|(name, value)| (*name, value.as_str())))
        .chain(further.iter().map(|(name, value)| (name.as_str(), value.as_str())))
        .map(|(name, value)| format!("{name} = '{}'\n", value.replace('\'', "''")));
    lines.collect()
}

fn write(path: &Path, text: &str) -> Result<(), ServerError> {
    fs::write(path, text).map_err(|source| ServerError::file("write", path, source))
}

fn append(path: &Path, text: &str) -> Result<(), ServerError> {
    let before = fs::read_to_string(path).map_err(|source| ServerError::file("read", path, source))?;
    write(path, &format!("{before}\n{text}"))
}

fn newest_log(directory: &Path) -> String {
    let files = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    files.max().map(|path| process::log_tail(&path)).unwrap_or_default()
}

fn complete(installation: &Path) -> Result<(), ServerError> {
    for missing in ["bin/postgres", "bin/initdb", "lib/pgaudit.so"] {
        if !installation.join(missing).exists() {
            let looked_in = installation.to_owned();
            return Err(ServerError::NotInstalled { server: SERVER, missing, looked_in });
        }
    }
    Ok(())
}

/// The preferred version if it is complete, otherwise the newest complete one.
fn find_installation(root: &Path) -> Result<PathBuf, ServerError> {
    let versions = fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path());
    let rank = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        (name == PREFERRED, name.parse::<u32>().unwrap_or_default())
    };
    versions.filter(|path| complete(path).is_ok()).max_by_key(rank).ok_or_else(|| ServerError::NotInstalled {
        server: SERVER,
        missing: "bin/postgres with lib/pgaudit.so",
        looked_in: root.to_owned(),
    })
}
