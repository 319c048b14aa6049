//! Creates `.lab/venv`: Python with boto3 (the reference client) and moto (the AWS emulator), in fixed versions.
//!
//! A stamp in the environment holds the requirements it was made from; the environment is made anew when they differ.
//! Nothing outside `.lab` is touched.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::shell;

/// One pinned requirement per line, as pip reads them.
const REQUIREMENTS: &str = include_str!("requirements.txt");

pub(super) fn install(root: &Path) -> anyhow::Result<()> {
    let venv = root.join(".lab/venv");
    let stamp = venv.join("auditkeep-requirements.txt");
    if fs::read_to_string(&stamp).is_ok_and(|found| found == REQUIREMENTS) {
        println!("setup: .lab/venv is up to date");
        return Ok(());
    }
    println!(
        "setup: making .lab/venv with {}",
        REQUIREMENTS.split_whitespace().collect::<Vec<_>>().join(", ")
    );
    if !shell::succeeds(
        Command::new("python3").args(["-c", "import sys; sys.exit(sys.version_info < (3, 9))"]),
    ) {
        bail!(
            "python3 (3.9 or newer) was not found\nhint: install it with `apt-get install python3 python3-venv`"
        );
    }
    shell::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv)).context(
        "make a Python environment\nhint: on Debian and Ubuntu it needs `apt-get install python3-venv`",
    )?;
    let requirements = venv.join("requirements.in");
    fs::write(&requirements, REQUIREMENTS).with_context(|| format!("write {}", requirements.display()))?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
    shell::run(Command::new(venv.join("bin/python")).args(pip).arg(&requirements)).context(
        "install the Python packages\nhint: pip needs a package index; set PIP_INDEX_URL or a proxy if this machine has no direct access",
    )?;
    fs::rename(&requirements, &stamp).with_context(|| format!("write {}", stamp.display()))
}
