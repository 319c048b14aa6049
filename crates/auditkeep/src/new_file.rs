//! Files that are new and whole: written under a hidden name in the same directory, and given their own name in one step.
//!
//! Nothing is ever overwritten. A crash before the name is given leaves a hidden file that nothing uses, after it the whole file; what
//! fails leaves nothing. Once [`NewFile::finish`] returns, the file survives a loss of power.

use std::fs::{File, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::failure::Failure;

/// A file that has no name yet.
pub struct NewFile {
    path: PathBuf,
    directory: PathBuf,
    file: NamedTempFile,
}

impl NewFile {
    /// Begins the file of that name with its final permissions. One that is there is refused now, so that no work is done for nothing.
    pub fn begin(path: &Path, mode: u32) -> Result<Self, Failure> {
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let begin = || {
            if path.symlink_metadata().is_ok() {
                return Err(ErrorKind::AlreadyExists.into());
            }
            let permissions = Permissions::from_mode(mode);
            tempfile::Builder::new().prefix(".auditkeep-").permissions(permissions).tempfile_in(directory)
        };
        let file = begin().map_err(|error| failed(path, &error))?;
        Ok(Self { path: path.to_owned(), directory: directory.to_owned(), file })
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.file.write_all(bytes).map_err(|error| failed(&self.path, &error))
    }

    /// Gives it its name, unless there is such a file by now.
    pub fn finish(self) -> Result<(), Failure> {
        let Self { path, directory, file } = self;
        let finish = || {
            file.as_file().sync_all()?;
            file.persist_noclobber(&path)?;
            File::open(directory)?.sync_all()
        };
        finish().map_err(|error: io::Error| failed(&path, &error))
    }
}

/// Creates a file with this content, or none.
pub fn write_new(path: &Path, content: impl AsRef<[u8]>, mode: u32) -> Result<(), Failure> {
    let mut file = NewFile::begin(path, mode)?;
    file.write(content.as_ref())?;
    file.finish()
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    let hint = if error.kind() == ErrorKind::AlreadyExists {
        "it is there already and was not touched; name another file, or move it away"
    } else {
        "check that the directory exists and that you may write there"
    };
    Failure::new(format!("writing `{}` failed: {error}", path.display()), hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_whole_or_not_there() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("k");
        write_new(&path, "first", 0o600).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let failure = write_new(&path, "second", 0o600).unwrap_err().to_string();
        assert!(failure.contains("was not touched"), "{failure}");
        assert_eq!(std::fs::read(&path).unwrap(), b"first");
        // One that comes meanwhile is not touched either.
        let other = directory.path().join("other");
        let begun = NewFile::begin(&other, 0o600).unwrap();
        std::fs::write(&other, "theirs").unwrap();
        assert!(begun.finish().unwrap_err().to_string().contains("was not touched"));
        assert_eq!(std::fs::read(&other).unwrap(), b"theirs");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2, "no other file is left");
        assert!(write_new(&directory.path().join("absent/k"), "x", 0o600).is_err());
    }
}
