//! The reference: receives the same frames over as many connections and writes as many rows in the same batches, with
//! two bare statements for each batch. It decides nothing, and has no sessions and no events.

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use streamward::adapters::system::SystemClock;
use streamward::ports::Clock as _;
use streamward_test_support::feed_server::{Dialect, FeedServer};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

use crate::database::Database;
use crate::program::{PER_CONNECTION, channel};

/// The batch size of the service.
const BATCH: usize = 500;

/// A running reference with its own threads, like the service.
pub(crate) struct Bare {
    pub(crate) feed: FeedServer,
    pub(crate) database: Database,
    runtime: Option<Runtime>,
}

impl Bare {
    /// Subscribed to `people` channels.
    pub(crate) async fn start(database: Database, people: usize) -> Self {
        let feed = FeedServer::start(Dialect::Pusher).await;
        database.prepare_bare(i64::try_from(people).expect("a small number")).await;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads");
        let (changes, incoming) = mpsc::channel(100_000);
        let channels: Vec<u64> = (1..=people as u64).map(channel).collect();
        for some in channels.chunks(PER_CONNECTION) {
            runtime.spawn(listen(feed.ws_url(), some.to_vec(), changes.clone()));
        }
        runtime.spawn(write(database.clone(), incoming));
        feed.until("the reference's subscriptions", |seen| seen.subscribed.len() == people).await;
        Self { feed, database, runtime: Some(runtime) }
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn listen(url: String, channels: Vec<u64>, changes: mpsc::Sender<Value>) {
    let (mut socket, _) = connect_async(format!("{url}/app/key")).await.expect("a connection");
    for channel in channels {
        let frame = json!({"event": "pusher:subscribe", "data": {"channel": format!("channel.{channel}")}});
        socket.send(Message::text(frame.to_string())).await.expect("the frame is sent");
    }
    while let Some(Ok(message)) = socket.next().await {
        let Message::Text(text) = message else { continue };
        let frame: Value = serde_json::from_str(&text).expect("JSON");
        let channel = frame["channel"].as_str().and_then(|name| name.strip_prefix("channel."));
        let Some(channel) = channel.and_then(|number| number.parse::<u64>().ok()) else { continue };
        let status = match frame["event"].as_str() {
            Some(r"App\Events\StreamerIsLive") => "online",
            Some(r"App\Events\StopStreamBroadcast") => "offline",
            _ => continue,
        };
        let change = json!({"channel": channel, "status": status, "at": SystemClock.now().micros()});
        if changes.send(change).await.is_err() {
            return;
        }
    }
}

async fn write(database: Database, mut incoming: mpsc::Receiver<Value>) {
    let mut batch = Vec::with_capacity(BATCH);
    while incoming.recv_many(&mut batch, BATCH).await > 0 {
        database.record_bare(&Value::Array(std::mem::take(&mut batch)).to_string()).await;
    }
}
