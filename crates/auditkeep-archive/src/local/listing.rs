//! Listing a directory, and listing in it what comes after a name, without looking at what comes before it.
//!
//! All commits of a trail lie in one directory, and appending looks for what is new there. So names up to the offset cost
//! their place in the directory and a comparison; only what comes after it is looked at. `object_store` would go through a
//! URL for each of them, which takes ten times as long.
//!
//! Otherwise as in `object_store`: whole subtrees, staging files are hidden, a directory that is not there is empty, and
//! there is no order. The differences: objects have no tag; and so that whoever can plant a file can neither hide it nor keep the archive
//! from being verified, a file whose name no object can have is listed (see [`part`]), pipes and devices are, and a link that
//! leads back is not followed.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::{self, DirEntry, Metadata, ReadDir};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path as FilePath, PathBuf};

use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{Error, ListResult, ObjectMeta, Result};

/// Files that are looked at before they are given on.
const AT_ONCE: usize = 1024;

/// Goes through all files below a directory whose names come after one.
pub(super) struct Walk {
    /// The directories that it is in.
    open: Vec<Open>,
    /// To go on with: a directory whose name `location` is.
    entering: Option<PathBuf>,
    location: String,
    offset: String,
}

struct Open {
    entries: ReadDir,
    /// Of its name in `location`.
    length: usize,
    identity: Identity,
}

/// Device and inode: which directory it is, whatever it is called.
type Identity = (u64, u64);

impl Walk {
    /// `prefix` is the name of the directory.
    pub(super) fn below(directory: PathBuf, prefix: &Path, offset: &Path) -> Self {
        let location = below(prefix);
        Self { open: Vec::new(), entering: Some(directory), location, offset: offset.to_string() }
    }

    pub(super) fn into_stream(self) -> BoxStream<'static, Result<ObjectMeta>> {
        let chunks = stream::try_unfold(self, |mut walk| async move {
            let chunk = tokio::task::spawn_blocking(move || {
                let found: Vec<Result<ObjectMeta>> = walk.by_ref().take(AT_ONCE).collect();
                (found, walk)
            });
            let (found, walk) = chunk.await.map_err(|source| Error::JoinError { source })?;
            Ok::<_, Error>((!found.is_empty()).then(|| (stream::iter(found), walk)))
        });
        chunks.try_flatten().boxed()
    }

    fn look(&mut self, entry: &DirEntry) -> Result<Option<ObjectMeta>> {
        self.location.push_str(&part(&entry.file_name()));
        let kind = entry.file_type().map_err(failed)?;
        let is_before = self.location <= self.offset;
        if kind.is_file() && is_before {
            return Ok(None);
        }
        let metadata =
            if kind.is_dir() { None } else { present(fs::metadata(entry.path())).map_err(failed)? };
        if kind.is_dir() || metadata.as_ref().is_some_and(Metadata::is_dir) {
            self.location.push('/');
            // All names below begin like this. If the offset does not, they are all before it or all after it.
            let all_before = !self.offset.starts_with(&self.location) && self.location < self.offset;
            self.entering = (!all_before).then(|| entry.path());
            return Ok(None);
        }
        match metadata {
            Some(metadata) if !is_before => object(entry, &self.location, &metadata),
            // It has gone since it was listed, or comes before.
            _ => Ok(None),
        }
    }

    /// Goes into a directory, unless it is one that it is in already: a link may lead back.
    fn enter(&mut self, directory: &FilePath) -> io::Result<()> {
        let Some(metadata) = present(fs::metadata(directory))? else { return Ok(()) };
        let identity = (metadata.dev(), metadata.ino());
        if self.open.iter().any(|open| open.identity == identity) {
            return Ok(());
        }
        let open = |entries| Open { entries, length: self.location.len(), identity };
        self.open.extend(present(fs::read_dir(directory))?.map(open));
        Ok(())
    }
}

impl Iterator for Walk {
    type Item = Result<ObjectMeta>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(directory) = self.entering.take()
                && let Err(error) = self.enter(&directory)
            {
                return Some(Err(failed(error)));
            }
            let Open { entries, length, .. } = self.open.last_mut()?;
            self.location.truncate(*length);
            let Some(entry) = entries.next() else {
                self.open.pop();
                continue;
            };
            let found = entry.map_err(failed).and_then(|entry| self.look(&entry));
            if let Some(found) = found.transpose() {
                return Some(found);
            }
        }
    }
}

