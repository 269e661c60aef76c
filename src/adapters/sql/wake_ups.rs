//! Wake-ups between instances, with PostgreSQL's LISTEN and NOTIFY.
//!
//! Wake-ups only save time. Every receiver also polls, so nothing depends on them. A pooler passes notifications on to
//! PostgreSQL, but nobody can listen through it: that needs a connection of its own (`database.listen_url`). A notification takes a lock that all commits of the database queue for. So wake-ups are merged and a
//! separate task sends them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::postgres::PgListener;
use tokio::sync::{Notify, broadcast};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::dialect::Sql;
use super::postgres::Pg;
use crate::adapters::local_wake_ups::LocalWakeUps;
use crate::domain::media_server::MediaServerName;
use crate::ports::{WakeUp, WakeUps};

const CHANNEL: &str = "streamward";
/// Wake-ups within this time are sent as one notification.
const MERGE: Duration = Duration::from_millis(20);
/// PostgreSQL accepts payloads below 8,000 bytes.
const LARGEST: usize = 7_000;
/// How long to wait after the first failure, and at most.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// SQLite has no NOTIFY and needs none: one process serves the file.
const NOTIFY: Sql = Sql { pg: "SELECT pg_notify($1, $2)", sqlite: "" };

/// Sends wake-ups to this instance at once, and to the others through the database.
#[derive(Clone, Debug)]
pub struct PgWakeUps {
    local: LocalWakeUps,
    buffer: Arc<SendBuffer>,
}

#[derive(Debug, Default)]
struct SendBuffer {
    words: Mutex<BTreeSet<String>>,
    filled: Notify,
}

impl SendBuffer {
    fn put(&self, words: impl IntoIterator<Item = String>) {
        self.words.lock().unwrap_or_else(PoisonError::into_inner).extend(words);
        self.filled.notify_one();
    }

