//! What everything is compared with: SHA-256 and zstd alone, from memory to memory, by the same libraries.

use std::sync::atomic::{AtomicUsize, Ordering};

use aws_lc_rs::digest::{SHA256, digest};
use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::{CParameter, compress_bound, find_frame_compressed_size};

use crate::Outcome;
use crate::measure::{Stopwatch, Took};

/// As the archive cuts.
pub const SEGMENT_BYTES: usize = 8 << 20;
pub const FRAME_BYTES: usize = 512 << 10;
const LEVEL: i32 = 1;

/// Runs `work` for each item on so many threads, each item once.
fn on_threads<T: Sync>(threads: usize, items: &[T], work: impl Fn(&T) -> Outcome + Sync) -> Outcome<Took> {
    let (next, work) = (AtomicUsize::new(0), &work);
    let run = || -> Outcome {
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            work(item)?;
        }
        Ok(())
    };
    let watch = Stopwatch::start();
    std::thread::scope(|scope| {
        let started: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        started.into_iter().try_for_each(|thread| thread.join().map_err(|_| "a thread panicked")?)
    })?;
    Ok(watch.took())
}

pub fn hash(raw: &[u8], threads: usize) -> Outcome<Took> {
    let pieces: Vec<&[u8]> = raw.chunks(SEGMENT_BYTES).collect();
    on_threads(threads, &pieces, |piece| {
        std::hint::black_box(digest(&SHA256, piece));
        Ok(())
    })
}

/// zstd alone, in pieces of `piece` bytes, each a frame; and what it came to.
pub fn compress(raw: &[u8], piece: usize, threads: usize) -> Outcome<(Took, usize)> {
    let total = AtomicUsize::new(0);
    let segments: Vec<&[u8]> = raw.chunks(SEGMENT_BYTES).collect();
    let took = on_threads(threads, &segments, |segment| {
        let mut compressor = Compressor::new(LEVEL)?;
        let mut out = Vec::with_capacity(compress_bound(piece));
        for piece in segment.chunks(piece) {
            total.fetch_add(compressor.compress_to_buffer(piece, &mut out)?, Ordering::Relaxed);
        }
        Ok(())
    })?;
    Ok((took, total.into_inner()))
}

/// SHA-256 over the raw bytes, and zstd over each segment whole: what collecting cannot do without.
pub fn hash_and_compress(raw: &[u8], threads: usize) -> Outcome<Took> {
    let segments: Vec<&[u8]> = raw.chunks(SEGMENT_BYTES).collect();
    on_threads(threads, &segments, |segment| {
        let mut compressor = Compressor::new(LEVEL)?;
        let mut out = Vec::with_capacity(compress_bound(segment.len()));
        std::hint::black_box(digest(&SHA256, segment));
        compressor.compress_to_buffer(segment, &mut out)?;
        Ok(())
    })
}

/// Segments as they are stored, with the checksums that zstd adds to frames.
pub fn objects(raw: &[u8]) -> Outcome<Vec<Vec<u8>>> {
    let mut compressor = Compressor::new(LEVEL)?;
    compressor.set_parameter(CParameter::ChecksumFlag(true))?;
    let mut objects = Vec::new();
    for segment in raw.chunks(SEGMENT_BYTES) {
        let mut object = Vec::new();
        for frame in segment.chunks(FRAME_BYTES) {
            object.extend_from_slice(&compressor.compress(frame)?);
        }
        objects.push(object);
    }
    Ok(objects)
}

/// SHA-256 over the stored bytes, decompression, SHA-256 over the raw ones: what verifying cannot do without.
pub fn hash_and_decompress(objects: &[Vec<u8>], threads: usize) -> Outcome<Took> {
    on_threads(threads, objects, |object| {
        std::hint::black_box(digest(&SHA256, object));
        let mut raw = Vec::with_capacity(SEGMENT_BYTES);
        let (mut decompressor, mut frame) = (Decompressor::new()?, Vec::with_capacity(FRAME_BYTES));
        let mut rest = object.as_slice();
        while !rest.is_empty() {
            let length = find_frame_compressed_size(rest).map_err(|_| "no zstd frame")?;
            decompressor.decompress_to_buffer(&rest[..length], &mut frame)?;
            raw.extend_from_slice(&frame);
            rest = &rest[length..];
        }
        std::hint::black_box(digest(&SHA256, &raw));
        Ok(())
    })
}
