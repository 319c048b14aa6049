//! The key that signs: a key file, or a key in AWS KMS. The public half lies in a file in either case, and is all that it
//! takes to verify.

mod file;

use std::path::{Path, PathBuf};

use auditkeep_archive::signer::Signer;
use auditkeep_aws::config::{LoadOptions, load};
use auditkeep_aws::kms::{KmsSigner, region_of};
use auditkeep_core::integrity::key::VerifyingKey;

use crate::failure::Failure;
use crate::new_file::write_new;
use crate::public_keys;

pub use file::random_seed;

/// What precedes the name of a key in AWS KMS.
const KMS_PREFIX: &str = "awskms:";
/// As `init` calls the key, and its public half.
const KEY_FILE: &str = "auditkeep.key";
const PUBLIC_FILE: &str = "auditkeep.pub";

/// Where the signing key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyPlace {
    File(PathBuf),
    Kms {
        /// A key's id, its ARN, `alias/<name>` or an alias's ARN.
        key: String,
        /// The file of the public half.
        public: PathBuf,
    },
}

impl KeyPlace {
    /// `text` is the path of a key file, which starts at `base` if it is relative, or `awskms:` and the name of a key, whose
    /// public half lies in the directory of the configuration.
    pub fn parse(text: &str, base: &Path, configuration: &Path) -> Result<Self, Failure> {
        let wrong = |why: &str| {
            Failure::usage(
                format!("`{text}` names no signing key: {why}"),
                "use a file (`auditkeep.key`), or `awskms:` with a key's id, its ARN or `alias/name`",
            )
        };
        match text.strip_prefix(KMS_PREFIX) {
            Some("") => Err(wrong("it does not say which key in AWS KMS")),
            Some(key) if key.contains(char::is_whitespace) => {
                Err(wrong("no key in AWS KMS has spaces in its name"))
            }
            Some(key) => Ok(Self::Kms { key: key.to_owned(), public: configuration.join(PUBLIC_FILE) }),
            None if text.is_empty() => Err(wrong("it is empty")),
            None => Ok(Self::File(base.join(text))),
        }
    }

    /// The file of the public half: `auditkeep.pub` beside `auditkeep.key` or beside the configuration, and `NAME.pub` beside a
    /// key file of another name, whole, so that two keys do not share one.
    pub fn public_path(&self) -> PathBuf {
        match self {
            Self::File(path) if path.file_name().is_some_and(|name| name == KEY_FILE) => {
                path.with_file_name(PUBLIC_FILE)
            }
            Self::File(path) => {
                let mut name = path.clone().into_os_string();
                name.push(".pub");
                name.into()
            }
            Self::Kms { public, .. } => public.clone(),
        }
    }

    /// As it is written in the configuration.
    pub fn shown(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Kms { key, .. } => format!("{KMS_PREFIX}{key}"),
        }
    }

    /// What signs with the key. A key in KMS is asked for its public half.
    pub async fn signer(&self) -> Result<Box<dyn Signer>, Failure> {
        Ok(match self {
            Self::File(path) => Box::new(file::read(path)?),
            Self::Kms { key, .. } => Box::new(open_kms(key).await?),
        })
    }

    /// Makes a key file that is missing, and writes the public half where it is missing. Keys in KMS are made elsewhere.
    pub async fn make(&self) -> Result<Box<dyn Signer>, Failure> {
        let signer: Box<dyn Signer> = match self {
            Self::File(path) => Box::new(file::create_or_read(path, &self.public_path())?),
            Self::Kms { key, .. } => Box::new(open_kms(key).await?),
        };
        // A crash before this leaves the key without its public half; the next call completes it.
        self.complete_public(signer.public())?;
        Ok(signer)
    }

    /// Writes the public half where it is missing. One of another key is refused: everything would be verified against it.
    fn complete_public(&self, key: &VerifyingKey) -> Result<(), Failure> {
        let public = self.public_path();
        if !public.exists() {
            return write_new(&public, format!("{key}\n"), 0o644);
        }
        if public_keys::read(&public.display().to_string())?.contains(key) {
            return Ok(());
        }
        Err(Failure::new(
            format!("`{}` is not the public half of `{}`", public.display(), self.shown()),
            "find out which of the two belongs to the archive; the key and the file with its public half must be a pair",
        ))
    }
}

