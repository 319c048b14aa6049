//! Key files: a signing key that only its owner can read. Nothing is ever overwritten.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use auditkeep_core::integrity::key::SigningKey;
use auditkeep_pipeline::small_file;

use crate::failure::Failure;
use crate::new_file::write_new;

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
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

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
}
