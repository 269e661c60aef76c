//! Starts a part of a channel again if it panics.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::time::sleep;

/// A part of a channel that panicked starts again after this time.
const AFTER_PANIC: Duration = Duration::from_secs(2);

/// Runs a part of a channel again and again if it panics, so that the rest of the channel continues.
pub(super) async fn supervised<F: Future<Output = ()>>(part: &'static str, mut start: impl FnMut() -> F) {
    while AssertUnwindSafe(start()).catch_unwind().await.is_err() {
        tracing::error!(part, "a part of a channel failed unexpectedly; it starts again");
        sleep(AFTER_PANIC).await;
    }
}
