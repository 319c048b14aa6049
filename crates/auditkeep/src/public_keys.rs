//! Files of public keys: one key a line, the newest first.

use std::fs::{File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use auditkeep_core::integrity::key::VerifyingKey;
use auditkeep_pipeline::small_file;

use crate::failure::Failure;

/// Public keys, given as the text of one or as the file that holds them; at least one.
pub fn read(text_or_path: &str) -> Result<Vec<VerifyingKey>, Failure> {
    let text = match small_file::read_given_text(Path::new(text_or_path)) {
        Ok(text) => text,
        Err(_) if text_or_path.contains('+') => text_or_path.to_owned(),
        Err(error) => {
            return Err(Failure::usage(
                format!("reading the public key `{text_or_path}` failed: {error}"),
                "give the file that `auditkeep init` wrote beside the key (`auditkeep.pub`), or its text",
            ));
        }
    };
    let wrong = |why: String| {
        Failure::usage(
            format!("`{text_or_path}` holds no public key: {why}"),
            "a public key looks like `auditkeep-1a2b3c4d+5e6f7a8b+AbCd…`, and a file has one a line",
        )
    };
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let keys: Vec<VerifyingKey> = lines
        .map(|line| line.parse().map_err(|error| wrong(format!("{error}"))))
        .collect::<Result<_, _>>()?;
    if keys.is_empty() { Err(wrong("it is empty".to_owned())) } else { Ok(keys) }
}

/// Puts these keys into a file, in place of those that it holds, unless it holds just these.
///
/// The file is written under a hidden name, synced, and takes the place of the old one in one step; then the directory is synced. A
/// crash before leaves the old one, and a hidden file that nothing uses.
pub fn replace(path: &Path, keys: &[VerifyingKey]) -> Result<(), Failure> {
    let mut lines: Vec<String> = keys.iter().map(ToString::to_string).collect();
    lines.push(String::new());
    let text = lines.join("\n");
    if small_file::read_text(path).is_ok_and(|there| there == text) {
        return Ok(());
    }
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let write = || {
        let permissions = Permissions::from_mode(0o644);
        let mut file =
            tempfile::Builder::new().prefix(".auditkeep-").permissions(permissions).tempfile_in(directory)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        File::open(directory)?.sync_all()
    };
    write().map_err(|error: std::io::Error| {
        Failure::new(
            format!("writing `{}` failed: {error}", path.display()),
            "check that you may write there, then run the same command again",
        )
    })
}

#[cfg(test)]
mod tests {
    use auditkeep_core::integrity::key::SigningKey;

    use super::*;

    #[test]
    fn keys_come_back_in_their_order() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("k.pub");
        let key = |seed| SigningKey::from_seed("k", &[seed; 32]).unwrap().public().clone();
        for keys in [vec![key(1)], vec![key(2), key(1)]] {
            replace(&path, &keys).unwrap();
            assert_eq!(read(path.to_str().unwrap()).unwrap(), keys);
        }
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "no other file is left");
        std::fs::write(&path, format!("\n {} \nnonsense\n", key(1))).unwrap();
        assert!(read(path.to_str().unwrap()).unwrap_err().to_string().contains("holds no public key"));
        std::fs::write(&path, "\n").unwrap();
        assert!(read(path.to_str().unwrap()).unwrap_err().to_string().contains("it is empty"));
        assert_eq!(read(&key(3).to_string()).unwrap(), [key(3)]);
    }
}
