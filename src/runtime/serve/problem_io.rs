//! A connection on which hyper's own error answers become problems.
//!
//! hyper answers a request that it cannot parse by itself, with a status and nothing else. Such an answer is recognised as it
//! is written, and replaced by ours.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_LENGTH;
use axum::http::{Response, StatusCode};
use futures_util::FutureExt as _;
use http_body_util::BodyExt as _;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};
use tokio_io_timeout::TimeoutStream;

/// How much of what the client still sends is read after such an answer, and for how long. Closing a connection with
/// unread data resets it, and the client would not get the answer.
const DRAIN: usize = 1024 * 1024;
const DRAIN_TIME: Duration = Duration::from_secs(1);

/// The statuses with which hyper answers a request that it cannot parse.
const OF_HYPER: [(StatusCode, &[u8]); 3] = [
    (StatusCode::BAD_REQUEST, b"HTTP/1.1 400 "),
    (StatusCode::URI_TOO_LONG, b"HTTP/1.1 414 "),
    (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, b"HTTP/1.1 431 "),
];

/// A connection. `answer` gives the answer of ours for a status.
pub(super) struct ProblemIo<F> {
    io: Pin<Box<TimeoutStream<TcpStream>>>,
    answer: F,
    replaced: Option<Replaced>,
}

/// Our answer, and what happens after it.
struct Replaced {
    unsent: Bytes,
    is_shut_down: bool,
    undrained: usize,
    drain_end: Pin<Box<Sleep>>,
}

impl<F: Fn(StatusCode) -> Option<Response<Body>> + Unpin> ProblemIo<F> {
    pub(super) fn new(io: Pin<Box<TimeoutStream<TcpStream>>>, answer: F) -> Self {
        Self { io, answer, replaced: None }
    }

    /// Whether `written` is an answer of hyper. Then ours is sent instead.
    fn replace(&mut self, written: &[u8]) -> bool {
        let Some(status) = of_hyper(written) else { return false };
        let Some(unsent) = (self.answer)(status).and_then(|answer| encode(answer, written)) else {
            return false;
        };
        let drain_end = Box::pin(sleep(DRAIN_TIME));
        self.replaced = Some(Replaced { unsent, is_shut_down: false, undrained: DRAIN, drain_end });
        true
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(replaced) = &mut self.replaced else { return Poll::Ready(Ok(())) };
        while !replaced.unsent.is_empty() {
            let sent = ready!(self.io.as_mut().poll_write(cx, &replaced.unsent))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            drop(replaced.unsent.split_to(sent));
        }
        Poll::Ready(Ok(()))
    }

    /// Reads what the client still sends.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(replaced) = &mut self.replaced else { return Poll::Ready(Ok(())) };
        let mut chunk = [0; 4096];
        while replaced.undrained > 0 && replaced.drain_end.as_mut().poll(cx).is_pending() {
            let mut buffer = ReadBuf::new(&mut chunk);
            let read = ready!(self.io.as_mut().poll_read(cx, &mut buffer));
            if read.is_err() || buffer.filled().is_empty() {
                break;
            }
            replaced.undrained = replaced.undrained.saturating_sub(buffer.filled().len());
        }
        Poll::Ready(Ok(()))
    }
}

/// The status, if it is an answer of hyper: it has no body, and none of our headers.
fn of_hyper(written: &[u8]) -> Option<StatusCode> {
    let (status, _) = OF_HYPER.into_iter().find(|(_, start)| written.starts_with(start))?;
    let has = |text: &[u8]| written.windows(text.len()).any(|part| part == text);
    let is_theirs =
        written.ends_with(b"\r\n\r\n") && has(b"\r\ncontent-length: 0\r\n") && !has(b"\r\nx-request-id: ");
    is_theirs.then_some(status)
}

/// The bytes of `answer`, with the date of hyper's answer. It ends the connection.
fn encode(answer: Response<Body>, theirs: &[u8]) -> Option<Bytes> {
    let (parts, body) = answer.into_parts();
    let body = body.collect().now_or_never()?.ok()?.to_bytes();
    let mut bytes = format!("HTTP/1.1 {}\r\n", parts.status).into_bytes();
    for (name, value) in parts.headers.iter().filter(|(name, _)| *name != CONTENT_LENGTH) {
        bytes.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    let date = theirs.split(|byte| *byte == b'\n').find(|line| line.starts_with(b"date: "));
    bytes.extend(date.into_iter().flat_map(|line| [line, b"\n"].concat()));
    bytes.extend(format!("connection: close\r\ncontent-length: {}\r\n\r\n", body.len()).into_bytes());
    bytes.extend(&body);
    Some(bytes.into())
}

impl<F: Unpin> AsyncRead for ProblemIo<F> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.io.as_mut().poll_read(cx, buffer)
    }
}

impl<F: Fn(StatusCode) -> Option<Response<Body>> + Unpin> AsyncWrite for ProblemIo<F> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_send(cx))?;
        if self.replace(bytes) {
            Poll::Ready(Ok(bytes.len()))
        } else {
            self.io.as_mut().poll_write(cx, bytes)
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_send(cx))?;
        match slices {
            [only] if self.replace(only) => Poll::Ready(Ok(only.len())),
            _ => self.io.as_mut().poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        self.io.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        if self.replaced.as_ref().is_none_or(|replaced| !replaced.is_shut_down) {
            ready!(self.io.as_mut().poll_shutdown(cx))?;
            if let Some(replaced) = &mut self.replaced {
                replaced.is_shut_down = true;
            }
        }
        self.poll_drain(cx)
    }
}
