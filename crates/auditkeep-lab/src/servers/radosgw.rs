//! Ceph's RADOS gateway: a second S3, written by other people than moto, and stricter. It checks every signature and every
//! payload hash, and Object Lock holds on it.
//!
//! The smallest cluster that serves it: one monitor, one storage daemon that keeps everything in memory, and the gateway.
//! No manager, one copy of everything, nobody to log in to inside the cluster. All three listen on 127.0.0.1 only.
//!
//! What it does not do as AWS does (16.2): an object is created again in spite of `If-None-Match: *` where the bucket keeps
//! versions; checksums (`x-amz-checksum-…`) are taken and neither verified nor kept; of the storage classes only `STANDARD`
//! and [`STORAGE_CLASS`] exist, and none needs a restore.

mod cluster;

use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use rustix::process::Signal;
use tempfile::TempDir;

use self::cluster::Cluster;
use super::bucket::SignedS3;
use super::process::{self, Running, ServiceUser};
use super::{PATIENCE, POLL, PORT_ATTEMPTS, ServerError, free_port};

const SERVER: &str = "the RADOS gateway";
const PROGRAMS: &str = "/usr/bin";
/// Of the one user that there is.
pub const ACCESS_KEY: &str = "AUDITKEEPLABACCESSKEY";
/// Of the one user that there is.
pub const SECRET: &str = "auditkeep-lab-secret-of-the-gateway";
/// The one storage class besides `STANDARD`. It can be read at once.
pub const STORAGE_CLASS: &str = "GLACIER_IR";
/// The one key that objects can be encrypted with. The gateway really encrypts.
pub const KMS_KEY: &str = "auditkeep-lab-key";

/// A running gateway with its cluster. All of it ends when this is dropped or this process ends.
#[derive(Debug)]
pub struct RadosGateway {
    // Before the directory, and the gateway before what it needs: fields are dropped in this order.
    gateway: Running,
    storage: Running,
    monitor: Running,
    directory: TempDir,
    endpoint: String,
}

impl RadosGateway {
    /// Makes a cluster, starts it and waits until the gateway listens. Blocks, for about two seconds.
    pub fn start() -> Result<Self, ServerError> {
        complete(Path::new(PROGRAMS))?;
        for _ in 1..PORT_ATTEMPTS {
            match Self::launch() {
                Err(ServerError::Died { log, .. }) if log.contains("Address already in use") => {}
                launched => return launched,
            }
        }
        Self::launch()
    }

    fn launch() -> Result<Self, ServerError> {
        let user = ServiceUser::find("ceph")?;
        let directory = process::private_directory("auditkeep-radosgw-", user)?;
        let port = free_port()?;
        let cluster = Cluster::lay_out(directory.path(), user, port)?;
        let mut monitor = cluster.run("ceph-mon", "mon.a")?;
        until_listening(&mut monitor, port, || cluster.died("mon.a"))?;
        let mut storage = cluster.run("ceph-osd", "osd.0")?;
        // Waits for the storage daemon, unless that has ended.
        cluster
            .configure_gateway()
            .map_err(|error| if storage.has_ended() { cluster.died("osd.0") } else { error })?;
        let port = free_port()?;
        let mut gateway = cluster.run_gateway(port)?;
        until_listening(&mut gateway, port, || cluster.died("client.rgw"))?;
        Ok(Self { gateway, storage, monitor, directory, endpoint: format!("http://127.0.0.1:{port}") })
    }

    /// `http://127.0.0.1:<port>`; buckets are in the path.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// S3 as it is, without this project's own way to it, as the one user there is.
    pub fn s3(&self) -> SignedS3 {
        SignedS3::new(&self.endpoint, ACCESS_KEY, SECRET)
    }

    /// The ids of the cluster's processes.
    pub fn process_ids(&self) -> [u32; 3] {
        [&self.gateway, &self.storage, &self.monitor].map(Running::id)
    }

    /// Where everything that they write to a disk lies.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}

fn until_listening(
    running: &mut Running,
    port: u16,
    died: impl Fn() -> ServerError,
) -> Result<(), ServerError> {
    let asked = Instant::now();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        if running.has_ended() {
            return Err(died());
        }
        if asked.elapsed() > PATIENCE {
            return Err(ServerError::TooSlow { server: SERVER, awaited: "listen" });
        }
        thread::sleep(POLL);
    }
    Ok(())
}

fn complete(programs: &Path) -> Result<(), ServerError> {
    for missing in ["ceph-mon", "ceph-osd", "monmaptool", "osdmaptool", "radosgw", "radosgw-admin"] {
        if !programs.join(missing).exists() {
            let looked_in = programs.to_owned();
            return Err(ServerError::NotInstalled { server: SERVER, missing, looked_in });
        }
    }
    Ok(())
}

fn program(name: &str) -> PathBuf {
    Path::new(PROGRAMS).join(name)
}

/// Nothing of it has to be saved.
const END: Signal = Signal::KILL;
