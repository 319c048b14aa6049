//! Listing what comes after a name, without looking at what comes before it.
//!
//! All commits of a trail lie in one directory, and appending looks for what is new there. So names up to the offset cost
//! their place in the directory and a comparison; only what comes after it is looked at. `object_store` would go through a
//! URL for each of them, which takes ten times as long.
//!
//! Otherwise as in `object_store`: whole subtrees, staging files are hidden, a directory that is not there is empty, and
//! there is no order. The one difference: objects have no tag.

use std::fs::{self, DirEntry, Metadata};
use std::io::{self, ErrorKind};
use std::path::Path as FilePath;

use object_store::path::Path;
use object_store::{Error, ObjectMeta, Result};

/// Everything below `prefix`, which lies in `directory`, whose name comes after `offset`.
pub(super) fn after(directory: &FilePath, prefix: &Path, offset: &Path) -> Result<Vec<ObjectMeta>> {
    let mut found = Vec::new();
    let mut location = prefix.to_string();
    if !location.is_empty() {
        location.push('/');
    }
    walk(directory, &mut location, offset.as_ref(), &mut found)?;
    Ok(found)
}

/// `location` is the name of the directory, with a slash behind it, and is that again afterwards.
fn walk(
    directory: &FilePath,
    location: &mut String,
    offset: &str,
    found: &mut Vec<ObjectMeta>,
) -> Result<()> {
    let Some(entries) = present(fs::read_dir(directory)).map_err(failed)? else { return Ok(()) };
    let length = location.len();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        // Lossily, to compare it; what is not UTF-8 is refused below, if it is looked at.
        location.push_str(&name.to_string_lossy());
        look(&entry, location, offset, found)?;
        location.truncate(length);
    }
    Ok(())
}

fn look(entry: &DirEntry, location: &mut String, offset: &str, found: &mut Vec<ObjectMeta>) -> Result<()> {
    let kind = entry.file_type().map_err(failed)?;
    if kind.is_file() && location.as_str() <= offset {
        return Ok(());
    }
    let path = entry.path();
    let metadata = if kind.is_dir() { None } else { present(fs::metadata(&path)).map_err(failed)? };
    if kind.is_dir() || metadata.as_ref().is_some_and(Metadata::is_dir) {
        location.push('/');
        // All names below begin like this. If the offset does not, they are all before it or all after it.
        let all_before = !offset.starts_with(location.as_str()) && location.as_str() < offset;
        return if all_before { Ok(()) } else { walk(&path, location, offset, found) };
    }
    match metadata {
        Some(metadata) if metadata.is_file() && location.as_str() > offset => {
            found.extend(object(entry, location, &metadata)?);
            Ok(())
        }
        // It has gone since it was listed, or is no file.
        _ => Ok(()),
    }
}

/// None for a staging file.
fn object(entry: &DirEntry, location: &str, metadata: &Metadata) -> Result<Option<ObjectMeta>> {
    let name = entry.file_name();
    let name = name.to_str().ok_or_else(|| failed(io::Error::other("a file's name is not UTF-8")))?;
    if is_staging(name) {
        return Ok(None);
    }
    let last_modified = metadata.modified().map_err(failed)?.into();
    let location = Path::parse(location)?;
    Ok(Some(ObjectMeta { location, last_modified, size: metadata.len(), e_tag: None, version: None }))
}

/// Digits and nothing else behind the first `#`, as `object_store` tells them.
fn is_staging(name: &str) -> bool {
    name.split_once('#')
        .is_some_and(|(_, suffix)| !suffix.is_empty() && suffix.bytes().all(|byte| byte.is_ascii_digit()))
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
    use std::collections::BTreeSet;

    use futures::TryStreamExt;
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
        assert!(longest > FILES.len(), "the linked directory was not listed");
    }
}
