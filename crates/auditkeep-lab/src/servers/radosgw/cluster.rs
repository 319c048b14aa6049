//! The cluster below the gateway: its configuration, its first maps, and how each of its daemons is started.
//!
//! The maps are made before anything runs, so no daemon has to be told about another one afterwards.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use super::super::ServerError;
use super::super::process::{self, Running, ServiceUser};
use super::{ACCESS_KEY, END, KMS_KEY, SECRET, SERVER, STORAGE_CLASS, program};

/// Any will do: a cluster of its own, in a directory of its own, is not mistaken for another one.
const CLUSTER_ID: &str = "5a0f3a52-6f5c-4f3e-9c7e-0d2f7b1c9a11";
/// In base64; 32 bytes, known to everybody.
const KMS_KEY_BYTES: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
/// Seconds until a command that configures the gateway gives up on a cluster that does not answer.
const COMMAND_PATIENCE: u32 = 60;
/// What is the same for every cluster. A monitor that waits for others to speak before it decides (`paxos_…`) would make the
/// start take ten seconds.
const SETTINGS: &str = "
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
mon_initial_members = a
ms_bind_msgr1 = false
ms_bind_ipv6 = false
ms_mon_client_mode = crc
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
keyring = /dev/null
admin_socket =
pid_file =
paxos_propose_interval = 0.01
paxos_min_wait = 0.01
mon_data_avail_crit = 1
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
osd_objectstore = memstore
memstore_device_bytes = 4294967296
osd_crush_update_on_start = false
osd_crush_chooseleaf_type = 0
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
rgw_rados_pool_pg_num_min = 1
rgw_thread_pool_size = 64
rgw_crypt_require_ssl = false
rgw_crypt_s3_kms_backend = testing
";

/// What its daemons are started with.
pub(super) struct Cluster<'a> {
    directory: &'a Path,
    user: Option<ServiceUser>,
}

impl<'a> Cluster<'a> {
    /// Writes the configuration, the maps and the daemons' empty stores. The monitor will listen on `port`.
    pub(super) fn lay_out(
        directory: &'a Path,
        user: Option<ServiceUser>,
        port: u16,
    ) -> Result<Self, ServerError> {
        let cluster = Self { directory, user };
        let path = directory.join("ceph.conf");
        fs::write(&path, cluster.configuration(port))
            .map_err(|source| ServerError::file("write", &path, source))?;
        for name in ["mon", "osd", "rgw"] {
            process::subdirectory(&directory.join(name), user)?;
        }
        let address = format!("[v2:127.0.0.1:{port}/0]");
        let map = ["--create", "--fsid", CLUSTER_ID, "--addv", "a", &address, "monmap"];
        cluster.prepare("monmaptool", &map)?;
        cluster.prepare("osdmaptool", &["osdmap", "--createsimple", "1"])?;
        let maps = ["--mkfs", "--monmap", "monmap", "--osdmap", "osdmap"];
        cluster.prepare("ceph-mon", &[&maps[..], &["--id", "a"]].concat())?;
        // Without the flag it would ask the monitor, which does not run yet.
        let store = ["--mkfs", "--no-mon-config", "--id", "0", "--osd-uuid", CLUSTER_ID];
        cluster.prepare("ceph-osd", &store)?;
        Ok(cluster)
    }

    fn configuration(&self, port: u16) -> String {
        let directory = self.directory.display();
        format!(
            "[global]\nfsid = {CLUSTER_ID}\nmon_host = [v2:127.0.0.1:{port}/0]\n\
             run_dir = {directory}\ncrash_dir = {directory}\nlog_file = {directory}/$name.log\n\
             mon_cluster_log_file = {directory}/cluster.log\n\
             mon_data = {directory}/mon\nosd_data = {directory}/osd\nrgw_data = {directory}/rgw\n\
             rgw_crypt_s3_kms_encryption_keys = {KMS_KEY}={KMS_KEY_BYTES}\n{SETTINGS}"
        )
    }

    fn command(&self, name: &str) -> Command {
        let mut command = process::command(&program(name), self.directory, self.user);
        command.arg("--conf").arg(self.directory.join("ceph.conf"));
        command
    }

    fn prepare(&self, name: &'static str, arguments: &[&str]) -> Result<(), ServerError> {
        process::prepare(self.command(name).args(arguments), name)
    }

    /// Makes the user and the storage class. Done before the gateway starts, which reads them then. Answers as soon as the
    /// cluster does.
    pub(super) fn configure_gateway(&self) -> Result<(), ServerError> {
        let keys = ["--access-key", ACCESS_KEY, "--secret-key", SECRET];
        let user = ["user", "create", "--uid", "auditkeep", "--display-name", "auditkeep"];
        self.admin(&[&user[..], &keys].concat())?;
        let class = ["--placement-id", "default-placement", "--storage-class", STORAGE_CLASS];
        let group = ["zonegroup", "placement", "add", "--rgw-zonegroup", "default"];
        self.admin(&[&group[..], &class].concat())?;
        let zone = ["zone", "placement", "add", "--rgw-zone", "default"];
        self.admin(&[&zone[..], &class, &["--data-pool", "default.rgw.buckets.data"]].concat())
    }

    fn admin(&self, arguments: &[&str]) -> Result<(), ServerError> {
        let mut command = self.command("radosgw-admin");
        for wait in ["client_mount_timeout", "rados_mon_op_timeout", "rados_osd_op_timeout"] {
            command.arg(format!("--{wait}={COMMAND_PATIENCE}"));
        }
        process::prepare(command.args(arguments), "radosgw-admin")
    }

    /// Starts a daemon of this name, such as `mon.a`, in the foreground.
    pub(super) fn run(&self, program: &str, name: &str) -> Result<Running, ServerError> {
        self.spawn(program, name, &[])
    }

    /// Starts the gateway on a port of 127.0.0.1.
    pub(super) fn run_gateway(&self, port: u16) -> Result<Running, ServerError> {
        self.spawn("radosgw", "client.rgw", &[format!("--rgw_frontends=beast endpoint=127.0.0.1:{port}")])
    }

    fn spawn(&self, name: &str, entity: &str, arguments: &[String]) -> Result<Running, ServerError> {
        let path = self.directory.join(format!("{entity}.out"));
        let output = File::create(&path).map_err(|source| ServerError::file("create", &path, source))?;
        let errors = output.try_clone().map_err(|source| ServerError::file("open", &path, source))?;
        let mut command = self.command(name);
        command.args(["--name", entity, "-f"]).args(arguments).stdout(output).stderr(errors);
        Running::spawn(&mut command, END, END, Some(self.directory))
            .map_err(|source| ServerError::file("start", &program(name), source))
    }

    /// What a daemon said before it ended.
    pub(super) fn died(&self, entity: &str) -> ServerError {
        let said = ["out", "log"].map(|kind| {
            let path = self.directory.join(format!("{entity}.{kind}"));
            process::log_tail(&path)
        });
        ServerError::Died { server: SERVER, log: said.join(" ") }
    }
}