    fn take(&self) -> BTreeSet<String> {
        std::mem::take(&mut *self.words.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The payload of a notification.
#[derive(Serialize, Deserialize)]
struct Payload {
    from: String,
    wake_ups: BTreeSet<String>,
}

impl PgWakeUps {
    /// Starts sending over `pg`, and listening over `listener`, which needs a connection permanently. Without one this
    /// instance polls. `instance` marks our own notifications. The tasks run on `tasks` until `stop`.
    pub fn start(
        pg: Pg,
        listener: Option<Pg>,
        instance: impl Into<String>,
        tasks: &TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        let wake_ups = Self { local: LocalWakeUps::default(), buffer: Arc::default() };
        let instance = instance.into();
        if let Some(listener) = listener {
            let (listener, stop) =
                (listen_forever(listener, instance.clone(), wake_ups.local.clone()), stop.clone());
            tasks.spawn(async move { stop.run_until_cancelled(listener).await });
        } else {
            tracing::info!("other instances cannot wake this one: it polls (database.listen_url is not set)");
        }
        let sender = send_all(pg, instance, Arc::clone(&wake_ups.buffer));
        tasks.spawn(async move { stop.run_until_cancelled(sender).await });
        wake_ups
    }
}

impl WakeUps for PgWakeUps {
    fn send(&self, wake_up: WakeUp) {
        self.buffer.put([wake_up.to_string()]);
        self.local.send(wake_up);
    }

    fn send_local(&self, wake_up: WakeUp) {
        self.local.send(wake_up);
    }

    fn listen(&self) -> broadcast::Receiver<WakeUp> {
        self.local.listen()
    }
}

/// An unknown word comes from a newer version: check everything.
fn from_word(word: &str) -> WakeUp {
    match word {
        "events" => WakeUp::Events,
        "streamers" => WakeUp::Streamers,
        "channels" => WakeUp::Channels,
        "clips" => WakeUp::Clips,
        "notifications" => WakeUp::Notifications,
        word => match word.split_once(':') {
            Some(("reconcile", name)) => MediaServerName::parse(name).ok().map(WakeUp::Reconcile),
            Some(("topic", topic)) => topic.parse().ok().map(WakeUp::Topic),
            _ => None,
        }
        .unwrap_or(WakeUp::Everything),
    }
}

fn encode(instance: &str, wake_ups: &BTreeSet<String>) -> String {
    let text = |wake_ups: &BTreeSet<String>| {
        serde_json::json!(Payload { from: instance.to_owned(), wake_ups: wake_ups.clone() }).to_string()
    };
    let payload = text(wake_ups);
    if payload.len() <= LARGEST { payload } else { text(&BTreeSet::from([WakeUp::Everything.to_string()])) }
}

/// The wake-ups in a payload; none if the payload is our own.
fn decode(instance: &str, payload: &str) -> Vec<WakeUp> {
    match serde_json::from_str::<Payload>(payload) {
        Ok(payload) if payload.from == instance => Vec::new(),
        Ok(payload) => payload.wake_ups.iter().map(|word| from_word(word)).collect(),
        Err(_) => vec![WakeUp::Everything],
    }
}

async fn send_all(pg: Pg, instance: String, buffer: Arc<SendBuffer>) -> ! {
    let mut wait = BACKOFF.0;
    loop {
        buffer.filled.notified().await;
        sleep(MERGE).await;
        let words = buffer.take();
        // A second copy of a wake-up is harmless, so another connection may send it again.
        let sent = pg.exec_twice::<()>(NOTIFY, args![CHANNEL, encode(&instance, &words)]);
        if let Err(error) = sent.await {
            tracing::debug!(%error, "cannot wake other instances; retrying");
            buffer.put(words);
            sleep(wait).await;
            wait = (wait * 2).min(BACKOFF.1);
        } else {
            wait = BACKOFF.0;
        }
    }
}

async fn listen_forever(pg: Pg, instance: String, local: LocalWakeUps) -> ! {
    let mut wait = BACKOFF.0;
    loop {
        match PgListener::connect_with(&pg.pool).await {
            Ok(listener) => {
                let error = listen(listener, &instance, &local, &mut wait).await;
                tracing::debug!(%error, "lost the connection that listens for wake-ups; reconnecting");
            }
            Err(error) => tracing::debug!(%error, "cannot listen for wake-ups; retrying"),
        }
        sleep(wait).await;
        wait = (wait * 2).min(BACKOFF.1);
    }
}

/// Listens until the connection fails in a way that the listener cannot repair.
async fn listen(
    mut listener: PgListener,
    instance: &str,
    local: &LocalWakeUps,
    wait: &mut Duration,
) -> sqlx::Error {
    if let Err(error) = listener.listen(CHANNEL).await {
        return error;
    }
    // Notifications sent while nobody listened are lost.
    local.send(WakeUp::Everything);
    *wait = BACKOFF.0;
    loop {
        match listener.try_recv().await {
            Ok(Some(notification)) => {
                decode(instance, notification.payload()).into_iter().for_each(|wake_up| local.send(wake_up));
            }
            Ok(None) => local.send(WakeUp::Everything),
            Err(error) => return error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::Topic;

    #[test]
    fn wake_ups_survive_the_way_and_our_own_are_dropped() {
        let server = WakeUp::Reconcile(MediaServerName::default());
        let topic = WakeUp::Topic(Topic::StreamKey);
        let others = [WakeUp::Events, WakeUp::Streamers, WakeUp::Channels, WakeUp::Clips, WakeUp::Everything];
        for wake_up in [server, topic].into_iter().chain(others) {
            let payload = encode("a", &BTreeSet::from([wake_up.to_string()]));
            assert_eq!(decode("b", &payload), [wake_up]);
            assert_eq!(decode("a", &payload), []);
        }
        assert_eq!(decode("a", "{}"), [WakeUp::Everything]);
        assert_eq!(from_word("tea"), WakeUp::Everything);
    }

    #[test]
    fn too_many_wake_ups_become_one_for_everything() {
        let many = (0..500).map(|n| format!("reconcile:server-number-{n}")).collect();
        assert_eq!(decode("b", &encode("a", &many)), [WakeUp::Everything]);
    }
}