/// The files in a directory whose name is `prefix`, and the names of the directories in it.
pub(super) fn level(directory: &FilePath, prefix: &Path) -> Result<ListResult> {
    let (mut common_prefixes, mut objects) = (BTreeSet::new(), Vec::new());
    let entries = present(fs::read_dir(directory)).map_err(failed)?;
    for entry in entries.into_iter().flatten() {
        let entry = entry.map_err(failed)?;
        let location = below(prefix) + &part(&entry.file_name());
        match present(fs::metadata(entry.path())).map_err(failed)? {
            Some(metadata) if metadata.is_dir() => drop(common_prefixes.insert(Path::parse(location)?)),
            Some(metadata) => objects.extend(object(&entry, &location, &metadata)?),
            // It has gone since it was listed.
            None => {}
        }
    }
    Ok(ListResult { common_prefixes: common_prefixes.into_iter().collect(), objects })
}

/// What the names of objects below a name begin with.
fn below(prefix: &Path) -> String {
    let mut location = prefix.to_string();
    if !location.is_empty() {
        location.push('/');
    }
    location
}

/// The part of an object's name that a file's name is. Control characters and bytes that are not UTF-8, which an object's name
/// cannot have, become `%` and two hexadecimal digits. No object can be read under such a name; none of an archive has a `%` in it.
fn part(name: &OsStr) -> Cow<'_, str> {
    match name.to_str() {
        Some(text) if !text.bytes().any(|byte| byte.is_ascii_control()) => text.into(),
        _ => escaped(name.as_encoded_bytes()).into(),
    }
}

fn escaped(name: &[u8]) -> String {
    let mut part = String::new();
    let escape = |part: &mut String, byte: u8| {
        // Writing to a String cannot fail.
        let _ = write!(part, "%{byte:02X}");
    };
    for chunk in name.utf8_chunks() {
        for char in chunk.valid().chars() {
            match u8::try_from(char) {
                Ok(byte) if byte.is_ascii_control() => escape(&mut part, byte),
                _ => part.push(char),
            }
        }
        chunk.invalid().iter().for_each(|byte| escape(&mut part, *byte));
    }
    part
}

/// None for a staging file.
fn object(entry: &DirEntry, location: &str, metadata: &Metadata) -> Result<Option<ObjectMeta>> {
    if is_staging(&entry.file_name()) {
        return Ok(None);
    }
    let last_modified = metadata.modified().map_err(failed)?.into();
    let location = Path::parse(location)?;
    Ok(Some(ObjectMeta { location, last_modified, size: metadata.len(), e_tag: None, version: None }))
}

/// Digits and nothing else behind the first `#`, as `object_store` tells them.
fn is_staging(name: &OsStr) -> bool {
    let suffix = name.to_str().and_then(|name| name.split_once('#'));
    suffix.is_some_and(|(_, suffix)| !suffix.is_empty() && suffix.bytes().all(|byte| byte.is_ascii_digit()))
}

/// None if there is no such thing, or no longer.
fn present<T>(outcome: io::Result<T>) -> io::Result<Option<T>> {
    match outcome {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        outcome => outcome.map(Some),
    }
}

