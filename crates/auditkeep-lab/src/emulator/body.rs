//! Bodies on their way out: counted, and spoiled where a plan says so.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream, HttpBody};
use axum::http::{Response, header};
use bytes::Bytes;
use futures::{StreamExt as _, stream};

use crate::emulator::counters::Counters;
use crate::emulator::switches::{Flow, Step};

/// How long the connection is left alone before it is broken off, so that what was sent before arrives.
const LAST_BYTES: Duration = Duration::from_millis(20);

/// The response, whose body does as the flow says and is counted.
pub(crate) fn shaped(response: Response<Body>, flow: Flow, counters: Arc<Counters>) -> Response<Body> {
    if let Some(length) = response.body().size_hint().exact().filter(|_| flow.is_plain()) {
        counters.sent(length);
        return response;
    }
    let (mut parts, body) = response.into_parts();
    // A body that may end early must not promise its length.
    parts.headers.remove(header::CONTENT_LENGTH);
    let outgoing = Outgoing { source: body.into_data_stream(), waiting: Bytes::new(), flow, counters };
    let body = stream::unfold(Some(outgoing), |state| async {
        let mut outgoing = state?;
        match outgoing.next().await {
            Some(Ok(bytes)) => Some((Ok(bytes), Some(outgoing))),
            Some(Err(error)) => Some((Err(error), None)),
            None => None,
        }
    });
    Response::from_parts(parts, Body::from_stream(body))
}

struct Outgoing {
    source: BodyDataStream,
    waiting: Bytes,
    flow: Flow,
    counters: Arc<Counters>,
}

impl Outgoing {
    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        loop {
            if self.waiting.is_empty() {
                match self.source.next().await? {
                    Ok(bytes) => self.waiting = bytes,
                    Err(error) => return Some(Err(io::Error::other(error))),
                }
                continue;
            }
            let (step, fault) = self.flow.step(self.waiting.len());
            if let Some(kind) = fault {
                self.counters.fault(kind);
            }
            match step {
                Step::Send(length) => {
                    self.counters.sent(length as u64);
                    return Some(Ok(self.waiting.split_to(length)));
                }
                Step::Wait(pause) => tokio::time::sleep(pause).await,
                Step::Break => {
                    tokio::time::sleep(LAST_BYTES).await;
                    return Some(Err(io::ErrorKind::ConnectionAborted.into()));
                }
                Step::End => return None,
            }
        }
    }
}
