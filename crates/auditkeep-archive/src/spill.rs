//! Facts about objects, kept on disk and compared partition by partition, so that memory does not grow with the archive.
//!
//! A fact has the digest of a name as its key and some bytes. Facts with the same key fall into the same partition; two
//! collections are compared by loading one partition at a time. Small collections never touch the disk. Sixteen bytes of
//! digest: forging a collision gains nothing but an object less that is reported as extra.

use std::fs::File;
use std::io::{self, Read, Seek, Write};

use auditkeep_core::integrity::hash::Sha256;

/// A partition holds this part of the facts: with a hundred million of them, a million and a half.
pub(crate) const PARTITIONS: usize = 64;
/// What a partition holds in memory before it is written out.
const BUFFER_BYTES: usize = 64 << 10;
const KEY_BYTES: usize = 16;

pub(crate) type Key = [u8; KEY_BYTES];

pub(crate) fn key(name: &str) -> Key {
    let mut key = [0; KEY_BYTES];
    key.copy_from_slice(&Sha256::of(name.as_bytes()).0[..KEY_BYTES]);
    key
}

pub(crate) struct Spill {
    partitions: Vec<Partition>,
}

#[derive(Default)]
struct Partition {
    written: Option<File>,
    buffer: Vec<u8>,
}

impl Default for Spill {
    fn default() -> Self {
        Self { partitions: (0..PARTITIONS).map(|_| Partition::default()).collect() }
    }
}

impl Spill {
    pub(crate) fn add(&mut self, name: &str, fact: &[u8]) -> io::Result<()> {
        let key = key(name);
        let partition = &mut self.partitions[usize::from(key[0]) % PARTITIONS];
        let length = u32::try_from(fact.len()).map_err(|_| io::Error::other("a name is too long"))?;
        partition.buffer.extend_from_slice(&key);
        partition.buffer.extend_from_slice(&length.to_le_bytes());
        partition.buffer.extend_from_slice(fact);
        if partition.buffer.len() >= BUFFER_BYTES {
            let file = match &mut partition.written {
                Some(file) => file,
                none => none.insert(tempfile::tempfile()?),
            };
            file.write_all(&partition.buffer)?;
            partition.buffer.clear();
        }
        Ok(())
    }

    /// Calls `each` with every fact of one partition, in the order in which they were added.
    pub(crate) fn read(&mut self, partition: usize, mut each: impl FnMut(Key, &[u8])) -> io::Result<()> {
        let Partition { written, buffer } = &mut self.partitions[partition];
        if let Some(file) = written {
            file.rewind()?;
            read_facts(&mut io::BufReader::new(&*file), &mut each)?;
            file.seek(io::SeekFrom::End(0))?;
        }
        read_facts(&mut buffer.as_slice(), &mut each)
    }
}

fn read_facts(from: &mut dyn Read, each: &mut impl FnMut(Key, &[u8])) -> io::Result<()> {
    let mut fact = Vec::new();
    loop {
        let mut head = [0; KEY_BYTES + 4];
        if from.read(&mut head[..1])? == 0 {
            return Ok(());
        }
        from.read_exact(&mut head[1..])?;
        let (key, length) = head.split_at(KEY_BYTES);
        let (Ok(key), Ok(length)) = (key.try_into(), length.try_into()) else { continue };
        fact.resize(u32::from_le_bytes(length) as usize, 0);
        from.read_exact(&mut fact)?;
        each(key, &fact);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn everything_comes_back_once_from_disk_and_memory() {
        let mut spill = Spill::default();
        let names: Vec<String> = (0..200_000).map(|number| format!("raw/object-{number}")).collect();
        for name in &names {
            spill.add(name, name.as_bytes()).unwrap();
        }
        assert!(spill.partitions.iter().all(|partition| partition.written.is_some()));
        let mut found = BTreeSet::new();
        for partition in 0..PARTITIONS {
            for _ in 0..2 {
                let mut count = 0;
                spill
                    .read(partition, |at, fact| {
                        let name = String::from_utf8(fact.to_vec()).unwrap();
                        assert_eq!(at, key(&name));
                        found.insert(name);
                        count += 1;
                    })
                    .unwrap();
                assert!(count > 0);
            }
        }
        assert_eq!(found, names.into_iter().collect());
    }
}
