//! A socket that fails when its peer stops reading.
//!
//! A timer inside a response body cannot do this: the body is only polled while the socket takes bytes. So the timer is in
//! the write.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// A write that waits for longer than the limit fails with `TimedOut`. Everything else is passed through.
pub(super) struct StallGuard<S> {
    inner: S,
    limit: Duration,
    /// Runs while a write is waiting.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<S> StallGuard<S> {
    /// A write on `inner` may wait for `limit`.
    pub(super) fn new(inner: S, limit: Duration) -> Self {
        Self { inner, limit, waiting: None }
    }

    fn watch<T>(&mut self, cx: &mut Context<'_>, write: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if write.is_ready() {
            self.waiting = None;
            return write;
        }
        let limit = self.limit;
        let timer = self.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        ready!(timer.as_mut().poll(cx));
        metrics::counter!("streamward_http_stalled_readers_total").increment(1);
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer stopped reading")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for StallGuard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for StallGuard<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let write = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.watch(cx, write)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let write = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.watch(cx, write)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flush = Pin::new(&mut self.inner).poll_flush(cx);
        // A socket flushes at once. The timer of a waiting write continues.
        if flush.is_pending() { self.watch(cx, flush) } else { flush }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shutdown = Pin::new(&mut self.inner).poll_shutdown(cx);
        self.watch(cx, shutdown)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::Instant;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    #[tokio::test(start_paused = true)]
    async fn write_that_waits_longer_than_the_limit_fails() {
        let (near, _far) = tokio::io::duplex(8);
        let start = Instant::now();
        let error = StallGuard::new(near, LIMIT).write_all(&[0; 9]).await.unwrap_err();
        assert_eq!((error.kind(), start.elapsed()), (io::ErrorKind::TimedOut, LIMIT));
    }

    #[tokio::test(start_paused = true)]
    async fn progress_restarts_the_limit() {
        let (near, mut far) = tokio::io::duplex(8);
        let reader = async {
            for _ in 0..100 {
                tokio::time::sleep(LIMIT / 2).await;
                far.read_exact(&mut [0; 4]).await.unwrap();
            }
        };
        let mut near = StallGuard::new(near, LIMIT);
        let (written, ()) = tokio::join!(near.write_all(&[0; 400]), reader);
        written.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn pause_between_writes_is_no_stall() {
        let (near, _far) = tokio::io::duplex(8);
        let mut near = StallGuard::new(near, LIMIT);
        for _ in 0..8 {
            near.write_all(&[0]).await.unwrap();
            tokio::time::sleep(LIMIT * 2).await;
        }
    }
}
