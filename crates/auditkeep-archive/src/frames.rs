//! The frames of a segment's object: each holds 512 KiB of raw bytes, so that one event can be shown without the rest.
//!
//! The tree over the frames' stored bytes has its root in the segment's leaf. What is compressed is hashed, because that is a
//! tenth of what is raw. Frame *i* holds the raw bytes from `i * FRAME_RAW_BYTES` on; nothing else says where a frame lies.

use std::io;

use auditkeep_core::integrity::hash::Sha256;
use auditkeep_core::integrity::tree::{Frontier, leaf_hash};
use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::{CParameter, find_frame_compressed_size};

/// Raw bytes in each frame but the last. Part of the format.
pub const FRAME_RAW_BYTES: usize = 512 << 10;

/// What the collecting path can afford: it compresses audit logs as well as gzip does, at several times the speed.
const LEVEL: i32 = 1;

/// Compresses raw bytes into frames as they come.
pub(crate) struct FrameWriter {
    compressor: Compressor<'static>,
    /// Raw bytes of the frame in the making.
    raw: Vec<u8>,
    object: Vec<u8>,
    tree: Frontier,
}

impl FrameWriter {
    pub(crate) fn new() -> io::Result<Self> {
        let mut compressor = Compressor::new(LEVEL)?;
        compressor.set_parameter(CParameter::ChecksumFlag(true))?;
        let raw = Vec::with_capacity(FRAME_RAW_BYTES);
        Ok(Self { compressor, raw, object: Vec::new(), tree: Frontier::default() })
    }

    pub(crate) fn push(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(FRAME_RAW_BYTES - self.raw.len()));
            self.raw.extend_from_slice(now);
            if self.raw.len() == FRAME_RAW_BYTES {
                self.end_frame()?;
            }
            bytes = later;
        }
        Ok(())
    }

    fn end_frame(&mut self) -> io::Result<()> {
        let frame = self.compressor.compress(&self.raw)?;
        self.tree.push(leaf_hash(&frame));
        self.object.extend_from_slice(&frame);
        self.raw.clear();
        Ok(())
    }

    /// The object, and the root over its frames.
    pub(crate) fn finish(mut self) -> io::Result<(Vec<u8>, Sha256)> {
        // An empty segment is one empty frame: an object of no bytes would be no zstd.
        if !self.raw.is_empty() || self.object.is_empty() {
            self.end_frame()?;
        }
        Ok((self.object, self.tree.root()))
    }
}

/// The frames of an object as they are stored, in their order; none if it is not a row of whole zstd frames.
pub fn split(object: &[u8]) -> Option<Vec<&[u8]>> {
    let mut frames = Vec::new();
    let mut rest = object;
    while !rest.is_empty() {
        let length =
            find_frame_compressed_size(rest).ok().filter(|length| (1..=rest.len()).contains(length))?;
        let (frame, later) = rest.split_at(length);
        frames.push(frame);
        rest = later;
    }
    Some(frames)
}

/// The raw bytes of one frame, which are at most [`FRAME_RAW_BYTES`], however much it claims to hold.
pub fn open(frame: &[u8]) -> io::Result<Vec<u8>> {
    Decompressor::new()?.decompress(frame, FRAME_RAW_BYTES)
}

/// The raw bytes of an object and the root over its frames; no root if it is not cut as this format cuts.
///
/// Never yields more than `length` bytes and one.
pub(crate) fn open_all(object: &[u8], length: usize) -> io::Result<(Vec<u8>, Option<Sha256>)> {
    let mut raw = Vec::with_capacity(length.min(16 * FRAME_RAW_BYTES) + 1);
    io::Read::read_to_end(
        &mut io::Read::take(zstd::stream::read::Decoder::with_buffer(object)?, length as u64 + 1),
        &mut raw,
    )?;
    Ok((raw, root(object, length)))
}

/// The root over an object's frames, if they are cut as this format cuts `length` raw bytes. Trusts the frames' own headers
/// as to how much each holds; with the raw bytes known to be right, a lie there changes nothing but the proof of an event,
/// which then fails.
pub(crate) fn root(object: &[u8], length: usize) -> Option<Sha256> {
    let frames = split(object)?;
    let mut tree = Frontier::default();
    let mut left = length;
    for frame in &frames {
        let holds = zstd::zstd_safe::get_frame_content_size(frame).ok()??;
        if holds != left.min(FRAME_RAW_BYTES) as u64 {
            return None;
        }
        left = left.saturating_sub(FRAME_RAW_BYTES);
        tree.push(leaf_hash(frame));
    }
    (frames.len() == count(length)).then(|| tree.root())
}

/// How many frames `length` raw bytes fall into.
pub fn count(length: usize) -> usize {
    length.div_ceil(FRAME_RAW_BYTES).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(raw: &[u8], chunk: usize) -> (Vec<u8>, Sha256) {
        let mut writer = FrameWriter::new().unwrap();
        raw.chunks(chunk).for_each(|bytes| writer.push(bytes).unwrap());
        writer.finish().unwrap()
    }

    #[test]
    fn any_chunking_gives_the_same_frames() {
        let raw: Vec<u8> = (0..1_400_000_u32).map(|number| u8::try_from(number * 7 % 251).unwrap()).collect();
        let (whole, root_of_whole) = object(&raw, raw.len());
        for chunk in [1 << 10, FRAME_RAW_BYTES - 1, FRAME_RAW_BYTES, FRAME_RAW_BYTES + 1] {
            assert_eq!(object(&raw, chunk), (whole.clone(), root_of_whole));
        }
        let frames = split(&whole).unwrap();
        assert_eq!(frames.len(), count(raw.len()));
        assert_eq!(frames.concat(), whole);
        let opened: Vec<u8> = frames.iter().flat_map(|frame| open(frame).unwrap()).collect();
        assert!(opened == raw);
        let (again, root_again) = open_all(&whole, raw.len()).unwrap();
        assert!(again == raw && root_again == Some(root_of_whole));
    }

    #[test]
    fn exact_and_empty() {
        for length in [0, 1, FRAME_RAW_BYTES, 2 * FRAME_RAW_BYTES] {
            let raw = vec![b'a'; length];
            let (object, root) = object(&raw, 1000);
            assert_eq!(split(&object).unwrap().len(), count(length), "{length}");
            let (opened, root_again) = open_all(&object, length).unwrap();
            assert!(opened == raw && root_again == Some(root), "{length}");
        }
    }

    #[test]
    fn other_cuts_have_no_root() {
        let raw = vec![b'a'; FRAME_RAW_BYTES + 10];
        let one_frame = zstd::bulk::compress(&raw, 1).unwrap();
        let (opened, root) = open_all(&one_frame, raw.len()).unwrap();
        assert!(opened == raw && root.is_none());
        assert!(split(b"no zstd").is_none());
        assert!(split(&one_frame[..one_frame.len() - 1]).is_none());
        assert!(open(&one_frame).is_err(), "more than a frame may hold");
    }
}
