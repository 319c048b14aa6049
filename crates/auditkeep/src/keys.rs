//! Key files: a signing key that only its owner can read, and its public half beside it.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use auditkeep_core::integrity::key::{SigningKey, VerifyingKey};

use crate::failure::Failure;

/// Thirty-two bytes that nobody can guess.
pub fn random_seed() -> Result<[u8; 32], Failure> {
    let mut seed = [0; 32];
    // The operating system's generator, which Rust's standard library cannot be asked for yet.
    std::io::Read::read_exact(&mut File::open("/dev/urandom")?, &mut seed)?;
    Ok(seed)
}

/// The public half lies beside the key: `auditkeep.key` and `auditkeep.pub`.
pub fn public_path(key: &Path) -> PathBuf {
    key.with_extension("pub")
}

/// Makes a key and its two files, or reads the key that is there. Nothing is ever overwritten.
pub fn create_or_read(path: &Path) -> Result<SigningKey, Failure> {
    if path.exists() {
        return read_signing_key(path);
    }
    let seed = random_seed()?;
    let name = format!("auditkeep-{}", hex::encode(&random_seed()?[..4]));
    let text = SigningKey::file_text(&name, &seed)?;
    let key = SigningKey::from_file_text(&text)?;
    write_new(path, &text, 0o600)?;
    write_new(&public_path(path), &format!("{}\n", key.public()), 0o644)?;
    Ok(key)
}

/// Creates a file with its final permissions from the first moment on.
pub fn write_new(path: &Path, text: &str, mode: u32) -> Result<(), Failure> {
    let opened = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let written = opened.and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
    written.map_err(|error| {
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
    use std::os::unix::fs::PermissionsExt;

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

        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let failure = read_signing_key(&path).unwrap_err().to_string();
        assert!(failure.contains("others can read it") && failure.contains("hint: "), "{failure}");
    }
}
