//! Answers requests from the moment when the addresses are bound until the service takes them over: 503, and a refusal
//! for clients of media servers.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::adapters::http::{self, RequestLog};
use crate::adapters::system::{SystemClock, SystemIds};
use crate::runtime::serve::{ServeLimits, answer_until};

/// How long requests in progress may take when the service takes over. None of them waits for anything.
const DRAIN: Duration = Duration::from_secs(1);

/// Answers while the service starts. Dropped, it answers no more.
pub(super) struct Starting {
    router: Router,
    stop: CancellationToken,
    serving: JoinSet<()>,
}

impl Starting {
    pub(super) fn new(base_path: &str) -> Self {
        let log = Arc::new(RequestLog::new(Arc::new(SystemClock), Arc::new(SystemIds)));
        let router = http::router([http::operation::starting()], log, base_path);
        Self { router, stop: CancellationToken::new(), serving: JoinSet::new() }
    }

    /// Answers on this listener. Returns it for the service: connections that nobody has accepted yet are in both.
    pub(super) fn answer(
        &mut self,
        listener: TcpListener,
        max_connections: usize,
    ) -> io::Result<TcpListener> {
        let listener = listener.into_std()?;
        let early = TcpListener::from_std(listener.try_clone()?)?;
        let limits = ServeLimits { max_connections, drain: DRAIN, ..ServeLimits::default() };
        let (router, stop) = (self.router.clone(), self.stop.clone());
        self.serving.spawn(answer_until(early, router, limits, stop));
        TcpListener::from_std(listener)
    }

    /// The service takes over.
    pub(super) async fn end(mut self) {
        self.stop.cancel();
        while self.serving.join_next().await.is_some() {}
    }
}
