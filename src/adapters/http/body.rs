//! Bodies, bounded in size and time. The buffered lane reads them as a whole with [`read`].

use std::error::Error;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, EXPECT};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::time::timeout;

use super::problem::{Problem, ProblemType};

/// The largest body of the management API, in bytes.
pub(super) const MANAGEMENT_BODY: usize = 1024 * 1024;
/// The largest body of `/auth` and the hooks, in bytes.
pub(super) const HOOK_BODY: usize = 64 * 1024;

/// How long a body may take to arrive as a whole.
const READ_TIME: Duration = Duration::from_secs(10);
/// How much of a too large body is still read, so that the client can read the answer.
const DRAIN: usize = 16 * 1024 * 1024;
/// How long reading the rest may take.
const DRAIN_TIME: Duration = Duration::from_secs(2);

/// The whole body, of at most `limit` bytes.
pub(super) async fn read(headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, Problem> {
    let body = stated_within(headers, body, limit as u64).await?;
    match timeout(READ_TIME, Limited::new(body, limit).collect()).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) => Err(broken(&*error, limit as u64)),
        Err(_) => Err(late()),
    }
}

/// The body, unless its stated length is above `limit`.
pub(super) async fn stated_within(headers: &HeaderMap, body: Body, limit: u64) -> Result<Body, Problem> {
    let stated = headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok());
    if stated.is_none_or(|bytes: u64| bytes <= limit) {
        return Ok(body);
    }
    // A client that waits for `100 Continue` (curl does) has not sent anything yet.
    if !headers.contains_key(EXPECT) {
        drain(body).await;
    }
    Err(too_large(limit))
}

/// Reads the rest of the body, up to a limit. Closing a connection with unread data resets it, and the client would not
/// get our answer.
pub(super) async fn drain(body: Body) {
    let mut body = Limited::new(body, DRAIN);
    let all = async { while let Some(Ok(_)) = body.frame().await {} };
    // The answer is the same in every case.
    let _ = timeout(DRAIN_TIME, all).await;
}

pub(super) fn broken(error: &(dyn Error + 'static), limit: u64) -> Problem {
    let mut cause = Some(error);
    while let Some(this) = cause {
        if this.is::<LengthLimitError>() {
            return too_large(limit);
        }
        if this.is::<tower_http::timeout::TimeoutError>() {
            return late();
        }
        cause = this.source();
    }
    refused("The body broke off before it was complete. Send it again.")
}

pub(super) fn too_large(limit: u64) -> Problem {
    Problem::new(ProblemType::TOO_LARGE, format!("The body may have at most {limit} bytes."))
}

fn late() -> Problem {
    refused("The body was not complete within 10 seconds. Send the request again.")
}

pub(super) fn refused(detail: impl Into<String>) -> Problem {
    Problem::new(ProblemType::REQUEST_TIMEOUT, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read_text(body: Body, limit: usize) -> Result<Bytes, Problem> {
        read(&HeaderMap::new(), body, limit).await
    }

    #[tokio::test]
    async fn body_is_read_up_to_its_limit() {
        assert_eq!(read_text(Body::from("12345"), 5).await.unwrap(), "12345");
        assert_eq!(read_text(Body::from("123456"), 5).await, Err(too_large(5)));
    }

    #[tokio::test(start_paused = true)]
    async fn body_that_drips_is_refused_after_10_s() {
        let drops = futures_util::stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Some((Ok::<_, std::io::Error>(Bytes::from_static(b"x")), ()))
        });
        assert_eq!(read_text(Body::from_stream(drops), 1_000).await, Err(late()));
    }
}
