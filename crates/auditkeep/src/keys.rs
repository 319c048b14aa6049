//! Key files: a signing key that only its owner can read, and its public half beside it.

use std::fs::{File, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use auditkeep_core::integrity::key::{SigningKey, VerifyingKey};

use crate::failure::Failure;

/// Thirty-two bytes that nobody can guess.
pub fn random_seed() -> Result<[u8; 32], Failure> {
    let mut seed = [0; 32];
    // The operating system's generator, which Rust's standard library cannot be asked for yet.
    io::Read::read_exact(&mut File::open("/dev/urandom")?, &mut seed)?;
    Ok(seed)
}

/// The public half lies beside the key: `auditkeep.key` and `auditkeep.pub`.
pub fn public_path(key: &Path) -> PathBuf {
    key.with_extension("pub")
}

/// Makes a key and its two files, or reads the key that is there. Nothing is ever overwritten.
///
/// The key's file comes first, because the public half follows from it and not the other way round. A crash before it is
/// there leaves nothing, or a hidden file beside it that only its owner can read and that nothing uses. A crash before the
/// public half is there leaves the key alone; the next call completes it.
pub fn create_or_read(path: &Path) -> Result<SigningKey, Failure> {
    if path.exists() {
        let key = read_signing_key(path)?;
        complete_public(path, &key)?;
        return Ok(key);
    }
    let public = public_path(path);
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
    complete_public(path, &key)?;
    Ok(key)
}

/// Writes the public half where it is missing. One of another key is refused: everything would be verified against it.
fn complete_public(path: &Path, key: &SigningKey) -> Result<(), Failure> {
    let public = public_path(path);
    if !public.exists() {
        return write_new(&public, format!("{}\n", key.public()), 0o644);
    }
    if &read_public_key(&public.display().to_string())? == key.public() {
        return Ok(());
    }
    Err(Failure::new(
        format!("`{}` is not the public half of `{}`", public.display(), path.display()),
        "find out which of the two belongs to the archive; `auditkeep.key` and `auditkeep.pub` must be a pair",
    ))
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

pub fn read_signing_key(path: &Path) -> Result<SigningKey, Failure> {
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
    let text =
        std::fs::read_to_string(path).map_err(|error| failed(error.to_string(), "check the file's owner"))?;
    SigningKey::from_file_text(&text).map_err(|error| {
        failed(error.to_string(), "restore the file from a copy; it must be as `auditkeep init` wrote it")
    })
}

/// A public key, given as its text or as the file that holds it.
pub fn read_public_key(text_or_path: &str) -> Result<VerifyingKey, Failure> {
    let text = match std::fs::read_to_string(text_or_path) {
        Ok(text) => text,
        Err(_) if text_or_path.contains('+') => text_or_path.to_owned(),
        Err(error) => {
            return Err(Failure::usage(
                format!("reading the public key `{text_or_path}` failed: {error}"),
                "give the file that `auditkeep init` wrote beside the key (`auditkeep.pub`), or its text",
            ));
        }
    };
    text.trim().parse().map_err(|error| {
        Failure::usage(
            format!("`{text_or_path}` holds no public key: {error}"),
            "a public key looks like `auditkeep-1a2b3c4d+5e6f7a8b+AbCd…`",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_private_and_never_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("k.key");
        let made = create_or_read(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let read = create_or_read(&path).unwrap();
        assert_eq!(made.public(), read.public());
        let public = read_public_key(public_path(&path).to_str().unwrap()).unwrap();
        assert_eq!(&public, made.public());
        assert!(write_new(&path, "x", 0o600).is_err());

        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let failure = read_signing_key(&path).unwrap_err().to_string();
        assert!(failure.contains("others can read it") && failure.contains("hint: "), "{failure}");
    }
    /// What a crash between the two files leaves.
    #[test]
    fn a_missing_public_half_is_written_when_the_key_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("k.key");
        let made = create_or_read(&path).unwrap();
        let public = std::fs::read(public_path(&path)).unwrap();
        std::fs::remove_file(public_path(&path)).unwrap();
        assert_eq!(create_or_read(&path).unwrap().public(), made.public());
        assert_eq!(std::fs::read(public_path(&path)).unwrap(), public);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2, "nothing else is left");
    }

    #[test]
    fn a_key_and_a_public_half_of_another_are_no_pair() {
        let directory = tempfile::tempdir().unwrap();
        let (path, other) = (directory.path().join("k.key"), directory.path().join("other.key"));
        create_or_read(&path).unwrap();
        create_or_read(&other).unwrap();
        std::fs::copy(public_path(&other), public_path(&path)).unwrap();
        let failure = create_or_read(&path).unwrap_err().to_string();
        assert!(failure.contains("is not the public half"), "{failure}");

        // A new key beside the public half of a lost one would never be noticed.
        std::fs::remove_file(&path).unwrap();
        let failure = create_or_read(&path).unwrap_err().to_string();
        assert!(failure.contains("is there, and its signing key"), "{failure}");
        assert!(!path.exists());
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
