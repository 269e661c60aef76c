//! Reading bodies: bounded in size and time.

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
/// How much of a body that is too large is still taken in, so that its sender gets to read the answer.
const DRAIN: usize = 16 * 1024 * 1024;
/// How long that may take.
const DRAIN_TIME: Duration = Duration::from_secs(2);

/// The whole body, of at most `limit` bytes.
///
/// # Errors
/// Too large; not complete in time; broken off.
pub(super) async fn read(headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, Problem> {
    let stated = headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok());
    if stated.is_some_and(|bytes: usize| bytes > limit) {
        // Whoever waits for our consent (curl does) has not sent anything yet.
        if !headers.contains_key(EXPECT) {
            drain(body).await;
        }
        return Err(too_large(limit));
    }
    match timeout(READ_TIME, Limited::new(body, limit).collect()).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) => Err(broken(&*error, limit)),
        Err(_) => Err(late()),
    }
}

/// Takes in what is still coming. A connection that is closed with unread data in it is reset, and its client would
/// see that instead of our answer.
async fn drain(body: Body) {
    let mut body = Limited::new(body, DRAIN);
    let all = async { while let Some(Ok(_)) = body.frame().await {} };
    // However it ends, the answer is the same.
    let _ = timeout(DRAIN_TIME, all).await;
}

fn broken(error: &(dyn Error + 'static), limit: usize) -> Problem {
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
    Problem::new(ProblemType::REQUEST_TIMEOUT, "The body broke off before it was complete. Send it again.")
}

fn too_large(limit: usize) -> Problem {
    Problem::new(ProblemType::TOO_LARGE, format!("The body may have at most {limit} bytes here."))
}

fn late() -> Problem {
    Problem::new(
        ProblemType::REQUEST_TIMEOUT,
        "The body was not complete after 10 seconds. Send the request again.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read_text(body: Body, limit: usize) -> Result<Bytes, Problem> {
        read(&HeaderMap::new(), body, limit).await
    }

    #[tokio::test]
    async fn a_body_is_taken_up_to_its_limit() {
        assert_eq!(read_text(Body::from("12345"), 5).await.unwrap(), "12345");
        assert_eq!(read_text(Body::from("123456"), 5).await, Err(too_large(5)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_drips_is_given_up() {
        let drops = futures_util::stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Some((Ok::<_, std::io::Error>(Bytes::from_static(b"x")), ()))
        });
        assert_eq!(read_text(Body::from_stream(drops), 1_000).await, Err(late()));
    }
}
