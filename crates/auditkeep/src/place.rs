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

#[cfg(test)]
mod tests {
    use super::*;

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
