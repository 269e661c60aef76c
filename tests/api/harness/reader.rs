//! A reader of server-sent events.

use std::time::Duration;

use axum::body::BodyDataStream;
use futures_util::StreamExt as _;
use serde_json::Value;
use tokio::time::timeout;

use super::Call;

/// One event as it arrived.
#[derive(Debug, Default)]
pub(crate) struct Got {
    pub(crate) event: String,
    pub(crate) id: i64,
    pub(crate) data: Value,
    pub(crate) comment: bool,
    pub(crate) retry: bool,
}

/// An open answer.
pub(crate) struct Reader {
    body: BodyDataStream,
    text: String,
}

impl Reader {
    pub(crate) async fn open(call: Call) -> Self {
        let answer = call.open().await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let mut reader = Self { body: answer.into_body().into_data_stream(), text: String::new() };
        assert!(reader.any().await.expect("a first block").retry);
        reader
    }

    /// The next event or comment, or `None` at the end.
    pub(crate) async fn any(&mut self) -> Option<Got> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let got = parse(block);
                self.text = rest.to_owned();
                return Some(got);
            }
            let next =
                timeout(Duration::from_secs(30), self.body.next()).await.expect("an event or a comment");
            let bytes = next?.expect("an unbroken body");
            self.text.push_str(std::str::from_utf8(&bytes).expect("UTF-8"));
        }
    }

    /// The next event.
    pub(crate) async fn next(&mut self) -> Got {
        loop {
            let got = self.any().await.expect("an event before the end");
            if !got.comment {
                return got;
            }
        }
    }

    /// Reads to the end of the answer, which must come within `limit`: comments would keep it open for an hour.
    pub(crate) async fn until_closed(&mut self, limit: Duration) {
        let closed = timeout(limit, async { while self.any().await.is_some() {} }).await;
        assert!(closed.is_ok(), "the answer has not ended after {limit:?}");
    }
}

fn parse(block: &str) -> Got {
    let mut got = Got::default();
    for line in block.lines() {
        match line.split_once(':').map(|(name, value)| (name, value.trim_start())) {
            Some(("event", value)) => got.event = value.into(),
            Some(("id", value)) => got.id = value.parse().expect("a number"),
            Some(("data", value)) => got.data = serde_json::from_str(value).expect("JSON"),
            Some(("retry", _)) => got.retry = true,
            Some(("", _)) => got.comment = true,
            other => panic!("{other:?} in {block}"),
        }
    }
    got
}
