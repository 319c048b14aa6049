//! Segments: raw bytes of one log file, compressed with zstd, under a name that carries the hash of the raw bytes.
//!
//! A segment is built as the bytes arrive, so memory is bounded by [`MAX_RAW_BYTES`], not by the log file. One segment is one
//! object and one put.

use auditkeep_core::integrity::hash::{Hasher, Sha256};
use bytes::Bytes;
use object_store::path::Path;

use crate::archive::{Archive, ArchiveError, Damage, PutNew};
use crate::frames::{self, FrameWriter};
use crate::layout::GenerationPrefix;
use crate::leaf::SegmentLeaf;

/// Raw bytes in one segment, at most. Part of the format: a reader may refuse more.
pub const MAX_RAW_BYTES: u64 = 8 << 20;

/// A segment in the making.
pub struct SegmentWriter {
    from: u64,
    length: u64,
    hasher: Hasher,
    frames: FrameWriter,
}

/// A segment that is ready to be stored.
#[derive(Clone, Debug)]
pub struct Segment {
    pub from: u64,
    pub to: u64,
    pub raw_sha256: Sha256,
    /// Over the object's frames.
    pub frames: Sha256,
    pub object: Bytes,
}

/// A segment that is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    pub name: String,
    pub from: u64,
    pub to: u64,
    pub raw_sha256: Sha256,
    /// Of the object as it is in the store, which an earlier run may have written with another zstd.
    pub object_sha256: Sha256,
    pub object_size: u64,
    /// Over the object's frames; none if an earlier run had cut it otherwise.
    pub frames: Option<Sha256>,
}

impl SegmentWriter {
    /// `from` is the offset of the first byte in its generation.
    pub fn new(from: u64) -> Self {
        Self { from, length: 0, hasher: Hasher::new(), frames: FrameWriter::default() }
    }

    /// Takes as much of `bytes` as still fits, and returns how much that was.
    pub async fn push(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let room = usize::try_from(MAX_RAW_BYTES - self.length).unwrap_or(usize::MAX);
        let taken = bytes.len().min(room);
        self.hasher.update(&bytes[..taken]);
        self.frames.push(&bytes[..taken]).await?;
        self.length += taken as u64;
        Ok(taken)
    }

    pub fn is_full(&self) -> bool {
        self.length == MAX_RAW_BYTES
    }

    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The segment. The writer goes on with the next one, which begins where this one ends.
    pub async fn finish(&mut self) -> std::io::Result<Segment> {
        let (object, frames) = self.frames.finish().await?;
        let raw_sha256 = std::mem::take(&mut self.hasher).finish();
        let (from, to) = (self.from, self.from + self.length);
        (self.from, self.length) = (to, 0);
        Ok(Segment { from, to, raw_sha256, frames, object: object.into() })
    }
}

/// Stores a segment under its name. Finding the same raw bytes there is as good as having written them.
pub async fn store(
    archive: &Archive,
    prefix: &GenerationPrefix<'_>,
    segment: Segment,
) -> Result<Stored, ArchiveError> {
    let name = prefix.segment(segment.from, segment.to, &segment.raw_sha256);
    let path = Path::from(name.as_str());
    let length = usize::try_from(segment.to - segment.from).unwrap_or(usize::MAX);
    let stored = |object: &[u8], frames| Stored {
        name: name.clone(),
        from: segment.from,
        to: segment.to,
        raw_sha256: segment.raw_sha256,
        object_sha256: Sha256::of(object),
        object_size: object.len() as u64,
        frames,
    };
    match archive.put_new(&path, segment.object.clone()).await? {
        // A crash here leaves an object that no commit names; the rerun finds it.
        PutNew::Created => Ok(stored(&segment.object, Some(segment.frames))),
        PutNew::Taken(there) => match unpack(&there, length, &mut |_| {}) {
            Ok((raw, frames)) if raw == segment.raw_sha256 => Ok(stored(&there, frames)),
            _ => Err(ArchiveError::Incident { object: name }),
        },
    }
}

/// The raw bytes that a leaf names, believed only after both hashes were found right.
pub async fn read(archive: &Archive, leaf: &SegmentLeaf) -> Result<Vec<u8>, ArchiveError> {
    let object = archive.get_at_most(&Path::from(leaf.object.as_str()), leaf.object_size).await?;
    open(leaf, &object).map_err(|cause| ArchiveError::Damaged { object: leaf.object.clone(), cause })
}

/// Checks a segment's stored bytes against its leaf and decompresses them.
pub fn open(leaf: &SegmentLeaf, object: &[u8]) -> Result<Vec<u8>, Damage> {
    let mut raw = Vec::new();
    check_into(leaf, object, &mut |bytes| raw.extend_from_slice(bytes))?;
    Ok(raw)
}

/// Checks a segment's stored bytes against its leaf, and holds no more than a frame of what they decompress to.
pub fn check(leaf: &SegmentLeaf, object: &[u8]) -> Result<(), Damage> {
    check_into(leaf, object, &mut |_| {})
}

