//! Decodes gzip while it arrives: a transfer that was compressed on the way, or a file that lies compressed at its source.
//!
//! Guarantees: constant memory, whatever the sender packs into few bytes: deflate expands at most 1032 times, so that a
//! slice of [`SLICE`] bytes becomes 4 MiB at most. Several members in a row are read to the end, with their checksums.
//! An end before the end is an error. Does not limit the whole: log files may be large.

use std::io::{self, Write as _};

use bytes::{Buf as _, Bytes};
use flate2::write::MultiGzDecoder;
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};

const SLICE: usize = 4 * 1024;
/// Decoded bytes are passed on in pieces of about this size.
const PIECE: usize = 64 * 1024;

/// Why it cannot be decoded.
#[derive(Debug, thiserror::Error)]
pub enum GunzipError {
    #[error("it is no gzip, or damaged")]
    Damaged(#[source] io::Error),
    /// What came is right, and not all of it.
    #[error("it ends before its end")]
    Cut(#[source] io::Error),
}

type Pieces<E> = BoxStream<'static, Result<Bytes, E>>;

struct State<E, F> {
    transfer: Pieces<E>,
    fail: F,
    waiting: Bytes,
    /// None once the transfer is at its end.
    decoder: Option<MultiGzDecoder<Vec<u8>>>,
    received_any: bool,
}

/// Nothing at all decodes to nothing: whether it arrived completely is for the transfer to know. `fail` says what an error means
/// there.
pub fn gunzip<E: Send + 'static>(
    transfer: Pieces<E>,
    fail: impl Fn(GunzipError) -> E + Send + 'static,
) -> Pieces<E> {
    let decoder = Some(MultiGzDecoder::new(Vec::new()));
    let state = State { transfer, fail, waiting: Bytes::new(), decoder, received_any: false };
    stream::try_unfold(
        state,
        |mut state| async move { Ok(state.next_piece().await?.map(|piece| (piece, state))) },
    )
    .boxed()
}

impl<E, F: Fn(GunzipError) -> E> State<E, F> {
    async fn next_piece(&mut self) -> Result<Option<Bytes>, E> {
        let Some(mut decoder) = self.decoder.take() else { return Ok(None) };
        loop {
            if decoder.get_ref().len() >= PIECE {
                let piece = std::mem::take(decoder.get_mut());
                self.decoder = Some(decoder);
                return Ok(Some(piece.into()));
            }
            if self.waiting.is_empty() {
                match self.transfer.try_next().await? {
                    Some(received) => self.waiting = received,
                    None => return self.last_piece(decoder),
                }
            }
            let slice = self.waiting.get(..SLICE).unwrap_or(&self.waiting);
            decoder.write_all(slice).map_err(|cause| (self.fail)(GunzipError::Damaged(cause)))?;
            self.received_any |= !slice.is_empty();
            let taken = slice.len();
            self.waiting.advance(taken);
        }
    }

    fn last_piece(&self, decoder: MultiGzDecoder<Vec<u8>>) -> Result<Option<Bytes>, E> {
        if !self.received_any {
            return Ok(None);
        }
        let rest = decoder.finish().map_err(|cause| (self.fail)(GunzipError::Cut(cause)))?;
        Ok((!rest.is_empty()).then(|| rest.into()))
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(raw: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(raw).unwrap();
        encoder.finish().unwrap()
    }

    fn text(length: usize) -> Vec<u8> {
        let mut random = fastrand::Rng::with_seed(1);
        (0..length).map(|_| random.u8(b' '..b'q')).collect()
    }

    async fn decode(packed: &[u8], chunk: usize) -> Result<Vec<u8>, GunzipError> {
        let chunks: Vec<_> = packed.chunks(chunk).map(|part| Ok(Bytes::copy_from_slice(part))).collect();
        gunzip(stream::iter(chunks).boxed(), |error| error)
            .try_fold(Vec::new(), async |all, piece| Ok([all, piece.to_vec()].concat()))
            .await
    }

    #[tokio::test]
    async fn any_chunking_gives_the_same_bytes_and_members_are_joined() {
        let raw = text(300_000);
        let (left, right) = raw.split_at(120_000);
        let packed = [gzip(left), gzip(b""), gzip(right)].concat();
        for chunk in [1, 7, 4096, 100_000, packed.len()] {
            assert!(decode(&packed, chunk).await.unwrap() == raw, "chunks of {chunk}");
        }
    }

    #[tokio::test]
    async fn an_end_at_any_place_but_the_last_is_an_error() {
        let packed = gzip(&text(500));
        for end in 1..packed.len() {
            let failure = decode(&packed[..end], 64).await.unwrap_err();
            assert!(matches!(failure, GunzipError::Cut(_)), "cut after {end}");
        }
    }

    #[tokio::test]
    async fn a_flipped_bit_anywhere_after_the_header_is_an_error() {
        let packed = gzip(&text(500));
        for place in 10..packed.len() {
            let mut damaged = packed.clone();
            damaged[place] ^= 1;
            assert!(decode(&damaged, 64).await.is_err(), "bit flipped in byte {place}");
        }
    }

    #[tokio::test]
    async fn no_gzip_and_a_tail_that_is_none_are_errors() {
        let tail = [&gzip(b"one")[..], b"tail that is no gzip"].concat();
        for packed in [&b"2026-11-21 no gzip at all"[..], &tail] {
            assert!(matches!(decode(packed, 64).await.unwrap_err(), GunzipError::Damaged(_)));
        }
    }

    #[tokio::test]
    async fn nothing_is_an_empty_file_and_a_bomb_comes_in_bounded_pieces() {
        assert!(decode(b"", 1).await.unwrap().is_empty());
        let packed = gzip(&vec![0; 64 << 20]);
        let bomb = stream::iter([Ok(Bytes::from(packed))]).boxed();
        let sizes: Vec<usize> =
            gunzip(bomb, |error: GunzipError| error).map_ok(|piece| piece.len()).try_collect().await.unwrap();
        assert_eq!(sizes.iter().sum::<usize>(), 64 << 20);
        assert!(sizes.iter().all(|size| *size <= PIECE + SLICE * 1032), "{sizes:?}");
    }
}