fn failed(source: io::Error) -> Error {
    Error::Generic { store: super::STORE, source: source.into() }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt as _;

    use object_store::ObjectStore;
    use object_store::local::LocalFileSystem;

    use super::super::DurableDirectory;
    use super::*;

    const FILES: [&str; 14] = [
        "archive.json",
        "trails/a/commits/00000000000000000001.json",
        "trails/a/commits/00000000000000000002.json",
        "trails/a/commits/00000000000000000002.json#17",
        "trails/a/commits/00000000000000000003.json",
        "trails/a/commits.d/x",
        "trails/a/head",
        "trails/a=2Fb/commits/00000000000000000001.json",
        "trails/a b/head",
        "trails/é/head#",
        "trails/a/head#x1",
        "raw/1/2026/11/21/a.log/00/0-9-ff.zst",
        "raw#5",
        "raw.d/7#8#9",
    ];

    type Listed = BTreeSet<(String, u64, String)>;

    async fn listed(store: &dyn ObjectStore, prefix: Option<&Path>, offset: &Path) -> Listed {
        let objects: Vec<ObjectMeta> = store.list_with_offset(prefix, offset).try_collect().await.unwrap();
        let shown =
            |object: ObjectMeta| (object.location.to_string(), object.size, object.last_modified.to_string());
        let count = objects.len();
        let set: Listed = objects.into_iter().map(shown).collect();
        assert_eq!(set.len(), count, "something is listed twice");
        set
    }

    #[tokio::test]
    async fn it_lists_what_object_store_lists() {
        let directory = tempfile::tempdir().unwrap();
        for (length, name) in FILES.iter().enumerate() {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, vec![0; length]).unwrap();
        }
        fs::create_dir(directory.path().join("empty")).unwrap();
        std::os::unix::fs::symlink("trails", directory.path().join("linked")).unwrap();
        std::os::unix::fs::symlink("nowhere", directory.path().join("dangling")).unwrap();
        let ours = DurableDirectory::new(directory.path()).unwrap();
        let theirs = LocalFileSystem::new_with_prefix(directory.path()).unwrap();

        let prefixes = ["trails", "trails/a/commits", "trails/a", "raw", "empty", "none", "archive.json"];
        let prefixes: Vec<Option<Path>> =
            [None].into_iter().chain(prefixes.map(|prefix| Some(Path::from(prefix)))).collect();
        let others =
            ["", "a", "trails", "trails/", "trails/a/commits", "trails/a/commits/2", "linked/a", "z"];
        let mut longest = 0;
        for offset in FILES.iter().chain(&others).map(|offset| Path::parse(offset).unwrap()) {
            for prefix in &prefixes {
                let expected = listed(&theirs, prefix.as_ref(), &offset).await;
                longest = longest.max(expected.len());
                let found = listed(&ours, prefix.as_ref(), &offset).await;
                assert_eq!(found, expected, "below {prefix:?} after {offset}");
            }
        }
        for prefix in &prefixes {
            let all = |store: BoxStream<'static, Result<ObjectMeta>>| {
                store.map_ok(|object| object.location.to_string())
            };
            let expected: BTreeSet<_> = all(theirs.list(prefix.as_ref())).try_collect().await.unwrap();
            let found: BTreeSet<_> = all(ours.list(prefix.as_ref())).try_collect().await.unwrap();
            assert_eq!(found, expected, "below {prefix:?}");
            assert_eq!(
                one_level(&ours, prefix.as_ref()).await,
                one_level(&theirs, prefix.as_ref()).await,
                "{prefix:?}"
            );
        }
        assert!(longest > FILES.len(), "the linked directory was not listed");
    }

    async fn one_level(store: &dyn ObjectStore, prefix: Option<&Path>) -> (Vec<Path>, BTreeSet<(Path, u64)>) {
        let listed = store.list_with_delimiter(prefix).await.unwrap();
        let objects = listed.objects.into_iter().map(|object| (object.location, object.size));
        (listed.common_prefixes, objects.collect())
    }

    #[tokio::test]
    async fn names_that_no_object_can_have() {
        let directory = tempfile::tempdir().unwrap();
        let strange = directory.path().join(OsStr::from_bytes(b"raw/x\xFFy/a\nb\x7F\xC3\xA9\xC3.zst"));
        fs::create_dir_all(strange.parent().unwrap()).unwrap();
        fs::write(strange, "x").unwrap();
        let store = DurableDirectory::new(directory.path()).unwrap();
        let listed: Vec<ObjectMeta> = store.list(None).try_collect().await.unwrap();
        let names: Vec<&str> = listed.iter().map(|object| object.location.as_ref()).collect();
        assert_eq!(names, ["raw/x%FFy/a%0Ab%7Fé%C3.zst"]);
        let (directories, _) = one_level(&store, Some(&Path::from("raw"))).await;
        assert_eq!(directories, [Path::parse("raw/x%FFy").unwrap()]);
    }

    #[tokio::test]
    async fn more_than_is_looked_at_at_once() {
        let directory = tempfile::tempdir().unwrap();
        for number in 0..2 * AT_ONCE {
            fs::write(directory.path().join(number.to_string()), "").unwrap();
        }
        let store = DurableDirectory::new(directory.path()).unwrap();
        let listed: Vec<ObjectMeta> = store.list(None).try_collect().await.unwrap();
        assert_eq!(listed.len(), 2 * AT_ONCE);
    }

    #[tokio::test]
    async fn pipes_and_links_that_lead_back() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        fs::create_dir_all(root.join("raw/a")).unwrap();
        fs::write(root.join("raw/a/x"), "x").unwrap();
        std::os::unix::fs::symlink(".", root.join("raw/loop")).unwrap();
        std::os::unix::fs::symlink("../..", root.join("raw/a/back")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", root.join("raw/zero")).unwrap();
        let made = std::process::Command::new("mkfifo").arg(root.join("raw/pipe")).status().unwrap();
        assert!(made.success());
        let store = DurableDirectory::new(root).unwrap();
        let listed: Vec<ObjectMeta> = store.list(None).try_collect().await.unwrap();
        let mut names: Vec<&str> = listed.iter().map(|object| object.location.as_ref()).collect();
        names.sort_unstable();
        assert_eq!(names, ["raw/a/x", "raw/pipe", "raw/zero"]);
        // None of them can be read.
        for name in ["raw/pipe", "raw/zero", "raw/a"] {
            let read = store.get_opts(&Path::from(name), object_store::GetOptions::default()).await;
            assert!(matches!(read, Err(Error::NotFound { .. })), "{name}: {read:?}");
        }
    }
}
