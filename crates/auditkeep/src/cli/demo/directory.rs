//! The demo's directory: one that the demo made itself, told by a mark in it.
//!
//! The demo writes recorded logs into an archive and replaces a directory. So it must never work in a directory that
//! somebody else made: whoever has a [`DemoDirectory`] may do both in it.

use std::path::{Path, PathBuf};

use crate::config::FILE_NAME;
use crate::failure::Failure;
use crate::new_file::write_new;

/// The file whose presence says that the demo made the directory.
const MARK: &str = "auditkeep-demo.txt";

const MARK_TEXT: &str = "\
This directory was made by `auditkeep demo`. The logs in its archive are recorded ones and belong to no database of yours.
The demo uses the directory again when it is run again. It can be deleted at any time.
";

pub struct DemoDirectory(PathBuf);

impl DemoDirectory {
    /// Takes the directory of an earlier demo, or a new or empty one, and refuses any other.
    ///
    /// The mark is the first thing written: a demo that is interrupted leaves a directory that is empty or marked.
    pub fn claim(path: &Path) -> Result<Self, Failure> {
        let claimed = Self(path.to_owned());
        if claimed.0.join(MARK).is_file() {
            return Ok(claimed);
        }
        let failed = |error: std::io::Error| {
            Failure::new(
                format!("making the directory `{}` failed: {error}", path.display()),
                "choose another place with `--directory`",
            )
        };
        if path.exists() && (!path.is_dir() || std::fs::read_dir(path).map_err(failed)?.next().is_some()) {
            return Err(Failure::usage(
                format!("`{}` was not made by the demo and is not empty", path.display()),
                "nothing in it was touched; name a new directory with `--directory`, or leave that out",
            ));
        }
        std::fs::create_dir_all(path).map_err(failed)?;
        write_new(&path.join(MARK), MARK_TEXT, 0o644)?;
        Ok(claimed)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn config(&self) -> PathBuf {
        self.0.join(FILE_NAME)
    }

    pub fn key(&self) -> PathBuf {
        self.0.join("auditkeep.key")
    }

    pub fn archive(&self) -> PathBuf {
        self.0.join("archive")
    }

    /// The falsified copy of the archive.
    pub fn tampered(&self) -> PathBuf {
        self.0.join("tampered")
    }
}
