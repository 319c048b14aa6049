//! Where an archive is, and opening the store that it lies in.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use auditkeep_archive::archive::Archive;
use auditkeep_archive::local::DurableDirectory;
use auditkeep_aws::S3Options;
use auditkeep_aws::config::LoadOptions;
use auditkeep_core::integrity::key::VerifyingKey;
use object_store::ObjectStore;
use url::Url;

use crate::failure::Failure;

/// The place of an archive: a local directory or a prefix in a bucket.
#[derive(Clone, Debug)]
pub struct Place {
    url: Url,
    /// As the user wrote it.
    shown: String,
    s3: S3Options,
}

impl Place {
    /// `text` is `./dir`, `/dir`, `file:///dir` or `s3://bucket/prefix`; a relative directory starts at `base`.
    pub fn parse(text: &str, base: &Path) -> Result<Self, Failure> {
        let wrong = |why: &str| {
            Failure::usage(
                format!("`{text}` is no place for an archive: {why}"),
                "use a directory (`./archive`), `file:///absolute/path` or `s3://bucket/prefix`",
            )
        };
        let url = match text.split_once("://") {
            Some(("s3", rest)) if !rest.is_empty() && !rest.starts_with('/') => {
                Url::parse(text).map_err(|error| wrong(&error.to_string()))?
            }
            Some(("file", _)) => Url::parse(text).map_err(|error| wrong(&error.to_string()))?,
            Some((scheme, _)) => return Err(wrong(&format!("nothing can be kept at `{scheme}://`"))),
            None if text.is_empty() => return Err(wrong("it is empty")),
            None => {
                let directory = std::path::absolute(base.join(text))?;
                Url::from_directory_path(&directory).map_err(|()| wrong("it is not a path"))?
            }
        };
        Ok(Self { url, shown: text.to_owned(), s3: S3Options::default() })
    }

    /// The same place, reached and written to like this if it is in S3.
    #[must_use]
    pub fn with_s3(self, s3: S3Options) -> Self {
        Self { s3, ..self }
    }

    pub fn url(&self) -> &Url {
        &self.url
    }

    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Whether it is another place, or a place in it.
    pub fn is_in(&self, other: &Self) -> bool {
        match (self.url.to_file_path(), other.url.to_file_path()) {
            (Ok(own), Ok(other)) => resolved(&own).starts_with(resolved(&other)),
            _ => below(&self.url).starts_with(&below(&other.url)),
        }
    }

    /// Whether a file lies in it.
    pub fn holds(&self, file: &Path) -> bool {
        let Ok(directory) = self.url.to_file_path() else { return false };
        resolved(file).starts_with(resolved(&directory))
    }

    /// Whether it is a directory that nobody has made yet.
    pub fn is_absent(&self) -> bool {
        let path = self.url.to_file_path();
        path.is_ok_and(|path| matches!(path.try_exists(), Ok(false)))
    }

    /// The store at this place, which must be there.
    pub async fn store(&self) -> Result<Arc<dyn ObjectStore>, Failure> {
        if self.url.scheme() == "s3" {
            let options = LoadOptions { region: self.s3.region.clone(), ..LoadOptions::default() };
            let config = auditkeep_aws::config::load(&options).await?;
            return Ok(auditkeep_aws::object_store_for(&self.url, &config, &self.s3)?);
        }
        let directory = self.directory()?;
        if !directory.is_dir() {
            return Err(auditkeep_archive::archive::ArchiveError::Missing.into());
        }
        Ok(Arc::new(DurableDirectory::new(&directory)?))
    }

    /// The store at this place; a directory is made if it is missing.
    pub async fn make_store(&self) -> Result<Arc<dyn ObjectStore>, Failure> {
        if self.url.scheme() == "file" {
            let directory = self.directory()?;
            std::fs::create_dir_all(&directory).map_err(|error| {
                Failure::new(
                    format!("making the directory `{}` failed: {error}", directory.display()),
                    "choose a place where you may write",
                )
            })?;
        }
        self.store().await
    }

    /// The archive at this place, believed by these keys; without any, by the keys that it names itself.
    pub async fn open(&self, roots: Vec<VerifyingKey>) -> Result<Archive, Failure> {
        let opened = match self.store().await {
            Ok(store) if roots.is_empty() => Archive::open(store).await.map_err(Failure::from),
            Ok(store) => Archive::open_trusting(store, roots).await.map_err(Failure::from),
            Err(failure) => Err(failure),
        };
        opened.map_err(|failure| failure.at(&self.shown))
    }

    fn directory(&self) -> Result<PathBuf, Failure> {
        self.url.to_file_path().map_err(|()| {
            Failure::usage(format!("`{}` is no local directory", self.shown), "use `file:///absolute/path`")
        })
    }
}

/// The address with one slash at its end, so that `s3://b/ab` is not in `s3://b/a`.
fn below(url: &Url) -> String {
    format!("{}/", url.as_str().trim_end_matches('/'))
}

/// The path without `..` and, as far as it exists, without symbolic links.
fn resolved(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for there in absolute.ancestors() {
        if let Ok(real) = there.canonicalize() {
            return absolute.strip_prefix(there).map_or(absolute.clone(), |rest| real.join(rest));
        }
    }
    absolute
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_a_place() {
        let directory = tempfile::tempdir().unwrap();
        let place = |text: &str| Place::parse(text, directory.path()).unwrap();
        std::fs::create_dir(directory.path().join("archive")).unwrap();
        std::os::unix::fs::symlink(directory.path().join("archive"), directory.path().join("link")).unwrap();
        let archive = place("archive");
        for (text, is_in) in [
            ("archive", true),
            ("./archive/", true),
            ("archive/a/b", true),
            ("link/a", true),
            ("archive2", false),
            (".", false),
            ("s3://archive/a", false),
        ] {
            assert_eq!(place(text).is_in(&archive), is_in, "{text}");
        }
        assert!(archive.holds(&directory.path().join("link/note")));
        assert!(!archive.holds(&directory.path().join("note")));
        for (text, is_in) in
            [("s3://b/a/", true), ("s3://b/a/c", true), ("s3://b/ab", false), ("s3://b", false)]
        {
            assert_eq!(place(text).is_in(&place("s3://b/a")), is_in, "{text}");
        }
        assert!(!place("s3://b/a").is_in(&archive));
    }

    #[test]
    fn places() {
        let base = Path::new("/base");
        let url = |text: &str| Place::parse(text, base).map(|place| place.url.to_string());
        assert_eq!(url("./archive").unwrap(), "file:///base/archive/");
        assert_eq!(url("/srv/a b").unwrap(), "file:///srv/a%20b/");
        assert_eq!(url("s3://bucket/some/prefix").unwrap(), "s3://bucket/some/prefix");
        for wrong in ["", "s3://", "s3:///x", "http://x", "gs://b/p"] {
            assert!(url(wrong).unwrap_err().to_string().contains("hint: "), "{wrong}");
        }
    }
}