/// What `sink` is given is to be believed only after this has returned.
fn check_into(leaf: &SegmentLeaf, object: &[u8], sink: &mut dyn FnMut(&[u8])) -> Result<(), Damage> {
    if Sha256::of(object) != leaf.object_sha256 || object.len() as u64 != leaf.object_size {
        return Err(Damage::Hash);
    }
    let length = leaf.to.checked_sub(leaf.from).filter(|length| *length <= MAX_RAW_BYTES);
    let length = length.and_then(|length| usize::try_from(length).ok()).ok_or(Damage::Raw)?;
    let (raw, frames) = unpack(object, length, sink).map_err(Damage::Zstd)?;
    match leaf.frames {
        _ if raw != leaf.raw_sha256 => Err(Damage::Raw),
        Some(stated) if frames != Some(stated) => Err(Damage::Frames),
        _ => Ok(()),
    }
}

/// Hands `sink` an object's raw bytes, and returns their hash and the root over its frames.
fn unpack(
    object: &[u8],
    length: usize,
    sink: &mut dyn FnMut(&[u8]),
) -> std::io::Result<(Sha256, Option<Sha256>)> {
    let mut hasher = Hasher::new();
    let frames = frames::unpack(object, length, &mut |bytes| {
        hasher.update(bytes);
        sink(bytes);
    })?;
    Ok((hasher.finish(), frames))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use auditkeep_core::integrity::key::SigningKey;
    use jiff::Timestamp;
    use object_store::memory::InMemory;
    use object_store::{ObjectStore, ObjectStoreExt};

    use super::*;

    const PREFIX: GenerationPrefix<'static> = GenerationPrefix {
        account: "local",
        region: "local",
        resource_id: "db",
        day: "2026/11/21",
        log: "audit/server_audit.log",
        generation: "00",
    };

    async fn archive() -> (Archive, Arc<dyn ObjectStore>) {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let key = SigningKey::from_seed("k", &[1; 32]).unwrap();
        let made =
            Archive::create(store.clone(), "0".repeat(32), key.public().clone(), Timestamp::UNIX_EPOCH);
        (made.await.unwrap(), store)
    }

    async fn segment(raw: &[u8]) -> Segment {
        let mut writer = SegmentWriter::new(0);
        assert_eq!(writer.push(raw).await.unwrap(), raw.len());
        writer.finish().await.unwrap()
    }

    #[tokio::test]
    async fn the_same_again_is_fine_even_with_another_compressor() {
        let (archive, store) = archive().await;
        let raw = b"line\n".repeat(1000);
        let first = super::store(&archive, &PREFIX, segment(&raw).await).await.unwrap();
        assert_eq!(super::store(&archive, &PREFIX, segment(&raw).await).await.unwrap(), first);
        let other = zstd::encode_all(raw.as_slice(), 19).unwrap();
        store.put(&Path::from(first.name.as_str()), other.clone().into()).await.unwrap();
        let found = super::store(&archive, &PREFIX, segment(&raw).await).await.unwrap();
        assert_eq!((found.object_size, found.object_sha256), (other.len() as u64, Sha256::of(&other)));
    }

    #[tokio::test]
    async fn other_bytes_under_the_name_are_an_incident() {
        let (archive, store) = archive().await;
        let raw = b"line\n".repeat(1000);
        let first = super::store(&archive, &PREFIX, segment(&raw).await).await.unwrap();
        for planted in [zstd::encode_all(&b"other"[..], 1).unwrap(), b"no zstd at all".to_vec(), Vec::new()] {
            store.put(&Path::from(first.name.as_str()), planted.into()).await.unwrap();
            let again = super::store(&archive, &PREFIX, segment(&raw).await).await;
            assert!(matches!(again, Err(ArchiveError::Incident { .. })), "{again:?}");
        }
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let bomb = zstd::encode_all(&vec![0; 64 << 20][..], 1).unwrap();
        let mut unpacked = 0;
        frames::unpack(&bomb, 100, &mut |bytes| unpacked += bytes.len()).unwrap();
        assert_eq!(unpacked, 101);
    }

    #[tokio::test]
    async fn a_full_segment_takes_no_more() {
        let mut writer = SegmentWriter::new(5);
        let bytes = vec![7; usize::try_from(MAX_RAW_BYTES).unwrap() + 9];
        let taken = writer.push(&bytes).await.unwrap();
        assert_eq!(taken as u64, MAX_RAW_BYTES);
        assert!(writer.is_full());
        assert_eq!(writer.push(&bytes).await.unwrap(), 0);
        let segment = writer.finish().await.unwrap();
        assert_eq!((segment.from, segment.to), (5, 5 + MAX_RAW_BYTES));
        assert_eq!(writer.push(&bytes[..9]).await.unwrap(), 9);
        let next = writer.finish().await.unwrap();
        assert_eq!((next.from, next.to), (5 + MAX_RAW_BYTES, 5 + MAX_RAW_BYTES + 9));
        assert_eq!(next.raw_sha256, Sha256::of(&bytes[..9]));
    }
}
