//! The frames of a segment's object: each holds 512 KiB of raw bytes, so that one event can be shown without the rest.
//!
//! The tree over the frames' stored bytes has its root in the segment's leaf. What is compressed is hashed, because that is a
//! tenth of what is raw. Frame *i* holds the raw bytes from `i * FRAME_RAW_BYTES` on; nothing else says where a frame lies.

use std::collections::VecDeque;
use std::io;

use auditkeep_core::integrity::hash::Sha256;
use auditkeep_core::integrity::tree::{Frontier, leaf_hash};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::JoinHandle;
use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::{CParameter, compress_bound, find_frame_compressed_size, get_frame_content_size};

/// Raw bytes in each frame but the last. Part of the format.
pub const FRAME_RAW_BYTES: usize = 512 << 10;

/// What the collecting path can afford: it compresses audit logs as well as gzip does, at several times the speed.
const LEVEL: i32 = 1;

/// Frames that are compressed at the same time, at most. Each takes about two megabytes.
const PRESSES: usize = 3;

/// What one frame is compressed with, and the frame. It is used again for a later one, because making it is not free.
struct Press {
    compressor: Compressor<'static>,
    raw: Vec<u8>,
    frame: Vec<u8>,
}

impl Press {
    fn new() -> io::Result<Self> {
        let mut compressor = Compressor::new(LEVEL)?;
        compressor.set_parameter(CParameter::ChecksumFlag(true))?;
        let raw = Vec::with_capacity(FRAME_RAW_BYTES);
        Ok(Self { compressor, raw, frame: Vec::with_capacity(compress_bound(FRAME_RAW_BYTES)) })
    }

    fn compress(mut self) -> Pressed {
        self.compressor.compress_to_buffer(&self.raw, &mut self.frame)?;
        self.raw.clear();
        let leaf = leaf_hash(&self.frame);
        Ok((self, leaf))
    }
}

type Pressed = io::Result<(Press, Sha256)>;

/// A frame that was given to be compressed.
enum Pressing {
    Done(Pressed),
    Elsewhere(JoinHandle<Pressed>),
}

impl Pressing {
    /// On another thread, because compressing takes longer than anything else here, and the next bytes need not wait for it. A
    /// runtime of one thread is to do one thing after the other: histories that are simulated on it repeat themselves.
    fn start(press: Press) -> Self {
        match Handle::current().runtime_flavor() {
            RuntimeFlavor::CurrentThread => Self::Done(press.compress()),
            _ => Self::Elsewhere(tokio::task::spawn_blocking(|| press.compress())),
        }
    }

    fn is_done(&self) -> bool {
        match self {
            Self::Done(_) => true,
            Self::Elsewhere(task) => task.is_finished(),
        }
    }

    async fn wait(self) -> Pressed {
        match self {
            Self::Done(pressed) => pressed,
            Self::Elsewhere(task) => task.await.map_err(io::Error::other)?,
        }
    }
}

/// Compresses raw bytes into frames as they come, while more of them come. Runs within a tokio runtime.
#[derive(Default)]
pub(crate) struct FrameWriter {
    /// The frame in the making.
    open: Option<Press>,
    /// The earliest first.
    under_way: VecDeque<Pressing>,
    idle: Vec<Press>,
    object: Vec<u8>,
    tree: Frontier,
}

