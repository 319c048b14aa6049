//! A private MariaDB with the server_audit plugin, set up as the option `MARIADB_AUDIT_PLUGIN` sets it up on RDS for MariaDB.
//!
//! The superuser is `rdsadmin` and may only come through the socket; the master user of a workload is its own to make.
//! The log is written in UTC, in a directory of its own, and rotates by renaming. Durability is switched off.
//! The plugin writes this machine's host name into each record and offers no setting for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, OptsBuilder};
use rustix::process::Signal;
use tempfile::TempDir;

use super::process::{self, Running, ServiceUser};
use super::{PATIENCE, POLL, PORT_ATTEMPTS, ServerError, directory_contains, free_port};

const SERVER: &str = "MariaDB with server_audit";
pub(crate) const SUPERUSER: &str = "rdsadmin";
pub(crate) const SETTINGS: &[&str] = &[
    "--bind-address=127.0.0.1",
    "--skip-name-resolve",
    "--character-set-server=utf8mb4",
    "--collation-server=utf8mb4_general_ci",
    "--max-connections=40",
    "--innodb-buffer-pool-size=16M",
    "--innodb-log-file-size=8M",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-use-native-aio=0",
    "--performance-schema=OFF",
    "--plugin-load-add=server_audit",
    "--server-audit-logging=ON",
    "--server-audit-events=CONNECT,QUERY,TABLE",
    "--server-audit-output-type=file",
];

/// How to start a server; the default suits most tests.
#[derive(Clone, Debug)]
pub struct MariadbOptions {
    /// The directory with `sbin/mariadbd`, `bin/mariadb-install-db` and `lib/mysql/plugin`; usually `/usr`.
    pub installation: PathBuf,
    /// `server_audit_file_rotate_size`, in bytes; RDS's default is 1,000,000.
    pub rotate_size: u64,
    /// `server_audit_file_rotations`: how many renamed files are kept; RDS's default is 9.
    pub rotations: u32,
    /// `server_audit_query_log_limit`: where the plugin cuts a statement, in escaped bytes; its default is 1024.
    pub query_log_limit: u32,
    /// Further arguments for mariadbd, for example `--server-audit-excl-users=…`.
    pub arguments: Vec<String>,
}

impl Default for MariadbOptions {
    fn default() -> Self {
        let installation = PathBuf::from("/usr");
        Self {
            installation,
            rotate_size: 1_000_000,
            rotations: 9,
            query_log_limit: 1024,
            arguments: Vec::new(),
        }
    }
}

/// A running MariaDB. It ends when this is dropped.
#[derive(Debug)]
pub struct MariadbServer {
    // Before the directory: fields are dropped in this order.
    running: Running,
    directory: TempDir,
    version: String,
    port: u16,
    flushes: AtomicU64,
}

