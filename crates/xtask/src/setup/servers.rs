//! Installs PostgreSQL with pgAudit, MariaDB with its audit plugin, Ceph's S3 gateway, and strace from Debian's or Ubuntu's
//! packages.
//!
//! No service is started: the tests run private servers from temporary directories. Packages start their service when
//! they are installed, so a `policy-rc.d` that forbids it is in place for that time; the former one is put back.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::shell;

/// The PostgreSQL version that the recorded logs were made with; another one is taken where it is not packaged.
const PREFERRED_POSTGRES: u32 = 15;
const POSTGRES_VERSIONS: &str = "/usr/lib/postgresql";
/// Asked by invoke-rc.d before it starts a service; exit status 101 means "forbidden".
const POLICY: &str = "/usr/sbin/policy-rc.d";
const SAVED_POLICY: &str = "/usr/sbin/policy-rc.d.before-auditkeep";
const FORBID: &str =
    "#!/bin/sh\n# Set by `cargo xtask setup` while it installs packages; removed afterwards.\nexit 101\n";
const APT_HINT: &str = "hint: this needs Debian or Ubuntu with working package sources, and root or sudo; \
                        elsewhere install PostgreSQL with pgAudit, MariaDB with server_audit, Ceph and strace by hand";

pub(super) fn install() -> anyhow::Result<()> {
    if let Some(version) = installed_pgaudit()
        && missing(&packages(version)).is_empty()
    {
        println!(
            "setup: PostgreSQL {version} with pgAudit, MariaDB, Ceph's gateway and strace are installed"
        );
        return Ok(());
    }
    if !shell::succeeds(Command::new("apt-get").arg("--version")) {
        bail!("apt-get was not found\n{APT_HINT}");
    }
    shell::run(&mut as_root(&["apt-get", "update", "--quiet"]))
        .context(format!("refresh the package lists\n{APT_HINT}"))?;
    let version = match installed_pgaudit() {
        Some(version) => version,
        None => packaged_pgaudit()?,
    };
    let missing = missing(&packages(version));
    println!("setup: installing {}", missing.join(", "));
    forbid_service_starts()?;
    let installed = apt_install(&missing);
    restore_service_policy()?;
    installed
}

fn packages(postgres: u32) -> Vec<String> {
    vec![
        format!("postgresql-{postgres}"),
        format!("postgresql-{postgres}-pgaudit"),
        "postgresql-contrib".to_owned(),
        "mariadb-server".to_owned(),
        // The gateway, and the two daemons without which it has nothing to serve.
        "radosgw".to_owned(),
        "ceph-mon".to_owned(),
        "ceph-osd".to_owned(),
        // Shows in which order a write reaches the disk.
        "strace".to_owned(),
        "python3-venv".to_owned(),
    ]
}

fn missing(packages: &[String]) -> Vec<String> {
    packages.iter().filter(|package| !is_installed(package)).cloned().collect()
}

fn is_installed(package: &str) -> bool {
    let query = ["--show", "--showformat=${db:Status-Status}", package];
    shell::output(Command::new("dpkg-query").args(query)).is_ok_and(|status| status == "installed")
}

/// The newest PostgreSQL version that is installed together with pgAudit; the preferred one wins.
fn installed_pgaudit() -> Option<u32> {
    let versions = fs::read_dir(POSTGRES_VERSIONS).ok()?.filter_map(|entry| {
        let entry = entry.ok()?;
        let complete = ["bin/postgres", "lib/pgaudit.so"].iter().all(|file| entry.path().join(file).exists());
        if complete { entry.file_name().to_str()?.parse().ok() } else { None }
    });
    preferred(versions)
}

/// The PostgreSQL version for which the distribution packages pgAudit.
fn packaged_pgaudit() -> anyhow::Result<u32> {
    let search = ["search", "--names-only", "^postgresql-[0-9]+-pgaudit$"];
    let found = shell::output(Command::new("apt-cache").args(search))?;
    let versions = found.lines().filter_map(|line| line.split('-').nth(1)?.parse().ok());
    preferred(versions)
        .with_context(|| format!("no package postgresql-<version>-pgaudit is on offer\n{APT_HINT}"))
}

fn preferred(versions: impl Iterator<Item = u32>) -> Option<u32> {
    versions.max_by_key(|version| (*version == PREFERRED_POSTGRES, *version))
}

fn apt_install(packages: &[String]) -> anyhow::Result<()> {
    let mut install = vec!["env", "DEBIAN_FRONTEND=noninteractive"];
    install.extend(["apt-get", "install", "--yes", "--quiet", "--no-install-recommends"]);
    install.extend(packages.iter().map(String::as_str));
    shell::run(&mut as_root(&install)).context(format!("install packages\n{APT_HINT}"))
}

fn forbid_service_starts() -> anyhow::Result<()> {
    // A saved file is left by an interrupted run; then the policy in place is ours and must not be saved over it.
    if Path::new(POLICY).exists() && !Path::new(SAVED_POLICY).exists() {
        shell::run(&mut as_root(&["cp", "--preserve", POLICY, SAVED_POLICY]))?;
    }
    let ours = env::temp_dir().join(format!("auditkeep-policy-rc.d.{}", std::process::id()));
    fs::write(&ours, FORBID).with_context(|| format!("write {}", ours.display()))?;
    let source = ours.to_string_lossy().into_owned();
    let placed = shell::run(&mut as_root(&["install", "--mode=755", &source, POLICY]));
    fs::remove_file(&ours).with_context(|| format!("remove {}", ours.display()))?;
    placed.context("forbid that packages start their services")
}

fn restore_service_policy() -> anyhow::Result<()> {
    let restored = if Path::new(SAVED_POLICY).exists() {
        shell::run(&mut as_root(&["mv", SAVED_POLICY, POLICY]))
    } else {
        shell::run(&mut as_root(&["rm", "--force", POLICY]))
    };
    restored.context(format!("put {POLICY} back"))
}

/// The command itself for root, the same through sudo for everybody else.
fn as_root(words: &[&str]) -> Command {
    let is_root = shell::output(Command::new("id").arg("-u")).is_ok_and(|uid| uid.trim() == "0");
    let words: Vec<&str> = if is_root { words.to_vec() } else { [&["sudo"], words].concat() };
    let mut command = Command::new(words.first().copied().unwrap_or("true"));
    command.args(words.iter().skip(1));
    command
}
