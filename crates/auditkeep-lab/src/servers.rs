//! Launchers for private, short-lived servers: PostgreSQL with pgAudit and MariaDB with server_audit, configured as Amazon
//! RDS configures them, which write real audit logs; moto for the rest of AWS; and Ceph's gateway, a second and stricter S3.
//!
//! A server lives in a temporary directory, listens on 127.0.0.1 and on a socket inside that directory, and never runs as
//! root. It is stopped when its handle is stopped or dropped, and also when this process dies. The packages of the
//! servers must be installed; an installed service or its data is never touched.

pub mod bucket;
pub mod mariadb;
pub mod moto;
pub mod postgres;
mod process;
pub mod radosgw;

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

pub use bucket::SignedS3;
pub use mariadb::{MariadbOptions, MariadbServer};
pub use moto::MotoServer;
pub use postgres::{PostgresOptions, PostgresServer};
pub use radosgw::RadosGateway;

/// How long a server may take until it answers, and how long a flush may take.
const PATIENCE: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(50);
/// A free port can be taken by somebody else before the server listens on it; then another one is tried.
const PORT_ATTEMPTS: usize = 3;

/// Why a server could not be started or used.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    #[error("{server} is not installed: no {missing} under {}; install it with `cargo xtask setup`", looked_in.display())]
    NotInstalled { server: &'static str, missing: &'static str, looked_in: PathBuf },
    #[error(
        "this process is root and a server must not be: there is no system user `{user}`; `cargo xtask setup` installs it"
    )]
    NoServiceUser { user: &'static str },
    #[error("could not {action} {}", path.display())]
    File { action: &'static str, path: PathBuf, source: io::Error },
    #[error("{program} failed ({status}): {output}")]
    Prepare { program: &'static str, status: ExitStatus, output: String },
    #[error("{server} ended while starting; the end of its log: {log}")]
    Died { server: &'static str, log: String },
    #[error("{server} did not {awaited} within {PATIENCE:?}")]
    TooSlow { server: &'static str, awaited: &'static str },
    #[error("{server} refused to {action}: {status} {answer}")]
    Refused { server: &'static str, action: &'static str, status: u16, answer: String },
    #[error("could not {action}")]
    Client { action: &'static str, source: Box<dyn std::error::Error + Send + Sync> },
}

impl ServerError {
    fn file(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::File { action, path: path.to_owned(), source }
    }

    fn client(action: &'static str, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Client { action, source: Box::new(source) }
    }
}

/// A TCP port of 127.0.0.1 that nobody listens on at this moment.
fn free_port() -> Result<u16, ServerError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    listener
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|source| ServerError::file("find a free port of", Path::new("127.0.0.1"), source))
}

/// Whether a file of the directory holds these bytes. Files that come and go by rotation are no error.
fn directory_contains(
    directory: &Path,
    matches: impl Fn(&str) -> bool,
    needle: &[u8],
) -> Result<bool, ServerError> {
    let failed = |source| ServerError::file("read the logs in", directory, source);
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if !entry.file_name().to_str().is_some_and(&matches) {
            continue;
        }
        match std::fs::read(entry.path()) {
            Ok(bytes) if bytes.windows(needle.len()).any(|window| window == needle) => return Ok(true),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(false)
}
