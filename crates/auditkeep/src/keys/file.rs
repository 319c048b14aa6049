//! Key files: a signing key that only its owner can read. Nothing is ever overwritten.

use std::fs::{File, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use auditkeep_core::integrity::key::SigningKey;
use auditkeep_pipeline::small_file;

use crate::failure::Failure;

/// Thirty-two bytes that nobody can guess.
pub fn random_seed() -> Result<[u8; 32], Failure> {
    let mut seed = [0; 32];
    // The operating system's generator, which Rust's standard library cannot be asked for yet.
    io::Read::read_exact(&mut File::open("/dev/urandom")?, &mut seed)?;
    Ok(seed)
}

/// Makes a key and its file, or reads the key that is there. `public` is where the public half is going to be.
///
/// The key's file comes first, because the public half follows from it and not the other way round. A crash before it is
/// there leaves nothing, or a hidden file beside it that only its owner can read and that nothing uses.
pub fn create_or_read(path: &Path, public: &Path) -> Result<SigningKey, Failure> {
    if path.exists() {
        return read(path);
    }
    if public.exists() {
        return Err(Failure::new(
            format!("`{}` is there, and its signing key `{}` is not", public.display(), path.display()),
            "bring the key back from where its copy is kept, or name another file with `--key`",
        ));
    }
    let seed = random_seed()?;
    let name = format!("auditkeep-{}", hex::encode(&random_seed()?[..4]));
    let text = SigningKey::file_text(&name, &seed)?;
    let key = SigningKey::from_file_text(&text)?;
    write_new(path, &text, 0o600)?;
    Ok(key)
}

/// Creates a file, whole and with its final permissions, or not at all.
///
/// It is written under a hidden name, synced, and given its own name, which fails where there is such a file already; then
/// the directory is synced. A crash before the name is given leaves the hidden file, after it the whole file; once this
/// returns, the file survives a loss of power.
pub fn write_new(path: &Path, content: impl AsRef<[u8]>, mode: u32) -> Result<(), Failure> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let write = || {
        let permissions = Permissions::from_mode(mode);
        let mut file =
            tempfile::Builder::new().prefix(".auditkeep-").permissions(permissions).tempfile_in(directory)?;
        file.write_all(content.as_ref())?;
        file.as_file().sync_all()?;
        file.persist_noclobber(path)?;
        File::open(directory)?.sync_all()
    };
    write().map_err(|error: io::Error| {
        let hint = if error.kind() == ErrorKind::AlreadyExists {
            "it is there already and was not touched; name another file, or move it away"
        } else {
            "check that the directory exists and that you may write there"
        };
        Failure::new(format!("writing `{}` failed: {error}", path.display()), hint)
    })
}

/// The key of a key file that nobody else can read.
pub fn read(path: &Path) -> Result<SigningKey, Failure> {
    let failed = |why: String, hint: &str| {
        Failure::new(format!("the signing key `{}` cannot be used: {why}", path.display()), hint)
    };
    let mode = std::fs::metadata(path).map_err(|error| {
        failed(
            error.to_string(),
            "name the key's file with `--key` or in the configuration, or make one with `auditkeep init`",
        )
    })?;
    if mode.mode() & 0o077 != 0 {
        return Err(failed(
            "others can read it".to_owned(),
            "take their permissions away: `chmod 600` on the file",
        ));
    }
    let text = small_file::read_text(path)
        .map_err(|error| failed(error.to_string(), "check the file's owner, and that it is a file"))?;
    SigningKey::from_file_text(&text).map_err(|error| {
        failed(error.to_string(), "restore the file from a copy; it must be as `auditkeep init` wrote it")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_private_and_never_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let (path, public) = (directory.path().join("k.key"), directory.path().join("k.pub"));
        let made = create_or_read(&path, &public).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(create_or_read(&path, &public).unwrap().public(), made.public());
        assert!(write_new(&path, "x", 0o600).is_err());

        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let failure = read(&path).unwrap_err().to_string();
        assert!(failure.contains("others can read it") && failure.contains("hint: "), "{failure}");
    }

    #[test]
    fn a_file_is_whole_or_not_there() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("k");
        write_new(&path, "first", 0o600).unwrap();
        let failure = write_new(&path, "second", 0o600).unwrap_err().to_string();
        assert!(failure.contains("was not touched"), "{failure}");
        assert_eq!(std::fs::read(&path).unwrap(), b"first");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "no other file is left");
        assert!(write_new(&directory.path().join("absent/k"), "x", 0o600).is_err());
    }
}