impl FrameWriter {
    pub(crate) async fn push(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let mut press = self.press().await?;
            let (now, later) = bytes.split_at(bytes.len().min(FRAME_RAW_BYTES - press.raw.len()));
            press.raw.extend_from_slice(now);
            if press.raw.len() == FRAME_RAW_BYTES {
                self.under_way.push_back(Pressing::start(press));
            } else {
                self.open = Some(press);
            }
            bytes = later;
        }
        Ok(())
    }

    /// The frame in the making, or a new one, once there is something to make it with.
    async fn press(&mut self) -> io::Result<Press> {
        // Those that are done first, so that as few buffers as will do are used and stay in the processor's cache.
        while self.open.is_none() && (self.under_way.len() == PRESSES || self.is_earliest_done()) {
            self.settle().await?;
        }
        match self.open.take().or_else(|| self.idle.pop()) {
            Some(press) => Ok(press),
            None => Press::new(),
        }
    }

    fn is_earliest_done(&self) -> bool {
        self.under_way.front().is_some_and(Pressing::is_done)
    }

    /// Waits for the earliest frame, which is the object's next.
    async fn settle(&mut self) -> io::Result<()> {
        if let Some(earliest) = self.under_way.pop_front() {
            let (press, leaf) = earliest.wait().await?;
            self.tree.push(leaf);
            self.object.extend_from_slice(&press.frame);
            self.idle.push(press);
        }
        Ok(())
    }

    /// The object, and the root over its frames. The next bytes begin another object.
    pub(crate) async fn finish(&mut self) -> io::Result<(Vec<u8>, Sha256)> {
        let is_empty = self.object.is_empty() && self.under_way.is_empty();
        // An empty segment is one empty frame: an object of no bytes would be no zstd.
        if self.open.is_some() || is_empty {
            let last = self.press().await?;
            self.under_way.push_back(Pressing::start(last));
        }
        while !self.under_way.is_empty() {
            self.settle().await?;
        }
        let root = std::mem::take(&mut self.tree).root();
        Ok((std::mem::take(&mut self.object), root))
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

/// Hands `sink` the raw bytes of an object, in order, and returns the root over its frames; no root if it is not cut as this
/// format cuts `length` raw bytes.
///
/// Never yields more than `length` bytes and one, and holds one frame of them. After an error some may have been yielded.
pub(crate) fn unpack(
    object: &[u8],
    length: usize,
    sink: &mut dyn FnMut(&[u8]),
) -> io::Result<Option<Sha256>> {
    let Some(frames) = split(object).filter(|frames| is_cut_here(frames, length)) else {
        return unpack_other(object, length, sink).map(|()| None);
    };
    let mut tree = Frontier::default();
    let (mut decompressor, mut raw) = (Decompressor::new()?, Vec::with_capacity(FRAME_RAW_BYTES));
    for frame in frames {
        decompressor.decompress_to_buffer(frame, &mut raw)?;
        sink(&raw);
        tree.push(leaf_hash(frame));
    }
    Ok(Some(tree.root()))
}

/// Whether these are the frames of `length` raw bytes, by their own headers; zstd does not unpack a frame to another length than
/// its header states.
fn is_cut_here(frames: &[&[u8]], length: usize) -> bool {
    let lengths = (0..count(length)).map(|frame| FRAME_RAW_BYTES.min(length - frame * FRAME_RAW_BYTES));
    let stated = |frame: &&[u8]| get_frame_content_size(frame).ok().flatten();
    frames.iter().map(stated).eq(lengths.map(|length| Some(length as u64)))
}

/// Hands `sink` the raw bytes of an object that is cut in another way, and not more than `length` of them and one.
fn unpack_other(object: &[u8], length: usize, sink: &mut dyn FnMut(&[u8])) -> io::Result<()> {
    let decoder = zstd::stream::read::Decoder::with_buffer(object)?;
    let mut decoder = io::Read::take(decoder, length as u64 + 1);
    let mut raw = vec![0; FRAME_RAW_BYTES];
    loop {
        match io::Read::read(&mut decoder, &mut raw)? {
            0 => return Ok(()),
            read => sink(&raw[..read]),
        }
    }
}

/// How many frames `length` raw bytes fall into.
pub fn count(length: usize) -> usize {
    length.div_ceil(FRAME_RAW_BYTES).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn object(raw: &[u8], chunk: usize) -> (Vec<u8>, Sha256) {
        write(&mut FrameWriter::default(), raw, chunk).await
    }

    async fn write(writer: &mut FrameWriter, raw: &[u8], chunk: usize) -> (Vec<u8>, Sha256) {
        for bytes in raw.chunks(chunk) {
            writer.push(bytes).await.unwrap();
        }
        writer.finish().await.unwrap()
    }

    fn open_all(object: &[u8], length: usize) -> (Vec<u8>, Option<Sha256>) {
        let mut raw = Vec::new();
        let root = unpack(object, length, &mut |bytes| raw.extend_from_slice(bytes)).unwrap();
        (raw, root)
    }

    #[tokio::test]
    async fn any_chunking_gives_the_same_frames() {
        let raw: Vec<u8> = (0..1_400_000_u32).map(|number| u8::try_from(number * 7 % 251).unwrap()).collect();
        let (whole, root_of_whole) = object(&raw, raw.len()).await;
        let mut again = FrameWriter::default();
        for chunk in [1 << 10, FRAME_RAW_BYTES - 1, FRAME_RAW_BYTES, FRAME_RAW_BYTES + 1] {
            assert_eq!(object(&raw, chunk).await, (whole.clone(), root_of_whole));
            assert_eq!(write(&mut again, &raw, chunk).await, (whole.clone(), root_of_whole));
        }
        let frames = split(&whole).unwrap();
        assert_eq!(frames.len(), count(raw.len()));
        assert_eq!(frames.concat(), whole);
        let opened: Vec<u8> = frames.iter().flat_map(|frame| open(frame).unwrap()).collect();
        assert!(opened == raw);
        let (again, root_again) = open_all(&whole, raw.len());
        assert!(again == raw && root_again == Some(root_of_whole));
    }

    #[tokio::test]
    async fn exact_and_empty() {
        for length in [0, 1, FRAME_RAW_BYTES, 2 * FRAME_RAW_BYTES] {
            let raw = vec![b'a'; length];
            let (object, root) = object(&raw, 1000).await;
            assert_eq!(split(&object).unwrap().len(), count(length), "{length}");
            let (opened, root_again) = open_all(&object, length);
            assert!(opened == raw && root_again == Some(root), "{length}");
        }
    }

    #[test]
    fn other_cuts_have_no_root() {
        let raw = vec![b'a'; FRAME_RAW_BYTES + 10];
        let one_frame = zstd::bulk::compress(&raw, 1).unwrap();
        let (opened, root) = open_all(&one_frame, raw.len());
        assert!(opened == raw && root.is_none());
        assert!(split(b"no zstd").is_none());
        assert!(split(&one_frame[..one_frame.len() - 1]).is_none());
        assert!(open(&one_frame).is_err(), "more than a frame may hold");
    }
}
