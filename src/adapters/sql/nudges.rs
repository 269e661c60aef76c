//! Nudges between instances, over PostgreSQL's LISTEN and NOTIFY.
//!
//! They only save time: who waits for one also looks now and then by itself, so nothing depends on them, and nothing
//! breaks behind a pooler that does not know LISTEN. A notification takes a lock that all commits of the database
//! queue for, so they are merged, and sent by a task of their own.

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
use crate::adapters::local_nudges::LocalNudges;
use crate::domain::media_server::MediaServerName;
use crate::ports::{Nudge, Nudges};

const CHANNEL: &str = "streamward";
/// What is sent within this time travels together.
const MERGE: Duration = Duration::from_millis(20);
/// PostgreSQL takes payloads below 8,000 bytes.
const LARGEST: usize = 7_000;
/// How long to wait after the first failure, and after many.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// There is nothing like it in SQLite, which one process serves.
const NOTIFY: Sql = Sql { pg: "SELECT pg_notify($1, $2)", lite: "" };

/// Nudges to this instance at once, and to the others as soon as the database has told them.
#[derive(Clone, Debug)]
pub struct PgNudges {
    local: LocalNudges,
    outbox: Arc<Outbox>,
}

#[derive(Debug, Default)]
struct Outbox {
    words: Mutex<BTreeSet<String>>,
    filled: Notify,
}

impl Outbox {
    fn put(&self, words: impl IntoIterator<Item = String>) {
        self.words.lock().unwrap_or_else(PoisonError::into_inner).extend(words);
        self.filled.notify_one();
    }

    fn take(&self) -> BTreeSet<String> {
        std::mem::take(&mut *self.words.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What travels.
#[derive(Serialize, Deserialize)]
struct Payload {
    from: String,
    nudges: BTreeSet<String>,
}

impl PgNudges {
    /// Starts sending and listening. `instance` tells our own notifications from those of others. Two tasks run on
    /// `tasks` until `stop`; they need two connections of `pg`'s pool, one of them all the time.
    pub fn start(pg: Pg, instance: impl Into<String>, tasks: &TaskTracker, stop: CancellationToken) -> Self {
        let nudges = Self { local: LocalNudges::default(), outbox: Arc::default() };
        let instance = instance.into();
        let (sender, listener) = (
            send_all(pg.clone(), instance.clone(), Arc::clone(&nudges.outbox)),
            listen_forever(pg, instance, nudges.local.clone()),
        );
        let stopped = stop.clone();
        tasks.spawn(async move { stop.run_until_cancelled(sender).await });
        tasks.spawn(async move { stopped.run_until_cancelled(listener).await });
        nudges
    }
}

impl Nudges for PgNudges {
    fn send(&self, nudge: Nudge) {
        self.outbox.put([to_word(&nudge)]);
        self.local.send(nudge);
    }

    fn send_local(&self, nudge: Nudge) {
        self.local.send(nudge);
    }

    fn listen(&self) -> broadcast::Receiver<Nudge> {
        self.local.listen()
    }
}

fn to_word(nudge: &Nudge) -> String {
    match nudge {
        Nudge::Reconcile(server) => format!("reconcile:{server}"),
        Nudge::Events => "events".into(),
        Nudge::Keys => "keys".into(),
        Nudge::Streamers => "streamers".into(),
        Nudge::Everything => "everything".into(),
    }
}

/// A word that is not understood comes from a newer version: look at everything.
fn from_word(word: &str) -> Nudge {
    match word {
        "events" => Nudge::Events,
        "keys" => Nudge::Keys,
        "streamers" => Nudge::Streamers,
        word => word
            .strip_prefix("reconcile:")
            .and_then(|name| MediaServerName::parse(name).ok())
            .map_or(Nudge::Everything, Nudge::Reconcile),
    }
}

fn encode(instance: &str, nudges: &BTreeSet<String>) -> String {
    let text = |nudges: &BTreeSet<String>| {
        serde_json::json!(Payload { from: instance.to_owned(), nudges: nudges.clone() }).to_string()
    };
    let payload = text(nudges);
    if payload.len() <= LARGEST { payload } else { text(&BTreeSet::from([to_word(&Nudge::Everything)])) }
}

/// The nudges in a payload, none if it is our own.
fn decode(instance: &str, payload: &str) -> Vec<Nudge> {
    match serde_json::from_str::<Payload>(payload) {
        Ok(payload) if payload.from == instance => Vec::new(),
        Ok(payload) => payload.nudges.iter().map(|word| from_word(word)).collect(),
        Err(_) => vec![Nudge::Everything],
    }
}

async fn send_all(pg: Pg, instance: String, outbox: Arc<Outbox>) -> ! {
    let mut wait = BACKOFF.0;
    loop {
        outbox.filled.notified().await;
        sleep(MERGE).await;
        let words = outbox.take();
        // A nudge that arrives twice does no harm, so it may be tried again on another connection.
        let sent = pg.exec_twice::<()>(NOTIFY, args![CHANNEL, encode(&instance, &words)]);
        if let Err(error) = sent.await {
            tracing::debug!(%error, "other instances could not be nudged");
            outbox.put(words);
            sleep(wait).await;
            wait = (wait * 2).min(BACKOFF.1);
        } else {
            wait = BACKOFF.0;
        }
    }
}

async fn listen_forever(pg: Pg, instance: String, local: LocalNudges) -> ! {
    let mut wait = BACKOFF.0;
    loop {
        match PgListener::connect_with(&pg.pool).await {
            Ok(listener) => {
                let error = listen(listener, &instance, &local, &mut wait).await;
                tracing::debug!(%error, "listening for nudges was interrupted");
            }
            Err(error) => tracing::debug!(%error, "cannot listen for nudges"),
        }
        sleep(wait).await;
        wait = (wait * 2).min(BACKOFF.1);
    }
}

/// Listens until the connection fails in a way that the listener does not mend by itself.
async fn listen(
    mut listener: PgListener,
    instance: &str,
    local: &LocalNudges,
    wait: &mut Duration,
) -> sqlx::Error {
    if let Err(error) = listener.listen(CHANNEL).await {
        return error;
    }
    // What was sent while nobody listened is lost.
    local.send(Nudge::Everything);
    *wait = BACKOFF.0;
    loop {
        match listener.try_recv().await {
            Ok(Some(notification)) => {
                decode(instance, notification.payload()).into_iter().for_each(|nudge| local.send(nudge));
            }
            Ok(None) => local.send(Nudge::Everything),
            Err(error) => return error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nudges_survive_the_way_and_our_own_are_dropped() {
        let server = Nudge::Reconcile(MediaServerName::default());
        for nudge in [server, Nudge::Events, Nudge::Keys, Nudge::Streamers, Nudge::Everything] {
            let payload = encode("a", &BTreeSet::from([to_word(&nudge)]));
            assert_eq!(decode("b", &payload), [nudge]);
            assert_eq!(decode("a", &payload), []);
        }
        assert_eq!(decode("a", "{}"), [Nudge::Everything]);
        assert_eq!(from_word("tea"), Nudge::Everything);
    }

    #[test]
    fn too_many_nudges_become_one_for_everything() {
        let many = (0..500).map(|n| format!("reconcile:server-number-{n}")).collect();
        assert_eq!(decode("b", &encode("a", &many)), [Nudge::Everything]);
    }
}