async fn open_kms(key: &str) -> Result<KmsSigner, Failure> {
    // An ARN knows better than the environment where its key is.
    let region = region_of(key).map(str::to_owned);
    let sdk_config = load(&LoadOptions { region, ..LoadOptions::default() }).await?;
    Ok(KmsSigner::open(&sdk_config, key).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_keys() {
        let place = |text: &str| KeyPlace::parse(text, Path::new("base"), Path::new("conf"));
        assert_eq!(place("k.key").unwrap(), KeyPlace::File(PathBuf::from("base/k.key")));
        assert_eq!(place("/k.key").unwrap().public_path(), Path::new("/k.key.pub"));
        assert_eq!(place("/a/auditkeep.key").unwrap().public_path(), Path::new("/a/auditkeep.pub"));
        assert_eq!(place("./awskms:x").unwrap(), KeyPlace::File(PathBuf::from("base/./awskms:x")));
        for name in ["alias/audit", "arn:aws:kms:eu-central-1:123456789012:alias/audit"] {
            let text = format!("awskms:{name}");
            let kms = place(&text).unwrap();
            let public = PathBuf::from("conf/auditkeep.pub");
            assert_eq!(kms, KeyPlace::Kms { key: name.to_owned(), public: public.clone() });
            assert_eq!((kms.shown(), kms.public_path()), (text, public));
        }
        for wrong in ["", "awskms:", "awskms: alias/audit"] {
            assert!(place(wrong).unwrap_err().to_string().contains("hint: "), "{wrong:?}");
        }
    }

    fn in_new_directory() -> (tempfile::TempDir, KeyPlace, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("k.key");
        (directory, KeyPlace::File(path.clone()), path)
    }

    #[tokio::test]
    async fn a_key_is_made_once_and_read_then() {
        let (_directory, place, _) = in_new_directory();
        let made = place.make().await.unwrap();
        assert_eq!(place.make().await.unwrap().public(), made.public());
        assert_eq!(place.signer().await.unwrap().public(), made.public());
        let stored = public_keys::read(place.public_path().to_str().unwrap()).unwrap();
        assert_eq!(&stored, std::slice::from_ref(made.public()));
    }

    /// What a crash between the two files leaves.
    #[tokio::test]
    async fn a_missing_public_half_is_written_when_the_key_is_read() {
        let (directory, place, _) = in_new_directory();
        let made = place.make().await.unwrap();
        let public = std::fs::read(place.public_path()).unwrap();
        std::fs::remove_file(place.public_path()).unwrap();
        assert_eq!(place.make().await.unwrap().public(), made.public());
        assert_eq!(std::fs::read(place.public_path()).unwrap(), public);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2, "nothing else is left");
    }

    #[tokio::test]
    async fn a_key_and_a_public_half_of_another_are_no_pair() {
        let (directory, place, path) = in_new_directory();
        let other = KeyPlace::File(directory.path().join("other.key"));
        place.make().await.unwrap();
        other.make().await.unwrap();
        std::fs::copy(other.public_path(), place.public_path()).unwrap();
        let failure = place.make().await.unwrap_err().to_string();
        assert!(failure.contains("is not the public half"), "{failure}");

        // A new key beside the public half of a lost one would never be noticed.
        std::fs::remove_file(&path).unwrap();
        let failure = place.make().await.unwrap_err().to_string();
        assert!(failure.contains("is there, and its signing key"), "{failure}");
        assert!(!path.exists());
    }
}
