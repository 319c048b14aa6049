//! `GET /v13/downloadCompleteLogFile/{instance}/{file}`: a whole log file, byte for byte.
//!
//! The body is streamed with constant memory and holds the file as it was when the call began. It is compressed when the
//! caller accepts gzip. There are no ranges and no length header. If reading fails on the way, the connection is broken
//! off: a caller never sees a proper end of a body that is not whole.

use std::io::{self, BufWriter, Write};

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Response, header};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::stream;
use percent_encoding::percent_decode_str;
use tokio::sync::mpsc;

use crate::emulator::fault::Fault;
use crate::emulator::logs::OpenLog;
use crate::emulator::served::Served;
use crate::simulate::Status;

/// The documented path ("DownloadCompleteDBLogFile" in the Amazon RDS User Guide).
pub(crate) const PATH: &str = "/v13/downloadCompleteLogFile/";

const CHUNK: usize = 64 * 1024;
/// Chunks that may wait for a slow caller.
const QUEUE: usize = 4;

/// The instance and file that a request path means; slashes after the instance belong to the file's name.
pub(crate) fn target(path: &str) -> Option<(String, String)> {
    let (instance, file) = path.strip_prefix(PATH)?.split_once('/')?;
    let decoded = |text: &str| percent_decode_str(text).decode_utf8().ok().map(std::borrow::Cow::into_owned);
    Some((decoded(instance)?, decoded(file)?))
}

/// Opens the file and says whether it is binary. Blocks.
pub(crate) fn open(served: &Served, instance: &str, file: &str) -> Result<(OpenLog, bool), Fault> {
    let failed = |error: io::Error| Fault::internal("open a log file", &error);
    let found = served.find(instance).ok_or_else(|| Fault::instance_not_found(instance))?;
    if found.logs.status() != Status::Available {
        return Err(Fault::instance_not_ready(instance));
    }
    let mut log = found.logs.open(file).map_err(failed)?.ok_or_else(|| Fault::log_file_not_found(file))?;
    let binary = log.looks_binary().map_err(failed)?;
    Ok((log, binary))
}

/// The answer, whose body is still to be read.
pub(crate) fn stream(log: OpenLog, binary: bool, headers: &HeaderMap) -> Response<Body> {
    let gzip = accepts_gzip(headers);
    let (sender, receiver) = mpsc::channel(QUEUE);
    tokio::task::spawn_blocking(move || pump(log, gzip, &sender));
    let chunks = stream::unfold(receiver, |mut receiver| async {
        let chunk = receiver.recv().await?;
        Some((chunk, receiver))
    });
    let mut response = Response::new(Body::from_stream(chunks));
    let content_type = if binary { "application/octet-stream" } else { "text/plain" };
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    if gzip {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let (name, quality) = coding.split_once(';').unwrap_or((coding, ""));
        let quality = quality.trim().strip_prefix("q=").and_then(|q| q.trim().parse::<f32>().ok());
        name.trim().eq_ignore_ascii_case("gzip") && quality.is_none_or(|quality| quality > 0.0)
    })
}

type Chunk = io::Result<Bytes>;

fn pump(mut log: OpenLog, gzip: bool, sender: &mpsc::Sender<Chunk>) {
    let writer = BufWriter::with_capacity(CHUNK, ChunkWriter(sender.clone()));
    let copied = if gzip {
        let mut encoder = GzEncoder::new(writer, Compression::fast());
        io::copy(&mut log, &mut encoder).and_then(|_| encoder.finish()?.flush())
    } else {
        let mut writer = writer;
        io::copy(&mut log, &mut writer).and_then(|_| writer.flush())
    };
    if let Err(error) = copied {
        // Fails only when the caller has gone, and then nobody needs to know.
        let _ = sender.blocking_send(Err(error));
    }
}

/// Hands what is written to the response's body; waits while the caller is slow.
struct ChunkWriter(mpsc::Sender<Chunk>);

impl Write for ChunkWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        self.0.blocking_send(Ok(Bytes::copy_from_slice(bytes))).map_err(gone)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_after_the_instance_belong_to_the_file() {
        let target = |path: &str| target(&format!("{PATH}{path}"));
        let named = |instance: &str, file: &str| Some((instance.to_owned(), file.to_owned()));
        assert_eq!(target("orders/error/postgresql.log.2026"), named("orders", "error/postgresql.log.2026"));
        assert_eq!(target("orders/error%2Fa%20b"), named("orders", "error/a b"));
        assert_eq!(target("orders"), None);
        assert_eq!(target("orders/%ff"), None);
    }

    #[test]
    fn gzip_is_used_when_it_is_asked_for() {
        let asked = |value: &'static str| {
            accepts_gzip(&HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(value))]))
        };
        assert!(asked("gzip") && asked("deflate, GZIP;q=0.5"));
        assert!(!asked("identity") && !asked("gzip;q=0") && !asked("x-gzip-like"));
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}
