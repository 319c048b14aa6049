//! The logs recorded from real servers that are built into the crate.
//!
//! They need no file at run time and give the same answers on every machine: a file's time is the one noted in its
//! `instance.json`, otherwise a fixed one.

use std::collections::BTreeMap;

use bytes::Bytes;
use include_dir::{Dir, include_dir};

use crate::emulator::{DESCRIPTION_FILE, Description, Fleet, FleetError, LabInstance, Logs, RecordedFile};

static RECORDED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/recorded");

/// All recorded instances. A directory that does not describe one is left out and logged; a test makes sure that there
/// is none.
pub fn fleet() -> Fleet {
    let (instances, errors) = read(&RECORDED);
    for error in errors {
        tracing::error!(%error, "a recorded instance is left out");
    }
    Fleet { instances }
}

fn read(root: &'static Dir<'_>) -> (Vec<LabInstance>, Vec<FleetError>) {
    let mut instances = Vec::new();
    let mut errors = Vec::new();
    for directory in root.dirs() {
        match instance(directory) {
            Ok(found) => instances.extend(found),
            Err(error) => errors.push(error),
        }
    }
    instances.sort_by(|a, b| a.name.cmp(&b.name));
    (instances, errors)
}

/// Nothing for a directory without an `instance.json`.
fn instance(directory: &'static Dir<'_>) -> Result<Option<LabInstance>, FleetError> {
    let path = directory.path().join(DESCRIPTION_FILE);
    let Some(file) = directory.get_file(&path) else { return Ok(None) };
    let description = Description::parse(file.contents(), &path)?;
    let mut files = BTreeMap::new();
    collect(directory, directory, &mut |name, bytes| {
        if name != DESCRIPTION_FILE {
            let last_written_ms = description.last_written_ms(&name);
            files.insert(name, RecordedFile { bytes: Bytes::from_static(bytes), last_written_ms });
        }
    });
    Ok(Some(description.into_instance(Logs::Memory(files))))
}

fn collect(root: &Dir<'_>, at: &'static Dir<'_>, found: &mut dyn FnMut(String, &'static [u8])) {
    for file in at.files() {
        let name = file.path().strip_prefix(root.path()).ok().and_then(|path| path.to_str());
        if let Some(name) = name {
            found(name.to_owned(), file.contents());
        }
    }
    for directory in at.dirs() {
        collect(root, directory, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recorded_instance_can_be_served() {
        let (instances, errors) = read(&RECORDED);
        assert!(errors.is_empty(), "{errors:?}");
        let fleet = Fleet { instances };
        for instance in &fleet.instances {
            let Logs::Memory(files) = &instance.logs else { panic!("recorded logs are in memory") };
            assert!(!files.is_empty(), "{} has no logs", instance.name);
        }
        assert_eq!(self::fleet().instances.len(), fleet.instances.len());
    }
}
