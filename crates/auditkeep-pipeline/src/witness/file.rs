//! A file as a witness: the newest signed note, as text, for a repository under version control or a mounted share.
//!
//! The file is replaced as a whole, and never by an older seal or by one of another archive. Handing a seal over makes the directories
//! that are missing; asking makes nothing. What was before is for whoever keeps the
//! file's history.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use auditkeep_archive::checkpoint::Checkpoint;
use auditkeep_archive::seal::Sealed;

use super::{Witness, WitnessError, goes_on};
use crate::small_file;

pub struct FileWitness {
    name: String,
    path: PathBuf,
}

impl FileWitness {
    pub fn new(name: &str, path: PathBuf) -> Self {
        Self { name: name.to_owned(), path }
    }
}

#[async_trait]
impl Witness for FileWitness {
    fn name(&self) -> &str {
        &self.name
    }

    async fn keep(&self, archive: &str, seal: &Sealed) -> Result<(), WitnessError> {
        goes_on(&self.name, archive, self.newest(archive).await?.as_ref(), seal)?;
        replace(&self.path, seal.note.as_bytes())
            .map_err(|cause| WitnessError::unreachable("handing the seal to", &self.name, cause))
    }

    async fn newest(&self, _: &str) -> Result<Option<Checkpoint>, WitnessError> {
        let bytes = match small_file::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(WitnessError::unreachable("asking", &self.name, error)),
        };
        Checkpoint::parse(&format!("{} ({})", self.name, self.path.display()), &bytes)
            .map(Some)
            .map_err(|cause| WitnessError::Damaged { witness: self.name.clone(), cause: cause.into() })
    }
}

/// The file has its old content or its new one, whatever happens in between; the new one is on the disk on return.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    make_directories(directory)?;
    let mut file = tempfile::Builder::new().prefix(".auditkeep-").tempfile_in(directory)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    // A crash here leaves a hidden file beside the old note.
    file.persist(path)?;
    File::open(directory)?.sync_all()
}

/// Makes the directories that are missing; each is in the one above it on the disk on return.
fn make_directories(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let parent = match directory.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    make_directories(parent)?;
    match fs::create_dir(directory) {
        // Somebody else seals, too.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && directory.is_dir() => {}
        made => made?,
    }
    File::open(parent)?.sync_all()
}