impl MariadbServer {
    /// Makes a data directory, starts the server and waits until it answers.
    pub async fn start(options: MariadbOptions) -> Result<Self, ServerError> {
        complete(&options.installation)?;
        let user = ServiceUser::find("mysql")?;
        let directory = process::private_directory("auditkeep-mariadb-", user)?;
        process::subdirectory(&log_directory(directory.path()), user)?;
        let program = options.installation.join("bin/mariadb-install-db");
        let mut install = process::command(&program, directory.path(), user);
        install.args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]);
        install.arg(argument("--datadir=", &directory.path().join("data")));
        process::prepare(&mut install, "mariadb-install-db")?;
        // An init file holds one statement per line.
        let init = format!(
            "CREATE USER IF NOT EXISTS {SUPERUSER}@localhost;\n\
             GRANT ALL ON *.* TO {SUPERUSER}@localhost WITH GRANT OPTION;\n\
             DROP USER IF EXISTS root@localhost;\n"
        );
        let init_file = directory.path().join("init.sql");
        fs::write(&init_file, init).map_err(|source| ServerError::file("write", &init_file, source))?;

        for _ in 1..PORT_ATTEMPTS {
            match Self::launch(&options, directory.path(), user).await {
                Err(ServerError::Died { log, .. }) if log.contains("Address already in use") => {}
                launched => return launched.map(|started| started.into_server(directory)),
            }
        }
        let started = Self::launch(&options, directory.path(), user).await?;
        Ok(started.into_server(directory))
    }

    async fn launch(
        options: &MariadbOptions,
        directory: &Path,
        user: Option<ServiceUser>,
    ) -> Result<Started, ServerError> {
        let port = free_port()?;
        let program = options.installation.join("sbin/mariadbd");
        let error_log = directory.join("error.log");
        let output =
            fs::File::create(&error_log).map_err(|source| ServerError::file("create", &error_log, source))?;
        let errors = output.try_clone().map_err(|source| ServerError::file("open", &error_log, source))?;
        let mut command = process::command(&program, directory, user);
        command.arg("--no-defaults").args(SETTINGS);
        command.arg(argument("--datadir=", &directory.join("data")));
        command.arg(argument("--socket=", &socket_path(directory)));
        command.arg(argument("--pid-file=", &directory.join("pid")));
        command.arg(argument("--tmpdir=", directory));
        command.arg(argument("--init-file=", &directory.join("init.sql")));
        command.arg(argument("--plugin-dir=", &options.installation.join("lib/mysql/plugin")));
        command
            .arg(argument("--server-audit-file-path=", &log_directory(directory).join("server_audit.log")));
        command.arg(format!("--port={port}"));
        command.arg(format!("--server-audit-file-rotate-size={}", options.rotate_size));
        command.arg(format!("--server-audit-file-rotations={}", options.rotations));
        command.arg(format!("--server-audit-query-log-limit={}", options.query_log_limit));
        command.args(&options.arguments).stdout(output).stderr(errors);
        let mut running = Running::spawn(&mut command, Signal::TERM, Signal::TERM, Some(directory))
            .map_err(|source| ServerError::file("start", &program, source))?;

        let asked = Instant::now();
        let version = loop {
            match ask_version(directory).await {
                Ok(version) => break version,
                Err(error) if asked.elapsed() > PATIENCE => return Err(error),
                Err(_) if running.has_ended() => {
                    return Err(ServerError::Died { server: SERVER, log: process::log_tail(&error_log) });
                }
                Err(_) => tokio::time::sleep(POLL).await,
            }
        };
        Ok(Started { running, version, port })
    }

    /// Where `server_audit.log` and its renamed forerunners lie; RDS shows them under `audit/`.
    pub fn log_directory(&self) -> PathBuf {
        log_directory(self.directory.path())
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The server's own version, for example `10.11.19`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The id of the server's process.
    pub fn process_id(&self) -> u32 {
        self.running.id()
    }

    /// The superuser's way in: the socket, no password.
    pub fn superuser(&self) -> OptsBuilder {
        socket(self.directory.path())
    }

    /// Another user's way in: TCP. Set user, password and database name.
    pub fn tcp(&self) -> OptsBuilder {
        OptsBuilder::default().ip_or_hostname("127.0.0.1").tcp_port(self.port).prefer_socket(false)
    }

    /// Returns when every record of the statements that finished before is in the log files.
    ///
    /// The plugin may write a record after the client has its answer, but before the session is idle again: so this waits
    /// until no other session is busy, and then for a statement of its own. The disconnection record of a session that has
    /// just closed may still be missing; only [`Self::stop`] waits for that.
    pub async fn flush(&self) -> Result<(), ServerError> {
        const BUSY: &str = "SELECT COUNT(*) FROM information_schema.processlist \
                            WHERE id <> CONNECTION_ID() AND command IN ('Query', 'Execute', 'Prepare')";
        let marker = format!("/* auditkeep-flush-{} */", self.flushes.fetch_add(1, Ordering::Relaxed));
        let failed = |source| ServerError::client("mark the log for a flush", source);
        let mut client = Conn::new(self.superuser()).await.map_err(failed)?;
        let asked = Instant::now();
        while client.query_first::<u64, _>(BUSY).await.map_err(failed)? != Some(0)
            && asked.elapsed() < PATIENCE
        {
            tokio::time::sleep(POLL).await;
        }
        client.query_drop(format!("{marker} SELECT 1")).await.map_err(failed)?;
        client.disconnect().await.map_err(failed)?;
        while asked.elapsed() < PATIENCE {
            if directory_contains(&self.log_directory(), |_| true, marker.as_bytes())? {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
        Err(ServerError::TooSlow { server: SERVER, awaited: "write its log" })
    }

    /// Ends the server in good order; the logs are complete then. Returns the directory that holds them, which is removed
    /// when it is dropped.
    pub fn stop(self) -> Result<StoppedMariadb, ServerError> {
        let Self { running, directory, version, .. } = self;
        let failed = |source| ServerError::file("stop the server in", directory.path(), source);
        running.stop().map_err(failed)?;
        Ok(StoppedMariadb { directory, version })
    }
}

/// What a stopped server leaves behind.
#[derive(Debug)]
pub struct StoppedMariadb {
    directory: TempDir,
    version: String,
}

impl StoppedMariadb {
    /// As [`MariadbServer::log_directory`].
    pub fn log_directory(&self) -> PathBuf {
        log_directory(self.directory.path())
    }

    /// As [`MariadbServer::version`].
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
    fn into_server(self, directory: TempDir) -> MariadbServer {
        let Self { running, version, port } = self;
        MariadbServer { running, directory, version, port, flushes: AtomicU64::new(0) }
    }
}

fn log_directory(directory: &Path) -> PathBuf {
    directory.join("audit")
}

fn socket_path(directory: &Path) -> PathBuf {
    directory.join("socket")
}

fn socket(directory: &Path) -> OptsBuilder {
    let path = socket_path(directory).to_string_lossy().into_owned();
    OptsBuilder::default().socket(Some(path)).user(Some(SUPERUSER))
}

fn argument(name: &str, path: &Path) -> String {
    format!("{name}{}", path.display())
}

async fn ask_version(directory: &Path) -> Result<String, ServerError> {
    let failed = |source| ServerError::client("connect to the new server", source);
    let mut client = Conn::new(socket(directory)).await.map_err(failed)?;
    let version: Option<String> = client.query_first("SELECT VERSION()").await.map_err(failed)?;
    client.disconnect().await.map_err(failed)?;
    let version = version.unwrap_or_default();
    Ok(version.split('-').next().unwrap_or_default().to_owned())
}

fn complete(installation: &Path) -> Result<(), ServerError> {
    for missing in ["sbin/mariadbd", "bin/mariadb-install-db", "lib/mysql/plugin/server_audit.so"] {
        if !installation.join(missing).exists() {
            let looked_in = installation.to_owned();
            return Err(ServerError::NotInstalled { server: SERVER, missing, looked_in });
        }
    }
    Ok(())
}
